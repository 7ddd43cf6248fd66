//! One repository in the tenancy's books: which tags and digests it has, which manifests name which, and the bytes of
//! its layers, each counted once however many images share it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ocird_model::{CompartmentId, Digest, ImageId, RepositoryId, RepositoryName, Tag};

use crate::image::Image;
use crate::manifest::Facts;
use crate::tenancy::NewRepository;
use crate::view::{Mutability, RepositoryKind, Visibility};

#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) id: RepositoryId,
    pub(crate) name: RepositoryName,
    pub(crate) compartment: CompartmentId,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) created_by: String,
    pub(crate) last_pushed_at: Option<DateTime<Utc>>,
    pub(crate) visibility: Visibility,
    pub(crate) mutability: Mutability,
    pub(crate) kind: RepositoryKind,
    /// Number of available images.
    pub(crate) n_available: u64,
    /// Which image a tag points at; only available ones.
    pub(crate) tags: BTreeMap<Tag, ImageId>,
    /// The latest image of each digest, purged ones excluded.
    pub(crate) digests: BTreeMap<Digest, ImageId>,
    /// Every digest that ever was here.
    pub(crate) seen: BTreeSet<Digest>,
    /// The images in the order of the list: newest first.
    pub(crate) order: BTreeSet<(Reverse<DateTime<Utc>>, ImageId)>,
    /// Which indexes ever named a digest.
    pub(crate) parents: BTreeMap<Digest, BTreeSet<Digest>>,
    /// Which manifests ever named a digest as their subject.
    pub(crate) referrers: BTreeMap<Digest, BTreeSet<Digest>>,
    /// Blobs whose bytes exist.
    pub(crate) blobs: BTreeMap<Digest, Arc<[u8]>>,
    /// Stored layers: how many images hold each, and its size.
    layers: BTreeMap<Digest, (u32, u64)>,
    /// Bytes of all stored layers.
    pub(crate) layers_size: u64,
}

impl Repository {
    pub(crate) fn new(id: RepositoryId, new: NewRepository, now: DateTime<Utc>) -> Self {
        Self {
            id,
            name: new.name,
            compartment: new.compartment,
            created_at: now,
            created_by: "ocid1.user.oc1..aaaaaaaaplatform".to_owned(),
            last_pushed_at: None,
            visibility: new.visibility,
            mutability: new.mutability,
            kind: new.kind,
            n_available: 0,
            tags: BTreeMap::new(),
            digests: BTreeMap::new(),
            seen: BTreeSet::new(),
            order: BTreeSet::new(),
            parents: BTreeMap::new(),
            referrers: BTreeMap::new(),
            blobs: BTreeMap::new(),
            layers: BTreeMap::new(),
            layers_size: 0,
        }
    }

    /// Enters a new image into the books.
    pub(crate) fn admit(&mut self, image: &Image) {
        let digest = image.manifest.digest;
        self.n_available += 1;
        self.seen.insert(digest);
        self.digests.insert(digest, image.id.clone());
        self.order.insert((Reverse(image.created_at), image.id.clone()));
        for (child, _) in &image.facts.children {
            self.parents.entry(*child).or_default().insert(digest);
        }
        if let Some(subject) = image.facts.subject {
            self.referrers.entry(subject).or_default().insert(digest);
        }
        self.store(&image.facts);
    }

    /// Counts the layers of an image as stored.
    pub(crate) fn store(&mut self, facts: &Facts) {
        for (digest, size) in &facts.blobs {
            let (n_holders, _) = self.layers.entry(*digest).or_insert((0, *size));
            if *n_holders == 0 {
                self.layers_size += size;
            }
            *n_holders += 1;
        }
    }

    /// Stops counting the layers of an image; what nothing else holds is gone.
    pub(crate) fn release(&mut self, facts: &Facts) {
        for (digest, _) in &facts.blobs {
            let (n_holders, size) = self.layers.get_mut(digest).expect("a stored layer is counted");
            *n_holders -= 1;
            if *n_holders == 0 {
                self.layers_size -= *size;
                self.layers.remove(digest);
            }
        }
    }

    /// Number of distinct stored layers.
    pub(crate) fn n_layers(&self) -> u64 {
        self.layers.len() as u64
    }
}
