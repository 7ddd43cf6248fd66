//! Findings on record: since when each stands, over restarts, and which images went by another hand.

use chrono::{DateTime, Utc};
use ocird_model::{Finding, FindingKind, OutcomeKind, Severity, Standing, Subject};
use ocird_store::{Glance, Vanished};

use crate::world::{World, at, details, digest, intent, inventory, name, pass, read, repository};

fn finding(kind: FindingKind, what: &str, since: DateTime<Utc>) -> Standing {
    let subject = Subject::Repository { name: name(1) };
    let (what, remedy) = (what.to_owned(), "Do something.".to_owned());
    Standing { finding: Finding { kind, subject, severity: Severity::Warning, what, remedy }, since }
}

impl World {
    async fn find(&self, findings: &[Standing], now: DateTime<Utc>) {
        let record = pass(None, now);
        let mut recording = self.store.recording(&record).await.unwrap();
        recording.replace_findings(findings).await.unwrap();
        recording.commit().await.unwrap();
    }

    async fn standing(&self) -> Vec<Standing> {
        Glance::open(self.dir.path()).await.unwrap().unwrap().findings().await.unwrap()
    }

    /// Records that a pass saw exactly these images, and answers what has gone by another hand since the beginning.
    async fn vanished(&self, images: &[ocird_model::ImageDetails], now: DateTime<Utc>) -> Vec<Vanished> {
        self.store.remember(&repository(1), &name(1), &read(images), now).await.unwrap();
        let inventory = inventory(images, now);
        let record = pass(Some(&inventory), now);
        let mut recording = self.store.recording(&record).await.unwrap();
        let vanished = recording.vanished_since(at(0)).await.unwrap();
        recording.commit().await.unwrap();
        vanished
    }
}

#[tokio::test]
async fn a_finding_stands_over_restarts_until_a_pass_no_longer_finds_it() {
    let world = World::new().await;
    let (public, missing) =
        (finding(FindingKind::Public, "a", at(1)), finding(FindingKind::Missing, "b", at(1)));
    world.find(&[public.clone(), missing.clone()], at(1)).await;
    let world = world.reopened().await;
    assert_eq!(world.standing().await, [public.clone(), missing]);
    world.find(std::slice::from_ref(&public), at(20)).await;
    assert_eq!(world.standing().await, [public]);
    let cleared = "SELECT count(*) FROM findings WHERE kind = 'missing' AND cleared_at - first_seen_at = 19 * 60000 \
         AND last_seen_at = first_seen_at";
    assert_eq!(world.number(cleared).await, 1);
}

#[tokio::test]
async fn what_comes_again_after_it_was_cleared_is_another_finding() {
    let world = World::new().await;
    for minute in [1, 3] {
        world.find(&[finding(FindingKind::Public, "a", at(minute))], at(minute)).await;
        world.find(&[], at(minute + 1)).await;
    }
    assert_eq!(world.standing().await, []);
    assert_eq!(world.number("SELECT count(*) FROM findings").await, 2);
}

#[tokio::test]
async fn a_finding_that_says_the_same_is_not_written_again_and_a_new_sentence_takes_the_place_of_the_old() {
    let world = World::new().await;
    let first = finding(FindingKind::Public, "a", at(1));
    world.find(std::slice::from_ref(&first), at(1)).await;
    let mut changed = first.clone();
    changed.finding.severity = Severity::Problem;
    changed.finding.what = "b".to_owned();
    for n in 2..5 {
        world.find(std::slice::from_ref(&changed), at(n)).await;
    }
    assert_eq!(world.standing().await, [changed]);
    assert_eq!(world.number("SELECT count(*) FROM findings").await, 1);
}

#[tokio::test]
async fn a_finding_is_on_record_with_its_pass_or_not_at_all() {
    let world = World::new().await;
    let record = pass(None, at(1));
    let mut recording = world.store.recording(&record).await.unwrap();
    recording.replace_findings(&[finding(FindingKind::Public, "a", at(1))]).await.unwrap();
    assert_eq!(recording.standing().await.unwrap().len(), 1);
    drop(recording);
    assert_eq!(world.standing().await, []);
    assert_eq!(world.store.last_pass().await.unwrap(), None);
}

#[tokio::test]
async fn a_word_of_another_version_is_passed_over_and_cleared() {
    let world = World::new().await;
    let strange = "INSERT INTO findings (kind, subject, name, severity, what, remedy, first_seen_at) \
         VALUES ('of_another_version', 'tenancy', '', 'info', '', '', 0)";
    sqlx::query(strange).execute(&mut world.raw().await).await.unwrap();
    assert_eq!(world.standing().await, []);
    world.find(&[], at(1)).await;
    assert_eq!(world.number("SELECT count(*) FROM findings WHERE cleared_at IS NULL").await, 0);
}

#[tokio::test]
async fn what_went_by_another_hand_is_told_and_what_ocird_deleted_is_not() {
    let world = World::new().await;
    let all: Vec<_> = (1..=7).map(|n| details(n, &[])).collect();
    world.see(&all, at(1)).await;
    world.settle(&intent(1, &[]), OutcomeKind::Deleted, at(2)).await;
    world.settle(&intent(2, &[]), OutcomeKind::AlreadyGone, at(2)).await;
    world.store.intend(&intent(3, &[]), at(2)).await.unwrap();
    let gone = world.vanished(&all[6..], at(5)).await;
    let expected = Vanished {
        repository: name(1),
        at: at(5),
        n_images: 4,
        digests: vec![digest(2), digest(4), digest(5)],
    };
    assert_eq!(gone, [expected], "1 was deleted, and nobody knows what came of 3");
}

#[tokio::test]
async fn an_image_that_came_back_has_not_vanished() {
    let world = World::new().await;
    let both = [details(1, &["v1"]), details(2, &["v2"])];
    world.see(&both, at(1)).await;
    assert_eq!(world.vanished(&both[1..], at(2)).await.len(), 1);
    assert_eq!(world.vanished(&both, at(3)).await, []);
}
