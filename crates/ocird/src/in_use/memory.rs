//! What is remembered of who said how much: a source that suddenly names few is not believed (S-3), nor is one that says
//! less than it knew before. Pure: no store, no clock.

use chrono::{DateTime, SubsecRound as _, Utc};
use ocird_model::Rule;
use ocird_store::{Frozen, Speaker};

/// A fall by this many images or fewer is everyday life, unless nothing is left.
const EVERYDAY_FALL: u64 = 5;
/// And so is a fall by no more than a fifth.
const EVERYDAY_PART: u64 = 5;
/// So many later answers must agree before a source that fell is believed.
const AGREEING: u64 = 2;

/// What is remembered of a speaker after a complete answer that named so many different images.
pub(super) fn heard(known: Option<&Speaker>, n_images: u64, looked_at: DateTime<Utc>) -> Speaker {
    let looked_at = looked_at.trunc_subsecs(3);
    let speaker = |frozen| Speaker { n_images, looked_at, frozen };
    let Some(known) = known.filter(|_| Rule::S3.in_force()) else { return speaker(None) };
    let n_before = known.frozen.map_or(known.n_images, |frozen| frozen.n_before);
    if has_fallen(known.n_images, n_images) {
        return speaker(Some(Frozen { at: looked_at, n_before, n_agreeing: 0 }));
    }
    speaker(known.frozen.and_then(|frozen| {
        // The same answer read twice is one answer.
        let n_agreeing = frozen.n_agreeing + u64::from(looked_at > known.looked_at);
        (n_agreeing < AGREEING).then_some(Frozen { n_agreeing, ..frozen })
    }))
}

/// Whether an answer was made before one that was heard already: a file was put back.
pub(super) fn is_backdated(known: Option<&Speaker>, looked_at: DateTime<Utc>) -> bool {
    known.is_some_and(|known| looked_at.trunc_subsecs(3) < known.looked_at)
}

/// Why a speaker is not believed, if it is not.
pub(super) fn doubt(speaker: &Speaker) -> Option<String> {
    let Speaker { n_images, looked_at: _, frozen } = speaker;
    let Frozen { at, n_before, n_agreeing } = (*frozen)?;
    Some(format!(
        "it names {n_images} images of this registry, and named {n_before} before {}; {} more complete answers must agree",
        at.format("%F %H:%M UTC"),
        AGREEING - n_agreeing.min(AGREEING)
    ))
}

fn has_fallen(before: u64, now: u64) -> bool {
    let fall = before.saturating_sub(now);
    fall > 0 && (now == 0 || (fall > EVERYDAY_FALL && fall * EVERYDAY_PART > before))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
    }

    /// What is remembered after these answers, each by its minute and number of images.
    fn after(answers: &[(i64, u64)]) -> Speaker {
        let mut speaker = None;
        for (minute, n_images) in answers {
            speaker = Some(heard(speaker.as_ref(), *n_images, at(*minute)));
        }
        speaker.unwrap()
    }

    #[test]
    fn a_first_answer_is_believed_whatever_it_names() {
        assert_eq!(doubt(&after(&[(0, 0)])), None);
        assert_eq!(doubt(&after(&[(0, 1000)])), None);
    }

    #[test]
    fn a_fall_by_five_or_by_a_fifth_is_everyday_life() {
        for (before, now) in [(6, 1), (100, 80), (1, 2), (10, 10), (30, 25)] {
            assert_eq!(doubt(&after(&[(0, before), (1, now)])), None, "{before} to {now}");
        }
    }

    #[test]
    fn a_fall_to_nothing_or_by_more_is_not_believed() {
        for (before, now) in [(1, 0), (5, 0), (100, 79), (7, 1), (26, 20)] {
            assert!(doubt(&after(&[(0, before), (1, now)])).is_some(), "{before} to {now}");
        }
    }

    #[test]
    fn two_later_answers_that_agree_are_believed() {
        assert!(doubt(&after(&[(0, 100), (1, 50), (2, 50)])).is_some());
        assert_eq!(doubt(&after(&[(0, 100), (1, 50), (2, 50), (3, 51)])), None);
        assert!(doubt(&after(&[(0, 9), (1, 0), (2, 9)])).unwrap().contains("named 9 before"));
    }

    #[test]
    fn a_second_fall_begins_anew() {
        let speaker = after(&[(0, 100), (1, 50), (2, 50), (3, 20)]);
        assert_eq!(speaker.frozen, Some(Frozen { at: at(3), n_before: 100, n_agreeing: 0 }));
    }

    #[test]
    fn the_same_answer_twice_agrees_with_nothing() {
        assert!(doubt(&after(&[(0, 100), (1, 50), (1, 50), (1, 50), (1, 50)])).is_some());
    }

    #[test]
    fn an_answer_from_before_the_last_is_backdated() {
        let known = after(&[(5, 3)]);
        assert!(is_backdated(Some(&known), at(4)));
        assert!(!is_backdated(Some(&known), at(5)));
        assert!(!is_backdated(None, at(0)));
    }
}
