//! The Artifacts API's models, as far as ocird reads them, and their translation into our nouns.
//! <https://docs.oracle.com/en-us/iaas/api/#/en/registry/20160918/>
//!
//! New fields are tolerated, but for one: a repository that states its sort is none of those ocird knows. So are new enum
//! values, as `Unknown`; a field of the wrong type, an OCID, digest, name or tag that is none
//! is an error of the whole answer (S-7). What the API calls a version is a tag.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ocird_model::{
    Bytes, CompartmentId, Digest, Etag, ImageDetails, ImageId, ImageRow, Layer, Lifecycle, Namespace,
    RepositoryId, RepositoryName, RepositoryRow, ResourceTags, Rule, Tag,
};
use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::clean;

/// `ContainerConfiguration`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Configuration {
    pub(crate) is_repository_created_on_first_push: bool,
    pub(crate) namespace: Namespace,
}

/// `ContainerRepositorySummary`, which is also the larger part of `ContainerRepository`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Repository {
    id: RepositoryId,
    display_name: RepositoryName,
    compartment_id: CompartmentId,
    namespace: Namespace,
    image_count: u64,
    layers_size_in_bytes: u64,
    is_public: bool,
    #[serde(deserialize_with = "lifecycle")]
    lifecycle_state: Lifecycle,
    /// What sort of repository it is, by whichever name a later API gives the field. A plain one has never had it.
    #[serde(default, rename = "repositoryType", alias = "repositoryKind", alias = "type", alias = "kind")]
    sort: Option<IgnoredAny>,
}

/// What `ContainerRepository` has beyond its summary.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FullRepository {
    #[serde(flatten)]
    pub(crate) summary: Repository,
    pub(crate) is_immutable: bool,
    #[serde(default, deserialize_with = "time")]
    pub(crate) time_created: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    pub(crate) time_last_pushed: Option<DateTime<Utc>>,
}

/// `ContainerImageSummary`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImageSummary {
    id: ImageId,
    digest: Digest,
    version: Option<Tag>,
    repository_id: RepositoryId,
    #[serde(default, deserialize_with = "time")]
    time_created: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "lifecycle")]
    lifecycle_state: Lifecycle,
}

/// `ContainerImage`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Image {
    id: ImageId,
    digest: Digest,
    repository_id: RepositoryId,
    version: Option<Tag>,
    versions: Vec<Version>,
    layers: Vec<ImageLayer>,
    manifest_size_in_bytes: u64,
    pull_count: u64,
    #[serde(default, deserialize_with = "time")]
    time_last_pulled: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    time_created: Option<DateTime<Utc>>,
    created_by: Option<String>,
    freeform_tags: Option<BTreeMap<String, String>>,
    defined_tags: Option<BTreeMap<String, BTreeMap<String, serde_json::Value>>>,
    #[serde(deserialize_with = "lifecycle")]
    lifecycle_state: Lifecycle,
}

/// `ContainerVersion`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    version: Tag,
    #[serde(default, deserialize_with = "time")]
    time_created: Option<DateTime<Utc>>,
}

/// `ContainerImageLayer`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImageLayer {
    digest: Digest,
    size_in_bytes: u64,
}

/// `LookupContainerImageByUriDetails`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LookupDetails<'a> {
    pub(crate) image_uri: &'a str,
}

/// `RemoveContainerVersionDetails`, and `RestoreContainerImageDetails` with a version or without.
#[derive(Serialize)]
pub(crate) struct VersionDetails<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<&'a Tag>,
}

impl From<Repository> for RepositoryRow {
    fn from(wire: Repository) -> Self {
        Self {
            id: wire.id,
            name: wire.display_name,
            compartment: wire.compartment_id,
            namespace: wire.namespace,
            n_images: wire.image_count,
            layers_size: Bytes(wire.layers_size_in_bytes),
            is_public: wire.is_public,
            lifecycle: match wire.sort {
                // Pull-through caches and multi-region repositories came in November 2026, and nobody says what a deletion
                // does there: what states its sort is of no known one (S-7).
                Some(IgnoredAny) if Rule::S7.in_force() => Lifecycle::Unknown,
                Some(IgnoredAny) | None => wire.lifecycle_state,
            },
        }
    }
}

