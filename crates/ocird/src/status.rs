//! The picture of the daemon that everybody who asks is shown: `/status`, `/healthz`, `/metrics` and the API all
//! render this one value. The pass publishes it; rendering never asks the cloud, the store or the clock.

mod backup;
mod bounds;
mod brakes;
mod refusal;
mod undo;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, RepositoryName, Standing, Unreadable, UseKind};
use serde::Serialize;
use tokio::sync::watch;

pub use backup::BackupStatus;
pub use bounds::Bounds;
pub use brakes::{ApprovalStatus, BrakesStatus, RefusedPlanStatus, StopStatus};
pub use refusal::{ClearedBy, Reach, Refusal, RefusalCode};
pub use undo::{HoldStatus, ProofStatus, UndoStatus};

/// The present picture. Cheap to clone and to replace as a whole.
#[derive(Debug, Clone)]
pub struct Board(watch::Sender<Arc<Status>>);

impl Board {
    /// A board that shows `status` until somebody posts another.
    pub fn new(status: Status) -> Self {
        Self(watch::Sender::new(Arc::new(status)))
    }

    /// The present picture.
    pub fn read(&self) -> Arc<Status> {
        Arc::clone(&self.0.borrow())
    }

    /// Changes the picture.
    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        self.0.send_modify(|status| change(Arc::make_mut(status)));
    }
}

/// What the daemon is, did last and will do next.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Version and build, as `ocird version` prints them.
    pub version: String,
    /// When the process started.
    pub started_at: DateTime<Utc>,
    /// What it is allowed to do.
    pub arming: Arming,
    /// The region and tenancy it looks at, once known.
    pub place: Option<Place>,
    /// When the next observing pass is due.
    pub next_observe_at: Option<DateTime<Utc>>,
    /// When the next acting pass is due; `None` in report mode.
    pub next_enforce_at: Option<DateTime<Utc>>,
    /// A pass is running since then.
    pub passing_since: Option<DateTime<Utc>>,
    /// The last pass that ended, well or not.
    pub last_pass: Option<PassSummary>,
    /// When a pass last read every repository whole.
    pub last_complete_at: Option<DateTime<Utc>>,
    /// Every repository of the last pass that saw any.
    pub repositories: BTreeMap<RepositoryName, RepositoryStatus>,
    /// What the rules have selected and not yet deleted, the next to go first.
    pub pending: Vec<Pending>,
    /// Why nothing goes, or less than the rules say: one entry per cause (S-33).
    pub refusals: Vec<Refusal>,
    /// What a person must let go on, and how far the store has been trusted yet.
    pub brakes: BrakesStatus,
    /// What was proved after deletions, and what people hold.
    pub undo: UndoStatus,
    /// The copies of the store.
    pub backup: BackupStatus,
    /// What is odd, since when, and what to do about it; the worst first. It never changes what goes.
    pub findings: Vec<Standing>,
    /// Each source of what is in use.
    pub in_use: Vec<SourceStatus>,
    /// How many uses they named, what a rollback would pull included.
    pub n_uses: u64,
    /// The first of them, by repository, at most a thousand.
    pub uses: Vec<UseStatus>,
    /// Each part that can fail on its own.
    pub checks: Checks,
    /// What the figures are measured against.
    pub bounds: Bounds,
    /// The latest deletions and other outcomes, newest first, at most 50.
    pub recent: Vec<RecentOutcome>,
    /// Counts since the process started.
    pub counts: Counts,
}

impl Status {
    /// True once a pass has ended, or once it is known why none can: from then on the picture tells something.
    pub fn has_looked(&self) -> bool {
        self.last_pass.is_some()
            || self.checks.sign_in.is_failed()
            || self.checks.registry.is_failed()
            || self.checks.store.is_failed()
    }
}

/// What the daemon is allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arming {
    /// Report mode: it looks and says, and deletes nothing.
    Report,
    /// Both switches are set and agree with the credentials.
    Armed,
    /// Both switches are set, but something does not agree (see the refusals): it deletes nothing.
    Disarmed,
}

/// What the credentials belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The tenancy's OCID.
    pub tenancy: String,
    /// The region identifier.
    pub region: String,
}

/// One pass that ended.
#[derive(Debug, Clone, Serialize)]
pub struct PassSummary {
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// Wall time in seconds, by the monotonic clock.
    pub duration_seconds: f64,
    /// Whether it was to act.
    pub enforcing: bool,
    /// How it ended.
    pub result: PassResult,
    /// Families whose head was deleted, and rests of families.
    pub n_deleted: u64,
}

/// How a pass ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum PassResult {
    /// Every repository was read whole, and everything due was tried.
    Complete,
    /// Some repositories could not be read; the others were dealt with.
    Partial {
        /// How many could not be read.
        n_unreadable: u64,
    },
    /// It could not look at all.
    Failed {
        /// Where: `sign_in`, `list_repositories` or `check`.
        stage: &'static str,
        /// What happened, with the whole chain of causes.
        error: String,
    },
}

