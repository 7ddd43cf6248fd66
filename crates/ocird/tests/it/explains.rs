//! `ocird explain`, and `ocird plan` for a part of the registry and for later moments.

use serde_json::Value;

use crate::process::Ended;
use crate::world::{Setting, World};

/// The lines that are not an identifier to be copied fit a terminal.
fn assert_fits(shown: &Ended) {
    let is_name = |line: &str| line.starts_with("sha256:") || line.starts_with("ocid1.");
    for line in shown.stdout.lines().filter(|line| !is_name(line)) {
        assert!(line.len() <= 80, "{line}");
    }
    assert!(!shown.stdout.contains('\u{1b}'), "colours, and nobody sees them");
}

/// The text without its line breaks.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// From a heading to the next empty line.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let from = text.find(heading).unwrap_or_else(|| panic!("no {heading:?} in {text}"));
    text[from..].split("\n\n").next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_would_go_says_which_rule_takes_it_and_what_does_not_hold_it() {
    let world = World::new(Setting::default()).await;
    let shown = world.ocird(&["explain", "web-shop:b1"]).await;
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert_fits(&shown);
    let lines: Vec<&str> = shown.stdout.lines().collect();
    assert!(lines[0].starts_with("web-shop@") && lines[1] == "DELETE     rule \"builds after a day\"");
    insta::assert_snapshot!(section(&shown.stdout, "keep rules"), @"
    keep rules of web
      no       channels: no tag matches latest
    ");
    insta::assert_snapshot!(section(&shown.stdout, "guardrails"), @"
    guardrails
      no       newest: 7th newest of 8, 3 stay
      no       age: 3 d old, younger than 24 h stays
      no       times: every one is plausible
    ");
    insta::assert_snapshot!(section(&shown.stdout, "delete rules"), @"
    delete rules of web
      TAKES    builds after a day: tagged; 3 d old, at least 24 h goes
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_runs_names_who_runs_it_however_it_is_written() {
    let world = World::new(Setting::default()).await;
    let json = world.ocird(&["explain", "--json", "web-shop:b0"]).await;
    let document: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["schema"], 1);
    let said = &document["explanation"]["image"];
    assert_eq!(said["verdict"]["keep"]["reason"], "in_use", "{said}");
    assert!(said["uses"][0]["by"].as_str().unwrap().contains("milan-1"));
    assert_eq!(said["delete"][0]["selects"], true);
    let digest = said["digest"].as_str().unwrap();
    let id = document["id"].as_str().unwrap();
    for image in [id.to_owned(), format!("web-shop@{}", &digest[..20]), digest.to_owned()] {
        let shown = world.ocird(&["explain", &image]).await;
        assert_eq!(shown.code, Some(0), "{image}: {}", shown.stderr);
        assert!(shown.stdout.contains("KEEP       in use by "), "{}", shown.stdout);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_is_told_with_its_head() {
    let world = World::new(Setting::default()).await;
    let head = world.ocird(&["explain", "--json", "web-shop:b3"]).await;
    let head: Value = serde_json::from_str(&head.stdout).unwrap();
    let member = head["explanation"]["family"]["members"][0].as_str().unwrap().to_owned();
    let shown = world.ocird(&["explain", &member]).await;
    assert_fits(&shown);
    assert!(shown.stdout.contains("\nDELETE     with its head, by rule"), "{}", shown.stdout);
    assert!(shown.stdout.contains("(b3) names it, and goes"), "{}", shown.stdout);
    assert_eq!(shown.stdout.matches("delete rules of web").count(), 1, "{}", shown.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_says_since_when_and_when_it_would_go() {
    let world = World::with_due_images(Setting { armed: true, ..Setting::default() }).await;
    let shown = world.ocird(&["explain", "web-shop:b1"]).await;
    assert_eq!(shown.stderr, "");
    let mark = one_line(section(&shown.stdout, "  since"));
    assert!(mark.contains("in 3 passes of at least 3, by rule \"builds after a day\""), "{mark}");
    assert!(mark.contains(" earliest the next pass that acts"), "{mark}");
    let policy = crate::world::POLICY.replace("1d", "2d");
    world.write_policy(&policy);
    let changed = world.ocird(&["explain", "web-shop:b1"]).await;
    assert!(one_line(&changed.stdout).contains("the grace starts anew"), "{}", changed.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_is_not_there_is_answered_with_the_nearest() {
    let world = World::new(Setting::default()).await;
    for (image, hint) in [("web-shp:b1", "did you mean web-shop?"), ("web-shop:b44", "did you mean :b4?")] {
        let shown = world.ocird(&["explain", image]).await;
        assert_eq!((shown.code, shown.stdout.as_str()), (Some(1), ""));
        assert!(shown.stderr.contains(hint), "{}", shown.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_moment_takes_what_runs_now_to_run_then() {
    let world = World::new(Setting::default()).await;
    let count = |plan: Ended| -> (u64, Value) {
        let document: Value = serde_json::from_str(&plan.stdout).unwrap();
        (document["totals"]["delete"].as_u64().unwrap(), document)
    };
    let (now, _) = count(world.ocird(&["plan", "--json"]).await);
    let (later, document) = count(world.ocird(&["plan", "--json", "--at", "+30d"]).await);
    assert_eq!(now, later, "the floor and what runs stay, whatever the day");
    assert!(document["at"].as_str() > document["looked_at"].as_str());
    let words = world.ocird(&["plan", "--at", "+30d"]).await;
    assert!(words.stdout.contains("if nothing is pushed, tagged, pulled or deployed"), "{}", words.stdout);
    assert!(words.stdout.contains("keep: in use  "), "{}", words.stdout);
    assert!(!words.stdout.contains("is not known"), "{}", words.stdout);
    let past = world.ocird(&["plan", "--at", "2020-01-01"]).await;
    assert_eq!(past.code, Some(2), "{}", past.stderr);
    assert_eq!(world.ocird(&["plan", "--at", "soon"]).await.code, Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_of_some_repositories_leaves_the_others_out() {
    let world = World::new(Setting::default()).await;
    let part = world.ocird(&["plan", "--repository", "*-docs", "--images"]).await;
    assert_eq!(part.code, Some(0));
    assert!(part.stdout.contains("web-docs") && !part.stdout.contains("web-shop"), "{}", part.stdout);
    assert!(part.stdout.contains("6 of 12 images may go"), "{}", part.stdout);
    let none = world.ocird(&["plan", "--repository", "x*"]).await;
    assert_eq!((none.code, none.stdout.as_str()), (Some(1), ""));
    assert!(none.stderr.contains("there are web-docs, web-shop"), "{}", none.stderr);
}
