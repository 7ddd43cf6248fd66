//! Brings back what was asked for: which deletions, the holds on them, then one image after the other, children first, and
//! last a look at what is there now.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Clock, CompartmentId, Content, Digest, ErrorChain, HoldOn, Lifecycle, RESTORE_WINDOW, ReadRegistry,
    RegistryError, Repository, RepositoryId, RepositoryName, RepositoryRow, RepositoryState, RestoreOutcome,
    RestoreOutcomeKind, RestoreStep, Tag,
};
use ocird_store::{Deletion, OpenRestore, Store, StoreError};

use super::name::ImageName;
use super::order::{self, Wanted};
use super::report::{Restored, RestoredImage};
use super::step::Steps;
use super::{Restorer, hold};
use crate::pass::{REREAD_AFTER, Rereads, look_at};

/// What undoing works with.
#[derive(Clone, Copy)]
pub struct Undo<'a, R, C> {
    /// Reads the registry.
    pub reader: &'a R,
    /// Brings back.
    pub restorer: &'a dyn Restorer,
    /// The journal.
    pub store: &'a Store,
    /// The time.
    pub clock: &'a C,
}

/// What to bring back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The family of one image. Of several that had the tag, the one that was deleted last.
    Family(ImageName),
    /// Everything that the last pass which deleted something deleted.
    LastRun,
    /// Everything that was meant to go at or after one instant and before another: a day, say.
    Span {
        /// From here on.
        from: DateTime<Utc>,
        /// Up to here.
        until: DateTime<Utc>,
    },
}

/// A restore, as a person asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreOrder {
    /// What to bring back.
    pub what: What,
    /// Who asks.
    pub by: String,
    /// Why; may be blank.
    pub why: String,
    /// How long what came back is held; `None` until somebody releases it.
    pub hold_for: Option<TimeDelta>,
}

impl RestoreOrder {
    /// How long what came back is held when nobody says: long enough for people to say what should become of it.
    pub const HOLD_FOR: TimeDelta = TimeDelta::days(30);
}

/// Why nothing was held, released or restored.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// No repository that ocird has ever seen has this name.
    #[error("ocird has never seen the repository of {image}")]
    UnknownRepository {
        /// What was asked for.
        image: String,
    },
    /// No image of the repository is so.
    #[error("ocird knows no image {image}")]
    UnknownImage {
        /// What was asked for.
        image: String,
    },
    /// Several images are so.
    #[error("{image} may be any of several; give more digits")]
    Ambiguous {
        /// What was asked for.
        image: String,
    },
    /// Nothing is held under this name.
    #[error("nothing is held under {image}; a hold is released by the tag or digest that it is on")]
    NotHeld {
        /// What was asked for.
        image: String,
    },
    /// A hold that ends before it begins.
    #[error("a hold lasts some time, or until it is released")]
    NoTime,
    /// ocird has deleted nothing of the kind within the time in which it could be brought back.
    #[error("ocird has deleted nothing of {what} in the last 48 h, and nothing older can be brought back")]
    Nothing {
        /// What was asked for.
        what: String,
    },
    /// The store failed. What was done until then is on record.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Brings back what ocird deleted within the last 48 hours, children first, with all its tags as far as the rights allow, and
/// holds it. What is there already is left as it is, so that a restore may be asked for again.
///
/// # Errors
/// Nothing of the kind was deleted lately, or the store failed. What the registry refuses is no error but a part of the answer.
pub async fn restore<R: ReadRegistry, C: Clock>(
    undo: &Undo<'_, R, C>,
    order: &RestoreOrder,
) -> Result<Restored, UndoError> {
    let RestoreOrder { what, by, why, hold_for } = order;
    let now = undo.clock.now();
    settle(undo.reader, undo.store, now).await?;
    let nothing = || UndoError::Nothing { what: what.to_string() };
    let wanted = match what {
        What::Family(image) => {
            let names = undo.store.repository_names().await?;
            let unknown = || UndoError::UnknownRepository { image: image.to_string() };
            let repository = image.repository(&names).ok_or_else(unknown)?.clone();
            Wanted::Family { repository, which: image.which().clone() }
        }
        What::LastRun => {
            let from = undo.store.last_run_since(now - RESTORE_WINDOW).await?.ok_or_else(nothing)?;
            Wanted::Span { from, until: DateTime::<Utc>::MAX_UTC }
        }
        What::Span { from, until } => Wanted::Span { from: *from, until: *until },
    };
    let restored = bring_back(undo, &wanted, by, why, *hold_for).await?;
    if restored.images.is_empty() { Err(nothing()) } else { Ok(restored) }
}

