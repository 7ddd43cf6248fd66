//! Marks: how long and how often rules have selected a family without a break (S-14, S-16). This computes the next state
//! of the marks from the last one; whoever calls it stores them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ocird_model::{
    Decision, DeleteReason, KeepReason, Mark, MarkKey, Policies, RepositoryId, RepositoryPlan, Rule,
    RuleName, Verdict,
};

use crate::{CheckedPlan, fingerprint};

/// The marks after one more pass.
///
/// A head that a rule selects, or could select by a line and spares for now, gets one more pass, or a new mark; a new one too
/// when another rule selects it than before, as what was pending under that one was not this deletion (S-16), when the
/// fingerprint of what governs its repository has changed (S-14), and when the old mark claims to begin after `now`, which
/// only a clock or a store set back can cause (S-9, S-29). A repository that was decided keeps no other marks: one contrary
/// pass clears. A repository that was not decided, or is not in the plan at all, keeps its marks as they are: what could not be read speaks
/// neither for nor against. So it is with a head of which only that is known that nobody can tell what runs: a pass in
/// doubt is not complete for it (S-4). Whoever calls this sees to it that a long time of either does not age a mark. Rests
/// need no mark, as they go under that of their head.
pub fn advance(
    marks: &BTreeMap<MarkKey, Mark>,
    checked: &CheckedPlan,
    policies: &Policies,
    now: DateTime<Utc>,
) -> BTreeMap<MarkKey, Mark> {
    let mut decided = BTreeSet::<&RepositoryId>::new();
    let mut next = BTreeMap::new();
    for (name, repository) in &checked.plan().repositories {
        let (id, decisions) = match repository {
            RepositoryPlan::Decided { id, decisions } => (id, decisions),
            RepositoryPlan::Undecided { id: _, why: _ } => continue,
        };
        decided.insert(id);
        let policy = fingerprint(policies.governing(name), &policies.guardrails);
        for head in decisions.iter().filter(|decision| is_in_doubt(decision)) {
            let key = MarkKey { repository: id.clone(), head: head.digest };
            next.extend(marks.get(&key).map(|mark| (key, mark.clone())));
        }
        for (head, rule) in decisions.iter().filter_map(selected) {
            let key = MarkKey { repository: id.clone(), head: head.digest };
            let mark = one_more(marks.get(&key), rule, policy, now);
            next.insert(key, mark);
        }
    }
    let untouched = marks.iter().filter(|(key, _)| !decided.contains(&key.repository));
    next.extend(untouched.map(|(key, mark)| (key.clone(), mark.clone())));
    next
}

/// The head and the rule, when the decision is that a rule takes it, or could.
fn selected(decision: &Decision) -> Option<(&Decision, &RuleName)> {
    match &decision.verdict {
        Verdict::Delete(DeleteReason::Rule { rule }) | Verdict::Keep(KeepReason::Spared { rule }) => {
            Some((decision, rule))
        }
        Verdict::Delete(DeleteReason::WithHead { rule: _ } | DeleteReason::Rest) | Verdict::Keep(_) => None,
    }
}

/// Whether the decision says no more than that it is not known what runs.
fn is_in_doubt(decision: &Decision) -> bool {
    match &decision.verdict {
        Verdict::Keep(reason) => *reason == KeepReason::InUseUnknown,
        Verdict::Delete(_) => false,
    }
}

fn one_more(mark: Option<&Mark>, rule: &RuleName, policy: u64, now: DateTime<Utc>) -> Mark {
    let is_same = |mark: &Mark| mark.policy == policy || !Rule::S14.in_force();
    let unbroken = mark.filter(|mark| mark.rule == *rule && is_same(mark) && mark.since <= now);
    Mark {
        rule: rule.clone(),
        policy,
        since: unbroken.map_or(now, |mark| mark.since),
        n_passes: unbroken.map_or(1, |mark| mark.n_passes.saturating_add(1)),
    }
}
