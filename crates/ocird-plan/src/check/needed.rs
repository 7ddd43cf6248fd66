//! What must stay for its own sake, and everything that holds it: what runs, what keep rules name, what is too young or of an
//! unbelievable time, and the floor (S-4, S-5, S-8, S-13).

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use ocird_model::{HoldOn, Image, KeepRule, Policy, Rule};

use super::Report;
use super::world::{Ties, World, is_chosen, is_named, times};

pub(super) fn check(world: &World<'_>, ties: &Ties, policy: &Policy, report: &mut Report<'_>) {
    each_need(world, ties, policy, &mut |rule, needed, text| {
        for (decision, is_held) in world.decisions.iter().zip(ties.above(&needed)) {
            if is_held && is_chosen(&decision.verdict) {
                report.image(decision.digest, rule, text);
            }
        }
    });
}

/// What must stay whatever the account, for its own sake or that of what it carries.
pub(super) fn must_stay(world: &World<'_>, ties: &Ties, policy: &Policy) -> Vec<bool> {
    let mut all = vec![false; world.decisions.len()];
    each_need(world, ties, policy, &mut |_, needed, _| {
        all.iter_mut().zip(needed).for_each(|(known, needed)| *known |= needed);
    });
    ties.above(&all)
}

/// Each reason for which something must stay, as the safety rule, the images that it is about themselves, and words for people.
fn each_need(
    world: &World<'_>,
    ties: &Ties,
    policy: &Policy,
    refuse: &mut dyn FnMut(&'static str, Vec<bool>, &str),
) {
    let guardrails = &world.policies.guardrails;
    refuse("S-4", used(world), "something runs from it or from what it carries");
    refuse("S-27", held(world), "a person holds it or what it carries");
    for rule in policy.keep.iter().filter(|_| Rule::S5.in_force()) {
        let text = format!("keep rule \"{}\" holds it or what it carries", rule.name);
        let mut kept = kept_by(world, ties, rule);
        if rule.unless_usage_above.is_some() {
            // What has no part in the account is no matter of usage; about all others the account is asked elsewhere.
            kept.iter_mut().zip(world.off_the_account(ties)).for_each(|(kept, is_off)| *kept &= is_off);
        }
        refuse("S-5", kept, &text);
    }
    refuse(
        "S-6",
        world.subjects.needed(world),
        "what it or what it carries speaks about is in another repository",
    );
    let text = "what it or what it carries speaks about may be in a repository that was not read";
    refuse("S-7", world.subjects.in_doubt(world), text);
    if Rule::S8.in_force() {
        let unbelievable = world.those(|_, image| !times(image).all(|time| is_believable(world, time)));
        refuse("S-8", unbelievable, "a time of it or of what it carries is absent or implausible");
    }
    if Rule::S13.in_force() {
        let young = world.those(|_, image| is_younger(world, image, guardrails.min_age));
        refuse("S-13", young, "it or what it carries is younger than the guardrail's age");
        let floor = newest(world, ties, guardrails.min_newest, &|_| BTreeSet::from([""]));
        refuse("S-13", floor, "it or what it carries is among the newest that always stay");
    }
}

/// What a person holds now.
pub(super) fn held(world: &World<'_>) -> Vec<bool> {
    held_until(world, Some(world.now))
}

/// What a person holds or held before.
pub(super) fn held_at_any_time(world: &World<'_>) -> Vec<bool> {
    held_until(world, None)
}

/// What a hold is on that ends after this instant, or at any.
fn held_until(world: &World<'_>, instant: Option<DateTime<Utc>>) -> Vec<bool> {
    let holds = world.repository.holds.iter().filter(|_| Rule::S27.in_force());
    let standing = holds.filter(|hold| hold.until.is_none_or(|end| Some(end) > instant));
    let standing: BTreeSet<&HoldOn> = standing.map(|hold| &hold.on).collect();
    world.those(|_, image| {
        let head = world.repository.rests.get(&image.digest);
        let head = head.filter(|head| world.repository.image(head).is_none());
        standing.contains(&HoldOn::Digest(image.digest))
            || head.is_some_and(|head| standing.contains(&HoldOn::Digest(*head)))
            || image.tags.keys().any(|tag| standing.contains(&HoldOn::Tag(tag.clone())))
    })
}

fn used(world: &World<'_>) -> Vec<bool> {
    let uses = world.in_use.uses(&world.repository.name);
    let digests: BTreeSet<_> = uses.iter().filter_map(|used| used.target.digest).collect();
    let tags: BTreeSet<_> = uses.iter().filter_map(|used| used.target.tag.as_ref()).collect();
    world.those(|_, image| digests.contains(&image.digest) || image.tags.keys().any(|tag| tags.contains(tag)))
}

/// What a keep rule holds, whatever the account.
pub(super) fn kept_by(world: &World<'_>, ties: &Ties, rule: &KeepRule) -> Vec<bool> {
    let everything = || vec![true; world.decisions.len()];
    let new = rule
        .newest
        .map_or_else(everything, |places| newest(world, ties, places, &|image| groups(rule, image)));
    let fresh =
        rule.newer_than.map_or_else(everything, |limit| ties.above(&younger_than(world, ties, limit)));
    let pulled = rule.pulled_within.map_or_else(everything, |limit| {
        ties.above(&world.those(|_, image| may_be_pulled(world, image, limit)))
    });
    let asks_for_more_than_age = rule.tags.is_some()
        || rule.digests.is_some()
        || rule.resource_tags.is_some()
        || rule.pulled_within.is_some();
    world.those(|place, image| {
        let age_and_order_hold =
            if ties.leftover[place] { asks_for_more_than_age } else { new[place] && fresh[place] };
        age_and_order_hold && pulled[place] && is_named_by(world, rule, image)
    })
}

/// What the rule says of the image alone: its tags, its digest, its resource tags.
fn is_named_by(world: &World<'_>, rule: &KeepRule, image: &Image) -> bool {
    let by_tag =
        rule.tags.as_ref().is_none_or(|tags| image.tags.keys().any(|tag| tags.matches(tag.as_str())));
    let by_digest = rule.digests.as_ref().is_none_or(|digests| digests.contains(&image.digest));
    let by_resource_tag = match (&rule.resource_tags, &image.resource_tags) {
        (Some(wanted), Some(known)) => wanted.matches(known) || is_stale(world, image),
        (Some(_), None) => Rule::S7.in_force(),
        (None, _) => true,
    };
    by_tag && by_digest && by_resource_tag
}

/// The groups among which a rule counts an image.
fn groups<'i>(rule: &KeepRule, image: &'i Image) -> BTreeSet<&'i str> {
    let tags = image.tags.keys().map(ocird_model::Tag::as_str);
    let tags = tags.filter(|tag| rule.tags.as_ref().is_none_or(|wanted| wanted.matches(tag)));
    match &rule.group_by {
        Some(group_by) => tags.filter_map(|tag| group_by.group(tag)).collect(),
        None if rule.tags.is_none() => BTreeSet::from([""]),
        None => tags.map(|_| "").collect(),
    }
}

