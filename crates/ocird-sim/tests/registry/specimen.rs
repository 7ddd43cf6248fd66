//! The corpus as something that can be pushed: a manifest of every kind, with all that it names.
//!
//! No registry takes an index of children that do not exist. So a small blob or manifest is made for each digest that the
//! corpus made up, and named in its place; nothing else of the text changes. Sizes stay as they were: neither registry
//! compares them.

use std::collections::BTreeMap;

use ocird_model::{Bytes, Content, Digest, Layer, OpaqueReason};
use ocird_sim::digest::sha256;
use ocird_sim::manifest::{Blob, DOCKER_LIST, Manifest, OCI_INDEX};
use serde_json::{Value, json};

use crate::corpus::{EMPTY, Kind, Reads, kinds};

/// A manifest of one kind with everything that a registry wants to see before it takes it.
#[derive(Debug)]
pub(crate) struct Specimen {
    pub(crate) kind: Kind,
    pub(crate) manifest: Manifest,
    /// Its children and its subject.
    pub(crate) named: Vec<Manifest>,
    /// Its own blobs, and those of what it names.
    pub(crate) blobs: Vec<Blob>,
    /// What the client is to make of it.
    pub(crate) reading: Reading,
}

/// What the client makes of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) media_type: String,
    /// The digest of the bytes that came; `None` where they were too many.
    pub(crate) bytes: Option<Digest>,
    pub(crate) content: Content,
    pub(crate) layers: Option<Vec<Layer>>,
}

/// A descriptor, as far as it matters here.
#[derive(Debug)]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: u64,
}

/// What a document names, by this file's own reading of it.
#[derive(Debug)]
struct Names {
    children: Vec<Descriptor>,
    subjects: Vec<Descriptor>,
    blobs: Vec<Descriptor>,
}

/// What stands in for what is named, by the digest that was made up for it.
#[derive(Debug, Default)]
struct StandIns {
    names: BTreeMap<Digest, Digest>,
    manifests: Vec<Manifest>,
    blobs: Vec<Blob>,
}

impl Specimen {
    /// One of every kind.
    pub(crate) fn all() -> Vec<Self> {
        kinds().into_iter().map(Self::of).collect()
    }

    fn of(kind: Kind) -> Self {
        let text = kind.text();
        let names = Names::read(&serde_json::from_str(&text).unwrap());
        let mut stand_ins = StandIns::default();
        names.children.iter().chain(&names.subjects).for_each(|named| stand_ins.add_manifest(named));
        names.blobs.iter().for_each(|named| stand_ins.add_blob(named.digest));
        let manifest = Manifest::raw(kind.media_type, stand_ins.put_into(&text).into_bytes());
        let reading = names.reading(&kind, &manifest, &stand_ins);
        let StandIns { names: _, manifests, blobs } = stand_ins;
        Self { kind, manifest, named: manifests, blobs, reading }
    }
}

impl Names {
    fn read(document: &Value) -> Self {
        let list = |key: &str| document[key].as_array().into_iter().flatten().filter_map(Descriptor::read);
        let one = |key: &str| Descriptor::read(&document[key]);
        Self {
            children: list("manifests").collect(),
            subjects: one("subject").into_iter().collect(),
            blobs: one("config").into_iter().chain(list("layers")).collect(),
        }
    }

