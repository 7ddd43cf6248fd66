//! What the signals do: TERM ends between two actions, HUP reads the policies again, USR1 makes a pass.

use std::time::Duration;

use serde_json::Value;

use crate::process::until;
use crate::tap::Deletions;
use crate::world::{EACH_MINUTE, POLICY, Setting, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_it_after_the_action_under_way_with_the_store_closed() {
    let world =
        World::with_due_images(Setting { armed: true, enforce: EACH_MINUTE, ..Setting::default() }).await;
    world.tap.set_deletions(Deletions::AnswerAfter(Duration::from_millis(500)));
    let mut daemon = world.start();
    until("a deletion", async || world.tap.asked().first().cloned()).await;
    daemon.signal("TERM").await;
    until("not ready", async || (daemon.code("/readyz").await? == 503).then_some(())).await;
    assert_eq!(daemon.ended().await.code(), Some(0));

    let journal = world.journal().await;
    assert!(journal.iter().all(|entry| entry.outcome.is_some()), "{journal:?}");
    world.check_deletions(&journal);
    assert!((1..4).contains(&world.tap.asked().len()), "it went on: {:?}", world.tap.asked());
    assert_no_log_is_left(&world);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_ends_a_daemon_that_waits_at_once() {
    let world = World::new(Setting::default()).await;
    let mut daemon = world.start();
    daemon.ready().await;
    daemon.signal("TERM").await;
    assert_eq!(daemon.ended().await.code(), Some(0));
    assert_no_log_is_left(&world);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sighup_puts_good_policies_into_force_with_a_pass() {
    let world = World::new(Setting::default()).await;
    let daemon = world.start();
    daemon.ready().await;
    world.write_policy(&POLICY.replace("project = \"web\"", "project = \"shop\""));
    daemon.signal("HUP").await;
    let is_in_force = |status: &Value| status["repositories"]["web-shop"]["project"] == "shop";
    let status = daemon.status_where("the pass after the reload", is_in_force).await;
    assert_eq!(status["counts"]["n_reloads"]["ok"], 1);
    assert_eq!(n_passes_ended(&status), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sighup_refuses_bad_policies_and_keeps_the_old() {
    let world = World::new(Setting::default()).await;
    let daemon = world.start();
    daemon.ready().await;
    world.write_policy(&POLICY.replace("older_than = \"1d\"", "older_than = \"soon\""));
    daemon.signal("HUP").await;
    daemon.status_where("a reload", |status| status["counts"]["n_reloads"]["refused"] == 1).await;
    daemon.signal("USR1").await;
    let status = daemon.status_where("a second pass", |status| n_passes_ended(status) == 2).await;
    assert_eq!(status["repositories"]["web-shop"]["project"], "web");

    let health = daemon.json("/healthz").await.unwrap();
    let text = health["checks"]["policies"]["text"].as_str().unwrap();
    assert!(text.contains("the old ones stay in force") && text.contains("web.toml"), "{text}");
    assert_eq!(health["status"], "warn");
    assert!(daemon.log().contains("the new policies are refused"), "{}", daemon.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigusr1_makes_a_pass_that_only_observes() {
    let world = World::with_due_images(Setting { armed: true, ..Setting::default() }).await;
    let daemon = world.start();
    daemon.ready().await;
    daemon.signal("USR1").await;
    let status = daemon.status_where("a second pass", |status| n_passes_ended(status) == 2).await;
    assert_eq!(status["last_pass"]["enforcing"], false);
    assert!(!status["pending"].as_array().unwrap().is_empty(), "{status}");
    assert_eq!(world.tap.asked(), []);
}

fn n_passes_ended(status: &Value) -> u64 {
    let under_way = u64::from(!status["passing_since"].is_null());
    status["counts"]["n_passes"].as_u64().unwrap() - under_way
}

/// The store was closed: its write-ahead log is folded in.
fn assert_no_log_is_left(world: &World) {
    for entry in std::fs::read_dir(world.state_dir()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with("-wal"), "{name} is left");
    }
}
