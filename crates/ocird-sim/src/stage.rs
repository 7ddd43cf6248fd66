//! The stage: a tenancy over HTTP with CI life in it, hosts that write what they run, and the real daemon, configured
//! by real files, on the tenancy's clock. The demo and the end-to-end tests play on it.
//!
//! No time passes but the tenancy's. The daemon runs while its clock stands still; when it sleeps, the clock moves to
//! whatever comes first: the next event, the next writing of a host, or the instant the daemon waits for.

use std::collections::BTreeSet;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use ocird::cli::{Assembled, assemble};
use ocird::cloud::post_counts;
use ocird::config::{self, Config};
use ocird::daemon::{self, Daemon, Shown, Wires};
use ocird::metrics::Metrics;
use ocird::pass::{Engine, Survey, first_status};
use ocird::status::Board;
use ocird_model::{Clock as _, ReadRegistry, WriteRegistry};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::ci::{Event, Generator, Knobs};
use crate::clock::ClockView;
use crate::face::{Face, FaceWriter};
use crate::http::{Options, Server};
use crate::settings::Settings;
use crate::tenancy::Tenancy;

/// How often a host writes what it runs, as the timer of `ocird collect` does.
const COLLECT_EVERY: TimeDelta = TimeDelta::minutes(10);

/// The policies of the two teams, as they are delivered.
const POLICIES: [(&str, &str); 2] = [
    ("mgh.toml", include_str!("../../../deploy/policies.d/mgh.toml")),
    ("todo.toml", include_str!("../../../deploy/policies.d/todo.toml")),
];

/// Memory as a file system, where there is one.
const MEMORY: &str = "/dev/shm";

/// What is played.
#[derive(Debug, Clone)]
pub struct Play {
    /// The tenancy.
    pub settings: Settings,
    /// Its life.
    pub knobs: Knobs,
    /// How its HTTP face behaves.
    pub options: Options,
    /// The files of `policies.d`, by name and text.
    pub policies: Vec<(String, String)>,
    /// Days of life before the daemon first looks.
    pub backlog_days: u32,
    /// `enforce` with both switches, or `report`.
    pub armed: bool,
    /// When the daemon looks, in cron.
    pub observe: String,
    /// When it acts, in cron.
    pub enforce: String,
    /// Where its pages are; port 0 takes a free one.
    pub listen: String,
    /// More tables of the configuration file, such as `[findings]`.
    pub tables: String,
    /// What its files lie on.
    pub medium: Medium,
}

/// What a stage's files lie on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// Memory, where there is such a file system: what is thrown away at the end needs no disk, and a sync costs nothing.
    Memory,
    /// The disk of temporary files, for what is measured: a store that is moved there afterwards has lost its marks (S-29).
    Disk,
}

impl Default for Play {
    /// Both teams under the delivered policies, armed, a pass every hour.
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            knobs: Knobs::default(),
            // The real token lives 20 minutes, and each new one costs a new RSA key, which is most of what a pass costs.
            options: Options { token_lifetime: TimeDelta::hours(6), ..Options::default() },
            policies: POLICIES.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
            backlog_days: 0,
            armed: true,
            observe: "0 * * * *".to_owned(),
            enforce: "30 * * * *".to_owned(),
            listen: "127.0.0.1:0".to_owned(),
            tables: String::new(),
            medium: Medium::Memory,
        }
    }
}

/// A tenancy, its life and the files of its daemon.
#[derive(Debug)]
pub struct Stage {
    /// The tenancy with its ground truth.
    pub tenancy: Tenancy,
    /// Its HTTP face.
    pub server: Server,
    /// Its life.
    pub generator: Generator,
    /// The daemon's view of the clock; its wall time can be put off.
    pub clock: ClockView,
    /// Whether the hosts' timers run. When they stand still, the reference files grow old.
    pub hosts: Timers,
    directory: TempDir,
    listen: String,
    host_names: BTreeSet<String>,
}

/// Whether the hosts write what they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timers {
    /// They do.
    Run,
    /// They do not.
    StandStill,
}

/// The daemon in its own task.
#[derive(Debug)]
pub struct Running {
    /// What it shows.
    pub shown: Shown,
    /// What wakes, reloads and stops it.
    pub wires: Wires,
    /// The base URL of its pages.
    pub url: String,
    daemon: JoinHandle<()>,
    pages: JoinHandle<io::Result<()>>,
}

