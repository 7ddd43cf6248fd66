//! The in-process face: the same world through the daemon's own traits, with faults.

use std::time::Duration;

use chrono::TimeDelta;
use ocird_model::{
    DeleteTarget, ErrorKind, Etag, ImageRow, Lifecycle, ReadRegistry as _, RegistryError, WriteRegistry as _,
};

use super::World;
use crate::settings::parsed;
use crate::view::RepositoryKind;
use crate::{Face, Fault, Iam, NewRepository, Operation, Pushed, Settings, When};

fn face(world: &World) -> Face {
    Face::new(world.tenancy.clone(), world.tenancy.clock().view(TimeDelta::zero()))
}

async fn list(world: &World, face: &Face) -> Result<Vec<ImageRow>, RegistryError> {
    let compartment = world.tenancy.compartment();
    let repositories = face.repositories(&compartment).await.unwrap();
    face.images(&compartment, &repositories[0].id).await
}

async fn delete(world: &World, face: &Face, pushed: &Pushed) -> Result<(), RegistryError> {
    let details = face.image(&pushed.image).await.unwrap();
    let target = DeleteTarget { image: details.id, digest: details.digest, repository: details.repository };
    assert!(world.is_there(&pushed.digest));
    face.writer().delete(&target, &details.etag.unwrap()).await
}

#[tokio::test]
async fn a_pass_reads_the_world_as_it_is_and_every_call_is_counted() {
    let world = World::new();
    let pushed = world.push("a", &["v1"]);
    world.tenancy.configure(|settings| settings.page_size = 1);
    let face = face(&world);
    let rows = list(&world, &face).await.unwrap();
    assert_eq!(rows.len(), 3);
    let details = face.image(&pushed.image).await.unwrap();
    assert_eq!((details.digest, details.lifecycle), (pushed.digest, Lifecycle::Available));
    let namespace = world.tenancy.settings().namespace;
    let manifest = face.manifest(&namespace, &world.web, &pushed.digest).await.unwrap();
    assert_eq!(crate::digest::sha256(&manifest.bytes), pushed.digest);
    assert_eq!(face.counts().of(Operation::ListContainerImages), 3);
    assert_eq!(face.counts().total(), 6);
}

#[tokio::test]
async fn a_call_that_fails_fails_with_its_kind_and_the_next_one_does_not() {
    let world = World::new();
    world.push("a", &["v1"]);
    let face = face(&world);
    for (fault, kind) in [
        (Fault::status(429, "TooManyRequests"), ErrorKind::Throttled),
        (Fault::status(500, "InternalServerError"), ErrorKind::Server),
        (Fault::status(401, "NotAuthenticated"), ErrorKind::Unauthenticated),
        (Fault::status(404, "NotAuthorizedOrNotFound"), ErrorKind::NotFound),
        (Fault::throttled_for(7), ErrorKind::Throttled),
        (Fault::Instead("{}".to_owned()), ErrorKind::Malformed),
        (Fault::Dropped, ErrorKind::Unreachable),
        (Fault::Garbled, ErrorKind::Malformed),
        (Fault::AnswerLost, ErrorKind::Timeout),
    ] {
        world.tenancy.inject(Operation::ListContainerImages, When::Call(1), fault.clone());
        let error = list(&world, &face).await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (kind, "ListContainerImages"), "{fault:?}");
        assert_eq!(list(&world, &face).await.unwrap().len(), 3, "{fault:?}");
    }
}

#[tokio::test]
async fn an_empty_page_is_not_the_end_of_a_list() {
    let world = World::new();
    world.push("a", &["v1"]);
    let face = face(&world);
    world.tenancy.inject(Operation::ListContainerImages, When::Call(1), Fault::EmptyPage);
    assert_eq!(list(&world, &face).await.unwrap().len(), 3);
    assert_eq!(face.counts().of(Operation::ListContainerImages), 2);
}

#[tokio::test]
async fn empty_pages_one_after_another_lead_to_the_rows_all_the_same() {
    let world = World::with(Settings { page_size: 1, ..Settings::default() });
    world.push("a", &["v1"]);
    let face = face(&world);
    let whole = list(&world, &face).await.unwrap();
    world.tenancy.inject(Operation::ListContainerImages, When::Every(2), Fault::EmptyPage);
    world.tenancy.inject(Operation::ListContainerImages, When::Call(3), Fault::EmptyPage);
    assert_eq!(list(&world, &face).await.unwrap(), whole);
}

