//! What failures are called, what they tell and what they never show.

use std::error::Error as _;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::process::Command;

use chrono::TimeDelta;
use ocird_model::{ErrorKind, ReadRegistry as _};
use ocird_oci::{BuildError, Endpoint, Oci, Settings};
use serde_json::json;

use crate::cloud::{Cloud, FEDERATION, KEY, REPOSITORIES, Reply, compartment, image, image_route, page};

#[tokio::test]
async fn every_status_arrives_as_its_kind() {
    let cloud = Cloud::start().await;
    let oci = cloud.oci();
    let route = image_route("GET", "");
    for (status, kind) in [
        (302, ErrorKind::Refused),
        (400, ErrorKind::Refused),
        (403, ErrorKind::Forbidden),
        (404, ErrorKind::NotFound),
        (409, ErrorKind::Conflict),
        (412, ErrorKind::Changed),
        (501, ErrorKind::Server),
    ] {
        cloud.script(&route, [Reply::error(status, "Scripted").with("location", "/elsewhere")]);
        let error = oci.image(&image()).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (kind, "GetContainerImage"), "{status}");
    }
    assert_eq!(cloud.n_seen("GET /elsewhere"), 0);
}

#[tokio::test]
async fn an_error_tells_code_sentence_and_request_id_in_one_clean_line() {
    let cloud = Cloud::start().await;
    let body = json!({"code": "NotAuthorizedOrNotFound", "message": "no\r\n\u{1b}[31msuch thing"});
    cloud.script(&image_route("GET", ""), [Reply::json(404, &body)]);
    let error = cloud.oci().image(&image()).await.unwrap_err();
    assert_eq!(
        error.source().unwrap().to_string(),
        "404 NotAuthorizedOrNotFound: no   [31msuch thing (opc-request-id request/of/test)"
    );
}

#[tokio::test]
async fn an_error_without_a_sensible_body_is_still_an_error() {
    let cloud = Cloud::start().await;
    for body in ["", "<html>", "[]", r#"{"code":1}"#] {
        let reply = Reply::Say(403, Vec::new(), body.into());
        cloud.script(&image_route("GET", ""), [reply]);
        let error = cloud.oci().image(&image()).await.unwrap_err();
        assert!(error.source().unwrap().to_string().starts_with("403 Unexplained: "), "{body}");
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unreachable_after_all_tries() {
    let cloud = Cloud::start().await;
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = Settings {
        artifacts_endpoint: Some(format!("http://{unused}").parse().unwrap()),
        ..cloud.settings()
    };
    let oci = cloud.oci_with(settings);
    let error = oci.image(&image()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert_eq!(oci.counts().requests[&("GetContainerImage", "unreachable")], 5);
}

#[tokio::test]
async fn without_a_metadata_service_there_is_no_sign_in() {
    let cloud = Cloud::start().await;
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = Settings {
        metadata_base: Some(Endpoint::metadata(&format!("http://{unused}/opc/v2")).unwrap()),
        ..cloud.settings()
    };
    let error = cloud.oci_with(settings).repositories(&compartment()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignIn);
    let cause = error.source().unwrap().source().unwrap();
    assert!(cause.to_string().contains("does this run on an instance"), "{cause}");
}

#[tokio::test]
async fn secrets_are_in_no_error_however_it_is_printed() {
    for (route, reply) in [
        (FEDERATION, Reply::json(200, &json!({"token": "canary.%%.x"}))),
        (FEDERATION, Reply::json(200, &json!({"token": ["canary"]}))),
        (FEDERATION, Reply::json(200, &json!({"token": "canary.e30.x"}))),
        (KEY, Reply::text("-----BEGIN RSA PRIVATE KEY-----\ncanary==\n-----END RSA PRIVATE KEY-----\n")),
        (REPOSITORIES, Reply::error(404, "NotAuthorizedOrNotFound")),
    ] {
        let cloud = Cloud::start().await;
        cloud.script(route, [reply]);
        let oci = cloud.oci();
        let error = oci.repositories(&compartment()).await.unwrap_err();
        let mut shown = format!("{oci:?} {:?} {error:?}", oci.writer());
        let mut cause = error.source();
        while let Some(inner) = cause {
            write!(shown, " {inner} {inner:?}").unwrap();
            cause = inner.source();
        }
        assert!(!shown.contains("canary") && !shown.contains("Signature "), "{shown}");
    }
}

#[tokio::test]
async fn the_servers_clock_is_compared_with_ours() {
    let cloud = Cloud::start().await;
    cloud.script(REPOSITORIES, (0..3).map(|_| page(&[], None)));
    let oci = cloud.oci();
    assert_eq!(oci.server_clock_ahead(), None);
    for seconds in [0, 90, -90] {
        cloud.set_ahead(TimeDelta::seconds(seconds));
        oci.repositories(&compartment()).await.unwrap();
        let ahead = oci.server_clock_ahead().unwrap();
        assert!((ahead.num_seconds() - seconds).abs() <= 1, "{ahead}");
    }
}

#[tokio::test]
async fn the_clock_of_the_metadata_service_does_not_count() {
    let cloud = Cloud::start().await;
    cloud.set_ahead(TimeDelta::seconds(90));
    let oci = cloud.oci();
    oci.region().await.unwrap();
    assert_eq!(oci.server_clock_ahead(), None);
}

/// Not a test of its own: the one below runs it in a process that has no CA certificates.
#[test]
#[ignore = "run by a_host_without_ca_certificates_is_told_so"]
fn building_on_a_host_without_ca_certificates() {
    let result = Oci::new(Settings::default(), std::sync::Arc::new(crate::clock::TestClock::new()));
    assert!(matches!(result, Err(BuildError::Tls { .. })));
    let text = result.unwrap_err().to_string();
    assert!(text.contains("ca-certificates") && text.contains("ca_file"), "{text}");
}

#[test]
fn a_host_without_ca_certificates_is_told_so() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "errors::building_on_a_host_without_ca_certificates", "--ignored"])
        .env("SSL_CERT_FILE", "/nonexistent")
        .env("SSL_CERT_DIR", "/nonexistent")
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && shown.contains("1 passed"), "{shown}");
}

#[tokio::test]
async fn a_ca_file_takes_the_place_of_the_hosts_certificates() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    let own = rcgen::generate_simple_self_signed(["ca".to_owned()]).unwrap();
    std::fs::write(&path, own.cert.pem()).unwrap();
    let settings = Settings { ca_file: Some(path), ..Settings::default() };
    assert!(Oci::new(settings, std::sync::Arc::new(crate::clock::TestClock::new())).is_ok());
}
