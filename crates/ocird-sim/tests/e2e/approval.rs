//! Too much at once (S-19): refused as a whole, kept as a list, and worked off by an approval that lifts nothing else.

use chrono::TimeDelta;
use ocird::status::RefusalCode;
use ocird_model::FindingKind;
use ocird_sim::{Iam, Scope};
use ocird_store::{PlanId, Store};

use crate::world::{N_DUE, SHOP_POLICY, World, name, play, ripe, shop_of, tag};

/// The shop under these limits, twenty minutes before its daemon acts for the first time.
async fn shop_with(limits: &str) -> World {
    let world = shop_of(play(SHOP_POLICY));
    world.edit_config("[schedule]", &format!("[limits]\n{limits}\n[schedule]"));
    ripe(world).await
}

/// A shop of one repository with so many builds, of which the newest four stay.
async fn big_shop(n_builds: u32) -> World {
    let world = World::open(play(SHOP_POLICY));
    world.create("shop-big");
    for number in 1..=n_builds {
        world.push("shop-big", &format!("v{number}"));
    }
    world.stage.tenancy.clock().advance(TimeDelta::days(1));
    let mut world = world;
    world.run("shop-big", &format!("v{n_builds}"));
    ripe(world).await
}

fn refused_plan(world: &World) -> Option<PlanId> {
    let plan = world.status().brakes.refused_plan.clone()?;
    Some(plan.id.parse().unwrap())
}

async fn approve(world: &mut World) {
    let plan = refused_plan(world).expect("a plan waits");
    world.meanwhile(async |store, now| store.approve(plan, "alice", now).await.unwrap()).await;
}

#[tokio::test]
async fn more_than_a_plan_may_take_goes_only_when_somebody_has_approved_it() {
    let mut world = shop_with("max_plan = 6").await;
    for _ in 0..3 {
        world.act().await;
    }
    assert_eq!(world.n_deleted(), 0, "not even the first of them");
    world.assert_unwell(RefusalCode::TooMuch, "deletion", "7 families are due, and max_plan is 6").await;
    assert!(world.page("/status").await.contains("nothing goes because of too_much"));
    let found = world.status().findings.iter().any(|standing| standing.finding.kind == FindingKind::TooMuch);
    assert!(found, "a finding tells it");
    let plan = world.status().brakes.refused_plan.clone().unwrap();
    assert_eq!((plan.n_families, plan.by_repository[&name("shop-api")]), (7, 4));
    approve(&mut world).await;
    world.act().await;
    world.act().await;
    world.assert_shop_is_tidy();
    world.act().await;
    assert!(world.status().brakes.approval.is_none(), "all of it is gone");
    assert!(!world.refusals().contains(&RefusalCode::TooMuch));
}

#[tokio::test]
async fn as_many_as_a_plan_may_take_need_nobody() {
    let mut world = shop_with("max_plan = 7").await;
    world.act().await;
    world.assert_shop_is_tidy();
    assert_eq!(refused_plan(&world), None);
}

