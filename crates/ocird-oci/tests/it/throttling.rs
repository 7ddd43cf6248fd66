//! A cloud that asks to slow down: everything comes to its end, well or plainly not, and in bounded time.

use std::time::Duration;

use ocird_model::{
    Clock as _, DeleteTarget, Digest, ErrorChain, ErrorKind, Etag, ReadRegistry as _, WriteRegistry as _,
};
use ocird_oci::{Oci, Settings};
use tokio::task::JoinSet;

use crate::clock::TestClock;
use crate::cloud::{
    Cloud, FEDERATION, IMAGES, REPOSITORIES, Reply, compartment, image, image_route, image_row, page,
    repository,
};

/// A client that may not retry anything but what is throttled.
fn without_retries(cloud: &Cloud) -> Oci<TestClock> {
    cloud.oci_with(Settings { retries_per_pass: 0, ..cloud.settings() })
}

/// A listing of so many pages with one row each.
fn pages(n_pages: u8) -> impl Iterator<Item = Reply> {
    (1..=n_pages).map(move |n| page(&[image_row(n)], (n < n_pages).then(|| n.to_string()).as_deref()))
}

fn waited(cloud: &Cloud) -> Duration {
    cloud.clock.sleeps().iter().sum()
}

async fn delete(oci: &Oci<TestClock>) -> Option<ErrorKind> {
    let target =
        DeleteTarget { image: image(), digest: Digest::from_bytes([1; 32]), repository: repository() };
    oci.writer().delete(&target, &Etag("e".to_owned())).await.err().map(|error| error.kind())
}

#[tokio::test]
async fn a_cloud_that_refuses_every_second_call_is_listed_to_the_end_at_no_cost_to_the_budget() {
    let cloud = Cloud::start().await;
    let oci = without_retries(&cloud);
    cloud.script(IMAGES, pages(200));
    cloud.refuse(|n| n % 2 == 1);
    let rows = oci.images(&compartment(), &repository()).await.unwrap();
    assert_eq!((rows.len(), oci.counts().n_throttled, oci.counts().limit), (200, 201, 1));
    assert!(waited(&cloud) <= Duration::from_secs(201), "{:?}", waited(&cloud));
}

#[tokio::test]
async fn many_readers_at_once_all_get_their_answer_from_a_cloud_that_refuses_half() {
    let cloud = Cloud::start().await;
    let oci = without_retries(&cloud);
    oci.identity().await.unwrap();
    cloud.refuse(|n| n.is_multiple_of(2));
    cloud.script(REPOSITORIES, (0..300).map(|_| page(&[], None)));
    let mut readers = JoinSet::new();
    for _ in 0..300 {
        let oci = oci.clone();
        readers.spawn(async move { oci.repositories(&compartment()).await.unwrap() });
    }
    assert_eq!(readers.join_all().await.len(), 300);
    assert!(oci.counts().limit < 32 && waited(&cloud) < Duration::from_mins(15), "{:?}", waited(&cloud));
}

#[tokio::test]
async fn a_cloud_that_refuses_everything_is_given_up_within_two_minutes_and_the_error_says_so() {
    let cloud = Cloud::start().await;
    let oci = cloud.oci();
    oci.identity().await.unwrap();
    cloud.refuse(|_| true);
    let error = oci.images(&compartment(), &repository()).await.unwrap_err();
    let text = ErrorChain(&error).to_string();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Throttled, "ListContainerImages"));
    let secs = waited(&cloud).as_secs();
    assert!(
        text.contains(&format!("throttled, and not waited for any longer: {secs} s in this pass")),
        "{text}"
    );
    assert!(text.contains("429 TooManyRequests"), "{text}");
    assert!((30..=120).contains(&secs), "{secs}");
    // Pauses have a throw of the dice in them: with the shortest ones it takes longer to wait so long.
    assert!((8..100).contains(&cloud.n_seen(IMAGES)), "{}", cloud.n_seen(IMAGES));
}

#[tokio::test]
async fn after_giving_up_nothing_is_sent_until_the_pause_is_over_and_the_next_pass_begins() {
    let cloud = Cloud::start().await;
    let oci = cloud.oci();
    let busy = || Reply::error(429, "TooManyRequests").with("retry-after", "300");
    cloud.script(IMAGES, [busy(), page(&[], None)]);
    for _ in 0..3 {
        let error = oci.images(&compartment(), &repository()).await.unwrap_err();
        assert_eq!((error.kind(), cloud.n_seen(IMAGES)), (ErrorKind::Throttled, 1));
    }
    assert_eq!(waited(&cloud), Duration::ZERO);
    cloud.clock.advance(Duration::from_mins(4));
    oci.begin_pass();
    oci.images(&compartment(), &repository()).await.unwrap();
    assert_eq!(waited(&cloud), Duration::from_mins(1));
}

