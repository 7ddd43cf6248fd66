//! The metadata service and the exchange of the instance's certificate for a token.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::client::{Key, Letter, content_sha256, stripped};
use super::*;
use crate::http::certificate::{Authority, Subject, sha1_fingerprint, sha256_fingerprint};
use crate::http::der;

/// The headers that the sign-in signs: no host among them.
const SIGNED: &str = "date (request-target) content-length content-type x-content-sha256";

/// Everything a sign-in is made of, each part of which a test may replace.
pub(super) struct SignIn {
    pub(super) tenancy: String,
    /// The leaf, base64 of its DER.
    pub(super) certificate: String,
    pub(super) intermediate: String,
    pub(super) key: Key,
    pub(super) session_key: Key,
}

impl SignIn {
    /// What an honest client on the instance sends.
    pub(super) async fn of(world: &World) -> Self {
        Self {
            tenancy: world.tenancy.settings().tenancy.to_string(),
            certificate: stripped(&world.metadata("identity/cert.pem").await),
            intermediate: stripped(&world.metadata("identity/intermediate.pem").await),
            key: Key::from_pem(&world.metadata("identity/key.pem").await),
            session_key: Key::generate(),
        }
    }

    pub(super) fn body(&self) -> Value {
        json!({
            "certificate": self.certificate,
            "publicKey": self.session_key.public(),
            "intermediateCertificates": [self.intermediate],
        })
    }

    fn der(&self) -> Vec<u8> {
        STANDARD.decode(&self.certificate).unwrap()
    }

    /// The SHA-1 key id of the Python SDK.
    pub(super) fn key_id(&self) -> String {
        format!("{}/fed-x509/{}", self.tenancy, sha1_fingerprint(&self.der()))
    }

    pub(super) fn letter(&self, world: &World) -> Letter {
        self.letter_by(world, &self.body(), &self.key_id())
    }

    /// Signed by a clock that is off.
    pub(super) fn letter_at(&self, world: &World, ahead: TimeDelta) -> Letter {
        let letter = self.letter(world).header("date", &world.date_in(ahead));
        letter.sign_headers(SIGNED, &self.key_id(), &self.key)
    }

    pub(super) fn letter_by(&self, world: &World, body: &Value, key_id: &str) -> Letter {
        let letter = Letter::new("POST", "/v1/x509").header("date", &world.date()).json(&body.to_string());
        letter.sign_headers(SIGNED, key_id, &self.key)
    }
}

async fn refused(world: &World, letter: Letter) {
    let answer = world.send(letter).await;
    assert_eq!(answer.refusal(), (401, "NotAuthenticated"), "{}", answer.text);
}

#[tokio::test]
async fn the_metadata_service_says_who_the_instance_is() {
    let world = World::new();
    let settings = world.tenancy.settings();
    assert_eq!(world.metadata("instance/region").await, "eu-milan-1");
    assert_eq!(world.metadata("instance/canonicalRegionName").await, "eu-milan-1");
    assert_eq!(world.metadata("instance/regionInfo/regionKey").await, "LIN");
    assert_eq!(world.metadata("instance/regionInfo/realmDomainComponent").await, "oraclecloud.com");
    assert_eq!(world.metadata("instance/id").await, settings.instance);
    assert_eq!(world.metadata("instance/compartmentId").await, world.tenancy.compartment().as_str());
    let whole: Value = serde_json::from_str(&world.metadata("instance/").await).unwrap();
    let region_info: Value = serde_json::from_str(&world.metadata("instance/regionInfo").await).unwrap();
    assert_eq!(whole["regionInfo"], region_info);
}

#[tokio::test]
async fn the_metadata_service_wants_its_header_and_no_proxy() {
    let world = World::new();
    let path = "/opc/v2/identity/key.pem";
    let without = world.send(Letter::new("GET", path)).await;
    assert_eq!(without.status, 401);
    let proxied = Letter::new("GET", path)
        .header("authorization", "Bearer Oracle")
        .header("x-forwarded-for", "10.0.0.1");
    let proxied = world.send(proxied).await;
    assert_eq!(proxied.status, 403);
    assert!(!without.text.contains("PRIVATE KEY") && !proxied.text.contains("PRIVATE KEY"));
}

#[tokio::test]
async fn an_instance_signs_in_and_gets_a_token_bound_to_its_session_key() {
    let world = World::new();
    let session = world.sign_in().await;
    let payload = session.token.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    assert_eq!(claims["exp"], (world.tenancy.now() + TimeDelta::minutes(20)).timestamp());
    assert_eq!(claims["opc-tenant"], world.tenancy.settings().tenancy.as_str());
    let jwk: Value = serde_json::from_str(claims["jwk"].as_str().unwrap()).unwrap();
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    assert_eq!((modulus.len(), &jwk["e"]), (256, &json!("AQAB")));
    assert_eq!(world.ask(&session, "GET", &world.list("")).await.status, 200);
}

