//! Rollback room: what ran in the last deployments, so that going back to it can pull it. Known from ocird's own history of
//! what was in use, because nobody else writes it down.
//!
//! A deployment is what one workload runs from one image without a break; it ends when the workload is surely said to run
//! no more from it. Of every workload that runs now its last deployments stay, and of the repository as a whole its last
//! ones too: a workload that is deployed ten times a day does not use up the room of one that is deployed monthly.
//!
//! Pure: the history comes from the store and goes back there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use ocird_model::{
    Digest, InUse, Inventory, Repository, RepositoryName, RepositoryState, Target, Use, UseKind,
};
use ocird_store::{Run, RunKey};

/// Everything that ran, by the store's keys.
pub(super) type Runs = BTreeMap<RunKey, Run>;

/// How long what ended is remembered although no room is kept for it.
const REMEMBERED: TimeDelta = TimeDelta::days(30);
/// Earlier deployments that are remembered however long ago they ended: as many as can be configured.
const ROOM: usize = 20;

/// Whether everybody who was asked has answered so that it is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    /// Every source did.
    Believed,
    /// One did not.
    Doubted,
}

/// The history as it is after these answers. While any of them is in doubt nothing ends: that a workload is not named then says
/// nothing (S-2), not even in repositories that the silent source does not speak for.
pub(super) fn advance(
    runs: &Runs,
    in_use: &InUse,
    answers: Answers,
    inventory: &Inventory,
    now: DateTime<Utc>,
) -> Runs {
    let now = now.trunc_subsecs(3);
    let present = present(in_use, inventory);
    let mut after = runs.clone();
    for (key, run) in &mut after {
        let runs_on = present.contains(&(key.repository.clone(), Arc::clone(&key.by), key.digest));
        let is_sure = answers == Answers::Believed && is_sure(&key.repository, in_use, inventory);
        if run.ended_at.is_none() && !runs_on && is_sure {
            run.ended_at = Some(now);
        }
    }
    let running: BTreeSet<_> = active(&after).map(place).collect();
    for (repository, by, digest) in present {
        if !running.contains(&(repository.clone(), Arc::clone(&by), digest)) {
            after.insert(RunKey { repository, by, digest, began_at: now }, Run { ended_at: None });
        }
    }
    forget(&mut after, now);
    after
}

/// Holds what ran when that was last known for certain and is not named now. By this, losing a source never adds a deletion,
/// not even of what it named beyond its own repositories (S-4).
pub(super) fn hold_unended(in_use: &mut InUse, runs: &Runs, inventory: &Inventory) {
    let present = present(in_use, inventory);
    for key in active(runs).filter(|key| !present.contains(&place(key))) {
        let target = Target { tag: None, digest: Some(key.digest) };
        in_use.add(key.repository.clone(), Use::running(target, Arc::clone(&key.by)));
    }
}

/// Says of each use since when it is one.
pub(super) fn date(in_use: &mut InUse, runs: &Runs, inventory: &Inventory, now: DateTime<Utc>) {
    let mut since: BTreeMap<_, DateTime<Utc>> = BTreeMap::new();
    for key in active(runs).filter(|key| key.began_at < now) {
        since.insert(place(key), key.began_at);
    }
    in_use.change_each(|repository, used| {
        if let Some(digest) = digest_of(repository, &used.target, inventory) {
            used.since = since.get(&(repository.clone(), Arc::clone(&used.by), digest)).copied();
        }
    });
}

/// What the last deployments ran from and nothing runs from now, as far as the registry still has it.
pub(super) fn previous(runs: &Runs, inventory: &Inventory, n_kept: usize) -> Vec<(RepositoryName, Use)> {
    let mut all = Vec::new();
    for repository in inventory.complete() {
        let of_repository = Ended::of(runs, &repository.name);
        let is_there = |digest: &Digest| repository.image(digest).is_some();
        for (digest, (key, ended_at)) in of_repository.with_room(n_kept, is_there) {
            let until = ended_at.format("%F %H:%M UTC");
            let used = Use {
                target: Target { tag: None, digest: Some(digest) },
                by: format!("{} ran it until {until}", key.by).into(),
                kind: UseKind::Previous,
                since: Some(key.began_at),
            };
            all.push((repository.name.clone(), used));
        }
    }
    all
}

/// The deployments of one repository that have ended.
struct Ended<'a> {
    /// What something runs from now.
    running: BTreeSet<Digest>,
    /// The workloads that run now.
    workloads: BTreeSet<&'a str>,
    /// What has ended, the latest end first.
    deployments: Vec<(&'a RunKey, DateTime<Utc>)>,
}

