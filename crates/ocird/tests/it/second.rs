//! A second process on the same state directory: it looks and serves, and deletes nothing (S-23, S-28).

use crate::world::{EACH_MINUTE, Setting, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_serves_says_why_and_deletes_nothing() {
    let world = World::with_due_images(Setting { armed: true, ..Setting::default() }).await;
    let first = world.start();
    first.ready().await;
    let second = world.start_second();
    second.ready().await;

    let status = second.json("/api/v1/status").await.unwrap();
    let refusals = status["refusals"].as_array().unwrap();
    let no_store = refusals.iter().find(|refusal| refusal["code"] == "no_store").unwrap();
    let text = no_store["text"].as_str().unwrap();
    assert!(text.contains("another ocird"), "{text}");
    assert_eq!(status["repositories"]["web-shop"]["n_images"], 12);
    assert_eq!(second.json("/healthz").await.unwrap()["checks"]["store"]["state"], "failed");
    assert_eq!(first.json("/healthz").await.unwrap()["checks"]["store"]["state"], "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acting_pass_beside_a_daemon_deletes_nothing() {
    let setting = Setting { armed: true, ..Setting::default() };
    let world = World::with_due_images(setting).await;
    let daemon = world.start();
    daemon.ready().await;
    let beside = world.ocird(&["run", "--once"]).await;
    assert!(beside.stdout.contains("nothing goes because of no_store"), "{}", beside.stdout);
    assert_eq!(world.tap.asked(), []);
    daemon.kill().await;
    let alone = world.ocird(&["run", "--once"]).await;
    assert_ne!(world.tap.asked(), [], "the lock of a killed daemon is free: {}", alone.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_finds_the_lock_free_again_goes_on() {
    let world =
        World::with_due_images(Setting { armed: true, enforce: EACH_MINUTE, ..Setting::default() }).await;
    let first = world.start();
    first.ready().await;
    let second = world.start_second();
    second.ready().await;
    first.kill().await;
    second.signal("USR1").await;
    second
        .status_where("a store", |status| {
            status["refusals"].as_array().unwrap().iter().all(|refusal| refusal["code"] != "no_store")
        })
        .await;
    assert!(second.log().contains("the store can be written again"), "{}", second.log());
}
