//! A Kubernetes API: the images of every pod, and of the last revisions of every workload, which a rollback goes back to.
//! Read-only; it needs the right to `list` what it asks for, in all namespaces.
//!
//! A small client of our own: nine lists are read, and the usual client would bring more code than the rest of ocird.

mod objects;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use ocird_model::{ErrorChain, UseKind};
use reqwest::StatusCode;
use serde::de::DeserializeOwned;

use self::objects::{ControllerRevision, CronJob, Metadata, Page, Pod, PodSpec, Workload};
use crate::client::{self, AskError};
use crate::cluster::{self, AccessError, Cluster};
use crate::config::{KubernetesAccess, KubernetesSource, Scope};
use crate::in_use::prometheus::digest_in;
use crate::in_use::source::{Answer, Mention, Report, Source};

/// Objects a page: what `kubectl` asks for.
const PAGE: u32 = 500;
/// The most pages of one list, so that a server that never comes to an end is no endless loop.
const MAX_PAGES: usize = 2000;
/// How often a list is begun anew when the server no longer knows where it was.
const TRIES: u32 = 3;

/// The annotation by which a Deployment numbers its `ReplicaSet`s.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// Why it is not known what a cluster runs.
#[derive(Debug, thiserror::Error)]
enum KubernetesError {
    /// It cannot be reached.
    #[error("cannot reach the cluster")]
    Access(#[source] AccessError),
    /// A list cannot be read.
    #[error("cannot list {list}")]
    List {
        /// Which.
        list: &'static str,
        /// Why.
        source: AskError,
    },
    /// A list does not come to its end.
    #[error("the list of {list} does not come to its end")]
    Endless {
        /// Which.
        list: &'static str,
    },
    /// A revision is of a form that nobody can read images from.
    #[error("revision {name} holds no template that can be read")]
    Revision {
        /// Its name.
        name: String,
        /// What the reader said.
        source: serde_json::Error,
    },
}

/// One `[[in_use.kubernetes]]`.
#[derive(Debug)]
pub(super) struct Kubernetes(KubernetesSource);

impl Kubernetes {
    pub(super) const fn new(source: KubernetesSource) -> Self {
        Self(source)
    }

    async fn mentions(&self) -> Result<Vec<Mention>, KubernetesError> {
        let cluster = cluster::reach(&self.0.access).await.map_err(KubernetesError::Access)?;
        let deployments: Vec<Workload> = list(&cluster, "apis/apps/v1/deployments").await?;
        let replica_sets: Vec<Workload> = list(&cluster, "apis/apps/v1/replicasets").await?;
        let stateful_sets: Vec<Workload> = list(&cluster, "apis/apps/v1/statefulsets").await?;
        let daemon_sets: Vec<Workload> = list(&cluster, "apis/apps/v1/daemonsets").await?;
        let revisions: Vec<ControllerRevision> = list(&cluster, "apis/apps/v1/controllerrevisions").await?;
        let cron_jobs: Vec<CronJob> = list(&cluster, "apis/batch/v1/cronjobs").await?;
        let jobs: Vec<Workload> = list(&cluster, "apis/batch/v1/jobs").await?;
        let controllers: Vec<Workload> = list(&cluster, "api/v1/replicationcontrollers").await?;
        // Pods last: what the workloads have made meanwhile is then seen.
        let pods: Vec<Pod> = list(&cluster, "api/v1/pods").await?;
        let made = replica_sets.iter().chain(&jobs).chain(&controllers);
        let owners = made.map(|made| (made.metadata.uid.as_str(), &made.metadata));
        let mut found = Found { owners: owners.collect(), mentions: BTreeSet::new() };
        for pod in &pods {
            found.pod(pod);
        }
        for (kind, workloads) in
            [("deployment", &deployments), ("statefulset", &stateful_sets), ("daemonset", &daemon_sets)]
        {
            for Workload { metadata, spec } in workloads {
                found.spec(&spec.template.spec, &named(kind, metadata), UseKind::Running);
            }
        }
        for Workload { metadata, spec } in &jobs {
            // Those of a CronJob have another name each time; the CronJob has not.
            let by = if metadata.controller().is_some() {
                found.workload(metadata)
            } else {
                named("job", metadata)
            };
            found.spec(&spec.template.spec, &by, UseKind::Running);
        }
        for CronJob { metadata, spec } in &cron_jobs {
            let spec = &spec.job_template.spec.template.spec;
            found.spec(spec, &named("cronjob", metadata), UseKind::Running);
        }
        found.replication_controllers(&controllers);
        found.replica_sets(&replica_sets, self.0.revisions);
        found.revisions(&revisions, self.0.revisions)?;
        Ok(found.mentions.into_iter().collect())
    }

