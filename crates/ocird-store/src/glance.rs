//! The store as somebody beside the daemon reads it: without the lock, without a writer, without an epoch. What it
//! shows may be a moment old.

use std::fmt;
use std::path::Path;

use chrono::{DateTime, Utc};
use ocird_model::RepositoryId;
use sqlx::SqlitePool;
use sqlx::sqlite::SqlitePoolOptions;

use crate::connect::{NAME, options};
use crate::known::read_known;
use crate::{Known, StoreError};

/// A look at a store that somebody else may be writing.
pub struct Glance {
    reader: SqlitePool,
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
    }
}
