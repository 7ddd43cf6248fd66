//! The daemon under measurement: the binary as a process, its configuration, and what can be seen of it from outside.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ocird_sim::Tenancy;
use ocird_sim::http::Server;

/// How long anything may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_hours(1);

/// How often the daemon is asked whether it is there yet; the figure for the start is this coarse.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// How often it is asked whether a pass has ended. The figure is the daemon's own, and each question costs it a scrape.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Configuration and state of the daemon.
#[derive(Debug)]
pub(crate) struct Files {
    folder: PathBuf,
    /// Where its pages are.
    pub(crate) listen: String,
}

/// What the configuration says beside where everything is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    /// The keys before the first table: `mode` above all.
    pub(crate) top: &'a str,
    /// Further tables, `[in_use]` among them.
    pub(crate) tables: &'a str,
    /// The files of `policies.d`, by name and text, beside those that are there.
    pub(crate) policies: &'a [(&'a str, &'a str)],
}

impl Files {
    /// Writes them into a folder, beside whatever lies there from an earlier life.
    pub(crate) fn write(
        folder: &Path,
        tenancy: &Tenancy,
        server: &Server,
        said: Said<'_>,
    ) -> anyhow::Result<Self> {
        for part in ["policies.d", "state"] {
            std::fs::create_dir_all(folder.join(part))?;
        }
        // A port that was free a moment ago: the daemon says so at once if it no longer is.
        let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        for (name, text) in said.policies {
            std::fs::write(folder.join("policies.d").join(name), text)?;
        }
        let files = Self { folder: folder.to_owned(), listen };
        files.configure(tenancy, server, said)?;
        Ok(files)
    }

    /// Writes the configuration file, or another in its place.
    pub(crate) fn configure(
        &self,
        tenancy: &Tenancy,
        server: &Server,
        said: Said<'_>,
    ) -> std::io::Result<()> {
        let Said { top, tables, policies: _ } = said;
        let (base, listen) = (server.base_url(), &self.listen);
        let config = format!(
            "{top}\nstate_dir = \"state\"\n[oci]\nauth = \"instance_principal\"\ncompartments = [\"{}\"]\n\
             [oci.endpoints]\nmetadata = \"{}\"\nauth = \"{base}\"\nartifacts = \"{base}\"\nregistry = \"{base}\"\n\
             {tables}\n[http]\nlisten = \"{listen}\"\n[log]\nfilter = \"warn\"\n",
            tenancy.compartment(),
            server.metadata_base(),
        );
        std::fs::write(self.config(), config)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join("ocird.toml")
    }
}

/// The daemon while it runs; killed when dropped, as a measurement that fails leaves no process behind.
#[derive(Debug)]
pub(crate) struct Daemon {
    process: Child,
    started: Instant,
    client: reqwest::Client,
    base: String,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and needs not be.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Daemon {
    pub(crate) fn start(binary: &Path, files: &Files) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let started = Instant::now();
        let process = Command::new(binary)
            .args(["run", "--config"])
            .arg(files.config())
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        Ok(Self { process, started, client, base: format!("http://{}", files.listen) })
    }

    /// How long after the start the page answered with success for the first time.
    pub(crate) async fn until(&self, path: &str) -> anyhow::Result<Duration> {
        while self.started.elapsed() < PATIENCE {
            let answer = self.client.get(format!("{}{path}", self.base)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(self.started.elapsed());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        anyhow::bail!("{path} never answered")
    }

    pub(crate) async fn metrics(&self) -> anyhow::Result<String> {
        let answer = self.client.get(format!("{}/metrics", self.base)).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    /// Asks for a pass and answers how long it took by the daemon's own clock, in seconds.
    pub(crate) async fn pass(&self) -> anyhow::Result<f64> {
        let before = figure(&self.metrics().await?, "ocird_last_pass_end_timestamp_seconds");
        self.signal("USR1")?;
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            let metrics = self.metrics().await?;
            if figure(&metrics, "ocird_last_pass_end_timestamp_seconds") > before {
                return Ok(figure(&metrics, "ocird_last_pass_duration_seconds"));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        anyhow::bail!("the pass never ended")
    }

    /// The most memory it ever had resident, in bytes.
    pub(crate) fn peak_memory(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0)
    }

    fn signal(&self, name: &str) -> anyhow::Result<()> {
        let status = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status()?;
        ensure!(status.success(), "the daemon is gone");
        Ok(())
    }

    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.signal("TERM")?;
        let status = tokio::task::spawn_blocking(move || self.process.wait()).await??;
        ensure!(status.success(), "the daemon ended with {status}");
        Ok(())
    }
}

/// The value of a sample without labels.
pub(crate) fn figure(metrics: &str, name: &str) -> f64 {
    metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
        .unwrap_or(f64::NAN)
}
