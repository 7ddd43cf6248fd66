//! The log as programs read it, and what must never stand in anything the binary writes: the instance's private key,
//! a token, a signature.

use std::collections::BTreeSet;

use ocird::log::FIELDS;
use serde_json::Value;

use crate::process::until;
use crate::world::{Setting, World, files};

/// Everything that every crate below can say.
const LOUDEST: &str = "format = \"json\"\nfilter = \"trace\"\n";

/// What each line bears beside its fields.
const ENVELOPE: [&str; 4] = ["timestamp", "level", "target", "message"];

/// The shortest text that counts as a secret: parts of one, such as a line of a key, are long.
const SHORTEST_SECRET: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_of_the_log_is_one_object_with_listed_fields() {
    let world = World::with_due_images(Setting { armed: true, log: LOUDEST, ..Setting::default() }).await;
    let once = world.ocird(&["run", "--once"]).await;
    assert_ne!(world.tap.asked(), [], "it deleted nothing: {}", once.stdout);
    let known: BTreeSet<&str> = ENVELOPE.into_iter().chain(FIELDS.map(|(name, _)| name)).collect();
    let mut messages = BTreeSet::new();
    for line in once.stderr.lines() {
        let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        if !object["target"].as_str().unwrap().starts_with("ocird") {
            continue;
        }
        for field in object.as_object().unwrap().keys() {
            assert!(known.contains(field.as_str()), "{field} is not in the list: {line}");
        }
        messages.extend(object["message"].as_str().map(ToOwned::to_owned));
    }
    for message in ["an image was due; the outcome says what came of it", "the pass has ended"] {
        assert!(messages.contains(message), "{messages:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_ever_written() {
    let world = World::with_due_images(Setting { armed: true, log: LOUDEST, ..Setting::default() }).await;
    let mut written = String::new();
    for arguments in [&["plan", "--images"][..], &["run", "--once"]] {
        let ended = world.ocird(arguments).await;
        written.extend([ended.stdout, ended.stderr]);
    }
    let mut daemon = world.start();
    daemon.ready().await;
    for page in ["/status", "/healthz", "/metrics", "/api/v1/status"] {
        written.push_str(&daemon.page(page).await.unwrap().text().await.unwrap());
    }
    daemon.signal("TERM").await;
    daemon.ended().await;
    written.push_str(&daemon.log());
    for content in files(&world.state_dir()).values() {
        written.push_str(&String::from_utf8_lossy(content));
    }
    let secrets = secrets(&world.tap.heard());
    for secret in &secrets {
        assert!(!written.contains(secret.as_str()), "{secret} is written");
    }
    assert!(written.len() > 10_000, "there is nothing to look through");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_for_people_has_one_line_for_each_event() {
    let world = World::new(Setting { log: "format = \"text\"\n", ..Setting::default() }).await;
    let daemon = world.start();
    daemon.ready().await;
    until("the end of the pass", async || daemon.log().contains("the pass has ended").then_some(())).await;
    for line in daemon.log().lines() {
        assert!(line.contains(" INFO ocird") || line.contains(" WARN ocird"), "{line}");
    }
}

/// The secrets that went over the wire: lines of private keys, tokens of the sign-in and of the registry, signatures.
pub(crate) fn secrets(heard: &str) -> BTreeSet<String> {
    let mut secrets = BTreeSet::new();
    let (_, key) = heard.split_once("PRIVATE KEY-----").expect("the key was fetched");
    let key = key.split("-----END").next().unwrap();
    secrets.extend(key.lines().map(ToOwned::to_owned));
    let n_of_key = secrets.len();
    for (before, after) in [("\"token\":\"", '"'), ("signature=\"", '"')] {
        let found = heard.split(before).skip(1).map(|rest| rest.split(after).next().unwrap_or_default());
        let n_before = secrets.len();
        secrets.extend(found.map(ToOwned::to_owned));
        assert!(secrets.len() > n_before, "nothing like {before:?} went over the wire");
    }
    secrets.retain(|secret| secret.len() >= SHORTEST_SECRET);
    assert!(n_of_key > 10 && secrets.len() > n_of_key, "{secrets:?}");
    secrets
}
