//! From a case to what the planner sees, and from its plan back to names. The check must agree to every plan that is made.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Bytes, Content, Digest, Guardrails, Image, InUse, Inventory, Policies, Repository, RepositoryName,
    RepositoryState, ResourceTags, Tag, Verdict,
};
use ocird_plan::{check, plan};

use crate::notation::{Case, Pulled, Row};

/// The instant every case is planned for.
fn now() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

/// The digest of the image of this name.
pub(crate) fn digest(name: &str) -> Digest {
    let mut bytes = [0; 32];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    Digest::from_bytes(bytes)
}

/// The verdict on each image, by name, under the least guardrails that the configuration lets through.
pub(crate) fn verdicts(case: &Case) -> BTreeMap<&'static str, Verdict> {
    let guardrails =
        Guardrails { min_newest: NonZeroU32::MIN, min_age: TimeDelta::hours(1), grace: TimeDelta::hours(1) };
    let policies = Policies { guardrails, policies: case.policies.clone() };
    let (inventory, in_use) = (inventory(&case.images), InUse::nothing());
    let plan = plan(&inventory, &policies, &in_use, now());
    let checked = check(plan, &inventory, &policies, &in_use, now());
    let checked = checked.unwrap_or_else(|violations| panic!("{}: the check refuses\n{violations}", case.id));
    let verdict = |row: &Row| {
        let decisions = checked.plan().decisions(&row.repository.parse().unwrap());
        let decision = decisions.iter().find(|decision| decision.digest == digest(row.name)).unwrap();
        (row.name, decision.verdict.clone())
    };
    case.images.iter().map(verdict).collect()
}

fn inventory(rows: &[Row]) -> Inventory {
    let mut repositories: BTreeMap<RepositoryName, Repository> = BTreeMap::new();
    for row in rows {
        let repository =
            repositories.entry(row.repository.parse().unwrap()).or_insert_with_key(empty_repository);
        repository.images.push(image(row));
        repository.images.sort_by_key(|image| image.digest);
    }
    let complete = |(name, repository)| (name, RepositoryState::Complete(repository));
    let repositories = repositories.into_iter().map(complete).collect();
    Inventory { taken_at: now(), repositories, n_unlisted: 0 }
}

fn empty_repository(name: &RepositoryName) -> Repository {
    Repository {
        id: format!("ocid1.containerrepo.oc1..{name}").parse().unwrap(),
        name: name.clone(),
        compartment: "ocid1.compartment.oc1..team".parse().unwrap(),
        namespace: "ns".parse().unwrap(),
        is_public: false,
        images: Vec::new(),
        rests: BTreeMap::new(),
        holds: Vec::new(),
    }
}

fn image(row: &Row) -> Image {
    let pushed_at = row.pushed.map(|ago| now() - ago);
    let last_pulled_at = match row.pulled {
        Pulled::Never | Pulled::Unknown => None,
        Pulled::Ago(ago) => Some(now() - ago),
    };
    let is_read = !matches!(row.pulled, Pulled::Unknown);
    let mark = row.is_marked.then(|| ("keep".to_owned(), "yes".to_owned()));
    Image {
        id: format!("ocid1.containerimage.oc1..{}", row.name).parse().unwrap(),
        digest: digest(row.name),
        tags: row.tags.split_whitespace().map(|text| (tag(text), pushed_at)).collect(),
        created_at: pushed_at,
        first_seen_at: None,
        last_pulled_at,
        resource_tags: Some(ResourceTags::new(mark)),
        read_at: is_read.then(now),
        content: content(row),
        layers: Some(Arc::from([])),
        manifest_size: Bytes(1),
    }
}

fn tag(text: &str) -> Tag {
    match text.strip_prefix("sha256-") {
        Some(subject) => format!("sha256-{}", digest(subject).hex()).parse().unwrap(),
        None => text.parse().unwrap(),
    }
}

fn content(row: &Row) -> Content {
    let subject = row.subject.map(digest);
    match row.children {
        None => Content::Manifest { subject, config: None },
        Some(children) => {
            Content::Index { children: names(children).into_iter().map(digest).collect(), subject }
        }
    }
}

/// The names in a text.
pub(crate) fn names(text: &'static str) -> BTreeSet<&'static str> {
    text.split_whitespace().collect()
}
