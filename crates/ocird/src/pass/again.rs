//! Looks again at what is about to go, at the moment of its deletion (S-17): the repository is listed once more, and the
//! image, every member of its family and everything that it names are read once more. Whatever differs from the plan holds
//! the family back.
//!
//! Deliberately not here: deciding anew. The next pass does that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use ocird_model::{
    Clock, Digest, ErrorKind, Image, ImageDetails, ImageId, ImageRow, InUse, Inventory, Lifecycle,
    ReadRegistry, RegistryError, Repository, RepositoryId, RepositoryState, Rule, Tag, Verdict,
};
use ocird_plan::{CheckedPlan, Due};
use ocird_store::{Known, Rise, Store, StoreError};

use crate::in_use::TOLERATED_AHEAD;
use crate::pass::observe;

/// A second look serves the deletions of this long: a push that names what is about to go must not hide behind it.
const LOOK_SERVES: Duration = Duration::from_secs(30);

/// Times that a second look begins anew when it has become too old before it was over, as every read waits for its turn
/// at a cloud that throttles. After that the next pass looks.
const MAX_LOOKS: u32 = 2;

/// Looks again during one acting step.
pub(crate) struct Again<'a, R, C> {
    reader: &'a R,
    clock: &'a C,
    inventory: &'a Inventory,
    checked: &'a CheckedPlan,
    in_use: &'a InUse,
    /// Remembers how often each image had been pulled when the plan was made.
    store: &'a Store,
    listings: BTreeMap<RepositoryId, Listing>,
}

/// What a second listing showed.
struct Listing {
    /// When it was asked for: so old is what its first page shows.
    asked_at: Duration,
    /// When its last page had come. One of a hundred pages takes as long as it takes, and must not freeze its repository.
    ended_at: Duration,
    /// `None` for a list that cannot be believed: it says of nothing that it is gone.
    images: Option<BTreeMap<Digest, ImageId>>,
    /// A tag of each image that had it not when the plan was made.
    new_tags: BTreeMap<Digest, Tag>,
    /// Why nothing of the repository goes in this pass.
    moved: Option<String>,
}

impl Listing {
    /// Whether it shows that this image is no longer there.
    fn lacks(&self, image: &Image) -> bool {
        self.images.as_ref().is_some_and(|images| images.get(&image.digest) != Some(&image.id))
    }

    /// Which of these images somebody has named since: after it was read, and that read does not come again.
    fn tagged(&self, images: Vec<&Image>) -> Option<String> {
        let mut tags =
            images.into_iter().filter_map(|image| Some((image, self.new_tags.get(&image.digest)?)));
        let (image, tag) = tags.next()?;
        Some(format!("{} was tagged {tag} since the plan", image.digest.short()))
    }
}

/// What a second look at a family found.
pub(crate) enum Found {
    /// Everything is as it was decided about; here is the image now.
    Same(Box<ImageDetails>),
    /// It or a member of its family is no longer what was decided about.
    Drifted(String),
    /// Nothing of it goes in this pass, and nothing is held against it.
    Held(String),
    /// The registry answers 404 for this image of the family.
    NotThere(ImageId, Digest),
}

/// Why a second look could not be taken.
pub(crate) enum LookError {
    /// The registry failed.
    Registry(RegistryError),
    /// The store failed.
    Store(StoreError),
}

impl From<RegistryError> for LookError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error)
    }
}

impl From<StoreError> for LookError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl<'a, R: ReadRegistry, C: Clock> Again<'a, R, C> {
    /// A second look that has not looked yet.
    pub(crate) fn new(
        reader: &'a R,
        clock: &'a C,
        store: &'a Store,
        inventory: &'a Inventory,
        checked: &'a CheckedPlan,
        in_use: &'a InUse,
    ) -> Self {
        Self { reader, clock, inventory, checked, in_use, store, listings: BTreeMap::new() }
    }

    /// Looks at the family of a due image. For what is left of a family, `head` is the OCID under which its head was
    /// deleted: a list may lag behind somebody who has just restored it, a read of it does not.
    pub(crate) async fn family(&mut self, due: &Due, head: Option<&ImageId>) -> Result<Found, LookError> {
        let Some(RepositoryState::Complete(planned)) = self.inventory.repositories.get(due.repository_name())
        else {
            return Ok(Found::Held("its repository was not read whole".to_owned()));
        };
        // A pull through an index may be counted for its child alone, and that is no member when another index names it too,
        // or when the index is itself left over from a family.
        let family = planned.with_what_they_name(family(due)).into_iter();
        for image in family.filter(|image| image.digest != due.image().digest) {
            match self.image(planned, image).await? {
                Found::Same(_) => {}
                // What stays and is only named by it may be pulled or tagged for the sake of what else names it.
                Found::Drifted(why) if !due.members().contains(&image.digest) => {
                    return Ok(Found::Held(format!("of {}, which it names: {why}", image.digest.short())));
                }
                other => return Ok(other),
            }
        }
        // What goes now is looked at last, and none of that may be old when it goes.
        for _ in 0..MAX_LOOKS {
            if let Some(found) = self.moved(planned, due).await? {
                return Ok(found);
            }
            if let Some(head) = head
                && self.is_back(head).await?
            {
                return Ok(Found::Held("the head of its family is back".to_owned()));
            }
            let found = self.image(planned, due.image()).await?;
            if self.is_fresh(&planned.id, |listing| listing.ended_at) {
                return Ok(found);
            }
        }
        Ok(Found::Held("the registry answers too slowly for a second look to be fresh".to_owned()))
    }

