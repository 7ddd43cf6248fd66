//! Answers about the past, for people and their programs: usage over time, images, deletions and their proof, what happened.
//!
//! Reads and nothing else, over connections of its own: whoever asks, however often, never keeps a pass waiting. What is
//! made of the answers (rates, forecasts, money, pages) is made elsewhere. Answers are as large as was asked for, never as
//! large as the store: what may be long comes in pages.

mod deletions;
mod events;
mod findings;
mod images;
mod totals;
mod usage;
mod verdicts;

use std::fmt;

use chrono::{DateTime, Utc};
use ocird_model::RepositoryName;
use sqlx::{SqliteConnection, SqlitePool};

pub use deletions::{DeletionsQuery, PastDeletion};
pub use events::{Event, EventCursor, EventKind, EventsQuery};
pub use findings::PastFinding;
pub use images::{ImageCursor, ImagesQuery, PastImage, StoredVerdict, TagStretch};
pub use totals::{FreedOnDay, Totals};
pub use usage::{UsageOf, UsageStep};
pub use verdicts::VerdictChange;

use crate::column::{parse, time};
use crate::{Glance, Store, StoreError};

/// The past, as it is on record. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Past {
    reader: SqlitePool,
}

/// A part of a long answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The rows of this part.
    pub rows: Vec<T>,
    /// Asks for the next part; `None` at the end.
    pub next: Option<C>,
}

impl Store {
    /// The past, as it is on record.
    pub fn past(&self) -> Past {
        Past { reader: self.askers.clone() }
    }
}

impl Glance {
    /// The past, as it is on record.
    pub fn past(&self) -> Past {
        Past { reader: self.reader.clone() }
    }
}

impl Past {
    /// The most rows of one page, whatever is asked for.
    pub const MAX_ROWS: u32 = 1000;

    /// When the store was made: there is nothing before.
    pub async fn begins_at(&self) -> Result<DateTime<Utc>, StoreError> {
        let at: i64 = sqlx::query_scalar("SELECT created_at FROM store")
            .fetch_one(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading when the store was made"))?;
        time("store.created_at", at)
    }

    /// The name of every repository that is or was there, with when it was last listed; in order of name.
    pub async fn repositories(&self) -> Result<Vec<(RepositoryName, DateTime<Utc>)>, StoreError> {
        let select = "SELECT name, max(last_seen_at) FROM repositories GROUP BY name ORDER BY name";
        let rows: Vec<(String, i64)> = sqlx::query_as(select)
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading which repositories there were"))?;
        let decoded = rows.iter().map(|(name, seen)| {
            Ok((parse("repositories.name", name)?, time("repositories.last_seen_at", *seen)?))
        });
        decoded.collect()
    }
}

impl<T, C> Page<T, C> {
    /// A page of at most `limit` rows out of one row more, so that it is known whether there is a next.
    fn of(mut rows: Vec<T>, limit: u32, cursor: impl FnOnce(&T) -> C) -> Self {
        let limit = limit as usize;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = if has_more { rows.last().map(cursor) } else { None };
        Self { rows, next }
    }
}

/// A limit within reason: at least one row, so that pages end.
fn limited(limit: u32) -> u32 {
    limit.clamp(1, Past::MAX_ROWS)
}

/// The row of the repository of this name that was seen last; one that was made anew has another.
async fn row_of(connection: &mut SqliteConnection, name: &RepositoryName) -> Result<Option<i64>, StoreError> {
    let select = "SELECT id FROM repositories WHERE name = ? ORDER BY last_seen_at DESC, id DESC LIMIT 1";
    sqlx::query_scalar(select)
        .bind(name.as_str())
        .fetch_optional(connection)
        .await
        .map_err(StoreError::sqlite("looking up a repository by its name"))
}

impl fmt::Debug for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Past").finish_non_exhaustive()
    }
}
