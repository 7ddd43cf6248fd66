//! Who is asking: the check of a request's signature against the key that its key id stands for.
//!
//! What the caller may do is the tenancy's matter.

use axum::http::HeaderMap;
use axum::http::header;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::cloud::Cloud;
use super::refusal::Refusal;
use super::signature::{Covers, Signed};

/// The user name under which a registry token is a password.
const BEARER_USER: &str = "BEARER_TOKEN:";

/// Somebody who has proved who they are, by OCID: the instance, the owner of an API key, or a person who logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller(pub(super) String);

impl Caller {
    /// By a signature: with the session key of a token, or with a registered API key.
    pub(super) fn by_signature(cloud: &Cloud, parts: &Parts, body: &[u8]) -> Result<Self, Refusal> {
        let now = cloud.now();
        let signed = Signed::read(parts, body, Covers::Method, now).map_err(Refusal::not_authenticated)?;
        let (key, holder) = if let Some(token) = signed.key_id.strip_prefix("ST$") {
            cloud.issuer().session_key(token, now).map_err(Refusal::not_authenticated)?
        } else {
            let key = cloud
                .api_key(&signed.key_id)
                .ok_or_else(|| Refusal::not_authenticated("no such key is known"))?;
            (key, signed.key_id.split('/').nth(1).unwrap_or_default().to_owned())
        };
        signed.verify(&key).map_err(Refusal::not_authenticated)?;
        Ok(Self(holder))
    }

    /// By `Basic BEARER_TOKEN:<registry token>`, as a `docker login` with a token sends it to the token endpoint.
    pub(super) fn by_basic(cloud: &Cloud, headers: &HeaderMap) -> Result<Self, Refusal> {
        let token = credentials(headers, "Basic ")
            .and_then(|encoded| STANDARD.decode(encoded).ok())
            .and_then(|decoded| String::from_utf8(decoded).ok())
            .and_then(|pair| pair.strip_prefix(BEARER_USER).map(str::to_owned))
            .ok_or_else(|| Refusal::not_authenticated("the user must be BEARER_TOKEN"))?;
        Self::by_token(cloud, &token)
    }

    /// By `Bearer <registry token>`, as `/v2/` is asked.
    pub(super) fn by_bearer(cloud: &Cloud, headers: &HeaderMap) -> Result<Self, Refusal> {
        let token =
            credentials(headers, "Bearer ").ok_or_else(|| Refusal::not_authenticated("no bearer token"))?;
        Self::by_token(cloud, token)
    }

    fn by_token(cloud: &Cloud, token: &str) -> Result<Self, Refusal> {
        let holder =
            cloud.issuer().registry_holder(token, cloud.now()).map_err(Refusal::not_authenticated)?;
        Ok(Self(holder))
    }
}

/// True when the request carries credentials of the scheme `Basic`.
pub(super) fn is_basic(headers: &HeaderMap) -> bool {
    credentials(headers, "Basic ").is_some()
}

fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix(scheme)
}
