//! Signing in as the instance, and staying signed in.

use std::time::Duration;

use chrono::TimeDelta;
use ocird_model::{Clock as _, ErrorKind, ReadRegistry as _};
use serde_json::json;

use crate::cloud::{
    CERT, Cloud, FEDERATION, KEY, OTHER_KEY, REGION, REGION_INFO, REPOSITORIES, Reply, TENANCY, certificate,
    compartment, page, repository,
};

/// Enough empty listings for any test here.
fn empty_listings() -> impl Iterator<Item = Reply> {
    (0..50).map(|_| page(&[], None))
}

#[tokio::test]
async fn the_instance_is_who_it_signs_in_as() {
    let cloud = Cloud::start().await;
    let (tenancy, region) = cloud.oci().identity().await.unwrap();
    assert_eq!((tenancy.as_str(), region.as_str()), (TENANCY, "eu-milan-1"));
    let question = cloud.seen(FEDERATION)[0].json();
    assert_eq!(question["fingerprintAlgorithm"], "SHA256");
    assert_eq!(question["purpose"], "DEFAULT");
    let stripped: String = certificate(TENANCY).lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(question["certificate"].as_str().unwrap().len(), stripped.len());
    assert_eq!(question["intermediateCertificates"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_quiet_instance_asks_for_each_thing_once() {
    let cloud = Cloud::start().await;
    cloud.script(REPOSITORIES, empty_listings());
    let oci = cloud.oci();
    for _ in 0..3 {
        oci.identity().await.unwrap();
        oci.repositories(&compartment()).await.unwrap();
    }
    let n_seen = [CERT, KEY, REGION_INFO, FEDERATION].map(|route| cloud.n_seen(route));
    assert_eq!(n_seen, [1, 1, 1, 1]);
    assert_eq!(oci.token_expires_at(), Some(cloud.clock.now() + TimeDelta::minutes(20)));
}

#[tokio::test]
async fn many_callers_sign_in_once() {
    let cloud = Cloud::start().await;
    cloud.script(REPOSITORIES, empty_listings());
    let oci = cloud.oci();
    list_twenty_times(&oci).await;
    assert_eq!((cloud.n_seen(FEDERATION), oci.counts().n_token_refreshes), (1, 1));
}

#[tokio::test]
async fn a_rejected_token_is_replaced_and_the_call_succeeds() {
    let cloud = Cloud::start().await;
    cloud.script(REPOSITORIES, empty_listings());
    let oci = cloud.oci();
    oci.identity().await.unwrap();
    cloud.revoke_tokens();
    oci.repositories(&compartment()).await.unwrap();
    let n_seen = [REPOSITORIES, CERT, KEY, FEDERATION].map(|route| cloud.n_seen(route));
    assert_eq!(n_seen, [2, 2, 2, 2]);
}

#[tokio::test]
async fn many_rejected_callers_replace_the_token_once() {
    let cloud = Cloud::start().await;
    cloud.script(REPOSITORIES, empty_listings());
    let oci = cloud.oci();
    oci.identity().await.unwrap();
    cloud.revoke_tokens();
    list_twenty_times(&oci).await;
    assert_eq!(cloud.n_seen(FEDERATION), 2);
}

#[tokio::test]
async fn a_second_rejection_is_the_answer() {
    let cloud = Cloud::start().await;
    cloud.script(REPOSITORIES, (0..9).map(|_| Reply::error(401, "NotAuthenticated")));
    let error = cloud.oci().repositories(&compartment()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert_eq!((cloud.n_seen(REPOSITORIES), cloud.n_seen(FEDERATION)), (2, 2));
}

#[tokio::test]
async fn a_token_is_replaced_before_it_expires() {
    let cloud = Cloud::start().await;
    let oci = cloud.oci();
    for (minutes, n_sign_ins) in [(0, 1), (14, 1), (2, 2), (14, 2)] {
        cloud.clock.advance(Duration::from_mins(minutes));
        oci.identity().await.unwrap();
        assert_eq!(cloud.n_seen(FEDERATION), n_sign_ins);
    }
}

#[tokio::test]
async fn a_token_that_grows_old_during_a_pause_is_replaced_before_the_retry() {
    let cloud = Cloud::start().await;
    let oci = cloud.oci();
    oci.identity().await.unwrap();
    cloud.clock.advance(Duration::from_secs(14 * 60 + 30));
    let busy = Reply::error(503, "ServiceUnavailable").with("retry-after", "60");
    cloud.script(REPOSITORIES, [busy, page(&[], None)]);
    oci.repositories(&compartment()).await.unwrap();
    assert_eq!((cloud.n_seen(REPOSITORIES), cloud.n_seen(FEDERATION)), (2, 2));
}

#[tokio::test]
async fn a_failed_refresh_keeps_the_old_token_in_use() {
    let cloud = Cloud::start().await;
    cloud.script(REPOSITORIES, empty_listings());
    let oci = cloud.oci();
    oci.identity().await.unwrap();
    let expires_at = oci.token_expires_at();
    cloud.clock.advance(Duration::from_mins(16));
    cloud.script(FEDERATION, [Reply::error(403, "NotAuthorized"), Reply::error(403, "NotAuthorized")]);
    oci.repositories(&compartment()).await.unwrap();
    oci.repositories(&compartment()).await.unwrap();
    assert_eq!((oci.token_expires_at(), oci.counts().n_token_refresh_failures), (expires_at, 1));
    cloud.clock.advance(Duration::from_secs(31));
    oci.repositories(&compartment()).await.unwrap();
    assert_eq!(oci.counts().n_token_refresh_failures, 2);
    cloud.clock.advance(Duration::from_secs(31));
    oci.repositories(&compartment()).await.unwrap();
    assert!(oci.token_expires_at() > expires_at);
}

#[tokio::test]
async fn a_failed_replacement_is_told_and_the_old_token_stays() {
    let cloud = Cloud::start().await;
    let oci = cloud.oci();
    oci.identity().await.unwrap();
    cloud.script(REPOSITORIES, [Reply::error(401, "NotAuthenticated"), page(&[], None)]);
    cloud.script(FEDERATION, [Reply::error(403, "NotAuthorized")]);
    let error = oci.repositories(&compartment()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignIn);
    oci.repositories(&compartment()).await.unwrap();
}

#[tokio::test]
async fn callers_who_waited_for_a_failed_sign_in_share_the_failure() {
    let cloud = Cloud::start().await;
    cloud.script(FEDERATION, (0..50).map(|_| Reply::error(403, "NotAuthorized")));
    let oci = cloud.oci();
    let (repository, compartment) = (repository(), compartment());
    let (one, two, three) = tokio::join!(
        oci.repositories(&compartment),
        oci.repositories(&compartment),
        oci.images(&compartment, &repository),
    );
    let kinds = [one.unwrap_err().kind(), two.unwrap_err().kind(), three.unwrap_err().kind()];
    assert_eq!(kinds, [ErrorKind::SignIn; 3]);
    assert_eq!(cloud.n_seen(FEDERATION), 1);
}

#[tokio::test]
async fn an_expired_token_is_not_used_when_signing_in_fails() {
    let cloud = Cloud::start().await;
    let oci = cloud.oci();
    oci.identity().await.unwrap();
    cloud.clock.advance(Duration::from_mins(20));
    cloud.script(FEDERATION, [Reply::error(403, "NotAuthorized")]);
    let error = oci.repositories(&compartment()).await.unwrap_err();
    assert_eq!((error.kind(), cloud.n_seen(REPOSITORIES)), (ErrorKind::SignIn, 0));
}

#[tokio::test]
async fn an_instance_that_seems_to_change_its_tenancy_is_not_followed() {
    let cloud = Cloud::start().await;
    let oci = cloud.oci();
    oci.identity().await.unwrap();
    cloud.clock.advance(Duration::from_mins(20));
    cloud.script(CERT, [Reply::text(certificate("ocid1.tenancy.oc1..other"))]);
    let error = oci.repositories(&compartment()).await.unwrap_err();
    assert_eq!((error.kind(), cloud.n_seen(FEDERATION)), (ErrorKind::SignIn, 1));
}

#[tokio::test]
async fn a_key_from_before_a_rotation_is_read_again_with_its_certificate() {
    let cloud = Cloud::start().await;
    cloud.script(KEY, [Reply::text(OTHER_KEY.serialize_pem())]);
    cloud.oci().identity().await.unwrap();
    assert_eq!([CERT, KEY, FEDERATION].map(|route| cloud.n_seen(route)), [2, 2, 1]);
}

#[tokio::test]
async fn a_key_that_never_fits_is_an_end() {
    let cloud = Cloud::start().await;
    cloud.script(KEY, (0..9).map(|_| Reply::text(OTHER_KEY.serialize_pem())));
    let error = cloud.oci().identity().await.unwrap_err();
    assert_eq!((error.kind(), cloud.n_seen(KEY)), (ErrorKind::SignIn, 3));
}

#[tokio::test]
async fn a_certificate_rejected_by_the_federation_is_read_anew_once() {
    let cloud = Cloud::start().await;
    cloud.script(FEDERATION, [Reply::error(401, "NotAuthenticated")]);
    cloud.oci().identity().await.unwrap();
    assert_eq!([CERT, FEDERATION].map(|route| cloud.n_seen(route)), [2, 2]);
}

#[tokio::test]
async fn an_older_metadata_service_gives_the_region_by_its_code() {
    let cloud = Cloud::start().await;
    cloud.script(REGION_INFO, [Reply::error(404, "NotFound")]);
    cloud.script(REGION, [Reply::text("phx\n")]);
    assert_eq!(cloud.oci().identity().await.unwrap().1, "us-phoenix-1");
}

#[tokio::test]
async fn the_region_that_is_set_needs_no_metadata() {
    let cloud = Cloud::start().await;
    let settings = ocird_oci::Settings { region: Some("FRA".to_owned()), ..cloud.settings() };
    assert_eq!(cloud.oci_with(settings).region().await.unwrap().identifier(), "eu-frankfurt-1");
    assert_eq!(cloud.n_seen(REGION_INFO), 0);
}

#[tokio::test]
async fn a_region_too_new_for_the_table_is_taken_from_the_instance_in_it() {
    let cloud = Cloud::start().await;
    let new = || {
        Reply::json(
            200,
            &json!({
                "realmKey": "oc99", "realmDomainComponent": "oraclecloud99.com",
                "regionKey": "NEW", "regionIdentifier": "eu-atlantis-1",
            }),
        )
    };
    let settings = |region: &str| ocird_oci::Settings { region: Some(region.to_owned()), ..cloud.settings() };
    cloud.script(REGION_INFO, [new(), new()]);
    let region = cloud.oci_with(settings("eu-atlantis-1")).region().await.unwrap();
    assert_eq!(region.registry_url(), "https://ocir.eu-atlantis-1.oci.oraclecloud99.com");
    let error = cloud.oci_with(settings("eu-atlantis-2")).region().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignIn);
}

#[tokio::test]
async fn the_metadata_service_is_given_time_to_wake_up_and_not_more() {
    let cloud = Cloud::start().await;
    cloud.script(CERT, [Reply::error(404, "NotFound"), Reply::error(429, "TooManyRequests")]);
    cloud.oci().identity().await.unwrap();
    assert_eq!((cloud.n_seen(CERT), cloud.clock.sleeps().len()), (3, 2));
    cloud.script(CERT, (0..9).map(|_| Reply::error(500, "InternalServerError")));
    let error = cloud.oci().identity().await.unwrap_err();
    assert_eq!((cloud.n_seen(CERT), error.kind()), (6, ErrorKind::SignIn));
}

#[tokio::test]
async fn a_token_that_is_over_on_arrival_points_to_the_clock() {
    let cloud = Cloud::start().await;
    let old = "canary.eyJleHAiOjE3MDAwMDAwMDB9.x";
    cloud.script(FEDERATION, [Reply::json(200, &json!({"token": old}))]);
    let error = cloud.oci().identity().await.unwrap_err();
    let cause = std::error::Error::source(&error).and_then(std::error::Error::source).unwrap();
    assert!(cause.to_string().contains("is the clock right?"), "{cause}");
}

/// Twenty listings at the same time, all of which must succeed.
async fn list_twenty_times(oci: &ocird_oci::Oci<crate::clock::TestClock>) {
    let callers: Vec<_> = (0..20)
        .map(|_| {
            let oci = oci.clone();
            tokio::spawn(async move { oci.repositories(&compartment()).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap(), []);
    }
}
