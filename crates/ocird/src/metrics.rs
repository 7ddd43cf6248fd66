//! The numbers of `/metrics`. Everything about the registry is made at the scrape from one picture of the board, so
//! that a repository which is gone is gone here too, and a scrape asks nobody; only the server's own requests and the
//! cloud client's counts are kept here. No digest, tag or OCID ever stands in a label.

mod board;
mod catalogue;
mod process;
mod sheet;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use prometheus::core::Collector;
use prometheus::{IntCounterVec, Opts, Registry, TextEncoder};
use serde::Serialize;

use self::board::BoardCollector;
use crate::http;
use crate::status::Board;

/// What this binary is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Build {
    /// The version of the package.
    pub version: &'static str,
    /// The commit it was built from; `unknown` outside of a release build.
    pub revision: &'static str,
    /// The processor it was built for.
    pub architecture: &'static str,
}

impl Build {
    /// This binary. The release build sets `OCIRD_REVISION`. A build that can put rules of safety out of force says so
    /// wherever it says what it is, and `.ci/released` looks for that word.
    pub const THIS: Self = Self {
        version: env!("CARGO_PKG_VERSION"),
        revision: match option_env!("OCIRD_REVISION") {
            _ if cfg!(ocird_switches) => "ocird-switches",
            Some(revision) => revision,
            None => "unknown",
        },
        architecture: std::env::consts::ARCH,
    };
}

/// What the cloud client has counted since the process started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CloudCounts {
    /// Calls, every try counted, by the cloud's name for the operation and `ok` or the word of an `ErrorKind`.
    /// Static on purpose: a label of a fixed list cannot hold what a server said.
    pub requests: BTreeMap<(&'static str, &'static str), u64>,
    /// Calls that were made again.
    pub retries: u64,
    /// Answers that said 429.
    pub throttled: u64,
    /// Calls that may be under way at once; less after the cloud has asked to slow down.
    pub limit: Option<usize>,
    /// Session tokens asked for.
    pub token_refreshes: u64,
    /// Session tokens not given.
    pub token_refresh_failures: u64,
    /// When the present session token ends; `None` with a key that has none.
    pub token_expires_at: Option<DateTime<Utc>>,
    /// How far the server's clock is ahead of ours, by the latest answer.
    pub clock_ahead: Option<TimeDelta>,
}

/// The registry of all numbers. Cheap to clone; clones share their counts.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    http_requests: IntCounterVec,
    cloud: Arc<RwLock<CloudCounts>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registry, http_requests: _, cloud } = self;
        f.debug_struct("Metrics").field("registry", registry).field("cloud", cloud).finish_non_exhaustive()
    }
}

impl Metrics {
    /// The content type of [`Metrics::render`]; Prometheus 3 refuses a scrape without it.
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// The numbers of a daemon that posts to `board`.
    pub fn new(board: &Board) -> Self {
        let http_requests = http_requests();
        let cloud = Arc::default();
        let registry = registry(vec![
            Box::new(http_requests.clone()),
            Box::new(BoardCollector::new(board.clone(), Arc::clone(&cloud))),
        ]);
        Self { registry, http_requests, cloud }
    }

    /// Takes over what the cloud client has counted.
    pub fn cloud(&self, counts: CloudCounts) {
        *self.cloud.write().unwrap_or_else(PoisonError::into_inner) = counts;
    }

    /// Counts one answer of the server; `path` is one of a fixed list, never what a client sent.
    pub(crate) fn answered(&self, path: &'static str, status: StatusCode) {
        self.http_requests.with_label_values(&[path, status.as_str()]).inc();
    }

    /// All numbers in the Prometheus text format.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// A registry of its own, never the global one, so that tests can have many.
fn registry(collectors: Vec<Box<dyn Collector>>) -> Registry {
    let registry = Registry::new();
    for collector in collectors {
        registry
            .register(collector)
            .expect("the catalogue names every family once, and a test renders them all");
    }
    registry
}

/// The server's own counter, with every pair of labels that it can bear.
fn http_requests() -> IntCounterVec {
    let family = catalogue::HTTP_REQUESTS;
    let counter = IntCounterVec::new(Opts::new(family.name, family.help), &["path", "code"])
        .expect("the catalogue's names are valid, and a test renders them all");
    for path in http::paths().chain([http::OTHER_PATH]) {
        for status in http::statuses() {
            counter.with_label_values(&[path, status.as_str()]);
        }
    }
    counter
}

#[cfg(test)]
mod tests;
