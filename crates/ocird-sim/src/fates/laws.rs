//! The laws of acting, as far as they can be judged from outside: nothing goes unannounced, unjournaled, while paused, twice,
//! or more at once than is allowed. What the daemon wrote is read only to see that it wrote at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{ImageId, Rule};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use super::judge::{Case, SLACK};
use super::scene::Scene;
use super::wanted::Wanted;
use crate::image::Life;
use crate::state::{Deletion, Hand};

/// Number of complete passes that a family must have been seen in (S-16).
const MIN_PASSES: usize = 3;

/// What the laws are judged by.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// What went wrong, in words.
    pub(super) broken: Vec<Broken>,
    /// When the grace of a repository began anew, by its name: a policy was edited.
    anew: BTreeMap<String, DateTime<Utc>>,
    /// What was known to run when the pass began.
    needed_before: BTreeSet<ImageId>,
    /// Since when the kill switch is on.
    pub(super) paused_since: Option<DateTime<Utc>>,
    /// Bytes stored when the pass began.
    usage: u64,
    /// Number of deletions when the pass began.
    n_deletions: usize,
    /// What is being deleted, with what the judge says to it.
    on_trial: Option<(ImageId, Vec<Broken>)>,
    /// Images whose deletion the tenancy has accepted, with the number of deletions then.
    accepted: BTreeSet<(ImageId, u64)>,
    /// When the deletion of an image was last asked for, whatever came of it.
    asked: BTreeMap<ImageId, DateTime<Utc>>,
    /// What each daemon saw and did by its own store: the first, and the second on its copy.
    done: [Done; 2],
    /// Heads that the first daemon deleted and its journal knows.
    remembered: Vec<Deletion>,
    /// What somebody wants after it has gone, and whether it is back.
    pub(super) wanted: Option<Wanted>,
    pub(super) is_wanted_back: bool,
    /// Number of misfortunes when the pass began.
    n_misfortunes: u64,
    /// Whose pass runs.
    by: usize,
    /// What the tenancy had noted before.
    n_violations: usize,
}

/// What one daemon saw and did, as far as its store remembers.
#[derive(Debug, Default)]
struct Done {
    /// Since when its store remembers, at the latest: it was made, lost, copied or put back then.
    since: Option<DateTime<Utc>>,
    /// When each repository was read whole, in passes that ended and could be written down.
    complete: BTreeMap<String, Vec<DateTime<Utc>>>,
    /// When each image was last known to run in such a pass: from before it to its end, with every host writing well.
    needed_at: BTreeMap<ImageId, DateTime<Utc>>,
    /// When heads went.
    heads: Vec<DateTime<Utc>>,
    /// Number of batches with a head since the ramp began.
    n_batches: u32,
}

/// A law that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The rule of safety, where one says so plainly; `None` for a needed image that is gone.
    pub rule: Option<Rule>,
    /// In words.
    pub text: String,
}

impl Broken {
    pub(super) fn new(rule: Rule, text: impl Into<String>) -> Self {
        Self { rule: Some(rule), text: text.into() }
    }

    /// The rule, or that something needed went.
    pub fn name(&self) -> String {
        self.rule.map_or_else(|| "needed".to_owned(), |rule| rule.to_string())
    }
}

impl Ledger {
    /// The grace of a repository begins anew.
    pub(super) fn begin_anew(&mut self, repository: &str, now: DateTime<Utc>) {
        self.anew.insert(repository.to_owned(), now);
    }

    /// The store is new, or remembers less than it did.
    pub(super) fn forget_store(&mut self, now: DateTime<Utc>) {
        self.done[0] = Done { since: Some(now), ..Done::default() };
        self.remembered.clear();
    }

    /// The heads that went since then and that the first daemon's journal knows.
    pub(super) fn remembered_since(&self, since: DateTime<Utc>) -> impl Iterator<Item = &Deletion> {
        self.remembered.iter().rev().take_while(move |deletion| deletion.at >= since)
    }

    pub(super) fn begin_pass(&mut self, begun: Begun) {
        let Begun { by, usage, n_deletions, needed, n_misfortunes } = begun;
        (self.by, self.usage, self.n_deletions) = (by, usage, n_deletions);
        (self.needed_before, self.n_misfortunes) = (needed, n_misfortunes);
    }

    /// A second daemon begins, on a copy of the store that it does not know.
    pub(super) fn begin_second(&mut self, now: DateTime<Utc>) {
        self.done[1] = Done { since: Some(now), ..Done::default() };
    }

    /// People have reset the brakes: the ramp begins anew.
    pub(super) fn begin_ramp_anew(&mut self) {
        self.done[0].n_batches = 0;
    }

    /// What was counted of heads is no longer what the daemon counted: its clock moved, or its store is another's.
    pub(super) fn lose_count(&mut self) {
        for done in &mut self.done {
            done.heads.clear();
        }
    }
}