/// Brings back what is wanted of the deletions of the restore window; nothing when there is none.
pub(crate) async fn bring_back<R: ReadRegistry, C: Clock>(
    undo: &Undo<'_, R, C>,
    wanted: &Wanted,
    by: &str,
    why: &str,
    hold_for: Option<TimeDelta>,
) -> Result<Restored, StoreError> {
    let now = undo.clock.now();
    let deletions = undo.store.deletions_since(now - RESTORE_WINDOW).await?;
    let chosen = order::chosen(&deletions, wanted);
    // The hold comes first: whatever is back from here on stays, even if this process ends in the middle.
    let mut restored = Restored {
        n_holds: hold_all(undo.store, &chosen, by, why, hold_for, now).await?,
        ..Restored::default()
    };
    let mut places = places(undo, &chosen, now).await?;
    for deletion in &chosen {
        let place = places.get_mut(&deletion.repository).expect("there is a place for every chosen deletion");
        let image = Steps { undo, by, why }.undo(deletion, place).await?;
        for line in image.lines() {
            tracing::info!(repository = %image.repository, digest = %image.digest, operator = by, detail = line, "a restore");
        }
        restored.images.push(image);
    }
    let orphans = without_head(&chosen, &restored.images);
    restored.n_holds += hold_all(undo.store, &orphans, by, why, hold_for, now).await?;
    restored.absent = absent(&chosen, &restored.images, &places);
    Ok(restored)
}

/// Holds every head that comes back, and whatever comes back without its head. Answers how many holds were placed: one that
/// stands as long already is not placed again.
async fn hold_all(
    store: &Store,
    chosen: &[Deletion],
    by: &str,
    why: &str,
    hold_for: Option<TimeDelta>,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let standing = store.holds().await?;
    let heads: BTreeSet<_> = chosen.iter().map(|deletion| (&deletion.repository, deletion.digest)).collect();
    let mut wanted: BTreeSet<(&RepositoryName, Digest)> = BTreeSet::new();
    for deletion in chosen {
        let has_head = heads.contains(&(&deletion.repository, deletion.head));
        wanted.insert((&deletion.repository_name, if has_head { deletion.head } else { deletion.digest }));
    }
    let reason =
        if why.is_empty() { "it was restored".to_owned() } else { format!("it was restored: {why}") };
    let placed: Vec<_> = wanted
        .into_iter()
        .map(|(name, digest)| (name.clone(), hold::of(HoldOn::Digest(digest), by, &reason, hold_for, now)))
        .filter(|(name, new)| {
            let end = |until: Option<DateTime<Utc>>| until.unwrap_or(DateTime::<Utc>::MAX_UTC);
            let holds = standing.get(name).map_or(&[][..], Vec::as_slice);
            !holds.iter().any(|old| old.on == new.on && end(old.until) >= end(new.until))
        })
        .collect();
    if !placed.is_empty() {
        store.place_holds(&placed, now).await?;
    }
    Ok(placed.len())
}

/// What is there while its head, which was to hold it, is not.
fn without_head(chosen: &[Deletion], images: &[RestoredImage]) -> Vec<Deletion> {
    let there = images.iter().filter(|image| image.is_there());
    let there: BTreeSet<_> = there.map(|image| (&image.repository, image.digest)).collect();
    let is_there = |deletion: &Deletion, digest| there.contains(&(&deletion.repository_name, digest));
    let orphans = chosen
        .iter()
        .filter(|deletion| is_there(deletion, deletion.digest) && !is_there(deletion, deletion.head));
    orphans.cloned().collect()
}

/// One repository as it is now.
#[derive(Debug)]
pub(super) struct Place {
    /// The row of the list; without it nobody knows the namespace to push to.
    pub(super) row: Option<RepositoryRow>,
    /// What it holds, or why nobody can say.
    pub(super) seen: Result<Repository, String>,
    /// The registry has refused a push to it once; it is not asked again.
    pub(super) refuses_pushes: Option<String>,
    /// Who bore each tag when it was listed last, by the monotonic clock.
    pub(super) bearers: Option<(Duration, BTreeMap<Tag, Digest>)>,
}

/// Looks at every repository that something is to come back to.
async fn places<R: ReadRegistry, C: Clock>(
    undo: &Undo<'_, R, C>,
    chosen: &[Deletion],
    now: DateTime<Utc>,
) -> Result<BTreeMap<RepositoryId, Place>, StoreError> {
    let mut rows: BTreeMap<&CompartmentId, Result<Vec<RepositoryRow>, RegistryError>> = BTreeMap::new();
    let mut places = BTreeMap::new();
    for deletion in chosen {
        if places.contains_key(&deletion.repository) {
            continue;
        }
        if let Some(compartment) = &deletion.compartment
            && !rows.contains_key(compartment)
        {
            rows.insert(compartment, undo.reader.repositories(compartment).await);
        }
        let listed = deletion.compartment.as_ref().and_then(|compartment| rows.get(compartment));
        let place = match listed {
            None => unseen("it is not known where the repository lives"),
            Some(Err(error)) => unseen(&ErrorChain(error).to_string()),
            Some(Ok(listed)) => match listed.iter().find(|row| row.id == deletion.repository) {
                None => unseen("the repository is no longer listed"),
                Some(row) => look(undo, row, now).await?,
            },
        };
        places.insert(deletion.repository.clone(), place);
    }
    Ok(places)
}

