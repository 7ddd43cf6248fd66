//! What changes while a pass looks, and what time may not do: the plan is never acted on in a world that moved.

use chrono::TimeDelta;
use ocird::status::RefusalCode;
use ocird_sim::manifest::Platform;
use ocird_sim::stage::Timers;
use ocird_sim::{
    Attestations, Fault, ListingShape, Operation, PullAccounting, PullTimes, Pushed, Reference, When,
};
use serde_json::{Value, json};

use crate::world::{HOST, SHOP_POLICY, World, build, name, play, ripe, ripe_shop, shop_of, tag};

/// How long the slow read takes, by the tenancy's clock.
const SLOW: TimeDelta = TimeDelta::minutes(1);

/// Lets time pass until the acting pass at half past has listed everything and is reading its first image.
async fn while_the_pass_looks(world: &mut World) {
    world.stage.tenancy.inject(
        Operation::GetContainerImage,
        When::Call(1),
        Fault::Slow(SLOW.to_std().unwrap()),
    );
    world.live(TimeDelta::minutes(20) + SLOW / 2).await;
}

#[tokio::test]
async fn an_image_deployed_while_the_pass_looks_stays() {
    let mut world = ripe_shop().await;
    while_the_pass_looks(&mut world).await;
    world.run("shop-api", "v1");
    world.live(SLOW).await;
    assert_eq!(world.tags("shop-api"), ["v1", "v5", "v6", "v7", "v8"]);
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn an_image_pulled_a_moment_before_a_host_says_it_looked_stays() {
    let mut world = ripe_shop().await;
    world.stage.hosts = Timers::StandStill;
    let path = world.stage.reference_file(HOST);
    let mut file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let slow = Fault::Slow(SLOW.to_std().unwrap());
    world.stage.tenancy.inject(Operation::ListContainerImages, When::Call(1), slow);
    world.live(TimeDelta::minutes(20) + SLOW / 2).await;
    world.run("shop-api", "v1");
    // Its clock is ahead: it has looked before the deployment, and claims to have looked after it.
    let claimed = world.stage.tenancy.now() + TimeDelta::seconds(20);
    file["written_at"] = json!(claimed.to_rfc3339());
    std::fs::write(&path, file.to_string()).unwrap();
    world.live(SLOW).await;
    assert_eq!(world.tags("shop-api"), ["v1", "v5", "v6", "v7", "v8"]);
    world.assert_nobody_misses_anything();
}

/// A shop of one repository of images for two platforms, at a service that counts a pull for the child alone. Of `v1` there
/// is an older index over the same children, `twin`, which goes first.
async fn ripe_twins() -> World {
    let mut play = play(SHOP_POLICY);
    play.settings.pull_accounting = PullAccounting::Child;
    let mut world = World::open(play);
    world.create("shop-multi");
    let twin = ("twin".to_owned(), build("shop-multi", "v1").attested(Attestations::Children));
    let others =
        (1..=5).map(|number| format!("v{number}")).map(|tag| (tag.clone(), build("shop-multi", &tag)));
    for (tag, build) in [twin].into_iter().chain(others) {
        world.push_build("shop-multi", &build, &tag);
        world.stage.tenancy.clock().advance(TimeDelta::minutes(30));
    }
    world.stage.tenancy.clock().advance(TimeDelta::days(1));
    world.run("shop-multi", "v5");
    ripe(world).await
}

#[tokio::test]
async fn an_image_stays_whose_pull_shows_only_in_a_child_that_two_indexes_share() {
    let mut world = ripe_twins().await;
    world.stage.hosts = Timers::StandStill;
    while_the_pass_looks(&mut world).await;
    let twin = Reference::Digest(world.digest("shop-multi", "twin"));
    world.stage.tenancy.deploy(HOST, "web", &name("shop-multi"), twin).unwrap();
    world.live(SLOW).await;
    assert!(world.tags("shop-multi").contains(&"twin".to_owned()), "{:?}", world.tags("shop-multi"));
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn an_index_stays_whose_child_is_tagged_after_it_was_read() {
    let mut world = ripe_twins().await;
    let slow = Fault::Slow(SLOW.to_std().unwrap());
    world.stage.tenancy.inject(Operation::ListContainerImages, When::Call(2), slow);
    world.live(TimeDelta::minutes(20) + SLOW / 2).await;
    let (shop, twin) = (name("shop-multi"), Reference::Tag(tag("twin")));
    let index: Value =
        serde_json::from_slice(&world.stage.tenancy.manifest_head(&shop, &twin).unwrap().bytes).unwrap();
    let child = index["manifests"][0]["digest"].as_str().unwrap().parse().unwrap();
    world.stage.tenancy.retag(&shop, &child, &tag("promoted"), "ci").unwrap();
    world.live(SLOW).await;
    assert!(world.tags("shop-multi").contains(&"twin".to_owned()), "{:?}", world.tags("shop-multi"));
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn an_image_stays_that_was_pulled_at_an_unknown_time_since_its_host_looked() {
    let mut play = play(SHOP_POLICY);
    play.settings.pull_times = PullTimes::Missing;
    let mut world = ripe(shop_of(play)).await;
    world.stage.hosts = Timers::StandStill;
    while_the_pass_looks(&mut world).await;
    let v1 = Reference::Digest(world.digest("shop-api", "v1"));
    world.stage.tenancy.deploy(HOST, "web", &name("shop-api"), v1).unwrap();
    world.live(SLOW).await;
    assert_eq!(world.tags("shop-api"), ["v1", "v5", "v6", "v7", "v8"]);
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn an_image_deployed_while_the_pass_deletes_another_stays() {
    let mut world = ripe_shop().await;
    let slow = Fault::Slow(SLOW.to_std().unwrap());
    world.stage.tenancy.inject(Operation::DeleteContainerImage, When::Call(1), slow);
    world.live(TimeDelta::minutes(20) + SLOW / 2).await;
    world.run("shop-api", "v3");
    world.live(SLOW).await;
    assert_eq!(world.tags("shop-api"), ["v3", "v5", "v6", "v7", "v8"]);
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn an_image_that_is_signed_after_the_plan_stays() {
    let mut world = ripe_shop().await;
    let slow = Fault::Slow(SLOW.to_std().unwrap());
    world.stage.tenancy.inject(Operation::ListContainerImageSignatures, When::Call(2), slow);
    world.live(TimeDelta::minutes(20) + SLOW / 2).await;
    let image = world.stage.tenancy.find(&name("shop-api"), &world.digest("shop-api", "v1")).unwrap();
    world.stage.tenancy.sign_image(&image, "ocid1.user.oc1..signer").unwrap();
    world.live(SLOW).await;
    assert_eq!(world.tags("shop-api"), ["v1", "v5", "v6", "v7", "v8"]);
}

#[tokio::test]
async fn nothing_goes_from_a_repository_that_lost_an_image_it_was_to_keep() {
    let mut world = ripe_shop().await;
    while_the_pass_looks(&mut world).await;
    let newest = world.digest("shop-api", "v8");
    let newest = world.stage.tenancy.find(&name("shop-api"), &newest).unwrap();
    world.stage.tenancy.vanish(&newest).unwrap();
    world.live(SLOW).await;
    assert_eq!((world.n_deleted_from("shop-api"), world.n_deleted_from("shop-web")), (0, 3));
    world.assert_refuses(RefusalCode::Moved).await;
    for _ in 0..30 {
        world.act().await;
    }
    assert_eq!(world.tags("shop-api"), ["v4", "v5", "v6", "v7"], "the newest four are others now");
}

/// Lets time pass until the acting pass at half past has listed everything and asks what is signed.
async fn while_the_pass_asks_what_is_signed(world: &mut World) {
    let slow = Fault::Slow(SLOW.to_std().unwrap());
    world.stage.tenancy.inject(Operation::ListContainerImageSignatures, When::Call(2), slow);
    world.live(TimeDelta::minutes(20) + SLOW / 2).await;
}

#[tokio::test]
async fn an_image_that_somebody_takes_while_the_pass_looks_begins_anew_and_says_so() {
    let mut world = ripe_shop().await;
    while_the_pass_asks_what_is_signed(&mut world).await;
    let oldest = world.digest("shop-api", "v1");
    let oldest = world.stage.tenancy.find(&name("shop-api"), &oldest).unwrap();
    world.stage.tenancy.vanish(&oldest).unwrap();
    world.live(SLOW).await;
    assert_eq!((world.n_deleted_from("shop-api"), world.n_deleted_from("shop-web")), (3, 3));
    world.assert_refuses(RefusalCode::Moved).await;
    let status = world.status();
    assert!(status.pending.is_empty(), "its mark is dropped: {:?}", status.pending);
    assert!(status.refusals.iter().any(|refusal| refusal.text.contains("it is no longer listed")));
}

/// The shop in lists of this shape, where `v1` bore `prod` since the day before until somebody took that off while a pass
/// looked.
async fn shop_that_loses_its_newest_tag(shape: ListingShape) -> World {
    let mut play = play(SHOP_POLICY);
    play.settings.shape = shape;
    let world = shop_of(play);
    let shop = name("shop-api");
    let oldest = world.digest("shop-api", "v1");
    let id = world.stage.tenancy.retag(&shop, &oldest, &tag("prod"), "ci").unwrap();
    let mut world = ripe(world).await;
    while_the_pass_asks_what_is_signed(&mut world).await;
    world.stage.tenancy.remove_version(&id, &tag("prod"), None).unwrap();
    world.live(SLOW).await;
    world
}

#[tokio::test]
async fn a_tag_that_only_goes_while_the_pass_looks_holds_its_repository_back() {
    for shape in [ListingShape::PerTag, ListingShape::PerImage] {
        let mut world = shop_that_loses_its_newest_tag(shape).await;
        assert_eq!((world.n_deleted_from("shop-api"), world.n_deleted_from("shop-web")), (0, 3), "{shape:?}");
        world.assert_refuses(RefusalCode::Moved).await;
        for _ in 0..30 {
            world.act().await;
        }
        assert_eq!(world.tags("shop-api"), ["v5", "v6", "v7", "v8"], "the newest four are others now");
    }
}

#[tokio::test]
async fn the_time_in_which_nobody_looked_does_not_count_towards_the_grace() {
    let mut world = shop_of(play(SHOP_POLICY));
    world.start();
    world.live(TimeDelta::hours(10)).await;
    world.stop().await;
    world.live(TimeDelta::hours(20)).await;
    world.start();
    world.live(TimeDelta::hours(12)).await;
    assert_eq!(world.n_deleted(), 0, "22 hours of looking are no day");
    world.live(TimeDelta::hours(5)).await;
    world.assert_shop_is_tidy();
}

/// A shop of images for two platforms, of whose oldest only the index has gone.
async fn a_family_without_its_head() -> (World, Pushed) {
    let mut world = World::open(play(SHOP_POLICY));
    world.create("shop-multi");
    let mut pushed = Vec::new();
    for number in 1..=5 {
        let tag = format!("v{number}");
        pushed.push(world.push_build("shop-multi", &build("shop-multi", &tag), &tag));
        world.stage.tenancy.clock().advance(TimeDelta::minutes(30));
    }
    world.run("shop-multi", "v5");
    world.start();
    world.live(TimeDelta::hours(30)).await;
    while world.n_deleted() == 0 {
        world.act().await;
    }
    assert_eq!(world.n_deleted(), 1, "the head goes first");
    (world, pushed.remove(0))
}

#[tokio::test]
async fn the_rest_of_a_family_waits_while_its_restored_head_is_not_listed_yet() {
    let (mut world, _) = a_family_without_its_head().await;
    let head = world.deletions()[0].image.clone();
    world.stage.tenancy.configure(|settings| settings.listing_lag = TimeDelta::hours(2));
    world.stage.tenancy.restore_image(&head, None, None).unwrap();
    world.act().await;
    assert_eq!(world.n_deleted(), 1, "its children wait");
    world.assert_refuses(RefusalCode::Moved).await;
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn what_is_left_of_a_family_stays_when_somebody_pulls_it() {
    let (mut world, family) = a_family_without_its_head().await;
    let wanted = Reference::Digest(family.children[0]);
    world.stage.tenancy.clock().advance(TimeDelta::seconds(1));
    world.stage.tenancy.pull(&name("shop-multi"), &wanted, Platform::Arm64).unwrap();
    for _ in 0..30 {
        world.act().await;
    }
    assert_eq!(world.n_deleted(), 2, "the other child goes");
    assert!(world.stage.tenancy.manifest_head(&name("shop-multi"), &wanted).is_ok());
}

#[tokio::test]
async fn what_is_left_of_a_family_stays_when_somebody_pulls_it_where_pulls_bear_no_time() {
    let (mut world, family) = a_family_without_its_head().await;
    world.stage.tenancy.configure(|settings| settings.pull_times = PullTimes::Missing);
    let wanted = Reference::Digest(family.children[0]);
    world.stage.tenancy.clock().advance(TimeDelta::seconds(1));
    world.stage.tenancy.pull(&name("shop-multi"), &wanted, Platform::Arm64).unwrap();
    for _ in 0..30 {
        world.act().await;
    }
    assert_eq!(world.n_deleted(), 2, "the other child goes");
    assert!(world.stage.tenancy.manifest_head(&name("shop-multi"), &wanted).is_ok());
}

#[tokio::test]
async fn what_is_left_of_a_family_stays_when_somebody_tags_it() {
    let (mut world, family) = a_family_without_its_head().await;
    world.stage.tenancy.clock().advance(TimeDelta::seconds(1));
    let wanted = &family.children[0];
    world.stage.tenancy.retag(&name("shop-multi"), wanted, &tag("hotfix"), "ci").unwrap();
    for _ in 0..40 {
        world.act().await;
    }
    assert_eq!(world.tags("shop-multi"), ["hotfix", "v3", "v4", "v5"], "it is one of the newest four");
}

#[tokio::test]
async fn children_with_tags_of_their_own_go_a_grace_after_their_index() {
    let mut world = World::open(play(SHOP_POLICY));
    world.create("shop-multi");
    for number in 1..=5 {
        let version = format!("v{number}");
        let pushed = world.push_build("shop-multi", &build("shop-multi", &version), &version);
        for (child, platform) in pushed.children.iter().zip(["arm64", "amd64"]) {
            let own = tag(&format!("{version}-{platform}"));
            world.stage.tenancy.retag(&name("shop-multi"), child, &own, "ci").unwrap();
        }
        world.stage.tenancy.clock().advance(TimeDelta::minutes(30));
    }
    world.run("shop-multi", "v5");
    world.start();
    while world.n_deleted() == 0 {
        world.act().await;
    }
    world.live(TimeDelta::hours(23)).await;
    assert_eq!(world.n_deleted(), 1, "its children wait for a grace of their own");
    world.live(TimeDelta::hours(6)).await;
    assert_eq!(world.n_deleted(), 3);
    assert_eq!(world.tags("shop-multi").len(), 4 * 3);
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn a_repository_unreadable_for_hours_counts_its_gap_once() {
    let mut world = shop_of(play(SHOP_POLICY));
    world.start();
    world.live(TimeDelta::hours(10)).await;
    let refused = Fault::status(500, "InternalServerError");
    world.stage.tenancy.inject(Operation::ListContainerImages, When::Always, refused);
    world.live(TimeDelta::hours(20)).await;
    world.assert_refuses(RefusalCode::Unreadable).await;
    world.stage.tenancy.clear_faults();
    world.live(TimeDelta::hours(12)).await;
    assert_eq!(world.n_deleted(), 0, "22 hours of looking are no day");
    world.live(TimeDelta::hours(5)).await;
    world.assert_shop_is_tidy();
}
