//! A pass on record: only what changed is written, and all of it or nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use ocird_model::{Bytes, DeleteReason, ImageDetails, KeepReason, Verdict};
use ocird_store::UsageSample;

use crate::world::{World, at, details, image, inventory, mark, pass, plan, repository, tag};

const ROWS: &str = "SELECT (SELECT count(*) FROM repositories) + (SELECT count(*) FROM images) + (SELECT count(*) FROM tags) \
     + (SELECT count(*) FROM manifests) + (SELECT count(*) FROM verdicts) + (SELECT count(*) FROM usage_samples)";

#[tokio::test]
async fn a_steady_pass_writes_one_row() {
    let world = World::new().await;
    let images = [details(1, &["v1"]), details(2, &[])];
    world.see(&images, at(0)).await;
    let record = |n: i64| {
        let (world, images) = (&world, &images);
        async move {
            let keep = Verdict::Keep(KeepReason::Floor);
            let (inventory, plan) = (inventory(images, at(n)), plan(&[(1, keep.clone()), (2, keep)], at(n)));
            let mut record = pass(Some(&inventory), at(n));
            record.plan = Some(&plan);
            record.usage = vec![sample(10)];
            world.store.record(&record).await.unwrap()
        }
    };
    let first = record(15).await;
    let rows = world.number(ROWS).await;
    let images_before = world.number("SELECT sum(id + first_seen_at + read_at) FROM images").await;
    let second = record(30).await;
    assert!(second > first);
    assert_eq!(world.number(ROWS).await, rows);
    assert_eq!(world.number("SELECT count(*) FROM passes").await, 3);
    assert_eq!(world.number("SELECT sum(id + first_seen_at + read_at) FROM images").await, images_before);
    let known = world.store.known(&repository(1)).await.unwrap();
    assert_eq!(known.last_complete_at, Some(at(30)));
}

#[tokio::test]
async fn tags_are_kept_as_stretches_of_time() {
    let world = World::new().await;
    world.see(&[details(1, &["v1", "prod"]), details(2, &["v2"])], at(10)).await;
    world.see(&[details(1, &["v1"]), details(2, &["v2", "prod"])], at(20)).await;
    let mut moved_back = details(2, &["v2", "prod"]);
    moved_back.tags.insert(tag("prod"), Some(at(25)));
    world.see(&[details(1, &["v1"]), moved_back], at(30)).await;
    let select = "SELECT images.ocid, tags.first_seen_at, tags.gone_at FROM tags JOIN images ON images.id = tags.image \
         WHERE tag = 'prod' ORDER BY tags.first_seen_at";
    let rows: Vec<(String, i64, Option<i64>)> =
        sqlx::query_as(select).fetch_all(&mut world.raw().await).await.unwrap();
    let ms = |minute| at(minute).timestamp_millis();
    let expected = [(1, 10, Some(ms(20))), (2, 20, Some(ms(30))), (2, 30, None)];
    assert_eq!(rows, expected.map(|(n, from, to)| (image(n).to_string(), ms(from), to)));
}

