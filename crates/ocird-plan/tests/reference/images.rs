//! Random repositories: images of every kind that refer to each other in every way, tagged and retagged, with times, layers,
//! pulls and resource tags that are equal, odd or missing often enough to matter.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Bytes, Content, Digest, Image, Layer, OpaqueReason, Repository, RepositoryName, ResourceTags, Tag,
};

use crate::dice::Dice;
use crate::world::now;

/// The tags that people give.
pub(crate) const TAGS: [&str; 10] =
    ["latest", "prod", "staging", "v1.0.1", "v1.0.2", "v1.1.0", "v2.0.0", "pr-1", "pr-2", "2026-05-01"];

/// The days that rules name and that images are old, so that the two often meet.
pub(crate) const DAYS: [i64; 7] = [1, 2, 5, 10, 20, 30, 60];

/// The most images of a repository.
const MAX_IMAGES: usize = 12;

/// Digests beyond the images: something refers to them, but they are not listed.
const BEYOND: usize = 2;

/// What is in the tenancy: digests sort by a shuffled order, which is the same for all repositories.
pub(crate) struct Names {
    order: Vec<u8>,
}

impl Names {
    pub(crate) fn shuffled(dice: &mut Dice) -> Self {
        let order = (0..MAX_IMAGES + BEYOND).map(|_| u8::try_from(dice.below(200)).expect("200 fits a byte"));
        Self { order: order.collect() }
    }

    /// The digest of the image at a place; what is behind its first byte says the place.
    pub(crate) fn digest(&self, place: usize) -> Digest {
        let mut bytes = [0; 32];
        bytes[0] = self.order[place];
        bytes[1] = u8::try_from(place).expect("places are few");
        Digest::from_bytes(bytes)
    }
}

/// The letter by which people call an image of a world.
pub(crate) fn letter(digest: &Digest) -> char {
    char::from(b'a' + digest.as_bytes()[1])
}

/// A repository of this name.
pub(crate) fn repository(dice: &mut Dice, names: &Names, name: &RepositoryName) -> Repository {
    let n_images = if dice.percent(80) { dice.below(8) } else { dice.below(MAX_IMAGES + 1) };
    let mut images: Vec<Image> =
        (0..n_images).map(|place| image(dice, names, name, place, n_images)).collect();
    if n_images > 0 {
        tag(dice, names, &mut images);
        if dice.percent(3) {
            images[dice.below(n_images)].content = Content::Opaque { reason: OpaqueReason::MediaType };
        }
    }
    images.sort_by_key(|image| image.digest);
    let rests = if dice.percent(20) { rests(dice, names, n_images) } else { BTreeMap::new() };
    Repository {
        id: format!("ocid1.containerrepo.oc1..{name}").parse().unwrap(),
        name: name.clone(),
        compartment: "ocid1.compartment.oc1..mgh".parse().unwrap(),
        namespace: "ns".parse().unwrap(),
        is_public: dice.percent(8),
        images,
        rests,
        holds: Vec::new(),
    }
}

/// Members of families whose head is mostly, but not always, gone.
fn rests(dice: &mut Dice, names: &Names, n_images: usize) -> BTreeMap<Digest, Digest> {
    let n_rests = dice.below(4);
    let pair = |dice: &mut Dice| {
        let head =
            if dice.percent(80) { n_images + dice.below(BEYOND) } else { dice.below(n_images + BEYOND) };
        (names.digest(dice.below(n_images + 1)), names.digest(head))
    };
    (0..n_rests).map(|_| pair(dice)).collect()
}

fn image(
    dice: &mut Dice,
    names: &Names,
    repository: &RepositoryName,
    place: usize,
    n_images: usize,
) -> Image {
    let created_at = time(dice);
    let ties = if dice.percent(10) { 1 + dice.below(2) } else { 0 };
    let tie = |dice: &mut Dice| {
        let suffix = dice.one_of(&["", ".sig", ".att", ".sbom", ".sig", "-sig"]);
        let subject = names.digest(reference(dice, place, n_images));
        (format!("sha256-{}{suffix}", subject.hex()).parse().unwrap(), created_at)
    };
    let content = content(dice, names, place, n_images);
    let layers = match &content {
        Content::Index { children: _, subject: _ } => dice.maybe(30, |_| Arc::from([])),
        Content::Manifest { subject: _, config: _ } | Content::Opaque { reason: _ } => layers(dice),
    };
    Image {
        id: format!("ocid1.containerimage.oc1..{repository}.{place}").parse().unwrap(),
        digest: names.digest(place),
        tags: (0..ties).map(|_| tie(dice)).collect(),
        created_at,
        first_seen_at: None,
        last_pulled_at: dice.percent(40).then(|| time(dice)).flatten(),
        resource_tags: resource_tags(dice),
        read_at: read_at(dice),
        content,
        layers,
        manifest_size: Bytes(u64::from(dice.percent(95))),
    }
}

