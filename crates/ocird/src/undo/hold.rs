//! Holds: placed and released by hand, and looked at once more before each deletion.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Digest, Hold, HoldOn, Image, Repository, RepositoryName, Rule, Tag};
use ocird_plan::Due;
use ocird_store::{Store, StoreError};

use super::name::{ImageName, Which};
use super::restore::UndoError;
use crate::plain::plain;

/// The longest reason and name, in characters: they stand in one line of a status.
const MAX_TEXT: usize = 200;

/// What to hold, as a person says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldOrder {
    /// The image: a tag holds whatever has it, a digest that very image.
    pub image: ImageName,
    /// For how long; `None` until somebody releases it.
    pub hold_for: Option<TimeDelta>,
    /// Who asks.
    pub by: String,
    /// Why; may be blank.
    pub why: String,
}

/// A hold that was placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The repository.
    pub repository: RepositoryName,
    /// The hold.
    pub hold: Hold,
    /// Whether an image of the last complete listing has the tag or digest: if none has, the hold waits for one.
    pub is_on_something: bool,
}

/// Holds that were released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// The repository.
    pub repository: RepositoryName,
    /// What they were on, each with who had placed it.
    pub holds: Vec<Hold>,
}

/// Places a hold: from the next look on nothing takes the image, and a pass that is acting at this moment stops before it.
/// Holds that stand on it already stand on.
///
/// # Errors
/// The repository or the digest is not known, a digest is ambiguous, the end has been reached already, or the store failed.
pub async fn hold(store: &Store, order: &HoldOrder, now: DateTime<Utc>) -> Result<Placed, UndoError> {
    let HoldOrder { image, hold_for, by, why } = order;
    if hold_for.is_some_and(|hold_for| hold_for <= TimeDelta::zero()) {
        return Err(UndoError::NoTime);
    }
    let (repository, seen) = seen(store, image).await?;
    let on = match image.which() {
        Which::Tag(tag) => HoldOn::Tag(tag.clone()),
        Which::Digits(digits) => HoldOn::Digest(one_of(image, digits, seen.keys())?),
    };
    let is_on_something = seen.iter().any(|(digest, tags)| on.is(digest, tags));
    let hold = of(on, by, why, *hold_for, now);
    store.place_holds(&[(repository.clone(), hold.clone())], now).await?;
    tracing::info!(repository = %repository, hold = %hold.on, operator = %hold.by, reason = %hold.why, "a hold is placed");
    Ok(Placed { repository, hold, is_on_something })
}

/// Releases every hold on a tag or on a digest. What ocird's own restores hold is released in the same way.
///
/// # Errors
/// The repository is not known, nothing is held there under that name, a digest is ambiguous, or the store failed.
pub async fn release(
    store: &Store,
    image: &ImageName,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Released, UndoError> {
    let holds = store.holds().await?;
    let names = store.repository_names().await?;
    let unknown = || UndoError::UnknownRepository { image: image.to_string() };
    let repository = image.repository(holds.keys().chain(&names)).ok_or_else(unknown)?.clone();
    let standing = holds.get(&repository).map_or(&[][..], Vec::as_slice);
    let meant: Vec<Hold> = standing.iter().filter(|hold| image.which().is_held_by(hold)).cloned().collect();
    let Some(first) = meant.first() else {
        return Err(UndoError::NotHeld { image: image.to_string() });
    };
    if meant.iter().any(|hold| hold.on != first.on) {
        return Err(UndoError::Ambiguous { image: image.to_string() });
    }
    let by = plain(by, MAX_TEXT);
    store.release_holds(&repository, &first.on, &by, now).await?;
    tracing::info!(repository = %repository, hold = %first.on, operator = by, "what was held is released");
    Ok(Released { repository, holds: meant })
}

/// A hold from its parts. What people write is shown on terminals and pages (S-34).
pub(super) fn of(on: HoldOn, by: &str, why: &str, hold_for: Option<TimeDelta>, now: DateTime<Utc>) -> Hold {
    let until = hold_for.and_then(|hold_for| now.checked_add_signed(hold_for));
    Hold { on, by: plain(by, MAX_TEXT).into(), why: plain(why, MAX_TEXT).into(), since: now, until }
}

/// Why a due image is held at this very moment, whatever its plan knew: it, a member of its family or anything that they name
/// has a hold on it, or the head of which it is left over.
pub(crate) async fn held_now(
    store: &Store,
    planned: Option<&Repository>,
    due: &Due,
    now: DateTime<Utc>,
) -> Result<Option<String>, StoreError> {
    if !Rule::S27.in_force() {
        return Ok(None);
    }
    let holds = store.holds_of(due.repository_name()).await?;
    let digests = || due.members().iter().copied().chain([due.image().digest]);
    let named = planned.map(|planned| planned.with_what_they_name(digests())).unwrap_or_default();
    let family: Vec<&Image> = named.into_iter().chain([due.image()]).collect();
    let mut standing = holds.iter().filter(|hold| hold.is_in_force(now));
    let is_on_head = |hold: &Hold| hold.on == HoldOn::Digest(*due.head());
    let held = standing.find(|hold| is_on_head(hold) || family.iter().any(|image| hold.is_on(image)));
    Ok(held.map(|hold| {
        format!("{}{}", hold, if hold.is_on(due.image()) { "" } else { " (a member of its family)" })
    }))
}

/// The repository that is meant, and every image of it that was listed last or that the store remembers as deleted.
async fn seen(
    store: &Store,
    image: &ImageName,
) -> Result<(RepositoryName, BTreeMap<Digest, BTreeSet<Tag>>), UndoError> {
    let names = store.repository_names().await?;
    let unknown = || UndoError::UnknownRepository { image: image.to_string() };
    let repository = image.repository(&names).ok_or_else(unknown)?.clone();
    let seen = store.images_named(&repository).await?;
    Ok((repository, seen.into_iter().collect()))
}

/// The one digest that begins with these digits.
fn one_of<'a>(
    image: &ImageName,
    digits: &str,
    known: impl IntoIterator<Item = &'a Digest>,
) -> Result<Digest, UndoError> {
    // A whole digest needs nobody to know it: it may be held before it is pushed.
    if let Ok(digest) = format!("sha256:{digits}").parse() {
        return Ok(digest);
    }
    let mut meant = known.into_iter().filter(|digest| digest.hex().starts_with(digits));
    match (meant.next(), meant.next()) {
        (Some(one), None) => Ok(*one),
        (Some(_), Some(_)) => Err(UndoError::Ambiguous { image: image.to_string() }),
        (None, _) => Err(UndoError::UnknownImage { image: image.to_string() }),
    }
}
