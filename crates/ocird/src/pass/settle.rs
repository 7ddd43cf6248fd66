//! Settles intents that a crash or a lost answer left open: by reading, never by repeating the deletion (S-22).

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    ErrorKind, Intent, Inventory, Lifecycle, Outcome, OutcomeKind, RESTORE_WINDOW, ReadRegistry,
    RepositoryId, RepositoryName, RepositoryState, Rule,
};
use ocird_store::{OpenIntent, Store, StoreError};

use ocird_model::ErrorChain;

/// How long a deletion that was asked for may take to arrive and to show. Before that, an image that still looks available
/// proves nothing. Acting passes are an hour apart, so that nothing waits longer for it.
const ARRIVES_WITHIN: TimeDelta = TimeDelta::minutes(15);

/// What settling left.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// The intents that stay open.
    pub(crate) open: Vec<OpenIntent>,
    /// Where something is there after all that was to go. The plan at hand was made before anybody knew, and it may have gone
    /// and have been brought back by hand.
    pub(crate) not_done: BTreeMap<RepositoryId, RepositoryName>,
}

/// Reads what came of every open intent.
pub(crate) async fn open_intents<R: ReadRegistry>(
    reader: &R,
    store: &Store,
    inventory: &Inventory,
    now: DateTime<Utc>,
) -> Result<Settled, StoreError> {
    let mut settled = Settled::default();
    for open in store.open_intents().await? {
        let came = if Rule::S22.in_force() {
            came_of(reader, &open.intent, open.intended_at, inventory, now).await
        } else {
            Some(OutcomeKind::NotDone)
        };
        match came {
            Some(kind) => {
                let detail = match kind {
                    OutcomeKind::AlreadyGone => {
                        "its repository is no longer listed, and what came of it is not known"
                    }
                    _ => "settled by reading after its answer was lost",
                };
                let detail = detail.to_owned();
                store.conclude(open.id, &Outcome { kind, at: now, detail }).await?;
                if kind == OutcomeKind::NotDone {
                    let Intent { repository, repository_name, .. } = &open.intent;
                    settled.not_done.insert(repository.clone(), repository_name.clone());
                }
                tracing::info!(
                    repository = %open.intent.repository_name,
                    digest = %open.intent.digest,
                    outcome = kind.as_str(),
                    "an open intent is settled"
                );
            }
            None => settled.open.push(open),
        }
    }
    Ok(settled)
}

/// What came of an intent, if a read can tell.
async fn came_of<R: ReadRegistry>(
    reader: &R,
    intent: &Intent,
    intended_at: DateTime<Utc>,
    inventory: &Inventory,
    now: DateTime<Utc>,
) -> Option<OutcomeKind> {
    match reader.image(&intent.image).await {
        Ok(details) => match details.lifecycle {
            Lifecycle::Deleting | Lifecycle::Deleted => Some(OutcomeKind::Deleted),
            Lifecycle::Available => (now - intended_at >= ARRIVES_WITHIN).then_some(OutcomeKind::NotDone),
            Lifecycle::Unknown => None,
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {
            gone_by_listing(intent, intended_at, inventory, now)
        }
        Err(error) => {
            let repository = &intent.repository_name;
            tracing::warn!(%repository, error = %ErrorChain(&error), "an open intent cannot be settled yet");
            None
        }
    }
}

/// A 404 alone is no proof (S-2): only a complete listing without the image is. The same manifest may be there under another
/// OCID: somebody pushed it again since. Where the repository itself is no longer listed, whatever has its name now, nobody can
/// tell, and after the time in which the image could be restored it matters to nobody any more.
fn gone_by_listing(
    intent: &Intent,
    intended_at: DateTime<Utc>,
    inventory: &Inventory,
    now: DateTime<Utc>,
) -> Option<OutcomeKind> {
    if let Some(repository) = inventory.complete().find(|repository| repository.id == intent.repository) {
        let is_there = repository.images.iter().any(|image| image.id == intent.image);
        return (!is_there).then_some(OutcomeKind::Deleted);
    }
    let is_unread = inventory.repositories.iter().any(|(name, state)| match state {
        RepositoryState::Complete(_) => false,
        RepositoryState::Unreadable { id, why: _ } => {
            *id == intent.repository || *name == intent.repository_name
        }
    });
    (!is_unread && now - intended_at >= RESTORE_WINDOW).then_some(OutcomeKind::AlreadyGone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pass::fleet::{Fleet, fleet, now};

    fn intent(fleet: &mut Fleet) -> Intent {
        let image = fleet.repository().images[0].clone();
        let repository = fleet.repository().clone();
        Intent {
            repository: repository.id,
            repository_name: repository.name,
            image: image.id,
            digest: image.digest,
            tags: image.tags,
            media_type: String::new(),
            manifest: Vec::new().into(),
            etag: ocird_model::Etag(String::new()),
            head: image.digest,
            members: Vec::new(),
            rule: "old".to_owned(),
            evidence: String::new(),
            frees: None,
        }
    }

    fn came(intent: &Intent, minutes: i64, fleet: &Fleet) -> Option<OutcomeKind> {
        gone_by_listing(intent, now() - TimeDelta::minutes(minutes), &fleet.inventory, now())
    }

    #[test]
    fn the_same_manifest_under_another_ocid_is_another_image() {
        let mut fleet = fleet(2);
        let intent = intent(&mut fleet);
        assert_eq!(came(&intent, 5, &fleet), None, "it is still listed");
        fleet.repository().images[0].id = "ocid1.containerimage.oc1.eu-milan-1.ns.again".parse().unwrap();
        assert_eq!(came(&intent, 5, &fleet), Some(OutcomeKind::Deleted));
        fleet.repository().images.clear();
        assert_eq!(came(&intent, 5, &fleet), Some(OutcomeKind::Deleted));
    }

    #[test]
    fn of_a_repository_that_is_not_listed_nobody_can_tell_for_two_days() {
        let mut fleet = fleet(2);
        let intent = intent(&mut fleet);
        fleet.inventory.repositories.clear();
        assert_eq!(came(&intent, 47 * 60, &fleet), None);
        assert_eq!(came(&intent, 48 * 60, &fleet), Some(OutcomeKind::AlreadyGone));
    }

    #[test]
    fn a_repository_made_anew_under_the_name_is_another_one() {
        let mut fleet = fleet(2);
        let intent = intent(&mut fleet);
        let other = "ocid1.containerrepo.oc1.eu-milan-1.ns.anew".parse().unwrap();
        fleet.repository().id = other;
        assert_eq!(came(&intent, 47 * 60, &fleet), None);
        assert_eq!(came(&intent, 48 * 60, &fleet), Some(OutcomeKind::AlreadyGone));
        let id = fleet.repository().id.clone();
        let unread = RepositoryState::Unreadable { id, why: ocird_model::Unreadable::UnknownState };
        fleet.inventory.repositories.insert(intent.repository_name.clone(), unread);
        assert_eq!(came(&intent, 48 * 60, &fleet), None, "of two with one name neither is read");
    }
}
