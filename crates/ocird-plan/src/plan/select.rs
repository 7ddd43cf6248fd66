//! Which head is selected by which delete rule. Whether something holds it is not asked here.

use ocird_model::{DeleteRule, EffectivePolicy, Image, Patterns, Selects};

use super::Law;
use super::scene::{Facts, Scene, Tagging};

/// The delete rules that govern, in the order of the file.
pub(super) fn rules<'a>(law: &Law<'a>) -> &'a [DeleteRule] {
    match law.governing {
        EffectivePolicy::One(policy) => &policy.delete,
        EffectivePolicy::None | EffectivePolicy::Contested(_, _) => &[],
    }
}

/// For each head the place of the first rule that selects its family.
pub(super) fn selected(scene: &Scene<'_>, law: &Law<'_>) -> Vec<Option<usize>> {
    let mut selected = vec![None; scene.facts.len()];
    for (number, rule) in rules(law).iter().enumerate() {
        let takes = taken_by(scene, &rule.selects);
        let limit = rule.older_than.map(|age| law.ago(age));
        for (place, facts) in scene.facts.iter().enumerate() {
            let is_old = |limit| facts.newest_below.is_some_and(|time| time <= limit);
            if selected[place].is_none() && takes[place] && limit.is_none_or(is_old) {
                selected[place] = Some(number);
            }
        }
    }
    selected
}

/// For each image whether the rule is about it and everything it reaches. A family is tagged when its head is, or when
/// anything in it bears a plain tag; it is untagged when nothing in it bears any tag but ties to present subjects. Between
/// the two lie families with an orphaned tie: no rule is about them. Each tag must be one the rule may take (S-18).
fn taken_by(scene: &Scene<'_>, selects: &Selects) -> Vec<bool> {
    let is_tagged = |facts: &Facts| {
        let is_tagged_head = facts.tagging.is_free() && !facts.is_mere_rest;
        is_tagged_head || facts.tagging_below == Tagging::Plain
    };
    match selects {
        Selects::Untagged => scene.facts.iter().map(|facts| !facts.tagging_below.is_free()).collect(),
        Selects::Tagged => scene.facts.iter().map(is_tagged).collect(),
        Selects::Tags(patterns) => {
            let mut may_go: Vec<bool> =
                scene.repository.images.iter().map(|image| all_may_go(scene, image, patterns)).collect();
            scene.graph.hand_up(&mut may_go, |holder, carried| holder && carried);
            scene.facts.iter().zip(may_go).map(|(facts, may_go)| may_go && is_tagged(facts)).collect()
        }
    }
}

fn all_may_go(scene: &Scene<'_>, image: &Image, patterns: &Patterns) -> bool {
    image.tags.keys().all(|tag| patterns.matches(tag.as_str()) || !scene.is_free(tag))
}
