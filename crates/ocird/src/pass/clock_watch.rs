//! Doubt about the clock (S-9). Ages decide what goes, so a clock that may be wrong freezes deletion until three
//! clean passes have gone by.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The farthest our clock may be from the server's.
const MAX_SKEW: TimeDelta = TimeDelta::seconds(60);

/// The farthest the wall clock may run ahead of the monotonic one between two passes.
const MAX_JUMP: TimeDelta = TimeDelta::hours(1);

/// What is still no step back: NTP slews by fractions of a second.
const TOLERATED_STEP_BACK: TimeDelta = TimeDelta::seconds(1);

/// Number of clean passes that lift a doubt.
const CLEAN_PASSES: u32 = 3;

/// Remembers the clocks of the last pass and whether they are to be believed.
#[derive(Debug, Default)]
pub(crate) struct ClockWatch {
    last: Option<(DateTime<Utc>, Duration)>,
    fault_at_start: Option<String>,
    doubt: Option<Doubt>,
}

#[derive(Debug)]
struct Doubt {
    why: String,
    n_clean: u32,
}

/// What the clocks say at one pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// The wall clock.
    pub(crate) wall: DateTime<Utc>,
    /// The clock that nobody can move.
    pub(crate) monotonic: Duration,
    /// How far the server's clock is ahead of ours.
    pub(crate) server_ahead: Option<TimeDelta>,
    /// The newest time in the store before this pass.
    pub(crate) newest_recorded: Option<DateTime<Utc>>,
}

impl ClockWatch {
    /// A pass begins: what happened to the clocks since the last one, or happens until [`ClockWatch::observe`], is seen
    /// then. Ages count from the beginning, so a clock that is set during a pass matters too.
    pub(crate) fn begin(&mut self, wall: DateTime<Utc>, monotonic: Duration) {
        let reading = Reading { wall, monotonic, server_ahead: None, newest_recorded: None };
        self.fault_at_start = self.fault(reading);
        self.last = Some((wall, monotonic));
    }

    /// Takes one reading per pass, after the registry was asked; answers why the clock is in doubt, if it is.
    pub(crate) fn observe(&mut self, reading: Reading) -> Option<String> {
        let fault = self.fault_at_start.take().or_else(|| self.fault(reading));
        self.last = Some((reading.wall, reading.monotonic));
        self.doubt = match (fault, self.doubt.take()) {
            (Some(why), _) => Some(Doubt { why, n_clean: 0 }),
            (None, Some(Doubt { why, n_clean })) if n_clean + 1 < CLEAN_PASSES => {
                Some(Doubt { why, n_clean: n_clean + 1 })
            }
            (None, _) => None,
        };
        self.doubt.as_ref().map(|Doubt { why, n_clean }| {
            format!("{why}; {} more clean passes are needed", CLEAN_PASSES - n_clean)
        })
    }

    fn fault(&self, reading: Reading) -> Option<String> {
        let Reading { wall, monotonic, server_ahead, newest_recorded } = reading;
        if let Some(ahead) = server_ahead.filter(|ahead| ahead.abs() > MAX_SKEW) {
            let way = if ahead > TimeDelta::zero() { "behind" } else { "ahead of" };
            return Some(format!(
                "this machine's clock is {} s {way} the server's",
                ahead.num_seconds().abs()
            ));
        }
        if let Some(newest) = newest_recorded.filter(|newest| *newest - wall > MAX_SKEW) {
            return Some(format!("the store has seen {newest}, which is later than this machine's clock"));
        }
        let (last_wall, last_monotonic) = self.last?;
        let passed = TimeDelta::from_std(monotonic.saturating_sub(last_monotonic)).unwrap_or(TimeDelta::MAX);
        let stepped = (wall - last_wall) - passed;
        if stepped < -TOLERATED_STEP_BACK {
            Some(format!("the wall clock stepped back by {} s", -stepped.num_seconds()))
        } else if stepped > MAX_JUMP {
            Some(format!("the wall clock jumped ahead by {} s", stepped.num_seconds()))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64, monotonic_hours: u64) -> Reading {
        Reading {
            wall: DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::hours(hours),
            monotonic: Duration::from_secs(monotonic_hours * 3600),
            server_ahead: Some(TimeDelta::zero()),
            newest_recorded: None,
        }
    }

    /// Passes an hour apart, all clean, after `watch` has seen `reading`.
    fn n_frozen_passes_after(reading: Reading) -> usize {
        let mut watch = ClockWatch::default();
        assert_eq!(watch.observe(at(0, 0)), None);
        let mut n_frozen = usize::from(watch.observe(reading).is_some());
        for hour in 1.. {
            let mut next = reading;
            next.wall += TimeDelta::hours(hour);
            next.monotonic += Duration::from_secs(3600 * hour.unsigned_abs());
            next.server_ahead = Some(TimeDelta::zero());
            next.newest_recorded = None;
            if watch.observe(next).is_none() {
                return n_frozen;
            }
            n_frozen += 1;
        }
        n_frozen
    }

    #[test]
    fn a_steady_clock_is_believed() {
        assert_eq!(n_frozen_passes_after(at(1, 1)), 0);
    }

    #[test]
    fn each_kind_of_fault_freezes_until_the_third_clean_pass() {
        let skewed = Reading { server_ahead: Some(TimeDelta::seconds(61)), ..at(1, 1) };
        let behind_store = Reading { newest_recorded: Some(at(5, 0).wall), ..at(1, 1) };
        for reading in [skewed, behind_store, at(0, 1), at(3, 1)] {
            assert_eq!(n_frozen_passes_after(reading), 3, "{reading:?}");
        }
    }

    #[test]
    fn a_clock_that_is_set_before_or_during_a_pass_is_seen() {
        let begun = |begin: Reading, end: Reading| {
            let mut watch = ClockWatch::default();
            assert_eq!(watch.observe(at(0, 0)), None);
            watch.begin(begin.wall, begin.monotonic);
            watch.observe(end).is_some()
        };
        assert!(!begun(at(1, 1), at(2, 2)));
        assert!(begun(at(5, 1), at(6, 2)), "jumped before it");
        assert!(begun(at(1, 1), at(0, 2)), "stepped back during it");
    }

    #[test]
    fn small_skews_and_slews_are_not_faults() {
        let mut nearly = at(1, 1);
        nearly.server_ahead = Some(TimeDelta::seconds(-60));
        nearly.wall -= TimeDelta::milliseconds(900);
        assert_eq!(n_frozen_passes_after(nearly), 0);
    }
}
