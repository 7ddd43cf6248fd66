//! What was proved after deletions and what people hold, as people and programs are shown it (S-26, S-27).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ocird_model::{Hold, ProofKind, ProofResult, RepositoryName};
use ocird_store::{Made, Proof};
use serde::Serialize;

/// The most proofs that are shown.
const N_PROOFS: usize = 12;

/// Proofs and holds as they stood after the last pass.
#[derive(Debug, Clone, Default, Serialize)]
pub struct UndoStatus {
    /// The latest proofs that were made, newest first.
    pub proofs: Vec<ProofStatus>,
    /// When the next one is due.
    pub next_proof_at: Option<DateTime<Utc>>,
    /// Number of proofs that are still to be made.
    pub n_open_proofs: u64,
    /// Every hold in force, by repository.
    pub holds: Vec<HoldStatus>,
}

/// One proof that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProofStatus {
    /// Which of the proofs of its batch it is.
    pub kind: ProofKind,
    /// When it was due.
    pub due_at: DateTime<Utc>,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// What it found.
    pub result: ProofResult,
    /// More; blank when it is clean.
    pub detail: String,
    /// Number of deletions that it is about.
    pub n_deleted: u64,
}

/// One hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldStatus {
    /// Its repository.
    pub repository: RepositoryName,
    /// What it is on, as it follows the repository's name: `:v1`, or `@sha256:…`.
    pub on: String,
    /// Who placed it.
    pub by: String,
    /// Why.
    pub why: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when; `None` until somebody releases it.
    pub until: Option<DateTime<Utc>>,
}

impl UndoStatus {
    /// Proofs and holds as the store remembers them at `now`.
    pub fn of(
        made: &[Proof],
        open: &[Proof],
        holds: &BTreeMap<RepositoryName, Vec<Hold>>,
        now: DateTime<Utc>,
    ) -> Self {
        let mut proofs: Vec<ProofStatus> = made.iter().filter_map(proof).collect();
        proofs.sort_by_key(|proof| Reverse(proof.made_at));
        proofs.truncate(N_PROOFS);
        let all = holds.iter().flat_map(|(name, holds)| holds.iter().map(move |hold| (name, hold)));
        Self {
            proofs,
            next_proof_at: open.iter().map(|proof| proof.due_at).min(),
            n_open_proofs: open.len() as u64,
            holds: all
                .filter(|(_, hold)| hold.is_in_force(now))
                .map(|(name, held)| hold(name, held))
                .collect(),
        }
    }
}

fn proof(proof: &Proof) -> Option<ProofStatus> {
    let Made { at, result, detail } = proof.made.as_ref()?;
    Some(ProofStatus {
        kind: proof.kind,
        due_at: proof.due_at,
        made_at: *at,
        result: *result,
        detail: detail.clone(),
        n_deleted: proof.n_deleted,
    })
}

fn hold(repository: &RepositoryName, hold: &Hold) -> HoldStatus {
    let Hold { on, by, why, since, until } = hold;
    HoldStatus {
        repository: repository.clone(),
        on: on.to_string(),
        by: by.to_string(),
        why: why.to_string(),
        since: *since,
        until: *until,
    }
}
