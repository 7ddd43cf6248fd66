//! The half of a pass that cannot delete: look at everything, ask what runs, decide, have it checked. It is never
//! handed a writer, so `ocird plan` is this and nothing more.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Clock, CompartmentId, Digest, EffectivePolicy, Inventory, Lifecycle, Mark, MarkKey, Policies,
    ReadRegistry, RegistryError, RepositoryId, RepositoryName, RepositoryRow, TenancyId,
};
use ocird_oci::Region;
use ocird_plan::{CheckedPlan, DETAILS_SERVE, Due, MIN_PASSES, Violations};
use ocird_store::{Known, StoreError};

use crate::config::Config;
use crate::in_use::reference::Folder;
use crate::in_use::{self, Gathered};
use crate::pass::Purpose;
use crate::pass::notebook::Notebook;
use crate::pass::observe::{self, REREAD_AFTER, Rereads, Sight, at_once};

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
    /// The repositories that are only observed in this pass, and why.
    pub observe_only: BTreeMap<RepositoryId, String>,
    /// What may go now.
    pub due: Vec<Due>,
}

/// What a look at every repository gave.
struct Observed {
    inventory: Inventory,
    observe_only: BTreeMap<RepositoryId, String>,
    gaps: BTreeMap<RepositoryId, Gap>,
}

