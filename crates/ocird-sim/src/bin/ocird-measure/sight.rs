//! Two lives of one daemon on a tenancy in which nothing changes: the first sync, and after a restart some steady passes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use ocird_sim::http::{Options, Requests, Server};
use tempfile::TempDir;

use crate::daemon::{Daemon, Files, Said, figure};
use crate::world::{RealTime, Size, furnished};

/// Looks, keeps ten of each repository, and deletes nothing.
const REPORT: Said<'_> = Said {
    top: "mode = \"report\"",
    tables: "[in_use]\naccept_none = true",
    policies: &[(
        "mgh.toml",
        "project = \"mgh\"\nrepositories = [\"mgh-*\"]\n[[keep]]\nname = \"ten newest\"\nnewest = 10\n\
         [[delete]]\nname = \"old\"\ntagged = true\nolder_than = \"14d\"\n",
    )],
};

/// Two reads for each image that is new, once in its life: the image with its layers, and its manifest.
const READS_OF_NEW: u64 = 2;

/// Calls by the cloud's name for the operation.
pub(crate) type Calls = BTreeMap<&'static str, u64>;

/// Both lives.
#[derive(Debug)]
pub(crate) struct Sight {
    /// The tenancy.
    pub(crate) size: Size,
    /// The life on an empty store.
    pub(crate) first: FirstLife,
    /// The life after it.
    pub(crate) second: SecondLife,
}

/// From an empty store to the end of the first sync.
#[derive(Debug)]
pub(crate) struct FirstLife {
    /// From the start of the process until it serves.
    pub(crate) serving: Duration,
    /// From the start of the process to the end of the first sync.
    pub(crate) synced: Duration,
    /// Processor time, in seconds.
    pub(crate) cpu_s: f64,
    /// The most memory, in bytes.
    pub(crate) peak_bytes: f64,
    /// Every call, the sign-in's included.
    calls: Calls,
}

/// A second start, and steady passes.
#[derive(Debug)]
pub(crate) struct SecondLife {
    /// From the start of the process until it serves.
    pub(crate) serving: Duration,
    /// From the start of the process to the end of its first pass.
    pub(crate) looked: Duration,
    /// Each steady pass by the daemon's clock, in seconds, the fastest first.
    walls_s: Vec<f64>,
    /// Processor time of a steady pass, in seconds.
    pub(crate) cpu_s: f64,
    /// Calls of all steady passes.
    pub(crate) calls: Calls,
    /// Resident memory after the passes, in bytes.
    pub(crate) resident_bytes: f64,
    /// The most memory until then, in bytes.
    pub(crate) peak_bytes: f64,
}

/// A tenancy that is served, and the daemon's files.
struct Ground {
    server: Server,
    files: Files,
    _folder: TempDir,
    _clock: RealTime,
}

impl Sight {
    /// Lets a daemon live twice. What `besides` does with it comes after its passes, and is in no figure here.
    pub(crate) async fn of(
        binary: &Path,
        size: Size,
        answer: Duration,
        n_passes: u32,
        besides: impl AsyncFnOnce(&Files, &Daemon) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let ground = Ground::of(size, answer)?;
        let daemon = Daemon::start(binary, &ground.files)?;
        let first = FirstLife::of(&daemon, ground.server.requests()).await?;
        daemon.stop().await?;
        let daemon = Daemon::start(binary, &ground.files)?;
        let second = SecondLife::of(&daemon, ground.server.requests(), n_passes).await?;
        besides(&ground.files, &daemon).await?;
        daemon.stop().await?;
        ground.server.stop().await;
        Ok(Self { size, first, second })
    }

    /// The fewest calls that a first sync can do with: every page, and what is new read once. Signing in comes on top.
    pub(crate) fn first_bound(&self) -> u64 {
        self.size.n_pages() + READS_OF_NEW * self.size.n_images()
    }
}

impl Ground {
    fn of(size: Size, answer: Duration) -> anyhow::Result<Self> {
        let tenancy = furnished(size)?;
        let clock = RealTime::keep(&tenancy);
        let server = Server::start(tenancy.clone(), Options { answer_delay: answer, ..Options::default() })?;
        let folder = tempfile::tempdir()?;
        let files = Files::write(folder.path(), &tenancy, &server, REPORT)?;
        Ok(Self { server, files, _folder: folder, _clock: clock })
    }
}

impl FirstLife {
    async fn of(daemon: &Daemon, requests: &Requests) -> anyhow::Result<Self> {
        Ok(Self {
            serving: daemon.until("/livez").await?,
            synced: daemon.until("/readyz").await?,
            cpu_s: cpu_s(&daemon.metrics().await?),
            peak_bytes: daemon.peak_memory()?,
            calls: by_operation(requests),
        })
    }

    /// How many calls there were.
    pub(crate) fn n_calls(&self) -> u64 {
        self.calls.values().sum()
    }
}

impl SecondLife {
    async fn of(daemon: &Daemon, requests: &Requests, n_passes: u32) -> anyhow::Result<Self> {
        let (serving, looked) = (daemon.until("/livez").await?, daemon.until("/readyz").await?);
        let before = daemon.metrics().await?;
        requests.clear();
        let mut walls_s = Vec::new();
        for _ in 0..n_passes {
            walls_s.push(daemon.pass().await?);
        }
        walls_s.sort_by(f64::total_cmp);
        let after = daemon.metrics().await?;
        Ok(Self {
            serving,
            looked,
            walls_s,
            cpu_s: (cpu_s(&after) - cpu_s(&before)) / f64::from(n_passes),
            calls: by_operation(requests),
            resident_bytes: figure(&after, "process_resident_memory_bytes"),
            peak_bytes: daemon.peak_memory()?,
        })
    }

    /// How many steady passes there were.
    pub(crate) const fn n_passes(&self) -> usize {
        self.walls_s.len()
    }

    /// The median of the steady passes, in seconds.
    pub(crate) fn median_s(&self) -> f64 {
        self.walls_s[self.n_passes() / 2]
    }

    /// The slowest of them, in seconds.
    pub(crate) fn slowest_s(&self) -> f64 {
        self.walls_s[self.n_passes() - 1]
    }

    /// Calls of one steady pass.
    pub(crate) fn calls_of_a_pass(&self) -> f64 {
        self.calls.values().sum::<u64>() as f64 / self.n_passes() as f64
    }
}

/// Processor time that a daemon has used, in seconds.
fn cpu_s(metrics: &str) -> f64 {
    figure(metrics, "process_cpu_seconds_total")
}

/// How often each operation was asked for, whatever the answer.
fn by_operation(requests: &Requests) -> Calls {
    requests.counts().iter().fold(Calls::new(), |mut calls, ((operation, _), count)| {
        *calls.entry(operation.as_str()).or_default() += count;
        calls
    })
}
