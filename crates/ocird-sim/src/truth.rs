//! The ground truth: which images are needed, and the violations of it.
//!
//! Needed is what a host runs or has stopped, by the digest it pulled and by the tag it will pull again; the last
//! deployments that a rollback may want; the children of what is needed; and whatever speaks about it. The moment the
//! daemon deletes something needed, a child of a living index or a referrer of a living subject, a violation is noted.
//! This file shares no code with the daemon and knows nothing of policies.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ocird_model::{Digest, RepositoryId, RepositoryName, Tag};

use crate::image::Image;
use crate::registry::Reference;
use crate::repository::Repository;
use crate::settings::parsed;
use crate::state::{Deletion, Hand, State};
use crate::tenancy::Tenancy;
use crate::violation::{Need, Violation};
use crate::workload::{Deployment, Workload};

/// Looks over the whole world for what is needed and not there.
#[derive(Debug, Clone, Copy)]
pub struct Oracle;

impl Oracle {
    /// Every violation of the present: needed images that are gone, and living indexes with missing children. Those
    /// noted as they happened are [`Tenancy::violations`].
    pub fn check(tenancy: &Tenancy) -> Vec<Violation> {
        let (state, _) = tenancy.lock();
        let mut violations = Vec::new();
        for (workload, name) in workloads(&state) {
            let gone = |(deployment, need): (&Deployment, Need)| missing_of(&state, deployment, &need);
            violations.extend(deployments(workload, &name, state.settings.rollback_keep).flat_map(gone));
        }
        let truth = Truth::of(&state);
        for image in state.images.values() {
            let repository = &state.repositories[&image.repository];
            if truth.is_alive(repository, &image.manifest.digest) {
                violations.extend(missing_children(&state, repository, image));
            }
        }
        violations
    }
}

impl Tenancy {
    /// Every violation noted as it happened: wrong deletions, and images that a host did not find.
    pub fn violations(&self) -> Vec<Violation> {
        self.lock().0.violations.clone()
    }

    /// Every digest that is needed now, with the reason: for tests and for the demo's figures.
    pub fn needed(&self) -> BTreeMap<(RepositoryName, Digest), Need> {
        let (state, _) = self.lock();
        let name = |id: &RepositoryId| state.repositories[id].name.clone();
        let needs = Truth::of(&state).needs;
        needs.into_iter().map(|((repository, digest), need)| ((name(&repository), digest), need)).collect()
    }
}

/// The violation that deleting this image now is, if it is one.
pub(crate) fn wrong_deletion(state: &State, image: &Image, now: DateTime<Utc>) -> Option<Violation> {
    let truth = Truth::of(state);
    let repository = &state.repositories[&image.repository];
    let digest = image.manifest.digest;
    let needed = truth.needs.get(&(repository.id.clone(), digest)).cloned();
    let need = needed.or_else(|| truth.held_by(repository, image))?;
    Some(Violation::WrongDeletion {
        at: now,
        repository: repository.name.clone(),
        image: image.id.clone(),
        digest,
        need,
    })
}

/// What is needed at one moment.
struct Truth<'a> {
    state: &'a State,
    needs: BTreeMap<(RepositoryId, Digest), Need>,
}

impl<'a> Truth<'a> {
    fn of(state: &'a State) -> Self {
        let mut truth = Self { state, needs: BTreeMap::new() };
        for (workload, name) in workloads(state) {
            for (deployment, need) in deployments(workload, &name, state.settings.rollback_keep) {
                if let Ok(repository) = state.repository(&deployment.repository) {
                    truth.add_deployment(repository, deployment, &need);
                }
            }
        }
        truth
    }

    fn add_deployment(&mut self, repository: &Repository, deployment: &Deployment, need: &Need) {
        let pulled = deployment.pulled.digest;
        self.add(repository, pulled, need.clone());
        // A rollback goes by digest; what its tag means by now is not needed for it.
        if matches!(need, Need::Workload { .. }) {
            if let Ok(image) = self.state.resolve(repository, &deployment.reference) {
                self.add(repository, image.manifest.digest, need.clone());
            }
            for parent in repository.parents.get(&pulled).into_iter().flatten() {
                self.add(repository, *parent, Need::ParentOf { child: pulled });
            }
        }
    }

    /// Adds an available image with its children and with whatever speaks about any of them.
    fn add(&mut self, repository: &Repository, digest: Digest, need: Need) {
        let mut open = vec![(digest, need)];
        while let Some((digest, need)) = open.pop() {
            let key = (repository.id.clone(), digest);
            let Some(image) = self.state.available(repository, &digest) else {
                continue;
            };
            if self.needs.contains_key(&key) {
                continue;
            }
            self.needs.insert(key, need);
            for (child, _) in &image.facts.children {
                open.push((*child, Need::ChildOf { parent: digest }));
            }
            for referrer in referrers(self.state, repository, &digest) {
                open.push((referrer, Need::ReferrerOf { subject: digest }));
            }
        }
    }

    /// The living index or subject that holds an image which nothing else needs.
    fn held_by(&self, repository: &Repository, image: &Image) -> Option<Need> {
        let digest = image.manifest.digest;
        let parents = repository.parents.get(&digest).into_iter().flatten();
        let parent = parents.copied().find(|parent| self.is_alive(repository, parent));
        if let Some(parent) = parent {
            return Some(Need::ChildOf { parent });
        }
        subjects(repository, image)
            .into_iter()
            .find(|subject| self.is_alive(repository, subject))
            .map(|subject| Need::ReferrerOf { subject })
    }

