//! Which of all that is due goes in this batch: what was approved where something was (S-19), the oldest families up to the
//! limits of a pass and a day (S-19) and of the ramp (S-20), and every rest of a family that was counted before. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Bytes, Content, Digest, ImageId, Inventory, Mark, MarkKey, RepositoryId, RepositoryState, Rule, Tag,
};
use ocird_plan::{Due, DueKind};
use ocird_store::{Approval, PlannedFamily, Ramp, RefusedPlan};

use crate::config::Limits;
use crate::status::Refusal;

/// An approval ends after this long, whatever of it is left: by then nobody remembers what they agreed to. At the usual 200
/// families a day it works off 6,000.
pub(crate) const APPROVAL_SERVES: TimeDelta = TimeDelta::days(30);

/// The first batches of a store, in families; after them only the limits count.
const RAMP: [u32; 2] = [1, 10];

/// What the store has been counted up to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quota {
    pub(crate) limits: Limits,
    /// Families that went, or were meant to, in the last 24 hours.
    pub(crate) n_today: u64,
    pub(crate) ramp: Ramp,
}

/// What goes now, and what waits.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch<'d> {
    pub(crate) due: Vec<&'d Due>,
    /// Families that the ramp leaves to later batches.
    pub(crate) n_by_ramp: u64,
    /// Families that the limits leave to later passes.
    pub(crate) n_by_limits: u64,
}

/// Takes the first of what is due, in its order, up to the quota.
pub(crate) fn batch<'d>(due: impl IntoIterator<Item = &'d Due>, quota: Quota) -> Batch<'d> {
    let Quota { limits, n_today, ramp } = quota;
    let mut by_limits = u64::from(limits.max_per_pass);
    if Rule::S19.in_force() {
        by_limits = by_limits.min(u64::from(limits.max_per_day).saturating_sub(n_today));
    }
    let mut by_ramp = batch_size(ramp).map_or(u64::MAX, u64::from);
    let mut batch = Batch { due: Vec::new(), n_by_ramp: 0, n_by_limits: 0 };
    for due in due {
        match due.kind() {
            DueKind::Rest => batch.due.push(due),
            DueKind::Head if by_limits == 0 => batch.n_by_limits += 1,
            DueKind::Head if by_ramp == 0 => batch.n_by_ramp += 1,
            DueKind::Head => {
                by_limits -= 1;
                by_ramp -= 1;
                batch.due.push(due);
            }
        }
    }
    batch
}

/// How many families the next batch takes at most by the ramp; `None` when only the limits count. After a batch that was
/// never proved it is one again.
pub(crate) fn batch_size(ramp: Ramp) -> Option<u32> {
    if !Rule::S20.in_force() {
        return None;
    }
    let step = if ramp.is_open { 0 } else { usize::try_from(ramp.n_proved).unwrap_or(usize::MAX) };
    RAMP.get(step).copied()
}

/// The families of an approval, to be looked up.
#[derive(Debug)]
pub(crate) struct Approved<'a>(BTreeMap<(&'a RepositoryId, &'a Digest), &'a PlannedFamily>);

impl<'a> Approved<'a> {
    pub(crate) fn of(approval: &'a Approval) -> Self {
        let families = approval.plan.families.iter();
        Self(families.map(|family| ((&family.repository, &family.head), family)).collect())
    }

    /// Whether a family is on the list as it is now: the same image under the same tags. The rest of a family goes with its
    /// head's approval: the head was counted, the rest was not.
    pub(crate) fn covers(&self, due: &Due) -> bool {
        match due.kind() {
            DueKind::Rest => true,
            DueKind::Head => {
                let family = self.0.get(&(due.repository_id(), &due.image().digest));
                family.is_some_and(|family| is_same(family, &due.image().id, due.image().tags.keys()))
            }
        }
    }

    /// Number of families on the list that may still go by it. A family has gone when its repository was read whole without
    /// it, or is no longer listed at all; one that is there and no rule selects any more is no longer due, and one that bears
    /// other tags by now is not the one that was approved. Of what was not read nobody can tell.
    pub(crate) fn n_left(&self, inventory: &Inventory, marks: &BTreeMap<MarkKey, Mark>) -> usize {
        let unread = unread(inventory);
        let is_left = |family: &&&PlannedFamily| {
            unread.contains(&family.repository) || marked(family, inventory, marks).is_some()
        };
        self.0.values().filter(is_left).count()
    }
}