/// How things stand when a pass begins.
#[derive(Debug)]
pub(super) struct Begun {
    /// Whose pass it is.
    pub(super) by: usize,
    /// Bytes stored.
    pub(super) usage: u64,
    /// Number of deletions so far.
    pub(super) n_deletions: usize,
    /// What is known to run.
    pub(super) needed: BTreeSet<ImageId>,
    /// Number of misfortunes so far.
    pub(super) n_misfortunes: u64,
}

/// How far the store could be written in a pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Written {
    /// Nothing is certain to be on record.
    #[default]
    Nothing,
    /// What was seen and decided is on record, and the store was full for what came after.
    Decided,
    /// All of it.
    Everything,
}

/// What came of one pass, as far as the laws ask.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The repositories that were read whole and decided about; `None` when the pass did not end.
    pub(super) complete: Option<Vec<String>>,
    /// What of it is on record.
    pub(super) written: Written,
    /// It was to look only.
    pub(super) only_observed: bool,
    /// It died.
    pub(super) died: bool,
}

impl Scene {
    /// A deletion is asked for: what may be said against it is worked out before it happens.
    pub(super) fn try_case(&mut self, id: &ImageId) {
        let mut broken = Vec::new();
        let (state, now) = self.tenancy.lock();
        self.ledger.asked.insert(id.clone(), now);
        if let Some(since) = self.ledger.paused_since
            && since < now
        {
            broken.push(Broken::new(Rule::S24, format!("a deletion was asked for, paused since {since}")));
        }
        let is_gone = state.images.get(id).is_some_and(|image| image.life != Life::Available);
        let turn = state.images.get(id).map_or(0, |image| image.n_turns);
        if is_gone && self.ledger.accepted.iter().any(|(known, _)| known == id) {
            broken.push(Broken::new(Rule::S22, format!("{id} was to be deleted again, turn {turn}")));
        }
        if let Some(case) = Case::of(&state, id, now, self.ledger.usage) {
            let name = case.repository().to_string();
            if !case.follows_a_head(self.grace.max(TimeDelta::hours(24)) + SLACK, &self.ledger.asked) {
                if let Some(why) = case.promise(&self.policies, self.floor) {
                    broken.push(Broken {
                        rule: None,
                        text: format!("{} went, although {why}", case.describe()),
                    });
                }
                broken.extend(self.ledger.unannounced(id, &name, now, self.grace));
            }
        }
        drop(state);
        self.ledger.on_trial = Some((id.clone(), broken));
    }

    /// The call is over: what was said against it holds if the image went.
    pub(super) fn judge_case(&mut self) {
        let Some((id, broken)) = self.ledger.on_trial.take() else { return };
        let (state, now) = self.tenancy.lock();
        let image = state.images.get(&id);
        // The clock has stood still since.
        let went = image.is_some_and(|image| match image.life {
            Life::Available => false,
            Life::Deleting { since } | Life::Deleted { since } => since == now,
        });
        let turn = image.map_or(0, |image| image.n_turns);
        let digest = image.map(|image| image.manifest.digest.short());
        drop(state);
        let fresh = went && self.ledger.accepted.insert((id, turn));
        if fresh {
            self.count_lags();
            self.log.note(now, format_args!("deleted {}", digest.unwrap_or_default()));
        }
        // These two are about the asking.
        let counts = |broken: &Broken| fresh || matches!(broken.rule, Some(Rule::S22 | Rule::S24));
        self.ledger.broken.extend(broken.into_iter().filter(counts));
    }

    /// What a pass has deleted that is over, or whose daemon is dead; and what the tenancy noted in it.
    pub(super) fn deleted_in_pass(&mut self) -> Vec<Deletion> {
        let (state, _) = self.tenancy.lock();
        let noted = state.violations[self.ledger.n_violations..].iter().map(ToString::to_string);
        self.ledger.n_violations = state.violations.len();
        self.ledger.broken.extend(noted.map(|text| Broken { rule: None, text }));
        let new = state.deletions[self.ledger.n_deletions..].iter();
        new.filter(|deletion| deletion.hand == Hand::Daemon).cloned().collect()
    }

