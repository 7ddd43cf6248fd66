//! Months of the two teams' life under the daemon's hand: what the policies say goes, and nobody ever misses anything.
//!
//! The second team's policy is scaled to the length of a test (30 days where the delivered one says 90); the first
//! team's is the delivered one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use ocird::cli::Assembled;
use ocird::pass::Purpose;
use ocird_model::{Digest, ImageId, OutcomeKind, RepositoryName};
use ocird_sim::ci::{EventKind, Knobs};
use ocird_sim::http::Options;
use ocird_sim::stage::{Play, Stage};
use ocird_sim::{EtagChanges, ListingShape, Settings};
use ocird_store::{SettledIntent, Store};
use tokio_util::sync::CancellationToken;

use crate::world::World;

const MGH: &str = include_str!("../../../../deploy/policies.d/mgh.toml");
const TODO: &str = include_str!("../../../../deploy/policies.d/todo.toml");

/// The oldest build of the second team that stays, in days.
const TODO_DAYS: i64 = 30;

/// From the pass that first selects a family to the one that deletes it: the grace, and the six hours between acting
/// passes at either end.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(24 + 12);

/// Both teams, with a pass every three hours of which every other one acts.
fn both_teams(seed: u64, settings: Settings) -> World {
    let todo = TODO
        .replace("newer_than = \"30d\"", "newer_than = \"14d\"")
        .replace("older_than = \"90d\"", &format!("older_than = \"{TODO_DAYS}d\""));
    World::open(Play {
        settings,
        knobs: Knobs { seed, ..Knobs::default() },
        options: Options { token_lifetime: TimeDelta::days(30), ..Options::default() },
        policies: vec![("mgh.toml".to_owned(), MGH.to_owned()), ("todo.toml".to_owned(), todo)],
        observe: "0 */6 * * *".to_owned(),
        enforce: "0 3,9,15,21 * * *".to_owned(),
        ..Play::default()
    })
}

/// Lets days pass and asserts that every deployment, restart and rollback found its image. Answers the number of
/// events of each kind.
async fn live_well(world: &mut World, days: i64) -> BTreeMap<EventKind, usize> {
    let mut n_events = BTreeMap::new();
    let mut failures = Vec::new();
    let end = world.stage.tenancy.now() + TimeDelta::days(days);
    let tell = |event: &ocird_sim::ci::Event| {
        *n_events.entry(event.kind).or_default() += 1;
        if event.kind == EventKind::Failure {
            failures.push(event.to_string());
        }
    };
    world.stage.live_until(end, tell).await.unwrap();
    assert!(failures.is_empty(), "{failures:#?}");
    world.assert_nobody_misses_anything();
    for kind in [EventKind::Push, EventKind::Release, EventKind::Deploy, EventKind::Rollback, EventKind::Restart] {
        assert!(n_events.contains_key(&kind), "a life without {kind:?} proves little");
    }
    n_events
}

/// A head that bears a tag of its own, as the tenancy has it.
struct Head {
    digest: Digest,
    tags: BTreeSet<String>,
    newest: DateTime<Utc>,
}

/// The tagged heads of a repository, newest first, read from the tenancy and by none of ocird's code.
fn heads(stage: &Stage, repository: &RepositoryName) -> Vec<Head> {
    let tenancy = &stage.tenancy;
    let mut heads = BTreeMap::new();
    for tag in tenancy.list_tags(repository).unwrap() {
        if tag.as_str().starts_with("sha256-") {
            continue;
        }
        let digest = tenancy.manifest_head(repository, &ocird_sim::Reference::Tag(tag.clone())).unwrap().digest;
        let view = tenancy.get_image(&tenancy.find(repository, &digest).unwrap()).unwrap();
        let newest = view.tags.iter().map(|tag| tag.created_at).chain([view.created_at]).max().unwrap();
        let head = heads.entry(digest).or_insert(Head { digest, tags: BTreeSet::new(), newest });
        head.tags.insert(tag.to_string());
    }
    let mut heads: Vec<Head> = heads.into_values().collect();
    heads.sort_by_key(|head| std::cmp::Reverse(head.newest));
    heads
}

impl Head {
    /// True when the ground truth or a tag of the policies' first rules holds it.
    fn is_held(&self, needed: &BTreeSet<Digest>) -> bool {
        let is_channel = |tag: &String| ["latest", "prod", "staging"].contains(&tag.as_str());
        needed.contains(&self.digest) || self.tags.iter().any(is_channel)
    }
}

