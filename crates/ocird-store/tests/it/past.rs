//! Questions about the past: images, deletions and their proof, what happened.

use std::collections::BTreeMap;

use ocird_model::{
    Bytes, DeleteReason, Finding, FindingKind, Intent, KeepReason, OutcomeKind, ProofResult, RestoreOutcome,
    RestoreOutcomeKind, RestoreStep, Severity, Standing, Subject, Verdict,
};
use ocird_store::{
    Command, CommandResultKind, DeletionsQuery, EventCursor, EventKind, EventsQuery, Glance, ImagesQuery,
    Made, Operator, Run, RunKey, UseHistory,
};

use crate::world::{World, at, details, digest, image, intent, inventory, name, pass, plan, repository, tag};

const EVERYTHING: EventsQuery =
    EventsQuery { kinds: Vec::new(), repository: None, since: None, before: None, limit: 1000 };

fn present(limit: u32) -> ImagesQuery {
    ImagesQuery { repository: name(1), are_gone: false, after: None, limit }
}

/// Records a pass in which the first repository held these images with these verdicts.
async fn decide(
    world: &World,
    images: &[ocird_model::ImageDetails],
    verdicts: &[(u64, Verdict)],
    minute: i64,
) {
    let (inventory, plan) = (inventory(images, at(minute)), plan(verdicts, at(minute)));
    let mut record = pass(Some(&inventory), at(minute));
    record.plan = Some(&plan);
    world.store.record(&record).await.unwrap();
}

fn keep() -> Verdict {
    Verdict::Keep(KeepReason::NotSelected)
}

fn old() -> Verdict {
    Verdict::Delete(DeleteReason::Rule { rule: "old".parse().unwrap() })
}

#[tokio::test]
async fn an_image_is_told_with_its_tags_size_pulls_users_and_verdict() {
    let world = World::new().await;
    let images = [details(1, &["v1", "prod"]), details(2, &[])];
    world.see(&images, at(1)).await;
    decide(&world, &images, &[(1, keep()), (2, old())], 5).await;
    decide(&world, &images, &[(1, keep()), (2, old())], 20).await;
    let key = RunKey { repository: name(1), digest: digest(1), by: "container web".into(), began_at: at(2) };
    let runs =
        UseHistory { speakers: BTreeMap::new(), runs: BTreeMap::from([(key, Run { ended_at: None })]) };
    world.store.change_use_history(&UseHistory::default(), &runs, at(2)).await.unwrap();
    let page = world.store.past().images(&present(10)).await.unwrap();
    assert_eq!((page.rows.len(), page.next), (2, None));
    let [second, first] = &page.rows[..] else { panic!("two images") };
    assert_eq!((first.id.clone(), first.digest), (image(1), digest(1)));
    assert_eq!(first.tags, [tag("prod"), tag("v1")]);
    assert_eq!(first.size, Bytes(1234 + 1000 + 1001 + 1002));
    assert_eq!((first.n_pulls, first.last_pulled_at), (7, Some(at(1))));
    assert_eq!(first.created_by.as_deref(), Some("ocid1.user.oc1..pusher"));
    assert_eq!(first.used_by, ["container web"]);
    assert!(second.used_by.is_empty() && second.tags.is_empty());
    let verdict = second.verdict.as_ref().unwrap();
    assert_eq!((&*verdict.decision, &*verdict.reason), ("delete", "delete_rule"));
    assert_eq!((verdict.detail.as_deref(), verdict.since), (Some("old"), Some(at(5))));
}

