//! A tenancy in the present, with the files of its daemon. The tenancy begins some days ago; where a test wants images
//! to be due, an engine in this process observes through those days and so fills the store with marks older than the
//! grace. Then the tenancy's clock is put to the real time and kept in step with it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ocird::cli::{Assembled, assemble};
use ocird::clock::SystemClock;
use ocird::config;
use ocird::pass::Purpose;
use ocird_model::{Clock as _, ImageId, OutcomeKind, RepositoryName};
use ocird_sim::http::{Options, Server};
use ocird_sim::manifest::Platform;
use ocird_sim::workload::PullPolicy;
use ocird_sim::{Build, NewRepository, Oracle, Reference, Settings, Tenancy};
use ocird_store::{BatchEnd, Store};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::process::{Daemon, Ended, ocird, run, until};
use crate::tap::{AskedDeletion, Tap};

/// The repositories, each with the same number of images.
const REPOSITORIES: [&str; 2] = ["web-shop", "web-docs"];

/// A schedule that does not come while a test runs.
pub(crate) const NEVER: &str = "0 0 1 1 *";

/// The shortest schedule there is.
pub(crate) const EACH_MINUTE: &str = "* * * * *";

/// So few images that all of them may go at once but those of the floor.
const FEW: usize = 12;

/// Clean batches after which a store is trusted: more than the ramp has steps.
const N_RAMP: u32 = 3;

/// The policy of the tests: builds go after a day, and the floor keeps three of each repository.
pub(crate) const POLICY: &str = r#"project = "web"
repositories = ["web-*"]

[[keep]]
name = "channels"
tags = ["latest"]

[[delete]]
name = "builds after a day"
tagged = true
older_than = "1d"
"#;

/// What differs between the worlds of the tests.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// Images per repository.
    pub(crate) n_images: usize,
    /// `enforce` with both switches, or `report`.
    pub(crate) armed: bool,
    /// When the daemon acts, in cron. It never observes by schedule here.
    pub(crate) enforce: &'static str,
    /// Lines of the table `[log]`.
    pub(crate) log: &'static str,
    /// The cloud is not there: nobody listens at its address.
    pub(crate) unreachable: bool,
}

impl Default for Setting {
    fn default() -> Self {
        let log = "format = \"json\"\n";
        Self { n_images: 8, armed: false, enforce: NEVER, log, unreachable: false }
    }
}

/// A tenancy and the files of its daemon.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) tenancy: Tenancy,
    pub(crate) server: Server,
    pub(crate) tap: Tap,
    pub(crate) directory: TempDir,
    setting: Setting,
    /// Where the pages are.
    listen: SocketAddr,
    /// Keeps the tenancy's clock in step.
    pacer: Option<JoinHandle<()>>,
}

/// What the journal of a state directory says of one intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) image: ImageId,
    pub(crate) intended_at: DateTime<Utc>,
    /// `None` while it is open.
    pub(crate) outcome: Option<OutcomeKind>,
}

impl World {
    /// A world in which nobody has looked yet.
    pub(crate) async fn new(setting: Setting) -> Self {
        let mut world = Self::in_the_past(setting).await;
        world.keep_time();
        world
    }

    /// A world whose store has marks that are due: everything but the newest three of each repository.
    pub(crate) async fn with_due_images(setting: Setting) -> Self {
        let mut world = Self::in_the_past(setting).await;
        world.pass_in_process(&[0, 40, 40]).await;
        world.tenancy.clock().advance(TimeDelta::minutes(30));
        world.keep_time();
        world
    }

    async fn in_the_past(setting: Setting) -> Self {
        let start = real_time() - TimeDelta::days(4);
        let tenancy = Tenancy::new(Settings { start, ..Settings::default() });
        fill(&tenancy, setting.n_images);
        let server = Server::start(tenancy.clone(), Options::default()).unwrap();
        let tap = Tap::open(server.base_url().trim_start_matches("http://").parse().unwrap()).await;
        let directory = tempfile::Builder::new().prefix("ocird-it-").tempdir().unwrap();
        let listen = free_address();
        let world = Self { tenancy, server, tap, directory, setting, listen, pacer: None };
        for folder in ["policies.d", "in-use", "state"] {
            std::fs::create_dir(world.path(folder)).unwrap();
        }
        world.write_policy(&policy(world.setting.n_images));
        std::fs::write(world.config_file(), world.config_text(listen)).unwrap();
        world.tenancy.clock().advance(TimeDelta::days(3));
        world.collect();
        world
    }

    /// Puts the ramp behind the store (S-20), as after some days of clean deletions: batches are as large as a pass may take.
    pub(crate) async fn trust_the_store(&self) {
        let store = Store::open(&self.state_dir(), real_time()).await.unwrap();
        for _ in 0..N_RAMP {
            store.begin_batch(real_time()).await.unwrap();
            store.end_batch(BatchEnd::Proved, real_time()).await.unwrap();
        }
        store.close().await;
    }

