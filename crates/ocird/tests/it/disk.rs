//! Disks that fail while the real binary deletes, and while it serves (S-28): a full one, one that cannot be written, one
//! whose syncs fail. Whatever happens: no deletion without its intent, none after the first write of the journal that
//! failed, a daemon that serves and says why, and once the disk is well again everything left open is settled.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ocird::clock::SystemClock;
use ocird_model::Clock as _;
use tokio::process::Command;

use crate::cave::{Cave, say_what_is_used};
use crate::kills::settle;
use crate::process::Daemon;
use crate::shim::Shim;
use crate::tap::Deletions;
use crate::world::{Setting, World};

/// More deletions than can come before a disk breaks that breaks at the first; there are many more to come.
const N_BROKEN: usize = 10;

/// Room of the small disk.
const ROOM: &str = "24m";

/// How long the answer to a deletion takes: time enough to break something.
const ANSWER: Duration = Duration::from_millis(400);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_deletion_and_nothing_else() {
    let world = world().await;
    let Some(cave) = Cave::dig(&world.state_dir(), ROOM).await else {
        say_what_is_used(
            "no file system can be mounted here: only a limit on files stands for the full disk",
        );
        return;
    };
    say_what_is_used("a full tmpfs");
    let trial =
        Trial { world: &world, wrap: &|command| cave.enter(&command), state_dir: cave.seen_from_outside() };
    let full_at = trial.break_while_deleting(async |_| cave.fill()).await;
    trial.check_stopped(full_at).await;
    trial.serve_until_mended(async || cave.empty()).await;
    cave.bring_back(&world.state_dir());
    settle(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_may_not_grow_stops_deletion_and_nothing_else() {
    let world = world().await;
    // A file over the limit kills a process that does not say otherwise.
    let wrap = |command: Command| through(&command, &["/bin/sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
    let trial = Trial { world: &world, wrap: &wrap, state_dir: world.state_dir() };
    let full_at = trial.break_while_deleting(async |id| limit_files(id).await).await;
    trial.check_stopped(full_at).await;
    settle(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_that_fails_stops_deletion_and_nothing_else() {
    let world = world().await;
    let shim = Shim::new(&world.state_dir());
    let wrap = |mut command: Command| {
        shim.watch(&mut command);
        command
    };
    let trial = Trial { world: &world, wrap: &wrap, state_dir: world.state_dir() };
    let broken_at = trial.break_while_deleting(async |_| shim.fail_syncs()).await;
    assert!(!shim.records().is_empty());
    trial.check_stopped(broken_at).await;
    trial.serve_until_mended(async || shim.heal()).await;
    settle(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_directory_that_cannot_be_written_stops_deletion_and_nothing_else() {
    let world = world().await;
    let cave = Cave::dig(&world.state_dir(), ROOM).await;
    let lock = cave.as_ref().map_or_else(|| Lock::by_rights(&world), Lock::by_mount);
    let wrap = |command: Command| lock.enter(command);
    let trial = Trial { world: &world, wrap: &wrap, state_dir: lock.state_dir() };
    lock.shut();
    let once = crate::process::run(wrap(world.command(&["run", "--once"]))).await;
    assert!(once.stdout.contains("nothing goes because of no_store"), "{}{}", once.stdout, once.stderr);
    assert_eq!(world.tap.asked(), []);
    trial.serve_until_mended(async || lock.open()).await;
    if let Some(cave) = &cave {
        cave.bring_back(&world.state_dir());
    }
    settle(world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_act_at_once_never_ask_for_the_same_deletion() {
    let world = world().await;
    world.tap.set_deletions(Deletions::AnswerAfter(Duration::from_millis(5)));
    for _ in 0..3 {
        let both = (world.ocird(&["run", "--once"]), world.ocird(&["run", "--once"]));
        let (one, other) = tokio::join!(both.0, both.1);
        let n_without = [&one, &other].iter().filter(|ended| ended.stdout.contains("no_store")).count();
        assert!(n_without <= 1, "{}{}", one.stdout, other.stdout);
        world.check_deletions(&world.journal().await);
    }
    let mut images: Vec<_> = world.tap.asked().into_iter().map(|asked| asked.image).collect();
    let n_asked = images.len();
    images.sort();
    images.dedup();
    assert!(n_asked > 0 && images.len() == n_asked, "{n_asked} deletions of {} images", images.len());
}

async fn world() -> World {
    let world = World::with_due_images(Setting { armed: true, n_images: 60, ..Setting::default() }).await;
    world.trust_the_store().await;
    // A small disk never has the room that is usually wanted before anything goes.
    let config = std::fs::read_to_string(world.config_file()).unwrap();
    std::fs::write(world.config_file(), config.replace("[http]", "[store]\nmin_free = \"1MB\"\n\n[http]"))
        .unwrap();
    world
}

/// A world whose disk is going to fail.
struct Trial<'a> {
    world: &'a World,
    /// Puts a command where the failing disk is.
    wrap: &'a dyn Fn(Command) -> Command,
    /// Where the files are, as seen from here.
    state_dir: PathBuf,
}

impl Trial<'_> {
    /// Lets the binary delete, breaks something while the answer to a deletion is on its way, and waits for the end.
    /// Answers when it was broken for sure.
    async fn break_while_deleting(&self, breaks: impl AsyncFn(u32)) -> DateTime<Utc> {
        let Self { world, wrap, state_dir: _ } = self;
        world.tap.set_deletions(Deletions::AnswerAfter(ANSWER));
        let mut process = world.start_as(wrap(world.command(&["run", "--once"])));
        world.deletions_of(&mut process, 1).await;
        breaks(process.id()).await;
        let broken_at = SystemClock::new().now();
        process.ended().await;
        world.tap.set_deletions(Deletions::AnswerAfter(Duration::ZERO));
        broken_at
    }

    /// Every deletion has its intent, and at most the one whose intent was committed before came afterwards.
    async fn check_stopped(&self, broken_at: DateTime<Utc>) {
        let journal = World::journal_in(&self.state_dir).await;
        self.world.check_deletions(&journal);
        let asked = self.world.tap.asked();
        let n_after = asked.iter().filter(|asked| asked.at > broken_at).count();
        assert!(n_after <= 1, "{n_after} of {} deletions came after the disk had failed", asked.len());
        assert!(asked.len() < N_BROKEN, "{} deletions were asked for: nothing broke", asked.len());
    }

    /// A daemon on the broken disk serves, says why nothing goes and deletes nothing; mended, it can write again.
    async fn serve_until_mended(&self, mend: impl AsyncFn()) {
        let Self { world, wrap, state_dir: _ } = self;
        let n_asked = world.tap.asked().len();
        let mut daemon = world.start_as(wrap(world.command(&["run"])));
        daemon.ready().await;
        let status = daemon.json("/api/v1/status").await.unwrap();
        assert!(has_no_store(&status), "{status}");
        let health = daemon.json("/healthz").await.unwrap();
        assert_eq!(health["checks"]["store"]["state"], "failed", "{health}");
        for page in ["/livez", "/status", "/metrics"] {
            assert_eq!(daemon.code(page).await, Some(200), "{page}");
        }
        mend().await;
        daemon.signal("USR1").await;
        daemon.status_where("a store", |status| !has_no_store(status)).await;
        assert_eq!(world.tap.asked().len(), n_asked, "an observing daemon deleted something");
        stop(&mut daemon).await;
    }
}

async fn stop(daemon: &mut Daemon) {
    daemon.signal("TERM").await;
    assert_eq!(daemon.ended().await.code(), Some(0));
}

/// Nothing goes because nothing can be written, or because what is left of the disk is too little for it.
fn has_no_store(status: &serde_json::Value) -> bool {
    let refusals = status["refusals"].as_array().unwrap();
    refusals.iter().any(|refusal| refusal["code"] == "no_store" || refusal["code"] == "low_space")
}

/// How the state directory is made unwritable. Rights do not bind the superuser, so that one gets a mount.
enum Lock<'a> {
    Mount(&'a Cave),
    Rights(PathBuf),
}

impl<'a> Lock<'a> {
    fn by_mount(cave: &'a Cave) -> Self {
        say_what_is_used("a mount that is read-only");
        Self::Mount(cave)
    }

    fn by_rights(world: &World) -> Self {
        say_what_is_used("a state directory without the right to write");
        Self::Rights(world.state_dir())
    }

    fn enter(&self, command: Command) -> Command {
        match self {
            Self::Mount(cave) => cave.enter(&command),
            Self::Rights(_) => command,
        }
    }

    fn state_dir(&self) -> PathBuf {
        match self {
            Self::Mount(cave) => cave.seen_from_outside(),
            Self::Rights(state_dir) => state_dir.clone(),
        }
    }

    fn shut(&self) {
        match self {
            Self::Mount(cave) => cave.mount("ro"),
            Self::Rights(state_dir) => chmod("a-w", state_dir),
        }
    }

    fn open(&self) {
        match self {
            Self::Mount(cave) => cave.mount("rw"),
            Self::Rights(state_dir) => chmod("u+w", state_dir),
        }
    }
}

/// Changes the rights of a folder and everything in it.
fn chmod(mode: &str, folder: &std::path::Path) {
    let changed = std::process::Command::new("chmod").args(["-R", mode]).arg(folder).status();
    assert!(changed.unwrap().success());
    let probe = folder.join("probe");
    assert_eq!(std::fs::write(&probe, "").is_ok(), mode == "u+w", "rights do not bind this user");
    std::fs::remove_file(probe).ok();
}

/// No file of a process can be larger than it is now.
async fn limit_files(id: u32) {
    let limited = Command::new("prlimit").args(["--pid", &id.to_string(), "--fsize=1"]).status().await;
    assert!(limited.unwrap().success());
}

/// A command that begins with other words.
pub(crate) fn through(command: &Command, words: &[&str]) -> Command {
    let command = command.as_std();
    let mut wrapped = Command::new(words[0]);
    wrapped.args(&words[1..]).arg(command.get_program()).args(command.get_args());
    wrapped.env_clear().kill_on_drop(true).stdin(std::process::Stdio::null());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            wrapped.env(name, value);
        }
    }
    wrapped
}