async fn look<R: ReadRegistry, C: Clock>(
    undo: &Undo<'_, R, C>,
    row: &RepositoryRow,
    now: DateTime<Utc>,
) -> Result<Place, StoreError> {
    let rereads = Rereads { about_to_go: BTreeSet::new(), after: REREAD_AFTER };
    let sight = loop {
        let known = undo.store.known(&row.id).await?;
        let sight = look_at(undo.reader, row, known, &rereads, now).await;
        if !sight.is_unfinished() {
            break sight;
        }
        undo.store.remember(&row.id, &row.name, &sight.fresh, now).await?;
    };
    let seen = match sight.state {
        RepositoryState::Complete(repository) => Ok(repository),
        RepositoryState::Unreadable { id: _, why } => Err(why.to_string()),
    };
    Ok(Place { row: Some(row.clone()), seen, refuses_pushes: None, bearers: None })
}

fn unseen(why: &str) -> Place {
    Place { row: None, seen: Err(why.to_owned()), refuses_pushes: None, bearers: None }
}

/// Every child that an image which is there now names, and that is not there and did not come back: each with its index.
fn absent(
    chosen: &[Deletion],
    images: &[RestoredImage],
    places: &BTreeMap<RepositoryId, Place>,
) -> Vec<(Digest, Digest)> {
    let there: BTreeSet<(&RepositoryName, Digest)> = images
        .iter()
        .filter(|image| image.is_there())
        .map(|image| (&image.repository, image.digest))
        .collect();
    let mut absent = Vec::new();
    for deletion in
        chosen.iter().filter(|deletion| there.contains(&(&deletion.repository_name, deletion.digest)))
    {
        let Some(Ok(seen)) = places.get(&deletion.repository).map(|place| &place.seen) else { continue };
        let children = deletion.content.as_ref().map_or(&[][..], Content::children).iter();
        let lacking = children.filter(|child| {
            seen.image(child).is_none() && !there.contains(&(&deletion.repository_name, **child))
        });
        absent.extend(lacking.map(|child| (deletion.digest, *child)));
    }
    absent
}

/// How long a restoring call may be under way: it waits minutes while the registry throttles or gives no token. Before that,
/// an image that is still away proves nothing.
const UNDER_WAY: TimeDelta = TimeDelta::minutes(15);

/// Reads what came of every restoring call whose answer was lost, and never repeats one (S-22).
pub(crate) async fn settle<R: ReadRegistry>(
    reader: &R,
    store: &Store,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for open in store.open_restores().await? {
        // It may be under way at this moment: people restore beside a pass.
        if now - open.at < UNDER_WAY {
            continue;
        }
        if let Some(kind) = came_of(reader, &open, now).await {
            let detail = "settled by reading after its answer was lost".to_owned();
            store.conclude_restore(open.id, &RestoreOutcome { kind, at: now, detail }).await?;
        }
    }
    Ok(())
}

async fn came_of<R: ReadRegistry>(
    reader: &R,
    open: &OpenRestore,
    now: DateTime<Utc>,
) -> Option<RestoreOutcomeKind> {
    let is_over = now - open.at >= RESTORE_WINDOW;
    match reader.image(&open.image).await {
        Ok(details) => match details.lifecycle {
            Lifecycle::Available => match &open.step {
                RestoreStep::Image { tag: _ } => Some(RestoreOutcomeKind::Done),
                RestoreStep::Tag { tag } if details.tags.contains_key(tag) => Some(RestoreOutcomeKind::Done),
                RestoreStep::Tag { tag: _ } => Some(RestoreOutcomeKind::NotDone),
            },
            Lifecycle::Deleting | Lifecycle::Deleted => Some(RestoreOutcomeKind::NotDone),
            Lifecycle::Unknown => is_over.then_some(RestoreOutcomeKind::NotDone),
        },
        Err(error) => {
            let name = &open.repository_name;
            tracing::warn!(repository = %name, error = %ErrorChain(&error), "an open restore cannot be settled yet");
            is_over.then_some(RestoreOutcomeKind::NotDone)
        }
    }
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Family(image) => image.fmt(f),
            Self::LastRun => f.write_str("the last run"),
            Self::Span { from, until } => {
                write!(f, "the time from {} to {}", from.format("%F %H:%M UTC"), until.format("%F %H:%M UTC"))
            }
        }
    }
}

impl<R, C> std::fmt::Debug for Undo<'_, R, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Undo").field("store", &self.store).finish_non_exhaustive()
    }
}
