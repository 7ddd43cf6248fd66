//! Everything the tenancy knows, and the changes that come with time: a deleted image is DELETING, then DELETED, its
//! storage is released late, and after the restore window it is purged.
//!
//! Only the tenancy's methods touch it, under one lock. Nothing here checks permissions.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ocird_model::{CompartmentId, Digest, ImageId, RepositoryId, RepositoryName, Tag};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::error::ApiError;
use crate::fault::Faults;
use crate::iam::Iam;
use crate::image::{Image, Life, Stamp};
use crate::manifest::{Facts, Manifest};
use crate::repository::Repository;
use crate::settings::{EtagChanges, PullTimes, Settings, parsed};
use crate::view::{AuthTokenView, SignatureView};
use crate::violation::Violation;
use crate::workload::Host;

/// Everything the tenancy knows.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) iam: Iam,
    pub(crate) faults: Faults,
    pub(crate) repositories: BTreeMap<RepositoryId, Repository>,
    pub(crate) names: BTreeMap<RepositoryName, RepositoryId>,
    /// Every image that is not purged.
    pub(crate) images: BTreeMap<ImageId, Image>,
    /// What time will do to deleted images.
    timeline: BTreeMap<(DateTime<Utc>, u64), (ImageId, Step)>,
    pub(crate) hosts: BTreeMap<String, Host>,
    pub(crate) signatures: Vec<SignatureView>,
    pub(crate) auth_tokens: BTreeMap<String, Vec<AuthTokenView>>,
    pub(crate) deletions: Vec<Deletion>,
    pub(crate) violations: Vec<Violation>,
    random: ChaCha8Rng,
    /// Number of things that were ever given an identifier; keeps simultaneous steps in order.
    serial: u64,
}

/// A deletion that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// When.
    pub at: DateTime<Utc>,
    /// By whom.
    pub hand: Hand,
    /// The image.
    pub image: ImageId,
    /// Its digest.
    pub digest: Digest,
    /// The repository's name.
    pub repository: RepositoryName,
    /// The tags that went with it.
    pub tags: Vec<Tag>,
}

/// Whose deletion it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hand {
    /// The daemon's, through the API.
    Daemon,
    /// Somebody else's: native retention, or a person.
    Other,
}

/// What time does to a deleted image.
#[derive(Debug, Clone, Copy)]
struct Step {
    change: Change,
    /// The turn of the image's life it belongs to.
    turn: u64,
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Deleted,
    StorageReleased,
    Purged,
}

