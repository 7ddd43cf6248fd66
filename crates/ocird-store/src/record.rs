//! Writes down one pass in one transaction: what was seen, what was decided, what is marked. Either all of it is on
//! record or none, so that marks never run ahead of the inventory they rest on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use ocird_model::{Digest, Inventory, Mark, MarkKey, Plan, RepositoryId, RepositoryState};
use serde::{Deserialize, Serialize};

use crate::column::millis;
use crate::samples::{AccountSample, UsageSample};
use crate::store::Write;
use crate::{Store, StoreError};

/// The number of a pass in this store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PassId(pub(crate) i64);

impl fmt::Display for PassId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PassId {
    type Err = std::num::ParseIntError;

    /// Reads what a person types after having read it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What there is to write down of a pass.
#[derive(Debug, Clone)]
pub struct PassRecord<'a> {
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When there was nothing left to do but to write this.
    pub finished_at: DateTime<Utc>,
    /// Whether it was to act.
    pub enforcing: bool,
    /// How it ended: a word of the pass.
    pub result: &'a str,
    /// What it saw; `None` when it could not look. Every image has been remembered before.
    pub inventory: Option<&'a Inventory>,
    /// What it decided about what it saw; `None` when it did not come to that.
    pub plan: Option<&'a Plan>,
    /// The usage of each repository that was read whole.
    pub usage: Vec<UsageSample>,
    /// The usage of everything that is watched; `None` when not all of it was read.
    pub account: Option<AccountSample>,
    /// Every mark that holds from now on; `None` leaves them as they are.
    pub marks: Option<&'a BTreeMap<MarkKey, Mark>>,
    /// Those of the repositories read whole of which it was known what runs from them. On record with the marks or not at all: one
    /// without the other would forget that nobody had looked for long (S-9, S-16).
    pub certain: &'a BTreeSet<RepositoryId>,
    /// Rests of families that something else needs by now: from here on they are images like any other (S-6).
    pub adopted: Vec<(RepositoryId, Digest)>,
}

/// A pass that is written and not yet on record: what else belongs to it is added before [`Recording::commit`]. Dropped
/// without that, it never was.
pub struct Recording<'a> {
    pub(crate) write: Write<'a>,
    /// The number that the pass will have.
    pub(crate) id: PassId,
    /// When it was written down.
    pub(crate) at: DateTime<Utc>,
}

impl Store {
    /// Records a pass: all of it or, when this fails, nothing.
    pub async fn record(&self, pass: &PassRecord<'_>) -> Result<PassId, StoreError> {
        self.recording(pass).await?.commit().await
    }

    /// Writes a pass in a transaction that is still open.
    pub async fn recording(&self, pass: &PassRecord<'_>) -> Result<Recording<'_>, StoreError> {
        let mut write = self.begin(pass.finished_at).await?;
        let id = write.pass(pass).await?;
        if let Some(inventory) = pass.inventory {
            write.inventory(id, inventory, pass).await?;
        }
        for sample in &pass.usage {
            write.usage(sample, pass.finished_at).await?;
        }
        if let Some(account) = &pass.account {
            write.account(account, pass.finished_at).await?;
        }
        if let Some(marks) = pass.marks {
            write.replace_marks(marks).await?;
        }
        for (repository, member) in &pass.adopted {
            write.drop_rest(repository, member).await?;
        }
        Ok(Recording { write, id, at: pass.finished_at })
    }
}

impl Recording<'_> {
    /// Puts the pass on record with everything that was added to it, and syncs.
    pub async fn commit(self) -> Result<PassId, StoreError> {
        self.write.commit().await?;
        Ok(self.id)
    }
}

impl fmt::Debug for Recording<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("id", &self.id).field("at", &self.at).finish_non_exhaustive()
    }
}

impl Write<'_> {
    async fn pass(&mut self, pass: &PassRecord<'_>) -> Result<PassId, StoreError> {
        let insert = "INSERT INTO passes (started_at, finished_at, mode, result) VALUES (?, ?, ?, ?)";
        let inserted = sqlx::query(insert)
            .bind(millis(pass.started_at))
            .bind(millis(pass.finished_at))
            .bind(if pass.enforcing { "enforce" } else { "observe" })
            .bind(pass.result)
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite("recording a pass"))?;
        Ok(PassId(inserted.last_insert_rowid()))
    }

    /// Repository after repository, so that no more of them than one is held in memory.
    async fn inventory(
        &mut self,
        pass: PassId,
        inventory: &Inventory,
        record: &PassRecord<'_>,
    ) -> Result<(), StoreError> {
        let Inventory { taken_at, repositories, n_unlisted: _ } = inventory;
        for (name, state) in repositories {
            let id = match state {
                RepositoryState::Complete(repository) => &repository.id,
                RepositoryState::Unreadable { id, why: _ } => id,
            };
            let row = self.see_repository(id, name, *taken_at).await?;
            if let Some(repository) = state.complete() {
                let certain_at = record.certain.contains(id).then_some(record.started_at);
                let on_record = self.see_complete(row, repository, *taken_at, certain_at).await?;
                if let Some(plan) = record.plan {
                    self.decide(pass, &on_record, plan.decisions(name)).await?;
                }
            }
        }
        Ok(())
    }

    /// The row of a repository that has been seen.
    pub(crate) async fn repository_row(&mut self, repository: &RepositoryId) -> Result<i64, StoreError> {
        let row: Option<i64> = sqlx::query_scalar("SELECT id FROM repositories WHERE ocid = ?")
            .bind(repository.as_str())
            .fetch_optional(self.connection())
            .await
            .map_err(StoreError::sqlite("looking up a repository"))?;
        row.ok_or_else(|| StoreError::UnknownRepository { repository: repository.clone() })
    }
}
