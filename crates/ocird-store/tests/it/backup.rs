//! Daily copies: made while the store is in use, proved, rotated, and of use when they are put back.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use chrono::TimeDelta;
use ocird_model::OutcomeKind;
use ocird_store::Store;

use crate::world::{World, at, days, details, intent, mark, pass};

fn keep(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn names(world: &World) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(world.dir.path().join("backups"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_copy_holds_what_was_committed_while_somebody_writes() {
    let world = World::new().await;
    world.see(&[details(1, &["v1"])], at(0)).await;
    let mut held = world.raw().await;
    let held = sqlx::Connection::begin_with(&mut held, "BEGIN IMMEDIATE").await.unwrap();
    let copy = world.store.back_up(keep(7), at(1)).await.unwrap();
    held.rollback().await.unwrap();
    assert_eq!(copy.at, at(1));
    assert_eq!(copy.size.0, fs::metadata(&copy.path).unwrap().len());
    assert_eq!(world.store.copies().unwrap(), std::slice::from_ref(&copy));
    let folder = copy.path.parent().unwrap();
    assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    let elsewhere = tempfile::tempdir().unwrap();
    fs::copy(&copy.path, elsewhere.path().join("ocird.db")).unwrap();
    let put_back = Store::open(elsewhere.path(), at(2)).await.unwrap();
    assert_eq!(put_back.identity(), world.store.identity());
    assert_eq!(put_back.last_pass().await.unwrap(), world.store.last_pass().await.unwrap());
}

#[tokio::test]
async fn a_copy_that_is_put_back_has_its_journal_and_no_marks() {
    let world = World::new().await;
    world.see(&[details(1, &["v1"])], at(0)).await;
    world.settle(&intent(9, &[]), OutcomeKind::Deleted, at(1)).await;
    let marks = BTreeMap::from([mark(1, 3)]);
    let mut record = pass(None, at(2));
    record.marks = Some(&marks);
    world.store.record(&record).await.unwrap();
    let copy = world.store.back_up(keep(7), at(3)).await.unwrap();
    world.store.record(&record).await.unwrap();
    let World { dir, store } = world;
    store.close().await;
    fs::copy(&copy.path, dir.path().join("ocird.db")).unwrap();
    let put_back = Store::open(dir.path(), at(4)).await.unwrap();
    assert_eq!(put_back.marks().await.unwrap(), BTreeMap::new());
    assert_eq!(put_back.recent_outcomes(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn only_the_newest_copies_stay_and_other_files_are_left_alone() {
    let world = World::new().await;
    for day in 0..5 {
        world.store.back_up(keep(3), days(day)).await.unwrap();
        let mine = world.dir.path().join("backups/mine.db");
        fs::write(mine, "of an operator").unwrap();
    }
    let copies = world.store.copies().unwrap();
    let times: Vec<_> = copies.iter().map(|copy| copy.at).collect();
    assert_eq!(times, [days(4), days(3), days(2)]);
    assert_eq!(names(&world).len(), 4);
    assert!(world.dir.path().join("backups/mine.db").exists());
}

#[tokio::test]
async fn a_copy_that_a_clock_ahead_of_its_time_made_displaces_no_other() {
    let world = World::new().await;
    for at in [days(900), days(1), days(2), days(3)] {
        world.store.back_up(keep(2), at).await.unwrap();
    }
    let times: Vec<_> = world.store.copies().unwrap().iter().map(|copy| copy.at).collect();
    assert_eq!(times, [days(3), days(2)]);
}

#[tokio::test]
async fn what_an_attempt_has_left_is_cleared_away_and_is_no_copy() {
    let world = World::new().await;
    world.store.back_up(keep(7), at(0)).await.unwrap();
    let left: PathBuf = world.dir.path().join("backups/ocird-20260101T000000Z.db.partial");
    fs::write(&left, "half").unwrap();
    assert_eq!(world.store.copies().unwrap().len(), 1);
    world.store.back_up(keep(7), at(1)).await.unwrap();
    assert!(!left.exists());
    assert_eq!(names(&world).len(), 2);
}

#[tokio::test]
async fn a_copy_that_cannot_be_made_leaves_those_before_it() {
    let world = World::new().await;
    world.store.back_up(keep(1), at(0)).await.unwrap();
    let before = world.store.copies().unwrap();
    // The name is taken by a folder, which nothing is renamed over.
    let next = at(0) + TimeDelta::days(1);
    let taken = world.dir.path().join("backups").join(next.format("ocird-%Y%m%dT%H%M%SZ.db").to_string());
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("in the way"), "").unwrap();
    assert_eq!(world.store.back_up(keep(1), next).await.unwrap_err().kind(), "io");
    fs::remove_dir_all(taken).unwrap();
    assert_eq!(world.store.copies().unwrap(), before);
    world.store.check_writable().await.unwrap();
}
