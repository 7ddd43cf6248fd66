//! The hosts and what they run. A host pulls when it deploys, and again whenever a workload restarts; what it cannot
//! find is a violation of the ground truth, noted on the spot.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ocird_model::{Digest, ImageId, RepositoryName};

use crate::error::ApiError;
use crate::manifest::Platform;
use crate::registry::{Pulled, Reference};
use crate::state::State;
use crate::tenancy::Tenancy;
use crate::violation::{Attempt, Violation};

/// A server that runs images.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    platform: Platform,
    policy: PullPolicy,
    /// What it has pulled: a restart may not need the registry, which hides a wrong deletion.
    cache: BTreeSet<(RepositoryName, Digest)>,
    pub(crate) workloads: BTreeMap<String, Workload>,
}

/// Whether a host asks the registry for what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullPolicy {
    /// At every start.
    Always,
    /// Only for what is not in its cache.
    IfNotPresent,
}

/// Something that runs, or has run and may be started again.
#[derive(Debug, Clone)]
pub(crate) struct Workload {
    pub(crate) current: Deployment,
    /// What it ran before, oldest first, without repetition.
    pub(crate) earlier: Vec<Deployment>,
    pub(crate) activity: Activity,
}

/// Whether a workload runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// It runs.
    Running,
    /// It is stopped and can be started again from the image it had.
    Stopped,
}

/// One version of a workload on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The repository it came from.
    pub repository: RepositoryName,
    /// How the host names it, and names it again at a restart.
    pub reference: Reference,
    /// What the reference meant when it was pulled.
    pub pulled: Pulled,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// A workload as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadView {
    /// The host it is on.
    pub host: String,
    /// Its name.
    pub name: String,
    /// What it runs.
    pub current: Deployment,
    /// What it ran before, oldest first.
    pub earlier: Vec<Deployment>,
    /// Whether it runs.
    pub activity: Activity,
}

impl Tenancy {
    /// Adds a host, or replaces one of this name together with its cache and workloads.
    pub fn add_host(&self, name: &str, platform: Platform, policy: PullPolicy) {
        let host = Host { platform, policy, cache: BTreeSet::new(), workloads: BTreeMap::new() };
        self.lock().0.hosts.insert(name.to_owned(), host);
    }

    /// Deploys a workload: pulls what the reference names and runs it from now on.
    pub fn deploy(
        &self,
        host: &str,
        workload: &str,
        repository: &RepositoryName,
        reference: Reference,
    ) -> Result<Digest, ApiError> {
        self.start(Attempt::Deploy, host, workload, repository, reference)
    }

    /// Runs on a host what it has in its cache, wherever the image is by now; false when nobody knows what it was made of.
    pub(crate) fn start_from_cache(&self, host: &str, workload: &str, image: &ImageId) -> bool {
        let (mut state, now) = self.lock();
        let State { hosts, images, repositories, .. } = &mut *state;
        let (Some(machine), Some(image)) = (hosts.get_mut(host), images.get(image)) else { return false };
        let digest = image.manifest.digest;
        let children = &image.facts.children;
        let own = children.iter().find(|(_, built_for)| *built_for == Some(machine.platform));
        let platform_digest = match own {
            Some((child, _)) => *child,
            None if children.is_empty() => digest,
            None => return false,
        };
        let repository = repositories[&image.repository].name.clone();
        let pulled = Pulled { digest, platform_digest };
        machine.run(
            workload,
            Deployment { repository, reference: Reference::Digest(digest), pulled, since: now },
        );
        true
    }

    /// Restarts a workload from the reference it was started by: a tag that has moved brings what it points at now.
    /// A workload that is not there is not found.
    pub fn restart(&self, host: &str, workload: &str) -> Result<Digest, ApiError> {
        let current = self.workload(host, workload)?.current;
        self.start(Attempt::Restart, host, workload, &current.repository, current.reference)
    }

    /// Goes back to what the workload ran before, by digest; `None` when there is nothing to go back to. Afterwards
    /// there is nothing to go back to until the next deployment.
    pub fn rollback(&self, host: &str, workload: &str) -> Result<Option<Digest>, ApiError> {
        let Some(before) = self.workload(host, workload)?.earlier.pop() else {
            return Ok(None);
        };
        let reference = Reference::Digest(before.pulled.digest);
        let digest = self.start(Attempt::Rollback, host, workload, &before.repository, reference)?;
        self.change(host, workload, |workload| workload.earlier.clear())?;
        Ok(Some(digest))
    }

    /// Stops a workload. It still needs its image.
    pub fn stop(&self, host: &str, workload: &str) -> Result<(), ApiError> {
        self.change(host, workload, |workload| workload.activity = Activity::Stopped)
    }

    /// Takes a workload away: it needs nothing any more.
    pub fn undeploy(&self, host: &str, workload: &str) -> Result<(), ApiError> {
        let (mut state, _) = self.lock();
        let host = state.hosts.get_mut(host).ok_or(ApiError::NotAuthorizedOrNotFound)?;
        let gone = host.workloads.remove(workload);
        gone.map(|_| ()).ok_or(ApiError::NotAuthorizedOrNotFound)
    }

