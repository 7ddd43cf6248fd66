//! The journal: on the disk before the deletion, concluded once, and never rewritten.

use std::fs;

use chrono::TimeDelta;
use ocird_model::{ErrorKind, Intent, OutcomeKind};
use ocird_store::{Deleted, PassRecord, Store};

use crate::world::{World, at, days, details, digest, intent, name, outcome, pass, read, repository, tags};

#[tokio::test]
async fn an_intent_is_on_the_disk_when_it_returns() {
    let world = World::new().await;
    let meant = intent(1, &[2, 3]);
    let id = world.store.intend(&meant, at(1)).await.unwrap();
    // What a crash at this instant would leave: the files as they are, nothing flushed or closed.
    let crashed = tempfile::tempdir().unwrap();
    for file in ["ocird.db", "ocird.db-wal", "ocird.lock"] {
        fs::copy(world.dir.path().join(file), crashed.path().join(file)).unwrap();
    }
    let after = Store::open(crashed.path(), at(2)).await.unwrap();
    let open = after.open_intents().await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].id, open[0].intended_at), (id, at(1)));
    assert_eq!(open[0].intent, meant);
    after.conclude(id, &outcome(OutcomeKind::NotDone, at(2))).await.unwrap();
    assert_eq!(after.open_intents().await.unwrap(), []);
}

#[tokio::test]
async fn an_intent_is_concluded_exactly_once() {
    let world = World::new().await;
    let id = world.store.intend(&intent(1, &[2]), at(1)).await.unwrap();
    world.store.conclude(id, &outcome(OutcomeKind::Drifted, at(2))).await.unwrap();
    let second = world.store.conclude(id, &outcome(OutcomeKind::Deleted, at(3))).await.unwrap_err();
    assert_eq!(second.kind(), "already_concluded");
    assert_eq!(
        world.store.recent_outcomes(9).await.unwrap()[0].outcome,
        outcome(OutcomeKind::Drifted, at(2))
    );
    assert!(world.store.known(&repository(1)).await.unwrap().rests.is_empty());
    let other = World::new().await;
    let unknown = other.store.conclude(id, &outcome(OutcomeKind::Deleted, at(3))).await.unwrap_err();
    assert_eq!(unknown.kind(), "unknown_intent");
}

#[tokio::test]
async fn every_outcome_reads_back_newest_first() {
    let world = World::new().await;
    let kinds = [OutcomeKind::Deleted, OutcomeKind::Drifted, OutcomeKind::AlreadyGone, OutcomeKind::NotDone];
    let kinds: Vec<OutcomeKind> = kinds.into_iter().chain(ErrorKind::ALL.map(OutcomeKind::Failed)).collect();
    for (n, kind) in (1u32..).zip(&kinds) {
        world.settle(&intent(n.into(), &[]), *kind, at(n.into())).await;
    }
    let recent = world.store.recent_outcomes(100).await.unwrap();
    let read_back: Vec<OutcomeKind> = recent.iter().rev().map(|settled| settled.outcome.kind).collect();
    assert_eq!(read_back, kinds);
    let first = recent.last().unwrap();
    assert_eq!((first.intended_at, first.digest, &first.repository_name), (at(1), digest(1), &name(1)));
    assert_eq!(
        (&first.tags, &*first.rule, &*first.evidence),
        (&tags(&["v1", "v1.0"]), "rule \"old\"", "96 passes")
    );
    assert_eq!(world.store.recent_outcomes(2).await.unwrap(), recent[..2]);
}

#[tokio::test]
async fn an_outcome_with_an_unknown_word_is_an_error() {
    let world = World::new().await;
    let id = world.store.intend(&intent(1, &[]), at(1)).await.unwrap();
    let later = "INSERT INTO outcomes (intent, kind, error, at, detail) SELECT id, 'vanished', NULL, 0, '' FROM intents";
    sqlx::query(later).execute(&mut world.raw().await).await.unwrap();
    assert_eq!(world.store.recent_outcomes(9).await.unwrap_err().kind(), "decode");
    let second = world.store.conclude(id, &outcome(OutcomeKind::Deleted, at(2))).await.unwrap_err();
    assert_eq!(second.kind(), "already_concluded");
}

