//! Amazon's published lifecycle examples with their published outcomes, and laws of the evaluator.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_examples.html>
//!
//! Where the source gives only a rule, the images are ours, and the case says so. Examples that archive are refused by
//! the configuration and have their tests there.

use std::num::NonZeroU32;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{EcrCount, EcrLifecycle, EcrPattern, EcrRule, EcrTags};
use ocird_plan::{EcrImage, expired};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use EcrTags::{Any, Untagged};

fn now() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn number(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

pub(crate) fn beyond(n: u32) -> EcrCount {
    EcrCount::BeyondNewest(number(n))
}

pub(crate) fn in_days(n: u32) -> EcrCount {
    EcrCount::DaysSincePush(number(n))
}

pub(crate) fn prefixes(prefixes: &[&str]) -> EcrTags {
    EcrTags::Prefixes(prefixes.iter().map(|&prefix| prefix.to_owned()).collect())
}

fn patterns(patterns: &[&str]) -> EcrTags {
    EcrTags::Patterns(patterns.iter().map(|pattern| EcrPattern::new(pattern).unwrap()).collect())
}

pub(crate) fn document(rules: Vec<(u32, EcrTags, EcrCount)>) -> EcrLifecycle {
    let rules = rules.into_iter().map(|(priority, tags, expires)| EcrRule {
        priority: number(priority),
        name: format!("lifecycle rule {priority}").parse().unwrap(),
        tags,
        expires,
    });
    EcrLifecycle::new(rules.collect()).unwrap()
}

/// An image pushed so many hours ago.
fn image<'a>(tags: &[&'a str], hours: i64) -> EcrImage<'a> {
    EcrImage {
        is_abroad: false,
        takes_no_place: false,
        tags: tags.to_vec(),
        pushed_at: Some(now() - TimeDelta::hours(hours)),
    }
}

/// The letters of the images that expire; the first image is A.
fn gone(lifecycle: &EcrLifecycle, images: &[EcrImage<'_>]) -> String {
    let expired = expired(lifecycle, images, now());
    ('A'..).zip(expired).filter(|(_, expiry)| expiry.is_some()).map(|(letter, _)| letter).collect()
}

const DAY: i64 = 24;

#[test]
fn filtering_on_age_takes_what_is_older_by_prefix_and_by_pattern() {
    let images = [
        image(&["prod-1"], 20 * DAY),
        image(&["prod-2"], 13 * DAY),
        image(&["dev-1"], 30 * DAY),
        image(&[], 30 * DAY),
    ];
    assert_eq!(gone(&document(vec![(1, prefixes(&["prod"]), in_days(14))]), &images), "A");
    assert_eq!(gone(&document(vec![(1, patterns(&["prod*"]), in_days(14))]), &images), "A");
}

#[test]
fn filtering_on_count_keeps_the_newest_untagged() {
    let images = [image(&[], 3 * DAY), image(&[], 2 * DAY), image(&[], DAY), image(&["x"], 9 * DAY)];
    assert_eq!(gone(&document(vec![(1, Untagged, beyond(1))]), &images), "AB");
}

#[test]
fn multiple_rules_example_a_an_image_belongs_to_the_better_rule_only() {
    let images =
        [image(&["beta-1", "prod-1"], 240), image(&["beta-2", "prod-2"], 216), image(&["beta-3"], 192)];
    let rules = vec![(1, prefixes(&["prod"]), beyond(1)), (2, prefixes(&["beta"]), beyond(1))];
    assert_eq!(gone(&document(rules), &images), "A");
}

#[test]
fn multiple_rules_example_b_the_order_of_priorities_decides() {
    let images =
        [image(&["beta-1", "prod-1"], 240), image(&["beta-2", "prod-2"], 216), image(&["beta-3"], 192)];
    let rules = vec![(1, prefixes(&["beta"]), beyond(1)), (2, prefixes(&["prod"]), beyond(1))];
    assert_eq!(gone(&document(rules), &images), "AB");
}

#[test]
fn multiple_tags_example_a_every_entry_must_be_met() {
    let images = [
        image(&["alpha-1"], 12 * DAY),
        image(&["beta-1"], 11 * DAY),
        image(&["alpha-2", "beta-2"], 10 * DAY),
        image(&["alpha-3"], 4 * DAY),
        image(&["beta-3"], 3 * DAY),
        image(&["alpha-4", "beta-4"], 2 * DAY),
    ];
    assert_eq!(gone(&document(vec![(1, prefixes(&["alpha", "beta"]), in_days(5))]), &images), "C");
    assert_eq!(gone(&document(vec![(1, patterns(&["alpha*", "beta*"]), in_days(5))]), &images), "C");
}

#[test]
fn multiple_tags_example_b_other_tags_do_not_save_an_image() {
    let images = [
        image(&["alpha-1", "beta-1", "gamma-1"], 10 * DAY),
        image(&["alpha-2", "beta-2"], 9 * DAY),
        image(&["alpha-3", "beta-3", "gamma-2"], 8 * DAY),
    ];
    assert_eq!(gone(&document(vec![(1, prefixes(&["alpha", "beta"]), beyond(1))]), &images), "AB");
}

#[test]
fn all_images_example_a_one_rule_takes_all_but_the_newest() {
    let images = [
        image(&["alpha-1"], 4 * DAY),
        image(&["beta-1"], 3 * DAY),
        image(&[], 2 * DAY),
        image(&["alpha-2"], DAY),
    ];
    assert_eq!(gone(&document(vec![(1, Any, beyond(1))]), &images), "ABC");
}

#[test]
fn all_images_example_b_a_better_rule_saves_what_it_does_not_take() {
    let images = [
        image(&["alpha-1", "beta-1"], 4 * DAY),
        image(&[], 3 * DAY),
        image(&["alpha-2"], 2 * DAY),
        image(&["git-hash"], DAY),
        image(&[], 23),
    ];
    let rules = vec![(1, prefixes(&["alpha"]), beyond(1)), (2, Untagged, in_days(1)), (3, Any, beyond(1))];
    assert_eq!(gone(&document(rules), &images), "ABD");
}

#[test]
fn the_limit_of_an_age_is_strict() {
    let exactly = [image(&[], 14 * DAY)];
    assert_eq!(gone(&document(vec![(1, Untagged, in_days(14))]), &exactly), "");
    let older = [EcrImage {
        takes_no_place: false,
        is_abroad: false,
        tags: vec![],
        pushed_at: Some(now() - TimeDelta::days(14) - TimeDelta::seconds(1)),
    }];
    assert_eq!(gone(&document(vec![(1, Untagged, in_days(14))]), &older), "A");
}

#[test]
fn what_ties_with_the_last_of_the_newest_stays() {
    let images = [image(&["a"], 2), image(&["b"], 2), image(&["c"], 1), image(&["d"], 3)];
    assert_eq!(gone(&document(vec![(1, Any, beyond(2))]), &images), "D");
}

#[test]
fn an_unknown_push_time_neither_goes_nor_takes_a_place() {
    let mut images = [image(&["a"], 3), image(&["b"], 2), image(&["c"], 1)];
    images[2].pushed_at = None;
    assert_eq!(gone(&document(vec![(1, Any, beyond(1))]), &images), "A");
    assert_eq!(gone(&document(vec![(1, Any, in_days(1))]), &images), "");
}

fn some_tags() -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(vec!["a1", "a2", "b1", "b2", "c"], 0..4)
}