    /// Judges a pass by what it deleted and what of that the journals know: whether it was a head, if they know it at all.
    pub(super) fn judge_pass(&mut self, deleted: &[(Deletion, Option<bool>)], seen: &Seen) {
        let by = self.ledger.by;
        let now = self.tenancy.now();
        if seen.only_observed && !deleted.is_empty() {
            self.ledger.broken.push(Broken::new(Rule::S15, "an observing pass deleted"));
        }
        let mut n_heads = 0;
        for (deletion, journaled) in deleted {
            let digest = deletion.digest.short();
            let kind = match journaled {
                None => "not journaled",
                Some(true) => "a head",
                Some(false) => "a rest",
            };
            self.log.note(deletion.at, format_args!("{digest} was {kind}"));
            if journaled.is_none() {
                let text = format!("{digest} was deleted without an intent");
                self.ledger.broken.push(Broken::new(Rule::S21, text));
            } else if *journaled == Some(true) {
                n_heads += 1;
                self.ledger.done[by].heads.push(deletion.at);
                if by == 0 {
                    self.ledger.remembered.push(deletion.clone());
                }
            }
        }
        self.judge_numbers(n_heads, by);
        let is_undisturbed = by == 0 && self.table.total() == self.ledger.n_misfortunes;
        self.judge_wanted(seen, is_undisturbed);
        if let Some(complete) = seen.complete.as_ref().filter(|_| seen.written >= Written::Decided) {
            for name in complete {
                self.ledger.done[by].complete.entry(name.clone()).or_default().push(now);
            }
            let needed = std::mem::take(&mut self.ledger.needed_before);
            for id in self.needed_now().into_iter().filter(|id| needed.contains(id)) {
                self.ledger.done[by].needed_at.insert(id, now);
            }
        }
        self.window = None;
    }

    /// Heads are as few as they may be: in a pass, in a day, and on the ramp.
    fn judge_numbers(&mut self, n_heads: u32, by: usize) {
        if n_heads == 0 {
            return;
        }
        let mut broken = Vec::new();
        if n_heads > self.max_per_pass.min(self.max_per_day) {
            broken.push(Broken::new(Rule::S19, format!("{n_heads} families in one pass")));
        }
        let now = self.tenancy.now();
        let done = &mut self.ledger.done[by];
        let day = |at: &&DateTime<Utc>| now - **at < TimeDelta::hours(24) - SLACK;
        let today = done.heads.iter().filter(day).count();
        if today > self.max_per_day as usize {
            broken.push(Broken::new(Rule::S19, format!("{today} families in one day")));
        }
        done.n_batches += 1;
        let most = match done.n_batches {
            1 => 1,
            2 => 10,
            _ => u32::MAX,
        };
        if n_heads > most {
            broken.push(Broken::new(Rule::S20, format!("{n_heads} families in batch {}", done.n_batches)));
        }
        self.ledger.broken.extend(broken);
    }
}

impl Ledger {
    /// Why a head was not announced for long enough.
    fn unannounced(&self, id: &ImageId, name: &str, now: DateTime<Utc>, grace: TimeDelta) -> Vec<Broken> {
        let mut broken = Vec::new();
        let grace_ago = now - grace + SLACK;
        let mut since = DateTime::<Utc>::MIN_UTC;
        if let Some(anew) = self.anew.get(name) {
            since = since.max(*anew);
            if *anew > grace_ago {
                broken.push(Broken::new(Rule::S14, format!("{name}: its policy was edited at {anew}")));
            }
        }
        let done = &self.done[self.by];
        if let Some(store) = done.since {
            since = since.max(store);
            if store > grace_ago {
                broken
                    .push(Broken::new(Rule::S29, format!("{name}: the store remembers since {store} only")));
            }
        }
        if let Some(needed) = done.needed_at.get(id) {
            since = since.max(*needed);
            if *needed > grace_ago {
                broken.push(Broken::new(Rule::S16, format!("{name}: it was known to be needed at {needed}")));
            }
        }
        let complete = done.complete.get(name).map_or(0, |all| all.iter().filter(|at| **at > since).count());
        // The pass that deletes is one of them, and not over yet.
        if complete + 1 < MIN_PASSES {
            broken.push(Broken::new(Rule::S16, format!("{name}: only {complete} complete passes before")));
        }
        broken
    }
}

/// What the journals of these state directories know of each deletion: whether it was of a head, if they know it at all.
pub(super) async fn journaled(
    state_dirs: &[PathBuf],
    deleted: Vec<Deletion>,
) -> Result<Vec<(Deletion, Option<bool>)>, sqlx::Error> {
    let mut known: Vec<(Deletion, Option<bool>)> =
        deleted.into_iter().map(|deletion| (deletion, None)).collect();
    if known.is_empty() {
        return Ok(known);
    }
    let paths = state_dirs.iter().map(|state_dir| state_dir.join("ocird.db"));
    for path in paths.filter(|path| path.exists()) {
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        for (deletion, is_head) in known.iter_mut().filter(|(_, is_head)| is_head.is_none()) {
            let select =
                "SELECT head = digest FROM intents WHERE image = ? AND digest = ? ORDER BY id DESC LIMIT 1";
            *is_head = sqlx::query_scalar(select)
                .bind(deletion.image.as_str())
                .bind(deletion.digest.as_bytes().as_slice())
                .fetch_optional(&mut connection)
                .await?;
        }
        connection.close().await?;
    }
    Ok(known)
}
