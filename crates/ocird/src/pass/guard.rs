//! The last assertions before a deletion is written down: nothing here decides, and nothing here should ever refuse. Where
//! it does, ocird is not as it should be, and the breaker trips (S-25).
//!
//! It shares no code with the planner or the check (S-13), and asks less than they do, so that it is silent whenever
//! they are right: it counts what stays, and compares names.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ocird_model::{
    CompartmentId, Decision, DeleteReason, Digest, Guardrails, Image, Inventory, Repository, RepositoryState,
    Rule, Verdict,
};
use ocird_plan::{CheckedPlan, Due, DueKind};

use crate::pass::estate::is_elsewhere;

/// What a deletion is held against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guard<'a> {
    pub(crate) inventory: &'a Inventory,
    pub(crate) checked: &'a CheckedPlan,
    pub(crate) guardrails: &'a Guardrails,
    /// The compartments that deletion is armed for.
    pub(crate) compartments: &'a [CompartmentId],
    /// The region that the credentials are for.
    pub(crate) region: &'a str,
}

impl Guard<'_> {
    /// Which assertion is broken; `None` when none is.
    pub(crate) fn broken(&self, due: &Due, now: DateTime<Utc>) -> Option<String> {
        let Some(RepositoryState::Complete(repository)) =
            self.inventory.repositories.get(due.repository_name())
        else {
            return Some("its repository was not read whole (S-1)".to_owned());
        };
        let decisions = self.checked.plan().decisions(&repository.name);
        let broken = self.is_elsewhere(due, repository).or_else(|| not_decided(due, decisions));
        let broken = broken.or_else(|| match due.kind() {
            DueKind::Head => self.is_under_the_floor(due.image(), repository, decisions, now),
            DueKind::Rest => None,
        });
        broken.map(str::to_owned)
    }

    /// The target lies outside of what is armed (S-10).
    fn is_elsewhere(&self, due: &Due, repository: &Repository) -> Option<&'static str> {
        if !Rule::S10.in_force() {
            return None;
        }
        let ocids = [repository.id.as_str(), due.image().id.as_str()];
        if *due.repository_id() != repository.id {
            Some("another repository now bears the name (S-10)")
        } else if !self.compartments.contains(&repository.compartment) {
            Some("its repository lies outside the armed compartments (S-10)")
        } else if ocids.into_iter().any(|ocid| is_elsewhere(ocid, self.region)) {
            Some("it lies in another region than the armed one (S-10)")
        } else {
            None
        }
    }

    /// It is younger than everything that always stays, or fewer than the newest that always stay are newer (S-13).
    fn is_under_the_floor(
        &self,
        due: &Image,
        repository: &Repository,
        decisions: &[Decision],
        now: DateTime<Utc>,
    ) -> Option<&'static str> {
        if !Rule::S13.in_force() {
            return None;
        }
        let Some(time) = due.newest_time() else { return Some("it has no time (S-8)") };
        if now.signed_duration_since(time) < self.guardrails.min_age {
            return Some("it is younger than the guardrail's age (S-13)");
        }
        let floor = usize::try_from(self.guardrails.min_newest.get()).unwrap_or(usize::MAX);
        let n_newer = families(repository, decisions).filter(|family| family.may_be_newer(time)).count();
        (is_plainly_tagged(due) && n_newer < floor)
            .then_some("it is among the newest that always stay (S-13)")
    }
}

/// A family as it bears on the floor: read generously, as whoever is not counted here could be held against a right plan.
#[derive(Debug, Clone, Copy, Default)]
struct Family {
    stays: bool,
    is_tagged: bool,
    newest: Option<DateTime<Utc>>,
}

impl Family {
    fn may_be_newer(self, than: DateTime<Utc>) -> bool {
        self.stays && self.is_tagged && self.newest.is_some_and(|newest| newest >= than)
    }
}

fn families(repository: &Repository, decisions: &[Decision]) -> impl Iterator<Item = Family> {
    let mut families = BTreeMap::<Digest, Family>::new();
    for decision in decisions {
        let Some(image) = repository.image(&decision.digest) else { continue };
        let family = families.entry(decision.head).or_default();
        family.stays |= decision.head == decision.digest && !decision.verdict.is_delete();
        family.is_tagged |= !image.tags.is_empty();
        family.newest = family.newest.max(image.newest_time());
    }
    families.into_values()
}

