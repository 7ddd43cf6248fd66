//! From one `[[delete]]` to a rule. What is taken must be said, and so must a bound (S-11).

use std::collections::BTreeSet;
use std::ops::Range;

use chrono::TimeDelta;
use ocird_model::{DeleteRule, Guardrails, KeepRule, Pattern, Patterns, Rule, RuleName, Selects};
use toml::Spanned;

use super::build::SHORTEST_AGE;
use super::cover::covers_all;
use super::policy::{LINE_BOUNDS, PULL_BOUNDS, rule_name};
use super::raw::RawDelete;
use super::source::Check;
use super::value::{LONGEST, in_words};

/// The beginning of the tags that tie a signature to an image. Only a rule that spells such tags out takes them where the
/// image is nowhere, so that `tagged = true` is less than all tags.
const TIE: &str = "sha256-";

/// Reads the delete rules of a file, whose bounds may be among its keep rules, and says so where one of them changes nothing.
pub(super) fn delete_rules(
    given: &[Spanned<RawDelete>],
    guardrails: &Guardrails,
    keep: &[KeepRule],
    names: &mut BTreeSet<RuleName>,
    check: &mut Check<'_>,
) -> Vec<DeleteRule> {
    let mut rules: Vec<(Range<usize>, DeleteRule)> = Vec::new();
    for given in given {
        let rule = delete_rule(given, guardrails, keep, names, check);
        rules.extend(rule.map(|rule| (given.span(), rule)));
    }
    for (place, (span, rule)) in rules.iter().enumerate() {
        if let Some(holder) = holder_of_all(&rule.selects, keep) {
            let name = &holder.name;
            let text = format!("this rule can never take anything: keep rule \"{name}\" holds all of it");
            check.warn(span, text);
        } else if let Some(wider) = wider_than(place, &rules) {
            let name = &wider.name;
            let text = format!(
                "this rule changes nothing: delete rule \"{name}\" takes all of it too, and asks no more; leave \
                 this rule out, and say in a keep rule what is to stay longer"
            );
            check.warn(span, text);
        }
    }
    rules.into_iter().map(|(_, rule)| rule).collect()
}

/// Reads one delete rule. `None` when it does not say what it takes or has no name that can be used, which is on record
/// then.
fn delete_rule(
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
    Some(DeleteRule { name: name?, selects, older_than, not_pulled_for, while_usage_above })
}

/// The keep rule that is certain to hold all that a delete rule selects: one about tags that asks for nothing else.
fn holder_of_all<'k>(selects: &Selects, keep: &'k [KeepRule]) -> Option<&'k KeepRule> {
    let selected = match selects {
        Selects::Tagged => Patterns::all(),
        Selects::Tags(tags) => tags.clone(),
        Selects::Untagged | Selects::Lifecycle(_) => return None,
    };
    keep.iter().find(|rule| {
        let plain = KeepRule { tags: rule.tags.clone(), ..KeepRule::named(rule.name.clone()) };
        **rule == plain && rule.tags.as_ref().is_some_and(|tags| covers_all(tags, &selected))
    })
}

/// Another rule that is certain to take all that the rule at this place takes, so that this one takes nothing of its own. Of
/// two that take the same, the former.
fn wider_than(place: usize, rules: &[(Range<usize>, DeleteRule)]) -> Option<&DeleteRule> {
    let (_, rule) = &rules[place];
    let mut others = rules.iter().enumerate().filter(|(other, _)| *other != place);
    let wider = others.find(|(other, (_, wide))| {
        let is_mutual = takes_all_of(rule, wide);
        takes_all_of(wide, rule) && (*other < place || !is_mutual)
    });
    wider.map(|(_, (_, wide))| wide)
}

/// True when `wide` is certain to take whatever `narrow` takes.
fn takes_all_of(wide: &DeleteRule, narrow: &DeleteRule) -> bool {
    selects_all_of(&wide.selects, &narrow.selects)
        && asks_no_more(wide.older_than, narrow.older_than)
        && asks_no_more(wide.not_pulled_for, narrow.not_pulled_for)
        && asks_no_more(wide.while_usage_above, narrow.while_usage_above)
}

/// True when a condition is met wherever the other is: a shorter time or a lower line, or none at all.
fn asks_no_more<T: PartialOrd>(wide: Option<T>, narrow: Option<T>) -> bool {
    wide.is_none_or(|wide| narrow.is_some_and(|narrow| wide <= narrow))
}

fn selects_all_of(wide: &Selects, narrow: &Selects) -> bool {
    match (wide, narrow) {
        (Selects::Untagged, Selects::Untagged) | (Selects::Tagged, Selects::Tagged) => true,
        (Selects::Tagged, Selects::Tags(tags)) => tags.iter().all(is_certainly_no_tie),
        (Selects::Tags(wide), Selects::Tagged) => covers_all(wide, &Patterns::all()),
        (Selects::Tags(wide), Selects::Tags(narrow)) => covers_all(wide, narrow),
        (Selects::Untagged | Selects::Tagged | Selects::Tags(_) | Selects::Lifecycle(_), _) => false,
    }
}

/// True when the pattern is certain to match no tag that begins like a tie.
fn is_certainly_no_tie(pattern: &Pattern) -> bool {
    let is_plain = |character: &char| character.is_ascii_alphanumeric() || "._-".contains(*character);
    let start: String = pattern.as_str().chars().take_while(is_plain).collect();
    !start.starts_with(TIE) && !TIE.starts_with(&start)
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

/// True when some `newest` rule is certain to hold back the newest of what the delete rule selects (S-11): one over just that,
/// which asks for nothing else, at any account. One over more may have all its newest outside, and hold none of what is
/// selected. Untagged images are in no `newest`, so that bounds no rule about them.
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
    keep.iter().filter(is_certain).any(|rule| {
        let held = rule.tags.clone().unwrap_or_else(Patterns::all);
        covers_all(&held, &selected) && covers_all(&selected, &held)
    })
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
