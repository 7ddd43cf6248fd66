//! One image in the tenancy's books: its manifest, its tags, its pulls, and where it is in its life.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ocird_model::{ImageId, Lifecycle, RepositoryId, Tag};

use crate::manifest::{Facts, Manifest};
use crate::settings::EtagChanges;

/// An image: one manifest in one repository.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) id: ImageId,
    pub(crate) repository: RepositoryId,
    pub(crate) manifest: Manifest,
    pub(crate) facts: Facts,
    pub(crate) tags: BTreeMap<Tag, Stamp>,
    /// The tag it had last, for its display name.
    pub(crate) last_tag: Option<Tag>,
    /// When a tag was last taken from it.
    pub(crate) untagged_at: Option<DateTime<Utc>>,
    pub(crate) created_at: DateTime<Utc>,
    /// When it became available, last: at its push or when it was brought back. Lists lag behind that.
    pub(crate) appeared_at: DateTime<Utc>,
    pub(crate) created_by: String,
    pub(crate) n_pulls: u64,
    pub(crate) last_pulled_at: Option<DateTime<Utc>>,
    pub(crate) life: Life,
    /// Counts the changes that the etag shows.
    pub(crate) version: u64,
    /// Number of deletions and restorations; a step of the timeline for another number is void.
    pub(crate) n_turns: u64,
    /// Whether its layers still count as stored.
    pub(crate) is_stored: bool,
}

/// When and by whom a tag was attached.
#[derive(Debug, Clone)]
pub(crate) struct Stamp {
    pub(crate) at: DateTime<Utc>,
    pub(crate) by: String,
}

/// Where an image is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Available,
    Deleting { since: DateTime<Utc> },
    Deleted { since: DateTime<Utc> },
}

impl Image {
    /// The version of the resource for `if-match`.
    pub(crate) fn etag(&self) -> String {
        format!("{}--v{}", self.manifest.digest.short(), self.version)
    }

    pub(crate) const fn lifecycle(&self) -> Lifecycle {
        match self.life {
            Life::Available => Lifecycle::Available,
            Life::Deleting { since: _ } => Lifecycle::Deleting,
            Life::Deleted { since: _ } => Lifecycle::Deleted,
        }
    }

    /// Its tags, the most recent first.
    pub(crate) fn tags_by_time(&self) -> Vec<(&Tag, &Stamp)> {
        let mut tags: Vec<_> = self.tags.iter().collect();
        tags.sort_by_key(|(_, stamp)| Reverse(stamp.at));
        tags
    }

    /// Counts a change of its tags, if the etag shows it.
    pub(crate) fn note_tag_change(&mut self, changes: EtagChanges) {
        if changes != EtagChanges::LifecycleOnly {
            self.version += 1;
        }
    }
}
