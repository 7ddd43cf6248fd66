//! The container half of the Artifacts API, `/20160918/container`, and the one operation of the identity service that
//! ocird uses. <https://docs.oracle.com/en-us/iaas/api/#/en/registry/20160918/>
//!
//! Nothing updates here: neither repositories, nor tags of resources, nor the configuration. ocird never does.

mod images;
mod query;
mod repositories;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Json};
use serde::Serialize;

use super::cloud::Cloud;
use super::gate::{Proof, gated};
use super::refusal::Refusal;
use crate::error::ApiError;
use crate::fault::{Fault, Operation};
use crate::view::Page;

/// Where the next page of a list is asked for.
const NEXT_PAGE: &str = "opc-next-page";

/// All operations, each behind its gate.
pub(super) fn routes(cloud: &Arc<Cloud>) -> Router<Arc<Cloud>> {
    use Operation as Op;
    let signed = |operation, route| gated(cloud, operation, Proof::Signature, route);
    let repositories = signed(Op::ListContainerRepositories, get(repositories::list))
        .merge(signed(Op::CreateContainerRepository, post(repositories::create)));
    let repository = signed(Op::GetContainerRepository, get(repositories::get));
    let image = signed(Op::GetContainerImage, get(images::get))
        .merge(signed(Op::DeleteContainerImage, delete(images::delete)));
    let remove_version = signed(Op::RemoveContainerVersion, post(images::remove_version));
    let lookup = signed(Op::LookupContainerImageByUri, post(images::lookup));
    let restore = signed(Op::RestoreContainerImage, post(images::restore));
    let signatures = signed(Op::ListContainerImageSignatures, get(images::signatures));
    let configuration = signed(Op::GetContainerConfiguration, get(repositories::configuration));
    let auth_tokens = signed(Op::ListAuthTokens, get(repositories::auth_tokens));
    // Whole paths and no nesting: nesting would take the prefix from the request target, which is signed.
    Router::new()
        .route("/20160918/container/repositories", repositories)
        .route("/20160918/container/repositories/{id}", repository)
        .route("/20160918/container/images", signed(Op::ListContainerImages, get(images::list)))
        .route("/20160918/container/images/{id}", image)
        .route("/20160918/container/images/actions/lookupImageByUri", lookup)
        .route("/20160918/container/images/{id}/actions/removeVersion", remove_version)
        .route("/20160918/container/images/{id}/actions/restore", restore)
        .route("/20160918/container/imageSignatures", signatures)
        .route("/20160918/container/configuration", configuration)
        .route("/20160918/users/{id}/authTokens", auth_tokens)
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        let status = StatusCode::from_u16(error.status()).expect("the tenancy's statuses are HTTP's");
        Self::new(status, error.code(), error.to_string())
    }
}

/// The fault of pages, if any, that the gate let through for the list to apply.
type PageFault = Option<Extension<Fault>>;

/// A page as a fault, if any, shows it.
fn bent<T: Clone>(page: Page<T>, fault: &PageFault) -> Page<T> {
    match fault {
        Some(Extension(fault)) => fault.bend(page),
        None => page,
    }
}

/// A list's answer with the token of the next page.
fn paged(body: impl Serialize, next: Option<String>) -> Result<Response, Refusal> {
    let mut response = Json(body).into_response();
    if let Some(next) = next {
        let value = HeaderValue::try_from(next)
            .map_err(|_| Refusal::invalid_parameter("The page token cannot be sent in a header."))?;
        response.headers_mut().insert(HeaderName::from_static(NEXT_PAGE), value);
    }
    Ok(response)
}

/// A resource's answer with its etag.
fn with_etag(body: impl Serialize, etag: String) -> Response {
    ([(header::ETAG, etag)], Json(body)).into_response()
}

/// The etag that a resource must still have for the operation to go ahead.
fn if_match(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::IF_MATCH)?.to_str().ok()
}
