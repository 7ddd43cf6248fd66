//! Which head is selected by which delete rule. Whether something holds it, and whether the rule's line is exceeded, is not
//! asked here.

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, DeleteRule, EffectivePolicy, Patterns, Rule, Selects};

use super::Law;
use super::details::Pulls;
use super::lifecycle;
use super::scene::{Facts, Scene, Tagging};

/// The delete rules that govern, in the order of the file.
pub(super) fn rules<'a>(law: &Law<'a>) -> &'a [DeleteRule] {
    match law.governing {
        EffectivePolicy::One(policy) => &policy.delete,
        EffectivePolicy::None | EffectivePolicy::Contested(_, _) => &[],
    }
}

/// A rule that selects a family. The one that takes it first counts: one without a line, or else the one with the lowest;
/// and of several the first in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Selection {
    /// The rule takes only while the account is above this.
    pub(super) line: Option<Bytes>,
    /// The delete rule at this place.
    pub(super) rule: usize,
}

/// For each image the rule that selects it with everything it reaches.
pub(super) fn selected(scene: &Scene<'_>, law: &Law<'_>) -> Vec<Option<Selection>> {
    let mut selected: Vec<Option<Selection>> = vec![None; scene.facts.len()];
    for (number, rule) in rules(law).iter().enumerate() {
        let asks = DeleteAsks::of(scene, law, rule);
        let selection = Selection { line: rule.while_usage_above, rule: number };
        for (place, selected) in selected.iter_mut().enumerate() {
            if asks.takes(place) && selected.is_none_or(|known| selection < known) {
                *selected = Some(selection);
            }
        }
    }
    selected
}

/// What one delete rule asks, laid out over one repository. A condition that the rule does not name holds for every image.
pub(super) struct DeleteAsks<'s, 'a> {
    scene: &'s Scene<'a>,
    /// For each image whether the rule is about it.
    is_meant: Vec<bool>,
    /// What is from then or from before is old.
    older_than: Option<DateTime<Utc>>,
    /// What was neither pulled nor pushed after its limit is forgotten.
    pulls: Option<Pulls>,
}

impl<'s, 'a> DeleteAsks<'s, 'a> {
    pub(super) fn of(scene: &'s Scene<'a>, law: &Law<'a>, rule: &DeleteRule) -> Self {
        let DeleteRule { name: _, selects, older_than, not_pulled_for, while_usage_above: _ } = rule;
        Self {
            scene,
            is_meant: taken_by(scene, law, selects),
            older_than: older_than.map(|age| law.ago(age)),
            pulls: not_pulled_for.map(|age| Pulls::of(scene, law, age)),
        }
    }

    /// Whether all conditions hold for the image and everything it reaches; its line is not asked.
    pub(super) fn takes(&self, place: usize) -> bool {
        self.is_meant(place) && self.is_old_enough(place) && self.is_forgotten(place)
    }

    pub(super) fn is_meant(&self, place: usize) -> bool {
        self.is_meant[place]
    }

    pub(super) fn is_old_enough(&self, place: usize) -> bool {
        self.older_than.is_none_or(|limit| self.is_from_before(place, limit))
    }

    /// What was never pulled counts from its push, and a push or a new tag counts like a pull.
    pub(super) fn is_forgotten(&self, place: usize) -> bool {
        let is_forgotten =
            |pulls: &Pulls| self.is_from_before(place, pulls.limit()) && !pulls.is_later(place);
        self.pulls.as_ref().is_none_or(is_forgotten)
    }

    fn is_from_before(&self, place: usize, limit: DateTime<Utc>) -> bool {
        self.scene.facts[place].newest_below.is_some_and(|time| time <= limit)
    }
}

/// For each image whether the rule is about it and everything it reaches. A family is tagged when its head is, or when
/// anything in it bears a plain tag; it is untagged when nothing in it bears any tag but ties to present subjects. Between
/// the two lie families with an orphaned tie below a bare head: no rule is about them. What speaks about an image that is not
/// in its repository goes only by a rule that spells its tags out. Each tag must be one the rule may take (S-18).
fn taken_by(scene: &Scene<'_>, law: &Law<'_>, selects: &Selects) -> Vec<bool> {
    let is_tagged = |facts: &Facts| {
        let is_tagged_head = facts.tagging.is_free() && !facts.is_mere_rest;
        is_tagged_head || facts.tagging_below == Tagging::Plain
    };
    match selects {
        Selects::Untagged => scene.facts.iter().map(|facts| !facts.tagging_below.is_free()).collect(),
        Selects::Tagged => {
            scene.facts.iter().map(|facts| is_tagged(facts) && !facts.is_abroad_below).collect()
        }
        Selects::Tags(patterns) => {
            let mut may_go: Vec<bool> =
                (0..scene.facts.len()).map(|place| all_may_go(scene, place, patterns)).collect();
            scene.graph.hand_up(&mut may_go, |holder, carried| holder && carried);
            scene.facts.iter().zip(may_go).map(|(facts, may_go)| may_go && is_tagged(facts)).collect()
        }
        Selects::Lifecycle(selection) => lifecycle::taken_by(scene, law, selection),
    }
}

fn all_may_go(scene: &Scene<'_>, place: usize, patterns: &Patterns) -> bool {
    let mut tags = scene.tags.of(place).iter().map(|borne| borne.tag);
    if Rule::S18.in_force() {
        tags.all(|tag| patterns.matches(tag) || !scene.is_free(tag))
    } else {
        tags.len() == 0 || tags.any(|tag| patterns.matches(tag) || !scene.is_free(tag))
    }
}