#[tokio::test]
async fn verdicts_are_kept_as_changes() {
    let world = World::new().await;
    let images = [details(1, &["v1"])];
    world.see(&images, at(0)).await;
    let used_by = |by: &str| Verdict::Keep(KeepReason::InUse { by: Arc::from(by) });
    let rule = |rule: &str| Verdict::Delete(DeleteReason::Rule { rule: rule.parse().unwrap() });
    let verdicts =
        [used_by("web-1"), used_by("web-2"), rule("old"), rule("old"), rule("older"), used_by("web-3")];
    for (n, verdict) in (1..).zip(verdicts) {
        let (inventory, plan) = (inventory(&images, at(n)), plan(&[(1, verdict)], at(n)));
        let mut record = pass(Some(&inventory), at(n));
        record.plan = Some(&plan);
        world.store.record(&record).await.unwrap();
    }
    let select = "SELECT decision, reason, detail FROM verdicts ORDER BY pass";
    let rows: Vec<(String, String, String)> =
        sqlx::query_as(select).fetch_all(&mut world.raw().await).await.unwrap();
    let expected = [
        ("keep", "in_use", "web-1"),
        ("delete", "delete_rule", "old"),
        ("delete", "delete_rule", "older"),
        ("keep", "in_use", "web-3"),
    ];
    assert_eq!(rows, expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
}

#[tokio::test]
async fn a_pass_that_cannot_be_recorded_whole_leaves_nothing() {
    let world = World::new().await;
    let known = [details(1, &["v1"])];
    world.see(&known, at(0)).await;
    let (with_marks, marks) = (inventory(&known, at(1)), BTreeMap::from([mark(1, 1)]));
    let mut record = pass(Some(&with_marks), at(1));
    record.marks = Some(&marks);
    world.store.record(&record).await.unwrap();
    let never_remembered = inventory(&[details(2, &["v2"])], at(2));
    let (mut record, none) = (pass(Some(&never_remembered), at(2)), BTreeMap::new());
    record.marks = Some(&none);
    assert_eq!(world.store.record(&record).await.unwrap_err().kind(), "unknown_image");
    assert_eq!(world.store.marks().await.unwrap(), marks);
    assert_eq!(world.store.last_pass().await.unwrap().unwrap().finished_at, at(1));
    assert_eq!(world.store.newest_time().await.unwrap(), Some(at(1)));
    assert!(world.store.known(&repository(1)).await.unwrap().images.contains_key(&image(1)));
}

#[tokio::test]
async fn the_last_pass_is_the_one_recorded_last() {
    let world = World::new().await;
    assert_eq!(world.store.last_pass().await.unwrap(), None);
    assert_eq!(world.store.newest_time().await.unwrap(), None);
    world.store.record(&pass(None, at(50))).await.unwrap();
    let mut record = pass(None, at(40));
    (record.enforcing, record.result) = (true, "sign_in");
    let id = world.store.record(&record).await.unwrap();
    let last = world.store.last_pass().await.unwrap().unwrap();
    assert_eq!((last.id, last.enforcing, &*last.result, last.started_at), (id, true, "sign_in", at(40)));
    assert_eq!(world.store.newest_time().await.unwrap(), Some(at(50)));
}

#[tokio::test]
async fn usage_is_sampled_when_it_changes_and_every_hour() {
    let world = World::new().await;
    world.see(&[details(1, &["v1"])], at(0)).await;
    for (minute, size) in [(0, 10), (15, 10), (30, 20), (45, 20), (60, 20), (75, 20), (90, 20)] {
        let mut record = pass(None, at(minute));
        record.usage = vec![sample(size)];
        world.store.record(&record).await.unwrap();
    }
    let series = world.store.usage_series(&repository(1), at(0)).await.unwrap();
    let points: Vec<_> = series.iter().map(|point| (point.at, point.size.unwrap().0)).collect();
    assert_eq!(points, [(at(0), 10), (at(30), 20), (at(90), 20)]);
    assert_eq!((series[0].reported_size, series[0].n_images, series[0].n_tags), (None, 1, 1));
    assert_eq!(world.store.usage_series(&repository(1), at(31)).await.unwrap().len(), 1);
    assert_eq!(world.store.usage_series(&repository(2), at(0)).await.unwrap(), []);
}

#[tokio::test]
async fn usage_of_a_repository_that_was_never_seen_is_refused() {
    let world = World::new().await;
    let mut record = pass(None, at(0));
    record.usage = vec![sample(1)];
    assert_eq!(world.store.record(&record).await.unwrap_err().kind(), "unknown_repository");
}

#[tokio::test]
async fn marks_are_replaced_as_a_whole_and_dropped_one_by_one() {
    let world = World::new().await;
    let images: Vec<ImageDetails> = (1..=3).map(|n| details(n, &[])).collect();
    world.see(&images, at(0)).await;
    for marks in [BTreeMap::from([mark(1, 1), mark(2, 1)]), BTreeMap::from([mark(2, 2), mark(3, 1)])] {
        let mut record = pass(None, at(1));
        record.marks = Some(&marks);
        world.store.record(&record).await.unwrap();
        assert_eq!(world.store.marks().await.unwrap(), marks);
    }
    world.store.record(&pass(None, at(2))).await.unwrap();
    assert_eq!(world.store.marks().await.unwrap(), BTreeMap::from([mark(2, 2), mark(3, 1)]));
    world.store.drop_mark(&mark(2, 2).0).await.unwrap();
    world.store.drop_mark(&mark(1, 1).0).await.unwrap();
    assert_eq!(world.store.marks().await.unwrap(), BTreeMap::from([mark(3, 1)]));
}

fn sample(size: u64) -> UsageSample {
    UsageSample {
        repository: repository(1),
        size: Some(Bytes(size)),
        reported_size: None,
        n_images: 1,
        n_tags: 1,
    }
}