    /// Observing passes of an engine in this process, each so many minutes of the tenancy's clock after the one
    /// before.
    pub(crate) async fn pass_in_process(&mut self, minutes: &[i64]) {
        self.stop_time();
        let clock = self.tenancy.clock().view(TimeDelta::zero());
        let config = config::load(&self.config_file()).unwrap();
        let Assembled { mut engine, shown: _ } = assemble(&config, clock).unwrap();
        for pause in minutes {
            self.tenancy.clock().advance(TimeDelta::minutes(*pause));
            engine.pass(Purpose::Observe, &CancellationToken::new()).await.unwrap();
        }
        engine.close().await;
    }

    /// Puts the tenancy's clock to the real time and keeps it there.
    fn keep_time(&mut self) {
        let tenancy = self.tenancy.clone();
        tenancy.clock().advance_to(real_time());
        self.collect();
        self.pacer = Some(tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(10));
            loop {
                ticks.tick().await;
                tenancy.clock().advance_to(real_time());
            }
        }));
    }

    fn stop_time(&mut self) {
        if let Some(pacer) = self.pacer.take() {
            pacer.abort();
        }
    }

    /// The host writes what it runs.
    fn collect(&self) {
        self.tenancy.write_in_use(&self.path("in-use/milan-1.json"), "milan-1").unwrap();
    }

    /// Where the pages are.
    pub(crate) const fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// A path in the folder of the daemon's files.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The state directory.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.path("state")
    }

    /// The configuration file.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.path("ocird.toml")
    }

    /// Names the host that must have written what it runs, as a configuration should.
    pub(crate) fn expect_the_host(&self) {
        let config = std::fs::read_to_string(self.config_file()).unwrap();
        let expecting = config.replace("[http]", "expect = [\"milan-1\"]\n\n[http]");
        std::fs::write(self.config_file(), expecting).unwrap();
    }

    /// Replaces the one policy.
    pub(crate) fn write_policy(&self, text: &str) {
        std::fs::write(self.path("policies.d/web.toml"), text).unwrap();
    }

    /// The binary with this world's configuration.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = ocird(&self.config_file());
        command.args(arguments);
        command
    }

    /// Runs the binary to its end.
    pub(crate) async fn ocird(&self, arguments: &[&str]) -> Ended {
        run(self.command(arguments)).await
    }

    /// Starts the daemon.
    pub(crate) fn start(&self) -> Daemon {
        self.start_as(self.command(&["run"]))
    }

    /// Starts the daemon by a command that was changed.
    pub(crate) fn start_as(&self, command: Command) -> Daemon {
        Daemon::start(command, format!("http://{}", self.listen), self.path("log"))
    }

    /// Starts a second daemon on the same state directory, with pages of its own.
    pub(crate) fn start_second(&self) -> Daemon {
        let listen = free_address();
        let config = self.path("second.toml");
        std::fs::write(&config, self.config_text(listen)).unwrap();
        let mut command = ocird(&config);
        command.arg("run");
        Daemon::start(command, format!("http://{listen}"), self.path("second-log"))
    }

    /// Waits until a process has asked for so many deletions.
    pub(crate) async fn deletions_of(&self, process: &mut Daemon, n: usize) {
        let n = self.tap.asked().len() + n;
        let are_asked = async |process: &mut Daemon| {
            let is_over = process.has_ended() && self.tap.asked().len() < n;
            assert!(!is_over, "it ended before it had deleted {n}: {}", process.log());
            (self.tap.asked().len() >= n).then_some(())
        };
        until("a deletion", async || are_asked(&mut *process).await).await;
    }

    /// The journal as it is on the disk, read from a copy: the next start of the binary is to find what this one left.
    /// Opening the copy checks it from end to end.
    pub(crate) async fn journal(&self) -> Vec<Entry> {
        Self::journal_in(&self.state_dir()).await
    }

    /// The journal of a store elsewhere, read from a copy too.
    pub(crate) async fn journal_in(state_dir: &Path) -> Vec<Entry> {
        let copy = tempfile::tempdir().unwrap();
        copy_files(state_dir, copy.path());
        let store = Store::open(copy.path(), real_time()).await.expect("the store is sound");
        assert!(!store.is_new(), "a kill lost the store");
        let open = store.open_intents().await.unwrap().into_iter().map(|open| Entry {
            image: open.intent.image,
            intended_at: open.intended_at,
            outcome: None,
        });
        let settled = store.recent_outcomes(u32::MAX).await.unwrap().into_iter().map(|settled| Entry {
            image: settled.image,
            intended_at: settled.intended_at,
            outcome: Some(settled.outcome.kind),
        });
        let journal = open.chain(settled).collect();
        store.close().await;
        journal
    }

    /// Holds everything that was asked of the cloud against the journal: each DELETE has its intent, committed before
    /// it came, and no intent was asked for twice; nothing was deleted that is needed.
    pub(crate) fn check_deletions(&self, journal: &[Entry]) {
        check_asked(&self.tap.asked(), journal);
        for deletion in self.tenancy.deletions() {
            assert!(journal.iter().any(|entry| entry.image == deletion.image), "{deletion:?} has no intent");
        }
        self.check_needed();
    }

    /// Nothing was deleted that is needed, by the tenancy's own ground truth.
    pub(crate) fn check_needed(&self) {
        assert_eq!(self.tenancy.violations(), []);
        assert_eq!(Oracle::check(&self.tenancy), []);
    }

    fn config_text(&self, listen: SocketAddr) -> String {
        let (settings, compartment) = (self.tenancy.settings(), self.tenancy.compartment());
        let base =
            if self.setting.unreachable { format!("http://{}", free_address()) } else { self.tap.base_url() };
        let mode = if self.setting.armed { "enforce" } else { "report" };
        let Setting { enforce, log, .. } = &self.setting;
        format!(
            "mode = \"{mode}\"\nstate_dir = \"state\"\npolicies_dir = \"policies.d\"\n\n\
             [armed_for]\ntenancy = \"{}\"\nregion = \"{}\"\ncompartments = [\"{compartment}\"]\n\
             metadata = \"own_instance\"\nrestore = \"permitted\"\n\n\
             [oci]\ncompartments = [\"{compartment}\"]\n\n\
             [oci.endpoints]\nmetadata = \"{base}/opc/v2\"\nauth = \"{base}\"\nartifacts = \"{base}\"\n\
             registry = \"{base}\"\n\n\
             [schedule]\nobserve = \"{NEVER}\"\nenforce = \"{enforce}\"\n\n\
             [guardrails]\ngrace = \"1h\"\n\n\
             [limits]\nmax_per_pass = 1000\nmax_per_day = 60000\n\n\
             [in_use]\nown_image = \"localhost/ocird\"\n\n\
             [[in_use.files]]\npath = \"in-use/*.json\"\nrepositories = [\"*\"]\n\n\
             [http]\nlisten = \"{listen}\"\n\n\
             [log]\n{log}",
            settings.tenancy, settings.region,
        )
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop_time();
    }
}