#[tokio::test]
async fn a_cursor_that_comes_again_is_an_endless_list() {
    let world = World::new();
    world.push("a", &["v1"]);
    let face = face(&world);
    world.tenancy.inject(Operation::ListContainerImages, When::Always, Fault::RepeatedCursor);
    let error = list(&world, &face).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Endless);
    world.tenancy.clear_faults();
    assert!(list(&world, &face).await.is_ok());
}

#[tokio::test]
async fn a_row_can_get_lost_without_a_word() {
    let world = World::new();
    world.push("a", &["v1"]);
    let face = face(&world);
    let whole = list(&world, &face).await.unwrap();
    world.tenancy.inject(Operation::ListContainerImages, When::Next(1), Fault::DroppedRow(1));
    let short = list(&world, &face).await.unwrap();
    assert_eq!(short, [whole[0].clone(), whole[2].clone()]);
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_has_happened_and_a_dropped_one_has_not() {
    let world = World::new();
    let pushed = world.push("a", &["v1"]);
    let face = face(&world);
    world.tenancy.inject(Operation::DeleteContainerImage, When::Call(1), Fault::Dropped);
    let error = delete(&world, &face, &pushed).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    world.tenancy.inject(Operation::DeleteContainerImage, When::Call(1), Fault::AnswerLost);
    let error = delete(&world, &face, &pushed).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(!world.is_there(&pushed.digest));
}

#[tokio::test]
async fn a_delete_by_a_stale_etag_says_that_the_image_changed() {
    let world = World::new();
    let pushed = world.push("a", &["v1"]);
    let face = face(&world);
    let details = face.image(&pushed.image).await.unwrap();
    let target = DeleteTarget { image: details.id, digest: details.digest, repository: details.repository };
    let deleted = face.writer().delete(&target, &Etag("stale".to_owned())).await;
    assert_eq!(deleted.unwrap_err().kind(), ErrorKind::Changed);
    assert!(world.is_there(&pushed.digest));
}

#[tokio::test]
async fn lost_rights_look_like_an_absent_registry() {
    let world = World::new();
    world.push("a", &["v1"]);
    let face = face(&world);
    world.tenancy.set_iam(Iam::nothing());
    let error = face.repositories(&world.tenancy.compartment()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_fault_for_every_operation_stops_everything() {
    let world = World::new();
    let pushed = world.push("a", &["v1"]);
    let face = face(&world);
    world.tenancy.inject(None, When::Always, Fault::status(404, "NotAuthorizedOrNotFound"));
    assert_eq!(face.identity().await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(face.image(&pushed.image).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn the_skew_of_the_hosts_clock_is_known_after_the_first_answer() {
    let world = World::new();
    let view = world.tenancy.clock().view(TimeDelta::minutes(-7));
    let face = Face::new(world.tenancy.clone(), view);
    assert_eq!(face.server_clock_ahead(), None);
    face.identity().await.unwrap();
    assert_eq!(face.server_clock_ahead(), Some(TimeDelta::minutes(7)));
}

#[tokio::test]
async fn a_slow_answer_comes_when_the_clock_has_moved() {
    let world = World::new();
    let face = face(&world);
    world.tenancy.inject(Operation::Federation, When::Call(1), Fault::Slow(Duration::from_secs(30)));
    let call = tokio::spawn(async move { face.identity().await });
    world.tenancy.clock().wait_until_sleeping().await;
    world.tenancy.clock().advance(TimeDelta::seconds(30));
    assert_eq!(call.await.unwrap().unwrap().1, "eu-milan-1");
}

#[tokio::test]
async fn a_repository_that_is_not_plain_looks_unknown() {
    let world = World::new();
    let new = NewRepository {
        kind: RepositoryKind::MultiRegion,
        ..NewRepository::private(parsed("everywhere"), world.tenancy.compartment())
    };
    world.tenancy.create_repository(new).unwrap();
    let rows = face(&world).repositories(&world.tenancy.compartment()).await.unwrap();
    let states: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.lifecycle)).collect();
    assert!(states.contains(&("everywhere", Lifecycle::Unknown)), "{states:?}");
    assert!(states.contains(&("web", Lifecycle::Available)), "{states:?}");
}
