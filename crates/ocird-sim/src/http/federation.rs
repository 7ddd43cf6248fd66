//! The sign-in of an instance: `POST /v1/x509`. A certificate chain and a signature made with the leaf's key go in, a
//! token bound to a session key comes out. Everything is checked for real.
//!
//! No other kind of principal signs in here: no service, no workload, no resource principal.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};

use super::certificate::{Leaf, sha1_fingerprint, sha256_fingerprint};
use super::cloud::Cloud;
use super::der;
use super::refusal::Refusal;
use super::rsa::Verifier;
use super::signature::{Covers, Signed};
use super::token::Principal;

/// The body. Certificates and key are PEM whose first and last line and line breaks were taken away.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignIn {
    certificate: String,
    public_key: String,
    intermediate_certificates: Vec<String>,
    #[serde(default)]
    fingerprint_algorithm: Option<String>,
}

/// Signs an instance in.
pub(super) async fn sign_in(
    State(cloud): State<Arc<Cloud>>,
    parts: Parts,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let now = cloud.now();
    let signed = Signed::read(&parts, &body, Covers::SignIn, now).map_err(Refusal::not_authenticated)?;
    let sign_in: SignIn =
        serde_json::from_slice(&body).map_err(|error| Refusal::cannot_parse(error.to_string()))?;
    let certificate = der::unpem(&sign_in.certificate).ok_or_else(|| refused("certificate"))?;
    let leaf = believed_leaf(&cloud, &sign_in, &certificate)?;
    let fingerprint = check_key_id(&signed.key_id, &sign_in, &certificate, &leaf)?;
    signed.verify(&leaf.verifier).map_err(Refusal::not_authenticated)?;
    let session_key = der::unpem(&sign_in.public_key)
        .and_then(|der| Verifier::from_der(&der))
        .filter(|key| key.modulus.len() >= 256)
        .ok_or_else(|| refused("publicKey"))?;
    let lifetime = cloud.options().token_lifetime;
    let instance = Principal::Instance { subject: cloud.subject(), fingerprint: &fingerprint };
    let token = cloud.issuer().session(&instance, &session_key, now, lifetime);
    Ok(Json(json!({ "token": token })))
}

fn refused(field: &str) -> Refusal {
    Refusal::invalid_parameter(format!("{field} is not what it should be"))
}

fn believed_leaf(cloud: &Cloud, sign_in: &SignIn, certificate: &[u8]) -> Result<Leaf, Refusal> {
    let [intermediate] = sign_in.intermediate_certificates.as_slice() else {
        return Err(refused("intermediateCertificates"));
    };
    let intermediate = der::unpem(intermediate).ok_or_else(|| refused("intermediateCertificates"))?;
    cloud.authority().verify(certificate, &intermediate, cloud.now()).map_err(Refusal::not_authenticated)
}

/// The key id names the leaf's tenancy and the fingerprint of the certificate that was sent, by SHA-1 or, when the
/// body says so as well, by SHA-256. Official clients write the hex in either case. Returns the fingerprint.
fn check_key_id(key_id: &str, sign_in: &SignIn, certificate: &[u8], leaf: &Leaf) -> Result<String, Refusal> {
    let mut parts = key_id.splitn(3, '/');
    let (tenancy, kind, fingerprint) = (parts.next(), parts.next(), parts.next().unwrap_or_default());
    if tenancy != Some(leaf.tenancy.as_str()) {
        return Err(Refusal::not_authenticated("the key id names another tenancy than the certificate"));
    }
    let expected = match (kind, sign_in.fingerprint_algorithm.as_deref()) {
        (Some("fed-x509"), None) => sha1_fingerprint(certificate),
        (Some("fed-x509-sha256"), Some("SHA256")) => sha256_fingerprint(certificate),
        _ => {
            return Err(Refusal::not_authenticated("the key id does not fit fingerprintAlgorithm"));
        }
    };
    if fingerprint.eq_ignore_ascii_case(&expected) {
        Ok(expected)
    } else {
        Err(Refusal::not_authenticated("the key id is not the certificate's fingerprint"))
    }
}
