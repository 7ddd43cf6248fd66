//! Undoes one deletion: the image, then its tags, each call on record before it is made and after it.
//!
//! No call is repeated on no more than a lost answer: a read says what came of it, here or in a later pass.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use ocird_model::{
    Clock, ErrorChain, ErrorKind, ImageId, Lifecycle, ReadRegistry, RegistryError, RestoreOutcome,
    RestoreOutcomeKind, RestoreStep, Tag, TagPath,
};
use ocird_store::{Deletion, StoreError};

use super::report::{Fate, LostTag, RestoredImage};
use super::restore::{Place, Undo};

/// A list serves the tags of this long: a pipeline that pushes in the middle of a restore of hundreds moves tags.
const BEARERS_SERVE: Duration = Duration::from_secs(10);

/// What the steps of one restore have in common.
pub(super) struct Steps<'a, R, C> {
    pub(super) undo: &'a Undo<'a, R, C>,
    pub(super) by: &'a str,
    pub(super) why: &'a str,
}

/// An image that is there, or what stands against it.
struct Stand {
    fate: Fate,
    /// The OCID under which it is there; another one when somebody has pushed it again.
    id: ImageId,
    /// Every tag that it has.
    tags: BTreeSet<Tag>,
}

/// How a call ended.
enum Ended {
    Done,
    Refused(ErrorKind, String),
    Unknown(String),
}

