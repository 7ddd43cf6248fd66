//! Faults on demand: which call of which operation goes wrong, and how. Both faces ask one method,
//! [`crate::Tenancy::fault_for`], before they do anything.
//!
//! A fault never changes the state of the tenancy; it changes what the caller gets to see of it.

use std::time::Duration;

use crate::view::Page;

/// An operation of the cloud, by the cloud's own name. The unit of faults, permissions and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// The instance metadata service.
    Metadata,
    /// The exchange of the instance's certificate for a token.
    Federation,
    /// The list of repositories.
    ListContainerRepositories,
    /// One repository.
    GetContainerRepository,
    /// A new repository.
    CreateContainerRepository,
    /// The list of images.
    ListContainerImages,
    /// One image with all its tags and layers.
    GetContainerImage,
    /// One image by its path.
    LookupContainerImageByUri,
    /// The deletion of an image with all its tags.
    DeleteContainerImage,
    /// The removal of one tag.
    RemoveContainerVersion,
    /// The undoing of a deletion.
    RestoreContainerImage,
    /// The registry's configuration of the tenancy.
    GetContainerConfiguration,
    /// The list of OCI image signatures.
    ListContainerImageSignatures,
    /// The auth tokens of a user.
    ListAuthTokens,
    /// The registry's token endpoint.
    DockerToken,
    /// GET or HEAD of a manifest.
    GetManifest,
    /// GET of a blob.
    GetBlob,
    /// The tags of a repository by the registry's own list.
    ListTags,
}

impl Operation {
    /// The operation as logs and errors name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Metadata => "Metadata",
            Self::Federation => "Federation",
            Self::ListContainerRepositories => "ListContainerRepositories",
            Self::GetContainerRepository => "GetContainerRepository",
            Self::CreateContainerRepository => "CreateContainerRepository",
            Self::ListContainerImages => "ListContainerImages",
            Self::GetContainerImage => "GetContainerImage",
            Self::LookupContainerImageByUri => "LookupContainerImageByUri",
            Self::DeleteContainerImage => "DeleteContainerImage",
            Self::RemoveContainerVersion => "RemoveContainerVersion",
            Self::RestoreContainerImage => "RestoreContainerImage",
            Self::GetContainerConfiguration => "GetContainerConfiguration",
            Self::ListContainerImageSignatures => "ListContainerImageSignatures",
            Self::ListAuthTokens => "ListAuthTokens",
            Self::DockerToken => "DockerToken",
            Self::GetManifest => "GetManifest",
            Self::GetBlob => "GetBlob",
            Self::ListTags => "ListTags",
        }
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The call is answered with this status and code, and nothing happens.
    Status {
        /// The HTTP status.
        status: u16,
        /// The code in the error body.
        code: &'static str,
    },
    /// The connection is dropped before anything happens.
    Dropped,
    /// The operation happens, and the answer is lost on its way.
    AnswerLost,
    /// The answer comes after this time by the tenancy's clock.
    Slow(Duration),
    /// The answer is not what the service promises to send: not JSON, or a wrong manifest.
    Garbled,
    /// A list page without rows whose next page is the one that was asked for.
    EmptyPage,
    /// A list page whose next page is itself, for ever.
    RepeatedCursor,
    /// A list page that lacks the row at this place, without a word.
    DroppedRow(usize),
}

impl Fault {
    /// A refusal with this status and code.
    pub const fn status(status: u16, code: &'static str) -> Self {
        Self::Status { status, code }
    }

    /// The page as this fault shows it. Faults that are not about pages leave it as it is.
    #[must_use]
    pub fn bend<T>(&self, mut page: Page<T>) -> Page<T> {
        match self {
            Self::EmptyPage => Page { items: Vec::new(), next: Some(page.again.clone()), ..page },
            Self::RepeatedCursor => Page { next: Some(page.again.clone()), ..page },
            Self::DroppedRow(place) => {
                if *place < page.items.len() {
                    page.items.remove(*place);
                }
                page
            }
            Self::Status { .. } | Self::Dropped | Self::AnswerLost | Self::Slow(_) | Self::Garbled => page,
        }
    }
}

/// Which calls of an operation go wrong, counted from the injection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Exactly the call with this number; the next one is 1.
    Call(u64),
    /// This many calls from now on.
    Next(u64),
    /// Every call until the faults are cleared.
    Always,
}

/// The faults that are set.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    injections: Vec<Injection>,
}

#[derive(Debug)]
struct Injection {
    /// The operation concerned; `None` for every one.
    operation: Option<Operation>,
    when: When,
    fault: Fault,
    /// Number of calls since the injection.
    n_calls: u64,
}

impl Faults {
    /// Sets one more fault.
    pub(crate) fn inject(&mut self, operation: Option<Operation>, when: When, fault: Fault) {
        self.injections.push(Injection { operation, when, fault, n_calls: 0 });
    }

    /// Forgets all faults.
    pub(crate) fn clear(&mut self) {
        self.injections.clear();
    }

    /// Counts one call, and says what goes wrong with it: the fault that was set first, if several fit.
    pub(crate) fn next(&mut self, operation: Operation) -> Option<Fault> {
        let mut chosen = None;
        for injection in &mut self.injections {
            if injection.operation.is_some_and(|wanted| wanted != operation) {
                continue;
            }
            injection.n_calls += 1;
            let fires = match injection.when {
                When::Call(number) => injection.n_calls == number,
                When::Next(n_calls) => injection.n_calls <= n_calls,
                When::Always => true,
            };
            if fires && chosen.is_none() {
                chosen = Some(injection.fault.clone());
            }
        }
        chosen
    }
}
