//! Decides: one verdict and one reason for every image that was seen. The semantics are in the crate's documentation.
//!
//! Everything here is linear in images and references but for a few sorts and look-ups: facts are computed once per image
//! and handed from carried to holder in one walk, so that neither depth nor sharing can blow it up (S-34).

mod keep;
mod opinion;
mod scene;
mod select;

use std::ops::RangeInclusive;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    EffectivePolicy, InUse, Inventory, KeepReason, Plan, Policies, Repository, RepositoryPlan,
    RepositoryState,
};

/// Decides about every image of the inventory. Total: what cannot be judged stays, and a repository that was not read
/// whole is left undecided (S-1).
pub fn plan(inventory: &Inventory, policies: &Policies, in_use: &InUse, now: DateTime<Utc>) -> Plan {
    let repositories = inventory
        .repositories
        .iter()
        .map(|(name, state)| {
            let plan = match state {
                RepositoryState::Complete(repository) => RepositoryPlan::Decided {
                    id: repository.id.clone(),
                    decisions: opinion::decide(repository, &Law::of(repository, policies, in_use, now)),
                },
                RepositoryState::Unreadable { id, why } => {
                    RepositoryPlan::Undecided { id: id.clone(), why: why.clone() }
                }
            };
            (name.clone(), plan)
        })
        .collect();
    Plan { at: now, repositories }
}

/// Everything from outside a repository that bears on its images.
struct Law<'a> {
    policies: &'a Policies,
    governing: EffectivePolicy<'a>,
    in_use: &'a InUse,
    /// A reason that holds every image of the repository, whatever else is said.
    blanket: Option<KeepReason>,
    /// It is not known what runs from here, or no longer (S-4).
    is_doubtful: bool,
    now: DateTime<Utc>,
    /// The times an image can have (S-8).
    plausible: RangeInclusive<DateTime<Utc>>,
}

/// The first instant an image can be from, in seconds since 1970: 2013, when the software that made the first ones came out.
const FIRST_PLAUSIBLE: i64 = 1_356_998_400;

/// How far a time may be ahead: the skew that the cloud itself allows a signed request.
/// <https://docs.oracle.com/en-us/iaas/Content/API/Concepts/usingapi.htm>
const MAX_AHEAD: TimeDelta = TimeDelta::minutes(5);

impl<'a> Law<'a> {
    fn of(repository: &Repository, policies: &'a Policies, in_use: &'a InUse, now: DateTime<Utc>) -> Self {
        let governing = policies.governing(&repository.name);
        let blanket = match governing {
            EffectivePolicy::None => Some(KeepReason::NoPolicy),
            EffectivePolicy::Contested(_, _) => Some(KeepReason::Contested),
            EffectivePolicy::One(policy) if repository.is_public && !policy.enforce_public => {
                Some(KeepReason::Public)
            }
            EffectivePolicy::One(_) => None,
        };
        let is_doubtful = in_use.doubt_about(&repository.name).is_some() || !in_use.is_fresh(now);
        let first = DateTime::from_timestamp(FIRST_PLAUSIBLE, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let last = now.checked_add_signed(MAX_AHEAD).unwrap_or(now);
        Self { policies, governing, in_use, blanket, is_doubtful, now, plausible: first..=last }
    }

    /// The instant so long ago: what is from before or from then is at least as old as that, and what is from after is
    /// younger. Found once and compared with many times.
    fn ago(&self, age: TimeDelta) -> DateTime<Utc> {
        self.now.checked_sub_signed(age).unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    /// True for a time that an image can have; never for one that is absent.
    fn is_plausible(&self, time: Option<DateTime<Utc>>) -> bool {
        time.is_some_and(|time| self.plausible.contains(&time))
    }
}
