//! The store as somebody beside the daemon reads it: without the lock, without a writer, without an epoch. What it
//! shows may be a moment old.

use std::fmt;
use std::path::Path;

use chrono::{DateTime, Utc};
use ocird_model::RepositoryId;
use sqlx::SqlitePool;
use sqlx::sqlite::SqlitePoolOptions;

use crate::connect::{NAME, options};
use crate::journal::{SettledIntent, read_recent_outcomes};
use crate::known::read_known;
use crate::{Known, StoreError};

/// A look at a store that somebody else may be writing.
pub struct Glance {
    pub(crate) reader: SqlitePool,
}

impl Glance {
    /// A look at the store of a state directory; `None` when there is none.
    ///
    /// # Errors
    /// It is there and cannot be read, or its schema is another.
    pub async fn open(state_dir: &Path) -> Result<Option<Self>, StoreError> {
        let path = state_dir.join(NAME);
        if !path.exists() {
            return Ok(None);
        }
        let options = options(&path).read_only(true).create_if_missing(false);
        let reader = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
        let glance = Self { reader };
        glance.created_at().await?;
        Ok(Some(glance))
    }

    /// What is known of a repository.
    pub async fn known(&self, repository: &RepositoryId) -> Result<Known, StoreError> {
        read_known(&self.reader, repository).await
    }

    /// When the store was made.
    pub async fn created_at(&self) -> Result<DateTime<Utc>, StoreError> {
        let at: i64 = sqlx::query_scalar("SELECT created_at FROM store")
            .fetch_one(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading when the store was made"))?;
        crate::column::time("store.created_at", at)
    }
}

/// What a look shows of the file itself and of its journal.
impl Glance {
    /// The schema of the file.
    pub async fn schema(&self) -> Result<u64, StoreError> {
        let version: i64 = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
            .fetch_one(&self.reader)
            .await
            .map_err(StoreError::sqlite("asking the store for its schema"))?;
        crate::column::uncount("_sqlx_migrations.version", version)
    }

    /// How often the store has been opened to be written.
    pub async fn epoch(&self) -> Result<u64, StoreError> {
        let epoch: i64 = sqlx::query_scalar("SELECT epoch FROM store")
            .fetch_one(&self.reader)
            .await
            .map_err(StoreError::sqlite("looking at the store's epoch"))?;
        crate::column::uncount("store.epoch", epoch)
    }

    /// The latest outcome of the journal; `None` when nothing was ever meant to go.
    pub async fn latest_outcome(&self) -> Result<Option<SettledIntent>, StoreError> {
        Ok(read_recent_outcomes(&self.reader, 1).await?.pop())
    }
}

impl fmt::Debug for Glance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Glance").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    #[tokio::test]
    async fn nothing_is_made_where_nothing_is() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Glance::open(directory.path()).await.unwrap().is_none());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_store_that_is_held_can_be_looked_at() {
        let directory = tempfile::tempdir().unwrap();
        let now = DateTime::from_timestamp(1_770_000_000, 0).unwrap();
        let store = Store::open(directory.path(), now).await.unwrap();
        let glance = Glance::open(directory.path()).await.unwrap().unwrap();
        assert_eq!(glance.created_at().await.unwrap(), store.created_at());
        let unseen = "ocid1.containerrepo.oc1.x".parse().unwrap();
        assert_eq!(glance.known(&unseen).await.unwrap(), Known::default());
        assert_eq!((glance.epoch().await.unwrap(), store.epoch()), (1, 1));
        assert!(glance.schema().await.unwrap() >= 1);
        assert_eq!(glance.latest_outcome().await.unwrap(), None);
    }
}
