//! Attempts to make the daemon delete what somebody needs: in each something happens between the last look at an image
//! and its deletion, while a cloud that asks to slow down keeps the daemon waiting in between.

use chrono::TimeDelta;
use ocird::status::RefusalCode;
use ocird_sim::manifest::{Manifest, OCI_MANIFEST};
use ocird_sim::{Fault, Operation, When};
use serde_json::json;

use crate::world::{SHOP_POLICY, World, build, name, play, ripe_shop, tag};

/// Reads of images by a pass before it acts: the seven whose marks are ripe.
const N_READS: u64 = 7;

/// Lists of images by a pass before it acts: one for each repository.
const N_LISTS: u64 = 2;

/// How long the daemon is asked to wait, once.
const ASKED: u64 = 60;

/// Lets time pass until the acting pass at half past has been waiting for so many seconds.
async fn while_it_waits(world: &mut World, seconds: i64) {
    world.live(TimeDelta::minutes(20) + TimeDelta::seconds(seconds)).await;
    assert!(world.status().passing_since.is_some(), "the pass is under way");
    assert_eq!(world.n_deleted(), 0, "nothing has gone yet");
}

#[tokio::test]
async fn a_pause_set_while_the_second_look_waits_for_its_turn_stops_the_deletion() {
    let mut world = ripe_shop().await;
    let busy = Fault::throttled_for(ASKED);
    world.stage.tenancy.inject(Operation::ListContainerImages, When::Call(N_LISTS + 1), busy);
    while_it_waits(&mut world, 30).await;
    std::fs::write(world.pause_file(), "").unwrap();
    world.live(TimeDelta::minutes(5)).await;
    assert_eq!(world.n_deleted(), 0);
    world.assert_refuses(RefusalCode::Paused).await;
    std::fs::remove_file(world.pause_file()).unwrap();
    world.stage.tenancy.clear_faults();
    world.act().await;
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn an_index_pushed_while_the_second_look_waits_for_its_turn_keeps_what_it_names() {
    let mut world = ripe_shop().await;
    let busy = Fault::throttled_for(ASKED);
    world.stage.tenancy.inject(Operation::GetContainerImage, When::Call(N_READS + 1), busy);
    while_it_waits(&mut world, 30).await;
    // Of the two platforms of this build one is the image that has been there as `v1` all the time.
    let pushed = world.push_build("shop-api", &build("shop-api", "v1"), "multi");
    assert!(pushed.children.contains(&world.digest("shop-api", "v1")));
    world.live(TimeDelta::minutes(5)).await;
    assert!(world.tags("shop-api").contains(&"v1".to_owned()));
    world.assert_nobody_misses_anything();
    world.assert_refuses(RefusalCode::Moved).await;
    world.act().await;
    assert!(world.tags("shop-api").contains(&"v1".to_owned()));
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn a_deletion_that_is_put_off_again_and_again_is_not_sent_on_what_was_read_long_before() {
    let mut world = ripe_shop().await;
    // Each answer asks for less than a delete waits for, and all of them for far more.
    world.stage.tenancy.inject(Operation::DeleteContainerImage, When::Next(4), Fault::throttled_for(9));
    while_it_waits(&mut world, 5).await;
    let untouched = world.tags("shop-api");
    world.live(TimeDelta::seconds(10)).await;
    std::fs::write(world.pause_file(), "").unwrap();
    world.live(TimeDelta::minutes(5)).await;
    assert_eq!(world.tags("shop-api"), untouched);
    assert_eq!(world.n_deleted(), 0);
    std::fs::remove_file(world.pause_file()).unwrap();
    world.stage.tenancy.clear_faults();
    world.act().await;
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn manifests_that_fill_the_memory_are_read_in_portions_and_each_of_them_once() {
    const N: usize = 20;
    let mut world = World::open(play(SHOP_POLICY));
    world.create("shop-big");
    for number in 0..N {
        let padded = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": [],
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "size": 2,
                "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},
            "annotations": {"padding": "x".repeat(1024 * 1024), "number": number.to_string()},
        });
        let manifest = Manifest::raw(OCI_MANIFEST, padded.to_string().into_bytes());
        let tag = tag(&format!("big-{number}"));
        world.stage.tenancy.put_manifest(&name("shop-big"), &manifest, Some(&tag), "ci").unwrap();
    }
    world.start();
    world.live(TimeDelta::minutes(20)).await;
    let seen = &world.status().repositories[&name("shop-big")];
    assert_eq!((seen.n_images, &seen.unreadable), (N as u64, &None));
    let requests = &world.stage.server.requests();
    assert_eq!(requests.of(Operation::GetManifest), N as u64);
    assert!(requests.of(Operation::ListContainerImages) > 2, "a list for each portion of two megabytes");
}
