//! Usage over time, of one repository or of everything that is watched: what is folded already, and what is not yet folded
//! on the way. A step in which there was no sample is not there; nothing is guessed between two points.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, RepositoryName};
use serde::Serialize;
use sqlx::SqliteConnection;

use super::{Past, row_of};
use crate::StoreError;
use crate::column::{millis, parse, time, uncount};
use crate::downsample::ACCOUNT;
use crate::fold::{Folded, Sample, Step, fold, rises};

/// Whose usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageOf {
    /// Everything that is watched together. Points come from passes that read all of it.
    Everything,
    /// One repository.
    Repository(RepositoryName),
}

/// Usage in one step of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UsageStep {
    /// When the step begins.
    pub at: DateTime<Utc>,
    /// The last size that was known in it, by ocird's own account; `None` while a layer was not known.
    pub size: Option<Bytes>,
    /// The largest size that was known in it.
    pub peak: Option<Bytes>,
    /// By how much the size rose from sample to sample, all rises together: what was pushed.
    pub grown: Bytes,
    /// By how much it fell: what was deleted, by whomever.
    pub freed: Bytes,
    /// The service's own figure at the end, which lags.
    pub reported_size: Option<Bytes>,
    /// Number of images at the end.
    pub n_images: u64,
    /// Number of tags at the end.
    pub n_tags: u64,
}

impl Past {
    /// Usage in a range of time (the end is not in it), the oldest first. The first step may begin before the range. Steps
    /// that are older than their kind is kept are not there: ask for longer ones.
    pub async fn usage(
        &self,
        of: &UsageOf,
        step: Step,
        range: Range<DateTime<Utc>>,
    ) -> Result<Vec<UsageStep>, StoreError> {
        let beginning = self.reader.begin().await;
        let mut transaction = beginning.map_err(StoreError::sqlite("beginning to read usage"))?;
        let scope = match of {
            UsageOf::Everything => Some(ACCOUNT),
            UsageOf::Repository(name) => row_of(&mut transaction, name).await?,
        };
        let Some(scope) = scope else { return Ok(Vec::new()) };
        let from = step.start(millis(range.start));
        let folded = match step {
            Step::Sample => samples(&mut transaction, scope, from).await?,
            Step::Hour => hours(&mut transaction, scope, from).await?,
            Step::Day => days(&mut transaction, scope, from).await?,
        };
        let until = millis(range.end);
        folded.into_iter().filter(|step| step.at < until).map(UsageStep::decode).collect()
    }

    /// The sizes of every repository at the end of each day since `since`, for small curves: days that are over, the oldest
    /// first, `None` where no size was known.
    pub async fn daily_sizes(
        &self,
        since: DateTime<Utc>,
    ) -> Result<BTreeMap<RepositoryName, Vec<(DateTime<Utc>, Option<Bytes>)>>, StoreError> {
        let select = "SELECT repositories.name, days.at, days.size FROM repositories \
             CROSS JOIN usage_steps AS days ON days.scope = repositories.id AND days.step = 24 AND days.at >= ? \
             ORDER BY repositories.name, days.at";
        let rows: Vec<(String, i64, Option<i64>)> = sqlx::query_as(select)
            .bind(Step::Day.start(millis(since)))
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading the days of every repository"))?;
        let mut all: BTreeMap<RepositoryName, Vec<_>> = BTreeMap::new();
        for (name, at, size) in rows {
            let point = (time("usage_steps.at", at)?, bytes("usage_steps.size", size)?);
            all.entry(parse("repositories.name", &name)?).or_default().push(point);
        }
        Ok(all)
    }
}

/// Days since `from`: those that are folded, and those of hours after them.
async fn days(connection: &mut SqliteConnection, scope: i64, from: i64) -> Result<Vec<Folded>, StoreError> {
    let mut days = folded(connection, scope, Step::Day, from).await?;
    let next = days.last().map_or(from, |day| day.at + Step::Day.millis());
    days.extend(fold(Step::Day, hours(connection, scope, next).await?));
    Ok(days)
}

/// Hours since `from`: those that are folded, and those of samples after them.
async fn hours(connection: &mut SqliteConnection, scope: i64, from: i64) -> Result<Vec<Folded>, StoreError> {
    let mut hours = folded(connection, scope, Step::Hour, from).await?;
    let next = hours.last().map_or(from, |hour| hour.at + Step::Hour.millis());
    hours.extend(fold(Step::Hour, samples(connection, scope, next).await?));
    Ok(hours)
}

/// Steps that are folded.
async fn folded(
    connection: &mut SqliteConnection,
    scope: i64,
    step: Step,
    from: i64,
) -> Result<Vec<Folded>, StoreError> {
    let select = "SELECT at, size, peak, grown, freed, reported_size, n_images, n_tags FROM usage_steps \
         WHERE scope = ? AND step = ? AND at >= ? ORDER BY at";
    sqlx::query_as(select)
        .bind(scope)
        .bind(step.hours())
        .bind(from)
        .fetch_all(connection)
        .await
        .map_err(StoreError::sqlite("reading folded usage"))
}

/// Samples since `from`, each with its rise since the one before, which may lie before `from`.
async fn samples(
    connection: &mut SqliteConnection,
    scope: i64,
    from: i64,
) -> Result<Vec<Folded>, StoreError> {
    let (before, since) = if scope == ACCOUNT {
        (
            "SELECT size FROM account_samples WHERE ?1 = 0 AND at < ?2 AND size IS NOT NULL ORDER BY at DESC LIMIT 1",
            "SELECT at, size, reported_size, n_images, n_tags FROM account_samples WHERE ?1 = 0 AND at >= ?2 ORDER BY at",
        )
    } else {
        (
            "SELECT size FROM usage_samples WHERE repository = ?1 AND at < ?2 AND size IS NOT NULL ORDER BY at DESC LIMIT 1",
            "SELECT at, size, reported_size, n_images, n_tags FROM usage_samples WHERE repository = ?1 AND at >= ?2 ORDER BY at",
        )
    };
    let doing = "reading samples of usage";
    let before: Option<i64> = sqlx::query_scalar(before)
        .bind(scope)
        .bind(from)
        .fetch_optional(&mut *connection)
        .await
        .map_err(StoreError::sqlite(doing))?;
    let samples: Vec<Sample> = sqlx::query_as(since)
        .bind(scope)
        .bind(from)
        .fetch_all(connection)
        .await
        .map_err(StoreError::sqlite(doing))?;
    Ok(rises(before, samples))
}

/// A size in a column.
pub(super) fn bytes(what: &'static str, size: Option<i64>) -> Result<Option<Bytes>, StoreError> {
    size.map(|size| uncount(what, size).map(Bytes)).transpose()
}

impl UsageStep {
    fn decode(folded: Folded) -> Result<Self, StoreError> {
        let Folded { at, size, peak, grown, freed, reported_size, n_images, n_tags } = folded;
        Ok(Self {
            at: time("usage_steps.at", at)?,
            size: bytes("usage_steps.size", size)?,
            peak: bytes("usage_steps.peak", peak)?,
            grown: Bytes(uncount("usage_steps.grown", grown)?),
            freed: Bytes(uncount("usage_steps.freed", freed)?),
            reported_size: bytes("usage_steps.reported_size", reported_size)?,
            n_images: uncount("usage_steps.n_images", n_images)?,
            n_tags: uncount("usage_steps.n_tags", n_tags)?,
        })
    }
}
