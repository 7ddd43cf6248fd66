//! The models of the Artifacts API as they go over the wire, with every field of the real ones.
//! <https://docs.oracle.com/en-us/iaas/api/#/en/registry/20160918/>
//!
//! Summaries leave out what the real summaries leave out: sizes, pulls and all tags cost a read of the image.

#![expect(clippy::struct_field_names, reason = "fields are called as the API calls them")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use ocird_model::Lifecycle;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::view::{
    AuthTokenView, ConfigurationView, ImageRowView, ImageView, LayerView, Mutability, RepositoryKind,
    RepositoryView, SignatureView, TagView, Visibility,
};

/// The algorithm of every image signature here.
const SIGNING_ALGORITHM: &str = "SHA_256_RSA_PKCS_PSS";

/// The three maps of resource tags that every resource carries, empty here.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceTags {
    freeform_tags: Map<String, Value>,
    defined_tags: Map<String, Value>,
    system_tags: Map<String, Value>,
}

/// `ContainerRepositorySummary`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositorySummary<'a> {
    compartment_id: &'a str,
    display_name: &'a str,
    id: &'a str,
    image_count: u64,
    is_public: bool,
    layer_count: u64,
    layers_size_in_bytes: u64,
    lifecycle_state: &'static str,
    #[serde(serialize_with = "instant")]
    time_created: DateTime<Utc>,
    #[serde(rename = "billableSizeInGBs")]
    billable_size_in_gbs: u64,
    namespace: &'a str,
    /// The sort of repository, where it is not the plain one that the field's absence has always meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    repository_type: Option<&'static str>,
    #[serde(flatten)]
    resource_tags: ResourceTags,
}

/// `ContainerRepository`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Repository<'a> {
    #[serde(flatten)]
    summary: RepositorySummary<'a>,
    created_by: &'a str,
    is_immutable: bool,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_instant")]
    time_last_pushed: Option<DateTime<Utc>>,
}

/// `ContainerRepositoryCollection`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositoryCollection<'a> {
    /// The rows.
    pub(super) items: Vec<RepositorySummary<'a>>,
    /// Distinct layers of all rows of the page.
    pub(super) layer_count: u64,
    /// Bytes of all rows of the page.
    pub(super) layers_size_in_bytes: u64,
    /// Images of all rows of the page.
    pub(super) image_count: u64,
    /// Rows after this page.
    pub(super) remaining_items_count: u64,
    /// Rows of the page and after it.
    pub(super) repository_count: u64,
}

/// `ContainerImageSummary`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImageSummary<'a> {
    compartment_id: &'a str,
    digest: String,
    display_name: &'a str,
    id: &'a str,
    lifecycle_state: &'static str,
    repository_id: &'a str,
    repository_name: &'a str,
    #[serde(serialize_with = "instant")]
    time_created: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(flatten)]
    resource_tags: ResourceTags,
}

/// `ContainerImage`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Image<'a> {
    #[serde(flatten)]
    summary: ImageSummary<'a>,
    created_by: &'a str,
    layers: Vec<Layer>,
    layers_size_in_bytes: u64,
    manifest_size_in_bytes: u64,
    pull_count: u64,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_instant")]
    time_last_pulled: Option<DateTime<Utc>>,
    versions: Vec<Version<'a>>,
}

/// `ContainerImageLayer`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    digest: String,
    size_in_bytes: u64,
    #[serde(serialize_with = "instant")]
    time_created: DateTime<Utc>,
}

/// `ContainerVersion`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Version<'a> {
    created_by: &'a str,
    #[serde(serialize_with = "instant")]
    time_created: DateTime<Utc>,
    version: &'a str,
}

/// A collection whose only total is what remains: `ContainerImageCollection` and
/// `ContainerImageSignatureCollection`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Collection<T> {
    /// The rows.
    pub(super) items: Vec<T>,
    /// Rows after this page.
    pub(super) remaining_items_count: u64,
}

/// `ContainerConfiguration`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Configuration<'a> {
    is_repository_created_on_first_push: bool,
    namespace: &'a str,
}

/// `ContainerImageSignatureSummary`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Signature<'a> {
    compartment_id: &'a str,
    display_name: String,
    id: &'a str,
    image_id: &'a str,
    kms_key_id: &'a str,
    kms_key_version_id: String,
    message: String,
    signature: &'static str,
    signing_algorithm: &'static str,
    lifecycle_state: &'static str,
    #[serde(serialize_with = "instant")]
    time_created: DateTime<Utc>,
    #[serde(flatten)]
    resource_tags: ResourceTags,
}

/// `AuthToken` of the identity service, as a list shows it: without the token.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct AuthToken<'a> {
    id: &'a str,
    user_id: &'a str,
    description: &'a str,
    #[serde(serialize_with = "instant")]
    time_created: DateTime<Utc>,
    /// Null for one that never expires, and so never left out.
    #[serde(serialize_with = "optional_instant")]
    time_expires: Option<DateTime<Utc>>,
    lifecycle_state: &'a str,
    inactive_status: (),
}

