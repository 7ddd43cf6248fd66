//! Deletes what is due: look again, write the intent, delete exactly that, write what came of it.
//!
//! The order of the steps is the safety of the product (S-17, S-21): kill switch, freshness, one more listing of the
//! repository, one more read of the image, the last assertions, the committed intent, the conditional delete, the outcome.
//! One image's failure never hides another's outcome; a store that fails stops everything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use ocird_model::{
    Bytes, Clock, Digest, ErrorChain, ErrorKind, Etag, FetchedManifest, ImageDetails, ImageId, InUse,
    Inventory, Lifecycle, MarkKey, Outcome, OutcomeKind, Policies, ReadRegistry, RegistryError, RepositoryId,
    RepositoryState, Rule, WriteRegistry,
};
use ocird_plan::{CheckedPlan, Due, DueKind};
use ocird_store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::pass::again::{Again, Found, LookError};
use crate::pass::answer::{self, Thought};
use crate::pass::brake;
use crate::pass::freed::Freed;
use crate::pass::gate::{self, Refusals};
use crate::pass::guard::Guard;
use crate::pass::intent::{intent, target};
use crate::pass::observe;
use crate::pass::refresh::asks_for_the_account;
use crate::pass::step::{Step, mark_key, named, note};
use crate::status::RefusalCode;
use crate::undo;

/// Unexpected answers in a row, over passes and restarts, that trip the breaker (S-25).
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
    pub(crate) policies: &'a Policies,
    pub(crate) in_use: &'a InUse,
    pub(crate) guard: Guard<'a>,
    pub(crate) state_dir: &'a Path,
    pub(crate) stop: &'a CancellationToken,
    /// When the look that the plan was made from began, by the clock that nobody can set.
    pub(crate) began: Duration,
}

/// What looks again, and remembers for a moment what it saw.
struct Looks<'a, R, C> {
    again: Again<'a, R, C>,
    freed: Freed<'a, R, C>,
}

/// What came of one acting step.
#[derive(Debug, Default)]
pub(crate) struct Acted {
    /// Number of settled outcomes by kind.
    pub(crate) n_outcomes: BTreeMap<&'static str, u64>,
    /// Number of families whose head was deleted.
    pub(crate) n_families: u64,
    /// Number of deletions of which nobody knows yet what came.
    pub(crate) n_open: u64,
    /// The repositories in which something was deleted.
    pub(crate) touched: BTreeSet<RepositoryId>,
    /// What was deleted, by repository.
    gone: BTreeMap<RepositoryId, BTreeSet<Digest>>,
    /// The marks that no longer hold, of what was deleted and of what drifted: none of it is pending any more.
    pub(crate) unmarked: BTreeSet<MarkKey>,
    /// What stays for this pass, because the world moved since it looked.
    pub(crate) held_back: BTreeSet<MarkKey>,
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

impl<R: ReadRegistry, W: WriteRegistry, C: Clock> Act<'_, R, W, C> {
    /// Deletes what is due, in order, until something says stop. Why it stopped goes to `refusals`, and what came of it to
    /// `acted`, also when the store fails in the middle.
    pub(crate) async fn all(
        &self,
        due: &[&Due],
        acted: &mut Acted,
        refusals: &mut Refusals,
    ) -> Result<(), StoreError> {
        let mut looks = Looks {
            again: Again::new(self.reader, self.clock, self.store, self.inventory, self.checked, self.in_use),
            freed: Freed::new(self.reader, self.clock, self.inventory, self.checked),
        };
        let mut drifted = Vec::new();
        for due in due {
            if let Some((code, why)) = self.halt() {
                refusals.add(code, why);
                break;
            }
            if self.stop.is_cancelled() {
                break;
            }
            let step = self.one(due, &mut looks, acted).await?;
            note(due, &step);
            match &step {
                Step::Held(_) => {
                    acted.held_back.insert(mark_key(due));
                }
                Step::Drifted(why) | Step::Changed(why) => drifted.push(format!("{}: {why}", named(due))),
                Step::Settled(_)
                | Step::Unexpected(_)
                | Step::Unanswered(_)
                | Step::Open(_)
                | Step::Halted(_, _)
                | Step::Broken(_) => {}
            }
            let ending = self.after(due, &step, acted).await?;
            if let Some((code, why)) = self.count(&step).await?.or(ending) {
                refusals.add(code, why);
                break;
            }
        }
        tell_what_moved(acted.held_back.len(), &drifted, refusals);
        Ok(())
    }

