//! What ocird meant to delete, what came of it, what it freed, and what proved afterwards that nothing is missing: the
//! journal, newest first, in pages.

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, Digest, ImageId, Outcome, RepositoryName, Tag};
use serde::Serialize;
use sqlx::{FromRow, QueryBuilder, Sqlite};

use super::usage::bytes;
use super::{Page, Past, limited};
use crate::column::{digest, millis, optional_time, parse, time};
use crate::journal::{outcome_of, tag_names};
use crate::proofs::{BATCH, Proof, ProofRow};
use crate::{IntentId, StoreError};

/// Which deletions are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeletionsQuery {
    /// Only those of this repository.
    pub repository: Option<RepositoryName>,
    /// Only those that were meant at this instant or later.
    pub since: Option<DateTime<Utc>>,
    /// Only those before this one: the cursor of the page before.
    pub before: Option<IntentId>,
    /// At most so many; between 1 and [`Past::MAX_ROWS`].
    pub limit: u32,
}

/// One deletion on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PastDeletion {
    /// Its number in the journal.
    pub id: IntentId,
    /// When it was meant.
    pub intended_at: DateTime<Utc>,
    /// The repository's name at that time.
    pub repository: RepositoryName,
    /// The image.
    pub image: ImageId,
    /// Its digest.
    pub digest: Digest,
    /// The head of its family; its own digest when it was the head.
    pub head: Digest,
    /// The tags that it had.
    pub tags: Vec<Tag>,
    /// The rule or reason.
    pub rule: String,
    /// What the decision rested on, for people.
    pub evidence: String,
    /// What it alone gave back; `None` while a layer was not known, and for deletions of earlier versions.
    pub frees: Option<Bytes>,
    /// How it ended; `None` while nobody knows.
    pub outcome: Option<Outcome>,
    /// When it was brought back, if it was.
    pub restored_at: Option<DateTime<Utc>>,
    /// The proofs of its batch, made or to be made, in order of when they are due; none unless it was deleted.
    pub proofs: Vec<Proof>,
}

#[derive(FromRow)]
struct DeletionRow {
    id: i64,
    intended_at: i64,
    name: String,
    image: String,
    digest: Vec<u8>,
    head: Vec<u8>,
    tags: String,
    rule: String,
    evidence: String,
    frees: Option<i64>,
    kind: Option<String>,
    error: Option<String>,
    at: Option<i64>,
    detail: Option<String>,
    restored_at: Option<i64>,
}

/// The columns of a [`DeletionRow`]. The first restore of the image that was done, if any.
const SELECT: &str = "SELECT intents.id, intents.at AS intended_at, name, image, digest, head, tags, rule, evidence, frees, \
     outcomes.kind, outcomes.error, outcomes.at, outcomes.detail, (SELECT min(restore_outcomes.at) FROM restores \
     JOIN restore_outcomes ON restore_outcomes.restore = restores.id WHERE restores.intent = intents.id \
     AND restores.step = 'image' AND restore_outcomes.kind = 'done') AS restored_at \
     FROM intents LEFT JOIN outcomes ON outcomes.intent = intents.id WHERE intents.id < ";

impl Past {
    /// A page of the journal, newest first.
    pub async fn deletions(
        &self,
        query: &DeletionsQuery,
    ) -> Result<Page<PastDeletion, IntentId>, StoreError> {
        let DeletionsQuery { repository, since, before, limit } = query;
        let limit = limited(*limit);
        let mut select: QueryBuilder<Sqlite> = QueryBuilder::new(SELECT);
        select.push_bind(before.map_or(i64::MAX, |id| id.0));
        if let Some(since) = since {
            select.push(" AND intents.at >= ").push_bind(millis(*since));
        }
        if let Some(repository) = repository {
            select.push(" AND intents.name = ").push_bind(repository.to_string());
        }
        select.push(" ORDER BY intents.id DESC LIMIT ").push_bind(limit + 1);
        let rows: Vec<DeletionRow> = select
            .build_query_as()
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading deletions"))?;
        let decoded: Result<Vec<_>, _> = rows.into_iter().map(DeletionRow::decode).collect();
        let mut page = Page::of(decoded?, limit, |row| row.id);
        for row in &mut page.rows {
            if let Some(outcome) = row.outcome.as_ref().filter(|outcome| outcome.kind.as_str() == "deleted") {
                row.proofs = self.proofs_of(outcome.at).await?;
            }
        }
        Ok(page)
    }

    /// The proofs of the batch that a deletion belongs to which was known at `at`.
    async fn proofs_of(&self, at: DateTime<Utc>) -> Result<Vec<Proof>, StoreError> {
        let select = "SELECT id, kind, first_at, last_at, n_deleted, due_at, made_at, result, detail FROM proofs \
             WHERE first_at > ?1 AND first_at <= ?2 AND last_at >= ?2 AND kind <> 'in_passing' ORDER BY due_at, id";
        let rows: Vec<ProofRow> = sqlx::query_as(select)
            .bind(millis(at - BATCH))
            .bind(millis(at))
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading the proofs of a deletion"))?;
        rows.into_iter().map(ProofRow::decode).collect()
    }
}

impl DeletionRow {
    fn decode(self) -> Result<PastDeletion, StoreError> {
        let outcome = match (self.kind, self.at) {
            (Some(kind), Some(at)) => {
                Some(outcome_of(&kind, self.error.as_deref(), at, self.detail.unwrap_or_default())?)
            }
            (Some(_) | None, _) => None,
        };
        Ok(PastDeletion {
            id: IntentId(self.id),
            intended_at: time("intents.at", self.intended_at)?,
            repository: parse("intents.name", &self.name)?,
            image: parse("intents.image", &self.image)?,
            digest: digest("intents.digest", &self.digest)?,
            head: digest("intents.head", &self.head)?,
            tags: tag_names(&self.tags)?.into_iter().collect(),
            rule: self.rule,
            evidence: self.evidence,
            frees: bytes("intents.frees", self.frees)?,
            outcome,
            restored_at: optional_time("restore_outcomes.at", self.restored_at)?,
            proofs: Vec::new(),
        })
    }
}
