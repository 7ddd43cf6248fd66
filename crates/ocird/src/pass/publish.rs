//! Posts what came of a pass on the board, and logs its summary. Renders nothing itself.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ocird_model::{
    Bytes, Clock, EffectivePolicy, MarkKey, ReadRegistry, Repository, RepositoryRow, RepositoryState, Rule,
    Unreadable, WriteRegistry,
};
use ocird_store::SettledIntent;

use crate::in_use::shown::shown;
use crate::pass::act::Acted;
use crate::pass::gate::{self, Refusals};
use crate::pass::{Decided, Engine, Purpose, SurveyError};
use crate::status::{
    Arming, BackupStatus, Bounds, BrakesStatus, Check, Checks, ClearedBy, Counts, PassResult, PassSummary,
    Pending, Place, RecentOutcome, Refusal, RefusalCode, RepositoryStatus, Status, UndoStatus,
};
use ocird_model::ErrorChain;

/// Outcomes that the status shows.
const N_RECENT: u32 = 50;

impl<R: ReadRegistry, W: WriteRegistry, C: Clock> Engine<R, W, C> {
    pub(super) async fn publish(
        &mut self,
        purpose: Purpose,
        started_at: DateTime<Utc>,
        duration_seconds: f64,
        decided: &Result<Decided, SurveyError>,
        acted: &Acted,
        refusals: Refusals,
    ) {
        let refusals = if Rule::S33.in_force() { refusals } else { Refusals::default() };
        let summary = PassSummary {
            started_at,
            finished_at: self.clock.now(),
            duration_seconds,
            enforcing: purpose == Purpose::Enforce,
            result: result(decided),
            n_deleted: acted.n_deleted(),
        };
        log_summary(&summary, &refusals);
        let arming =
            gate::arming(&self.survey.config, decided.as_ref().ok().map(|decided| &decided.identity)).0;
        let recent = self.recent().await;
        let brakes = self.brakes_now().await;
        let checks = self.checks(decided, &refusals);
        // Before the board is taken: a disk that hangs must not keep the pages from reading it.
        let bounds = self.bounds_after(&summary);
        let left = self.left_by_acting(&summary, &refusals);
        let pending = decided.as_ref().map(|decided| self.pending(decided, acted));
        let repositories = decided.as_ref().map(|decided| self.repository_statuses(decided, started_at));
        self.board.update(|status| {
            post_counts(status, &summary, acted, &refusals);
            post_looked(status, &summary, decided.as_ref().ok());
            status.arming = arming;
            status.passing_since = None;
            status.checks = checks;
            status.recent = recent;
            status.brakes = brakes;
            status.bounds = bounds;
            if let Ok(pending) = pending {
                status.pending = pending;
            }
            if let Ok(repositories) = repositories {
                merge_repositories(&mut status.repositories, repositories);
            }
            status.last_pass = Some(summary);
            status.refusals = refusals.into_list().into_iter().chain(left).collect();
        });
    }

    /// What figures are measured against after the pass. One that did not read everything puts off nothing.
    fn bounds_after(&self, summary: &PassSummary) -> Bounds {
        let shown = self.board.read();
        let complete_at = match summary.result {
            PassResult::Complete => summary.finished_at,
            PassResult::Partial { .. } | PassResult::Failed { .. } => {
                shown.last_complete_at.unwrap_or(shown.started_at)
            }
        };
        Bounds::of(&self.survey.config, complete_at)
    }

    /// The brakes after the pass.
    async fn brakes_now(&mut self) -> BrakesStatus {
        if let Some(store) = self.survey.notebook.writable() {
            match store.brakes().await {
                Ok(brakes) => self.brakes = brakes,
                Err(error) => self.survey.notebook.fail(&error),
            }
        }
        BrakesStatus::of(&self.brakes)
    }

    /// Why the last acting pass left something that was due. It is shown until the next one: only acting passes read again
    /// what is about to go, and whoever looks in between must not see a janitor that has nothing to say (S-33).
    fn left_by_acting(&mut self, summary: &PassSummary, refusals: &Refusals) -> Vec<Refusal> {
        if summary.enforcing {
            let at = summary.started_at.format("%F %H:%M UTC");
            let left = refusals.iter().filter(|refusal| is_of_acting(refusal.code));
            let left = left.map(|Refusal { code, text }| Refusal {
                code: *code,
                text: format!("in the acting pass of {at}: {text}"),
            });
            self.left = left.collect();
            return Vec::new();
        }
        let is_said = |left: &&Refusal| refusals.iter().any(|refusal| refusal.code == left.code);
        self.left.iter().filter(|left| !is_said(left)).cloned().collect()
    }

    async fn recent(&mut self) -> Vec<RecentOutcome> {
        let Some(store) = self.survey.notebook.writable() else { return self.board.read().recent.clone() };
        match store.recent_outcomes(N_RECENT).await {
            Ok(settled) => settled.into_iter().map(recent_outcome).collect(),
            Err(error) => {
                self.survey.notebook.fail(&error);
                self.board.read().recent.clone()
            }
        }
    }

