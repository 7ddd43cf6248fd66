//! The check's own reading of a repository: which tag ties to which subject, what holds what, and what lies above.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Content, Decision, Digest, Image, InUse, KeepReason, Policies, Repository, Rule, Tag, Verdict,
};

use super::subjects::Subjects;

/// One repository with the decisions about it and all that bears on them.
pub(super) struct World<'a> {
    pub(super) repository: &'a Repository,
    /// One for every image, in the same order.
    pub(super) decisions: &'a [Decision],
    pub(super) policies: &'a Policies,
    pub(super) in_use: &'a InUse,
    /// What things speak about, over all repositories.
    pub(super) subjects: &'a Subjects,
    pub(super) now: DateTime<Utc>,
}

/// Who holds whom, by place, both ways; and what may be judged as the rest of a family that has gone.
pub(super) struct Ties {
    pub(super) holders: Vec<BTreeSet<usize>>,
    pub(super) carried: Vec<BTreeSet<usize>>,
    /// Rests of gone families that nothing else holds.
    pub(super) leftover: Vec<bool>,
    /// Images with a tag that is more than the tie to a present subject. Leftovers are not among them.
    pub(super) tagged: Vec<bool>,
    /// Images that speak about something which is not in the repository. Leftovers are not among them.
    pub(super) abroad: Vec<bool>,
}

impl<'a> World<'a> {
    pub(super) fn images(&self) -> impl Iterator<Item = (usize, &'a Image)> {
        self.repository.images.iter().enumerate()
    }

    pub(super) fn age(&self, time: DateTime<Utc>) -> TimeDelta {
        self.now - time
    }

    /// What ocird deleted the head of, and nobody gave a name: the rests of families.
    pub(super) fn headless(&self) -> Vec<bool> {
        let is_unnamed = self.those(|_, image| !is_named(image));
        self.orphaned().into_iter().zip(is_unnamed).map(|(orphaned, unnamed)| orphaned && unnamed).collect()
    }

    /// What ocird deleted the head of, when the listing no longer shows that head; named or not.
    pub(super) fn orphaned(&self) -> Vec<bool> {
        let present: BTreeSet<Digest> = self.images().map(|(_, image)| image.digest).collect();
        self.those(|_, image| {
            let head = self.repository.rests.get(&image.digest);
            head.is_some_and(|head| !present.contains(head))
        })
    }

    /// What is left of families and has no part in the account: nothing that has a part in it carries it.
    pub(super) fn off_the_account(&self, ties: &Ties) -> Vec<bool> {
        let own: Vec<bool> = self.headless().into_iter().map(|headless| !headless).collect();
        ties.below(&own).into_iter().map(|counts| !counts).collect()
    }

    /// The places of the images for which something is true.
    pub(super) fn those(&self, mut is_one: impl FnMut(usize, &'a Image) -> bool) -> Vec<bool> {
        self.images().map(|(place, image)| is_one(place, image)).collect()
    }

    pub(super) fn has_unjudged_manifest(&self) -> bool {
        self.images().any(|(_, image)| matches!(image.content, Content::Opaque { reason: _ }))
    }

    /// Without S-6 nothing holds anything.
    pub(super) fn ties(&self) -> Ties {
        let places: BTreeMap<Digest, usize> =
            self.images().map(|(place, image)| (image.digest, place)).collect();
        let mut holders = vec![BTreeSet::new(); places.len()];
        let mut carried = vec![BTreeSet::new(); places.len()];
        for (place, image) in self.images().filter(|_| Rule::S6.in_force()) {
            for child in image.content.children().iter().filter_map(|child| places.get(child)) {
                holders[*child].insert(place);
                carried[place].insert(*child);
            }
            for subject in subjects_of(image).filter_map(|subject| places.get(&subject).copied()) {
                holders[place].insert(subject);
                carried[subject].insert(place);
            }
        }
        let leftover = self.leftover(&carried);
        let is_loose = |tag: &Tag| tied_to(tag).is_none_or(|subject| !places.contains_key(&subject));
        let tagged = self.those(|place, image| !leftover[place] && image.tags.keys().any(is_loose));
        let is_absent = |subject| !places.contains_key(&subject);
        let abroad = self.those(|place, image| !leftover[place] && subjects_of(image).any(is_absent));
        Ties { holders, carried, leftover, tagged, abroad }
    }

    /// The rests that nothing else reaches.
    fn leftover(&self, carried: &[BTreeSet<usize>]) -> Vec<bool> {
        let mut leftover = self.headless();
        let others: Vec<bool> = leftover.iter().map(|leftover| !leftover).collect();
        for (place, is_reached) in reached(carried, &others).into_iter().enumerate() {
            leftover[place] &= !is_reached;
        }
        leftover
    }
}

impl Ties {
    /// These images and everything that holds them, directly or through others.
    pub(super) fn above(&self, from: &[bool]) -> Vec<bool> {
        reached(&self.holders, from)
    }