#[tokio::test]
async fn heads_count_before_they_end_and_only_deletions_are_deletions() {
    let world = World::new().await;
    world.store.intend(&intent(1, &[]), at(1)).await.unwrap();
    world.settle(&intent(2, &[]), OutcomeKind::Deleted, at(2)).await;
    world.settle(&intent(3, &[]), OutcomeKind::Drifted, at(3)).await;
    world.settle(&intent(4, &[]), OutcomeKind::Deleted, at(4)).await;
    world.store.intend(&Intent { head: digest(4), ..intent(5, &[]) }, at(4)).await.unwrap();
    for (since, n) in [(at(0), 4), (at(1), 4), (at(2), 3), (at(5), 0)] {
        assert_eq!(world.store.n_families_since(since).await.unwrap(), n, "{since}");
    }
    let deleted = |n, minute| Deleted {
        repository: repository(1),
        digest: digest(n),
        tags: tags(&["v1", "v1.0"]),
        at: at(minute),
    };
    assert_eq!(world.store.deleted_since(at(2)).await.unwrap(), [deleted(2, 2), deleted(4, 4)]);
    assert_eq!(world.store.deleted_since(at(3)).await.unwrap(), [deleted(4, 4)]);
}

#[tokio::test]
async fn the_rest_of_a_family_follows_a_deleted_head_until_each_member_went() {
    let world = World::new().await;
    let family = [1, 2, 3].map(|n| details(n, &[]));
    world.see(&family, at(0)).await;
    world.settle(&intent(1, &[2, 3]), OutcomeKind::Deleted, at(1)).await;
    assert_eq!(rests(&world).await, [(digest(2), digest(1)), (digest(3), digest(1))]);
    world.see(&family[1..], at(2)).await;
    let member = Intent { head: digest(1), members: Vec::new(), ..intent(2, &[]) };
    world.settle(&member, OutcomeKind::Deleted, at(3)).await;
    assert_eq!(rests(&world).await, [(digest(3), digest(1))]);
    world.see(&[], at(4)).await;
    assert_eq!(rests(&world).await, []);
}

#[tokio::test]
async fn a_head_that_was_not_deleted_leaves_no_rests() {
    let kinds = [OutcomeKind::Drifted, OutcomeKind::AlreadyGone, OutcomeKind::NotDone];
    for kind in kinds.into_iter().chain([OutcomeKind::Failed(ErrorKind::Timeout)]) {
        let world = World::new().await;
        world.settle(&intent(1, &[2, 3]), kind, at(1)).await;
        assert_eq!(rests(&world).await, [], "{kind:?}");
    }
}

#[tokio::test]
async fn a_family_whose_head_comes_back_has_no_rests() {
    let world = World::new().await;
    let family = [1, 2, 3].map(|n| details(n, &[]));
    world.see(&family, at(0)).await;
    world.settle(&intent(1, &[2, 3]), OutcomeKind::Deleted, at(1)).await;
    // A listing that lags still shows the head: that is not a return.
    world.see(&family, at(2)).await;
    assert_eq!(rests(&world).await.len(), 2);
    world.see(&family[1..], at(3)).await;
    assert_eq!(rests(&world).await.len(), 2);
    world.store.remember(&repository(1), &name(1), &read(&family[..1]), at(4)).await.unwrap();
    assert_eq!(rests(&world).await, []);
}

#[tokio::test]
async fn the_ocid_of_a_deleted_digest_is_the_latest() {
    let world = World::new().await;
    assert_eq!(world.store.deleted_as(&repository(1), &digest(1)).await.unwrap(), None);
    world.settle(&intent(1, &[]), OutcomeKind::Deleted, at(1)).await;
    let again = Intent { image: crate::world::image(9), ..intent(1, &[]) };
    world.settle(&again, OutcomeKind::Deleted, at(2)).await;
    let image = world.store.deleted_as(&repository(1), &digest(1)).await.unwrap();
    assert_eq!(image, Some(crate::world::image(9)));
}