impl<'a> From<&'a RepositoryView> for RepositorySummary<'a> {
    fn from(view: &'a RepositoryView) -> Self {
        Self {
            compartment_id: view.compartment.as_str(),
            display_name: view.name.as_str(),
            id: view.id.as_str(),
            image_count: view.n_images,
            is_public: view.visibility == Visibility::Public,
            layer_count: view.n_layers,
            layers_size_in_bytes: view.layers_size,
            lifecycle_state: lifecycle_state(view.lifecycle),
            time_created: view.created_at,
            billable_size_in_gbs: view.billable_gb(),
            namespace: view.namespace.as_str(),
            repository_type: match view.kind {
                RepositoryKind::Plain => None,
                RepositoryKind::PullThroughCache => Some("PULL_THROUGH_CACHE"),
                RepositoryKind::MultiRegion => Some("MULTI_REGION"),
            },
            resource_tags: ResourceTags::default(),
        }
    }
}

impl<'a> From<&'a RepositoryView> for Repository<'a> {
    fn from(view: &'a RepositoryView) -> Self {
        Self {
            summary: view.into(),
            created_by: &view.created_by,
            is_immutable: view.mutability == Mutability::Immutable,
            time_last_pushed: view.last_pushed_at,
        }
    }
}

impl<'a> From<&'a ImageRowView> for ImageSummary<'a> {
    fn from(view: &'a ImageRowView) -> Self {
        Self {
            compartment_id: view.compartment.as_str(),
            digest: view.digest.to_string(),
            display_name: &view.display_name,
            id: view.id.as_str(),
            lifecycle_state: lifecycle_state(view.lifecycle),
            repository_id: view.repository.as_str(),
            repository_name: view.repository_name.as_str(),
            time_created: view.created_at,
            version: view.tag.as_ref().map(ocird_model::Tag::as_str),
            resource_tags: ResourceTags::default(),
        }
    }
}

impl<'a> From<&'a ImageView> for Image<'a> {
    fn from(view: &'a ImageView) -> Self {
        Self {
            summary: ImageSummary {
                compartment_id: view.compartment.as_str(),
                digest: view.digest.to_string(),
                display_name: &view.display_name,
                id: view.id.as_str(),
                lifecycle_state: lifecycle_state(view.lifecycle),
                repository_id: view.repository.as_str(),
                repository_name: view.repository_name.as_str(),
                time_created: view.created_at,
                version: view.tags.first().map(|newest| newest.tag.as_str()),
                resource_tags: ResourceTags::default(),
            },
            created_by: &view.created_by,
            layers: view.layers.iter().map(Layer::from).collect(),
            layers_size_in_bytes: view.layers_size(),
            manifest_size_in_bytes: view.manifest_size,
            pull_count: view.n_pulls,
            time_last_pulled: view.last_pulled_at,
            versions: view.tags.iter().map(Version::from).collect(),
        }
    }
}

impl From<&LayerView> for Layer {
    fn from(view: &LayerView) -> Self {
        Self { digest: view.digest.to_string(), size_in_bytes: view.size, time_created: view.created_at }
    }
}

impl<'a> From<&'a TagView> for Version<'a> {
    fn from(view: &'a TagView) -> Self {
        Self { created_by: &view.created_by, time_created: view.created_at, version: view.tag.as_str() }
    }
}

impl<'a> From<&'a ConfigurationView> for Configuration<'a> {
    fn from(view: &'a ConfigurationView) -> Self {
        Self {
            is_repository_created_on_first_push: view.is_repository_created_on_first_push,
            namespace: view.namespace.as_str(),
        }
    }
}

impl<'a> From<&'a SignatureView> for Signature<'a> {
    fn from(view: &'a SignatureView) -> Self {
        let kms_key_version_id = view.kms_key.replacen("ocid1.key.", "ocid1.keyversion.", 1);
        let [key, version, id] = [&view.kms_key, &kms_key_version_id, &view.id].map(|text| last_ten(text));
        let message = json!({ "imageDigest": view.digest.to_string(), "repositoryName": view.repository_name.as_str() });
        Self {
            compartment_id: view.compartment.as_str(),
            display_name: format!("{key}::{version}::{SIGNING_ALGORITHM}::{id}"),
            id: &view.id,
            image_id: view.image.as_str(),
            kms_key_id: &view.kms_key,
            kms_key_version_id,
            message: STANDARD.encode(message.to_string()),
            // Nobody here checks it: the simulator has no key management service.
            signature: "c2ltdWxhdGVk",
            signing_algorithm: SIGNING_ALGORITHM,
            lifecycle_state: lifecycle_state(Lifecycle::Available),
            time_created: view.created_at,
            resource_tags: ResourceTags::default(),
        }
    }
}

/// The end of an identifier, as names of signatures are put together from such ends.
fn last_ten(text: &str) -> &str {
    text.char_indices().nth_back(9).map_or(text, |(start, _)| &text[start..])
}

impl<'a> From<&'a AuthTokenView> for AuthToken<'a> {
    fn from(view: &'a AuthTokenView) -> Self {
        Self {
            id: &view.id,
            user_id: &view.user,
            description: &view.description,
            time_created: view.created_at,
            time_expires: view.expires_at,
            lifecycle_state: &view.lifecycle_state,
            inactive_status: (),
        }
    }
}

/// The lifecycle state as the API writes it. What stands for a state unknown to ocird is a word of no real service.
const fn lifecycle_state(lifecycle: Lifecycle) -> &'static str {
    match lifecycle {
        Lifecycle::Available => "AVAILABLE",
        Lifecycle::Deleting => "DELETING",
        Lifecycle::Deleted => "DELETED",
        Lifecycle::Unknown => "QUARANTINED",
    }
}

/// RFC 3339 with milliseconds, as Oracle's examples write it.
fn instant<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn optional_instant<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => instant(at, serializer),
        None => serializer.serialize_none(),
    }
}
