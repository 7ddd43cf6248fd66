//! What production runs is never deleted, and neither is what a rollback goes back to, although the hosts' files name only what
//! runs: ocird's own history knows the rest. And the same life without any of it, so that the first half says something.
//!
//! `OCIRD_LIFE_DAYS=90 cargo test -p ocird-sim --test e2e rollback -- --nocapture` is the long form, and prints both figures.

use chrono::TimeDelta;
use ocird_model::{Digest, UseKind};
use ocird_sim::ci::{Event, EventKind};
use ocird_sim::stage::Play;
use ocird_sim::{Settings, Violation};

use crate::teams::{both_teams, days_or, live_well};
use crate::world::{HOST, SHOP_POLICY, World, name, play, shop_of};

/// Enough for builds to leave the policies' newest while they run or may be rolled back to.
fn days() -> i64 {
    days_or(16)
}

/// Hosts as `ocird collect` writes for them: no word of rollbacks.
fn settings() -> Settings {
    Settings { writes_rollbacks: false, ..Settings::default() }
}

/// Both teams under policies that keep little by themselves: what is needed beyond it, only in-use can hold.
fn lean_teams() -> Play {
    let lean = |project: &str, repositories: &str| {
        format!(
            "project = \"{project}\"\nrepositories = [\"{repositories}\"]\n\
             [[keep]]\nname = \"newest\"\nnewest = 3\n\
             [[delete]]\nname = \"the rest\"\ntagged = true\n\
             [[delete]]\nname = \"untagged\"\ntagged = false\nolder_than = \"2d\"\n"
        )
    };
    let policies =
        vec![("mgh.toml".to_owned(), lean("mgh", "mgh-*")), ("todo.toml".to_owned(), lean("todo", "todo-*"))];
    Play {
        policies,
        observe: "0 * * * *".to_owned(),
        enforce: "30 */6 * * *".to_owned(),
        ..both_teams(1, settings())
    }
}

#[tokio::test]
async fn every_deployment_restart_and_rollback_of_both_teams_finds_its_image() {
    let mut world = World::open(lean_teams());
    world.start_in_process();
    let n_events = live_well(&mut world, days()).await;
    for kind in [EventKind::Deploy, EventKind::Rollback, EventKind::Restart] {
        assert!(n_events.contains_key(&kind), "a life without {kind:?} proves little");
    }
    assert!(world.n_deleted() > 100, "{} images went", world.n_deleted());
    println!(
        "{} days with in-use: {n_events:?}, {} images went, nobody missed one",
        days(),
        world.n_deleted()
    );
}

#[tokio::test]
async fn without_in_use_the_same_life_fails() {
    let mut world = World::open(lean_teams());
    world.edit_config(
        "[[in_use.files]]\npath = \"in-use/*.json\"\nrepositories = [\"*\"]\n",
        "accept_none = true\n",
    );
    world.start_in_process();
    let (mut n_tried, mut n_failed) = (0, 0);
    let end = world.stage.tenancy.now() + TimeDelta::days(days());
    let tell = |event: &Event| match event.kind {
        EventKind::Failure => n_failed += 1,
        EventKind::Deploy | EventKind::Restart | EventKind::Rollback => n_tried += 1,
        _ => {}
    };
    world.stage.live_until(end, tell).await.unwrap();
    let wrong = world.stage.tenancy.violations();
    let n_wrong =
        wrong.iter().filter(|violation| matches!(violation, Violation::WrongDeletion { .. })).count();
    println!(
        "{} days without in-use: {n_failed} failed and {n_tried} did not, {n_wrong} wrong deletions",
        days()
    );
    assert!(n_wrong > 0, "the oracle counts what in-use would have held");
    assert!(n_failed > 0, "somebody misses an image");
}

/// The shop, of which `web` has run `v2` and runs `v8` now.
async fn shop_after_a_deployment() -> World {
    let mut world = shop_of(Play { settings: settings(), ..play(SHOP_POLICY) });
    world.start();
    world.live(TimeDelta::hours(3)).await;
    world.run_again("shop-web", "v8");
    world
}

impl World {
    /// Deploys another image of the same workload. The host's timer writes it down.
    fn run_again(&mut self, repository: &str, of_tag: &str) -> Digest {
        let reference = ocird_sim::Reference::Tag(of_tag.parse().unwrap());
        self.stage.tenancy.deploy(HOST, "web", &name(repository), reference).unwrap()
    }
}

#[tokio::test]
async fn what_ran_before_the_last_deployment_stays_for_a_rollback() {
    let mut world = shop_after_a_deployment().await;
    world.live(TimeDelta::hours(40)).await;
    assert!(world.n_deleted() > 0);
    assert_eq!(world.tags("shop-web"), ["v2", "v5", "v6", "v7", "v8"]);
    let status = world.status();
    let previous = status.uses.iter().find(|used| used.kind == UseKind::Previous).unwrap();
    assert!(previous.by.starts_with("container web on shop-1 ran it until"), "{previous:?}");
    assert!(world.page("/status").await.contains("for a rollback:"));
    world.stage.tenancy.rollback(HOST, "web").unwrap().unwrap();
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn the_history_of_what_ran_survives_a_restart() {
    let mut world = shop_after_a_deployment().await;
    world.live(TimeDelta::hours(2)).await;
    world.stop().await;
    world.start();
    world.live(TimeDelta::hours(40)).await;
    assert_eq!(world.tags("shop-web"), ["v2", "v5", "v6", "v7", "v8"]);
}

#[tokio::test]
async fn a_host_whose_file_is_removed_freezes_what_it_covers() {
    let mut world = shop_of(Play { settings: settings(), ..play(SHOP_POLICY) });
    let second = world.stage.reference_file("shop-2");
    let first = std::fs::read_to_string(world.stage.reference_file(HOST)).unwrap();
    std::fs::write(&second, first.replace("shop-1", "shop-2")).unwrap();
    world.start();
    world.live(TimeDelta::hours(2)).await;
    std::fs::remove_file(&second).unwrap();
    world.live(TimeDelta::hours(40)).await;
    assert_eq!(world.n_deleted(), 0);
    let code = ocird::status::RefusalCode::InUseUnknown;
    world.assert_unwell(code, "in_use", "host shop-2 wrote at").await;
}
