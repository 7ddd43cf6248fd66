//! The first kind of manifest there was, as a real registry takes it: signed within its own text by whoever pushed it.
//! <https://github.com/distribution/distribution/blob/v2.8.2/docs/spec/manifest-v2-1.md>
//!
//! Its digest is of the text without the signatures, and a registry gives it with signatures: it is the one kind whose
//! bytes never are what their digest says. Nobody is handed such bytes; by its kind it is opaque, so that nothing of its
//! repository goes, and the repository is read all the same: the account needs it, and with it every other repository.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ocird_model::{Content, Namespace, OpaqueReason, ReadRegistry as _, RepositoryName};
use ocird_oci::interpret;
use ocird_sim::NewRepository;
use ocird_sim::digest::sha256;
use ocird_sim::manifest::{Blob, Manifest};
use serde_json::{Value, json};

use crate::corpus::SCHEMA_1;
use crate::front::Front;
use crate::world::{World, put};

/// What the signatures are put before.
const TAIL: &str = "\n}";

/// A manifest of one layer, with a good signature.
fn signed(namespace: &Namespace, repository: &RepositoryName, layer: &Blob) -> Manifest {
    let document = json!({
        "schemaVersion": 1, "name": format!("{namespace}/{repository}"), "tag": "old", "architecture": "amd64",
        "fsLayers": [{"blobSum": layer.digest}],
        "history": [{"v1Compatibility": json!({"id": layer.digest.hex()}).to_string()}],
    });
    let payload = serde_json::to_string_pretty(&document).unwrap();
    let body = payload.strip_suffix(TAIL).unwrap();
    let text = format!("{body},\n  \"signatures\": {}{TAIL}", json!([signature(&payload, body.len())]));
    Manifest {
        media_type: SCHEMA_1.into(),
        bytes: text.into_bytes().into(),
        digest: sha256(payload.as_bytes()),
    }
}

/// A JSON web signature of the payload, which says how to take itself out of the text again.
/// <https://www.rfc-editor.org/rfc/rfc7515#section-7.2>
fn signature(payload: &str, n_before: usize) -> Value {
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let protected = json!({
        "formatLength": n_before, "formatTail": encoded(TAIL.as_bytes()), "time": "2026-01-01T00:00:00Z",
    });
    let protected = encoded(protected.to_string().as_bytes());
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let message = format!("{protected}.{}", encoded(payload.as_bytes()));
    let signature = key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    let (x, y) = key.public_key().as_ref()[1..].split_at(32);
    let key = json!({"kty": "EC", "crv": "P-256", "x": encoded(x), "y": encoded(y)});
    json!({
        "header": {"jwk": key, "alg": "ES256"}, "signature": encoded(signature.as_ref()), "protected": protected,
    })
}

/// The repository of the test, and a manifest for it with its one layer.
fn specimen(world: &World) -> (RepositoryName, Manifest, Blob) {
    let repository = "kinds/docker-schema-1-signed".parse().unwrap();
    let layer = Blob::packed("base");
    let manifest = signed(&world.tenancy().settings().namespace, &repository, &layer);
    (repository, manifest, layer)
}

#[tokio::test]
async fn a_manifest_whose_bytes_never_are_of_its_digest_is_opaque_and_hides_its_repository_from_nobody() {
    let world = World::open();
    let (repository, manifest, _) = specimen(&world);
    let (tenancy, digest) = (world.tenancy(), manifest.digest);
    tenancy.create_repository(NewRepository::private(repository.clone(), tenancy.compartment())).unwrap();
    put(tenancy, &repository, &manifest, Some("old"));
    let decided = world.survey(&world.stage.server.registry_url()).await;
    let read = decided.inventory.repositories[&repository].complete().unwrap();
    let content = &read.image(&digest).unwrap().content;
    assert_eq!(*content, Content::Opaque { reason: OpaqueReason::MediaType });
    assert!(
        decided.checked.plan().decisions(&repository).iter().all(|decision| !decision.verdict.is_delete())
    );
}

#[tokio::test]
#[ignore = "needs docker-registry, see .ci/registry"]
async fn a_real_registry_takes_a_signed_manifest_and_gives_other_bytes_by_its_digest() {
    let world = World::open();
    let (repository, manifest, layer) = specimen(&world);
    let registry = world.empty_docker_registry();
    registry.upload(&repository, &[layer]).await;
    registry.put(&repository, &manifest, "old").await.expect("its signature is good");
    let given = registry.get(&repository, &manifest.digest.to_string()).await;
    assert_eq!(given.headers()["docker-content-digest"].to_str().unwrap(), manifest.digest.to_string());
    assert_eq!(given.headers()["content-type"].to_str().unwrap(), SCHEMA_1);
    assert_ne!(sha256(&given.bytes().await.unwrap()), manifest.digest);
    let front = Front::before(world.tenancy(), &registry.url).await;
    let namespace = world.tenancy().settings().namespace;
    let fetched = world.client(&front.url).manifest(&namespace, &repository, &manifest.digest).await.unwrap();
    assert!(fetched.bytes.is_empty(), "they prove nothing");
    assert_eq!(interpret(&fetched), Content::Opaque { reason: OpaqueReason::MediaType });
    let (kind, words) = ("docker-schema-1, well signed", "opaque: media_type");
    println!("registry: {kind:<32} {words:<32} {words}");
}
