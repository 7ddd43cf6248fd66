//! Answers about the past: the last pass, usage over time, the newest time on record. What people make of them (rates,
//! forecasts, money) is made elsewhere.

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, RepositoryId};
use sqlx::FromRow;

use crate::column::{millis, optional_time, time, uncount};
use crate::record::PassId;
use crate::{Store, StoreError};

/// One pass on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassSummary {
    /// Its number.
    pub id: PassId,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it was written down.
    pub finished_at: DateTime<Utc>,
    /// Whether it was to act.
    pub enforcing: bool,
    /// How it ended.
    pub result: String,
}

/// The usage of a repository at one time. It holds until the next point; points are at most a little over an hour
/// apart while passes succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsagePoint {
    /// When.
    pub at: DateTime<Utc>,
    /// ocird's own account; `None` while a layer was not known.
    pub size: Option<Bytes>,
    /// The service's own figure.
    pub reported_size: Option<Bytes>,
    /// Number of images.
    pub n_images: u64,
    /// Number of tags.
    pub n_tags: u64,
}

#[derive(FromRow)]
struct PassRow {
    id: i64,
    started_at: i64,
    finished_at: i64,
    mode: String,
    result: String,
}

impl Store {
    /// The pass that was recorded last.
    pub async fn last_pass(&self) -> Result<Option<PassSummary>, StoreError> {
        let select = "SELECT id, started_at, finished_at, mode, result FROM passes ORDER BY id DESC LIMIT 1";
        let row: Option<PassRow> = sqlx::query_as(select)
            .fetch_optional(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading the last pass"))?;
        row.map(PassRow::decode).transpose()
    }

    /// The usage of a repository since `since`, oldest first.
    pub async fn usage_series(
        &self,
        repository: &RepositoryId,
        since: DateTime<Utc>,
    ) -> Result<Vec<UsagePoint>, StoreError> {
        type Row = (i64, Option<i64>, Option<i64>, i64, i64);
        let select = "SELECT at, size, reported_size, n_images, n_tags FROM usage_samples \
             WHERE repository = (SELECT id FROM repositories WHERE ocid = ?) AND at >= ? ORDER BY at";
        let rows: Vec<Row> = sqlx::query_as(select)
            .bind(repository.as_str())
            .bind(millis(since))
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading the usage of a repository"))?;
        let bytes = |what, size: Option<i64>| size.map(|size| uncount(what, size).map(Bytes)).transpose();
        let points = rows.into_iter().map(|(at, size, reported_size, n_images, n_tags)| {
            Ok(UsagePoint {
                at: time("usage_samples.at", at)?,
                size: bytes("usage_samples.size", size)?,
                reported_size: bytes("usage_samples.reported_size", reported_size)?,
                n_images: uncount("usage_samples.n_images", n_images)?,
                n_tags: uncount("usage_samples.n_tags", n_tags)?,
            })
        });
        points.collect()
    }

    /// The newest time at which anything was written; `None` for a store that has only been opened. A clock that is
    /// behind it went back (S-9).
    pub async fn newest_time(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let newest: Option<i64> = sqlx::query_scalar("SELECT newest_at FROM store")
            .fetch_one(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading the newest time on record"))?;
        optional_time("store.newest_at", newest)
    }
}

impl PassRow {
    fn decode(self) -> Result<PassSummary, StoreError> {
        let Self { id, started_at, finished_at, mode, result } = self;
        Ok(PassSummary {
            id: PassId(id),
            started_at: time("passes.started_at", started_at)?,
            finished_at: time("passes.finished_at", finished_at)?,
            enforcing: mode == "enforce",
            result,
        })
    }
}