    /// Takes down what came of one due image; answers why acting stops after it, if it does.
    async fn after(
        &self,
        due: &Due,
        step: &Step,
        acted: &mut Acted,
    ) -> Result<Option<(RefusalCode, String)>, StoreError> {
        match step {
            Step::Settled(kind) => {
                acted.count(*kind);
                if *kind == OutcomeKind::Deleted {
                    let gone = acted.gone.entry(due.repository_id().clone()).or_default();
                    gone.insert(due.image().digest);
                    acted.n_families += u64::from(due.kind() == DueKind::Head);
                    acted.touched.insert(due.repository_id().clone());
                    acted.unmarked.insert(mark_key(due));
                } else if *kind == OutcomeKind::AlreadyGone {
                    // Whoever took it may bring it back.
                    self.forget(due, acted).await?;
                }
            }
            Step::Drifted(_) | Step::Changed(_) => {
                acted.count(OutcomeKind::Drifted);
                self.forget(due, acted).await?;
            }
            Step::Open(kind) => {
                acted.n_open += 1;
                acted.touched.insert(due.repository_id().clone());
                let text = format!("the deletion of an image of {} ended in {kind}", due.repository_name());
                let text = format!("{text}; the next pass reads what came of it");
                return Ok(Some((RefusalCode::OpenIntent, text)));
            }
            Step::Unanswered(kind) => {
                let text = format!("the registry does not answer ({kind}); the next pass goes on");
                return Ok(Some((RefusalCode::Unanswered, text)));
            }
            Step::Halted(code, why) => return Ok(Some((*code, why.clone()))),
            Step::Held(_) | Step::Unexpected(_) | Step::Broken(_) => {}
        }
        Ok(None)
    }

    /// Lets it begin anew, should a rule select it again: it is no longer what was marked.
    async fn forget(&self, due: &Due, acted: &mut Acted) -> Result<(), StoreError> {
        let key = mark_key(due);
        self.store.drop_mark(&key).await?;
        self.store.drop_rest(due.repository_id(), &due.image().digest).await?;
        acted.unmarked.insert(key);
        Ok(())
    }

    /// Counts towards the breaker (S-25), before anything else is asked of the registry. Only a deletion that went well
    /// begins the row anew: where every second family is held back, the others may still fail one after the other.
    async fn count(&self, step: &Step) -> Result<Option<(RefusalCode, String)>, StoreError> {
        let now = self.clock.now();
        let why = match step {
            Step::Settled(OutcomeKind::Deleted) => {
                self.store.answered_well(now).await?;
                return Ok(None);
            }
            Step::Broken(why) => why.clone(),
            step => {
                let Some(answer) = step.unexpected() else { return Ok(None) };
                let n = self.store.count_unexpected(now).await?;
                if n < MAX_UNEXPECTED {
                    return Ok(None);
                }
                format!("{n} unexpected answers in a row, the last: {answer}")
            }
        };
        if !Rule::S25.in_force() {
            return Ok(None);
        }
        self.store.trip(&why, now).await?;
        tracing::error!(code = RefusalCode::Breaker.as_str(), reason = %why, "the breaker has tripped");
        Ok(Some((RefusalCode::Breaker, brake::breaker(&format!("now: {why}")))))
    }

    /// What stops the acting step before the next deletion.
    fn halt(&self) -> Option<(RefusalCode, String)> {
        if let Some(why) = gate::paused(self.state_dir) {
            return Some((RefusalCode::Paused, why));
        }
        if self.is_too_old() {
            let text = "what was seen is more than ten minutes old by now, and is not deleted by any more; the next pass \
                        looks again";
            return Some((RefusalCode::TooSlow, text.to_owned()));
        }
        if !self.in_use.is_fresh(self.clock.now()) {
            return Some((RefusalCode::InUseUnknown, "what runs was asked too long ago by now".to_owned()));
        }
        None
    }

