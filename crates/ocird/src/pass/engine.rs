//! Runs one pass: survey, write down, and, only when armed, act.
//!
//! Not acting is a `return` before the acting step: nothing below knows of a dry run. Triggers tell a pass nothing;
//! passes never overlap, because there is one engine and it is borrowed mutably.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Clock, Policies, ReadRegistry, RepositoryId, WriteRegistry};
use ocird_plan::{Due, DueKind};
use ocird_store::StoreError;
use tokio_util::sync::CancellationToken;

use crate::findings::{Audit, Auditor};
use crate::pass::act::{Act, Acted};
use crate::pass::clock_watch::{ClockWatch, Reading};
use crate::pass::gate::{self, Refusals};
use crate::pass::survey::{Decided, Survey, SurveyError};
use crate::status::{Board, RefusalCode};
use ocird_model::ErrorChain;

/// What a pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Look, decide and write down.
    Observe,
    /// The same, and then act on what is due.
    Enforce,
}

/// Everything a pass works with: the surveying half, and what only the acting half is handed.
pub struct Engine<R, W, C> {
    pub(crate) survey: Survey<R>,
    writer: W,
    pub(crate) clock: C,
    pub(crate) board: Board,
    clock_watch: ClockWatch,
    /// Repositories with a deletion of which nobody can tell what came: nothing of them goes until it is known.
    pub(crate) unsettled: BTreeSet<RepositoryId>,
    /// Asks what findings need beside the registry.
    pub(crate) auditor: Auditor,
    /// A pass has asked it already, so that acting passes need not.
    pub(crate) has_audited: bool,
}

impl<R, W, C> std::fmt::Debug for Engine<R, W, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("survey", &self.survey).finish_non_exhaustive()
    }
}

impl<R: ReadRegistry, W: WriteRegistry, C: Clock> Engine<R, W, C> {
    /// An engine that has not looked yet. The writer is handed to the acting step and to nothing else.
    pub fn new(survey: Survey<R>, writer: W, clock: C, board: Board) -> Self {
        Self {
            survey,
            writer,
            clock,
            board,
            clock_watch: ClockWatch::default(),
            unsettled: BTreeSet::new(),
            auditor: Auditor::default(),
            has_audited: false,
        }
    }

    /// The engine with somebody to ask for what findings need beside the registry.
    #[must_use]
    pub fn with_audit(self, audit: Arc<dyn Audit>) -> Self {
        Self { auditor: Auditor::new(audit), ..self }
    }

    /// Puts other policies into force. Marks made under a policy that changed start anew (S-14).
    pub fn set_policies(&mut self, policies: Policies) {
        self.survey.policies = policies;
    }

    /// The reader, for what the daemon shows of the client's own state.
    pub fn reader(&self) -> &R {
        &self.survey.reader
    }

    /// Closes the store.
    pub async fn close(self) {
        self.survey.notebook.close().await;
    }

    /// Makes one pass, posts what came of it, and hands back what was seen and decided. `stop` is asked between
    /// deletions, never inside one.
    pub async fn pass(&mut self, purpose: Purpose, stop: &CancellationToken) -> Result<Decided, SurveyError> {
        let started_at = self.clock.now();
        let started = self.clock.monotonic();
        self.board.update(|status| {
            status.passing_since = Some(started_at);
            status.counts.n_passes += 1;
        });
        self.clock_watch.begin(started_at, started);
        self.survey.notebook.prepare(started_at).await;
        let newest_recorded = self.newest_recorded().await;
        let decided = self.survey.decide(purpose, started_at, &self.clock).await;
        let mut refusals = self.refusals(decided.as_ref().ok(), newest_recorded);
        let acted = match &decided {
            Ok(decided) => {
                self.audit(purpose, decided).await;
                self.record(purpose, started_at, decided, &mut refusals).await;
                self.act(purpose, started, decided, &mut refusals, stop).await
            }
            Err(error) => {
                let code = match error {
                    SurveyError::Refused(_) => RefusalCode::CheckRefused,
                    SurveyError::SignIn(_) | SurveyError::ListRepositories { .. } => {
                        RefusalCode::CannotObserve
                    }
                };
                refusals.add(code, ErrorChain(error).to_string());
                self.record_failure(purpose, started_at, error).await;
                Acted::default()
            }
        };
        let seconds = self.clock.monotonic().saturating_sub(started).as_secs_f64();
        self.publish(purpose, started_at, seconds, &decided, &acted, refusals).await;
        decided
    }

