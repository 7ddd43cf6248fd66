//! What the daemon's principal may do, by the shape of Oracle's policies: inspect for a compartment as a whole, read and
//! update by repository name, single operations taken away by `request.operation`.
//! <https://docs.oracle.com/en-us/iaas/Content/Identity/Reference/registrypolicyreference.htm>
//!
//! Only the daemon is subject to it. Pushers, hosts and test hands act on the tenancy directly.

use std::collections::BTreeSet;

use ocird_model::RepositoryName;

use crate::fault::Operation;

/// The daemon's rights. Without one, the cloud answers as if nothing were there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Iam {
    /// Whether repositories and images may be listed. A listing right cannot name repositories.
    pub inspect: bool,
    /// The repositories whose images and manifests may be read.
    pub read: Vec<Scope>,
    /// The repositories whose images may be deleted and restored, and pushed to.
    pub update: Vec<Scope>,
    /// Operations that are not permitted whatever the rest says.
    pub denied: BTreeSet<Operation>,
}

/// Repositories by name, as `target.repo.name` conditions match them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every repository.
    All,
    /// Repositories whose names start so.
    Prefix(String),
    /// One repository.
    Exactly(RepositoryName),
}

impl Scope {
    /// True when the repository is within.
    pub fn holds(&self, repository: &RepositoryName) -> bool {
        match self {
            Self::All => true,
            Self::Prefix(prefix) => repository.as_str().starts_with(prefix.as_str()),
            Self::Exactly(name) => name == repository,
        }
    }
}

impl Iam {
    /// Every right that ocird can use.
    pub fn everything() -> Self {
        Self { inspect: true, read: vec![Scope::All], update: vec![Scope::All], denied: BTreeSet::new() }
    }

    /// No right at all: what a removed policy statement looks like.
    pub const fn nothing() -> Self {
        Self { inspect: false, read: Vec::new(), update: Vec::new(), denied: BTreeSet::new() }
    }

    /// True when the operation is permitted on this repository; `None` for operations that name no repository.
    pub fn permits(&self, operation: Operation, repository: Option<&RepositoryName>) -> bool {
        let within = |scopes: &[Scope]| match repository {
            Some(name) => scopes.iter().any(|scope| scope.holds(name)),
            None => !scopes.is_empty(),
        };
        !self.denied.contains(&operation)
            && match operation {
                Operation::Metadata | Operation::Federation | Operation::DockerToken => true,
                Operation::ListContainerRepositories
                | Operation::ListContainerImages
                | Operation::ListContainerImageSignatures
                | Operation::GetContainerConfiguration
                | Operation::ListAuthTokens => self.inspect,
                Operation::GetContainerRepository
                | Operation::GetContainerImage
                | Operation::LookupContainerImageByUri
                | Operation::GetManifest
                | Operation::GetBlob
                | Operation::ListTags => within(&self.read),
                Operation::CreateContainerRepository
                | Operation::DeleteContainerImage
                | Operation::RemoveContainerVersion
                | Operation::RestoreContainerImage
                | Operation::PutManifest => within(&self.update),
            }
    }
}
