//! What is believed of one source of files, over several hearings that remember each other.

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Digest, Inventory, Patterns, UseKind};
use ocird_store::UseHistory;
use serde_json::json;

use super::world::{app, digest, inventory_of, now};
use crate::config::{FileSource, InUseConfig, Scope};
use crate::in_use::reference::Folder;
use crate::in_use::{Gathered, Inquiry};

pub(super) struct World {
    directory: tempfile::TempDir,
    pub(super) config: InUseConfig,
    pub(super) inventory: Inventory,
    history: UseHistory,
    pub(super) now: DateTime<Utc>,
}

impl World {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let source = FileSource {
            path: directory.path().join("*.json"),
            scope: Scope { repositories: Patterns::all(), max_age: TimeDelta::hours(26), sentinel: None },
            expect: Vec::new(),
            forget: Vec::new(),
        };
        let config = InUseConfig {
            accept_none: false,
            keep_previous: 2,
            own_image: None,
            files: vec![source],
            docker: Vec::new(),
            prometheus: Vec::new(),
            kubernetes: Vec::new(),
        };
        Self { directory, config, inventory: inventory_of(2), history: UseHistory::default(), now: now() }
    }

    pub(super) fn write(&self, host: &str, hours_ago: i64, complete: bool, images: &[&str]) {
        let references: Vec<_> =
            images.iter().map(|image| json!({"image": image, "by": "container x"})).collect();
        self.write_references(host, hours_ago, complete, &json!(references));
    }

    pub(super) fn write_references(
        &self,
        host: &str,
        hours_ago: i64,
        complete: bool,
        references: &serde_json::Value,
    ) {
        let file = json!({"version": 1, "host": host, "complete": complete,
            "written_at": self.now - TimeDelta::hours(hours_ago), "references": references});
        std::fs::write(self.path(host), file.to_string()).unwrap();
    }

    pub(super) fn path(&self, host: &str) -> std::path::PathBuf {
        self.directory.path().join(format!("{host}.json"))
    }

    pub(super) fn source(&mut self) -> &mut FileSource {
        &mut self.config.files[0]
    }

    /// Asks, and remembers what was said; an hour later nothing else has happened.
    pub(super) async fn gather(&mut self) -> Gathered {
        let folder = Folder::new(["lin.ocir.io".to_owned()], "ns".parse().unwrap());
        let Self { config, inventory, history, now, .. } = self;
        let gathered = Inquiry { config, folder: &folder, inventory, history, now: *now }.ask().await;
        self.history = gathered.history.clone();
        self.now += TimeDelta::hours(1);
        gathered
    }

    pub(super) async fn doubt(&mut self) -> Option<String> {
        self.gather().await.in_use.doubt_about(&app()).map(str::to_owned)
    }
}

/// So many different images of this registry.
fn images(n: usize) -> Vec<String> {
    (0..n).map(|n| format!("lin.ocir.io/ns/app:b{n}")).collect()
}

