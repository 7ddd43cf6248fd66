//! The check's own look over all repositories for what artifacts speak about: a signature may lie in another repository than
//! the image that it signs.

use std::collections::BTreeSet;

use ocird_model::{Digest, Image, Inventory, Rule};

use super::world::{World, subjects_of};

/// What something speaks about, as far as it is there.
pub(super) struct Subjects {
    seen: BTreeSet<Digest>,
    /// Some repository was not read, or not even listed with its compartment, and may have any of them.
    may_be_unseen: bool,
}

impl Subjects {
    pub(super) fn of(inventory: &Inventory) -> Self {
        let images = || inventory.complete().flat_map(|repository| &repository.images);
        let spoken_of: BTreeSet<Digest> = images().flat_map(subjects_of).collect();
        let seen = images().map(|image| image.digest).filter(|digest| spoken_of.contains(digest));
        let n_read = inventory.complete().count();
        Self {
            seen: seen.collect(),
            may_be_unseen: inventory.n_unlisted > 0 || n_read < inventory.repositories.len(),
        }
    }

    /// The images that speak about something outside their repository that is seen in another.
    pub(super) fn needed(&self, world: &World<'_>) -> Vec<bool> {
        let is_seen = |subject: &Digest| self.seen.contains(subject) && Rule::S6.in_force();
        world.those(|_, image| outside(world, image).any(|subject| is_seen(&subject)))
    }

    /// The images that speak about something outside their repository, while that may be where nobody could look.
    pub(super) fn in_doubt(&self, world: &World<'_>) -> Vec<bool> {
        let is_doubtful = self.may_be_unseen && Rule::S7.in_force();
        world.those(|_, image| is_doubtful && outside(world, image).next().is_some())
    }
}

/// What an image speaks about that its repository does not have.
fn outside(world: &World<'_>, image: &Image) -> impl Iterator<Item = Digest> {
    subjects_of(image).filter(|subject| world.repository.image(subject).is_none())
}
