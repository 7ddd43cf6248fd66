//! The journal of undoing: what can be brought back, each call before it is made, and what came of it.

use std::collections::BTreeMap;

use ocird_model::{Content, ErrorKind, OutcomeKind, RestoreOutcome, RestoreOutcomeKind, RestoreStep};
use ocird_store::IntentId;

use crate::world::{
    World, at, days, details, digest, image, intent, inventory, mark, name, outcome, pass, repository, tag,
    tags,
};

fn done(minutes: i64) -> RestoreOutcome {
    ended(RestoreOutcomeKind::Done, minutes)
}

fn ended(kind: RestoreOutcomeKind, minutes: i64) -> RestoreOutcome {
    RestoreOutcome { kind, at: at(minutes), detail: String::new() }
}

fn with_tag() -> RestoreStep {
    RestoreStep::Image { tag: Some(tag("v1")) }
}

/// Deletes an image with these members, and says which intent it was.
async fn delete(world: &World, n: u64, members: &[u64], minutes: i64) -> IntentId {
    let id = world.store.intend(&intent(n, members), at(minutes)).await.unwrap();
    world.store.conclude(id, &outcome(OutcomeKind::Deleted, at(minutes))).await.unwrap();
    id
}

/// Brings it back.
async fn restore(world: &World, intent: IntentId, minutes: i64) {
    let id = world.store.intend_restore(intent, &with_tag(), "ada", "the audit", at(minutes)).await.unwrap();
    world.store.conclude_restore(id, &done(minutes)).await.unwrap();
}

#[tokio::test]
async fn a_deletion_reads_back_with_everything_that_undoes_it() {
    let world = World::new().await;
    world.see(&[details(1, &["v1"])], at(1)).await;
    let id = delete(&world, 1, &[], 2).await;
    world.settle(&intent(2, &[]), OutcomeKind::Drifted, at(3)).await;
    let deletions = world.store.deletions_since(at(2)).await.unwrap();
    assert_eq!(deletions.len(), 1, "what was not deleted cannot be undone");
    let deletion = &deletions[0];
    assert_eq!((deletion.intent, &deletion.image, deletion.digest), (id, &image(1), digest(1)));
    assert_eq!((&deletion.repository, &deletion.repository_name), (&repository(1), &name(1)));
    assert_eq!(deletion.tags, BTreeMap::from([(tag("v1"), Some(at(0))), (tag("v1.0"), None)]));
    assert_eq!(deletion.content, Some(Content::Manifest { subject: None, config: None }));
    assert_eq!(deletion.compartment.as_ref().unwrap().as_str(), "ocid1.compartment.oc1..c");
    assert_eq!((deletion.intended_at, deletion.deleted_at), (at(2), at(2)));
    assert_eq!(world.store.deletions_since(at(3)).await.unwrap(), []);
    assert_eq!(&*world.store.deleted_manifest(id).await.unwrap().unwrap().bytes, b"{}");
}

