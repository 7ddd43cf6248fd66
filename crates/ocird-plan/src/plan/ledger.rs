//! The account of one repository, kept so that families can be taken out of it one by one. It agrees with [`crate::account`]
//! before and after.

use std::collections::{BTreeSet, HashMap};

use ocird_model::{Bytes, Digest, Image, Repository};

use crate::account::{counts, has_lost_its_head, is_countable};
use crate::graph::Graph;

/// What counts in one repository, and who shares it.
pub(super) struct Ledger {
    /// A map without order: it is only ever asked, and its hash is keyed, so that no pusher can choose digests that collide.
    layers: HashMap<Digest, Stored>,
    counts: Vec<bool>,
    /// For each image how many references to it are left. What loses the last of them goes with its holders.
    n_holders: Vec<usize>,
    size: Bytes,
}

/// One distinct layer.
struct Stored {
    /// How often images that count name it.
    n_named: usize,
    /// The smallest size that any of them gives, as in [`crate::account`].
    size: Bytes,
}

impl Ledger {
    /// `None` while the layers of anything that counts are not known.
    pub(super) fn of(repository: &Repository, graph: &Graph) -> Option<Self> {
        let counts = counts(repository, graph);
        let n_holders = (0..counts.len()).map(|place| graph.holders_of(place).len()).collect();
        let mut ledger = Self { layers: HashMap::new(), counts: Vec::new(), n_holders, size: Bytes::ZERO };
        for (image, _) in repository.images.iter().zip(&counts).filter(|(_, counts)| **counts) {
            ledger.enter(image)?;
        }
        ledger.size += ledger.layers.values().map(|layer| layer.size).sum();
        ledger.counts = counts;
        Some(ledger)
    }

    /// What counts in sum.
    pub(super) const fn size(&self) -> Bytes {
        self.size
    }

    /// True when the image counts, and has not been taken out.
    pub(super) fn counts(&self, place: usize) -> bool {
        self.counts[place]
    }

    /// The size at which a layer counts.
    pub(super) fn layer(&self, layer: &Digest) -> Bytes {
        self.layers.get(layer).map_or(Bytes::ZERO, |stored| stored.size)
    }

    fn enter(&mut self, image: &Image) -> Option<()> {
        if !is_countable(image) {
            return None;
        }
        for layer in image.layers.iter().flat_map(|layers| layers.iter()) {
            let stored = self.layers.entry(layer.digest).or_insert(Stored { n_named: 0, size: layer.size });
            stored.n_named += 1;
            stored.size = stored.size.min(layer.size);
        }
        self.size += image.manifest_size;
        Some(())
    }

    /// Takes out a head with everything that nothing else holds any more, and answers what that frees: its manifests, and
    /// the layers that nothing left names. Rests of other families that counted for its sake alone count no more either.
    pub(super) fn take_out(&mut self, repository: &Repository, graph: &Graph, head: usize) -> Bytes {
        let before = self.size;
        let mut family = vec![head];
        let mut next = 0;
        while let Some(&place) = family.get(next) {
            next += 1;
            if std::mem::take(&mut self.counts[place]) {
                self.leave(&repository.images[place]);
            }
            for edge in graph.carried_by(place) {
                self.n_holders[edge.carried] -= 1;
                if self.n_holders[edge.carried] == 0 {
                    family.push(edge.carried);
                }
            }
        }
        if !repository.rests.is_empty() {
            for place in self.ceased(repository, graph, family) {
                self.counts[place] = false;
                self.leave(&repository.images[place]);
            }
        }
        before.saturating_sub(self.size)
    }

    /// The rests below these images that nothing which counts reaches any more.
    fn ceased(&self, repository: &Repository, graph: &Graph, mut open: Vec<usize>) -> BTreeSet<usize> {
        let mut ceased = BTreeSet::new();
        while let Some(place) = open.pop() {
            let rests = graph.carried_by(place).iter().map(|edge| edge.carried).filter(|&carried| {
                self.counts[carried] && has_lost_its_head(repository, &repository.images[carried])
            });
            open.extend(rests.filter(|&rest| ceased.insert(rest)));
        }
        let is_held_by = |holder: usize| self.counts[holder] && !ceased.contains(&holder);
        let mut held: Vec<usize> = ceased
            .iter()
            .copied()
            .filter(|&rest| graph.holders_of(rest).iter().any(|edge| is_held_by(edge.holder)))
            .collect();
        while let Some(place) = held.pop() {
            if ceased.remove(&place) {
                held.extend(graph.carried_by(place).iter().map(|edge| edge.carried));
            }
        }
        ceased
    }

    fn leave(&mut self, image: &Image) {
        for layer in image.layers.iter().flat_map(|layers| layers.iter()) {
            let Some(stored) = self.layers.get_mut(&layer.digest) else { continue };
            stored.n_named -= 1;
            if stored.n_named == 0 {
                self.size = self.size.saturating_sub(stored.size);
            }
        }
        self.size = self.size.saturating_sub(image.manifest_size);
    }
}
