//! Undoing, over HTTP with real signatures: runs that were deleted come back with their tags, as far as the rights allow, and
//! stay (S-27).

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use ocird::undo::{Fate, RestoreOrder, Restored, Undo, UndoError, What, restore};
use ocird_model::{ImageId, RepositoryName};
use ocird_sim::{Attestations, Fault, Iam, Operation, When};

use crate::world::{SHOP_POLICY, World, build, name, play, tag};

/// The repository of this file: eight builds for two platforms, each with two tags, of which the newest four stay.
const SHOP: &str = "shop-multi";

/// Families that are due in it.
const N_FAMILIES: usize = 4;

/// Images of a family: an index, two platforms and what attests each.
const N_MEMBERS: usize = 5;

/// The shop after everything that was due has gone: heads first, then the rests.
async fn deleted_shop() -> World {
    let mut world = World::open(play(SHOP_POLICY));
    world.create(SHOP);
    for number in 1..=8 {
        let revision = format!("v{number}");
        let tags = [tag(&revision), tag(&format!("{revision}-final"))];
        let build = build(SHOP, &revision).attested(Attestations::Children);
        world.stage.tenancy.push(&name(SHOP), &build, &tags, "ci").unwrap();
        world.stage.tenancy.clock().advance(TimeDelta::minutes(30));
    }
    world.stage.tenancy.clock().advance(TimeDelta::days(1));
    world.run(SHOP, "v8");
    world.trust().await;
    world.start();
    world.live(TimeDelta::hours(24) + TimeDelta::minutes(10)).await;
    for _ in 0..3 {
        world.act().await;
    }
    assert_eq!(world.n_deleted(), N_FAMILIES * N_MEMBERS);
    assert_eq!(world.tags(SHOP).len(), 8);
    world
}

fn everything() -> What {
    What::Span { from: DateTime::<Utc>::MIN_UTC, until: DateTime::<Utc>::MAX_UTC }
}

fn family(image: &str) -> What {
    What::Family(image.parse().unwrap())
}

/// Stops the daemon, asks for a restore as the operator's command does, and starts the daemon again.
async fn bring_back(world: &mut World, what: What) -> Result<Restored, UndoError> {
    let config = world.stage.config().unwrap();
    let clock = world.stage.clock.clone();
    let oci = ocird::cloud::client(&config.oci, clock.clone()).unwrap();
    let order = RestoreOrder {
        what,
        by: "ada".to_owned(),
        why: "a drill".to_owned(),
        hold_for: Some(RestoreOrder::HOLD_FOR),
    };
    let mut restored = None;
    world
        .meanwhile(async |store, _| {
            let undo = Undo { reader: &oci, restorer: &oci.restorer(), store, clock: &clock };
            restored = Some(restore(&undo, &order).await);
        })
        .await;
    restored.unwrap()
}

/// The images that went, in the order in which they did.
fn gone(world: &World) -> Vec<ImageId> {
    world.deletions().into_iter().map(|deletion| deletion.image).collect()
}

fn repository() -> RepositoryName {
    name(SHOP)
}

#[tokio::test]
async fn the_drill_twenty_images_of_a_day_come_back_with_all_their_tags_and_stay() {
    let mut world = deleted_shop().await;
    let restored = bring_back(&mut world, everything()).await.unwrap();
    assert!(restored.is_whole(), "{:#?}", restored.lines());
    assert_eq!((restored.n_there(), restored.n_tags()), (N_FAMILIES * N_MEMBERS, 2 * N_FAMILIES));
    assert_eq!(restored.n_holds, N_FAMILIES);
    assert_eq!(world.tags(SHOP).len(), 16);
    let there: BTreeSet<_> = restored.images.iter().map(|image| image.digest).collect();
    assert!(there.iter().all(|digest| world.stage.tenancy.find(&repository(), digest).is_some()));
    world.assert_nobody_misses_anything();
    let n_deleted = world.n_deleted();
    world.live(TimeDelta::days(4)).await;
    assert_eq!(world.n_deleted(), n_deleted, "what was brought back is held");
    assert_eq!(world.status().repositories[&repository()].verdicts.get("held"), Some(&(N_FAMILIES as u64)));
}

