//! Faults on demand: which call of which operation goes wrong, and how. Both faces ask one method,
//! [`crate::Tenancy::fault_for`], before they do anything.
//!
//! A fault never changes the state of the tenancy; it changes what the caller gets to see of it.

use std::time::Duration;

use chrono::TimeDelta;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

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
    /// PUT of a manifest by tag.
    PutManifest,
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
            Self::PutManifest => "PutManifest",
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
    /// 429 `TooManyRequests`, and nothing happens.
    Throttled {
        /// What the answer says about when to come again, if anything: no official client reads it, and ocird does.
        retry_after: Option<RetryAfter>,
    },
    /// The connection is dropped before anything happens.
    Dropped,
    /// The operation happens, and the answer is lost on its way.
    AnswerLost,
    /// The answer comes after this time by the tenancy's clock.
    Slow(Duration),
    /// The answer is not what the service promises to send: not JSON, or a wrong manifest.
    Garbled,
    /// A 200 with this JSON in place of the answer, and nothing happens: a sign-in that brings no token, or somebody
    /// else's.
    Instead(String),
    /// The instance gets a new certificate and key just before the call, which goes right: between the reads of the two,
    /// say, or in the middle of a pass.
    Rotation,
    /// A list page without rows that leads, by a cursor that was never seen before, to the rows that it should have had.
    EmptyPage,
    /// A list page whose next page is itself, for ever.
    RepeatedCursor,
    /// A list page that lacks the row at this place, without a word.
    DroppedRow(usize),
    /// A list page that has the row at this place twice.
    RepeatedRow(usize),
    /// A list page with its rows the other way round.
    Reversed,
    /// A list page that says it is the last, whatever comes after it.
    Cut,
}

impl Fault {
    /// A refusal with this status and code.
    pub const fn status(status: u16, code: &'static str) -> Self {
        Self::Status { status, code }
    }

    /// A 429 that asks the caller to come again after so many seconds.
    pub const fn throttled_for(seconds: u64) -> Self {
        Self::Throttled { retry_after: Some(RetryAfter::Seconds(seconds)) }
    }

    /// The page as this fault shows it. Faults that are not about pages leave it as it is.
    #[must_use]
    pub fn bend<T: Clone>(&self, mut page: Page<T>) -> Page<T> {
        match self {
            Self::EmptyPage => Page { items: Vec::new(), next: Some(page.afresh.clone()), ..page },
            Self::RepeatedCursor => Page { next: Some(page.again.clone()), ..page },
            Self::DroppedRow(place) => {
                if *place < page.items.len() {
                    page.items.remove(*place);
                }
                page
            }
            Self::RepeatedRow(place) => {
                if let Some(row) = page.items.get(*place).cloned() {
                    page.items.insert(*place, row);
                }
                page
            }
            Self::Reversed => {
                page.items.reverse();
                page
            }
            Self::Cut => Page { next: None, ..page },
            Self::Status { .. }
            | Self::Throttled { .. }
            | Self::Dropped
            | Self::AnswerLost
            | Self::Slow(_)
            | Self::Garbled
            | Self::Instead(_)
            | Self::Rotation => page,
        }
    }
}

/// The two forms of the header `Retry-After`.
/// <https://www.rfc-editor.org/rfc/rfc9110#name-retry-after>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// In so many seconds.
    Seconds(u64),
    /// At a date, which is so far ahead of the tenancy's time.
    Date(TimeDelta),
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
    /// Every call whose number this divides: with 2 the second, the fourth and so on. With 0 none.
    Every(u64),
    /// About this many of a hundred calls, by lot; the same seed draws the same calls.
    Percent {
        /// How many of a hundred.
        share: u8,
        /// What the lots are drawn by.
        seed: u64,
    },
}

impl When {
    /// True when the call with this number, counted from one, goes wrong.
    fn fires(self, number: u64) -> bool {
        match self {
            Self::Call(wanted) => number == wanted,
            Self::Next(n_calls) => number <= n_calls,
            Self::Always => true,
            Self::Every(nth) => nth != 0 && number.is_multiple_of(nth),
            Self::Percent { share, seed } => {
                // A stream for each call: what a call draws does not depend on how often others drew.
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                random.set_stream(number);
                random.random_range(0..100) < share
            }
        }
    }
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
            if injection.when.fires(injection.n_calls) && chosen.is_none() {
                chosen = Some(injection.fault.clone());
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firing(when: When, n_calls: u64) -> Vec<u64> {
        (1..=n_calls).filter(|number| when.fires(*number)).collect()
    }

    #[test]
    fn every_second_call_is_the_second_the_fourth_and_so_on() {
        assert_eq!(firing(When::Every(2), 6), [2, 4, 6]);
        assert_eq!(firing(When::Every(1), 2), [1, 2]);
        assert!(firing(When::Every(0), 6).is_empty());
    }

    #[test]
    fn half_of_all_calls_by_lot_are_about_half_and_the_same_for_the_same_seed() {
        let half = |seed| firing(When::Percent { share: 50, seed }, 1000);
        assert!((420..580).contains(&half(7).len()), "{}", half(7).len());
        assert_eq!(half(7), half(7));
        assert_ne!(half(7), half(8));
        assert_eq!(firing(When::Percent { share: 100, seed: 7 }, 50).len(), 50);
        assert!(firing(When::Percent { share: 0, seed: 7 }, 50).is_empty());
    }
}
