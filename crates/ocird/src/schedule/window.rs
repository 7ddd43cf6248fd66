//! The hours of the day in which deleting is allowed. Looking goes on at every hour.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Timelike as _, Utc};

/// Number of minutes in a day.
const DAY: u32 = 24 * 60;

/// A span of the day in UTC, such as `22:00-06:00`: from the first minute, up to but without the last. It may wrap
/// midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Minute of the day with which it starts.
    start: u32,
    /// Minute of the day before which it ends.
    end: u32,
}

/// Why a text is not a window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseWindowError {
    /// Not two times of day.
    #[error("a window is two times of day in UTC, such as \"22:00-06:00\"")]
    Form,
    /// Nobody can say whether it means always or never (S-11).
    #[error("a window that ends when it starts is always or never; leave it out, or give it a length")]
    Empty,
}

impl Window {
    /// True when `at` lies inside.
    pub fn contains(self, at: DateTime<Utc>) -> bool {
        self.contains_minute(at.hour() * 60 + at.minute())
    }

    /// True when this minute of the day lies inside.
    pub(super) fn contains_minute(self, minute: u32) -> bool {
        if self.start < self.end {
            (self.start..self.end).contains(&minute)
        } else {
            minute >= self.start || minute < self.end
        }
    }
}

impl FromStr for Window {
    type Err = ParseWindowError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (start, end) = text.split_once('-').ok_or(ParseWindowError::Form)?;
        let start = minute_of_day(start.trim()).ok_or(ParseWindowError::Form)?;
        let end = match end.trim() {
            "24:00" => 0,
            end => minute_of_day(end).ok_or(ParseWindowError::Form)?,
        };
        if start == end {
            return Err(ParseWindowError::Empty);
        }
        Ok(Self { start, end })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, end } = self;
        let (sh, sm, eh, em) = (start / 60, start % 60, end / 60, end % 60);
        write!(f, "{sh:02}:{sm:02}-{eh:02}:{em:02} UTC")
    }
}

/// The minute of the day that `HH:MM` names.
fn minute_of_day(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    if !two_digits(hour) || !two_digits(minute) {
        return None;
    }
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    let of_day = hour * 60 + minute;
    (minute < 60 && of_day < DAY).then_some(of_day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(window: &str, time: &str) -> bool {
        let at = format!("2026-11-21T{time}Z").parse().unwrap();
        window.parse::<Window>().unwrap().contains(at)
    }

    #[test]
    fn a_window_holds_its_first_minute_and_not_its_last() {
        let cases = [
            ("22:00-06:00", "22:00:00", true),
            ("22:00-06:00", "21:59:59", false),
            ("22:00-06:00", "00:00:00", true),
            ("22:00-06:00", "05:59:59", true),
            ("22:00-06:00", "06:00:00", false),
            ("01:30-02:00", "01:29:59", false),
            ("01:30-02:00", "01:45:00", true),
            ("01:30-02:00", "02:00:00", false),
            ("22:00-24:00", "23:59:59", true),
            ("22:00-24:00", "00:00:00", false),
            ("00:00-12:00", "00:00:00", true),
        ];
        for (window, time, expected) in cases {
            assert_eq!(contains(window, time), expected, "{window} at {time}");
        }
    }

    #[test]
    fn a_window_of_no_length_or_no_form_is_refused() {
        for text in ["00:00-00:00", "00:00-24:00", "22:00-22:00"] {
            assert_eq!(text.parse::<Window>(), Err(ParseWindowError::Empty), "{text}");
        }
        for text in [
            "",
            "-",
            "22-06",
            "22:00",
            "24:00-06:00",
            "22:60-06:00",
            "+2:00-06:00",
            "22:00-06:00-07:00",
            "ä:00-06:00",
        ] {
            assert_eq!(text.parse::<Window>(), Err(ParseWindowError::Form), "{text}");
        }
    }

    /// zot's cases. <https://zotregistry.dev/latest/articles/retention/>
    #[test]
    fn the_windows_of_another_registry_hold_the_same_minutes() {
        let cases = [
            ("01:00-08:00", ["01:00", "04:00"].as_slice(), ["00:30", "08:00", "12:00"].as_slice()),
            ("22:00-06:00", &["23:00", "00:30", "05:59"], &["06:00", "12:00"]),
        ];
        for (window, inside, outside) in cases {
            for time in inside {
                assert!(contains(window, &format!("{time}:00")), "{window} at {time}");
            }
            for time in outside {
                assert!(!contains(window, &format!("{time}:00")), "{window} at {time}");
            }
        }
    }

    #[test]
    fn what_another_registry_refuses_as_a_window_is_refused() {
        assert_eq!("0100".parse::<Window>(), Err(ParseWindowError::Form));
        assert_eq!("25:00-26:00".parse::<Window>(), Err(ParseWindowError::Form));
        assert_eq!("05:00-05:00".parse::<Window>(), Err(ParseWindowError::Empty));
    }

    #[test]
    fn a_window_prints_with_its_time_zone() {
        assert_eq!("22:00 - 06:30".parse::<Window>().unwrap().to_string(), "22:00-06:30 UTC");
    }
}