/// The policy for so many images in each repository. Of many, half stay: more at once would be refused as a whole (S-19).
fn policy(n_images: usize) -> String {
    if n_images <= FEW {
        return POLICY.to_owned();
    }
    let newest = n_images / 2 + 1;
    format!("{POLICY}\n[[keep]]\nname = \"the newer half\"\nnewest = {newest}\n")
}

/// Fills the repositories, a minute between two pushes. Each fourth image is for two platforms, so that families are
/// among them; the first, which is the oldest, runs.
fn fill(tenancy: &Tenancy, n_images: usize) {
    tenancy.add_host("milan-1", Platform::Arm64, PullPolicy::Always);
    for name in REPOSITORIES {
        let name: RepositoryName = name.parse().unwrap();
        tenancy.create_repository(NewRepository::private(name.clone(), tenancy.compartment())).unwrap();
        for number in 0..n_images {
            let build = Build::small(&format!("{name} {number}"));
            let build = if number % 4 == 3 { build } else { build.single() };
            let tag = format!("b{number}").parse().unwrap();
            tenancy.push(&name, &build, &[tag], "ci").unwrap();
            tenancy.clock().advance(TimeDelta::minutes(1));
        }
        let first = Reference::Tag("b0".parse().unwrap());
        tenancy.deploy("milan-1", name.as_str(), &name, first).unwrap();
    }
}

/// Holds deletions that were asked for against a journal: each has an intent of its own, committed before it came.
pub(crate) fn check_asked(asked: &[AskedDeletion], journal: &[Entry]) {
    let mut intents: BTreeMap<&ImageId, Vec<DateTime<Utc>>> = BTreeMap::new();
    for entry in journal {
        intents.entry(&entry.image).or_default().push(entry.intended_at);
    }
    for times in intents.values_mut() {
        times.sort();
    }
    for asked in asked {
        let times = intents.get_mut(&asked.image).filter(|times| !times.is_empty());
        let times = times.unwrap_or_else(|| panic!("{asked:?} has no intent of its own"));
        let intended_at = times.remove(0);
        assert!(intended_at <= asked.at, "{asked:?} came before its intent of {intended_at}");
    }
}

/// Copies the files of one folder into another. The index of the write-ahead log is not one of them: it is memory, that is
/// made anew, and lost with the machine.
pub(crate) fn copy_files(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() && !entry.file_name().to_str().unwrap().ends_with("-shm") {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Removes everything from a folder but what is named so.
pub(crate) fn empty_but(folder: &Path, stays: &[&str]) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let (path, is_dir) = entry.map(|entry| (entry.path(), entry.file_type().unwrap().is_dir())).unwrap();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| stays.contains(&name)) {
            continue;
        }
        let removed = if is_dir { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        removed.unwrap();
    }
}

/// An address of loopback that nobody listens on.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// The time that the binary goes by.
fn real_time() -> DateTime<Utc> {
    SystemClock::new().now()
}

/// Every file in a folder with its content. A socket has none.
pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file()).map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}
