//! What runs, by the files that hosts write: in doubt, nothing goes (S-4).

use std::fs;

use chrono::TimeDelta;
use ocird::status::RefusalCode;
use ocird_sim::Reference;
use ocird_sim::manifest::Platform;
use ocird_sim::stage::Timers;

use crate::world::{HOST, SHOP_POLICY, World, name, play, ripe, ripe_shop, shop_of, tag};

/// Asserts that nothing goes for these words, and that everything does a grace after the host writes again at the latest: a
/// doubt keeps, and speaks neither for a mark nor against it (S-4, S-16).
async fn assert_doubted_until_written_again(mut world: World, words: &str) {
    world.act().await;
    assert_eq!(world.n_deleted(), 0);
    world.assert_unwell(RefusalCode::InUseUnknown, "in_use", words).await;
    world.stage.hosts = Timers::Run;
    world.act().await;
    assert_eq!(world.health("in_use").await.0, "ok");
    world.live(TimeDelta::hours(31)).await;
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn a_reference_file_that_nobody_writes_any_more_is_not_believed() {
    let mut world = shop_of(play(SHOP_POLICY));
    world.edit_config("[schedule]", "[guardrails]\ngrace = \"30h\"\n[schedule]");
    world.stage.hosts = Timers::StandStill;
    world.start();
    world.live(TimeDelta::hours(30)).await;
    assert_doubted_until_written_again(world, "26 h are allowed").await;
}

#[tokio::test]
async fn an_image_pulled_after_the_hosts_last_spoke_waits_until_they_speak_again() {
    let mut world = ripe_shop().await;
    world.stage.hosts = Timers::StandStill;
    let oldest = Reference::Tag(tag("v1"));
    world.stage.tenancy.pull(&name("shop-api"), &oldest, Platform::Arm64).unwrap();
    world.act().await;
    assert_eq!(world.tags("shop-api"), ["v1", "v5", "v6", "v7", "v8"]);
    world.assert_refuses(RefusalCode::Moved).await;
    world.stage.hosts = Timers::Run;
    world.act().await;
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn a_half_written_reference_file_is_not_believed() {
    let mut world = ripe_shop().await;
    world.stage.hosts = Timers::StandStill;
    let path = world.stage.reference_file(HOST);
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert_doubted_until_written_again(world, "is not a reference file").await;
}

#[tokio::test]
async fn a_missing_reference_file_is_not_an_empty_one() {
    let mut world = ripe_shop().await;
    world.stage.hosts = Timers::StandStill;
    fs::remove_file(world.stage.reference_file(HOST)).unwrap();
    assert_doubted_until_written_again(world, "no file is there yet").await;
}

#[tokio::test]
async fn an_unclear_reference_into_this_registry_puts_its_file_in_doubt() {
    let mut world = ripe_shop().await;
    world.stage.hosts = Timers::StandStill;
    let path = world.stage.reference_file(HOST);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("shop-web:v2\""));
    fs::write(&path, text.replace("shop-web:v2\"", "shop-web:v2:v3\"")).unwrap();
    assert_doubted_until_written_again(world, "cannot be understood").await;
}

#[tokio::test]
async fn an_expected_host_that_has_not_written_is_missed() {
    let world = shop_of(play(SHOP_POLICY));
    world.edit_config("repositories = [\"*\"]\n", "repositories = [\"*\"]\nexpect = [\"shop-2\"]\n");
    let mut world = ripe(world).await;
    world.act().await;
    assert_eq!(world.n_deleted(), 0);
    world.assert_unwell(RefusalCode::InUseUnknown, "in_use", "shop-2").await;
    let first = fs::read_to_string(world.stage.reference_file(HOST)).unwrap();
    fs::write(world.stage.reference_file("shop-2"), first.replace("shop-1", "shop-2")).unwrap();
    world.live(TimeDelta::hours(25)).await;
    world.assert_shop_is_tidy();
}
