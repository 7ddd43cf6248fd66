//! The objects of the Kubernetes API, as far as they name images. Fields that are not here are not read.
//! <https://kubernetes.io/docs/reference/kubernetes-api/>

use serde::Deserialize;
use serde_json::Value;

/// A page of a list.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub(super) struct Page<T> {
    #[serde(default)]
    pub(super) metadata: PageMetadata,
    /// Null is what an empty list may be in Go. What has no such key is no list.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) items: Option<Vec<T>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct PageMetadata {
    /// Where the list goes on; blank at its end.
    #[serde(default, rename = "continue")]
    pub(super) next: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) uid: String,
    pub(super) annotations: std::collections::BTreeMap<String, String>,
    pub(super) owner_references: Vec<Owner>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Owner {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) controller: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodSpec {
    containers: Vec<Container>,
    init_containers: Option<Vec<Container>>,
    ephemeral_containers: Option<Vec<Container>>,
    volumes: Option<Vec<Volume>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    image: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Volume {
    image: Option<ImageVolume>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ImageVolume {
    reference: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodStatus {
    #[serde(rename = "containerStatuses")]
    containers: Option<Vec<ContainerStatus>>,
    #[serde(rename = "initContainerStatuses")]
    init_containers: Option<Vec<ContainerStatus>>,
    #[serde(rename = "ephemeralContainerStatuses")]
    ephemeral_containers: Option<Vec<ContainerStatus>>,
}

/// What runs in one container.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContainerStatus {
    pub(super) image: String,
    #[serde(rename = "imageID")]
    pub(super) image_id: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Pod {
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) spec: PodSpec,
    #[serde(default)]
    pub(super) status: PodStatus,
}

/// A Deployment, `StatefulSet`, `DaemonSet`, `ReplicaSet`, `ReplicationController` or Job.
#[derive(Debug, Deserialize)]
pub(super) struct Workload {
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) spec: WorkloadSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WorkloadSpec {
    pub(super) template: Template,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Template {
    pub(super) spec: PodSpec,
}

#[derive(Debug, Deserialize)]
pub(super) struct CronJob {
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) spec: CronJobSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CronJobSpec {
    pub(super) job_template: JobTemplate,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct JobTemplate {
    pub(super) spec: WorkloadSpec,
}

/// An earlier form of a `StatefulSet` or `DaemonSet`. Its data is a patch with the template in it.
#[derive(Debug, Deserialize)]
pub(super) struct ControllerRevision {
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) revision: i64,
    #[serde(default)]
    pub(super) data: Value,
}

impl PodSpec {
    /// Every image that it names.
    pub(super) fn images(&self) -> impl Iterator<Item = &str> {
        let Self { containers, init_containers, ephemeral_containers, volumes } = self;
        let more = [init_containers, ephemeral_containers].into_iter().flatten().flatten();
        let containers = containers.iter().chain(more).map(|container| container.image.as_str());
        let volumes = volumes.iter().flatten().filter_map(|volume| volume.image.as_ref());
        containers.chain(volumes.map(|image| image.reference.as_str())).filter(|image| !image.is_empty())
    }
}

impl PodStatus {
    /// What runs in every container.
    pub(super) fn all(&self) -> impl Iterator<Item = &ContainerStatus> {
        let Self { containers, init_containers, ephemeral_containers } = self;
        [containers, init_containers, ephemeral_containers].into_iter().flatten().flatten()
    }
}

impl Metadata {
    /// Whatever made it and keeps it as it is.
    pub(super) fn controller(&self) -> Option<&Owner> {
        self.owner_references.iter().find(|owner| owner.controller)
    }
}