impl<R: ReadRegistry, C: Clock> Steps<'_, R, C> {
    /// Brings one image back and puts back its tags.
    pub(super) async fn undo(
        &self,
        deletion: &Deletion,
        place: &mut Place,
    ) -> Result<RestoredImage, StoreError> {
        let (mut free, mut lost) = free_tags(deletion, place);
        // Restored with a tag, an image may take it from whoever has it by now, also when nobody can tell whether anyone does.
        let mut with = None;
        while let Some(first) = free.first().cloned() {
            match self.is_free(deletion, place, &first).await {
                Ok(Ok(())) => {
                    with = Some(first);
                    break;
                }
                Ok(Err(why)) => {
                    free.remove(0);
                    lost.push(LostTag { tag: first, why });
                }
                // It is asked about once more when the image is back.
                Err(_) => break,
            }
        }
        let mut stand = self.image(deletion, place, with.as_ref()).await?;
        if matches!(stand.fate, Fate::Back | Fate::There) {
            for tag in free.iter().filter(|tag| !stand.tags.contains(*tag)).cloned().collect::<Vec<_>>() {
                match self.tag(deletion, place, &tag).await? {
                    Ok(()) => {
                        stand.tags.insert(tag);
                    }
                    Err(why) => lost.push(LostTag { tag, why }),
                }
            }
            self.look(&mut stand, &mut lost).await;
        } else {
            lost.extend(
                free.iter().map(|tag| LostTag { tag: tag.clone(), why: "its image is not back".to_owned() }),
            );
        }
        let tags = deletion.tags.keys().filter(|tag| stand.tags.contains(*tag)).cloned().collect();
        lost.retain(|lost| !stand.tags.contains(&lost.tag));
        lost.sort_by(|one, other| one.tag.cmp(&other.tag));
        Ok(RestoredImage {
            repository: deletion.repository_name.clone(),
            digest: deletion.digest,
            image: deletion.image.clone(),
            fate: stand.fate,
            tags,
            lost,
        })
    }

    /// The image itself, with one tag if there is a free one.
    async fn image(
        &self,
        deletion: &Deletion,
        place: &Place,
        tag: Option<&Tag>,
    ) -> Result<Stand, StoreError> {
        if let Some(image) = place.seen.as_ref().ok().and_then(|seen| seen.image(&deletion.digest)) {
            return Ok(Stand {
                fate: Fate::There,
                id: image.id.clone(),
                tags: image.tags.keys().cloned().collect(),
            });
        }
        let stand = |fate, tags| Stand { fate, id: deletion.image.clone(), tags };
        let details = match self.undo.reader.image(&deletion.image).await {
            Ok(details) => details,
            Err(error) => return Ok(stand(Fate::NotBack { why: unread(&error) }, BTreeSet::new())),
        };
        match details.lifecycle {
            Lifecycle::Available => return Ok(stand(Fate::There, details.tags.into_keys().collect())),
            Lifecycle::Unknown => {
                let why = "the registry says that it is in a state that ocird does not know".to_owned();
                return Ok(stand(Fate::NotBack { why }, BTreeSet::new()));
            }
            Lifecycle::Deleting | Lifecycle::Deleted => {}
        }
        let mut ended = self.call(deletion, tag).await?;
        // Asked for once more, and for less: the tag may stand in the way, and the refusal says that nothing was done.
        if let (Ended::Refused(ErrorKind::Conflict, _), Some(_), Lifecycle::Deleted) =
            (&ended, tag, details.lifecycle)
        {
            ended = self.call(deletion, None).await?;
            if let Ended::Done = ended {
                return Ok(stand(Fate::Back, BTreeSet::new()));
            }
        }
        Ok(match ended {
            Ended::Done => stand(Fate::Back, tag.cloned().into_iter().collect()),
            Ended::Refused(kind, why) => {
                stand(Fate::NotBack { why: refused(deletion, kind, &why) }, BTreeSet::new())
            }
            Ended::Unknown(why) => stand(Fate::Unknown { why }, BTreeSet::new()),
        })
    }

    /// One call of `RestoreContainerImage`, on record before and after it.
    async fn call(&self, deletion: &Deletion, tag: Option<&Tag>) -> Result<Ended, StoreError> {
        let Undo { reader, restorer, store, clock } = self.undo;
        let step = RestoreStep::Image { tag: tag.cloned() };
        let id = store.intend_restore(deletion.intent, &step, self.by, self.why, clock.now()).await?;
        let ended = match restorer.restore(&deletion.image, tag).await {
            Ok(()) => Ended::Done,
            Err(error) => match reader.image(&deletion.image).await.map(|details| details.lifecycle) {
                Ok(Lifecycle::Available) => Ended::Done,
                Ok(Lifecycle::Deleting | Lifecycle::Deleted | Lifecycle::Unknown) | Err(_) => ended(&error),
            },
        };
        self.conclude(id, &ended).await?;
        Ok(ended)
    }

    /// One further tag, on record before and after it; why it is not back, if it is not.
    async fn tag(
        &self,
        deletion: &Deletion,
        place: &mut Place,
        tag: &Tag,
    ) -> Result<Result<(), String>, StoreError> {
        let Undo { reader: _, restorer, store, clock } = self.undo;
        let Some(row) = &place.row else {
            return Ok(Err("the namespace of the registry is not known".to_owned()));
        };
        let at = TagPath {
            namespace: row.namespace.clone(),
            repository: deletion.repository_name.clone(),
            tag: tag.clone(),
        };
        let by_hand = by_hand(&at, deletion);
        if let Some(why) = &place.refuses_pushes {
            return Ok(Err(format!("{why}; {by_hand}")));
        }
        let Some(manifest) = store.deleted_manifest(deletion.intent).await? else {
            return Ok(Err(format!("the journal no longer keeps its manifest; {by_hand}")));
        };
        if let Err(why) = self.is_free(deletion, place, tag).await.flatten() {
            return Ok(Err(why));
        }
        let step = RestoreStep::Tag { tag: tag.clone() };
        let id = store.intend_restore(deletion.intent, &step, self.by, self.why, clock.now()).await?;
        let ended =
            restorer.put_tag(&at, &manifest).await.map_or_else(|error| ended(&error), |()| Ended::Done);
        self.conclude(id, &ended).await?;
        Ok(match ended {
            Ended::Done => Ok(()),
            Ended::Refused(kind, why) => {
                if matches!(kind, ErrorKind::Forbidden | ErrorKind::Unauthenticated) {
                    let why = "the registry lets ocird push nothing there (a tag beyond the first takes the right to push)";
                    place.refuses_pushes = Some(why.to_owned());
                }
                Err(format!("{why}; {by_hand}"))
            }
            Ended::Unknown(why) => Err(format!("{why}; look at it, and else {by_hand}")),
        })
    }

    /// Whether a tag that was free when the restore began is so still, or why it is not: a push moves it, and whoever has it by
    /// now keeps it. Fails with why nobody can tell.
    async fn is_free(
        &self,
        deletion: &Deletion,
        place: &mut Place,
        tag: &Tag,
    ) -> Result<Result<(), String>, String> {
        let Some(row) = place.row.as_ref() else { return Ok(Ok(())) };
        let now = self.undo.clock.monotonic();
        if place.bearers.as_ref().is_none_or(|(at, _)| now.saturating_sub(*at) >= BEARERS_SERVE) {
            let rows = self.undo.reader.images(&row.compartment, &row.id).await;
            let rows = rows.map_err(|error| {
                format!("nobody can tell whether another image has it by now ({})", ErrorChain(&error))
            })?;
            let rows = rows.into_iter().filter(|row| row.lifecycle == Lifecycle::Available);
            place.bearers = Some((now, rows.filter_map(|row| Some((row.tag?, row.digest))).collect()));
        }
        let Some((_, bearers)) = place.bearers.as_mut() else { return Ok(Ok(())) };
        let bearer = *bearers.entry(tag.clone()).or_insert(deletion.digest);
        Ok(if bearer == deletion.digest {
            Ok(())
        } else {
            Err(format!("{} has it by now, and keeps it", bearer.short()))
        })
    }

    /// Takes the registry's word for which tags the image has now.
    async fn look(&self, stand: &mut Stand, lost: &mut Vec<LostTag>) {
        let Ok(details) = self.undo.reader.image(&stand.id).await else { return };
        for tag in stand.tags.iter().filter(|tag| !details.tags.contains_key(*tag)) {
            let why = "the registry took it and does not show it".to_owned();
            lost.push(LostTag { tag: tag.clone(), why });
        }
        stand.tags = details.tags.into_keys().collect();
    }

    async fn conclude(&self, id: ocird_store::RestoreId, ended: &Ended) -> Result<(), StoreError> {
        let (kind, detail) = match ended {
            Ended::Done => (RestoreOutcomeKind::Done, String::new()),
            Ended::Refused(kind, why) => (RestoreOutcomeKind::Failed(*kind), why.clone()),
            // Nobody knows: it stays open, and a later read settles it.
            Ended::Unknown(_) => return Ok(()),
        };
        let outcome = RestoreOutcome { kind, at: self.undo.clock.now(), detail };
        self.undo.store.conclude_restore(id, &outcome).await
    }
}