impl<'a> Ended<'a> {
    fn of(runs: &'a Runs, repository: &RepositoryName) -> Self {
        let mut all = Self { running: BTreeSet::new(), workloads: BTreeSet::new(), deployments: Vec::new() };
        let first = RunKey {
            repository: repository.clone(),
            by: Arc::from(""),
            digest: Digest::from_bytes([0; 32]),
            began_at: DateTime::<Utc>::MIN_UTC,
        };
        for (key, run) in runs.range(first..).take_while(|(key, _)| key.repository == *repository) {
            if let Some(at) = run.ended_at {
                all.deployments.push((key, at));
            } else {
                all.running.insert(key.digest);
                all.workloads.insert(&key.by);
            }
        }
        all.deployments.sort_by_key(|(key, ended_at)| (std::cmp::Reverse(*ended_at), *key));
        all
    }

    /// What stays beside what runs, with the run that ended last: the last so many deployments of each workload that runs now,
    /// and of the repository. What runs takes no room of it: after a rollback there is still the way further back. Nor does
    /// what is no longer there.
    fn with_room(
        &self,
        n_kept: usize,
        is_there: impl Fn(&Digest) -> bool,
    ) -> BTreeMap<Digest, (&'a RunKey, DateTime<Utc>)> {
        let counts = |digest: &Digest| !self.running.contains(digest) && is_there(digest);
        let runs_no_more = || self.deployments.iter().filter(|(key, _)| counts(&key.digest));
        let mut kept = latest(runs_no_more(), n_kept);
        for workload in &self.workloads {
            for (digest, run) in latest(runs_no_more().filter(|(key, _)| *key.by == **workload), n_kept) {
                kept.entry(digest).or_insert(run);
            }
        }
        kept
    }
}

/// The images of the first so many deployments of a list, those counted that ran something else than the ones before. What ended
/// together was one: engines name an index and the manifest of their platform, and both ran.
fn latest<'a: 'l, 'l>(
    ended: impl Iterator<Item = &'l (&'a RunKey, DateTime<Utc>)>,
    n_kept: usize,
) -> BTreeMap<Digest, (&'a RunKey, DateTime<Utc>)> {
    let mut kept = BTreeMap::new();
    let (mut n_deployments, mut last) = (0, None);
    for &(key, ended_at) in ended {
        if kept.contains_key(&key.digest) {
            continue;
        }
        if last != Some(ended_at) {
            if n_deployments == n_kept {
                break;
            }
            n_deployments += 1;
            last = Some(ended_at);
        }
        kept.insert(key.digest, (key, ended_at));
    }
    kept
}

/// Drops what ended long ago and no room is kept for, so that workloads with a new name each time do not fill the store.
fn forget(runs: &mut Runs, now: DateTime<Utc>) {
    let is_old = |run: &Run| run.ended_at.is_some_and(|ended_at| now - ended_at > REMEMBERED);
    if !runs.values().any(is_old) {
        return;
    }
    let repositories: BTreeSet<RepositoryName> = runs.keys().map(|key| key.repository.clone()).collect();
    let mut kept = BTreeSet::new();
    for repository in &repositories {
        let ended = Ended::of(runs, repository);
        kept.extend(ended.with_room(ROOM, |_| true).into_values().map(|(key, _)| key.clone()));
    }
    runs.retain(|key, run| !is_old(run) || kept.contains(key));
}

/// Whether what is not named surely does not run.
fn is_sure(repository: &RepositoryName, in_use: &InUse, inventory: &Inventory) -> bool {
    let is_unreadable =
        matches!(inventory.repositories.get(repository), Some(RepositoryState::Unreadable { .. }));
    in_use.doubt_about(repository).is_none() && !is_unreadable
}

fn active(runs: &Runs) -> impl Iterator<Item = &RunKey> {
    runs.iter().filter(|(_, run)| run.ended_at.is_none()).map(|(key, _)| key)
}

fn place(key: &RunKey) -> (RepositoryName, Arc<str>, Digest) {
    (key.repository.clone(), Arc::clone(&key.by), key.digest)
}

/// What runs now, from which image.
fn present(in_use: &InUse, inventory: &Inventory) -> BTreeSet<(RepositoryName, Arc<str>, Digest)> {
    let mut present = BTreeSet::new();
    for (repository, uses) in in_use.all() {
        for used in uses.iter().filter(|used| used.kind.is_running()) {
            if let Some(digest) = digest_of(repository, &used.target, inventory) {
                present.insert((repository.clone(), Arc::clone(&used.by), digest));
            }
        }
    }
    present
}

/// The image that a use is of: by the digest that runs, else by what its tag means now.
fn digest_of(name: &RepositoryName, target: &Target, inventory: &Inventory) -> Option<Digest> {
    let by_tag = || {
        let repository: &Repository = inventory.repositories.get(name)?.complete()?;
        let tag = target.tag.as_ref()?;
        repository.images.iter().find(|image| image.tags.contains_key(tag)).map(|image| image.digest)
    };
    target.digest.or_else(by_tag)
}

#[cfg(test)]
mod tests;