    async fn newest_recorded(&mut self) -> Option<DateTime<Utc>> {
        match self.survey.notebook.writable()?.newest_time().await {
            Ok(newest) => newest,
            Err(error) => {
                self.survey.notebook.fail(&error);
                None
            }
        }
    }

    /// Every reason that is known before acting why nothing goes, or less than the rules say (S-33).
    fn refusals(&mut self, decided: Option<&Decided>, newest_recorded: Option<DateTime<Utc>>) -> Refusals {
        let mut refusals = Refusals::default();
        let (_, refusal) = gate::arming(&self.survey.config, decided.map(|decided| &decided.identity));
        if let Some(refusal) = refusal {
            refusals.add(refusal.code, refusal.text);
        }
        refusals.add_some(RefusalCode::Paused, gate::paused(&self.survey.config.state_dir));
        refusals.add_some(RefusalCode::NoStore, self.survey.notebook.fault());
        let reading = Reading {
            wall: self.clock.now(),
            monotonic: self.clock.monotonic(),
            server_ahead: self.survey.reader.server_clock_ahead(),
            newest_recorded,
        };
        refusals.add_some(RefusalCode::ClockDoubt, self.clock_watch.observe(reading));
        let Some(decided) = decided else { return refusals };
        gate::of_survey(decided, &mut refusals);
        refusals
    }

    /// Acts on what is due, if this pass is to act and nothing stands against it.
    async fn act(
        &mut self,
        purpose: Purpose,
        began: Duration,
        decided: &Decided,
        refusals: &mut Refusals,
        stop: &CancellationToken,
    ) -> Acted {
        if purpose == Purpose::Observe || refusals.stop_everything() {
            return Acted::default();
        }
        let now = self.clock.now();
        let again = self.survey.gather(decided.folder.as_ref(), &decided.inventory, now).await;
        if !again.in_use.says_the_same(&decided.gathered.in_use) {
            refusals.add(RefusalCode::Moved, "what runs changed since the plan; the next pass decides anew");
            return Acted::default();
        }
        let Some(store) = self.survey.notebook.writable() else { return Acted::default() };
        let act = Act {
            reader: &self.survey.reader,
            writer: &self.writer,
            clock: &self.clock,
            store,
            inventory: &decided.inventory,
            checked: &decided.checked,
            in_use: &again.in_use,
            state_dir: &self.survey.config.state_dir,
            stop,
            began,
        };
        let acted = match self.allowed(decided, refusals).await {
            Ok(due) => act.all(&due, refusals).await,
            Err(error) => Err(error),
        };
        match acted {
            Ok(acted) => {
                let missing = act.prove(&acted).await;
                if !missing.is_empty() {
                    let text =
                        format!("after deleting, these are gone that were to stay: {}", missing.join(", "));
                    refusals.add(RefusalCode::ProofFailed, text);
                }
                acted
            }
            Err(error) => {
                self.no_store(&error, refusals);
                Acted::default()
            }
        }
    }

    /// What of all that is due may go in this pass (S-19): the oldest families up to the limits, and every rest of a
    /// family that was counted before. What is left goes in later passes.
    async fn allowed<'d>(
        &self,
        decided: &'d Decided,
        refusals: &mut Refusals,
    ) -> Result<Vec<&'d Due>, StoreError> {
        let Some(store) = self.survey.notebook.writable() else { return Ok(Vec::new()) };
        let limits = self.survey.config.limits;
        let today = store.n_families_since(self.clock.now() - TimeDelta::hours(24)).await?;
        let left_today = u64::from(limits.max_per_day).saturating_sub(today);
        let mut n_left = u64::from(limits.max_per_pass).min(left_today);
        let mut n_deferred = 0;
        let free = decided.due.iter().filter(|due| !self.unsettled.contains(due.repository_id()));
        let allowed = free.filter(|due| match due.kind() {
            DueKind::Rest => true,
            DueKind::Head if n_left > 0 => {
                n_left -= 1;
                true
            }
            DueKind::Head => {
                n_deferred += 1;
                false
            }
        });
        let allowed = allowed.collect();
        if n_deferred > 0 {
            let text = format!(
                "{n_deferred} families that are due go in later passes: the limits of [limits] are reached"
            );
            refusals.add(RefusalCode::Deferred, text);
        }
        Ok(allowed)
    }
}
