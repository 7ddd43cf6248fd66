//! What pushers do: build images, push them with their attestations, sign them, move tags.
//!
//! Everything goes through [`Tenancy::put_manifest`], which behaves as the registry's PUT does: a child must be there
//! before its index, and a digest that is there already only gets its tag. Permissions are not looked at.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ocird_model::{Digest, ImageId, RepositoryId, RepositoryName, Tag};
use serde_json::json;

use crate::error::ApiError;
use crate::fault::Operation;
use crate::image::Life;
use crate::manifest::{Blob, Child, Facts, Flavour, Manifest, Platform};
use crate::repository::Repository;
use crate::settings::{Repush, parsed};
use crate::state::{Hand, State};
use crate::tenancy::Tenancy;
use crate::view::Mutability;
use crate::violation::Violation;

/// Media type of cosign's payload.
const COSIGN_PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Media type of an in-toto attestation.
const IN_TOTO: &str = "application/vnd.in-toto+json";

/// An image as a build makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// What it was built from; part of every configuration, so that another revision is another digest.
    pub revision: String,
    /// The layers of each platform. One platform without attestations makes a single manifest, anything else an index.
    pub platforms: Vec<(Platform, Vec<Blob>)>,
    /// Whose media types it uses.
    pub flavour: Flavour,
    /// How the build attests what it did.
    pub attestations: Attestations,
}

/// How a build attests what it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attestations {
    /// Not at all.
    None,
    /// As buildx did for years: a child of the index for platform unknown/unknown.
    Children,
    /// As newer builders do: the same child, which also names its platform's manifest as its subject.
    Subjects,
}

/// What a push left in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The image that the tags point at.
    pub image: ImageId,
    /// Its digest.
    pub digest: Digest,
    /// The children it names, in its order.
    pub children: Vec<Digest>,
}

impl Build {
    /// A small image for amd64 and arm64 on a common base, without attestations.
    pub fn small(revision: &str) -> Self {
        let layers = |architecture: &str| {
            vec![
                Blob::layer(&format!("small base {architecture}"), 3_000_000),
                Blob::layer(&format!("small app {revision} {architecture}"), 500_000),
            ]
        };
        Self {
            revision: revision.to_owned(),
            platforms: vec![(Platform::Amd64, layers("amd64")), (Platform::Arm64, layers("arm64"))],
            flavour: Flavour::Oci,
            attestations: Attestations::None,
        }
    }

    /// An image as [`Build::small`], whose layers have bytes, so that a real client can pull it.
    pub fn pullable(revision: &str) -> Self {
        let layers = |platform: Platform| {
            let architecture = platform.architecture();
            let app = format!("app {revision} {architecture}");
            (platform, vec![Blob::packed(&format!("base {architecture}")), Blob::packed(&app)])
        };
        let platforms = vec![layers(Platform::Amd64), layers(Platform::Arm64)];
        Self { platforms, ..Self::small(revision) }
    }

    /// The same with the media types of Docker.
    #[must_use]
    pub const fn docker(mut self) -> Self {
        self.flavour = Flavour::Docker;
        self
    }

    /// The same for arm64 only: a single manifest.
    #[must_use]
    pub fn single(mut self) -> Self {
        self.platforms.retain(|(platform, _)| *platform == Platform::Arm64);
        self
    }

    /// The same with attestations.
    #[must_use]
    pub const fn attested(mut self, attestations: Attestations) -> Self {
        self.attestations = attestations;
        self
    }

    /// The children in the order in which they are pushed, with the blobs they bring.
    fn children(&self) -> Vec<(Child, Vec<Blob>)> {
        let mut children: Vec<_> = self
            .platforms
            .iter()
            .map(|(platform, layers)| {
                let (manifest, config) = Manifest::image(self.flavour, *platform, &self.revision, layers);
                let child = Child { manifest, platform: *platform, attests: None };
                (child, layers.iter().cloned().chain([config]).collect())
            })
            .collect();
        let attestations: Vec<_> =
            children.iter().filter_map(|(child, _)| self.attestation(&child.manifest)).collect();
        children.extend(attestations);
        children
    }

    fn attestation(&self, subject: &Manifest) -> Option<(Child, Vec<Blob>)> {
        let named = match self.attestations {
            Attestations::None => return None,
            Attestations::Children => None,
            Attestations::Subjects => Some(subject),
        };
        let statement =
            json!({"predicateType": "https://slsa.dev/provenance/v1", "subject": subject.digest.to_string()});
        let payload = Blob::bytes(statement.to_string().into_bytes());
        let (manifest, config) = Manifest::artifact(IN_TOTO, &payload, named);
        let child = Child { manifest, platform: Platform::Unknown, attests: Some(subject.digest) };
        Some((child, vec![config, payload]))
    }
}

