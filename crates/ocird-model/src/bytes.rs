//! A number of bytes, as people write it.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A number of bytes. Sums saturate: a total that overflows is a registry's lie, and saying "very much" deletes
/// nothing by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Bytes {
    /// No bytes.
    pub const ZERO: Self = Self(0);

    /// What is left after `other` is taken away; never below zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// Why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a size; write a number and its unit, such as \"350MB\" (10^6 bytes) or \"350MiB\" (2^20)"
)]
pub struct ParseBytesError {
    /// The text, cut to 80 characters.
    text: String,
}

impl FromStr for Bytes {
    type Err = ParseBytesError;

    /// A number with a unit from kB to PB or from KiB to PiB. The unit must be there: a bare number is a slip.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const UNITS: [&str; 11] = ["kB", "KB", "MB", "GB", "TB", "PB", "KiB", "MiB", "GiB", "TiB", "PiB"];
        let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let unit = &text[number.len()..];
        let is_plain = number.trim_end().bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let size = text.parse::<bytesize::ByteSize>().ok().filter(|_| is_plain && UNITS.contains(&unit));
        size.map(|size| Self(size.as_u64()))
            .ok_or_else(|| ParseBytesError { text: text.chars().take(80).collect() })
    }
}

impl fmt::Display for Bytes {
    /// Decimal units, as Oracle bills: `350.0 MB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&bytesize::ByteSize::b(self.0).display().si().to_string())
    }
}

impl Add for Bytes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Bytes {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Bytes {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_decimal_units() {
        assert_eq!(Bytes(350_000_000).to_string(), "350.0 MB");
        assert_eq!(Bytes::ZERO.to_string(), "0 B");
    }

    #[test]
    fn a_size_has_a_number_and_a_unit() {
        let cases = [
            ("350MB", Some(350_000_000)),
            ("350 MB", Some(350_000_000)),
            ("350MiB", Some(367_001_600)),
            ("1.5GB", Some(1_500_000_000)),
            ("0MB", Some(0)),
            ("0", None),
            ("350", None),
            ("350B", None),
            ("350M", None),
            ("350mb", None),
            ("-1MB", None),
            ("1e3MB", None),
            ("infMB", None),
            ("MB", None),
            (" 1MB", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse().ok(), expected.map(Bytes), "{text:?}");
        }
    }

    #[test]
    fn a_sum_saturates() {
        assert_eq!([Bytes(u64::MAX), Bytes(1)].into_iter().sum::<Bytes>(), Bytes(u64::MAX));
    }
}
