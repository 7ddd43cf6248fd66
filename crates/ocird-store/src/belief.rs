//! What may be believed, kept from pass to pass: how many there were in each scope (S-3), whether the clock is in doubt (S-9), and
//! when the schema last changed (S-30). What follows from it is not the store's to say.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ocird_model::{Census, CompartmentId, Fall, RepositoryId, RepositoryName};
use sqlx::{FromRow, SqlitePool};

use crate::column::{count, millis, optional_time, parse, time, uncount};
use crate::{Glance, Store, StoreError};

/// Why the clock is in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockDoubt {
    /// What was wrong with it, for people.
    pub why: String,
    /// Number of clean passes since.
    pub n_clean: u32,
}

#[derive(FromRow)]
struct CensusRow {
    scope: String,
    n: i64,
    fell_from: Option<i64>,
    fell_at: Option<i64>,
    n_agreeing: Option<i64>,
}

/// What lowers the times that a clock ahead of its time wrote down. Until those come, an image would count as just pulled, each
/// answer of a source as older than the last, a workload as the last that ended, and the schema as new. Not by a reset, which a
/// person may give while the clock is behind: it would make a pull older than what runs is known to be.
const AHEAD: [&str; 5] = [
    "UPDATE images SET first_seen_at = min(first_seen_at, ?1), read_at = min(read_at, ?1), \
     pulls_rose_at = min(pulls_rose_at, ?1), fewer_pulls_at = min(fewer_pulls_at, ?1) \
     WHERE max(first_seen_at, read_at, coalesce(pulls_rose_at, 0), coalesce(fewer_pulls_at, 0)) > ?1",
    "UPDATE in_use_speakers SET looked_at = min(looked_at, ?1), frozen_at = min(frozen_at, ?1) \
     WHERE max(looked_at, coalesce(frozen_at, 0)) > ?1",
    "UPDATE runs SET began_at = ?1 WHERE began_at > ?1",
    "UPDATE runs SET ended_at = ?1 WHERE ended_at > ?1",
    "UPDATE store SET migrated_at = ?1 WHERE migrated_at > ?1",
];

impl Store {
    /// The census of every scope that was ever looked at completely.
    pub async fn census(&self) -> Result<BTreeMap<String, Census>, StoreError> {
        read_census(&self.reader).await
    }

    /// Keeps the census of each scope that a pass which began at `now` has looked at completely: all of it or, when this fails,
    /// nothing. Written before anything is decided by it.
    pub async fn believe(
        &self,
        census: &BTreeMap<String, Census>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let doing = "writing down what is believed";
        let mut write = self.begin(now).await?;
        for (scope, Census { n, fall }) in census {
            let upsert = "INSERT OR REPLACE INTO census (scope, n, fell_from, fell_at, n_agreeing) VALUES (?, ?, ?, ?, ?)";
            sqlx::query(upsert)
                .bind(scope)
                .bind(count(*n))
                .bind(fall.map(|fall| count(fall.from)))
                .bind(fall.map(|fall| millis(fall.at)))
                .bind(fall.map(|fall| i64::from(fall.n_agreeing)))
                .execute(write.connection())
                .await
                .map_err(StoreError::sqlite(doing))?;
        }
        write.commit().await
    }

    /// The repositories that were in a compartment when it was last looked at, as far as they have been read whole: they are
    /// not gone because it cannot be listed (S-2).
    pub async fn repositories_in(
        &self,
        compartment: &CompartmentId,
    ) -> Result<Vec<(RepositoryId, RepositoryName)>, StoreError> {
        read_repositories(&self.reader, compartment).await
    }

