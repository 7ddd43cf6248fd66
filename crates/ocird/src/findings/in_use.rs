//! What is in use, against what the registry has: something that runs and cannot be pulled again. The host's own cache hides it
//! until the day that the host is replaced.

use std::collections::BTreeMap;

use ocird_model::{Finding, FindingKind, RepositoryName, RepositoryState, Severity, Use};

use super::look::{Look, repository};
use super::words::{cut, listed};
use super::{carried, finding};
use crate::in_use::shown::{Index, Resolves, line};

pub(super) fn find(look: &Look<'_>, found: &mut Vec<Finding>) {
    for (name, state) in &look.inventory.repositories {
        if matches!(state, RepositoryState::Unreadable { .. }) {
            found.extend(carried(look, FindingKind::InUseMissing, repository(name)));
        }
    }
    let index = Index::of(look.inventory);
    let mut missing: BTreeMap<&RepositoryName, Vec<(&Use, Resolves)>> = BTreeMap::new();
    for (name, uses) in look.in_use.all() {
        for used in uses.iter().filter(|used| used.kind.is_running()) {
            match index.resolves(name, used) {
                resolves @ (Resolves::No | Resolves::OnlyItsTag) => {
                    missing.entry(name).or_default().push((used, resolves));
                }
                Resolves::Yes | Resolves::Unknown => {}
            }
        }
    }
    found.extend(missing.into_iter().map(|(name, uses)| told(name, &uses)));
}

fn told(name: &RepositoryName, uses: &[(&Use, Resolves)]) -> Finding {
    let is_lost = uses.iter().any(|(_, resolves)| *resolves == Resolves::No);
    let lines = listed(uses.iter().map(|(used, _)| cut(&line(name, used))));
    let (severity, what, remedy) = if is_lost {
        (
            Severity::Problem,
            format!("What runs here is not in the registry, so that nobody can pull it again: {lines}."),
            "Push it again from a host that still has it, or deploy what is there. If ocird deleted it, `ocird restore` \
             brings it back within 48 hours.",
        )
    } else {
        (
            Severity::Warning,
            format!("What runs here is gone, and its tag means another image by now: {lines}."),
            "The next pull brings that other image. Deploy it on purpose, or push what runs again.",
        )
    };
    finding(FindingKind::InUseMissing, repository(name), severity, what, remedy)
}