/// The plan does not say that this very image may go, or not in this way (S-16).
fn not_decided(due: &Due, decisions: &[Decision]) -> Option<&'static str> {
    let place = decisions.binary_search_by_key(&due.image().digest, |decision| decision.digest);
    let decision = place.ok().map(|place| &decisions[place]);
    let is_decided = decision.is_some_and(|decision| match (&decision.verdict, due.kind()) {
        (Verdict::Delete(DeleteReason::Rule { rule: _ }), DueKind::Head)
        | (Verdict::Delete(DeleteReason::Rest), DueKind::Rest) => decision.image == due.image().id,
        (Verdict::Delete(_) | Verdict::Keep(_), DueKind::Head | DueKind::Rest) => false,
    });
    if !is_decided {
        return Some("the plan does not delete it (S-16)");
    }
    let goes = |member: &Digest| {
        let decision = decisions.binary_search_by_key(member, |decision| decision.digest);
        decision.is_ok_and(|place| decisions[place].verdict.is_delete())
    };
    (!due.members().iter().all(goes)).then_some("a member of its family is to stay (S-6)")
}

/// Whether somebody gave it a tag that speaks of no other image.
fn is_plainly_tagged(image: &Image) -> bool {
    image.tags.keys().any(|tag| !tag.as_str().starts_with("sha256-"))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::pass::fleet::{Fleet, fleet, image, now, of};

    const REGION: &str = "eu-milan-1";

    fn ours() -> Vec<CompartmentId> {
        vec!["ocid1.compartment.oc1..ours".parse().unwrap()]
    }

    fn broken(fleet: &Fleet, compartments: &[CompartmentId], region: &str) -> Option<String> {
        let Fleet { inventory, policies, checked, marks: _, due } = fleet;
        let guard = Guard { inventory, checked, guardrails: &policies.guardrails, compartments, region };
        guard.broken(&due[0], now())
    }

    /// Which assertion is broken when the world is not the one that the plan was made from.
    fn broken_after(change: impl FnOnce(&mut Fleet)) -> String {
        let mut fleet = fleet(2);
        assert_eq!(broken(&fleet, &ours(), REGION), None);
        change(&mut fleet);
        broken(&fleet, &ours(), REGION).expect("an assertion is broken")
    }

    #[test]
    fn what_the_planner_and_the_check_agree_on_breaks_nothing() {
        for n_due in 1..40 {
            let fleet = fleet(n_due);
            let Fleet { inventory, policies, checked, marks: _, due } = &fleet;
            let (compartments, guardrails) = (ours(), &policies.guardrails);
            let guard = Guard { inventory, checked, guardrails, compartments: &compartments, region: REGION };
            assert!(due.iter().all(|due| guard.broken(due, now()).is_none()));
        }
    }

    #[test]
    fn a_target_outside_of_what_is_armed_is_broken() {
        let fleet = fleet(1);
        assert!(broken(&fleet, &[], REGION).unwrap().contains("S-10"));
        assert!(broken(&fleet, &ours(), "eu-frankfurt-1").unwrap().contains("S-10"));
        let moved = "ocid1.containerrepo.oc1.eu-milan-1.ns.other";
        assert!(broken_after(|fleet| fleet.repository().id = moved.parse().unwrap()).contains("S-10"));
    }

    #[test]
    fn what_the_plan_does_not_delete_is_broken() {
        let other = |fleet: &mut Fleet| {
            let plan = super::super::fleet::fleet(0);
            fleet.checked = plan.checked;
        };
        assert!(broken_after(other).contains("S-16"));
    }

    #[test]
    fn a_repository_that_was_not_read_is_broken() {
        assert!(broken_after(|fleet| fleet.inventory.repositories.clear()).contains("S-1"));
    }

    #[test]
    fn what_is_too_young_or_among_the_newest_is_broken() {
        let young = broken_after(|fleet| fleet.policies.guardrails.min_age = TimeDelta::days(1_000));
        assert!(young.contains("younger"), "{young}");
        let newest = broken_after(|fleet| {
            fleet.policies.guardrails.min_newest = std::num::NonZeroU32::new(4).unwrap();
        });
        assert!(newest.contains("among the newest"), "{newest}");
    }

    #[test]
    fn images_of_one_time_tie_with_the_newest_and_break_nothing() {
        let at = now() - TimeDelta::days(90);
        let mut images: Vec<Image> = (1..=4).map(|n| image(n, at + TimeDelta::days(1))).collect();
        images.insert(0, image(0, at));
        let fleet = of(images);
        assert_eq!(fleet.due.len(), 1);
        assert_eq!(broken(&fleet, &ours(), REGION), None);
    }
}