/// One repository in the last pass.
#[derive(Debug, Clone, Serialize)]
pub struct RepositoryStatus {
    /// The project whose policy governs it.
    pub project: Option<String>,
    /// When it was last read whole.
    pub complete_at: Option<DateTime<Utc>>,
    /// Why it could not be read in the last pass.
    pub unreadable: Option<Unreadable>,
    /// Number of images.
    pub n_images: u64,
    /// Number of tags.
    pub n_tags: u64,
    /// Number of images by reason of their verdict (the words of `Verdict::as_str`).
    pub verdicts: BTreeMap<&'static str, u64>,
    /// ocird's own account of its bytes: distinct layers once, manifests; `None` while a layer is not known.
    pub size: Option<Bytes>,
    /// Bytes that the images which may go would free.
    pub freeable: Option<Bytes>,
    /// The service's own figure, which lags.
    pub reported_size: Bytes,
    /// The newest push.
    pub newest_push_at: Option<DateTime<Utc>>,
}

/// A family that rules have selected.
#[derive(Debug, Clone, Serialize)]
pub struct Pending {
    /// Its repository.
    pub repository: RepositoryName,
    /// The short digest of its head.
    pub digest: String,
    /// The tags of its head.
    pub tags: Vec<String>,
    /// The rule that selects it.
    pub rule: String,
    /// Since when it has been selected without a break.
    pub since: DateTime<Utc>,
    /// The earliest instant at which it may go.
    pub due_at: DateTime<Utc>,
}

/// One use of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UseStatus {
    /// The image's repository.
    pub repository: RepositoryName,
    /// The tag by which it is used.
    pub tag: Option<String>,
    /// The digest that is used.
    pub digest: Option<String>,
    /// What uses it, and where.
    pub by: String,
    /// Whether it runs, or is kept for a rollback.
    pub kind: UseKind,
    /// Since when, by ocird's own history.
    pub since: Option<DateTime<Utc>>,
    /// True when the registry does not have it; null when nobody knows.
    pub is_missing: Option<bool>,
}

/// One source of what is in use.
#[derive(Debug, Clone, Serialize)]
pub struct SourceStatus {
    /// Its name: the path of the file.
    pub name: String,
    /// The host that wrote it.
    pub host: Option<String>,
    /// The time its writer put inside.
    pub written_at: Option<DateTime<Utc>>,
    /// Number of references into this tenancy's registry.
    pub n_references: u64,
    /// Why it cannot be believed; `None` when it can.
    pub doubt: Option<String>,
}

/// Each part that can fail on its own: `Ok` or what is wrong and what to do.
#[derive(Debug, Clone, Serialize)]
pub struct Checks {
    /// Signing in to the cloud.
    pub sign_in: Check,
    /// Listing the registry.
    pub registry: Check,
    /// The store.
    pub store: Check,
    /// The clock, against the server's.
    pub clock: Check,
    /// The sources of what is in use.
    pub in_use: Check,
    /// The policies: a reload that was refused keeps the old ones.
    pub policies: Check,
    /// Whether something stops deletion that waits for a person: paused, disarmed, breaker, frozen, refused. Report mode is
    /// meant, and no failure.
    pub deletion: Check,
}

impl Checks {
    /// Each check with its name.
    pub const fn named(&self) -> [(&'static str, &Check); 7] {
        let Self { sign_in, registry, store, clock, in_use, policies, deletion } = self;
        [
            ("sign_in", sign_in),
            ("registry", registry),
            ("store", store),
            ("clock", clock),
            ("in_use", in_use),
            ("policies", policies),
            ("deletion", deletion),
        ]
    }
}

/// The state of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Check {
    /// Not tried yet.
    Pending,
    /// It works.
    Ok,
    /// It does not, and deletion stops for it; observing and serving go on.
    Failed {
        /// What is wrong, and what to do.
        text: String,
    },
}

impl Check {
    /// True when it is known not to work.
    pub const fn is_failed(&self) -> bool {
        match self {
            Self::Failed { text: _ } => true,
            Self::Pending | Self::Ok => false,
        }
    }
}

/// One settled deletion.
#[derive(Debug, Clone, Serialize)]
pub struct RecentOutcome {
    /// When it was settled.
    pub at: DateTime<Utc>,
    /// The repository.
    pub repository: RepositoryName,
    /// The short digest.
    pub digest: String,
    /// The tags it had.
    pub tags: Vec<String>,
    /// A word of `OutcomeKind::ALL`.
    pub outcome: &'static str,
    /// The rule or reason.
    pub rule: String,
}

/// Counts since the process started.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Counts {
    /// Passes begun.
    pub n_passes: u64,
    /// Passes that failed, by stage.
    pub n_failed: BTreeMap<&'static str, u64>,
    /// Outcomes by kind.
    pub n_outcomes: BTreeMap<&'static str, u64>,
    /// Refusals by code.
    pub n_refusals: BTreeMap<&'static str, u64>,
    /// Reloads of the policies, by `ok` or `refused`.
    pub n_reloads: BTreeMap<&'static str, u64>,
    /// When the present policies were loaded.
    pub policies_loaded_at: Option<DateTime<Utc>>,
}
