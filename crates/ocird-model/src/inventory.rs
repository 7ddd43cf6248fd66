//! Everything a pass saw. A repository is either seen whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::{CompartmentId, Digest, Hold, Image, Namespace, RepositoryId, RepositoryName, Unreadable};

/// What one pass saw of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// When the pass began to look.
    pub taken_at: DateTime<Utc>,
    /// Every repository of the configured compartments that was listed, and of the others every one that was known.
    pub repositories: BTreeMap<RepositoryName, RepositoryState>,
    /// Number of compartments whose repositories could not be listed. They may hold repositories that nobody has ever
    /// seen, so that what is not found in `repositories` is not known to be nowhere (S-2).
    pub n_unlisted: usize,
}

/// One repository, whole or not at all (S-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepositoryState {
    /// Listed to the end, every detail and manifest known.
    Complete(Repository),
    /// Something of it could not be read; nothing is decided about it.
    Unreadable {
        /// The repository's OCID.
        id: RepositoryId,
        /// What failed.
        why: Unreadable,
    },
}

impl RepositoryState {
    /// The repository, if it was read whole.
    pub const fn complete(&self) -> Option<&Repository> {
        match self {
            Self::Complete(repository) => Some(repository),
            Self::Unreadable { id: _, why: _ } => None,
        }
    }
}

/// A repository that was read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// The OCID.
    pub id: RepositoryId,
    /// The name, without the namespace.
    pub name: RepositoryName,
    /// Where it lives.
    pub compartment: CompartmentId,
    /// The tenancy's namespace, the first part of the image path.
    pub namespace: Namespace,
    /// Anybody may pull from it, so that nobody can know who does (S-35).
    pub is_public: bool,
    /// Every available image, ordered by digest.
    pub images: Vec<Image>,
    /// Members of families whose head ocird itself deleted and which are still listed: member to head. They go
    /// next, unless something else names them by now (S-6).
    pub rests: BTreeMap<Digest, Digest>,
    /// Every hold on something of it, whether it is listed or not, and whether the hold is in force or not (S-27).
    pub holds: Vec<Hold>,
}

impl Repository {
    /// The image with this digest. Needs `images` to be in order.
    pub fn image(&self, digest: &Digest) -> Option<&Image> {
        self.position(digest).map(|i| &self.images[i])
    }

    /// The place of this digest in `images`.
    pub fn position(&self, digest: &Digest) -> Option<usize> {
        self.images.binary_search_by_key(digest, |image| image.digest).ok()
    }

    /// The listed ones of these digests, with every listed image that they name, however deep, each once.
    pub fn with_what_they_name(&self, digests: impl IntoIterator<Item = Digest>) -> Vec<&Image> {
        let mut open: Vec<Digest> = digests.into_iter().collect();
        let mut seen = BTreeSet::new();
        let mut images = Vec::new();
        while let Some(digest) = open.pop() {
            if seen.insert(digest)
                && let Some(image) = self.image(&digest)
            {
                open.extend(image.content.children());
                images.push(image);
            }
        }
        images
    }
}

impl Inventory {
    /// The repositories that were read whole.
    pub fn complete(&self) -> impl Iterator<Item = &Repository> {
        self.repositories.values().filter_map(RepositoryState::complete)
    }

    /// True when every compartment was listed and every repository read whole: what is not found then is not there.
    pub fn is_whole(&self) -> bool {
        self.n_unlisted == 0 && self.repositories.values().all(|state| state.complete().is_some())
    }
}