    /// Whether the look that the plan was made from is too old to delete by. By both clocks: one that is set back makes no
    /// plan younger (S-17).
    fn is_too_old(&self) -> bool {
        let by_wall = self.clock.now() - self.inventory.taken_at;
        let by_monotonic = self.clock.monotonic().saturating_sub(self.began);
        let by_monotonic = TimeDelta::from_std(by_monotonic).unwrap_or(TimeDelta::MAX);
        by_wall.max(by_monotonic) > PLAN_SERVES && Rule::S17.in_force()
    }

    async fn one(
        &self,
        due: &Due,
        looks: &mut Looks<'_, R, C>,
        acted: &mut Acted,
    ) -> Result<Step, StoreError> {
        let details = match self.look(due, looks).await? {
            Ok(details) => details,
            Err(step) => return Ok(step),
        };
        let Some(etag) = details.etag else {
            return Ok(Step::Drifted("the registry gave no etag to delete by".to_owned()));
        };
        let Some(manifest) = self.store.manifest(due.repository_id(), &due.image().digest).await? else {
            return Ok(Step::Drifted(
                "its manifest is not in the store, so that it could not be undone".to_owned(),
            ));
        };
        if let Some(broken) = self.guard.broken(due, self.clock.now()) {
            return Ok(Step::Broken(format!("{} was about to go, and {broken}", named(due))));
        }
        // Looking again may have waited for its turn, and whoever pauses ocird expects nothing to go after that (S-24).
        if let Some((code, why)) = self.halt() {
            return Ok(Step::Halted(code, why));
        }
        // A hold that was placed since the plan stops its family at the last moment (S-27).
        let planned = self.inventory.repositories.get(due.repository_name());
        let planned = planned.and_then(RepositoryState::complete);
        if let Some(why) = undo::held_now(self.store, planned, due, self.clock.now()).await? {
            return Ok(Step::Held(why));
        }
        self.delete(due, etag, manifest, acted).await
    }

    /// Writes the intent, asks for the deletion once, and writes what came of it.
    async fn delete(
        &self,
        due: &Due,
        etag: Etag,
        manifest: FetchedManifest,
        acted: &mut Acted,
    ) -> Result<Step, StoreError> {
        let intent = intent(due, etag.clone(), manifest, self.frees(due, acted));
        let id = self.store.intend(&intent, self.clock.now()).await?;
        let answer = self.writer.delete(&target(due), &etag).await;
        let Some(kind) = answer::outcome(&answer) else {
            let kind = answer.err().map_or(ErrorKind::Timeout, |error| answer::noted(due, &error));
            return Ok(Step::Open(kind));
        };
        let (step, detail) = match &answer {
            Ok(()) => (Step::Settled(kind), String::new()),
            Err(error) => (self.not_accepted(due, kind, error).await, ErrorChain(error).to_string()),
        };
        let kind = step.outcome().unwrap_or(kind);
        self.store.conclude(id, &Outcome { kind, at: self.clock.now(), detail }).await?;
        if step.outcome().is_none() {
            acted.count(kind);
        }
        Ok(step)
    }

    /// What the deletion gives back, after those of this step. A figure for people, by the list that the plan was made from.
    fn frees(&self, due: &Due, acted: &Acted) -> Option<Bytes> {
        let repository = self.inventory.repositories.get(due.repository_name())?.complete()?;
        let gone = acted.gone.get(due.repository_id());
        ocird_plan::frees(repository, &due.image().digest, gone.unwrap_or(&BTreeSet::new()))
    }