/// What a pass says about families that were planned in an earlier one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judged<'a> {
    pub(crate) inventory: &'a Inventory,
    pub(crate) marks: &'a BTreeMap<MarkKey, Mark>,
    /// The repositories that were read whole while it was known what runs from them.
    pub(crate) certain: &'a BTreeSet<RepositoryId>,
    /// The repositories that are only observed in this pass.
    pub(crate) observe_only: &'a BTreeMap<RepositoryId, Refusal>,
    /// What has been marked since then or longer is ripe.
    pub(crate) ripe_since: DateTime<Utc>,
}

impl Judged<'_> {
    /// The families of a refused plan of which this pass cannot say that they are no longer due: what was not read, is in doubt
    /// or only observed contradicts nothing (S-2), and the time in which that was so does not count towards their grace.
    pub(crate) fn waiting(&self, refused: &RefusedPlan) -> Vec<PlannedFamily> {
        let unread = unread(self.inventory);
        let waits = |family: &&PlannedFamily| {
            let id = &family.repository;
            let is_judged = self.certain.contains(id) && !self.observe_only.contains_key(id);
            // One that is younger than the refusal began anew: the policy is another one by now, or nobody looked for a grace.
            let may_wait =
                |mark: &Mark| !is_judged || (mark.since > self.ripe_since && mark.since < refused.at);
            unread.contains(id) || marked(family, self.inventory, self.marks).is_some_and(may_wait)
        };
        refused.families.iter().filter(waits).cloned().collect()
    }
}

/// The repositories that were not read whole.
fn unread(inventory: &Inventory) -> BTreeSet<&RepositoryId> {
    let of_unread = inventory.repositories.values().filter_map(|state| match state {
        RepositoryState::Unreadable { id, why: _ } => Some(id),
        RepositoryState::Complete(_) => None,
    });
    of_unread.collect()
}

/// The mark of a planned family, unless it bears other tags by now, or its repository is no longer there.
fn marked<'m>(
    family: &PlannedFamily,
    inventory: &Inventory,
    marks: &'m BTreeMap<MarkKey, Mark>,
) -> Option<&'m Mark> {
    let PlannedFamily { repository, repository_name, head, .. } = family;
    let state = inventory.repositories.get(repository_name).and_then(RepositoryState::complete);
    let image = state.and_then(|repository| repository.image(head));
    let is_another = image.is_some_and(|image| !is_same(family, &image.id, image.tags.keys()));
    // The marks of a repository that went are kept, should it come back.
    let is_listed = inventory.repositories.values().any(|state| match state {
        RepositoryState::Complete(known) => known.id == *repository,
        RepositoryState::Unreadable { id, why: _ } => id == repository,
    });
    let key = MarkKey { repository: repository.clone(), head: *head };
    marks.get(&key).filter(|_| is_listed && !is_another)
}

fn is_same<'t>(family: &PlannedFamily, image: &ImageId, tags: impl Iterator<Item = &'t Tag>) -> bool {
    family.image == *image && family.tags.iter().eq(tags)
}

/// Everything that is due, as it is stored and shown while it waits for an approval.
pub(crate) fn list(due: &[Due], inventory: &Inventory) -> Vec<PlannedFamily> {
    let heads = due.iter().filter(|due| due.kind() == DueKind::Head);
    let family = |due: &Due| PlannedFamily {
        repository: due.repository_id().clone(),
        repository_name: due.repository_name().clone(),
        head: due.image().digest,
        image: due.image().id.clone(),
        tags: due.image().tags.keys().cloned().collect(),
        rule: due.rule(),
        size: size(due, inventory),
    };
    heads.map(family).collect()
}

