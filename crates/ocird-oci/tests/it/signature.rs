//! Verifies a request's signature from what arrived, sharing nothing with the code that made it.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cloud::{FEDERATION, Seen};

/// Whether the request bears a signature of this key over what it must be over, read from what arrived.
pub(crate) fn is_signed(method: &Method, seen: &Seen, authorization: &str, key: &[u8]) -> bool {
    let names = parameter(authorization, "headers");
    let required = match (seen.route.as_str(), method) {
        (FEDERATION, _) => "date (request-target) content-length content-type x-content-sha256",
        (_, &Method::POST) => "date (request-target) host content-length content-type x-content-sha256",
        _ => "date (request-target) host",
    };
    let lines: Vec<String> = names
        .split(' ')
        .map(|name| match name {
            "(request-target)" => format!("{name}: {} {}", method.as_str().to_lowercase(), seen.target),
            _ => format!("{name}: {}", seen.header(name)),
        })
        .collect();
    let body_fits = seen
        .headers
        .get("x-content-sha256")
        .is_none_or(|told| told == STANDARD.encode(digest(&SHA256, &seen.body)).as_str());
    let signature = STANDARD.decode(parameter(authorization, "signature")).unwrap();
    let verified = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
        .verify(lines.join("\n").as_bytes(), &signature);
    names == required && body_fits && verified.is_ok()
}

/// One parameter of an `Authorization: Signature` header.
pub(crate) fn parameter<'a>(authorization: &'a str, name: &str) -> &'a str {
    let start = format!("{name}=\"");
    let value = authorization.split_once(&start).map_or("", |(_, rest)| rest);
    value.split('"').next().unwrap_or_default()
}
