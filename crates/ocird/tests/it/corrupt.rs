//! Stores that were damaged while nobody looked: bytes overwritten all over the file, a file cut short, a write-ahead log
//! that is cut, garbled or gone. The binary must see the damage and set the file aside as it is, or the file must be sound
//! in spite of it; in neither case does anything go that is needed or that has no intent (S-21, S-29).
//!
//! `OCIRD_DAMAGES=300 cargo test --package ocird --test it corrupt` is the long form.

use std::path::Path;
use std::time::Duration;

use crate::kills::number;
use crate::process::tell;
use crate::tap::Deletions;
use crate::world::{Setting, World, check_asked, copy_files, empty_but};

/// Damages of the short form.
const SHORT_FORM: usize = 14;

/// The size of a page of the store, in bytes.
const PAGE: usize = 4096;

/// The store and its write-ahead log.
const FILES: [&str; 2] = ["ocird.db", "ocird.db-wal"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_store_is_set_aside_or_sound_and_nothing_goes_without_intent() {
    let world = World::with_due_images(Setting { armed: true, n_images: 60, ..Setting::default() }).await;
    world.trust_the_store().await;
    // Few at a time, so that there is something left for the next.
    let config = std::fs::read_to_string(world.config_file()).unwrap();
    std::fs::write(world.config_file(), config.replace("max_per_pass = 1000", "max_per_pass = 2")).unwrap();
    let sample = tempfile::tempdir().unwrap();
    leave_a_log(&world, sample.path()).await;
    let n_before = world.tap.asked().len();
    let (mut n_set_aside, mut n_sound) = (0, 0);
    for number in 0..number("OCIRD_DAMAGES", SHORT_FORM) {
        restore(sample.path(), &world.state_dir());
        Damage::of(number).inflict(&world.state_dir());
        if survive(&world, number).await { n_set_aside += 1 } else { n_sound += 1 }
    }
    tell(&format!("corrupt: {n_set_aside} damaged stores set aside, {n_sound} sound in spite of it"));
    assert!(
        n_set_aside > 0 && n_sound > 0,
        "{n_set_aside} set aside, {n_sound} sound: the damages are all of one kind"
    );
    assert!(world.tap.asked().len() > n_before, "no store was acted on again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_with_a_damaged_store_serves_says_so_and_deletes_nothing() {
    let world = World::with_due_images(Setting { armed: true, ..Setting::default() }).await;
    let damage = Damage::Overwrite { file: 0, page: 0, length: PAGE };
    damage.inflict(&world.state_dir());
    let garbled = std::fs::read(world.state_dir().join(FILES[0])).unwrap();
    let daemon = world.start();
    daemon.ready().await;
    let health = daemon.json("/healthz").await.unwrap();
    let text = health["checks"]["store"]["text"].as_str().unwrap_or_else(|| panic!("{health}"));
    assert!(text.contains("set aside"), "{text}");
    let aside = set_aside(&world.state_dir());
    assert_eq!(std::fs::read(aside.first().unwrap()).unwrap(), garbled, "it was changed on the way");

    daemon.signal("USR1").await;
    let begun_anew = |status: &serde_json::Value| status["checks"]["store"]["state"] == "ok";
    let status = daemon.status_where("a new store", begun_anew).await;
    let refusals = status["refusals"].to_string();
    assert!(refusals.contains("observing"), "a store that knows nothing acts: {refusals}");
    assert_eq!(world.tap.asked(), []);
}

/// Kills a deleting process, so that its log is left, and takes a sample of the files.
async fn leave_a_log(world: &World, sample: &Path) {
    world.tap.set_deletions(Deletions::AnswerAfter(Duration::from_millis(20)));
    let mut process = world.start_as(world.command(&["run", "--once"]));
    world.deletions_of(&mut process, 2).await;
    process.kill().await;
    world.tap.set_deletions(Deletions::AnswerAfter(Duration::ZERO));
    copy_files(&world.state_dir(), sample);
    assert!(sample.join(FILES[1]).metadata().unwrap().len() > 0, "the log was folded in before the kill");
}

/// Lets the binary act on a damaged store, and answers whether the store was set aside.
async fn survive(world: &World, number: usize) -> bool {
    let n_before = world.tap.asked().len();
    let ended = world.ocird(&["run", "--once"]).await;
    let asked = world.tap.asked().split_off(n_before);
    let is_set_aside = !set_aside(&world.state_dir()).is_empty();
    if is_set_aside {
        assert_eq!(asked, [], "damage {number}: {}", ended.stdout);
        assert!(ended.stdout.contains("no_store"), "damage {number}: {}", ended.stdout);
        let again = world.ocird(&["run", "--once"]).await;
        assert_eq!(world.tap.asked().len(), n_before, "damage {number}: {}", again.stdout);
    } else {
        check_asked(&asked, &world.journal().await);
    }
    world.check_needed();
    is_set_aside
}

/// One way to damage a store.
#[derive(Debug, Clone, Copy)]
enum Damage {
    /// Bytes of a page are others.
    Overwrite { file: usize, page: usize, length: usize },
    /// The end is gone: so many eighths are left.
    Cut { file: usize, eighths: usize },
    /// The whole file is gone.
    Remove { file: usize },
}

impl Damage {
    /// Each number is another damage; the first dozen are of every kind.
    fn of(number: usize) -> Self {
        let round = number / 7;
        match number % 7 {
            0 => Self::Overwrite { file: 0, page: round * 3, length: 64 },
            1 => Self::Overwrite { file: 1, page: 1 + round * 5, length: 16 },
            2 => Self::Cut { file: 1, eighths: 1 + round % 7 },
            3 => Self::Overwrite { file: 0, page: 1 + round * 7, length: PAGE },
            4 => Self::Cut { file: 0, eighths: 1 + round % 7 },
            5 => Self::Remove { file: 1 },
            _ => Self::Overwrite { file: 1, page: 0, length: 24 + round },
        }
    }

    fn inflict(self, state_dir: &Path) {
        match self {
            Self::Overwrite { file, page, length } => {
                let path = state_dir.join(FILES[file]);
                let mut bytes = std::fs::read(&path).unwrap();
                let at = page * PAGE % bytes.len();
                let end = (at + length).min(bytes.len());
                for (n, byte) in bytes[at..end].iter_mut().enumerate() {
                    *byte ^= 0xa5_u8.rotate_left(u32::try_from(n % 8).expect("it is below 8"));
                }
                std::fs::write(&path, bytes).unwrap();
            }
            Self::Cut { file, eighths } => {
                let path = state_dir.join(FILES[file]);
                let bytes = std::fs::read(&path).unwrap();
                std::fs::write(&path, &bytes[..bytes.len() * eighths / 8]).unwrap();
            }
            Self::Remove { file } => std::fs::remove_file(state_dir.join(FILES[file])).unwrap(),
        }
    }
}

/// Every store that was set aside, without its log.
fn set_aside(state_dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(state_dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().is_some_and(|path| path.contains(".corrupt-")))
        .collect();
    found.sort();
    found
}

/// Puts the files of the sample in the place of whatever is there. The lock stays the file that it is: one that was copied
/// would say that the store is a copy, whose marks do not count (S-29).
fn restore(sample: &Path, state_dir: &Path) {
    empty_but(state_dir, &["ocird.lock"]);
    copy_files(sample, state_dir);
}
