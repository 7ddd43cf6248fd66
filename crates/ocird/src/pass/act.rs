//! Deletes what is due: look again, write the intent, delete exactly that, write what came of it.
//!
//! The order of the steps is the safety of the product (S-17, S-21): kill switch, freshness, one more listing of the
//! repository, one more read of the image, the committed intent, the conditional delete, the outcome. One image's
//! failure never hides another's outcome; a store that fails stops everything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use ocird_model::{
    Clock, DeleteTarget, ErrorChain, ErrorKind, Etag, InUse, Intent, Inventory, MarkKey, Outcome,
    OutcomeKind, ReadRegistry, RegistryError, RepositoryId, Verdict, WriteRegistry,
};
use ocird_plan::{CheckedPlan, Due, DueKind};
use ocird_store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::pass::again::{Again, Found};
use crate::pass::gate::{self, Refusals};
use crate::pass::observe;
use crate::status::RefusalCode;

/// Unexpected answers in a row after which this pass stops acting (S-25).
const MAX_UNEXPECTED: u32 = 3;

/// A plan is acted on for this long; what the registry and the hosts said before that is too old to delete by.
const PLAN_SERVES: TimeDelta = TimeDelta::minutes(10);

/// What the acting step works with. It is the only one that is ever handed a writer.
pub(crate) struct Act<'a, R, W, C> {
    pub(crate) reader: &'a R,
    pub(crate) writer: &'a W,
    pub(crate) clock: &'a C,
    pub(crate) store: &'a Store,
    pub(crate) inventory: &'a Inventory,
    pub(crate) checked: &'a CheckedPlan,
    pub(crate) in_use: &'a InUse,
    pub(crate) state_dir: &'a Path,
    pub(crate) stop: &'a CancellationToken,
    /// When the pass began, by the clock that nobody can set.
    pub(crate) began: Duration,
}

/// What came of one acting step.
#[derive(Debug, Default)]
pub(crate) struct Acted {
    /// Number of settled outcomes by kind.
    pub(crate) n_outcomes: BTreeMap<&'static str, u64>,
    /// The repositories in which something was deleted.
    pub(crate) touched: BTreeSet<RepositoryId>,
    /// The marks that no longer hold, of what was deleted and of what drifted: none of it is pending any more.
    pub(crate) unmarked: BTreeSet<MarkKey>,
}

impl Acted {
    /// Number of images that were deleted.
    pub(crate) fn n_deleted(&self) -> u64 {
        self.n_outcomes.get(OutcomeKind::Deleted.as_str()).copied().unwrap_or(0)
    }

    fn count(&mut self, kind: OutcomeKind) {
        *self.n_outcomes.entry(kind.as_str()).or_default() += 1;
    }
}

/// What came of one due image.
enum Step {
    /// It was deleted, or refused, or found gone.
    Settled(OutcomeKind),
    /// The world moved since the plan: nothing was done, and its mark is dropped.
    Drifted(String),
    /// Its repository is not as the plan saw it, or it may run by now: it waits for the next pass.
    Held(String),
    /// The registry did not answer as it should; nothing was asked of it.
    Unexpected(ErrorKind),
    /// The deletion was asked for and nobody knows what came of it: the intent stays open.
    Open(ErrorKind),
    /// Something said stop while it was looked at again: nothing was asked of the registry.
    Halted(RefusalCode, String),
}

