//! The engine's brakes: what a person must let go on stops the pass (S-25, S-26), what is too much at once is refused as a
//! whole and stored (S-19), and batches are begun and ended on the disk (S-20).

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Clock, ProofKind, ProofResult, ReadRegistry, RepositoryName, Rule, WriteRegistry};
use ocird_plan::{Due, DueKind, TooMuch};
use ocird_store::{Approval, BatchEnd, Brakes, OpenBatch, PlannedFamily, Proof as Proved, Store, StoreError};

use crate::pass::act::Acted;
use crate::pass::batch::{self, APPROVAL_SERVES, Approved, Batch, Judged, Quota};
use crate::pass::engine::Engine;
use crate::pass::gate::Refusals;
use crate::pass::prove::Proof;
use crate::pass::step::mark_key;
use crate::pass::survey::Decided;
use crate::status::RefusalCode;

/// The most repositories that a refusal names.
const MAX_NAMES: usize = 5;

/// By what it is weighed whether too much is due.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// Families that a plan may take.
    max_plan: u32,
    /// How long a family has to be marked.
    grace: TimeDelta,
    /// When.
    now: DateTime<Utc>,
}

impl<R: ReadRegistry, W: WriteRegistry, C: Clock> Engine<R, W, C> {
    /// Looks at the brakes before anything else of a pass is done with what was decided. Everything here is shown by every
    /// pass, acting or not, so that nobody waits for the hour to learn why nothing goes.
    pub(super) async fn brake(&mut self, decided: Option<&Decided>, refusals: &mut Refusals) {
        let Some(store) = self.survey.notebook.writable() else { return };
        let scale = Scale {
            max_plan: self.survey.config.limits.max_plan,
            grace: self.survey.policies.guardrails.grace,
            now: self.clock.now(),
        };
        let found = match decided {
            Some(decided) => weigh(store, decided, scale, refusals).await,
            None => store.brakes().await,
        };
        match found {
            Ok(brakes) => {
                stops(&brakes, refusals);
                self.brakes = brakes;
            }
            Err(error) => self.no_store(&error, refusals),
        }
    }

    /// Trips the breaker, for this pass and for those to come.
    pub(super) async fn trip(&mut self, why: &str, refusals: &mut Refusals) {
        tracing::error!(code = RefusalCode::Breaker.as_str(), reason = why, "the breaker has tripped");
        let now = self.clock.now();
        let Some(store) = self.survey.notebook.writable() else { return };
        let tripped = store.trip(why, now).await;
        match tripped {
            Ok(()) => refusals.add(RefusalCode::Breaker, breaker(&format!("now: {why}"))),
            Err(error) => self.no_store(&error, refusals),
        }
    }

