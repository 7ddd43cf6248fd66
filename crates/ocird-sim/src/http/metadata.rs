//! The instance metadata service, version 2: who the instance is, and its certificate with key.
//! <https://docs.oracle.com/en-us/iaas/Content/Compute/Tasks/gettingmetadata.htm>
//!
//! Version 1, which answers without a header, is not there: a client that uses it fails.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::cloud::Cloud;
use super::der;
use super::refusal::Refusal;

/// Headers of a request that came by way of a proxy; the service answers none of those.
const FORWARDED: [&str; 3] = ["forwarded", "x-forwarded-for", "x-forwarded-host"];

/// Lets through only what carries the one header and came by no proxy.
pub(super) async fn fence(request: Request, next: Next) -> Response {
    match check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    if FORWARDED.iter().any(|name| headers.contains_key(*name)) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "NotAllowed", "The request came by way of a proxy."));
    }
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if authorization.is_none_or(|value| value.trim() != "Bearer Oracle") {
        return Err(Refusal::not_authenticated("Authorization must be: Bearer Oracle"));
    }
    Ok(())
}

/// `GET identity/{file}`: certificate, key or intermediate certificate as PEM.
pub(super) async fn identity(
    State(cloud): State<Arc<Cloud>>,
    Path(file): Path<String>,
) -> Result<String, Refusal> {
    let authority = cloud.authority();
    match file.as_str() {
        "cert.pem" => Ok(der::pem("CERTIFICATE", &authority.leaf().der)),
        "key.pem" => Ok(authority.leaf().key.private_pem()),
        "intermediate.pem" => Ok(der::pem("CERTIFICATE", authority.intermediate_der())),
        _ => Err(not_found()),
    }
}

/// `GET instance/`: the whole document.
pub(super) async fn instance(State(cloud): State<Arc<Cloud>>) -> Json<Value> {
    Json(document(&cloud))
}

/// `GET instance/{field}` and deeper: text as plain text, objects as JSON.
pub(super) async fn field(
    State(cloud): State<Arc<Cloud>>,
    Path(path): Path<String>,
) -> Result<Response, Refusal> {
    let document = document(&cloud);
    let found = path
        .split('/')
        .filter(|name| !name.is_empty())
        .try_fold(&document, |value, name| value.get(name))
        .ok_or_else(not_found)?;
    Ok(match found {
        Value::String(text) => text.clone().into_response(),
        other => Json(other).into_response(),
    })
}

fn document(cloud: &Cloud) -> Value {
    let subject = cloud.subject();
    let settings = cloud.tenancy().settings();
    let region = settings.region.as_str();
    json!({
        "id": subject.instance,
        "displayName": "registry-consumer",
        "hostname": "registry-consumer",
        "shape": "VM.Standard.A1.Flex",
        "compartmentId": subject.compartment,
        "tenantId": subject.tenancy,
        "region": short_region(region),
        "canonicalRegionName": region,
        "regionInfo": {
            "realmKey": "oc1",
            "realmDomainComponent": settings.realm_domain,
            "regionKey": settings.region_key.to_ascii_uppercase(),
            "regionIdentifier": region,
        },
    })
}

/// Phoenix and Ashburn alone answer with their old short codes.
fn short_region(region: &str) -> &str {
    match region {
        "us-phoenix-1" => "phx",
        "us-ashburn-1" => "iad",
        other => other,
    }
}

fn not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "NotFound", "There is no such metadata.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_the_one_header_opens_and_a_proxy_closes() {
        assert_eq!(check(&headers(&[("authorization", "Bearer Oracle")])), Ok(()));
        assert!(check(&headers(&[])).is_err());
        assert!(check(&headers(&[("authorization", "Bearer oracle")])).is_err());
        for name in FORWARDED {
            assert!(check(&headers(&[("authorization", "Bearer Oracle"), (name, "x")])).is_err(), "{name}");
        }
    }

    #[test]
    fn two_regions_answer_with_their_old_codes() {
        assert_eq!(short_region("us-phoenix-1"), "phx");
        assert_eq!(short_region("us-ashburn-1"), "iad");
        assert_eq!(short_region("eu-milan-1"), "eu-milan-1");
    }
}
