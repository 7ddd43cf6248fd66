//! Manifests as builders make them: real JSON of the four media types, with true digests and sizes, and the reading of
//! what a pushed manifest refers to.
//! <https://github.com/opencontainers/image-spec/blob/main/manifest.md>
//!
//! The reading is the simulator's own and shares nothing with the daemon's: it is part of the ground truth.

use std::sync::Arc;

use ocird_model::Digest;
use serde_json::{Map, Value, json};

use crate::digest::sha256;

/// Media type of an OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of a Docker image manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Media type of a Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Whose media types a manifest uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// The Open Container Initiative's.
    Oci,
    /// Docker's.
    Docker,
}

impl Flavour {
    const fn manifest(self) -> &'static str {
        match self {
            Self::Oci => OCI_MANIFEST,
            Self::Docker => DOCKER_MANIFEST,
        }
    }

    const fn index(self) -> &'static str {
        match self {
            Self::Oci => OCI_INDEX,
            Self::Docker => DOCKER_LIST,
        }
    }

    const fn config(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.config.v1+json",
            Self::Docker => "application/vnd.docker.container.image.v1+json",
        }
    }

    const fn layer(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Docker => "application/vnd.docker.image.rootfs.diff.tar.gzip",
        }
    }
}

/// What a manifest was built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Platform {
    /// linux/amd64.
    Amd64,
    /// linux/arm64, what the A1 servers run.
    Arm64,
    /// unknown/unknown: how buildx marks attestations.
    Unknown,
}

impl Platform {
    /// The operating system, as indexes write it.
    pub const fn os(self) -> &'static str {
        match self {
            Self::Amd64 | Self::Arm64 => "linux",
            Self::Unknown => "unknown",
        }
    }

    /// The architecture, as indexes write it.
    pub const fn architecture(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::Unknown => "unknown",
        }
    }
}

/// A layer or configuration blob. Layers of [`Blob::layer`] are made up, a digest and a size; those of
/// [`Blob::packed`], and configurations, have bytes and can be pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The digest.
    pub digest: Digest,
    /// The size in bytes.
    pub size: u64,
    /// The bytes, where the simulator has any.
    pub bytes: Option<Arc<[u8]>>,
    /// The digest of what it holds, unpacked, as a configuration names a layer.
    pub diff_id: Digest,
}

impl Blob {
    /// A layer that is known by what it holds, such as `base amd64 2026-01`: same words, same digest.
    pub fn layer(holds: &str, size: u64) -> Self {
        let digest = sha256(holds.as_bytes());
        Self { digest, size, bytes: None, diff_id: digest }
    }

    /// A blob with these bytes.
    pub fn bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        let digest = sha256(&bytes);
        Self { digest, size: bytes.len() as u64, bytes: Some(bytes), diff_id: digest }
    }
}

/// A manifest as it is pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its media type.
    pub media_type: Arc<str>,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
    /// The digest of the bytes.
    pub digest: Digest,
}

impl Manifest {
    /// A manifest of any bytes and media type: what an adversary or a tool of tomorrow may push.
    pub fn raw(media_type: &str, bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { media_type: media_type.into(), digest: sha256(&bytes), bytes }
    }

    /// An image for one platform. The configuration tells the platform and the revision, so that two builds of the
    /// same layers for two platforms differ.
    pub fn image(flavour: Flavour, platform: Platform, revision: &str, layers: &[Blob]) -> (Self, Blob) {
        let config = Blob::bytes(
            json!({
                "architecture": platform.architecture(),
                "os": platform.os(),
                "config": {"Labels": {"org.opencontainers.image.revision": revision}},
                "rootfs": {"type": "layers", "diff_ids": layers.iter().map(|layer| layer.diff_id.to_string()).collect::<Vec<_>>()},
            })
            .to_string()
            .into_bytes(),
        );
        let manifest = Self::of(&json!({
            "schemaVersion": 2,
            "mediaType": flavour.manifest(),
            "config": descriptor(flavour.config(), config.digest, config.size),
            "layers": layers.iter().map(|layer| descriptor(flavour.layer(), layer.digest, layer.size)).collect::<Vec<_>>(),
        }));
        (manifest, config)
    }

    /// An artifact that carries `payload`: a signature, an attestation, a bill of materials. With a `subject` it says
    /// in its manifest what it speaks about; cosign's classic signatures say it only by their tag.
    pub fn artifact(kind: &str, payload: &Blob, subject: Option<&Self>) -> (Self, Blob) {
        let config = Blob::bytes(b"{}".to_vec());
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": kind,
            "config": descriptor("application/vnd.oci.empty.v1+json", config.digest, config.size),
            "layers": [descriptor(kind, payload.digest, payload.size)],
        });
        if let Some(subject) = subject {
            manifest["subject"] = subject.descriptor();
        }
        (Self::of(&manifest), config)
    }

    /// An index of these children.
    pub fn index(flavour: Flavour, children: &[Child]) -> Self {
        Self::of(&json!({
            "schemaVersion": 2,
            "mediaType": flavour.index(),
            "manifests": children.iter().map(Child::descriptor).collect::<Vec<_>>(),
        }))
    }

    /// The manifest of this JSON, which names its own media type.
    fn of(json: &Value) -> Self {
        let media_type = json["mediaType"].as_str().expect("every builder sets the media type");
        Self::raw(media_type, json.to_string().into_bytes())
    }

    /// How another manifest names this one.
    fn descriptor(&self) -> Value {
        descriptor(&self.media_type, self.digest, self.bytes.len() as u64)
    }
}

