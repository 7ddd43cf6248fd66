//! What a manifest refers to. Pure: bytes in, [`Content`] out.
//! <https://github.com/opencontainers/image-spec/blob/main/manifest.md>,
//! <https://github.com/opencontainers/image-spec/blob/main/image-index.md>
//!
//! A pusher wrote it (S-34). Whatever is not exactly one of the four known kinds is opaque, and is thereby kept.
//!
//! The bounds: four million bytes (they are not even read beyond that), a thousand children, and the depth to which the
//! decoder nests JSON (128). Annotations, and all else that is not in `Document`, are passed over and never kept. How deep indexes nest is not bounded here, because nothing here follows a reference: one
//! manifest is read at a time. Who walks from index to index does so in a loop over the images that are listed, visits
//! each a bounded number of times and minds circles, so that a deep nest costs no more than a wide one.

use std::collections::HashSet;

use ocird_model::{Bytes, Content, Digest, FetchedManifest, Layer, OpaqueReason, Rule};
use serde::Deserialize;

/// The media types of what names other manifests.
pub(crate) const INDEX_TYPES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/// The media types of what names layers.
pub(crate) const MANIFEST_TYPES: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];

/// The media types of Docker's schema 1, signed within its own text: its digest is of the text without the signatures, and a
/// registry gives it with them. It is opaque like every kind that is not known (S-7), and no reason to take its repository
/// for unreadable: whoever may push one could otherwise stop every usage line of the account (S-34).
/// <https://github.com/distribution/distribution/blob/v2.8.2/docs/spec/manifest-v2-1.md>
pub(crate) const SIGNED_TYPES: [&str; 2] = [
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "application/vnd.docker.distribution.manifest.v1+json",
];

/// The most manifests that one index may name. Real ones have a few dozen.
const MAX_CHILDREN: usize = 1000;

/// The two families of media types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Index,
    Manifest,
}

/// The fields of all four kinds that matter here. A field that comes twice, or is of the wrong type, is an error.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    media_type: Option<String>,
    subject: Option<Reference>,
    manifests: Option<Vec<Reference>>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
}

/// A descriptor of a manifest.
#[derive(Deserialize)]
struct Reference {
    digest: Digest,
}

/// A descriptor of a blob.
#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
    size: u64,
}

/// What the manifest refers to inside its repository.
pub fn interpret(manifest: &FetchedManifest) -> Content {
    let (kind, document) = match read(manifest) {
        Ok(read) => read,
        Err(reason) => return Content::Opaque { reason },
    };
    let subject = document.subject.map(|reference| reference.digest);
    match kind {
        Kind::Manifest => {
            Content::Manifest { subject, config: document.config.map(|descriptor| descriptor.digest) }
        }
        Kind::Index => children(&document.manifests.unwrap_or_default()).map_or_else(
            |reason| Content::Opaque { reason },
            |children| Content::Index { children, subject },
        ),
    }
}

/// The configuration blob and the layers that the manifest names, ordered by digest and each named once; `None` for
/// an index and for what cannot be read.
pub fn declared_layers(manifest: &FetchedManifest) -> Option<Vec<Layer>> {
    let (Kind::Manifest, document) = read(manifest).ok()? else {
        return None;
    };
    let blobs = document.config.into_iter().chain(document.layers.unwrap_or_default());
    let mut layers: Vec<Layer> =
        blobs.map(|blob| Layer { digest: blob.digest, size: Bytes(blob.size) }).collect();
    layers.sort_unstable();
    layers.dedup();
    Some(layers)
}

/// The manifest's kind and content, or why it cannot be judged.
fn read(manifest: &FetchedManifest) -> Result<(Kind, Document), OpaqueReason> {
    if manifest.too_large {
        return Err(OpaqueReason::TooLarge);
    }
    // Unknown means keep (S-7). Out of force, what is no index is taken for a manifest without references, as cleaners do.
    let kind = match kind(&manifest.media_type) {
        Some(kind) => kind,
        None if Rule::S7.in_force() => return Err(OpaqueReason::MediaType),
        None => Kind::Manifest,
    };
    let document: Document = serde_json::from_slice(&manifest.bytes).map_err(|_| OpaqueReason::Malformed)?;
    match &document.media_type {
        Some(own) if *own != manifest.media_type => return Err(OpaqueReason::MediaType),
        Some(_) | None => {}
    }
    // A document that can be read as either kind means one thing to us and another to a client (CVE-2021-41190).
    let names_manifests = document.manifests.is_some();
    let names_blobs = document.config.is_some() || document.layers.is_some();
    let is_clear = match kind {
        Kind::Index => names_manifests && !names_blobs,
        Kind::Manifest => !names_manifests,
    };
    if document.schema_version == 2 && is_clear { Ok((kind, document)) } else { Err(OpaqueReason::Malformed) }
}

