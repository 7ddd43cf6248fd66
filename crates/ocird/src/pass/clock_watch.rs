//! Doubt about the clock (S-9). Ages decide what goes, so a clock that may be wrong freezes deletion until three
//! clean passes have gone by.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Clock, ReadRegistry, Rule, WriteRegistry};
use ocird_store::ClockDoubt;

use crate::pass::Engine;

/// The farthest our clock may be from the server's.
pub(crate) const MAX_SKEW: TimeDelta = TimeDelta::seconds(60);

/// The farthest the wall clock may run ahead of the monotonic one between two passes.
const MAX_JUMP: TimeDelta = TimeDelta::hours(1);

/// What is still no step back: NTP slews by fractions of a second.
const TOLERATED_STEP_BACK: TimeDelta = TimeDelta::seconds(1);

/// Number of clean passes that lift a doubt.
const CLEAN_PASSES: u32 = 3;

/// Remembers the clocks of the last pass and whether they are to be believed. A doubt outlives the process in the store: a
/// restart makes no clock right.
#[derive(Debug, Default)]
pub(crate) struct ClockWatch {
    last: Option<(DateTime<Utc>, Duration)>,
    fault_at_start: Option<String>,
    doubt: Option<ClockDoubt>,
    /// The store has been asked what an earlier process left.
    has_asked: bool,
    /// What the store says, once it has been asked.
    stored: Option<ClockDoubt>,
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
    /// The registry has answered in this pass, so that its clock should be known.
    pub(crate) has_answered: bool,
    /// The newest time in the store before this pass.
    pub(crate) newest_recorded: Option<DateTime<Utc>>,
}

impl ClockWatch {
    /// A pass begins: what happened to the clocks since the last one, or happens until [`ClockWatch::observe`], is seen
    /// then. Ages count from the beginning, so a clock that is set during a pass matters too.
    pub(crate) fn begin(&mut self, wall: DateTime<Utc>, monotonic: Duration) {
        let reading =
            Reading { wall, monotonic, server_ahead: None, has_answered: false, newest_recorded: None };
        self.fault_at_start = self.fault(reading);
        self.last = Some((wall, monotonic));
    }

    /// Takes one reading per pass, after the registry was asked; answers why the clock is in doubt, if it is.
    pub(crate) fn observe(&mut self, reading: Reading) -> Option<String> {
        let fault = self.fault_at_start.take().or_else(|| self.fault(reading));
        self.last = Some((reading.wall, reading.monotonic));
        self.doubt = match (fault, self.doubt.take()) {
            (Some(why), _) if Rule::S9.in_force() => Some(ClockDoubt { why, n_clean: 0 }),
            // Nobody has said what time it is: no fault, and nothing that lifts a doubt.
            (None, doubt) if !reading.has_answered => doubt,
            (None, Some(ClockDoubt { why, n_clean })) if n_clean + 1 < CLEAN_PASSES => {
                Some(ClockDoubt { why, n_clean: n_clean + 1 })
            }
            (_, _) => None,
        };
        self.doubt.as_ref().map(|ClockDoubt { why, n_clean }| {
            format!("{why}; {} more clean passes are needed", CLEAN_PASSES.saturating_sub(*n_clean))
        })
    }

    /// Whether the clock was in doubt when it was observed last.
    pub(crate) const fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// Takes over what an earlier process has left in the store.
    fn recall(&mut self, stored: Option<ClockDoubt>) {
        self.doubt = self.doubt.take().or_else(|| stored.clone());
        (self.stored, self.has_asked) = (stored, true);
    }

    fn fault(&self, reading: Reading) -> Option<String> {
        let Reading { wall, monotonic, server_ahead, has_answered, newest_recorded } = reading;
        if server_ahead.is_none() && has_answered {
            return Some("no answer of the registry says what time it is".to_owned());
        }
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

impl<R: ReadRegistry, W: WriteRegistry, C: Clock> Engine<R, W, C> {
    /// Takes over a doubt that an earlier process has left, once there is a store to ask.
    pub(super) async fn recall_clock_doubt(&mut self) {
        let Some(store) = self.survey.notebook.writable().filter(|_| !self.clock_watch.has_asked) else {
            return;
        };
        match store.clock_doubt().await {
            Ok(stored) => self.clock_watch.recall(stored),
            Err(error) => self.survey.notebook.fail(&error),
        }
    }

    /// Keeps the doubt, or that there is none, where it changed.
    pub(super) async fn keep_clock_doubt(&mut self) {
        let Some(store) = self.survey.notebook.writable() else { return };
        let ClockWatch { doubt, has_asked, stored, .. } = &mut self.clock_watch;
        if !*has_asked || stored == doubt {
            return;
        }
        match store.doubt_clock(doubt.as_ref(), self.clock.now()).await {
            Ok(()) => stored.clone_from(doubt),
            Err(error) => self.survey.notebook.fail(&error),
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
            has_answered: true,
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
    fn a_registry_that_never_says_what_time_it_is_leaves_the_clock_in_doubt() {
        let mute = Reading { server_ahead: None, ..at(1, 1) };
        assert!(ClockWatch::default().observe(mute).unwrap().contains("what time"));
        let away = Reading { has_answered: false, ..mute };
        assert_eq!(ClockWatch::default().observe(away), None, "what did not answer is another's refusal");
    }

    #[test]
    fn a_doubt_that_an_earlier_process_left_holds_until_its_clean_passes_are_over() {
        let mut watch = ClockWatch::default();
        watch.recall(Some(ClockDoubt { why: "it jumped".to_owned(), n_clean: 1 }));
        assert!(watch.observe(at(0, 0)).unwrap().contains("it jumped"));
        let unanswered = Reading { server_ahead: None, has_answered: false, ..at(1, 1) };
        assert!(
            watch.observe(unanswered).is_some(),
            "a pass in which nobody says what time it is is not clean"
        );
        assert_eq!(watch.observe(at(2, 2)), None);
    }

    #[test]
    fn small_skews_and_slews_are_not_faults() {
        let mut nearly = at(1, 1);
        nearly.server_ahead = Some(TimeDelta::seconds(-60));
        nearly.wall -= TimeDelta::milliseconds(900);
        assert_eq!(n_frozen_passes_after(nearly), 0);
    }
}
