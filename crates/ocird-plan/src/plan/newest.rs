//! Who is among the newest (S-8): places are counted over heads, all together or group by group.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ocird_model::{GroupBy, Patterns};

use super::scene::{Scene, Tagging};
use crate::explain::Place;
use crate::tag::Borne;

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
    last: LastPlaces<'a>,
}

/// The time of the last place where there are more members than places; where there are not, everything is as new.
enum LastPlaces<'a> {
    /// All tags count and are in one group.
    One(Option<DateTime<Utc>>),
    /// Of each group that has more members than places. Where nothing groups there is one, without a name.
    OfGroups(BTreeMap<&'a str, DateTime<Utc>>),
}

impl Among<'_> {
    /// The groups of an image with these tags, some perhaps twice. Without groups an image that takes part is in the one
    /// without a name.
    fn groups<'a>(self, tags: &[Borne<'a>]) -> impl Iterator<Item = &'a str> {
        let counted = tags.iter().map(|borne| borne.tag);
        let mut counted = counted.filter(move |tag| self.tags.is_none_or(|tags| tags.matches(tag)));
        let takes_part = self.group_by.is_none() && (self.tags.is_none() || counted.clone().next().is_some());
        let in_groups = std::iter::from_fn(move || {
            let group_by = self.group_by?;
            counted.find_map(|tag| group_by.group(tag))
        });
        in_groups.chain(takes_part.then_some(""))
    }

    /// True when every image with a tag of its own is in the one group there is.
    const fn is_everything(self) -> bool {
        self.tags.is_none() && self.group_by.is_none()
    }
}

impl<'a, 'r> Newest<'a, 'r> {
    /// The last places among the heads that [take one](takes_a_place).
    pub(super) fn of(scene: &Scene<'a>, n_places: u32, among: Among<'r>) -> Self {
        let last = usize::try_from(n_places).unwrap_or(usize::MAX).saturating_sub(1);
        let takers = (0..scene.facts.len()).filter_map(|place| Some((place, takes_a_place(scene, place)?)));
        let last = if among.is_everything() {
            LastPlaces::One(last_place(takers.map(|(_, time)| time).collect(), last))
        } else {
            let mut times: BTreeMap<&'a str, Vec<DateTime<Utc>>> = BTreeMap::new();
            for (place, time) in takers {
                enter(&mut times, among.groups(scene.tags.of(place)), time);
            }
            let last_places =
                times.into_iter().filter_map(|(group, times)| Some((group, last_place(times, last)?)));
            LastPlaces::OfGroups(last_places.collect())
        };
        Self { among, last }
    }

    /// True when the image bears a tag of its own account and in one of its groups is as new as the last place; what ties
    /// with it stays, and a place that nobody takes holds whoever is there. Children and orphans do not count, but are held.
    pub(super) fn holds(&self, scene: &Scene<'a>, place: usize) -> bool {
        let facts = &scene.facts[place];
        let is_new = |last: Option<&DateTime<Utc>>| {
            last.is_none_or(|last| facts.time.is_none_or(|time| time >= *last))
        };
        facts.tagging.is_free()
            && !facts.is_mere_rest
            && match &self.last {
                LastPlaces::One(last) => is_new(last.as_ref()),
                LastPlaces::OfGroups(last) => {
                    self.among.groups(scene.tags.of(place)).any(|group| is_new(last.get(group)))
                }
            }
    }
}

/// Where an image stands, for people.
impl<'a> Newest<'a, '_> {
    /// The place of a counted image in each of its groups; none for one that does not count.
    pub(super) fn places(scene: &Scene<'a>, among: Among<'_>, place: usize) -> Vec<Place> {
        let Some(time) = takes_a_place(scene, place) else { return Vec::new() };
        let groups: BTreeSet<&str> = among.groups(scene.tags.of(place)).collect();
        let stands_in = |group: &str| {
            let is_in_group = |other: &usize| among.groups(scene.tags.of(*other)).any(|g| g == group);
            let others = (0..scene.facts.len()).filter(is_in_group);
            let times: Vec<_> = others.filter_map(|other| takes_a_place(scene, other)).collect();
            let n_newer = times.iter().filter(|other| **other > time).count();
            Place { group: group.to_owned(), rank: n_newer + 1, of: times.len() }
        };
        groups.into_iter().map(stands_in).collect()
    }
}

/// The time of an image that takes a place: a head that bears a plain tag and has believable times. What is left of a family
/// takes none, tagged or not: no deletion may push another image out. Nor does what a person holds, or held until the hold
/// ended: an old image that was brought back under new tags must never cost a newer one, and is itself held while it is as new as
/// the last place.
fn takes_a_place(scene: &Scene<'_>, place: usize) -> Option<DateTime<Utc>> {
    let facts = &scene.facts[place];
    let counts = facts.tagging == Tagging::Plain
        && facts.is_plausible
        && !facts.is_left_over
        && !facts.was_held
        && scene.graph.is_head(place);
    facts.time.filter(|_| counts)
}

/// The time at this place from the newest on, counted from 0; `None` when there are not so many.
fn last_place(mut times: Vec<DateTime<Utc>>, last: usize) -> Option<DateTime<Utc>> {
    (last < times.len()).then(|| *times.select_nth_unstable_by(last, |a, b| b.cmp(a)).1)
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
