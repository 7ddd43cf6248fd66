//! What the simulated Artifacts API answers and is asked, with every field of the real models that anybody reads.
//!
//! Plain data; the wire names and formats are the HTTP face's business.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ocird_model::{CompartmentId, Digest, ImageId, Lifecycle, Namespace, RepositoryId, RepositoryName, Tag};

/// One page of a list. Only the absence of `next` ends the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// The token of the next page.
    pub next: Option<String>,
    /// The token under which this very page can be asked for again; the cursor faults need it.
    pub again: String,
    /// Another token for this very page, which nobody has seen in this listing.
    pub afresh: String,
    /// Rows after this page, as the cloud estimates them.
    pub n_remaining: u64,
}

/// A repository as `GetContainerRepository` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryView {
    /// The OCID.
    pub id: RepositoryId,
    /// The name, without the namespace.
    pub name: RepositoryName,
    /// Where it lives.
    pub compartment: CompartmentId,
    /// The tenancy's namespace.
    pub namespace: Namespace,
    /// Who created it.
    pub created_by: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Whether anybody may pull.
    pub visibility: Visibility,
    /// Whether tags may be overwritten.
    pub mutability: Mutability,
    /// Which sort of repository it is.
    pub kind: RepositoryKind,
    /// Number of available images.
    pub n_images: u64,
    /// Number of distinct layers, deleted images included until their storage is released.
    pub n_layers: u64,
    /// Bytes of those layers.
    pub layers_size: u64,
    /// When an image was last pushed.
    pub last_pushed_at: Option<DateTime<Utc>>,
    /// Always available; kept because the model has the field.
    pub lifecycle: Lifecycle,
}

impl RepositoryView {
    /// The storage that is charged, in whole gigabytes.
    pub const fn billable_gb(&self) -> u64 {
        self.layers_size.div_ceil(1_000_000_000)
    }
}

/// Whether anybody may pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Whoever may read the repository.
    Private,
    /// Anybody.
    Public,
}

/// Whether tags may be overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    /// They may.
    Mutable,
    /// They may not.
    Immutable,
}

/// The sorts of repository. All but the first are new since November 2026 and unknown to ocird.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepositoryKind {
    /// A plain repository.
    Plain,
    /// A read-only cache of a repository in another region.
    PullThroughCache,
    /// A repository that is replicated to other regions.
    MultiRegion,
}

/// An image as `GetContainerImage` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageView {
    /// The OCID.
    pub id: ImageId,
    /// The digest of the manifest.
    pub digest: Digest,
    /// `repo:tag`, `repo:last-tag@digest` or `repo:unknown@digest`.
    pub display_name: String,
    /// The repository.
    pub repository: RepositoryId,
    /// The repository's name.
    pub repository_name: RepositoryName,
    /// Where the repository lives.
    pub compartment: CompartmentId,
    /// All its tags, the most recent first.
    pub tags: Vec<TagView>,
    /// Its layers and configuration, ordered by digest. Empty for an index.
    pub layers: Vec<LayerView>,
    /// The size of the manifest.
    pub manifest_size: u64,
    /// Number of pulls.
    pub n_pulls: u64,
    /// When it was last pulled.
    pub last_pulled_at: Option<DateTime<Utc>>,
    /// When the digest first appeared.
    pub created_at: DateTime<Utc>,
    /// Who pushed it.
    pub created_by: String,
    /// Whether it is there, going or gone.
    pub lifecycle: Lifecycle,
    /// The version of the resource for `if-match`.
    pub etag: String,
}

impl ImageView {
    /// The sum of its own layers.
    pub fn layers_size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }
}

/// One tag of an image; the API calls it a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagView {
    /// The tag.
    pub tag: Tag,
    /// When it was attached to this image.
    pub created_at: DateTime<Utc>,
    /// Who attached it.
    pub created_by: String,
}

/// One layer of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerView {
    /// The digest of the blob.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// When the image that brought it was pushed.
    pub created_at: DateTime<Utc>,
}

/// A row of the image list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRowView {
    /// The OCID.
    pub id: ImageId,
    /// The digest of the manifest.
    pub digest: Digest,
    /// As in [`ImageView`], for the tag of this row.
    pub display_name: String,
    /// The tag of this row.
    pub tag: Option<Tag>,
    /// The repository.
    pub repository: RepositoryId,
    /// The repository's name.
    pub repository_name: RepositoryName,
    /// Where the repository lives.
    pub compartment: CompartmentId,
    /// When the digest first appeared.
    pub created_at: DateTime<Utc>,
    /// Whether it is there, going or gone.
    pub lifecycle: Lifecycle,
}

/// A manifest as the registry serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestView {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: Arc<str>,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
}

/// The registry's configuration of the tenancy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationView {
    /// The Object Storage namespace.
    pub namespace: Namespace,
    /// Whether a push to a missing repository creates it in the root compartment.
    pub is_repository_created_on_first_push: bool,
}

