//! Finds what is odd in a pass, beside it and after it has decided: what comes of it goes on record and on the board, and nothing
//! that acts is handed it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ocird_model::{Clock, FindingKey, ReadRegistry, Standing, WriteRegistry};
use ocird_store::{Recording, StoreError, Vanished};

use crate::findings::{self, Look, VANISHED_STANDS};
use crate::pass::gate::Refusals;
use crate::pass::{Decided, Engine, Purpose};
use crate::status::{Check, RefusalCode};

impl<R: ReadRegistry, W: WriteRegistry, C: Clock> Engine<R, W, C> {
    /// Asks the cloud what is due of what findings need beside the registry. Not between a plan and its act; but a
    /// program that makes only such passes asks in its first.
    pub(super) async fn audit(&mut self, purpose: Purpose, decided: &Decided) {
        let is_first = !std::mem::replace(&mut self.has_audited, true);
        if purpose == Purpose::Observe || is_first {
            let now = self.clock.now();
            self.auditor.ask(&self.survey.config.findings, &decided.rows, now).await;
        }
    }

    /// Finds by what the store remembers, and puts the pass on record with its findings: all of it or nothing.
    pub(super) async fn find_on_record(
        &self,
        mut recording: Recording<'_>,
        decided: &Decided,
        refusals: &Refusals,
        now: DateTime<Utc>,
    ) -> Result<Vec<Standing>, StoreError> {
        let before = recording.standing().await?;
        let vanished = recording.vanished_since(now - VANISHED_STANDS).await?;
        let standing = self.find(decided, refusals, Some(&vanished), &before, now);
        recording.replace_findings(&standing).await?;
        recording.commit().await?;
        findings::log_changes(&before, &standing);
        Ok(standing)
    }

    /// Finds by what this process remembers, while no store can be written.
    pub(super) fn find_off_record(
        &self,
        decided: &Decided,
        refusals: &Refusals,
        now: DateTime<Utc>,
    ) -> Vec<Standing> {
        let before = self.board.read().findings.clone();
        let before = before.into_iter().map(|standing| (standing.finding.key(), standing)).collect();
        let standing = self.find(decided, refusals, None, &before, now);
        findings::log_changes(&before, &standing);
        standing
    }

    fn find(
        &self,
        decided: &Decided,
        refusals: &Refusals,
        vanished: Option<&[Vanished]>,
        before: &BTreeMap<FindingKey, Standing>,
        now: DateTime<Utc>,
    ) -> Vec<Standing> {
        let board = self.board.read();
        let refused_policies = match &board.checks.policies {
            Check::Failed { text } => Some(text.as_str()),
            Check::Ok | Check::Pending => None,
        };
        let clock_doubt = refusals.iter().find(|refusal| refusal.code == RefusalCode::ClockDoubt);
        let look = Look {
            at: now,
            config: &self.survey.config.findings,
            projects: self.survey.config.projects.as_ref(),
            policies: &self.survey.policies,
            rows: &decided.rows,
            inventory: &decided.inventory,
            observe_only: &decided.observe_only,
            in_use: &decided.gathered.in_use,
            plan: decided.checked.plan(),
            answers: self.auditor.answers(),
            vanished,
            refused_policies,
            clock_doubt: clock_doubt.map(|refusal| refusal.text.as_str()),
            brakes: &self.brakes,
            backup: &board.backup.check,
            standing: before,
        };
        findings::stand(findings::of(&look), before, now)
    }
}
