//! When a pass is due: five-field Unix cron in UTC, and the hours in which deleting is allowed.
//!
//! The `cron` crate beneath is not Unix cron: it wants seconds, counts weekdays from Sunday = 1, and joins
//! day-of-month with day-of-week by AND. So a text is read here, field by field, and handed down only as lists of
//! numbers. What the two dialects would understand differently is refused, never guessed.
//!
//! Deliberately absent: local time (a run that a clock change skips or repeats helps nobody), seconds, years, and the
//! present time itself, which is a parameter everywhere.

mod field;
mod window;

use std::fmt;
use std::num::NonZeroUsize;

use chrono::{DateTime, TimeDelta, Utc};
use cron::TimeUnitSpec as _;

pub use self::field::FieldError;
pub use self::window::{ParseWindowError, Window};

/// When a kind of pass is due: five-field Unix cron, in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    cron: cron::Schedule,
}

/// Why a text is not a schedule, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Blank is never "always" (S-11).
    #[error(
        "a schedule has five fields: minute hour day-of-month month day-of-week, such as \"*/15 * * * *\""
    )]
    Empty,
    /// Six or seven fields have seconds or years, which this dialect has not.
    #[error(
        "a schedule has five fields (minute hour day-of-month month day-of-week), this has {n_fields}; leave seconds \
         and years out"
    )]
    FieldCount {
        /// Number of fields that were found.
        n_fields: usize,
    },
    /// A word after `@` that is not one of the Unix set.
    #[error("{text:?} is not known; write @hourly, @daily, @weekly, @monthly or @yearly, or five fields")]
    Shorthand {
        /// The word, cut to 80 characters.
        text: String,
    },
    /// One field cannot be read.
    #[error("the {field} field {text:?} {why}")]
    Field {
        /// The name of the field.
        field: &'static str,
        /// The text of the field, cut to 80 characters.
        text: String,
        /// What is wrong with it.
        why: FieldError,
    },
    /// Unix means "either" by two restricted days, other programs mean "both".
    #[error(
        "day-of-month and day-of-week are both restricted, which programs understand differently; leave one of them *"
    )]
    BothDays,
    /// No such day exists: the 30th of February.
    #[error("no day of any year fits, so it would never run")]
    Never,
}

impl Schedule {
    /// Reads five-field Unix cron: `*`, numbers, ranges `a-b`, steps `*/n` and `a-b/n`, lists, month and weekday names,
    /// weekdays with 0 and 7 as Sunday; or `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`,
    /// `@annually`.
    ///
    /// # Panics
    /// Never: only lists of numbers in range reach the crate beneath.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let text = text.trim();
        let fields: Vec<&str> = written_out(text)?.split_ascii_whitespace().collect();
        let &[minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(match fields.len() {
                0 => ScheduleError::Empty,
                n_fields => ScheduleError::FieldCount { n_fields },
            });
        };
        if day != "*" && weekday != "*" {
            return Err(ScheduleError::BothDays);
        }
        let expression = format!(
            "0 {} {} {} {} {}",
            field::MINUTE.translate(minute)?,
            field::HOUR.translate(hour)?,
            field::DAY.translate(day)?,
            field::MONTH.translate(month)?,
            field::WEEKDAY.translate(weekday)?,
        );
        let schedule = Self {
            text: text.to_owned(),
            cron: expression.parse().expect("lists of numbers in range are a schedule"),
        };
        // Five fields know no year, so what fires at all fires early in the crate's calendar, which starts here.
        match schedule.next_after(DateTime::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err(ScheduleError::Never),
        }
    }

    /// The first instant strictly after `now` at which a pass is due, to the second. `None` only at the end of the
    /// calendar, the year 2100.
    pub fn next_after(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.cron.after(&now).next()
    }

    /// The instant of the `n`th pass that is due after `now`, counted from 1. Unlike a number of intervals it knows nights and
    /// weekends.
    pub fn nth_after(&self, now: DateTime<Utc>, n: NonZeroUsize) -> Option<DateTime<Utc>> {
        self.cron.after(&now).nth(n.get() - 1)
    }

    /// The distance of the next two instants after `now`. Uneven schedules have uneven intervals: `0 9,17 * * *` has 8
    /// and 16 hours. Zero at the end of the calendar, which every use understands as "too long ago".
    pub fn interval(&self, now: DateTime<Utc>) -> TimeDelta {
        let mut next_two = self.cron.after(&now);
        match (next_two.next(), next_two.next()) {
            (Some(first), Some(second)) => second - first,
            _ => TimeDelta::zero(),
        }
    }

    /// True when at least one instant of the schedule lies inside the window.
    pub fn meets(&self, window: Window) -> bool {
        self.cron
            .hours()
            .iter()
            .any(|hour| self.cron.minutes().iter().any(|minute| window.contains_minute(hour * 60 + minute)))
    }

    /// The schedule as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// The five fields that a shorthand stands for; any other text is given back as it is.
