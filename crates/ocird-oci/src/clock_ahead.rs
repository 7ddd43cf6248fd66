//! How far the server's clock is ahead of ours, by the `Date` header of its answers (S-9).
//!
//! It only measures. What a skew means for deletion is decided by the pass.

use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};

/// The skew by the latest answer of a pass that had a date.
#[derive(Debug, Default)]
pub(crate) struct ClockAhead(Mutex<Option<TimeDelta>>);

impl ClockAhead {
    /// The skew by the latest answer; `None` before the first of a pass.
    pub(crate) fn latest(&self) -> Option<TimeDelta> {
        *self.0.lock().expect("nothing panics while it holds this lock")
    }

    /// A pass begins: what an earlier one has measured says nothing about this one.
    pub(crate) fn begin_pass(&self) {
        *self.0.lock().expect("nothing panics while it holds this lock") = None;
    }

    /// Takes note of an answer with this `Date`, to a request that was `sent` and `received` at these times of ours.
    pub(crate) fn note(&self, date: DateTime<Utc>, sent: DateTime<Utc>, received: DateTime<Utc>) {
        let skew = smallest_skew(date, sent, received);
        *self.0.lock().expect("nothing panics while it holds this lock") = Some(skew);
    }
}

/// The smallest skew that explains the answer. `Date` is cut to the second, so the server wrote it somewhere in
/// `date..date + 1 s`, and by our clock somewhere between sending and receiving: every skew from `date - received` to
/// `date + 1 s - sent` is possible. Zero, if it is among them, says that nothing is known to be wrong; the estimate
/// is therefore never too large, and too small by one second and the duration of the call at most.
fn smallest_skew(date: DateTime<Utc>, sent: DateTime<Utc>, received: DateTime<Utc>) -> TimeDelta {
    let least = date - received;
    let most = date + TimeDelta::seconds(1) - sent;
    if least > TimeDelta::zero() {
        least
    } else if most < TimeDelta::zero() {
        most
    } else {
        TimeDelta::zero()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_700_000_000_000 + ms).unwrap()
    }

    proptest! {
        #[test]
        fn equal_clocks_never_look_skewed(sent in 0..100_000_i64, there in 0..20_000_i64, back in 0..20_000_i64) {
            let written = sent + there;
            let date = at(written - written % 1000);
            prop_assert_eq!(smallest_skew(date, at(sent), at(written + back)), TimeDelta::zero());
        }

        #[test]
        fn a_skew_is_found_to_a_second_and_the_duration_of_the_call(
            skew in -500_000..500_000_i64, sent in 0..100_000_i64, took in 0..20_000_i64,
        ) {
            let written = 10_000_000 + sent + took / 2 + skew;
            let date = at(written - written % 1000 - 10_000_000);
            let found = smallest_skew(date, at(sent), at(sent + took)).num_milliseconds();
            prop_assert!(found.abs() <= skew.abs());
            prop_assert!((found - skew).abs() <= 1000 + took);
        }
    }
}
