//! What ocird has deleted in all, and how much that freed: the figures from which savings are made elsewhere.

use chrono::{DateTime, Utc};
use ocird_model::Bytes;
use serde::Serialize;

use super::Past;
use crate::StoreError;
use crate::column::{optional_time, time, uncount};

// The sums are SQLite's `total`, which cannot overflow: a pusher chooses what layers are said to weigh (S-34).

/// Everything that was deleted since the store was made, less what was brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Number of images that ocird deleted, whether they came back or not.
    pub n_deleted: u64,
    /// Number of them that were brought back.
    pub n_restored: u64,
    /// What the others freed, as far as it is known.
    pub freed: Bytes,
    /// Number of the others of which it is not known.
    pub n_unknown: u64,
    /// The first deletion.
    pub first_at: Option<DateTime<Utc>>,
    /// The last deletion.
    pub last_at: Option<DateTime<Utc>>,
}

/// What deletions freed on one day of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FreedOnDay {
    /// When the day begins.
    pub at: DateTime<Utc>,
    /// Number of images that were deleted and did not come back.
    pub n_images: u64,
    /// What they freed, as far as it is known.
    pub freed: Bytes,
}

impl Past {
    /// Everything that was deleted so far.
    pub async fn totals(&self) -> Result<Totals, StoreError> {
        type Row = (i64, i64, i64, i64, Option<i64>, Option<i64>);
        let select = "SELECT count(*), count(*) FILTER (WHERE is_back), \
             CAST(total(frees) FILTER (WHERE NOT is_back) AS INTEGER), count(*) FILTER (WHERE NOT is_back AND frees IS NULL), \
             min(at), max(at) FROM (SELECT intents.frees, outcomes.at, EXISTS (SELECT 1 FROM restores \
             JOIN restore_outcomes ON restore_outcomes.restore = restores.id WHERE restores.intent = intents.id \
             AND restores.step = 'image' AND restore_outcomes.kind = 'done') AS is_back \
             FROM outcomes JOIN intents ON intents.id = outcomes.intent WHERE outcomes.kind = 'deleted')";
        let (n_deleted, n_restored, freed, n_unknown, first_at, last_at): Row = sqlx::query_as(select)
            .fetch_one(&self.reader)
            .await
            .map_err(StoreError::sqlite("adding up what was deleted"))?;
        Ok(Totals {
            n_deleted: uncount("outcomes", n_deleted)?,
            n_restored: uncount("restores", n_restored)?,
            freed: Bytes(uncount("intents.frees", freed)?),
            n_unknown: uncount("intents.frees", n_unknown)?,
            first_at: optional_time("outcomes.at", first_at)?,
            last_at: optional_time("outcomes.at", last_at)?,
        })
    }

    /// What was freed on each day on which something was, since the store was made; the oldest day first.
    pub async fn freed_by_day(&self) -> Result<Vec<FreedOnDay>, StoreError> {
        let select = "SELECT outcomes.at / 86400000 * 86400000 AS day, count(*), CAST(total(intents.frees) AS INTEGER) \
             FROM outcomes JOIN intents ON intents.id = outcomes.intent WHERE outcomes.kind = 'deleted' \
             AND NOT EXISTS (SELECT 1 FROM restores JOIN restore_outcomes ON restore_outcomes.restore = restores.id \
             WHERE restores.intent = intents.id AND restores.step = 'image' AND restore_outcomes.kind = 'done') \
             GROUP BY day ORDER BY day";
        let rows: Vec<(i64, i64, i64)> = sqlx::query_as(select)
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("adding up what was freed by day"))?;
        let days = rows.into_iter().map(|(at, n_images, freed)| {
            Ok(FreedOnDay {
                at: time("outcomes.at", at)?,
                n_images: uncount("outcomes", n_images)?,
                freed: Bytes(uncount("intents.frees", freed)?),
            })
        });
        days.collect()
    }
}
