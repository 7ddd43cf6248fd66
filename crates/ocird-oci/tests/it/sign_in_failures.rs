//! What the services may answer to a sign-in instead of a token: each is told as what it is, and none ends a session
//! that is still good.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ocird_model::{ErrorChain, ErrorKind, ReadRegistry as _};
use ocird_oci::Settings;
use serde_json::json;

use crate::cloud::{
    CERT, Cloud, FEDERATION, INTERMEDIATE, KEY, OTHER_KEY, REPOSITORIES, Reply, TENANCY, certificate,
    compartment, page,
};
use crate::profile::{bound_to, token};

/// What a sign-in tells that gets this answer from the federation service; and it must not end an old session.
async fn told_of(route: &str, replies: impl Fn() -> Vec<Reply>) -> String {
    let cloud = Cloud::start().await;
    let settings = Settings { call_timeout: Duration::from_millis(200), ..cloud.settings() };
    cloud.script(route, replies());
    let error = cloud.oci_with(settings.clone()).repositories(&compartment()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignIn);
    assert_eq!(cloud.n_seen(REPOSITORIES), 0);
    keeps_its_session(route, replies, settings).await;
    let told = ErrorChain(&error).to_string();
    assert!(!told.contains("canary"), "{told}");
    told
}

async fn keeps_its_session(route: &str, replies: impl Fn() -> Vec<Reply>, settings: Settings) {
    let cloud = Cloud::start().await;
    let settings = Settings { call_timeout: settings.call_timeout, ..cloud.settings() };
    let oci = cloud.oci_with(settings);
    oci.identity().await.unwrap();
    let expires_at = oci.token_expires_at();
    cloud.clock.advance(Duration::from_mins(16));
    cloud.script(route, replies());
    cloud.script(REPOSITORIES, [page(&[], None)]);
    oci.repositories(&compartment()).await.unwrap();
    assert_eq!((oci.token_expires_at(), oci.counts().n_token_refresh_failures), (expires_at, 1), "{route}");
}

#[tokio::test]
async fn every_refusal_of_the_federation_is_told_with_its_code() {
    for (status, code, n_asked) in [
        (400, "InvalidParameter", 1),
        (401, "NotAuthenticated", 2),
        (403, "NotAuthorized", 1),
        (404, "NotAuthorizedOrNotFound", 1),
        (405, "MethodNotAllowed", 1),
        (409, "Conflict", 1),
        (412, "NoEtagMatch", 1),
        (413, "PayloadTooLarge", 1),
        (422, "UnprocessableEntity", 1),
        (431, "RequestHeaderFieldsTooLarge", 1),
    ] {
        let told = told_of(FEDERATION, || (0..n_asked).map(|_| Reply::error(status, code)).collect()).await;
        assert!(told.contains(&format!("{status} {code}: as scripted")), "{told}");
        assert!(told.contains("the federation service gave no token"), "{told}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_token_is_told_for_what_it_is() {
    let huge = "x".repeat(70 * 1024);
    for (body, wanted) in [
        ("<html>canary</html>".to_owned(), "the token could not be understood"),
        (String::new(), "the token could not be understood"),
        ("{}".to_owned(), "the token could not be understood"),
        (r#"{"token": null}"#.to_owned(), "the token could not be understood"),
        (r#"{"token": "canary"}"#.to_owned(), "not three parts of base64url"),
        (json!({"token": token(&json!({}))}).to_string(), "no sound `exp`"),
        (json!({"token": token(&json!({"exp": 1}))}).to_string(), "is the clock right?"),
        (json!({"token": token(&bound_to(&OTHER_KEY))}).to_string(), "bound to another key"),
        (json!({"token": huge}).to_string(), "larger than 65536 bytes"),
    ] {
        let told = told_of(FEDERATION, || vec![Reply::text(body.clone())]).await;
        assert!(told.contains(wanted), "{told}");
    }
}

#[tokio::test]
async fn a_federation_that_does_not_answer_is_given_up_in_time() {
    let told = told_of(FEDERATION, || (0..5).map(|_| Reply::Silence).collect()).await;
    assert!(told.contains("no answer from 127.0.0.1") && told.contains("in time"), "{told}");
}

#[tokio::test]
async fn metadata_that_makes_no_sense_is_told_with_its_path() {
    let no_tenancy = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap().cert.pem();
    for (route, body, wanted) in [
        (CERT, "<html>".to_owned(), "identity/cert.pem of the metadata service is unusable: not a PEM"),
        (CERT, no_tenancy, "the instance's key does not belong to its certificate"),
        (KEY, "<html>".to_owned(), "identity/key.pem of the metadata service is unusable: not a PEM"),
        (INTERMEDIATE, String::new(), "identity/intermediate.pem of the metadata service is unusable"),
        (CERT, "x".repeat(70 * 1024), "larger than 65536 bytes"),
    ] {
        let told = told_of(route, || (0..3).map(|_| Reply::text(body.clone())).collect()).await;
        assert!(told.contains(wanted), "{told}");
    }
}

#[tokio::test]
async fn a_rotation_in_the_middle_of_a_pass_goes_unnoticed() {
    let cloud = Cloud::start().await;
    cloud.script(REPOSITORIES, (0..2).map(|_| page(&[], None)));
    let oci = cloud.oci();
    oci.repositories(&compartment()).await.unwrap();
    cloud.revoke_tokens();
    // The certificate is still the old one; the key already is the next.
    cloud.script(KEY, [Reply::text(OTHER_KEY.serialize_pem())]);
    oci.repositories(&compartment()).await.unwrap();
    assert_eq!([CERT, KEY, FEDERATION].map(|route| cloud.n_seen(route)), [3, 3, 2]);
    assert_eq!(oci.counts().n_token_refresh_failures, 0);
}

#[tokio::test]
async fn every_intermediate_certificate_is_sent_as_one_element() {
    let cloud = Cloud::start().await;
    let [one, two] = [TENANCY, "ocid1.tenancy.oc1..issuer"].map(certificate);
    cloud.script(INTERMEDIATE, [Reply::text(format!("{one}{two}"))]);
    cloud.oci().identity().await.unwrap();
    let question = cloud.seen(FEDERATION)[0].json();
    let stripped =
        [one, two].map(|pem| pem.lines().filter(|line| !line.starts_with('-')).collect::<String>());
    assert_eq!(question["intermediateCertificates"], json!(stripped));
    let certificate = question["certificate"].as_str().unwrap();
    assert!(STANDARD.decode(certificate).is_ok() && !certificate.contains("BEGIN"));
}
