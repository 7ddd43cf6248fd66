//! What runs, by whom and since when, and the sources that say so. The board shows the first thousand uses; `n_uses` says how
//! many there are.

use axum::extract::State;
use axum::response::Response;
use ocird_model::UseKind;
use serde::Serialize;

use super::Api;
use super::answer::{Columns, Listed, part_of};
use super::asked::Asked;
use super::cursor::Cursor;
use crate::csv::Cell;
use crate::http::problem::Problem;
use crate::status::{SourceStatus, UseStatus};

/// What is told beside the uses.
#[derive(Debug, Serialize)]
struct Head {
    sources: Vec<SourceStatus>,
    n_uses: u64,
}

/// Every use that the board shows.
pub(super) async fn list(State(api): State<Api>, asked: Asked) -> Result<Response, Problem> {
    let part = asked.part()?;
    let repository = asked.repository()?;
    let seat = api.desk.sit().await;
    let status = api.app.board.read();
    let wanted =
        status.uses.iter().filter(|one| repository.as_ref().is_none_or(|only| *only == one.repository));
    let (uses, next) = part_of(wanted, |used| key(used), &part);
    let head = Head { sources: status.in_use.clone(), n_uses: status.n_uses };
    let listed = Listed { head, items: uses.into_iter().cloned().collect(), next };
    drop(status);
    Ok(asked.list(seat, listed, COLUMNS).await)
}

fn key(UseStatus { repository, tag, digest, by, kind, .. }: &UseStatus) -> Vec<u8> {
    let [tag, digest] = [tag, digest].map(|part| part.as_deref().unwrap_or_default().as_bytes());
    Cursor::key_of(&[repository.as_str().as_bytes(), tag, digest, word(*kind).as_bytes(), by.as_bytes()])
}

/// The word of JSON.
const fn word(kind: UseKind) -> &'static str {
    match kind {
        UseKind::Running => "running",
        UseKind::Previous => "previous",
    }
}

const COLUMNS: Columns<UseStatus, 7> = Columns {
    names: ["repository", "tag", "digest", "by", "kind", "since", "is_missing"],
    cells: |UseStatus { repository, tag, digest, by, kind, since, is_missing }| {
        [
            Cell::text(repository.as_str()),
            Cell::optional(tag.clone()),
            Cell::optional(digest.clone()),
            Cell::text(by),
            Cell::text(word(*kind)),
            Cell::optional(*since),
            Cell::optional(is_missing.map(|is_missing| is_missing.to_string())),
        ]
    },
};
