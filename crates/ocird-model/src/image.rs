//! One image as a pass sees it: what the registry says of it, and what its manifest refers to.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Bytes, Digest, ImageId, ResourceTags, Tag};

/// One manifest digest in one repository, with all its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The OCID, the only handle by which an image is deleted or restored.
    pub id: ImageId,
    /// The digest of the manifest; unique within its repository.
    pub digest: Digest,
    /// Every tag with the time it was attached, where the registry gives one.
    pub tags: BTreeMap<Tag, Option<DateTime<Utc>>>,
    /// When this digest first appeared in the repository. A retag or an identical re-push does not move it.
    pub created_at: Option<DateTime<Utc>>,
    /// When ocird first saw it; `None` when the plan is made without a store.
    pub first_seen_at: Option<DateTime<Utc>>,
    /// When it was last pulled, if ever; as it was at `read_at`.
    pub last_pulled_at: Option<DateTime<Utc>>,
    /// Its resource tags as they were at `read_at`, `None` where the registry gave none to read.
    pub resource_tags: Option<ResourceTags>,
    /// When it was last read. Pulls and resource tags change without a trace in the list, so what is known of them is as
    /// old as this; `None` when nobody knows how old.
    pub read_at: Option<DateTime<Utc>>,
    /// What the manifest refers to.
    pub content: Content,
    /// Its layers, `None` while they are not known. An index has none of its own.
    pub layers: Option<Arc<[Layer]>>,
    /// The size of the manifest itself.
    pub manifest_size: Bytes,
}

impl Image {
    /// The newest of the image's own time and the times of its tags (S-8): the age and the order of the image count
    /// from here. `None` when the registry gave no time at all.
    pub fn newest_time(&self) -> Option<DateTime<Utc>> {
        self.tags.values().copied().chain([self.created_at]).flatten().max()
    }

    /// Every time the registry gave, or `None` in place of one that is absent.
    pub fn times(&self) -> impl Iterator<Item = Option<DateTime<Utc>>> {
        self.tags.values().copied().chain([self.created_at])
    }
}

/// A layer or configuration blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Layer {
    /// The digest of the blob.
    pub digest: Digest,
    /// Its compressed size, which is what storage counts.
    pub size: Bytes,
}

/// What a manifest refers to inside its own repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// A single manifest: an image for one platform, or an artifact such as a signature, an attestation or a chart.
    Manifest {
        /// The manifest this one speaks about, if any.
        subject: Option<Digest>,
        /// The configuration blob it names, if any: its digest is what many container engines call the id of the image.
        /// <https://github.com/opencontainers/image-spec/blob/main/config.md#imageid>
        #[serde(default, skip_serializing_if = "Option::is_none")]
        config: Option<Digest>,
    },
    /// An image index or a Docker manifest list.
    Index {
        /// The manifests it names, in its order, without repetition.
        children: Vec<Digest>,
        /// The manifest this one speaks about, if any.
        subject: Option<Digest>,
    },
    /// Something that cannot be judged: kept, and because it may refer to anything, nothing untagged in its
    /// repository goes either (S-7).
    Opaque {
        /// Why it cannot be judged.
        reason: OpaqueReason,
    },
}

impl Content {
    /// The manifests this one names; empty for what is not an index.
    pub fn children(&self) -> &[Digest] {
        match self {
            Self::Index { children, subject: _ } => children,
            Self::Manifest { subject: _, config: _ } | Self::Opaque { reason: _ } => &[],
        }
    }

    /// The manifest this one speaks about.
    pub fn subject(&self) -> Option<Digest> {
        match self {
            Self::Manifest { subject, config: _ } | Self::Index { children: _, subject } => *subject,
            Self::Opaque { reason: _ } => None,
        }
    }

    /// The configuration blob of a manifest.
    pub fn config(&self) -> Option<Digest> {
        match self {
            Self::Manifest { subject: _, config } => *config,
            Self::Index { children: _, subject: _ } | Self::Opaque { reason: _ } => None,
        }
    }
}

/// Why a manifest that was read cannot be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpaqueReason {
    /// A media type outside the four that ocird knows.
    MediaType,
    /// Not JSON, or fields of the wrong type.
    Malformed,
    /// Larger than the bound on a manifest's size.
    TooLarge,
    /// More children than the bound.
    TooManyChildren,
    /// The image has more tags than the bound.
    TooManyTags,
}

impl OpaqueReason {
    /// The reason as a metric label and a log field.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MediaType => "media_type",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::TooManyChildren => "too_many_children",
            Self::TooManyTags => "too_many_tags",
        }
    }
}
