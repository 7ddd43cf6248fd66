//! Registries of any size for the benches, the same in every run: two thirds tagged images, the rest untagged builds,
//! multi-architecture families and their signatures, over shared base layers and under the first team's policy.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Bytes, Content, DeleteRule, Digest, Guardrails, Image, InUse, Inventory, KeepRule, Layer, Pattern,
    Patterns, Policies, Policy, Repository, RepositoryName, RepositoryState, Selects, Tag, Target, Use,
};

/// Images of one round: a pattern that repeats until a repository is full.
const ROUND: usize = 12;

/// The instant that everything is planned for.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("the year 2027 is a time")
}

/// A registry with its policies and what runs from it.
pub(crate) struct World {
    pub(crate) inventory: Inventory,
    pub(crate) policies: Policies,
    pub(crate) in_use: InUse,
}

/// So many repositories with so many images in each. With `line`, what goes depends on usage.
pub(crate) fn world(n_repositories: usize, n_images: usize, line: Option<Bytes>) -> World {
    let mut in_use = InUse::nothing();
    let mut repositories = BTreeMap::new();
    for number in 0..n_repositories {
        let name: RepositoryName = format!("mgh-{number}").parse().expect("a plain name");
        let repository = repository(&name, n_images);
        let tag: Tag = "v5".parse().expect("a plain tag");
        in_use.add(name.clone(), Use::running(Target { tag: Some(tag), digest: None }, "web"));
        repositories.insert(name, RepositoryState::Complete(repository));
    }
    let inventory = Inventory { taken_at: now(), repositories, n_unlisted: 0 };
    World { inventory, policies: policies(line), in_use }
}

fn repository(name: &RepositoryName, n_images: usize) -> Repository {
    let mut images: Vec<Image> = (0..n_images).map(|place| image(name, place, n_images)).collect();
    images.sort_unstable_by_key(|image| image.digest);
    Repository {
        id: format!("ocid1.containerrepo.oc1..{name}").parse().expect("a plain OCID"),
        name: name.clone(),
        compartment: "ocid1.compartment.oc1..bench".parse().expect("a plain OCID"),
        namespace: "axbench".parse().expect("a plain namespace"),
        is_public: false,
        images,
        rests: BTreeMap::new(),
        holds: Vec::new(),
    }
}

fn image(name: &RepositoryName, place: usize, n_images: usize) -> Image {
    let (round, seat) = (place / ROUND, place % ROUND);
    let at = |seat: usize| digest(round * ROUND + seat);
    let (tags, content) = match seat {
        // An index with two platforms and a signature of it.
        0 => (
            vec![format!("v{place}"), format!("sha-{place}")],
            Content::Index { children: vec![at(1), at(2)], subject: None },
        ),
        1 | 2 | 4 => (vec![], Content::Manifest { subject: None, config: None }),
        3 => (vec![format!("sha256-{}.sig", at(0).hex())], Content::Manifest { subject: None, config: None }),
        _ => (vec![format!("v{place}")], Content::Manifest { subject: None, config: None }),
    };
    let age = i64::try_from(n_images - round * ROUND).expect("no registry is that large");
    let time = Some(now() - TimeDelta::hours(30) - TimeDelta::minutes(7 * age));
    Image {
        id: format!("ocid1.containerimage.oc1..{name}.{place}").parse().expect("a plain OCID"),
        digest: digest(place),
        tags: tags.iter().map(|tag| (tag.parse().expect("a plain tag"), time)).collect(),
        created_at: time,
        first_seen_at: None,
        last_pulled_at: None,
        resource_tags: None,
        read_at: None,
        content,
        layers: Some(layers(place)),
        manifest_size: Bytes(1_500),
    }
}

/// Three base layers that a hundred images share, and one of its own.
fn layers(place: usize) -> Arc<[Layer]> {
    let base =
        (0..3).map(|n| Layer { digest: digest(usize::MAX - 3 * (place / 100) - n), size: Bytes(30_000_000) });
    base.chain([Layer { digest: digest(usize::MAX / 2 + place), size: Bytes(4_000_000) }]).collect()
}

/// A digest that is as scattered as a real one.
fn digest(number: usize) -> Digest {
    let mut bytes = [0; 32];
    let mut state = number as u64;
    for chunk in bytes.chunks_exact_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    Digest::from_bytes(bytes)
}

fn policies(line: Option<Bytes>) -> Policies {
    let rule = |name: &str| KeepRule::named(name.parse().expect("a plain name"));
    let about = |name: &str, selects| DeleteRule::about(name.parse().expect("a plain name"), selects);
    let policy = Policy {
        project: "mgh".to_owned(),
        repositories: patterns(&["mgh-*"]),
        keep: vec![
            KeepRule { tags: Some(patterns(&["latest", "prod", "staging"])), ..rule("channels") },
            KeepRule { newest: NonZeroU32::new(10), ..rule("ten newest") },
        ],
        delete: vec![
            DeleteRule { older_than: Some(TimeDelta::days(14)), ..about("untagged", Selects::Untagged) },
            DeleteRule { while_usage_above: line, ..about("beyond the newest", Selects::Tagged) },
        ],
        enforce_public: false,
        enforce_signed: false,
    };
    Policies { guardrails: Guardrails::default(), policies: vec![policy] }
}

fn patterns(texts: &[&str]) -> Patterns {
    let patterns: Vec<Pattern> = texts.iter().map(|text| text.parse().expect("a plain pattern")).collect();
    Patterns::new(patterns).expect("at least one pattern is given")
}
