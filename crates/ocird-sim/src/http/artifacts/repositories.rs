//! Repositories, the registry's configuration, and the auth tokens of users.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use ocird_model::{CompartmentId, RepositoryId, RepositoryName};
use serde::Deserialize;

use super::query::Parameters;
use super::wire::{AuthToken, Configuration, Repository, RepositoryCollection, RepositorySummary};
use super::{PageFault, bent, paged, with_etag};
use crate::http::cloud::Cloud;
use crate::http::refusal::Refusal;
use crate::view::{Mutability, RepositoryView, Visibility};
use crate::{NewRepository, Operation};

/// `CreateContainerRepositoryDetails`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateDetails {
    compartment_id: CompartmentId,
    display_name: RepositoryName,
    #[serde(default)]
    is_public: bool,
    #[serde(default)]
    is_immutable: bool,
}

impl From<CreateDetails> for NewRepository {
    fn from(details: CreateDetails) -> Self {
        let visibility = if details.is_public { Visibility::Public } else { Visibility::Private };
        let mutability = if details.is_immutable { Mutability::Immutable } else { Mutability::Mutable };
        Self { visibility, mutability, ..Self::private(details.display_name, details.compartment_id) }
    }
}

/// `ListContainerRepositories`.
pub(super) async fn list(
    State(cloud): State<Arc<Cloud>>,
    parameters: Parameters,
    fault: PageFault,
) -> Result<Response, Refusal> {
    let query = parameters.repositories(cloud.options().max_page_size)?;
    let mut page = bent(cloud.tenancy().list_repositories(&query)?, &fault);
    if let Some(is_public) = parameters.is_public() {
        page.items.retain(|view| (view.visibility == Visibility::Public) == is_public);
    }
    let total = |of: fn(&RepositoryView) -> u64| page.items.iter().map(of).sum();
    let body = RepositoryCollection {
        layer_count: total(|view| view.n_layers),
        layers_size_in_bytes: total(|view| view.layers_size),
        image_count: total(|view| view.n_images),
        remaining_items_count: page.n_remaining,
        repository_count: page.items.len() as u64 + page.n_remaining,
        items: page.items.iter().map(RepositorySummary::from).collect(),
    };
    paged(body, page.next)
}

/// `GetContainerRepository`.
pub(super) async fn get(
    State(cloud): State<Arc<Cloud>>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let id: RepositoryId = id.parse().map_err(|_| Refusal::not_authorized_or_not_found())?;
    let view = cloud.tenancy().get_repository(&id)?;
    Ok(answer(&view))
}

/// `CreateContainerRepository`.
pub(super) async fn create(State(cloud): State<Arc<Cloud>>, body: Bytes) -> Result<Response, Refusal> {
    let details: CreateDetails =
        serde_json::from_slice(&body).map_err(|error| Refusal::cannot_parse(error.to_string()))?;
    let tenancy = cloud.tenancy();
    if !tenancy.iam().permits(Operation::CreateContainerRepository, Some(&details.display_name)) {
        return Err(Refusal::not_authorized_or_not_found());
    }
    let id = tenancy.create_repository(details.into())?;
    Ok(answer(&tenancy.get_repository(&id)?))
}

/// A repository with its etag. The tenancy keeps none for repositories, which no operation here is conditional on.
fn answer(view: &RepositoryView) -> Response {
    let etag = format!("{}-{}", view.n_images, view.layers_size);
    with_etag(Repository::from(view), etag)
}

/// `GetContainerConfiguration`.
pub(super) async fn configuration(
    State(cloud): State<Arc<Cloud>>,
    parameters: Parameters,
) -> Result<Response, Refusal> {
    let view = cloud.tenancy().configuration(&parameters.compartment()?)?;
    Ok(with_etag(Configuration::from(&view), "1".to_owned()))
}

/// `ListAuthTokens` of the identity service: a bare array.
pub(super) async fn auth_tokens(
    State(cloud): State<Arc<Cloud>>,
    Path(user): Path<String>,
) -> Result<Response, Refusal> {
    let tokens = cloud.tenancy().list_auth_tokens(&user)?;
    let body: Vec<AuthToken<'_>> = tokens.iter().map(AuthToken::from).collect();
    Ok(Json(body).into_response())
}
