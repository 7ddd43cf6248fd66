//! One image: reading, deleting, restoring, and taking a tag away.

use super::*;
use crate::{EtagChanges, Iam};

fn path(id: &ImageId) -> String {
    format!("/20160918/container/images/{id}")
}

fn action(id: &ImageId, action: &str) -> String {
    format!("/20160918/container/images/{id}/actions/{action}")
}

/// A delete with an etag.
async fn delete_if(world: &World, session: &Session, id: &ImageId, etag: &str) -> Answer {
    let letter = world.letter("DELETE", &path(id)).header("if-match", etag);
    world.send(session.sign(letter)).await
}

#[tokio::test]
async fn an_image_shows_its_tags_layers_and_sizes() {
    let world = World::new();
    let id = world.push("r1", &["v1", "latest"]);
    let session = world.sign_in().await;
    let image = world.ask(&session, "GET", &path(&id)).await;
    let view = world.tenancy.get_image(&id).unwrap();
    assert_eq!((image.status, image.header("etag")), (200, view.etag.as_str()));
    assert_eq!(image.body["digest"], view.digest.to_string());
    assert_eq!(image.body["lifecycleState"], "AVAILABLE");
    assert_eq!(image.body["versions"].as_array().unwrap().len(), 2);
    assert_eq!(image.body["layers"].as_array().unwrap().len(), view.layers.len());
    assert_eq!(image.body["layersSizeInBytes"], view.layers_size());
    assert_eq!(image.body["timeCreated"], "2026-01-01T00:00:00.000Z");
    assert!(image.body.get("timeLastPulled").is_none(), "never pulled");
}

#[tokio::test]
async fn a_delete_with_a_stale_etag_leaves_the_image_alone() {
    let world = World::new();
    world.tenancy.configure(|settings| settings.etag = EtagChanges::Tags);
    let id = world.push("r1", &["v1"]);
    let session = world.sign_in().await;
    let etag = world.ask(&session, "GET", &path(&id)).await.header("etag").to_owned();
    world.push("r1", &["v2"]);
    assert_eq!(delete_if(&world, &session, &id, &etag).await.refusal(), (412, "NoEtagMatch"));
    let image = world.ask(&session, "GET", &path(&id)).await;
    assert_eq!(image.body["lifecycleState"], "AVAILABLE");
    assert_eq!(delete_if(&world, &session, &id, image.header("etag")).await.status, 204);
}

#[tokio::test]
async fn a_deleted_image_comes_back_with_the_tag_that_was_named() {
    let world = World::new();
    let id = world.push("r1", &["v1", "v2"]);
    let session = world.sign_in().await;
    assert_eq!(world.ask(&session, "DELETE", &path(&id)).await.status, 204);
    let early = world.ask_with(&session, &action(&id, "restore"), "{}").await;
    assert_eq!(early.refusal(), (409, "IncorrectState"));
    world.tenancy.clock().advance(TimeDelta::minutes(5));
    assert_eq!(world.ask(&session, "GET", &path(&id)).await.body["lifecycleState"], "DELETED");
    let restored = world.ask_with(&session, &action(&id, "restore"), r#"{"version":"v1"}"#).await;
    assert_eq!((restored.status, restored.body["version"].as_str()), (200, Some("v1")));
    assert_eq!(restored.body["versions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_removed_version_leaves_the_image_and_its_other_tags() {
    let world = World::new();
    let id = world.push("r1", &["v1", "v2"]);
    let session = world.sign_in().await;
    let answer = world.ask_with(&session, &action(&id, "removeVersion"), r#"{"version":"v2"}"#).await;
    assert_eq!((answer.status, answer.body["version"].as_str()), (200, Some("v1")));
    let again = world.ask_with(&session, &action(&id, "removeVersion"), r#"{"version":"v2"}"#).await;
    assert_eq!(again.refusal(), (404, "NotAuthorizedOrNotFound"));
}

#[tokio::test]
async fn an_image_is_found_by_its_path_without_a_host() {
    let world = World::new();
    let id = world.push("r1", &["v1"]);
    let session = world.sign_in().await;
    let lookup = "/20160918/container/images/actions/lookupImageByUri";
    let found = world.ask_with(&session, lookup, r#"{"imageUri":"axsimulated/team/mgh-website:v1"}"#).await;
    assert_eq!(found.body["id"], id.as_str());
    let missing = world.ask_with(&session, lookup, r#"{"imageUri":"axsimulated/team/mgh-website:v9"}"#).await;
    assert_eq!(missing.refusal(), (404, "NotAuthorizedOrNotFound"));
    assert_eq!(world.ask_with(&session, lookup, "{").await.refusal(), (400, "CannotParseRequest"));
}

#[tokio::test]
async fn unknown_and_forbidden_images_look_the_same() {
    let world = World::new();
    let id = world.push("r1", &["v1"]);
    let session = world.sign_in().await;
    let unknown: ImageId = "ocid1.containerimage.oc1.eu-milan-1.0.axsimulated.unknown".parse().unwrap();
    let missing = world.ask(&session, "GET", &path(&unknown)).await;
    world.tenancy.set_iam(Iam::nothing());
    let forbidden = world.ask(&session, "GET", &path(&id)).await;
    assert_eq!(missing.refusal(), (404, "NotAuthorizedOrNotFound"));
    assert_eq!(forbidden.body, missing.body);
    assert_eq!(world.ask(&session, "DELETE", &path(&id)).await.refusal(), (404, "NotAuthorizedOrNotFound"));
    assert!(world.tenancy.deletions().is_empty());
}

#[tokio::test]
async fn a_repository_is_created_once_and_not_without_the_right_to() {
    let world = World::new();
    let session = world.sign_in().await;
    let body = format!(
        r#"{{"compartmentId":"{}","displayName":"new","isImmutable":true}}"#,
        world.tenancy.compartment()
    );
    let target = "/20160918/container/repositories";
    let created = world.ask_with(&session, target, &body).await;
    assert_eq!((created.status, created.body["isImmutable"].as_bool()), (200, Some(true)));
    assert_eq!(world.ask_with(&session, target, &body).await.status, 409);
    world.tenancy.set_iam(Iam::nothing());
    assert_eq!(world.ask_with(&session, target, &body).await.status, 404);
}
