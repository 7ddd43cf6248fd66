//! From one `[[keep]]` to a rule.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use chrono::TimeDelta;
use ocird_model::{Digest, GroupBy, Guardrails, KeepRule, Pattern, ResourceTagPatterns, RuleName};
use toml::Spanned;

use super::build::SHORTEST_AGE;
use super::policy::{LINE_BOUNDS, PULL_BOUNDS, rule_name};
use super::raw::RawKeep;
use super::source::Check;
use super::value::{LONGEST, in_words};

/// Reads one keep rule. `None` when it has no name that can be used, which is on record then.
pub(super) fn keep_rule(
    given: &Spanned<RawKeep>,
    guardrails: &Guardrails,
    names: &mut BTreeSet<RuleName>,
    check: &mut Check<'_>,
) -> Option<KeepRule> {
    let (span, raw) = (given.span(), given.get_ref());
    if !has_condition(raw) {
        check.missing(
            Some(&span),
            "a keep rule needs a condition: tags, newest, newer_than, pulled_within, digests or resource_tags",
        );
    }
    let name = rule_name(raw.name.as_ref(), &span, names, check);
    let rule = KeepRule {
        tags: check.patterns(raw.tags.as_ref(), "tags").map(|(_, tags)| tags),
        newest: check.count(raw.newest.as_ref(), "newest"),
        group_by: group_by(raw, check),
        newer_than: check.duration(raw.newer_than.as_ref(), "newer_than", (SHORTEST_AGE, LONGEST)),
        pulled_within: check.duration(raw.pulled_within.as_ref(), "pulled_within", PULL_BOUNDS),
        digests: digests(raw, check),
        resource_tags: resource_tags(raw, check),
        unless_usage_above: check.size(raw.unless_usage_above.as_ref(), "unless_usage_above", LINE_BOUNDS),
        name: name?,
    };
    if rule.tags.is_none() && rule.group_by.is_none() {
        warn_of_floor(raw, rule.newest, guardrails, check);
    }
    warn_of_age(raw, rule.newer_than, guardrails, check);
    Some(rule)
}

/// A line alone says when a rule holds, and not what.
const fn has_condition(raw: &RawKeep) -> bool {
    let RawKeep {
        name: _,
        tags,
        newest,
        group_by: _,
        newer_than,
        pulled_within,
        digests,
        resource_tags,
        unless_usage_above: _,
    } = raw;
    tags.is_some()
        || newest.is_some()
        || newer_than.is_some()
        || pulled_within.is_some()
        || digests.is_some()
        || resource_tags.is_some()
}

fn group_by(raw: &RawKeep, check: &mut Check<'_>) -> Option<GroupBy> {
    let given = raw.group_by.as_ref()?;
    if raw.newest.is_none() {
        check.missing(Some(&given.span()), "group_by needs newest beside it: how many of each group stay");
    }
    let group_by = check.parsed(given.get_ref(), &given.span())?;
    if !given.get_ref().starts_with('^') {
        let text = "group_by is searched for anywhere in a tag, unlike a pattern; begin it with ^ if it is about \
                    how the tag begins";
        check.warn(&given.span(), text);
    }
    Some(group_by)
}

fn digests(raw: &RawKeep, check: &mut Check<'_>) -> Option<BTreeSet<Digest>> {
    let given = raw.digests.as_ref()?;
    let digests: Vec<_> = check.list(given, "digests");
    Some(digests.into_iter().map(|(_, digest)| digest).collect())
}

fn resource_tags(raw: &RawKeep, check: &mut Check<'_>) -> Option<ResourceTagPatterns> {
    let given = raw.resource_tags.as_ref()?;
    let mut patterns = BTreeMap::new();
    for (name, value) in given.get_ref() {
        if name.trim().is_empty() || name.chars().any(|letter| letter.is_control() || letter == ' ') {
            check.problem(
                &value.span(),
                "a resource tag is named by its key, or by its namespace and key as in \"Retention.keep\"",
            );
        }
        let pattern: Option<Pattern> = check.parsed(value.get_ref(), &value.span());
        patterns.extend(pattern.map(|pattern| (name.clone(), pattern)));
    }
    if given.get_ref().is_empty() {
        let text = "resource_tags is empty, which is never \"all\"; name a tag, or leave it out";
        check.empty_table(&given.span(), text);
    }
    ResourceTagPatterns::new(patterns)
}

fn warn_of_floor(raw: &RawKeep, newest: Option<NonZeroU32>, guardrails: &Guardrails, check: &mut Check<'_>) {
    let floor = guardrails.min_newest;
    if let (Some(given), Some(newest)) = (&raw.newest, newest)
        && newest <= floor
    {
        check.warn(&given.span(), format!("the guardrails keep the newest {floor} anyway"));
    }
}

fn warn_of_age(raw: &RawKeep, age: Option<TimeDelta>, guardrails: &Guardrails, check: &mut Check<'_>) {
    if let (Some(given), Some(age)) = (&raw.newer_than, age)
        && age <= guardrails.min_age
    {
        let floor = in_words(guardrails.min_age);
        check.warn(&given.span(), format!("the guardrails keep what is younger than {floor} anyway"));
    }
}
