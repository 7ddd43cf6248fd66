//! Families as an Amazon ECR lifecycle document sees them: one image each, with the tags of its head and the time of its
//! last push. What the document's rules mean is in [`crate::ecr`].
//!
//! What a deletion by another hand left of a family is an image each, as at Amazon's: its children are images that nothing names
//! any more, and rules about untagged images and about any take and count them.
//!
//! What a person holds goes by no document and takes no place from others, so that old images which were restored, and bear tags of
//! today, push nothing out. When the hold has ended they still take none, and go as soon as they are older than what does.

use ocird_model::{EcrSelection, EcrTags};

use super::Law;
use super::scene::{Facts, Scene};
use crate::ecr::{EcrImage, expired};
use crate::tag::Borne;

/// For each image whether it is a head that the rule of the document expires with everything it carries. A document
/// speaks of what it can see: where something below a head bears a tag of its own, the head stays. The age asked for is
/// that of everything together.
pub(super) fn taken_by(scene: &Scene<'_>, law: &Law<'_>, selection: &EcrSelection) -> Vec<bool> {
    let heads: Vec<usize> = (0..scene.facts.len())
        .filter(|&place| scene.graph.is_head(place) && !scene.facts[place].is_mere_rest)
        .collect();
    let images: Vec<EcrImage<'_>> =
        heads.iter().map(|&place| seen(scene.tags.of(place), &scene.facts[place])).collect();
    let mut is_named: Vec<bool> = scene.facts.iter().map(|facts| facts.tagging.is_free()).collect();
    scene.graph.hand_up(&mut is_named, |holder, carried| holder || carried);
    let is_about_any = selection.lifecycle().rules()[selection.rule()].tags == EcrTags::Any;
    let mut taken = vec![false; scene.facts.len()];
    for (&place, expiry) in heads.iter().zip(expired(selection.lifecycle(), &images, law.now)) {
        let carries_a_name = || scene.graph.carried_by(place).iter().any(|edge| is_named[edge.carried]);
        taken[place] = expiry.is_some_and(|expiry| {
            expiry.rule == selection.rule()
                && !scene.facts[place].is_held
                && scene.facts[place].newest_below.is_some_and(|time| time < expiry.before)
                && !carries_a_name()
                && !(is_about_any && scene.facts[place].is_abroad_below)
        });
    }
    taken
}

/// A time that cannot be true is not known.
fn seen<'a>(tags: &[Borne<'a>], facts: &Facts) -> EcrImage<'a> {
    EcrImage {
        tags: tags.iter().map(|borne| borne.tag).collect(),
        pushed_at: facts.time.filter(|_| facts.is_plausible),
        is_abroad: facts.is_abroad,
        takes_no_place: facts.was_held,
    }
}
