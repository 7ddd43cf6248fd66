//! Measures the released daemon as a whole process: the real binary, over HTTP with real signatures, against a simulated
//! tenancy whose every answer takes a set time. `cargo measure` prints one table; it needs the release build.
//!
//! Nothing here judges: figures are for the README, and a slow machine fails no test.

mod scrapes;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use clap::Parser;
use ocird_sim::http::{Options, Server};
use ocird_sim::{Build, NewRepository, Operation, Settings, Tenancy};
use tempfile::TempDir;

use self::scrapes::{Scrapes, SlowClients};

/// Measures the released daemon against a simulated tenancy over HTTP.
#[derive(Debug, Parser)]
#[command(name = "ocird-measure", max_term_width = 100)]
struct Args {
    /// The binary to measure.
    #[arg(long, default_value = "target/release/ocird")]
    binary: PathBuf,
    /// Repositories in the tenancy.
    #[arg(long, default_value_t = 4)]
    repositories: u32,
    /// Images in each repository.
    #[arg(long, default_value_t = 20)]
    images: u32,
    /// How long every answer takes, in milliseconds.
    #[arg(long, default_value_t = 50, value_name = "MS")]
    answer: u64,
    /// Steady passes to average over.
    #[arg(long, default_value_t = 20)]
    passes: u32,
    /// Scrapes of `/metrics`, alone and again beside slow clients.
    #[arg(long, default_value_t = 1000)]
    scrapes: usize,
    /// How many slow clients.
    #[arg(long, default_value_t = 200)]
    slow_clients: usize,
}

/// How often the tenancy's clock is set to the real one.
const TICK: Duration = Duration::from_millis(100);

/// How long anything may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_mins(10);

/// How often the daemon is asked whether it is there yet; the figure for the start is this coarse.
const LOOK_EVERY: Duration = Duration::from_millis(2);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    ensure!(
        args.binary.exists(),
        "{} is not there: cargo build --release --package ocird",
        args.binary.display()
    );
    let tenancy = Tenancy::new(Settings { start: real_time(), page_size: 1000, ..Settings::default() });
    furnish(&tenancy, &args)?;
    let clock = tokio::spawn(keep_time(tenancy.clone()));
    let options = Options { answer_delay: Duration::from_millis(args.answer), ..Options::default() };
    let server = Server::start(tenancy.clone(), options)?;
    let table = measure(&args, &tenancy, &server).await?;
    clock.abort();
    server.stop().await;
    let mut out = io::stdout().lock();
    for (what, figure) in table {
        writeln!(out, "{what:<52} {figure}")?;
    }
    Ok(())
}

async fn measure(args: &Args, tenancy: &Tenancy, server: &Server) -> anyhow::Result<Vec<(String, String)>> {
    let files = Files::write(tenancy, server)?;
    let first = Daemon::start(&args.binary, &files)?;
    let serving = first.until("/livez").await?;
    let synced = first.until("/readyz").await?;
    first.stop().await?;
    server.requests().clear();

    let again = Daemon::start(&args.binary, &files)?;
    let serving_again = again.until("/livez").await?;
    let ready_again = again.until("/readyz").await?;
    let before = again.metrics().await?;
    server.requests().clear();
    let mut walls = Vec::new();
    for _ in 0..args.passes {
        walls.push(again.pass().await?);
    }
    let after = again.metrics().await?;
    let requests = server.requests().counts();
    let peak = again.peak_memory()?;
    let scraped = scraped(args, &files).await?;
    let peak_besieged = again.peak_memory()?;
    again.stop().await?;

    walls.sort_by(f64::total_cmp);
    let n = f64::from(args.passes);
    let cpu =
        (figure(&after, "process_cpu_seconds_total") - figure(&before, "process_cpu_seconds_total")) / n;
    let calls: BTreeMap<&str, u64> =
        requests.iter().fold(BTreeMap::new(), |mut calls, ((operation, _), count)| {
            *calls.entry(operation.as_str()).or_default() += count;
            calls
        });
    let lists = server.requests().of(Operation::ListContainerImages)
        + server.requests().of(Operation::ListContainerRepositories);
    let size = std::fs::metadata(&args.binary)?.len();
    let ms = |seconds: f64| format!("{:.1} ms", seconds * 1e3);
    let mib = |bytes: f64| format!("{:.1} MiB", bytes / 1_048_576.0);
    let mut rows = vec![
        (
            "world".to_owned(),
            format!("{} x {} images, {} ms an answer", args.repositories, args.images, args.answer),
        ),
        ("first start to serving".to_owned(), ms(serving.as_secs_f64())),
        ("first start to the end of the first sync".to_owned(), ms(synced.as_secs_f64())),
        ("second start to serving".to_owned(), ms(serving_again.as_secs_f64())),
        ("second start to the end of its first pass".to_owned(), ms(ready_again.as_secs_f64())),
        (format!("steady pass, wall, median of {}", args.passes), ms(walls[walls.len() / 2])),
        ("steady pass, wall, slowest".to_owned(), ms(walls[walls.len() - 1])),
        ("steady pass, CPU, mean".to_owned(), ms(cpu)),
        ("steady pass, calls, mean".to_owned(), format!("{:.2}", calls.values().sum::<u64>() as f64 / n)),
        ("  of them list pages, which is the bound".to_owned(), format!("{:.2}", lists as f64 / n)),
        ("  by operation, all passes".to_owned(), format!("{calls:?}")),
        ("resident memory at the end".to_owned(), mib(figure(&after, "process_resident_memory_bytes"))),
        ("peak resident memory".to_owned(), mib(peak)),
        ("peak resident memory, slow clients included".to_owned(), mib(peak_besieged)),
        ("binary".to_owned(), mib(size as f64)),
    ];
    rows.extend(scraped);
    Ok(rows)
}