/// True unless it is certain that the image was last pulled longer ago than that.
pub(super) fn may_be_pulled(world: &World<'_>, image: &Image, limit: TimeDelta) -> bool {
    let is_odd = |time| !is_believable(world, Some(time)) && Rule::S7.in_force();
    let is_late = |time| is_odd(time) || world.age(time) < limit;
    image.last_pulled_at.is_some_and(is_late) || is_stale(world, image)
}

/// What was read of pulls and resource tags six hours ago, or nobody knows when, or in the future, says nothing.
fn is_stale(world: &World<'_>, image: &Image) -> bool {
    let age = image.read_at.map(|read_at| world.age(read_at));
    Rule::S7.in_force() && !age.is_some_and(|age| (TimeDelta::zero()..TimeDelta::hours(6)).contains(&age))
}

/// To rules, age means nothing in what is left over from a family that has been judged.
pub(super) fn younger_than(world: &World<'_>, ties: &Ties, limit: TimeDelta) -> Vec<bool> {
    world.those(|place, image| !ties.leftover[place] && is_younger(world, image, limit))
}

fn is_younger(world: &World<'_>, image: &Image, limit: TimeDelta) -> bool {
    times(image).flatten().any(|time| world.age(time) < limit)
}

/// The tagged images that in one of their groups are no older than the last of so many newest named heads of believable
/// time, of which none is left of a family or was ever held by a person.
fn newest<'w>(
    world: &World<'w>,
    ties: &Ties,
    n_places: NonZeroU32,
    groups: &dyn Fn(&'w Image) -> BTreeSet<&'w str>,
) -> Vec<bool> {
    let orphaned = world.orphaned();
    let held = held_at_any_time(world);
    let mut places = BTreeMap::<&str, Vec<DateTime<Utc>>>::new();
    for (place, image) in world.images().filter(|(_, image)| is_named(image)) {
        let is_believed = times(image).all(|time| is_believable(world, time));
        if ties.holders[place].is_empty() && is_believed && !orphaned[place] && !held[place] {
            let time = times(image).flatten().max();
            for group in groups(image) {
                places.entry(group).or_default().extend(time);
            }
        }
    }
    for places in places.values_mut() {
        places.sort_unstable();
    }
    let n_places = usize::try_from(n_places.get()).unwrap_or(usize::MAX);
    let last = |group: &str| {
        let places = places.get(group)?;
        places.len().checked_sub(n_places).map(|older| places[older])
    };
    world.those(|place, image| {
        let time = times(image).flatten().max();
        ties.tagged[place] && groups(image).into_iter().any(|group| time >= last(group))
    })
}

/// From the years in which there were images, and from the future by five minutes at most.
pub(super) fn is_believable(world: &World<'_>, time: Option<DateTime<Utc>>) -> bool {
    time.is_some_and(|time| time.year() >= 2013 && world.age(time) >= TimeDelta::minutes(-5))
}
