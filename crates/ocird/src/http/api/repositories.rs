//! Repositories as the last pass that saw any saw them: all, or one.

use axum::extract::State;
use axum::response::Response;
use ocird_model::RepositoryName;
use serde::Serialize;

use super::Api;
use super::answer::{Columns, Listed, part_of};
use super::asked::{Asked, Named};
use super::cursor::Cursor;
use crate::csv::Cell;
use crate::http::problem::{Problem, ProblemKind};
use crate::status::RepositoryStatus;

/// One repository.
#[derive(Debug, Serialize)]
struct Row {
    name: RepositoryName,
    #[serde(flatten)]
    status: RepositoryStatus,
}

/// All of them, by name.
pub(super) async fn list(State(api): State<Api>, asked: Asked) -> Result<Response, Problem> {
    let part = asked.part()?;
    let seat = api.desk.sit().await;
    let status = api.app.board.read();
    let names = status.repositories.keys();
    let (names, next) = part_of(names, |name| Cursor::key_of(&[name.as_str().as_bytes()]), &part);
    let row = |name: &RepositoryName| Row { name: name.clone(), status: status.repositories[name].clone() };
    let rows = names.into_iter().map(row).collect();
    drop(status);
    Ok(asked.list(seat, Listed::bare(rows, next), COLUMNS).await)
}

/// One of them.
pub(super) async fn one(
    State(api): State<Api>,
    Named(name): Named,
    asked: Asked,
) -> Result<Response, Problem> {
    let seat = api.desk.sit().await;
    let status = api.app.board.read().repositories.get(&name).cloned();
    let status = status.ok_or_else(|| unknown(&name))?;
    Ok(asked.one(seat, &Row { name, status }).await)
}

/// The problem of a repository that nobody knows.
pub(super) fn unknown(name: &RepositoryName) -> Problem {
    Problem::new(ProblemKind::NotFound, format!("there is no repository {name}"))
}

const COLUMNS: Columns<Row, 10> = Columns {
    names: [
        "name",
        "project",
        "complete_at",
        "unreadable",
        "n_images",
        "n_tags",
        "size",
        "freeable",
        "reported_size",
        "newest_push_at",
    ],
    cells: |Row { name, status }| {
        [
            Cell::text(name.as_str()),
            Cell::optional(status.project.clone()),
            Cell::optional(status.complete_at),
            Cell::optional(status.unreadable.as_ref().map(|why| why.as_str().to_owned())),
            Cell::Number(status.n_images),
            Cell::Number(status.n_tags),
            Cell::optional(status.size),
            Cell::optional(status.freeable),
            status.reported_size.into(),
            Cell::optional(status.newest_push_at),
        ]
    },
};