impl State {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            iam: Iam::everything(),
            faults: Faults::default(),
            repositories: BTreeMap::new(),
            names: BTreeMap::new(),
            images: BTreeMap::new(),
            timeline: BTreeMap::new(),
            hosts: BTreeMap::new(),
            signatures: Vec::new(),
            auth_tokens: BTreeMap::new(),
            deletions: Vec::new(),
            violations: Vec::new(),
            random: ChaCha8Rng::seed_from_u64(settings.seed),
            serial: 0,
            settings,
        }
    }

    /// Does what time has done since the last look.
    pub(crate) fn settle(&mut self, now: DateTime<Utc>) {
        while let Some(entry) = self.timeline.first_entry() {
            if entry.key().0 > now {
                return;
            }
            let (image, step) = entry.remove();
            self.take_step(&image, step);
        }
    }

    fn take_step(&mut self, id: &ImageId, step: Step) {
        let Some(image) = self.images.get_mut(id) else {
            return;
        };
        if image.n_turns != step.turn {
            return;
        }
        match step.change {
            Change::Deleted => {
                if let Life::Deleting { since } = image.life {
                    image.life = Life::Deleted { since };
                    image.version += 1;
                }
            }
            Change::StorageReleased => self.release(id),
            Change::Purged => {
                self.release(id);
                self.purge(id);
            }
        }
    }

    /// Takes an available image out of service: its tags are gone at once, the rest goes with time.
    pub(crate) fn remove(&mut self, id: &ImageId, hand: Hand, now: DateTime<Utc>) {
        let settings = &self.settings;
        let times = [
            (Change::Deleted, settings.deletion_delay),
            (Change::StorageReleased, settings.storage_lag),
            (Change::Purged, settings.restore_window),
        ];
        let image = self.images.get_mut(id).expect("the caller has looked it up");
        image.life = Life::Deleting { since: now };
        image.n_turns += 1;
        image.version += 1;
        let turn = image.n_turns;
        let tags: Vec<Tag> = std::mem::take(&mut image.tags).into_keys().collect();
        let repository =
            self.repositories.get_mut(&image.repository).expect("an image lives in a repository");
        repository.n_available -= 1;
        for tag in &tags {
            repository.tags.remove(tag);
        }
        self.deletions.push(Deletion {
            at: now,
            hand,
            image: id.clone(),
            digest: image.manifest.digest,
            repository: repository.name.clone(),
            tags,
        });
        for (change, delay) in times {
            self.serial += 1;
            self.timeline.insert((now + delay, self.serial), (id.clone(), Step { change, turn }));
        }
    }

    /// Brings a deleted image back, without its tags.
    pub(crate) fn revive(&mut self, id: &ImageId, now: DateTime<Utc>) {
        let image = self.images.get_mut(id).expect("the caller has looked it up");
        image.life = Life::Available;
        image.appeared_at = now;
        image.n_turns += 1;
        image.version += 1;
        let repository =
            self.repositories.get_mut(&image.repository).expect("an image lives in a repository");
        repository.n_available += 1;
        repository.digests.insert(image.manifest.digest, id.clone());
        if !image.is_stored {
            image.is_stored = true;
            repository.store(&image.facts);
        }
    }

    fn release(&mut self, id: &ImageId) {
        let image = self.images.get_mut(id).expect("the caller has looked it up");
        if image.is_stored {
            image.is_stored = false;
            let repository =
                self.repositories.get_mut(&image.repository).expect("an image lives in a repository");
            repository.release(&image.facts);
        }
    }

    fn purge(&mut self, id: &ImageId) {
        let image = self.images.remove(id).expect("the caller has looked it up");
        let repository =
            self.repositories.get_mut(&image.repository).expect("an image lives in a repository");
        repository.order.remove(&(Reverse(image.created_at), id.clone()));
        if repository.digests.get(&image.manifest.digest) == Some(id) {
            repository.digests.remove(&image.manifest.digest);
        }
    }

    /// Adds a new image without tags.
    pub(crate) fn add(
        &mut self,
        repository: &RepositoryId,
        manifest: Manifest,
        by: &str,
        now: DateTime<Utc>,
    ) -> ImageId {
        let id: ImageId = parsed(&self.ocid("containerimage"));
        let image = Image {
            id: id.clone(),
            repository: repository.clone(),
            facts: Facts::read(&manifest),
            manifest,
            tags: BTreeMap::new(),
            last_tag: None,
            untagged_at: None,
            created_at: now,
            appeared_at: now,
            created_by: by.to_owned(),
            n_pulls: 0,
            last_pulled_at: None,
            life: Life::Available,
            version: 1,
            n_turns: 0,
            is_stored: true,
        };
        let home = self.repositories.get_mut(repository).expect("the caller has looked it up");
        home.admit(&image);
        self.images.insert(id.clone(), image);
        id
    }

    /// Points a tag at an available image, away from whichever had it.
    pub(crate) fn tag(&mut self, id: &ImageId, tag: &Tag, by: &str, now: DateTime<Utc>) {
        let repository = self.images[id].repository.clone();
        let before = self
            .repositories
            .get_mut(&repository)
            .expect("an image lives in a repository")
            .tags
            .insert(tag.clone(), id.clone());
        if let Some(before) = before.filter(|before| before != id) {
            self.untag(&before, tag, now);
        }
        let changes = self.settings.etag;
        let image = self.images.get_mut(id).expect("the caller has looked it up");
        let stamp = Stamp { at: now, by: by.to_owned() };
        image.tags.insert(tag.clone(), stamp);
        image.last_tag = Some(tag.clone());
        image.note_tag_change(changes);
    }

    /// Takes a tag from an image. The tag itself may already point elsewhere.
    pub(crate) fn untag(&mut self, id: &ImageId, tag: &Tag, now: DateTime<Utc>) {
        let changes = self.settings.etag;
        let image = self.images.get_mut(id).expect("the caller has looked it up");
        image.tags.remove(tag);
        image.untagged_at = Some(now);
        image.note_tag_change(changes);
        let repository =
            self.repositories.get_mut(&image.repository).expect("an image lives in a repository");
        if repository.tags.get(tag) == Some(id) {
            repository.tags.remove(tag);
        }
    }

    /// Counts one pull.
    pub(crate) fn count_pull(&mut self, id: &ImageId, now: DateTime<Utc>) {
        let (changes, times) = (self.settings.etag, self.settings.pull_times);
        let image = self.images.get_mut(id).expect("the caller has looked it up");
        image.n_pulls += 1;
        if times == PullTimes::Known {
            image.last_pulled_at = Some(now);
        }
        if changes == EtagChanges::TagsAndPulls {
            image.version += 1;
        }
    }

    /// The repository of this name.
    pub(crate) fn repository(&self, name: &RepositoryName) -> Result<&Repository, ApiError> {
        self.names.get(name).map(|id| &self.repositories[id]).ok_or(ApiError::NotAuthorizedOrNotFound)
    }

    /// The available image of this digest in this repository.
    pub(crate) fn available(&self, repository: &Repository, digest: &Digest) -> Option<&Image> {
        repository
            .digests
            .get(digest)
            .map(|id| &self.images[id])
            .filter(|image| image.life == Life::Available)
    }

    /// True when the compartment is the tenancy's root or one below it.
    pub(crate) fn knows(&self, compartment: &CompartmentId) -> bool {
        compartment.as_str() == self.settings.tenancy.as_str()
            || self.settings.compartments.contains(compartment)
    }

    /// A new identifier of this kind, in the form of the real ones.
    pub(crate) fn ocid(&mut self, kind: &str) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        self.serial += 1;
        let unique: String =
            (0..52).map(|_| char::from(ALPHABET[self.random.random_range(0..ALPHABET.len())])).collect();
        let Settings { region, namespace, .. } = &self.settings;
        format!("ocid1.{kind}.oc1.{region}.0.{namespace}.aaaaaaaa{unique}")
    }
}
