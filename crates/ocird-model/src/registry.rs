//! The traits through which a pass reads and writes the registry, reader and writer apart: what is handed only a
//! reader cannot delete. Implemented by `ocird-oci` for the cloud and by `ocird-sim` for the simulated tenancy.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Bytes, CompartmentId, Digest, ImageId, Layer, Namespace, RepositoryId, RepositoryName, ResourceTags, Tag,
    TenancyId,
};

/// Reads the registry. Every answer is complete or an error (S-1, S-2).
pub trait ReadRegistry: Send + Sync {
    /// The tenancy and region that the credentials belong to, for arming (S-15): `(tenancy, region identifier)`.
    fn identity(&self) -> impl Future<Output = Result<(TenancyId, String), RegistryError>> + Send;

    /// Every host name under which this registry answers, so that a reference to it is known in each spelling (S-4).
    fn registry_hosts(&self) -> impl Future<Output = Result<Vec<String>, RegistryError>> + Send;

    /// A pass begins: what is rationed for each pass, such as retries, is full again.
    fn begin_pass(&self) {}

    /// Every repository of one compartment, to the last page.
    fn repositories(
        &self,
        compartment: &CompartmentId,
    ) -> impl Future<Output = Result<Vec<RepositoryRow>, RegistryError>> + Send;

    /// Every row of one repository, to the last page. There may be one row per image or one per tag (nobody knows
    /// which the cloud does), and rows of images that are being deleted may be among them.
    fn images(
        &self,
        compartment: &CompartmentId,
        repository: &RepositoryId,
    ) -> impl Future<Output = Result<Vec<ImageRow>, RegistryError>> + Send;

    /// Every image of one compartment that has an OCI image signature, to the last page: somebody relies on it (S-35). A
    /// signature in a state that nobody knows counts.
    fn signed_images(
        &self,
        compartment: &CompartmentId,
    ) -> impl Future<Output = Result<BTreeSet<ImageId>, RegistryError>> + Send;

    /// One image with all its tags, layers, pull data and etag.
    fn image(&self, image: &ImageId) -> impl Future<Output = Result<ImageDetails, RegistryError>> + Send;

    /// The manifest itself. Asked for once in a digest's life: it may count as a pull (S-17).
    fn manifest(
        &self,
        namespace: &Namespace,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> impl Future<Output = Result<FetchedManifest, RegistryError>> + Send;

    /// How far the server's clock is ahead of ours by the latest answer; `None` before the first one (S-9).
    fn server_clock_ahead(&self) -> Option<TimeDelta>;
}

/// Changes the registry. Only the acting step is ever handed one.
pub trait WriteRegistry: Send + Sync {
    /// Deletes exactly this image if it still has this etag. Never retried blindly: after a timeout the caller reads.
    fn delete(
        &self,
        target: &DeleteTarget,
        if_match: &Etag,
    ) -> impl Future<Output = Result<(), RegistryError>> + Send;
}

/// Undoes deletions (S-27). What is handed one can bring back and tag, and cannot delete.
pub trait RestoreRegistry: Send + Sync {
    /// Brings back an image that was deleted within the last 48 hours, with this tag attached or with none. Never retried
    /// blindly: after a timeout the caller reads.
    fn restore(
        &self,
        image: &ImageId,
        tag: Option<&Tag>,
    ) -> impl Future<Output = Result<(), RegistryError>> + Send;

    /// Attaches a tag to an image that is there, by pushing its manifest under the tag. Takes the right to push. A tag that
    /// is on another image moves: the caller has made sure that it is on none. Never retried blindly either.
    fn put_tag(
        &self,
        at: &TagPath,
        manifest: &FetchedManifest,
    ) -> impl Future<Output = Result<(), RegistryError>> + Send;
}

/// Where a tag is put: the path of an image reference without its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagPath {
    /// The tenancy's namespace.
    pub namespace: Namespace,
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
}

/// One repository as the list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryRow {
    /// The OCID.
    pub id: RepositoryId,
    /// The name, without the namespace.
    pub name: RepositoryName,
    /// Where it lives.
    pub compartment: CompartmentId,
    /// The tenancy's namespace.
    pub namespace: Namespace,
    /// Number of images by the service's own count, which may lag.
    pub n_images: u64,
    /// Bytes by the service's own count, which lags by hours after a deletion: recorded, never steered by.
    pub layers_size: Bytes,
    /// Anybody may pull from it.
    pub is_public: bool,
    /// Whether it is there, going or gone.
    pub lifecycle: Lifecycle,
}

/// One row of the image list: an image, or an image with one of its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRow {
    /// The OCID.
    pub id: ImageId,
    /// The digest of the manifest.
    pub digest: Digest,
    /// One of its tags, if it has any; other rows or the details may show more.
    pub tag: Option<Tag>,
    /// The repository the row belongs to.
    pub repository: RepositoryId,
    /// When the digest first appeared in the repository.
    pub created_at: Option<DateTime<Utc>>,
    /// Whether it is there, going or gone.
    pub lifecycle: Lifecycle,
}

