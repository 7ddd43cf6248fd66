//! Faults as a client sees them, and the counts that a test holds a client to.

use std::time::Duration;

use super::*;
use crate::http::Answer as Ended;
use crate::{Fault, Operation, When};

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
    let next = world.list(&format!("&page={}", empty.header("opc-next-page")));
    let full = world.ask(&session, "GET", &next).await;
    assert_eq!((full.column("version"), full.header("opc-next-page")), (vec!["v1"], ""));
}

#[tokio::test]
async fn a_repeated_cursor_never_ends() {
    let world = World::new();
    world.push("r1", &["v1"]);
    let session = world.sign_in().await;
    world.tenancy.inject(LIST, When::Always, Fault::RepeatedCursor);
    let first = world.ask(&session, "GET", &world.list("")).await;
    let next = world.list(&format!("&page={}", first.header("opc-next-page")));
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
