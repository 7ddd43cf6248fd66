//! Writes a pass down, settles what an earlier one left open, and looks whether anything that ocird deleted is needed.
//! Whatever fails here stops the act: without a record nothing is deleted (S-28).

use std::cmp::Reverse;
use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Clock, Decision, DeleteReason, Digest, ErrorChain, Image, KeepReason, ReadRegistry, Repository,
    RepositoryId, Standing, Verdict, WriteRegistry,
};
use ocird_store::{AccountSample, OpenIntent, PassRecord, Store, StoreError, UsageSample};

use crate::pass::engine::{Engine, Purpose};
use crate::pass::gate::Refusals;
use crate::pass::observe::subject_by_tag;
use crate::pass::settle::{self, Settled};
use crate::pass::survey::{Decided, SurveyError};
use crate::status::RefusalCode;

/// After this long an intent that is still open holds its own repository only.
const SETTLES_WITHIN: TimeDelta = TimeDelta::hours(1);

impl<R: ReadRegistry, W: WriteRegistry, C: Clock> Engine<R, W, C> {
    /// Writes the pass down in one transaction. If that fails, nothing is acted on (S-28).
    pub(super) async fn record(
        &mut self,
        purpose: Purpose,
        started_at: DateTime<Utc>,
        decided: &Decided,
        refusals: &mut Refusals,
    ) {
        let now = self.clock.now();
        let Some(store) = self.survey.notebook.writable() else {
            let findings = self.find_off_record(decided, refusals, now);
            return self.board.update(|status| status.findings = sorted(findings));
        };
        let is_whole = is_whole(decided);
        let usage = usage(decided);
        let record = PassRecord {
            started_at,
            finished_at: now,
            enforcing: purpose == Purpose::Enforce,
            result: if is_whole { "complete" } else { "partial" },
            inventory: Some(&decided.inventory),
            plan: Some(decided.checked.plan()),
            account: is_whole.then(|| everything(&usage)),
            usage,
            marks: Some(&decided.marks),
            certain: &decided.certain,
            adopted: adopted(decided),
        };
        let settled = match self.put_on_record(store, &record, decided, refusals).await {
            Ok(findings) => {
                self.board.update(|status| status.findings = sorted(findings));
                settle::open_intents(&self.survey.reader, store, &decided.inventory, started_at).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = self.prove_what_is_due(decided, refusals).await {
            return self.no_store(&error, refusals);
        }
        match settled {
            Ok(settled) => self.hold_unsettled(settled, started_at, refusals),
            Err(error) => self.no_store(&error, refusals),
        }
    }

    /// The pass with its findings.
    async fn put_on_record(
        &self,
        store: &Store,
        record: &PassRecord<'_>,
        decided: &Decided,
        refusals: &Refusals,
    ) -> Result<Vec<Standing>, StoreError> {
        let recording = store.recording(record).await?;
        self.find_on_record(recording, decided, refusals, record.finished_at).await
    }

    /// A deletion whose answer was lost a moment ago holds everything until it is settled. One that cannot be settled,
    /// because its image may no longer be read, holds its own repository only: the janitor must not freeze for it.
    fn hold_unsettled(&mut self, settled: Settled, now: DateTime<Utc>, refusals: &mut Refusals) {
        let Settled { open, not_done } = settled;
        self.unsettled.clear();
        for (repository, name) in not_done {
            let text = format!("{name}: what was to go is still there; the next pass decides anew");
            refusals.add(RefusalCode::Moved, text);
            self.unsettled.insert(repository);
        }
        for OpenIntent { id: _, intended_at, intent } in open {
            let name = &intent.repository_name;
            let text =
                format!("nobody can tell yet what came of deleting {} in {name}", intent.digest.short());
            if now - intended_at < SETTLES_WITHIN {
                refusals.add(RefusalCode::OpenIntent, format!("{text}; each pass reads again"));
            } else {
                self.unsettled.insert(intent.repository.clone());
                refusals
                    .add(RefusalCode::Unreadable, format!("{text}; nothing of it goes until that is known"));
            }
        }
    }

    pub(super) fn no_store(&mut self, error: &StoreError, refusals: &mut Refusals) {
        self.survey.notebook.fail(error);
        refusals.add_some(RefusalCode::NoStore, self.survey.notebook.fault());
    }

    pub(super) async fn record_failure(
        &mut self,
        purpose: Purpose,
        started_at: DateTime<Utc>,
        error: &SurveyError,
    ) {
        tracing::error!(stage = error.stage(), error = %ErrorChain(error), "the pass could not look");
        let Some(store) = self.survey.notebook.writable() else { return };
        let record = PassRecord {
            started_at,
            finished_at: self.clock.now(),
            enforcing: purpose == Purpose::Enforce,
            result: error.stage(),
            inventory: None,
            plan: None,
            usage: Vec::new(),
            account: None,
            marks: None,
            certain: &BTreeSet::new(),
            adopted: Vec::new(),
        };
        if let Err(error) = store.record(&record).await {
            self.survey.notebook.fail(&error);
        }
    }
}

/// The worst first.
fn sorted(mut findings: Vec<Standing>) -> Vec<Standing> {
    findings.sort_by_key(|standing| (Reverse(standing.finding.severity), standing.finding.key()));
    findings
}

/// One sample of usage for every repository that was read whole.
fn usage(decided: &Decided) -> Vec<UsageSample> {
    decided
        .rows
        .iter()
        .filter_map(|row| {
            let repository = decided.inventory.repositories.get(&row.name)?.complete()?;
            let account = ocird_plan::account(repository);
            Some(UsageSample {
                repository: row.id.clone(),
                size: account.size,
                reported_size: Some(row.layers_size),
                n_images: account.n_images,
                n_tags: repository.images.iter().map(|image| image.tags.len() as u64).sum(),
            })
        })
        .collect()
}

/// Whether every repository was listed and read whole.
fn is_whole(decided: &Decided) -> bool {
    let n_complete = decided.inventory.complete().count();
    n_complete == decided.inventory.repositories.len() && decided.unlisted.is_empty()
}

/// One sample of everything, out of those of all repositories.
fn everything(usage: &[UsageSample]) -> AccountSample {
    AccountSample {
        size: usage.iter().map(|sample| sample.size).sum(),
        reported_size: usage.iter().map(|sample| sample.reported_size).sum(),
        n_images: usage.iter().map(|sample| sample.n_images).sum(),
        n_tags: usage.iter().map(|sample| sample.n_tags).sum(),
    }
}

/// The rests of families that the plan keeps because something needs them by now. A doubt keeps a rest too, but adopts
/// nothing: it passes. A hold on the head that is gone keeps them for the head's sake, and adopts nothing either. A rest that
/// carries what bears a plain tag is needed by nobody, and is none any more.
fn adopted(decided: &Decided) -> Vec<(RepositoryId, Digest)> {
    let of_repository = |repository: &Repository| {
        let decisions = decided.checked.plan().decisions(&repository.name);
        let rests = decisions.iter().filter(|decision| repository.rests.contains_key(&decision.digest));
        let kept = rests.filter(|decision| is_needed(repository, decisions, decision));
        kept.map(|decision| (repository.id.clone(), decision.digest)).collect::<Vec<_>>()
    };
    decided.inventory.complete().flat_map(of_repository).collect()
}

/// Whether an image bears a tag that speaks of no other.
fn has_name(image: &Image) -> bool {
    image.tags.keys().any(|tag| subject_by_tag(tag).is_none())
}

/// Whether something needs a rest. What another rest carries is needed only as far as that is: a signature of a child goes
/// after the child, and must not be taken for somebody's own until then. What carries a plain tag is judged for itself, and
/// what it carries is of its family by now.
fn is_needed(repository: &Repository, decisions: &[Decision], rest: &Decision) -> bool {
    let mut decision = rest;
    // No way up is longer than this, unless it goes round in a circle, and what is on one stays.
    for _ in decisions {
        let holder = match &decision.verdict {
            Verdict::Keep(
                KeepReason::ChildOf { parent: holder } | KeepReason::ReferrerOf { subject: holder },
            ) => holder,
            Verdict::Keep(KeepReason::Held { by: _ }) => {
                let on_itself = |image: &Image| repository.holds.iter().any(|hold| hold.is_on(image));
                return repository.image(&decision.digest).is_some_and(on_itself);
            }
            // It is of the family of a head that is judged for itself.
            Verdict::Delete(DeleteReason::WithHead { rule: _ }) => return true,
            verdict => {
                return matches!(
                    verdict,
                    Verdict::Keep(
                        KeepReason::InUse { .. } | KeepReason::RollbackRoom { .. } | KeepReason::Rule { .. }
                            // It carries what somebody tagged: any other rest goes.
                            | KeepReason::NotSelected
                    )
                );
            }
        };
        if !repository.rests.contains_key(holder) || repository.image(holder).is_some_and(has_name) {
            return true;
        }
        match repository.position(holder).and_then(|place| decisions.get(place)) {
            Some(holder) => decision = holder,
            None => return true,
        }
    }
    true
}