#[tokio::test]
async fn images_come_in_pages_without_gaps_or_repetition_the_newest_push_first() {
    let world = World::new().await;
    let images: Vec<_> = (1..=7)
        .map(|n| {
            let pushed = at(i64::try_from(n % 4).unwrap());
            ocird_model::ImageDetails { created_at: Some(pushed), ..details(n, &["v"]) }
        })
        .collect();
    world.see(&images, at(9)).await;
    let past = world.store.past();
    let whole = past.images(&present(1000)).await.unwrap().rows;
    assert!(whole.is_sorted_by(|a, b| a.created_at >= b.created_at) && whole.len() == 7);
    let (mut paged, mut query) = (Vec::new(), present(3));
    loop {
        let page = past.images(&query).await.unwrap();
        assert!(page.rows.len() <= 3);
        paged.extend(page.rows);
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    assert_eq!(paged, whole);
}

#[tokio::test]
async fn an_image_that_is_gone_keeps_the_tags_that_it_went_with() {
    let world = World::new().await;
    world.see(&[details(1, &["v1", "prod"]), details(2, &["v2"])], at(10)).await;
    world.see(&[details(1, &["v1"]), details(2, &["v2", "prod"])], at(20)).await;
    world.see(&[details(2, &["v2", "prod"])], at(30)).await;
    let past = world.store.past();
    let gone = past.images(&ImagesQuery { are_gone: true, ..present(10) }).await.unwrap().rows;
    assert_eq!((gone.len(), gone[0].gone_at, &gone[0].tags[..]), (1, Some(at(30)), &[tag("v1")][..]));
    let stretches = past.tag_stretches(&name(1), &tag("prod")).await.unwrap();
    let told: Vec<_> = stretches.iter().map(|s| (s.image.clone(), s.first_seen_at, s.gone_at)).collect();
    assert_eq!(told, [(image(2), at(20), None), (image(1), at(10), Some(at(20)))]);
    let of_first = past.tags_over_time(&image(1)).await.unwrap();
    let told: Vec<_> = of_first.iter().map(|s| (s.tag.clone(), s.gone_at)).collect();
    assert_eq!(told, [(tag("prod"), Some(at(20))), (tag("v1"), Some(at(30)))]);
}

#[tokio::test]
async fn the_verdicts_of_an_image_are_told_as_changes() {
    let world = World::new().await;
    let images = [details(1, &["v1"])];
    world.see(&images, at(0)).await;
    for (minute, verdict) in [(1, keep()), (2, keep()), (3, old()), (4, keep())] {
        decide(&world, &images, &[(1, verdict)], minute).await;
    }
    let changes = world.store.past().verdict_changes(&image(1)).await.unwrap();
    let told: Vec<_> = changes.iter().map(|change| (change.at, &*change.decision)).collect();
    assert_eq!(told, [(at(1), "keep"), (at(3), "delete"), (at(4), "keep")]);
}

#[tokio::test]
async fn a_deletion_is_told_with_what_it_freed_and_every_proof_of_its_batch() {
    let world = World::new().await;
    world.settle(&intent(1, &[]), OutcomeKind::Deleted, at(0)).await;
    world.settle(&intent(2, &[]), OutcomeKind::Drifted, at(1)).await;
    world.store.intend(&intent(3, &[]), at(2)).await.unwrap();
    let open = world.store.open_proofs().await.unwrap();
    let made = Made { at: at(3), result: ProofResult::Clean, detail: String::new() };
    world.store.make_proofs(&[open[0].id], &made).await.unwrap();
    let query = DeletionsQuery { limit: 10, ..DeletionsQuery::default() };
    let rows = world.store.past().deletions(&query).await.unwrap().rows;
    let outcomes: Vec<_> = rows.iter().map(|row| row.outcome.as_ref().map(|outcome| outcome.kind)).collect();
    assert_eq!(outcomes, [None, Some(OutcomeKind::Drifted), Some(OutcomeKind::Deleted)]);
    let deleted = &rows[2];
    assert_eq!((deleted.frees, deleted.restored_at), (Some(Bytes(1_000)), None));
    assert_eq!(deleted.proofs.len(), 3);
    assert_eq!(deleted.proofs[0].made, Some(made));
    assert!(deleted.proofs[1].made.is_none() && rows[0].proofs.is_empty() && rows[1].proofs.is_empty());
}

#[tokio::test]
async fn deletions_come_in_pages_and_by_repository() {
    let world = World::new().await;
    for n in 1..=5 {
        world.settle(&intent(n, &[]), OutcomeKind::Deleted, at(0)).await;
    }
    let elsewhere = Intent { repository: repository(2), repository_name: name(2), ..intent(9, &[]) };
    world.settle(&elsewhere, OutcomeKind::Deleted, at(0)).await;
    let past = world.store.past();
    let mut query = DeletionsQuery { repository: Some(name(1)), limit: 2, ..DeletionsQuery::default() };
    let mut sizes = Vec::new();
    let mut digests = Vec::new();
    loop {
        let page = past.deletions(&query).await.unwrap();
        sizes.push(page.rows.len());
        digests.extend(page.rows.iter().map(|row| row.digest));
        match page.next {
            Some(next) => query.before = Some(next),
            None => break,
        }
    }
    assert_eq!(sizes, [2, 2, 1]);
    assert_eq!(digests, [5, 4, 3, 2, 1].map(digest));
}

#[tokio::test]
async fn what_came_back_is_not_counted_as_freed_and_what_nobody_knows_is_said() {
    let world = World::new().await;
    let unknown = Intent { frees: None, ..intent(2, &[]) };
    let huge = Intent { frees: Some(Bytes(u64::MAX)), ..intent(4, &[]) };
    for (minute, intent) in (0..).zip([intent(1, &[]), unknown, intent(3, &[])]) {
        world.settle(&intent, OutcomeKind::Deleted, at(minute)).await;
    }
    world.settle(&intent(5, &[]), OutcomeKind::NotDone, at(9)).await;
    let third = world.store.deletions_since(at(0)).await.unwrap()[2].intent;
    let step = RestoreStep::Image { tag: None };
    let restore = world.store.intend_restore(third, &step, "alice", "needed", at(10)).await.unwrap();
    let done = RestoreOutcome { kind: RestoreOutcomeKind::Done, at: at(11), detail: String::new() };
    world.store.conclude_restore(restore, &done).await.unwrap();
    let totals = world.store.past().totals().await.unwrap();
    assert_eq!((totals.n_deleted, totals.n_restored, totals.n_unknown), (3, 1, 1));
    assert_eq!((totals.freed, totals.first_at, totals.last_at), (Bytes(1_000), Some(at(0)), Some(at(2))));
    let by_day = world.store.past().freed_by_day().await.unwrap();
    assert_eq!(by_day.iter().map(|day| (day.n_images, day.freed)).collect::<Vec<_>>(), [(2, Bytes(1_000))]);
    for n in 0..3 {
        world.settle(&Intent { image: image(40 + n), ..huge.clone() }, OutcomeKind::Deleted, at(12)).await;
    }
    let freed = world.store.past().totals().await.unwrap().freed;
    assert_eq!(freed, Bytes(i64::MAX.unsigned_abs()), "what a pusher says it weighs overflows nothing");
}

#[tokio::test]
async fn what_happened_is_one_stream_of_all_kinds() {
    let world = World::new().await;
    let images = [details(1, &["v1"]), details(2, &["v2"])];
    world.see(&images, at(0)).await;
    decide(&world, &images, &[(1, keep()), (2, keep())], 1).await;
    decide(&world, &images, &[(1, keep()), (2, old())], 2).await;
    let mut failed = pass(None, at(3));
    failed.result = "sign_in";
    world.store.record(&failed).await.unwrap();
    world.settle(&intent(2, &[]), OutcomeKind::Deleted, at(4)).await;
    let by = Operator { uid: 1000, name: Some("alice".to_owned()) };
    let command = Command { by, word: "pause".to_owned(), detail: "why: a deploy".to_owned() };
    let id = world.store.record_command(&command, at(5)).await.unwrap();
    world.store.record_command_result(id, CommandResultKind::Done, "", at(5)).await.unwrap();
    world.store.trip("three unexpected answers", at(6)).await.unwrap();
    let finding = Finding {
        kind: FindingKind::Public,
        subject: Subject::Repository { name: name(1) },
        severity: Severity::Warning,
        what: "Anybody may pull.".to_owned(),
        remedy: "Close it.".to_owned(),
    };
    let mut recording = world.store.recording(&pass(None, at(7))).await.unwrap();
    recording.replace_findings(&[Standing { finding, since: at(7) }]).await.unwrap();
    recording.commit().await.unwrap();
    let mut recording = world.store.recording(&pass(None, at(8))).await.unwrap();
    recording.replace_findings(&[]).await.unwrap();
    recording.commit().await.unwrap();

    let events = world.store.past().events(&EVERYTHING).await.unwrap().rows;
    let told: Vec<_> =
        events.iter().map(|event| (event.at, event.kind, &*event.what, &*event.detail)).collect();
    let expected = [
        (at(8), EventKind::Cleared, "public", "Anybody may pull."),
        (at(7), EventKind::Finding, "public", "Anybody may pull."),
        (at(6), EventKind::Stop, "breaker", "three unexpected answers"),
        (at(5), EventKind::Command, "pause", "why: a deploy; done"),
        (at(4), EventKind::Deletion, "deleted", "rule \"old\"; 204"),
        (at(3), EventKind::Pass, "sign_in", "observe"),
        (at(2), EventKind::Verdict, "delete", "delete_rule: old"),
        (at(0), EventKind::Push, "pushed", "v2"),
        (at(0), EventKind::Push, "pushed", "v1"),
    ];
    assert_eq!(told, expected);
    assert_eq!(events[3].by.as_deref(), Some("alice"));
    assert_eq!(events[7].by.as_deref(), Some("ocid1.user.oc1..pusher"));
    let of_repository = EventsQuery { repository: Some(name(1)), since: Some(at(2)), ..EVERYTHING };
    let kinds: Vec<_> = world
        .store
        .past()
        .events(&of_repository)
        .await
        .unwrap()
        .rows
        .iter()
        .map(|event| event.kind)
        .collect();
    assert_eq!(kinds, [EventKind::Cleared, EventKind::Finding, EventKind::Deletion, EventKind::Verdict]);
}

#[tokio::test]
async fn events_of_one_instant_are_paged_without_gaps_or_repetition() {
    let world = World::new().await;
    let images: Vec<_> = (1..=6).map(|n| details(n, &["v"])).collect();
    world.see(&images, at(0)).await;
    for n in 1..=4 {
        world.settle(&intent(n, &[]), OutcomeKind::Deleted, at(0)).await;
        world.store.trip("why", at(0)).await.unwrap();
        world.store.reset("bob", at(0)).await.unwrap();
    }
    let past = world.store.past();
    let whole = past.events(&EVERYTHING).await.unwrap().rows;
    assert_eq!(whole.len(), 6 + 4 + 4 + 4);
    for limit in [1, 4, 7] {
        let (mut paged, mut query) = (Vec::new(), EventsQuery { limit, ..EVERYTHING });
        while let Some(page) = Some(past.events(&query).await.unwrap()) {
            paged.extend(page.rows);
            let Some(next) = page.next else { break };
            query.before = Some(next);
        }
        assert_eq!(paged, whole, "pages of {limit}");
    }
    let none = EventsQuery { before: Some(EventCursor::until(at(0))), ..EVERYTHING };
    assert_eq!(past.events(&none).await.unwrap().rows, []);
}

#[tokio::test]
async fn findings_are_told_with_the_time_at_which_they_were_cleared() {
    let world = World::new().await;
    let standing = |kind, minute| Standing {
        finding: Finding {
            kind,
            subject: Subject::Tenancy,
            severity: Severity::Info,
            what: "So.".to_owned(),
            remedy: "Do.".to_owned(),
        },
        since: at(minute),
    };
    let both = [standing(FindingKind::NearBudget, 1), standing(FindingKind::ClockDoubt, 1)];
    for (minute, findings) in [(1, &both[..]), (2, &both[..1])] {
        let mut recording = world.store.recording(&pass(None, at(minute))).await.unwrap();
        recording.replace_findings(findings).await.unwrap();
        recording.commit().await.unwrap();
    }
    let past = world.store.past();
    let all = past.findings(None, 10).await.unwrap().rows;
    let mut told: Vec<_> = all.iter().map(|past| (past.finding.kind, past.since, past.cleared_at)).collect();
    told.sort();
    assert_eq!(told, [(FindingKind::NearBudget, at(1), None), (FindingKind::ClockDoubt, at(1), Some(at(2)))]);
    let first = past.findings(None, 1).await.unwrap();
    let second = past.findings(first.next, 1).await.unwrap();
    assert_eq!((&first.rows[0], &second.rows[0], second.next), (&all[0], &all[1], None));
}

#[tokio::test]
async fn somebody_beside_the_daemon_is_told_the_same() {
    let world = World::new().await;
    world.see(&[details(1, &["v1"])], at(0)).await;
    let glance = Glance::open(world.dir.path()).await.unwrap().unwrap();
    let by_store = world.store.past().events(&EVERYTHING).await.unwrap();
    assert_eq!(glance.past().events(&EVERYTHING).await.unwrap(), by_store);
    assert_eq!(glance.past().begins_at().await.unwrap(), at(0));
    assert_eq!(glance.past().repositories().await.unwrap(), [(name(1), at(0))]);
}
