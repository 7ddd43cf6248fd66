//! Proofs after the act: on time or made up for, and what was needed comes back at once (S-26).

use chrono::TimeDelta;
use ocird::status::RefusalCode;
use ocird_model::{Digest, ImageId, ProofKind, ProofResult};
use ocird_sim::{Fault, Operation, When};
use ocird_store::Proof;
use serde_json::json;

use crate::world::{N_DUE, World, build, name, ripe_shop, shop_in_two_compartments, tag};

const RESTORE: Operation = Operation::RestoreContainerImage;

/// Every proof that was made, and the kinds that are still to be made.
async fn proofs(world: &mut World) -> (Vec<Proof>, Vec<ProofKind>) {
    let mut found = (Vec::new(), Vec::new());
    world
        .meanwhile(async |store, _| {
            let open = store.open_proofs().await.unwrap();
            found =
                (store.latest_proofs(99).await.unwrap(), open.into_iter().map(|proof| proof.kind).collect());
        })
        .await;
    found.0.reverse();
    found
}

fn results(proofs: &[Proof]) -> Vec<(ProofKind, ProofResult)> {
    proofs.iter().map(|proof| (proof.kind, proof.made.as_ref().unwrap().result)).collect()
}

/// Minutes between the time at which a proof was due and the one at which it was made.
fn late(proof: &Proof) -> i64 {
    (proof.made.as_ref().unwrap().at - proof.due_at).num_minutes()
}

/// The shop after its deletions, with the digest of `v1` of `shop-api`, which is gone.
async fn after_the_act() -> (World, Digest, ImageId) {
    let mut world = ripe_shop().await;
    let digest = world.digest("shop-api", "v1");
    let image = world.stage.tenancy.find(&name("shop-api"), &digest).unwrap();
    world.act().await;
    assert_eq!(world.n_deleted(), N_DUE);
    (world, digest, image)
}

/// A host that nobody had told of says that it runs this.
fn say_that_it_runs(world: &World, image: &str, digest: &Digest) {
    let settings = world.stage.tenancy.settings();
    let image = format!("{}/{}/{image}", settings.registry_host(), settings.namespace);
    let file = json!({
        "version": 1, "host": "shadow-1", "complete": true,
        "written_at": world.stage.tenancy.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        "references": [{"image": image, "digest": digest.to_string(), "by": "container web"}],
    });
    std::fs::write(world.stage.in_use_dir().join("shadow-1.json"), file.to_string()).unwrap();
}

fn n_restores(world: &World) -> u64 {
    world.stage.server.requests().of(RESTORE)
}

#[tokio::test]
async fn a_batch_is_proved_at_once_after_an_hour_and_after_a_day() {
    let (mut world, _, _) = after_the_act().await;
    let (made, open) = proofs(&mut world).await;
    assert_eq!(results(&made), [(ProofKind::AtOnce, ProofResult::Clean)]);
    assert_eq!(made[0].n_deleted, N_DUE as u64);
    assert_eq!(open, [ProofKind::AfterAnHour, ProofKind::AfterADay]);
    world.live(TimeDelta::hours(1) + TimeDelta::minutes(15)).await;
    assert_eq!(results(&proofs(&mut world).await.0)[1..], [(ProofKind::AfterAnHour, ProofResult::Clean)]);
    world.live(TimeDelta::hours(23)).await;
    let (made, open) = proofs(&mut world).await;
    assert_eq!((results(&made)[2], open), ((ProofKind::AfterADay, ProofResult::Clean), vec![]));
    assert!(made.iter().all(|proof| (0..=15).contains(&late(proof))), "{made:#?}");
}

#[tokio::test]
async fn a_proof_that_was_due_while_nobody_ran_is_made_by_the_next_pass() {
    let (mut world, _, _) = after_the_act().await;
    world.stop().await;
    world.live(TimeDelta::hours(10)).await;
    world.start();
    world.live(TimeDelta::minutes(1)).await;
    let (made, open) = proofs(&mut world).await;
    assert_eq!(results(&made)[1], (ProofKind::AfterAnHour, ProofResult::Clean));
    assert!(late(&made[1]) >= 8 * 60, "{made:#?}");
    assert_eq!(open, [ProofKind::AfterADay]);
}

#[tokio::test]
async fn after_days_in_which_nobody_ran_what_somebody_runs_is_still_noticed() {
    let (mut world, digest, _) = after_the_act().await;
    world.stop().await;
    world.live(TimeDelta::days(3)).await;
    say_that_it_runs(&world, "shop-api:v1", &digest);
    world.start();
    world.live(TimeDelta::minutes(1)).await;
    let (made, open) = proofs(&mut world).await;
    let missing = [ProofKind::AfterAnHour, ProofKind::AfterADay].map(|kind| (kind, ProofResult::Missing));
    assert_eq!((&results(&made)[1..], open), (&missing[..], vec![]));
    assert_eq!(n_restores(&world), 0, "the registry has purged it");
    world.live(TimeDelta::minutes(30)).await;
    let status = world.status();
    let frozen = status.refusals.iter().find(|refusal| refusal.code == RefusalCode::Frozen).unwrap();
    assert!(frozen.text.contains("more than 48 h ago"), "{}", frozen.text);
}

