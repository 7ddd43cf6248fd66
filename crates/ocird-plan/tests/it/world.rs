//! Random worlds: one repository of a few images with every kind of reference, tag, time, use, rest and rule, dense enough
//! that the odd cases are the common ones. A world is plain data, so that a law can move one thing in it.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Bytes, Content, DeleteRule, Digest, Image, KeepRule, Layer, OpaqueReason, ResourceTagPatterns,
    ResourceTags, Selects, Tag, Target,
};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use crate::fleet::{Fleet, days, now, patterns, tie};

/// A world before it is built; images are named by their place.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) images: Vec<Spec>,
    /// Tags of the images, each on one image at most, with its time.
    pub(crate) tags: BTreeMap<&'static str, (usize, Time)>,
    pub(crate) keep: Vec<KeepRule>,
    pub(crate) delete: Vec<DeleteRule>,
    pub(crate) floor: u32,
    pub(crate) used_tags: BTreeSet<&'static str>,
    pub(crate) used: BTreeSet<usize>,
    /// Members and heads; a head beyond the images is one that is gone.
    pub(crate) rests: BTreeMap<usize, usize>,
    pub(crate) is_doubtful: bool,
    /// What the digests begin with, image by image: their order is not that of the places.
    pub(crate) order: Vec<u8>,
}

/// One image of a world.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spec {
    pub(crate) time: Time,
    pub(crate) children: BTreeSet<usize>,
    pub(crate) subject: Option<usize>,
    /// Subjects named by tags of the form `sha256-<hex>.sig`, at the image's own time.
    pub(crate) ties: BTreeSet<usize>,
    pub(crate) is_opaque: bool,
    /// `None` for unknown.
    pub(crate) layers: Option<BTreeSet<u8>>,
    /// When it was last pulled.
    pub(crate) pulled: Option<Time>,
    /// Whether its details were read in this pass; otherwise long ago.
    pub(crate) is_read: bool,
    /// Whether it bears the resource tag `keep`; `None` for unknown.
    pub(crate) bears: Option<bool>,
}

/// A time as a registry may give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Time {
    /// So many half days ago.
    HalfDaysAgo(i64),
    #[default]
    Absent,
    Epoch,
    Future,
}

impl Time {
    fn at(self) -> Option<DateTime<Utc>> {
        match self {
            Self::HalfDaysAgo(half_days) => Some(now() - TimeDelta::hours(12 * half_days)),
            Self::Absent => None,
            Self::Epoch => Some(DateTime::UNIX_EPOCH),
            Self::Future => Some(now() + days(3)),
        }
    }
}

impl World {
    pub(crate) fn digest(&self, place: usize) -> Digest {
        let mut bytes = [0; 32];
        bytes[0] = self.order.get(place).copied().unwrap_or(0);
        bytes[1] = u8::try_from(place).unwrap();
        Digest::from_bytes(bytes)
    }

    pub(crate) fn place(digest: &Digest) -> usize {
        usize::from(digest.as_bytes()[1])
    }

    pub(crate) fn build(&self) -> Fleet {
        let mut fleet = Fleet::new();
        fleet.policies.guardrails.min_newest = NonZeroU32::new(self.floor).unwrap();
        fleet.policies.policies[0].keep.clone_from(&self.keep);
        fleet.policies.policies[0].delete.clone_from(&self.delete);
        fleet.repository.images = (0..self.images.len()).map(|place| self.image(place)).collect();
        fleet.repository.images.sort_by_key(|image| image.digest);
        let rests = self.rests.iter().map(|(member, head)| (self.digest(*member), self.digest(*head)));
        fleet.repository.rests = rests.collect();
        for tag in &self.used_tags {
            fleet = fleet.used_by_tag(tag);
        }
        for place in &self.used {
            fleet = fleet.used(Target { tag: None, digest: Some(self.digest(*place)) });
        }
        if self.is_doubtful {
            fleet.in_use.doubt(patterns(&["api"]), "a source is silent");
        }
        fleet
    }

