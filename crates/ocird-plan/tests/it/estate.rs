//! Several repositories side by side, each with its own policy, under one account. It knows nothing of how anything is
//! decided.

use std::collections::{BTreeMap, BTreeSet};

use ocird_model::{
    Bytes, Decision, DeleteReason, Inventory, MarkKey, Plan, Policies, Repository, RepositoryName,
    RepositoryState, Unreadable, Verdict,
};
use ocird_plan::{CheckedPlan, Violations, account, check, plan};

use crate::fleet::{Fleet, digest, now, patterns};

/// Repositories that are looked at together.
#[derive(Debug, Clone)]
pub(crate) struct Estate {
    pub(crate) fleets: BTreeMap<RepositoryName, Fleet>,
    unreadable: BTreeSet<RepositoryName>,
    n_unlisted: usize,
}

impl Estate {
    pub(crate) fn of(fleets: &[(&str, Fleet)]) -> Self {
        let named = |(name, fleet): &(&str, Fleet)| {
            let mut fleet = fleet.clone();
            fleet.repository.name = name.parse().unwrap();
            fleet.repository.id = format!("ocid1.containerrepo.oc1..{name}").parse().unwrap();
            (*name).clone_into(&mut fleet.policies.policies[0].project);
            fleet.policies.policies[0].repositories = patterns(&[name]);
            (fleet.repository.name.clone(), fleet)
        };
        Self { fleets: fleets.iter().map(named).collect(), unreadable: BTreeSet::new(), n_unlisted: 0 }
    }

    /// Says that one repository could not be read whole.
    pub(crate) fn unreadable(mut self, name: &str) -> Self {
        self.unreadable.insert(name.parse().unwrap());
        self
    }

    /// Says that one repository was never seen, as its compartment could not be listed.
    pub(crate) fn unlisted(mut self, name: &str) -> Self {
        self.fleets.remove(&name.parse().unwrap()).unwrap();
        self.n_unlisted += 1;
        self
    }

    pub(crate) fn fleet(&mut self, name: &str) -> &mut Fleet {
        self.fleets.get_mut(&name.parse().unwrap()).unwrap()
    }

    pub(crate) fn inventory(&self) -> Inventory {
        let state = |fleet: &Fleet| {
            if self.unreadable.contains(&fleet.repository.name) {
                RepositoryState::Unreadable { id: fleet.repository.id.clone(), why: Unreadable::UnknownState }
            } else {
                RepositoryState::Complete(fleet.repository.clone())
            }
        };
        let repositories = self.fleets.iter().map(|(name, fleet)| (name.clone(), state(fleet)));
        Inventory { taken_at: now(), repositories: repositories.collect(), n_unlisted: self.n_unlisted }
    }

    pub(crate) fn policies(&self) -> Policies {
        let guardrails = self.fleets.values().next().unwrap().policies.guardrails;
        let policies = self.fleets.values().flat_map(|fleet| fleet.policies.policies.clone()).collect();
        Policies { guardrails, policies }
    }

    pub(crate) fn in_use(&self) -> ocird_model::InUse {
        let mut in_use = ocird_model::InUse::nothing();
        for (name, fleet) in &self.fleets {
            for (_, uses) in fleet.in_use.all() {
                for used in uses {
                    in_use.add(name.clone(), used.clone());
                }
            }
            for (_, why) in fleet.in_use.doubts() {
                in_use.doubt(patterns(&[name.as_str()]), why);
            }
        }
        in_use
    }

    pub(crate) fn plan(&self) -> Plan {
        plan(&self.inventory(), &self.policies(), &self.in_use(), now())
    }

    pub(crate) fn check(&self, plan: Plan) -> Result<CheckedPlan, Violations> {
        check(plan, &self.inventory(), &self.policies(), &self.in_use(), now())
    }

    /// The plan after the check, which must agree.
    pub(crate) fn checked(&self) -> CheckedPlan {
        let checked = self.check(self.plan());
        checked.unwrap_or_else(|violations| panic!("the check refused the planner's own plan:\n{violations}"))
    }

    fn decisions(&self, keeps: impl Fn(&Decision) -> bool) -> BTreeSet<MarkKey> {
        let checked = self.checked();
        let of = |repository: &Repository| {
            let decisions =
                checked.plan().decisions(&repository.name).iter().filter(|decision| keeps(decision));
            let key =
                |decision: &Decision| MarkKey { repository: repository.id.clone(), head: decision.digest };
            decisions.map(key).collect::<Vec<_>>()
        };
        self.fleets.values().flat_map(|fleet| of(&fleet.repository)).collect()
    }

    /// Every image that would go.
    pub(crate) fn deletions(&self) -> BTreeSet<MarkKey> {
        self.decisions(|decision| decision.verdict.is_delete())
    }

    /// Every head that would go by a rule.
    pub(crate) fn heads(&self) -> BTreeSet<MarkKey> {
        self.decisions(|decision| {
            matches!(&decision.verdict, Verdict::Delete(DeleteReason::Rule { rule: _ }))
        })
    }

    /// The sum of all accounts; `None` when one is not known.
    pub(crate) fn account(&self) -> Option<Bytes> {
        self.fleets.values().map(|fleet| account(&fleet.repository).size).sum::<Option<Bytes>>()
    }

    /// The estate when these heads are gone and what is left of their families follows.
    pub(crate) fn without(&self, heads: &BTreeSet<MarkKey>) -> Self {
        let plan = self.plan();
        let mut after = self.clone();
        for fleet in after.fleets.values_mut() {
            let repository = &mut fleet.repository;
            let key = |head| MarkKey { repository: repository.id.clone(), head };
            let goes =
                |decision: &&Decision| decision.verdict.is_delete() && heads.contains(&key(decision.head));
            let going: Vec<&Decision> = plan.decisions(&repository.name).iter().filter(goes).collect();
            for decision in going {
                if decision.head == decision.digest {
                    repository.images.retain(|image| image.digest != decision.digest);
                } else {
                    repository.rests.insert(decision.digest, decision.head);
                }
            }
        }
        after
    }

    pub(crate) fn verdict(&self, repository: &str, image: &str) -> Verdict {
        let checked = self.checked();
        let decisions = checked.plan().decisions(&repository.parse().unwrap());
        decisions.iter().find(|decision| decision.digest == digest(image)).unwrap().verdict.clone()
    }

    pub(crate) fn goes(&self, repository: &str, image: &str) -> bool {
        self.verdict(repository, image).is_delete()
    }

    /// One line per image: its repository, its name and its verdict.
    pub(crate) fn show(&self) -> String {
        let checked = self.checked();
        let mut lines = Vec::new();
        for fleet in self.fleets.values() {
            for decision in checked.plan().decisions(&fleet.repository.name) {
                let image = fleet.repository.image(&decision.digest).unwrap();
                let name = image.id.as_str().rsplit('.').next().unwrap();
                lines.push(format!("{} {name}: {}", fleet.repository.name, decision.verdict));
            }
        }
        lines.join("\n")
    }
}