    fn is_alive(&self, repository: &Repository, digest: &Digest) -> bool {
        self.lives(repository, digest, &mut BTreeSet::new())
    }

    /// Whether an image is more than the rest of a family whose head is gone. The rest of a family may go in any
    /// order: it lives only while something needs it, it has a tag that means something by itself, or a parent or
    /// subject of it lives. What never had a parent or subject stands for itself.
    fn lives(&self, repository: &Repository, digest: &Digest, asked: &mut BTreeSet<Digest>) -> bool {
        let Some(image) = self.state.available(repository, digest) else {
            return false;
        };
        // Whatever was asked before is answered where it was asked; a circle of tags gives no life to itself.
        if !asked.insert(*digest) {
            return false;
        }
        let parents = repository.parents.get(digest);
        let subjects = subjects(repository, image);
        let stands_alone = parents.is_none() && subjects.is_empty();
        let has_own_tag = image.tags.keys().any(|tag| {
            subject_of_tag(tag.as_str()).is_none_or(|subject| !repository.seen.contains(&subject))
        });
        stands_alone
            || has_own_tag
            || self.needs.contains_key(&(repository.id.clone(), *digest))
            || parents
                .into_iter()
                .flatten()
                .copied()
                .chain(subjects)
                .any(|holder| self.lives(repository, &holder, asked))
    }
}

/// Every workload with its name for people.
fn workloads(state: &State) -> impl Iterator<Item = (&Workload, String)> {
    state.hosts.iter().flat_map(|(host, machine)| {
        machine.workloads.iter().map(move |(name, workload)| (workload, format!("{name} on {host}")))
    })
}

/// What a workload needs: what it runs, and what it may be rolled back to.
fn deployments<'a>(
    workload: &'a Workload,
    name: &str,
    n_kept: usize,
) -> impl Iterator<Item = (&'a Deployment, Need)> {
    let running = Need::Workload { workload: name.to_owned() };
    let rollback = Need::Rollback { workload: name.to_owned() };
    let earlier = workload.rollback_targets(n_kept).map(move |deployment| (deployment, rollback.clone()));
    std::iter::once((&workload.current, running)).chain(earlier)
}

/// What a deployment needs and the registry does not have.
fn missing_of(state: &State, deployment: &Deployment, need: &Need) -> Vec<Violation> {
    let digests =
        [Reference::Digest(deployment.pulled.digest), Reference::Digest(deployment.pulled.platform_digest)];
    let tag = match need {
        Need::Workload { .. } => Some(deployment.reference.clone()),
        Need::Rollback { .. } | Need::ChildOf { .. } | Need::ParentOf { .. } | Need::ReferrerOf { .. } => {
            None
        }
    };
    let is_missing = |reference: &Reference| {
        state
            .repository(&deployment.repository)
            .and_then(|repository| state.resolve(repository, reference))
            .is_err()
    };
    let wanted: BTreeSet<Reference> = digests.into_iter().chain(tag).collect();
    wanted
        .into_iter()
        .filter(is_missing)
        .map(|reference| Violation::Gone {
            repository: deployment.repository.clone(),
            reference,
            need: need.clone(),
        })
        .collect()
}

fn missing_children(state: &State, repository: &Repository, index: &Image) -> Vec<Violation> {
    // What other hands took last is no fault of whoever brought the index back without it.
    let taken_last = |child: &Digest| {
        let of_child = |gone: &&Deletion| gone.repository == repository.name && gone.digest == *child;
        state.deletions.iter().rev().find(of_child).map(|gone| gone.hand)
    };
    let is_missing = |child: &&Digest| {
        state.available(repository, child).is_none() && taken_last(child) != Some(Hand::Other)
    };
    let children = index.facts.children.iter().map(|(child, _)| child);
    children
        .filter(is_missing)
        .map(|child| Violation::Gone {
            repository: repository.name.clone(),
            reference: Reference::Digest(*child),
            need: Need::ChildOf { parent: index.manifest.digest },
        })
        .collect()
}

/// What speaks about a digest: by its `subject`, or by a tag made of the digest.
fn referrers(state: &State, repository: &Repository, digest: &Digest) -> Vec<Digest> {
    let by_field = repository.referrers.get(digest).into_iter().flatten().copied();
    let start: Tag = parsed(&format!("sha256-{}", digest.hex()));
    let by_tag = repository
        .tags
        .range(start.clone()..)
        .take_while(|(tag, _)| tag.as_str().starts_with(start.as_str()))
        .map(|(_, id)| state.images[id].manifest.digest);
    by_field.chain(by_tag).collect()
}

/// What an image speaks about, as far as it ever was in the repository.
fn subjects(repository: &Repository, image: &Image) -> Vec<Digest> {
    let by_tag = image.tags.keys().filter_map(|tag| subject_of_tag(tag.as_str()));
    let known = |subject: &Digest| repository.seen.contains(subject);
    image.facts.subject.into_iter().chain(by_tag).filter(known).collect()
}

/// The digest in a tag of the form `sha256-<hex>`, with or without a suffix such as `.sig`.
fn subject_of_tag(tag: &str) -> Option<Digest> {
    let rest = tag.strip_prefix("sha256-")?;
    let hex = rest.split_once('.').map_or(rest, |(hex, _)| hex);
    format!("sha256:{hex}").parse().ok()
}
