//! The proof after the act (S-26): of what ocird itself deleted, what does the present listing need? Images that vanished by
//! another hand are somebody else's finding, and a referrer whose subject went is a rest, not a need.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ocird_model::{Digest, HoldOn, InUse, Inventory, Repository, RepositoryId, RepositoryName, Tag, Use};

/// A deleted image that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The repository's OCID.
    pub repository: RepositoryId,
    /// The repository's name.
    pub name: RepositoryName,
    /// The digest of the deleted image.
    pub digest: Digest,
    /// What needs it.
    pub need: Need,
}

/// An image that ocird deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// The tags that it had.
    pub tags: BTreeSet<Tag>,
    /// When it was known to be deleted.
    pub at: DateTime<Utc>,
}

/// What needs a deleted image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// An index of the present listing names it.
    ChildOf {
        /// The index.
        parent: Digest,
    },
    /// Something runs from it: by its digest, or by a tag it bore that nothing present bears.
    InUse {
        /// Who.
        by: Arc<str>,
    },
    /// A person held it when it was deleted, and still does.
    Held {
        /// Who, until when and why.
        by: Arc<str>,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} is gone, but ", self.name, self.digest.short())?;
        match &self.need {
            Need::ChildOf { parent } => write!(f, "index {} names it", parent.short()),
            Need::InUse { by } => write!(f, "in use by {by}"),
            Need::Held { by } => f.write_str(by),
        }
    }
}

/// Every deleted image that a present index names, that something runs from, or that a person held. `deleted` is what ocird
/// deleted, with the tags each image bore then. Only repositories that were read whole are looked at: elsewhere nothing is known to be absent
/// (S-2).
pub fn missing(
    inventory: &Inventory,
    in_use: &InUse,
    deleted: &BTreeMap<(RepositoryId, Digest), Gone>,
) -> Vec<Missing> {
    let mut all = Vec::new();
    for repository in inventory.complete() {
        let gone = gone_from(repository, deleted);
        if !gone.is_empty() {
            children(repository, &gone, &mut all);
            used(repository, in_use.uses(&repository.name), &gone, &mut all);
            held(repository, inventory.taken_at, &gone, &mut all);
        }
    }
    all
}

/// What ocird deleted from this repository and the listing no longer shows.
fn gone_from<'a>(
    repository: &Repository,
    deleted: &'a BTreeMap<(RepositoryId, Digest), Gone>,
) -> BTreeMap<Digest, &'a Gone> {
    let first = (repository.id.clone(), Digest::from_bytes([0; 32]));
    deleted
        .range(first..)
        .take_while(|((id, _), _)| *id == repository.id)
        .filter(|((_, digest), _)| repository.image(digest).is_none())
        .map(|((_, digest), gone)| (*digest, gone))
        .collect()
}

fn children(repository: &Repository, gone: &BTreeMap<Digest, &Gone>, all: &mut Vec<Missing>) {
    for image in &repository.images {
        for child in image.content.children().iter().filter(|child| gone.contains_key(*child)) {
            all.push(missed(repository, *child, Need::ChildOf { parent: image.digest }));
        }
    }
}

fn used(repository: &Repository, uses: &[Use], gone: &BTreeMap<Digest, &Gone>, all: &mut Vec<Missing>) {
    let present: BTreeSet<&Tag> = repository.images.iter().flat_map(|image| image.tags.keys()).collect();
    for Use { target, by, kind: _, since: _ } in uses {
        let by_digest = |digest: &Digest| target.digest == Some(*digest);
        let lost_tag = target.tag.as_ref().filter(|tag| !present.contains(tag));
        for (digest, Gone { tags, at: _ }) in gone {
            if by_digest(digest) || lost_tag.is_some_and(|tag| tags.contains(tag)) {
                all.push(missed(repository, *digest, Need::InUse { by: Arc::clone(by) }));
            }
        }
    }
}

/// A hold that is younger than the deletion came too late: whoever placed it asks for a restore.
fn held(repository: &Repository, now: DateTime<Utc>, gone: &BTreeMap<Digest, &Gone>, all: &mut Vec<Missing>) {
    let present: BTreeSet<&Tag> = repository.images.iter().flat_map(|image| image.tags.keys()).collect();
    for hold in repository.holds.iter().filter(|hold| hold.is_in_force(now)) {
        for (digest, Gone { tags, at: _ }) in gone.iter().filter(|(_, gone)| hold.since <= gone.at) {
            let is_held = match &hold.on {
                HoldOn::Digest(held) => held == digest,
                HoldOn::Tag(tag) => tags.contains(tag) && !present.contains(tag),
            };
            if is_held {
                all.push(missed(repository, *digest, Need::Held { by: hold.to_string().into() }));
            }
        }
    }
}

fn missed(repository: &Repository, digest: Digest, need: Need) -> Missing {
    Missing { repository: repository.id.clone(), name: repository.name.clone(), digest, need }
}
