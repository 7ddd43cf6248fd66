//! From one file of `policies.d` to the policy of one project.

use std::collections::BTreeSet;
use std::ops::Range;

use ocird_model::{DeleteRule, Guardrails, KeepRule, Patterns, Policy, RuleName, Selects};
use toml::Spanned;

use super::build::SHORTEST_AGE;
use super::cover::covers_all;
use super::raw::{RawDelete, RawKeep, RawPolicy, RawPublic};
use super::source::Check;
use super::value::{LONGEST, in_words};

/// A policy, and where its file says the things that concern other files too.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) policy: Policy,
    pub(super) project: Range<usize>,
    /// The place of each pattern of `policy.repositories`, in the same order.
    pub(super) repositories: Vec<Range<usize>>,
}

/// Reads one policy. `None` when it does not even say whose it is and what it governs, which is on record then.
pub(super) fn build(raw: &RawPolicy, guardrails: &Guardrails, check: &mut Check<'_>) -> Option<Written> {
    let project = project(raw.project.as_ref(), check);
    if raw.repositories.is_none() {
        check.missing(None, "a policy needs repositories, the patterns of the names it governs");
    }
    let repositories = check.patterns(raw.repositories.as_ref(), "repositories");
    let mut names = BTreeSet::new();
    let keep: Vec<KeepRule> =
        raw.keep.iter().filter_map(|rule| keep_rule(rule, guardrails, &mut names, check)).collect();
    let delete = raw
        .delete
        .iter()
        .filter_map(|rule| delete_rule(rule, guardrails, &keep, &mut names, check))
        .collect();
    let (project, project_span) = project?;
    if raw.delete.is_empty() && !check.has_holes {
        check.warn(&project_span, "this policy has no [[delete]] rule, so nothing of it ever goes");
    }
    let (spans, repositories) = repositories?;
    Some(Written {
        policy: Policy {
            project,
            repositories,
            keep,
            delete,
            enforce_public: match raw.public {
                None | Some(RawPublic::Observe) => false,
                Some(RawPublic::Enforce) => true,
            },
        },
        project: project_span,
        repositories: spans,
    })
}

fn project(given: Option<&Spanned<String>>, check: &mut Check<'_>) -> Option<(String, Range<usize>)> {
    let Some(given) = given else {
        check.missing(None, "a policy needs project, the name of its owner");
        return None;
    };
    let text = given.get_ref();
    // A project is shown where rule names are, and obeys the same grammar.
    if text.parse::<RuleName>().is_err() {
        check.problem(
            &given.span(),
            "a project is 1 to 80 printable ASCII characters without quotes or backslash",
        );
        return None;
    }
    Some((text.clone(), given.span()))
}

fn keep_rule(
    given: &Spanned<RawKeep>,
    guardrails: &Guardrails,
    names: &mut BTreeSet<RuleName>,
    check: &mut Check<'_>,
) -> Option<KeepRule> {
    let (span, raw) = (given.span(), given.get_ref());
    if raw.tags.is_none() && raw.newest.is_none() && raw.newer_than.is_none() {
        check.missing(Some(&span), "a keep rule needs a condition: tags, newest or newer_than");
    }
    let name = rule_name(raw.name.as_ref(), &span, names, check);
    let tags = check.patterns(raw.tags.as_ref(), "tags").map(|(_, tags)| tags);
    let newest = check.count(raw.newest.as_ref(), "newest");
    let newer_than = check.duration(raw.newer_than.as_ref(), "newer_than", (SHORTEST_AGE, LONGEST));
    if let (Some(given), Some(newest)) = (&raw.newest, newest)
        && tags.is_none()
        && newest <= guardrails.min_newest
    {
        let floor = guardrails.min_newest;
        check.warn(&given.span(), format!("the guardrails keep the newest {floor} anyway"));
    }
    if let (Some(given), Some(age)) = (&raw.newer_than, newer_than)
        && age <= guardrails.min_age
    {
        let floor = in_words(guardrails.min_age);
        check.warn(&given.span(), format!("the guardrails keep what is younger than {floor} anyway"));
    }
    Some(KeepRule { name: name?, tags, newest, newer_than })
}

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
    if let (Some(given), Some(age)) = (&raw.older_than, older_than)
        && age < guardrails.min_age
    {
        let floor = in_words(guardrails.min_age);
        check.warn(
            &given.span(),
            format!("the guardrails keep what is younger than {floor}, so this rule waits for that"),
        );
    }
    let selects = selects?;
    if raw.older_than.is_none() && !is_bounded(&selects, keep) {
        check.missing(Some(&span), unbounded(&selects));
    }
    Some(DeleteRule { name: name?, selects, older_than })
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

/// True when some `newest` rule is certain to hold back the newest of what the delete rule selects (S-11). Untagged
/// images are in no `newest`, so nothing but an age bounds a rule about them.
fn is_bounded(selects: &Selects, keep: &[KeepRule]) -> bool {
    let selected = match selects {
        Selects::Untagged => return false,
        Selects::Tagged => Patterns::all(),
        Selects::Tags(tags) => tags.clone(),
    };
    keep.iter()
        .filter(|rule| rule.newest.is_some() && rule.newer_than.is_none())
        .any(|rule| rule.tags.as_ref().is_none_or(|tags| covers_all(tags, &selected)))
}

const fn unbounded(selects: &Selects) -> &'static str {
    match selects {
        Selects::Untagged => "a delete rule about untagged images needs older_than",
        Selects::Tagged | Selects::Tags(_) => {
            "a delete rule needs a bound: older_than, or a keep rule in this file with newest over the same tags"
        }
    }
}

fn rule_name(
    given: Option<&Spanned<String>>,
    rule: &Range<usize>,
    names: &mut BTreeSet<RuleName>,
    check: &mut Check<'_>,
) -> Option<RuleName> {
    let Some(given) = given else {
        check.missing(Some(rule), "a rule needs a name; it stands in every verdict the rule causes");
        return None;
    };
    let name: RuleName = check.parsed(given.get_ref(), &given.span())?;
    if !names.insert(name.clone()) {
        check.problem(&given.span(), format!("two rules of this file are named \"{name}\""));
    }
    Some(name)
}
