//! What the rules match in the registry as it is now (S-12), and what of that is probably not meant. A warning is a question to
//! the owner of a policy; nothing is decided by it.

use std::collections::BTreeMap;

use ocird_model::{
    Decision, DeleteReason, EffectivePolicy, Policies, Policy, RepositoryName, RepositoryState, RuleName,
    Verdict,
};
use ocird_plan::{DeleteTally, KeepTally, Tally};
use serde::Serialize;

use crate::cli::Failure;
use crate::cli::look::Look;
use crate::config::{Config, Mode};
use crate::pass::gate;

/// What a look at the registry showed of the policies.
#[derive(Debug)]
pub(super) struct Review {
    pub(super) policies: Vec<PolicyReview>,
    pub(super) warnings: Vec<String>,
}

/// What one policy comes to, over all repositories that it alone governs. Counts are of families.
#[derive(Debug, Serialize)]
pub(super) struct PolicyReview {
    pub(super) project: String,
    pub(super) repositories: Vec<RepositoryName>,
    pub(super) n_families: usize,
    pub(super) n_tagged: usize,
    pub(super) keep: Vec<KeepMatches>,
    pub(super) delete: Vec<DeleteMatches>,
}

#[derive(Debug, Serialize)]
pub(super) struct KeepMatches {
    pub(super) rule: RuleName,
    /// Number of families that it holds, whatever its line.
    pub(super) n_families: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct DeleteMatches {
    pub(super) rule: RuleName,
    /// Number of families that it selects, whatever its line.
    pub(super) n_families: usize,
    /// Number of those that no keep rule, guardrail or use holds.
    pub(super) n_free: usize,
}

impl Review {
    /// Reviews the policies of the configuration against what was seen.
    pub(super) fn of(look: &Look) -> Result<Self, Failure> {
        let policies = &look.config.policies;
        let tallies = ocird_plan::tally(&look.inventory, policies, &look.in_use, look.at);
        let mut warnings: Vec<String> = arming(&look.config, &look.identity).into_iter().collect();
        warnings.extend(unread(&look.inventory.repositories));
        warnings.extend(ownership(policies, &look.inventory.repositories));
        let doubts = look.in_use.doubts();
        warnings.extend(doubts.map(|(names, why)| format!("what runs from {names} is not known: {why}")));
        let mut reviewed = Vec::new();
        let plan = look.plan(policies)?;
        for policy in &policies.policies {
            let governed = tallies.iter().filter(|(name, _)| governs(policies, policy, name));
            let governed: BTreeMap<&RepositoryName, &Tally> = governed.collect();
            let review = PolicyReview::of(policy, &governed);
            warnings.extend(review.warnings());
            for (name, tally) in governed {
                warnings.extend(greedy(name, policy, tally, plan.decisions(name)));
            }
            reviewed.push(review);
        }
        Ok(Self { policies: reviewed, warnings })
    }
}

fn governs(policies: &Policies, policy: &Policy, name: &RepositoryName) -> bool {
    matches!(policies.governing(name), EffectivePolicy::One(one) if std::ptr::eq(one, policy))
}

/// What arming would say, armed or not: whoever arms tomorrow should read it today.
fn arming(config: &Config, identity: &(ocird_model::TenancyId, String)) -> Option<String> {
    config.armed_for.as_ref()?;
    let armed = Config { mode: Mode::Enforce, ..config.clone() };
    gate::arming(&armed, Some(identity)).1.map(|refusal| refusal.text)
}

fn unread(repositories: &BTreeMap<RepositoryName, RepositoryState>) -> Vec<String> {
    let unread = repositories.iter().filter_map(|(name, state)| match state {
        RepositoryState::Unreadable { id: _, why } => Some(format!("{name} cannot be read: {why}")),
        RepositoryState::Complete(_) => None,
    });
    unread.collect()
}

fn ownership(policies: &Policies, repositories: &BTreeMap<RepositoryName, RepositoryState>) -> Vec<String> {
    let odd = repositories.keys().filter_map(|name| match policies.governing(name) {
        EffectivePolicy::One(_) => None,
        EffectivePolicy::None => Some(format!("{name}: no policy governs it, so nothing of it ever goes")),
        EffectivePolicy::Contested(one, other) => Some(format!(
            "{name}: the policies of {} and {} both claim it, so nothing of it ever goes",
            one.project, other.project
        )),
    });
    odd.collect()
}

/// Delete rules that select more than half of the tagged families of a repository. One with a line selects everything by
/// design, and takes the fewest: of it only what goes now counts.
fn greedy(name: &RepositoryName, policy: &Policy, tally: &Tally, decisions: &[Decision]) -> Vec<String> {
    let goes_by = |rule: &RuleName| {
        let wanted = Verdict::Delete(DeleteReason::Rule { rule: rule.clone() });
        decisions.iter().filter(|decision| decision.verdict == wanted).count()
    };
    let mut warnings = Vec::new();
    for (rule, DeleteTally { rule: called, n_families: _, n_tagged, n_free }) in
        policy.delete.iter().zip(&tally.delete)
    {
        let (n_taken, words) = if rule.while_usage_above.is_none() {
            (*n_tagged, format!("selects {n_tagged}, {n_free} of them free,"))
        } else {
            let n_going = goes_by(called).min(*n_tagged);
            (n_going, format!("takes {n_going} now"))
        };
        if n_taken * 2 > tally.n_tagged {
            let n_all = tally.n_tagged;
            warnings.push(format!("{name}: delete rule \"{called}\" {words} of {n_all} tagged families"));
        }
    }
    warnings
}

impl PolicyReview {
    fn of(policy: &Policy, governed: &BTreeMap<&RepositoryName, &Tally>) -> Self {
        let sum = |count: &dyn Fn(&Tally) -> usize| governed.values().map(|tally| count(tally)).sum();
        let keep = policy.keep.iter().enumerate().map(|(number, rule)| KeepMatches {
            rule: rule.name.clone(),
            n_families: sum(&|tally| {
                tally.keep.get(number).map_or(0, |KeepTally { rule: _, n_families }| *n_families)
            }),
        });
        let delete = policy.delete.iter().enumerate().map(|(number, rule)| DeleteMatches {
            rule: rule.name.clone(),
            n_families: sum(&|tally| tally.delete.get(number).map_or(0, |rule| rule.n_families)),
            n_free: sum(&|tally| tally.delete.get(number).map_or(0, |rule| rule.n_free)),
        });
        Self {
            project: policy.project.clone(),
            repositories: governed.keys().map(|name| (*name).clone()).collect(),
            n_families: sum(&|tally| tally.n_families),
            n_tagged: sum(&|tally| tally.n_tagged),
            keep: keep.collect(),
            delete: delete.collect(),
        }
    }

    fn warnings(&self) -> Vec<String> {
        let Self { project, repositories, n_families: _, n_tagged: _, keep, delete } = self;
        if repositories.is_empty() {
            return vec![format!("{project}: its policy governs no repository that there is")];
        }
        let idle = keep.iter().filter(|rule| rule.n_families == 0);
        let idle =
            idle.map(|KeepMatches { rule, .. }| format!("{project}: keep rule \"{rule}\" holds nothing now"));
        let vain = delete.iter().filter(|rule| rule.n_families > 0 && rule.n_free == 0);
        let vain = vain.map(|DeleteMatches { rule, n_families, n_free: _ }| {
            format!("{project}: delete rule \"{rule}\" can take nothing now: all {n_families} that it selects are held")
        });
        idle.chain(vain).collect()
    }
}
