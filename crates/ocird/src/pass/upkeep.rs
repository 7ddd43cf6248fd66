//! What a pass does for the store when everything else is done: usage is folded, and a copy is made when one is due. Nothing of
//! it decides or holds up anything: a copy that fails is a finding, and tried again.

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Clock, ErrorChain, ReadRegistry, WriteRegistry};
use ocird_store::{Store, StoreCopy};

use crate::config::{BackupConfig, Config};
use crate::pass::{Engine, space};
use crate::status::{BackupStatus, Check};

/// After a copy that failed the next is not tried before this: it reads and writes the whole store.
const TRY_AGAIN_AFTER: TimeDelta = TimeDelta::hours(1);

impl<R: ReadRegistry, W: WriteRegistry, C: Clock> Engine<R, W, C> {
    /// Folds usage and lets go of what is old, unless the clock is in doubt: one that is ahead would take what is young. Copies the
    /// store if that is due.
    pub(super) async fn keep_the_store(&mut self) {
        let now = self.clock.now();
        let Some(store) = self.survey.notebook.writable() else { return };
        if !self.clock_watch.is_in_doubt()
            && let Err(error) = store.downsample(now).await
        {
            return self.survey.notebook.fail(&error);
        }
        let config = &self.survey.config;
        let Some(backup) = config.backup else { return };
        if self.backup_failed_at.is_some_and(|at| now - at < TRY_AGAIN_AFTER) {
            return;
        }
        let kept = keep_copies(store, config, backup, now).await;
        if let Err(why) = &kept {
            tracing::warn!(error = %why, "the store could not be copied");
        }
        self.backup_failed_at = kept.as_ref().err().map(|_| now);
        self.board.update(|status| note(&mut status.backup, kept));
    }
}

/// The copies that there are, once the one that is due is among them.
async fn keep_copies(
    store: &Store,
    config: &Config,
    backup: BackupConfig,
    now: DateTime<Utc>,
) -> Result<Vec<StoreCopy>, String> {
    let in_words = |error: ocird_store::OpenError| ErrorChain(&error).to_string();
    let copies = store.copies().map_err(in_words)?;
    // A copy from the future was made while the clock was ahead, and says nothing about today.
    let is_fresh = |copy: &StoreCopy| copy.at <= now && now - copy.at < backup.every;
    if copies.iter().any(is_fresh) {
        return Ok(copies);
    }
    let size = store.size().map_err(in_words)?;
    // It must not be the copy that stops deletion (S-28).
    if let Some(why) = space::little_room(&config.state_dir, config.min_free + size) {
        return Err(format!("a copy takes {size}: {why}"));
    }
    let copy = store.back_up(backup.keep, now).await.map_err(in_words)?;
    tracing::info!(path = %copy.path.display(), bytes = copy.size.0, "the store is copied");
    store.copies().map_err(in_words)
}

fn note(status: &mut BackupStatus, kept: Result<Vec<StoreCopy>, String>) {
    match kept {
        Ok(copies) => {
            let newest = copies.first();
            *status = BackupStatus {
                last_at: newest.map(|copy| copy.at),
                size: newest.map(|copy| copy.size),
                n_copies: copies.len() as u64,
                check: Check::Ok,
            };
        }
        Err(text) => status.check = Check::Failed { text },
    }
}
