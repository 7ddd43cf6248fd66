//! The half of a pass that cannot delete: look at everything, ask what runs, decide, have it checked. It is never
//! handed a writer, so `ocird plan` is this and nothing more.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ocird_model::{
    CompartmentId, Digest, Inventory, Lifecycle, Mark, MarkKey, Policies, ReadRegistry, RegistryError,
    RepositoryId, RepositoryRow, TenancyId,
};
use ocird_plan::{CheckedPlan, Due, MIN_PASSES, Violations};
use ocird_store::{Known, StoreError};

use crate::config::Config;
use crate::in_use::reference::Folder;
use crate::in_use::{self, Gathered};
use crate::pass::Purpose;
use crate::pass::notebook::Notebook;
use crate::pass::observe::{self, Sight, at_once};

/// Repositories that are looked at at once. Each has at most eight reads under way, so the service never sees more
/// than 32 requests of ours at a time.
const REPOSITORIES_AT_ONCE: usize = 4;

/// After this many intervals without a complete pass a repository is only observed once (S-9).
const GAP_INTERVALS: i32 = 3;

/// Looks and decides.
pub struct Survey<R> {
    pub(crate) config: Config,
    pub(crate) policies: Policies,
    pub(crate) reader: R,
    pub(crate) notebook: Notebook,
}

impl<R> std::fmt::Debug for Survey<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Survey").field("config", &self.config.path).finish_non_exhaustive()
    }
}

/// Why nothing could be decided.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The credentials could not be used at all.
    #[error("cannot sign in")]
    SignIn(#[source] RegistryError),
    /// The repositories of a compartment could not be listed.
    #[error("cannot list the repositories of {compartment}")]
    ListRepositories {
        /// The compartment.
        compartment: CompartmentId,
        /// What happened.
        source: RegistryError,
    },
    /// The independent check refused the plan. This is a bug; nothing was marked or deleted.
    #[error("the independent check refused the plan")]
    Refused(#[source] Violations),
}

impl SurveyError {
    /// The stage as a metric label and a log field.
    pub const fn stage(&self) -> &'static str {
        match self {
            Self::SignIn(_) => "sign_in",
            Self::ListRepositories { compartment: _, source: _ } => "list_repositories",
            Self::Refused(_) => "check",
        }
    }
}

/// What was found and decided.
#[derive(Debug)]
pub struct Decided {
    /// The tenancy and region of the credentials.
    pub identity: (TenancyId, String),
    /// Every repository as the list shows it.
    pub rows: Vec<RepositoryRow>,
    /// What runs.
    pub gathered: Gathered,
    /// What was seen.
    pub inventory: Inventory,
    /// What was decided, and found to break no rule.
    pub checked: CheckedPlan,
    /// What rules have selected, since when and how often.
    pub marks: BTreeMap<MarkKey, Mark>,
    /// The repositories that are only observed in this pass, and why.
    pub observe_only: BTreeMap<RepositoryId, String>,
    /// What may go now.
    pub due: Vec<Due>,
}

impl<R: ReadRegistry> Survey<R> {
    /// A survey of what the configuration names.
    pub fn new(config: Config, reader: R) -> Self {
        let notebook = Notebook::new(&config.state_dir);
        let policies = config.policies.clone();
        Self { config, policies, reader, notebook }
    }

    /// Takes what the store knows into account without opening it for writing: it may be a running daemon's. Answers
    /// whether there is a store; a plan made without one does not know when images were first seen.
    pub async fn consult_store(&mut self) -> Result<bool, StoreError> {
        self.notebook.glance().await
    }

    /// Looks at everything and decides.
    pub async fn decide(&mut self, purpose: Purpose, now: DateTime<Utc>) -> Result<Decided, SurveyError> {
        self.reader.begin_pass();
        let identity = self.reader.identity().await.map_err(SurveyError::SignIn)?;
        let rows = self.repositories().await?;
        let hosts = self.reader.registry_hosts().await.map_err(SurveyError::SignIn)?;
        let gathered = self.gather(&rows, hosts, now).await;
        let previous = self.previous_marks().await;
        let (inventory, observe_only) = self.observe(purpose, &rows, &previous, now).await;
        let plan = ocird_plan::plan(&inventory, &self.policies, &gathered.in_use, now);
        let checked = ocird_plan::check(plan, &inventory, &self.policies, &gathered.in_use, now);
        let checked = checked.map_err(SurveyError::Refused)?;
        let marks = ocird_plan::advance(&previous, &checked, &self.policies, now);
        let only: BTreeSet<RepositoryId> = observe_only.keys().cloned().collect();
        let due = ocird_plan::due(&checked, &inventory, &marks, &self.policies, now, &only);
        Ok(Decided { identity, rows, gathered, inventory, checked, marks, observe_only, due })
    }

