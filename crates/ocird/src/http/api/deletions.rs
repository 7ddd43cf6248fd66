//! The journal: what ocird meant to delete, what came of it, what it freed, and what proved afterwards that nothing is
//! missing. The last intent comes first.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use ocird_model::{
    Bytes, Digest, ImageId, Outcome, OutcomeKind, ProofKind, ProofResult, RepositoryName, Tag,
};
use ocird_store::{DeletionsQuery, IntentId, Page, PastDeletion, Proof};
use serde::Serialize;

use super::answer::{Columns, Listed};
use super::asked::{Asked, FROM};
use super::cursor::Cursor;
use super::instant::Instant;
use super::{Api, unread};
use crate::csv::Cell;
use crate::http::problem::Problem;

/// One deletion.
#[derive(Debug, Serialize)]
struct Row {
    id: IntentId,
    intended_at: DateTime<Utc>,
    repository: RepositoryName,
    image: ImageId,
    digest: Digest,
    head: Digest,
    tags: Vec<Tag>,
    rule: String,
    evidence: String,
    frees: Option<Bytes>,
    /// A word of [`OutcomeKind::ALL`]; `None` while nobody knows.
    outcome: Option<&'static str>,
    /// The kind of failure, where it failed.
    error: Option<&'static str>,
    concluded_at: Option<DateTime<Utc>>,
    detail: Option<String>,
    restored_at: Option<DateTime<Utc>>,
    proofs: Vec<ProofRow>,
}

/// One proof of its batch, made or to be made.
#[derive(Debug, Serialize)]
struct ProofRow {
    kind: ProofKind,
    due_at: DateTime<Utc>,
    made_at: Option<DateTime<Utc>>,
    result: Option<ProofResult>,
    detail: Option<String>,
}

/// A part of the journal.
pub(super) async fn list(State(api): State<Api>, asked: Asked) -> Result<Response, Problem> {
    let part = asked.part()?;
    let since: Option<Instant> = asked.optional(FROM)?;
    let query = DeletionsQuery {
        repository: asked.repository()?,
        since: since.map(|Instant(at)| at),
        before: part.after.as_ref().map(|cursor| IntentId::from(cursor.number())),
        limit: part.limit,
    };
    let seat = api.desk.sit().await;
    let Page { rows, next } = api.past()?.deletions(&query).await.map_err(|error| unread(&error))?;
    let rows = rows.into_iter().map(Row::of).collect();
    let next = next.map(|id| Cursor::of_number(id.into()));
    Ok(asked.list(seat, Listed::bare(rows, next), COLUMNS).await)
}

impl Row {
    fn of(past: PastDeletion) -> Self {
        let PastDeletion { id, intended_at, repository, image, digest, head, tags, rule, evidence, .. } =
            past;
        let (outcome, concluded_at, detail) = match past.outcome {
            Some(Outcome { kind, at, detail }) => (Some(kind), Some(at), Some(detail)),
            None => (None, None, None),
        };
        let error = match outcome {
            Some(OutcomeKind::Failed(kind)) => Some(kind.as_str()),
            Some(
                OutcomeKind::Deleted | OutcomeKind::Drifted | OutcomeKind::AlreadyGone | OutcomeKind::NotDone,
            )
            | None => None,
        };
        Self {
            id,
            intended_at,
            repository,
            image,
            digest,
            head,
            tags,
            rule,
            evidence,
            frees: past.frees,
            outcome: outcome.map(OutcomeKind::as_str),
            error,
            concluded_at,
            detail,
            restored_at: past.restored_at,
            proofs: past.proofs.into_iter().map(ProofRow::of).collect(),
        }
    }
}

impl ProofRow {
    fn of(Proof { kind, due_at, made, .. }: Proof) -> Self {
        let (made_at, result, detail) = match made {
            Some(made) => (Some(made.at), Some(made.result), Some(made.detail)),
            None => (None, None, None),
        };
        Self { kind, due_at, made_at, result, detail }
    }
}

const COLUMNS: Columns<Row, 16> = Columns {
    names: [
        "id",
        "intended_at",
        "repository",
        "image",
        "digest",
        "head",
        "tags",
        "rule",
        "evidence",
        "frees",
        "outcome",
        "error",
        "concluded_at",
        "detail",
        "restored_at",
        "proofs",
    ],
    cells: |row| {
        let tags: Vec<&str> = row.tags.iter().map(Tag::as_str).collect();
        let proofs = row.proofs.iter().map(|proof| proof.result.map_or("due", ProofResult::as_str));
        [
            Cell::text(row.id.to_string()),
            row.intended_at.into(),
            Cell::text(row.repository.as_str()),
            Cell::text(row.image.as_str()),
            Cell::text(row.digest.to_string()),
            Cell::text(row.head.to_string()),
            Cell::text(tags.join(", ")),
            Cell::text(&row.rule),
            Cell::text(&row.evidence),
            Cell::optional(row.frees),
            Cell::optional(row.outcome.map(str::to_owned)),
            Cell::optional(row.error.map(str::to_owned)),
            Cell::optional(row.concluded_at),
            Cell::optional(row.detail.clone()),
            Cell::optional(row.restored_at),
            Cell::text(proofs.collect::<Vec<_>>().join(", ")),
        ]
    },
};
