//! Holds: on record from one pass to the next, released once, never removed.

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Hold, HoldOn};
use ocird_store::Glance;

use crate::world::{World, at, digest, name, tag};

fn hold(on: HoldOn, until: Option<DateTime<Utc>>) -> Hold {
    Hold { on, by: "ada".into(), why: "the audit".into(), since: at(1), until }
}

fn on_tag() -> Hold {
    hold(HoldOn::Tag(tag("v1")), None)
}

fn on_digest() -> Hold {
    hold(HoldOn::Digest(digest(1)), Some(at(99)))
}

#[tokio::test]
async fn holds_read_back_in_their_order_after_a_restart_and_for_onlookers() {
    let world = World::new().await;
    let placed = [(name(1), on_digest()), (name(1), on_tag()), (name(2), on_tag())];
    world.store.place_holds(&placed, at(1)).await.unwrap();
    let world = world.reopened().await;
    let read = world.store.holds().await.unwrap();
    assert_eq!(read[&name(1)], [on_digest(), on_tag()]);
    assert_eq!(read[&name(2)], [on_tag()]);
    assert_eq!(world.store.holds_of(&name(1)).await.unwrap(), read[&name(1)]);
    assert_eq!(world.store.holds_of(&name(3)).await.unwrap(), []);
    let glance = Glance::open(world.dir.path()).await.unwrap().unwrap();
    assert_eq!(glance.holds_ever().await.unwrap(), read);
}

#[tokio::test]
async fn a_hold_that_has_ended_is_handed_out_for_others_to_judge() {
    let world = World::new().await;
    world.store.place_holds(&[(name(1), on_digest())], at(1)).await.unwrap();
    world.store.check_writable().await.unwrap();
    assert!(!on_digest().is_in_force(at(100)));
    assert_eq!(world.store.holds_of(&name(1)).await.unwrap(), [on_digest()]);
}

#[tokio::test]
async fn a_release_ends_every_hold_on_the_same_and_no_other() {
    let world = World::new().await;
    let longer = Hold { until: None, ..on_digest() };
    let other = hold(HoldOn::Digest(digest(2)), None);
    let placed = [on_digest(), longer, other.clone(), on_tag()].map(|hold| (name(1), hold));
    world.store.place_holds(&placed, at(1)).await.unwrap();
    world.store.place_holds(&[(name(2), on_digest())], at(1)).await.unwrap();
    let on = HoldOn::Digest(digest(1));
    assert_eq!(world.store.release_holds(&name(1), &on, "eve", at(2)).await.unwrap(), 2);
    assert_eq!(world.store.release_holds(&name(1), &on, "eve", at(3)).await.unwrap(), 0);
    let read = world.store.holds().await.unwrap();
    assert_eq!(read[&name(1)], [other.clone(), on_tag()]);
    assert_eq!(read[&name(2)], [on_digest()]);
    let until = Some(at(2));
    let ended = [Hold { until, ..on_digest() }, Hold { until, ..on_digest() }, other, on_tag()];
    assert_eq!(world.store.holds_ever().await.unwrap()[&name(1)], ended);
    assert_eq!(world.number("SELECT count(*) FROM holds WHERE released_by = 'eve'").await, 2);
}

#[tokio::test]
async fn the_file_refuses_to_lose_or_change_a_hold() {
    let world = World::new().await;
    world.store.place_holds(&[(name(1), on_digest())], at(1)).await.unwrap();
    for statement in [
        "DELETE FROM holds",
        "UPDATE holds SET until = 0",
        "UPDATE holds SET until = 0, released_at = 1, released_by = 'eve'",
        "UPDATE holds SET released_at = 1",
    ] {
        sqlx::query(statement).execute(&mut world.raw().await).await.unwrap_err();
    }
    assert_eq!(world.store.holds_of(&name(1)).await.unwrap(), [on_digest()]);
}

#[tokio::test]
async fn a_hold_lasts_to_the_millisecond() {
    let world = World::new().await;
    let until = at(1) + TimeDelta::milliseconds(7);
    world.store.place_holds(&[(name(1), hold(HoldOn::Digest(digest(1)), Some(until)))], at(1)).await.unwrap();
    assert_eq!(world.store.holds_of(&name(1)).await.unwrap()[0].until, Some(until));
}