#[tokio::test]
async fn the_manifest_of_a_deletion_is_kept_for_a_week_and_the_deletion_for_ever() {
    let world = World::new().await;
    let id = delete(&world, 1, &[], 1).await;
    world.store.downsample(days(6)).await.unwrap();
    assert!(world.store.deleted_manifest(id).await.unwrap().is_some());
    world.store.downsample(days(8)).await.unwrap();
    assert_eq!(world.store.deleted_manifest(id).await.unwrap(), None);
    assert_eq!(world.store.deletions_since(at(0)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_restore_is_open_from_before_its_call_until_it_is_concluded_once() {
    let world = World::new().await;
    let intent = delete(&world, 1, &[], 1).await;
    let id = world.store.intend_restore(intent, &with_tag(), "ada", "", at(2)).await.unwrap();
    let world = world.reopened().await;
    let open = world.store.open_restores().await.unwrap();
    assert_eq!((open.len(), open[0].id, &open[0].step, &open[0].image), (1, id, &with_tag(), &image(1)));
    world.store.conclude_restore(id, &ended(RestoreOutcomeKind::NotDone, 3)).await.unwrap();
    assert_eq!(world.store.open_restores().await.unwrap(), []);
    world.store.conclude_restore(id, &done(4)).await.unwrap_err();
    assert_eq!(world.store.restored_since(at(0)).await.unwrap(), []);
}

#[tokio::test]
async fn what_was_deleted_has_no_mark_and_what_came_back_has_neither_mark_nor_rests() {
    let world = World::new().await;
    let all = [details(1, &["v1"]), details(2, &[])];
    world.see(&all, at(1)).await;
    let marks = BTreeMap::from([mark(1, 9), mark(2, 9)]);
    let seen = inventory(&all, at(1));
    let record = ocird_store::PassRecord { marks: Some(&marks), ..pass(Some(&seen), at(1)) };
    world.store.record(&record).await.unwrap();
    let intent = delete(&world, 1, &[2], 2).await;
    assert_eq!(world.store.marks().await.unwrap(), BTreeMap::from([mark(2, 9)]), "others keep theirs");
    assert_eq!(world.store.known(&repository(1)).await.unwrap().rests.len(), 1);
    restore(&world, intent, 3).await;
    assert!(world.store.known(&repository(1)).await.unwrap().rests.is_empty());
    assert_eq!(world.store.restored_since(at(3)).await.unwrap(), [intent]);
}

#[tokio::test]
async fn a_refused_restore_speaks_until_one_is_accepted() {
    let world = World::new().await;
    let intent = delete(&world, 1, &[], 1).await;
    let refuse = async |step: RestoreStep, kind, minutes| {
        let id = world.store.intend_restore(intent, &step, "ada", "", at(minutes)).await.unwrap();
        world.store.conclude_restore(id, &ended(kind, minutes)).await.unwrap();
    };
    let refused = async |minutes| world.store.restore_refused_since(at(minutes)).await.unwrap();
    assert_eq!(refused(0).await, None);
    refuse(with_tag(), RestoreOutcomeKind::Failed(ErrorKind::Conflict), 2).await;
    assert_eq!(refused(0).await, None, "that is no matter of rights");
    refuse(with_tag(), RestoreOutcomeKind::Failed(ErrorKind::NotFound), 3).await;
    assert_eq!((refused(0).await, refused(4).await), (Some(ErrorKind::NotFound), None));
    refuse(RestoreStep::Tag { tag: tag("v1") }, RestoreOutcomeKind::Done, 4).await;
    assert_eq!(refused(0).await, Some(ErrorKind::NotFound), "a tag takes another right");
    restore(&world, intent, 5).await;
    assert_eq!(refused(0).await, None);
}

#[tokio::test]
async fn the_last_run_is_the_pass_that_deleted_last() {
    let world = World::new().await;
    assert_eq!(world.store.last_run_since(at(0)).await.unwrap(), None);
    for minutes in [10, 20, 30] {
        world.store.record(&pass(None, at(minutes))).await.unwrap();
    }
    delete(&world, 1, &[], 11).await;
    delete(&world, 2, &[], 21).await;
    assert_eq!(world.store.last_run_since(at(0)).await.unwrap(), Some(at(20)));
    assert_eq!(world.store.last_run_since(at(22)).await.unwrap(), None);
}

#[tokio::test]
async fn images_are_named_by_what_they_bear_now_and_by_what_was_deleted() {
    let world = World::new().await;
    world.see(&[details(1, &["v1", "latest"]), details(2, &[])], at(1)).await;
    delete(&world, 3, &[], 2).await;
    world.see(&[details(1, &["v1"]), details(2, &[])], at(3)).await;
    let named = world.store.images_named(&name(1)).await.unwrap();
    assert_eq!(named, [(digest(1), tags(&["v1"])), (digest(2), tags(&[])), (digest(3), tags(&[]))]);
    assert_eq!(world.store.images_named(&name(9)).await.unwrap(), []);
    assert_eq!(world.store.repository_names().await.unwrap(), [name(1)]);
}

#[tokio::test]
async fn the_file_refuses_to_lose_or_rewrite_the_journal_of_undoing() {
    let world = World::new().await;
    let intent = delete(&world, 1, &[], 1).await;
    restore(&world, intent, 2).await;
    for statement in [
        "DELETE FROM restore_outcomes",
        "DELETE FROM restores",
        "UPDATE restores SET tag = NULL",
        "UPDATE restore_outcomes SET kind = 'not_done'",
        "INSERT OR REPLACE INTO restores SELECT * FROM restores",
        "INSERT OR REPLACE INTO restore_outcomes SELECT * FROM restore_outcomes",
    ] {
        sqlx::query(statement).execute(&mut world.raw().await).await.unwrap_err();
    }
    assert_eq!(world.store.restored_since(at(0)).await.unwrap(), [intent]);
}
