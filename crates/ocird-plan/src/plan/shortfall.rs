//! What holds the account above a line when all has gone that may. For people; nothing is decided by it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ocird_model::{
    Bytes, Decision, Digest, HeldBy, KeepReason, Repository, RepositoryName, RepositoryPlan, Shortfall,
    Verdict,
};

use super::lines::Accounts;
use super::opinion::Bench;

/// What is left, by what holds it; `None` when the account comes to lie at or under every line.
pub(super) fn of(
    lines: BTreeSet<Bytes>,
    benches: &[Bench<'_>],
    left: &Accounts,
    plans: &BTreeMap<RepositoryName, RepositoryPlan>,
) -> Option<Shortfall> {
    let lines: BTreeSet<Bytes> = lines.into_iter().filter(|line| *line < left.total()).collect();
    if lines.is_empty() {
        return None;
    }
    let mut held = BTreeMap::new();
    for (number, bench) in benches.iter().enumerate() {
        let repository = bench.repository();
        if let Some(RepositoryPlan::Decided { id: _, decisions }) = plans.get(&repository.name) {
            let size = |layer: &Digest| left.layer(number, layer);
            hold(repository, decisions, |place| left.counts(number, place), size, &mut held);
        }
    }
    Some(Shortfall { lines, held })
}

/// Adds what one repository holds, class by class, so that a shared layer counts for the first.
fn hold(
    repository: &Repository,
    decisions: &[Decision],
    counts: impl Fn(usize) -> bool,
    size: impl Fn(&Digest) -> Bytes,
    held: &mut BTreeMap<HeldBy, Bytes>,
) {
    let places = (0..decisions.len()).filter(|&place| counts(place));
    let mut staying: Vec<(HeldBy, usize)> =
        places.filter_map(|place| Some((class(repository, decisions, &decisions[place])?, place))).collect();
    staying.sort_unstable();
    let mut seen = HashSet::<Digest>::new();
    for (class, place) in staying {
        let image = &repository.images[place];
        let layers = image.layers.iter().flat_map(|layers| layers.iter());
        let new: Bytes =
            layers.filter(|layer| seen.insert(layer.digest)).map(|layer| size(&layer.digest)).sum();
        *held.entry(class).or_default() += new + image.manifest_size;
    }
}

/// The class of an image: a member of a family that stays because its head does is held by what holds the head.
fn class(repository: &Repository, decisions: &[Decision], decision: &Decision) -> Option<HeldBy> {
    let reason = |decision: &Decision| match &decision.verdict {
        Verdict::Keep(reason) => Some(HeldBy::class_of(reason)),
        Verdict::Delete(_) => None,
    };
    match &decision.verdict {
        Verdict::Keep(KeepReason::ChildOf { parent: _ } | KeepReason::ReferrerOf { subject: _ }) => {
            // What a rest carries stays for its own part when that goes.
            reason(&decisions[repository.position(&decision.head)?]).or_else(|| reason(decision))
        }
        Verdict::Keep(_) | Verdict::Delete(_) => reason(decision),
    }
}