fn written_out(text: &str) -> Result<&str, ScheduleError> {
    match text {
        "@yearly" | "@annually" => Ok("0 0 1 1 *"),
        "@monthly" => Ok("0 0 1 * *"),
        "@weekly" => Ok("0 0 * * 0"),
        "@daily" | "@midnight" => Ok("0 0 * * *"),
        "@hourly" => Ok("0 * * * *"),
        _ if text.starts_with('@') => Err(ScheduleError::Shorthand { text: text.chars().take(80).collect() }),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn next(schedule: &str, now: &str) -> String {
        let next = Schedule::parse(schedule).unwrap().next_after(at(now)).unwrap();
        next.format("%Y-%m-%dT%H:%MZ").to_string()
    }

    /// Worked out by hand with a wall calendar: 2026-11-21 is a Saturday, 2028 is a leap year, 2100 is none.
    #[test]
    fn the_next_time_is_the_one_unix_cron_would_give() {
        let cases = [
            ("*/15 * * * *", "2026-11-21T10:07:30Z", "2026-11-21T10:15Z"),
            ("*/15 * * * *", "2026-11-21T10:15:00Z", "2026-11-21T10:30Z"),
            ("*/15 * * * *", "2026-11-21T10:14:59.999Z", "2026-11-21T10:15Z"),
            ("0 * * * *", "2026-12-31T23:00:00Z", "2027-01-01T00:00Z"),
            ("30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T02:30Z"),
            ("30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T02:30Z"),
            ("0 3 * * 1", "2026-11-21T00:00:00Z", "2026-11-23T03:00Z"),
            ("0 3 * * 0", "2026-11-21T00:00:00Z", "2026-11-22T03:00Z"),
            ("0 3 * * 7", "2026-11-21T00:00:00Z", "2026-11-22T03:00Z"),
            ("0 3 * * 6", "2026-11-21T00:00:00Z", "2026-11-21T03:00Z"),
            ("0 3 * * 1-5", "2026-11-20T04:00:00Z", "2026-11-23T03:00Z"),
            ("0 3 * * 5-7", "2026-11-19T00:00:00Z", "2026-11-20T03:00Z"),
            ("0 3 * * 5-7", "2026-11-21T04:00:00Z", "2026-11-22T03:00Z"),
            ("0 3 * * */2", "2026-11-22T04:00:00Z", "2026-11-24T03:00Z"),
            ("0 3 * * MON-fri", "2026-11-20T04:00:00Z", "2026-11-23T03:00Z"),
            ("0 3 * * sun", "2026-11-21T00:00:00Z", "2026-11-22T03:00Z"),
            ("0 0 31 * *", "2026-01-31T00:00:00Z", "2026-03-31T00:00Z"),
            ("0 0 30 * *", "2026-01-30T00:00:00Z", "2026-03-30T00:00Z"),
            ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00Z"),
            ("0 0 29 feb *", "2096-02-29T12:00:00Z", "none"),
            ("5 4 1 1,7 *", "2026-01-01T04:05:00Z", "2026-07-01T04:05Z"),
            ("10-40/15 6 * * *", "2026-05-01T06:10:00Z", "2026-05-01T06:25Z"),
            ("10-40/15 6 * * *", "2026-05-01T06:40:00Z", "2026-05-02T06:10Z"),
            ("@hourly", "2026-11-21T10:07:30Z", "2026-11-21T11:00Z"),
            ("@daily", "2026-02-28T10:00:00Z", "2026-03-01T00:00Z"),
            ("@midnight", "2028-02-28T10:00:00Z", "2028-02-29T00:00Z"),
            ("@weekly", "2026-11-21T10:00:00Z", "2026-11-22T00:00Z"),
            ("@monthly", "2026-11-21T10:00:00Z", "2026-12-01T00:00Z"),
            ("@yearly", "2026-11-21T10:00:00Z", "2027-01-01T00:00Z"),
            ("@annually", "2027-01-01T00:00:00Z", "2028-01-01T00:00Z"),
            (" 0\t12  * * * ", "2026-11-21T10:00:00Z", "2026-11-21T12:00Z"),
        ];
        for (schedule, now, expected) in cases {
            if expected == "none" {
                assert_eq!(Schedule::parse(schedule).unwrap().next_after(at(now)), None);
            } else {
                assert_eq!(next(schedule, now), expected, "{schedule:?} after {now}");
            }
        }
    }

    #[test]
    fn what_other_programs_understand_differently_is_refused() {
        let cases = [
            ("", "five fields"),
            ("   ", "five fields"),
            ("* * * *", "this has 4"),
            ("0 */15 * * * *", "this has 6"),
            ("0 0 0 1 1 * 2027", "this has 7"),
            ("0 3 13 * 5", "both restricted"),
            ("0 3 */2 * 1", "both restricted"),
            ("0 3 1-31 * 1", "both restricted"),
            ("@reboot", "@hourly, @daily"),
            ("@Daily", "@hourly, @daily"),
            ("60 * * * *", "goes from 0 to 59"),
            ("* 24 * * *", "goes from 0 to 23"),
            ("* * 0 * *", "goes from 1 to 31"),
            ("* * * 13 *", "goes from 1 to 12"),
            ("* * * * 8", "goes from 0 to 7"),
            ("99999999999 * * * *", "goes from 0 to 59"),
            ("*/0 * * * *", "step"),
            ("*/60 * * * *", "step"),
            ("5/15 * * * *", "5-59/15"),
            ("40-10 * * * *", "backwards"),
            ("* * * * fri-mon", "backwards"),
            ("* * L * *", "is not"),
            ("* * ? * *", "is not"),
            ("* * * * 5L", "is not"),
            ("* * * * 5#2", "is not"),
            ("-5 * * * *", "is not"),
            ("+5 * * * *", "is not"),
            ("1,,2 * * * *", "is not"),
            ("1.5 * * * *", "is not"),
            ("jan * * * *", "is not"),
            ("0 0 30 2 *", "never run"),
            ("0 0 31 4,6,9,11 *", "never run"),
        ];
        for (text, expected) in cases {
            let error = Schedule::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?} said: {error}");
        }
    }

    #[test]
    fn the_third_pass_after_the_last_of_a_week_is_on_monday() {
        let office = Schedule::parse("0 8-18 * * 1-5").unwrap();
        let friday = at("2026-03-06T18:00:01Z");
        let third = office.nth_after(friday, NonZeroUsize::new(3).unwrap());
        assert_eq!(third, Some(at("2026-03-09T10:00:00Z")));
        assert_eq!(office.nth_after(friday, NonZeroUsize::MIN), office.next_after(friday));
    }

    #[test]
    fn an_interval_is_the_distance_of_the_next_two() {
        let cases = [
            ("*/15 * * * *", "2026-11-21T10:07:30Z", TimeDelta::minutes(15)),
            ("0 9,17 * * *", "2026-11-21T08:00:00Z", TimeDelta::hours(8)),
            ("0 9,17 * * *", "2026-11-21T10:00:00Z", TimeDelta::hours(16)),
            ("@weekly", "2026-11-21T10:00:00Z", TimeDelta::days(7)),
            ("@daily", "2100-12-31T10:00:00Z", TimeDelta::zero()),
        ];
        for (schedule, now, expected) in cases {
            assert_eq!(Schedule::parse(schedule).unwrap().interval(at(now)), expected, "{schedule}");
        }
    }

    #[test]
    fn a_schedule_meets_a_window_only_at_its_own_minutes() {
        let night: Window = "22:00-06:00".parse().unwrap();
        assert!(Schedule::parse("0 * * * *").unwrap().meets(night));
        assert!(Schedule::parse("59 5 * * *").unwrap().meets(night));
        assert!(!Schedule::parse("0 6,12 * * *").unwrap().meets(night));
    }

    #[test]
    fn a_schedule_prints_as_it_was_written() {
        assert_eq!(Schedule::parse(" @daily ").unwrap().to_string(), "@daily");
    }

    fn field(first: u32, last: u32) -> impl Strategy<Value = String> {
        prop_oneof![
            Just("*".to_owned()),
            (first..=last).prop_map(|n| n.to_string()),
            (2..=last / 2).prop_map(|n| format!("*/{n}")),
            (first..=last, first..=last).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
            (first..=last, first..=last).prop_map(|(a, b)| format!("{a},{b}")),
        ]
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,40}") {
            if let Ok(schedule) = Schedule::parse(&text) {
                prop_assert!(schedule.next_after(DateTime::UNIX_EPOCH).is_some());
            }
        }

        #[test]
        fn any_cron_like_text_is_read_or_refused_without_a_panic(text in "[-*/,0-9@a-z ]{0,24}") {
            if let Ok(schedule) = Schedule::parse(&text) {
                prop_assert!(schedule.next_after(DateTime::UNIX_EPOCH).is_some());
            }
        }

        #[test]
        fn the_next_time_is_later_whole_and_found_again_from_just_before(
            minute in field(0, 59), hour in field(0, 23), day in field(1, 28), month in field(1, 12),
            seconds in 0_i64..3_000_000_000,
        ) {
            let schedule = Schedule::parse(&format!("{minute} {hour} {day} {month} *")).unwrap();
            let now = DateTime::from_timestamp(seconds, 0).unwrap();
            let next = schedule.next_after(now).unwrap();
            prop_assert!(next > now);
            prop_assert_eq!(next.timestamp() % 60, 0);
            prop_assert_eq!(schedule.next_after(next - TimeDelta::seconds(1)), Some(next));
            prop_assert_eq!(schedule.next_after(now), Some(next));
        }
    }
}