impl<R: ReadRegistry, W: WriteRegistry, C: Clock> Act<'_, R, W, C> {
    /// Deletes what is due, in order, until something says stop. Why it stopped goes to `refusals`.
    pub(crate) async fn all(&self, due: &[&Due], refusals: &mut Refusals) -> Result<Acted, StoreError> {
        let mut acted = Acted::default();
        let mut again = Again::new(self.reader, self.clock, self.inventory, self.checked, self.in_use);
        let mut n_unexpected = 0;
        let mut n_held = 0;
        for due in due {
            if let Some((code, why)) = self.halt(n_unexpected) {
                refusals.add(code, why);
                break;
            }
            if self.stop.is_cancelled() {
                break;
            }
            let step = self.one(due, &mut again).await?;
            note(due, &step);
            n_unexpected = if step.is_unexpected() { n_unexpected + 1 } else { 0 };
            match step {
                Step::Settled(kind) => {
                    acted.count(kind);
                    if kind == OutcomeKind::Deleted {
                        acted.touched.insert(due.repository_id().clone());
                        acted.unmarked.insert(mark_key(due));
                    }
                }
                Step::Drifted(_) => {
                    acted.count(OutcomeKind::Drifted);
                    self.store.drop_mark(&mark_key(due)).await?;
                    self.store.drop_rest(due.repository_id(), &due.image().digest).await?;
                    acted.unmarked.insert(mark_key(due));
                }
                Step::Open(kind) => {
                    let text =
                        format!("the deletion of an image of {} ended in {kind}", due.repository_name());
                    refusals
                        .add(RefusalCode::OpenIntent, format!("{text}; the next pass reads what came of it"));
                    break;
                }
                Step::Halted(code, why) => {
                    refusals.add(code, why);
                    break;
                }
                Step::Held(_) => n_held += 1,
                Step::Unexpected(_) => {}
            }
        }
        if n_held > 0 {
            let text = format!(
                "{n_held} that were due wait for the next pass: the world moved since this one looked"
            );
            refusals.add(RefusalCode::Moved, text);
        }
        Ok(acted)
    }

    /// What stops the acting step before the next deletion.
    fn halt(&self, n_unexpected: u32) -> Option<(RefusalCode, String)> {
        if let Some(why) = gate::paused(self.state_dir) {
            return Some((RefusalCode::Paused, why));
        }
        // By both clocks: one that is set back makes no plan younger.
        let by_wall = self.clock.now() - self.inventory.taken_at;
        let by_monotonic = self.clock.monotonic().saturating_sub(self.began);
        if by_wall > PLAN_SERVES || TimeDelta::from_std(by_monotonic).unwrap_or(TimeDelta::MAX) > PLAN_SERVES
        {
            return Some((
                RefusalCode::Moved,
                "the plan is too old by now; the next pass makes another".to_owned(),
            ));
        }
        if !self.in_use.is_fresh(self.clock.now()) {
            return Some((RefusalCode::InUseUnknown, "what runs was asked too long ago by now".to_owned()));
        }
        (n_unexpected >= MAX_UNEXPECTED).then(|| {
            let text =
                format!("{MAX_UNEXPECTED} unexpected answers in a row; acting goes on in the next pass");
            (RefusalCode::Breaker, text)
        })
    }

    async fn one(&self, due: &Due, again: &mut Again<'_, R, C>) -> Result<Step, StoreError> {
        let head = match due.kind() {
            DueKind::Head => None,
            DueKind::Rest => self.store.deleted_as(due.repository_id(), due.head()).await?,
        };
        let details = match again.family(due, head.as_ref()).await {
            Ok(Found::Same(details)) => details,
            Ok(Found::Drifted(why)) => return Ok(Step::Drifted(why)),
            Ok(Found::Held(why)) => return Ok(Step::Held(why)),
            Err(error) => return Ok(unexpected(due, &error)),
        };
        let Some(etag) = details.etag else {
            return Ok(Step::Drifted("the registry gave no etag to delete by".to_owned()));
        };
        let Some(manifest) = self.store.manifest(due.repository_id(), &due.image().digest).await? else {
            return Ok(Step::Drifted(
                "its manifest is not in the store, so that it could not be undone".to_owned(),
            ));
        };
        // Looking again may have waited for its turn, and whoever pauses ocird expects nothing to go after that (S-24).
        if let Some((code, why)) = self.halt(0) {
            return Ok(Step::Halted(code, why));
        }
        let intent = intent(due, etag.clone(), manifest);
        let id = self.store.intend(&intent, self.clock.now()).await?;
        let answer = self.writer.delete(&target(due), &etag).await;
        let Some((kind, detail)) = verdict(due, &answer) else {
            return Ok(Step::Open(answer.err().map_or(ErrorKind::Timeout, |error| error.kind())));
        };
        let outcome = Outcome { kind, at: self.clock.now(), detail };
        self.store.conclude(id, &outcome).await?;
        Ok(match kind {
            OutcomeKind::Drifted => Step::Drifted(outcome.detail),
            OutcomeKind::Deleted
            | OutcomeKind::AlreadyGone
            | OutcomeKind::Failed(_)
            | OutcomeKind::NotDone => Step::Settled(kind),
        })
    }

    /// Proof after the act (S-26): everything that was to stay in the touched repositories is still listed. Answers
    /// what is missing, for people.
    pub(crate) async fn prove(&self, acted: &Acted) -> Vec<String> {
        let mut missing = Vec::new();
        for repository in
            self.inventory.complete().filter(|repository| acted.touched.contains(&repository.id))
        {
            let listed = match self.reader.images(&repository.compartment, &repository.id).await {
                Ok(rows) => observe::listed_digests(&repository.id, rows),
                Err(error) => {
                    let error = ErrorChain(&error);
                    tracing::warn!(repository = %repository.name, error = %error, "the proof waits for the next pass");
                    continue;
                }
            };
            let Ok(listed) = listed else { continue };
            let kept = self.checked.plan().decisions(&repository.name).iter().filter(|decision| {
                match &decision.verdict {
                    Verdict::Keep(_) => true,
                    Verdict::Delete(_) => false,
                }
            });
            missing.extend(
                kept.filter(|decision| !listed.contains_key(&decision.digest))
                    .map(|decision| format!("{}@{}", repository.name, decision.digest)),
            );
        }
        missing
    }
}

