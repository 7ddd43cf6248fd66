//! Proofs: scheduled with the deletion, made once, kept.

use chrono::{DateTime, Utc};
use ocird_model::{OutcomeKind, ProofKind, ProofResult};
use ocird_store::{Made, Proof};

use crate::world::{World, at, days, intent};

fn made(result: ProofResult, at: DateTime<Utc>) -> Made {
    Made { at, result, detail: "as found".to_owned() }
}

fn due(proofs: &[Proof]) -> Vec<(ProofKind, DateTime<Utc>, u64)> {
    proofs.iter().map(|proof| (proof.kind, proof.due_at, proof.n_deleted)).collect()
}

#[tokio::test]
async fn a_deletion_is_due_a_proof_at_once_after_an_hour_and_after_a_day_even_after_a_restart() {
    let world = World::new().await;
    world.settle(&intent(1, &[]), OutcomeKind::Deleted, at(1)).await;
    let world = world.reopened().await;
    assert_eq!(
        due(&world.store.open_proofs().await.unwrap()),
        [
            (ProofKind::AtOnce, at(1), 1),
            (ProofKind::AfterAnHour, at(61), 1),
            (ProofKind::AfterADay, at(1 + 24 * 60), 1)
        ]
    );
}

#[tokio::test]
async fn what_was_not_deleted_is_due_no_proof() {
    let world = World::new().await;
    for (n, kind) in [(1, OutcomeKind::Drifted), (2, OutcomeKind::AlreadyGone), (3, OutcomeKind::NotDone)] {
        world.settle(&intent(n, &[]), kind, at(1)).await;
    }
    assert_eq!(world.store.open_proofs().await.unwrap(), []);
}

#[tokio::test]
async fn one_proof_of_each_kind_serves_a_batch_and_waits_for_its_last_deletion() {
    let world = World::new().await;
    for n in 1..=10 {
        world.settle(&intent(n, &[]), OutcomeKind::Deleted, at(n.try_into().unwrap())).await;
    }
    world.settle(&intent(11, &[]), OutcomeKind::Deleted, at(61)).await;
    let hourly: Vec<_> = due(&world.store.open_proofs().await.unwrap())
        .into_iter()
        .filter(|(kind, _, _)| *kind == ProofKind::AfterAnHour)
        .collect();
    assert_eq!(hourly, [(ProofKind::AfterAnHour, at(70), 10), (ProofKind::AfterAnHour, at(121), 1)]);
}

#[tokio::test]
async fn a_proof_is_made_once_and_a_later_deletion_gets_one_of_its_own() {
    let world = World::new().await;
    world.settle(&intent(1, &[]), OutcomeKind::Deleted, at(1)).await;
    let at_once = world.store.open_proofs().await.unwrap()[0].clone();
    world.store.make_proofs(&[at_once.id], &made(ProofResult::Clean, at(2))).await.unwrap();
    world.store.make_proofs(&[at_once.id], &made(ProofResult::Missing, at(3))).await.unwrap();
    let latest = world.store.latest_proofs(9).await.unwrap();
    assert_eq!(latest, [Proof { made: Some(made(ProofResult::Clean, at(2))), ..at_once }]);
    world.settle(&intent(2, &[]), OutcomeKind::Deleted, at(4)).await;
    let open = due(&world.store.open_proofs().await.unwrap());
    assert_eq!(open[0], (ProofKind::AtOnce, at(4), 1));
    assert_eq!(open[1], (ProofKind::AfterAnHour, at(64), 2), "the batch is still the same for those to come");
}

#[tokio::test]
async fn what_is_found_in_passing_is_on_record_once_for_each_time_it_is_found_anew() {
    let world = World::new().await;
    let found =
        |minutes, detail: &str| Made { detail: detail.to_owned(), ..made(ProofResult::Missing, at(minutes)) };
    for found in [found(1, "v1"), found(16, "v1"), found(31, "v2"), found(46, "v1")] {
        world.store.found_in_passing(&found).await.unwrap();
    }
    let latest = world.store.latest_proofs(9).await.unwrap();
    let read: Vec<_> = latest.iter().map(|proof| (proof.kind, proof.made.clone().unwrap().detail)).collect();
    let passing = |detail: &str| (ProofKind::InPassing, detail.to_owned());
    assert_eq!(read, [passing("v1"), passing("v2"), passing("v1")]);
    assert_eq!(world.store.open_proofs().await.unwrap(), []);
}

#[tokio::test]
async fn the_file_refuses_to_lose_or_rewrite_a_proof() {
    let world = World::new().await;
    world.settle(&intent(1, &[]), OutcomeKind::Deleted, at(1)).await;
    let id = world.store.open_proofs().await.unwrap()[0].id;
    world.store.make_proofs(&[id], &made(ProofResult::Missing, days(1))).await.unwrap();
    for statement in ["DELETE FROM proofs", "UPDATE proofs SET result = 'clean' WHERE made_at IS NOT NULL"] {
        sqlx::query(statement).execute(&mut world.raw().await).await.unwrap_err();
    }
    let half = "INSERT INTO proofs (kind, first_at, last_at, n_deleted, due_at, made_at) VALUES ('at_once', 0, 0, 0, 0, 0)";
    sqlx::query(half).execute(&mut world.raw().await).await.unwrap_err();
}
