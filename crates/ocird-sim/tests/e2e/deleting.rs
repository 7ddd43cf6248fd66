//! The moment of delete: the kill switch, an image that changes under the hand, answers that say no or never come.

use chrono::TimeDelta;
use ocird::status::RefusalCode;
use ocird_sim::{EtagChanges, Fault, Operation, When};

use crate::world::{N_DUE, SHOP_POLICY, World, build, name, play, ripe, ripe_shop, tag};

const DELETE: Operation = Operation::DeleteContainerImage;
const READ: Operation = Operation::GetContainerImage;
/// How long the slow call of a test takes, by the tenancy's clock.
const SLOW: TimeDelta = TimeDelta::minutes(1);

/// Makes the next call of an operation slow, and lets time pass until it is under way at half past.
async fn in_the_middle_of(world: &mut World, operation: Operation) {
    world.stage.tenancy.inject(operation, When::Call(1), Fault::Slow(SLOW.to_std().unwrap()));
    world.live(TimeDelta::minutes(20) + SLOW / 2).await;
}

fn n_delete_requests(world: &World) -> u64 {
    world.stage.server.requests().of(DELETE)
}

#[tokio::test]
async fn the_kill_switch_set_between_two_deletions_stops_the_second() {
    let mut world = ripe_shop().await;
    in_the_middle_of(&mut world, DELETE).await;
    std::fs::write(world.pause_file(), "").unwrap();
    world.live(SLOW).await;
    assert_eq!((world.n_deleted(), n_delete_requests(&world)), (1, 1));
    world.assert_refuses(RefusalCode::Paused).await;
    world.act().await;
    assert_eq!(n_delete_requests(&world), 1, "it stays on");
    std::fs::remove_file(world.pause_file()).unwrap();
    world.act().await;
    world.assert_shop_is_tidy();
    assert!(!world.refusals().contains(&RefusalCode::Paused));
}

#[tokio::test]
async fn an_image_tagged_between_the_plan_and_its_read_stays() {
    let mut world = ripe_shop().await;
    // Seven images are read again before the plan; the eighth read is that of the first image about to go.
    world.stage.tenancy.inject(READ, When::Call(8), Fault::Slow(SLOW.to_std().unwrap()));
    world.live(TimeDelta::minutes(20) + SLOW / 2).await;
    assert_eq!(n_delete_requests(&world), 0);
    retag_the_oldest(&world);
    world.live(SLOW).await;
    assert_eq!(n_delete_requests(&world), 6, "it was not even asked for");
    assert_the_oldest_stays(&mut world).await;
}

#[tokio::test]
async fn an_image_tagged_between_its_read_and_its_deletion_stays_by_its_etag() {
    let mut world = ripe_shop().await;
    world.stage.tenancy.configure(|settings| settings.etag = EtagChanges::Tags);
    in_the_middle_of(&mut world, DELETE).await;
    retag_the_oldest(&world);
    world.live(SLOW).await;
    assert_eq!(n_delete_requests(&world), 7, "one of them is answered 412");
    assert_the_oldest_stays(&mut world).await;
}

/// Production is pointed at the image that goes first.
fn retag_the_oldest(world: &World) {
    let digest = world.digest("shop-api", "v1");
    world.stage.tenancy.retag(&name("shop-api"), &digest, &tag("prod"), "ci").unwrap();
}

async fn assert_the_oldest_stays(world: &mut World) {
    assert_eq!(world.n_deleted(), N_DUE - 1, "the others went");
    assert_eq!(world.status().counts.n_outcomes.get("drifted"), Some(&1));
    for _ in 0..48 {
        world.act().await;
    }
    // `prod` made it the newest of its repository, so that v5 is now the fifth.
    assert_eq!(world.tags("shop-api"), ["prod", "v1", "v6", "v7", "v8"]);
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn a_deletion_answered_503_stays_open_until_a_read_says_what_came_of_it() {
    let mut world = ripe_shop().await;
    world.stage.tenancy.inject(DELETE, When::Call(1), Fault::status(503, "ServiceUnavailable"));
    world.act().await;
    assert_eq!((world.n_deleted(), n_delete_requests(&world)), (0, 1), "not tried again, and nothing else");
    world.assert_refuses(RefusalCode::OpenIntent).await;
    world.act().await;
    assert_eq!(world.tags("shop-api"), ["v1", "v5", "v6", "v7", "v8"]);
    assert_eq!(n_delete_requests(&world), 7, "it may have gone and been brought back, and has a whole grace");
    world.live(TimeDelta::hours(26)).await;
    world.assert_shop_is_tidy();
    assert_eq!(n_delete_requests(&world), 8);
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_settled_by_reading_and_never_repeated() {
    let mut world = ripe_shop().await;
    world.stage.tenancy.inject(DELETE, When::Call(1), Fault::AnswerLost);
    world.act().await;
    assert_eq!((world.n_deleted(), n_delete_requests(&world)), (1, 1));
    world.assert_refuses(RefusalCode::OpenIntent).await;
    world.act().await;
    world.assert_shop_is_tidy();
    assert_eq!(n_delete_requests(&world), 7, "each image once");
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_before_a_crash_is_settled_after_it() {
    let mut world = ripe_shop().await;
    world.stage.tenancy.inject(DELETE, When::Call(1), Fault::AnswerLost);
    world.act().await;
    world.stop().await;
    world.start();
    world.act().await;
    world.assert_shop_is_tidy();
    assert_eq!(n_delete_requests(&world), 7, "each image once");
    let settled = world.status().recent.iter().filter(|outcome| outcome.outcome == "deleted").count();
    assert_eq!(settled, N_DUE);
}

#[tokio::test]
async fn an_index_pushed_between_listing_and_delete_voids_its_repository_for_the_pass() {
    let mut world = ripe_shop().await;
    in_the_middle_of(&mut world, READ).await;
    let child = world.digest("shop-api", "v1");
    let index = world.push_build("shop-api", &build("shop-api", "v1"), "multi");
    assert!(index.children.contains(&child), "it names the image that is due");
    world.live(SLOW).await;
    assert_eq!((world.n_deleted_from("shop-api"), world.n_deleted_from("shop-web")), (0, 3));
    for _ in 0..48 {
        world.act().await;
    }
    assert!(world.n_deleted_from("shop-api") > 0, "the others go in later passes");
    assert!(world.stage.tenancy.find(&name("shop-api"), &child).is_some(), "the index keeps it");
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn a_family_with_a_signature_on_a_child_goes_completely() {
    let mut world = World::open(play(SHOP_POLICY));
    world.create("shop-multi");
    for number in 1..=5 {
        let tag = format!("v{number}");
        let pushed = world.push_build("shop-multi", &build("shop-multi", &tag), &tag);
        world.stage.tenancy.cosign(&name("shop-multi"), &pushed.children[0], "ci").unwrap();
        world.stage.tenancy.clock().advance(TimeDelta::minutes(30));
    }
    world.run("shop-multi", "v5");
    let mut world = ripe(world).await;
    for _ in 0..40 {
        world.act().await;
    }
    assert_eq!(world.n_deleted(), 4, "the index, its two children and the signature of one of them");
    assert_eq!(world.tags("shop-multi").iter().filter(|tag| tag.starts_with("sha256-")).count(), 4);
    world.assert_nobody_misses_anything();
}
