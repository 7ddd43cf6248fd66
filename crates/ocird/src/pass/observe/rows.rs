//! The rows of a list of images: one image by all its rows, under the rules by which a list is believed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ocird_model::{Digest, ImageDetails, ImageId, ImageRow, Lifecycle, RepositoryId, Rule, Tag, Unreadable};

/// One image by all its rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) digest: Digest,
    pub(super) created_at: Option<DateTime<Utc>>,
    pub(super) tags: BTreeSet<Tag>,
}

/// The images of a listing by digest, under the same rules as a look at the repository.
pub(crate) fn listed_digests(
    repository: &RepositoryId,
    rows: Vec<ImageRow>,
) -> Result<BTreeMap<Digest, ImageId>, Unreadable> {
    Ok(group(repository, rows)?.into_iter().map(|(id, listed)| (listed.digest, id)).collect())
}

/// The rows of a repository by image. Rows on their way out are skipped knowingly; anything contradictory or unknown
/// makes the whole listing worthless (S-1, S-7).
pub(super) fn group(
    repository: &RepositoryId,
    rows: Vec<ImageRow>,
) -> Result<BTreeMap<ImageId, Listed>, Unreadable> {
    let mut images: BTreeMap<ImageId, Listed> = BTreeMap::new();
    let mut owners: BTreeMap<Digest, ImageId> = BTreeMap::new();
    for row in rows {
        let ImageRow { id, digest, tag, repository: of, created_at, lifecycle } = row;
        match lifecycle {
            Lifecycle::Available => {}
            Lifecycle::Unknown if Rule::S7.in_force() => return Err(Unreadable::UnknownState),
            Lifecycle::Deleting | Lifecycle::Deleted | Lifecycle::Unknown => continue,
        }
        let listed =
            images.entry(id.clone()).or_insert_with(|| Listed { digest, created_at, tags: BTreeSet::new() });
        let owner = owners.entry(digest).or_insert_with(|| id.clone());
        let is_contradiction = listed.digest != digest || *owner != id || of != *repository;
        if is_contradiction && Rule::S1.in_force() {
            return Err(Unreadable::Contradiction { image: id });
        }
        listed.tags.extend(tag);
    }
    Ok(images)
}

/// Whether a read of an image speaks of the same image as its row.
pub(super) fn agrees(details: &ImageDetails, id: &ImageId, row: &Listed, repository: &RepositoryId) -> bool {
    details.id == *id && details.digest == row.digest && details.repository == *repository
}