impl From<ImageSummary> for ImageRow {
    fn from(wire: ImageSummary) -> Self {
        Self {
            id: wire.id,
            digest: wire.digest,
            tag: wire.version,
            repository: wire.repository_id,
            created_at: wire.time_created,
            lifecycle: wire.lifecycle_state,
        }
    }
}

impl Image {
    /// The image with the etag that came beside it.
    pub(crate) fn with_etag(self, etag: Option<Etag>) -> ImageDetails {
        let mut layers: Vec<Layer> = self.layers.into_iter().map(Layer::from).collect();
        layers.sort_unstable();
        layers.dedup();
        ImageDetails {
            id: self.id,
            digest: self.digest,
            repository: self.repository_id,
            tags: tags(self.versions, self.version),
            layers: layers.into(),
            manifest_size: Bytes(self.manifest_size_in_bytes),
            n_pulls: self.pull_count,
            last_pulled_at: self.time_last_pulled,
            created_at: self.time_created,
            created_by: self.created_by.as_deref().map(clean),
            resource_tags: resource_tags(self.freeform_tags, self.defined_tags),
            lifecycle: self.lifecycle_state,
            etag,
        }
    }
}

impl From<ImageLayer> for Layer {
    fn from(wire: ImageLayer) -> Self {
        Self { digest: wire.digest, size: Bytes(wire.size_in_bytes) }
    }
}

/// The union of all tags (S-5): those with a time, and the latest even if the list forgot it. A tag that comes twice
/// keeps its newest time.
fn tags(versions: Vec<Version>, latest: Option<Tag>) -> BTreeMap<Tag, Option<DateTime<Utc>>> {
    let mut tags = BTreeMap::new();
    let latest = latest.map(|tag| (tag, None));
    let listed = versions.into_iter().map(|wire| (wire.version, wire.time_created));
    for (tag, attached_at) in listed.chain(latest) {
        let known: &mut Option<DateTime<Utc>> = tags.entry(tag).or_default();
        *known = (*known).max(attached_at);
    }
    tags
}

/// Free-form and defined tags by one name each. Where either is missing from the answer, nothing is known of them.
fn resource_tags(
    freeform: Option<BTreeMap<String, String>>,
    defined: Option<BTreeMap<String, BTreeMap<String, serde_json::Value>>>,
) -> Option<ResourceTags> {
    let defined = defined?.into_iter().flat_map(|(namespace, tags)| {
        tags.into_iter().map(move |(key, value)| {
            // A value is a text by its definition, and any JSON by the API's model.
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (format!("{namespace}.{key}"), value)
        })
    });
    Some(ResourceTags::new(freeform?.into_iter().chain(defined)))
}

/// A lifecycle state; any word that is not known is `Unknown`.
pub(crate) fn lifecycle<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Lifecycle, D::Error> {
    Ok(match String::deserialize(deserializer)?.as_str() {
        "AVAILABLE" => Lifecycle::Available,
        "DELETING" => Lifecycle::Deleting,
        "DELETED" => Lifecycle::Deleted,
        _ => Lifecycle::Unknown,
    })
}

