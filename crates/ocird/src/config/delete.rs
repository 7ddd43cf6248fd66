//! From one `[[delete]]` to a rule. What is taken must be said, and so must a bound (S-11).

use std::collections::BTreeSet;
use std::ops::Range;

use chrono::TimeDelta;
use ocird_model::{DeleteRule, Guardrails, KeepRule, Patterns, Rule, RuleName, Selects};
use toml::Spanned;

use super::build::SHORTEST_AGE;
use super::cover::covers_all;
use super::policy::{LINE_BOUNDS, PULL_BOUNDS, rule_name};
use super::raw::RawDelete;
use super::source::Check;
use super::value::{LONGEST, in_words};

/// Reads one delete rule, whose bound may be among the keep rules of the same file. `None` when it does not say what it
/// takes or has no name that can be used, which is on record then.
pub(super) fn delete_rule(
    given: &Spanned<RawDelete>,
    guardrails: &Guardrails,
    keep: &[KeepRule],
    names: &mut BTreeSet<RuleName>,
    check: &mut Check<'_>,
) -> Option<DeleteRule> {
    let (span, raw) = (given.span(), given.get_ref());
    let name = rule_name(raw.name.as_ref(), &span, names, check);
    let selects = selects(raw, &span, check);
    let older_than = check.duration(raw.older_than.as_ref(), "older_than", (SHORTEST_AGE, LONGEST));
    warn_of_age(raw, older_than, guardrails, check);
    let not_pulled_for = check.duration(raw.not_pulled_for.as_ref(), "not_pulled_for", PULL_BOUNDS);
    if let (Some(given), None) = (&raw.not_pulled_for, &raw.older_than) {
        let text = "not_pulled_for needs older_than beside it: what nobody has pulled yet may be new";
        check.missing(Some(&given.span()), text);
    }
    let while_usage_above = check.size(raw.while_usage_above.as_ref(), "while_usage_above", LINE_BOUNDS);
    let selects = selects?;
    let has_bound = raw.older_than.is_some() || raw.while_usage_above.is_some();
    // One who meant to bound it by pulls is told so above, once.
    let is_unbounded = !has_bound && raw.not_pulled_for.is_none() && !is_bounded(&selects, keep);
    if is_unbounded && Rule::S11.in_force() {
        check.missing(Some(&span), unbounded(&selects));
    }
    warn_if_vain(&selects, &span, keep, check);
    Some(DeleteRule { name: name?, selects, older_than, not_pulled_for, while_usage_above })
}

/// Says so when a keep rule is certain to hold all that the rule selects: one about tags that asks for nothing else.
fn warn_if_vain(selects: &Selects, span: &Range<usize>, keep: &[KeepRule], check: &mut Check<'_>) {
    let selected = match selects {
        Selects::Tagged => Patterns::all(),
        Selects::Tags(tags) => tags.clone(),
        Selects::Untagged | Selects::Lifecycle(_) => return,
    };
    let holds_all = |rule: &&KeepRule| {
        let plain = KeepRule { tags: rule.tags.clone(), ..KeepRule::named(rule.name.clone()) };
        **rule == plain && rule.tags.as_ref().is_some_and(|tags| covers_all(tags, &selected))
    };
    if let Some(rule) = keep.iter().find(holds_all) {
        check.warn(
            span,
            format!("this rule can never take anything: keep rule \"{}\" holds all of it", rule.name),
        );
    }
}

fn warn_of_age(raw: &RawDelete, age: Option<TimeDelta>, guardrails: &Guardrails, check: &mut Check<'_>) {
    if let (Some(given), Some(age)) = (&raw.older_than, age)
        && age < guardrails.min_age
    {
        let floor = in_words(guardrails.min_age);
        check.warn(
            &given.span(),
            format!("the guardrails keep what is younger than {floor}, so this rule waits for that"),
        );
    }
}

fn selects(raw: &RawDelete, span: &Range<usize>, check: &mut Check<'_>) -> Option<Selects> {
    let tags = check.patterns(raw.tags.as_ref(), "tags").map(|(_, tags)| tags);
    match (&raw.tagged, &raw.tags) {
        (None, None) => {
            check.missing(
                Some(span),
                "a delete rule says what it takes: tagged = false, tagged = true, or tags = [...]",
            );
            None
        }
        (Some(tagged), Some(_)) if !tagged.get_ref() => {
            check.problem(
                &tagged.span(),
                "tagged = false and tags contradict each other; leave one of them out",
            );
            None
        }
        (Some(tagged), None) if !tagged.get_ref() => Some(Selects::Untagged),
        (Some(_), None) => Some(Selects::Tagged),
        (_, Some(_)) => tags.map(Selects::Tags),
    }
}

/// True when some `newest` rule is certain to hold back the newest of what the delete rule selects (S-11): one that asks for
/// nothing else, at any account. Untagged images are in no `newest`, so that bounds no rule about them.
fn is_bounded(selects: &Selects, keep: &[KeepRule]) -> bool {
    let selected = match selects {
        Selects::Untagged => return false,
        Selects::Tagged => Patterns::all(),
        Selects::Tags(tags) => tags.clone(),
        // A document is bounded by its own counts and ages.
        Selects::Lifecycle(_) => return true,
    };
    let is_certain = |rule: &&KeepRule| {
        let plain =
            KeepRule { tags: rule.tags.clone(), newest: rule.newest, ..KeepRule::named(rule.name.clone()) };
        rule.newest.is_some() && **rule == plain
    };
    keep.iter()
        .filter(is_certain)
        .any(|rule| rule.tags.as_ref().is_none_or(|tags| covers_all(tags, &selected)))
}

const fn unbounded(selects: &Selects) -> &'static str {
    match selects {
        Selects::Untagged => "a delete rule about untagged images needs older_than or while_usage_above",
        Selects::Tagged | Selects::Tags(_) | Selects::Lifecycle(_) => {
            "a delete rule needs a bound: older_than, while_usage_above, or a keep rule in this file with newest over the \
             same tags and no other condition"
        }
    }
}