    fn image(&self, place: usize) -> Image {
        let spec = &self.images[place];
        let children: Vec<Digest> = spec.children.iter().map(|child| self.digest(*child)).collect();
        let subject = spec.subject.map(|subject| self.digest(subject));
        let content = match (spec.is_opaque, children.is_empty()) {
            (true, _) => Content::Opaque { reason: OpaqueReason::Malformed },
            (false, true) => Content::Manifest { subject, config: None },
            (false, false) => Content::Index { children, subject },
        };
        let layer = |number: &u8| Layer {
            digest: Digest::from_bytes([*number; 32]),
            size: Bytes(u64::from(*number) + 1),
        };
        Image {
            id: format!("ocid1.containerimage.oc1..{place}").parse().unwrap(),
            digest: self.digest(place),
            tags: self.tags_of(place),
            created_at: spec.time.at(),
            first_seen_at: None,
            last_pulled_at: spec.pulled.and_then(Time::at),
            resource_tags: spec
                .bears
                .map(|bears| ResourceTags::new(bears.then(|| ("keep".to_owned(), "yes".to_owned())))),
            read_at: Some(now() - if spec.is_read { TimeDelta::zero() } else { days(1) }),
            content,
            layers: spec.layers.as_ref().map(|layers| layers.iter().map(layer).collect::<Arc<[Layer]>>()),
            manifest_size: Bytes(1000),
        }
    }

    fn tags_of(&self, place: usize) -> BTreeMap<Tag, Option<DateTime<Utc>>> {
        let plain = self.tags.iter().filter(|(_, (on, _))| *on == place);
        let plain = plain.map(|(tag, (_, time))| ((*tag).to_owned(), time.at()));
        let spec = &self.images[place];
        let ties = spec.ties.iter().map(|subject| (tie(self.digest(*subject), ".sig"), spec.time.at()));
        plain.chain(ties).map(|(tag, time)| (tag.parse().unwrap(), time)).collect()
    }

    /// Every image that an image reaches downwards, itself included. Walked without order or cleverness.
    pub(crate) fn reached_from(&self, place: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::from([place]);
        loop {
            let more: BTreeSet<usize> = (0..self.images.len())
                .filter(|next| reached.iter().any(|from| self.holds(*from, *next)))
                .collect();
            if more.is_subset(&reached) {
                return reached;
            }
            reached.extend(more);
        }
    }

    /// True when nothing present holds the image.
    pub(crate) fn is_head(&self, place: usize) -> bool {
        !(0..self.images.len()).any(|holder| self.holds(holder, place))
    }

    fn holds(&self, holder: usize, carried: usize) -> bool {
        let (above, below) = (&self.images[holder], &self.images[carried]);
        let is_child = !above.is_opaque && above.children.contains(&carried);
        let is_subject = !below.is_opaque && below.subject == Some(holder);
        is_child || is_subject || below.ties.contains(&holder)
    }

    /// The places of the images that would go.
    pub(crate) fn deletions(&self) -> BTreeSet<usize> {
        let decisions = self.build().decisions();
        decisions.iter().filter(|d| d.verdict.is_delete()).map(|d| Self::place(&d.digest)).collect()
    }

    /// The world as it is when nobody has foreseen the digest of the next image: no tag names it as subject, no rest has it
    /// as its head. An orphaned tie that finds its subject would be a tie again, and a head that comes back has its rests.
    pub(crate) fn unforeseeing(mut self) -> Self {
        let next = self.images.len();
        self.tags.retain(|_, (place, _)| *place < next);
        self.rests.retain(|_, head| *head != next);
        for image in &mut self.images {
            image.ties.remove(&next);
            image.subject = image.subject.filter(|subject| *subject != next);
        }
        self
    }

    /// The world with one more image.
    pub(crate) fn push(&self, spec: Spec) -> Self {
        let mut world = self.clone();
        world.images.push(spec);
        world
    }
}

/// The most images a world has; places beyond are digests that are not there.
const MAX_IMAGES: usize = 9;
const TAGS: [&str; 6] = ["prod", "v1", "v2", "v3", "rel-1", "rel-2"];
const PATTERNS: [&str; 4] = ["*", "v*", "rel-*", "prod"];
/// Two groups, and tags that are in none.
const GROUPS: &str = "^(v|rel-)";

fn time() -> impl Strategy<Value = Time> {
    prop_oneof![
        // Few distinct values, so that ties are common.
        20 => (1_i64..6).prop_map(|tens| Time::HalfDaysAgo(tens * 10)),
        8 => (0_i64..60).prop_map(Time::HalfDaysAgo),
        1 => (0_i64..3).prop_map(Time::HalfDaysAgo),
        1 => prop_oneof![Just(Time::Absent), Just(Time::Epoch), Just(Time::Future)],
    ]
}