    /// What the client is to make of it. The table says how much there is to find, so that no mistake of this file
    /// can hide one of the client's.
    fn reading(&self, kind: &Kind, manifest: &Manifest, stand_ins: &StandIns) -> Reading {
        let real = |named: &Descriptor| stand_ins.names[&named.digest];
        let subject = self.subjects.first().map(real);
        let (content, layers) = match kind.reads {
            Reads::Manifest { n_blobs, n_subjects } => {
                let size = |named: &Descriptor| Layer { digest: real(named), size: Bytes(named.size) };
                let mut layers: Vec<Layer> = self.blobs.iter().map(size).collect();
                layers.sort_unstable();
                layers.dedup();
                assert_eq!((layers.len(), self.subjects.len()), (n_blobs, n_subjects), "{}", kind.name);
                (Content::Manifest { subject, config: self.blobs.first().map(real) }, Some(layers))
            }
            Reads::Index { n_children, n_subjects } => {
                let mut children = Vec::new();
                for child in self.children.iter().map(real) {
                    if !children.contains(&child) {
                        children.push(child);
                    }
                }
                assert_eq!((children.len(), self.subjects.len()), (n_children, n_subjects), "{}", kind.name);
                (Content::Index { children, subject }, None)
            }
            Reads::Opaque(reason) => (Content::Opaque { reason }, None),
        };
        let is_whole = kind.reads != Reads::Opaque(OpaqueReason::TooLarge);
        let bytes = is_whole.then_some(manifest.digest);
        Reading { media_type: kind.media_type.to_owned(), bytes, content, layers }
    }
}

impl Descriptor {
    /// `None` for what is no descriptor, or one of a digest that nobody can compare.
    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            media_type: value["mediaType"].as_str()?.to_owned(),
            digest: value["digest"].as_str()?.parse().ok()?,
            size: value["size"].as_u64()?,
        })
    }
}

impl StandIns {
    /// A blob that holds the digest it stands for; the empty document stands for itself.
    fn add_blob(&mut self, stands_for: Digest) {
        let blob = if stands_for == sha256(EMPTY) {
            Blob::bytes(EMPTY.to_vec())
        } else {
            Blob::bytes(stands_for.to_string().into_bytes())
        };
        self.names.insert(stands_for, blob.digest);
        self.blobs.push(blob);
    }

    /// A manifest of the same media type that names nothing but the empty document.
    fn add_manifest(&mut self, stands_for: &Descriptor) {
        let Descriptor { media_type, digest, size: _ } = stands_for;
        let mut document = json!({
            "schemaVersion": 2, "mediaType": media_type, "annotations": {"stands.for": digest},
        });
        if [OCI_INDEX, DOCKER_LIST].contains(&media_type.as_str()) {
            document["manifests"] = json!([]);
        } else {
            let config = Blob::bytes(EMPTY.to_vec());
            document["config"] = json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": config.digest, "size": config.size});
            document["layers"] = json!([]);
            self.blobs.push(config);
        }
        let manifest = Manifest::raw(media_type, document.to_string().into_bytes());
        if self.names.insert(*digest, manifest.digest).is_none() {
            self.manifests.push(manifest);
        }
    }

    /// The text with every made-up digest replaced, wherever it stands.
    fn put_into(&self, text: &str) -> String {
        const LENGTH: usize = "sha256:".len() + 64;
        let mut written = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("sha256:") {
            let (before, from) = rest.split_at(at);
            let digest = from.get(..LENGTH).and_then(|digest| digest.parse::<Digest>().ok());
            let real = digest.and_then(|digest| self.names.get(&digest));
            let n_done = if real.is_some() { LENGTH } else { "sha256:".len() };
            written.push_str(before);
            written.push_str(&real.map_or_else(|| from[..n_done].to_owned(), ToString::to_string));
            rest = &from[n_done..];
        }
        written + rest
    }
}

/// The text without the hex digits of its digests.
fn without_digests(text: &str) -> String {
    text.split("sha256:").map(|part| part.get(64..).unwrap_or(part)).collect()
}

#[test]
fn a_specimen_names_what_there_is_and_is_else_what_the_corpus_has() {
    for Specimen { kind, manifest, named, blobs, reading: _ } in Specimen::all() {
        let text = String::from_utf8(manifest.bytes.to_vec()).unwrap();
        assert!(without_digests(&text) == without_digests(&kind.text()), "{}", kind.name);
        let manifests = named.iter().map(|manifest| manifest.digest);
        let there: Vec<Digest> = manifests.chain(blobs.iter().map(|blob| blob.digest)).collect();
        let names = Names::read(&serde_json::from_str(&text).unwrap());
        for name in names.children.iter().chain(&names.subjects).chain(&names.blobs) {
            assert!(there.contains(&name.digest), "{}: {name:?}", kind.name);
        }
    }
}
