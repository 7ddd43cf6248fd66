//! The engine's acting step, from what is due to its proof. Not acting is a `return` at its beginning: nothing below knows of a
//! dry run.

use std::time::Duration;

use chrono::TimeDelta;
use ocird_model::{Clock, InUse, ReadRegistry, Repository, RepositoryState, WriteRegistry};
use ocird_plan::{Due, DueKind, Violations};
use ocird_store::{Approval, StoreError};
use tokio_util::sync::CancellationToken;

use crate::pass::act::{Act, Acted};
use crate::pass::batch::Approved;
use crate::pass::engine::{Engine, Purpose};
use crate::pass::fence::Fenced;
use crate::pass::gate::Refusals;
use crate::pass::guard::Guard;
use crate::pass::refresh::LOOK_AGAIN_AFTER;
use crate::pass::signed;
use crate::pass::survey::{Decided, Survey};
use crate::status::{Refusal, RefusalCode};

/// Why the acting step ended early.
enum SweepError {
    /// The store failed: without a record nothing is deleted (S-28).
    Store(StoreError),
    /// The check refused the plan that was made anew.
    Refused(Violations),
}

impl From<StoreError> for SweepError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl<R: ReadRegistry, W: WriteRegistry, C: Clock> Engine<R, W, C> {
    /// Acts on what is due, if this pass is to act and nothing stands against it.
    pub(super) async fn act(
        &mut self,
        purpose: Purpose,
        began: Duration,
        decided: &Decided,
        refusals: &mut Refusals,
        stop: &CancellationToken,
    ) -> Acted {
        let mut acted = Acted::default();
        if purpose == Purpose::Observe || refusals.stop_everything() {
            return acted;
        }
        match self.sweep(began, decided, &mut acted, refusals, stop).await {
            Ok(()) => {}
            Err(SweepError::Store(error)) => self.no_store(&error, refusals),
            Err(SweepError::Refused(violations)) => {
                refusals.add(RefusalCode::CheckRefused, violations.to_string());
                self.trip("the independent check refused a plan", refusals).await;
            }
        }
        acted
    }

    async fn sweep(
        &mut self,
        began: Duration,
        decided: &Decided,
        acted: &mut Acted,
        refusals: &mut Refusals,
        stop: &CancellationToken,
    ) -> Result<(), SweepError> {
        self.prove_late().await?;
        let batch = self.batch(decided, refusals).await?.due;
        if batch.is_empty() {
            return Ok(());
        }
        if !self.is_old(began, decided) {
            return self.carry_out(began, decided, &batch, acted, refusals, stop).await;
        }
        let began = self.clock.monotonic();
        let fresh = self.survey.refreshed(decided, &batch, &self.clock).await.map_err(SweepError::Refused)?;
        tell_what_is_new(decided, &fresh, refusals);
        let batch = approved(self.brakes.approval.as_ref(), &fresh.due);
        if batch.len() < fresh.due.len() {
            let n = fresh.due.len() - batch.len();
            let text =
                format!("{n} families are no longer what was approved: they changed while the pass looked");
            refusals.add(RefusalCode::Unapproved, text);
        }
        self.carry_out(began, &fresh, &batch, acted, refusals, stop).await
    }

    /// Whether looking took so long that what is about to go has to be looked at anew.
    fn is_old(&self, began: Duration, decided: &Decided) -> bool {
        let by_wall = self.clock.now() - decided.inventory.taken_at;
        let by_monotonic = self.clock.monotonic().saturating_sub(began);
        by_wall.max(TimeDelta::from_std(by_monotonic).unwrap_or(TimeDelta::MAX)) > LOOK_AGAIN_AFTER
    }