#[tokio::test]
async fn what_came_back_goes_again_when_nobody_holds_it_any_more() {
    let mut world = deleted_shop().await;
    bring_back(&mut world, family("shop-multi:v1")).await.unwrap();
    world
        .meanwhile(async |store, now| {
            let holds = store.holds().await.unwrap();
            let digest = &holds[&repository()][0].on;
            let image = format!("{SHOP}{digest}").parse().unwrap();
            let released = ocird::undo::release(store, &image, "ada", now).await.unwrap();
            assert_eq!(released.holds.len(), 1);
        })
        .await;
    let before = world.n_deleted();
    world.live(TimeDelta::hours(23)).await;
    assert_eq!(world.n_deleted(), before, "its marks began anew with its return");
}

#[tokio::test]
async fn children_come_before_the_index_that_names_them() {
    let mut world = deleted_shop().await;
    let restored = bring_back(&mut world, family("shop-multi:v2")).await.unwrap();
    assert_eq!(restored.images.len(), N_MEMBERS);
    let head = restored.images.last().unwrap();
    assert_eq!(head.tags, [tag("v2"), tag("v2-final")]);
    assert!(restored.images.iter().all(|image| image.fate == Fate::Back));
    let first_gone = gone(&world);
    let is_head = |image: &ImageId| restored.images.last().unwrap().image == *image;
    assert!(first_gone.iter().position(is_head).unwrap() < N_FAMILIES, "it went first and comes last");
}

#[tokio::test]
async fn the_last_run_is_what_the_last_acting_pass_took() {
    let mut world = deleted_shop().await;
    let restored = bring_back(&mut world, What::LastRun).await.unwrap();
    let heads = restored.images.iter().filter(|image| !image.tags.is_empty()).count();
    assert_eq!((restored.n_there(), heads), (N_FAMILIES * (N_MEMBERS - 1), 0), "{:#?}", restored.lines());
    assert_eq!(restored.n_holds, restored.n_there(), "without their heads each is held for itself");
}

#[tokio::test]
async fn without_the_right_to_push_one_tag_of_each_comes_back_and_the_others_are_named() {
    let mut world = deleted_shop().await;
    world.stage.tenancy.set_iam(Iam { denied: [Operation::PutManifest].into(), ..Iam::everything() });
    let restored = bring_back(&mut world, everything()).await.unwrap();
    assert_eq!(restored.n_there(), N_FAMILIES * N_MEMBERS);
    assert_eq!((restored.n_tags(), restored.n_lost()), (N_FAMILIES, N_FAMILIES));
    let text = restored.lines().join("\n");
    assert!(text.contains("the right to push") && text.contains("imagetools create"), "{text}");
    assert_eq!(world.tags(SHOP).len(), 8 + N_FAMILIES);
    assert_eq!(
        world.stage.server.requests().of(Operation::PutManifest),
        1,
        "a refusal is not asked for again"
    );
}

#[tokio::test]
async fn without_the_right_to_restore_nothing_comes_back_and_every_ocid_is_named() {
    let mut world = deleted_shop().await;
    world
        .stage
        .tenancy
        .set_iam(Iam { denied: [Operation::RestoreContainerImage].into(), ..Iam::everything() });
    let restored = bring_back(&mut world, family("shop-multi:v1")).await.unwrap();
    assert_eq!((restored.n_there(), restored.n_lost()), (0, 2));
    let text = restored.lines().join("\n");
    assert!(restored.images.iter().all(|image| text.contains(image.image.as_str())), "{text}");
    world.live(TimeDelta::minutes(20)).await;
    world.assert_refuses(ocird::status::RefusalCode::NoRestore).await;
}

