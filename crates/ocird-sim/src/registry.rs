//! The registry proper: manifests by tag or digest, blobs, tags, and pulls.
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ocird_model::{Digest, ImageId, ParseNameError, RepositoryName, Tag};

use crate::error::ApiError;
use crate::fault::Operation;
use crate::image::Image;
use crate::manifest::Platform;
use crate::repository::Repository;
use crate::settings::{ManifestReads, PullAccounting};
use crate::state::State;
use crate::tenancy::Tenancy;
use crate::view::ManifestView;

/// How somebody names a manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// By a tag, which may move.
    Tag(Tag),
    /// By its digest.
    Digest(Digest),
}

impl FromStr for Reference {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self::Digest).or_else(|_| text.parse().map(Self::Tag))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

/// What a pull resolved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulled {
    /// The manifest that was named.
    pub digest: Digest,
    /// The manifest for the platform; the same when what was named is no index.
    pub platform_digest: Digest,
}

impl Tenancy {
    /// A GET of a manifest by the daemon. Counts as a pull when the settings say so.
    pub fn manifest(&self, name: &RepositoryName, reference: &Reference) -> Result<ManifestView, ApiError> {
        let (mut state, now) = self.lock();
        let (id, view) = state.read_manifest(name, reference)?;
        if state.settings.manifest_reads == ManifestReads::CountAsPulls {
            state.count_pull(&id, now);
        }
        Ok(view)
    }

    /// A HEAD of a manifest by the daemon: the same answer, never a pull.
    pub fn manifest_head(
        &self,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<ManifestView, ApiError> {
        self.lock().0.read_manifest(name, reference).map(|(_, view)| view)
    }

    /// The bytes of a blob. Layers are made up and have none.
    pub fn blob(&self, name: &RepositoryName, digest: &Digest) -> Result<Arc<[u8]>, ApiError> {
        let (state, _) = self.lock();
        let repository = state.repository(name)?;
        state.authorize(Operation::GetBlob, Some(repository))?;
        repository.blobs.get(digest).cloned().ok_or(ApiError::BlobUnknown { digest: digest.to_string() })
    }

    /// Every tag of a repository, in order.
    pub fn list_tags(&self, name: &RepositoryName) -> Result<Vec<Tag>, ApiError> {
        let (state, _) = self.lock();
        let repository = state.repository(name)?;
        state.authorize(Operation::ListTags, Some(repository))?;
        Ok(repository.tags.keys().cloned().collect())
    }

    /// A whole pull by somebody else than the daemon: the manifest, and through an index the child for the platform.
    pub fn pull(
        &self,
        name: &RepositoryName,
        reference: &Reference,
        platform: Platform,
    ) -> Result<Pulled, ApiError> {
        let (mut state, now) = self.lock();
        let (top, child) = state.resolve_for(name, reference, platform)?;
        let pulled = Pulled {
            digest: state.images[&top].manifest.digest,
            platform_digest: state.images[&child].manifest.digest,
        };
        let accounting = state.settings.pull_accounting;
        if accounting != PullAccounting::Index || top == child {
            state.count_pull(&child, now);
        }
        if accounting != PullAccounting::Child && top != child {
            state.count_pull(&top, now);
        }
        Ok(pulled)
    }
}

impl State {
    fn read_manifest(
        &self,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<(ImageId, ManifestView), ApiError> {
        let repository = self.repository(name)?;
        self.authorize(Operation::GetManifest, Some(repository))?;
        let image = self.resolve(repository, reference)?;
        let view = ManifestView {
            digest: image.manifest.digest,
            media_type: Arc::clone(&image.manifest.media_type),
            bytes: Arc::clone(&image.manifest.bytes),
        };
        Ok((image.id.clone(), view))
    }

    /// The available image that a reference names.
    pub(crate) fn resolve(&self, repository: &Repository, reference: &Reference) -> Result<&Image, ApiError> {
        let found = match reference {
            Reference::Tag(tag) => repository.tags.get(tag).map(|id| &self.images[id]),
            Reference::Digest(digest) => self.available(repository, digest),
        };
        found.ok_or_else(|| ApiError::ManifestUnknown { reference: reference.to_string() })
    }

    /// The image that a reference names, and the one that a host of this platform runs from it.
    pub(crate) fn resolve_for(
        &self,
        name: &RepositoryName,
        reference: &Reference,
        platform: Platform,
    ) -> Result<(ImageId, ImageId), ApiError> {
        let repository = self.repository(name)?;
        let top = self.resolve(repository, reference)?;
        if top.facts.children.is_empty() {
            return Ok((top.id.clone(), top.id.clone()));
        }
        let child = top
            .facts
            .children
            .iter()
            .find(|(_, built_for)| *built_for == Some(platform))
            .and_then(|(digest, _)| self.available(repository, digest))
            .ok_or_else(|| ApiError::ManifestUnknown {
                reference: format!("{reference} for {}", platform.architecture()),
            })?;
        Ok((top.id.clone(), child.id.clone()))
    }
}