#[tokio::test]
async fn what_cannot_be_listed_is_not_proved_and_in_the_end_unknown() {
    let mut world = crate::world::ripe(shop_in_two_compartments()).await;
    world.act().await;
    assert!(world.n_deleted_from("shop-api") > 0, "from the other compartment, too");
    let lost = Fault::status(404, "NotAuthorizedOrNotFound");
    world.stage.tenancy.inject(Operation::ListContainerRepositories, When::Every(2), lost);
    world.live(TimeDelta::hours(47)).await;
    assert_eq!(proofs(&mut world).await.1, [ProofKind::AfterAnHour, ProofKind::AfterADay]);
    world.live(TimeDelta::hours(2)).await;
    let unknown = [ProofKind::AfterAnHour, ProofKind::AfterADay].map(|kind| (kind, ProofResult::Unknown));
    assert_eq!(results(&proofs(&mut world).await.0)[1..], unknown);
}

#[tokio::test]
async fn a_proof_waits_while_a_repository_cannot_be_read() {
    let (mut world, _, _) = after_the_act().await;
    world.stage.tenancy.inject(Operation::ListContainerImages, When::Always, Fault::status(404, "NotFound"));
    world.live(TimeDelta::hours(3)).await;
    assert_eq!(proofs(&mut world).await.1, [ProofKind::AfterAnHour, ProofKind::AfterADay]);
    world.stage.tenancy.clear_faults();
    world.live(TimeDelta::minutes(30)).await;
    assert_eq!(proofs(&mut world).await.1, [ProofKind::AfterADay]);
}

#[tokio::test]
async fn what_somebody_runs_after_all_comes_back_at_once_and_deletion_freezes() {
    let (mut world, digest, image) = after_the_act().await;
    say_that_it_runs(&world, "shop-api:v1", &digest);
    world.live(TimeDelta::minutes(30)).await;
    assert_eq!(world.stage.tenancy.find(&name("shop-api"), &digest), Some(image), "under its own OCID");
    assert!(world.tags("shop-api").contains(&"v1".to_owned()), "with its tag");
    assert_eq!(n_restores(&world), 1);
    world.assert_refuses(RefusalCode::ProofFailed).await;
    world.live(TimeDelta::minutes(30)).await;
    world.assert_refuses(RefusalCode::Frozen).await;
    assert!(!world.refusals().contains(&RefusalCode::ProofFailed), "nothing is missing any more");
    let (made, _) = proofs(&mut world).await;
    let passing = made.iter().find(|proof| proof.kind == ProofKind::InPassing).unwrap().made.clone().unwrap();
    assert_eq!(passing.result, ProofResult::Missing);
    assert!(passing.detail.contains("container web"), "{made:#?}");
    world.live(TimeDelta::days(3)).await;
    assert_eq!(world.n_deleted(), N_DUE, "it stays frozen");
    assert_eq!(world.status().repositories[&name("shop-api")].verdicts.get("in_use"), Some(&1));
}

#[tokio::test]
async fn a_tag_that_is_pushed_anew_and_deployed_while_a_pass_looks_is_not_missing() {
    let (mut world, _, _) = after_the_act().await;
    let slow = TimeDelta::minutes(1);
    let fault = Fault::Slow(slow.to_std().unwrap());
    world.stage.tenancy.inject(Operation::ListContainerImageSignatures, When::Call(1), fault);
    world.live(TimeDelta::minutes(25) + slow / 2).await;
    let again = build("shop-api", "v1 again");
    world.stage.tenancy.push(&name("shop-api"), &again, &[tag("v1")], "ci").unwrap();
    world.run("shop-api", "v1");
    world.live(TimeDelta::minutes(30)).await;
    assert_eq!(n_restores(&world), 0);
    let refusals = world.refusals();
    assert!(
        !refusals.contains(&RefusalCode::ProofFailed) && !refusals.contains(&RefusalCode::Frozen),
        "{refusals:?}"
    );
}

