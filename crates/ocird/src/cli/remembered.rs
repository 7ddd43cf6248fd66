//! What the commands share that look back: they read the store of the daemon, running or not, and write nothing.

use std::str::FromStr;

use anyhow::anyhow;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use ocird_model::RepositoryName;
use ocird_store::{Glance, Past};

use crate::cli::Failure;
use crate::config::Config;

/// How a table goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
#[group(multiple = false)]
pub(super) struct Form {
    /// One JSON document.
    #[arg(long)]
    pub(super) json: bool,
    /// Comma-separated values, safe to open in a spreadsheet.
    #[arg(long)]
    pub(super) csv: bool,
}

/// Since when: `30d`, `2026-11-01`, or an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// So long ago.
    Ago(TimeDelta),
    /// From this instant on.
    Moment(DateTime<Utc>),
}

/// Why a text is not a beginning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a span as 30d, a day as 2026-11-01, or a moment as 2026-11-01T12:00:00Z")]
pub(super) struct ParseSinceError;

impl FromStr for Since {
    type Err = ParseSinceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(day) = text.parse::<NaiveDate>() {
            return Ok(Self::Moment(day.and_time(NaiveTime::MIN).and_utc()));
        }
        if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::Moment(moment.to_utc()));
        }
        let span = humantime::parse_duration(text).map_err(|_| ParseSinceError)?;
        TimeDelta::from_std(span).map(Self::Ago).map_err(|_| ParseSinceError)
    }
}

impl Since {
    /// The instant, seen from now.
    pub(super) fn instant(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Ago(span) => now.checked_sub_signed(span).unwrap_or(DateTime::UNIX_EPOCH),
            Self::Moment(moment) => moment,
        }
    }
}

/// The past that the store of this configuration holds.
pub(super) async fn past(config: &Config) -> Result<Past, Failure> {
    let glance = Glance::open(&config.state_dir).await.map_err(Failure::unavailable)?;
    let missing = || anyhow!("there is no store in {} yet; a pass makes it", config.state_dir.display());
    Ok(glance.ok_or_else(|| Failure::unavailable(missing()))?.past())
}

/// The repositories that are there: listed within a day of the last look. Others were deleted, or can no longer be listed.
pub(super) async fn repositories(past: &Past) -> Result<Vec<RepositoryName>, Failure> {
    let all = past.repositories().await.map_err(Failure::unavailable)?;
    let last = all.iter().map(|(_, seen)| *seen).max();
    let is_there = |seen: DateTime<Utc>| last.is_some_and(|last| last - seen < TimeDelta::days(1));
    Ok(all.into_iter().filter(|(_, seen)| is_there(*seen)).map(|(name, _)| name).collect())
}

/// The repository that was asked for, if it was ever seen.
pub(super) async fn known(past: &Past, name: &RepositoryName) -> Result<(), Failure> {
    let all = past.repositories().await.map_err(Failure::unavailable)?;
    if all.iter().any(|(known, _)| known == name) {
        return Ok(());
    }
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    Err(anyhow!("no repository is called {name}; there are {}", names.join(", ")).into())
}

/// A time as tables show it.
pub(super) fn minute(at: DateTime<Utc>) -> String {
    at.format("%F %H:%M").to_string()
}

/// How long ago, in the largest unit that says something: `5 min`, `3 h`, `40 d`.
pub(super) fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let span = (now - at).max(TimeDelta::zero());
    match (span.num_minutes(), span.num_hours(), span.num_days()) {
        (minutes, 0, _) => format!("{minutes} min"),
        (_, hours, 0 | 1) => format!("{hours} h"),
        (_, _, days) => format!("{days} d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_beginning_is_a_span_a_day_or_a_moment() {
        let cases = [
            ("30d", "2026-10-22T12:00:00Z"),
            ("36h", "2026-11-20T00:00:00Z"),
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T10:00:00+02:00", "2026-11-01T08:00:00Z"),
        ];
        for (text, expected) in cases {
            let instant = text.parse::<Since>().unwrap().instant(now());
            assert_eq!(instant, expected.parse::<DateTime<Utc>>().unwrap(), "{text}");
        }
        for text in ["", "-3d", "yesterday", "2026-13-01"] {
            assert_eq!(text.parse::<Since>(), Err(ParseSinceError), "{text}");
        }
    }

    #[test]
    fn how_long_ago_is_said_in_one_unit() {
        let said = |minutes| ago(now() - TimeDelta::minutes(minutes), now());
        assert_eq!([said(5), said(60), said(47 * 60), said(48 * 60)], ["5 min", "1 h", "47 h", "2 d"]);
        assert_eq!(said(-5), "0 min", "a clock that is ahead elsewhere");
    }
}
