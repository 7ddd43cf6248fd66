//! Decides: one verdict and one reason for every image that was seen. The semantics are in the crate's documentation, those
//! of usage lines in `lines`.
//!
//! Everything here is linear in images and references but for a few sorts and look-ups: facts are computed once per image
//! and handed from carried to holder in one walk, so that neither depth nor sharing can blow it up (S-34).

mod details;
mod elsewhere;
mod keep;
mod ledger;
mod lifecycle;
mod lines;
mod newest;
mod opinion;
mod scene;
mod select;
mod shortfall;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Bytes, Digest, EffectivePolicy, InUse, Inventory, KeepReason, Plan, Policies, Repository, RepositoryName,
    RepositoryPlan, RepositoryState, Rule, Usage,
};

pub use details::DETAILS_SERVE;

use elsewhere::Elsewhere;
use lines::{Accounts, Settled};
use opinion::Bench;
use scene::Scene;

use crate::explain::{AccountSays, Explanation, Tally};

/// Decides about every image of the inventory. Total: what cannot be judged stays, and a repository that was not read
/// whole is left undecided (S-1).
pub fn plan(inventory: &Inventory, policies: &Policies, in_use: &InUse, now: DateTime<Utc>) -> Plan {
    let Judged { benches, reckoning } = judge(inventory, policies, in_use, now);
    let repositories = decisions(inventory, &benches);
    let usage = match reckoning {
        Reckoning::NotAsked => Usage::NotAsked,
        Reckoning::Unknown { because } => Usage::Unknown { because },
        Reckoning::Known { lines, settled: Settled { now, at_first: _ }, left } => {
            let shortfall = shortfall::of(lines, &benches, &left, &repositories);
            Usage::Known { now, after: left.total(), shortfall }
        }
    };
    Plan { at: now, repositories, usage }
}

/// Says what [`plan`] makes of one image, and everything that it was made from. `None` when the repository was not read
/// whole or has no such image. Costs as much as a plan, as the lines bear on all repositories.
pub fn explain(
    inventory: &Inventory,
    policies: &Policies,
    in_use: &InUse,
    now: DateTime<Utc>,
    repository: &RepositoryName,
    digest: &Digest,
) -> Option<Explanation> {
    let Judged { benches, reckoning } = judge(inventory, policies, in_use, now);
    let bench = benches.iter().find(|bench| bench.repository().name == *repository)?;
    let place = bench.repository().position(digest)?;
    Some(bench.explain(place, reckoning.account()))
}

/// Counts what each rule that governs holds or takes now, in every repository that was read whole.
pub fn tally(
    inventory: &Inventory,
    policies: &Policies,
    in_use: &InUse,
    now: DateTime<Utc>,
) -> BTreeMap<RepositoryName, Tally> {
    let Judged { benches, reckoning: _ } = judge(inventory, policies, in_use, now);
    benches.iter().map(|bench| (bench.repository().name.clone(), bench.tally())).collect()
}

/// Every repository that was read whole, judged, and what the account said.
struct Judged<'a> {
    benches: Vec<Bench<'a>>,
    reckoning: Reckoning,
}

/// What the account said.
enum Reckoning {
    /// No rule asks for it.
    NotAsked,
    /// Something of it is not known.
    Unknown { because: RepositoryName },
    /// It was known, and settled what the lines decide.
    Known { lines: BTreeSet<Bytes>, settled: Settled, left: Accounts },
}

impl Reckoning {
    fn account(&self) -> AccountSays {
        match self {
            Self::NotAsked => AccountSays::NotAsked,
            Self::Unknown { because } => AccountSays::Unknown { because: because.clone() },
            Self::Known { lines: _, settled: Settled { now, at_first }, left } => {
                AccountSays::Known { now: *now, at_first: *at_first, after: left.total() }
            }
        }
    }
}

fn judge<'a>(
    inventory: &'a Inventory,
    policies: &'a Policies,
    in_use: &'a InUse,
    now: DateTime<Utc>,
) -> Judged<'a> {
    let law = |repository| Law::of(repository, policies, in_use, now);
    let laws: Vec<Law<'_>> = inventory.complete().map(law).collect();
    let scenes: Vec<Scene<'_>> =
        inventory.complete().zip(&laws).map(|(repository, law)| Scene::of(repository, law)).collect();
    let elsewhere = Elsewhere::of(inventory, &scenes);
    let benches = scenes.into_iter().zip(laws).map(|(scene, law)| Bench::of(scene, law, &elsewhere));
    let mut benches: Vec<Bench<'_>> = benches.collect();
    let reckoning = reckon(inventory, &mut benches);
    benches.iter_mut().for_each(Bench::conclude);
    Judged { benches, reckoning }
}

/// Asks the account about every family that waits for it. An account that is not known lets none go (S-7). What a compartment
/// holds that could not be listed, and of which nothing is known, is left out: an account that is too small lets less go.
fn reckon(inventory: &Inventory, benches: &mut [Bench<'_>]) -> Reckoning {
    let lines = lines::lines(benches);
    if lines.is_empty() {
        return Reckoning::NotAsked;
    }
    let is_unreadable = |state: &RepositoryState| state.complete().is_none() && Rule::S7.in_force();
    let unreadable = inventory.repositories.iter().find(|(_, state)| is_unreadable(state));
    let accounts = match unreadable {
        Some((name, _)) => Err(name.clone()),
        None => Accounts::of(benches),
    };
    match accounts {
        Err(because) => {
            lines::stay(benches);
            Reckoning::Unknown { because }
        }
        Ok(mut left) => {
            let settled = lines::settle(benches, &mut left);
            Reckoning::Known { lines, settled, left }
        }
    }
}

/// The decisions about every repository; there is a bench for each that was read whole, in the same order.
fn decisions(inventory: &Inventory, benches: &[Bench<'_>]) -> BTreeMap<RepositoryName, RepositoryPlan> {
    let mut benches = benches.iter();
    let mut decide = |state: &RepositoryState| match state {
        RepositoryState::Complete(repository) => RepositoryPlan::Decided {
            id: repository.id.clone(),
            decisions: benches.next().map(Bench::decisions).unwrap_or_default(),
        },
        RepositoryState::Unreadable { id, why } => {
            RepositoryPlan::Undecided { id: id.clone(), why: why.clone() }
        }
    };
    inventory.repositories.iter().map(|(name, state)| (name.clone(), decide(state))).collect()
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
            EffectivePolicy::One(policy)
                if repository.is_public && !policy.enforce_public && Rule::S35.in_force() =>
            {
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
