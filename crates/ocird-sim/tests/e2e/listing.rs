//! What the daemon may believe: a listing that is not whole, a manifest that cannot be read, rights that are gone.

use chrono::TimeDelta;
use ocird::status::RefusalCode;
use ocird_sim::http::{Answer, Options};
use ocird_sim::iam::{Iam, Scope};
use ocird_sim::{Fault, Operation, When};

use crate::world::{N_DUE, SHOP, SHOP_POLICY, World, build, play, ripe, ripe_shop, shop_of};

const LIST: Operation = Operation::ListContainerImages;

/// The ripe shop behind pages of three rows.
async fn ripe_shop_in_small_pages() -> World {
    let mut play = play(SHOP_POLICY);
    play.options = Options { max_page_size: Some(3), ..play.options };
    ripe(shop_of(play)).await
}

#[tokio::test]
async fn without_a_fault_exactly_the_due_images_go() {
    let mut world = ripe_shop().await;
    world.act().await;
    world.assert_shop_is_tidy();
    assert!(world.refusals().is_empty(), "{:?}", world.status().refusals);
    assert_eq!(world.health("registry").await.0, "ok");
    assert_eq!(world.sample("ocird_outcomes_total{outcome=\"deleted\"}").await, N_DUE as u64);
}

#[tokio::test]
async fn a_page_that_fails_in_the_middle_of_a_listing_freezes_its_repository_only() {
    let mut world = ripe_shop_in_small_pages().await;
    // The two repositories are listed side by side: the first two calls are their first pages, the third a second.
    world.stage.tenancy.inject(LIST, When::Call(3), Fault::status(404, "NotAuthorizedOrNotFound"));
    world.act().await;
    let frozen: Vec<&str> = SHOP.into_iter().filter(|name| world.n_deleted_from(name) == 0).collect();
    assert_eq!(frozen.len(), 1, "{:?}", world.deletions());
    world.assert_unwell(RefusalCode::Unreadable, "registry", frozen[0]).await;
    world.act().await;
    world.assert_shop_is_tidy();
    assert_eq!(world.health("registry").await.0, "ok");
}

