//! The check's own reading of an Amazon ECR lifecycle document, one image at a time and by the letter: whose image it is,
//! and whether that rule expires it.

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{EcrCount, EcrPattern, EcrRule, EcrSelection, EcrTags, Image};

use super::needed::{held, held_at_any_time, is_believable};
use super::world::{Ties, World, times};

/// For each image whether this rule of the document leaves it alone.
pub(super) fn not_about(world: &World<'_>, ties: &Ties, selection: &EcrSelection) -> Vec<bool> {
    let rules = selection.lifecycle().rules();
    let rule = &rules[selection.rule()];
    let named = ties.above(&ties.tagged);
    let is_any = |rule: &EcrRule| matches!(rule.tags, EcrTags::Any);
    let is_about = |rule: &EcrRule, place: usize, image: &Image| {
        // What speaks about an image of another repository is no image of this one.
        concerns(rule, image) && !(ties.abroad[place] && is_any(rule))
    };
    let carries_one_of_others = ties.above(&ties.abroad);
    let is_spared = spared(world, ties, rule, &is_about);
    let held = held(world);
    world.those(|place, image| {
        let owner = rules.iter().position(|rule| is_about(rule, place, image));
        owner != Some(selection.rule())
            || !is_image(ties, place)
            || held[place]
            || ties.carried[place].iter().any(|&carried| named[carried])
            || is_spared[place]
            || (is_any(rule) && carries_one_of_others[place])
    })
}

/// True for what the document sees as an image: nothing holds it, and it is no leftover.
fn is_image(ties: &Ties, place: usize) -> bool {
    ties.holders[place].is_empty() && !ties.leftover[place]
}

fn concerns(rule: &EcrRule, image: &Image) -> bool {
    let some_tag = |fits: &dyn Fn(&str) -> bool| image.tags.keys().any(|tag| fits(tag.as_str()));
    let fits = |pattern: &EcrPattern, tag: &str| pattern.matches(tag);
    match &rule.tags {
        EcrTags::Any => true,
        EcrTags::Untagged => image.tags.is_empty(),
        EcrTags::Prefixes(list) => list.iter().all(|wanted| some_tag(&|tag| tag.starts_with(wanted))),
        EcrTags::Patterns(list) => list.iter().all(|wanted| some_tag(&|tag| fits(wanted, tag))),
    }
}

/// Whether a rule is about the image at a place, if it is one.
type IsAbout<'a> = &'a dyn Fn(&EcrRule, usize, &Image) -> bool;

/// For each image whether the rule would leave it alone for its time or its rank, if it were about it.
fn spared(world: &World<'_>, ties: &Ties, rule: &EcrRule, is_about: IsAbout<'_>) -> Vec<bool> {
    let undated = world.those(|_, image| pushed_at(world, image).is_none());
    let Some(limit) = limit(world, ties, rule, is_about) else {
        return vec![true; undated.len()];
    };
    let is_newer = |image: &Image| times(image).flatten().any(|time| time >= limit);
    let newer = ties.above(&world.those(|place, image| !ties.leftover[place] && is_newer(image)));
    undated.into_iter().zip(newer).map(|(undated, newer)| undated || newer).collect()
}

/// What was pushed at this instant or later is left alone; `None` when everything is.
fn limit(world: &World<'_>, ties: &Ties, rule: &EcrRule, is_about: IsAbout<'_>) -> Option<DateTime<Utc>> {
    match rule.expires {
        EcrCount::DaysSincePush(days) => world.now.checked_sub_signed(TimeDelta::days(days.get().into())),
        EcrCount::BeyondNewest(n_kept) => {
            // What a person held may be an old image under new tags, which must not cost a newer one its place.
            let is_out = held_at_any_time(world);
            let is_counted = |other: usize, image: &Image| {
                is_image(ties, other) && !is_out[other] && is_about(rule, other, image)
            };
            let counted = world.images().filter(|(other, image)| is_counted(*other, image));
            let mut dates: Vec<_> = counted.filter_map(|(_, image)| pushed_at(world, image)).collect();
            dates.sort_unstable();
            let older = dates.len().checked_sub(usize::try_from(n_kept.get()).ok()?)?;
            Some(dates[older])
        }
    }
}

/// The newest of its times, where all of them can be believed.
fn pushed_at(world: &World<'_>, image: &Image) -> Option<DateTime<Utc>> {
    let can_be_believed = times(image).all(|time| is_believable(world, time));
    times(image).flatten().max().filter(|_| can_be_believed)
}