impl Step {
    /// Whether it counts towards the breaker.
    const fn is_unexpected(&self) -> bool {
        match self {
            Self::Unexpected(_) | Self::Open(_) | Self::Settled(OutcomeKind::Failed(_)) => true,
            Self::Settled(_) | Self::Drifted(_) | Self::Held(_) | Self::Halted(_, _) => false,
        }
    }
}

/// What an answer to a delete says; `None` when it says nothing: the deletion may have been carried out.
fn verdict(due: &Due, answer: &Result<(), RegistryError>) -> Option<(OutcomeKind, String)> {
    let Err(error) = answer else { return Some((OutcomeKind::Deleted, String::new())) };
    tracing::warn!(
        repository = %due.repository_name(),
        digest = %due.image().digest,
        operation = error.operation(),
        kind = error.kind().as_str(),
        error = %ErrorChain(error),
        "a deletion was not accepted"
    );
    let detail = ErrorChain(error).to_string();
    match error.kind() {
        ErrorKind::Changed => Some((OutcomeKind::Drifted, detail)),
        ErrorKind::Timeout
        | ErrorKind::Unreachable
        | ErrorKind::Server
        | ErrorKind::Malformed
        | ErrorKind::Conflict
        | ErrorKind::Refused => None,
        kind @ (ErrorKind::Unauthenticated
        | ErrorKind::SignIn
        | ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::Throttled
        | ErrorKind::Endless) => Some((OutcomeKind::Failed(kind), detail)),
    }
}

fn mark_key(due: &Due) -> MarkKey {
    MarkKey { repository: due.repository_id().clone(), head: due.image().digest }
}

fn target(due: &Due) -> DeleteTarget {
    let image = due.image();
    DeleteTarget { image: image.id.clone(), digest: image.digest, repository: due.repository_id().clone() }
}

fn intent(due: &Due, etag: Etag, manifest: ocird_model::FetchedManifest) -> Intent {
    let image = due.image();
    Intent {
        image: image.id.clone(),
        digest: image.digest,
        repository: due.repository_id().clone(),
        repository_name: due.repository_name().clone(),
        tags: image.tags.clone(),
        media_type: manifest.media_type,
        manifest: manifest.bytes,
        etag,
        head: *due.head(),
        members: due.members().to_vec(),
        rule: due.rule(),
        evidence: evidence(due),
    }
}

/// What the decision rested on, for people who ask later.
fn evidence(due: &Due) -> String {
    let newest = due.image().newest_time().map_or_else(|| "unknown".to_owned(), |time| time.to_rfc3339());
    let pulled = match due.image().last_pulled_at {
        None => "never".to_owned(),
        Some(at) if at == observe::NOBODY_KNOWS_WHEN => "at a time that nobody knows".to_owned(),
        Some(at) => at.to_rfc3339(),
    };
    let marked = due.since().map_or_else(String::new, |since| {
        format!("; selected since {} in {} passes in a row", since.to_rfc3339(), due.n_passes())
    });
    format!("newest time {newest}, last pulled {pulled}{marked}")
}

fn unexpected(due: &Due, error: &RegistryError) -> Step {
    tracing::warn!(
        repository = %due.repository_name(),
        digest = %due.image().digest,
        operation = error.operation(),
        kind = error.kind().as_str(),
        error = %ErrorChain(error),
        "an image that was due could not be read again"
    );
    Step::Unexpected(error.kind())
}

/// Writes down what came of one due image.
fn note(due: &Due, step: &Step) {
    let (outcome, detail) = match step {
        Step::Settled(kind) => (kind.as_str(), ""),
        Step::Drifted(why) => ("drifted", why.as_str()),
        Step::Held(why) | Step::Halted(_, why) => ("held", why.as_str()),
        Step::Unexpected(kind) | Step::Open(kind) => ("unknown", kind.as_str()),
    };
    let tags: Vec<&str> = due.image().tags.keys().map(ocird_model::Tag::as_str).collect();
    tracing::info!(
        repository = %due.repository_name(),
        digest = %due.image().digest,
        tags = tags.join(","),
        rule = %due.reason(),
        outcome,
        detail,
        "an image was due; the outcome says what came of it"
    );
}
