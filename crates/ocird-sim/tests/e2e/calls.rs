//! The calls of the daemon, counted at the server.

use chrono::TimeDelta;
use ocird_sim::Operation;

use crate::world::{SHOP_POLICY, World, play};

/// Four repositories with twenty images each, fifteen of which are kept, and a host that runs the oldest of one.
fn four_by_twenty() -> World {
    let mut world = World::open(play(&SHOP_POLICY.replace("newest = 4", "newest = 15")));
    let names = ["shop-a", "shop-b", "shop-c", "shop-d"];
    for name in names {
        world.create(name);
    }
    for number in 1..=20 {
        for name in names {
            world.push(name, &format!("v{number}"));
        }
    }
    world.run("shop-a", "v1");
    world
}

#[tokio::test]
async fn a_steady_pass_costs_one_list_of_repositories_one_of_signatures_and_one_of_each_ones_images() {
    let mut world = four_by_twenty();
    world.start();
    world.live(TimeDelta::minutes(1)).await;
    let requests = world.stage.server.requests();
    assert_eq!(requests.of(Operation::GetManifest), 80, "the first pass reads everything");
    requests.clear();
    world.live(TimeDelta::hours(1)).await;
    let n_passes = world.status().counts.n_passes;
    let requests = world.stage.server.requests();
    assert_eq!(requests.of(Operation::ListContainerRepositories), n_passes - 1);
    assert_eq!(requests.of(Operation::ListContainerImages), 4 * (n_passes - 1));
    assert_eq!(requests.of(Operation::ListContainerImageSignatures), n_passes - 1);
    assert_eq!(requests.total(), 6 * (n_passes - 1), "{:?}", requests.counts());
}

#[tokio::test]
async fn a_manifest_is_read_once_in_its_life_and_never_for_a_deletion() {
    let mut world = four_by_twenty();
    world.start();
    world.live(TimeDelta::days(2)).await;
    world.stop().await;
    world.start();
    world.live(TimeDelta::days(3)).await;
    assert_eq!(world.n_deleted(), 19, "five of each repository but the one that runs");
    assert_eq!(world.stage.server.requests().of(Operation::GetManifest), 80);
}