fn spec(place: usize) -> impl Strategy<Value = Spec> {
    // Mostly downwards, as content digests must be; ties by tag may point anywhere, and go round in circles.
    let below = place + 1..MAX_IMAGES + 2;
    let children = prop_oneof![3 => Just(BTreeSet::new()), 2 => btree_set(below.clone(), 1..4)];
    let subject = option::weighted(0.15, 0..MAX_IMAGES + 2);
    let ties = prop_oneof![8 => Just(BTreeSet::new()), 1 => btree_set(0..MAX_IMAGES + 2, 1..3)];
    let rest = (proptest::bool::weighted(0.01), btree_set(0_u8..12, 0..4));
    let hidden =
        (option::weighted(0.5, time()), proptest::bool::weighted(0.95), proptest::bool::weighted(0.1));
    (time(), children, subject, ties, rest, hidden).prop_map(
        |(time, children, subject, ties, (is_opaque, layers), (pulled, is_read, bears))| Spec {
            time,
            children,
            subject,
            ties,
            is_opaque,
            layers: Some(layers),
            pulled,
            is_read,
            bears: Some(bears),
        },
    )
}

fn to_bear() -> Option<ResourceTagPatterns> {
    ResourceTagPatterns::new(BTreeMap::from([("keep".to_owned(), "y*".parse().unwrap())]))
}

pub(crate) fn keep_rule() -> impl Strategy<Value = KeepRule> {
    let tags = option::of(proptest::sample::select(&PATTERNS[..]));
    let newest = option::of(1_u32..4);
    let newer_than = option::weighted(0.3, 1_i64..25);
    let pulled_within = option::weighted(0.2, 1_i64..25);
    let others = (option::weighted(0.3, Just(GROUPS)), proptest::bool::weighted(0.1), 0_u8..9);
    (tags, newest, newer_than, pulled_within, others).prop_filter_map(
        "blank",
        |(tags, newest, newer_than, pulled_within, (group_by, asks_to_bear, number))| {
            let rule = KeepRule {
                tags: tags.map(|tag| patterns(&[tag])),
                newest: newest.and_then(NonZeroU32::new),
                group_by: group_by.filter(|_| newest.is_some()).map(|group_by| group_by.parse().unwrap()),
                newer_than: newer_than.map(days),
                pulled_within: pulled_within.map(days),
                resource_tags: asks_to_bear.then(to_bear).flatten(),
                ..KeepRule::named(format!("keep {number}").parse().unwrap())
            };
            (rule != KeepRule::named(rule.name.clone())).then_some(rule)
        },
    )
}

fn delete_rule() -> impl Strategy<Value = DeleteRule> {
    let selects = prop_oneof![
        2 => Just(Selects::Untagged),
        2 => Just(Selects::Tagged),
        1 => proptest::sample::select(&PATTERNS[..]).prop_map(|tag| Selects::Tags(patterns(&[tag]))),
    ];
    let spans = (option::weighted(0.6, 1_i64..25), option::weighted(0.1, 1_i64..25));
    (selects, spans, 0_u8..9).prop_map(|(selects, (older_than, not_pulled_for), number)| {
        let name = format!("delete {number}").parse().unwrap();
        DeleteRule {
            older_than: older_than.map(days),
            not_pulled_for: not_pulled_for.map(days),
            ..DeleteRule::about(name, selects)
        }
    })
}

pub(crate) fn world() -> impl Strategy<Value = World> {
    let images: Vec<_> = (0..MAX_IMAGES).map(spec).collect();
    let images = (images, 1..=MAX_IMAGES).prop_map(|(mut images, n_images)| {
        images.truncate(n_images);
        images
    });
    let tags = vec(option::weighted(0.7, (0..MAX_IMAGES, time())), TAGS.len());
    let rules = (vec(keep_rule(), 0..2), vec(delete_rule(), 1..4), 1_u32..3);
    let uses = (btree_set(proptest::sample::select(&TAGS[..]), 0..2), btree_set(0..MAX_IMAGES, 0..2));
    let uses = prop_oneof![2 => Just((BTreeSet::new(), BTreeSet::new())), 1 => uses];
    let rests = prop_oneof![
        2 => Just(BTreeMap::new()),
        1 => proptest::collection::btree_map(0..MAX_IMAGES, 0..MAX_IMAGES + 2, 0..4),
    ];
    let order = Just((0..16_u8).collect::<Vec<_>>()).prop_shuffle();
    (images, tags, rules, uses, rests, proptest::bool::weighted(0.05), order).prop_map(
        |(images, tags, (keep, delete, floor), (used_tags, used), rests, is_doubtful, order)| World {
            images,
            tags: TAGS.into_iter().zip(tags).filter_map(|(tag, on)| Some((tag, on?))).collect(),
            keep,
            delete,
            floor,
            used_tags,
            used,
            rests,
            is_doubtful,
            order,
        },
    )
}
