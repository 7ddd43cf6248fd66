//! Images that were listed before, are no longer, and were not deleted by ocird: somebody else deletes too. Native retention does
//! so by the dozen or again and again, and its rules know nothing of what runs.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use ocird_model::{Finding, FindingKind, RepositoryName, Severity};
use ocird_store::Vanished;

use super::look::{Look, repository};
use super::words::{counted, listed};
use super::{carried, finding};

/// How long it is told that images went by another hand: somebody who looks once a week sees it, and a second time within it
/// is a habit.
pub(crate) const VANISHED_STANDS: TimeDelta = TimeDelta::days(7);

/// So many that go between two passes are not deleted by a person one by one.
const MANY: u64 = 3;

pub(super) fn find(look: &Look<'_>, found: &mut Vec<Finding>) {
    let Some(vanished) = look.vanished else {
        let rows = look.rows.iter();
        return found
            .extend(rows.filter_map(|row| carried(look, FindingKind::Vanished, repository(&row.name))));
    };
    let mut by_repository: BTreeMap<&RepositoryName, Vec<&Vanished>> = BTreeMap::new();
    for event in vanished {
        by_repository.entry(&event.repository).or_default().push(event);
    }
    found.extend(by_repository.into_iter().map(|(name, events)| told(name, &events)));
}

fn told(name: &RepositoryName, events: &[&Vanished]) -> Finding {
    let n_images = events.iter().map(|event| event.n_images).sum();
    let is_habit = events.len() > 1 || n_images >= MANY;
    let digests: Vec<String> =
        events.iter().flat_map(|event| &event.digests).map(ocird_model::Digest::short).collect();
    // Beyond the first few of each time only their number is known.
    let named = listed(digests.iter().take(usize::try_from(Vanished::MAX_DIGESTS).unwrap_or(usize::MAX)));
    let images = counted(n_images, "image");
    let what = format!(
        "In a week {images} went from {name} by another hand than ocird's, in {}: {named}{}.",
        if events.len() == 1 { "one go".to_owned() } else { format!("{} goes", events.len()) },
        if n_images > u64::from(Vanished::MAX_DIGESTS) { " and others" } else { "" }
    );
    let (severity, remedy) = if is_habit {
        (
            Severity::Problem,
            "Look whether the registry's own retention policies are on, and switch them off: they know nothing of what runs.",
        )
    } else {
        (Severity::Warning, "Ask who deleted it; within 48 h it can be restored in the console.")
    };
    finding(FindingKind::Vanished, repository(name), severity, what, remedy)
}
