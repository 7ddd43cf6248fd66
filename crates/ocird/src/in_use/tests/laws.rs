//! Losing a source never adds a deletion (S-4), whatever the sources say and however one of them is lost.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use chrono::TimeDelta;
use ocird_model::{
    DeleteRule, Digest, Guardrails, InUse, Inventory, Patterns, Policies, Policy, RepositoryName,
    RepositoryState, Selects,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::hearing::World;
use super::world::{app, digest, inventory_of};
use crate::config::{FileSource, Scope};

/// Images in each of the two repositories.
const N_IMAGES: u8 = 6;

/// How a source is lost between two passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    Gone,
    Cut,
    Old,
    Incomplete,
    Empty,
    Backdated,
    Fallen,
}

const LOSSES: [Loss; 7] =
    [Loss::Gone, Loss::Cut, Loss::Old, Loss::Incomplete, Loss::Empty, Loss::Backdated, Loss::Fallen];

/// What one host runs, and which repositories its file speaks for.
#[derive(Debug, Clone)]
struct Host {
    scope: &'static str,
    runs: BTreeSet<(bool, u8, bool)>,
}

fn host() -> impl Strategy<Value = Host> {
    let scope = prop::sample::select(vec!["*", "app", "web"]);
    let runs = prop::collection::btree_set((any::<bool>(), 1..=N_IMAGES, any::<bool>()), 1..4);
    (scope, runs).prop_map(|(scope, runs)| Host { scope, runs })
}

impl Host {
    /// Its references: by tag or by digest, of either repository.
    fn references(&self) -> Value {
        let reference = |(is_web, n, by_tag): &(bool, u8, bool)| {
            let name = if *is_web { "web" } else { "app" };
            let image = if *by_tag { format!("{name}:v{n}") } else { format!("{name}@{}", digest(*n)) };
            json!({"image": format!("lin.ocir.io/ns/{image}"), "by": format!("container {name}-{n}")})
        };
        self.runs.iter().map(reference).collect()
    }
}

/// Two repositories of the same builds, so that what runs in one says nothing of the other.
fn inventory() -> Inventory {
    let mut inventory = inventory_of(N_IMAGES);
    let web: RepositoryName = "web".parse().unwrap();
    let RepositoryState::Complete(mut repository) = inventory.repositories[&app()].clone() else {
        unreachable!("it is complete");
    };
    repository.name = web.clone();
    inventory.repositories.insert(web, RepositoryState::Complete(repository));
    inventory
}

/// A policy that takes whatever nothing holds.
fn policies() -> Policies {
    let rule = DeleteRule {
        name: "everything".parse().unwrap(),
        selects: Selects::Tagged,
        older_than: Some(TimeDelta::days(1)),
        not_pulled_for: None,
        while_usage_above: None,
    };
    let policy = Policy {
        project: "all".to_owned(),
        repositories: Patterns::all(),
        keep: Vec::new(),
        delete: vec![rule],
        enforce_public: false,
        enforce_signed: false,
    };
    let guardrails = Guardrails { min_newest: NonZeroU32::MIN, ..Guardrails::default() };
    Policies { guardrails, policies: vec![policy] }
}

fn deleted(in_use: &InUse, world: &World) -> BTreeSet<(RepositoryName, Digest)> {
    let plan = ocird_plan::plan(&world.inventory, &policies(), in_use, world.now);
    let checked = ocird_plan::check(plan, &world.inventory, &policies(), in_use, world.now).unwrap();
    let mut deleted = BTreeSet::new();
    for name in world.inventory.repositories.keys() {
        let gone = checked.plan().decisions(name).iter().filter(|decision| decision.verdict.is_delete());
        deleted.extend(gone.map(|decision| (name.clone(), decision.digest)));
    }
    deleted
}

fn world_of(hosts: &[Host]) -> World {
    let mut world = World::new();
    world.inventory = inventory();
    let template = world.config.files[0].clone();
    let source = |(number, host): (usize, &Host)| FileSource {
        path: world.path(&format!("h{number}")),
        scope: Scope {
            repositories: Patterns::new(vec![host.scope.parse().unwrap()]).unwrap(),
            ..template.scope.clone()
        },
        ..template.clone()
    };
    world.config.files = hosts.iter().enumerate().map(source).collect();
    world.config.accept_none = true;
    write_all(&world, hosts);
    world
}

fn write_all(world: &World, hosts: &[Host]) {
    for (number, host) in hosts.iter().enumerate() {
        world.write_references(&format!("h{number}"), 0, true, &host.references());
    }
}

fn lose(world: &World, host: &Host, loss: Loss) {
    let (name, path) = ("h0", world.path("h0"));
    match loss {
        Loss::Gone => std::fs::remove_file(path).unwrap(),
        Loss::Cut => std::fs::write(path, "{\"version\": 1, \"host\"").unwrap(),
        Loss::Old => world.write_references(name, 30, true, &host.references()),
        Loss::Incomplete => world.write_references(name, 0, false, &json!([])),
        Loss::Empty => world.write_references(name, 0, true, &json!([])),
        Loss::Backdated => world.write_references(name, 20, true, &json!([{"image": "nginx", "by": "x"}])),
        Loss::Fallen => world.write_references(name, 0, true, &json!([{"image": "nginx", "by": "x"}])),
    }
}

async fn holds(hosts: Vec<Host>, loss: Loss) -> Result<(), TestCaseError> {
    let mut world = world_of(&hosts);
    world.gather().await;
    write_all(&world, &hosts);
    let whole = world.gather().await;
    let before = deleted(&whole.in_use, &world);
    write_all(&world, &hosts);
    lose(&world, &hosts[0], loss);
    for _ in 0..2 {
        let answers = world.gather().await;
        let added: Vec<_> = deleted(&answers.in_use, &world).difference(&before).cloned().collect();
        prop_assert!(added.is_empty(), "{loss:?} adds {added:?}");
        prop_assert!(answers.in_use.doubts().next().is_some(), "{loss:?} is not noticed");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn losing_a_source_never_adds_a_deletion(
        hosts in prop::collection::vec(host(), 1..4),
        loss in prop::sample::select(LOSSES.to_vec()),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(holds(hosts, loss))?;
    }
}

#[tokio::test]
async fn what_no_host_names_goes_so_that_the_law_says_something() {
    let hosts = [Host { scope: "*", runs: BTreeSet::from([(false, 2, true)]) }];
    let mut world = world_of(&hosts);
    let gathered = world.gather().await;
    assert_eq!(deleted(&gathered.in_use, &world).len(), 4 + 5, "all but the newest of each, and what runs");
}