    fn checks(&self, decided: &Result<Decided, SurveyError>, refusals: &Refusals) -> Checks {
        let policies = self.board.read().checks.policies.clone();
        Checks {
            sign_in: match decided {
                Err(error @ SurveyError::SignIn(_)) => failed(&ErrorChain(error)),
                Err(_) | Ok(_) => Check::Ok,
            },
            registry: match decided {
                Err(SurveyError::SignIn(_)) => Check::Pending,
                Err(error) => failed(&ErrorChain(error)),
                Ok(_) => by_code(refusals, &[RefusalCode::Unreadable]),
            },
            store: by_code(refusals, &[RefusalCode::NoStore, RefusalCode::LowSpace]),
            clock: by_code(refusals, &[RefusalCode::ClockDoubt]),
            in_use: by_code(refusals, &[RefusalCode::InUseUnknown]),
            policies,
            deletion: waits_for_a_person(refusals),
        }
    }

    /// What the rules have selected, the next to go first.
    fn pending(&self, decided: &Decided, acted: &Acted) -> Vec<Pending> {
        let grace = self.survey.policies.guardrails.grace;
        let mut pending: Vec<Pending> = decided
            .inventory
            .complete()
            .flat_map(|repository| {
                repository.images.iter().filter_map(|image| {
                    let key = MarkKey { repository: repository.id.clone(), head: image.digest };
                    let mark = decided.marks.get(&key).filter(|_| !acted.unmarked.contains(&key))?;
                    Some(Pending {
                        repository: repository.name.clone(),
                        digest: image.digest.short(),
                        tags: image.tags.keys().map(ToString::to_string).collect(),
                        rule: mark.rule.to_string(),
                        since: mark.since,
                        due_at: mark.since + grace,
                    })
                })
            })
            .collect();
        pending
            .sort_by(|a, b| (a.due_at, &a.repository, &a.digest).cmp(&(b.due_at, &b.repository, &b.digest)));
        pending
    }

    fn repository_statuses(
        &self,
        decided: &Decided,
        at: DateTime<Utc>,
    ) -> BTreeMap<ocird_model::RepositoryName, RepositoryStatus> {
        let of_row = |row: &RepositoryRow| {
            let project = match self.survey.policies.governing(&row.name) {
                EffectivePolicy::One(policy) => Some(policy.project.clone()),
                EffectivePolicy::None | EffectivePolicy::Contested(_, _) => None,
            };
            let mut status = unseen(project, row.layers_size);
            match decided.inventory.repositories.get(&row.name) {
                Some(RepositoryState::Complete(repository)) => seen(&mut status, repository, decided, at),
                Some(RepositoryState::Unreadable { id: _, why }) => status.unreadable = Some(why.clone()),
                None => {}
            }
            (row.name.clone(), status)
        };
        let unlisted = decided.inventory.repositories.iter().filter_map(|(name, state)| match state {
            RepositoryState::Unreadable { id: _, why: why @ Unreadable::Compartment { kind: _ } } => {
                let status = RepositoryStatus { unreadable: Some(why.clone()), ..unseen(None, Bytes::ZERO) };
                Some((name.clone(), status))
            }
            RepositoryState::Unreadable { id: _, why: _ } | RepositoryState::Complete(_) => None,
        });
        unlisted.chain(decided.rows.iter().map(of_row)).collect()
    }
}

fn result(decided: &Result<Decided, SurveyError>) -> PassResult {
    match decided {
        Ok(decided) => {
            let n_unreadable = decided.inventory.repositories.len() - decided.inventory.complete().count();
            match n_unreadable.max(decided.unlisted.len()) {
                0 => PassResult::Complete,
                n => PassResult::Partial { n_unreadable: n as u64 },
            }
        }
        Err(error) => PassResult::Failed { stage: error.stage(), error: ErrorChain(error).to_string() },
    }
}

fn log_summary(summary: &PassSummary, refusals: &Refusals) {
    for refusal in refusals.iter() {
        tracing::info!(code = refusal.code.as_str(), reason = %refusal.text, "a reason not to delete");
    }
    tracing::info!(
        started_at = %summary.started_at.format("%FT%TZ"),
        duration_ms = summary.duration_seconds * 1e3,
        enforcing = summary.enforcing,
        n_deleted = summary.n_deleted,
        "the pass has ended"
    );
}

fn post_counts(status: &mut Status, summary: &PassSummary, acted: &Acted, refusals: &Refusals) {
    if let PassResult::Failed { stage, error: _ } = &summary.result {
        *status.counts.n_failed.entry(stage).or_default() += 1;
    }
    for (outcome, n) in &acted.n_outcomes {
        *status.counts.n_outcomes.entry(outcome).or_default() += n;
    }
    for refusal in refusals.iter() {
        *status.counts.n_refusals.entry(refusal.code.as_str()).or_default() += 1;
    }
}