/// A manifest as an index names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// The manifest.
    pub manifest: Manifest,
    /// What it was built for.
    pub platform: Platform,
    /// The manifest that this attestation is about, as buildx writes it into annotations.
    pub attests: Option<Digest>,
}

impl Child {
    fn descriptor(&self) -> Value {
        let mut descriptor = self.manifest.descriptor();
        descriptor["platform"] =
            json!({"architecture": self.platform.architecture(), "os": self.platform.os()});
        if let Some(digest) = self.attests {
            descriptor["annotations"] = json!({
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": digest.to_string(),
            });
        }
        descriptor
    }
}

fn descriptor(media_type: &str, digest: Digest, size: u64) -> Value {
    json!({"mediaType": media_type, "digest": digest.to_string(), "size": size})
}

/// What a manifest refers to, as the ground truth sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Configuration and layers: digest and size.
    pub(crate) blobs: Vec<(Digest, u64)>,
    /// The manifests an index names, with what they were built for; `None` for a platform of no interest.
    pub(crate) children: Vec<(Digest, Option<Platform>)>,
    /// The manifest this one speaks about.
    pub(crate) subject: Option<Digest>,
}

impl Facts {
    /// Reads a manifest. What is not JSON, or of a media type outside the four, refers to nothing that anybody pulls.
    pub(crate) fn read(manifest: &Manifest) -> Self {
        let Ok(Value::Object(json)) = serde_json::from_slice(&manifest.bytes) else {
            return Self::default();
        };
        let subject = json.get("subject").and_then(digest_of);
        match &*manifest.media_type {
            OCI_MANIFEST | DOCKER_MANIFEST => Self { blobs: blobs_of(&json), children: Vec::new(), subject },
            OCI_INDEX | DOCKER_LIST => Self { blobs: Vec::new(), children: children_of(&json), subject },
            _ => Self::default(),
        }
    }
}

fn blobs_of(json: &Map<String, Value>) -> Vec<(Digest, u64)> {
    let layers = json.get("layers").and_then(Value::as_array);
    let mut blobs: Vec<_> = json
        .get("config")
        .into_iter()
        .chain(layers.into_iter().flatten())
        .filter_map(|blob| Some((digest_of(blob)?, blob.get("size")?.as_u64()?)))
        .collect();
    blobs.sort_unstable();
    blobs.dedup_by_key(|(digest, _)| *digest);
    blobs
}

fn children_of(json: &Map<String, Value>) -> Vec<(Digest, Option<Platform>)> {
    let manifests = json.get("manifests").and_then(Value::as_array);
    manifests
        .into_iter()
        .flatten()
        .filter_map(|child| Some((digest_of(child)?, platform_of(child))))
        .collect()
}

fn digest_of(descriptor: &Value) -> Option<Digest> {
    descriptor.get("digest")?.as_str()?.parse().ok()
}

fn platform_of(child: &Value) -> Option<Platform> {
    let platform = child.get("platform")?;
    let is = |known: Platform| {
        platform.get("os").and_then(Value::as_str) == Some(known.os())
            && platform.get("architecture").and_then(Value::as_str) == Some(known.architecture())
    };
    [Platform::Amd64, Platform::Arm64, Platform::Unknown].into_iter().find(|known| is(*known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(platform: Platform) -> Manifest {
        Manifest::image(Flavour::Oci, platform, "abc", &[Blob::layer("base", 10)]).0
    }

    #[test]
    fn an_index_names_its_children_with_their_true_digests_and_sizes() {
        let child = image(Platform::Arm64);
        let index = Manifest::index(
            Flavour::Oci,
            &[Child { manifest: child.clone(), platform: Platform::Arm64, attests: None }],
        );
        let json: Value = serde_json::from_slice(&index.bytes).unwrap();
        assert_eq!(json["manifests"][0]["size"], child.bytes.len());
        assert_eq!(index.digest, sha256(&index.bytes));
        assert_eq!(Facts::read(&index).children, [(child.digest, Some(Platform::Arm64))]);
    }

    #[test]
    fn a_field_nobody_knows_changes_the_digest_and_nothing_else() {
        let plain = image(Platform::Amd64);
        let mut json: Value = serde_json::from_slice(&plain.bytes).unwrap();
        json["tomorrow"] = json!({"layers": ["x"]});
        let strange = Manifest::raw(OCI_MANIFEST, json.to_string().into_bytes());
        assert_ne!(strange.digest, plain.digest);
        assert_eq!(Facts::read(&strange), Facts::read(&plain));
    }

    #[test]
    fn a_foreign_media_type_or_no_json_refers_to_nothing() {
        let plain = image(Platform::Amd64);
        let foreign = Manifest::raw("application/vnd.tomorrow+json", Arc::clone(&plain.bytes));
        assert_eq!(Facts::read(&foreign), Facts::default());
        assert_eq!(Facts::read(&Manifest::raw(OCI_INDEX, b"{".to_vec())), Facts::default());
    }

    #[test]
    fn both_flavours_carry_their_own_media_types() {
        let (docker, _) = Manifest::image(Flavour::Docker, Platform::Amd64, "abc", &[]);
        assert_eq!(&*docker.media_type, DOCKER_MANIFEST);
        assert_eq!(&*Manifest::index(Flavour::Docker, &[]).media_type, DOCKER_LIST);
        assert_eq!(&*Manifest::index(Flavour::Oci, &[]).media_type, OCI_INDEX);
    }
}
