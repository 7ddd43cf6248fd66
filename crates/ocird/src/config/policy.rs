//! From one file of `policies.d` to the policy of one project.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;

use chrono::TimeDelta;
use ocird_model::{Bytes, DeleteRule, EcrSelection, Guardrails, KeepRule, Policy, RuleName};
use toml::Spanned;

use super::delete::delete_rules;
use super::ecr;
use super::keep::keep_rule;
use super::raw::{RawPolicy, RawPublic, RawSigned};
use super::source::{Check, Source};
use super::value::LONGEST;

/// The bounds of a time since the last pull. What is known of pulls is up to a quarter of a day old
/// ([`ocird_plan::DETAILS_SERVE`]), so less than a day would be a promise that nobody keeps.
pub(super) const PULL_BOUNDS: (TimeDelta, TimeDelta) = (TimeDelta::days(1), LONGEST);

/// The bounds of a line: from less than any image of use to far more than any registry. Zero would be "always" (S-11).
pub(super) const LINE_BOUNDS: (Bytes, Bytes) = (Bytes(1_000_000), Bytes(1_000_000_000_000_000));

/// A policy, and where its file says the things that concern other files too.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) policy: Policy,
    pub(super) project: Range<usize>,
    /// The place of each pattern of `policy.repositories`, in the same order.
    pub(super) repositories: Vec<Range<usize>>,
    /// The lifecycle document that it refers to.
    pub(super) lifecycle: Option<PathBuf>,
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
    let mut delete = delete_rules(&raw.delete, guardrails, &keep, &mut names, check);
    let lifecycle = raw.ecr_lifecycle.as_ref().and_then(|given| {
        let (path, rules) = lifecycle(given, raw, check)?;
        delete.extend(rules);
        Some(path)
    });
    let (project, project_span) = project?;
    if raw.delete.is_empty() && raw.ecr_lifecycle.is_none() && !check.has_holes {
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
            enforce_signed: match raw.signed {
                None | Some(RawSigned::Keep) => false,
                Some(RawSigned::Enforce) => true,
            },
        },
        project: project_span,
        repositories: spans,
        lifecycle,
    })
}

/// The document that takes the place of delete rules: its file, and what it says.
fn lifecycle(
    given: &Spanned<String>,
    raw: &RawPolicy,
    check: &mut Check<'_>,
) -> Option<(PathBuf, Vec<DeleteRule>)> {
    if let Some(rule) = raw.delete.first() {
        let text = "a policy has [[delete]] rules or ecr_lifecycle, not both: nobody could say which of them took an image";
        check.problem(&rule.span(), text);
    }
    let path = check.path(Some(given), "ecr_lifecycle")?;
    let rules = match Source::read(&path) {
        Ok(source) => ecr::read(&mut Check { source: &source, has_holes: false, findings: check.findings }),
        Err(problem) => {
            check.problem(&given.span(), format!("{} {}", path.display(), problem.text));
            None
        }
    };
    Some((path, rules.map(EcrSelection::rules).unwrap_or_default()))
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

/// The name of a rule, which no other rule of the file has.
pub(super) fn rule_name(
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
