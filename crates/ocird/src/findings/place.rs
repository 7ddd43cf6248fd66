//! Where a repository lies, what it is called, whether it is there, and whether its tags can be moved.
//!
//! A push to a repository that does not exist may create it in the root compartment, and a repository may be moved at any
//! time; ocird sees those of the configured compartments only.
//! <https://docs.oracle.com/en-us/iaas/Content/Registry/Tasks/registrymovingrepos.htm>

use std::collections::BTreeSet;

use ocird_model::{Finding, FindingKind, Pattern, RepositoryName, RepositoryRow, Severity};

use super::look::{Look, repository};
use super::{carried, finding};

pub(super) fn find(look: &Look<'_>, found: &mut Vec<Finding>) {
    let allowed = allowed_names(look);
    for row in look.rows {
        found.extend(misplaced(look, row));
        found.extend(allowed.as_ref().and_then(|allowed| misnamed(row, allowed)));
        found.extend(mutable(look, row));
    }
    // What is in a compartment that cannot be listed is in the inventory, and not missing (S-2).
    let listed = look.rows.iter().map(|row| &row.name);
    let present: BTreeSet<&RepositoryName> = listed.chain(look.inventory.repositories.keys()).collect();
    found.extend(look.config.expected.iter().filter(|name| !present.contains(name)).map(missing));
}

fn misplaced(look: &Look<'_>, row: &RepositoryRow) -> Option<Finding> {
    let name = &row.name;
    let mut homes = look.config.homes.iter();
    let home = homes.find(|home| home.repositories.matches(name.as_str()))?;
    if home.compartments.contains(&row.compartment) {
        return None;
    }
    Some(finding(
        FindingKind::Misplaced,
        repository(name),
        Severity::Warning,
        format!(
            "{name} belongs to {} and lies in compartment {}, which is none of its.",
            home.project, row.compartment
        ),
        format!("Move it to a compartment of [projects.{}], or add this one there.", home.project),
    ))
}

/// Every pattern that a name may fit: the naming rules, for each project, and what projects were given by name. `None`
/// without a naming rule.
fn allowed_names(look: &Look<'_>) -> Option<Vec<Pattern>> {
    if look.config.naming.is_empty() {
        return None;
    }
    let given = look.projects.into_iter().flatten();
    let claimed = look.policies.policies.iter().map(|policy| &policy.project);
    let projects: BTreeSet<&String> = given.clone().map(|(project, _)| project).chain(claimed).collect();
    let rules = look.config.naming.iter().flat_map(|template| {
        let of_projects = projects.iter().filter_map(|project| template.pattern_for(project));
        template.pattern().into_iter().chain(of_projects).collect::<Vec<_>>()
    });
    let by_name = given.flat_map(|(_, patterns)| patterns.iter().cloned());
    Some(rules.chain(by_name).collect())
}

fn misnamed(row: &RepositoryRow, allowed: &[Pattern]) -> Option<Finding> {
    let name = &row.name;
    if allowed.iter().any(|pattern| pattern.matches(name.as_str())) {
        return None;
    }
    Some(finding(
        FindingKind::Misnamed,
        repository(name),
        Severity::Warning,
        format!("{name} fits no naming rule and no project."),
        "Find out whose it is; a push to a name with a slip in it makes a repository.",
    ))
}

fn missing(name: &RepositoryName) -> Finding {
    finding(
        FindingKind::Missing,
        repository(name),
        Severity::Problem,
        format!("{name} is expected and not in the compartments that are watched."),
        "Look for it in other compartments, or take it out of findings.expected.",
    )
}

fn mutable(look: &Look<'_>, row: &RepositoryRow) -> Option<Finding> {
    let name = &row.name;
    let patterns = look.config.immutable.as_ref()?;
    if !patterns.matches(name.as_str()) {
        return None;
    }
    match look.answers.is_immutable.get(&row.id) {
        None => carried(look, FindingKind::Mutable, repository(name)),
        Some(true) => None,
        Some(false) => Some(finding(
            FindingKind::Mutable,
            repository(name),
            Severity::Warning,
            format!("The tags of {name} can be moved, although it should be immutable."),
            "Make the repository immutable in the console, where its region offers that.",
        )),
    }
}
