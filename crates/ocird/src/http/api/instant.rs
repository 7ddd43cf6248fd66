//! A moment as a parameter: RFC 3339, or a day for its first instant in UTC.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

/// A moment that a client names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instant(pub(super) DateTime<Utc>);

/// Why a text is not a moment.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a moment as 2026-11-01T12:00:00Z or a day as 2026-11-01; a + must be written as %2B")]
pub(super) struct ParseInstantError;

impl FromStr for Instant {
    type Err = ParseInstantError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            // Four digits: what calendars, databases and RFC 3339 agree on.
            let is_usual = text.len() == "2026-11-01".len();
            let moment = day.and_time(NaiveTime::MIN).and_utc();
            return is_usual.then_some(Self(moment)).ok_or(ParseInstantError);
        }
        let moment = DateTime::parse_from_rfc3339(text).map_err(|_| ParseInstantError)?;
        Ok(Self(moment.to_utc()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_an_instant_or_a_day() {
        let cases = [
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T10:00:00+02:00", "2026-11-01T08:00:00Z"),
            ("2026-11-01T10:00:00.5Z", "2026-11-01T10:00:00.5Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse(), Ok(Instant(expected.parse().unwrap())), "{text}");
        }
        // The plus sign of an offset arrives as a blank where it was not encoded.
        for text in
            ["", "30d", "2026-13-01", "2026-1-1", "+12026-01-01", "2026-11-01T10:00:00 02:00", "1700000000"]
        {
            assert_eq!(text.parse::<Instant>(), Err(ParseInstantError), "{text}");
        }
    }
}