#[tokio::test]
async fn a_member_that_something_needs_by_now_or_that_drifted_is_no_rest_for_good() {
    let world = World::new().await;
    world.settle(&intent(1, &[2, 3, 4]), OutcomeKind::Deleted, at(1)).await;
    let adopted = PassRecord { adopted: vec![(repository(1), digest(2))], ..pass(None, at(2)) };
    world.store.record(&adopted).await.unwrap();
    assert_eq!(rests(&world).await, [(digest(3), digest(1)), (digest(4), digest(1))]);
    world.store.drop_rest(&repository(1), &digest(4)).await.unwrap();
    world.store.drop_rest(&repository(1), &digest(9)).await.unwrap();
    assert_eq!(rests(&world).await, [(digest(3), digest(1))]);
}

#[tokio::test]
async fn a_member_that_is_pushed_again_is_no_rest() {
    let world = World::new().await;
    let family = [1, 2].map(|n| details(n, &[]));
    world.see(&family, at(0)).await;
    world.settle(&intent(1, &[2]), OutcomeKind::Deleted, at(1)).await;
    let pushed_again = ocird_model::ImageDetails { id: crate::world::image(9), ..details(2, &[]) };
    world.see(&[pushed_again], at(2)).await;
    assert_eq!(rests(&world).await, []);
}

#[tokio::test]
async fn the_file_itself_refuses_to_rewrite_the_journal() {
    let world = World::new().await;
    world.settle(&intent(1, &[]), OutcomeKind::Deleted, at(1)).await;
    world.store.intend(&intent(2, &[]), at(1)).await.unwrap();
    let mut raw = world.raw().await;
    for rewrite in [
        "DELETE FROM intents",
        "DELETE FROM outcomes",
        "UPDATE outcomes SET kind = 'drifted'",
        "UPDATE intents SET rule = 'another' WHERE id = 2",
        "UPDATE intents SET digest = zeroblob(32) WHERE id = 1",
        "UPDATE intent_manifests SET bytes = x'00' WHERE intent = 1",
        "DELETE FROM intent_manifests WHERE intent = 2",
        "INSERT OR REPLACE INTO intent_manifests VALUES (2, x'00')",
        "INSERT OR REPLACE INTO outcomes SELECT intent, 'drifted', NULL, at, detail FROM outcomes",
        "INSERT OR REPLACE INTO intents SELECT * FROM intents",
    ] {
        let refused = sqlx::query(rewrite).execute(&mut raw).await.unwrap_err();
        assert!(refused.to_string().contains("the journal is append-only"), "{rewrite}: {refused}");
    }
    assert_eq!(world.number("SELECT count(*) FROM intent_manifests").await, 2);
}

#[tokio::test]
async fn the_bytes_for_undoing_go_seven_days_after_the_outcome_and_never_before_there_is_one() {
    let world = World::new().await;
    world.settle(&intent(1, &[]), OutcomeKind::Deleted, days(1)).await;
    world.store.intend(&intent(2, &[]), days(1)).await.unwrap();
    for (now, n_manifests) in [(days(8) - TimeDelta::seconds(1), 2), (days(8), 1), (days(999), 1)] {
        world.store.downsample(now).await.unwrap();
        assert_eq!(world.number("SELECT count(*) FROM intent_manifests").await, n_manifests);
    }
    assert_eq!(world.store.open_intents().await.unwrap()[0].intent, intent(2, &[]));
}

async fn rests(world: &World) -> Vec<(ocird_model::Digest, ocird_model::Digest)> {
    let rests = world.store.known(&repository(1)).await.unwrap().rests.into_iter();
    rests.map(|(member, rest)| (member, rest.head)).collect()
}
