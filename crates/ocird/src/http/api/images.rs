//! The images of one repository, there or gone, the one that was pushed last coming first: out of the store.

use std::str::FromStr;

use axum::extract::State;
use axum::response::Response;
use ocird_model::{RepositoryName, Tag};
use ocird_store::{ImageCursor, ImagesQuery, Page, Past, PastImage};

use super::answer::{Columns, Listed};
use super::asked::{Asked, Named, STATE};
use super::cursor::Cursor;
use super::repositories::unknown;
use super::{Api, unread};
use crate::csv::Cell;
use crate::http::problem::Problem;

/// Which images are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Which {
    /// Those that are there.
    #[default]
    Present,
    /// Those that are gone.
    Gone,
}

/// A part of the images.
pub(super) async fn list(
    State(api): State<Api>,
    Named(repository): Named,
    asked: Asked,
) -> Result<Response, Problem> {
    let part = asked.part()?;
    let which: Which = asked.optional(STATE)?.unwrap_or_default();
    let seat = api.desk.sit().await;
    let history = api.past()?;
    let query = ImagesQuery {
        repository,
        are_gone: which == Which::Gone,
        after: part.after.as_ref().map(|cursor| ImageCursor::from_bytes(cursor.key())),
        limit: part.limit,
    };
    let Page { rows, next } = history.images(&query).await.map_err(|error| unread(&error))?;
    if rows.is_empty() {
        known(&history, &query.repository).await?;
    }
    let next = next.map(|cursor| Cursor::new(cursor.to_bytes()));
    Ok(asked.list(seat, Listed::bare(rows, next), COLUMNS).await)
}

/// Without images: was the repository ever seen?
async fn known(history: &Past, name: &RepositoryName) -> Result<(), Problem> {
    let all = history.repositories().await.map_err(|error| unread(&error))?;
    if all.iter().any(|(known, _)| known == name) { Ok(()) } else { Err(unknown(name)) }
}

/// Why a text is neither.
#[derive(Debug, thiserror::Error)]
#[error("write present or gone")]
struct ParseWhichError;

impl FromStr for Which {
    type Err = ParseWhichError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "present" => Ok(Self::Present),
            "gone" => Ok(Self::Gone),
            _ => Err(ParseWhichError),
        }
    }
}

const COLUMNS: Columns<PastImage, 14> = Columns {
    names: [
        "id",
        "digest",
        "tags",
        "created_at",
        "created_by",
        "first_seen_at",
        "gone_at",
        "size",
        "n_pulls",
        "last_pulled_at",
        "used_by",
        "decision",
        "reason",
        "detail",
    ],
    cells: |image| {
        let verdict = image.verdict.as_ref();
        let tags: Vec<&str> = image.tags.iter().map(Tag::as_str).collect();
        [
            Cell::text(image.id.as_str()),
            Cell::text(image.digest.to_string()),
            Cell::text(tags.join(", ")),
            Cell::optional(image.created_at),
            Cell::optional(image.created_by.clone()),
            image.first_seen_at.into(),
            Cell::optional(image.gone_at),
            image.size.into(),
            Cell::Number(image.n_pulls),
            Cell::optional(image.last_pulled_at),
            Cell::text(image.used_by.join(", ")),
            Cell::optional(verdict.map(|verdict| verdict.decision.clone())),
            Cell::optional(verdict.map(|verdict| verdict.reason.clone())),
            Cell::optional(verdict.and_then(|verdict| verdict.detail.clone())),
        ]
    },
};