#[tokio::test]
async fn more_than_half_of_a_repository_waits_for_an_approval() {
    let mut world = big_shop(16).await;
    world.act().await;
    assert_eq!(world.n_deleted(), 0);
    world.assert_refuses(RefusalCode::TooMuch).await;
    let why = world.status().brakes.refused_plan.clone().unwrap().why;
    assert!(why.contains("12 of the 16 tagged families of shop-big"), "{why}");
    approve(&mut world).await;
    world.act().await;
    world.act().await;
    assert_eq!(world.tags("shop-big"), ["v13", "v14", "v15", "v16"]);
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn a_refused_plan_is_no_longer_one_when_the_policy_is_corrected() {
    let mut world = shop_with("max_plan = 6").await;
    world.act().await;
    assert!(refused_plan(&world).is_some());
    world.stage.write_policy("shop.toml", &SHOP_POLICY.replace("newest = 4", "newest = 7")).unwrap();
    world.reload().await;
    world.act().await;
    assert_eq!(refused_plan(&world), None);
    world.live(TimeDelta::hours(30)).await;
    assert_eq!(world.n_deleted(), 2, "one of each repository is beyond the newest seven, but for what runs");
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn a_refused_plan_stands_while_some_of_it_cannot_be_judged() {
    let mut world = shop_with("max_plan = 6").await;
    world.act().await;
    let plan = refused_plan(&world);
    assert!(plan.is_some());
    // What is left would be few enough to go unasked.
    let read = vec![Scope::Exactly(name("shop-web"))];
    world.stage.tenancy.set_iam(Iam { read, ..Iam::everything() });
    // An acting pass reads again what is about to go.
    for _ in 0..2 {
        world.act().await;
        assert_eq!((world.n_deleted(), refused_plan(&world)), (0, plan));
        world.assert_refuses(RefusalCode::Unreadable).await;
        world.assert_refuses(RefusalCode::TooMuch).await;
    }
    world.stage.tenancy.set_iam(Iam::everything());
    for _ in 0..4 {
        world.act().await;
        assert_eq!((world.n_deleted(), refused_plan(&world)), (0, plan));
        world.assert_refuses(RefusalCode::TooMuch).await;
    }
    approve(&mut world).await;
    world.live(TimeDelta::hours(4)).await;
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn an_approval_takes_its_list_within_the_limits_and_nothing_beside_it() {
    let world = shop_of(play(SHOP_POLICY));
    world.edit_config("[schedule]", "[limits]\nmax_plan = 6\nmax_per_pass = 1\nmax_per_day = 2\n[schedule]");
    world.edit_config("[in_use]", "[in_use]\nkeep_previous = 1");
    let mut world = ripe(world).await;
    world.act().await;
    approve(&mut world).await;
    // What ran until now is older than most of the list, and falls due a day later.
    // A rollback would need the one before the last.
    for next in ["v7", "v8"] {
        world.run("shop-web", next);
        world.live(TimeDelta::hours(1)).await;
    }
    for day in 1..=3 {
        world.live(TimeDelta::days(1)).await;
        assert!(world.n_deleted() <= 2 * (day + 1), "{} by day {day}", world.n_deleted());
    }
    assert!(world.n_deleted() < N_DUE);
    world.assert_refuses(RefusalCode::Unapproved).await;
    assert!(
        world.tags("shop-web").contains(&"v2".to_owned()),
        "it is due, older than others, and not on the list"
    );
    world.live(TimeDelta::days(3)).await;
    assert_eq!(world.tags("shop-api"), ["v5", "v6", "v7", "v8"]);
    assert_eq!(
        world.tags("shop-web"),
        ["v5", "v6", "v7", "v8"],
        "when the list is gone, the rest is no longer too much"
    );
    assert_eq!(world.status().brakes.approval, None);
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn an_approved_family_that_got_a_tag_since_is_not_the_one_that_was_approved() {
    let mut world = shop_with("max_plan = 6").await;
    world.act().await;
    approve(&mut world).await;
    let oldest = world.digest("shop-api", "v1");
    world.stage.tenancy.retag(&name("shop-api"), &oldest, &tag("prod"), "ci").unwrap();
    world.act().await;
    world.act().await;
    assert!(world.tags("shop-api").contains(&"prod".to_owned()));
    assert_eq!(world.n_deleted(), N_DUE - 1);
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn an_approval_ends_after_thirty_days_whatever_is_left() {
    let mut world = shop_with("max_plan = 6\nmax_per_pass = 1\nmax_per_day = 1").await;
    world.act().await;
    let plan = refused_plan(&world).unwrap();
    let approve =
        async |store: &Store, now| store.approve(plan, "alice", now - TimeDelta::days(29)).await.unwrap();
    world.meanwhile(approve).await;
    std::fs::write(world.pause_file(), "").unwrap();
    world.live(TimeDelta::hours(22)).await;
    assert!(world.status().brakes.approval.is_some());
    world.live(TimeDelta::hours(3)).await;
    assert!(world.status().brakes.approval.is_none());
    world.assert_refuses(RefusalCode::TooMuch).await;
    assert_eq!(world.n_deleted(), 0);
}

#[tokio::test]
async fn a_reset_withdraws_what_was_approved() {
    let mut world = shop_with("max_plan = 6").await;
    world.act().await;
    let plan = refused_plan(&world).unwrap();
    let both = async |store: &Store, now| {
        store.approve(plan, "alice", now).await.unwrap();
        store.reset("alice", now).await.unwrap();
    };
    world.meanwhile(both).await;
    world.act().await;
    assert_eq!(world.n_deleted(), 0);
    world.assert_refuses(RefusalCode::TooMuch).await;
    assert_ne!(refused_plan(&world), Some(plan), "a number is never used twice");
}
