//! Every kind of manifest: its document, its media type, what the client is to read, and what a real registry says to a
//! push of it.
//!
//! The documents are the committed files that `ocird-oci` is tested with, and a few that are too large to commit. The
//! digests in them are made up; nothing here can be pushed yet.

use std::path::Path;

use ocird_model::{OpaqueReason, RepositoryName};
use ocird_sim::digest::sha256;
use ocird_sim::manifest::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use serde_json::{Value, json};

/// Where the files are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ocird-oci/tests/corpus/manifests");

/// Media type of the first kind there was, with its signatures in the document.
pub(crate) const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
/// Media type of a kind that was drafted and withdrawn. <https://github.com/opencontainers/image-spec/pull/999>
const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
/// Media type of a kind that there may be tomorrow.
const TOMORROW: &str = "application/vnd.example.manifest.v3+json";

/// The configuration of artifacts that have none.
pub(crate) const EMPTY: &[u8] = b"{}";

/// Bytes of the largest manifest that is read, and that `docker-registry` takes.
const MAX_BYTES: usize = 4 << 20;
/// Most children of an index that is judged.
const MAX_CHILDREN: usize = 1000;
/// Manifests that an index of a thousand children names, again and again: what is counted are the names.
const N_REPEATED: usize = 7;

/// A kind of manifest, and what is to be made of it.
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    /// What people call it.
    pub(crate) name: &'static str,
    /// What the client is to read.
    pub(crate) reads: Reads,
    /// What `docker-registry` says to a push of it.
    pub(crate) docker_registry: Answer,
    pub(crate) media_type: &'static str,
    document: Document,
}

/// What the client is to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// A manifest with so many blobs, the configuration included, and so many subjects.
    Manifest { n_blobs: usize, n_subjects: usize },
    /// An index of so many children and subjects.
    Index { n_children: usize, n_subjects: usize },
    /// Something that it must not judge.
    Opaque(OpaqueReason),
}

/// What a registry says to a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It takes it.
    Takes,
    /// It refuses with this status and code.
    Refuses(u16, &'static str),
}

