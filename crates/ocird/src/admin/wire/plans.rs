//! What is selected, and what waits for an approval, as it goes over the socket.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, RepositoryName};
use ocird_store::PlanId;
use serde::{Deserialize, Serialize};

use super::InTheWay;

/// `GET /v1/pending`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingAnswer {
    /// The daemon's time.
    pub(crate) at: DateTime<Utc>,
    /// When the next acting pass is due; null in report mode.
    pub(crate) next_enforce_at: Option<DateTime<Utc>>,
    /// What rules have selected and not yet deleted, the next to go first.
    pub(crate) pending: Vec<PendingFamily>,
    /// The plan that was too large and waits for an approval.
    pub(crate) refused: Option<RefusedPlanAnswer>,
    /// The approval that stands.
    pub(crate) approval: Option<ApprovalAnswer>,
    /// Why nothing goes, or less than the rules say.
    pub(crate) in_the_way: InTheWay,
}

/// A family that rules have selected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingFamily {
    pub(crate) repository: RepositoryName,
    /// The short digest of its head.
    pub(crate) digest: String,
    pub(crate) tags: Vec<String>,
    pub(crate) rule: String,
    /// Since when it has been selected without a break.
    pub(crate) since: DateTime<Utc>,
    /// The earliest instant at which it may go.
    pub(crate) due_at: DateTime<Utc>,
}

/// A plan that was refused because too much would go at once (S-19).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RefusedPlanAnswer {
    /// Its number, by which it is approved.
    pub(crate) plan: PlanId,
    pub(crate) refused_at: DateTime<Utc>,
    /// Which limit it is beyond.
    pub(crate) why: String,
    pub(crate) families: Vec<RefusedFamily>,
}

/// One family of a refused plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RefusedFamily {
    pub(crate) repository: RepositoryName,
    /// The short digest of its head.
    pub(crate) digest: String,
    pub(crate) tags: Vec<String>,
    pub(crate) rule: String,
    /// What the family holds, whatever else shares it; null while a layer is not known.
    pub(crate) size: Option<Bytes>,
}

/// An approval that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ApprovalAnswer {
    pub(crate) plan: PlanId,
    pub(crate) at: DateTime<Utc>,
    pub(crate) by: String,
    /// How many families it lists.
    pub(crate) n_families: usize,
}

/// `POST /v1/approve`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApproveQuestion {
    /// The number of the plan that was shown.
    pub(crate) plan: PlanId,
}

impl RefusedPlanAnswer {
    /// Whether a family is on the list.
    pub(crate) fn lists(&self, pending: &PendingFamily) -> bool {
        let is_it = |family: &RefusedFamily| {
            family.repository == pending.repository && family.digest == pending.digest
        };
        self.families.iter().any(is_it)
    }

    /// The number of families by repository.
    pub(crate) fn by_repository(&self) -> BTreeMap<&RepositoryName, usize> {
        let mut counts = BTreeMap::new();
        for family in &self.families {
            *counts.entry(&family.repository).or_default() += 1;
        }
        counts
    }

    /// The sum of what the families hold; what two of them share counts twice. `None` while something is not known.
    pub(crate) fn size(&self) -> Option<Bytes> {
        self.families.iter().map(|family| family.size).sum()
    }
}
