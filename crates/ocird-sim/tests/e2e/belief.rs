//! What the daemon believes and what it does not: lists that shrink (S-3), compartments that cannot be listed (S-2), kinds it
//! does not know (S-7), doubts that outlive a restart (S-9), a disk without room (S-28), rights that others share (S-31), and
//! signatures (S-35).

use chrono::TimeDelta;
use ocird::status::{Arming, RefusalCode};
use ocird_sim::iam::{Iam, Scope};
use ocird_sim::stage::Timers;
use ocird_sim::view::RepositoryKind;
use ocird_sim::{Fault, NewRepository, Operation, When};

use crate::world::{
    HOST, SHOP_POLICY, World, build, name, play, ripe, ripe_shop, shop_in_two_compartments, shop_of,
};

/// Long enough for every batch of the shop, at one acting pass an hour.
const LONG_ENOUGH: TimeDelta = TimeDelta::hours(6);

/// Takes a tagged image away by another hand.
fn vanish(world: &World, repository: &str, of_tag: &str) {
    let digest = world.digest(repository, of_tag);
    let image = world.stage.tenancy.find(&name(repository), &digest).unwrap();
    world.stage.tenancy.vanish(&image).unwrap();
}

fn why(world: &World, code: RefusalCode) -> String {
    let status = world.status();
    let texts = status.refusals.iter().filter(|refusal| refusal.code == code);
    texts.map(|refusal| refusal.text.clone()).collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn a_repository_that_lost_most_of_its_images_by_another_hand_is_frozen_until_two_later_passes_agree() {
    let mut world = ripe_shop().await;
    for number in 3..=8 {
        vanish(&world, "shop-api", &format!("v{number}"));
    }
    world.act().await;
    world.assert_refuses(RefusalCode::Shrunk).await;
    assert!(why(&world, RefusalCode::Shrunk).contains("shop-api: the number of its images fell from 8"));
    assert_eq!(world.n_deleted_from("shop-api"), 0);
    world.live(LONG_ENOUGH).await;
    assert!(!world.refusals().contains(&RefusalCode::Shrunk), "{:?}", world.status().refusals);
    assert_eq!(world.n_deleted_from("shop-web"), 3, "the other repository was never frozen");
    assert_eq!(world.tags("shop-api"), ["v1", "v2"], "they are the newest by now");
}

#[tokio::test]
async fn what_ocird_took_itself_freezes_nothing() {
    let world = shop_of(play(SHOP_POLICY));
    for number in 9..=14 {
        world.push("shop-api", &format!("v{number}"));
    }
    world.stage.tenancy.clock().advance(TimeDelta::days(1));
    let mut world = ripe(world).await;
    world.live(LONG_ENOUGH).await;
    assert_eq!(world.n_deleted_from("shop-api"), 10, "of fourteen, in one pass");
    assert_eq!(world.sample("ocird_refusals_total{code=\"shrunk\"}").await, 0);
}

#[tokio::test]
async fn a_compartment_that_cannot_be_listed_holds_its_own_repositories_and_no_others() {
    let world = shop_in_two_compartments();
    let tenancy = world.stage.tenancy.clone();
    let mut world = ripe(world).await;
    let lost = Fault::status(404, "NotAuthorizedOrNotFound");
    tenancy.inject(Operation::ListContainerRepositories, When::Every(2), lost);
    world.live(LONG_ENOUGH).await;
    assert_eq!((world.n_deleted_from("shop-api"), world.n_deleted_from("shop-web")), (0, 3));
    world.assert_unwell(RefusalCode::Unreadable, "registry", "cannot be listed").await;
    let status = world.status();
    let api = &status.repositories[&name("shop-api")];
    assert_eq!((api.n_images > 0, api.unreadable.is_some()), (true, true), "it has not vanished");
    tenancy.clear_faults();
    world.live(TimeDelta::hours(40)).await;
    assert_eq!(world.n_deleted_from("shop-api"), 4);
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn a_repository_that_states_another_sort_is_left_alone() {
    let mut world = shop_of(play(SHOP_POLICY));
    let tenancy = &world.stage.tenancy;
    let kind = RepositoryKind::PullThroughCache;
    let cache = NewRepository { kind, ..NewRepository::private(name("shop-cache"), tenancy.compartment()) };
    tenancy.create_repository(cache).unwrap();
    for number in 1..=8 {
        let revision = format!("v{number}");
        world.push_build("shop-cache", &build("shop-cache", &revision).single(), &revision);
    }
    world = ripe(world).await;
    world.live(LONG_ENOUGH).await;
    assert_eq!((world.n_deleted_from("shop-cache"), world.n_deleted_from("shop-api")), (0, 4));
    world.assert_unwell(RefusalCode::Unreadable, "registry", "shop-cache").await;
}

#[tokio::test]
async fn a_source_that_is_in_doubt_for_one_pass_costs_no_grace() {
    let mut world = ripe_shop().await;
    world.stage.hosts = Timers::StandStill;
    let path = world.stage.reference_file(HOST);
    let whole = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    world.act().await;
    assert_eq!(world.n_deleted(), 0);
    world.assert_refuses(RefusalCode::InUseUnknown).await;
    assert!(!world.status().pending.is_empty(), "what is pending is still pending");
    std::fs::write(&path, whole).unwrap();
    world.stage.hosts = Timers::Run;
    world.live(LONG_ENOUGH).await;
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn a_source_that_is_in_doubt_for_long_ages_no_mark() {
    let mut world = shop_of(play(SHOP_POLICY));
    world.start();
    world.live(TimeDelta::hours(12)).await;
    world.stage.hosts = Timers::StandStill;
    std::fs::remove_file(world.stage.reference_file(HOST)).unwrap();
    world.live(TimeDelta::hours(30)).await;
    world.stage.hosts = Timers::Run;
    world.live(TimeDelta::hours(10)).await;
    assert_eq!(world.n_deleted(), 0, "twenty-two hours of those forty were spent in doubt or alone");
    world.live(TimeDelta::hours(4) + LONG_ENOUGH).await;
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn a_doubt_about_the_clock_outlives_a_restart() {
    let mut world = ripe_shop().await;
    world.stage.clock.set_skew(TimeDelta::minutes(10));
    world.act().await;
    world.assert_refuses(RefusalCode::ClockDoubt).await;
    world.stop().await;
    world.stage.clock.set_skew(TimeDelta::zero());
    world.start();
    world.live(TimeDelta::minutes(1)).await;
    world.assert_refuses(RefusalCode::ClockDoubt).await;
    assert_eq!(world.n_deleted(), 0);
    world.live(LONG_ENOUGH).await;
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn a_disk_without_room_stops_deletion_and_nothing_else() {
    let world = shop_of(play(SHOP_POLICY));
    world.edit_config("min_free = \"1MB\"", "min_free = \"1TB\"");
    let mut world = ripe(world).await;
    let before = world.status().counts.n_passes;
    world.live(LONG_ENOUGH).await;
    assert_eq!(world.n_deleted(), 0);
    world.assert_unwell(RefusalCode::LowSpace, "store", "nothing is deleted under").await;
    assert!(world.status().counts.n_passes > before, "it goes on looking");
}

/// A first pass that hangs must be told, and so what alerts compare with cannot wait for its end.
#[tokio::test]
async fn what_figures_are_measured_against_is_told_before_the_first_pass() {
    let world = shop_of(play(SHOP_POLICY));
    world.edit_config("[store]", "[findings]\nwarn_at = \"350MB\"\nbudget = \"500MB\"\n[store]");
    let page = world.stage.assemble().unwrap().shown.metrics.render().unwrap();
    for line in [
        "ocird_passes_total 0",
        "ocird_budget_bytes 500000000",
        "ocird_budget_warning_bytes 350000000",
        "ocird_disk_floor_bytes 1000000",
    ] {
        assert!(page.lines().any(|there| there == line), "{line} is not in\n{page}");
    }
    for name in ["ocird_disk_free_bytes ", "ocird_complete_pass_due_timestamp_seconds "] {
        assert!(page.lines().any(|line| line.starts_with(name)), "{name} is not in\n{page}");
    }
}

#[tokio::test]
async fn rights_that_others_on_the_instance_share_are_not_armed_unless_somebody_answers_for_it() {
    let world = shop_of(play(SHOP_POLICY));
    world.edit_config("metadata = \"own_instance\"\n", "");
    let mut world = ripe(world).await;
    world.act().await;
    assert_eq!((world.n_deleted(), world.status().arming), (0, Arming::Disarmed));
    world.assert_refuses(RefusalCode::SharedIdentity).await;
    world.stop().await;
    world.edit_config("[store]", "accept_shared_identity = true\n[store]");
    world.start();
    world.live(LONG_ENOUGH).await;
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn a_signed_image_stays_until_its_policy_says_otherwise() {
    let world = shop_of(play(SHOP_POLICY));
    let tenancy = world.stage.tenancy.clone();
    let signed = tenancy.find(&name("shop-api"), &world.digest("shop-api", "v1")).unwrap();
    tenancy.sign_image(&signed, "ocid1.user.oc1..signer").unwrap();
    let mut world = ripe(world).await;
    world.live(LONG_ENOUGH).await;
    assert_eq!(world.tags("shop-api"), ["v1", "v5", "v6", "v7", "v8"]);
    let enforced = SHOP_POLICY.replacen("[[keep]]", "signed = \"enforce\"\n[[keep]]", 1);
    world.stage.write_policy("shop.toml", &enforced).unwrap();
    world.reload().await;
    world.live(TimeDelta::hours(24) + LONG_ENOUGH).await;
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn signatures_that_cannot_be_listed_hold_what_they_might_be_on() {
    let world = shop_of(play(SHOP_POLICY));
    let tenancy = world.stage.tenancy.clone();
    tenancy.inject(
        Operation::ListContainerImageSignatures,
        When::Always,
        Fault::status(500, "InternalServerError"),
    );
    let mut world = ripe(world).await;
    world.live(LONG_ENOUGH).await;
    assert_eq!(world.n_deleted(), 0);
    world.assert_refuses(RefusalCode::SignaturesUnknown).await;
    tenancy.clear_faults();
    world.live(LONG_ENOUGH).await;
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn an_index_whose_details_stay_unreadable_loses_none_of_its_children() {
    let world = shop_of(play(&SHOP_POLICY.replace("tagged = true", "tagged = false\nolder_than = \"1h\"")));
    for number in 1..=3 {
        let revision = format!("multi-{number}");
        world.push_build("shop-api", &build("shop-api", &revision), &revision);
    }
    let mut world = ripe(world).await;
    let only_web = Iam { read: vec![Scope::Prefix("shop-web".to_owned())], ..Iam::everything() };
    world.stage.tenancy.set_iam(only_web);
    world.live(TimeDelta::hours(30)).await;
    world.assert_refuses(RefusalCode::Unreadable).await;
    assert_eq!(world.n_deleted(), 0);
    world.assert_nobody_misses_anything();
}
