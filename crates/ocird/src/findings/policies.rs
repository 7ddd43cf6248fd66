//! What policies come to in the registry as it is (S-12): those that govern nothing, keep rules that hold nothing, and delete
//! rules that take more than half.

use std::collections::BTreeMap;

use ocird_model::{
    Decision, DeleteReason, DeleteRule, EffectivePolicy, Finding, FindingKind, Policy, Repository,
    RepositoryName, RepositoryRow, Severity, Verdict,
};
use ocird_plan::Tally;

use super::look::{Look, policy, repository};
use super::words::listed;
use super::{carried, finding};

pub(super) fn find(look: &Look<'_>, found: &mut Vec<Finding>) {
    let tallies = ocird_plan::tally(look.inventory, look.policies, look.in_use, look.at);
    for policy in &look.policies.policies {
        let governed: Vec<&RepositoryRow> =
            look.rows.iter().filter(|row| governs(look, policy, row)).collect();
        if governed.is_empty() {
            found.extend(idle_policy(look, policy));
            continue;
        }
        found.extend(idle_rules(look, policy, &governed, &tallies));
        for row in governed {
            match (look.complete(&row.name), tallies.get(&row.name)) {
                (Some(whole), Some(tally)) => found.extend(wide_rules(look, policy, whole, tally)),
                _ => found.extend(carried(look, FindingKind::WideDeleteRule, repository(&row.name))),
            }
        }
    }
}

fn governs(look: &Look<'_>, policy: &Policy, row: &RepositoryRow) -> bool {
    match look.policies.governing(&row.name) {
        EffectivePolicy::One(one) => std::ptr::eq(one, policy),
        EffectivePolicy::None | EffectivePolicy::Contested(_, _) => false,
    }
}

/// A policy that only claims what another one claims too is told of there, not here.
fn idle_policy(look: &Look<'_>, idle: &Policy) -> Option<Finding> {
    let project = &idle.project;
    let claims_any = look.rows.iter().any(|row| idle.repositories.matches(row.name.as_str()));
    (!claims_any).then(|| {
        finding(
            FindingKind::IdlePolicy,
            policy(project),
            Severity::Warning,
            format!("The policy of {project} matches no repository."),
            "See that its patterns are right, or remove the file.",
        )
    })
}

/// A rule that may hold something in a repository that could not be read is not called idle.
fn idle_rules(
    look: &Look<'_>,
    owner: &Policy,
    governed: &[&RepositoryRow],
    tallies: &BTreeMap<RepositoryName, Tally>,
) -> Option<Finding> {
    if governed.iter().any(|row| look.complete(&row.name).is_none()) {
        return carried(look, FindingKind::IdleKeepRule, policy(&owner.project));
    }
    let holds = |number: usize| {
        let tallies = governed.iter().filter_map(|row| tallies.get(&row.name));
        tallies.filter_map(|tally| tally.keep.get(number)).any(|kept| kept.n_families > 0)
    };
    let rules = owner.keep.iter().enumerate();
    let idle: Vec<String> =
        rules.filter(|(number, _)| !holds(*number)).map(|(_, rule)| format!("\"{}\"", rule.name)).collect();
    (!idle.is_empty()).then(|| {
        finding(
            FindingKind::IdleKeepRule,
            policy(&owner.project),
            Severity::Warning,
            format!("Of the policy of {}, these keep rules hold nothing: {}.", owner.project, listed(idle)),
            "See that their patterns and digests are right: what a rule was to keep may have no other.",
        )
    })
}

/// Counts what goes now: a rule over everything tagged beside one that keeps the newest selects much and takes little.
fn wide_rules(look: &Look<'_>, owner: &Policy, whole: &Repository, tally: &Tally) -> Option<Finding> {
    let decisions = look.plan.decisions(&whole.name);
    let wide: Vec<String> = owner
        .delete
        .iter()
        .map(|rule| (rule, n_tagged_taken(rule, whole, decisions)))
        .filter(|(_, n_taken)| n_taken * 2 > tally.n_tagged)
        .map(|(rule, n_taken)| format!("\"{}\" takes {n_taken}", rule.name))
        .collect();
    (!wide.is_empty()).then(|| {
        finding(
            FindingKind::WideDeleteRule,
            repository(&whole.name),
            Severity::Warning,
            format!(
                "Of the {} tagged families of {}, delete rule {}.",
                tally.n_tagged,
                whole.name,
                listed(wide)
            ),
            format!("Look at `ocird plan --repository {}`, and tell whether that is meant.", whole.name),
        )
    })
}

fn n_tagged_taken(rule: &DeleteRule, whole: &Repository, decisions: &[Decision]) -> usize {
    let by_rule = Verdict::Delete(DeleteReason::Rule { rule: rule.name.clone() });
    let is_tagged =
        |decision: &&Decision| whole.image(&decision.digest).is_some_and(|image| !image.tags.is_empty());
    decisions.iter().filter(|decision| decision.verdict == by_rule).filter(is_tagged).count()
}
