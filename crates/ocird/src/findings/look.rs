//! What findings are made from: everything that one pass saw, was told and decided, by reference.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ocird_model::{
    FindingKey, InUse, Inventory, Patterns, Plan, Policies, Repository, RepositoryId, RepositoryName,
    RepositoryRow, Standing, Subject,
};
use ocird_store::{Brakes, Vanished};

use super::Answers;
use crate::config::FindingsConfig;
use crate::status::{Check, Refusal};

/// One pass, as far as findings need it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'a> {
    /// When the pass looked.
    pub(crate) at: DateTime<Utc>,
    /// What is worth telling.
    pub(crate) config: &'a FindingsConfig,
    /// What the centre gives each project; anything may be claimed when absent.
    pub(crate) projects: Option<&'a BTreeMap<String, Patterns>>,
    /// Every policy in force.
    pub(crate) policies: &'a Policies,
    /// Every repository as the list shows it.
    pub(crate) rows: &'a [RepositoryRow],
    /// What was seen.
    pub(crate) inventory: &'a Inventory,
    /// The repositories that are only observed, and why.
    pub(crate) observe_only: &'a BTreeMap<RepositoryId, Refusal>,
    /// What runs.
    pub(crate) in_use: &'a InUse,
    /// What was decided.
    pub(crate) plan: &'a Plan,
    /// What the cloud said beside the registry.
    pub(crate) answers: &'a Answers,
    /// What went by another hand lately; `None` where no store could tell.
    pub(crate) vanished: Option<&'a [Vanished]>,
    /// Why the last reload of the policies was refused; `None` when the policies on disk are in force.
    pub(crate) refused_policies: Option<&'a str>,
    /// Why the clock is in doubt.
    pub(crate) clock_doubt: Option<&'a str>,
    /// What a person must let go on.
    pub(crate) brakes: &'a Brakes,
    /// What came of the last copy of the store.
    pub(crate) backup: &'a Check,
    /// What stood before this pass.
    pub(crate) standing: &'a BTreeMap<FindingKey, Standing>,
}

impl<'a> Look<'a> {
    /// A repository that was read whole.
    pub(super) fn complete(&self, name: &RepositoryName) -> Option<&'a Repository> {
        self.inventory.repositories.get(name)?.complete()
    }
}

/// A repository as a subject.
pub(super) fn repository(name: &RepositoryName) -> Subject {
    Subject::Repository { name: name.clone() }
}

/// A policy as a subject.
pub(super) fn policy(project: &str) -> Subject {
    Subject::Policy { project: project.to_owned() }
}