    /// Says in which cluster something runs, where the context tells several apart: their workloads may bear the same names.
    fn placed(&self, mut mentions: Vec<Mention>) -> Vec<Mention> {
        if let KubernetesAccess::Kubeconfig { path: _, context: Some(context) } = &self.0.access {
            for mention in &mut mentions {
                mention.by = format!("{} in {context}", mention.by);
            }
        }
        mentions
    }
}

impl Source for Kubernetes {
    fn scope(&self) -> &Scope {
        &self.0.scope
    }

    fn name(&self) -> String {
        match &self.0.access {
            KubernetesAccess::InCluster => "kubernetes in-cluster".to_owned(),
            KubernetesAccess::Kubeconfig { path, context: None } => format!("kubernetes {}", path.display()),
            KubernetesAccess::Kubeconfig { path, context: Some(context) } => {
                format!("kubernetes {} {context}", path.display())
            }
        }
    }

    fn ask(&self, now: DateTime<Utc>) -> BoxFuture<'_, Vec<Report>> {
        let ask = async move {
            let answer = self.mentions().await;
            let answer = answer
                .map(|mentions| self.placed(mentions))
                .map(|mentions| Answer { looked_at: now, is_complete: true, mentions })
                .map_err(|error| ErrorChain(&error).to_string());
            vec![Report { name: self.name(), host: None, answer }]
        };
        ask.boxed()
    }
}

/// What has been found so far.
struct Found<'a> {
    /// What stands between a pod and the workload that people know, by its identity.
    owners: BTreeMap<&'a str, &'a Metadata>,
    mentions: BTreeSet<Mention>,
}

