//! The account by the letter: for every repository the distinct layers of what counts, once, and its manifests.

use std::collections::{BTreeMap, BTreeSet};

use ocird_model::{
    Bytes, Content, Digest, Image, Inventory, Layer, Repository, RepositoryName, RepositoryState,
};

use crate::graph::{Graph, Graphs, subject_in};

/// Images that are taken as gone.
pub(crate) type Gone = BTreeSet<(RepositoryName, Digest)>;

/// What can be counted, of everything.
pub(crate) struct Ledger<'a> {
    inventory: &'a Inventory,
    graphs: &'a Graphs,
}

impl<'a> Ledger<'a> {
    pub(crate) const fn of(inventory: &'a Inventory, graphs: &'a Graphs) -> Self {
        Self { inventory, graphs }
    }

    /// What everything takes that is not gone. `None` when it is not known what everything takes, gone or not.
    pub(crate) fn without(&self, gone: &Gone) -> Option<Bytes> {
        let size = |(name, state): (&RepositoryName, &RepositoryState)| {
            size(state.complete()?, &self.graphs[name], gone)
        };
        self.inventory.repositories.iter().map(size).sum()
    }
}

fn size(repository: &Repository, graph: &Graph, gone: &Gone) -> Option<Bytes> {
    // The smallest size that anything gives a layer: where the registry contradicts itself, counting less deletes less.
    let mut sizes = BTreeMap::<Digest, Bytes>::new();
    for image in counted(repository, graph, &Gone::new()) {
        for layer in layers(image)? {
            let size = sizes.entry(layer.digest).or_insert(layer.size);
            *size = layer.size.min(*size);
        }
    }
    let left = counted(repository, graph, gone);
    let manifests: Bytes = left.iter().map(|image| image.manifest_size).sum();
    let distinct: BTreeSet<Digest> =
        left.iter().filter_map(|image| layers(image)).flatten().map(|layer| layer.digest).collect();
    Some(manifests + distinct.iter().map(|layer| sizes[layer]).sum())
}

fn layers(image: &Image) -> Option<&[Layer]> {
    match (&image.content, &image.layers) {
        (_, Some(layers)) => Some(layers),
        (Content::Index { children: _, subject: _ }, None) => Some(&[]),
        (Content::Manifest { subject: _, config: _ } | Content::Opaque { reason: _ }, None) => None,
    }
}

/// True when an image has a part in the account as everything is now.
pub(crate) fn counts(repository: &Repository, graph: &Graph, digest: Digest) -> bool {
    counted(repository, graph, &Gone::new()).iter().any(|image| image.digest == digest)
}

/// Everything but what is gone and the unnamed of what is left of families whose head is gone; that counts when something that counts
/// carries it.
fn counted<'a>(repository: &'a Repository, graph: &Graph, gone: &Gone) -> Vec<&'a Image> {
    let is_named = |digest: &Digest| {
        repository.image(digest).is_some_and(|image| image.tags.keys().any(|tag| subject_in(tag).is_none()))
    };
    let is_rest = |digest: &Digest| {
        let head = repository.rests.get(digest);
        head.is_some_and(|head| repository.image(head).is_none()) && !is_named(digest)
    };
    let is_gone = |digest: &Digest| gone.contains(&(repository.name.clone(), *digest));
    let digests = repository.images.iter().map(|image| image.digest);
    let roots = digests.filter(|digest| !is_rest(digest) && !is_gone(digest));
    let counted: BTreeSet<Digest> = roots.flat_map(|root| graph.reach(root).clone()).collect();
    repository.images.iter().filter(|image| counted.contains(&image.digest)).collect()
}
