//! Each kind of finding appears when something is odd and clears when it is mended; and a finding never decides anything.

mod asking;
mod kinds;
mod laws;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Bytes, Content, DeleteRule, Digest, Finding, FindingKey, FindingKind, Guardrails, Image, InUse,
    Inventory, KeepRule, Layer, Lifecycle, Patterns, Policies, Policy, Repository, RepositoryId,
    RepositoryRow, RepositoryState, Selects, Severity, Standing, Unreadable,
};
use ocird_store::{Brakes, Vanished};

use super::*;
use crate::config::FindingsConfig;
use crate::status::{Check, Refusal};

/// A registry of two repositories under one policy each, of which nothing is odd.
struct World {
    at: DateTime<Utc>,
    config: FindingsConfig,
    projects: Option<BTreeMap<String, Patterns>>,
    policies: Policies,
    rows: Vec<RepositoryRow>,
    inventory: Inventory,
    observe_only: BTreeMap<RepositoryId, Refusal>,
    in_use: InUse,
    answers: Answers,
    vanished: Option<Vec<Vanished>>,
    refused_policies: Option<String>,
    clock_doubt: Option<String>,
    brakes: Brakes,
    backup: Check,
    standing: BTreeMap<FindingKey, Standing>,
}

impl World {
    fn new() -> Self {
        let at = "2026-11-21T12:00:00Z".parse().unwrap();
        let mut world = Self {
            at,
            config: FindingsConfig::default(),
            projects: None,
            policies: Policies {
                guardrails: Guardrails::default(),
                policies: vec![policy("mgh", "mgh-*"), policy("todo", "todo-*")],
            },
            rows: Vec::new(),
            inventory: Inventory { taken_at: at, repositories: BTreeMap::new(), n_unlisted: 0 },
            observe_only: BTreeMap::new(),
            in_use: InUse::nothing(),
            answers: Answers::default(),
            vanished: Some(Vec::new()),
            refused_policies: None,
            clock_doubt: None,
            brakes: Brakes::default(),
            backup: Check::Ok,
            standing: BTreeMap::new(),
        };
        for name in ["mgh-docs", "todo-api"] {
            world.add(name, 4);
        }
        world
    }

    /// Adds a repository with this many tagged images, a day apart, the newest ten days old.
    fn add(&mut self, name: &str, n_images: u8) {
        let row = RepositoryRow {
            id: format!("ocid1.containerrepo.oc1.x.{name}").parse().unwrap(),
            name: name.parse().unwrap(),
            compartment: "ocid1.compartment.oc1..ours".parse().unwrap(),
            namespace: "ns".parse().unwrap(),
            n_images: n_images.into(),
            layers_size: Bytes::ZERO,
            is_public: false,
            lifecycle: Lifecycle::Available,
        };
        let repository = Repository {
            id: row.id.clone(),
            name: row.name.clone(),
            compartment: row.compartment.clone(),
            namespace: row.namespace.clone(),
            is_public: false,
            images: (1..=n_images).map(|n| image(n, self.at)).collect(),
            rests: BTreeMap::new(),
            holds: Vec::new(),
        };
        self.inventory.repositories.insert(row.name.clone(), RepositoryState::Complete(repository));
        self.rows.push(row);
    }

    fn row(&mut self, name: &str) -> &mut RepositoryRow {
        self.rows.iter_mut().find(|row| row.name.as_str() == name).unwrap()
    }

    fn repository(&mut self, name: &str) -> &mut Repository {
        match self.inventory.repositories.get_mut(&name.parse().unwrap()) {
            Some(RepositoryState::Complete(repository)) => repository,
            other => panic!("{name} is not whole: {other:?}"),
        }
    }

    fn policy(&mut self, project: &str) -> &mut Policy {
        self.policies.policies.iter_mut().find(|policy| policy.project == project).unwrap()
    }

    /// As if the repository could not be listed.
    fn make_unreadable(&mut self, name: &str) {
        let id = self.row(name).id.clone();
        let state = RepositoryState::Unreadable { id, why: Unreadable::UnknownState };
        self.inventory.repositories.insert(name.parse().unwrap(), state);
    }

    fn plan(&self) -> ocird_model::Plan {
        ocird_plan::plan(&self.inventory, &self.policies, &self.in_use, self.at)
    }

    fn found(&self) -> Vec<Finding> {
        of(&Look {
            at: self.at,
            config: &self.config,
            projects: self.projects.as_ref(),
            policies: &self.policies,
            rows: &self.rows,
            inventory: &self.inventory,
            observe_only: &self.observe_only,
            in_use: &self.in_use,
            plan: &self.plan(),
            answers: &self.answers,
            vanished: self.vanished.as_deref(),
            refused_policies: self.refused_policies.as_deref(),
            clock_doubt: self.clock_doubt.as_deref(),
            brakes: &self.brakes,
            backup: &self.backup,
            standing: &self.standing,
        })
    }

    /// Lets a pass find what there is, and time go by.
    fn live(&mut self, hours: i64) {
        let standing = stand(self.found(), &self.standing, self.at);
        self.standing = standing.into_iter().map(|one| (one.finding.key(), one)).collect();
        self.at += TimeDelta::hours(hours);
    }

    /// The only finding that there is.
    fn only(&self, kind: FindingKind, name: &str) -> Finding {
        let found = self.found();
        let [one] = &found[..] else { panic!("not one finding: {found:#?}") };
        assert_eq!((one.kind, one.subject.name()), (kind, name), "{one:?}");
        one.clone()
    }

    fn assert_nothing_is_odd(&self) {
        assert_eq!(self.found(), []);
    }
}

fn patterns(text: &str) -> Patterns {
    Patterns::new(vec![text.parse().unwrap()]).unwrap()
}

/// Keeps the newest three and deletes untagged images after two weeks.
fn policy(project: &str, repositories: &str) -> Policy {
    let newest = KeepRule { newest: 3.try_into().ok(), ..KeepRule::named("newest".parse().unwrap()) };
    let untagged = DeleteRule {
        older_than: Some(TimeDelta::days(14)),
        ..DeleteRule::about("untagged".parse().unwrap(), Selects::Untagged)
    };
    Policy {
        project: project.to_owned(),
        repositories: patterns(repositories),
        keep: vec![newest],
        delete: vec![untagged],
        enforce_public: false,
        enforce_signed: false,
    }
}

fn image(n: u8, now: DateTime<Utc>) -> Image {
    let at = now - TimeDelta::days(9 + i64::from(n));
    let digest = Digest::from_bytes([n; 32]);
    Image {
        id: format!("ocid1.containerimage.oc1.x.{n}").parse().unwrap(),
        digest,
        tags: [(format!("v{n}").parse().unwrap(), Some(at))].into(),
        created_at: Some(at),
        first_seen_at: Some(at),
        last_pulled_at: None,
        resource_tags: None,
        read_at: Some(now),
        content: Content::Manifest { subject: None, config: None },
        layers: Some(Arc::from([Layer { digest, size: Bytes(1_000_000) }])),
        manifest_size: Bytes(1000),
    }
}
