//! Images and their signatures.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ocird_model::{ImageId, Tag};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::query::Parameters;
use super::wire::{Collection, Image, ImageSummary, Signature};
use super::{PageFault, bent, if_match, paged, with_etag};
use crate::http::cloud::Cloud;
use crate::http::refusal::Refusal;
use crate::view::ImageView;

/// `LookupContainerImageByUriDetails`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LookupDetails {
    image_uri: String,
}

/// `RemoveContainerVersionDetails`.
#[derive(Debug, Deserialize)]
struct RemoveVersionDetails {
    version: Tag,
}

/// `RestoreContainerImageDetails`.
#[derive(Debug, Deserialize)]
struct RestoreDetails {
    #[serde(default)]
    version: Option<Tag>,
}

/// `ListContainerImages`.
pub(super) async fn list(
    State(cloud): State<Arc<Cloud>>,
    parameters: Parameters,
    fault: PageFault,
) -> Result<Response, Refusal> {
    let query = parameters.images(cloud.options().max_page_size)?;
    let page = bent(cloud.tenancy().list_images(&query)?, &fault);
    let body = Collection {
        items: page.items.iter().map(ImageSummary::from).collect(),
        remaining_items_count: page.n_remaining,
    };
    paged(body, page.next)
}

/// `ListContainerImageSignatures`.
pub(super) async fn signatures(
    State(cloud): State<Arc<Cloud>>,
    parameters: Parameters,
    fault: PageFault,
) -> Result<Response, Refusal> {
    let query = parameters.signatures(cloud.options().max_page_size)?;
    let page = bent(cloud.tenancy().list_image_signatures(&query)?, &fault);
    let body = Collection {
        items: page.items.iter().map(Signature::from).collect(),
        remaining_items_count: page.n_remaining,
    };
    paged(body, page.next)
}

/// `GetContainerImage`.
pub(super) async fn get(
    State(cloud): State<Arc<Cloud>>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let view = cloud.tenancy().get_image(&image_id(&id)?)?;
    Ok(answer(&view))
}

/// `DeleteContainerImage`.
pub(super) async fn delete(
    State(cloud): State<Arc<Cloud>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    cloud.tenancy().delete_image(&image_id(&id)?, if_match(&headers))?;
    Ok(StatusCode::NO_CONTENT)
}

/// `LookupContainerImageByUri`.
pub(super) async fn lookup(State(cloud): State<Arc<Cloud>>, body: Bytes) -> Result<Response, Refusal> {
    let details: LookupDetails = details(&body)?;
    let view = cloud.tenancy().lookup_image(&details.image_uri)?;
    Ok(answer(&view))
}

/// `RemoveContainerVersion`.
pub(super) async fn remove_version(
    State(cloud): State<Arc<Cloud>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let details: RemoveVersionDetails = details(&body)?;
    let view = cloud.tenancy().remove_version(&image_id(&id)?, &details.version, if_match(&headers))?;
    Ok(answer(&view))
}

/// `RestoreContainerImage`.
pub(super) async fn restore(
    State(cloud): State<Arc<Cloud>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let details: RestoreDetails = details(&body)?;
    let view =
        cloud.tenancy().restore_image(&image_id(&id)?, details.version.as_ref(), if_match(&headers))?;
    Ok(answer(&view))
}

fn answer(view: &ImageView) -> Response {
    with_etag(Image::from(view), view.etag.clone())
}

/// What is no image's OCID is not found, as in the cloud.
fn image_id(text: &str) -> Result<ImageId, Refusal> {
    text.parse().map_err(|_| Refusal::not_authorized_or_not_found())
}

fn details<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::cannot_parse(error.to_string()))
}