/// How long a repository was not read whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// As long as this store remembers.
    Always,
    /// For this long.
    Since(TimeDelta),
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
        let rows = self.repositories(&identity.1).await?;
        let hosts = self.reader.registry_hosts().await.map_err(SurveyError::SignIn)?;
        let folder = rows.first().map(|row| Folder::new(hosts, row.namespace.clone()));
        let previous = self.previous_marks().await;
        let Observed { inventory, observe_only, gaps } = self.observe(purpose, &rows, &previous, now).await;
        // Asked after the registry was read: what was deployed meanwhile is then known to run.
        let gathered = self.gather(folder.as_ref(), &inventory, clock.now()).await;
        let previous = without_gaps(previous, &gaps);
        let plan = ocird_plan::plan(&inventory, &self.policies, &gathered.in_use, now);
        let checked = ocird_plan::check(plan, &inventory, &self.policies, &gathered.in_use, now);
        let checked = checked.map_err(SurveyError::Refused)?;
        let marks = ocird_plan::advance(&previous, &checked, &self.policies, now);
        let only: BTreeSet<RepositoryId> = observe_only.keys().cloned().collect();
        let due = ocird_plan::due(&checked, &inventory, &marks, &self.policies, now, &only);
        Ok(Decided { identity, rows, folder, gathered, inventory, checked, marks, observe_only, due })
    }

    /// Every repository of the configured compartments, except those on their way out. `region` is the one that the
    /// credentials are for.
    async fn repositories(&self, region: &str) -> Result<Vec<RepositoryRow>, SurveyError> {
        let mut all = Vec::new();
        for compartment in &self.config.oci.compartments {
            let listed = self.reader.repositories(compartment).await;
            let rows = listed.map_err(|source| SurveyError::ListRepositories {
                compartment: compartment.clone(),
                source,
            })?;
            all.extend(rows.into_iter().map(|row| inside(row, compartment, region)).filter(|row| {
                match row.lifecycle {
                    Lifecycle::Available | Lifecycle::Unknown => true,
                    Lifecycle::Deleting | Lifecycle::Deleted => false,
                }
            }));
        }
        Ok(one_of_each_name(all))
    }

    /// What runs, by every source. The namespace that references are folded with is the one the registry reports;
    /// without any repository there is nothing to fold.
    pub(crate) async fn gather(
        &self,
        folder: Option<&Folder>,
        inventory: &Inventory,
        now: DateTime<Utc>,
    ) -> Gathered {
        match folder {
            Some(folder) => in_use::gather(&self.config.in_use, folder, inventory, now).await,
            None => Gathered::default(),
        }
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
    ) -> Observed {
        let inventory = Inventory { taken_at: now, repositories: BTreeMap::new() };
        let mut observed = Observed { inventory, observe_only: BTreeMap::new(), gaps: BTreeMap::new() };
        let ripe = self.ripe(marks, now);
        for chunk in rows.chunks(REPOSITORIES_AT_ONCE) {
            let mut looks = Vec::with_capacity(chunk.len());
            let mut gaps = BTreeMap::new();
            for row in chunk {
                let known = self.notebook.known(&row.id).await;
                if let Some(why) = self.only_observed(known.first_seen_at, known.last_complete_at, now) {
                    observed.observe_only.insert(row.id.clone(), why);
                }
                let about_to_go = match purpose {
                    Purpose::Observe => BTreeSet::new(),
                    Purpose::Enforce => observe::families(&known, ripe.get(&row.id)),
                };
                let gap = self.gap(known.last_complete_at, now);
                gaps.extend(gap.map(|gap| (row.id.clone(), gap)));
                looks.push((
                    row,
                    known,
                    Rereads { about_to_go, after: reread_after(&self.policies, &row.name) },
                ));
            }
            let reader = &self.reader;
            let looks = looks.into_iter();
            let looks: Vec<_> =
                looks.map(|(row, known, rereads)| look(reader, row, known, rereads, now)).collect();
            for (row, sight) in at_once(REPOSITORIES_AT_ONCE, looks).await {
                self.notebook.remember(&row.id, &row.name, sight.fresh, now).await;
                // A gap ends with the look that reads the repository whole; until then it is still the same gap.
                if sight.state.complete().is_some() {
                    observed.gaps.extend(gaps.remove_entry(&row.id));
                }
                observed.inventory.repositories.insert(row.name.clone(), sight.state);
            }
        }
        observed
    }

    /// How long a repository has not been read whole, if that is too long to speak of consecutive passes.
    fn gap(&self, last_complete_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<Gap> {
        let Some(last_complete_at) = last_complete_at else { return Some(Gap::Always) };
        let longest = self.config.schedule.observe.interval(now) * GAP_INTERVALS;
        let gap = now - last_complete_at;
        (gap > longest).then_some(Gap::Since(gap))
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
        if now - first_seen_at < grace {
            let until = first_seen_at + grace;
            Some(format!("it is new to this store and only observed until {}", until.format("%F %H:%M UTC")))
        } else {
            self.gap(Some(last_complete_at), now).map(|_| {
                let minutes = (now - last_complete_at).num_minutes();
                format!("it was not read whole for {minutes} min; the first pass after a gap only observes")
            })
        }
    }
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

/// A row that lies in the compartment and region that were asked about; one that claims another is of no known kind (S-10).
/// An endpoint may lead to another region than the one that is armed, whatever the configuration calls it.
fn inside(row: RepositoryRow, compartment: &CompartmentId, region: &str) -> RepositoryRow {
    // ocid1.containerrepo.<realm>.<region or its key>...: what is in no table says nothing.
    let named = row.id.as_str().split('.').nth(3).and_then(Region::find);
    let is_elsewhere = named.is_some_and(|named| named.identifier() != region);
    let is_inside = row.compartment == *compartment && !is_elsewhere;
    let lifecycle = if is_inside { row.lifecycle } else { Lifecycle::Unknown };
    RepositoryRow { lifecycle, ..row }
}

/// Two repositories of one name (moved or made anew while the list was read) cannot be told apart by what runs from
/// them: neither is read.
fn one_of_each_name(mut rows: Vec<RepositoryRow>) -> Vec<RepositoryRow> {
    let mut n_rows: BTreeMap<RepositoryName, u32> = BTreeMap::new();
    for row in &rows {
        *n_rows.entry(row.name.clone()).or_default() += 1;
    }
    for row in rows.iter_mut().filter(|row| n_rows[&row.name] > 1) {
        row.lifecycle = Lifecycle::Unknown;
    }
    rows
}

/// The marks as if the time in which nobody looked had not passed: a gap does not age a mark (S-16).
fn without_gaps(
    marks: BTreeMap<MarkKey, Mark>,
    gaps: &BTreeMap<RepositoryId, Gap>,
) -> BTreeMap<MarkKey, Mark> {
    let aged = marks.into_iter().filter_map(|(key, mark)| match gaps.get(&key.repository) {
        None => Some((key, mark)),
        Some(Gap::Always) => None,
        Some(Gap::Since(gap)) => {
            let since = mark.since + *gap;
            Some((key, Mark { since, ..mark }))
        }
    });
    aged.collect()
}

#[cfg(test)]
mod tests;