/// One image as a read of it shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageDetails {
    /// The OCID.
    pub id: ImageId,
    /// The digest of the manifest.
    pub digest: Digest,
    /// The repository it belongs to.
    pub repository: RepositoryId,
    /// Every tag with the time it was attached.
    pub tags: BTreeMap<Tag, Option<DateTime<Utc>>>,
    /// Its layers, ordered by digest.
    pub layers: Arc<[Layer]>,
    /// The size of the manifest.
    pub manifest_size: Bytes,
    /// Number of pulls.
    pub n_pulls: u64,
    /// When it was last pulled, if ever.
    pub last_pulled_at: Option<DateTime<Utc>>,
    /// When the digest first appeared in the repository.
    pub created_at: Option<DateTime<Utc>>,
    /// The OCID of who pushed it, where the registry says.
    pub created_by: Option<String>,
    /// Its resource tags; `None` where the registry gave none to read.
    #[serde(default)]
    pub resource_tags: Option<ResourceTags>,
    /// Whether it is there, going or gone.
    pub lifecycle: Lifecycle,
    /// The etag to delete it by.
    pub etag: Option<Etag>,
}

/// A manifest as the registry gave it; its bytes have been checked against the digest that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedManifest {
    /// The media type by the answer's header.
    pub media_type: String,
    /// The manifest's bytes; empty when it is over the bound and was not read.
    pub bytes: Arc<[u8]>,
    /// True when it is larger than the bound: kept, and not looked into.
    pub too_large: bool,
}

/// What a delete names: all three, or it does not happen (S-10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteTarget {
    /// The image.
    pub image: ImageId,
    /// Its digest, for the record and the guard.
    pub digest: Digest,
    /// The repository it belongs to.
    pub repository: RepositoryId,
}

/// The opaque version of a resource, to be sent back in `if-match`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Etag(pub String);

/// The lifecycle state of an image or repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// It is there.
    Available,
    /// It is on its way out.
    Deleting,
    /// It is gone, and may be restored for 48 hours.
    Deleted,
    /// A state ocird does not know: keep (S-7).
    Unknown,
}

/// A failed call to the registry: what was asked, what kind of failure, and the client's own error beneath.
#[derive(Debug)]
pub struct RegistryError {
    operation: &'static str,
    kind: ErrorKind,
    source: Box<dyn Error + Send + Sync>,
}

impl RegistryError {
    /// A failure of `operation` (the cloud's own name for it, such as `ListContainerImages`).
    pub fn new(
        operation: &'static str,
        kind: ErrorKind,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { operation, kind, source: source.into() }
    }

    /// The operation that failed.
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// What kind of failure it is.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// True when the same call may succeed later without anybody doing anything.
    pub const fn is_transient(&self) -> bool {
        self.kind.is_transient()
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed ({})", self.operation, self.kind)
    }
}

impl Error for RegistryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// The kinds of failure, as far as anybody acts differently on them. None of them means "gone" or "empty" (S-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// No answer: connection refused or reset, DNS, TLS.
    Unreachable,
    /// No answer in time. The server may have done what was asked.
    Timeout,
    /// 401: signature, token, certificate or clock.
    Unauthenticated,
    /// The sign-in itself failed: metadata service, certificate or federation.
    SignIn,
    /// 403.
    Forbidden,
    /// 404: not there, or not permitted; the cloud says the same for both.
    NotFound,
    /// 409.
    Conflict,
    /// 412: the resource is no longer as it was read.
    Changed,
    /// 429.
    Throttled,
    /// 5xx.
    Server,
    /// Any other status.
    Refused,
    /// The answer could not be understood.
    Malformed,
    /// A listing that does not come to a believable end: a cursor seen before, or too many pages.
    Endless,
}

impl ErrorKind {
    /// The kind as a metric label and a log field.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Unauthenticated => "unauthenticated",
            Self::SignIn => "sign_in",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Changed => "changed",
            Self::Throttled => "throttled",
            Self::Server => "server",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
            Self::Endless => "endless",
        }
    }

    /// True when the same call may succeed later without anybody doing anything.
    pub const fn is_transient(self) -> bool {
        match self {
            Self::Unreachable | Self::Timeout | Self::Throttled | Self::Server | Self::SignIn => true,
            Self::Unauthenticated
            | Self::Forbidden
            | Self::NotFound
            | Self::Conflict
            | Self::Changed
            | Self::Refused
            | Self::Malformed
            | Self::Endless => false,
        }
    }

    /// Every kind, so that counters exist before the first failure.
    pub const ALL: [Self; 13] = [
        Self::Unreachable,
        Self::Timeout,
        Self::Unauthenticated,
        Self::SignIn,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::Changed,
        Self::Throttled,
        Self::Server,
        Self::Refused,
        Self::Malformed,
        Self::Endless,
    ];
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
