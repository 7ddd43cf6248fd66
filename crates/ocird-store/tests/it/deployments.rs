//! What was in use, on record: it reads back as it was written, and nobody loses it by restarting.

use std::collections::BTreeMap;

use ocird_store::{Frozen, Glance, Run, RunKey, Speaker, SpeakerKey, UseHistory};

use crate::world::{World, at, digest, name};

fn speaker(host: &str) -> SpeakerKey {
    SpeakerKey { source: "/var/lib/ocird/in-use/*.json".to_owned(), host: host.to_owned() }
}

fn run(image: u64, began: i64) -> RunKey {
    RunKey { repository: name(1), by: "web on milan-1".into(), digest: digest(image), began_at: at(began) }
}

fn history() -> UseHistory {
    let frozen = Frozen { at: at(3), n_before: 20, n_agreeing: 1 };
    UseHistory {
        speakers: BTreeMap::from([
            (speaker(""), Speaker { n_images: 9, looked_at: at(4), frozen: Some(frozen) }),
            (speaker("milan-1"), Speaker { n_images: 9, looked_at: at(4), frozen: None }),
        ]),
        runs: BTreeMap::from([
            (run(1, 0), Run { ended_at: Some(at(2)) }),
            (run(2, 2), Run { ended_at: None }),
        ]),
    }
}

#[tokio::test]
async fn what_was_in_use_reads_back_after_a_restart() {
    let world = World::new().await;
    let nothing = world.store.use_history().await.unwrap();
    assert_eq!(nothing, UseHistory::default());
    world.store.change_use_history(&UseHistory::default(), &history(), at(5)).await.unwrap();
    let world = world.reopened().await;
    assert_eq!(world.store.use_history().await.unwrap(), history());
    let glance = Glance::open(world.dir.path()).await.unwrap().unwrap();
    assert_eq!(glance.use_history().await.unwrap(), history());
}

#[tokio::test]
async fn what_changed_is_written_and_what_is_forgotten_is_gone() {
    let world = World::new().await;
    world.store.change_use_history(&UseHistory::default(), &history(), at(5)).await.unwrap();
    let mut after = history();
    after.speakers.remove(&speaker("milan-1"));
    after.speakers.insert(speaker(""), Speaker { n_images: 20, looked_at: at(9), frozen: None });
    after.runs.remove(&run(1, 0));
    after.runs.insert(run(2, 2), Run { ended_at: Some(at(9)) });
    after.runs.insert(run(2, 9), Run { ended_at: None });
    world.store.change_use_history(&history(), &after, at(9)).await.unwrap();
    assert_eq!(world.store.use_history().await.unwrap(), after);
}

#[tokio::test]
async fn what_did_not_change_is_not_written() {
    let world = World::new().await;
    world.store.change_use_history(&UseHistory::default(), &history(), at(5)).await.unwrap();
    world.store.change_use_history(&history(), &history(), at(9)).await.unwrap();
    assert_eq!(world.store.newest_time().await.unwrap(), Some(at(5)));
}
