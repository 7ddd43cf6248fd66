//! Much that is due at once waits for an approval, and then goes in small parts (S-19).

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use ocird::status::RefusalCode;
use ocird_sim::ci::Knobs;
use ocird_sim::stage::Play;

use crate::teams::{
    DELIVERED_AGE, NEWEST_WHEN_SHORT, assert_policies_bite, journal, live_well, under_delivered_policies,
};
use crate::world::World;

/// Families of one day, less than four acting passes of fifty would take.
const MAX_PER_DAY: usize = 120;
/// Families of one pass: what is delivered.
const MAX_PER_PASS: usize = 50;

#[tokio::test]
async fn a_backlog_of_four_months_goes_by_an_approval_within_the_limits_of_each_day() {
    let play = under_delivered_policies();
    let knobs = Knobs { pushes_per_day: 1, ..play.knobs };
    let mut world = World::open(Play { knobs, backlog_days: 120, ..play });
    world.edit_config("[schedule]", &format!("[limits]\nmax_per_day = {MAX_PER_DAY}\n[schedule]"));
    world.trust().await;
    world.start_in_process();
    world.live(TimeDelta::hours(28)).await;
    world.assert_refuses(RefusalCode::TooMuch).await;
    assert_eq!(world.n_deleted(), 0);
    world.stop().await;
    let (store, now) = (world.store().await, world.stage.tenancy.now());
    let refused = store.brakes().await.unwrap().refused.unwrap();
    assert!(refused.families.len() > 200, "{}", refused.families.len());
    store.approve(refused.id, "alice", now).await.unwrap();
    store.close().await;
    world.start_in_process();
    world.live(TimeDelta::hours(7)).await;
    world.assert_refuses(RefusalCode::Deferred).await;
    live_well(&mut world, 10).await;
    assert_policies_bite(&world.stage, NEWEST_WHEN_SHORT, DELIVERED_AGE);
    world.stop().await;
    assert_limits_were_kept(&heads_by_time(&world).await);
}

/// When the head of each family was asked for.
async fn heads_by_time(world: &World) -> Vec<DateTime<Utc>> {
    let journal = journal(&world.stage).await;
    let heads = journal.iter().filter(|settled| settled.head == settled.digest);
    let mut times: Vec<DateTime<Utc>> = heads.map(|settled| settled.intended_at).collect();
    times.sort_unstable();
    times
}

fn assert_limits_were_kept(times: &[DateTime<Utc>]) {
    let mut n_at = BTreeMap::<DateTime<Utc>, usize>::new();
    for at in times {
        *n_at.entry(*at).or_default() += 1;
    }
    assert_eq!(n_at.values().max(), Some(&MAX_PER_PASS), "a pass takes what it may, and no more");
    let in_the_day_to =
        |at: &DateTime<Utc>| n_at.range(*at - TimeDelta::hours(24)..=*at).map(|(_, n)| n).sum();
    let fullest: Option<usize> = n_at.keys().map(in_the_day_to).max();
    assert_eq!(fullest, Some(MAX_PER_DAY), "so does a day");
}
