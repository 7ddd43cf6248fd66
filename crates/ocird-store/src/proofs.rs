//! Proofs after the act: scheduled in the transaction that records a deletion, made by a pass, kept for ever (S-26). What a
//! proof looks at, and what follows from it, is not here.

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{ProofKind, ProofResult};
use serde::Serialize;
use sqlx::FromRow;

use crate::column::{count, millis, optional_time, time, uncount};
use crate::store::Write;
use crate::{Store, StoreError};

/// Deletions that follow the first one within this time are one batch: a plan is acted on for ten minutes at most.
pub(crate) const BATCH: TimeDelta = TimeDelta::minutes(15);

/// The number of a proof in this store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ProofId(i64);

/// One proof of one batch, made or still to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Its number.
    pub id: ProofId,
    /// Which of the proofs of its batch it is.
    pub kind: ProofKind,
    /// The first deletion of the batch.
    pub first_at: DateTime<Utc>,
    /// The last deletion of the batch.
    pub last_at: DateTime<Utc>,
    /// Number of deletions in the batch.
    pub n_deleted: u64,
    /// Not before this.
    pub due_at: DateTime<Utc>,
    /// When it was made and what it found; `None` while it is to be made.
    pub made: Option<Made>,
}

/// A proof that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    /// When.
    pub at: DateTime<Utc>,
    /// What it found.
    pub result: ProofResult,
    /// More, for people; blank when it is clean.
    pub detail: String,
}

#[derive(FromRow)]
pub(crate) struct ProofRow {
    id: i64,
    kind: String,
    first_at: i64,
    last_at: i64,
    n_deleted: i64,
    due_at: i64,
    made_at: Option<i64>,
    result: Option<String>,
    detail: Option<String>,
}

impl Store {
    /// Every proof that is still to be made, the one that is due first coming first.
    pub async fn open_proofs(&self) -> Result<Vec<Proof>, StoreError> {
        let select = "SELECT id, kind, first_at, last_at, n_deleted, due_at, made_at, result, detail FROM proofs \
             WHERE made_at IS NULL ORDER BY due_at, id";
        let rows: Vec<ProofRow> = sqlx::query_as(select)
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading which proofs are to be made"))?;
        rows.into_iter().map(ProofRow::decode).collect()
    }

    /// The latest `limit` proofs that were made, those of the newest batch first.
    pub async fn latest_proofs(&self, limit: u32) -> Result<Vec<Proof>, StoreError> {
        let select = "SELECT id, kind, first_at, last_at, n_deleted, due_at, made_at, result, detail FROM proofs \
             WHERE made_at IS NOT NULL ORDER BY id DESC LIMIT 0 + ?";
        let rows: Vec<ProofRow> = sqlx::query_as(select)
            .bind(i64::from(limit))
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading the latest proofs"))?;
        rows.into_iter().map(ProofRow::decode).collect()
    }

    /// Writes down that these proofs were made, all with one result. One that was made before is left as it is.
    pub async fn make_proofs(&self, proofs: &[ProofId], made: &Made) -> Result<(), StoreError> {
        let Made { at, result, detail } = made;
        let mut write = self.begin(*at).await?;
        for ProofId(id) in proofs {
            let update =
                "UPDATE proofs SET made_at = ?, result = ?, detail = ? WHERE id = ? AND made_at IS NULL";
            sqlx::query(update)
                .bind(millis(*at))
                .bind(result.as_str())
                .bind(detail.as_str())
                .bind(id)
                .execute(write.connection())
                .await
                .map_err(StoreError::sqlite("recording a proof"))?;
        }
        write.commit().await
    }

    /// Writes down what was found missing while no proof was due; nothing when the last such finding said the same.
    pub async fn found_in_passing(&self, made: &Made) -> Result<(), StoreError> {
        let Made { at, result, detail } = made;
        let mut write = self.begin(*at).await?;
        let insert = "INSERT INTO proofs (kind, first_at, last_at, n_deleted, due_at, made_at, result, detail) \
             SELECT ?1, ?2, ?2, 0, ?2, ?2, ?3, ?4 WHERE NOT EXISTS (SELECT 1 FROM (SELECT detail FROM proofs \
             WHERE kind = ?1 ORDER BY id DESC LIMIT 1) WHERE detail = ?4)";
        sqlx::query(insert)
            .bind(ProofKind::InPassing.as_str())
            .bind(millis(*at))
            .bind(result.as_str())
            .bind(detail.as_str())
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("recording what was found in passing"))?;
        write.commit().await
    }
}

impl Write<'_> {
    /// Schedules the proofs of a deletion that was known at `at`, or moves those of its batch.
    pub(crate) async fn schedule_proofs(&mut self, at: DateTime<Utc>) -> Result<(), StoreError> {
        let doing = "scheduling a proof";
        for kind in ProofKind::SCHEDULED {
            let due_at = millis(at + kind.after());
            let update = "UPDATE proofs SET last_at = max(last_at, ?1), due_at = max(due_at, ?2), n_deleted = n_deleted + 1 \
                 WHERE kind = ?3 AND made_at IS NULL AND first_at > ?4 AND first_at <= ?1";
            let moved = sqlx::query(update)
                .bind(millis(at))
                .bind(due_at)
                .bind(kind.as_str())
                .bind(millis(at - BATCH))
                .execute(self.connection())
                .await
                .map_err(StoreError::sqlite(doing))?;
            if moved.rows_affected() > 0 {
                continue;
            }
            let insert =
                "INSERT INTO proofs (kind, first_at, last_at, n_deleted, due_at) VALUES (?, ?, ?, ?, ?)";
            sqlx::query(insert)
                .bind(kind.as_str())
                .bind(millis(at))
                .bind(millis(at))
                .bind(count(1))
                .bind(due_at)
                .execute(self.connection())
                .await
                .map_err(StoreError::sqlite(doing))?;
        }
        Ok(())
    }
}

impl ProofRow {
    pub(crate) fn decode(self) -> Result<Proof, StoreError> {
        let kind = ProofKind::named(&self.kind)
            .ok_or_else(|| StoreError::decode("proofs.kind")(format!("no kind of proof: {}", self.kind)))?;
        let made_at = optional_time("proofs.made_at", self.made_at)?;
        let made = match (made_at, self.result) {
            (Some(at), Some(word)) => {
                let result = ProofResult::named(&word).ok_or_else(|| {
                    StoreError::decode("proofs.result")(format!("no result of a proof: {word}"))
                })?;
                Some(Made { at, result, detail: self.detail.unwrap_or_default() })
            }
            (Some(_) | None, _) => None,
        };
        Ok(Proof {
            id: ProofId(self.id),
            kind,
            first_at: time("proofs.first_at", self.first_at)?,
            last_at: time("proofs.last_at", self.last_at)?,
            n_deleted: uncount("proofs.n_deleted", self.n_deleted)?,
            due_at: time("proofs.due_at", self.due_at)?,
            made,
        })
    }
}