/// What scrapes take, alone and beside slow clients.
async fn scraped(args: &Args, files: &Files) -> anyhow::Result<[(String, String); 3]> {
    let Args { scrapes, slow_clients, .. } = args;
    let pages = files.listen.parse()?;
    let alone = Scrapes::of(pages, *scrapes).await?;
    let attached = SlowClients::attach(pages, *slow_clients).await;
    let besieged = Scrapes::of(pages, *scrapes).await?;
    drop(attached);
    let (n_bytes, n_samples) = alone.body;
    Ok([
        (format!("/metrics, {scrapes} scrapes: median, p99, slowest"), alone.in_words()),
        (format!("  beside {slow_clients} slow clients"), besieged.in_words()),
        ("  its size and samples".to_owned(), format!("{n_bytes} bytes, {n_samples}")),
    ])
}

/// Single images with a tag each, a day old by their push order.
fn furnish(tenancy: &Tenancy, args: &Args) -> anyhow::Result<()> {
    for repository in 0..args.repositories {
        let name = format!("mgh-{repository}").parse()?;
        tenancy.create_repository(NewRepository::private(Clone::clone(&name), tenancy.compartment()))?;
        for image in 0..args.images {
            let build = Build::small(&format!("r{repository}-{image}")).single();
            tenancy.push(&name, &build, &[format!("v{image}").parse()?], "ci")?;
        }
    }
    Ok(())
}

/// Configuration and state of the daemon.
struct Files {
    directory: TempDir,
    listen: String,
}

impl Files {
    fn write(tenancy: &Tenancy, server: &Server) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let folder = directory.path();
        std::fs::create_dir(folder.join("policies.d"))?;
        std::fs::create_dir(folder.join("state"))?;
        // A port that was free a moment ago: the daemon says so at once if it no longer is.
        let listen = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let policy = "project = \"mgh\"\nrepositories = [\"mgh-*\"]\n[[keep]]\nname = \"ten newest\"\nnewest = 10\n\
                      [[delete]]\nname = \"old\"\ntagged = true\nolder_than = \"14d\"\n";
        std::fs::write(folder.join("policies.d/mgh.toml"), policy)?;
        let base = server.base_url();
        let config = format!(
            "mode = \"report\"\nstate_dir = \"state\"\n[oci]\nauth = \"instance_principal\"\ncompartments = [\"{}\"]\n\
             [oci.endpoints]\nmetadata = \"{}\"\nauth = \"{base}\"\nartifacts = \"{base}\"\nregistry = \"{base}\"\n\
             [in_use]\naccept_none = true\n[http]\nlisten = \"{listen}\"\n[log]\nfilter = \"warn\"\n",
            tenancy.compartment(),
            server.metadata_base(),
        );
        std::fs::write(folder.join("ocird.toml"), config)?;
        Ok(Self { directory, listen })
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("ocird.toml")
    }
}

/// The daemon under measurement.
struct Daemon {
    process: Child,
    started: Instant,
    client: reqwest::Client,
    base: String,
}

impl Daemon {
    fn start(binary: &Path, files: &Files) -> anyhow::Result<Self> {
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
    async fn until(&self, path: &str) -> anyhow::Result<Duration> {
        while self.started.elapsed() < PATIENCE {
            let answer = self.client.get(format!("{}{path}", self.base)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(self.started.elapsed());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        anyhow::bail!("{path} never answered")
    }

    async fn metrics(&self) -> anyhow::Result<String> {
        let answer = self.client.get(format!("{}/metrics", self.base)).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    /// Asks for a pass and answers how long it took by the daemon's own clock, in seconds.
    async fn pass(&self) -> anyhow::Result<f64> {
        let before = figure(&self.metrics().await?, "ocird_last_pass_end_timestamp_seconds");
        self.signal("USR1")?;
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            let metrics = self.metrics().await?;
            if figure(&metrics, "ocird_last_pass_end_timestamp_seconds") > before {
                return Ok(figure(&metrics, "ocird_last_pass_duration_seconds"));
            }
            tokio::time::sleep(LOOK_EVERY * 50).await;
        }
        anyhow::bail!("the pass never ended")
    }

    fn peak_memory(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0)
    }

    fn signal(&self, name: &str) -> anyhow::Result<()> {
        let status = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status()?;
        ensure!(status.success(), "the daemon is gone");
        Ok(())
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        self.signal("TERM")?;
        let status = tokio::task::spawn_blocking(move || self.process.wait()).await??;
        ensure!(status.success(), "the daemon ended with {status}");
        Ok(())
    }
}

/// The value of a sample without labels.
fn figure(metrics: &str, name: &str) -> f64 {
    metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
        .unwrap_or(f64::NAN)
}

/// Keeps the tenancy's clock in step with the real one, which the released binary goes by.
async fn keep_time(tenancy: Tenancy) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        tenancy.clock().advance_to(real_time());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tenancy follows the clock that the released binary goes by"
)]
fn real_time() -> DateTime<Utc> {
    SystemTime::now().into()
}
