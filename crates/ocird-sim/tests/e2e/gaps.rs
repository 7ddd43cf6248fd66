//! A missed night is caught up without help (S-9): the first pass after it only observes.

use chrono::TimeDelta;
use ocird::status::RefusalCode;
use ocird_sim::stage::Timers;
use ocird_sim::{Fault, When};

use crate::world::{World, ripe_shop};

/// Asserts that the first pass after the gap only observes, and that everything due goes in the next.
async fn assert_caught_up(mut world: World) {
    assert_eq!(world.n_deleted(), 0);
    world.live(TimeDelta::hours(2)).await;
    world.assert_shop_is_tidy();
    assert!(world.refusals().is_empty(), "{:?}", world.status().refusals);
}

#[tokio::test]
async fn ten_hours_without_the_daemon_are_caught_up() {
    let mut world = ripe_shop().await;
    world.stop().await;
    world.live(TimeDelta::hours(10)).await;
    world.start();
    world.live(TimeDelta::minutes(1)).await;
    world.assert_refuses(RefusalCode::Observing).await;
    assert_caught_up(world).await;
}

#[tokio::test]
async fn ten_hours_without_the_cloud_are_caught_up() {
    let mut world = ripe_shop().await;
    world.stage.tenancy.inject(None, When::Always, Fault::Dropped);
    world.live(TimeDelta::hours(10)).await;
    world.assert_unwell(RefusalCode::CannotObserve, "registry", "cannot list").await;
    assert_eq!(world.health("passes").await.0, "failed");
    world.stage.tenancy.clear_faults();
    // The next pass is an acting one, at half past, and it is the first after the gap.
    world.act().await;
    world.assert_refuses(RefusalCode::Observing).await;
    assert_caught_up(world).await;
}

#[tokio::test]
async fn after_three_days_away_what_is_due_waits_a_grace_although_hosts_were_silent_at_first() {
    let mut world = ripe_shop().await;
    world.stop().await;
    world.stage.hosts = Timers::StandStill;
    world.live(TimeDelta::days(3)).await;
    world.start();
    world.live(TimeDelta::minutes(5)).await;
    world.assert_refuses(RefusalCode::InUseUnknown).await;
    world.stage.hosts = Timers::Run;
    world.live(TimeDelta::hours(20)).await;
    assert_eq!(world.n_deleted(), 0, "a grace has not passed since anybody looked");
    world.live(TimeDelta::hours(8)).await;
    world.assert_shop_is_tidy();
}
