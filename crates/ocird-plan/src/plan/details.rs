//! What no list shows and is known only as of the last read of an image: pulls and resource tags. What is not known well
//! enough speaks for the image: it may have been pulled just now, and may bear any resource tag.

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Image, ResourceTagPatterns, Rule};

use super::Law;
use super::scene::Scene;

/// What a read of an image said of pulls and resource tags is believed for this long. The shortest time that a rule about
/// pulls can name is a day; a quarter of it costs four reads of each image a day. Before a deletion all of it is read again
/// in any case (S-17). A read from exactly so long ago, or from the future, is not believed, nor is a pull before the
/// first image there can be.
pub const DETAILS_SERVE: TimeDelta = TimeDelta::hours(6);

/// The last pulls against a limit.
pub(super) struct Pulls {
    limit: DateTime<Utc>,
    last: Vec<Option<DateTime<Utc>>>,
}

impl Pulls {
    /// The pulls, and the instant so long ago.
    pub(super) fn of(scene: &Scene<'_>, law: &Law<'_>, age: TimeDelta) -> Self {
        Self { limit: law.ago(age), last: last_pulls(scene, law) }
    }

    /// The limit.
    pub(super) const fn limit(&self) -> DateTime<Utc> {
        self.limit
    }

    /// True when the image, or something it reaches, was pulled after the limit, or may have been.
    pub(super) fn is_later(&self, place: usize) -> bool {
        self.last[place].is_some_and(|time| time > self.limit)
    }
}

/// For each image the newest pull of anything it reaches, itself included: nobody knows whether the registry counts the
/// pull of an index for its children too, or the other way round. The end of time stands for a pull that nobody knows of.
pub(super) fn last_pulls(scene: &Scene<'_>, law: &Law<'_>) -> Vec<Option<DateTime<Utc>>> {
    let mut pulls: Vec<_> = scene.repository.images.iter().map(|image| last_pull(image, law)).collect();
    scene.graph.hand_up(&mut pulls, Ord::max);
    pulls
}

fn last_pull(image: &Image, law: &Law<'_>) -> Option<DateTime<Utc>> {
    let is_plausible = image.last_pulled_at.is_none() || law.is_plausible(image.last_pulled_at);
    let is_known = (is_plausible && is_fresh(image, law)) || !Rule::S7.in_force();
    if is_known { image.last_pulled_at } else { Some(DateTime::<Utc>::MAX_UTC) }
}

/// True unless it is certain that the image does not bear these tags.
pub(super) fn may_bear(image: &Image, tags: &ResourceTagPatterns, law: &Law<'_>) -> bool {
    let is_unknown = !knows_resource_tags(image, law) && Rule::S7.in_force();
    is_unknown || image.resource_tags.as_ref().is_some_and(|known| tags.matches(known))
}

/// True when what is known of the image's resource tags is fresh enough to be believed.
pub(super) fn knows_resource_tags(image: &Image, law: &Law<'_>) -> bool {
    image.resource_tags.is_some() && is_fresh(image, law)
}

fn is_fresh(image: &Image, law: &Law<'_>) -> bool {
    let age = image.read_at.map(|read_at| law.now.signed_duration_since(read_at));
    age.is_some_and(|age| age >= TimeDelta::zero() && age < DETAILS_SERVE)
}