#[tokio::test]
async fn nobody_asks_before_the_instant_that_one_answer_named_in_seconds_or_as_a_date() {
    for retry_after in [
        |_: &TestClock| "40".to_owned(),
        |clock: &TestClock| {
            let at = clock.now() + Duration::from_secs(40);
            at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
        },
    ] {
        let cloud = Cloud::start().await;
        let oci = cloud.oci();
        oci.identity().await.unwrap();
        let busy = Reply::error(429, "TooManyRequests").with("retry-after", retry_after(&cloud.clock));
        cloud.script(IMAGES, [busy, page(&[], None)]);
        cloud.script(REPOSITORIES, [page(&[], None)]);
        let (repository, compartment) = (repository(), compartment());
        oci.images(&compartment, &repository).await.unwrap();
        oci.repositories(&compartment).await.unwrap();
        let seen = cloud.seen(IMAGES);
        assert_eq!((seen[0].at.as_secs(), seen[1].at.as_secs()), (0, 40));
        assert_ne!(seen[0].header("authorization"), seen[1].header("authorization"));
        assert_ne!(seen[0].header("date"), seen[1].header("date"), "signed after the wait");
        assert!(cloud.seen(REPOSITORIES)[0].at.as_secs() >= 40);
    }
}

#[tokio::test]
async fn a_token_that_grows_old_in_line_is_replaced_before_the_call_is_signed() {
    let cloud = Cloud::start().await;
    let oci = cloud.oci();
    oci.identity().await.unwrap();
    cloud.clock.advance(Duration::from_secs(14 * 60 + 30));
    let busy = Reply::error(429, "TooManyRequests").with("retry-after", "60");
    cloud.script(IMAGES, [busy, page(&[], None)]);
    oci.images(&compartment(), &repository()).await.unwrap();
    assert_eq!((cloud.n_seen(IMAGES), cloud.n_seen(FEDERATION)), (2, 2));
}

#[tokio::test]
async fn signing_in_is_throttled_like_any_call_and_comes_through() {
    let cloud = Cloud::start().await;
    let oci = without_retries(&cloud);
    cloud.refuse(|n| n <= 3);
    oci.identity().await.unwrap();
    assert_eq!((cloud.n_seen(FEDERATION), oci.counts().n_throttled), (4, 3));
}

#[tokio::test]
async fn a_delete_that_was_throttled_is_sent_again_after_a_short_pause_and_not_after_a_long_one() {
    for (retry_after, n_sent, kind) in [("10", 2, None), ("11", 1, Some(ErrorKind::Throttled))] {
        let cloud = Cloud::start().await;
        let oci = cloud.oci();
        let route = image_route("DELETE", "");
        let busy = Reply::error(429, "TooManyRequests").with("retry-after", retry_after);
        cloud.script(&route, [busy, Reply::text("")]);
        assert_eq!(delete(&oci).await, kind);
        assert_eq!(cloud.n_seen(&route), n_sent);
    }
}

#[tokio::test]
async fn a_delete_that_is_throttled_again_and_again_is_given_up_after_ten_seconds_in_all() {
    for (retry_after, n_sent) in [("9", 2), ("3", 4), ("1", 5)] {
        let cloud = Cloud::start().await;
        let route = image_route("DELETE", "");
        cloud.script(
            &route,
            (0..20).map(|_| Reply::error(429, "TooManyRequests").with("retry-after", retry_after)),
        );
        assert_eq!(delete(&cloud.oci()).await, Some(ErrorKind::Throttled));
        // Our own pauses have a throw of the dice in them, and may be longer than what is asked for.
        assert!((2..=n_sent).contains(&cloud.n_seen(&route)), "{retry_after}: {}", cloud.n_seen(&route));
        assert!(waited(&cloud) <= Duration::from_secs(10), "{:?}", waited(&cloud));
    }
}

#[tokio::test]
async fn the_limit_is_told_and_recovers_when_calls_are_let_through() {
    let cloud = Cloud::start().await;
    let oci = cloud.oci();
    assert_eq!(oci.counts().limit, 32);
    cloud.script(IMAGES, [Reply::error(429, "TooManyRequests")]);
    cloud.script(IMAGES, pages(200));
    oci.images(&compartment(), &repository()).await.unwrap();
    assert_eq!(oci.counts().limit, 32);
    assert_eq!(oci.counts().n_throttled, 1);
}