    /// What of all that is due may go in this pass. What is left goes in later passes.
    pub(super) async fn batch<'d>(
        &mut self,
        decided: &'d Decided,
        refusals: &mut Refusals,
    ) -> Result<Batch<'d>, StoreError> {
        let Some(store) = self.survey.notebook.writable() else { return Ok(Batch::default()) };
        let n_today = store.n_families_since(self.clock.now() - TimeDelta::hours(24)).await?;
        let quota = Quota { limits: self.survey.config.limits, n_today, ramp: self.brakes.ramp };
        let approved = self.brakes.approval.as_ref().map(Approved::of);
        let may_go = |due: &&Due| {
            !self.unsettled.contains(due.repository_id())
                && approved.as_ref().is_none_or(|approved| approved.covers(due))
        };
        let due: Vec<&Due> = decided.due.iter().filter(may_go).collect();
        let mut heads = due.iter().filter(|due| due.kind() == DueKind::Head);
        if heads.all(|due| self.held_back.contains(&mark_key(due))) {
            self.held_back.clear();
        }
        let was_held = |due: &&Due| self.held_back.contains(&mark_key(due));
        let (last, first): (Vec<&Due>, Vec<&Due>) = due.into_iter().partition(was_held);
        let batch = batch::batch(first.into_iter().chain(last), quota);
        if batch.n_by_limits > 0 {
            let text = format!(
                "{} families that are due go in later passes: the limits of [limits] are reached",
                batch.n_by_limits
            );
            refusals.add(RefusalCode::Deferred, text);
        }
        if let Some(size) = batch::batch_size(self.brakes.ramp).filter(|_| batch.n_by_ramp > 0) {
            let text = format!(
                "{} families that are due go in later passes: this batch takes {size}, the next one more once it is proved",
                batch.n_by_ramp
            );
            refusals.add(RefusalCode::Ramp, text);
        }
        Ok(batch)
    }

    /// Ends a batch that this pass has proved by its own lists: the process had ended in it, or the proof could not be made at
    /// once. The ramp waits for a clean proof and not for a lucky moment.
    pub(super) async fn prove_late(&mut self) -> Result<(), StoreError> {
        let Some(store) = self.survey.notebook.writable() else { return Ok(()) };
        let Some(OpenBatch { n_families, n_open }) = store.open_batch().await? else { return Ok(()) };
        let now = self.clock.now();
        if n_open == 0 && n_families == 0 {
            store.end_batch(BatchEnd::Empty, now).await?;
        } else if n_open == 0 && is_latest_clean(store).await? {
            store.end_batch(BatchEnd::Proved, now).await?;
        } else {
            return Ok(());
        }
        self.brakes = store.brakes().await?;
        Ok(())
    }

    /// What follows from the immediate proof of a batch (S-20).
    /// `is_counted` tells whether the batch was begun as one of the ramp: rests of families alone are not.
    pub(super) async fn conclude(
        &self,
        is_counted: bool,
        acted: &Acted,
        proof: &Proof,
        refusals: &mut Refusals,
    ) -> Result<(), StoreError> {
        let Some(store) = self.survey.notebook.writable() else { return Ok(()) };
        let now = self.clock.now();
        if !proof.missing.is_empty() {
            let text = format!("gone right after a batch, and were to stay: {}", proof.missing.join(", "));
            // What ocird took itself has frozen deletion by now (S-26). What went by another hand freezes nothing (S-25); but
            // twice in a row that is no coincidence any more.
            if self.brakes.ramp.is_open && Rule::S25.in_force() {
                store.trip(&text, now).await?;
                refusals.add(RefusalCode::Breaker, breaker(&format!("now: {text}")));
            }
            refusals.add(RefusalCode::ProofFailed, text);
        } else if !is_counted {
            // What is left of families says nothing about the next batch.
        } else if acted.n_open > 0 || !proof.unproved.is_empty() {
            let which = names(proof.unproved.iter());
            tracing::warn!(
                repository = which,
                "the batch cannot be proved yet, so the next one is small again"
            );
        } else if acted.n_families > 0 {
            store.end_batch(BatchEnd::Proved, now).await?;
        } else {
            store.end_batch(BatchEnd::Empty, now).await?;
        }
        Ok(())
    }
}

/// Whether every immediate proof has been made, and the latest one was clean.
async fn is_latest_clean(store: &Store) -> Result<bool, StoreError> {
    /// Each batch has three proofs, so that these hold one of the kind.
    const N_PROOFS: u32 = 30;
    let is_immediate = |proof: &Proved| proof.kind == ProofKind::AtOnce;
    if store.open_proofs().await?.iter().any(is_immediate) {
        return Ok(false);
    }
    let latest = store.latest_proofs(N_PROOFS).await?.into_iter().find(is_immediate);
    Ok(latest.and_then(|proof| proof.made).is_some_and(|made| made.result == ProofResult::Clean))
}