    /// Replaces the machine under a host: the cache is gone, and whatever runs is started anew. Answers the names of
    /// the workloads that did not come back; each is a violation too.
    pub fn replace_machine(&self, host: &str) -> Vec<String> {
        let running: Vec<String> = {
            let (mut state, _) = self.lock();
            let Some(host) = state.hosts.get_mut(host) else {
                return Vec::new();
            };
            host.cache.clear();
            let runs = |(_, workload): &(&String, &Workload)| workload.activity == Activity::Running;
            host.workloads.iter().filter(runs).map(|(name, _)| name.clone()).collect()
        };
        let fails = |name: &String| self.restart(host, name).is_err();
        running.into_iter().filter(fails).collect()
    }

    /// Every workload of every host.
    pub fn workloads(&self) -> Vec<WorkloadView> {
        let (state, _) = self.lock();
        let of_host = |(host, machine): (&String, &Host)| {
            let host = host.clone();
            let view = move |(name, workload): (&String, &Workload)| workload.view(&host, name);
            machine.workloads.iter().map(view).collect::<Vec<_>>()
        };
        state.hosts.iter().flat_map(of_host).collect()
    }

    /// One workload.
    pub fn workload(&self, host: &str, name: &str) -> Result<WorkloadView, ApiError> {
        let (state, _) = self.lock();
        let workloads = state.hosts.get(host).map(|machine| &machine.workloads);
        workloads
            .and_then(|workloads| workloads.get(name))
            .map(|workload| workload.view(host, name))
            .ok_or(ApiError::NotAuthorizedOrNotFound)
    }

    fn change(&self, host: &str, name: &str, change: impl FnOnce(&mut Workload)) -> Result<(), ApiError> {
        let (mut state, _) = self.lock();
        let host = state.hosts.get_mut(host);
        let workload = host.and_then(|machine| machine.workloads.get_mut(name));
        change(workload.ok_or(ApiError::NotAuthorizedOrNotFound)?);
        Ok(())
    }

    fn start(
        &self,
        attempt: Attempt,
        host: &str,
        name: &str,
        repository: &RepositoryName,
        reference: Reference,
    ) -> Result<Digest, ApiError> {
        match self.fetch(host, name, repository, &reference) {
            Ok(pulled) => {
                let (mut state, now) = self.lock();
                let machine = state.hosts.get_mut(host).ok_or(ApiError::NotAuthorizedOrNotFound)?;
                machine
                    .run(name, Deployment { repository: repository.clone(), reference, pulled, since: now });
                Ok(pulled.digest)
            }
            Err(error) => {
                let (mut state, at) = self.lock();
                state.violations.push(Violation::Missing {
                    at,
                    attempt,
                    workload: format!("{name} on {host}"),
                    repository: repository.clone(),
                    reference,
                    error: error.clone(),
                });
                Err(error)
            }
        }
    }

    /// Gets an image onto a host: from its cache where the host may, else from the registry.
    fn fetch(
        &self,
        host: &str,
        name: &str,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Pulled, ApiError> {
        let (platform, cached) = {
            let (state, _) = self.lock();
            let machine = state.hosts.get(host).ok_or(ApiError::NotAuthorizedOrNotFound)?;
            (machine.platform, machine.cached(name, repository, reference))
        };
        match cached {
            Some(pulled) => Ok(pulled),
            None => self.pull(repository, reference, platform),
        }
    }
}

impl Host {
    /// What a host that keeps its images already has under this reference.
    fn cached(&self, name: &str, repository: &RepositoryName, reference: &Reference) -> Option<Pulled> {
        let workload = self.workloads.get(name)?;
        let known = workload.earlier.iter().chain([&workload.current]).find(|known| {
            let is_named = match reference {
                Reference::Tag(_) => known.reference == *reference,
                Reference::Digest(digest) => known.pulled.digest == *digest,
            };
            is_named && known.repository == *repository
        })?;
        let key = (repository.clone(), known.pulled.platform_digest);
        (self.policy == PullPolicy::IfNotPresent && self.cache.contains(&key)).then_some(known.pulled)
    }

    fn run(&mut self, name: &str, deployment: Deployment) {
        self.cache.insert((deployment.repository.clone(), deployment.pulled.platform_digest));
        match self.workloads.get_mut(name) {
            None => {
                let workload =
                    Workload { current: deployment, earlier: Vec::new(), activity: Activity::Running };
                self.workloads.insert(name.to_owned(), workload);
            }
            Some(workload) => workload.replace(deployment),
        }
    }
}

impl Workload {
    fn replace(&mut self, deployment: Deployment) {
        self.activity = Activity::Running;
        let before = std::mem::replace(&mut self.current, deployment);
        if before.pulled.digest == self.current.pulled.digest {
            return;
        }
        let (returned, replaced) = (self.current.pulled.digest, before.pulled.digest);
        self.earlier.retain(|known| known.pulled.digest != returned && known.pulled.digest != replaced);
        self.earlier.push(before);
    }

    /// The deployments that a rollback may still want, latest first.
    pub(crate) fn rollback_targets(&self, n_kept: usize) -> impl Iterator<Item = &Deployment> {
        self.earlier.iter().rev().take(n_kept)
    }

    fn view(&self, host: &str, name: &str) -> WorkloadView {
        WorkloadView {
            host: host.to_owned(),
            name: name.to_owned(),
            current: self.current.clone(),
            earlier: self.earlier.clone(),
            activity: self.activity,
        }
    }
}
