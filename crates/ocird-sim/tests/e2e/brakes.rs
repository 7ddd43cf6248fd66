//! What stops deletion until somebody has looked, over passes and restarts (S-25); what stops it for a pass only; and what was
//! seen too long ago to act on (S-17).

use chrono::TimeDelta;
use ocird::status::RefusalCode;
use ocird_model::Lifecycle;
use ocird_sim::view::{Cursor, ImageQuery};
use ocird_sim::{Fault, Operation, When};

use crate::world::{N_DUE, SHOP_POLICY, World, name, play, ripe, ripe_shop, shop_of};

const DELETE: Operation = Operation::DeleteContainerImage;
const READ: Operation = Operation::GetContainerImage;
const LIST: Operation = Operation::ListContainerImages;

fn n_delete_requests(world: &World) -> u64 {
    world.stage.server.requests().of(DELETE)
}

/// Makes a call slow, and lets time pass until it is under way at half past.
async fn in_the_middle_of(world: &mut World, operation: Operation, call: u64) {
    let slow = TimeDelta::minutes(1);
    world.stage.tenancy.inject(operation, When::Call(call), Fault::Slow(slow.to_std().unwrap()));
    world.live(TimeDelta::minutes(20) + slow / 2).await;
}

/// Asserts that the breaker has tripped, that people see it, and that neither time nor a restart clears it.
async fn assert_tripped(world: &mut World, words: &str) {
    let n_requests = n_delete_requests(world);
    world.assert_unwell(RefusalCode::Breaker, "deletion", words).await;
    assert_eq!(world.sample("ocird_breaker_tripped").await, 1);
    world.stage.tenancy.clear_faults();
    world.act().await;
    world.stop().await;
    world.start();
    world.act().await;
    world.assert_unwell(RefusalCode::Breaker, "deletion", words).await;
    assert_eq!(n_delete_requests(world), n_requests, "nothing more was asked for");
}

/// Asserts that after a reset everything goes that was due: one family, and then the others.
async fn assert_goes_on_after_a_reset(world: &mut World) {
    world.reset().await;
    world.act().await;
    assert_eq!(world.n_deleted(), 1, "the ramp begins anew");
    world.act().await;
    world.assert_shop_is_tidy();
    assert_eq!(world.sample("ocird_breaker_tripped").await, 0);
}

#[tokio::test]
async fn three_deletions_refused_in_a_row_trip_the_breaker_until_a_reset() {
    let mut world = ripe_shop().await;
    world.stage.tenancy.inject(DELETE, When::Always, Fault::status(403, "NotAuthorized"));
    world.act().await;
    assert_eq!((world.n_deleted(), n_delete_requests(&world)), (0, 3));
    assert_tripped(&mut world, "3 unexpected answers in a row").await;
    assert_goes_on_after_a_reset(&mut world).await;
}

#[tokio::test]
async fn unexpected_answers_add_up_over_passes_and_restarts() {
    let world = shop_of(play(SHOP_POLICY));
    world.edit_config("[schedule]", "[limits]\nmax_per_pass = 1\n[schedule]");
    let mut world = ripe(world).await;
    world.stage.tenancy.inject(DELETE, When::Always, Fault::status(403, "NotAuthorized"));
    world.act().await;
    world.act().await;
    assert!(!world.refusals().contains(&RefusalCode::Breaker));
    assert_eq!(world.sample("ocird_unexpected_answers").await, 2);
    world.stop().await;
    world.start();
    world.act().await;
    assert_eq!(n_delete_requests(&world), 3);
    assert_tripped(&mut world, "3 unexpected answers in a row").await;
}

