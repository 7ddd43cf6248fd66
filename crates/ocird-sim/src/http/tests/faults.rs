//! Faults as a client sees them, and the counts that a test holds a client to.

use std::time::Duration;

use super::*;
use crate::http::Answer as Ended;
use crate::{Fault, Operation, RetryAfter, When};

const LIST: Operation = Operation::ListContainerImages;

#[tokio::test]
async fn a_status_fault_answers_before_anything_is_looked_at() {
    let world = World::new();
    world.tenancy.inject(LIST, When::Call(1), Fault::status(429, "TooManyRequests"));
    let unsigned = world.send(world.letter("GET", &world.list(""))).await;
    assert_eq!(unsigned.refusal(), (429, "TooManyRequests"));
    let session = world.sign_in().await;
    assert_eq!(world.ask(&session, "GET", &world.list("")).await.status, 200);
}

#[tokio::test]
async fn faults_reach_the_metadata_service_and_the_sign_in_too() {
    let world = World::new();
    world.tenancy.inject(Operation::Metadata, When::Call(1), Fault::status(404, "NotFound"));
    assert!(world.metadata("instance/region").await.contains("NotFound"));
    assert_eq!(world.metadata("instance/region").await, "eu-milan-1");
    world.tenancy.inject(Operation::Federation, When::Call(1), Fault::status(500, "InternalServerError"));
    let sign_in = sign_in::SignIn::of(&world).await;
    assert_eq!(world.send(sign_in.letter(&world)).await.status, 500);
    assert_eq!(world.send(sign_in.letter(&world)).await.status, 200);
}

#[tokio::test]
async fn an_empty_page_leads_on_to_the_rows() {
    let world = World::new();
    world.push("r1", &["v1"]);
    let session = world.sign_in().await;
    world.tenancy.inject(LIST, When::Call(1), Fault::EmptyPage);
    let empty = world.ask(&session, "GET", &world.list("")).await;
    assert_eq!((empty.status, empty.column("id").len()), (200, 0));
    let next = world.list(&empty.next_page());
    let full = world.ask(&session, "GET", &next).await;
    assert_eq!((full.column("version"), full.header("opc-next-page")), (vec!["v1"], ""));
}

#[tokio::test]
async fn a_later_page_can_be_empty_too_and_its_cursor_is_new() {
    let world = World::with(Settings { page_size: 1, ..Settings::default() }, Options::default());
    world.push("r1", &["v1"]);
    world.tenancy.clock().advance(TimeDelta::hours(1));
    world.push("r2", &["v2"]);
    let session = world.sign_in().await;
    world.tenancy.inject(LIST, When::Call(2), Fault::EmptyPage);
    let (mut rows, mut cursors) = (Vec::new(), Vec::new());
    let mut page = world.ask(&session, "GET", &world.list("")).await;
    loop {
        rows.extend(page.column("version").into_iter().map(str::to_owned));
        let next = page.next_page();
        if next.is_empty() {
            break;
        }
        page = world.ask(&session, "GET", &world.list(&next)).await;
        cursors.push(next);
    }
    assert_eq!(rows, ["v2", "v1"]);
    assert_eq!(cursors.len(), 2, "one more than two pages need: {cursors:?}");
    assert_ne!(cursors[0], cursors[1]);
}

#[tokio::test]
async fn a_throttled_call_says_when_to_come_again_in_either_form() {
    let world = World::new();
    let session = world.sign_in().await;
    let target = world.list("");
    let date = RetryAfter::Date(TimeDelta::seconds(90));
    for (retry_after, expected) in [
        (None, String::new()),
        (Some(RetryAfter::Seconds(7)), "7".to_owned()),
        (Some(date), world.date_in(TimeDelta::seconds(90))),
    ] {
        world.tenancy.inject(LIST, When::Call(1), Fault::Throttled { retry_after });
        let answer = world.ask(&session, "GET", &target).await;
        assert_eq!(answer.refusal(), (429, "TooManyRequests"));
        assert_eq!(answer.header("retry-after"), expected);
    }
    assert_eq!(world.ask(&session, "GET", &target).await.status, 200);
}

#[tokio::test]
async fn every_second_request_of_any_kind_can_be_throttled() {
    let world = World::new();
    let session = world.sign_in().await;
    world.tenancy.inject(None, When::Every(2), Fault::throttled_for(1));
    let mut statuses = Vec::new();
    for target in [world.list(""), world.list("&limit=1"), "/20180419/docker/token".to_owned()] {
        statuses.push(world.ask(&session, "GET", &target).await.status);
        statuses.push(world.ask(&session, "GET", &target).await.status);
    }
    assert_eq!(statuses, [200, 429, 200, 429, 200, 429]);
}

