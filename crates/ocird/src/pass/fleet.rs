//! A small registry for the unit tests of the acting step: one repository of tagged images, decided, marked and due by the
//! planner itself, as nothing else makes a [`Due`].

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Bytes, Content, DeleteRule, Digest, Guardrails, Image, InUse, Inventory, Layer, Mark, MarkKey, Patterns,
    Policies, Policy, Repository, RepositoryState, ResourceTags, Selects,
};
use ocird_plan::{CheckedPlan, Due, MIN_PASSES};

/// What was seen and decided.
pub(crate) struct Fleet {
    pub(crate) inventory: Inventory,
    pub(crate) policies: Policies,
    pub(crate) checked: CheckedPlan,
    pub(crate) marks: BTreeMap<MarkKey, Mark>,
    pub(crate) due: Vec<Due>,
}

pub(crate) fn now() -> DateTime<Utc> {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

pub(crate) fn digest(n: u8) -> Digest {
    Digest::from_bytes([n; 32])
}

/// `n_due` tagged images that are due, the oldest first, and three newer ones that stay; each has a layer of its own of
/// 1,000 bytes, one of 500 that all share, and a manifest of 10.
pub(crate) fn fleet(n_due: u8) -> Fleet {
    let n = n_due + 3;
    let images = (1..=n).map(|n| image(n, now() - TimeDelta::days(100 - i64::from(n)))).collect();
    of(images)
}

pub(crate) fn of(images: Vec<Image>) -> Fleet {
    let repository = Repository {
        id: "ocid1.containerrepo.oc1.eu-milan-1.ns.api".parse().unwrap(),
        name: "api".parse().unwrap(),
        compartment: "ocid1.compartment.oc1..ours".parse().unwrap(),
        namespace: "ns".parse().unwrap(),
        is_public: false,
        images,
        rests: BTreeMap::new(),
        holds: Vec::new(),
    };
    let name = repository.name.clone();
    let repositories = BTreeMap::from([(name, RepositoryState::Complete(repository))]);
    let inventory = Inventory { taken_at: now(), repositories, n_unlisted: 0 };
    let rule = DeleteRule {
        older_than: Some(TimeDelta::days(30)),
        ..DeleteRule::about("old".parse().unwrap(), Selects::Tagged)
    };
    let policy = Policy {
        project: "mgh".to_owned(),
        repositories: Patterns::all(),
        keep: Vec::new(),
        delete: vec![rule],
        enforce_public: false,
        enforce_signed: false,
    };
    let guardrails = Guardrails { min_newest: NonZeroU32::new(3).unwrap(), ..Guardrails::default() };
    let policies = Policies { guardrails, policies: vec![policy] };
    let in_use = InUse::nothing();
    let plan = ocird_plan::plan(&inventory, &policies, &in_use, now());
    let checked = ocird_plan::check(plan, &inventory, &policies, &in_use, now()).unwrap();
    let mut marks = BTreeMap::new();
    for n in (0..MIN_PASSES).rev() {
        let at = now() - policies.guardrails.grace * i32::try_from(n).unwrap();
        marks = ocird_plan::advance(&marks, &checked, &policies, at);
    }
    let due = ocird_plan::due(&checked, &inventory, &marks, &policies, now(), &BTreeSet::new());
    Fleet { inventory, policies, checked, marks, due }
}

pub(crate) fn image(n: u8, at: DateTime<Utc>) -> Image {
    let layers = [(n, 1_000), (200, 500)].map(|(n, size)| Layer { digest: digest(n), size: Bytes(size) });
    Image {
        id: format!("ocid1.containerimage.oc1.eu-milan-1.ns.{n}").parse().unwrap(),
        digest: digest(n),
        tags: BTreeMap::from([(format!("v{n}").parse().unwrap(), Some(at))]),
        created_at: Some(at),
        first_seen_at: Some(at),
        last_pulled_at: None,
        resource_tags: Some(ResourceTags::default()),
        read_at: Some(now()),
        content: Content::Manifest { subject: None, config: None },
        layers: Some(Arc::from(layers)),
        manifest_size: Bytes(10),
    }
}

impl Fleet {
    /// The only repository.
    pub(crate) fn repository(&mut self) -> &mut Repository {
        match self.inventory.repositories.values_mut().next() {
            Some(RepositoryState::Complete(repository)) => repository,
            other => panic!("not whole: {other:?}"),
        }
    }
}
