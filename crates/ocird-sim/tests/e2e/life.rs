//! Months of the two teams' life under the daemon's hand: what the policies say goes, and nobody ever misses anything.
//!
//! Once over HTTP, with the other seeds and readings of the cloud in process. A pass every three hours is enough for marks to
//! ripen and cheap enough for every build. `OCIRD_LIFE_DAYS=90 cargo test -p ocird-sim --test e2e life rollback` is
//! the long form.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use ocird::cli::Assembled;
use ocird::pass::Purpose;
use ocird_model::{ImageId, OutcomeKind};
use ocird_sim::ci::EventKind;
use ocird_sim::{EtagChanges, ListingShape, Settings};
use ocird_store::SettledIntent;
use tokio_util::sync::CancellationToken;

use crate::teams::{NEWEST, SCALED_AGE, assert_policies_bite, both_teams, days_or, journal, live_well};
use crate::world::World;

/// Asserts that the journal names exactly the images that the tenancy lost by the daemon's hand, each once.
async fn assert_every_deletion_is_journaled(world: &World) {
    let settled = journal(&world.stage).await;
    let deleted = settled.iter().filter(|settled| settled.outcome.kind == OutcomeKind::Deleted);
    let mut by_journal: Vec<ImageId> = deleted.map(|settled| settled.image.clone()).collect();
    let mut by_tenancy: Vec<ImageId> = world.deletions().into_iter().map(|deletion| deletion.image).collect();
    by_journal.sort();
    by_tenancy.sort();
    assert_eq!(by_journal, by_tenancy);
}

/// Acting passes on a world that stands still: heads go in the first, then rests only, then nothing. What a rest names
/// is a rest once that is gone: an attached artifact goes after the list that names it, which goes after its subject.
async fn assert_passes_come_to_rest(world: &World) {
    let Assembled { mut engine, shown: _ } = world.stage.assemble().unwrap();
    let mut n_deleted = vec![world.n_deleted()];
    for _ in 0..4 {
        engine.pass(Purpose::Enforce, &CancellationToken::new()).await.unwrap();
        n_deleted.push(world.n_deleted());
    }
    engine.close().await;
    assert!(n_deleted[1] > n_deleted[0], "half a day of pushes makes something due");
    assert!(n_deleted[2] > n_deleted[1], "families have more than a head");
    assert_eq!(n_deleted[4], n_deleted[3], "the last pass finds nothing");
    let later: BTreeSet<ImageId> =
        world.deletions().split_off(n_deleted[1]).into_iter().map(|deletion| deletion.image).collect();
    let journal = journal(&world.stage).await;
    let is_rest = |settled: &&SettledIntent| later.contains(&settled.image) && settled.head != settled.digest;
    assert_eq!(
        journal.iter().filter(is_rest).count(),
        later.len(),
        "every pass but the first takes rests only"
    );
}

/// Asserts that things happened for which an image can be missing.
fn assert_eventful(n_events: &BTreeMap<EventKind, usize>) {
    for kind in [EventKind::Release, EventKind::Deploy, EventKind::Rollback, EventKind::Restart] {
        assert!(n_events.contains_key(&kind), "a life without {kind:?} proves little");
    }
}

#[tokio::test]
async fn a_life_over_http_deletes_what_the_policies_say_and_nothing_that_is_needed() {
    let mut world = World::open(both_teams(1, Settings::default()));
    world.start();
    let days = days_or(30);
    let n_events = live_well(&mut world, days).await;
    assert_eventful(&n_events);
    assert!(n_events[&EventKind::Push] >= usize::try_from(7 * 2 * (days - 1)).unwrap());
    assert_policies_bite(&world.stage, NEWEST, SCALED_AGE);
    assert!(
        i64::try_from(world.n_deleted()).unwrap() > 50 * (days - 10),
        "{} images went",
        world.n_deleted()
    );
    world.stop().await;
    assert_every_deletion_is_journaled(&world).await;
    world.live(TimeDelta::hours(12)).await;
    assert_passes_come_to_rest(&world).await;
    world.assert_nobody_misses_anything();
}

/// The same life in process, with another seed and another reading of the cloud's open questions.
async fn other_lives(seed: u64, settings: Settings) {
    let mut world = World::open(both_teams(seed, Settings { seed, ..settings }));
    world.start_in_process();
    let days = days_or(24);
    assert_eventful(&live_well(&mut world, days).await);
    assert_policies_bite(&world.stage, NEWEST, SCALED_AGE);
    assert!(
        i64::try_from(world.n_deleted()).unwrap() > 30 * (days - 10),
        "{} images went",
        world.n_deleted()
    );
    world.stop().await;
    assert_every_deletion_is_journaled(&world).await;
}

#[tokio::test]
async fn a_list_of_one_row_per_image_makes_no_difference() {
    other_lives(2, Settings { shape: ListingShape::PerImage, ..Settings::default() }).await;
}

#[tokio::test]
async fn lists_that_lag_behind_pushes_and_etags_that_move_make_no_difference() {
    let settings = Settings {
        listing_lag: TimeDelta::minutes(10),
        etag: EtagChanges::TagsAndPulls,
        ..Settings::default()
    };
    other_lives(3, settings).await;
}

#[tokio::test]
async fn one_row_per_image_with_another_seed_makes_no_difference() {
    let settings = Settings {
        shape: ListingShape::PerImage,
        listing_linger: TimeDelta::hours(2),
        ..Settings::default()
    };
    other_lives(4, settings).await;
}