impl Found<'_> {
    /// What a pod is to run, and what really runs in it, whatever has become of it: a pod that ended may be started again.
    fn pod(&mut self, Pod { metadata, spec, status }: &Pod) {
        let by = self.workload(metadata);
        self.spec(spec, &by, UseKind::Running);
        for running in status.all() {
            let id = running.image_id.as_str();
            let digest = digest_in(id).map(str::to_owned);
            let mut mention = |image: &str| {
                if !image.is_empty() {
                    let (image, by, digest) = (image.to_owned(), by.clone(), digest.clone());
                    self.mentions.insert(Mention { image, digest, by, kind: UseKind::Running });
                }
            };
            // What the runtime calls the image may be a bare id; then the id's own repository says more.
            mention(&running.image);
            mention(id.rsplit_once("://").map_or(id, |(_, id)| id));
        }
    }

    fn spec(&mut self, spec: &PodSpec, by: &str, kind: UseKind) {
        for image in spec.images() {
            self.mentions.insert(Mention { image: image.to_owned(), digest: None, by: by.to_owned(), kind });
        }
    }

    /// What people call whatever a pod belongs to. Pods have another name each time; their Deployment has not.
    fn workload(&self, pod: &Metadata) -> String {
        let Some(owner) = pod.controller() else { return named("pod", pod) };
        let above = self.owners.get(owner.uid.as_str()).and_then(|made| made.controller());
        let owner = above.unwrap_or(owner);
        format!("{} {}/{}", owner.kind.to_lowercase(), pod.namespace, owner.name)
    }

    /// Every `ReplicationController`, also without a pod. Those of something else, such as `OpenShift`'s `DeploymentConfig`, are its
    /// revisions.
    fn replication_controllers(&mut self, controllers: &[Workload]) {
        for Workload { metadata, spec } in controllers {
            let (by, kind) = if metadata.controller().is_some() {
                (self.workload(metadata), UseKind::Previous)
            } else {
                (named("replicationcontroller", metadata), UseKind::Running)
            };
            self.spec(&spec.template.spec, &by, kind);
        }
    }

    /// The last revisions of every Deployment, and every `ReplicaSet` that stands for itself.
    fn replica_sets(&mut self, replica_sets: &[Workload], n_kept: u32) {
        let mut of_owner: BTreeMap<&str, Vec<(i64, &Workload)>> = BTreeMap::new();
        for replica_set in replica_sets {
            let Workload { metadata, spec } = replica_set;
            let number = metadata.annotations.get(REVISION).and_then(|text| text.parse().ok());
            match (metadata.controller(), number) {
                (Some(owner), Some(number)) => {
                    of_owner.entry(&owner.uid).or_default().push((number, replica_set));
                }
                // Any of those that something else than a Deployment numbers may be the newest.
                (Some(_), None) => {
                    self.spec(&spec.template.spec, &self.workload(metadata), UseKind::Previous);
                }
                (None, _) => self.spec(&spec.template.spec, &named("replicaset", metadata), UseKind::Running),
            }
        }
        for (_, Workload { metadata, spec }) in of_owner.into_values().flat_map(|all| newest(all, n_kept)) {
            let revision = metadata.annotations.get(REVISION).unwrap_or(&metadata.name);
            let by = format!("{}, revision {revision}", self.workload(metadata));
            self.spec(&spec.template.spec, &by, UseKind::Previous);
        }
    }

    /// The last revisions of every `StatefulSet` and `DaemonSet`.
    fn revisions(&mut self, revisions: &[ControllerRevision], n_kept: u32) -> Result<(), KubernetesError> {
        let mut of_owner: BTreeMap<&str, Vec<(i64, &ControllerRevision)>> = BTreeMap::new();
        for revision in revisions {
            // Of what else keeps revisions nobody knows what their data means.
            let owner = revision.metadata.controller();
            let known = owner.filter(|owner| ["StatefulSet", "DaemonSet"].contains(&owner.kind.as_str()));
            if let Some(owner) = known {
                of_owner.entry(&owner.uid).or_default().push((revision.revision, revision));
            }
        }
        for (number, revision) in of_owner.into_values().flat_map(|all| newest(all, n_kept)) {
            let spec = revision.data.pointer("/spec/template/spec").cloned().unwrap_or_default();
            let spec: PodSpec = serde_json::from_value(spec).map_err(|source| KubernetesError::Revision {
                name: revision.metadata.name.clone(),
                source,
            })?;
            let by = format!("{}, revision {number}", self.workload(&revision.metadata));
            self.spec(&spec, &by, UseKind::Previous);
        }
        Ok(())
    }
}

/// Those with the highest numbers.
fn newest<T>(mut all: Vec<(i64, T)>, n_kept: u32) -> Vec<(i64, T)> {
    all.sort_by_key(|(revision, _)| std::cmp::Reverse(*revision));
    all.truncate(n_kept as usize);
    all
}

fn named(kind: &str, metadata: &Metadata) -> String {
    format!("{kind} {}/{}", metadata.namespace, metadata.name)
}

/// A whole list. Where it is so long that the server forgets it in between (410), it is begun anew.
async fn list<T: DeserializeOwned>(cluster: &Cluster, path: &'static str) -> Result<Vec<T>, KubernetesError> {
    let mut n_tries = 0;
    loop {
        n_tries += 1;
        match pages(cluster, path).await {
            Err(KubernetesError::List { list: _, source })
                if source.status() == Some(StatusCode::GONE) && n_tries < TRIES => {}
            ended => return ended,
        }
    }
}

async fn pages<T: DeserializeOwned>(
    cluster: &Cluster,
    path: &'static str,
) -> Result<Vec<T>, KubernetesError> {
    let mut all = Vec::new();
    let mut next = String::new();
    for _ in 0..MAX_PAGES {
        let mut request = cluster.client.get(format!("{}/{path}", cluster.server)).query(&[("limit", PAGE)]);
        if !next.is_empty() {
            request = request.query(&[("continue", &next)]);
        }
        let page: Page<T> = client::ask(request, path)
            .await
            .map_err(|source| KubernetesError::List { list: path, source })?;
        all.extend(page.items.into_iter().flatten());
        match page.metadata.next.filter(|token| !token.is_empty()) {
            None => return Ok(all),
            Some(token) if token == next => break,
            Some(token) => next = token,
        }
    }
    Err(KubernetesError::Endless { list: path })
}

#[cfg(test)]
mod tests;