impl Tenancy {
    /// Pushes a build: children first, then the index, then the tags. Pushing the same build again makes no new image;
    /// its tags get a new time.
    pub fn push(
        &self,
        repository: &RepositoryName,
        build: &Build,
        tags: &[Tag],
        by: &str,
    ) -> Result<Pushed, ApiError> {
        let children = build.children();
        for (child, blobs) in &children {
            self.upload(repository, blobs)?;
            self.put_manifest(repository, &child.manifest, None, by)?;
        }
        let children: Vec<Child> = children.into_iter().map(|(child, _)| child).collect();
        let top = match children.as_slice() {
            [only] if only.attests.is_none() => only.manifest.clone(),
            _ => Manifest::index(build.flavour, &children),
        };
        let image = self.put_manifest(repository, &top, None, by)?;
        for tag in tags {
            self.put_manifest(repository, &top, Some(tag), by)?;
        }
        Ok(Pushed {
            image,
            digest: top.digest,
            children: Facts::read(&top).children.into_iter().map(|(digest, _)| digest).collect(),
        })
    }

    /// Signs as cosign classically does: an artifact under the tag `sha256-<hex>.sig`, without a subject.
    pub fn cosign(&self, repository: &RepositoryName, digest: &Digest, by: &str) -> Result<Pushed, ApiError> {
        let payload = Blob::bytes(
            json!({"critical": {"image": {"docker-manifest-digest": digest.to_string()}}})
                .to_string()
                .into_bytes(),
        );
        let (manifest, config) = Manifest::artifact(COSIGN_PAYLOAD, &payload, None);
        self.upload(repository, &[config, payload])?;
        let tag = parsed(&format!("sha256-{}.sig", digest.hex()));
        let image = self.put_manifest(repository, &manifest, Some(&tag), by)?;
        Ok(Pushed { image, digest: manifest.digest, children: Vec::new() })
    }

    /// Attaches an artifact by `subject`, and lists it under the fallback tag `sha256-<hex>`, as clients do where the
    /// registry has no referrers API. Answers the artifact.
    pub fn attach(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        holds: &str,
        by: &str,
    ) -> Result<Pushed, ApiError> {
        let (manifest, blobs, others) = {
            let (state, _) = self.lock();
            let home = state.repository(repository)?;
            let about = state.available(home, subject).ok_or_else(|| unknown(&subject.to_string()))?;
            let payload = Blob::bytes(holds.as_bytes());
            let (manifest, config) = Manifest::artifact(IN_TOTO, &payload, Some(&about.manifest));
            (manifest, [config, payload], state.attached_to(home, subject))
        };
        self.upload(repository, &blobs)?;
        let image = self.put_manifest(repository, &manifest, None, by)?;
        let list: Vec<Child> = others
            .into_iter()
            .chain([manifest.clone()])
            .map(|manifest| Child { manifest, platform: Platform::Unknown, attests: None })
            .collect();
        let fallback = Manifest::index(Flavour::Oci, &list);
        let tag = parsed(&format!("sha256-{}", subject.hex()));
        self.put_manifest(repository, &fallback, Some(&tag), by)?;
        Ok(Pushed { image, digest: manifest.digest, children: Vec::new() })
    }

    /// Points a tag at an image that is there.
    pub fn retag(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        tag: &Tag,
        by: &str,
    ) -> Result<ImageId, ApiError> {
        let manifest = {
            let (state, _) = self.lock();
            let home = state.repository(repository)?;
            let image = state.available(home, digest).ok_or_else(|| unknown(&digest.to_string()))?;
            image.manifest.clone()
        };
        self.put_manifest(repository, &manifest, Some(tag), by)
    }