impl Stage {
    /// Sets everything up. Nothing has been looked at yet. Must be called within a tokio runtime.
    pub fn open(play: Play) -> anyhow::Result<Self> {
        let Play {
            settings,
            knobs,
            options,
            policies,
            backlog_days,
            armed,
            observe,
            enforce,
            listen,
            tables,
            medium,
        } = play;
        let tenancy = Tenancy::new(settings);
        let mut generator = Generator::new(knobs, &tenancy)?;
        generator.seed_backlog(&tenancy, backlog_days);
        let server = Server::start(tenancy.clone(), options)?;
        let clock = tenancy.clock().view(TimeDelta::zero());
        let mut stage = Self {
            tenancy,
            server,
            generator,
            clock,
            hosts: Timers::Run,
            directory: scratch(medium)?,
            listen,
            host_names: BTreeSet::new(),
        };
        stage.write_files(&policies, &stage.config_text(armed, &observe, &enforce, &tables))?;
        stage.collect()?;
        Ok(stage)
    }

    /// The folder with the daemon's files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.directory().join("ocird.toml")
    }

    /// The state directory.
    pub fn state_dir(&self) -> PathBuf {
        self.directory().join("state")
    }

    /// The folder of reference files.
    pub fn in_use_dir(&self) -> PathBuf {
        self.directory().join("in-use")
    }

    /// Reads the configuration.
    pub fn config(&self) -> anyhow::Result<Config> {
        Ok(config::load(&self.config_file())?)
    }

    /// The daemon's parts, for tests that step passes themselves.
    pub fn assemble(&self) -> anyhow::Result<Assembled<ClockView>> {
        Ok(assemble(&self.config()?, self.clock.clone())?)
    }

    /// Starts the daemon: engine, schedule and pages.
    ///
    /// # Errors
    /// The configuration is wrong, or its address is taken.
    pub fn start(&self) -> anyhow::Result<Running> {
        let Assembled { engine, shown } = self.assemble()?;
        self.run(engine, shown, post_counts)
    }

    /// Starts the daemon on the in-process face: the same daemon without bytes and signatures, and so much faster.
    ///
    /// # Errors
    /// The configuration is wrong, or its address is taken.
    pub fn start_in_process(&self) -> anyhow::Result<Running> {
        let (engine, shown) = self.assemble_in_process()?;
        self.run(engine, shown, |_, _| {})
    }

    /// The daemon's parts on the in-process face.
    fn assemble_in_process(&self) -> anyhow::Result<(Engine<Face, FaceWriter, ClockView>, Shown)> {
        let face = Face::new(self.tenancy.clone(), self.clock.clone());
        let (writer, restorer) = (face.writer(), Arc::new(face.restorer()));
        let board = Board::new(first_status("on stage".to_owned(), self.clock.now()));
        let survey = Survey::new(self.config()?, face);
        let engine = Engine::new(survey, writer, self.clock.clone(), board.clone()).with_restorer(restorer);
        let shown = Shown::new(board, engine.store().past());
        Ok((engine, shown))
    }

    fn run<R, W>(
        &self,
        engine: Engine<R, W, ClockView>,
        shown: Shown,
        after_pass: fn(&R, &Metrics),
    ) -> anyhow::Result<Running>
    where
        R: ReadRegistry + 'static,
        W: WriteRegistry + 'static,
    {
        let config = self.config()?;
        let listener =
            TcpListener::bind(&self.listen).with_context(|| format!("cannot listen on {}", self.listen))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let wires = Wires::default();
        let pages = tokio::spawn({
            let (config, shown, clock, stop) =
                (config.clone(), shown.clone(), self.clock.clone(), wires.stop.clone());
            async move { daemon::serve(listener, &config, shown, clock, stop).await }
        });
        let daemon = Daemon::new(engine, config, self.clock.clone(), shown.clone(), wires.clone());
        let daemon = tokio::spawn(daemon.run(after_pass));
        Ok(Running { shown, wires, url, daemon, pages })
    }

    /// Lets time pass until `end`, and tells what happens. Returns when the daemon sleeps again.
    ///
    /// # Errors
    /// A reference file cannot be written.
    pub async fn live_until(&mut self, end: DateTime<Utc>, mut tell: impl FnMut(&Event)) -> io::Result<()> {
        loop {
            self.tenancy.clock().wait_until_sleeping().await;
            let wakes_at = self.tenancy.clock().next_deadline().unwrap_or(end).min(end);
            let next = self.generator.next_event_at().unwrap_or(end).min(wakes_at);
            self.collect_before(next, wakes_at)?;
            self.tenancy.clock().advance_to(next);
            self.generator.step(&self.tenancy).iter().for_each(&mut tell);
            if next >= end {
                self.tenancy.clock().wait_until_sleeping().await;
                return Ok(());
            }
        }
    }

    /// Lets time pass until `end` while no daemon runs, and tells what happens.
    ///
    /// # Errors
    /// A reference file cannot be written.
    pub fn live_without_daemon_until(
        &mut self,
        end: DateTime<Utc>,
        mut tell: impl FnMut(&Event),
    ) -> io::Result<()> {
        while let Some(next) = self.generator.next_event_at().filter(|next| *next < end) {
            self.tenancy.clock().advance_to(next);
            self.generator.step(&self.tenancy).iter().for_each(&mut tell);
        }
        self.collect_before(end, end)?;
        self.tenancy.clock().advance_to(end);
        Ok(())
    }

    /// The hosts write at each tick of their timer. Of several ticks before the daemon looks, only the last can be
    /// seen, so only that one is written.
    fn collect_before(&mut self, next: DateTime<Utc>, wakes_at: DateTime<Utc>) -> io::Result<()> {
        let last_tick = next.duration_trunc(COLLECT_EVERY).expect("ten minutes divide every day");
        if self.hosts == Timers::Run && next == wakes_at && last_tick > self.tenancy.now() {
            self.tenancy.clock().advance_to(last_tick.min(next - TimeDelta::seconds(1)));
            self.collect()?;
        }
        Ok(())
    }

    /// Every host writes what it runs.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn collect(&mut self) -> io::Result<()> {
        self.host_names.extend(self.tenancy.workloads().into_iter().map(|workload| workload.host));
        for host in &self.host_names {
            self.tenancy.write_in_use(&self.reference_file(host), host)?;
        }
        Ok(())
    }

    /// The file in which a host writes what it runs.
    pub fn reference_file(&self, host: &str) -> PathBuf {
        self.in_use_dir().join(format!("{host}.json"))
    }

    /// Puts a file into `policies.d`, or another text into one that is there. The daemon reads it when it is told to.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_policy(&self, name: &str, text: &str) -> io::Result<()> {
        std::fs::write(self.directory().join("policies.d").join(name), text)
    }

    fn write_files(&self, policies: &[(String, String)], config: &str) -> anyhow::Result<()> {
        for folder in ["policies.d", "in-use", "state"] {
            std::fs::create_dir_all(self.directory().join(folder))?;
        }
        for (name, text) in policies {
            self.write_policy(name, text)?;
        }
        std::fs::write(self.config_file(), config)?;
        Ok(())
    }

    fn config_text(&self, armed: bool, observe: &str, enforce: &str, tables: &str) -> String {
        let settings = self.tenancy.settings();
        let compartment = self.tenancy.compartment();
        let listen = if self.listen.ends_with(":0") { "127.0.0.1:6247" } else { &self.listen };
        let (mode, armed_for) = if armed {
            let switch = format!(
                "[armed_for]\ntenancy = \"{}\"\nregion = \"{}\"\ncompartments = [\"{compartment}\"]\n\
                 metadata = \"own_instance\"\nrestore = \"permitted\"\n",
                settings.tenancy, settings.region
            );
            ("enforce", switch)
        } else {
            ("report", String::new())
        };
        format!(
            "mode = \"{mode}\"\nstate_dir = \"state\"\npolicies_dir = \"policies.d\"\n{armed_for}\
             [store]\nmin_free = \"1MB\"\n[oci]\nauth = \"instance_principal\"\ncompartments = [\"{compartment}\"]\n\
             [oci.endpoints]\nmetadata = \"{}\"\nauth = \"{base}\"\nartifacts = \"{base}\"\nregistry = \"{base}\"\n\
             [schedule]\nobserve = \"{observe}\"\nenforce = \"{enforce}\"\n\
             [in_use]\nown_image = \"localhost/ocird\"\n\
             [[in_use.files]]\npath = \"in-use/*.json\"\nrepositories = [\"*\"]\n\
             [http]\nlisten = \"{listen}\"\n{tables}",
            self.server.metadata_base(),
            base = self.server.base_url(),
        )
    }
}

/// A folder of its own that is gone when dropped.
fn scratch(medium: Medium) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("ocird-stage-");
    if medium == Medium::Memory && Path::new(MEMORY).is_dir() {
        builder.tempdir_in(MEMORY)
    } else {
        builder.tempdir()
    }
}

impl Running {
    /// Stops the daemon as SIGTERM would, and waits for its end.
    ///
    /// # Errors
    /// The daemon or its pages failed.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.wires.stop.cancel();
        self.daemon.await.context("the daemon failed")?;
        self.pages.await.context("the pages failed")?.context("the pages failed")
    }
}
