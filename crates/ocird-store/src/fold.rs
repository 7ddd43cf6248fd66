//! Samples folded into hours and hours into days. Pure: what is read and written with it is elsewhere.
//!
//! Sizes are folded to the last and the largest that were known. Rises and falls are added up, so that the coarse steps of
//! years ago still say how much was pushed, though as much was deleted on the same day.

use serde::Serialize;
use sqlx::FromRow;

/// Milliseconds of an hour.
const HOUR: i64 = 3_600_000;

/// How long one point of a series lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// As it was sampled: where it changed, and once an hour. Kept for 30 days.
    Sample,
    /// An hour of UTC. Kept for a year.
    Hour,
    /// A day of UTC. Kept for ever.
    Day,
}

impl Step {
    /// The step as a column.
    pub(crate) const fn hours(self) -> i64 {
        match self {
            Self::Sample => 0,
            Self::Hour => 1,
            Self::Day => 24,
        }
    }

    /// Its length in milliseconds.
    pub(crate) const fn millis(self) -> i64 {
        self.hours() * HOUR
    }

    /// When the step begins that an instant lies in; a sample is a step of its own.
    pub(crate) const fn start(self, at: i64) -> i64 {
        match self {
            Self::Sample => at,
            Self::Hour | Self::Day => at - at.rem_euclid(self.millis()),
        }
    }
}

/// One sample in columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub(crate) struct Sample {
    pub(crate) at: i64,
    pub(crate) size: Option<i64>,
    pub(crate) reported_size: Option<i64>,
    pub(crate) n_images: i64,
    pub(crate) n_tags: i64,
}

/// One step in columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub(crate) struct Folded {
    pub(crate) at: i64,
    pub(crate) size: Option<i64>,
    pub(crate) peak: Option<i64>,
    pub(crate) grown: i64,
    pub(crate) freed: i64,
    pub(crate) reported_size: Option<i64>,
    pub(crate) n_images: i64,
    pub(crate) n_tags: i64,
}

/// Samples in order of time, each with its rise or fall since the last size that was known, `before` at the first. What was
/// there when ocird first looked is no rise.
pub(crate) fn rises(before: Option<i64>, samples: impl IntoIterator<Item = Sample>) -> Vec<Folded> {
    let mut last_known = before;
    let rise = |Sample { at, size, reported_size, n_images, n_tags }: Sample| {
        let change = size.zip(last_known).map_or(0, |(now, before)| now.saturating_sub(before));
        last_known = size.or(last_known);
        let (grown, freed) = (change.max(0), change.min(0).saturating_neg());
        Folded { at, size, peak: size, grown, freed, reported_size, n_images, n_tags }
    };
    samples.into_iter().map(rise).collect()
}

/// Shorter steps in order of time folded into longer ones.
pub(crate) fn fold(step: Step, parts: impl IntoIterator<Item = Folded>) -> Vec<Folded> {
    let mut steps: Vec<Folded> = Vec::new();
    for part in parts {
        let at = step.start(part.at);
        match steps.last_mut().filter(|last| last.at == at) {
            Some(last) => last.take_in(&part),
            None => steps.push(Folded { at, ..part }),
        }
    }
    steps
}

impl Folded {
    /// Takes in a later part of the same step.
    fn take_in(&mut self, later: &Self) {
        let Self { at: _, size, peak, grown, freed, reported_size, n_images, n_tags } = *later;
        self.size = size.or(self.size);
        self.peak = self.peak.max(peak);
        self.grown = self.grown.saturating_add(grown);
        self.freed = self.freed.saturating_add(freed);
        (self.reported_size, self.n_images, self.n_tags) = (reported_size, n_images, n_tags);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(at: i64, size: Option<i64>) -> Sample {
        Sample { at, size, reported_size: None, n_images: 1, n_tags: 2 }
    }

    #[test]
    fn a_push_and_a_deletion_in_one_hour_are_both_told() {
        let samples = [(0, Some(100)), (1, Some(160)), (2, Some(130)), (HOUR, Some(131))];
        let steps = fold(Step::Hour, rises(Some(90), samples.map(|(at, size)| sample(at, size))));
        let told: Vec<_> =
            steps.iter().map(|step| (step.at, step.size, step.peak, step.grown, step.freed)).collect();
        assert_eq!(told, [(0, Some(130), Some(160), 70, 30), (HOUR, Some(131), Some(131), 1, 0)]);
    }

    #[test]
    fn what_was_there_at_the_first_look_is_no_rise_and_an_unknown_size_no_fall() {
        let samples = [(0, Some(100)), (1, None), (2, Some(120)), (3, None)];
        let steps = fold(Step::Day, rises(None, samples.map(|(at, size)| sample(at, size))));
        assert_eq!(steps.len(), 1);
        assert_eq!(
            (steps[0].size, steps[0].peak, steps[0].grown, steps[0].freed),
            (Some(120), Some(120), 20, 0)
        );
    }

    #[test]
    fn times_before_1970_and_at_the_edge_fall_into_their_own_step() {
        assert_eq!([-1, 0, HOUR - 1, HOUR].map(|at| Step::Hour.start(at)), [-HOUR, 0, 0, HOUR]);
        assert_eq!(Step::Day.start(24 * HOUR - 1), 0);
        assert_eq!(Step::Sample.start(17), 17);
    }

    prop_compose! {
        fn samples()(parts in prop::collection::vec((1..HOUR, prop::option::of(0_i64..1000)), 0..200)) -> Vec<Sample> {
            let mut at = 0;
            parts.into_iter().map(|(gap, size)| { at += gap; sample(at, size) }).collect()
        }
    }

    proptest! {
        #[test]
        fn days_of_hours_are_days_of_samples(samples in samples()) {
            let rises = rises(None, samples);
            let by_hours = fold(Step::Day, fold(Step::Hour, rises.clone()));
            prop_assert_eq!(by_hours, fold(Step::Day, rises));
        }

        #[test]
        fn what_grew_less_what_was_freed_is_what_is_there_more(samples in samples()) {
            let known: Vec<i64> = samples.iter().filter_map(|sample| sample.size).collect();
            let steps = fold(Step::Day, rises(None, samples));
            let change: i64 = steps.iter().map(|step| step.grown - step.freed).sum();
            let expected = known.last().zip(known.first()).map_or(0, |(last, first)| last - first);
            prop_assert_eq!(change, expected);
        }

        #[test]
        fn samples_may_be_folded_in_any_two_parts_at_the_edge_of_a_step(samples in samples(), cut in 0_i64..200) {
            let edge = cut * HOUR;
            let (early, late): (Vec<_>, Vec<_>) = samples.iter().partition(|sample| sample.at < edge);
            let mut steps = fold(Step::Hour, rises(None, early.into_iter().copied()));
            let before = steps.iter().rev().find_map(|step| step.size);
            steps.extend(fold(Step::Hour, rises(before, late.into_iter().copied())));
            prop_assert_eq!(steps, fold(Step::Hour, rises(None, samples)));
        }
    }
}
