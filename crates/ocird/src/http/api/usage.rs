//! Usage over time, the oldest first: out of the store.

use std::str::FromStr;

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, TimeDelta};
use ocird_model::RepositoryName;
use ocird_store::{Step, UsageOf, UsageStep};
use serde::Serialize;

use super::answer::{Columns, Listed, part_of};
use super::asked::{Asked, FROM, STEP, TO};
use super::instant::Instant;
use super::{Api, unread};
use crate::csv::Cell;
use crate::http::problem::Problem;

/// The range when nobody says from when.
const USUAL_RANGE: TimeDelta = TimeDelta::days(60);

/// The series.
#[derive(Debug, Serialize)]
struct Head {
    /// Whose usage; `None` for everything that is watched.
    repository: Option<RepositoryName>,
    step: Step,
}

/// A length of a step as a parameter.
#[derive(Debug, Clone, Copy)]
struct Every(Step);

/// A part of a series. A range that ends before it begins holds nothing.
pub(super) async fn list(State(api): State<Api>, asked: Asked) -> Result<Response, Problem> {
    let part = asked.part()?;
    let repository = asked.repository()?;
    let Every(step) = asked.optional(STEP)?.unwrap_or(Every(Step::Day));
    let to = asked.optional(TO)?.map_or_else(|| (api.app.clock)(), |Instant(at)| at);
    let from = asked.optional(FROM)?.map(|Instant(at)| at);
    let from = from.or_else(|| to.checked_sub_signed(USUAL_RANGE)).unwrap_or(DateTime::UNIX_EPOCH);
    // What lies before the place at which the last part ended need not be read again.
    let place = part.after.as_ref().and_then(|cursor| DateTime::from_timestamp_millis(cursor.number()));
    let begin = place.map_or(from, |place| from.max(place));
    let seat = api.desk.sit().await;
    let of = repository.clone().map_or(UsageOf::Everything, UsageOf::Repository);
    let steps = api.past()?.usage(&of, step, begin..to).await.map_err(|error| unread(&error))?;
    let (steps, next) = part_of(steps, key, &part);
    Ok(asked.list(seat, Listed { head: Head { repository, step }, items: steps, next }, COLUMNS).await)
}

/// Nothing is earlier than 1970 here: nobody pushed before.
fn key(step: &UsageStep) -> Vec<u8> {
    step.at.timestamp_millis().to_be_bytes().to_vec()
}

/// Why a text is not a step.
#[derive(Debug, thiserror::Error)]
#[error("write sample, hour or day")]
struct ParseEveryError;

impl FromStr for Every {
    type Err = ParseEveryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "sample" => Ok(Self(Step::Sample)),
            "hour" => Ok(Self(Step::Hour)),
            "day" => Ok(Self(Step::Day)),
            _ => Err(ParseEveryError),
        }
    }
}

const COLUMNS: Columns<UsageStep, 8> = Columns {
    names: ["at", "size", "peak", "grown", "freed", "reported_size", "n_images", "n_tags"],
    cells: |UsageStep { at, size, peak, grown, freed, reported_size, n_images, n_tags }| {
        [
            (*at).into(),
            Cell::optional(*size),
            Cell::optional(*peak),
            (*grown).into(),
            (*freed).into(),
            Cell::optional(*reported_size),
            Cell::Number(*n_images),
            Cell::Number(*n_tags),
        ]
    },
};