/// A time of RFC 3339 with any number of fraction digits and any offset; absent or null is `None`.
pub(crate) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    text.map(|text| DateTime::parse_from_rfc3339(&text).map(Into::into))
        .transpose()
        .map_err(|_| D::Error::custom("a time is not of RFC 3339"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::fuzz::{self, Reading};

    fn image() -> Value {
        json!({
            "id": "ocid1.containerimage.oc1.eu-milan-1.0.ns.a",
            "digest": format!("sha256:{}", "a".repeat(64)),
            "repositoryId": "ocid1.containerrepo.oc1.eu-milan-1.0.ns.r",
            "compartmentId": "ocid1.compartment.oc1..c",
            "createdBy": "ocid1.user.oc1..u",
            "displayName": "app:v2",
            "repositoryName": "app",
            "layers": [
                {"digest": format!("sha256:{}", "c".repeat(64)), "sizeInBytes": 3, "timeCreated": "2026-01-01T00:00:00Z"},
                {"digest": format!("sha256:{}", "b".repeat(64)), "sizeInBytes": 2, "timeCreated": "2026-01-01T00:00:00Z"},
                {"digest": format!("sha256:{}", "b".repeat(64)), "sizeInBytes": 2, "timeCreated": "2026-01-01T00:00:00Z"},
            ],
            "layersSizeInBytes": 5,
            "lifecycleState": "AVAILABLE",
            "manifestSizeInBytes": 700,
            "pullCount": 4,
            "timeCreated": "2026-01-01T00:00:00.123456789Z",
            "timeLastPulled": "2026-01-02T00:00:00+01:00",
            "version": "v2",
            "versions": [
                {"createdBy": "ocid1.user.oc1..u", "timeCreated": "2026-01-03T00:00:00Z", "version": "v1"},
                {"createdBy": "ocid1.user.oc1..u", "timeCreated": "2026-01-01T00:00:00Z", "version": "v1"},
            ],
            "freeformTags": {}, "definedTags": {}, "systemTags": {}, "aFieldOfTomorrow": [1, 2],
        })
    }

    fn changed(field: &str, value: Value) -> Result<Image, serde_json::Error> {
        let mut image = image();
        image[field] = value;
        serde_json::from_value(image)
    }

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().into()
    }

    #[test]
    fn an_image_keeps_the_union_of_its_tags_with_their_newest_times() {
        let details = serde_json::from_value::<Image>(image()).unwrap().with_etag(None);
        let tags: Vec<(&str, Option<DateTime<Utc>>)> =
            details.tags.iter().map(|(tag, at)| (tag.as_str(), *at)).collect();
        assert_eq!(tags, [("v1", Some(at("2026-01-03T00:00:00Z"))), ("v2", None)]);
    }

    #[test]
    fn layers_are_ordered_by_digest_and_named_once() {
        let details = serde_json::from_value::<Image>(image()).unwrap().with_etag(None);
        let sizes: Vec<u64> = details.layers.iter().map(|layer| layer.size.0).collect();
        assert_eq!(sizes, [2, 3]);
    }

    #[test]
    fn times_have_any_number_of_fraction_digits_and_any_offset() {
        for (text, expected) in [
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05.6Z", "2026-01-02T03:04:05.600Z"),
            ("2026-01-02T03:04:05.600000001Z", "2026-01-02T03:04:05.600000001Z"),
            ("2026-01-02T03:04:05.600+02:00", "2026-01-02T01:04:05.600Z"),
        ] {
            let details = changed("timeCreated", text.into()).unwrap().with_etag(None);
            assert_eq!(details.created_at, Some(at(expected)), "{text}");
        }
        let never = changed("timeLastPulled", Value::Null).unwrap().with_etag(None);
        assert_eq!(never.last_pulled_at, None);
    }

    #[test]
    fn resource_tags_are_known_only_when_both_sorts_are_given() {
        let known =
            |image: Value| serde_json::from_value::<Image>(image).unwrap().with_etag(None).resource_tags;
        let mut given = image();
        given["freeformTags"] = json!({"keep": "yes"});
        given["definedTags"] = json!({"Retention": {"until": "2027", "days": 90}});
        let wanted = [("keep", "yes"), ("Retention.until", "2027"), ("Retention.days", "90")];
        let wanted = wanted.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(known(given), Some(ResourceTags::new(wanted)));
        assert_eq!(known(image()), Some(ResourceTags::default()));
        for field in ["freeformTags", "definedTags"] {
            let mut without = image();
            without[field] = Value::Null;
            assert_eq!(known(without), None, "{field}");
        }
    }

    #[test]
    fn an_unknown_state_is_told_and_not_guessed() {
        for (word, state) in [
            ("AVAILABLE", Lifecycle::Available),
            ("DELETING", Lifecycle::Deleting),
            ("DELETED", Lifecycle::Deleted),
            ("HIBERNATING", Lifecycle::Unknown),
            ("available", Lifecycle::Unknown),
        ] {
            assert_eq!(changed("lifecycleState", word.into()).unwrap().lifecycle_state, state);
        }
    }

    #[test]
    fn a_repository_that_states_its_sort_is_of_no_known_one_and_other_new_fields_say_nothing() {
        let read = |field: &str, value: Value| {
            let mut repository = json!({
                "id": "ocid1.containerrepo.oc1.eu-milan-1.0.ns.r", "displayName": "app",
                "compartmentId": "ocid1.compartment.oc1..c", "namespace": "ns", "imageCount": 1,
                "layersSizeInBytes": 5, "isPublic": false, "lifecycleState": "AVAILABLE",
            });
            repository[field] = value;
            RepositoryRow::from(serde_json::from_value::<Repository>(repository).unwrap()).lifecycle
        };
        for field in ["repositoryType", "repositoryKind", "type", "kind"] {
            assert_eq!(read(field, json!("PULL_THROUGH_CACHE")), Lifecycle::Unknown, "{field}");
            assert_eq!(read(field, json!({"upstream": "fra"})), Lifecycle::Unknown, "{field}");
            assert_eq!(read(field, Value::Null), Lifecycle::Available, "{field}");
        }
        assert_eq!(read("aFieldOfTomorrow", json!([1])), Lifecycle::Available);
    }

    #[test]
    fn what_is_no_identifier_or_of_the_wrong_type_fails_the_answer() {
        for (field, value) in [
            ("id", json!("ocid1.containerrepo.oc1..x")),
            ("digest", json!("sha512:00")),
            ("digest", Value::Null),
            ("version", json!("a b")),
            ("versions", json!([{"version": "\u{1b}[31m"}])),
            ("versions", Value::Null),
            ("layers", json!([{"digest": "x", "sizeInBytes": 1}])),
            ("manifestSizeInBytes", json!(-1)),
            ("pullCount", json!("4")),
            ("timeCreated", json!("yesterday")),
            ("lifecycleState", Value::Null),
        ] {
            assert!(changed(field, value.clone()).is_err(), "{field}: {value}");
        }
    }

    /// Whether the texts of `read` are those of the field.
    fn same(read: &str, own: &Value, field: &str) -> Result<(), TestCaseError> {
        prop_assert_eq!(Some(read), own[field].as_str());
        Ok(())
    }

    #[test]
    fn any_repository_is_read_field_for_field_or_is_an_error() {
        fuzz::any_input("repository", "repository", |bytes| {
            let Ok(wire) = serde_json::from_slice::<Repository>(bytes) else { return Ok(Reading::Refused) };
            let row = RepositoryRow::from(wire);
            if let Ok(own) = serde_json::from_slice::<Value>(bytes) {
                same(row.id.as_str(), &own, "id")?;
                same(row.name.as_str(), &own, "displayName")?;
                same(row.compartment.as_str(), &own, "compartmentId")?;
                prop_assert_eq!(Some(row.n_images), own["imageCount"].as_u64());
                prop_assert_eq!(Some(row.layers_size.0), own["layersSizeInBytes"].as_u64());
                prop_assert_eq!(Some(row.is_public), own["isPublic"].as_bool());
                if let Ok(full) = serde_json::from_slice::<FullRepository>(bytes) {
                    prop_assert_eq!(Some(full.is_immutable), own["isImmutable"].as_bool());
                    prop_assert_eq!(full.time_last_pushed.is_none(), own["timeLastPushed"].is_null());
                    prop_assert_eq!(RepositoryRow::from(full.summary), row);
                }
            }
            Ok(Reading::Read)
        });
    }

    #[test]
    fn any_image_is_read_field_for_field_or_is_an_error() {
        fuzz::any_input("image", "image", |bytes| {
            let Ok(wire) = serde_json::from_slice::<Image>(bytes) else { return Ok(Reading::Refused) };
            let details = wire.with_etag(None);
            if let Ok(own) = serde_json::from_slice::<Value>(bytes) {
                same(details.id.as_str(), &own, "id")?;
                same(&details.digest.to_string(), &own, "digest")?;
                let listed = own["versions"].as_array().unwrap().iter().map(|version| &version["version"]);
                let expected: BTreeSet<&str> =
                    listed.chain([&own["version"]]).filter_map(Value::as_str).collect();
                let tags: BTreeSet<&str> = details.tags.keys().map(Tag::as_str).collect();
                prop_assert_eq!(tags, expected);
                prop_assert!(details.layers.len() <= own["layers"].as_array().unwrap().len());
                prop_assert_eq!(Some(details.n_pulls), own["pullCount"].as_u64());
                prop_assert_eq!(details.last_pulled_at.is_none(), own["timeLastPulled"].is_null());
                prop_assert_eq!(details.created_at.is_none(), own["timeCreated"].is_null());
            }
            Ok(Reading::Read)
        });
    }
}