/// The place of an image that this one refers to: mostly a later one, as content digests must be, now and then any, so that
/// there are circles, and now and then one that is not listed.
fn reference(dice: &mut Dice, place: usize, n_images: usize) -> usize {
    if dice.percent(88) && place + 1 < n_images {
        place + 1 + dice.below(n_images - place - 1)
    } else if dice.percent(30) {
        dice.below(n_images + BEYOND)
    } else {
        n_images + dice.below(BEYOND)
    }
}

fn content(dice: &mut Dice, names: &Names, place: usize, n_images: usize) -> Content {
    let subject = dice.maybe(10, |dice| names.digest(reference(dice, place, n_images)));
    if dice.percent(70) {
        return Content::Manifest { subject, config: None };
    }
    let n_children = 1 + dice.below(3);
    let mut children: Vec<Digest> =
        (0..n_children).map(|_| names.digest(reference(dice, place, n_images))).collect();
    children.sort();
    children.dedup();
    Content::Index { children, subject }
}

/// A few of ten layers, now and then with a size that contradicts the others'; now and then nobody knows.
fn layers(dice: &mut Dice) -> Option<Arc<[Layer]>> {
    if dice.percent(1) {
        return None;
    }
    let layer = |dice: &mut Dice| {
        let number = u8::try_from(dice.below(10)).expect("ten is small");
        let wrong = u64::from(dice.percent(3));
        Layer { digest: Digest::from_bytes([number; 32]), size: Bytes(10 + 7 * u64::from(number) + wrong) }
    };
    let n_layers = dice.below(4);
    Some((0..n_layers).map(|_| layer(dice)).collect())
}

/// Puts each of the usual tags on one image at most, at the image's own time or at another.
fn tag(dice: &mut Dice, names: &Names, images: &mut [Image]) {
    let almost_a_tie = format!("sha256-{}", &names.digest(0).hex()[..63]);
    for text in TAGS.into_iter().chain([almost_a_tie.as_str()]) {
        let chance = if text.starts_with("sha256") { 2 } else { 50 };
        if dice.percent(chance) {
            let image = &mut images[dice.below(images.len())];
            let tag: Tag = text.parse().unwrap();
            let at = if dice.percent(60) { image.created_at } else { time(dice) };
            image.tags.insert(tag, at);
        }
    }
}

/// A time as a registry may give it: few distinct values, so that many are equal and many lie on a limit.
fn time(dice: &mut Dice) -> Option<DateTime<Utc>> {
    let ago = |ago: TimeDelta| Some(now() - ago);
    match dice.below(100) {
        0..60 => ago(TimeDelta::days(*dice.one_of(&DAYS))),
        60..75 => ago(TimeDelta::days(*dice.one_of(&DAYS)) + TimeDelta::seconds(dice.between(-1, 1))),
        75..97 => ago(TimeDelta::hours(12 * dice.between(1, 130))),
        _ => odd_time(dice),
    }
}

/// A time at the edge of what is believed, or beyond it.
fn odd_time(dice: &mut Dice) -> Option<DateTime<Utc>> {
    let at = |text: &str| Some(text.parse().unwrap());
    match dice.below(7) {
        0 => None,
        1 => at("1970-01-01T00:00:00Z"),
        2 => at("2012-12-31T23:59:59Z"),
        3 => at("2013-01-01T00:00:00Z"),
        4 => Some(now() + TimeDelta::minutes(5)),
        5 => Some(now() + TimeDelta::minutes(5) + TimeDelta::seconds(1)),
        _ => Some(now() + TimeDelta::days(3)),
    }
}

/// Mostly just now; else at the edge of what is believed, long ago, ahead of the clock or never.
fn read_at(dice: &mut Dice) -> Option<DateTime<Utc>> {
    match dice.below(100) {
        0..85 => Some(now() - TimeDelta::minutes(dice.between(0, 300))),
        85..94 => Some(now() - TimeDelta::hours(6) - TimeDelta::seconds(dice.between(-1, 1))),
        94..96 => Some(now() - TimeDelta::days(*dice.one_of(&DAYS))),
        96..98 => Some(now() + TimeDelta::seconds(*dice.one_of(&[1, 300, 301, 3600]))),
        _ => None,
    }
}

fn resource_tags(dice: &mut Dice) -> Option<ResourceTags> {
    let given: &[(&str, &str)] = match dice.below(10) {
        0 => return None,
        1 => &[("keep", "yes")],
        2 => &[("keep", "no"), ("owner", "web")],
        3 => &[("Retention.keep", "yes")],
        _ => &[],
    };
    Some(ResourceTags::new(given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))))
}