fn texts(images: &[String]) -> Vec<&str> {
    images.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn what_runs_by_digest_is_held_under_any_name() {
    let pinned = format!("mirror.example/other/name@{}", digest(1));
    let known = Digest::to_string(&digest(1));
    for (image, digest) in
        [("app:prod", Some(known.as_str())), (pinned.as_str(), None), (known.as_str(), None)]
    {
        let mut world = World::new();
        let references = json!([{"image": image, "digest": digest, "by": "container x"}]);
        world.write_references("a", 0, true, &references);
        let asked_at = world.now;
        let gathered = world.gather().await;
        assert_eq!(gathered.in_use.uses(&app()).len(), 1, "{image}");
        assert_eq!(gathered.in_use.looked_at(&app()), Some(asked_at));
    }
}

#[tokio::test]
async fn what_runs_by_the_id_of_its_configuration_is_held() {
    let id = Digest::to_string(&digest(101));
    let bare = id.strip_prefix("sha256:").unwrap();
    for (image, known) in [
        (id.as_str(), None),
        (bare, None),
        ("app:prod", Some(id.as_str())),
        // The tag has moved on since, and the engine knows no other digest.
        ("lin.ocir.io/ns/app:v2", Some(id.as_str())),
    ] {
        let mut world = World::new();
        world.write_references(
            "a",
            0,
            true,
            &json!([{"image": image, "digest": known, "by": "container x"}]),
        );
        let in_use = world.gather().await.in_use;
        let held = in_use.uses(&app()).iter().filter(|used| used.target.digest == Some(digest(1)));
        assert_eq!(held.map(|used| &*used.by).collect::<Vec<_>>(), ["container x on a"], "{image} {known:?}");
    }
}

#[tokio::test]
async fn a_fresh_complete_file_is_believed() {
    let mut world = World::new();
    let asked_at = world.now;
    world.write("a", 1, true, &["lin.ocir.io/ns/app:v1", "nginx:1"]);
    let gathered = world.gather().await;
    assert_eq!(gathered.in_use.doubt_about(&app()), None);
    assert_eq!(gathered.in_use.uses(&app()).len(), 1);
    assert_eq!(gathered.sources[0].n_references, 1);
    assert!(!gathered.in_use.is_fresh(asked_at + TimeDelta::hours(26)));
}

#[tokio::test]
async fn what_is_old_or_of_the_future_or_incomplete_or_empty_is_doubted() {
    for (hours_ago, complete, images) in
        [(27, true, &["x"][..]), (-1, true, &["x"]), (1, false, &["x"]), (1, true, &[])]
    {
        let mut world = World::new();
        world.write("a", hours_ago, complete, images);
        assert!(world.doubt().await.is_some(), "{hours_ago} {complete} {images:?}");
    }
}

#[tokio::test]
async fn a_doubted_file_still_holds_what_it_names() {
    let mut world = World::new();
    world.write("a", 100, true, &["lin.ocir.io/ns/app:v1"]);
    assert_eq!(world.gather().await.in_use.uses(&app()).len(), 1);
}

#[tokio::test]
async fn a_repository_that_no_source_covers_is_doubted_unless_that_is_accepted() {
    for accept_none in [false, true] {
        let mut world = World::new();
        world.config.files.clear();
        world.config.accept_none = accept_none;
        assert_eq!(world.doubt().await.is_none(), accept_none);
    }
}

#[tokio::test]
async fn no_file_at_all_is_doubt_and_not_emptiness() {
    assert!(World::new().doubt().await.unwrap().contains("no file is there yet"));
}

#[tokio::test]
async fn one_bad_file_among_good_ones_is_doubt() {
    let mut world = World::new();
    world.write("a", 1, true, &["lin.ocir.io/ns/app:v1"]);
    std::fs::write(world.path("b"), "{\"version\":1,").unwrap();
    assert!(world.doubt().await.unwrap().contains("b.json"));
}

#[tokio::test]
async fn an_expected_host_and_the_sentinel_must_show() {
    let cases = [
        (&["a"][..], "lin.ocir.io/ns/app", None),
        (&["a"], "lin.ocir.io/ns/ap", Some("sentinel")),
        (&["b"], "lin.ocir.io/ns/app", Some("host b")),
        (&[], "lin.ocir.io/ns/watchdog", Some("sentinel")),
    ];
    for (expect, sentinel, doubt) in cases {
        let mut world = World::new();
        world.write("a", 1, true, &["lin.ocir.io/ns/app:v1"]);
        world.source().expect = expect.iter().map(|&host| host.to_owned()).collect();
        world.source().scope.sentinel = Some(sentinel.to_owned());
        let found = world.doubt().await;
        assert!(found.as_deref().unwrap_or("none").contains(doubt.unwrap_or("none")), "{found:?}");
    }
}

#[tokio::test]
async fn a_reference_into_this_registry_that_is_not_understood_is_doubt() {
    let mut world = World::new();
    world.write("a", 1, true, &["lin.ocir.io/ns/app:v1:v2"]);
    assert!(world.doubt().await.unwrap().contains("cannot be understood"));
}

#[tokio::test]
async fn what_runs_from_a_cache_of_this_registry_is_held_without_doubt() {
    for (image, n_uses) in [
        ("harbor.example/ocir/ns/app:v1", 1),
        ("harbor.example/ocir/ns/web:v1", 0),
        ("docker.io/ns/app:v1", 0),
        ("fra.ocir.io/ns/app:v1", 0),
    ] {
        let mut world = World::new();
        world.write("a", 0, true, &[image]);
        let in_use = world.gather().await.in_use;
        assert_eq!((in_use.uses(&app()).len(), in_use.doubt_about(&app())), (n_uses, None), "{image}");
    }
}

#[tokio::test]
async fn a_host_whose_file_vanishes_is_missed_until_it_is_back() {
    let mut world = World::new();
    for host in ["a", "b"] {
        world.write(host, 0, true, &["lin.ocir.io/ns/app:v1"]);
    }
    assert_eq!(world.doubt().await, None);
    std::fs::remove_file(world.path("b")).unwrap();
    assert!(world.doubt().await.unwrap().contains("host b wrote at"));
    assert!(world.doubt().await.unwrap().contains("host b wrote at"), "it is not forgotten by itself");
    world.write("b", 0, true, &["lin.ocir.io/ns/app:v1"]);
    assert_eq!(world.doubt().await, None);
}

#[tokio::test]
async fn a_host_is_no_longer_missed_when_an_operator_says_so() {
    for by_expecting_others in [false, true] {
        let mut world = World::new();
        for host in ["a", "b"] {
            world.write(host, 0, true, &["lin.ocir.io/ns/app:v1"]);
        }
        world.gather().await;
        std::fs::remove_file(world.path("b")).unwrap();
        if by_expecting_others {
            world.source().expect = vec!["a".to_owned()];
        } else {
            world.source().forget = vec!["b".to_owned()];
        }
        assert_eq!(world.doubt().await, None);
        world.source().expect.clear();
        world.source().forget.clear();
        assert_eq!(world.doubt().await, None, "it is forgotten for good");
    }
}

#[tokio::test]
async fn two_files_of_one_host_are_doubted() {
    let mut world = World::new();
    world.write("a", 0, true, &["lin.ocir.io/ns/app:v1"]);
    std::fs::copy(world.path("a"), world.path("b")).unwrap();
    assert!(world.doubt().await.unwrap().contains("speaks for host a too"));
}

#[tokio::test]
async fn an_older_file_that_was_put_back_is_doubted() {
    let mut world = World::new();
    world.write("a", 1, true, &["lin.ocir.io/ns/app:v1"]);
    assert_eq!(world.doubt().await, None);
    world.write("a", 3, true, &["lin.ocir.io/ns/app:v1"]);
    assert!(world.doubt().await.unwrap().contains("put an old one back"));
}

#[tokio::test]
async fn a_host_that_suddenly_names_few_is_believed_after_two_more_answers() {
    let mut world = World::new();
    let (many, few) = (images(20), images(10));
    world.write("a", 0, true, &texts(&many));
    assert_eq!(world.doubt().await, None);
    for _ in 0..2 {
        world.write("a", 0, true, &texts(&few));
        assert!(world.doubt().await.unwrap().contains("named 20 before"));
    }
    world.write("a", 0, true, &texts(&few));
    assert_eq!(world.doubt().await, None);
}

#[tokio::test]
async fn hosts_that_each_name_a_little_less_are_doubted_together() {
    let mut world = World::new();
    let many = images(40);
    for (host, range) in [("a", 0..10), ("b", 10..20), ("c", 20..30), ("d", 30..40)] {
        world.write(host, 0, true, &texts(&many[range]));
    }
    assert_eq!(world.doubt().await, None);
    for (host, range) in [("a", 0..6), ("b", 10..16), ("c", 20..26), ("d", 30..36)] {
        world.write(host, 0, true, &texts(&many[range]));
    }
    assert!(world.doubt().await.unwrap().contains("named 40 before"));
}

#[tokio::test]
async fn the_same_file_read_again_does_not_lift_a_doubt() {
    let mut world = World::new();
    world.write("a", 0, true, &["lin.ocir.io/ns/app:v1"]);
    world.gather().await;
    world.write("a", 0, true, &["nginx:1"]);
    for _ in 0..4 {
        assert!(world.doubt().await.unwrap().contains("named 1 before"));
    }
}

#[tokio::test]
async fn a_writer_may_name_what_a_rollback_would_pull() {
    let mut world = World::new();
    let image = "lin.ocir.io/ns/app:v2";
    let references = json!([{"image": "lin.ocir.io/ns/app:v1", "by": "x"}, {"image": image, "by": "x", "kind": "previous"}]);
    world.write_references("a", 0, true, &references);
    let gathered = world.gather().await;
    let kinds: Vec<UseKind> = gathered.in_use.uses(&app()).iter().map(|used| used.kind).collect();
    assert_eq!(kinds, [UseKind::Running, UseKind::Previous]);
    assert_eq!(gathered.history.runs.len(), 1, "only what runs is a deployment");
}

#[tokio::test]
async fn what_ran_before_is_held_for_a_rollback_and_dated() {
    let mut world = World::new();
    let begun = world.now;
    world.write("a", 0, true, &["lin.ocir.io/ns/app:v1"]);
    world.gather().await;
    world.write("a", 0, true, &["lin.ocir.io/ns/app:v2"]);
    world.gather().await;
    let gathered = world.gather().await;
    let uses = gathered.in_use.uses(&app());
    assert_eq!((uses[0].kind, uses[0].since), (UseKind::Running, Some(begun + TimeDelta::hours(1))));
    assert_eq!((uses[1].kind, uses[1].target.digest), (UseKind::Previous, Some(digest(1))));
    assert_eq!(&*uses[1].by, "container x on a ran it until 2026-11-21 13:00 UTC");
}

#[tokio::test]
async fn the_image_that_ocird_runs_from_is_in_use_whatever_others_say() {
    let mut world = World::new();
    world.write("a", 0, true, &["lin.ocir.io/ns/app:v1"]);
    world.config.own_image = Some("LIN.ocir.io/ns/app:v2".to_owned());
    let gathered = world.gather().await;
    let by: Vec<(&str, Option<&str>)> = gathered
        .in_use
        .uses(&app())
        .iter()
        .map(|used| (&*used.by, used.target.tag.as_ref().map(ocird_model::Tag::as_str)))
        .collect();
    assert_eq!(by, [("container x on a", Some("v1")), ("ocird itself", Some("v2"))]);
    world.config.own_image = Some(format!("mirror.example/ocird@{}", digest(2)));
    let gathered = world.gather().await;
    let held = gathered
        .in_use
        .uses(&app())
        .iter()
        .any(|used| used.target.digest == Some(digest(2)) && &*used.by == "ocird itself");
    assert!(held, "by its digest, wherever it was pulled from: {:?}", gathered.in_use);
}

#[tokio::test]
async fn an_own_image_that_is_not_understood_puts_everything_in_doubt() {
    let mut world = World::new();
    world.write("a", 0, true, &["lin.ocir.io/ns/app:v1"]);
    world.config.own_image = Some("docker.io/acme/ocird:1".to_owned());
    assert_eq!(world.doubt().await, None, "another registry is none of ours");
    world.config.own_image = Some("lin.ocir.io/ns/ocird:v1:v2".to_owned());
    let gathered = world.gather().await;
    assert!(gathered.in_use.doubt_about(&app()).unwrap().contains("own_image: the reference"));
    assert!(gathered.sources.iter().any(|source| source.name == "own_image" && source.doubt.is_some()));
}