/// What a family holds: its manifests and each of its layers once. `None` while a layer is not known.
fn size(due: &Due, inventory: &Inventory) -> Option<Bytes> {
    let repository = inventory.repositories.get(due.repository_name())?.complete()?;
    let mut layers = BTreeMap::new();
    let mut manifests = Bytes::ZERO;
    let members = due.members().iter().map(|member| repository.image(member));
    for image in std::iter::once(Some(due.image())).chain(members) {
        let image = image?;
        manifests += image.manifest_size;
        let is_index = matches!(image.content, Content::Index { children: _, subject: _ });
        match &image.layers {
            Some(known) => layers.extend(known.iter().map(|layer| (layer.digest, layer.size))),
            None if is_index => {}
            None => return None,
        }
    }
    Some(manifests + layers.into_values().sum())
}

#[cfg(test)]
mod tests {
    use ocird_model::Unreadable;

    use super::*;
    use crate::pass::fleet::{Fleet, digest, fleet, now};
    use crate::status::RefusalCode;

    /// Twenty families a pass and fifty a day.
    fn quota(n_today: u64, n_proved: u32) -> Quota {
        let limits = Limits { max_per_pass: 20, max_per_day: 50, max_plan: 200 };
        Quota { limits, n_today, ramp: Ramp { n_proved, is_open: false } }
    }

    fn sizes(n_due: u8, quota: Quota) -> (usize, u64, u64) {
        let fleet = fleet(n_due);
        assert_eq!(fleet.due.len(), usize::from(n_due));
        let batch = batch(&fleet.due, quota);
        assert_eq!(
            batch.due,
            fleet.due.iter().take(batch.due.len()).collect::<Vec<_>>(),
            "the oldest go first"
        );
        (batch.due.len(), batch.n_by_ramp, batch.n_by_limits)
    }

    #[test]
    fn the_first_batches_are_one_and_ten_and_then_only_the_limits_count() {
        assert_eq!(sizes(30, quota(0, 0)), (1, 29, 0));
        assert_eq!(sizes(30, quota(0, 1)), (10, 20, 0));
        assert_eq!(sizes(30, quota(0, 2)), (20, 0, 10));
        assert_eq!(sizes(30, quota(0, 1_000_000)), (20, 0, 10));
    }

    #[test]
    fn a_batch_that_was_never_proved_makes_the_next_one_small_again() {
        let ramp = Ramp { n_proved: 9, is_open: true };
        assert_eq!(sizes(5, Quota { ramp, ..quota(0, 9) }), (1, 4, 0));
        assert_eq!(batch_size(ramp), Some(1));
        assert_eq!(batch_size(Ramp { n_proved: 2, is_open: false }), None);
    }

    #[test]
    fn a_day_takes_what_it_may_whatever_a_pass_could() {
        assert_eq!(sizes(30, quota(45, 2)), (5, 0, 25));
        assert_eq!(sizes(30, quota(50, 2)), (0, 0, 30));
        assert_eq!(sizes(30, quota(51, 0)), (0, 0, 30));
    }

    #[test]
    fn the_ramp_is_never_larger_than_the_limits() {
        let limits = Limits { max_per_pass: 2, max_per_day: 2, max_plan: 200 };
        assert_eq!(sizes(12, Quota { limits, ..quota(0, 1) }), (2, 0, 10));
    }

    fn approved(fleet: &Fleet, n: usize) -> Approval {
        let families = list(&fleet.due[..n], &fleet.inventory);
        let plan = RefusedPlan { id: "1".parse().unwrap(), at: now(), why: String::new(), families };
        Approval { plan, at: now(), by: "alice".to_owned() }
    }

    #[test]
    fn an_approval_covers_its_list_and_nothing_beside_it() {
        let fleet = fleet(4);
        let approval = approved(&fleet, 2);
        let covered: Vec<bool> = fleet.due.iter().map(|due| Approved::of(&approval).covers(due)).collect();
        assert_eq!(covered, [true, true, false, false]);
    }

    #[test]
    fn a_family_that_bears_other_tags_than_the_approved_ones_is_not_on_the_list() {
        let fleet = fleet(2);
        let mut approval = approved(&fleet, 2);
        approval.plan.families[0].tags.insert("prod".parse().unwrap());
        approval.plan.families[1].image = "ocid1.containerimage.oc1.eu-milan-1.ns.other".parse().unwrap();
        assert!(fleet.due.iter().all(|due| !Approved::of(&approval).covers(due)));
    }

