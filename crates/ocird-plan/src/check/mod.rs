//! Refuses: reads a plan against the safety rules and names everything that is wrong with it. It shares no code with the
//! planner (S-13), and it asks only what may not be deleted: whether a keep gives the best of several reasons is
//! the planner's own affair, as keeping harms nobody.
//!
//! Its way of working is the reverse of the planner's. It starts from what must stay and walks up to every holder; a deletion it
//! meets on the way is a violation of the rule it started from.

mod family;
mod lifecycle;
mod lines;
mod needed;
mod rule;
mod subjects;
mod violation;
mod world;

use chrono::{DateTime, Utc};
use ocird_model::{
    Decision, Digest, EffectivePolicy, InUse, Inventory, KeepReason, Plan, Policies, Repository,
    RepositoryName, RepositoryPlan, RepositoryState, Rule, Verdict,
};

pub use violation::{Violation, Violations};

use subjects::Subjects;
use world::{World, is_chosen};

/// A plan that the check has agreed to: the only kind that is acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedPlan(Plan);

impl CheckedPlan {
    /// The plan.
    pub const fn plan(&self) -> &Plan {
        &self.0
    }
}

/// Agrees to a plan, or names everything in it that the safety rules forbid. The inventory, policies and uses must be those
/// the plan was made from, and `now` an instant at which the deletions would still be right.
pub fn check(
    plan: Plan,
    inventory: &Inventory,
    policies: &Policies,
    in_use: &InUse,
    now: DateTime<Utc>,
) -> Result<CheckedPlan, Violations> {
    let mut found = Vec::new();
    for name in plan.repositories.keys().filter(|name| !inventory.repositories.contains_key(*name)) {
        let mut report = Report { repository: name, found: &mut found };
        report.whole("S-1", "the plan decides about a repository that was not seen");
    }
    let subjects = Subjects::of(inventory);
    let mut worlds = Vec::new();
    for (name, state) in &inventory.repositories {
        let mut report = Report { repository: name, found: &mut found };
        if let Some((repository, decisions)) = decided(plan.repositories.get(name), state, &mut report) {
            let world = World { repository, decisions, policies, in_use, subjects: &subjects, now };
            check_decisions(&world, &mut report);
            worlds.push(world);
        }
    }
    if by_lines(&worlds) {
        lines::check(&worlds, worlds.len() == inventory.repositories.len(), &mut found);
    }
    match Violations::of(found) {
        None => Ok(CheckedPlan(plan)),
        Some(violations) => Err(violations),
    }
}

/// Where the violations of one repository go.
struct Report<'a> {
    repository: &'a RepositoryName,
    found: &'a mut Vec<Violation>,
}

impl Report<'_> {
    fn whole(&mut self, rule: &'static str, text: impl Into<String>) {
        self.add(None, rule, text.into());
    }

    fn image(&mut self, image: Digest, rule: &'static str, text: impl Into<String>) {
        self.add(Some(image), rule, text.into());
    }

    fn add(&mut self, image: Option<Digest>, rule: &'static str, text: String) {
        self.found.push(Violation { repository: self.repository.clone(), image, rule, text });
    }
}

/// True when the account may have had a word in the plan.
fn by_lines(worlds: &[World<'_>]) -> bool {
    let has_line = |world: &World<'_>| match world.policies.governing(&world.repository.name) {
        EffectivePolicy::One(policy) => policy.lines().next().is_some(),
        EffectivePolicy::None | EffectivePolicy::Contested(_, _) => false,
    };
    let is_spared = |decision: &Decision| match &decision.verdict {
        Verdict::Keep(KeepReason::Spared { rule: _ }) => true,
        Verdict::Keep(_) | Verdict::Delete(_) => false,
    };
    worlds.iter().any(|world| has_line(world) || world.decisions.iter().any(is_spared))
}

