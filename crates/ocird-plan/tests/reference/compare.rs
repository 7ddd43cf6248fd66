//! Both planners on one world, image by image, and the check on what they say.

use ocird_model::{Decision, DeleteReason, EffectivePolicy, Plan, RepositoryName, RepositoryPlan, Verdict};
use ocird_plan::{check, plan};

use crate::dice::Dice;
use crate::planner::{Fate, Fates, decide};
use crate::show::show;
use crate::simpler::steps;
use crate::world::{World, now};

/// What both say of a world.
pub(crate) struct Comparison {
    pub(crate) fates: Fates,
    pub(crate) plan: Plan,
    /// What is wrong, if anything.
    pub(crate) trouble: Option<String>,
}

/// Asks both planners, and the check.
pub(crate) fn compare(world: &World) -> Comparison {
    let in_use = world.in_use();
    let plan = plan(&world.inventory, &world.policies, &in_use, now());
    let fates = decide(world);
    let trouble = if agree(&fates, &plan) {
        let checked = check(plan.clone(), &world.inventory, &world.policies, &in_use, now());
        checked.err().map(|violations| format!("the check refuses the plan:\n{violations}"))
    } else {
        Some("the planners differ".to_owned())
    };
    Comparison { fates, plan, trouble }
}

/// True when both decide about the same images, and would delete the same ones in the same way.
fn agree(fates: &Fates, plan: &Plan) -> bool {
    let decided = plan
        .repositories
        .keys()
        .flat_map(|name| plan.decisions(name).iter().map(move |decision| (name, decision)));
    let all_agree = decided.clone().all(|(name, decision)| {
        fates.get(&(name.clone(), decision.digest)).is_some_and(|fate| is_the_same(fate, decision))
    });
    all_agree && decided.count() == fates.len()
}

fn is_the_same(fate: &Fate, decision: &Decision) -> bool {
    match (&decision.verdict, fate) {
        (Verdict::Keep(_), fate) => !fate.goes(),
        (Verdict::Delete(DeleteReason::Rule { rule }), Fate::ByRule(rules)) => {
            rules.contains(rule) && decision.head == decision.digest
        }
        (Verdict::Delete(DeleteReason::WithHead { rule: _ }), Fate::WithHead(head)) => decision.head == *head,
        (Verdict::Delete(DeleteReason::Rest), Fate::Rest) => true,
        (Verdict::Delete(_), _) => false,
    }
}

/// Turns the keep of one needed image into a deletion. What the check ought to refuse and does not, it tells.
pub(crate) fn flip(world: &World, comparison: &Comparison, dice: &mut Dice) -> Option<Result<(), String>> {
    let needed: Vec<_> =
        comparison.fates.iter().filter(|(_, fate)| matches!(fate, Fate::Needed(_))).collect();
    if needed.is_empty() {
        return None;
    }
    let ((repository, digest), fate) = dice.one_of(&needed);
    let mut wrong = comparison.plan.clone();
    let decision =
        decisions(&mut wrong, repository).iter_mut().find(|decision| decision.digest == *digest)?;
    let rules = match world.policies.governing(repository) {
        EffectivePolicy::One(policy) | EffectivePolicy::Contested(policy, _) => &policy.delete[..],
        EffectivePolicy::None => &[],
    };
    let unknown = || "imagined".parse().unwrap();
    let rule = if rules.is_empty() { unknown() } else { dice.one_of(rules).name.clone() };
    decision.verdict = Verdict::Delete(match dice.below(4) {
        0 => DeleteReason::WithHead { rule },
        1 => DeleteReason::Rest,
        _ => {
            decision.head = decision.digest;
            DeleteReason::Rule { rule }
        }
    });
    let changed = format!("{repository} {:?} turned into {}", decision.digest, decision.verdict);
    match check(wrong, &world.inventory, &world.policies, &world.in_use(), now()) {
        Err(_) => Some(Ok(())),
        Ok(_) => {
            Some(Err(format!("{changed} although it is needed ({}), and the check agrees", fate.words())))
        }
    }
}

fn decisions<'a>(plan: &'a mut Plan, repository: &RepositoryName) -> &'a mut Vec<Decision> {
    match plan.repositories.get_mut(repository) {
        Some(RepositoryPlan::Decided { id: _, decisions }) => decisions,
        Some(RepositoryPlan::Undecided { id: _, why: _ }) | None => {
            panic!("{repository} was not decided about")
        }
    }
}

/// The simplest world that still shows trouble, in words.
pub(crate) fn simplest(mut world: World) -> String {
    while let Some(simpler) = steps(&world)
        .iter()
        .map(|step| step.taken_from(&world))
        .find(|simpler| compare(simpler).trouble.is_some())
    {
        world = simpler;
    }
    let Comparison { fates, plan, trouble } = compare(&world);
    format!("{}\n{}", trouble.unwrap_or_default(), show(&world, &fates, &plan))
}
