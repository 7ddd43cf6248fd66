//! What the past says of what comes: read out of the store and handed to the arithmetic of [`crate::forecast`]. Whoever shows
//! it, on a terminal or over HTTP, says the same.

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Bytes, RepositoryName};
use ocird_store::{FreedOnDay, Past, Step, StoreError, Totals, UsageOf, UsageStep};
use serde::Serialize;

use crate::forecast::{Basis, Day, Forecast, Price, Savings, WINDOW, forecast, savings};

/// What is to be foreseen, and what is known besides the past.
#[derive(Debug, Clone)]
pub struct Aim<'a> {
    /// Whose usage; `None` for everything that is watched.
    pub repository: Option<RepositoryName>,
    /// The lines of everything; one repository does not reach them by itself.
    pub lines: Vec<Bytes>,
    /// What the present plan would free; `None` where nobody knows.
    pub plan_frees: Option<Bytes>,
    /// What storage costs; `None` where nobody said.
    pub price: Option<&'a Price>,
    /// The moment from which it looks ahead.
    pub now: DateTime<Utc>,
}

/// What is to be expected, and what deletions came to.
#[derive(Debug, Clone, Serialize)]
pub struct Outlook {
    /// The moment from which it looks ahead.
    pub at: DateTime<Utc>,
    /// Whose usage; `None` for everything that is watched.
    pub repository: Option<RepositoryName>,
    /// The last usage that is known.
    pub latest: Option<UsageStep>,
    /// Rates, and when lines are reached.
    pub forecast: Forecast,
    /// Everything that was deleted so far, of all repositories.
    pub deleted: Totals,
    /// What that has saved; `None` without a price.
    pub savings: Option<Savings>,
}

/// Looks ahead.
pub async fn outlook(past: &Past, aim: Aim<'_>) -> Result<Outlook, StoreError> {
    let Aim { repository, lines, plan_frees, price, now } = aim;
    let of = repository.clone().map_or(UsageOf::Everything, UsageOf::Repository);
    let window = past.usage(&of, Step::Day, now - WINDOW..now).await?;
    let latest = window.last().copied();
    let days: Vec<Day> = window.iter().map(day).collect();
    let basis = Basis { days: &days, now, usage: latest.and_then(|latest| latest.size), plan_frees };
    let lines = if repository.is_none() { lines } else { Vec::new() };
    let savings = match price {
        Some(price) => Some(saved(past, price, now).await?),
        None => None,
    };
    Ok(Outlook {
        at: now,
        repository,
        latest,
        forecast: forecast(&basis, &lines),
        deleted: past.totals().await?,
        savings,
    })
}

/// What deletions have saved, over everything that is watched and since the first of them.
pub(crate) async fn saved(past: &Past, price: &Price, now: DateTime<Utc>) -> Result<Savings, StoreError> {
    let freed = past.freed_by_day().await?;
    let freed: Vec<_> = freed.iter().map(|FreedOnDay { at, freed, .. }| (*at, *freed)).collect();
    let window = now - WINDOW;
    let since = freed.first().map_or(window, |(at, _)| window.min(*at - TimeDelta::days(1)));
    let everything = past.usage(&UsageOf::Everything, Step::Day, since..now).await?;
    let days: Vec<Day> = everything.iter().map(day).collect();
    Ok(savings(price, &days, &freed, now))
}

/// A step of a day, as the arithmetic takes it.
pub(crate) fn day(step: &UsageStep) -> Day {
    Day { at: step.at, size: step.size, grown: step.grown, freed: step.freed }
}
