//! What the centre gives each project (`[projects]`), and whether a policy claims more than that.
//!
//! It is decided on the patterns alone, whatever repositories there are: each pattern of a policy must be covered by one
//! pattern of its project, and where that is not plain to see, the claim is refused.

use std::collections::BTreeMap;

use ocird_model::{Patterns, RuleName};

use super::cover::covers;
use super::policy::Written;
use super::raw::RawConfig;
use super::source::Check;

/// The patterns that each project was given.
pub(super) type Projects = BTreeMap<String, Patterns>;

/// Reads `[projects]`; `None` when there is none, and anything may be claimed.
pub(super) fn projects(raw: &RawConfig, check: &mut Check<'_>) -> Option<Projects> {
    let given = raw.projects.as_ref()?;
    if given.get_ref().is_empty() {
        let text =
            "[projects] gives nothing to anybody; give a project its repositories, or leave the table out";
        check.empty_table(&given.span(), text);
    }
    let mut projects = Projects::new();
    for (name, project) in given.get_ref() {
        if name.parse::<RuleName>().is_err() {
            check.problem(
                &project.span(),
                "a project is 1 to 80 printable ASCII characters without quotes or backslash",
            );
        }
        let repositories = project.get_ref().repositories.as_ref();
        if repositories.is_none() {
            let text = format!("[projects.{name}] needs repositories, the patterns of the names it is given");
            check.missing(Some(&project.span()), text);
        }
        let patterns = check.patterns(repositories, "repositories");
        projects.extend(patterns.map(|(_, patterns)| (name.clone(), patterns)));
    }
    Some(projects)
}

/// Refuses what a policy claims beyond what its project was given.
pub(super) fn check_claims(written: &Written, projects: &Projects, check: &mut Check<'_>) {
    let project = &written.policy.project;
    let Some(given) = projects.get(project) else {
        check.problem(
            &written.project,
            format!("[projects] of the central file gives nothing to \"{project}\""),
        );
        return;
    };
    for (claim, span) in written.policy.repositories.iter().zip(&written.repositories) {
        if !covers(given, claim) {
            check.problem(
                span,
                format!(
                    "{claim} is not within {given}, which is what [projects] gives \"{project}\"; claim names, or a \
                     pattern that begins like one of those"
                ),
            );
        }
    }
}
