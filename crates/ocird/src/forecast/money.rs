//! What storage costs, and what deletions have saved of it. Money is a figure for people: nothing is decided by it.

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::Bytes;
use serde::Serialize;

use super::Day;

/// Days in a month, on average: prices are by the month.
const DAYS_A_MONTH: f64 = 365.25 / 12.0;

/// Bytes of the gigabyte that is billed: decimal, as Oracle bills.
const GIGABYTE: f64 = 1e9;

/// What storage costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Price {
    /// For a gigabyte (10^9 bytes) kept for a month, in the currency.
    pub per_gb_month: f64,
    /// The currency, such as `USD`.
    pub currency: String,
    /// What costs nothing.
    pub free: Bytes,
}

/// What deletions have saved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Savings {
    /// What usage costs by the month as it is; `None` where nobody knows the usage.
    pub costs_by_month: Option<f64>,
    /// How much more it would cost by the month if nothing had been deleted.
    pub saves_by_month: Option<f64>,
    /// What was saved from the first deletion until now.
    pub saved: f64,
    /// The currency of all.
    pub currency: String,
}

impl Price {
    /// What this much costs by the month.
    pub fn by_month(&self, usage: Bytes) -> f64 {
        usage.saturating_sub(self.free).0 as f64 / GIGABYTE * self.per_gb_month
    }
}

/// What deletions have saved: the price of what would be there had nothing been deleted, less the price of what was there,
/// day by day. `freed` is what was deleted on each day, in order of time; a day without a known size is taken to be like the
/// last day before it that has one.
pub fn savings(price: &Price, days: &[Day], freed: &[(DateTime<Utc>, Bytes)], now: DateTime<Utc>) -> Savings {
    let more_by_month = |usage: Bytes, gone: Bytes| price.by_month(usage + gone) - price.by_month(usage);
    let usage = days.iter().rev().find_map(|day| day.size);
    let gone: Bytes = freed.iter().map(|(_, size)| *size).sum();
    let by_day = day_by_day(days, freed, now)
        .map(|(usage, gone, n_days)| more_by_month(usage, gone) * n_days / DAYS_A_MONTH);
    Savings {
        costs_by_month: usage.map(|usage| price.by_month(usage)),
        saves_by_month: usage.map(|usage| more_by_month(usage, gone)),
        // The sum of no numbers is -0.0, which nobody wants to read.
        saved: by_day.sum::<f64>() + 0.0,
        currency: price.currency.clone(),
    }
}

/// For each day from the first deletion on: the usage, what had been deleted by then, and how much of the day has gone by.
/// What goes on a day counts from its end on.
fn day_by_day(
    days: &[Day],
    freed: &[(DateTime<Utc>, Bytes)],
    now: DateTime<Utc>,
) -> impl Iterator<Item = (Bytes, Bytes, f64)> {
    let first = freed.first().map(|(at, _)| *at + TimeDelta::days(1));
    let starts = std::iter::successors(first, |at| Some(*at + TimeDelta::days(1)));
    let (mut sizes, mut gone) = (Latest::new(days), Gone { rest: freed, sum: Bytes::ZERO });
    starts.take_while(move |at| *at < now).filter_map(move |at| {
        let n_days = (now - at).min(TimeDelta::days(1)).num_seconds() as f64 / 86_400.0;
        let gone = gone.before(at);
        Some((sizes.at(at)?, gone, n_days))
    })
}

/// The last known size, going forward in time.
struct Latest<'a> {
    rest: &'a [Day],
    last: Option<Bytes>,
}

impl<'a> Latest<'a> {
    const fn new(days: &'a [Day]) -> Self {
        Self { rest: days, last: None }
    }

    fn at(&mut self, at: DateTime<Utc>) -> Option<Bytes> {
        while let Some((day, rest)) = self.rest.split_first().filter(|(day, _)| day.at <= at) {
            self.last = day.size.or(self.last);
            self.rest = rest;
        }
        self.last
    }
}

/// What was deleted so far, going forward in time.
struct Gone<'a> {
    rest: &'a [(DateTime<Utc>, Bytes)],
    sum: Bytes,
}

impl Gone<'_> {
    fn before(&mut self, at: DateTime<Utc>) -> Bytes {
        while let Some(((_, size), rest)) = self.rest.split_first().filter(|((day, _), _)| *day < at) {
            self.sum += *size;
            self.rest = rest;
        }
        self.sum
    }
}
