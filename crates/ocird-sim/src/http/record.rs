//! Requests as they came over the wire, for comparing what two clients send for the same operation.
//!
//! Nothing is judged here, and nothing is left out: tokens and signatures of a simulated tenancy are no secrets.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::cloud::Cloud;
use super::gate::{CloseInstead, MAX_BODY, body_too_large};

/// One request, and how it was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// Path and query, byte for byte.
    pub target: String,
    /// Names in lower case with their values, in the order in which the names first came.
    pub headers: Vec<(String, String)>,
    /// The body. Clients send JSON; what is not text is shown as far as it is.
    pub body: String,
    /// The SHA-256 of the body's bytes, in base64 as `x-content-sha256` has it.
    pub body_sha256: String,
    /// The status of the answer; `None` where the connection was closed in place of one.
    pub status: Option<u16>,
}

impl Recorded {
    /// The value of a header; of several, the first.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Hands every request on and, where somebody wants to see it, notes it with its answer.
pub(super) async fn recorded(State(cloud): State<Arc<Cloud>>, request: Request, next: Next) -> Response {
    let Some(record) = &cloud.options().record else {
        return next.run(request).await;
    };
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return body_too_large().into_response();
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes())));
    let noted = Recorded {
        method: parts.method.to_string(),
        target: parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
        headers: headers.collect(),
        body: text(&body),
        body_sha256: STANDARD.encode(digest(&SHA256, &body)),
        status: None,
    };
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let closed = response.extensions().get::<CloseInstead>().is_some();
    let status = (!closed).then(|| response.status().as_u16());
    // Whoever wanted to see it may have gone; the request is answered all the same.
    drop(record.send(Recorded { status, ..noted }));
    response
}