fn kind(media_type: &str) -> Option<Kind> {
    if INDEX_TYPES.contains(&media_type) {
        Some(Kind::Index)
    } else if MANIFEST_TYPES.contains(&media_type) {
        Some(Kind::Manifest)
    } else {
        None
    }
}

/// The digests in their order, each once.
fn children(manifests: &[Reference]) -> Result<Vec<Digest>, OpaqueReason> {
    if manifests.len() > MAX_CHILDREN && Rule::S34.in_force() {
        return Err(OpaqueReason::TooManyChildren);
    }
    let mut seen = HashSet::new();
    let digests = manifests.iter().map(|reference| reference.digest);
    Ok(digests.filter(|digest| seen.insert(*digest)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::fuzz::{self, Reading};

    const OCI_INDEX: &str = INDEX_TYPES[0];
    const OCI_MANIFEST: &str = MANIFEST_TYPES[0];

    fn digest(n: u8) -> Digest {
        Digest::from_bytes([n; 32])
    }

    fn fetched(media_type: &str, document: &Value) -> FetchedManifest {
        FetchedManifest {
            media_type: media_type.to_owned(),
            bytes: document.to_string().into_bytes().into(),
            too_large: false,
        }
    }

    fn blob(n: u8, size: u64) -> Value {
        json!({"mediaType": "x", "digest": digest(n), "size": size})
    }

    fn index(n_children: usize) -> Value {
        let children: Vec<Value> = (0..n_children)
            .map(|n| {
                let mut bytes = [0; 32];
                bytes[..8].copy_from_slice(&n.to_be_bytes());
                json!({"digest": Digest::from_bytes(bytes), "size": 1})
            })
            .collect();
        json!({"schemaVersion": 2, "manifests": children})
    }

    fn opaque(reason: OpaqueReason) -> Content {
        Content::Opaque { reason }
    }

    #[test]
    fn both_kinds_of_index_name_their_children_once_and_in_order() {
        for media_type in INDEX_TYPES {
            let document = json!({
                "schemaVersion": 2, "mediaType": media_type,
                "manifests": [blob(2, 1), blob(1, 1), blob(2, 1)],
            });
            let expected = Content::Index { children: vec![digest(2), digest(1)], subject: None };
            assert_eq!(interpret(&fetched(media_type, &document)), expected);
        }
    }

    #[test]
    fn both_kinds_of_manifest_name_their_subject_and_layers() {
        for media_type in MANIFEST_TYPES {
            let document = json!({
                "schemaVersion": 2, "config": blob(3, 30), "layers": [blob(2, 20), blob(1, 10), blob(2, 20)],
                "subject": blob(9, 1),
            });
            let manifest = fetched(media_type, &document);
            let expected = Content::Manifest { subject: Some(digest(9)), config: Some(digest(3)) };
            assert_eq!(interpret(&manifest), expected);
            let sizes: Vec<u64> = declared_layers(&manifest).unwrap().iter().map(|l| l.size.0).collect();
            assert_eq!(sizes, [10, 20, 30]);
        }
    }

    #[test]
    fn an_index_may_have_a_subject_and_no_children() {
        let document = json!({"schemaVersion": 2, "manifests": [], "subject": blob(9, 1)});
        let expected = Content::Index { children: vec![], subject: Some(digest(9)) };
        assert_eq!(interpret(&fetched(OCI_INDEX, &document)), expected);
    }

    #[test]
    fn an_unknown_or_contradicting_media_type_is_opaque() {
        let plain = json!({"schemaVersion": 2, "layers": []});
        let contradicting = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "layers": []});
        for (media_type, document) in [
            ("application/vnd.docker.distribution.manifest.v1+prettyjws", &plain),
            ("", &plain),
            (OCI_MANIFEST, &contradicting),
        ] {
            assert_eq!(interpret(&fetched(media_type, document)), opaque(OpaqueReason::MediaType));
        }
    }

    #[test]
    fn what_is_malformed_or_ambiguous_is_opaque() {
        for (media_type, document) in [
            (OCI_MANIFEST, json!([])),
            (OCI_MANIFEST, json!({"layers": []})),
            (OCI_MANIFEST, json!({"schemaVersion": 1, "layers": []})),
            (OCI_MANIFEST, json!({"schemaVersion": 2, "layers": "none"})),
            (OCI_MANIFEST, json!({"schemaVersion": 2, "layers": [], "manifests": []})),
            (OCI_MANIFEST, json!({"schemaVersion": 2, "layers": [], "subject": {"digest": "sha512:0"}})),
            (OCI_INDEX, json!({"schemaVersion": 2})),
            (OCI_INDEX, json!({"schemaVersion": 2, "manifests": [], "layers": []})),
            (OCI_INDEX, json!({"schemaVersion": 2, "manifests": [{"digest": "x"}]})),
        ] {
            let manifest = fetched(media_type, &document);
            assert_eq!(interpret(&manifest), opaque(OpaqueReason::Malformed), "{document}");
            assert_eq!(declared_layers(&manifest), None, "{document}");
        }
    }

    #[test]
    fn a_field_that_comes_twice_is_opaque() {
        let manifest = FetchedManifest {
            media_type: OCI_INDEX.to_owned(),
            bytes: br#"{"schemaVersion":2,"manifests":[],"manifests":[]}"#.as_slice().into(),
            too_large: false,
        };
        assert_eq!(interpret(&manifest), opaque(OpaqueReason::Malformed));
    }

    #[test]
    fn an_index_has_a_thousand_children_at_most() {
        assert_eq!(interpret(&fetched(OCI_INDEX, &index(1000))).children().len(), 1000);
        assert_eq!(interpret(&fetched(OCI_INDEX, &index(1001))), opaque(OpaqueReason::TooManyChildren));
    }

    #[test]
    fn annotations_change_nothing_however_many_there_are() {
        let annotations: serde_json::Map<String, Value> =
            (0..10_000).map(|n| (format!("key-{n}"), json!("\u{1b}[31m"))).collect();
        let document = json!({"schemaVersion": 2, "layers": [blob(1, 10)], "annotations": annotations});
        let manifest = fetched(OCI_MANIFEST, &document);
        assert_eq!(interpret(&manifest), Content::Manifest { subject: None, config: None });
        assert_eq!(declared_layers(&manifest).unwrap().len(), 1);
    }

    #[test]
    fn what_was_too_large_to_read_is_opaque() {
        let manifest = FetchedManifest { too_large: true, ..fetched(OCI_INDEX, &index(1)) };
        assert_eq!(interpret(&manifest), opaque(OpaqueReason::TooLarge));
    }

    #[test]
    fn json_that_nests_too_deep_is_opaque_where_it_is_looked_at() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let text = format!(r#"{{"schemaVersion":2,"layers":{deep}}}"#);
        let manifest = FetchedManifest {
            media_type: OCI_MANIFEST.to_owned(),
            bytes: text.into_bytes().into(),
            too_large: false,
        };
        assert_eq!(interpret(&manifest), opaque(OpaqueReason::Malformed));
    }

    /// The digests of the descriptors in this field, each once.
    fn digests(own: &Value, field: &str) -> Vec<String> {
        let mut digests: Vec<String> = Vec::new();
        for descriptor in own[field].as_array().into_iter().flatten() {
            let digest = descriptor["digest"].as_str().unwrap_or("none").to_owned();
            if !digests.contains(&digest) {
                digests.push(digest);
            }
        }
        digests
    }

    #[test]
    fn any_manifest_is_read_reference_for_reference_or_opaque() {
        fuzz::any_input("manifest and index", "manifests", |bytes| {
            let mut reading = Reading::Refused;
            for media_type in INDEX_TYPES.into_iter().chain(MANIFEST_TYPES) {
                let media_type = media_type.to_owned();
                let manifest = FetchedManifest { media_type, bytes: bytes.into(), too_large: false };
                let content = interpret(&manifest);
                prop_assert_eq!(
                    declared_layers(&manifest).is_some(),
                    matches!(content, Content::Manifest { .. })
                );
                if matches!(content, Content::Opaque { .. }) {
                    prop_assert!(content.children().is_empty() && content.subject().is_none());
                    continue;
                }
                reading = Reading::Read;
                let Ok(own) = serde_json::from_slice::<Value>(bytes) else { continue };
                let children: Vec<String> = content.children().iter().map(ToString::to_string).collect();
                prop_assert_eq!(children, digests(&own, "manifests"));
                let subject = content.subject().map(|digest| digest.to_string());
                prop_assert_eq!(subject.as_deref(), own["subject"]["digest"].as_str());
            }
            Ok(reading)
        });
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_opaque_without_a_panic(bytes: Vec<u8>, i in 0_usize..4) {
            let media_type = [INDEX_TYPES, MANIFEST_TYPES].concat()[i].to_owned();
            let manifest = FetchedManifest { media_type, bytes: bytes.into(), too_large: false };
            prop_assert_eq!(interpret(&manifest), opaque(OpaqueReason::Malformed));
            prop_assert_eq!(declared_layers(&manifest), None);
        }

        #[test]
        fn any_json_is_read_or_opaque_without_a_panic(
            text in r#"\{"schemaVersion":2(,"(manifests|layers|subject|config|mediaType)":(\[\]|\{\}|null|"x"|1|\[\{\}\])){0,4}\}"#,
            is_index: bool,
        ) {
            let media_type = if is_index { OCI_INDEX } else { OCI_MANIFEST }.to_owned();
            let manifest = FetchedManifest { media_type, bytes: text.into_bytes().into(), too_large: false };
            let content = interpret(&manifest);
            prop_assert!(content.children().is_empty() && content.subject().is_none());
        }
    }
}
