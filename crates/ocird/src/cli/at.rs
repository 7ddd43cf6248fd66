//! A later moment, and what is taken for granted about it: that what runs now still runs, and that nothing is pushed,
//! tagged or pulled until then.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use ocird_model::{InUse, Inventory, RepositoryState};

/// A moment as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// `2026-12-01T12:00:00Z`, or `2026-12-01` for its first instant in UTC.
    Moment(DateTime<Utc>),
    /// `+7d`.
    In(TimeDelta),
}

/// Why a text is not a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a moment as 2026-12-01T12:00:00Z, a day as 2026-12-01, or a span from now as +7d")]
pub(crate) struct ParseAtError;

impl FromStr for At {
    type Err = ParseAtError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(span) = text.strip_prefix('+') {
            let span = humantime::parse_duration(span).map_err(|_| ParseAtError)?;
            return TimeDelta::from_std(span).map(Self::In).map_err(|_| ParseAtError);
        }
        if let Ok(day) = text.parse::<NaiveDate>() {
            return Ok(Self::Moment(day.and_time(NaiveTime::MIN).and_utc()));
        }
        let moment = DateTime::parse_from_rfc3339(text).map_err(|_| ParseAtError)?;
        Ok(Self::Moment(moment.to_utc()))
    }
}

impl At {
    /// The moment; `None` when it lies before `now`, of which nobody knows any more what there was.
    pub(crate) fn moment(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let moment = match self {
            Self::Moment(moment) => Some(moment),
            Self::In(span) => now.checked_add_signed(span),
        };
        moment.filter(|moment| *moment >= now)
    }
}

/// What was seen at `now`, as it is at `at` if nothing happens until then: what is known is as fresh then as it is now.
pub(crate) fn still_so(
    mut inventory: Inventory,
    in_use: InUse,
    now: DateTime<Utc>,
    at: DateTime<Utc>,
) -> (Inventory, InUse) {
    for state in inventory.repositories.values_mut() {
        match state {
            RepositoryState::Complete(repository) => {
                for image in &mut repository.images {
                    image.read_at = image.read_at.map(|read_at| read_at + (at - now));
                }
            }
            RepositoryState::Unreadable { id: _, why: _ } => {}
        }
    }
    // What has run out by now is doubted then, too.
    let in_use = if in_use.is_fresh(now) { unending(&in_use) } else { in_use };
    (inventory, in_use)
}

/// The same uses and doubts, which do not run out.
fn unending(in_use: &InUse) -> InUse {
    let mut unending = InUse::nothing();
    for (repository, uses) in in_use.all() {
        for used in uses {
            unending.add(repository.clone(), used.clone());
        }
    }
    for (repositories, why) in in_use.doubts() {
        unending.doubt(repositories.clone(), why);
    }
    unending
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_moment_is_an_instant_a_day_or_a_span_from_now() {
        let cases = [
            ("2026-12-01", Some("2026-12-01T00:00:00Z")),
            ("2026-12-01T10:00:00+02:00", Some("2026-12-01T08:00:00Z")),
            ("+7d", Some("2026-11-28T12:00:00Z")),
            ("+36h", Some("2026-11-23T00:00:00Z")),
            ("2026-11-20", None),
        ];
        for (text, expected) in cases {
            let moment = text.parse::<At>().unwrap().moment(now());
            assert_eq!(moment, expected.map(|expected| expected.parse().unwrap()), "{text}");
        }
        for text in ["", "7d", "+", "+7", "tomorrow", "2026-13-01", "-7d"] {
            assert_eq!(text.parse::<At>(), Err(ParseAtError), "{text}");
        }
    }

    #[test]
    fn what_runs_now_runs_then_and_what_is_doubted_now_is_doubted_then() {
        let at = now() + TimeDelta::days(30);
        let then = |in_use: &InUse| {
            let repositories = std::collections::BTreeMap::new();
            let inventory = Inventory { taken_at: now(), repositories, n_unlisted: 0 };
            still_so(inventory, in_use.clone(), now(), at).1
        };
        let mut in_use = InUse::nothing();
        in_use.expires(now() + TimeDelta::hours(1));
        assert!(then(&in_use).is_fresh(at));
        in_use.doubt(ocird_model::Patterns::all(), "silent");
        assert_eq!(then(&in_use).doubts().count(), 1);
        in_use.expires(now() - TimeDelta::hours(1));
        assert!(!then(&in_use).is_fresh(at));
    }
}