#[tokio::test]
async fn a_good_answer_begins_the_row_anew() {
    let mut world = ripe_shop().await;
    for call in [1, 2, 4, 5] {
        world.stage.tenancy.inject(DELETE, When::Call(call), Fault::status(403, "NotAuthorized"));
    }
    world.act().await;
    assert_eq!((world.n_deleted(), n_delete_requests(&world)), (3, 7));
    world.act().await;
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn a_404_for_an_image_that_is_there_and_listed_trips_the_breaker_at_once() {
    let mut world = ripe_shop().await;
    world.stage.tenancy.inject(DELETE, When::Always, Fault::status(404, "NotAuthorizedOrNotFound"));
    world.act().await;
    assert_eq!((world.n_deleted(), n_delete_requests(&world)), (0, 1));
    assert_tripped(&mut world, "404").await;
    assert_goes_on_after_a_reset(&mut world).await;
}

#[tokio::test]
async fn an_image_gone_by_another_hand_a_moment_before_its_deletion_trips_nothing() {
    let mut world = ripe_shop().await;
    in_the_middle_of(&mut world, DELETE, 1).await;
    let oldest = world.digest("shop-api", "v1");
    let oldest = world.stage.tenancy.find(&name("shop-api"), &oldest).unwrap();
    world.stage.tenancy.vanish(&oldest).unwrap();
    world.live(TimeDelta::minutes(1)).await;
    world.act().await;
    assert!(!world.refusals().contains(&RefusalCode::Breaker), "{:?}", world.status().refusals);
    assert_eq!(world.n_deleted(), N_DUE - 1, "the others go, in this pass or the next");
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn what_goes_by_another_hand_during_a_batch_freezes_nothing_and_makes_the_next_batch_small() {
    let world = shop_of(play(SHOP_POLICY));
    world.edit_config("[schedule]", "[limits]\nmax_per_pass = 3\n[schedule]");
    let mut world = ripe(world).await;
    world.stage.tenancy.configure(|settings| settings.listing_linger = TimeDelta::zero());
    // The third deletion of the batch, which no second look follows.
    in_the_middle_of(&mut world, DELETE, 3).await;
    let kept = world.digest("shop-api", "v7");
    let kept = world.stage.tenancy.find(&name("shop-api"), &kept).unwrap();
    world.stage.tenancy.vanish(&kept).unwrap();
    world.live(TimeDelta::minutes(1)).await;
    world.assert_refuses(RefusalCode::ProofFailed).await;
    assert_eq!(world.n_deleted(), 3);
    world.act().await;
    assert_eq!(world.n_deleted(), 4, "one, as the batch before was not clean");
    assert!(world.status().brakes.breaker.is_none() && world.status().brakes.freeze.is_none());
}

#[tokio::test]
async fn a_network_that_fails_while_acting_waits_for_nobody() {
    let mut world = ripe_shop().await;
    // Seven images are read again before the plan; the eighth read is that of the first image about to go.
    for call in 8..=40 {
        world.stage.tenancy.inject(READ, When::Call(call), Fault::Dropped);
    }
    world.act().await;
    assert_eq!(n_delete_requests(&world), 0);
    world.assert_refuses(RefusalCode::Unanswered).await;
    assert_eq!(world.sample("ocird_unexpected_answers").await, 0);
    world.stage.tenancy.clear_faults();
    world.act().await;
    world.assert_shop_is_tidy();
    assert!(!world.refusals().contains(&RefusalCode::Unanswered));
}

#[tokio::test]
async fn a_look_that_took_long_is_taken_again_at_what_is_about_to_go() {
    let mut world = ripe_shop().await;
    let slow = TimeDelta::minutes(12).to_std().unwrap();
    world.stage.tenancy.inject(READ, When::Call(1), Fault::Slow(slow));
    world.live(TimeDelta::minutes(40)).await;
    world.assert_shop_is_tidy();
    assert!(!world.refusals().contains(&RefusalCode::TooSlow));
}

#[tokio::test]
async fn an_image_deployed_during_a_look_that_took_long_stays() {
    let mut world = ripe_shop().await;
    let slow = TimeDelta::minutes(12).to_std().unwrap();
    world.stage.tenancy.inject(READ, When::Call(1), Fault::Slow(slow));
    world.live(TimeDelta::minutes(26)).await;
    world.run("shop-api", "v1");
    world.live(TimeDelta::minutes(20)).await;
    assert!(world.tags("shop-api").contains(&"v1".to_owned()));
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn an_image_signed_since_a_look_that_took_long_stays() {
    let mut world = ripe_shop().await;
    let slow = |minutes| Fault::Slow(TimeDelta::minutes(minutes).to_std().unwrap());
    let tenancy = world.stage.tenancy.clone();
    tenancy.inject(READ, When::Call(1), slow(12));
    // Each repository is listed once, and once more by the look that is taken again.
    tenancy.inject(Operation::ListContainerImages, When::Call(3), slow(2));
    world.live(TimeDelta::minutes(33)).await;
    let v1 = tenancy.find(&name("shop-api"), &world.digest("shop-api", "v1")).unwrap();
    tenancy.sign_image(&v1, "ocid1.user.oc1..signer").unwrap();
    world.live(TimeDelta::minutes(15)).await;
    assert_eq!(world.tags("shop-api"), ["v1", "v5", "v6", "v7", "v8"]);
}

#[tokio::test]
async fn a_cloud_that_is_always_too_slow_is_seen_and_deletes_nothing() {
    let mut world = ripe_shop().await;
    let slow = TimeDelta::minutes(4).to_std().unwrap();
    world.stage.tenancy.inject(READ, When::Always, Fault::Slow(slow));
    world.live(TimeDelta::hours(2)).await;
    assert_eq!(n_delete_requests(&world), 0);
    world.assert_refuses(RefusalCode::TooSlow).await;
    assert!(world.page("/status").await.contains("too_slow"), "between acting passes, too");
}

#[tokio::test]
async fn what_only_acting_passes_cannot_read_is_seen_between_them() {
    let mut world = ripe_shop().await;
    world.stage.tenancy.inject(READ, When::Always, Fault::status(500, "InternalServerError"));
    world.live(TimeDelta::hours(2)).await;
    assert_eq!(world.n_deleted(), 0);
    world.assert_refuses(RefusalCode::Unreadable).await;
    world.stage.tenancy.clear_faults();
    world.act().await;
    world.assert_shop_is_tidy();
    assert!(!world.refusals().contains(&RefusalCode::Unreadable));
}

/// The shop under a usage line that is just exceeded, so that one family is to go by it.
async fn shop_above_its_line() -> World {
    let line = |kb: u64| {
        SHOP_POLICY.replace("tagged = true", &format!("tagged = true\nwhile_usage_above = \"{kb}KB\""))
    };
    let world = shop_of(play(&line(1)));
    let size = stored(&world);
    world.stage.write_policy("shop.toml", &line(size / 1000)).unwrap();
    ripe(world).await
}

/// Every distinct layer once for each repository, and every manifest.
fn stored(world: &World) -> u64 {
    let tenancy = &world.stage.tenancy;
    let query = ImageQuery {
        lifecycle: Some(Lifecycle::Available),
        cursor: Cursor::default(),
        ..ImageQuery::in_compartment(tenancy.compartment())
    };
    let page = tenancy.list_images(&query).unwrap();
    assert!(page.next.is_none());
    let mut layers = std::collections::BTreeMap::new();
    let mut manifests = std::collections::BTreeMap::new();
    for row in page.items {
        let image = tenancy.get_image(&row.id).unwrap();
        layers
            .extend(image.layers.iter().map(|layer| ((image.repository.clone(), layer.digest), layer.size)));
        manifests.insert(row.id, image.manifest_size);
    }
    layers.into_values().chain(manifests.into_values()).sum()
}

#[tokio::test]
async fn one_family_goes_by_a_line_that_is_just_exceeded() {
    let mut world = shop_above_its_line().await;
    world.act().await;
    assert_eq!(world.n_deleted(), 1);
}

#[tokio::test]
async fn space_freed_by_hand_elsewhere_spares_what_was_to_go_by_a_line() {
    let mut world = shop_above_its_line().await;
    // The first read of the pass, when every list has been made.
    in_the_middle_of(&mut world, READ, 1).await;
    assert_eq!(n_delete_requests(&world), 0);
    let unneeded = world.digest("shop-web", "v5");
    let unneeded = world.stage.tenancy.find(&name("shop-web"), &unneeded).unwrap();
    world.stage.tenancy.vanish(&unneeded).unwrap();
    // A list shows an image for some minutes after it has gone.
    world.stage.tenancy.configure(|settings| settings.listing_linger = TimeDelta::zero());
    world.live(TimeDelta::minutes(1)).await;
    assert_eq!(world.n_deleted(), 0, "usage is at its line");
    world.assert_refuses(RefusalCode::Moved).await;
    for _ in 0..3 {
        world.act().await;
    }
    assert_eq!(world.n_deleted(), 0);
}

#[tokio::test]
async fn a_tag_that_moves_while_the_pass_looks_holds_its_repository_back() {
    let mut world = ripe_shop().await;
    in_the_middle_of(&mut world, READ, 1).await;
    let newest = world.digest("shop-api", "v8");
    world.stage.tenancy.retag(&name("shop-api"), &newest, &"v5".parse().unwrap(), "ci").unwrap();
    world.live(TimeDelta::minutes(1)).await;
    assert_eq!((world.n_deleted_from("shop-api"), world.n_deleted_from("shop-web")), (0, 3));
    world.assert_refuses(RefusalCode::Moved).await;
    for _ in 0..30 {
        world.act().await;
    }
    assert!(world.tags("shop-api").contains(&"v4".to_owned()), "it is among the newest four now");
}

#[tokio::test]
async fn lists_that_fail_during_the_second_look_count_towards_the_breaker() {
    let mut world = ripe_shop().await;
    for call in 3..=200 {
        world.stage.tenancy.inject(LIST, When::Call(call), Fault::status(400, "InvalidParameter"));
    }
    world.act().await;
    assert_eq!(n_delete_requests(&world), 0);
    assert_tripped(&mut world, "3 unexpected answers in a row").await;
}