fn post_looked(status: &mut Status, summary: &PassSummary, decided: Option<&Decided>) {
    let Some(decided) = decided else { return };
    if summary.result == PassResult::Complete {
        status.last_complete_at = Some(summary.finished_at);
    }
    let (tenancy, region) = &decided.identity;
    status.place = Some(Place { tenancy: tenancy.to_string(), region: region.clone() });
    status.in_use.clone_from(&decided.gathered.sources);
    (status.n_uses, status.uses) = shown(&decided.gathered.in_use, &decided.inventory);
}

/// Puts the new pictures in place of the old ones. A repository that could not be read keeps its old figures beside
/// the reason, so that a failing read does not make its curves drop; one that is no longer listed goes.
fn merge_repositories(
    shown: &mut BTreeMap<ocird_model::RepositoryName, RepositoryStatus>,
    new: BTreeMap<ocird_model::RepositoryName, RepositoryStatus>,
) {
    let mut old = std::mem::take(shown);
    for (name, status) in new {
        let status = match (status.unreadable, old.remove(&name)) {
            (Some(why), Some(old)) => RepositoryStatus { unreadable: Some(why), ..old },
            (unreadable, _) => RepositoryStatus { unreadable, ..status },
        };
        shown.insert(name, status);
    }
}

fn unseen(project: Option<String>, reported_size: Bytes) -> RepositoryStatus {
    RepositoryStatus {
        project,
        complete_at: None,
        unreadable: None,
        n_images: 0,
        n_tags: 0,
        verdicts: BTreeMap::new(),
        size: None,
        freeable: None,
        reported_size,
        newest_push_at: None,
    }
}

fn seen(status: &mut RepositoryStatus, repository: &Repository, decided: &Decided, at: DateTime<Utc>) {
    let decisions = decided.checked.plan().decisions(&repository.name);
    for decision in decisions {
        *status.verdicts.entry(decision.verdict.as_str()).or_default() += 1;
    }
    let account = ocird_plan::account(repository);
    status.complete_at = Some(at);
    status.n_images = account.n_images;
    status.n_tags = repository.images.iter().map(|image| image.tags.len() as u64).sum();
    status.size = account.size;
    status.freeable = ocird_plan::freed(repository, decisions);
    status.newest_push_at = repository.images.iter().filter_map(ocird_model::Image::newest_time).max();
}

fn recent_outcome(settled: SettledIntent) -> RecentOutcome {
    RecentOutcome {
        at: settled.outcome.at,
        repository: settled.repository_name,
        digest: settled.digest.short(),
        tags: settled.tags.iter().map(ToString::to_string).collect(),
        outcome: settled.outcome.kind.as_str(),
        rule: settled.rule,
    }
}

/// A part is well unless a reason of one of these codes stands.
fn by_code(refusals: &Refusals, codes: &[RefusalCode]) -> Check {
    let texts: Vec<&str> = refusals
        .iter()
        .filter(|Refusal { code, text: _ }| codes.contains(code))
        .map(|refusal| refusal.text.as_str())
        .collect();
    if texts.is_empty() { Check::Ok } else { failed(&texts.join("; ")) }
}

/// Whether everything waits for a person. Report mode does, and is meant.
fn waits_for_a_person(refusals: &Refusals) -> Check {
    let waits = |code: RefusalCode| {
        code.stops_everything() && code.cleared_by() == ClearedBy::Hand && code != RefusalCode::ReportMode
    };
    let texts: Vec<String> = refusals
        .iter()
        .filter(|refusal| waits(refusal.code))
        .map(|refusal| format!("{}: {}", refusal.code.as_str(), refusal.text))
        .collect();
    if texts.is_empty() { Check::Ok } else { failed(&texts.join("; ")) }
}

/// True for the causes that acting passes find and others may not.
const fn is_of_acting(code: RefusalCode) -> bool {
    matches!(
        code,
        RefusalCode::Deferred
            | RefusalCode::Ramp
            | RefusalCode::Moved
            | RefusalCode::TooSlow
            | RefusalCode::Unanswered
            | RefusalCode::Unreadable
    )
}

fn failed(text: &impl ToString) -> Check {
    Check::Failed { text: text.to_string() }
}

/// The picture of a daemon that has not looked yet.
pub fn first_status(version: String, started_at: DateTime<Utc>) -> Status {
    Status {
        version,
        started_at,
        arming: Arming::Report,
        place: None,
        next_observe_at: None,
        next_enforce_at: None,
        passing_since: None,
        last_pass: None,
        last_complete_at: None,
        repositories: BTreeMap::new(),
        pending: Vec::new(),
        refusals: Vec::new(),
        findings: Vec::new(),
        in_use: Vec::new(),
        n_uses: 0,
        uses: Vec::new(),
        checks: Checks {
            sign_in: Check::Pending,
            registry: Check::Pending,
            store: Check::Pending,
            clock: Check::Pending,
            in_use: Check::Pending,
            policies: Check::Ok,
            deletion: Check::Pending,
        },
        brakes: BrakesStatus::default(),
        undo: UndoStatus::default(),
        bounds: Bounds::default(),
        backup: BackupStatus::default(),
        recent: Vec::new(),
        counts: Counts { policies_loaded_at: Some(started_at), ..Counts::default() },
    }
}