    /// These images and everything they carry, directly or through others.
    pub(super) fn below(&self, from: &[bool]) -> Vec<bool> {
        reached(&self.carried, from)
    }

    /// True when the tag is more than the tie to what holds the image already.
    pub(super) fn is_loose(&self, world: &World<'_>, place: usize, tag: &Tag) -> bool {
        let is_holder = |subject: Digest| {
            self.holders[place].iter().any(|&holder| world.repository.images[holder].digest == subject)
        };
        !tied_to(tag).is_some_and(is_holder)
    }
}

/// The images that are on a circle, or reach one: what is left when everything that carries nothing more is taken away, again
/// and again.
pub(super) fn above_circles(ties: &Ties) -> Vec<bool> {
    let mut left: Vec<usize> = ties.carried.iter().map(BTreeSet::len).collect();
    let mut open: Vec<usize> = (0..left.len()).filter(|&place| left[place] == 0).collect();
    while let Some(place) = open.pop() {
        for &holder in &ties.holders[place] {
            left[holder] -= 1;
            if left[holder] == 0 {
                open.push(holder);
            }
        }
    }
    left.into_iter().map(|left| left > 0).collect()
}

/// True when the plan lets an image go, or would but for the account: both speak for a mark, and a mark for a deletion.
pub(super) const fn is_chosen(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Delete(_) | Verdict::Keep(KeepReason::Spared { rule: _ }) => true,
        Verdict::Keep(_) => false,
    }
}

/// Everything that the image speaks about, by its tags or by its manifest.
pub(super) fn subjects_of(image: &Image) -> impl Iterator<Item = Digest> {
    image.tags.keys().filter_map(tied_to).chain(image.content.subject())
}

/// Every time of the image, or `None` in place of one that is absent: its own and those of its tags (S-8).
pub(super) fn times(image: &Image) -> impl Iterator<Item = Option<DateTime<Utc>>> {
    let n_ignored = if Rule::S8.in_force() { 0 } else { image.tags.len() };
    image.times().skip(n_ignored)
}

/// True when a person or a pipeline gave the image a name.
pub(super) fn is_named(image: &Image) -> bool {
    image.tags.keys().any(|tag| tied_to(tag).is_none())
}

/// Everything that can be reached along the edges, the beginnings included.
fn reached(edges: &[BTreeSet<usize>], from: &[bool]) -> Vec<bool> {
    let mut reached = from.to_vec();
    let mut open: Vec<usize> = (0..from.len()).filter(|&place| from[place]).collect();
    while let Some(place) = open.pop() {
        for &next in &edges[place] {
            if !std::mem::replace(&mut reached[next], true) {
                open.push(next);
            }
        }
    }
    reached
}

/// The digest in a tag such as `sha256-<hex>` or `sha256-<hex>.sig`.
fn tied_to(tag: &Tag) -> Option<Digest> {
    let text = tag.as_str();
    let stem = text.split_once('.').map_or(text, |(stem, _)| stem);
    let (algorithm, hex) = stem.split_once('-')?;
    format!("{algorithm}:{hex}").parse().ok()
}
