//! The half of a pass that cannot delete: look at everything, ask what runs, decide, have it checked. It is never
//! handed a writer, so `ocird plan` is this and nothing more.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use ocird_model::{
    Clock, CompartmentId, Digest, EffectivePolicy, InUse, Inventory, Mark, MarkKey, Policies, ReadRegistry,
    RegistryError, Repository, RepositoryId, RepositoryName, RepositoryRow, RepositoryState, TenancyId,
};
use ocird_plan::{CheckedPlan, DETAILS_SERVE, Due, MIN_PASSES, Violations};
use ocird_store::{Known, StoreError, UseHistory};

use crate::config::Config;
use crate::in_use::reference::Folder;
use crate::in_use::{Gathered, Inquiry};
use crate::pass::Purpose;
use crate::pass::estate::{self, Estate, Unlisted};
use crate::pass::notebook::Notebook;
use crate::pass::observe::{self, REREAD_AFTER, Rereads, Sight};
use crate::pass::signed;
use crate::pass::trust::{Gap, Trust, without_gaps};
use crate::status::Refusal;

/// Repositories that are looked at at once: as many as the client ever asks at a time, since most of them are a single page.
/// How many requests the service really sees the client finds out by itself.
pub(crate) const REPOSITORIES_AT_ONCE: usize = 32;

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
    /// Tells which references point into this registry; `None` while it has no repository.
    pub folder: Option<Folder>,
    /// What runs.
    pub gathered: Gathered,
    /// What was seen.
    pub inventory: Inventory,
    /// What was decided, and found to break no rule.
    pub checked: CheckedPlan,
    /// What rules have selected, since when and how often.
    pub marks: BTreeMap<MarkKey, Mark>,
    /// The compartments whose repositories could not be listed. What was in them before is in the inventory, unread.
    pub unlisted: Vec<Unlisted>,
    /// The repositories that are only observed in this pass, and why.
    pub observe_only: BTreeMap<RepositoryId, Refusal>,
    /// The repositories that were read whole while it was known what runs from them.
    pub certain: BTreeSet<RepositoryId>,
    /// What may go now.
    pub due: Vec<Due>,
}

/// What a look at every repository gave.
struct Observed {
    inventory: Inventory,
    observe_only: BTreeMap<RepositoryId, Refusal>,
    gaps: BTreeMap<RepositoryId, Gap>,
}

impl Observed {
    /// Takes down what is known of a repository before it is looked at.
    fn before(&mut self, row: &RepositoryRow, known: &Known, trust: &Trust) {
        self.observe_only.extend(trust.only_observed(known).map(|why| (row.id.clone(), why)));
        let gap = trust.gap(known);
        self.gaps.extend(gap.map(|gap| (row.id.clone(), gap)));
    }

    /// Takes down what a look at a repository has shown.
    fn after(&mut self, row: &RepositoryRow, state: RepositoryState, n_missing: u64, trust: &mut Trust) {
        if let Some(repository) = state.complete() {
            trust.count_repository(&repository.id, repository.images.len() as u64, n_missing);
            let shrunk = trust.shrunk(&repository.id, &repository.compartment);
            self.observe_only.extend(shrunk.map(|why| (row.id.clone(), why)));
        }
        self.inventory.repositories.insert(row.name.clone(), state);
    }
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

    /// Looks at everything and decides, for a pass that began at `now`. What hosts say is judged by the clock as it is
    /// when they are asked: in a long pass they have written since it began, and that is no doubt.
    pub async fn decide(
        &mut self,
        purpose: Purpose,
        now: DateTime<Utc>,
        clock: &impl Clock,
    ) -> Result<Decided, SurveyError> {
        self.reader.begin_pass();
        let identity = self.reader.identity().await.map_err(SurveyError::SignIn)?;
        let estate = estate::list(&self.reader, &self.config.oci.compartments, &identity.1).await?;
        let Estate { rows, n_repositories, unlisted } = estate;
        let hosts = self.reader.registry_hosts().await.map_err(SurveyError::SignIn)?;
        let folder = rows.first().map(|row| Folder::new(hosts, row.namespace.clone()));
        let previous = self.previous_marks().await;
        let mut trust = self.trust(now).await;
        for (compartment, n) in &n_repositories {
            trust.count_compartment(compartment, *n);
        }
        let Observed { mut inventory, mut observe_only, mut gaps } =
            self.observe(purpose, &rows, &previous, &mut trust).await;
        for unlisted in &unlisted {
            let known = self.notebook.repositories_in(&unlisted.compartment).await;
            estate::hold(&mut inventory, known, unlisted);
        }
        inventory.n_unlisted = unlisted.len();
        self.notebook.hold(&mut inventory).await;
        let unknown = signed::hold(&self.reader, &self.policies, &mut inventory).await;
        for (id, why) in unknown {
            observe_only.entry(id).or_insert(why);
        }
        // Asked after the registry was read: what was deployed meanwhile is then known to run.
        let history = self.notebook.use_history().await;
        let gathered = self.gather(folder.as_ref(), &inventory, &history, clock.now()).await;
        self.notebook.remember_uses(&history, &gathered.history, clock.now()).await;
        let certain = certain(&inventory, &gathered.in_use, now);
        // A gap ends with the pass that is certain again; until then it is still the same gap. That nobody looked at all ends
        // with this look, so that what follows from it follows now.
        gaps.retain(|id, gap| certain.contains(id) || matches!(gap, Gap::Away(_)));
        self.notebook.believe(&trust.into_changed(), now).await;
        let previous = without_gaps(previous, &gaps);
        let plan = ocird_plan::plan(&inventory, &self.policies, &gathered.in_use, now);
        let checked = ocird_plan::check(plan, &inventory, &self.policies, &gathered.in_use, now);
        let checked = checked.map_err(SurveyError::Refused)?;
        let marks = ocird_plan::advance(&previous, &checked, &self.policies, now);
        let only: BTreeSet<RepositoryId> = observe_only.keys().cloned().collect();
        let due = ocird_plan::due(&checked, &inventory, &marks, &self.policies, now, &only);
        Ok(Decided {
            identity,
            rows,
            folder,
            gathered,
            inventory,
            checked,
            marks,
            unlisted,
            observe_only,
            certain,
            due,
        })
    }