/// Asserts that what is left is what the policies leave: nothing that should have gone by now.
fn assert_policies_bite(stage: &Stage) {
    let (tenancy, now) = (&stage.tenancy, stage.tenancy.now());
    let needed: BTreeSet<Digest> = tenancy.needed().into_keys().map(|(_, digest)| digest).collect();
    for name in ["mgh-admin-backend", "mgh-admin-frontend", "mgh-website", "mgh-docs"] {
        let heads = heads(stage, &name.parse().unwrap());
        assert!(heads.len() >= 10, "{name} keeps its newest ten");
        // Two pushes a day: three families may be within the wait, and one for a rebuild that moved a place.
        let beyond = heads.iter().skip(10).filter(|head| !head.is_held(&needed)).count();
        assert!(beyond <= 4, "{name} has {beyond} heads beyond the newest ten that nothing holds");
    }
    for name in ["todo-api", "todo-web", "todo-worker"] {
        let heads = heads(stage, &name.parse().unwrap());
        let too_old = |head: &&Head| now - head.newest > TimeDelta::days(TODO_DAYS) + LONGEST_WAIT;
        let left: Vec<_> =
            heads.iter().filter(too_old).filter(|head| !head.is_held(&needed)).map(|head| &head.tags).collect();
        assert!(left.is_empty(), "{name} has old builds that nothing holds: {left:?}");
        assert!(heads.len() >= 28, "{name} keeps what is younger than two weeks");
    }
}

async fn journal(stage: &Stage) -> Vec<SettledIntent> {
    let store = Store::open(&stage.state_dir(), stage.tenancy.now()).await.unwrap();
    let settled = store.recent_outcomes(u32::MAX).await.unwrap();
    assert!(store.open_intents().await.unwrap().is_empty());
    store.close().await;
    settled
}

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

/// Three acting passes on a world that stands still: heads, then rests of their families only, then nothing.
async fn assert_passes_come_to_rest(world: &World) {
    let Assembled { mut engine, shown: _ } = world.stage.assemble().unwrap();
    let before = world.n_deleted();
    let mut n_deleted = Vec::new();
    for _ in 0..3 {
        engine.pass(Purpose::Enforce, &CancellationToken::new()).await.unwrap();
        n_deleted.push(world.n_deleted());
    }
    engine.close().await;
    assert!(n_deleted[0] > before, "half a day of pushes makes something due");
    assert!(n_deleted[1] > n_deleted[0], "families have more than a head");
    assert_eq!(n_deleted[2], n_deleted[1], "the third pass finds nothing");
    let second: BTreeSet<Digest> =
        world.deletions()[n_deleted[0]..].iter().map(|deletion| deletion.digest).collect();
    let journal = journal(&world.stage).await;
    let is_rest = |settled: &&SettledIntent| second.contains(&settled.digest) && settled.head != settled.digest;
    assert_eq!(journal.iter().filter(is_rest).count(), second.len(), "the second pass takes rests only");
}

#[tokio::test]
async fn ninety_days_over_http_delete_what_the_policies_say_and_nothing_that_is_needed() {
    let mut world = both_teams(1, Settings::default());
    world.start();
    let n_events = live_well(&mut world, 90).await;
    assert!(n_events[&EventKind::Push] >= 7 * 2 * 89);
    assert_policies_bite(&world.stage);
    assert!(world.n_deleted() > 2500, "{} images went", world.n_deleted());
    world.stop().await;
    assert_every_deletion_is_journaled(&world).await;
    world.live(TimeDelta::hours(12)).await;
    assert_passes_come_to_rest(&world).await;
    world.assert_nobody_misses_anything();
}

/// The same life in process, with another seed and another reading of the cloud's open questions.
async fn other_lives(seed: u64, settings: Settings) {
    let mut world = both_teams(seed, Settings { seed, ..settings });
    world.start_in_process();
    live_well(&mut world, 45).await;
    assert_policies_bite(&world.stage);
    assert!(world.n_deleted() > 900, "{} images went", world.n_deleted());
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
    let settings = Settings { shape: ListingShape::PerImage, listing_linger: TimeDelta::hours(2), ..Settings::default() };
    other_lives(4, settings).await;
}