/// An OCI image signature: a resource beside the image, tied to its OCID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureView {
    /// The OCID.
    pub id: String,
    /// The image it is about.
    pub image: ImageId,
    /// The image's digest.
    pub digest: Digest,
    /// The repository of the image.
    pub repository: RepositoryId,
    /// The repository's name.
    pub repository_name: RepositoryName,
    /// Where the repository lives.
    pub compartment: CompartmentId,
    /// The OCID of the signing key.
    pub kms_key: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: String,
}

/// An auth token of a user, without the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthTokenView {
    /// The OCID.
    pub id: String,
    /// The user it belongs to.
    pub user: String,
    /// What its owner wrote beside it.
    pub description: String,
    /// When it was made; rotation counts from here.
    pub created_at: DateTime<Utc>,
    /// When it ends; the service says that they never do, and has the field all the same.
    pub expires_at: Option<DateTime<Utc>>,
    /// Where in its life it is, in the service's own word: `ACTIVE`, `INACTIVE`, `DELETED` and so on.
    pub lifecycle_state: String,
}

/// The order of a list. Oracle's defaults: newest first by time, A to Z by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// By creation time, newest first.
    #[default]
    NewestFirst,
    /// By creation time, oldest first.
    OldestFirst,
    /// By display name, A to Z.
    NameAscending,
    /// By display name, Z to A.
    NameDescending,
}

/// Where in a list, and how much of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// At most this many rows; the tenancy's page size when absent.
    pub limit: Option<usize>,
    /// The token of the page; the first one when absent.
    pub page: Option<String>,
}

/// What `ListContainerRepositories` is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryQuery {
    /// The compartment.
    pub compartment: CompartmentId,
    /// Whether compartments below it count.
    pub depth: Depth,
    /// Only this repository.
    pub repository: Option<RepositoryId>,
    /// Only the repository of this name.
    pub name: Option<String>,
    /// Only repositories in this state.
    pub lifecycle: Option<Lifecycle>,
    /// In which order.
    pub order: Order,
    /// Which page.
    pub cursor: Cursor,
}

impl RepositoryQuery {
    /// Everything in one compartment.
    pub fn in_compartment(compartment: CompartmentId) -> Self {
        Self {
            compartment,
            depth: Depth::Compartment,
            repository: None,
            name: None,
            lifecycle: None,
            order: Order::default(),
            cursor: Cursor::default(),
        }
    }
}

/// Whether compartments below the named one count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Only the named one.
    Compartment,
    /// All below it too; allowed at the root only.
    Subtree,
}

/// What `ListContainerImages` is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageQuery {
    /// The compartment.
    pub compartment: CompartmentId,
    /// Whether compartments below it count.
    pub depth: Depth,
    /// Only images of this repository.
    pub repository: Option<RepositoryId>,
    /// Only images of repositories with this name, or `foo*`.
    pub repository_name: Option<String>,
    /// Only this image.
    pub image: Option<ImageId>,
    /// Only this digest.
    pub digest: Option<Digest>,
    /// Only rows with this display name.
    pub display_name: Option<String>,
    /// Only rows with this tag, or `foo*`.
    pub tag: Option<String>,
    /// `true`: only tagged images; `false`: only untagged ones.
    pub is_versioned: Option<bool>,
    /// Only images in this state.
    pub lifecycle: Option<Lifecycle>,
    /// In which order.
    pub order: Order,
    /// Which page.
    pub cursor: Cursor,
}

impl ImageQuery {
    /// Everything in one compartment.
    pub fn in_compartment(compartment: CompartmentId) -> Self {
        Self {
            compartment,
            depth: Depth::Compartment,
            repository: None,
            repository_name: None,
            image: None,
            digest: None,
            display_name: None,
            tag: None,
            is_versioned: None,
            lifecycle: None,
            order: Order::default(),
            cursor: Cursor::default(),
        }
    }

    /// The available images of one repository.
    pub fn in_repository(compartment: CompartmentId, repository: RepositoryId) -> Self {
        Self { repository: Some(repository), ..Self::in_compartment(compartment) }
    }
}

/// What `ListContainerImageSignatures` is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureQuery {
    /// The compartment.
    pub compartment: CompartmentId,
    /// Whether compartments below it count.
    pub depth: Depth,
    /// Only signatures of this image.
    pub image: Option<ImageId>,
    /// Only signatures in this repository.
    pub repository: Option<RepositoryId>,
    /// Only signatures in the repository of this name.
    pub repository_name: Option<String>,
    /// Only signatures of images with this digest.
    pub digest: Option<Digest>,
    /// Which page.
    pub cursor: Cursor,
}

impl SignatureQuery {
    /// Every signature in one compartment.
    pub fn in_compartment(compartment: CompartmentId) -> Self {
        Self {
            compartment,
            depth: Depth::Compartment,
            image: None,
            repository: None,
            repository_name: None,
            digest: None,
            cursor: Cursor::default(),
        }
    }
}
