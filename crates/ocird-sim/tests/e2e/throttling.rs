//! A cloud that asks to slow down: a pass comes to its end, or says within minutes why it does not.

use chrono::TimeDelta;
use ocird::status::{PassResult, RefusalCode};
use ocird_sim::{Fault, Operation, When};

use crate::world::{SHOP_POLICY, World, play, ripe_shop, shop_of};

const BUSY: Fault = Fault::status(429, "TooManyRequests");

fn throttle(world: &World, when: When) {
    world.stage.tenancy.inject(None, when, BUSY);
}

/// How long the last pass took, in seconds of the tenancy's clock.
fn seconds_of_last_pass(world: &World) -> f64 {
    world.status().last_pass.as_ref().unwrap().duration_seconds
}

#[tokio::test]
async fn a_first_look_of_which_half_the_calls_are_throttled_sees_everything() {
    let mut world = shop_of(play(SHOP_POLICY));
    throttle(&world, When::Every(2));
    world.start();
    world.live(TimeDelta::minutes(20)).await;
    let status = world.status();
    assert_eq!(status.last_pass.as_ref().unwrap().result, PassResult::Complete);
    assert!(
        status.repositories.values().all(|repository| repository.n_images == 8),
        "{:?}",
        status.repositories
    );
    assert!(world.sample("ocird_oci_throttled_total").await >= 30);
}

#[tokio::test]
async fn a_pass_of_which_half_the_calls_are_throttled_deletes_exactly_what_is_due() {
    let mut world = ripe_shop().await;
    throttle(&world, When::Every(2));
    world.act().await;
    world.assert_shop_is_tidy();
    assert!(world.refusals().is_empty(), "{:?}", world.status().refusals);
    assert_eq!(world.status().last_pass.as_ref().unwrap().result, PassResult::Complete);
}

#[tokio::test]
async fn passes_of_which_half_the_calls_are_throttled_by_lot_delete_nothing_else() {
    let mut world = ripe_shop().await;
    throttle(&world, When::Percent { share: 50, seed: 7 });
    for _ in 0..6 {
        world.act().await;
        world.assert_nobody_misses_anything();
    }
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn a_pass_of_which_every_call_is_throttled_ends_within_minutes_and_says_why() {
    let mut world = ripe_shop().await;
    throttle(&world, When::Always);
    world.stage.server.requests().clear();
    world.act().await;
    assert_eq!(world.n_deleted(), 0);
    world
        .assert_unwell(RefusalCode::CannotObserve, "registry", "throttled, and not waited for any longer")
        .await;
    world.assert_unwell(RefusalCode::CannotObserve, "registry", "429 TooManyRequests").await;
    let seconds = seconds_of_last_pass(&world);
    assert!((30.0..=125.0).contains(&seconds), "{seconds}");
    let n_requests = world.stage.server.requests().total();
    assert!(n_requests < 100, "it is not hammered on: {n_requests}");
    world.stage.tenancy.clear_faults();
    world.act().await;
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn a_pass_that_is_throttled_from_its_middle_on_freezes_what_it_could_not_read() {
    let mut world = ripe_shop().await;
    world.stage.tenancy.inject(Operation::ListContainerImages, When::Always, BUSY);
    world.act().await;
    assert_eq!(world.n_deleted(), 0);
    world.assert_unwell(RefusalCode::Unreadable, "registry", "throttled").await;
    assert!(seconds_of_last_pass(&world) <= 125.0, "two repositories wait together");
    world.stage.tenancy.clear_faults();
    world.act().await;
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn deletions_that_are_throttled_are_not_done_and_not_taken_for_done() {
    let mut world = ripe_shop().await;
    world.stage.tenancy.inject(Operation::DeleteContainerImage, When::Always, BUSY);
    world.act().await;
    assert_eq!(world.n_deleted(), 0);
    assert_eq!(world.sample("ocird_outcomes_total{outcome=\"deleted\"}").await, 0);
    world.stage.tenancy.clear_faults();
    world.act().await;
    world.assert_shop_is_tidy();
}