    /// Looks at a family at the moment of its deletion (S-17): the image as it is now, or the step that it comes to instead.
    async fn look(
        &self,
        due: &Due,
        looks: &mut Looks<'_, R, C>,
    ) -> Result<Result<ImageDetails, Step>, StoreError> {
        if asks_for_the_account(self.policies, due) && Rule::S16.in_force() {
            match looks.freed.by_another_hand().await {
                Ok(None) => {}
                Ok(Some(why)) => return Ok(Err(Step::Held(why))),
                Err(error) => return Ok(Err(unread(due, &error))),
            }
        }
        let head = match due.kind() {
            DueKind::Head => None,
            DueKind::Rest => self.store.deleted_as(due.repository_id(), due.head()).await?,
        };
        Ok(match looks.again.family(due, head.as_ref()).await {
            Ok(Found::Same(details)) => Ok(*details),
            Ok(Found::Drifted(why)) => Err(Step::Drifted(why)),
            Ok(Found::Held(why)) => Err(Step::Held(why)),
            Ok(Found::NotThere(image, digest)) => Err(match self.not_there(due, &image, &digest).await {
                Step::Settled(_) if image != due.image().id => {
                    Step::Held(format!("{} went by another hand, and belongs to it", digest.short()))
                }
                step => step,
            }),
            Err(LookError::Registry(error)) => Err(unread(due, &error)),
            Err(LookError::Store(error)) => return Err(error),
        })
    }

    /// What a deletion that was refused comes to.
    async fn not_accepted(&self, due: &Due, kind: OutcomeKind, error: &RegistryError) -> Step {
        match Thought::of(answer::noted(due, error)) {
            _ if kind == OutcomeKind::Drifted => Step::Changed(ErrorChain(error).to_string()),
            Thought::NotThere => self.not_there(due, &due.image().id, &due.image().digest).await,
            Thought::NoAnswer => Step::Unanswered(error.kind()),
            Thought::Unexpected => Step::Settled(kind),
        }
    }

    /// What a 404 comes to: gone by another hand when a read or a complete list made just now says so, and else an answer
    /// that contradicts the registry's own list (S-2, S-25). The cloud says 404 for what it forbids, too.
    async fn not_there(&self, due: &Due, image: &ImageId, digest: &Digest) -> Step {
        match self.reader.image(image).await {
            Ok(details) => match details.lifecycle {
                Lifecycle::Deleting | Lifecycle::Deleted => return Step::Settled(OutcomeKind::AlreadyGone),
                Lifecycle::Available | Lifecycle::Unknown => {}
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return unread(due, &error),
        }
        let Some(RepositoryState::Complete(repository)) =
            self.inventory.repositories.get(due.repository_name())
        else {
            return Step::Broken(format!("{} is due in a repository that was not read", named(due)));
        };
        match self.reader.images(&repository.compartment, &repository.id).await {
            Err(error) => unread(due, &error),
            Ok(rows) => match observe::listed_digests(&repository.id, rows) {
                Err(why) => Step::Held(why.to_string()),
                Ok(listed) if listed.get(digest) != Some(image) => Step::Settled(OutcomeKind::AlreadyGone),
                Ok(_) => Step::Broken(format!(
                    "the registry answers 404 for {} and lists it all the same; where only deletions fail so, the right to \
                     delete is missing",
                    named(due)
                )),
            },
        }
    }
}

/// Says why less went than was due (S-33): so many were held back, and these are no longer what was decided about.
fn tell_what_moved(n_held: usize, drifted: &[String], refusals: &mut Refusals) {
    if n_held > 0 {
        let text =
            format!("{n_held} that were due wait for the next pass: the world moved since this one looked");
        refusals.add(RefusalCode::Moved, text);
    }
    if let Some(first) = drifted.first() {
        let n_drifted = drifted.len();
        let text =
            format!("{n_drifted} that were due have changed and begin anew, the first of them {first}");
        refusals.add(RefusalCode::Moved, text);
    }
}

/// What a read that failed comes to.
fn unread(due: &Due, error: &RegistryError) -> Step {
    match Thought::of(answer::noted(due, error)) {
        Thought::NoAnswer => Step::Unanswered(error.kind()),
        Thought::NotThere | Thought::Unexpected => Step::Unexpected(error.kind()),
    }
}
