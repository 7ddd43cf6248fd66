//! A delete is sent once, and again only when it is certain that nothing was done.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ocird_model::{
    DeleteTarget, Digest, ErrorKind, Etag, ReadRegistry as _, RegistryError, WriteRegistry as _,
};
use ocird_oci::{Endpoint, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

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

/// A service that reads one request per connection, says no more than this and hangs up; and how many requests came.
async fn hanging_up(after: &'static str) -> (Endpoint, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let n_requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&n_requests);
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(connection.read_u8().await.unwrap());
            }
            counter.fetch_add(1, Ordering::SeqCst);
            connection.write_all(after.as_bytes()).await.unwrap();
        }
    });
    (endpoint, n_requests)
}

#[tokio::test]
async fn a_delete_whose_connection_closes_after_the_request_is_not_repeated_and_a_read_is() {
    for after in ["", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}"] {
        let cloud = Cloud::start().await;
        let (endpoint, n_requests) = hanging_up(after).await;
        let settings = || Settings { artifacts_endpoint: Some(endpoint.clone()), ..cloud.settings() };
        let error = delete_with(&cloud, settings(), "etag-1").await.unwrap_err();
        assert_eq!((error.kind(), n_requests.load(Ordering::SeqCst)), (ErrorKind::Unreachable, 1), "{after}");
        let error = cloud.oci_with(settings()).image(&image()).await.unwrap_err();
        assert_eq!((error.kind(), n_requests.load(Ordering::SeqCst)), (ErrorKind::Unreachable, 6), "{after}");
    }
}

#[tokio::test]
async fn a_delete_is_not_sent_a_third_time_when_the_second_is_not_answered_well() {
    for first in [
        Reply::error(401, "NotAuthenticated"),
        Reply::error(429, "TooManyRequests").with("retry-after", "1"),
        Reply::error(409, "IncorrectState"),
    ] {
        let cloud = Cloud::start().await;
        let route = image_route("DELETE", "");
        cloud.script(&route, [first, Reply::error(500, "InternalServerError"), Reply::text("")]);
        assert_eq!(delete(&cloud).await.unwrap_err().kind(), ErrorKind::Server);
        assert_eq!(cloud.n_seen(&route), 2);
    }
}

#[tokio::test]
async fn a_delete_of_an_image_in_the_wrong_state_is_tried_for_ten_seconds_and_five_times_at_most() {
    let cloud = Cloud::start().await;
    let route = image_route("DELETE", "");
    cloud.script(&route, (0..9).map(|_| Reply::error(409, "IncorrectState")));
    assert_eq!(delete(&cloud).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert!((2..=5).contains(&cloud.n_seen(&route)), "{}", cloud.n_seen(&route));
    assert!(cloud.seen(&route).iter().all(|seen| seen.header("if-match") == "etag-1"));
    let waited: Duration = cloud.clock.sleeps().iter().sum();
    assert!(waited <= Duration::from_secs(10), "{waited:?}");
}

#[tokio::test]
async fn a_delete_that_is_asked_to_come_again_in_a_minute_is_not_sent_again() {
    let cloud = Cloud::start().await;
    let route = image_route("DELETE", "");
    let later = Reply::error(409, "IncorrectState").with("retry-after", "60");
    cloud.script(&route, [later, Reply::text("")]);
    assert_eq!(delete(&cloud).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!((cloud.n_seen(&route), cloud.clock.sleeps().len()), (1, 0));
}

#[tokio::test]
async fn a_delete_that_waits_for_a_slow_sign_in_is_not_sent() {
    let cloud = Cloud::start().await;
    let route = image_route("DELETE", "");
    cloud.script(FEDERATION, [Reply::error(429, "TooManyRequests").with("retry-after", "30")]);
    cloud.script(&route, [Reply::text("")]);
    let error = delete(&cloud).await.unwrap_err();
    assert_eq!((error.kind(), cloud.n_seen(&route)), (ErrorKind::SignIn, 0));
    delete(&cloud).await.unwrap();
}

#[tokio::test]
async fn a_delete_with_a_rejected_token_succeeds_with_the_next_one() {
    let cloud = Cloud::start().await;
    let route = image_route("DELETE", "");
    cloud.script(&route, [Reply::error(401, "NotAuthenticated"), Reply::text("")]);
    delete(&cloud).await.unwrap();
    let seen = cloud.seen(&route);
    assert_eq!((seen.len(), cloud.n_seen(FEDERATION)), (2, 2));
    assert_eq!(seen[0].header("if-match"), seen[1].header("if-match"));
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