    /// Why the clock was in doubt when somebody last looked; `None` when it was not.
    pub async fn clock_doubt(&self) -> Result<Option<ClockDoubt>, StoreError> {
        let row: Option<(String, i64)> = sqlx::query_as("SELECT why, n_clean FROM clock_doubt")
            .fetch_optional(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading whether the clock is in doubt"))?;
        let doubt = row.map(|(why, n_clean)| {
            let n_clean = u32::try_from(n_clean).map_err(StoreError::decode("clock_doubt.n_clean"))?;
            Ok(ClockDoubt { why, n_clean })
        });
        doubt.transpose()
    }

    /// Keeps why the clock is in doubt, or that it is not: then whatever it has written down that lies ahead was now at the latest.
    pub async fn doubt_clock(
        &self,
        doubt: Option<&ClockDoubt>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let doing = "writing down whether the clock is in doubt";
        let mut write = self.begin_untimed().await?;
        sqlx::query("DELETE FROM clock_doubt")
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite(doing))?;
        if let Some(ClockDoubt { why, n_clean }) = doubt {
            sqlx::query("INSERT INTO clock_doubt (only, why, n_clean) VALUES (1, ?, ?)")
                .bind(why)
                .bind(i64::from(*n_clean))
                .execute(write.connection())
                .await
                .map_err(StoreError::sqlite(doing))?;
        } else {
            for forget in AHEAD {
                sqlx::query(forget)
                    .bind(millis(now))
                    .execute(write.connection())
                    .await
                    .map_err(StoreError::sqlite("forgetting times that lie ahead"))?;
            }
        }
        write.commit().await
    }

    /// When the schema was last brought up to date; `None` for a store that was made with the present one.
    pub async fn migrated_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let migrated_at: Option<i64> = sqlx::query_scalar("SELECT migrated_at FROM store")
            .fetch_one(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading when the schema changed"))?;
        optional_time("store.migrated_at", migrated_at)
    }
}

impl Glance {
    /// The census of every scope that was ever looked at completely.
    pub async fn census(&self) -> Result<BTreeMap<String, Census>, StoreError> {
        read_census(&self.reader).await
    }

    /// The repositories that were in a compartment when it was last looked at; see [`Store::repositories_in`].
    pub async fn repositories_in(
        &self,
        compartment: &CompartmentId,
    ) -> Result<Vec<(RepositoryId, RepositoryName)>, StoreError> {
        read_repositories(&self.reader, compartment).await
    }
}

async fn read_census(reader: &SqlitePool) -> Result<BTreeMap<String, Census>, StoreError> {
    let select = "SELECT scope, n, fell_from, fell_at, n_agreeing FROM census";
    let rows: Vec<CensusRow> = sqlx::query_as(select)
        .fetch_all(reader)
        .await
        .map_err(StoreError::sqlite("reading how many there were"))?;
    rows.into_iter().map(CensusRow::decode).collect()
}

async fn read_repositories(
    reader: &SqlitePool,
    compartment: &CompartmentId,
) -> Result<Vec<(RepositoryId, RepositoryName)>, StoreError> {
    // A pass sees all that it knows of a compartment at one instant. What is remembered between two passes, of a repository
    // that is looked at again or deleted from, is later than that: of the last pass are those that were seen no earlier than
    // the latest one that was read whole. One that was read whole by a clock that ran ahead counts from when it was seen since.
    let select = "SELECT ocid, name FROM repositories WHERE compartment = ?1 AND last_seen_at >= \
         (SELECT max(min(last_seen_at, last_complete_at)) FROM repositories WHERE compartment = ?1)";
    let rows: Vec<(String, String)> = sqlx::query_as(select)
        .bind(compartment.as_str())
        .fetch_all(reader)
        .await
        .map_err(StoreError::sqlite("reading the repositories of a compartment"))?;
    let known = rows
        .iter()
        .map(|(ocid, name)| Ok((parse("repositories.ocid", ocid)?, parse("repositories.name", name)?)));
    known.collect()
}

impl CensusRow {
    fn decode(self) -> Result<(String, Census), StoreError> {
        let Self { scope, n, fell_from, fell_at, n_agreeing } = self;
        let fall = match (fell_from, fell_at, n_agreeing) {
            (Some(from), Some(at), Some(n_agreeing)) => Some(Fall {
                from: uncount("census.fell_from", from)?,
                at: time("census.fell_at", at)?,
                n_agreeing: u32::try_from(n_agreeing).map_err(StoreError::decode("census.n_agreeing"))?,
            }),
            // The table has all three or none.
            _ => None,
        };
        Ok((scope, Census { n: uncount("census.n", n)?, fall }))
    }
}
