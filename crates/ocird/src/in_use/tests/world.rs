//! A registry with one repository of three builds, `v1` to `v3`, whose digests are 1, 2 and 3, and those of their configurations
//! 101, 102 and 103; and what people say of it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Bytes, Content, Digest, Image, InUse, Inventory, Patterns, Repository, RepositoryName, RepositoryState,
    Target, Use,
};

pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub(crate) fn hours(hours: i64) -> DateTime<Utc> {
    now() + TimeDelta::hours(hours)
}

pub(crate) fn app() -> RepositoryName {
    "app".parse().unwrap()
}

pub(crate) fn digest(n: u8) -> Digest {
    Digest::from_bytes([n; 32])
}

fn image(n: u8) -> Image {
    Image {
        id: format!("ocid1.containerimage.oc1.{n}").parse().unwrap(),
        digest: digest(n),
        tags: BTreeMap::from([(format!("v{n}").parse().unwrap(), Some(hours(-1000 - i64::from(n))))]),
        created_at: Some(hours(-1000 - i64::from(n))),
        first_seen_at: None,
        last_pulled_at: None,
        resource_tags: None,
        read_at: None,
        content: Content::Manifest { subject: None, config: Some(digest(100 + n)) },
        layers: None,
        manifest_size: Bytes::ZERO,
    }
}

/// `app` with `v1`, `v2` and as many more builds as are asked for.
pub(crate) fn inventory_of(n_images: u8) -> Inventory {
    let repository = Repository {
        id: "ocid1.containerrepo.oc1.x".parse().unwrap(),
        name: app(),
        compartment: "ocid1.compartment.oc1..x".parse().unwrap(),
        namespace: "ns".parse().unwrap(),
        is_public: false,
        images: (1..=n_images).map(image).collect(),
        rests: BTreeMap::new(),
        holds: Vec::new(),
    };
    let repositories = BTreeMap::from([(app(), RepositoryState::Complete(repository))]);
    Inventory { taken_at: now(), repositories, n_unlisted: 0 }
}

/// These run from these images of `app`.
pub(crate) fn running(uses: &[(&str, u8)]) -> InUse {
    let mut in_use = InUse::nothing();
    for (by, n) in uses {
        in_use.add(app(), Use::running(Target { tag: None, digest: Some(digest(*n)) }, *by));
    }
    in_use
}

/// The same, when it is not known what else does.
pub(crate) fn doubted(mut in_use: InUse) -> InUse {
    in_use.doubt(Patterns::all(), "a host is silent");
    in_use
}
