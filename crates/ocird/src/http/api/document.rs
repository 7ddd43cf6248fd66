//! The description of the API as it is served: `openapi.json`, written by hand. <https://spec.openapis.org/oas/v3.1.1>

use axum::body::Bytes;
use axum::response::Response;

use super::answer::Written;
use super::asked::Asked;

/// The document.
pub(super) const DOCUMENT: &str = include_str!("openapi.json");

/// The document.
pub(super) async fn document(asked: Asked) -> Response {
    asked.written(Written::json(Bytes::from_static(DOCUMENT.as_bytes())))
}
