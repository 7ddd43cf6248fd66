//! The check's own reading of an Amazon ECR lifecycle document, one image at a time and by the letter: whose image it is,
//! and whether that rule expires it.

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{EcrCount, EcrPattern, EcrRule, EcrSelection, EcrTags, Image};

use super::needed::is_believable;
use super::world::{Ties, World};

/// For each image whether this rule of the document leaves it alone.
pub(super) fn not_about(world: &World<'_>, ties: &Ties, selection: &EcrSelection) -> Vec<bool> {
    let rules = selection.lifecycle().rules();
    let rule = &rules[selection.rule()];
    let named = ties.above(&ties.tagged);
    let is_spared = spared(world, ties, rule);
    world.those(|place, image| {
        let owner = rules.iter().position(|rule| concerns(rule, image));
        owner != Some(selection.rule())
            || !is_counted(ties, place)
            || ties.carried[place].iter().any(|&carried| named[carried])
            || is_spared[place]
    })
}

/// True for what the document sees as an image: nothing holds it, and it is no leftover.
fn is_counted(ties: &Ties, place: usize) -> bool {
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

/// For each image whether the rule would leave it alone for its time or its rank, if it were about it.
fn spared(world: &World<'_>, ties: &Ties, rule: &EcrRule) -> Vec<bool> {
    let undated = world.those(|_, image| pushed_at(world, image).is_none());
    let Some(limit) = limit(world, ties, rule) else {
        return vec![true; undated.len()];
    };
    let is_newer = |image: &Image| image.times().flatten().any(|time| time >= limit);
    let newer = ties.above(&world.those(|place, image| !ties.leftover[place] && is_newer(image)));
    undated.into_iter().zip(newer).map(|(undated, newer)| undated || newer).collect()
}

/// What was pushed at this instant or later is left alone; `None` when everything is.
fn limit(world: &World<'_>, ties: &Ties, rule: &EcrRule) -> Option<DateTime<Utc>> {
    match rule.expires {
        EcrCount::DaysSincePush(days) => world.now.checked_sub_signed(TimeDelta::days(days.get().into())),
        EcrCount::BeyondNewest(n_kept) => {
            let counted =
                world.images().filter(|(other, image)| is_counted(ties, *other) && concerns(rule, image));
            let mut dates: Vec<_> = counted.filter_map(|(_, image)| pushed_at(world, image)).collect();
            dates.sort_unstable();
            let older = dates.len().checked_sub(usize::try_from(n_kept.get()).ok()?)?;
            Some(dates[older])
        }
    }
}

/// The newest of its times, where all of them can be believed.
fn pushed_at(world: &World<'_>, image: &Image) -> Option<DateTime<Utc>> {
    let can_be_believed = image.times().all(|time| is_believable(world, time));
    image.times().flatten().max().filter(|_| can_be_believed)
}
