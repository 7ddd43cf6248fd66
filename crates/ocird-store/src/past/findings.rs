//! Findings of the past: what was odd, since when and until when.

use chrono::{DateTime, Utc};
use ocird_model::Finding;
use serde::Serialize;
use sqlx::FromRow;

use super::{Page, Past, limited};
use crate::StoreError;
use crate::column::{optional_time, time};
use crate::findings::finding_of;

/// A finding on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PastFinding {
    /// Its number, by which the next page is asked for.
    pub id: i64,
    /// The finding as it read last.
    #[serde(flatten)]
    pub finding: Finding,
    /// When it was first found.
    pub since: DateTime<Utc>,
    /// When a pass no longer found it; `None` while it stands.
    pub cleared_at: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct FindingRow {
    id: i64,
    kind: String,
    subject: String,
    name: String,
    severity: String,
    what: String,
    remedy: String,
    first_seen_at: i64,
    cleared_at: Option<i64>,
}

impl Past {
    /// A page of findings, the one that was found last coming first, those that stand included. `before` is the cursor of
    /// the page before. Findings of a kind that this version does not know are not told.
    pub async fn findings(
        &self,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Page<PastFinding, i64>, StoreError> {
        let limit = limited(limit);
        let select = "SELECT id, kind, subject, name, severity, what, remedy, first_seen_at, cleared_at \
             FROM findings WHERE id < ? ORDER BY id DESC LIMIT ?";
        let rows: Vec<FindingRow> = sqlx::query_as(select)
            .bind(before.unwrap_or(i64::MAX))
            .bind(limit + 1)
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading the findings of the past"))?;
        let Page { rows, next } = Page::of(rows, limit, |row| row.id);
        let mut known = Vec::with_capacity(rows.len());
        for FindingRow { id, kind, subject, name, severity, what, remedy, first_seen_at, cleared_at } in rows
        {
            let Some(finding) = finding_of([&kind, &subject, &name, &severity], what, remedy) else {
                continue;
            };
            let since = time("findings.first_seen_at", first_seen_at)?;
            let cleared_at = optional_time("findings.cleared_at", cleared_at)?;
            known.push(PastFinding { id, finding, since, cleared_at });
        }
        Ok(Page { rows: known, next })
    }
}