#[tokio::test]
async fn an_empty_page_with_a_next_token_is_not_the_end_of_a_listing() {
    let mut world = ripe_shop_in_small_pages().await;
    world.stage.tenancy.inject(LIST, When::Next(2), Fault::EmptyPage);
    world.act().await;
    assert!(world.refusals().is_empty(), "{:?}", world.status().refusals);
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn a_repeated_cursor_is_never_followed_and_nothing_goes() {
    let mut world = ripe_shop_in_small_pages().await;
    world.stage.tenancy.inject(LIST, When::Always, Fault::RepeatedCursor);
    world.act().await;
    assert_eq!(world.n_deleted(), 0);
    world.assert_unwell(RefusalCode::Unreadable, "registry", "endless").await;
    world.stage.tenancy.clear_faults();
    world.act().await;
    world.assert_shop_is_tidy();
}

/// What the alert `OcirdNoCompletePass` compares with.
#[tokio::test]
async fn only_a_complete_pass_puts_off_the_instant_by_which_one_must_have_been() {
    let mut world = shop_of(play(SHOP_POLICY));
    world.start();
    world.live(TimeDelta::hours(2)).await;
    let due = world.status().bounds.complete_by.unwrap();
    assert!(due > world.stage.tenancy.now() + TimeDelta::hours(1), "{due}");
    world.stage.tenancy.inject(LIST, When::Always, Fault::RepeatedCursor);
    world.live(TimeDelta::hours(4)).await;
    assert_eq!(world.status().bounds.complete_by, Some(due));
    assert!(due < world.stage.tenancy.now(), "{due}");
    world.stage.tenancy.clear_faults();
    world.live(TimeDelta::hours(1)).await;
    assert!(world.status().bounds.complete_by.unwrap() > world.stage.tenancy.now());
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_freezes_its_repository_and_no_other() {
    let mut world = ripe_shop().await;
    world.push_build("shop-web", &build("shop-web", "v9").single(), "v9");
    world.stage.tenancy.inject(
        Operation::GetManifest,
        When::Always,
        Fault::status(500, "InternalServerError"),
    );
    world.act().await;
    assert_eq!((world.n_deleted_from("shop-web"), world.n_deleted_from("shop-api")), (0, 4));
    world.assert_unwell(RefusalCode::Unreadable, "registry", "shop-web").await;
    assert!(world.sample("ocird_repository_unreadable{repository=\"shop-web\"}").await > 0);
    world.stage.tenancy.clear_faults();
    world.act().await;
    assert_eq!(world.n_deleted_from("shop-web"), 3, "v1, v3 and v4; v5 waits for its own grace");
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn lost_rights_look_like_not_found_and_are_never_taken_for_an_empty_registry() {
    let mut world = ripe_shop().await;
    world.stage.tenancy.set_iam(Iam::nothing());
    world.act().await;
    world.act().await;
    assert_eq!(world.n_deleted(), 0);
    world.assert_unwell(RefusalCode::CannotObserve, "registry", "cannot list the repositories").await;
    assert_eq!(world.status().repositories.len(), 2, "what was seen before is still shown");
    world.stage.tenancy.set_iam(Iam::everything());
    world.act().await;
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn a_right_to_read_lost_for_one_repository_freezes_that_one() {
    let mut world = ripe_shop().await;
    let only_api = Iam { read: vec![Scope::Prefix("shop-api".to_owned())], ..Iam::everything() };
    world.stage.tenancy.set_iam(only_api);
    world.act().await;
    assert_eq!((world.n_deleted_from("shop-web"), world.n_deleted_from("shop-api")), (0, 4));
    world.assert_unwell(RefusalCode::Unreadable, "registry", "shop-web").await;
    world.stage.tenancy.set_iam(Iam::everything());
    world.act().await;
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn a_token_that_expires_during_a_pass_is_replaced_and_the_pass_completes() {
    let mut play = play(SHOP_POLICY);
    play.options = Options { token_lifetime: TimeDelta::minutes(6), ..play.options };
    let mut world = ripe(shop_of(play)).await;
    world.stage.tenancy.inject(LIST, When::Call(1), slow(TimeDelta::minutes(8)));
    world.stage.server.requests().clear();
    world.live(TimeDelta::minutes(40)).await;
    let requests = world.stage.server.requests();
    assert_eq!(requests.of(Operation::Federation), 2, "one for the pass, one within it");
    assert_eq!(
        requests.answered(LIST, Answer::Status(401)),
        1,
        "the slow call came with a token of the past"
    );
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn a_pass_that_looked_for_too_long_acts_on_what_it_sees_when_it_looks_again() {
    let mut world = ripe_shop().await;
    world.stage.tenancy.inject(LIST, When::Call(1), slow(TimeDelta::minutes(15)));
    // The call is under way when the next image that would go is deployed.
    world.live(TimeDelta::minutes(25)).await;
    world.run("shop-api", "v1");
    world.live(TimeDelta::minutes(15)).await;
    assert_eq!(world.tags("shop-api"), ["v1", "v5", "v6", "v7", "v8"]);
    assert_eq!(world.n_deleted(), 6);
    world.assert_nobody_misses_anything();
}

fn slow(by: TimeDelta) -> Fault {
    Fault::Slow(by.to_std().unwrap())
}

#[tokio::test]
async fn a_session_token_refused_once_is_replaced_and_the_pass_completes() {
    let mut world = ripe_shop().await;
    world.stage.tenancy.inject(LIST, When::Call(1), Fault::status(401, "NotAuthenticated"));
    world.stage.server.requests().clear();
    world.act().await;
    assert_eq!(world.stage.server.requests().of(Operation::Federation), 1);
    world.assert_shop_is_tidy();
}
