//! A mark: rules select this family, since when, how often in a row, and under which policy (S-14, S-16).

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{Digest, RepositoryId, RuleName};

/// What a mark is about: a family, by its repository and the digest of its head.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct MarkKey {
    /// The repository.
    pub repository: RepositoryId,
    /// The head of the family.
    pub head: Digest,
}

/// How long and how often rules have selected a family without a break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// The rule that selects it now.
    pub rule: RuleName,
    /// The fingerprint of the effective policy, guardrails and planner under which it was marked; another one starts
    /// the grace anew (S-14).
    pub policy: u64,
    /// When the first of the unbroken row of passes marked it.
    pub since: DateTime<Utc>,
    /// Number of complete passes in that row.
    pub n_passes: u32,
}