#[tokio::test]
async fn a_certificate_can_rotate_between_its_own_read_and_that_of_its_key() {
    let world = World::new();
    world.tenancy.inject(Operation::Metadata, When::Call(2), Fault::Rotation);
    let torn = sign_in::SignIn::of(&world).await;
    assert_eq!(world.send(torn.letter(&world)).await.refusal(), (401, "NotAuthenticated"));
    let whole = sign_in::SignIn::of(&world).await;
    assert_eq!(world.send(whole.letter(&world)).await.status, 200);
}

#[tokio::test]
async fn a_sign_in_can_bring_rubbish() {
    let world = World::new();
    let sign_in = sign_in::SignIn::of(&world).await;
    let rubbish = r#"{"token":"not one"}"#;
    world.tenancy.inject(Operation::Federation, When::Call(1), Fault::Instead(rubbish.to_owned()));
    let answer = world.send(sign_in.letter(&world)).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, rubbish));
    let answer = world.send(sign_in.letter(&world)).await;
    assert_ne!(answer.text, rubbish);
}

#[tokio::test]
async fn a_repeated_cursor_never_ends() {
    let world = World::new();
    world.push("r1", &["v1"]);
    let session = world.sign_in().await;
    world.tenancy.inject(LIST, When::Always, Fault::RepeatedCursor);
    let first = world.ask(&session, "GET", &world.list("")).await;
    let next = world.list(&first.next_page());
    let second = world.ask(&session, "GET", &next).await;
    assert_eq!(first.header("opc-next-page"), second.header("opc-next-page"));
    assert_eq!(first.body, second.body);
}

#[tokio::test]
async fn a_dropped_row_is_missing_without_a_word() {
    let world = World::new();
    world.push("r1", &["v1"]);
    let session = world.sign_in().await;
    world.tenancy.inject(LIST, When::Call(1), Fault::DroppedRow(0));
    let short = world.ask(&session, "GET", &world.list("")).await;
    assert_eq!((short.status, short.header("opc-next-page"), short.column("id").len()), (200, "", 0));
}

#[tokio::test]
async fn a_dropped_connection_has_done_nothing_and_a_lost_answer_has() {
    let world = World::new();
    let id = world.push("r1", &["v1"]);
    let session = world.sign_in().await;
    let delete = || session.sign(world.letter("DELETE", &format!("/20160918/container/images/{id}")));
    let operation = Operation::DeleteContainerImage;
    world.tenancy.inject(operation, When::Call(1), Fault::Dropped);
    assert!(delete().try_send(&world.server.base_url()).await.is_err());
    assert!(world.tenancy.deletions().is_empty());
    world.tenancy.inject(operation, When::Call(1), Fault::AnswerLost);
    assert!(delete().try_send(&world.server.base_url()).await.is_err());
    assert_eq!(world.tenancy.deletions().len(), 1);
    assert_eq!(world.server.requests().answered(operation, Ended::Dropped), 2);
}

#[tokio::test]
async fn a_garbled_answer_is_a_200_that_is_no_json() {
    let world = World::new();
    let session = world.sign_in().await;
    world.tenancy.inject(LIST, When::Call(1), Fault::Garbled);
    let garbled = world.ask(&session, "GET", &world.list("")).await;
    assert_eq!((garbled.status, garbled.header("content-type")), (200, "application/json"));
    assert!(serde_json::from_str::<serde_json::Value>(&garbled.text).is_err());
}

#[tokio::test]
async fn a_slow_answer_waits_for_the_tenancys_clock() {
    let world = World::new();
    let session = world.sign_in().await;
    world.tenancy.inject(LIST, When::Call(1), Fault::Slow(Duration::from_mins(1)));
    let target = world.list("");
    let (answer, ()) = tokio::join!(world.ask(&session, "GET", &target), async {
        world.tenancy.clock().wait_until_sleeping().await;
        world.tenancy.clock().advance(TimeDelta::minutes(1));
    });
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn requests_are_counted_by_operation_and_answer() {
    let world = World::new();
    let session = world.sign_in().await;
    world.server.requests().clear();
    world.ask(&session, "GET", &world.list("")).await;
    world.ask(&session, "GET", &world.list("")).await;
    world.send(world.letter("GET", &world.list(""))).await;
    let requests = world.server.requests();
    assert_eq!((requests.of(LIST), requests.total()), (3, 3));
    assert_eq!(requests.answered(LIST, Ended::Status(200)), 2);
    assert_eq!(requests.answered(LIST, Ended::Status(401)), 1);
}

#[tokio::test]
async fn a_stopped_server_takes_no_more_connections() {
    let world = World::new();
    let base = world.server.base_url();
    assert!(world.server.environment().contains(&world.server.metadata_base()));
    world.server.stop().await;
    assert!(Letter::new("GET", "/v2/").try_send(&base).await.is_err());
}
