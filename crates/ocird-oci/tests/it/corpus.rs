//! What is made of one manifest of every kind that is found in registries (S-6), from committed files.
//!
//! The digests and contents are made up; shapes and media types are those that the tools write.

use std::collections::BTreeSet;
use std::path::PathBuf;

use aws_lc_rs::digest::{SHA256, digest};
use ocird_model::{Content, Digest, FetchedManifest, OpaqueReason};
use ocird_oci::{declared_layers, interpret};

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// The digest of the empty document, which artifacts have for a configuration.
const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/manifests")
}

fn fetched(file: &str, media_type: &str) -> FetchedManifest {
    let bytes = std::fs::read(folder().join(format!("{file}.json"))).unwrap();
    FetchedManifest { media_type: media_type.to_owned(), bytes: bytes.into(), too_large: false }
}

/// The digest that the corpus has for what it calls so.
fn named(name: &str) -> Digest {
    if name == EMPTY {
        return name.parse().unwrap();
    }
    let bytes = digest(&SHA256, format!("ocird corpus {name}").as_bytes());
    Digest::from_bytes(bytes.as_ref().try_into().unwrap())
}

#[test]
fn every_kind_of_index_names_its_children_and_its_subject() {
    for (file, media_type, children, subject) in [
        ("docker-list-v2", DOCKER_LIST, &["list amd64", "list arm64", "list windows"][..], None),
        ("oci-index", OCI_INDEX, &["index amd64", "index arm64"], None),
        ("oci-index-nested", OCI_INDEX, &["inner index", "inner list", "index arm64"], None),
        ("oci-index-empty", OCI_INDEX, &[], None),
        ("oci-index-repeated-child", OCI_INDEX, &["index arm64", "index amd64"], None),
        (
            "buildx-index",
            OCI_INDEX,
            &["buildx amd64", "buildx arm64", "buildx attestation amd64", "buildx attestation arm64"],
            None,
        ),
        ("referrers-fallback-index", OCI_INDEX, &["a bundle", "an sbom"], None),
        ("index-with-subject", OCI_INDEX, &["an sbom"], Some("oci manifest")),
    ] {
        let manifest = fetched(file, media_type);
        let children = children.iter().map(|name| named(name)).collect();
        assert_eq!(interpret(&manifest), Content::Index { children, subject: subject.map(named) }, "{file}");
        assert_eq!(declared_layers(&manifest), None, "{file}");
    }
}

#[test]
fn every_kind_of_manifest_names_its_subject_its_configuration_and_its_layers() {
    for (file, media_type, subject, blobs) in [
        (
            "docker-manifest-v2",
            DOCKER_MANIFEST,
            None,
            &["docker config", "docker base", "docker app", "windows base"][..],
        ),
        ("oci-manifest", OCI_MANIFEST, None, &["oci config", "oci base", "oci app"]),
        ("oci-manifest-without-media-type", OCI_MANIFEST, None, &["oci config", "oci base"]),
        ("manifest-with-layers-of-null", OCI_MANIFEST, None, &["oci config"]),
        ("buildx-attestation", OCI_MANIFEST, None, &["attestation config", "provenance", "sbom"]),
        ("cosign-signature-by-tag", OCI_MANIFEST, None, &["cosign config", "cosign payload"]),
        ("cosign-attestation-by-tag", OCI_MANIFEST, None, &["cosign config", "cosign attestation"]),
        ("cosign-bundle", OCI_MANIFEST, Some("index arm64"), &[EMPTY, "sigstore bundle"]),
        ("notation-signature", OCI_MANIFEST, Some("oci manifest"), &[EMPTY, "notation envelope"]),
        ("helm-chart", OCI_MANIFEST, None, &["helm config", "helm chart", "helm provenance"]),
        ("oras-artifact", OCI_MANIFEST, Some("oci index"), &[EMPTY, "oras sbom"]),
        ("oras-artifact-without-layers", OCI_MANIFEST, None, &[EMPTY]),
    ] {
        let manifest = fetched(file, media_type);
        let config = blobs.first().map(|name| named(name));
        assert_eq!(interpret(&manifest), Content::Manifest { subject: subject.map(named), config }, "{file}");
        let layers = declared_layers(&manifest).unwrap();
        let found: BTreeSet<Digest> = layers.iter().map(|layer| layer.digest).collect();
        assert_eq!(found, blobs.iter().map(|name| named(name)).collect(), "{file}");
        assert_eq!(found.len(), layers.len(), "{file}");
    }
}

#[test]
fn what_is_of_no_known_kind_is_opaque_and_says_why() {
    for (file, media_type, reason) in [
        (
            "docker-schema-1",
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            OpaqueReason::MediaType,
        ),
        ("oci-artifact-manifest", "application/vnd.oci.artifact.manifest.v1+json", OpaqueReason::MediaType),
        ("unknown-kind", "application/vnd.example.manifest.v3+json", OpaqueReason::MediaType),
        ("oci-manifest", "", OpaqueReason::MediaType),
        ("oci-manifest", "application/json", OpaqueReason::MediaType),
        // The header says one thing and the document another.
        ("oci-manifest", DOCKER_MANIFEST, OpaqueReason::MediaType),
        ("oci-index", OCI_MANIFEST, OpaqueReason::MediaType),
        ("docker-schema-1", DOCKER_MANIFEST, OpaqueReason::Malformed),
        ("oci-manifest-without-media-type", OCI_INDEX, OpaqueReason::Malformed),
        ("ambiguous", OCI_INDEX, OpaqueReason::Malformed),
        ("ambiguous", OCI_MANIFEST, OpaqueReason::Malformed),
        ("index-with-sha512-child", OCI_INDEX, OpaqueReason::Malformed),
        ("index-with-manifests-of-null", OCI_INDEX, OpaqueReason::Malformed),
    ] {
        let manifest = fetched(file, media_type);
        assert_eq!(interpret(&manifest), Content::Opaque { reason }, "{file} as {media_type}");
        assert_eq!(declared_layers(&manifest), None, "{file} as {media_type}");
    }
}

#[test]
fn every_file_of_the_corpus_is_in_one_of_the_tables() {
    let tables = include_str!("corpus.rs");
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let file = name.strip_suffix(".json").unwrap();
        assert!(tables.contains(&format!("\"{file}\"")), "{file}");
    }
}
