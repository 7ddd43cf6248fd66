//! What is selected, what waits for an approval, and what stands in the way: the board, with what the store and the kill
//! switch's file say at this moment.

use ocird_model::ErrorChain;
use ocird_store::{Approval, Brakes, PlannedFamily, RefusedPlan};

use super::desk::Desk;
use super::problem::Problem;
use super::wire::{ApprovalAnswer, InTheWay, PendingAnswer, PendingFamily, RefusedFamily, RefusedPlanAnswer};
use crate::pass::gate;
use crate::status::{Pending, RefusalCode};

/// What is pending now.
pub(super) async fn pending(desk: &Desk) -> Result<PendingAnswer, Problem> {
    let store = desk.open_store();
    let brakes = match store {
        Ok(store) => {
            let brakes = store.brakes().await;
            Some(brakes.map_err(|error| Problem::failed(ErrorChain(&error).to_string()))?)
        }
        // The board says why there is none.
        Err(_) => None,
    };
    let status = desk.board.read();
    Ok(PendingAnswer {
        at: desk.now(),
        next_enforce_at: status.next_enforce_at,
        pending: status.pending.iter().map(PendingFamily::of).collect(),
        refused: brakes.as_ref().and_then(|brakes| brakes.refused.as_ref()).map(RefusedPlanAnswer::of),
        approval: brakes.as_ref().and_then(|brakes| brakes.approval.as_ref()).map(ApprovalAnswer::of),
        in_the_way: in_the_way(desk, brakes.as_ref()),
    })
}

/// What stands in the way: by the last pass, and at this moment as far as that can be known without one. Without `brakes`
/// what the last pass said of them stands.
pub(super) fn in_the_way(desk: &Desk, brakes: Option<&Brakes>) -> InTheWay {
    let status = desk.board.read();
    let known: &[RefusalCode] = match brakes {
        Some(_) => &[RefusalCode::Paused, RefusalCode::Breaker, RefusalCode::Frozen, RefusalCode::TooMuch],
        None => &[RefusalCode::Paused],
    };
    let mut standing = InTheWay::of(&status, known);
    if let Some(plan) = brakes.and_then(|brakes| brakes.refused.as_ref()) {
        standing
            .put_first(RefusalCode::TooMuch, format!("plan {} waits for an approval: {}", plan.id, plan.why));
    }
    if let Some(freeze) = brakes.and_then(|brakes| brakes.freeze.as_ref()) {
        standing.put_first(RefusalCode::Frozen, format!("frozen {freeze}"));
    }
    if let Some(breaker) = brakes.and_then(|brakes| brakes.breaker.as_ref()) {
        standing.put_first(RefusalCode::Breaker, format!("tripped {breaker}"));
    }
    if let Some(paused) = gate::paused(&desk.state_dir) {
        standing.put_first(RefusalCode::Paused, paused);
    }
    standing
}

impl PendingFamily {
    fn of(pending: &Pending) -> Self {
        let Pending { repository, digest, tags, rule, since, due_at } = pending;
        Self {
            repository: repository.clone(),
            digest: digest.clone(),
            tags: tags.clone(),
            rule: rule.clone(),
            since: *since,
            due_at: *due_at,
        }
    }
}

impl RefusedPlanAnswer {
    fn of(plan: &RefusedPlan) -> Self {
        let RefusedPlan { id, at, why, families } = plan;
        let families = families.iter().map(RefusedFamily::of).collect();
        Self { plan: *id, refused_at: *at, why: why.clone(), families }
    }
}

impl RefusedFamily {
    fn of(family: &PlannedFamily) -> Self {
        let PlannedFamily { repository: _, repository_name, head, image: _, tags, rule, size } = family;
        Self {
            repository: repository_name.clone(),
            digest: head.short(),
            tags: tags.iter().map(ToString::to_string).collect(),
            rule: rule.clone(),
            size: *size,
        }
    }
}

impl ApprovalAnswer {
    fn of(approval: &Approval) -> Self {
        let Approval { plan, at, by } = approval;
        Self { plan: plan.id, at: *at, by: by.clone(), n_families: plan.families.len() }
    }
}