/// What a failed call says: that nothing was done, or nothing at all.
fn ended(error: &RegistryError) -> Ended {
    let why = ErrorChain(error).to_string();
    match error.kind() {
        ErrorKind::Timeout | ErrorKind::Unreachable | ErrorKind::Server | ErrorKind::Malformed => {
            Ended::Unknown(why)
        }
        kind @ (ErrorKind::Unauthenticated
        | ErrorKind::SignIn
        | ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::Conflict
        | ErrorKind::Changed
        | ErrorKind::Throttled
        | ErrorKind::Refused
        | ErrorKind::Endless) => Ended::Refused(kind, why),
    }
}

/// The tags of the journal that no other image has, the newest first; and those that cannot be put back, with the reason.
fn free_tags(deletion: &Deletion, place: &Place) -> (Vec<Tag>, Vec<LostTag>) {
    let mut tags: Vec<_> = deletion.tags.iter().collect();
    tags.sort_by_key(|(tag, attached_at)| (Reverse(**attached_at), *tag));
    let (mut free, mut lost) = (Vec::new(), Vec::new());
    for (tag, _) in tags {
        let taken = match &place.seen {
            Err(why) => Some(format!("nobody can tell whether another image has it by now ({why})")),
            Ok(seen) => {
                let other = seen.images.iter().find(|image| image.tags.contains_key(tag));
                let other = other.filter(|image| image.digest != deletion.digest);
                other.map(|image| format!("{} has it by now, and keeps it", image.digest.short()))
            }
        };
        match taken {
            None => free.push(tag.clone()),
            Some(why) => lost.push(LostTag { tag: tag.clone(), why }),
        }
    }
    (free, lost)
}

/// Why an image that was deleted cannot be read, and so not be brought back.
fn unread(error: &RegistryError) -> String {
    if error.kind() == ErrorKind::NotFound {
        "the registry does not have it any more, or does not let ocird read it: what was deleted more than 48 h ago is gone"
            .to_owned()
    } else {
        ErrorChain(error).to_string()
    }
}

/// Why the registry did not bring it back, and what a person can do.
fn refused(deletion: &Deletion, kind: ErrorKind, why: &str) -> String {
    let command = format!("oci artifacts container image restore --image-id {}", deletion.image);
    match kind {
        ErrorKind::Forbidden | ErrorKind::NotFound | ErrorKind::Unauthenticated => {
            format!("ocird may not restore ({why}); who may, runs: {command}")
        }
        ErrorKind::Conflict => {
            format!("{why}; while it is still being deleted, ask again in some minutes, or run: {command}")
        }
        ErrorKind::Unreachable
        | ErrorKind::Timeout
        | ErrorKind::SignIn
        | ErrorKind::Changed
        | ErrorKind::Throttled
        | ErrorKind::Server
        | ErrorKind::Refused
        | ErrorKind::Malformed
        | ErrorKind::Endless => format!("{why}; ask again, or run: {command}"),
    }
}

/// What a person with the right to push can do about a tag. It moves no layers.
fn by_hand(at: &TagPath, deletion: &Deletion) -> String {
    let path = format!("HOST/{}/{}", at.namespace, at.repository);
    format!(
        "who may push, runs: docker buildx imagetools create --prefer-index=false --tag {path}:{} {path}@{}",
        at.tag, deletion.digest
    )
}
