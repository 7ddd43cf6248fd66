//! How usage grows, when it reaches a line, and what deletions have saved: arithmetic over days of history.
//!
//! Pure: it knows no clock, no store and no registry, decides nothing, and nothing that deletes is ever handed a forecast.
//!
//! # What grows
//! Two rates are told, because they answer two questions. **Pushes** are what comes in: the rises of the account added up,
//! so that a deletion, which is a step down, neither hides nor lessens them. "If nothing went any more" goes by these.
//! **Net** is what the account itself does, deletions included: "as it has gone so far" goes by that. Where policies hold
//! usage level, pushes go on and net is about zero; both are true, and only together they say what policies do.
//!
//! # How it is reckoned
//! Each rate is the median of the slopes between all pairs of days in the window (Theil and Sen), so that one day on which
//! something large was pushed once, or a day of nonsense, does not set it. The range is that of the slopes from the tenth to the
//! ninetieth percentile: what it has been over stretches of this window, not a promise. Under a week of history there is no
//! rate, and it is said.

mod money;
mod trend;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::Bytes;
use serde::Serialize;

pub use money::{Price, Savings, savings};
pub use trend::{Growth, Trend};

use trend::trend;

/// The window: long enough for a team that pushes once a week to have pushed some times in it, short enough to follow a
/// change of habit within a month.
pub const WINDOW: TimeDelta = TimeDelta::days(60);

/// A forecast does not look further than this: a rate of weeks says nothing about decades.
const HORIZON: TimeDelta = TimeDelta::days(3653);

/// What was measured on one day of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// When it begins.
    pub at: DateTime<Utc>,
    /// Usage at its end; `None` where nobody knew.
    pub size: Option<Bytes>,
    /// By how much usage rose on it, all rises together.
    pub grown: Bytes,
    /// By how much it fell.
    pub freed: Bytes,
}

/// What a forecast goes by.
#[derive(Debug, Clone, Copy)]
pub struct Basis<'a> {
    /// Days of history, the oldest first; those in which nothing was measured are not there. The last may be under way.
    pub days: &'a [Day],
    /// The moment from which it looks ahead.
    pub now: DateTime<Utc>,
    /// What is in use at that moment; `None` where nobody knows.
    pub usage: Option<Bytes>,
    /// What the present plan would free; `None` where nobody knows.
    pub plan_frees: Option<Bytes>,
}

/// What is to be expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// Usage at the moment of the forecast.
    pub usage: Option<Bytes>,
    /// What is pushed.
    pub pushes: Trend,
    /// What usage does, deletions included.
    pub net: Trend,
    /// What the present plan would free.
    pub plan_frees: Option<Bytes>,
    /// When each line is reached, in the order in which they were asked for.
    pub lines: Vec<LineForecast>,
}

/// When one line is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineForecast {
    /// The line.
    pub line: Bytes,
    /// If pushes go on and nothing goes any more.
    pub if_nothing_goes: Reach,
    /// The same, once everything in the present plan is gone; absent where what it frees is not known.
    pub after_the_plan: Option<Reach>,
    /// If it goes on as it has gone, deletions included.
    pub as_it_goes: Reach,
}

/// Whether and when usage reaches a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Reach {
    /// It has.
    Reached,
    /// There is not enough history to say, or nobody knows what is in use.
    Unknown,
    /// It has not. Each instant is `None` when it lies more than ten years ahead, or never comes at that rate.
    Ahead {
        /// At the highest rate of the range.
        earliest: Option<DateTime<Utc>>,
        /// At the median rate.
        likely: Option<DateTime<Utc>>,
        /// At the lowest rate of the range.
        latest: Option<DateTime<Utc>>,
    },
}

/// Looks ahead: rates, and when each of these lines is reached.
pub fn forecast(basis: &Basis<'_>, lines: &[Bytes]) -> Forecast {
    let Basis { days, now, usage, plan_frees } = *basis;
    let window: Vec<Day> =
        days.iter().filter(|day| day.at > now - WINDOW && day.at <= now).copied().collect();
    let pushes = trend(&pushed(&window, now));
    let net = trend(&sizes(&window, now));
    let after_plan = usage.zip(plan_frees).map(|(usage, frees)| usage.saturating_sub(frees));
    let of_line = |line: &Bytes| LineForecast {
        line: *line,
        if_nothing_goes: reach(usage, *line, &pushes, now),
        after_the_plan: after_plan.map(|usage| reach(Some(usage), *line, &pushes, now)),
        as_it_goes: reach(usage, *line, &net, now),
    };
    let lines = lines.iter().map(of_line).collect();
    Forecast { usage, pushes, net, plan_frees, lines }
}

/// What was pushed from the end of the first day on, by the end of each day: points of (days, bytes). The first day is where
/// it is counted from, because nobody knows when on that day its rises were.
fn pushed(days: &[Day], now: DateTime<Utc>) -> Vec<(f64, f64)> {
    let mut sum = 0.0;
    let count = |(i, day): (usize, &Day)| {
        if i > 0 {
            sum += day.grown.0 as f64;
        }
        (days_until_the_end(day, now), sum)
    };
    days.iter().enumerate().map(count).collect()
}

/// Usage at the end of each day on which it was known.
fn sizes(days: &[Day], now: DateTime<Utc>) -> Vec<(f64, f64)> {
    let known = |day: &Day| Some((days_until_the_end(day, now), day.size?.0 as f64));
    days.iter().filter_map(known).collect()
}

/// The end of a day, or now where it is under way, in days before now; so never above zero.
fn days_until_the_end(day: &Day, now: DateTime<Utc>) -> f64 {
    let end = (day.at + TimeDelta::days(1)).min(now);
    (end - now).num_seconds() as f64 / 86_400.0
}

fn reach(usage: Option<Bytes>, line: Bytes, trend: &Trend, now: DateTime<Utc>) -> Reach {
    let Some(usage) = usage else { return Reach::Unknown };
    if usage >= line {
        return Reach::Reached;
    }
    let Trend::Known(Growth { per_day, low, high, n_days: _ }) = *trend else { return Reach::Unknown };
    let missing = line.saturating_sub(usage);
    let at = |rate: f64| after(missing, rate).map(|span| now + span);
    Reach::Ahead { earliest: at(high), likely: at(per_day), latest: at(low) }
}

/// How long it takes for so much to come at a rate in bytes a day; `None` beyond the horizon.
fn after(missing: Bytes, per_day: f64) -> Option<TimeDelta> {
    let days = missing.0 as f64 / per_day;
    let is_ahead = per_day > 0.0 && days <= HORIZON.num_days() as f64;
    #[expect(clippy::cast_possible_truncation, reason = "at most the seconds of the horizon")]
    is_ahead.then(|| TimeDelta::seconds((days * 86_400.0) as i64))
}

#[cfg(test)]
mod tests;