fn some_image() -> impl Strategy<Value = EcrImage<'static>> {
    (some_tags(), proptest::option::weighted(0.9, 0..20_i64)).prop_map(|(tags, hours)| EcrImage {
        is_abroad: false,
        takes_no_place: false,
        tags,
        pushed_at: hours.map(|hours| now() - TimeDelta::hours(12 * hours)),
    })
}

pub(crate) fn some_document() -> impl Strategy<Value = EcrLifecycle> {
    let tags = prop_oneof![
        Just(Untagged),
        Just(Any),
        select(vec!["a", "b", "c"]).prop_map(|prefix| prefixes(&[prefix])),
        Just(prefixes(&["a", "b"])),
        Just(patterns(&["*1", "b*"])),
    ];
    let count = prop_oneof![(1..5_u32).prop_map(beyond), (1..9_u32).prop_map(in_days)];
    vec((tags, count), 1..5).prop_map(|rules| {
        document((1_u32..).zip(rules).map(|(priority, (tags, count))| (priority, tags, count)).collect())
    })
}

/// The same rules said once more, image by image and without any shared work.
fn goes_by_the_letter(lifecycle: &EcrLifecycle, images: &[EcrImage<'_>], image: &EcrImage<'_>) -> bool {
    let owner = lifecycle.rules().iter().find(|rule| rule.tags.are_met_by(&image.tags));
    let Some((rule, pushed_at)) = owner.zip(image.pushed_at) else {
        return false;
    };
    match rule.expires {
        EcrCount::DaysSincePush(days) => now() - pushed_at > TimeDelta::days(days.get().into()),
        EcrCount::BeyondNewest(n_kept) => {
            let set = images.iter().filter(|other| rule.tags.are_met_by(&other.tags));
            let n_newer = set.filter(|other| other.pushed_at.is_some_and(|time| time > pushed_at)).count();
            n_newer >= usize::try_from(n_kept.get()).unwrap()
        }
    }
}

proptest! {
    #[test]
    fn it_agrees_with_a_reading_of_the_letter(lifecycle in some_document(), images in vec(some_image(), 0..12)) {
        let expired = expired(&lifecycle, &images, now());
        for (image, expiry) in images.iter().zip(&expired) {
            prop_assert_eq!(expiry.is_some(), goes_by_the_letter(&lifecycle, &images, image), "{:?}", image);
        }
    }

    /// Worse rules count what better rules take, so that what a better rule took changes nothing else while it is listed.
    #[test]
    fn a_rule_acts_only_on_what_no_better_rule_is_about(
        lifecycle in some_document(), images in vec(some_image(), 0..12),
    ) {
        for (image, expiry) in images.iter().zip(expired(&lifecycle, &images, now())) {
            if let Some(expiry) = expiry {
                let better = &lifecycle.rules()[..expiry.rule];
                prop_assert!(better.iter().all(|rule| !rule.tags.are_met_by(&image.tags)));
                prop_assert!(image.pushed_at.is_some_and(|pushed_at| pushed_at < expiry.before));
            }
        }
    }

    #[test]
    fn the_order_of_the_images_never_matters(lifecycle in some_document(), images in vec(some_image(), 0..12)) {
        let mut backwards = images.clone();
        backwards.reverse();
        let mut answers = expired(&lifecycle, &backwards, now());
        answers.reverse();
        prop_assert_eq!(expired(&lifecycle, &images, now()), answers);
    }

    #[test]
    fn an_image_whose_time_is_lost_never_costs_another(
        lifecycle in some_document(), images in vec(some_image(), 1..12), lost: proptest::sample::Index,
    ) {
        let before = expired(&lifecycle, &images, now());
        let mut poorer = images.clone();
        poorer[lost.index(images.len())].pushed_at = None;
        for (with, without) in before.iter().zip(expired(&lifecycle, &poorer, now())) {
            prop_assert!(with.is_some() || without.is_none());
        }
    }
}
