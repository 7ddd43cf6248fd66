//! What may be believed: it is kept from pass to pass and over restarts.

use std::collections::{BTreeMap, BTreeSet};

use ocird_model::{Census, Fall, OutcomeKind, Repository, RepositoryState};
use ocird_store::{ClockDoubt, Fresh, Glance, PassRecord};
use sqlx::AssertSqlSafe;

use crate::world::{World, at, details, image, intent, inventory, name, pass, repository};

/// A world whose repository has these images.
async fn with_images(numbers: &[u64]) -> World {
    let world = World::new().await;
    let images: Vec<_> = numbers.iter().map(|n| details(*n, &["v1"])).collect();
    world.see(&images, at(1)).await;
    world
}

#[tokio::test]
async fn a_census_is_kept_with_its_fall_and_over_a_restart() {
    let world = World::new().await;
    assert_eq!(world.store.census().await.unwrap(), BTreeMap::new());
    let fall = Some(Fall { from: 100, at: at(3), n_agreeing: 1 });
    let census = BTreeMap::from([
        (repository(1).to_string(), Census { n: 40, fall }),
        ("ocid1.compartment.oc1..c".to_owned(), Census::first(4)),
    ]);
    world.store.believe(&census, at(3)).await.unwrap();
    let world = world.reopened().await;
    assert_eq!(world.store.census().await.unwrap(), census);
    let glance = Glance::open(world.dir.path()).await.unwrap().unwrap();
    assert_eq!(glance.census().await.unwrap(), census);
    let later = BTreeMap::from([(repository(1).to_string(), Census::first(40))]);
    world.store.believe(&later, at(4)).await.unwrap();
    assert_eq!(world.store.census().await.unwrap()[repository(1).as_str()], Census::first(40));
}

#[tokio::test]
async fn a_look_that_was_certain_is_told_from_one_that_was_only_complete() {
    let world = with_images(&[1]).await;
    let known = world.store.known(&repository(1)).await.unwrap();
    assert_eq!((known.last_complete_at, known.last_certain_at), (Some(at(1)), None));
    let (first, seen) = (repository(1), inventory(&[details(1, &[])], at(2)));
    let looked_at = BTreeSet::from([first.clone()]);
    let certain = PassRecord { certain: &looked_at, ..pass(Some(&seen), at(2)) };
    // A daemon that dies before the marks are on record has not been certain.
    drop(world.store.recording(&certain).await.unwrap());
    assert_eq!(world.store.known(&first).await.unwrap().last_certain_at, None);
    world.store.record(&certain).await.unwrap();
    let known = world.store.known(&first).await.unwrap();
    assert_eq!((known.last_complete_at, known.last_certain_at), (Some(at(2)), Some(at(2))));
    world.see(&[details(1, &[])], at(3)).await;
    let known = world.store.known(&first).await.unwrap();
    assert_eq!((known.last_complete_at, known.last_certain_at), (Some(at(3)), Some(at(2))));
}

#[tokio::test]
async fn what_ocird_took_and_is_still_on_record_is_known() {
    let world = with_images(&[1, 2, 3, 4]).await;
    world.settle(&intent(1, &[]), OutcomeKind::Deleted, at(2)).await;
    world.settle(&intent(2, &[]), OutcomeKind::Drifted, at(2)).await;
    world.store.intend(&intent(3, &[]), at(2)).await.unwrap();
    let taken = world.store.known(&repository(1)).await.unwrap().taken;
    assert_eq!(taken, BTreeSet::from([image(1), image(3)]), "nobody knows what came of the third");
    world.see(&[details(2, &["v1"]), details(4, &["v1"])], at(3)).await;
    assert_eq!(world.store.known(&repository(1)).await.unwrap().taken, BTreeSet::new());
}

#[tokio::test]
async fn an_image_that_came_back_and_goes_again_is_not_explained_by_its_first_deletion() {
    let world = with_images(&[1, 2]).await;
    world.settle(&intent(1, &[]), OutcomeKind::Deleted, at(2)).await;
    world.see(&[details(2, &["v1"])], at(3)).await;
    world.see(&[details(1, &["v1"]), details(2, &["v1"])], at(4)).await;
    assert_eq!(world.store.known(&repository(1)).await.unwrap().taken, BTreeSet::new());
}

