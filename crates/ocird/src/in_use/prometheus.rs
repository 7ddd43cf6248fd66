//! A Prometheus server that sees every host of a fleet, as by cAdvisor's `container_last_seen`: one instant query whose series
//! name images in a label. <https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries>
//!
//! It knows what runs, not what is stopped. A host whose exporter is down has no series at all, which would look like a host
//! that runs nothing: the hosts are told apart by a label, so that one that is silent is missed, and a second query can say
//! which exporters are down.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use ocird_model::{Digest, ErrorChain, UseKind};
use reqwest::Client;
use serde::Deserialize;

use crate::client::{self, AskError};
use crate::config::{PrometheusSource, Scope};
use crate::in_use::source::{Answer, Mention, Report, Roster, Source};

/// So old may a sample be that answers an instant query: Prometheus's own `--query.lookback-delta`, unless it was changed.
const LOOKBACK: TimeDelta = TimeDelta::minutes(5);
/// So much of a label is shown, in characters.
const MAX_SHOWN: usize = 100;

/// Why a server's answer is none.
#[derive(Debug, thiserror::Error)]
enum PrometheusError {
    /// The client cannot be made.
    #[error("the client cannot be made")]
    Client(#[source] client::ClientError),
    /// There was no answer.
    #[error("the server does not answer")]
    Ask(#[source] AskError),
    /// The query failed.
    #[error("the query failed: {0}")]
    Failed(String),
    /// The answer is of another kind.
    #[error("the query gives a {0}, and must give a vector")]
    Kind(String),
    /// The server says itself that something is missing, such as a store of Thanos that is down.
    #[error("the server warns that the answer is not whole: {0}")]
    Partial(String),
    /// A series without the label that names the image or the host.
    #[error("a series has no label {0}, so that nobody knows what it is of")]
    Unlabelled(String),
    /// A series whose label of the digest holds something else.
    #[error("a series has the label {label} = {text:?}, which holds no digest")]
    Undigested {
        /// The label.
        label: String,
        /// The beginning of what it holds.
        text: String,
    },
    /// Exporters are down, by the second query.
    #[error("down are: {0}")]
    Down(String),
}

#[derive(Debug, Deserialize)]
struct Envelope {
    status: String,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
    /// What a cluster of `VictoriaMetrics` says when one of its stores did not answer.
    /// <https://docs.victoriametrics.com/victoriametrics/cluster-victoriametrics/#cluster-availability>
    #[serde(default, rename = "isPartial")]
    is_partial: bool,
    data: Option<Data>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: serde_json::Value,
}

#[derive(Debug, Deserialize)]
struct Sample {
    metric: BTreeMap<String, String>,
}

/// One `[[in_use.prometheus]]`.
#[derive(Debug)]
pub(super) struct Prometheus {
    source: PrometheusSource,
    /// What the store remembers it by.
    name: String,
}

impl Prometheus {
    /// One of `all`. The first that asks a server is known by the server, so that another one beside it costs no memory of its
    /// hosts; the query is a part of the names of the others.
    pub(super) fn new(source: PrometheusSource, all: &[PrometheusSource]) -> Self {
        let PrometheusSource { url, query, .. } = &source;
        let first = all.iter().find(|other| other.url == *url);
        let is_first = first.is_none_or(|first| first.query == *query);
        let name = if is_first { format!("prometheus {url}") } else { format!("prometheus {url} {query}") };
        Self { source, name }
    }

    async fn reports(&self, now: DateTime<Utc>) -> Vec<Report> {
        match self.answers(now - LOOKBACK).await {
            Ok(answers) => {
                let report = |(host, answer): (Option<String>, Answer)| Report {
                    name: host.as_ref().map_or_else(|| self.name(), |host| format!("{} {host}", self.name())),
                    host,
                    answer: Ok(answer),
                };
                answers.into_iter().map(report).collect()
            }
            Err(error) => {
                let answer = Err(ErrorChain(&error).to_string());
                vec![Report { name: self.name(), host: None, answer }]
            }
        }
    }

    /// One answer for each host, or one for all where hosts are not told apart.
    async fn answers(
        &self,
        looked_at: DateTime<Utc>,
    ) -> Result<BTreeMap<Option<String>, Answer>, PrometheusError> {
        let PrometheusSource { url, token_file, ca_file, query, down, .. } = &self.source;
        let client = client::to_server(url, token_file.as_deref(), ca_file.as_deref());
        let client = client.await.map_err(PrometheusError::Client)?;
        if let Some(down) = down {
            let down = ask(&client, url, down).await?;
            if !down.is_empty() {
                let named = down.iter().take(3).map(|sample| label(sample, "instance").to_owned());
                return Err(PrometheusError::Down(named.collect::<Vec<_>>().join(", ")));
            }
        }
        let samples = ask(&client, url, query).await?;
        let empty = || Answer { looked_at, is_complete: true, mentions: Vec::new() };
        let mut answers: BTreeMap<Option<String>, Answer> = BTreeMap::new();
        for sample in &samples {
            let mention = self.mention(sample)?;
            let host = self.host(sample)?;
            answers.entry(host).or_insert_with(empty).mentions.push(mention);
        }
        if answers.is_empty() {
            answers.insert(None, empty());
        }
        Ok(answers)
    }

    /// The host that a series is of, where hosts are told apart.
    fn host(&self, sample: &Sample) -> Result<Option<String>, PrometheusError> {
        let Some(name) = &self.source.host_label else { return Ok(None) };
        let host = label(sample, name);
        if host.trim().is_empty() {
            return Err(PrometheusError::Unlabelled(name.clone()));
        }
        Ok(Some(host.to_owned()))
    }

    fn mention(&self, sample: &Sample) -> Result<Mention, PrometheusError> {
        let PrometheusSource { image_label, digest_label, by_labels, .. } = &self.source;
        let image = label(sample, image_label);
        if image.is_empty() {
            return Err(PrometheusError::Unlabelled(image_label.clone()));
        }
        let digest = match digest_label {
            Some(name) => running_digest(sample, name)?,
            None => None,
        };
        let by = words(sample, by_labels).join(" ");
        Ok(Mention {
            image: image.to_owned(),
            digest,
            by: if by.is_empty() { "container".to_owned() } else { format!("container {by}") },
            kind: UseKind::Running,
        })
    }
}

impl Source for Prometheus {
    fn scope(&self) -> &Scope {
        &self.source.scope
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn roster(&self) -> Roster<'_> {
        Roster { expect: &self.source.expect, forget: &self.source.forget }
    }

    fn ask(&self, now: DateTime<Utc>) -> BoxFuture<'_, Vec<Report>> {
        self.reports(now).boxed()
    }
}

async fn ask(client: &Client, url: &str, query: &str) -> Result<Vec<Sample>, PrometheusError> {
    let request = client.get(format!("{url}/api/v1/query")).query(&[("query", query)]);
    let answer: Envelope = client::ask(request, "api/v1/query").await.map_err(PrometheusError::Ask)?;
    samples(answer)
}

/// The series of an answer that is whole.
fn samples(envelope: Envelope) -> Result<Vec<Sample>, PrometheusError> {
    let Envelope { status, error, warnings, is_partial, data } = envelope;
    if is_partial {
        return Err(PrometheusError::Partial("isPartial".to_owned()));
    }
    if let Some(warning) = warnings.first() {
        return Err(PrometheusError::Partial(warning.clone()));
    }
    let data = match data {
        Some(data) if status == "success" => data,
        _ => return Err(PrometheusError::Failed(error.unwrap_or(status))),
    };
    if data.result_type != "vector" {
        return Err(PrometheusError::Kind(data.result_type));
    }
    let malformed = |source| AskError::Malformed { path: "api/v1/query".to_owned(), source };
    serde_json::from_value(data.result).map_err(malformed).map_err(PrometheusError::Ask)
}

fn label<'s>(sample: &'s Sample, name: &str) -> &'s str {
    sample.metric.get(name).map_or("", String::as_str)
}