/// The repository with the decisions about it; nothing where there is no decision for every image, or none is due.
fn decided<'a>(
    plan: Option<&'a RepositoryPlan>,
    state: &'a RepositoryState,
    report: &mut Report<'_>,
) -> Option<(&'a Repository, &'a [Decision])> {
    match (plan, state) {
        (Some(RepositoryPlan::Decided { id, decisions }), RepositoryState::Complete(repository)) => {
            if *id != repository.id {
                report.whole("S-10", "the plan names another repository of the same name");
            }
            if is_whole(repository, decisions, report) {
                return Some((repository, decisions));
            }
        }
        (
            Some(RepositoryPlan::Undecided { id, why: _ }),
            RepositoryState::Unreadable { id: seen, why: _ },
        ) => {
            if id != seen {
                report.whole("S-10", "the plan names another repository of the same name");
            }
        }
        (
            Some(RepositoryPlan::Decided { id: _, decisions: _ }),
            RepositoryState::Unreadable { id: _, why: _ },
        ) => {
            report.whole("S-1", "it was not read whole, and yet decided about");
        }
        (Some(RepositoryPlan::Undecided { id: _, why: _ }), RepositoryState::Complete(_)) => {
            report.whole("S-5", "it was read whole, and yet not decided about");
        }
        (None, RepositoryState::Complete(_) | RepositoryState::Unreadable { id: _, why: _ }) => {
            report.whole("S-5", "the plan leaves it out");
        }
    }
    None
}

/// One decision for every image, in order, about that very image. Without this nothing else can be asked.
fn is_whole(repository: &Repository, decisions: &[Decision], report: &mut Report<'_>) -> bool {
    let mut is_whole = decisions.len() == repository.images.len();
    if !is_whole {
        report.whole("S-5", "there is not one decision for every image");
    }
    for (image, decision) in repository.images.iter().zip(decisions) {
        if image.digest != decision.digest || image.id != decision.image {
            report.image(decision.digest, "S-10", "the decision in its place is about another image");
            is_whole = false;
        }
    }
    for pair in repository.images.windows(2).filter(|pair| pair[0].digest >= pair[1].digest) {
        report.image(pair[1].digest, "S-1", "the listing is not in order or names it twice");
        is_whole = false;
    }
    is_whole
}

fn check_decisions(world: &World<'_>, report: &mut Report<'_>) {
    if !world.decisions.iter().any(|decision| is_chosen(&decision.verdict)) {
        return;
    }
    for (rule, text) in nothing_may_go(world) {
        for decision in world.decisions.iter().filter(|decision| is_chosen(&decision.verdict)) {
            report.image(decision.digest, rule, text);
        }
    }
    if let EffectivePolicy::One(policy) = world.policies.governing(&world.repository.name) {
        let ties = world.ties();
        family::check(world, &ties, report);
        needed::check(world, &ties, policy, report);
        rule::check(world, &ties, policy, report);
    }
}

/// Why nothing at all may go from this repository.
fn nothing_may_go(world: &World<'_>) -> Vec<(&'static str, &'static str)> {
    let mut reasons = Vec::new();
    if world.in_use.doubt_about(&world.repository.name).is_some() {
        reasons.push(("S-4", "it is not known what runs from the repository"));
    }
    if !world.in_use.is_fresh(world.now) {
        reasons.push(("S-4", "what was known to run is no longer fresh"));
    }
    if world.has_unjudged_manifest() && Rule::S7.in_force() {
        reasons.push(("S-7", "a manifest of the repository cannot be judged and may refer to it"));
    }
    match world.policies.governing(&world.repository.name) {
        EffectivePolicy::None => reasons.push(("S-11", "no policy governs the repository")),
        EffectivePolicy::Contested(_, _) => reasons.push(("S-11", "two policies claim the repository")),
        EffectivePolicy::One(policy) => {
            if world.repository.is_public && !policy.enforce_public && Rule::S35.in_force() {
                reasons.push(("S-35", "the repository is public"));
            }
        }
    }
    reasons
}
