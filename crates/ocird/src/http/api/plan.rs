//! What the last pass decided, by repository and reason, and what holds it back. What goes next and when is `pending`; the
//! verdict of each image stands with the images.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use ocird_model::{Bytes, RepositoryName};
use serde::Serialize;

use super::Api;
use super::answer::{Columns, Listed, part_of};
use super::asked::Asked;
use super::cursor::Cursor;
use crate::csv::Cell;
use crate::http::problem::Problem;
use crate::status::{ApprovalStatus, Arming, Refusal, RefusedPlanStatus, Status};

/// The plan over everything that is watched, whatever part of it is listed.
#[derive(Debug, Serialize)]
struct Head {
    /// When the pass ended that decided.
    decided_at: Option<DateTime<Utc>>,
    arming: Arming,
    next_enforce_at: Option<DateTime<Utc>>,
    n_images: u64,
    /// Families that are marked.
    n_pending: u64,
    size: Option<Bytes>,
    freeable: Option<Bytes>,
    refusals: Vec<Refusal>,
    refused_plan: Option<RefusedPlanStatus>,
    approval: Option<ApprovalStatus>,
}

/// What was decided about the images of one repository.
#[derive(Debug, Serialize)]
struct Row {
    repository: RepositoryName,
    project: Option<String>,
    /// Number of images by reason.
    verdicts: BTreeMap<&'static str, u64>,
    size: Option<Bytes>,
    freeable: Option<Bytes>,
}

/// The present plan, by repository.
pub(super) async fn list(State(api): State<Api>, asked: Asked) -> Result<Response, Problem> {
    let part = asked.part()?;
    let repository = asked.repository()?;
    let seat = api.desk.sit().await;
    let status = api.app.board.read();
    let names =
        status.repositories.keys().filter(|name| repository.as_ref().is_none_or(|only| only == *name));
    let (names, next) = part_of(names, |name| Cursor::key_of(&[name.as_str().as_bytes()]), &part);
    let items = names.into_iter().map(|name| row(&status, name)).collect();
    let listed = Listed { head: head(&status), items, next };
    drop(status);
    Ok(asked.list(seat, listed, COLUMNS).await)
}

fn head(status: &Status) -> Head {
    let repositories = || status.repositories.values();
    Head {
        decided_at: status.last_pass.as_ref().map(|pass| pass.finished_at),
        arming: status.arming,
        next_enforce_at: status.next_enforce_at,
        n_images: repositories().map(|repository| repository.n_images).sum(),
        n_pending: status.pending.len() as u64,
        size: repositories().map(|repository| repository.size).sum(),
        freeable: repositories().map(|repository| repository.freeable).sum(),
        refusals: status.refusals.clone(),
        refused_plan: status.brakes.refused_plan.clone(),
        approval: status.brakes.approval.clone(),
    }
}

fn row(status: &Status, name: &RepositoryName) -> Row {
    let repository = &status.repositories[name];
    Row {
        repository: name.clone(),
        project: repository.project.clone(),
        verdicts: repository.verdicts.clone(),
        size: repository.size,
        freeable: repository.freeable,
    }
}

const COLUMNS: Columns<Row, 5> = Columns {
    names: ["repository", "project", "verdicts", "size", "freeable"],
    cells: |Row { repository, project, verdicts, size, freeable }| {
        let verdicts: Vec<String> = verdicts.iter().map(|(reason, n)| format!("{reason} {n}")).collect();
        [
            Cell::text(repository.as_str()),
            Cell::optional(project.clone()),
            Cell::text(verdicts.join(", ")),
            Cell::optional(*size),
            Cell::optional(*freeable),
        ]
    },
};