/// The words by which people know what a series is of, and the history of what ran is kept: none that is another one after a
/// restart. Unless labels are named these are the namespace and the container, and the name only where there is no container,
/// beside an engine: in a cluster containerd's containers are called by an id.
fn words<'s>(sample: &'s Sample, labels: &[String]) -> Vec<&'s str> {
    let word = |name: &str| Some(label(sample, name)).filter(|word| !word.is_empty());
    if labels.is_empty() {
        let container = word("container").or_else(|| word("name"));
        return word("namespace").into_iter().chain(container).collect();
    }
    labels.iter().filter_map(|name| word(name)).collect()
}

/// The digest that a label says runs, as exporters write it, or the bare id of the image, as CRI-O gives it. Anything else is an
/// error: something runs that nobody could look for.
fn running_digest(sample: &Sample, name: &str) -> Result<Option<String>, PrometheusError> {
    let text = label(sample, name);
    if text.is_empty() {
        return Ok(None);
    }
    let id = format!("sha256:{text}");
    let bare = id.parse::<Digest>().is_ok().then_some(id);
    let told = digest_in(text).filter(|digest| digest.parse::<Digest>().is_ok());
    let digest = told.map(str::to_owned).or(bare);
    digest.map(Some).ok_or_else(|| PrometheusError::Undigested {
        label: name.to_owned(),
        text: text.chars().take(MAX_SHOWN).collect(),
    })
}

/// The digest in what exporters write: bare, behind a repository, or behind a scheme.
pub(super) fn digest_in(text: &str) -> Option<&str> {
    let at = text.rfind("sha256:")?;
    let before = &text[..at];
    (before.is_empty() || before.ends_with('@') || before.ends_with("://")).then_some(&text[at..])
}

#[cfg(test)]
mod tests;
