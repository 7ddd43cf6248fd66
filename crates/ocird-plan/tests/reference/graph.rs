//! What holds what in one repository, as sets and fixpoints, walked anew for every question.

use std::collections::{BTreeMap, BTreeSet};

use ocird_model::{Digest, Image, Inventory, Repository, RepositoryName, Tag};

/// Who carries whom among the images that are listed.
pub(crate) struct Graph {
    carries: BTreeMap<Digest, BTreeSet<Digest>>,
    reaches: BTreeMap<Digest, BTreeSet<Digest>>,
}

/// The graphs of all repositories that were read whole.
pub(crate) type Graphs = BTreeMap<RepositoryName, Graph>;

/// Draws them.
pub(crate) fn graphs(inventory: &Inventory) -> Graphs {
    inventory.complete().map(|repository| (repository.name.clone(), Graph::of(repository))).collect()
}

impl Graph {
    fn of(repository: &Repository) -> Self {
        let subjects: Vec<(&Image, BTreeSet<Digest>)> =
            repository.images.iter().map(|image| (image, subjects_of(image))).collect();
        let carried_by = |holder: &Image| -> BTreeSet<Digest> {
            let names = |image: &Image| holder.content.children().contains(&image.digest);
            let carried =
                subjects.iter().filter(|(image, subjects)| names(image) || subjects.contains(&holder.digest));
            carried.map(|(image, _)| image.digest).collect()
        };
        let carries: BTreeMap<_, _> =
            repository.images.iter().map(|image| (image.digest, carried_by(image))).collect();
        let reaches = carries.keys().map(|digest| (*digest, closure(&carries, *digest))).collect();
        Self { carries, reaches }
    }

    /// Everything that an image reaches downwards, itself included.
    pub(crate) fn reach(&self, digest: Digest) -> &BTreeSet<Digest> {
        &self.reaches[&digest]
    }

    /// Everything that reaches an image downwards, itself included.
    pub(crate) fn above(&self, digest: Digest) -> impl Iterator<Item = &Digest> {
        self.reaches.iter().filter(move |(_, reached)| reached.contains(&digest)).map(|(above, _)| above)
    }

    /// True when nothing that is listed carries it, not even itself.
    pub(crate) fn is_head(&self, digest: Digest) -> bool {
        self.carries.values().all(|carried| !carried.contains(&digest))
    }

    /// True when it is on a circle, or above one.
    pub(crate) fn meets_a_circle(&self, digest: Digest) -> bool {
        let is_on_circle = |on: &Digest| self.carries[on].iter().any(|next| self.reaches[next].contains(on));
        self.reaches[&digest].iter().any(is_on_circle)
    }

    /// Everything but heads and what circles hold of which every head above it is one of these.
    pub(crate) fn under_only(&self, heads: &BTreeSet<Digest>) -> BTreeSet<Digest> {
        let is_theirs = |member: &Digest| {
            !self.is_head(*member)
                && self.above(*member).all(|above| {
                    let is_on_circle =
                        self.carries[above].iter().any(|next| self.reaches[next].contains(above));
                    !is_on_circle && (!self.is_head(*above) || heads.contains(above))
                })
        };
        self.carries.keys().copied().filter(is_theirs).collect()
    }
}

/// Everything that an image speaks about, listed or not.
pub(crate) fn subjects_of(image: &Image) -> BTreeSet<Digest> {
    image.tags.keys().filter_map(subject_in).chain(image.content.subject()).collect()
}

fn closure(carries: &BTreeMap<Digest, BTreeSet<Digest>>, from: Digest) -> BTreeSet<Digest> {
    let mut reached = BTreeSet::from([from]);
    loop {
        let next: BTreeSet<Digest> =
            reached.iter().flat_map(|digest| carries[digest].iter().copied()).collect();
        if next.is_subset(&reached) {
            return reached;
        }
        reached.extend(next);
    }
}

/// The subject that a tag names by its form, `sha256-<hex>` with or without a suffix such as `.sig`.
pub(crate) fn subject_in(tag: &Tag) -> Option<Digest> {
    let (algorithm, rest) = tag.as_str().split_once('-')?;
    let hex = rest.split('.').next()?;
    (algorithm == "sha256").then(|| format!("sha256:{hex}").parse().ok()).flatten()
}