    /// Carries out one batch and proves it.
    async fn carry_out(
        &mut self,
        began: Duration,
        decided: &Decided,
        batch: &[&Due],
        acted: &mut Acted,
        refusals: &mut Refusals,
        stop: &CancellationToken,
    ) -> Result<(), SweepError> {
        let Some((in_use, batch)) = self.still_due(decided, batch, refusals).await else { return Ok(()) };
        let Some(store) = self.survey.notebook.writable() else { return Ok(()) };
        let config = &self.survey.config;
        let Decided { identity, inventory, checked, .. } = decided;
        let fenced = Fenced::new(&self.writer, config, identity, inventory);
        let guard = Guard {
            inventory,
            checked,
            guardrails: &self.survey.policies.guardrails,
            compartments: &config.oci.compartments,
            region: &identity.1,
        };
        let act = Act {
            reader: &self.survey.reader,
            writer: &fenced,
            clock: &self.clock,
            store,
            inventory,
            checked,
            policies: &self.survey.policies,
            in_use: &in_use,
            guard,
            state_dir: &config.state_dir,
            stop,
            began,
        };
        let is_counted = batch.iter().any(|due| due.kind() == DueKind::Head);
        if is_counted {
            store.begin_batch(self.clock.now()).await?;
        }
        let came = act.all(&batch, acted, refusals).await;
        self.held_back.extend(acted.held_back.iter().cloned());
        came?;
        let proof = self.prove_batch(decided, acted, &in_use, refusals).await?;
        self.conclude(is_counted, acted, &proof, refusals).await?;
        Ok(())
    }

    /// What of a batch is still due once it has been asked again what runs and what is signed, with the former; `None` when
    /// nothing is.
    async fn still_due<'d>(
        &mut self,
        decided: &Decided,
        batch: &[&'d Due],
        refusals: &mut Refusals,
    ) -> Option<(InUse, Vec<&'d Due>)> {
        let now = self.clock.now();
        let history = self.survey.notebook.use_history().await;
        let again = self.survey.gather(decided.folder.as_ref(), &decided.inventory, &history, now).await;
        if !again.in_use.adds_nothing_to(&decided.gathered.in_use) {
            refusals.add(RefusalCode::Moved, "more runs than did at the plan; the next pass decides anew");
            return None;
        }
        let Survey { reader, policies, .. } = &self.survey;
        let mut batch = batch.to_vec();
        for Refusal { code, text } in
            signed::leave_out(reader, policies, &decided.inventory, &mut batch).await
        {
            refusals.add(code, text);
        }
        (!batch.is_empty()).then_some((again.in_use, batch))
    }
}

/// What of this is still what somebody approved, where something was: it may have got a tag since the first look (S-19).
fn approved<'d>(approval: Option<&Approval>, due: &'d [Due]) -> Vec<&'d Due> {
    let approved = approval.map(Approved::of);
    due.iter().filter(|due| approved.as_ref().is_none_or(|approved| approved.covers(due))).collect()
}

/// Why less goes than the plan said, by the second look (S-33).
fn tell_what_is_new(decided: &Decided, fresh: &Decided, refusals: &mut Refusals) {
    for (name, state) in &fresh.inventory.repositories {
        let before = decided.inventory.repositories.get(name).and_then(RepositoryState::complete);
        match state {
            RepositoryState::Unreadable { id: _, why } if before.is_some() => {
                refusals.add(RefusalCode::Unreadable, format!("{name}: {why}"));
            }
            RepositoryState::Complete(Repository { id, .. }) if !decided.observe_only.contains_key(id) => {
                if let Some(Refusal { code, text }) = fresh.observe_only.get(id) {
                    refusals.add(*code, format!("{name}: {text}"));
                }
            }
            RepositoryState::Unreadable { id: _, why: _ } | RepositoryState::Complete(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use ocird_store::RefusedPlan;

    use super::*;
    use crate::pass::batch;
    use crate::pass::fleet::{fleet, now};

    #[test]
    fn what_got_a_tag_since_the_first_look_is_not_what_was_approved() {
        let mut fleet = fleet(2);
        assert_eq!(approved(None, &fleet.due).len(), 2, "nothing is approved, and nothing has to be");
        let families = batch::list(&fleet.due, &fleet.inventory);
        let plan = RefusedPlan { id: "1".parse().unwrap(), at: now(), why: String::new(), families };
        let mut approval = Approval { plan, at: now(), by: "alice".to_owned() };
        assert_eq!(approved(Some(&approval), &fleet.due).len(), 2);
        approval.plan.families[0].tags.insert("prod".parse().unwrap());
        assert_eq!(approved(Some(&approval), &fleet.due), [&fleet.due[1]]);
        fleet.due.clear();
        assert!(approved(Some(&approval), &fleet.due).is_empty());
    }
}
