//! Policies that change while the daemon runs.

use chrono::TimeDelta;

use crate::world::{SHOP_POLICY, play, ripe_shop, shop_of};

#[tokio::test]
async fn a_policy_made_stricter_in_the_middle_of_the_grace_restarts_it() {
    let lenient = SHOP_POLICY.replace("newest = 4", "newest = 5");
    let mut world = shop_of(play(&lenient));
    world.start();
    world.live(TimeDelta::hours(12)).await;
    assert!(!world.status().pending.is_empty(), "the lenient policy selects some already");
    world.stage.write_policy("shop.toml", SHOP_POLICY).unwrap();
    world.reload().await;
    world.live(TimeDelta::hours(24)).await;
    assert_eq!(world.n_deleted(), 0, "every mark began anew");
    world.live(TimeDelta::hours(2)).await;
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn a_bad_policy_file_keeps_the_old_policies_in_force_and_says_so() {
    let mut world = ripe_shop().await;
    world
        .stage
        .write_policy("shop.toml", "project = \"shop\"\nrepositories = [\"*\"]\n[[delete]]\n")
        .unwrap();
    world.reload().await;
    let (state, reason) = world.health("policies").await;
    assert_eq!(state, "failed");
    assert!(reason.contains("the old ones stay in force") && reason.contains("shop.toml"), "{reason}");
    assert!(world.sample("ocird_policy_reloads_total{result=\"refused\"}").await > 0);
    world.act().await;
    world.assert_shop_is_tidy();
    world.stage.write_policy("shop.toml", SHOP_POLICY).unwrap();
    world.reload().await;
    assert_eq!(world.health("policies").await.0, "ok");
}
