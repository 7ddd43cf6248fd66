//! What a person must let go on, and how far the store has been trusted yet, as people and programs are shown it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, RepositoryName};
use ocird_store::{Brakes, PlannedFamily, RefusedPlan, Stop};
use serde::Serialize;

use crate::pass::{APPROVAL_SERVES, batch_size};

/// The brakes as they stood after the last pass.
#[derive(Debug, Clone, Default, Serialize)]
pub struct BrakesStatus {
    /// The breaker has tripped (S-25).
    pub breaker: Option<StopStatus>,
    /// Something that ocird deleted was needed (S-26).
    pub freeze: Option<StopStatus>,
    /// Unexpected answers in a row while acting; three trip the breaker.
    pub n_unexpected: u32,
    /// Batches of deletions that were proved clean (S-20).
    pub n_proved: u32,
    /// How many families the next batch takes at most by the ramp; `None` when only the limits count.
    pub next_batch: Option<u32>,
    /// The plan that waits for an approval (S-19).
    pub refused_plan: Option<RefusedPlanStatus>,
    /// The approval that stands.
    pub approval: Option<ApprovalStatus>,
}

/// A stop that only `ocird reset` clears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StopStatus {
    /// Since when it stands.
    pub at: DateTime<Utc>,
    /// Why.
    pub why: String,
}

/// A plan that was too large. The list itself is what `ocird pending` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedPlanStatus {
    /// The number to approve it by.
    pub id: String,
    /// When a pass first refused it.
    pub at: DateTime<Utc>,
    /// What was too much.
    pub why: String,
    /// Number of families.
    pub n_families: u64,
    /// The same by repository.
    pub by_repository: BTreeMap<RepositoryName, u64>,
    /// What they hold together, layers that others share included; `None` while a layer is not known.
    pub size: Option<Bytes>,
}

/// An approval that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApprovalStatus {
    /// The plan that was approved.
    pub plan: String,
    /// When.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: String,
    /// When it ends, whatever of it is left then.
    pub until: DateTime<Utc>,
    /// Number of families on its list.
    pub n_families: u64,
}

impl BrakesStatus {
    /// The brakes as the store remembers them.
    pub fn of(brakes: &Brakes) -> Self {
        let Brakes { breaker, freeze, n_unexpected, ramp, refused, approval } = brakes;
        Self {
            breaker: breaker.as_ref().map(stop),
            freeze: freeze.as_ref().map(stop),
            n_unexpected: *n_unexpected,
            n_proved: ramp.n_proved,
            next_batch: batch_size(*ramp),
            refused_plan: refused.as_ref().map(refused_plan),
            approval: approval.as_ref().map(|approval| ApprovalStatus {
                plan: approval.plan.id.to_string(),
                at: approval.at,
                by: approval.by.clone(),
                until: approval.at + APPROVAL_SERVES,
                n_families: approval.plan.families.len() as u64,
            }),
        }
    }
}

fn stop(Stop { at, why }: &Stop) -> StopStatus {
    StopStatus { at: *at, why: why.clone() }
}

fn refused_plan(plan: &RefusedPlan) -> RefusedPlanStatus {
    let mut by_repository = BTreeMap::new();
    for PlannedFamily { repository_name, .. } in &plan.families {
        *by_repository.entry(repository_name.clone()).or_default() += 1;
    }
    RefusedPlanStatus {
        id: plan.id.to_string(),
        at: plan.at,
        why: plan.why.clone(),
        n_families: plan.families.len() as u64,
        by_repository,
        size: plan.families.iter().map(|family| family.size).sum(),
    }
}
