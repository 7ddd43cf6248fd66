//! What the rules have selected and not yet deleted: the next to go first.

use axum::extract::State;
use axum::response::Response;

use super::Api;
use super::answer::{Columns, Listed, part_of};
use super::asked::Asked;
use super::cursor::Cursor;
use crate::csv::Cell;
use crate::http::problem::Problem;
use crate::status::Pending;

/// Every family that is marked.
pub(super) async fn list(State(api): State<Api>, asked: Asked) -> Result<Response, Problem> {
    let part = asked.part()?;
    let repository = asked.repository()?;
    let seat = api.desk.sit().await;
    let status = api.app.board.read();
    let wanted =
        status.pending.iter().filter(|one| repository.as_ref().is_none_or(|only| *only == one.repository));
    let (families, next) = part_of(wanted, |family| key(family), &part);
    let families = families.into_iter().cloned().collect();
    drop(status);
    Ok(asked.list(seat, Listed::bare(families, next), COLUMNS).await)
}

/// In the order in which they go.
fn key(Pending { repository, digest, due_at, .. }: &Pending) -> Vec<u8> {
    // With its sign turned a number sorts like its bytes.
    let due_at = due_at.timestamp_millis() ^ i64::MIN;
    Cursor::key_of(&[&due_at.to_be_bytes(), repository.as_str().as_bytes(), digest.as_bytes()])
}

const COLUMNS: Columns<Pending, 6> = Columns {
    names: ["repository", "digest", "tags", "rule", "since", "due_at"],
    cells: |Pending { repository, digest, tags, rule, since, due_at }| {
        [
            Cell::text(repository.as_str()),
            Cell::text(digest),
            Cell::text(tags.join(", ")),
            Cell::text(rule),
            (*since).into(),
            (*due_at).into(),
        ]
    },
};
