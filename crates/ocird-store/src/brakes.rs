//! What stops deletion until a person lets it go on (S-25, S-26), and how far this store has been trusted yet (S-20). All of
//! it outlives the process. How many unexpected answers are too many, and how large a batch is, is not the store's to say.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use sqlx::{FromRow, SqliteConnection, SqlitePool};

use crate::column::{millis, time, uncount};
use crate::plans::read_plans;
use crate::store::Write;
use crate::{Approval, Glance, RefusedPlan, Store, StoreError};

/// Everything that may stand against a deletion, as the store remembers it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brakes {
    /// The circuit breaker has tripped (S-25).
    pub breaker: Option<Stop>,
    /// Something that ocird deleted was needed (S-26).
    pub freeze: Option<Stop>,
    /// Unexpected answers in a row, over passes and restarts.
    pub n_unexpected: u32,
    /// How far the store has been trusted yet.
    pub ramp: Ramp,
    /// The plan that was too large and waits for an approval (S-19).
    pub refused: Option<RefusedPlan>,
    /// The approval that stands.
    pub approval: Option<Approval>,
}

/// A stop that only `reset` clears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Since when it stands.
    pub at: DateTime<Utc>,
    /// Why, for people.
    pub why: String,
}

/// How many batches of deletions were proved clean (S-20).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ramp {
    /// Batches that were proved clean, since the store, a reset or a restored copy began.
    pub n_proved: u32,
    /// A batch was begun and has not been proved: the process ended in it, or the proof could not be made.
    pub is_open: bool,
}

/// What came of a batch that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenBatch {
    /// Number of families whose head went in it. The rests of others are no part of the ramp.
    pub n_families: u64,
    /// Number of deletions of which nobody knows yet what came.
    pub n_open: u64,
}

/// How a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchEnd {
    /// Something went, and everything that was to stay is there.
    Proved,
    /// Nothing went: it says nothing either way.
    Empty,
}

/// The two kinds of stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StopKind {
    Breaker,
    Freeze,
}

#[derive(FromRow)]
struct CounterRow {
    n_unexpected: i64,
    n_proved: i64,
    is_batch_open: bool,
}

impl Store {
    /// Everything that may stand against a deletion.
    pub async fn brakes(&self) -> Result<Brakes, StoreError> {
        read_brakes(&self.reader).await
    }

    /// Trips the breaker. The first reason stands until [`Store::reset`]; another one is dropped.
    pub async fn trip(&self, why: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.stop(StopKind::Breaker, why, now).await
    }

    /// Freezes deletion. The first reason stands until [`Store::reset`]; another one is dropped.
    pub async fn freeze(&self, why: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.stop(StopKind::Freeze, why, now).await
    }

