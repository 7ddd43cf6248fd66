//! What stops deletion, and what lets it go on: over restarts, and only by the word of a person.

use ocird_model::{Bytes, ImageDetails, Intent, OutcomeKind, RepositoryId};
use ocird_store::{
    BatchEnd, Brakes, OpenBatch, PlanId, PlannedFamily, Pulls, Ramp, Rise, Stop, Store, StoreError,
};

use crate::world::{World, at, details, digest, image, intent, name, read, repository, tags};

/// A family of the first repository.
fn family(n: u64) -> PlannedFamily {
    PlannedFamily {
        repository: repository(1),
        repository_name: name(1),
        head: digest(n),
        image: image(n),
        tags: tags(&["v1", "v1.0"]),
        rule: "rule \"old\"".to_owned(),
        size: Some(Bytes(u64::from(n != 2) * 7)).filter(|size| size.0 > 0),
    }
}

/// A store that has seen its first repository.
async fn world() -> World {
    let world = World::new().await;
    world.store.remember(&repository(1), &name(1), &read(&[details(1, &[])]), at(0)).await.unwrap();
    world
}

async fn brakes(world: &World) -> Brakes {
    world.store.brakes().await.unwrap()
}

async fn refused(world: &World) -> Option<PlanId> {
    brakes(world).await.refused.map(|plan| plan.id)
}

#[tokio::test]
async fn a_new_store_has_nothing_against_deletion_and_no_batch_behind_it() {
    assert_eq!(brakes(&World::new().await).await, Brakes::default());
}

#[tokio::test]
async fn a_stop_stands_with_its_first_reason_over_restarts_until_a_reset() {
    let world = world().await;
    world.store.trip("three answers", at(1)).await.unwrap();
    world.store.trip("a fourth", at(2)).await.unwrap();
    world.store.freeze("v1 is needed", at(3)).await.unwrap();
    let world = world.reopened().await;
    let found = brakes(&world).await;
    assert_eq!(found.breaker, Some(Stop { at: at(1), why: "three answers".to_owned() }));
    assert_eq!(found.freeze, Some(Stop { at: at(3), why: "v1 is needed".to_owned() }));
    world.store.reset("alice", at(4)).await.unwrap();
    assert_eq!(brakes(&world.reopened().await).await, Brakes::default());
}

