//! What a source of what is in use is, and what it may answer: everything, or why not.

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use ocird_model::UseKind;
use serde::{Deserialize, Serialize};

use crate::config::{InUseConfig, Scope};
use crate::in_use::docker::Docker;
use crate::in_use::files::Files;
use crate::in_use::kubernetes::Kubernetes;
use crate::in_use::prometheus::Prometheus;

/// Somebody who says what runs. Boxed futures, so that a pass asks every kind in one list.
pub trait Source: Send + Sync {
    /// What it speaks for.
    fn scope(&self) -> &Scope;

    /// What people and the store know it by.
    fn name(&self) -> String;

    /// Which hosts speak through it.
    fn roster(&self) -> Roster<'_> {
        Roster::default()
    }

    /// Asks it at `now`. At least one report, and a failure is one: nothing is left out in silence.
    fn ask(&self, now: DateTime<Utc>) -> BoxFuture<'_, Vec<Report>>;
}

/// The hosts that speak through a source, as far as an operator says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Roster<'a> {
    /// Each of them must be heard; when there is any, no other is missed.
    pub expect: &'a [String],
    /// They are gone for good.
    pub forget: &'a [String],
}

/// What one writer or server said.
#[derive(Debug)]
pub struct Report {
    /// Its name for people: the path of a file, the address of a server.
    pub name: String,
    /// The host that speaks; `None` where the source is the only speaker.
    pub host: Option<String>,
    /// All of it, or why there is none.
    pub answer: Result<Answer, String>,
}

/// An answer that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// When whoever answers began to look.
    pub looked_at: DateTime<Utc>,
    /// Whoever answers says that nothing is left out.
    pub is_complete: bool,
    /// What is in use.
    pub mentions: Vec<Mention>,
}

/// One thing in use, as a source names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mention {
    /// The image as it was started.
    pub image: String,
    /// The digest that really runs, where the source knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Who uses it, for people. It stays the same over restarts, so that the history of what ran can be kept by it.
    pub by: String,
    /// In which way; running, if nothing is said.
    #[serde(default, skip_serializing_if = "UseKind::is_running")]
    pub kind: UseKind,
}

/// Every source that the configuration names.
pub(crate) fn sources(config: &InUseConfig) -> Vec<Box<dyn Source>> {
    let InUseConfig { accept_none: _, keep_previous: _, own_image: _, files, docker, prometheus, kubernetes } =
        config;
    let files = files.iter().map(|source| Box::new(Files::new(source.clone())) as Box<dyn Source>);
    let docker = docker.iter().map(|source| Box::new(Docker::new(source.clone())) as Box<dyn Source>);
    let prometheus = prometheus
        .iter()
        .map(|source| Box::new(Prometheus::new(source.clone(), prometheus)) as Box<dyn Source>);
    let kubernetes =
        kubernetes.iter().map(|source| Box::new(Kubernetes::new(source.clone())) as Box<dyn Source>);
    files.chain(docker).chain(prometheus).chain(kubernetes).collect()
}
