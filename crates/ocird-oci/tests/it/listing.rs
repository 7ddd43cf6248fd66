//! Listings are complete or an error (S-1, S-2).

use std::num::NonZeroU32;

use ocird_model::{ErrorKind, ImageRow, Lifecycle, ReadRegistry as _, RegistryError};
use ocird_oci::Settings;
use serde_json::json;

use crate::cloud::{Cloud, IMAGES, Reply, compartment, image_row, page, repository};

async fn list(cloud: &Cloud) -> Result<Vec<ImageRow>, RegistryError> {
    cloud.oci().images(&compartment(), &repository()).await
}

/// The cursor that each request asked with.
fn cursors(cloud: &Cloud) -> Vec<Option<String>> {
    let cursor = |target: &str| target.split_once("&page=").map(|(_, cursor)| cursor.to_owned());
    cloud.seen(IMAGES).iter().map(|seen| cursor(&seen.target)).collect()
}

#[tokio::test]
async fn an_empty_page_with_a_cursor_is_not_the_end() {
    let cloud = Cloud::start().await;
    cloud.script(
        IMAGES,
        [
            page(&[image_row(1)], Some("second")),
            page(&[], Some("third")),
            page(&[image_row(2), image_row(3)], None),
        ],
    );
    assert_eq!(list(&cloud).await.unwrap().len(), 3);
    assert_eq!(cursors(&cloud), [None, Some("second".to_owned()), Some("third".to_owned())]);
}

#[tokio::test]
async fn a_cursor_is_sent_back_encoded_and_signed_so() {
    let cloud = Cloud::start().await;
    cloud.script(IMAGES, [page(&[], Some("a+b/c=&d e%")), page(&[], None)]);
    list(&cloud).await.unwrap();
    assert_eq!(cursors(&cloud)[1].as_deref(), Some("a%2Bb%2Fc%3D%26d%20e%25"));
}

#[tokio::test]
async fn a_listing_that_leads_in_a_circle_is_endless() {
    let cloud = Cloud::start().await;
    cloud.script(IMAGES, ["a", "b", "a"].map(|cursor| page(&[image_row(1)], Some(cursor))));
    assert_eq!(list(&cloud).await.unwrap_err().kind(), ErrorKind::Endless);
}

#[tokio::test]
async fn a_listing_of_too_many_pages_is_endless() {
    let cloud = Cloud::start().await;
    cloud.script(IMAGES, (0..9).map(|n| page(&[], Some(&n.to_string()))));
    let settings = Settings { max_pages: 4, ..cloud.settings() };
    let result = cloud.oci_with(settings).images(&compartment(), &repository()).await;
    assert_eq!((result.unwrap_err().kind(), cloud.n_seen(IMAGES)), (ErrorKind::Endless, 4));
}

#[tokio::test]
async fn a_failed_page_fails_the_whole_listing() {
    for (reply, kind) in [
        (Reply::error(404, "NotAuthorizedOrNotFound"), ErrorKind::NotFound),
        (Reply::error(400, "InvalidParameter"), ErrorKind::Refused),
        (Reply::text("<html>"), ErrorKind::Malformed),
        (Reply::json(200, &json!({"rows": []})), ErrorKind::Malformed),
        (page(&[json!({"id": "nonsense"})], None), ErrorKind::Malformed),
        (Reply::text(" ".repeat(17 << 20)), ErrorKind::Malformed),
        (page(&[], Some("")), ErrorKind::Malformed),
        (Reply::json(206, &json!({"items": [image_row(2)]})), ErrorKind::Malformed),
        (Reply::json(204, &json!(null)), ErrorKind::Malformed),
    ] {
        let cloud = Cloud::start().await;
        cloud.script(IMAGES, [page(&[image_row(1)], Some("second")), reply]);
        assert_eq!(list(&cloud).await.unwrap_err().kind(), kind);
    }
}

#[tokio::test]
async fn rows_on_their_way_out_are_passed_on() {
    let cloud = Cloud::start().await;
    let mut going = image_row(1);
    going["lifecycleState"] = json!("DELETING");
    let mut odd = image_row(2);
    odd["lifecycleState"] = json!("HIBERNATING");
    cloud.script(IMAGES, [page(&[going, odd], None)]);
    let states: Vec<Lifecycle> = list(&cloud).await.unwrap().iter().map(|row| row.lifecycle).collect();
    assert_eq!(states, [Lifecycle::Deleting, Lifecycle::Unknown]);
}

#[tokio::test]
async fn a_page_that_fails_for_a_moment_is_asked_for_again_and_signed_anew() {
    let cloud = Cloud::start().await;
    let busy = Reply::error(503, "ServiceUnavailable").with("retry-after", "20");
    cloud.script(IMAGES, [busy, page(&[image_row(1)], None)]);
    assert_eq!(list(&cloud).await.unwrap().len(), 1);
    let seen = cloud.seen(IMAGES);
    assert_ne!(seen[0].header("date"), seen[1].header("date"));
    assert_ne!(seen[0].header("authorization"), seen[1].header("authorization"));
    assert_eq!(cloud.clock.sleeps().iter().map(std::time::Duration::as_secs).collect::<Vec<_>>(), [20]);
}

#[tokio::test]
async fn a_call_is_given_up_after_five_tries() {
    let cloud = Cloud::start().await;
    cloud.script(IMAGES, (0..9).map(|_| Reply::error(500, "InternalServerError")));
    assert_eq!(list(&cloud).await.unwrap_err().kind(), ErrorKind::Server);
    assert_eq!(cloud.n_seen(IMAGES), 5);
}

#[tokio::test]
async fn all_calls_of_a_pass_share_one_budget_of_retries() {
    let cloud = Cloud::start().await;
    cloud.script(IMAGES, (0..99).map(|_| Reply::error(503, "ServiceUnavailable")));
    let settings = Settings { retries_per_pass: 6, ..cloud.settings() };
    let oci = cloud.oci_with(settings);
    let mut n_seen = Vec::new();
    for _ in 0..3 {
        assert_eq!(oci.images(&compartment(), &repository()).await.unwrap_err().kind(), ErrorKind::Server);
        n_seen.push(cloud.n_seen(IMAGES));
    }
    oci.begin_pass();
    assert!(oci.images(&compartment(), &repository()).await.is_err());
    n_seen.push(cloud.n_seen(IMAGES));
    assert_eq!(n_seen, [5, 8, 9, 14]);
    let counts = oci.counts();
    assert_eq!((counts.requests[&("ListContainerImages", "server")], counts.n_retries), (14, 10));
}

#[tokio::test]
async fn the_page_size_is_a_setting() {
    let cloud = Cloud::start().await;
    cloud.script(IMAGES, [page(&[], None)]);
    let settings = Settings { page_size: NonZeroU32::new(7).unwrap(), ..cloud.settings() };
    cloud.oci_with(settings).images(&compartment(), &repository()).await.unwrap();
    assert!(cloud.seen(IMAGES)[0].target.ends_with("&limit=7"));
}

#[tokio::test]
async fn every_repository_is_listed_for_its_own_compartment() {
    let cloud = Cloud::start().await;
    cloud.script(IMAGES, [page(&[], None)]);
    list(&cloud).await.unwrap();
    let expected = format!(
        "/20160918/container/images?compartmentId={}&repositoryId={}&limit=1000",
        compartment(),
        repository()
    );
    assert_eq!(cloud.seen(IMAGES)[0].target, expected);
}
