//! The first batches of a store are small, each only after a clean proof of the one before (S-20).

use chrono::TimeDelta;
use ocird::status::RefusalCode;
use ocird_sim::manifest::Platform;
use ocird_sim::{Fault, Operation, Reference, When};

use crate::world::{SHOP_POLICY, World, name, play, tag};

/// Families that are due in the shop of this file: six in each of four repositories.
const N_DUE: usize = 24;

/// Four repositories of ten builds each, of which the newest four stay, shortly before a store that nobody trusts yet acts.
async fn untrusted_shop() -> World {
    let mut world = World::open(play(SHOP_POLICY));
    let names = ["shop-a", "shop-b", "shop-c", "shop-d"];
    for name in names {
        world.create(name);
    }
    for number in 1..=10 {
        for name in names {
            world.push(name, &format!("v{number}"));
        }
    }
    world.stage.tenancy.clock().advance(TimeDelta::days(1));
    world.run("shop-a", "v10");
    world.start();
    world.live(TimeDelta::hours(24) + TimeDelta::minutes(10)).await;
    world
}

/// How many go in each of the next acting passes.
async fn batches<const N: usize>(world: &mut World) -> [usize; N] {
    let mut sizes = [0; N];
    for size in &mut sizes {
        let before = world.n_deleted();
        world.act().await;
        *size = world.n_deleted() - before;
    }
    sizes
}

#[tokio::test]
async fn the_first_batch_is_one_family_the_second_ten_and_then_whatever_is_due() {
    let mut world = untrusted_shop().await;
    assert_eq!(batches(&mut world).await, [1]);
    world.assert_refuses(RefusalCode::Ramp).await;
    assert_eq!(batches(&mut world).await, [10]);
    world.assert_refuses(RefusalCode::Ramp).await;
    assert_eq!(batches(&mut world).await, [N_DUE - 11]);
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn two_that_somebody_pulls_before_each_batch_keep_nothing_else_waiting() {
    let mut world = untrusted_shop().await;
    let mut sizes = Vec::new();
    for wait in [17, 52, 52] {
        world.live(TimeDelta::minutes(wait)).await;
        // The two oldest, and after that no host says before the pass what it runs.
        for repository in ["shop-a", "shop-b"] {
            let v1 = Reference::Tag(tag("v1"));
            world.stage.tenancy.pull(&name(repository), &v1, Platform::Arm64).unwrap();
        }
        sizes.extend(batches::<1>(&mut world).await);
    }
    assert_eq!(sizes, [0, 0, 1]);
    world.assert_refuses(RefusalCode::Ramp).await;
}

#[tokio::test]
async fn the_ramp_survives_a_restart_and_begins_anew_with_a_reset() {
    let mut world = untrusted_shop().await;
    assert_eq!(batches(&mut world).await, [1]);
    world.stop().await;
    world.start();
    assert_eq!(batches(&mut world).await, [10]);
    world.reset().await;
    assert_eq!(batches(&mut world).await, [1, 10]);
}

#[tokio::test]
async fn a_batch_that_cannot_be_proved_at_once_is_proved_by_the_next_pass() {
    let mut world = untrusted_shop().await;
    assert_eq!(batches(&mut world).await, [1]);
    // Four lists for the pass that only observes, four for the one that acts, one more for each repository that something goes
    // from; then the proof.
    for call in 13..=40 {
        let broken = Fault::status(500, "InternalServerError");
        world.stage.tenancy.inject(Operation::ListContainerImages, When::Call(call), broken);
    }
    assert_eq!(batches(&mut world).await, [10]);
    assert_eq!(world.status().brakes.n_proved, 1, "nobody knows yet that the ten did no harm");
    world.stage.tenancy.clear_faults();
    assert_eq!(batches(&mut world).await, [N_DUE - 11]);
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn a_store_that_is_restored_begins_the_ramp_anew() {
    let mut world = untrusted_shop().await;
    assert_eq!(batches(&mut world).await, [1]);
    world.stop().await;
    let file = world.stage.state_dir().join("ocird.db");
    let copy = std::fs::read(&file).unwrap();
    world.start();
    assert_eq!(batches(&mut world).await, [10]);
    world.stop().await;
    std::fs::write(&file, copy).unwrap();
    world.start();
    // A restored store unmarks everything (S-29): a whole grace passes first.
    world.live(TimeDelta::hours(24)).await;
    while world.n_deleted() == 11 {
        world.act().await;
    }
    assert_eq!(world.n_deleted(), 12);
}