#[tokio::test]
async fn a_restore_asked_for_twice_changes_nothing_the_second_time() {
    let mut world = deleted_shop().await;
    bring_back(&mut world, family("shop-multi:v1")).await.unwrap();
    let before = world.stage.tenancy.fingerprint();
    let again = bring_back(&mut world, family("shop-multi:v1")).await.unwrap();
    assert!(again.is_whole() && again.images.iter().all(|image| image.fate == Fate::There));
    assert_eq!(again.n_holds, 0, "the hold stands already");
    assert_eq!(world.stage.tenancy.fingerprint(), before);
}

#[tokio::test]
async fn a_tag_that_another_image_has_by_now_stays_there() {
    let mut world = deleted_shop().await;
    let pushed = world.push_build(SHOP, &build(SHOP, "v1 again"), "v1");
    let restored = bring_back(&mut world, family("shop-multi:v1-final")).await.unwrap();
    let head = restored.images.last().unwrap();
    assert_eq!(head.tags, [tag("v1-final")]);
    assert!(head.lost.len() == 1 && head.lost[0].why.contains("keeps it"), "{:?}", head.lost);
    assert_eq!(world.digest(SHOP, "v1"), pushed.digest);
}

#[tokio::test]
async fn a_tag_that_another_image_gets_while_the_restore_is_under_way_stays_there() {
    let mut world = deleted_shop().await;
    let (tenancy, slow) = (world.stage.tenancy.clone(), TimeDelta::minutes(1));
    tenancy.inject(Operation::RestoreContainerImage, When::Call(1), Fault::Slow(slow.to_std().unwrap()));
    let push = async {
        let answers_at = tenancy.now() + slow;
        while tenancy.clock().next_deadline() != Some(answers_at) {
            tokio::task::yield_now().await;
        }
        let again = build(SHOP, "v1 again");
        let pushed = tenancy.push(&name(SHOP), &again, &[tag("v1"), tag("v1-final")], "ci").unwrap();
        tenancy.clock().advance(slow);
        pushed
    };
    let (restored, pushed) = tokio::join!(bring_back(&mut world, family("shop-multi:v1")), push);
    let restored = restored.unwrap();
    let head = restored.images.last().unwrap();
    assert!(head.tags.is_empty() && head.lost.len() == 2, "{head:?}");
    let n_calls = world.stage.server.requests().of(Operation::RestoreContainerImage);
    assert_eq!(
        n_calls,
        restored.images.len() as u64,
        "the registry is not even asked for a tag that is taken"
    );
    assert_eq!([world.digest(SHOP, "v1"), world.digest(SHOP, "v1-final")], [pushed.digest; 2]);
}

#[tokio::test]
async fn an_image_comes_back_without_tags_when_nobody_can_tell_who_has_them_by_now() {
    let mut world = deleted_shop().await;
    // The first list says what is there; those after it would say who has got the tags meanwhile.
    for call in 2..=200 {
        let refused = Fault::status(400, "InvalidParameter");
        world.stage.tenancy.inject(Operation::ListContainerImages, When::Call(call), refused);
    }
    let restored = bring_back(&mut world, family("shop-multi:v1")).await.unwrap();
    let head = restored.images.last().unwrap();
    assert_eq!((&head.fate, head.tags.len(), head.lost.len()), (&Fate::Back, 0, 2), "{head:?}");
    assert!(head.lost.iter().all(|lost| lost.why.contains("nobody can tell")), "{:?}", head.lost);
    assert_eq!(world.tags(SHOP).len(), 8);
}

#[tokio::test]
async fn what_is_older_than_two_days_is_not_promised() {
    let mut world = deleted_shop().await;
    world.live(TimeDelta::hours(50)).await;
    let refused = bring_back(&mut world, everything()).await.unwrap_err();
    assert!(refused.to_string().contains("48 h"), "{refused}");
    let unknown = bring_back(&mut world, family("shop-none:v1")).await.unwrap_err();
    assert!(matches!(unknown, UndoError::UnknownRepository { .. }), "{unknown}");
}
