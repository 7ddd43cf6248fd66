//! ocird's own account of storage. Every layer counts once per repository, however many images share it; the registry's own
//! figure lags by hours after a deletion and is no part of this.

use std::collections::{BTreeMap, BTreeSet};

use ocird_model::{Bytes, Content, Decision, Digest, Image, Layer, Repository, Rule};

use crate::graph::Graph;
use crate::tag::{Tags, subject_named_by};

/// What one repository takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// The distinct layers and the manifests of everything that counts; `None` while the layers of any of it are not known.
    pub size: Option<Bytes>,
    /// Number of images in the listing, those that no longer count included.
    pub n_images: u64,
    /// Number of distinct layers that count, as far as they are known.
    pub n_layers: u64,
    /// Number of listed images that no longer count: rests of families whose head ocird deleted.
    pub n_rests: u64,
}

/// The account of one repository. What is left of a family whose head ocird deleted no longer counts, unless an image
/// that does count names it or is its subject: it is on its way out, and counting it would call for more deletions. For the
/// same reason a layer to which manifests give different sizes counts at the smallest of them: whoever pushed the larger
/// figure must not be able to call for deletions by it (S-34).
pub fn account(repository: &Repository) -> Account {
    let counted = counted(repository);
    let layers = Layers::of(counted.iter().copied());
    let manifests: Bytes = counted.iter().map(|image| image.manifest_size).sum();
    Account {
        size: layers.all_known.then(|| layers.size() + manifests),
        n_images: repository.images.len() as u64,
        n_layers: layers.distinct.len() as u64,
        n_rests: (repository.images.len() - counted.len()) as u64,
    }
}

/// What the images that may go hold and no image that stays shares: their manifests, and the layers only they have. `None`
/// while the layers of any image of the repository are not known. A rest frees what it holds, though the account has
/// ceased to count it.
pub fn freed(repository: &Repository, decisions: &[Decision]) -> Option<Bytes> {
    let going: BTreeSet<Digest> = decisions
        .iter()
        .filter(|decision| decision.verdict.is_delete())
        .map(|decision| decision.digest)
        .collect();
    let (going, staying): (Vec<&Image>, Vec<&Image>) =
        repository.images.iter().partition(|image| going.contains(&image.digest));
    let lost = Layers::of(going.iter().copied());
    let left = Layers::of(staying.into_iter());
    let manifests: Bytes = going.iter().map(|image| image.manifest_size).sum();
    (lost.all_known && left.all_known).then(|| lost.size_without(&left) + manifests)
}

/// What the deletion of one image alone gives back, once the images of `gone` are: its manifest, and the layers that no image
/// left has. `None` for an image that is not listed, and while the layers of any image left are not known.
pub fn frees(repository: &Repository, image: &Digest, gone: &BTreeSet<Digest>) -> Option<Bytes> {
    let going = repository.image(image).filter(|going| is_countable(going))?;
    let mut lost: BTreeMap<Digest, Bytes> = BTreeMap::new();
    for layer in going.layers.iter().flat_map(|layers| layers.iter()) {
        lost.entry(layer.digest).and_modify(|size| *size = layer.size.min(*size)).or_insert(layer.size);
    }
    let left = repository.images.iter().filter(|left| left.digest != *image && !gone.contains(&left.digest));
    for left in left {
        if !is_countable(left) {
            return None;
        }
        for layer in left.layers.iter().flat_map(|layers| layers.iter()) {
            lost.remove(&layer.digest);
        }
    }
    Some(going.manifest_size + lost.into_values().sum())
}

/// The images that count: all but rests whose head is gone, and those again when an image that counts reaches them.
fn counted(repository: &Repository) -> Vec<&Image> {
    if repository.rests.is_empty() {
        return repository.images.iter().collect();
    }
    let counts = counts(repository, &Graph::of(repository, &Tags::of_all(repository)));
    repository.images.iter().zip(counts).filter(|(_, counts)| *counts).map(|(image, _)| image).collect()
}

/// True for a rest: ocird deleted the head of the image's family, the listing no longer shows that head, and the image bears no
/// plain tag. What bears one is an image like any other.
pub(crate) fn has_lost_its_head(repository: &Repository, image: &Image) -> bool {
    is_left_over(repository, image) && !has_name(image)
}

/// True when ocird deleted the head of the image's family, and the listing no longer shows that head.
pub(crate) fn is_left_over(repository: &Repository, image: &Image) -> bool {
    let head = repository.rests.get(&image.digest);
    head.is_some_and(|head| repository.position(head).is_none())
}

/// True when the image bears a plain tag: one that is no tie to a subject. Such an image is no rest of a family.
fn has_name(image: &Image) -> bool {
    image.tags.keys().any(|tag| subject_named_by(tag.as_str()).is_none())
}

/// For each image of the repository whether it counts.
pub(crate) fn counts(repository: &Repository, graph: &Graph) -> Vec<bool> {
    let mut counts: Vec<bool> =
        repository.images.iter().map(|image| !has_lost_its_head(repository, image)).collect();
    let mut open: Vec<usize> = Vec::new();
    if counts.contains(&false) {
        open.extend((0..counts.len()).filter(|&place| counts[place]));
    }
    while let Some(place) = open.pop() {
        for carried in graph.carried_by(place).iter().map(|edge| edge.carried) {
            if !counts[carried] {
                counts[carried] = true;
                open.push(carried);
            }
        }
    }
    counts
}

/// True when what the image holds can be counted. An index has no layers of its own, so none can be unknown.
pub(crate) fn is_countable(image: &Image) -> bool {
    match &image.content {
        Content::Index { children: _, subject: _ } => true,
        // Layers that are not known are not taken for none (S-7).
        Content::Manifest { subject: _, config: _ } | Content::Opaque { reason: _ } => {
            image.layers.is_some() || !Rule::S7.in_force()
        }
    }
}

/// The distinct layers of some images, in order of digest.
struct Layers {
    distinct: Vec<Layer>,
    all_known: bool,
}

impl Layers {
    fn of<'a>(images: impl Iterator<Item = &'a Image>) -> Self {
        let mut distinct: Vec<Layer> = Vec::new();
        let mut all_known = true;
        for image in images {
            all_known &= is_countable(image);
            distinct.extend(image.layers.iter().flat_map(|layers| layers.iter()));
        }
        // Smallest first among equal digests, see [`account`].
        distinct.sort_unstable();
        distinct.dedup_by_key(|layer| layer.digest);
        Self { distinct, all_known }
    }

    fn size(&self) -> Bytes {
        self.distinct.iter().map(|layer| layer.size).sum()
    }

    fn size_without(&self, other: &Self) -> Bytes {
        let is_shared =
            |layer: &Layer| other.distinct.binary_search_by_key(&layer.digest, |layer| layer.digest).is_ok();
        self.distinct.iter().filter(|layer| !is_shared(layer)).map(|layer| layer.size).sum()
    }
}
