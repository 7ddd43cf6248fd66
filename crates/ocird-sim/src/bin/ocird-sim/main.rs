//! Serves a simulated tenancy over HTTP until it is interrupted, for the official SDK and command line, for Docker's
//! clients, and for ocird itself: `cargo run --package ocird-sim -- serve`.
//!
//! The tenancy's clock follows the real one, since real clients know no other. What is pushed is pushed before the
//! start; only the clients change anything afterwards. `fates` lives through many simulated lives instead.

mod fates;

use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Parser, Subcommand};
use ocird_sim::ci::{Generator, Knobs, Team};
use ocird_sim::http::{Comparable, Options, Recorded, Server};
use ocird_sim::{Fault, Operation, Settings, Tenancy, When, sample};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::MissedTickBehavior;

/// A policy for some of the repositories of the sample.
const POLICY: &str = r#"project = "mgh"
repositories = ["mgh-*"]

[[keep]]
name = "five newest"
newest = 5

[[delete]]
name = "beyond them"
tagged = true
"#;

/// How often the tenancy's clock is set.
const TICK: Duration = Duration::from_millis(200);

/// A simulated tenancy of Oracle's cloud, as far as its container registry goes.
#[derive(Debug, Parser)]
#[command(name = "ocird-sim", max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves metadata service, sign-in, Artifacts API, identity service and registry on one port.
    ///
    /// Prints what points the official SDK and command line at it, as lines that a shell can evaluate, and serves until
    /// it is interrupted or terminated. Nothing outside this machine is spoken to.
    Serve(Serve),
    /// Prints a record of `serve --record` without what differs from one run to the next, as one JSON array: what two
    /// clients send can be compared by it.
    Compare {
        /// The record.
        file: PathBuf,
    },
    /// Lives through fates: the whole pass, store included, in a random tenancy under misfortune of every kind, in virtual
    /// time, each from one seed that replays it exactly. Prints the figures; fails when a law was broken.
    Fates(fates::Fates),
}

#[derive(Debug, clap::Args)]
struct Serve {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Seed of everything that is invented; the same seed makes the same tenancy.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Fill the tenancy with the past of this team instead of the sample; may be given twice. Its layers are made up and
    /// cannot be pulled; those of the sample can.
    #[arg(long, value_parser = team, value_name = "mgh|todo")]
    team: Vec<Team>,
    /// Days of past that a team has.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Write every request into this file, one line of JSON each: method, target, headers, body, its digest, status.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Where to write profiles with a new API key (DEFAULT) and a new session (SESSION), and an `ocird.toml` with a
    /// policy. Without it they go into a temporary directory that is removed at the end.
    #[arg(long, value_name = "DIR")]
    profile_dir: Option<PathBuf>,
    /// Stumble once over each of what every client gets over by itself: a 429 at the first list of repositories, and a
    /// 401 at the first read of one.
    #[arg(long)]
    stumble: bool,
}

