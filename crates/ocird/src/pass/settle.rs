//! Settles intents that a crash or a lost answer left open: by reading, never by repeating the deletion (S-22).

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    ErrorKind, Intent, Inventory, Lifecycle, Outcome, OutcomeKind, ReadRegistry, RepositoryState, Rule,
};
use ocird_store::{OpenIntent, Store, StoreError};

use ocird_model::ErrorChain;

/// How long a deletion that was asked for may take to show. Before that, an image that still looks available proves
/// nothing.
const ARRIVES_WITHIN: TimeDelta = TimeDelta::minutes(2);

/// Reads what came of every open intent. Answers those that stay open.
pub(crate) async fn open_intents<R: ReadRegistry>(
    reader: &R,
    store: &Store,
    inventory: &Inventory,
    now: DateTime<Utc>,
) -> Result<Vec<OpenIntent>, StoreError> {
    let mut still_open = Vec::new();
    for open in store.open_intents().await? {
        let came = if Rule::S22.in_force() {
            came_of(reader, &open.intent, open.intended_at, inventory, now).await
        } else {
            Some(OutcomeKind::NotDone)
        };
        match came {
            Some(kind) => {
                let detail = "settled by reading after its answer was lost".to_owned();
                store.conclude(open.id, &Outcome { kind, at: now, detail }).await?;
                tracing::info!(
                    repository = %open.intent.repository_name,
                    digest = %open.intent.digest,
                    outcome = kind.as_str(),
                    "an open intent is settled"
                );
            }
            None => still_open.push(open),
        }
    }
    Ok(still_open)
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
        Err(error) if error.kind() == ErrorKind::NotFound => gone_by_listing(intent, inventory),
        Err(error) => {
            let repository = &intent.repository_name;
            tracing::warn!(%repository, error = %ErrorChain(&error), "an open intent cannot be settled yet");
            None
        }
    }
}

/// A 404 alone is no proof (S-2): only a complete listing without the image is, or a complete list of repositories
/// without its repository.
fn gone_by_listing(intent: &Intent, inventory: &Inventory) -> Option<OutcomeKind> {
    match inventory.repositories.get(&intent.repository_name) {
        Some(RepositoryState::Complete(repository)) => {
            repository.image(&intent.digest).is_none().then_some(OutcomeKind::Deleted)
        }
        Some(RepositoryState::Unreadable { id: _, why: _ }) => None,
        None => Some(OutcomeKind::AlreadyGone),
    }
}
