//! Whether a policy is looser than the centre recommends: `[findings.recommended]` is advice, the guardrails are law.

use chrono::TimeDelta;
use ocird_model::{
    DeleteRule, EcrCount, EcrRule, EcrSelection, EcrTags, Finding, FindingKind, KeepRule, Policy, Selects,
    Severity,
};

use super::finding;
use super::look::{Look, policy};
use super::words::days;

pub(super) fn find(look: &Look<'_>, found: &mut Vec<Finding>) {
    found.extend(look.policies.policies.iter().filter_map(|owner| loose(look, owner)));
}

fn loose(look: &Look<'_>, owner: &Policy) -> Option<Finding> {
    let recommended = &look.config.recommended;
    let untagged = recommended.untagged_older_than.filter(|age| !clears_untagged(owner, *age));
    let untagged =
        untagged.map(|age| format!("no rule deletes untagged images at {} at the latest", days(age)));
    let newest = recommended.keep_newest.filter(|n| {
        let floor = look.policies.guardrails.min_newest;
        floor < *n
            && owner.delete.iter().any(takes_tagged)
            && !owner.keep.iter().any(|rule| keeps_newest(rule, n.get()))
    });
    let newest = newest.map(|n| format!("no rule always keeps the newest {n}"));
    let reasons: Vec<String> = untagged.into_iter().chain(newest).collect();
    (!reasons.is_empty()).then(|| {
        finding(
            FindingKind::LoosePolicy,
            policy(&owner.project),
            Severity::Warning,
            format!("The policy of {} is looser than recommended: {}.", owner.project, reasons.join("; ")),
            "Add such a rule, or have the centre change [findings.recommended].",
        )
    })
}

/// True when a rule deletes every untagged image at this age at the latest, whatever the account and the pulls.
fn clears_untagged(owner: &Policy, age: TimeDelta) -> bool {
    owner.delete.iter().any(|rule| {
        let is_unconditional = rule.while_usage_above.is_none() && rule.not_pulled_for.is_none();
        is_unconditional
            && match &rule.selects {
                Selects::Untagged => rule.older_than.is_none_or(|older_than| older_than <= age),
                Selects::Lifecycle(selection) => {
                    rule_of(selection).is_some_and(|rule| expires_untagged(rule, age))
                }
                Selects::Tagged | Selects::Tags(_) => false,
            }
    })
}

fn expires_untagged(rule: &EcrRule, age: TimeDelta) -> bool {
    let is_about_untagged = match rule.tags {
        EcrTags::Untagged | EcrTags::Any => true,
        EcrTags::Prefixes(_) | EcrTags::Patterns(_) => false,
    };
    let is_soon = match rule.expires {
        EcrCount::DaysSincePush(n) => TimeDelta::days(n.get().into()) <= age,
        EcrCount::BeyondNewest(_) => false,
    };
    is_about_untagged && is_soon
}

fn takes_tagged(rule: &DeleteRule) -> bool {
    match &rule.selects {
        Selects::Untagged => false,
        Selects::Tagged | Selects::Tags(_) => true,
        Selects::Lifecycle(selection) => rule_of(selection).is_none_or(|rule| rule.tags != EcrTags::Untagged),
    }
}

fn rule_of(selection: &EcrSelection) -> Option<&EcrRule> {
    selection.lifecycle().rules().get(selection.rule())
}

/// True when the rule always keeps this many of the newest: with any other condition it may keep fewer.
fn keeps_newest(rule: &KeepRule, n: u32) -> bool {
    let KeepRule {
        name: _,
        tags: None,
        newest: Some(newest),
        group_by: None,
        newer_than: None,
        pulled_within: None,
        digests: None,
        resource_tags: None,
        unless_usage_above: None,
    } = rule
    else {
        return false;
    };
    newest.get() >= n
}
