//! Undoing: a restore is sent once like a delete, and a tag is put back by pushing the manifest that is there.

use std::time::Duration;

use ocird_model::{ErrorKind, FetchedManifest, RegistryError, RestoreRegistry as _, TagPath};
use ocird_oci::Settings;

use crate::cloud::{Cloud, Reply, TOKEN, digest_of, image, image_route, name, namespace};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCUMENT: &str = r#"{"schemaVersion":2,"manifests":[]}"#;
const PUSH: &str = "PUT /v2/ns/team/app/manifests/v1";

async fn restore(cloud: &Cloud) -> Result<(), RegistryError> {
    cloud.oci().restorer().restore(&image(), Some(&"v1".parse().unwrap())).await
}

async fn push(cloud: &Cloud) -> Result<(), RegistryError> {
    let at = TagPath { namespace: namespace(), repository: name(), tag: "v1".parse().unwrap() };
    let manifest =
        FetchedManifest { media_type: INDEX.to_owned(), bytes: DOCUMENT.as_bytes().into(), too_large: false };
    cloud.oci().restorer().put_tag(&at, &manifest).await
}

#[tokio::test]
async fn a_restore_names_the_tag_and_carries_a_retry_token() {
    let cloud = Cloud::start().await;
    let route = image_route("POST", "/actions/restore");
    cloud.script(&route, [Reply::text("{}")]);
    restore(&cloud).await.unwrap();
    let seen = cloud.seen(&route);
    assert_eq!(seen[0].body.as_slice(), &br#"{"version":"v1"}"#[..]);
    assert_eq!(seen[0].header("opc-retry-token").len(), 32);
}

#[tokio::test]
async fn a_restore_without_a_tag_asks_for_none() {
    let cloud = Cloud::start().await;
    let route = image_route("POST", "/actions/restore");
    cloud.script(&route, [Reply::text("{}")]);
    cloud.oci().restorer().restore(&image(), None).await.unwrap();
    assert_eq!(cloud.seen(&route)[0].body, b"{}");
}

#[tokio::test]
async fn a_restore_is_not_repeated_when_it_may_have_been_done() {
    for (status, code, kind) in [
        (500, "InternalServerError", ErrorKind::Server),
        (503, "ServiceUnavailable", ErrorKind::Server),
        (409, "Conflict", ErrorKind::Conflict),
        (404, "NotAuthorizedOrNotFound", ErrorKind::NotFound),
        (403, "NotAuthorized", ErrorKind::Forbidden),
    ] {
        let cloud = Cloud::start().await;
        let route = image_route("POST", "/actions/restore");
        cloud.script(&route, [Reply::error(status, code)]);
        assert_eq!(restore(&cloud).await.unwrap_err().kind(), kind);
        assert_eq!((cloud.n_seen(&route), cloud.clock.sleeps().len()), (1, 0), "{status}");
    }
}

#[tokio::test]
async fn a_restore_that_is_not_answered_is_not_repeated() {
    let cloud = Cloud::start().await;
    let route = image_route("POST", "/actions/restore");
    cloud.script(&route, [Reply::Silence]);
    let settings = Settings { call_timeout: Duration::from_secs(1), ..cloud.settings() };
    let error = cloud.oci_with(settings).restorer().restore(&image(), None).await.unwrap_err();
    assert_eq!((error.kind(), cloud.n_seen(&route)), (ErrorKind::Timeout, 1));
}

#[tokio::test]
async fn a_restore_of_what_is_still_being_deleted_is_tried_for_some_seconds_under_one_token() {
    let cloud = Cloud::start().await;
    let route = image_route("POST", "/actions/restore");
    cloud.script(&route, [Reply::error(409, "IncorrectState"), Reply::text("{}")]);
    restore(&cloud).await.unwrap();
    let seen = cloud.seen(&route);
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].header("opc-retry-token"), seen[1].header("opc-retry-token"));
}

#[tokio::test]
async fn a_tag_is_put_back_by_pushing_the_manifest_byte_for_byte() {
    let cloud = Cloud::start().await;
    let digest = digest_of(DOCUMENT.as_bytes()).to_string();
    cloud.script(PUSH, [Reply::text("").with("docker-content-digest", digest)]);
    push(&cloud).await.unwrap();
    let seen = cloud.seen(PUSH);
    assert_eq!((seen[0].header("content-type"), seen[0].body.as_slice()), (INDEX, DOCUMENT.as_bytes()));
    assert!(seen[0].header("authorization").starts_with("Bearer "));
}

#[tokio::test]
async fn a_push_that_the_registry_took_for_something_else_is_told() {
    let cloud = Cloud::start().await;
    let other = digest_of(b"another").to_string();
    cloud.script(PUSH, [Reply::text("").with("docker-content-digest", other)]);
    assert_eq!(push(&cloud).await.unwrap_err().kind(), ErrorKind::Malformed);
}

#[tokio::test]
async fn a_push_that_may_have_been_done_or_is_forbidden_is_not_repeated() {
    for (status, kind) in [(500, ErrorKind::Server), (403, ErrorKind::Forbidden)] {
        let cloud = Cloud::start().await;
        cloud.script(PUSH, [Reply::error(status, "as scripted")]);
        assert_eq!(push(&cloud).await.unwrap_err().kind(), kind);
        assert_eq!((cloud.n_seen(PUSH), cloud.clock.sleeps().len()), (1, 0), "{status}");
    }
}

#[tokio::test]
async fn a_push_with_a_rejected_token_succeeds_with_the_next_one() {
    let cloud = Cloud::start().await;
    cloud.script(PUSH, [Reply::error(401, "UNAUTHORIZED"), Reply::text("")]);
    push(&cloud).await.unwrap();
    assert_eq!((cloud.n_seen(PUSH), cloud.n_seen(TOKEN)), (2, 2));
}
