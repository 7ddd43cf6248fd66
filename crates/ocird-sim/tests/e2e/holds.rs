//! Holds: what a person holds stays, also when the hold comes while a pass acts (S-27).

use chrono::TimeDelta;
use ocird::undo::{HoldOrder, UndoError, hold, release};
use ocird_model::HoldOn;
use ocird_sim::{Fault, Operation, When};

use crate::world::{N_DUE, World, name, ripe_shop};

/// How long the slow deletion takes, by the tenancy's clock.
const SLOW: TimeDelta = TimeDelta::minutes(1);

fn order(image: &str, hold_for: Option<TimeDelta>) -> HoldOrder {
    HoldOrder { image: image.parse().unwrap(), hold_for, by: "ada".to_owned(), why: "the audit".to_owned() }
}

async fn place(world: &mut World, image: &str, hold_for: Option<TimeDelta>) {
    world
        .meanwhile(async |store, now| {
            assert!(hold(store, &order(image, hold_for), now).await.unwrap().is_on_something);
        })
        .await;
}

#[tokio::test]
async fn what_is_held_stays_until_the_hold_ends_and_then_goes_after_a_new_grace() {
    let mut world = ripe_shop().await;
    place(&mut world, "shop-api:v1", Some(TimeDelta::days(3))).await;
    world.act().await;
    assert_eq!(world.n_deleted(), N_DUE - 1);
    assert_eq!(world.status().repositories[&name("shop-api")].verdicts.get("held"), Some(&1));
    world.live(TimeDelta::days(3) + TimeDelta::hours(20)).await;
    assert!(world.tags("shop-api").contains(&"v1".to_owned()), "the grace began with the end of the hold");
    world.live(TimeDelta::hours(8)).await;
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn a_hold_on_a_digest_holds_until_it_is_released() {
    let mut world = ripe_shop().await;
    let digest = world.digest("shop-api", "v1");
    place(&mut world, &format!("shop-api@{}", digest.short()), None).await;
    world.live(TimeDelta::days(20)).await;
    assert_eq!(world.n_deleted(), N_DUE - 1);
    world
        .meanwhile(async |store, now| {
            let image = format!("shop-api@{digest}").parse().unwrap();
            let released = release(store, &image, "ada", now).await.unwrap();
            assert_eq!(released.holds[0].on, HoldOn::Digest(digest));
            assert!(matches!(release(store, &image, "ada", now).await, Err(UndoError::NotHeld { .. })));
        })
        .await;
    world.live(TimeDelta::hours(26)).await;
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn a_hold_that_is_placed_while_a_pass_acts_stops_the_deletion() {
    let mut world = ripe_shop().await;
    world.stage.tenancy.inject(
        Operation::DeleteContainerImage,
        When::Call(1),
        Fault::Slow(SLOW.to_std().unwrap()),
    );
    world.live(TimeDelta::minutes(20) + SLOW / 2).await;
    assert_eq!(world.n_deleted(), 0, "the first deletion is under way");
    // The daemon's own store is open: another connection stands for the admin socket, which shares it.
    let path = world.stage.state_dir().join("ocird.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut file = <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options).await.unwrap();
    let held =
        "INSERT INTO holds (repository, tag, placed_by, why, since) VALUES ('shop-web', 'v4', 'ada', '', 0)";
    sqlx::query(held).execute(&mut file).await.unwrap();
    world.live(SLOW).await;
    assert_eq!(world.n_deleted(), N_DUE - 1, "all others went");
    assert!(world.tags("shop-web").contains(&"v4".to_owned()));
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn what_nobody_knows_cannot_be_held() {
    let mut world = ripe_shop().await;
    world
        .meanwhile(async |store, now| {
            let refused =
                async |image: &str, hold_for| hold(store, &order(image, hold_for), now).await.unwrap_err();
            assert!(matches!(refused("shop-none:v1", None).await, UndoError::UnknownRepository { .. }));
            assert!(matches!(refused("shop-api@0000000", None).await, UndoError::UnknownImage { .. }));
            let no_time = refused("shop-api:v1", Some(TimeDelta::zero())).await;
            assert!(matches!(no_time, UndoError::NoTime));
            let waiting = hold(store, &order("shop-api:v99", None), now).await.unwrap();
            assert!(!waiting.is_on_something, "a tag may be held before anything has it");
        })
        .await;
}