#[tokio::test]
async fn a_stop_is_on_record_with_who_cleared_it() {
    let world = world().await;
    world.store.trip("first", at(1)).await.unwrap();
    world.store.reset("alice", at(2)).await.unwrap();
    world.store.trip("second", at(3)).await.unwrap();
    assert_eq!(world.number("SELECT count(*) FROM stops WHERE cleared_by = 'alice'").await, 1);
    assert_eq!(brakes(&world).await.breaker.unwrap().why, "second");
    for sql in [
        "DELETE FROM stops",
        "UPDATE stops SET why = 'none'",
        "UPDATE stops SET cleared_at = NULL, cleared_by = NULL",
        "UPDATE stops SET cleared_by = 'mallory' WHERE cleared_by = 'alice'",
        "INSERT OR REPLACE INTO stops (id, kind, at, why) VALUES (1, 'freeze', 0, '')",
        "INSERT OR REPLACE INTO stops (kind, at, why) VALUES ('breaker', 0, 'none')",
    ] {
        let refused = sqlx::query(sql).execute(&mut world.raw().await).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn unexpected_answers_are_counted_over_restarts_until_a_good_one() {
    let world = world().await;
    assert_eq!(world.store.count_unexpected(at(1)).await.unwrap(), 1);
    assert_eq!(world.store.count_unexpected(at(2)).await.unwrap(), 2);
    let world = world.reopened().await;
    assert_eq!(world.store.count_unexpected(at(3)).await.unwrap(), 3);
    world.store.answered_well(at(4)).await.unwrap();
    assert_eq!(brakes(&world).await.n_unexpected, 0);
    assert_eq!(world.store.count_unexpected(at(5)).await.unwrap(), 1);
}

#[tokio::test]
async fn the_ramp_grows_by_proved_batches_and_begins_anew_after_one_that_was_not() {
    let world = world().await;
    for n_proved in 1..=2 {
        world.store.begin_batch(at(1)).await.unwrap();
        assert!(brakes(&world).await.ramp.is_open);
        world.store.end_batch(BatchEnd::Proved, at(2)).await.unwrap();
        assert_eq!(brakes(&world).await.ramp, Ramp { n_proved, is_open: false });
    }
    world.store.begin_batch(at(3)).await.unwrap();
    world.store.end_batch(BatchEnd::Empty, at(4)).await.unwrap();
    assert_eq!(brakes(&world).await.ramp, Ramp { n_proved: 2, is_open: false });
    world.store.begin_batch(at(5)).await.unwrap();
    let world = world.reopened().await;
    assert_eq!(brakes(&world).await.ramp, Ramp { n_proved: 2, is_open: true }, "it ended in a batch");
    world.store.begin_batch(at(6)).await.unwrap();
    assert_eq!(brakes(&world).await.ramp, Ramp { n_proved: 0, is_open: true });
}

#[tokio::test]
async fn what_came_of_a_batch_is_known_after_a_crash_in_it() {
    let world = world().await;
    world.settle(&intent(1, &[]), OutcomeKind::Deleted, at(1)).await;
    assert_eq!(world.store.open_batch().await.unwrap(), None);
    world.store.begin_batch(at(2)).await.unwrap();
    let open = |n_families, n_open| Some(OpenBatch { n_families, n_open });
    assert_eq!(world.store.open_batch().await.unwrap(), open(0, 0), "what went before is none of it");
    world.settle(&intent(2, &[]), OutcomeKind::Deleted, at(3)).await;
    world.settle(&intent(3, &[]), OutcomeKind::Drifted, at(3)).await;
    world.store.intend(&intent(4, &[]), at(3)).await.unwrap();
    let rest = Intent { head: intent(9, &[]).digest, ..intent(5, &[]) };
    world.settle(&rest, OutcomeKind::Deleted, at(3)).await;
    let world = world.reopened().await;
    assert_eq!(world.store.open_batch().await.unwrap(), open(1, 1), "the rest of an earlier family is none");
    world.store.end_batch(BatchEnd::Proved, at(4)).await.unwrap();
    assert_eq!(world.store.open_batch().await.unwrap(), None);
}

#[tokio::test]
async fn a_refused_plan_reads_back_and_the_same_list_keeps_its_number() {
    let world = world().await;
    let families = [family(1), family(2)];
    let id = world.store.refuse_plan("too much", &families, at(1)).await.unwrap();
    let same = [family(2), PlannedFamily { rule: "another".to_owned(), ..family(1) }];
    assert_eq!(world.store.refuse_plan("too much", &same, at(2)).await.unwrap(), id);
    let plan = brakes(&world).await.refused.unwrap();
    assert_eq!((plan.id, plan.at, &*plan.why), (id, at(1), "too much"));
    assert_eq!(plan.families, families);
    let retagged = [family(1), PlannedFamily { tags: tags(&["v2"]), ..family(2) }];
    let other = world.store.refuse_plan("too much", &retagged, at(3)).await.unwrap();
    assert!(other > id);
    assert_eq!(world.number("SELECT count(*) FROM plan_families").await, 2, "the other list is forgotten");
    world.store.withdraw_refused_plan(at(4)).await.unwrap();
    assert_eq!(refused(&world).await, None);
    assert!(world.store.refuse_plan("too much", &retagged, at(5)).await.unwrap() > other, "never used twice");
}

#[tokio::test]
async fn an_approval_is_of_the_list_that_waits_and_of_no_other() {
    let world = world().await;
    let first = world.store.refuse_plan("too much", &[family(1)], at(1)).await.unwrap();
    let second = world.store.refuse_plan("more", &[family(1), family(2)], at(2)).await.unwrap();
    let unseen = world.store.approve(first, "alice", at(3)).await.unwrap_err();
    assert!(matches!(unseen, StoreError::NotWaiting { plan } if plan == first), "{unseen}");
    assert_eq!(brakes(&world).await.approval, None);
    world.store.approve(second, "alice", at(3)).await.unwrap();
    let world = world.reopened().await;
    let found = brakes(&world).await;
    assert_eq!(found.refused, None);
    let approval = found.approval.unwrap();
    assert_eq!((approval.plan.id, approval.at, &*approval.by), (second, at(3), "alice"));
    assert_eq!(approval.plan.families, [family(1), family(2)]);
    assert_eq!(world.store.approve(second, "bob", at(4)).await.unwrap_err().kind(), "not_waiting");
    assert_eq!(brakes(&world).await.approval.unwrap().by, "alice", "a refused approval changes nothing");
}

#[tokio::test]
async fn an_approval_ends_by_word_by_another_and_by_a_reset() {
    let world = world().await;
    for (n, end) in [(1, "word"), (2, "another"), (3, "reset")] {
        let id = world.store.refuse_plan("too much", &[family(n)], at(1)).await.unwrap();
        world.store.approve(id, "alice", at(2)).await.unwrap();
        match end {
            "word" => world.store.end_approval("all of it is gone", at(3)).await.unwrap(),
            "another" => {
                let other = world.store.refuse_plan("more", &[family(9)], at(3)).await.unwrap();
                world.store.approve(other, "bob", at(3)).await.unwrap();
                assert_eq!(brakes(&world).await.approval.unwrap().by, "bob");
            }
            _ => world.store.reset("alice", at(3)).await.unwrap(),
        }
        assert_eq!(brakes(&world).await.approval.is_some(), end == "another", "{end}");
    }
    assert_eq!(world.number("SELECT count(*) FROM plans WHERE ended_at IS NOT NULL").await, 4);
}

#[tokio::test]
async fn what_was_approved_stays_as_it_was_approved() {
    let world = world().await;
    let id = world.store.refuse_plan("too much", &[family(1)], at(1)).await.unwrap();
    world.store.approve(id, "alice", at(2)).await.unwrap();
    for sql in [
        "DELETE FROM plans",
        "UPDATE plans SET approved_by = 'mallory'",
        "UPDATE plans SET approved_at = NULL, approved_by = NULL",
        "UPDATE plans SET why = 'little'",
        "INSERT OR REPLACE INTO plans (id, refused_at, why) VALUES (1, 0, '')",
        "DELETE FROM plan_families",
        "UPDATE plan_families SET tags = '[]'",
        "INSERT INTO plan_families VALUES (1, 1, zeroblob(32), 'mgh-1', 'i', '[]', 'r', NULL)",
    ] {
        let refused = sqlx::query(sql).execute(&mut world.raw().await).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{sql}: {refused}");
    }
    world.store.withdraw_refused_plan(at(3)).await.unwrap();
    assert_eq!(brakes(&world).await.approval.unwrap().plan.families, [family(1)]);
}

#[tokio::test]
async fn a_reset_forgets_a_time_that_lies_ahead_and_no_other() {
    let world = world().await;
    world.store.freeze("the clock ran ahead", at(1_000_000)).await.unwrap();
    assert_eq!(world.store.newest_time().await.unwrap(), Some(at(1_000_000)));
    world.store.reset("alice", at(5)).await.unwrap();
    assert_eq!(world.store.newest_time().await.unwrap(), Some(at(5)));
}

#[tokio::test]
async fn a_reset_makes_new_what_was_first_seen_by_a_clock_that_was_ahead() {
    let world = world().await;
    let ahead = at(1_000_000);
    world.store.remember(&repository(2), &name(2), &read(&[details(2, &[])]), ahead).await.unwrap();
    world.store.reset("alice", at(5)).await.unwrap();
    let first_seen = async |n| world.store.known(&repository(n)).await.unwrap().first_seen_at;
    assert_eq!((first_seen(1).await, first_seen(2).await), (Some(at(0)), Some(at(5))));
}

#[tokio::test]
async fn a_pull_that_a_clock_ahead_of_its_time_saw_is_one_of_the_moment_at_which_the_clock_is_believed() {
    let world = world().await;
    let remember = async |n_pulls, now| {
        let image = ImageDetails { n_pulls, ..details(3, &[]) };
        world.store.remember(&repository(1), &name(1), &read(&[image]), now).await.unwrap();
    };
    let ahead = at(1_000_000);
    remember(7, at(1)).await;
    remember(8, ahead).await;
    let rose = async || world.store.pulls(&image(3)).await.unwrap().unwrap().rose;
    assert_eq!(rose().await, Some(Rise { after: at(1), seen_at: ahead }));
    // Whoever resets may do so while the clock is behind.
    world.store.reset("alice", at(2)).await.unwrap();
    assert_eq!(rose().await, Some(Rise { after: at(1), seen_at: ahead }));
    world.store.doubt_clock(None, at(5)).await.unwrap();
    assert_eq!(rose().await, Some(Rise { after: at(1), seen_at: at(5) }));
    assert_eq!(world.store.known(&repository(1)).await.unwrap().images[&image(3)].read_at, at(5));
}

#[tokio::test]
async fn a_restored_store_keeps_its_stops_and_forgets_what_it_was_trusted_with() {
    let world = world().await;
    let id = world.store.refuse_plan("too much", &[family(1)], at(1)).await.unwrap();
    world.store.approve(id, "alice", at(2)).await.unwrap();
    world.store.begin_batch(at(3)).await.unwrap();
    world.store.end_batch(BatchEnd::Proved, at(4)).await.unwrap();
    world.store.trip("three answers", at(5)).await.unwrap();
    world.store.close().await;
    let file = world.dir.path().join("ocird.db");
    let copy = std::fs::read(&file).unwrap();
    Store::open(world.dir.path(), at(6)).await.unwrap().close().await;
    std::fs::write(&file, copy).unwrap();
    let store = Store::open(world.dir.path(), at(7)).await.unwrap();
    let found = store.brakes().await.unwrap();
    assert_eq!((found.ramp, found.approval), (Ramp::default(), None));
    assert!(found.breaker.is_some());
}

#[tokio::test]
async fn a_plan_of_a_repository_that_was_never_seen_is_an_error() {
    let world = World::new().await;
    let unseen: Result<PlanId, StoreError> = world.store.refuse_plan("too much", &[family(1)], at(1)).await;
    assert!(matches!(unseen, Err(StoreError::UnknownRepository { repository: of }) if of == first()));
    assert_eq!(refused(&world).await, None);
}

fn first() -> RepositoryId {
    repository(1)
}

#[tokio::test]
async fn pulls_are_known_by_the_last_read_and_not_of_what_is_gone() {
    let world = world().await;
    let store = &world.store;
    let pulls = async || store.pulls(&image(1)).await.unwrap().map(|Pulls { n, rose }| (n, rose));
    let reread = async |n_pulls, minute| {
        let now = ImageDetails { n_pulls, ..details(1, &[]) };
        store.remember(&repository(1), &name(1), &read(&[now]), at(minute)).await.unwrap();
    };
    assert_eq!(pulls().await, Some((7, None)));
    assert_eq!(store.pulls(&image(2)).await.unwrap(), None);
    reread(7, 1).await;
    assert_eq!(pulls().await, Some((7, None)), "it has not risen");
    reread(8, 2).await;
    let rose = Some(Rise { after: at(1), seen_at: at(2) });
    assert_eq!(pulls().await, Some((8, rose)));
    reread(8, 3).await;
    assert_eq!(pulls().await, Some((8, rose)), "it has not risen since");
    world.see(&[], at(4)).await;
    assert_eq!(pulls().await, None);
}

#[tokio::test]
async fn a_freeze_that_says_more_stands_on() {
    let world = world().await;
    let why = async || world.store.brakes().await.unwrap().freeze.map(|freeze| freeze.why);
    world.store.freeze("gone", at(1)).await.unwrap();
    world.store.freeze_says("something else", "nothing", at(2)).await.unwrap();
    assert_eq!(why().await.as_deref(), Some("gone"));
    world.store.freeze_says("gone", "gone, and back", at(3)).await.unwrap();
    assert_eq!(why().await.as_deref(), Some("gone, and back"));
    assert_eq!(world.number("SELECT count(*) FROM stops").await, 2);
}