#[tokio::test]
async fn the_children_of_an_index_that_a_person_brought_back_come_back_too() {
    let mut world = ripe_shop_of_indexes().await;
    let head = world.digest("shop-multi", "v1");
    let image = world.stage.tenancy.find(&name("shop-multi"), &head).unwrap();
    world.act().await;
    world.act().await;
    assert_eq!(world.n_deleted(), 3, "the index and its two children");
    world.stage.tenancy.restore_image(&image, Some(&tag("v1")), None).unwrap();
    world.live(TimeDelta::minutes(30)).await;
    assert_eq!(n_restores(&world), 2);
    world.assert_nobody_misses_anything();
    world.assert_refuses(RefusalCode::ProofFailed).await;
    world.live(TimeDelta::minutes(30)).await;
    world.assert_refuses(RefusalCode::Frozen).await;
}

/// A repository of five indexes, of which the newest four stay.
async fn ripe_shop_of_indexes() -> World {
    let mut world = World::open(crate::world::play(crate::world::SHOP_POLICY));
    world.create("shop-multi");
    for number in 1..=5 {
        let revision = format!("v{number}");
        world.push_build("shop-multi", &build("shop-multi", &revision), &revision);
        world.stage.tenancy.clock().advance(TimeDelta::minutes(30));
    }
    world.stage.tenancy.clock().advance(TimeDelta::days(1) + TimeDelta::minutes(30));
    world.run("shop-multi", "v5");
    world.trust().await;
    world.start();
    world.live(TimeDelta::hours(24) + TimeDelta::minutes(10)).await;
    world
}

#[tokio::test]
async fn a_restore_that_fails_is_tried_again_by_the_next_pass() {
    let (mut world, digest, _) = after_the_act().await;
    world.stage.tenancy.inject(RESTORE, When::Call(1), Fault::status(503, "ServiceUnavailable"));
    say_that_it_runs(&world, "shop-api:v1", &digest);
    world.live(TimeDelta::minutes(30)).await;
    assert_eq!((n_restores(&world), world.stage.tenancy.find(&name("shop-api"), &digest)), (1, None));
    world.live(TimeDelta::minutes(30)).await;
    assert_eq!(n_restores(&world), 2);
    assert!(world.stage.tenancy.find(&name("shop-api"), &digest).is_some());
}

#[tokio::test]
async fn where_ocird_may_not_restore_it_freezes_and_tells_how_to() {
    let world = crate::world::shop_of(crate::world::play(crate::world::SHOP_POLICY));
    world.edit_config("restore = \"permitted\"", "restore = \"not_permitted\"");
    let mut world = crate::world::ripe(world).await;
    let digest = world.digest("shop-api", "v1");
    world.act().await;
    say_that_it_runs(&world, "shop-api:v1", &digest);
    world.live(TimeDelta::minutes(30)).await;
    assert_eq!(n_restores(&world), 0);
    let status = world.status();
    let failed = status.refusals.iter().find(|refusal| refusal.code == RefusalCode::ProofFailed).unwrap();
    assert!(failed.text.contains("by hand within 48 h"), "{}", failed.text);
    world.assert_refuses(RefusalCode::ProofFailed).await;
}

#[tokio::test]
async fn a_daemon_that_was_not_told_whether_it_may_restore_is_not_armed() {
    let world = crate::world::shop_of(crate::world::play(crate::world::SHOP_POLICY));
    world.edit_config("restore = \"permitted\"\n", "");
    let mut world = crate::world::ripe(world).await;
    world.act().await;
    assert_eq!(world.n_deleted(), 0);
    world.assert_refuses(RefusalCode::NoRestore).await;
}

#[tokio::test]
async fn a_tag_that_goes_with_a_deletion_fails_the_proof_and_freezes() {
    let mut world = ripe_shop().await;
    // `prod` moves from what stays to what goes, a moment before the deletion and unseen by its etag.
    let stays = world.digest("shop-api", "v8");
    world.stage.tenancy.retag(&name("shop-api"), &stays, &tag("prod"), "ci").unwrap();
    world.live(TimeDelta::minutes(15)).await;
    world.stage.tenancy.inject(
        Operation::DeleteContainerImage,
        When::Call(1),
        Fault::Slow(std::time::Duration::from_mins(1)),
    );
    world.live(TimeDelta::minutes(5) + TimeDelta::seconds(30)).await;
    let goes = world.digest("shop-api", "v1");
    world.stage.tenancy.retag(&name("shop-api"), &goes, &tag("prod"), "ci").unwrap();
    world.live(TimeDelta::minutes(1)).await;
    assert!(!world.tags("shop-api").contains(&"prod".to_owned()), "it went with v1");
    world.assert_refuses(RefusalCode::ProofFailed).await;
    let (made, _) = proofs(&mut world).await;
    assert!(made[0].made.as_ref().unwrap().detail.contains("shop-api:prod"), "{made:#?}");
    world.live(TimeDelta::minutes(30)).await;
    world.assert_refuses(RefusalCode::Frozen).await;
}