fn team(text: &str) -> Result<Team, String> {
    match text {
        "mgh" => Ok(Team::Mgh),
        "todo" => Ok(Team::Todo),
        _ => Err("the teams are mgh and todo".to_owned()),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Args::parse().command {
        Command::Serve(serve) => serve.run().await,
        Command::Compare { file } => compare(&file),
        Command::Fates(fates) => fates.run(),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed standard error leaves nobody to tell.
            drop(writeln!(io::stderr(), "ocird-sim: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

impl Serve {
    async fn run(&self) -> anyhow::Result<()> {
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        let tenancy = self.tenancy()?;
        let (record, recorded) = unbounded_channel();
        let log = match &self.record {
            Some(path) => {
                let file = std::fs::File::create(path).with_context(|| path.display().to_string())?;
                Some(tokio::task::spawn_blocking(move || write_down(recorded, BufWriter::new(file))))
            }
            None => None,
        };
        let options = Options { record: log.is_some().then_some(record), ..Options::default() };
        let server = Server::start_at(tenancy.clone(), options, self.listen)
            .with_context(|| format!("cannot listen on {}", self.listen))?;
        let scratch = tempfile::Builder::new().prefix("ocird-sim-").tempdir()?;
        let directory = self.profile_dir.as_deref().unwrap_or(scratch.path());
        print(&lines(&server, &tenancy, directory)?)?;
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
            () = keep_time(&tenancy) => {}
        }
        server.stop().await;
        match log {
            Some(log) => log.await?.context("the record could not be written"),
            None => Ok(()),
        }
    }

    fn tenancy(&self) -> anyhow::Result<Tenancy> {
        let now = real_time();
        let tenancy = if self.team.is_empty() {
            let tenancy = Tenancy::new(sample::settings(self.seed, now));
            sample::furnish(&tenancy)?;
            tenancy
        } else {
            let start = now - TimeDelta::days(i64::from(self.days));
            let tenancy = Tenancy::new(Settings { seed: self.seed, start, ..Settings::default() });
            let knobs = Knobs { seed: self.seed, teams: self.team.clone(), ..Knobs::default() };
            Generator::new(knobs, &tenancy)?.seed_backlog(&tenancy, self.days);
            tenancy
        };
        if self.stumble {
            let throttled = Fault::status(429, "TooManyRequests");
            tenancy.inject(Operation::ListContainerRepositories, When::Call(1), throttled);
            let unknown = Fault::status(401, "NotAuthenticated");
            tenancy.inject(Operation::GetContainerRepository, When::Call(1), unknown);
        }
        Ok(tenancy)
    }
}

fn compare(file: &Path) -> anyhow::Result<()> {
    let record = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let requests: Result<Vec<Recorded>, _> = record.lines().map(serde_json::from_str).collect();
    let comparable: Vec<Comparable> = requests?.iter().map(Comparable::from).collect();
    print(&format!("{}\n", serde_json::to_string_pretty(&comparable)?))?;
    Ok(())
}

/// What a shell, and a reader, need to know.
fn lines(server: &Server, tenancy: &Tenancy, directory: &Path) -> anyhow::Result<String> {
    std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    let profiles = server.write_profiles(sample::USER, directory)?;
    let toml = directory.join("ocird.toml");
    std::fs::write(&toml, ocird_toml(server, tenancy))?;
    for folder in ["policies.d", "state"] {
        std::fs::create_dir_all(directory.join(folder))?;
    }
    std::fs::write(directory.join("policies.d/mgh.toml"), POLICY)?;
    let settings = tenancy.settings();
    let host = server.base_url().replace("http://", "");
    Ok(format!(
        "{environment}\
         export OCI_CLI_CONFIG_FILE=\"{profiles}\"   # profiles DEFAULT (--auth api_key) and SESSION (--auth security_token)\n\
         export OCI_CONFIG_FILE=\"{profiles}\"       # the same for the SDK\n\
         export TENANCY={tenancy}\n\
         export COMPARTMENT={compartment}\n\
         export OCI_USER={user}\n\
         export REGISTRY={host}/{namespace}\n\
         export OCIRD_CONFIG=\"{toml}\"  # read by `ocird plan` and every other command\n\
         # skopeo inspect --tls-verify=false --creds \"BEARER_TOKEN:$TOKEN\" docker://$REGISTRY/mgh-website:v1\n\
         # Serving until interrupted.\n",
        environment = server.environment(),
        profiles = profiles.display(),
        tenancy = settings.tenancy,
        compartment = tenancy.compartment(),
        user = sample::USER,
        namespace = settings.namespace,
        toml = toml.display(),
    ))
}

/// A configuration of the daemon for this tenancy: reports only, and knows of nothing that is in use.
fn ocird_toml(server: &Server, tenancy: &Tenancy) -> String {
    format!(
        "mode = \"report\"\nstate_dir = \"state\"\npolicies_dir = \"policies.d\"\n\n\
         [oci]\nauth = \"instance_principal\"\ncompartments = [\"{compartment}\"]\n\n\
         [oci.endpoints]\nmetadata = \"{metadata}\"\nauth = \"{base}\"\nartifacts = \"{base}\"\nregistry = \"{base}\"\nidentity = \"{base}\"\n\n\
         [in_use]\naccept_none = true\n",
        compartment = tenancy.compartment(),
        metadata = server.metadata_base(),
        base = server.base_url(),
    )
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes requests down as they come, until the server is gone.
fn write_down(mut recorded: UnboundedReceiver<Recorded>, mut file: impl Write) -> io::Result<()> {
    while let Some(request) = recorded.blocking_recv() {
        serde_json::to_writer(&mut file, &request)?;
        writeln!(file)?;
        // Whoever reads along sees whole lines.
        file.flush()?;
    }
    Ok(())
}

async fn keep_time(tenancy: &Tenancy) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        tenancy.clock().advance_to(real_time());
    }
}

#[expect(clippy::disallowed_methods, reason = "real clients sign with the real time")]
fn real_time() -> DateTime<Utc> {
    SystemTime::now().into()
}