#[tokio::test]
async fn either_fingerprint_in_either_case_signs_in() {
    let world = World::new();
    let sign_in = SignIn::of(&world).await;
    let mut with_algorithm = sign_in.body();
    with_algorithm["fingerprintAlgorithm"] = json!("SHA256");
    let sha256 = sha256_fingerprint(&sign_in.der());
    let sha1 = sha1_fingerprint(&sign_in.der()).to_lowercase();
    for (kind, fingerprint, body) in [
        ("fed-x509-sha256", sha256.to_lowercase(), &with_algorithm),
        ("fed-x509-sha256", sha256, &with_algorithm),
        ("fed-x509", sha1, &sign_in.body()),
    ] {
        let key_id = format!("{}/{kind}/{fingerprint}", sign_in.tenancy);
        let answer = world.send(sign_in.letter_by(&world, body, &key_id)).await;
        assert_eq!(answer.status, 200, "{key_id}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_key_id_that_is_not_the_certificates_is_refused() {
    let world = World::new();
    let sign_in = SignIn::of(&world).await;
    let sha1 = sha1_fingerprint(&sign_in.der());
    let sha256 = sha256_fingerprint(&sign_in.der());
    for key_id in [
        format!("ocid1.tenancy.oc1..another/fed-x509/{sha1}"),
        format!("{}/fed-x509/{}", sign_in.tenancy, sha1.replace(':', "")),
        // The body does not say that the fingerprint is by SHA-256.
        format!("{}/fed-x509-sha256/{sha256}", sign_in.tenancy),
        sign_in.tenancy.clone(),
    ] {
        refused(&world, sign_in.letter_by(&world, &sign_in.body(), &key_id)).await;
    }
}

#[tokio::test]
async fn a_key_that_is_not_the_leafs_signs_nobody_in() {
    let world = World::new();
    let mut sign_in = SignIn::of(&world).await;
    sign_in.key = Key::generate();
    refused(&world, sign_in.letter(&world)).await;
}

#[tokio::test]
async fn a_leaf_that_the_intermediate_did_not_sign_signs_nobody_in() {
    let world = World::new();
    let settings = world.tenancy.settings();
    let subject = Subject {
        instance: settings.instance,
        compartment: world.tenancy.compartment().to_string(),
        tenancy: settings.tenancy.to_string(),
    };
    let forged = Authority::new(subject, world.tenancy.now());
    let mut sign_in = SignIn::of(&world).await;
    sign_in.certificate = STANDARD.encode(&forged.leaf().der);
    sign_in.key = Key::from_pem(&forged.leaf().key.private_pem());
    refused(&world, sign_in.letter(&world)).await;
    sign_in.intermediate = STANDARD.encode(forged.intermediate_der());
    refused(&world, sign_in.letter(&world)).await;
}

#[tokio::test]
async fn a_sign_in_that_is_late_or_changed_on_its_way_is_refused() {
    let world = World::new();
    let sign_in = SignIn::of(&world).await;
    let mut changed = sign_in.letter(&world);
    changed.body = changed.body.replacen('A', "B", 1);
    refused(&world, changed.clone()).await;
    // With a digest that fits, it is the signature that does not.
    let digest = content_sha256(&changed.body);
    refused(&world, changed.header("x-content-sha256", &digest)).await;
    let late = sign_in.letter(&world);
    world.tenancy.clock().advance(TimeDelta::seconds(301));
    refused(&world, late).await;
}

#[tokio::test]
async fn after_a_rotation_a_key_without_its_certificate_is_worth_nothing() {
    let world = World::new();
    let before = SignIn::of(&world).await;
    world.server.rotate_certificate();
    let mut after = SignIn::of(&world).await;
    assert_ne!(before.certificate, after.certificate);
    assert_eq!(world.send(after.letter(&world)).await.status, 200);
    assert_eq!(world.send(before.letter(&world)).await.status, 200);
    after.key = before.key;
    refused(&world, after.letter(&world)).await;
}

#[tokio::test]
async fn a_session_key_that_is_no_key_is_an_invalid_parameter() {
    let world = World::new();
    let sign_in = SignIn::of(&world).await;
    let mut body = sign_in.body();
    body["publicKey"] = json!(STANDARD.encode(der::integer(65537)));
    let key_id = format!("{}/fed-x509/{}", sign_in.tenancy, sha1_fingerprint(&sign_in.der()));
    let answer = world.send(sign_in.letter_by(&world, &body, &key_id)).await;
    assert_eq!(answer.refusal(), (400, "InvalidParameter"));
}
