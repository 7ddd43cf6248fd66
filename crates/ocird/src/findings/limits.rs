//! How near things are to an end: the budget, the service's limits, and usage lines that cannot be reached.
//! <https://docs.oracle.com/en-us/iaas/Content/Registry/Concepts/registryoverview.htm>

use ocird_model::{Bytes, Finding, FindingKind, RepositoryRow, Severity, Subject, Usage};

use super::look::{Look, repository};
use super::{carried, finding};

/// The most repositories of a region of a tenancy.
const MAX_REPOSITORIES: u64 = 500;

/// The most images of a repository.
const MAX_IMAGES: u64 = 100_000;

/// A limit is told from this share of it on, so that there is time to have it raised or to keep less.
const NEAR_PERCENT: u64 = 80;

pub(super) fn find(look: &Look<'_>, found: &mut Vec<Finding>) {
    found.extend(near_budget(look));
    found.extend(shortfall(look));
    found.extend(near_repositories(look.rows.len() as u64));
    found.extend(look.rows.iter().filter_map(|row| near_images(look, row)));
}

/// ocird's own account of everything it watches; `None` while anything of it is not known.
fn usage(look: &Look<'_>) -> Option<Bytes> {
    let states = look.inventory.repositories.values();
    states.map(|state| ocird_plan::account(state.complete()?).size).sum()
}

fn near_budget(look: &Look<'_>) -> Option<Finding> {
    let (budget, warn_at) = (look.config.budget, look.config.warn_at);
    budget.or(warn_at)?;
    let Some(usage) = usage(look) else {
        return carried(look, FindingKind::NearBudget, Subject::Tenancy);
    };
    let (severity, line, name) = match (budget, warn_at) {
        (Some(budget), _) if usage >= budget => (Severity::Problem, budget, "the budget"),
        (_, Some(warn_at)) if usage >= warn_at => (Severity::Warning, warn_at, "what is warned of"),
        (Some(_) | None, Some(_) | None) => return None,
    };
    Some(finding(
        FindingKind::NearBudget,
        Subject::Tenancy,
        severity,
        format!("Usage is {usage}, and {name} is {line}."),
        "Look at the largest repositories in `ocird status`, and have their policies keep less.",
    ))
}

/// The plan's own words; it says what holds how much.
fn shortfall(look: &Look<'_>) -> Option<Finding> {
    match &look.plan.usage {
        Usage::NotAsked => None,
        Usage::Unknown { because: _ } => carried(look, FindingKind::Shortfall, Subject::Tenancy),
        Usage::Known { now: _, after: _, shortfall } => shortfall.as_ref().map(|shortfall| {
            finding(
                FindingKind::Shortfall,
                Subject::Tenancy,
                Severity::Warning,
                format!("More must stay than a usage line allows: {shortfall}."),
                "Keep less by rule, run fewer versions, or raise the line; ocird deletes no more for it.",
            )
        }),
    }
}

fn near_repositories(n_repositories: u64) -> Option<Finding> {
    let severity = near(n_repositories, MAX_REPOSITORIES)?;
    Some(finding(
        FindingKind::NearRepositoryLimit,
        Subject::Tenancy,
        severity,
        format!(
            "There are {n_repositories} repositories in the watched compartments, and a region has at most {MAX_REPOSITORIES}."
        ),
        "Delete empty repositories, or have the limit raised; ocird deletes none.",
    ))
}

fn near_images(look: &Look<'_>, row: &RepositoryRow) -> Option<Finding> {
    // Of a repository that cannot be read, the service's own count is what there is.
    let n_images = look.complete(&row.name).map_or(row.n_images, |whole| whole.images.len() as u64);
    let severity = near(n_images, MAX_IMAGES)?;
    let name = &row.name;
    Some(finding(
        FindingKind::NearImageLimit,
        repository(name),
        severity,
        format!("{name} has {n_images} images, and a repository has at most {MAX_IMAGES}."),
        "Have its policy keep less: at the limit pushes fail.",
    ))
}

/// How much it matters that `n` of `max` are there.
fn near(n: u64, max: u64) -> Option<Severity> {
    if n >= max {
        Some(Severity::Problem)
    } else if n * 100 >= max * NEAR_PERCENT {
        Some(Severity::Warning)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_near_from_four_fifths_on() {
        let near = |n| near(n, 500);
        assert_eq!(
            [near(399), near(400), near(499), near(500)],
            [None, Some(Severity::Warning), Some(Severity::Warning), Some(Severity::Problem),]
        );
    }
}