    /// Puts a freeze that says more in the place of the one that stands for this reason, in one write, as the record of stops
    /// only grows. One that stands for another reason stands on.
    pub async fn freeze_says(&self, why: &str, more: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut write = self.begin(now).await?;
        let replace = "UPDATE stops SET cleared_at = ?, cleared_by = 'ocird, to say more' \
             WHERE kind = ? AND why = ? AND cleared_at IS NULL";
        let replaced = sqlx::query(replace)
            .bind(millis(now))
            .bind(StopKind::Freeze.as_str())
            .bind(why)
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("saying more about a freeze"))?;
        if replaced.rows_affected() == 1 {
            write.stop(StopKind::Freeze, more, now).await?;
        }
        write.commit().await
    }

    /// Lets deletion go on, by the word of `by`: clears breaker, freeze and the row of unexpected answers, withdraws what was
    /// approved and what waits for it (it was decided in another state of knowledge), and begins the ramp anew. A newest
    /// time that lies ahead of `now` is forgotten, and a repository that was first seen after `now` is new from now on: whoever
    /// resets has looked at the clock.
    pub async fn reset(&self, by: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut write = self.begin(now).await?;
        let clear = "UPDATE stops SET cleared_at = ?, cleared_by = ? WHERE cleared_at IS NULL";
        sqlx::query(clear)
            .bind(millis(now))
            .bind(by)
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("clearing the stops"))?;
        write.end_approval("reset", now).await?;
        write.drop_refused_plan().await?;
        sqlx::query("UPDATE brakes SET n_unexpected = 0, n_proved = 0, batch_after = NULL")
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("resetting the brakes"))?;
        sqlx::query("UPDATE store SET newest_at = ?")
            .bind(millis(now))
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("beginning the newest time anew"))?;
        sqlx::query("UPDATE repositories SET first_seen_at = ?1 WHERE first_seen_at > ?1")
            .bind(millis(now))
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("forgetting a first sight that lies ahead"))?;
        write.commit().await
    }

    /// Counts one more unexpected answer, and answers how many there were in a row.
    pub async fn count_unexpected(&self, now: DateTime<Utc>) -> Result<u32, StoreError> {
        let mut write = self.begin(now).await?;
        let n: i64 =
            sqlx::query_scalar("UPDATE brakes SET n_unexpected = n_unexpected + 1 RETURNING n_unexpected")
                .fetch_one(write.connection())
                .await
                .map_err(StoreError::sqlite("counting an unexpected answer"))?;
        write.commit().await?;
        small("brakes.n_unexpected", n)
    }

    /// A good answer: the row of unexpected ones begins anew. Writes nothing when there was none.
    pub async fn answered_well(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let n: i64 = sqlx::query_scalar("SELECT n_unexpected FROM brakes")
            .fetch_one(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading the unexpected answers"))?;
        if n == 0 {
            return Ok(());
        }
        self.change(now, "UPDATE brakes SET n_unexpected = 0", "forgetting unexpected answers").await
    }

    /// A batch begins: on the disk before its first deletion. One that was never proved sets the ramp back to its beginning.
    pub async fn begin_batch(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let begin = "UPDATE brakes SET n_proved = iif(batch_after IS NULL, n_proved, 0), \
             batch_after = (SELECT coalesce(max(id), 0) FROM intents)";
        self.change(now, begin, "beginning a batch").await
    }

    /// A batch has ended. One whose proof could not be made does not end; see [`Ramp::is_open`].
    pub async fn end_batch(&self, end: BatchEnd, now: DateTime<Utc>) -> Result<(), StoreError> {
        let end = match end {
            BatchEnd::Proved => "UPDATE brakes SET n_proved = n_proved + 1, batch_after = NULL",
            BatchEnd::Empty => "UPDATE brakes SET batch_after = NULL",
        };
        self.change(now, end, "ending a batch").await
    }

    /// What came of the batch that was begun and has not ended; `None` when there is none.
    pub async fn open_batch(&self) -> Result<Option<OpenBatch>, StoreError> {
        let select = "SELECT count(*) FILTER (WHERE outcomes.kind = 'deleted' AND intents.head = intents.digest), \
             count(*) FILTER (WHERE intents.id IS NOT NULL AND outcomes.kind IS NULL) \
             FROM brakes LEFT JOIN intents ON intents.id > batch_after \
             LEFT JOIN outcomes ON outcomes.intent = intents.id WHERE batch_after IS NOT NULL GROUP BY batch_after";
        let row: Option<(i64, i64)> = sqlx::query_as(select)
            .fetch_optional(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading what came of a batch"))?;
        row.map(|(n_families, n_open)| {
            let n_families = uncount("outcomes", n_families)?;
            Ok(OpenBatch { n_families, n_open: uncount("intents", n_open)? })
        })
        .transpose()
    }

    async fn stop(&self, kind: StopKind, why: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut write = self.begin(now).await?;
        write.stop(kind, why, now).await?;
        write.commit().await
    }

    async fn change(
        &self,
        now: DateTime<Utc>,
        statement: &'static str,
        doing: &'static str,
    ) -> Result<(), StoreError> {
        let mut write = self.begin(now).await?;
        sqlx::query(statement).execute(write.connection()).await.map_err(StoreError::sqlite(doing))?;
        write.commit().await
    }
}

impl Glance {
    /// Everything that may stand against a deletion, as it was a moment ago.
    pub async fn brakes(&self) -> Result<Brakes, StoreError> {
        read_brakes(&self.reader).await
    }
}

/// A store that is older than what it did has forgotten batches and outcomes: nothing that was approved in it stands, and the
/// ramp begins anew (S-20, S-29). Its stops stay.
pub(crate) const FORGET: [&str; 2] = [
    "UPDATE brakes SET n_proved = 0, batch_after = NULL",
    "UPDATE plans SET ended_at = approved_at, ended_why = 'the store was restored' \
     WHERE approved_at IS NOT NULL AND ended_at IS NULL",
];

async fn read_brakes(reader: &SqlitePool) -> Result<Brakes, StoreError> {
    let mut transaction = reader.begin().await.map_err(StoreError::sqlite("beginning to read the brakes"))?;
    let select = "SELECT n_unexpected, n_proved, batch_after IS NOT NULL AS is_batch_open FROM brakes";
    let CounterRow { n_unexpected, n_proved, is_batch_open } = sqlx::query_as(select)
        .fetch_one(&mut *transaction)
        .await
        .map_err(StoreError::sqlite("reading the brakes"))?;
    let mut stops = read_stops(&mut transaction).await?;
    let (refused, approval) = read_plans(&mut transaction).await?;
    transaction.commit().await.map_err(StoreError::sqlite("reading the brakes"))?;
    let [breaker, freeze] = [StopKind::Breaker, StopKind::Freeze].map(|kind| stops.remove(kind.as_str()));
    let n_unexpected = small("brakes.n_unexpected", n_unexpected)?;
    let ramp = Ramp { n_proved: small("brakes.n_proved", n_proved)?, is_open: is_batch_open };
    Ok(Brakes { breaker, freeze, n_unexpected, ramp, refused, approval })
}

/// What stops deletion, by its kind.
async fn read_stops(connection: &mut SqliteConnection) -> Result<BTreeMap<String, Stop>, StoreError> {
    let select = "SELECT kind, at, why FROM stops WHERE cleared_at IS NULL";
    let rows: Vec<(String, i64, String)> = sqlx::query_as(select)
        .fetch_all(connection)
        .await
        .map_err(StoreError::sqlite("reading what stops deletion"))?;
    rows.into_iter().map(|(kind, at, why)| Ok((kind, Stop { at: time("stops.at", at)?, why }))).collect()
}

/// A count that a person could have counted.
fn small(what: &'static str, n: i64) -> Result<u32, StoreError> {
    u32::try_from(n).map_err(StoreError::decode(what))
}

impl StopKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Breaker => "breaker",
            Self::Freeze => "freeze",
        }
    }
}

impl fmt::Display for Stop {
    /// `since 2026-11-21 07:30 UTC: three unexpected answers`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "since {}: {}", self.at.format("%F %H:%M UTC"), self.why)
    }
}

impl Write<'_> {
    /// Stops deletion, unless a stop of this kind stands.
    async fn stop(&mut self, kind: StopKind, why: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let insert = "INSERT INTO stops (kind, at, why) SELECT ?1, ?2, ?3 \
             WHERE NOT EXISTS (SELECT 1 FROM stops WHERE kind = ?1 AND cleared_at IS NULL)";
        sqlx::query(insert)
            .bind(kind.as_str())
            .bind(millis(now))
            .bind(why)
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite("stopping deletion"))?;
        Ok(())
    }

    /// Ends the approval that stands, if one does.
    pub(crate) async fn end_approval(&mut self, why: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let end =
            "UPDATE plans SET ended_at = ?, ended_why = ? WHERE approved_at IS NOT NULL AND ended_at IS NULL";
        sqlx::query(end)
            .bind(millis(now))
            .bind(why)
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite("ending an approval"))?;
        Ok(())
    }
}