    #[test]
    fn what_is_left_of_an_approval_is_what_is_marked_or_could_not_be_read() {
        let mut fleet = fleet(3);
        let approval = approved(&fleet, 3);
        let n_left = |fleet: &Fleet| Approved::of(&approval).n_left(&fleet.inventory, &fleet.marks);
        assert_eq!(n_left(&fleet), 3);
        let mut renamed = approval.clone();
        renamed.plan.families[0].tags.insert("prod".parse().unwrap());
        assert_eq!(Approved::of(&renamed).n_left(&fleet.inventory, &fleet.marks), 2, "it went by other tags");
        let key = fleet.marks.keys().next().unwrap().clone();
        fleet.marks.remove(&key);
        assert_eq!(n_left(&fleet), 2);
        fleet.marks.clear();
        assert_eq!(n_left(&fleet), 0);
        let id = fleet.repository().id.clone();
        let unread = RepositoryState::Unreadable { id, why: Unreadable::UnknownState };
        fleet.inventory.repositories.insert("api".parse().unwrap(), unread);
        assert_eq!(n_left(&fleet), 3, "of what was not read nobody can tell");
        fleet.inventory.repositories.clear();
        assert_eq!(n_left(&fleet), 0, "its repository is gone");
    }

    #[test]
    fn what_a_pass_cannot_judge_still_waits() {
        let mut fleet = fleet(3);
        let Approval { plan, .. } = approved(&fleet, 3);
        let id = fleet.repository().id.clone();
        let n_waiting = |fleet: &Fleet, certain: &[RepositoryId], only: &[RepositoryId], ripe_since| {
            let why = Refusal { code: RefusalCode::Observing, text: String::new() };
            let judged = Judged {
                inventory: &fleet.inventory,
                marks: &fleet.marks,
                certain: &certain.iter().cloned().collect(),
                observe_only: &only.iter().map(|id| (id.clone(), why.clone())).collect(),
                ripe_since,
            };
            judged.waiting(&plan).len()
        };
        let ids = std::slice::from_ref(&id);
        assert_eq!(n_waiting(&fleet, ids, &[], now()), 0, "it was judged: what is due is due anyway");
        assert_eq!(n_waiting(&fleet, &[], &[], now()), 3, "nobody knows what runs from it");
        assert_eq!(n_waiting(&fleet, ids, ids, now()), 3, "it is only observed");
        let young = now() - TimeDelta::days(365);
        assert_eq!(n_waiting(&fleet, ids, &[], young), 3, "their grace is longer by a gap");
        for mark in fleet.marks.values_mut() {
            mark.since = now();
        }
        assert_eq!(n_waiting(&fleet, ids, &[], young), 0, "their marks began anew");
        let repositories = std::mem::take(&mut fleet.inventory.repositories);
        assert_eq!(n_waiting(&fleet, &[], &[], now()), 0, "their repository is no longer there");
        fleet.inventory.repositories = repositories;
        fleet.marks.clear();
        assert_eq!(n_waiting(&fleet, &[], &[], now()), 0, "no rule selects them any more");
        let unread = RepositoryState::Unreadable { id, why: Unreadable::UnknownState };
        fleet.inventory.repositories.insert("api".parse().unwrap(), unread);
        assert_eq!(n_waiting(&fleet, &[], &[], now()), 3, "of what was not read nobody can tell");
    }

    #[test]
    fn a_list_says_what_each_family_is_and_holds() {
        let mut fleet = fleet(2);
        let families = list(&fleet.due, &fleet.inventory);
        let first = &families[0];
        assert_eq!((first.head, first.size), (digest(1), Some(Bytes(1_510))));
        assert_eq!((first.rule.as_str(), first.tags.len()), ("rule \"old\"", 1));
        fleet.repository().images.clear();
        assert_eq!(list(&fleet.due, &fleet.inventory)[0].size, Some(Bytes(1_510)), "by the plan's own image");
    }
}