#[derive(Debug, Clone, Copy)]
enum Document {
    /// A file of the corpus, without its ending.
    File(&'static str),
    /// An index of so many names.
    Index(usize),
    /// A manifest of so many bytes.
    Padded(usize),
}

/// Every kind.
pub(crate) fn kinds() -> Vec<Kind> {
    let takes = |name, media_type, reads| Kind::new(name, media_type, reads, Answer::Takes);
    let refuses = |name, media_type, why, code| {
        Kind::new(name, media_type, Reads::Opaque(why), Answer::Refuses(400, code))
    };
    let plain = |n_blobs| Reads::Manifest { n_blobs, n_subjects: 0 };
    let about = |n_blobs| Reads::Manifest { n_blobs, n_subjects: 1 };
    let index = |n_children| Reads::Index { n_children, n_subjects: 0 };
    let (invalid, unknown) = ("MANIFEST_INVALID", "MANIFEST_BLOB_UNKNOWN");
    let (media_type, malformed) = (OpaqueReason::MediaType, OpaqueReason::Malformed);
    vec![
        takes("docker-manifest-v2", DOCKER_MANIFEST, plain(4)),
        takes("docker-list-v2", DOCKER_LIST, index(3)),
        takes("oci-manifest", OCI_MANIFEST, plain(3)),
        takes("oci-manifest-without-media-type", OCI_MANIFEST, plain(2)),
        takes("manifest-with-layers-of-null", OCI_MANIFEST, plain(1)),
        takes("oci-index", OCI_INDEX, index(2)),
        takes("oci-index-nested", OCI_INDEX, index(3)),
        takes("oci-index-empty", OCI_INDEX, index(0)),
        takes("oci-index-repeated-child", OCI_INDEX, index(2)),
        takes("index-with-subject", OCI_INDEX, Reads::Index { n_children: 1, n_subjects: 1 }),
        takes("buildx-index", OCI_INDEX, index(4)),
        takes("buildx-attestation", OCI_MANIFEST, plain(3)),
        takes("cosign-signature-by-tag", OCI_MANIFEST, plain(2)),
        takes("cosign-attestation-by-tag", OCI_MANIFEST, plain(2)),
        takes("cosign-bundle", OCI_MANIFEST, about(2)),
        takes("referrers-fallback-index", OCI_INDEX, index(2)),
        takes("notation-signature", OCI_MANIFEST, about(2)),
        takes("helm-chart", OCI_MANIFEST, plain(3)),
        takes("oras-artifact", OCI_MANIFEST, about(2)),
        takes("oras-artifact-without-layers", OCI_MANIFEST, plain(1)),
        takes("index-of-1000-names", OCI_INDEX, index(N_REPEATED)).of(Document::Index(MAX_CHILDREN)),
        takes("index-of-1001-names", OCI_INDEX, Reads::Opaque(OpaqueReason::TooManyChildren))
            .of(Document::Index(MAX_CHILDREN + 1)),
        takes("manifest-of-4-mib", OCI_MANIFEST, plain(1)).of(Document::Padded(MAX_BYTES)),
        refuses("manifest-over-4-mib", OCI_MANIFEST, OpaqueReason::TooLarge, invalid)
            .of(Document::Padded(MAX_BYTES + 1)),
        // The signature of the corpus is made up; `schema_1` tells what becomes of a good one.
        refuses("docker-schema-1", SCHEMA_1, media_type, invalid),
        refuses("oci-artifact-manifest", OCI_ARTIFACT, media_type, invalid),
        refuses("unknown-kind", TOMORROW, media_type, invalid),
        refuses("oci-manifest-as-json", "application/json", media_type, invalid)
            .of(Document::File("oci-manifest")),
        refuses("oci-manifest-as-docker-manifest", DOCKER_MANIFEST, media_type, invalid)
            .of(Document::File("oci-manifest")),
        refuses("ambiguous", OCI_MANIFEST, malformed, invalid),
        refuses("index-with-sha512-child", OCI_INDEX, malformed, unknown),
        takes("index-with-manifests-of-null", OCI_INDEX, Reads::Opaque(malformed)),
    ]
}

impl Kind {
    const fn new(name: &'static str, media_type: &'static str, reads: Reads, answer: Answer) -> Self {
        Self { name, reads, docker_registry: answer, media_type, document: Document::File(name) }
    }

    const fn of(mut self, document: Document) -> Self {
        self.document = document;
        self
    }

    /// Its document, with digests that are made up.
    pub(crate) fn text(&self) -> String {
        self.document.text()
    }

    /// The repository that it is pushed to: each kind has its own, so that none speaks for another.
    pub(crate) fn repository(&self) -> RepositoryName {
        format!("kinds/{}", self.name).parse().unwrap()
    }

    /// True when the client must not judge it.
    pub(crate) const fn is_opaque(&self) -> bool {
        matches!(self.reads, Reads::Opaque(_))
    }
}

impl Document {
    fn text(self) -> String {
        match self {
            Self::File(name) => {
                std::fs::read_to_string(Path::new(FOLDER).join(name).with_extension("json")).unwrap()
            }
            Self::Index(n_names) => index_of(n_names),
            Self::Padded(n_bytes) => padded_to(n_bytes),
        }
    }
}

fn index_of(n_names: usize) -> String {
    let child = |n: usize| {
        let digest = sha256(format!("child {}", n % N_REPEATED).as_bytes());
        json!({"mediaType": OCI_MANIFEST, "digest": digest, "size": 1})
    };
    let children: Vec<Value> = (0..n_names).map(child).collect();
    json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}).to_string()
}

fn padded_to(n_bytes: usize) -> String {
    let config = json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": sha256(EMPTY), "size": EMPTY.len()});
    let document = |padding: &str| {
        json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [],
            "annotations": {"padding": padding},
        })
        .to_string()
    };
    document(&"x".repeat(n_bytes - document("").len()))
}

#[test]
fn every_file_of_the_corpus_is_one_of_the_kinds() {
    let kinds = kinds();
    for entry in std::fs::read_dir(FOLDER).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(kinds.iter().any(|kind| kind.name == name), "{name}");
    }
}
