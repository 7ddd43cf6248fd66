//! Power cuts. What the binary does to its files while it deletes is recorded; the disk of every moment is then made from
//! the record, as a power cut may leave it: what was synced is there, and of the rest any part, whole, torn or not at all.
//! Each such store must open, and hold the intent of every deletion that was asked for before that moment (S-21).
//!
//! It stands for a power cut and is none: no drive, no file system and no kernel takes part.
//! `OCIRD_CUTS=20000 cargo test --package ocird --test it power` is the long form.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::kills::number;
use crate::process::tell;
use crate::shim::{Change, Record, Shim};
use crate::tap::{AskedDeletion, Deletions};
use crate::world::{Setting, World, check_asked, copy_files};

/// Cuts of the short form.
const SHORT_FORM: usize = 150;

/// What a drive writes whole or not at all, in bytes.
const SECTOR: usize = 512;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_the_power_goes_each_deletion_has_its_intent_and_the_store_is_sound() {
    let story = Story::tell().await;
    let n_cuts = number("OCIRD_CUTS", SHORT_FORM);
    let mut chance = Chance(0x0c1d);
    let mut n_asked = 0;
    for cut in 0..n_cuts {
        // By turns any moment, and the last one before a deletion was asked for or just after.
        let at = match cut % 3 {
            0 => chance.below(story.records.len()),
            1 => story.before_deletion(chance.below(story.asked.len())),
            _ => (story.before_deletion(chance.below(story.asked.len())) + 1).min(story.records.len() - 1),
        };
        n_asked += story.check(at, story.disk_at(at, Honesty::Syncs).cut(&mut chance)).await;
    }
    assert!(n_asked > n_cuts, "only {n_asked} deletions came before {n_cuts} cuts");
    let n = story.records.len();
    tell(&format!("power: {n_cuts} cuts in {n} changes, {n_asked} deletions before them, all with intent"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[should_panic(expected = "has no intent of its own")]
async fn a_disk_that_only_pretends_to_sync_would_be_noticed() {
    let story = Story::tell().await;
    let last = story.records.len() - 1;
    story.check(last, story.disk_at(last, Honesty::Pretends).files).await;
}

/// What a disk does when it is asked to sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Honesty {
    /// It does.
    Syncs,
    /// It says so.
    Pretends,
}

/// One acting process: the files before it, every change, every deletion.
struct Story {
    before: BTreeMap<PathBuf, Vec<u8>>,
    state_dir: PathBuf,
    records: Vec<Record>,
    asked: Vec<AskedDeletion>,
}

/// The files of a disk: what is on it for sure, and what may be.
#[derive(Debug)]
struct Disk {
    files: BTreeMap<PathBuf, Vec<u8>>,
    pending: BTreeMap<PathBuf, Vec<Change>>,
}

impl Story {
    async fn tell() -> Self {
        let world = World::with_due_images(Setting { armed: true, n_images: 24, ..Setting::default() }).await;
        world.trust_the_store().await;
        world.tap.set_deletions(Deletions::AnswerAfter(Duration::ZERO));
        let state_dir = world.state_dir().canonicalize().unwrap();
        let before = tempfile::tempdir().unwrap();
        copy_files(&state_dir, before.path());
        let shim = Shim::new(&state_dir);
        let mut command = world.command(&["run", "--once"]);
        shim.watch(&mut command);
        let ended = crate::process::run(command).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        world.check_deletions(&world.journal().await);
        let before = crate::world::files(before.path());
        let before =
            before.into_iter().map(|(path, bytes)| (state_dir.join(path.file_name().unwrap()), bytes));
        Self { before: before.collect(), state_dir, records: shim.records(), asked: world.tap.asked() }
    }

    /// The number of the last change before a deletion was asked for.
    fn before_deletion(&self, deletion: usize) -> usize {
        let at_ns = nanoseconds(&self.asked[deletion]);
        self.records.partition_point(|record| record.at_ns < at_ns).saturating_sub(1)
    }

    /// The disk after a change.
    fn disk_at(&self, last: usize, honesty: Honesty) -> Disk {
        let mut disk = Disk { files: self.before.clone(), pending: BTreeMap::new() };
        for pair in self.records[..=last].iter().zip(self.records[1..].iter().map(Some).chain([None])) {
            let (record, next) = pair;
            disk.take(record, next, honesty);
        }
        disk
    }

    /// Looks at what a power cut left that came after a change and before the next; answers how many deletions had been
    /// asked for.
    async fn check(&self, last: usize, files: BTreeMap<PathBuf, Vec<u8>>) -> usize {
        let left = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let name = path.strip_prefix(&self.state_dir).unwrap();
            if !is_memory(name) {
                std::fs::write(left.path().join(name), bytes).unwrap();
            }
        }
        let until = self.records.get(last + 1).map_or(i64::MAX, |record| record.at_ns);
        let asked: Vec<AskedDeletion> =
            self.asked.iter().filter(|asked| nanoseconds(asked) < until).cloned().collect();
        check_asked(&asked, &World::journal_in(left.path()).await);
        asked.len()
    }
}

impl Disk {
    fn take(&mut self, record: &Record, next: Option<&Record>, honesty: Honesty) {
        let Record { at_ns: _, path, change } = record;
        match (change, honesty) {
            (Change::Sync, Honesty::Pretends) | (Change::Into, _) => {}
            (Change::Sync, Honesty::Syncs) => {
                for change in self.pending.remove(path).unwrap_or_default() {
                    self.apply(path, &change);
                }
            }
            // A journaling file system has a rename or it has not; the store relies on neither.
            (Change::Rename, _) => {
                let to = &next.expect("a rename has a destination").path;
                if let Some(bytes) = self.files.remove(path) {
                    self.files.insert(to.clone(), bytes);
                }
                if let Some(pending) = self.pending.remove(path) {
                    self.pending.insert(to.clone(), pending);
                }
            }
            (Change::Write { .. } | Change::Truncate { .. } | Change::Remove, _) => {
                self.pending.entry(path.clone()).or_default().push(change.clone());
            }
        }
    }

    fn apply(&mut self, path: &Path, change: &Change) {
        match change {
            Change::Write { offset, bytes } => {
                let file = self.files.entry(path.to_owned()).or_default();
                let end = offset + bytes.len();
                file.resize(file.len().max(end), 0);
                file[*offset..end].copy_from_slice(bytes);
            }
            Change::Truncate { length } => {
                self.files.entry(path.to_owned()).or_default().resize(*length, 0);
            }
            Change::Remove => {
                self.files.remove(path);
            }
            Change::Sync | Change::Rename | Change::Into => unreachable!("these are never pending"),
        }
    }

    /// What is there after a power cut: of what was not synced nothing, or all, or some of it, in any order.
    fn cut(mut self, chance: &mut Chance) -> BTreeMap<PathBuf, Vec<u8>> {
        let habit = chance.below(4);
        for (path, pending) in std::mem::take(&mut self.pending) {
            for change in pending {
                match if habit < 2 { habit } else { chance.below(3) } {
                    0 => {}
                    1 => self.apply(&path, &change),
                    _ => self.tear(&path, &change, chance),
                }
            }
        }
        self.files
    }

    /// Some sectors of a write get there; anything else is whole.
    fn tear(&mut self, path: &Path, change: &Change, dice: &mut Chance) {
        let Change::Write { offset, bytes } = change else { return self.apply(path, change) };
        for (n, sector) in bytes.chunks(SECTOR).enumerate() {
            if dice.below(2) == 0 {
                let part = Change::Write { offset: offset + n * SECTOR, bytes: sector.to_vec() };
                self.apply(path, &part);
            }
        }
    }
}

/// Reproducible chance: `SplitMix64`, <https://prng.di.unimi.it/splitmix64.c>.
struct Chance(u64);

impl Chance {
    /// A number below `n`.
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).expect("it is below a usize")
    }
}

/// The index of the write-ahead log lives in memory that a file only names.
fn is_memory(name: &Path) -> bool {
    name.to_str().is_some_and(|name| name.ends_with("-shm"))
}

fn nanoseconds(asked: &AskedDeletion) -> i64 {
    asked.at.timestamp_nanos_opt().expect("the present fits")
}
