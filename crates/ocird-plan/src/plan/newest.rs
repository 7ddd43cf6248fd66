//! Who is among the newest (S-8): places are counted over heads, all together or group by group.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ocird_model::{GroupBy, Image, Patterns};

use super::scene::{Scene, Tagging};
use crate::explain::Place;

/// Which of an image's tags count.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Among<'r> {
    /// Those that match; all when absent.
    pub(super) tags: Option<&'r Patterns>,
    /// Those that are in a group, each in its own; all in one when absent.
    pub(super) group_by: Option<&'r GroupBy>,
}

/// The images that are among so many newest.
pub(super) struct Newest<'a, 'r> {
    among: Among<'r>,
    /// The last place of each group that has more members than places. Without groups there is one, without a name.
    last_places: BTreeMap<&'a str, DateTime<Utc>>,
}

impl Among<'_> {
    /// The groups of an image, some perhaps twice. Without groups an image that takes part is in the one without a name.
    fn groups<'a>(self, image: &'a Image) -> impl Iterator<Item = &'a str> {
        let counts = move |tag: &&'a str| self.tags.is_none_or(|tags| tags.matches(tag));
        let tags = || image.tags.keys().map(ocird_model::Tag::as_str).filter(counts);
        let in_groups = self.group_by.into_iter().flat_map(move |group_by| {
            let tags = image.tags.keys().map(ocird_model::Tag::as_str).filter(counts);
            tags.filter_map(|tag| group_by.group(tag))
        });
        let takes_part = self.group_by.is_none() && (self.tags.is_none() || tags().next().is_some());
        in_groups.chain(takes_part.then_some(""))
    }
}

impl<'a, 'r> Newest<'a, 'r> {
    /// Counts the heads that bear a plain tag, have believable times, and take part. What is left of a family takes no place,
    /// tagged or not: no deletion may push another image out.
    pub(super) fn of(scene: &Scene<'a>, n_places: u32, among: Among<'r>) -> Self {
        let mut times: BTreeMap<&'a str, Vec<DateTime<Utc>>> = BTreeMap::new();
        for (place, image) in scene.repository.images.iter().enumerate() {
            let facts = &scene.facts[place];
            let counts = facts.tagging == Tagging::Plain
                && scene.graph.is_head(place)
                && facts.is_plausible
                && !scene.has_lost_its_head(place);
            if let (true, Some(time)) = (counts, facts.time) {
                enter(&mut times, among.groups(image), time);
            }
        }
        let last = usize::try_from(n_places).unwrap_or(usize::MAX).saturating_sub(1);
        let last_places = times.into_iter().filter_map(|(group, mut times)| {
            let (_, time, _) =
                (last < times.len()).then(|| times.select_nth_unstable_by(last, |a, b| b.cmp(a)))?;
            Some((group, *time))
        });
        Self { among, last_places: last_places.collect() }
    }

    /// True when the image bears a tag of its own account and in one of its groups is as new as the last place; what ties
    /// with it stays, and a place that nobody takes holds whoever is there. Children and orphans do not count, but are held.
    pub(super) fn holds(&self, scene: &Scene<'a>, place: usize) -> bool {
        let facts = &scene.facts[place];
        let is_new = |group| {
            let last = self.last_places.get(group);
            last.is_none_or(|last| facts.time.is_none_or(|time| time >= *last))
        };
        facts.tagging.is_free()
            && !facts.is_mere_rest
            && self.among.groups(&scene.repository.images[place]).any(is_new)
    }
}

/// Where an image stands, for people.
impl<'a> Newest<'a, '_> {
    /// The place of a counted image in each of its groups; none for one that does not count.
    pub(super) fn places(scene: &Scene<'a>, among: Among<'_>, place: usize) -> Vec<Place> {
        let Some(time) = counted_time(scene, place) else { return Vec::new() };
        let images = &scene.repository.images;
        let groups: BTreeSet<&str> = among.groups(&images[place]).collect();
        let stands_in = |group: &str| {
            let others = (0..images.len()).filter(|&other| among.groups(&images[other]).any(|g| g == group));
            let times: Vec<_> = others.filter_map(|other| counted_time(scene, other)).collect();
            let n_newer = times.iter().filter(|other| **other > time).count();
            Place { group: group.to_owned(), rank: n_newer + 1, of: times.len() }
        };
        groups.into_iter().map(stands_in).collect()
    }
}

/// The time of an image that takes a place: a head that bears a plain tag and has believable times.
fn counted_time(scene: &Scene<'_>, place: usize) -> Option<DateTime<Utc>> {
    let facts = &scene.facts[place];
    let counts = facts.tagging == Tagging::Plain && scene.graph.is_head(place) && facts.is_plausible;
    facts.time.filter(|_| counts)
}

/// An image takes one place in each of its groups, however many of its tags are there. With a single group no list is made.
fn enter<'a>(
    times: &mut BTreeMap<&'a str, Vec<DateTime<Utc>>>,
    mut groups: impl Iterator<Item = &'a str>,
    time: DateTime<Utc>,
) {
    let Some(first) = groups.next() else { return };
    times.entry(first).or_default().push(time);
    let others: BTreeSet<&str> = groups.filter(|group| *group != first).collect();
    for group in others {
        times.entry(group).or_default().push(time);
    }
}