    /// The registry's PUT of a manifest, by tag or by digest. A child that is not there is refused.
    pub fn put_manifest(
        &self,
        repository: &RepositoryName,
        manifest: &Manifest,
        tag: Option<&Tag>,
        by: &str,
    ) -> Result<ImageId, ApiError> {
        let (mut state, now) = self.lock();
        let home = state.repository(repository)?;
        if let Some(child) = state.missing_child(home, manifest) {
            if state.was_taken_by_daemon(home, &child) {
                let violation = Violation::BrokenPush {
                    at: now,
                    repository: repository.clone(),
                    index: manifest.digest,
                    child,
                };
                state.violations.push(violation);
            }
            return Err(ApiError::ManifestBlobUnknown { digest: child.to_string() });
        }
        check_overwrite(&state, home, manifest, tag)?;
        let home = home.id.clone();
        let image = state.settle_in(&home, manifest, by, now);
        if let Some(tag) = tag {
            state.tag(&image, tag, by, now);
        }
        if let Some(repository) = state.repositories.get_mut(&home) {
            repository.last_pushed_at = Some(now);
        }
        Ok(image)
    }

    /// The registry's PUT of a manifest by tag, under the daemon's permissions. Answers the digest. A child that is not there is
    /// refused, and is nobody's loss: who brings a family back tries again once the child is back.
    pub fn put_tag(
        &self,
        name: &RepositoryName,
        tag: &Tag,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Digest, ApiError> {
        let manifest = Manifest::raw(media_type, bytes);
        {
            let (state, _) = self.lock();
            let repository = state.repository(name)?;
            state.authorize(Operation::PutManifest, Some(repository))?;
            if let Some(child) = state.missing_child(repository, &manifest) {
                return Err(ApiError::ManifestBlobUnknown { digest: child.to_string() });
            }
        }
        self.put_manifest(name, &manifest, Some(tag), "ocid1.instance.oc1..aaaaaaaadaemon")?;
        Ok(manifest.digest)
    }

    /// Uploads blobs that have bytes. Made-up layers need no upload.
    fn upload(&self, repository: &RepositoryName, blobs: &[Blob]) -> Result<(), ApiError> {
        let (mut state, _) = self.lock();
        let id = state.repository(repository)?.id.clone();
        let home = state.repositories.get_mut(&id).expect("it has just been looked up");
        for blob in blobs {
            if let Some(bytes) = &blob.bytes {
                home.blobs.insert(blob.digest, Arc::clone(bytes));
            }
        }
        Ok(())
    }
}

impl State {
    /// The first child of a manifest that the repository does not have.
    fn missing_child(&self, repository: &Repository, manifest: &Manifest) -> Option<Digest> {
        Facts::read(manifest)
            .children
            .into_iter()
            .map(|(child, _)| child)
            .find(|child| self.available(repository, child).is_none())
    }

    /// True when the digest was here and the daemon deleted it, as long as it is not purged: a pusher that found it
    /// present has built on it.
    pub(crate) fn was_taken_by_daemon(&self, repository: &Repository, digest: &Digest) -> bool {
        let Some(id) = repository.digests.get(digest) else {
            return false;
        };
        let last = self.deletions.iter().rev().find(|deletion| deletion.image == *id);
        last.is_some_and(|deletion| deletion.hand == Hand::Daemon)
    }

    /// The image of this manifest: the one that is there, one that comes back, or a new one.
    fn settle_in(
        &mut self,
        repository: &RepositoryId,
        manifest: &Manifest,
        by: &str,
        now: DateTime<Utc>,
    ) -> ImageId {
        let known = self.repositories[repository].digests.get(&manifest.digest).cloned();
        match known {
            Some(id) if self.images[&id].life == Life::Available => id,
            Some(id) if self.settings.repush == Repush::Revives => {
                self.revive(&id, now);
                id
            }
            Some(_) | None => self.add(repository, manifest.clone(), by, now),
        }
    }

    /// The artifacts that speak about a digest and are there.
    fn attached_to(&self, repository: &Repository, subject: &Digest) -> Vec<Manifest> {
        let referrers = repository.referrers.get(subject);
        referrers
            .into_iter()
            .flatten()
            .filter_map(|digest| self.available(repository, digest))
            .map(|image| image.manifest.clone())
            .collect()
    }
}

/// An immutable repository keeps each tag where it is.
fn check_overwrite(
    state: &State,
    repository: &Repository,
    manifest: &Manifest,
    tag: Option<&Tag>,
) -> Result<(), ApiError> {
    let holder = tag.and_then(|tag| repository.tags.get(tag));
    let is_overwritten = holder.is_some_and(|id| state.images[id].manifest.digest != manifest.digest);
    if repository.mutability == Mutability::Immutable && is_overwritten {
        return Err(ApiError::Conflict { what: "the repository is immutable".to_owned() });
    }
    Ok(())
}

fn unknown(reference: &str) -> ApiError {
    ApiError::ManifestUnknown { reference: reference.to_owned() }
}
