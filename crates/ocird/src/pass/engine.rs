//! Runs one pass: survey, write down, and, only when armed, act.
//!
//! Not acting is a `return` before the acting step: nothing below knows of a dry run. Triggers tell a pass nothing;
//! passes never overlap, because there is one engine and it is borrowed mutably.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ocird_model::{Clock, MarkKey, Policies, ReadRegistry, RepositoryId, WriteRegistry};
use ocird_store::Brakes;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::findings::{Audit, Auditor};
use crate::pass::act::Acted;
use crate::pass::clock_watch::{ClockWatch, Reading};
use crate::pass::gate::{self, Refusals};
use crate::pass::notebook::SharedStore;
use crate::pass::space;
use crate::pass::survey::{Decided, Survey, SurveyError};
use crate::status::{Board, Bounds, Refusal, RefusalCode};
use crate::undo::Restorer;
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
    pub(crate) writer: W,
    pub(crate) clock: C,
    pub(crate) board: Board,
    pub(crate) clock_watch: ClockWatch,
    /// What a person must let go on, and how far the store has been trusted yet, as the store said last.
    pub(crate) brakes: Brakes,
    /// Why the last acting step left something, until the next one.
    pub(crate) left: Vec<Refusal>,
    /// Repositories with a deletion of which nobody can tell what came: nothing of them goes until it is known.
    pub(crate) unsettled: BTreeSet<RepositoryId>,
    /// What batches have held back, because the world had moved, since all that is due had its turn: it comes last, so that
    /// what is often pulled keeps nobody else waiting, however many there are of it.
    pub(crate) held_back: BTreeSet<MarkKey>,
    /// Asks what findings need beside the registry.
    pub(crate) auditor: Auditor,
    /// A pass has asked it already, so that acting passes need not.
    pub(crate) has_audited: bool,
    /// When the store could not be copied, if the last attempt failed.
    pub(crate) backup_failed_at: Option<DateTime<Utc>>,
    /// Brings back what is needed.
    pub(crate) restorer: Option<Arc<dyn Restorer>>,
}

impl<R, W, C> std::fmt::Debug for Engine<R, W, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("survey", &self.survey).finish_non_exhaustive()
    }
}

impl<R: ReadRegistry, W: WriteRegistry, C: Clock> Engine<R, W, C> {
    /// An engine that has not looked yet. The writer is handed to the acting step and to nothing else.
    pub fn new(survey: Survey<R>, writer: W, clock: C, board: Board) -> Self {
        // From the start, and not from the first pass on: whoever waits for a pass has to know how long is too long.
        let bounds = Bounds::of(&survey.config, clock.now());
        board.update(|status| status.bounds = bounds);
        Self {
            survey,
            writer,
            clock,
            board,
            clock_watch: ClockWatch::default(),
            brakes: Brakes::default(),
            left: Vec::new(),
            unsettled: BTreeSet::new(),
            held_back: BTreeSet::new(),
            auditor: Auditor::default(),
            has_audited: false,
            backup_failed_at: None,
            restorer: None,
        }
    }

    /// The engine with somebody to ask for what findings need beside the registry.
    #[must_use]
    pub fn with_audit(self, audit: Arc<dyn Audit>) -> Self {
        Self { auditor: Auditor::new(audit), ..self }
    }

    /// The engine with somebody who brings back what is needed (S-26). Without one it only says what is.
    #[must_use]
    pub fn with_restorer(self, restorer: Arc<dyn Restorer>) -> Self {
        Self { restorer: Some(restorer), ..self }
    }

    /// Puts other policies into force. Marks made under a policy that changed start anew (S-14).
    pub fn set_policies(&mut self, policies: Policies) {
        self.survey.policies = policies;
    }

    /// The reader, for what the daemon shows of the client's own state.
    pub fn reader(&self) -> &R {
        &self.survey.reader
    }

    /// The store of the passes, for the admin socket: a command works while a pass runs.
    pub fn store(&self) -> SharedStore {
        self.survey.notebook.shared()
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
        self.recall_clock_doubt().await;
        let newest_recorded = self.newest_recorded().await;
        let decided = self.survey.decide(purpose, started_at, &self.clock).await;
        let mut refusals = self.refusals(decided.as_ref().ok(), newest_recorded);
        self.keep_clock_doubt().await;
        self.brake(decided.as_ref().ok(), &mut refusals).await;
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
                if let SurveyError::Refused(_) = error {
                    self.trip("the independent check refused the plan", &mut refusals).await;
                }
                self.record_failure(purpose, started_at, error).await;
                Acted::default()
            }
        };
        self.keep_the_store().await;
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
        let Config { state_dir, min_free, .. } = &self.survey.config;
        refusals.add_some(RefusalCode::LowSpace, space::little_room(state_dir, *min_free));
        let reading = Reading {
            wall: self.clock.now(),
            monotonic: self.clock.monotonic(),
            server_ahead: self.survey.reader.server_clock_ahead(),
            has_answered: decided.is_some(),
            newest_recorded,
        };
        refusals.add_some(RefusalCode::ClockDoubt, self.clock_watch.observe(reading));
        let Some(decided) = decided else { return refusals };
        gate::of_survey(decided, &mut refusals);
        refusals
    }
}