    /// Every repository of the configured compartments, except those on their way out.
    async fn repositories(&self) -> Result<Vec<RepositoryRow>, SurveyError> {
        let mut all = Vec::new();
        for compartment in &self.config.oci.compartments {
            let listed = self.reader.repositories(compartment).await;
            let rows = listed.map_err(|source| SurveyError::ListRepositories {
                compartment: compartment.clone(),
                source,
            })?;
            all.extend(rows.into_iter().filter(|row| match row.lifecycle {
                Lifecycle::Available | Lifecycle::Unknown => true,
                Lifecycle::Deleting | Lifecycle::Deleted => false,
            }));
        }
        Ok(all)
    }

    /// What runs, by every source. The namespace that references are folded with is the one the registry reports;
    /// without any repository there is nothing to fold.
    async fn gather(&self, rows: &[RepositoryRow], hosts: Vec<String>, now: DateTime<Utc>) -> Gathered {
        let Some(row) = rows.first() else { return Gathered::default() };
        let folder = Folder::new(hosts, row.namespace.clone());
        in_use::gather(&self.config.in_use, &folder, rows.iter().map(|row| &row.name), now).await
    }

    async fn previous_marks(&mut self) -> BTreeMap<MarkKey, Mark> {
        let Some(store) = self.notebook.writable() else { return BTreeMap::new() };
        match store.marks().await {
            Ok(marks) => marks,
            Err(error) => {
                self.notebook.fail(&error);
                BTreeMap::new()
            }
        }
    }

    /// Looks at every repository, some at a time, and remembers what was read. Also answers which repositories are
    /// only to be observed, and why.
    async fn observe(
        &mut self,
        purpose: Purpose,
        rows: &[RepositoryRow],
        marks: &BTreeMap<MarkKey, Mark>,
        now: DateTime<Utc>,
    ) -> (Inventory, BTreeMap<RepositoryId, String>) {
        let mut inventory = Inventory { taken_at: now, repositories: BTreeMap::new() };
        let mut observe_only = BTreeMap::new();
        let mut ripe = self.ripe(marks, now);
        for chunk in rows.chunks(REPOSITORIES_AT_ONCE) {
            let mut looks = Vec::with_capacity(chunk.len());
            for row in chunk {
                let known = self.notebook.known(&row.id).await;
                if let Some(why) = self.only_observed(known.first_seen_at, known.last_complete_at, now) {
                    observe_only.insert(row.id.clone(), why);
                }
                let about_to_go = match purpose {
                    Purpose::Observe => BTreeSet::new(),
                    Purpose::Enforce => ripe
                        .remove(&row.id)
                        .unwrap_or_default()
                        .into_iter()
                        .chain(known.rests.keys().copied())
                        .collect(),
                };
                looks.push((row, known, about_to_go));
            }
            let reader = &self.reader;
            let looks = looks.into_iter();
            let looks: Vec<_> =
                looks.map(|(row, known, going)| look(reader, row, known, going, now)).collect();
            for (row, sight) in at_once(REPOSITORIES_AT_ONCE, looks).await {
                self.notebook.remember(&row.id, &row.name, sight.fresh, now).await;
                inventory.repositories.insert(row.name.clone(), sight.state);
            }
        }
        (inventory, observe_only)
    }

    /// The heads whose marks may fall due in this pass, by repository. A pass that is to act reads them again first, and
    /// the rests of families too, so that the plan decides on what they are now.
    fn ripe(
        &self,
        marks: &BTreeMap<MarkKey, Mark>,
        now: DateTime<Utc>,
    ) -> BTreeMap<RepositoryId, BTreeSet<Digest>> {
        let mut ripe: BTreeMap<RepositoryId, BTreeSet<Digest>> = BTreeMap::new();
        for (key, mark) in marks {
            if mark.n_passes + 1 >= MIN_PASSES && now - mark.since >= self.policies.guardrails.grace {
                ripe.entry(key.repository.clone()).or_default().insert(key.head);
            }
        }
        ripe
    }

    /// Why a repository is only observed in this pass: it or the store is new (S-15, S-29), or it was not read whole
    /// for too long (S-9).
    fn only_observed(
        &self,
        first_seen_at: Option<DateTime<Utc>>,
        last_complete_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Option<String> {
        let grace = self.policies.guardrails.grace;
        let (Some(first_seen_at), Some(last_complete_at)) = (first_seen_at, last_complete_at) else {
            return Some("it was never read whole before".to_owned());
        };
        let longest_gap = self.config.schedule.observe.interval(now) * GAP_INTERVALS;
        if now - first_seen_at < grace {
            let until = first_seen_at + grace;
            Some(format!("it is new to this store and only observed until {}", until.format("%F %H:%M UTC")))
        } else if now - last_complete_at > longest_gap {
            let hours = (now - last_complete_at).num_minutes().unsigned_abs();
            Some(format!("it was not read whole for {hours} min; the first pass after a gap only observes"))
        } else {
            None
        }
    }
}

/// A look at one repository, with its row.
async fn look<'r, R: ReadRegistry>(
    reader: &R,
    row: &'r RepositoryRow,
    known: Known,
    about_to_go: BTreeSet<Digest>,
    now: DateTime<Utc>,
) -> (&'r RepositoryRow, Sight) {
    (row, observe::repository(reader, row, known, &about_to_go, now).await)
}
