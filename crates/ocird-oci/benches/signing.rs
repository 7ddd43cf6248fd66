//! What the client itself costs: a signature for each call, a key for each token, and the reading of a manifest.
//!
//! Nothing is sent here. What a call costs on the wire is measured with the simulated tenancy.

use std::hint::black_box;

use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::RsaKeyPair;
use criterion::{Criterion, criterion_group, criterion_main};
use http::Method;
use ocird_model::{Digest, FetchedManifest};
use ocird_oci::{Signer, Unsigned, interpret};
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

const HOST: &str = "artifacts.eu-milan-1.oci.oraclecloud.com";
const DATE: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

/// The list of images with identifiers as long as the real ones.
const LIST: &str = "/20160918/container/images\
    ?compartmentId=ocid1.compartment.oc1..aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffffgggggggghhhh\
    &repositoryId=ocid1.containerrepo.oc1.eu-milan-1.0.axexample.aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffff\
    &limit=1000";

/// Children of the measured index: a large family of platforms, each with its attestation.
const N_CHILDREN: u8 = 50;

fn signing(criterion: &mut Criterion) {
    let pem = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)
        .expect("an RSA key can be made")
        .serialize_pem();
    let signer = Signer::from_pem("ST$bench", pem.as_bytes()).expect("a key just made can be read");
    let get = Unsigned { method: &Method::GET, target: LIST, host: Some(HOST), date: DATE, body: b"" };
    let post = Unsigned { method: &Method::POST, body: br#"{"version":"v1"}"#, ..get };
    criterion.bench_function("sign a GET", |bench| bench.iter(|| signer.sign(black_box(&get))));
    criterion.bench_function("sign a POST", |bench| bench.iter(|| signer.sign(black_box(&post))));
}

fn session_key(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session key");
    // Finding two primes takes a tenth of a second, and not always the same time.
    group.sample_size(20);
    group.bench_function("RSA 2048", |bench| bench.iter(|| RsaKeyPair::generate(KeySize::Rsa2048)));
    group.finish();
}

fn index() -> FetchedManifest {
    let child = |n| {
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": Digest::from_bytes([n; 32]),
            "size": 1610, "platform": {"architecture": "arm64", "os": "linux", "variant": "v8"},
        })
    };
    let media_type = "application/vnd.oci.image.index.v1+json";
    let children: Vec<Value> = (0..N_CHILDREN).map(child).collect();
    let document = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": children});
    FetchedManifest {
        media_type: media_type.to_owned(),
        bytes: document.to_string().into_bytes().into(),
        too_large: false,
    }
}

fn interpreting(criterion: &mut Criterion) {
    let index = index();
    assert_eq!(interpret(&index).children().len(), usize::from(N_CHILDREN));
    criterion.bench_function("interpret an index of 50", |bench| bench.iter(|| interpret(black_box(&index))));
}

criterion_group!(benches, signing, session_key, interpreting);
criterion_main!(benches);