#[tokio::test]
async fn the_repositories_of_a_compartment_are_those_of_its_last_look() {
    let world = with_images(&[1]).await;
    let compartment = "ocid1.compartment.oc1..c".parse().unwrap();
    let present = world.store.repositories_in(&compartment).await.unwrap();
    assert_eq!(present, [(repository(1), name(1))]);
    let elsewhere = "ocid1.compartment.oc1..d".parse().unwrap();
    assert_eq!(world.store.repositories_in(&elsewhere).await.unwrap(), []);
}

#[tokio::test]
async fn a_repository_that_was_looked_at_again_after_the_pass_hides_no_other_of_its_compartment() {
    let world = World::new().await;
    world.see(&[details(1, &["v1"])], at(1)).await;
    let mut two = inventory(&[details(1, &["v1"])], at(2));
    let (other, state) = (name(2), two.repositories[&name(1)].clone());
    let RepositoryState::Complete(first) = state else { panic!("it was read whole") };
    let second = Repository { id: repository(2), name: other.clone(), images: Vec::new(), ..first };
    two.repositories.insert(other, RepositoryState::Complete(second));
    world.store.record(&pass(Some(&two), at(2))).await.unwrap();
    world.store.remember(&repository(1), &name(1), &Fresh::default(), at(3)).await.unwrap();
    let compartment = "ocid1.compartment.oc1..c".parse().unwrap();
    let present = world.store.repositories_in(&compartment).await.unwrap();
    assert_eq!(present, [(repository(1), name(1)), (repository(2), name(2))]);
}

#[tokio::test]
async fn a_doubt_about_the_clock_outlives_a_restart_and_is_lifted() {
    let world = World::new().await;
    assert_eq!(world.store.clock_doubt().await.unwrap(), None);
    let doubt = ClockDoubt { why: "it jumped".to_owned(), n_clean: 2 };
    world.store.doubt_clock(Some(&doubt), at(1)).await.unwrap();
    let world = world.reopened().await;
    assert_eq!(world.store.clock_doubt().await.unwrap(), Some(doubt));
    world.store.doubt_clock(None, at(2)).await.unwrap();
    assert_eq!(world.store.clock_doubt().await.unwrap(), None);
}

#[tokio::test]
async fn a_store_that_was_made_with_the_present_schema_was_never_migrated() {
    let world = World::new().await.reopened().await;
    assert_eq!(world.store.migrated_at().await.unwrap(), None);
}

#[tokio::test]
async fn nothing_lies_ahead_any_more_when_the_clock_is_believed_again() {
    let world = World::new().await;
    let mut raw = world.raw().await;
    let ahead = at(1_000_000).timestamp_millis();
    for insert in [
        format!(
            "INSERT INTO in_use_speakers (source, host, n_images, looked_at) VALUES ('docker', '', 1, {ahead})"
        ),
        format!(
            "INSERT INTO runs (repository, digest, used_by, began_at, ended_at) \
             VALUES ('r', zeroblob(32), 'web', 1, {ahead})"
        ),
        format!("UPDATE store SET migrated_at = {ahead}"),
    ] {
        sqlx::query(AssertSqlSafe(insert)).execute(&mut raw).await.unwrap();
    }
    let times = "SELECT max(looked_at), max(ended_at), max(began_at), max(migrated_at) \
         FROM in_use_speakers, runs, store";
    let doubt = ClockDoubt { why: "it ran ahead".to_owned(), n_clean: 0 };
    let now = at(5).timestamp_millis();
    for (doubt, expected) in [(Some(&doubt), (ahead, ahead, 1, ahead)), (None, (now, now, 1, now))] {
        world.store.doubt_clock(doubt, at(5)).await.unwrap();
        let found: (i64, i64, i64, i64) = sqlx::query_as(times).fetch_one(&mut raw).await.unwrap();
        assert_eq!(found, expected);
    }
}
