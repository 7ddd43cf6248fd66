//! What the reads make of the service's answers.

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, Digest, Etag, Lifecycle, ReadRegistry as _};
use serde_json::{Value, json};

use crate::cloud::{Cloud, REPOSITORIES, Reply, compartment, image, image_route, page, repository};

fn repository_row() -> Value {
    json!({
        "id": repository(), "displayName": "team/app", "compartmentId": compartment(), "namespace": "ns",
        "imageCount": 12, "layerCount": 30, "layersSizeInBytes": 350_000_000, "billableSizeInGBs": 1,
        "isPublic": true, "lifecycleState": "AVAILABLE", "timeCreated": "2026-01-01T00:00:00Z",
        "freeformTags": {}, "definedTags": {}, "systemTags": {},
    })
}

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().into()
}

#[tokio::test]
async fn a_repository_is_listed_with_what_a_pass_needs() {
    let cloud = Cloud::start().await;
    cloud.script(REPOSITORIES, [page(&[repository_row()], None)]);
    let rows = cloud.oci().repositories(&compartment()).await.unwrap();
    let row = &rows[0];
    assert_eq!((row.name.as_str(), row.namespace.as_str()), ("team/app", "ns"));
    assert_eq!((row.n_images, row.layers_size, row.is_public), (12, Bytes(350_000_000), true));
    assert_eq!(
        (&row.id, &row.compartment, row.lifecycle),
        (&repository(), &compartment(), Lifecycle::Available)
    );
}

#[tokio::test]
async fn a_repository_read_alone_tells_more() {
    let cloud = Cloud::start().await;
    let mut full = repository_row();
    full["isImmutable"] = json!(true);
    full["timeLastPushed"] = json!("2026-02-01T00:00:00.5Z");
    cloud.script(&format!("{REPOSITORIES}/{}", repository()), [Reply::json(200, &full)]);
    let details = cloud.oci().repository(&repository()).await.unwrap();
    assert_eq!((details.row.n_images, details.is_immutable), (12, true));
    assert_eq!(details.last_pushed_at, Some(at("2026-02-01T00:00:00.5Z")));
    assert_eq!(details.created_at, Some(at("2026-01-01T00:00:00Z")));
}

#[tokio::test]
async fn an_image_comes_with_the_etag_to_delete_it_by() {
    let cloud = Cloud::start().await;
    let body = json!({
        "id": image(), "digest": Digest::from_bytes([1; 32]), "repositoryId": repository(), "version": "v1",
        "versions": [{"version": "v1", "timeCreated": "2026-01-02T00:00:00Z", "createdBy": "u"}],
        "layers": [], "manifestSizeInBytes": 700, "pullCount": 4, "timeCreated": "2026-01-01T00:00:00Z",
        "createdBy": "ocid1.user.oc1..u", "lifecycleState": "AVAILABLE",
    });
    cloud.script(&image_route("GET", ""), [Reply::json(200, &body).with("etag", "e-1")]);
    let details = cloud.oci().image(&image()).await.unwrap();
    assert_eq!((details.etag, details.n_pulls), (Some(Etag("e-1".to_owned())), 4));
    assert_eq!(details.tags.into_values().collect::<Vec<_>>(), [Some(at("2026-01-02T00:00:00Z"))]);
    assert_eq!((details.id, details.manifest_size, details.last_pulled_at), (image(), Bytes(700), None));
}

#[tokio::test]
async fn the_configuration_tells_the_namespace() {
    let cloud = Cloud::start().await;
    let body = json!({"isRepositoryCreatedOnFirstPush": true, "namespace": "ns"});
    cloud.script("GET /20160918/container/configuration", [Reply::json(200, &body)]);
    let configuration = cloud.oci().configuration(&compartment()).await.unwrap();
    assert_eq!((configuration.namespace.as_str(), configuration.creates_on_first_push), ("ns", true));
}
