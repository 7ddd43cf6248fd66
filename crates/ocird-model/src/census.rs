//! How many there were: what a complete look saw in one scope, so that a list which is suddenly short is not believed at
//! once (S-3). Pure: whoever looks says what was seen, whoever stores it keeps it from pass to pass.
//!
//! A scope is whatever is listed as one: the images of a repository, the repositories of a compartment, the references of
//! a source of what runs.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::Rule;

/// So few may be missing from any scope without being suspicious.
const MAX_MISSING: u64 = 5;

/// And from a large scope one in so many.
const MAX_SHARE: u64 = 5;

/// So many later complete looks that agree make a fall believed.
const AGREEING: u32 = 2;

/// What the last complete look saw in one scope, and a fall that is not believed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    /// How many there were.
    pub n: u64,
    /// The fall that freezes the scope; `None` while the number is believed.
    pub fall: Option<Fall>,
}

/// A number that fell without an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fall {
    /// How many there were before it.
    pub from: u64,
    /// When it was seen.
    pub at: DateTime<Utc>,
    /// Number of complete looks since, in a row, that agree with each other.
    pub n_agreeing: u32,
}

impl Census {
    /// A first look: there is nothing to compare it with.
    pub const fn first(n: u64) -> Self {
        Self { n, fall: None }
    }

    /// The census after one more complete look at `at` that saw `n`. `n_missing` of those that the look before saw are gone
    /// and ocird did not take them: what came new in the meantime makes up for none of them.
    ///
    /// Looks agree when neither their difference nor what is missing would be suspicious by itself, so that a registry
    /// that is pushed to comes out of its freeze, and a list that shows all, half and all again does not.
    #[must_use]
    pub fn next(self, n: u64, n_missing: u64, at: DateTime<Utc>) -> Self {
        if !Rule::S3.in_force() {
            return Self::first(n);
        }
        let has_emptied = n == 0 && self.n > 0 && n_missing > 0;
        if has_emptied || is_suspicious(n_missing, self.n) {
            let from = self.fall.map_or(self.n, |earlier| earlier.from);
            return Self { n, fall: Some(Fall { from, at, n_agreeing: 0 }) };
        }
        let Some(fall) = self.fall else { return Self::first(n) };
        let has_risen = n > 0 && self.n == 0 || is_suspicious(n.saturating_sub(self.n), n);
        let n_agreeing = if has_risen { 1 } else { fall.n_agreeing.saturating_add(1) };
        let fall = (n_agreeing < AGREEING).then_some(Fall { n_agreeing, ..fall });
        Self { n, fall }
    }
}

/// Whether so many of so many are more than come and go by themselves.
const fn is_suspicious(n: u64, of: u64) -> bool {
    n > MAX_MISSING && n.saturating_mul(MAX_SHARE) > of
}

impl fmt::Display for Fall {
    /// What it waits for, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, at, n_agreeing } = self;
        let left = AGREEING.saturating_sub(*n_agreeing);
        write!(
            f,
            "fell from {from} at {} without ocird's doing; {left} more complete passes must agree before anything goes",
            at.format("%F %H:%M UTC")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(pass: u32) -> DateTime<Utc> {
        DateTime::from_timestamp(i64::from(pass) * 900, 0).unwrap()
    }

    /// Whether the scope is frozen after each of these looks; what is missing is what the number fell by.
    fn frozen(numbers: &[u64]) -> Vec<bool> {
        let mut census = Census::first(numbers[0]);
        let looks = (1..).zip(&numbers[1..]);
        let after = looks.map(|(pass, n)| {
            census = census.next(*n, census.n.saturating_sub(*n), at(pass));
            census.fall.is_some()
        });
        after.collect()
    }

    #[test]
    fn a_steady_or_growing_number_is_believed() {
        assert_eq!(frozen(&[10, 10, 11, 40, 0].as_slice()[..4]), [false; 3]);
        assert_eq!(frozen(&[0, 0, 7]), [false; 2]);
    }

    #[test]
    fn few_or_a_small_share_may_go() {
        assert_eq!(frozen(&[8, 3]), [false], "five are not more than five");
        assert_eq!(frozen(&[100, 80]), [false], "20 % is not more than 20 %");
        assert_eq!(frozen(&[100, 79]), [true]);
        assert_eq!(frozen(&[8, 2]), [true]);
    }

    #[test]
    fn nothing_at_all_is_suspicious_however_little_there_was() {
        assert_eq!(frozen(&[1, 0, 0, 0]), [true, true, false]);
    }

    #[test]
    fn a_fall_is_believed_when_two_later_looks_agree() {
        assert_eq!(frozen(&[100, 50, 50, 50]), [true, true, false]);
        assert_eq!(frozen(&[100, 50, 51, 49]), [true, true, false], "pushes and single deletions go on");
    }

    #[test]
    fn looks_that_contradict_each_other_keep_the_scope_frozen() {
        assert_eq!(frozen(&[100, 50, 100, 50, 100, 50]), [true; 5]);
        assert_eq!(frozen(&[100, 50, 100, 100]), [true, true, false]);
        assert_eq!(frozen(&[3, 0, 3, 0, 3, 3]), [true, true, true, true, false]);
    }

    #[test]
    fn what_came_new_makes_up_for_nothing_and_what_ocird_took_is_not_missing() {
        let census = Census::first(100);
        assert!(census.next(100, 30, at(1)).fall.is_some());
        assert_eq!(census.next(60, 0, at(1)), Census::first(60));
    }

    #[test]
    fn a_second_fall_remembers_where_the_first_began() {
        let fallen = Census::first(100).next(50, 50, at(1)).next(20, 30, at(2));
        assert_eq!(fallen.fall, Some(Fall { from: 100, at: at(2), n_agreeing: 0 }));
        let text = fallen.fall.unwrap().to_string();
        assert!(text.contains("from 100") && text.contains("2 more"), "{text}");
    }
}