    /// Whether the second listing of a repository is there and serves, counted from one of its times.
    fn is_fresh(&self, repository: &RepositoryId, since: impl Fn(&Listing) -> Duration) -> bool {
        let listing = self.listings.get(repository);
        let age = listing.map(|listing| self.clock.monotonic().saturating_sub(since(listing)));
        age.is_some_and(|age| age < LOOK_SERVES)
    }

    /// How the repository is not as the plan saw it: the due image itself is no longer listed, something was pushed that may
    /// name it, or something that was to stay is gone or has lost a tag (so that the newest are others now).
    async fn moved(&mut self, planned: &Repository, due: &Due) -> Result<Option<Found>, LookError> {
        if !self.is_fresh(&planned.id, |listing| listing.asked_at) {
            let asked_at = self.clock.monotonic();
            let rows = self.reader.images(&planned.compartment, &planned.id).await?;
            let ended_at = self.clock.monotonic();
            let new_tags = new_tags(planned, &rows);
            let untagged = self.untagged(planned, &rows).await?;
            let retagged = retagged(planned, &rows).or(untagged);
            let (images, moved) = match observe::listed_digests(&planned.id, rows) {
                Ok(images) => {
                    let moved = self.changes(planned, &images).or(retagged);
                    (Some(images), moved)
                }
                Err(why) => (None, Some(why.to_string())),
            };
            let listing = Listing { asked_at, ended_at, images, new_tags, moved };
            self.listings.insert(planned.id.clone(), listing);
        }
        let listing = &self.listings[&planned.id];
        if !Rule::S17.in_force() {
            return Ok(None);
        }
        if listing.lacks(due.image()) {
            return Ok(Some(Found::Drifted("it is no longer listed".to_owned())));
        }
        let mut named = planned.with_what_they_name(family(due));
        // The due image itself is read after this.
        named.retain(|image| image.digest != due.image().digest);
        Ok(listing.moved.clone().or_else(|| listing.tagged(named)).map(Found::Held))
    }

    fn changes(&self, planned: &Repository, listed: &BTreeMap<Digest, ImageId>) -> Option<String> {
        if let Some(pushed) = listed.keys().find(|digest| planned.position(digest).is_none()) {
            return Some(format!("{} was pushed since the plan and may name it", pushed.short()));
        }
        let gone = self.kept(planned).find(|digest| !listed.contains_key(digest))?;
        Some(format!("{} was to stay and is no longer listed", gone.short()))
    }

    /// The images that are to stay.
    fn kept(&self, planned: &Repository) -> impl Iterator<Item = Digest> {
        let decisions = self.checked.plan().decisions(&planned.name).iter();
        let kept = decisions.filter(|decision| match decision.verdict {
            Verdict::Keep(_) => true,
            Verdict::Delete(_) => false,
        });
        kept.map(|decision| decision.digest)
    }

    /// An image that is to stay and no longer shows a tag that the first list showed of it, whoever took the tag: by that it may
    /// have been among the newest. The first list and not the plan is compared, as a list of one row for each image shows one
    /// tag of each.
    async fn untagged(&self, planned: &Repository, rows: &[ImageRow]) -> Result<Option<String>, StoreError> {
        let known = self.store.known(&planned.id).await?;
        let kept = self.kept(planned).filter_map(|digest| planned.image(&digest)).collect::<Vec<_>>();
        Ok(lost_tag(&kept, &known, rows))
    }

