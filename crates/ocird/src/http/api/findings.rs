//! What is odd: what stands now, which the board knows even while the store is away, or everything that is on record.

use std::str::FromStr;

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use ocird_model::{Finding, Severity, Standing};
use ocird_store::{Page, PastFinding};
use serde::Serialize;

use super::answer::{Columns, Listed, part_of};
use super::asked::{Asked, Part, STATE};
use super::cursor::Cursor;
use super::{Api, unread};
use crate::csv::Cell;
use crate::http::problem::Problem;

/// Which findings are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Which {
    /// Those that stand, the worst first.
    #[default]
    Standing,
    /// Those that were cleared, too, the one that was found last coming first.
    All,
}

/// One finding.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    finding: Finding,
    since: DateTime<Utc>,
    cleared_at: Option<DateTime<Utc>>,
}

/// The findings.
pub(super) async fn list(State(api): State<Api>, asked: Asked) -> Result<Response, Problem> {
    let part = asked.part()?;
    let which = asked.optional(STATE)?.unwrap_or_default();
    let seat = api.desk.sit().await;
    let (rows, next) = match which {
        Which::Standing => standing(&api, &part),
        Which::All => on_record(&api, &part).await?,
    };
    Ok(asked.list(seat, Listed::bare(rows, next), COLUMNS).await)
}

fn standing(api: &Api, part: &Part) -> (Vec<Row>, Option<Cursor>) {
    let status = api.app.board.read();
    let (standing, next) = part_of(&status.findings, |standing| key(standing), part);
    let row = |Standing { finding, since }: &Standing| Row {
        finding: finding.clone(),
        since: *since,
        cleared_at: None,
    };
    (standing.into_iter().map(row).collect(), next)
}

/// The worst first.
fn key(Standing { finding: Finding { kind, subject, severity, .. }, .. }: &Standing) -> Vec<u8> {
    let rank = match severity {
        Severity::Problem => 0,
        Severity::Warning => 1,
        Severity::Info => 2,
    };
    Cursor::key_of(&[
        &[rank],
        kind.as_str().as_bytes(),
        subject.as_str().as_bytes(),
        subject.name().as_bytes(),
    ])
}

async fn on_record(api: &Api, part: &Part) -> Result<(Vec<Row>, Option<Cursor>), Problem> {
    let before = part.after.as_ref().map(Cursor::number);
    let Page { rows, next } =
        api.past()?.findings(before, part.limit).await.map_err(|error| unread(&error))?;
    let row = |PastFinding { id: _, finding, since, cleared_at }| Row { finding, since, cleared_at };
    Ok((rows.into_iter().map(row).collect(), next.map(Cursor::of_number)))
}

/// Why a text is neither.
#[derive(Debug, thiserror::Error)]
#[error("write standing or all")]
struct ParseWhichError;

impl FromStr for Which {
    type Err = ParseWhichError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "standing" => Ok(Self::Standing),
            "all" => Ok(Self::All),
            _ => Err(ParseWhichError),
        }
    }
}

const COLUMNS: Columns<Row, 8> = Columns {
    names: ["kind", "severity", "about", "name", "what", "remedy", "since", "cleared_at"],
    cells: |Row { finding: Finding { kind, subject, severity, what, remedy }, since, cleared_at }| {
        [
            Cell::text(kind.as_str()),
            Cell::text(severity.as_str()),
            Cell::text(subject.as_str()),
            Cell::text(subject.name()),
            Cell::text(what),
            Cell::text(remedy),
            (*since).into(),
            Cell::optional(*cleared_at),
        ]
    },
};
