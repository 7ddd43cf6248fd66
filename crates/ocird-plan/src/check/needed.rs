//! What must stay for its own sake, and everything that holds it: what runs, what keep rules name, what is too young or of an
//! unbelievable time, and the floor (S-4, S-5, S-8, S-13).

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use ocird_model::{Image, KeepRule, Policy};

use super::Report;
use super::world::{Ties, World, is_named};

pub(super) fn check(world: &World<'_>, ties: &Ties, policy: &Policy, report: &mut Report<'_>) {
    let guardrails = &world.policies.guardrails;
    let mut refuse = |rule: &'static str, needed: Vec<bool>, text: &str| {
        for (decision, is_held) in world.decisions.iter().zip(ties.above(&needed)) {
            if is_held && decision.verdict.is_delete() {
                report.image(decision.digest, rule, text);
            }
        }
    };
    refuse("S-4", used(world), "something runs from it or from what it carries");
    for rule in &policy.keep {
        let text = format!("keep rule \"{}\" holds it or what it carries", rule.name);
        refuse("S-5", kept_by(world, ties, rule), &text);
    }
    let unbelievable = world.those(|_, image| !image.times().all(|time| is_believable(world, time)));
    refuse("S-8", unbelievable, "a time of it or of what it carries is absent or implausible");
    let young = world.those(|_, image| is_younger(world, image, guardrails.min_age));
    refuse("S-13", young, "it or what it carries is younger than the guardrail's age");
    let floor = newest(world, ties, guardrails.min_newest, &|_| true);
    refuse("S-13", floor, "it or what it carries is among the newest that always stay");
}

fn used(world: &World<'_>) -> Vec<bool> {
    let uses = world.in_use.uses(&world.repository.name);
    let digests: BTreeSet<_> = uses.iter().filter_map(|used| used.target.digest).collect();
    let tags: BTreeSet<_> = uses.iter().filter_map(|used| used.target.tag.as_ref()).collect();
    world.those(|_, image| digests.contains(&image.digest) || image.tags.keys().any(|tag| tags.contains(tag)))
}

fn kept_by(world: &World<'_>, ties: &Ties, rule: &KeepRule) -> Vec<bool> {
    let has_its_tag = |image: &Image| match &rule.tags {
        None => true,
        Some(patterns) => image.tags.keys().any(|tag| patterns.matches(tag.as_str())),
    };
    let everything = || vec![true; world.decisions.len()];
    let new = rule.newest.map_or_else(everything, |newest| self::newest(world, ties, newest, &has_its_tag));
    let fresh =
        rule.newer_than.map_or_else(everything, |limit| ties.above(&younger_than(world, ties, limit)));
    world.those(|place, image| {
        let conditions_hold = new[place] && fresh[place];
        has_its_tag(image) && if ties.leftover[place] { rule.tags.is_some() } else { conditions_hold }
    })
}

/// To rules, age means nothing in what is left over from a family that has been judged.
pub(super) fn younger_than(world: &World<'_>, ties: &Ties, limit: TimeDelta) -> Vec<bool> {
    world.those(|place, image| !ties.leftover[place] && is_younger(world, image, limit))
}

fn is_younger(world: &World<'_>, image: &Image, limit: TimeDelta) -> bool {
    image.times().flatten().any(|time| world.age(time) < limit)
}

/// The tagged images that are no older than the last of so many newest named heads of believable time.
fn newest(
    world: &World<'_>,
    ties: &Ties,
    n_places: NonZeroU32,
    takes_part: &dyn Fn(&Image) -> bool,
) -> Vec<bool> {
    let mut places: Vec<DateTime<Utc>> = world
        .images()
        .filter(|(place, image)| ties.holders[*place].is_empty() && is_named(image) && takes_part(image))
        .filter(|(_, image)| image.times().all(|time| is_believable(world, time)))
        .filter_map(|(_, image)| image.times().flatten().max())
        .collect();
    places.sort_unstable();
    let n_places = usize::try_from(n_places.get()).unwrap_or(usize::MAX);
    let last = places.len().checked_sub(n_places).map(|older| places[older]);
    world.those(|place, image| ties.tagged[place] && image.times().flatten().max() >= last)
}

/// From the years in which there were images, and from the future by five minutes at most.
fn is_believable(world: &World<'_>, time: Option<DateTime<Utc>>) -> bool {
    time.is_some_and(|time| time.year() >= 2013 && world.age(time) >= TimeDelta::minutes(-5))
}