/// Holds what is due against what may go at once (S-19), and keeps the store's list of what waits up to date. A family that
/// this pass could not judge stays on the list: what is due must not become little by nobody knowing of the rest.
async fn weigh(
    store: &Store,
    decided: &Decided,
    scale: Scale,
    refusals: &mut Refusals,
) -> Result<Brakes, StoreError> {
    let Scale { max_plan, grace, now } = scale;
    let mut brakes = store.brakes().await?;
    if let Some(why) = brakes.approval.as_ref().and_then(|approval| ended(approval, decided, now)) {
        tracing::info!(reason = why, "the approval of a plan has ended");
        store.end_approval(why, now).await?;
        brakes.approval = None;
    }
    if let Some(approval) = &brakes.approval {
        refusals.add_some(RefusalCode::Unapproved, beside(approval, decided));
        return Ok(brakes);
    }
    let reasons = ocird_plan::too_much(&decided.due, &decided.inventory, max_plan);
    let mut families = batch::list(&decided.due, &decided.inventory);
    let waiting = waiting(&brakes, &families, decided, now - grace);
    let why = match &brakes.refused {
        Some(refused) if reasons.is_empty() && !waiting.is_empty() => refused.why.clone(),
        Some(_) if reasons.is_empty() => {
            store.withdraw_refused_plan(now).await?;
            brakes.refused = None;
            return Ok(brakes);
        }
        None if reasons.is_empty() => return Ok(brakes),
        Some(_) | None => reasons.iter().map(TooMuch::to_string).collect::<Vec<_>>().join("; "),
    };
    let and_waiting = match waiting.len() {
        0 => String::new(),
        n => format!("; {n} more were due, and nobody can tell at present whether they still are"),
    };
    families.extend(waiting);
    let id = store.refuse_plan(&why, &families, now).await?;
    let text = format!(
        "{why}{and_waiting}; nothing goes until somebody has looked: `ocird pending`, then \
         `ocird approve {id}`"
    );
    refusals.add(RefusalCode::TooMuch, text);
    store.brakes().await
}

/// The families of the plan that waits for an approval which are not due now, and of which nobody can tell that they no longer
/// are.
fn waiting(
    brakes: &Brakes,
    due: &[PlannedFamily],
    decided: &Decided,
    ripe_since: DateTime<Utc>,
) -> Vec<PlannedFamily> {
    let Decided { inventory, marks, certain, observe_only, .. } = decided;
    let judged = Judged { inventory, marks, certain, observe_only, ripe_since };
    let due: BTreeSet<_> = due.iter().map(|family| (&family.repository, family.head)).collect();
    let mut waiting = brakes.refused.as_ref().map_or_else(Vec::new, |refused| judged.waiting(refused));
    waiting.retain(|family| !due.contains(&(&family.repository, family.head)));
    waiting
}

/// Why an approval no longer stands; `None` while it does.
fn ended(approval: &Approval, decided: &Decided, now: DateTime<Utc>) -> Option<&'static str> {
    if now - approval.at >= APPROVAL_SERVES {
        Some("its time is over")
    } else if Approved::of(approval).n_left(&decided.inventory, &decided.marks) == 0 {
        Some("all of it is gone or no longer due")
    } else {
        None
    }
}

/// What is due beside an approved list, for people.
fn beside(approval: &Approval, decided: &Decided) -> Option<String> {
    let approved = Approved::of(approval);
    let heads = decided.due.iter().filter(|due| due.kind() == DueKind::Head);
    let beside: Vec<&Due> = heads.filter(|due| !approved.covers(due)).collect();
    let repositories: BTreeSet<&RepositoryName> = beside.iter().map(|due| due.repository_name()).collect();
    let until = (approval.at + APPROVAL_SERVES).format("%F %H:%M UTC");
    (!beside.is_empty()).then(|| {
        format!(
            "{} families of {} are due that are not on the approved list (plan {}); they wait until all of that is gone, or \
             until {until}",
            beside.len(),
            names(repositories.into_iter()),
            approval.plan.id
        )
    })
}

/// What only a person lets go on.
fn stops(brakes: &Brakes, refusals: &mut Refusals) {
    if let Some(stop) = &brakes.breaker
        && Rule::S25.in_force()
    {
        refusals.add(RefusalCode::Breaker, breaker(&stop.to_string()));
    }
    if let Some(stop) = &brakes.freeze {
        refusals.add(RefusalCode::Frozen, format!("frozen {stop}; `ocird reset` lets deletion go on"));
    }
}

/// What a tripped breaker says.
pub(super) fn breaker(why: &str) -> String {
    format!("the breaker has tripped {why}; `ocird reset` lets deletion go on")
}

/// The first of these names, and how many more there are.
fn names<'n>(names: impl ExactSizeIterator<Item = &'n RepositoryName>) -> String {
    let n_more = names.len().saturating_sub(MAX_NAMES);
    let firsts = names.take(MAX_NAMES).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if n_more > 0 { format!("{firsts} and {n_more} more") } else { firsts }
}
