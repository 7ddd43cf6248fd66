//! A delete is sent once, and again only when it is certain that nothing was done.

use std::time::Duration;

use ocird_model::{DeleteTarget, Digest, ErrorKind, Etag, RegistryError, WriteRegistry as _};
use ocird_oci::Settings;

use crate::cloud::{Cloud, FEDERATION, Reply, image, image_route, repository};

async fn delete_with(cloud: &Cloud, settings: Settings, etag: &str) -> Result<(), RegistryError> {
    let target =
        DeleteTarget { image: image(), digest: Digest::from_bytes([1; 32]), repository: repository() };
    cloud.oci_with(settings).writer().delete(&target, &Etag(etag.to_owned())).await
}

async fn delete(cloud: &Cloud) -> Result<(), RegistryError> {
    delete_with(cloud, cloud.settings(), "etag-1").await
}

#[tokio::test]
async fn a_delete_names_the_image_and_the_etag() {
    let cloud = Cloud::start().await;
    let route = image_route("DELETE", "");
    cloud.script(&route, [Reply::text("")]);
    delete(&cloud).await.unwrap();
    let seen = cloud.seen(&route);
    assert_eq!((seen.len(), seen[0].header("if-match")), (1, "etag-1"));
}

#[tokio::test]
async fn a_delete_is_not_repeated_when_it_may_have_been_done() {
    for (status, code, kind) in [
        (500, "InternalServerError", ErrorKind::Server),
        (502, "BadGateway", ErrorKind::Server),
        (503, "ServiceUnavailable", ErrorKind::Server),
        (504, "GatewayTimeout", ErrorKind::Server),
        (409, "LockConflict", ErrorKind::Conflict),
        (412, "NoEtagMatch", ErrorKind::Changed),
        (404, "NotAuthorizedOrNotFound", ErrorKind::NotFound),
        (403, "NotAuthorized", ErrorKind::Forbidden),
    ] {
        let cloud = Cloud::start().await;
        let route = image_route("DELETE", "");
        cloud.script(&route, [Reply::error(status, code)]);
        assert_eq!(delete(&cloud).await.unwrap_err().kind(), kind);
        assert_eq!((cloud.n_seen(&route), cloud.clock.sleeps().len()), (1, 0), "{status}");
    }
}

#[tokio::test]
async fn a_delete_that_is_not_answered_is_not_repeated() {
    let cloud = Cloud::start().await;
    let route = image_route("DELETE", "");
    cloud.script(&route, [Reply::Silence]);
    let settings = Settings { call_timeout: Duration::from_secs(1), ..cloud.settings() };
    let error = delete_with(&cloud, settings, "etag-1").await.unwrap_err();
    assert_eq!((error.kind(), cloud.n_seen(&route)), (ErrorKind::Timeout, 1));
}

#[tokio::test]
async fn a_delete_is_repeated_when_nothing_was_done() {
    for (status, code) in [(429, "TooManyRequests"), (409, "IncorrectState")] {
        let cloud = Cloud::start().await;
        let route = image_route("DELETE", "");
        cloud.script(&route, [Reply::error(status, code), Reply::text("")]);
        delete(&cloud).await.unwrap();
        assert_eq!(cloud.n_seen(&route), 2, "{status}");
    }
}

#[tokio::test]
async fn a_delete_with_a_rejected_token_is_repeated_once() {
    let cloud = Cloud::start().await;
    let route = image_route("DELETE", "");
    cloud.script(&route, [Reply::error(401, "NotAuthenticated"), Reply::error(401, "NotAuthenticated")]);
    assert_eq!(delete(&cloud).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    assert_eq!((cloud.n_seen(&route), cloud.n_seen(FEDERATION)), (2, 2));
}

#[tokio::test]
async fn a_delete_without_a_usable_condition_is_not_sent() {
    let cloud = Cloud::start().await;
    for etag in ["", "a\r\nb"] {
        let error = delete_with(&cloud, cloud.settings(), etag).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
    }
    assert_eq!(cloud.n_seen(&image_route("DELETE", "")), 0);
}

#[tokio::test]
async fn a_restore_is_repeated_under_one_retry_token() {
    let cloud = Cloud::start().await;
    let route = image_route("POST", "/actions/restore");
    cloud.script(&route, [Reply::error(503, "ServiceUnavailable"), Reply::text("{}")]);
    let tag = "v1".parse().unwrap();
    cloud.oci().writer().restore(&image(), Some(&tag)).await.unwrap();
    let seen = cloud.seen(&route);
    assert_eq!(seen[0].header("opc-retry-token"), seen[1].header("opc-retry-token"));
    assert_eq!(
        (seen[0].header("opc-retry-token").len(), seen[1].body.as_slice()),
        (32, &br#"{"version":"v1"}"#[..])
    );
}

#[tokio::test]
async fn a_restore_without_a_tag_asks_for_none() {
    let cloud = Cloud::start().await;
    let route = image_route("POST", "/actions/restore");
    cloud.script(&route, [Reply::text("{}")]);
    cloud.oci().writer().restore(&image(), None).await.unwrap();
    assert_eq!(cloud.seen(&route)[0].body, b"{}");
}

#[tokio::test]
async fn a_tag_is_removed_under_the_etag() {
    let cloud = Cloud::start().await;
    let route = image_route("POST", "/actions/removeVersion");
    cloud.script(&route, [Reply::text("")]);
    let tag = "v1".parse().unwrap();
    let etag = Etag("etag-2".to_owned());
    cloud.oci().writer().remove_version(&image(), &tag, &etag).await.unwrap();
    let seen = cloud.seen(&route);
    assert_eq!(
        (seen[0].header("if-match"), seen[0].body.as_slice()),
        ("etag-2", &br#"{"version":"v1"}"#[..])
    );
}
