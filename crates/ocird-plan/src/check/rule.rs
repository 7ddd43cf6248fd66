//! Whether the rule that takes a family exists, is about it, and is old enough for it; down to every tag (S-8, S-11, S-18).

use chrono::TimeDelta;
use ocird_model::{DeleteReason, DeleteRule, Image, KeepReason, Policy, Rule, Selects, Verdict};

use super::needed::{may_be_pulled, younger_than};
use super::world::{Ties, World, is_named};
use super::{Report, lifecycle};

pub(super) fn check(world: &World<'_>, ties: &Ties, policy: &Policy, report: &mut Report<'_>) {
    let reach: Vec<Reach> = policy.delete.iter().map(|rule| Reach::of(world, ties, rule)).collect();
    let has_tag = ties.above(&ties.tagged);
    for (place, decision) in world.decisions.iter().enumerate() {
        match &decision.verdict {
            Verdict::Delete(DeleteReason::Rule { rule } | DeleteReason::WithHead { rule })
            | Verdict::Keep(KeepReason::Spared { rule }) => {
                let is_head = decision.head == decision.digest;
                let named = || policy.delete.iter().zip(&reach).filter(|(known, _)| known.name == *rule);
                if named().next().is_none() {
                    report.image(decision.digest, "S-11", format!("there is no delete rule \"{rule}\""));
                } else if is_head && !named().any(|(_, reach)| !reach.is_bound[place]) {
                    report.image(
                        decision.digest,
                        "S-18",
                        format!("rule \"{rule}\" is not about all its tags"),
                    );
                } else if is_head
                    && !named().any(|(_, reach)| !reach.is_bound[place] && !reach.is_young[place])
                {
                    report.image(decision.digest, "S-8", format!("it is too young for rule \"{rule}\""));
                } else if is_head && !named().any(|(_, reach)| reach.takes(place)) {
                    report.image(
                        decision.digest,
                        "S-8",
                        format!("it may have been pulled too lately for rule \"{rule}\""),
                    );
                }
            }
            Verdict::Delete(DeleteReason::Rest) => {
                if has_tag[place] && Rule::S18.in_force() {
                    report.image(decision.digest, "S-18", "somebody tagged this rest, or what it carries");
                }
            }
            Verdict::Keep(_) => {}
        }
    }
}

/// What one rule cannot take.
pub(super) struct Reach {
    /// It is not about the image, or about a tag of what the image carries.
    is_bound: Vec<bool>,
    /// The image or something it carries is too young.
    is_young: Vec<bool>,
    /// The image or something it carries was pulled too lately, or may have been.
    pulled_lately: Vec<bool>,
}

impl Reach {
    pub(super) fn of(world: &World<'_>, ties: &Ties, rule: &DeleteRule) -> Self {
        let above = |limit: Option<TimeDelta>, those: &dyn Fn(TimeDelta) -> Vec<bool>| match limit {
            None => vec![false; world.decisions.len()],
            Some(limit) => ties.above(&those(limit)),
        };
        let is_young = above(rule.older_than, &|limit| younger_than(world, ties, limit));
        // A push or a new tag counts like a pull.
        let is_pushed = above(rule.not_pulled_for, &|limit| younger_than(world, ties, limit));
        let is_pulled =
            above(rule.not_pulled_for, &|limit| world.those(|_, image| may_be_pulled(world, image, limit)));
        Self {
            is_bound: not_about(world, ties, &rule.selects),
            is_young,
            pulled_lately: is_pushed
                .into_iter()
                .zip(is_pulled)
                .map(|(pushed, pulled)| pushed || pulled)
                .collect(),
        }
    }

    pub(super) fn takes(&self, place: usize) -> bool {
        !self.is_bound[place] && !self.is_young[place] && !self.pulled_lately[place]
    }
}

fn not_about(world: &World<'_>, ties: &Ties, selects: &Selects) -> Vec<bool> {
    match selects {
        Selects::Untagged => ties.above(&ties.tagged),
        Selects::Tagged => {
            let abroad = ties.above(&ties.abroad);
            untagged(world, ties).into_iter().zip(abroad).map(|(bare, abroad)| bare || abroad).collect()
        }
        Selects::Tags(patterns) => {
            let has_another = |place, image: &Image| {
                let loose = image.tags.keys().filter(|tag| ties.is_loose(world, place, tag));
                let n_tags = image.tags.len();
                // Without S-18 one tag that the rule may take is enough.
                let n_allowed = if Rule::S18.in_force() { 0 } else { n_tags.saturating_sub(1) };
                loose.filter(|tag| !patterns.matches(tag.as_str())).count() > n_allowed
            };
            let other = world.those(|place, image| !ties.leftover[place] && has_another(place, image));
            ties.above(&other)
                .into_iter()
                .zip(untagged(world, ties))
                .map(|(other, bare)| other || bare)
                .collect()
        }
        Selects::Lifecycle(selection) => lifecycle::not_about(world, ties, selection),
    }
}

/// What a rule about tagged images is not about: a bare head, with nothing below it that anybody gave a name.
fn untagged(world: &World<'_>, ties: &Ties) -> Vec<bool> {
    let named = ties.above(&world.those(|_, image| is_named(image)));
    named.into_iter().zip(&ties.tagged).map(|(named, tagged)| !named && !tagged).collect()
}