    /// Whether a deleted image is available again. A 404 says that it is purged or may not be read; the complete listing
    /// without it, which the plan was made from, has said before that it is gone.
    async fn is_back(&self, head: &ImageId) -> Result<bool, RegistryError> {
        match self.reader.image(head).await {
            Ok(details) => Ok(match details.lifecycle {
                Lifecycle::Available | Lifecycle::Unknown => true,
                Lifecycle::Deleting | Lifecycle::Deleted => false,
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn image(&self, planned: &Repository, image: &Image) -> Result<Found, LookError> {
        let details = match self.reader.image(&image.id).await {
            Ok(details) => details,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Found::NotThere(image.id.clone(), image.digest));
            }
            Err(error) => return Err(error.into()),
        };
        if !Rule::S17.in_force() {
            return Ok(Found::Same(Box::new(details)));
        }
        if let Some(difference) = difference(image, &planned.id, &details) {
            return Ok(Found::Drifted(difference));
        }
        // A pull without a time shows in the number of pulls only.
        let known = self.store.pulls(&image.id).await?;
        let Some(known) = known.filter(|known| details.n_pulls <= known.n) else {
            return Ok(Found::Drifted("it was pulled, at a time that nobody knows".to_owned()));
        };
        // A host whose clock is ahead has looked before it says it did, and is believed all the same.
        let looked_at = self.in_use.looked_at(&planned.name).map(|at| at - TOLERATED_AHEAD);
        Ok(match (pulled_by(details.last_pulled_at, known.rose), looked_at) {
            (Some(pulled_at), Some(looked_at)) if pulled_at > looked_at => {
                Found::Held("it was pulled since anybody said what runs".to_owned())
            }
            _ => Found::Same(Box::new(details)),
        })
    }
}

/// A tag that has moved, or an image that has lost its tags: it may have dropped out of the newest since the plan, so that
/// an older one stays in its place. A tag that is new only makes its image newer. Lists show the newest tag at least.
fn retagged(planned: &Repository, rows: &[ImageRow]) -> Option<String> {
    let owners: BTreeMap<&Tag, Digest> =
        planned.images.iter().flat_map(|image| image.tags.keys().map(|tag| (tag, image.digest))).collect();
    let lost = |row: &ImageRow| {
        if let Some(tag) = &row.tag {
            let owner = owners.get(tag).filter(|owner| **owner != row.digest)?;
            return Some(format!("the tag {tag} was moved from {} since the plan", owner.short()));
        }
        let image = planned.image(&row.digest).filter(|image| !image.tags.is_empty())?;
        Some(format!("{} has lost its tags since the plan", image.digest.short()))
    };
    rows.iter().filter(|row| row.lifecycle == Lifecycle::Available).find_map(lost)
}

/// The first of these images of which a tag is no longer listed that was when the plan was made.
fn lost_tag(images: &[&Image], known: &Known, rows: &[ImageRow]) -> Option<String> {
    let available = rows.iter().filter(|row| row.lifecycle == Lifecycle::Available);
    let listed: BTreeSet<_> = available.filter_map(|row| Some((row.digest, row.tag.as_ref()?))).collect();
    images.iter().find_map(|image| {
        let before = &known.images.get(&image.id)?.row_tags;
        let lost = before.iter().find(|tag| !listed.contains(&(image.digest, *tag)))?;
        Some(format!("{} was to stay and has lost the tag {lost} since the plan", image.digest.short()))
    })
}

/// A tag of each image that had it not when the plan was made.
fn new_tags(planned: &Repository, rows: &[ImageRow]) -> BTreeMap<Digest, Tag> {
    let is_new = |row: &ImageRow, tag: &Tag| {
        planned.image(&row.digest).is_some_and(|image| !image.tags.contains_key(tag))
    };
    let tagged = rows.iter().filter_map(|row| Some((row, row.tag.as_ref()?)));
    tagged.filter(|(row, tag)| is_new(row, tag)).map(|(row, tag)| (row.digest, tag.clone())).collect()
}

/// What goes with a due image, and itself.
fn family(due: &Due) -> impl Iterator<Item = Digest> {
    due.members().iter().copied().chain([due.image().digest])
}

/// The latest time at which an image may have been pulled. A time that did not move with the number of pulls is that of an
/// earlier one: the pull was some time before the higher number was read.
fn pulled_by(last_pulled_at: Option<DateTime<Utc>>, rose: Option<Rise>) -> Option<DateTime<Utc>> {
    match rose {
        // Whoever read it last with a clock that was behind wrote down too early a time.
        Some(Rise { after, seen_at }) if last_pulled_at.is_none_or(|at| at < after) => {
            Some(seen_at.max(after))
        }
        Some(_) | None => last_pulled_at,
    }
}

/// How an image differs from the one the plan decided about; `None` when it is the same.
fn difference(planned: &Image, repository: &RepositoryId, now: &ImageDetails) -> Option<String> {
    if now.lifecycle != Lifecycle::Available {
        Some("it is on its way out by another hand".to_owned())
    } else if now.digest != planned.digest || now.repository != *repository || now.id != planned.id {
        Some("its OCID now stands for another manifest".to_owned())
    } else if now.tags != planned.tags {
        Some("its tags changed".to_owned())
    } else if observe::last_pulled_at(now) > planned.last_pulled_at {
        Some("it was pulled".to_owned())
    } else if now.resource_tags != planned.resource_tags {
        Some("its resource tags changed".to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pass::fleet::now;

    #[test]
    fn a_time_that_did_not_move_with_the_number_of_pulls_says_nothing() {
        let minute = |minute| now() + chrono::TimeDelta::minutes(minute);
        let rose = Some(Rise { after: minute(5), seen_at: minute(9) });
        assert_eq!(pulled_by(None, None), None);
        assert_eq!(pulled_by(None, rose), Some(minute(9)));
        assert_eq!(pulled_by(Some(minute(4)), rose), Some(minute(9)));
        assert_eq!(pulled_by(Some(minute(6)), rose), Some(minute(6)));
        assert_eq!(pulled_by(Some(minute(4)), None), Some(minute(4)));
        let by_a_clock_behind = Some(Rise { after: minute(5), seen_at: minute(-900) });
        assert_eq!(pulled_by(Some(minute(4)), by_a_clock_behind), Some(minute(5)));
    }
}
