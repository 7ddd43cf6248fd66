//! Months of CI life, and what the hosts write down of it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use ocird_model::RepositoryName;
use serde_json::Value;

use super::World;
use crate::ci::{Event, EventKind, Generator, Knobs, Team};
use crate::settings::parsed;
use crate::view::RepositoryQuery;
use crate::{Oracle, Settings, Tenancy};

fn live(seed: u64, days: u32) -> (Tenancy, Vec<Event>) {
    let tenancy = Tenancy::new(Settings::default());
    let knobs = Knobs { seed, ..Knobs::default() };
    let mut generator = Generator::new(knobs, &tenancy).unwrap();
    let events = generator.seed_backlog(&tenancy, days);
    (tenancy, events)
}

fn counts(events: &[Event]) -> BTreeMap<EventKind, usize> {
    let mut counts = BTreeMap::new();
    for event in events {
        *counts.entry(event.kind).or_default() += 1;
    }
    counts
}

#[test]
fn the_same_seed_lives_the_same_life() {
    let (first, first_events) = live(7, 20);
    let (second, second_events) = live(7, 20);
    assert_eq!(first_events, second_events);
    assert_eq!(first.fingerprint(), second.fingerprint());
    let (other, _) = live(8, 20);
    assert_ne!(first.fingerprint(), other.fingerprint());
}

#[test]
fn ninety_days_bring_what_the_knobs_say_and_harm_nobody() {
    let (tenancy, events) = live(1, 90);
    let counts = counts(&events);
    assert_eq!(counts[&EventKind::Push], 7 * 2 * 90, "seven repositories, twice a day");
    assert_eq!(counts[&EventKind::Release], 7 * 13);
    assert_eq!(counts[&EventKind::Restart], 2 * 89, "two teams, every night");
    assert_eq!(counts[&EventKind::Replacement], 2 * 12, "two nodes, every week");
    for (kind, least) in [(EventKind::Rebuild, 50), (EventKind::Rollback, 3)] {
        assert!(counts[&kind] > least, "{kind:?}: {counts:?}");
    }
    assert_eq!(counts.get(&EventKind::Failure), None, "{counts:?}");
    assert_eq!(tenancy.violations(), []);
    assert_eq!(Oracle::check(&tenancy), []);
}

#[test]
fn after_ninety_days_the_registry_is_far_over_the_budget_of_half_a_gigabyte() {
    let (tenancy, _) = live(1, 90);
    let query = RepositoryQuery::in_compartment(tenancy.compartment());
    let repositories = tenancy.list_repositories(&query).unwrap().items;
    assert_eq!(repositories.len(), 7);
    let sizes: Vec<u64> = repositories.iter().map(|view| view.layers_size).collect();
    assert!(sizes.iter().sum::<u64>() > 1_000_000_000, "{sizes:?}");
    for view in &repositories {
        let n_members = if view.name.as_str() == "todo-worker" { 1 } else { 5 };
        assert!(
            view.n_images >= 180 * n_members,
            "an index and four children each, or one manifest: {} {}",
            view.name,
            view.n_images
        );
    }
}

#[test]
fn the_production_of_one_repository_stays_on_its_first_release() {
    let (tenancy, _) = live(1, 60);
    let docs = tenancy.workload("milan-1", "mgh-docs").unwrap();
    assert_eq!(docs.current.reference.to_string(), "v1.0.0");
    let pulled = tenancy.find(&docs.current.repository, &docs.current.pulled.digest).unwrap();
    let age = tenancy.now() - tenancy.get_image(&pulled).unwrap().created_at;
    assert!(age > TimeDelta::days(50), "{age}");
    let website = tenancy.workload("milan-1", "mgh-website").unwrap();
    assert_ne!(website.current.reference.to_string(), "v1.0.0");
}

#[test]
fn a_driver_that_stops_at_every_event_sees_the_same_life_as_the_backlog() {
    let (whole, _) = live(3, 10);
    let tenancy = Tenancy::new(Settings::default());
    let knobs = Knobs { seed: 3, ..Knobs::default() };
    let mut generator = Generator::new(knobs, &tenancy).unwrap();
    let end = tenancy.now() + TimeDelta::days(10);
    while let Some(at) = generator.next_event_at().filter(|at| *at < end) {
        tenancy.clock().advance_to(at);
        let early = generator.step(&tenancy);
        assert!(early.iter().all(|event| event.at == at));
        assert_eq!(generator.step(&tenancy), [], "nothing is due twice");
    }
    tenancy.clock().advance_to(end);
    assert_eq!(tenancy.fingerprint(), whole.fingerprint());
}

#[test]
fn a_team_alone_has_its_own_repositories_only() {
    let tenancy = Tenancy::new(Settings::default());
    let knobs = Knobs { teams: vec![Team::Todo, Team::Todo], ..Knobs::default() };
    let mut generator = Generator::new(knobs, &tenancy).unwrap();
    generator.seed_backlog(&tenancy, 15);
    let query = RepositoryQuery::in_compartment(tenancy.compartment());
    let repositories = tenancy.list_repositories(&query).unwrap().items;
    assert!(repositories.iter().all(|view| view.name.as_str().starts_with("todo-")));
    let api: RepositoryName = parsed("todo-api");
    let tags = tenancy.list_tags(&api).unwrap();
    let names: BTreeSet<&str> = tags.iter().map(ocird_model::Tag::as_str).collect();
    for wanted in ["1.0.0", "1.1.0", "prod", "staging", "latest", "2026-01-02"] {
        assert!(names.contains(wanted), "{wanted} is not among {names:?}");
    }
}

#[test]
fn the_reference_file_names_what_runs_what_is_stopped_and_the_way_back() {
    let world = World::new();
    world.tenancy.configure(|settings| settings.rollback_keep = 1);
    for (revision, name) in [("a", "web"), ("b", "web"), ("c", "web"), ("d", "job")] {
        world.push(revision, &[revision]);
        world.deploy(name, revision);
    }
    world.tenancy.stop("milan-1", "job").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("milan-1.json");
    std::fs::write(&path, "of yesterday").unwrap();
    world.tenancy.write_in_use(&path, "milan-1").unwrap();
    let file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(file["version"], 1);
    assert_eq!(file["complete"], true);
    assert_eq!(file["written_at"], "2026-01-01T04:00:00Z");
    let said: Vec<_> = file["references"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["by"].as_str().unwrap(), entry["image"].as_str().unwrap()))
        .collect();
    let before = file["references"][2]["digest"].as_str().unwrap();
    assert_eq!(
        said,
        [
            ("stopped container job", "lin.ocir.io/axsimulated/web:d"),
            ("container web", "lin.ocir.io/axsimulated/web:c"),
            ("rollback of web", format!("lin.ocir.io/axsimulated/web@{before}").as_str()),
        ]
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no half file is left");
}

#[test]
fn a_host_that_nobody_knows_runs_nothing() {
    let world = World::new();
    assert_eq!(world.tenancy.in_use("elsewhere")["references"], Value::Array(Vec::new()));
}
