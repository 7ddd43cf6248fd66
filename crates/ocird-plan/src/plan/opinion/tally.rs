//! Counts what each rule holds or takes in one repository, for people who ask what a policy comes to.

use super::{Bench, keep, select};
use crate::explain::{DeleteTally, KeepTally, Tally};
use crate::plan::keep::KeepAsks;
use crate::plan::scene::Tagging;
use crate::plan::select::DeleteAsks;

impl Bench<'_> {
    /// The count. A family counts once for each rule, whatever else is said of it.
    pub(in crate::plan) fn tally(&self) -> Tally {
        let heads: Vec<usize> =
            (0..self.scene.facts.len()).filter(|&place| self.scene.graph.is_head(place)).collect();
        let is_tagged = |place: &usize| self.scene.facts[*place].tagging == Tagging::Plain;
        Tally {
            n_families: heads.len(),
            n_tagged: heads.iter().filter(|place| is_tagged(place)).count(),
            keep: keep::rules(&self.law).iter().map(|rule| self.tally_keep(rule, &heads)).collect(),
            delete: select::rules(&self.law)
                .iter()
                .map(|rule| {
                    let asks = DeleteAsks::of(&self.scene, &self.law, rule);
                    let taken = || heads.iter().filter(|&&place| asks.takes(place));
                    DeleteTally {
                        rule: rule.name.clone(),
                        n_families: taken().count(),
                        n_tagged: taken().filter(|place| is_tagged(place)).count(),
                        n_free: taken().filter(|&&place| self.is_free(place)).count(),
                    }
                })
                .collect(),
        }
    }

    fn tally_keep(&self, rule: &ocird_model::KeepRule, heads: &[usize]) -> KeepTally {
        let asks = KeepAsks::of(&self.scene, &self.law, rule);
        let mut holds: Vec<bool> = (0..self.scene.facts.len()).map(|place| asks.holds(place)).collect();
        self.scene.graph.hand_up(&mut holds, |holder, carried| holder || carried);
        KeepTally { rule: rule.name.clone(), n_families: heads.iter().filter(|&&place| holds[place]).count() }
    }

    /// True when no keep rule, use or guardrail holds the head.
    fn is_free(&self, place: usize) -> bool {
        self.holds.firm[place].is_none() && self.loan(place).is_none()
    }
}
