//! What must not have happened, and why an image is needed, in types and in words.

use std::fmt;

use chrono::{DateTime, Utc};
use ocird_model::{Digest, ImageId, RepositoryName};

use crate::error::ApiError;
use crate::registry::Reference;

/// Something that must not have happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// The daemon deleted something needed.
    WrongDeletion {
        /// When.
        at: DateTime<Utc>,
        /// The repository.
        repository: RepositoryName,
        /// The image.
        image: ImageId,
        /// Its digest.
        digest: Digest,
        /// What needed it.
        need: Need,
    },
    /// A host could not get an image that it was told to run.
    Missing {
        /// When.
        at: DateTime<Utc>,
        /// What the host was doing.
        attempt: Attempt,
        /// Who wanted it.
        workload: String,
        /// The repository.
        repository: RepositoryName,
        /// How the host named it.
        reference: Reference,
        /// What the registry answered.
        error: ApiError,
    },
    /// A pusher built on a manifest that was there, and the daemon had deleted it meanwhile.
    BrokenPush {
        /// When.
        at: DateTime<Utc>,
        /// The repository.
        repository: RepositoryName,
        /// The index that could not be pushed.
        index: Digest,
        /// Its child that is gone.
        child: Digest,
    },
    /// Something needed is not there, by whatever hand.
    Gone {
        /// The repository.
        repository: RepositoryName,
        /// What is missing.
        reference: Reference,
        /// What needs it.
        need: Need,
    },
}

/// Why an image is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// A workload runs it, or is stopped and would start from it.
    Workload {
        /// Who: `web on milan-1`.
        workload: String,
    },
    /// It is what a workload may be rolled back to.
    Rollback {
        /// Who.
        workload: String,
    },
    /// An index that lives names it.
    ChildOf {
        /// The index.
        parent: Digest,
    },
    /// It names a child that a workload runs by the child's own digest.
    ParentOf {
        /// The child.
        child: Digest,
    },
    /// It speaks about an image that lives.
    ReferrerOf {
        /// The subject.
        subject: Digest,
    },
}

/// What a host was doing when it found an image missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// Deploying.
    Deploy,
    /// Restarting.
    Restart,
    /// Rolling back.
    Rollback,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongDeletion { at, repository, image: _, digest, need } => {
                write!(f, "{at}: {repository}@{} was deleted, and it {need}", digest.short())
            }
            Self::Missing { at, attempt, workload, repository, reference, error } => {
                write!(f, "{at}: {workload} did not find {repository} {reference} to {attempt}: {error}")
            }
            Self::BrokenPush { at, repository, index, child } => write!(
                f,
                "{at}: {repository}@{} could not be pushed, its child {} having been deleted",
                index.short(),
                child.short()
            ),
            Self::Gone { repository, reference, need } => {
                write!(f, "{repository} {reference} is gone, and it {need}")
            }
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload { workload } => write!(f, "is what {workload} starts from"),
            Self::Rollback { workload } => write!(f, "is what {workload} may be rolled back to"),
            Self::ChildOf { parent } => write!(f, "is a child of {}", parent.short()),
            Self::ParentOf { child } => write!(f, "names {}, which runs", child.short()),
            Self::ReferrerOf { subject } => write!(f, "speaks about {}", subject.short()),
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deploy => "deploy it",
            Self::Restart => "restart",
            Self::Rollback => "roll back",
        })
    }
}
