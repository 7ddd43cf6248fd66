//! Which subjects are in other repositories than what speaks about them: a signer may be told to put signatures apart from the
//! images (`COSIGN_REPOSITORY`), and then only all repositories together can say whether a signature is needed.

use std::collections::BTreeSet;

use ocird_model::{Digest, Image, Inventory, Rule};

use super::scene::Scene;

/// The subjects that something speaks about from outside their repository, and what is known of them.
pub(super) struct Elsewhere {
    /// Those that some repository has.
    present: BTreeSet<Digest>,
    /// Every compartment was listed and every repository read whole, so that what was not found is not there.
    is_all_known: bool,
}

impl Elsewhere {
    /// Looks for the subjects of all scenes in all repositories that were read whole.
    pub(super) fn of(inventory: &Inventory, scenes: &[Scene<'_>]) -> Self {
        let abroad = scenes.iter().flat_map(|scene| scene.graph.abroad());
        let wanted: BTreeSet<Digest> = abroad.map(|speaker| speaker.subject).collect();
        let mut present = BTreeSet::new();
        if Rule::S6.in_force() && !wanted.is_empty() {
            for repository in inventory.complete() {
                // Whichever is the shorter way: whoever pushes decides how many are wanted (S-34).
                if wanted.len() < repository.images.len() {
                    present.extend(wanted.iter().filter(|subject| repository.image(subject).is_some()));
                } else {
                    let digests = repository.images.iter().map(|image: &Image| image.digest);
                    present.extend(digests.filter(|digest| wanted.contains(digest)));
                }
            }
        }
        Self { present, is_all_known: inventory.is_whole() || !Rule::S7.in_force() }
    }

    /// Whether some repository has the subject; `None` when one that could not be read or listed may have it (S-7).
    pub(super) fn has(&self, subject: &Digest) -> Option<bool> {
        if self.present.contains(subject) { Some(true) } else { self.is_all_known.then_some(false) }
    }
}
