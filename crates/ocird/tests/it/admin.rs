//! The admin socket of the real binary: what each command does and says, who may give one, and that nothing of it is to be
//! had over TCP (S-32).

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Value;
use tokio::process::Command;

use crate::process::{Ended, run, until};
use crate::tap::Deletions;
use crate::world::{EACH_MINUTE, Setting, World};

/// A user who is neither root nor the one whom the tests run as. It needs no name.
const STRANGER: u32 = 54_321;

fn socket(world: &World) -> PathBuf {
    world.state_dir().join("admin.sock")
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
}

fn is_paused(world: &World) -> bool {
    world.state_dir().join("pause").exists()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_stops_deletion_and_a_resume_lifts_it() {
    let setting = Setting { armed: true, enforce: EACH_MINUTE, n_images: 12, ..Setting::default() };
    let world = World::with_due_images(setting).await;
    let daemon = world.start();
    daemon.ready().await;
    let paused = world.ocird(&["pause", "--why", "a test"]).await;
    assert_eq!((paused.code, paused.stderr.as_str()), (Some(0), ""), "{paused:?}");
    assert!(paused.stdout.starts_with("Paused: nothing is deleted until `ocird resume`."), "{paused:?}");
    let before = world.tap.asked().len();
    daemon.signal("USR1").await;
    daemon
        .status_where("paused", |status| {
            let refusals = status["refusals"].as_array().unwrap();
            refusals.iter().any(|refusal| refusal["code"] == "paused")
        })
        .await;
    let twice = world.ocird(&["pause", "--json"]).await;
    assert_eq!(json(&twice)["changed"], false);
    assert!(json(&twice)["done"][0].as_str().unwrap().contains("a test"), "{twice:?}");
    assert!(world.tap.asked().len() <= before + 1, "it went on deleting");

    let resumed = world.ocird(&["resume"]).await;
    assert_eq!(resumed.code, Some(0));
    assert!(resumed.stdout.starts_with("The pause is lifted; the file said \"paused by"), "{resumed:?}");
    assert!(!is_paused(&world));
    until("a deletion", async || world.tap.asked().get(before).cloned()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_and_a_hold_do_not_wait_for_the_pass_that_runs() {
    let setting = Setting { armed: true, enforce: EACH_MINUTE, ..Setting::default() };
    let world = World::with_due_images(setting).await;
    world.tap.set_deletions(Deletions::AnswerAfter(Duration::from_mins(1)));
    let daemon = world.start();
    until("a deletion", async || world.tap.asked().first().cloned()).await;
    let paused = world.ocird(&["pause", "--json"]).await;
    assert_eq!(json(&paused)["changed"], true, "{paused:?}");
    let held = world.ocird(&["hold", "web-docs:b1"]).await;
    assert_eq!(held.code, Some(0), "{held:?}");
    let status = daemon.json("/api/v1/status").await.unwrap();
    assert!(!status["passing_since"].is_null(), "the pass has ended: {status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_is_stopped_without_a_daemon_and_what_needs_one_says_so() {
    let world = World::new(Setting::default()).await;
    let paused = world.ocird(&["pause", "--why", "no daemon"]).await;
    assert_eq!(paused.code, Some(0), "{paused:?}");
    assert!(
        paused.stderr.contains("no daemon answers") && paused.stderr.contains("by the file alone"),
        "{paused:?}"
    );
    assert!(is_paused(&world));
    for command in [&["pending"][..], &["reset"], &["hold", "web-shop:b1"], &["restore", "--list"]] {
        let absent = world.ocird(command).await;
        assert_eq!((absent.code, absent.stdout.as_str()), (Some(69), ""), "{command:?}");
        assert!(absent.stderr.contains("no daemon answers"), "{absent:?}");
    }
    let resumed = world.ocird(&["resume", "--json"]).await;
    assert_eq!((resumed.code, &json(&resumed)["changed"]), (Some(0), &Value::Bool(true)));
    assert!(!is_paused(&world));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_user_is_refused_by_the_file_and_by_the_daemon() {
    if !rustix::process::geteuid().is_root() {
        // Only root can be somebody else.
        return;
    }
    let world = World::new(Setting::default()).await;
    let daemon = world.start();
    daemon.ready().await;
    until("the socket", async || socket(&world).exists().then_some(())).await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&socket(&world)), 0o600);
    // The configuration is to be read, and then the socket refuses by its rights.
    for path in [world.directory.path(), &world.state_dir(), &world.path("policies.d")] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let by_file = as_stranger(&world, &["pause"]).await;
    assert_eq!(by_file.code, Some(77), "{by_file:?}");
    assert!(by_file.stderr.contains("this user may not use"), "{by_file:?}");

    // Even one who is let near the socket is not let in.
    std::fs::set_permissions(socket(&world), std::fs::Permissions::from_mode(0o666)).unwrap();
    chown(socket(&world), None, Some(STRANGER)).unwrap();
    for command in [&["pause"][..], &["resume"], &["reset"], &["pending"], &["approve", "1", "--yes"]] {
        let refused = as_stranger(&world, command).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(77), ""), "{command:?}: {refused:?}");
        assert!(refused.stderr.contains("may not command this daemon"), "{refused:?}");
    }
    assert!(!is_paused(&world));
    assert!(daemon.log().contains("a command over the admin socket is refused"), "{}", daemon.log());
    assert_eq!(world.ocird(&["pending"]).await.code, Some(0), "root is still let in");
}

/// The command as another user, who has only what everybody has.
async fn as_stranger(world: &World, arguments: &[&str]) -> Ended {
    let mut command = std::process::Command::new(program(world));
    command.env_clear().arg("--config").arg(world.config_file()).args(arguments);
    command.stdin(std::process::Stdio::null()).gid(STRANGER).uid(STRANGER);
    run(Command::from(command)).await
}

/// The binary at a place that everybody can reach.
fn program(world: &World) -> PathBuf {
    let copy = world.path("ocird-for-all");
    if !copy.exists() {
        std::fs::copy(env!("CARGO_BIN_EXE_ocird"), &copy).unwrap();
        std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    copy
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_daemon_does_not_take_the_socket_and_a_killed_one_leaves_it_to_the_next() {
    let world = World::new(Setting::default()).await;
    let first = world.start();
    first.ready().await;
    until("the socket", async || socket(&world).exists().then_some(())).await;
    let second = world.start_second();
    second.ready().await;
    until("a word about it", async || second.log().contains("there is no admin socket").then_some(())).await;
    assert_eq!(world.ocird(&["pending"]).await.code, Some(0));
    second.kill().await;
    first.kill().await;
    assert!(socket(&world).exists(), "a kill leaves the file");
    assert_eq!(world.ocird(&["pending"]).await.code, Some(69));
    let third = world.start();
    third.ready().await;
    let pending = until("an answer", async || {
        let pending = world.ocird(&["pending", "--json"]).await;
        (pending.code == Some(0)).then_some(pending)
    })
    .await;
    assert_eq!(json(&pending)["schema"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_keeps_what_is_due_until_it_is_released() {
    let world = World::with_due_images(Setting { armed: true, ..Setting::default() }).await;
    let daemon = world.start();
    daemon.ready().await;
    let pending = world.ocird(&["pending"]).await;
    assert_eq!(pending.code, Some(0));
    assert!(
        pending.stdout.contains("\nweb-shop\n") && pending.stdout.contains("builds after a day"),
        "{pending:?}"
    );
    assert!(pending.stdout.lines().all(|line| line.len() <= 80), "{}", pending.stdout);
    let held = world.ocird(&["hold", "web-shop:b1", "--for", "30d", "--why", "the audit"]).await;
    assert!(held.stdout.starts_with("web-shop:b1 is held by"), "{held:?}");
    daemon.signal("USR1").await;
    daemon
        .status_where("the hold in a pass", |status| {
            let pending = status["pending"].as_array().unwrap();
            !pending.iter().any(|one| one["repository"] == "web-shop" && one["tags"][0] == "b1")
        })
        .await;
    let listed = world.ocird(&["hold", "--list"]).await;
    assert!(listed.stdout.contains("web-shop:b1") && listed.stdout.contains("the audit"), "{listed:?}");
    let released = world.ocird(&["release", "web-shop:b1"]).await;
    assert!(released.stdout.starts_with("web-shop:b1 is released; it was held by"), "{released:?}");
    assert_eq!(world.ocird(&["hold", "--list"]).await.stdout, "nothing is held\n");
    let unknown = world.ocird(&["release", "web-shop:b1"]).await;
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_went_is_listed_and_comes_back() {
    let setting = Setting { armed: true, enforce: EACH_MINUTE, ..Setting::default() };
    let world = World::with_due_images(setting).await;
    // What is still being deleted cannot be restored yet.
    world.tenancy.configure(|settings| settings.deletion_delay = TimeDelta::zero());
    let daemon = world.start();
    daemon.ready().await;
    daemon
        .status_where("a deletion on record", |status| {
            status["recent"].as_array().unwrap().iter().any(|one| one["outcome"] == "deleted")
        })
        .await;
    world.ocird(&["pause"]).await;
    let listed = json(&world.ocird(&["restore", "--list", "--json"]).await);
    let first = listed["images"].as_array().unwrap().iter().find(|one| one["is_head"] == true).unwrap();
    assert_eq!(listed["images"][0]["is_back"], false);
    let image = format!("{}:{}", first["repository"].as_str().unwrap(), first["tags"][0].as_str().unwrap());
    let table = world.ocird(&["restore", "--list"]).await;
    assert!(
        table.stdout.contains("ocird restore --run ") && table.stdout.contains("UNTIL, IN UTC"),
        "{table:?}"
    );

    let restored = world.ocird(&["restore", &image, "--why", "a test"]).await;
    assert!(
        restored.stdout.contains("back ") && restored.stdout.contains("images are there"),
        "{restored:?}"
    );
    let repository = first["repository"].as_str().unwrap().parse().unwrap();
    let digest = first["digest"].as_str().unwrap().parse().unwrap();
    assert!(world.tenancy.find(&repository, &digest).is_some(), "{restored:?}");
    let unknown = world.ocird(&["restore", "web-shop:never"]).await;
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(1), ""), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_much_waits_for_its_number_and_then_goes() {
    let world = too_much().await;
    let daemon = world.start();
    daemon.ready().await;
    daemon
        .status_where("a refused plan", |status| {
            status["refusals"].as_array().unwrap().iter().any(|refusal| refusal["code"] == "too_much")
        })
        .await;
    assert_eq!(world.tap.asked(), []);
    let pending = json(&world.ocird(&["pending", "--json"]).await);
    let plan = pending["refused"]["plan"].as_i64().unwrap();
    let n_families = pending["refused"]["families"].as_array().unwrap().len();
    assert_eq!(n_families, 8, "{pending}");
    let page = world.ocird(&["pending"]).await.stdout;
    assert!(page.contains(&format!("ocird approve {plan}\n")), "{page}");
    assert!(page.lines().all(|line| line.len() <= 80), "{page}");

    let other = world.ocird(&["approve", &(plan + 1).to_string(), "--yes"]).await;
    assert_eq!((other.code, other.stdout.as_str()), (Some(1), ""), "{other:?}");
    let approved = world.ocird(&["approve", &plan.to_string(), "--yes"]).await;
    assert_eq!(approved.code, Some(0), "{approved:?}");
    assert!(approved.stdout.contains("is approved: its 8 families go in later passes"), "{approved:?}");
    until("a deletion", async || world.tap.asked().first().cloned()).await;
}

/// A world in which more is due than may go unasked.
async fn too_much() -> World {
    let setting = Setting { armed: true, enforce: EACH_MINUTE, ..Setting::default() };
    let world = World::with_due_images(setting).await;
    let config = std::fs::read_to_string(world.config_file()).unwrap();
    let config = config.replace("max_per_pass = 1000\n", "max_per_pass = 1000\nmax_plan = 2\n");
    std::fs::write(world.config_file(), config).unwrap();
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_can_be_asked_without_a_terminal() {
    let world = World::new(Setting::default()).await;
    let daemon = world.start();
    daemon.ready().await;
    let unasked = world.ocird(&["approve"]).await;
    assert_eq!(unasked.code, Some(2), "{unasked:?}");
    assert!(unasked.stderr.contains("--yes"), "{unasked:?}");
    let blind = world.ocird(&["approve", "--yes"]).await;
    assert_eq!(blind.code, Some(2), "{blind:?}");
    let nothing = world.ocird(&["approve", "7", "--yes"]).await;
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(1), ""), "{nothing:?}");
    assert!(nothing.stderr.contains("no plan waits"), "{nothing:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_can_be_changed_over_tcp() {
    let world = World::new(Setting::default()).await;
    let daemon = world.start();
    daemon.ready().await;
    let landing = daemon.page("/").await.unwrap().text().await.unwrap();
    let pages = landing.lines().filter_map(|line| line.split_whitespace().next());
    let pages: Vec<&str> = pages.filter(|word| word.starts_with('/')).collect();
    assert!(pages.len() >= 8, "{landing}");
    let commands = ["pending", "approve", "pause", "resume", "reset", "holds", "hold", "release", "restore"];
    let commands = commands.map(|command| format!("/v1/{command}"));
    for path in pages.iter().copied().chain(commands.iter().map(String::as_str)) {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "BREW"] {
            assert_eq!(daemon.asked(method, path).await, Some(405), "{method} {path}");
        }
    }
    for path in &commands {
        assert_eq!(daemon.code(path).await, Some(404), "{path}");
    }
    assert!(!is_paused(&world));
}