    /// What runs, by every source. The namespace that references are folded with is the one the registry reports;
    /// without any repository there is nothing to fold.
    pub(crate) async fn gather(
        &self,
        folder: Option<&Folder>,
        inventory: &Inventory,
        history: &UseHistory,
        now: DateTime<Utc>,
    ) -> Gathered {
        let Some(folder) = folder else {
            return Gathered { history: history.clone(), ..Gathered::default() };
        };
        let config = &self.config.in_use;
        Inquiry { config, folder, inventory, history, now }.ask().await
    }

    /// What is believed before this pass.
    async fn trust(&mut self, now: DateTime<Utc>) -> Trust {
        let grace = self.policies.guardrails.grace;
        let schedule = self.config.schedule.observe.clone();
        let (census, migrated_at) = self.notebook.beliefs().await;
        Trust::new(now, grace, schedule, migrated_at, census)
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

    /// Looks at every repository, some at a time, and remembers what was read as soon as it is. Also answers which repositories
    /// are only to be observed, and why.
    async fn observe(
        &mut self,
        purpose: Purpose,
        rows: &[RepositoryRow],
        marks: &BTreeMap<MarkKey, Mark>,
        trust: &mut Trust,
    ) -> Observed {
        let now = trust.now();
        let inventory = Inventory { taken_at: now, repositories: BTreeMap::new(), n_unlisted: 0 };
        let mut observed = Observed { inventory, observe_only: BTreeMap::new(), gaps: BTreeMap::new() };
        let ripe = self.ripe(marks, now);
        let Self { reader, notebook, policies, .. } = self;
        let rereads_of = |row: &RepositoryRow, known: &Known| {
            let about_to_go = match purpose {
                Purpose::Observe => BTreeSet::new(),
                Purpose::Enforce => observe::families(known, ripe.get(&row.id)),
            };
            Rereads { about_to_go, after: reread_after(policies, &row.name) }
        };
        let (mut rows, mut looks) = (rows.iter(), FuturesUnordered::new());
        loop {
            while looks.len() < REPOSITORIES_AT_ONCE
                && let Some(row) = rows.next()
            {
                let known = notebook.known(&row.id).await;
                observed.before(row, &known, trust);
                let rereads = rereads_of(row, &known);
                looks.push(look(&*reader, row, known, rereads, now));
            }
            let Some((row, sight)) = looks.next().await else { return observed };
            let is_unfinished = sight.is_unfinished();
            notebook.remember(&row.id, &row.name, sight.fresh, now).await;
            if is_unfinished {
                let known = notebook.known(&row.id).await;
                let rereads = rereads_of(row, &known);
                looks.push(look(&*reader, row, known, rereads, now));
            } else {
                observed.after(row, sight.state, sight.n_missing, trust);
            }
        }
    }

    /// The heads whose marks may fall due in this pass, by repository. A pass that is to act reads their families again
    /// first, and the rests of families too, so that the plan decides on what they are now.
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
}

/// The repositories that were read whole while it was known what runs from them: only for those does this pass count as
/// one in the row that ripens a mark (S-16).
fn certain(inventory: &Inventory, in_use: &InUse, now: DateTime<Utc>) -> BTreeSet<RepositoryId> {
    let is_known =
        |repository: &&Repository| in_use.doubt_about(&repository.name).is_none() && in_use.is_fresh(now);
    inventory.complete().filter(is_known).map(|repository| repository.id.clone()).collect()
}

/// How old the details of an image may become before they are read again. Where a rule asks for pulls or resource tags,
/// which no list shows, no older than rules believe them.
fn reread_after(policies: &Policies, repository: &RepositoryName) -> TimeDelta {
    let usually = REREAD_AFTER.min(policies.guardrails.grace);
    match policies.governing(repository) {
        EffectivePolicy::One(policy) if policy.asks_what_no_list_shows() => usually.min(DETAILS_SERVE),
        EffectivePolicy::One(_) | EffectivePolicy::None | EffectivePolicy::Contested(_, _) => usually,
    }
}

/// A look at one repository, with its row.
async fn look<'r, R: ReadRegistry>(
    reader: &R,
    row: &'r RepositoryRow,
    known: Known,
    rereads: Rereads,
    now: DateTime<Utc>,
) -> (&'r RepositoryRow, Sight) {
    (row, observe::repository(reader, row, known, &rereads, now).await)
}

#[cfg(test)]
mod tests;
