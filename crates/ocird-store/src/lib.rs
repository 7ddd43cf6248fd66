//! What ocird remembers, in one `SQLite` file: what was read, history, marks, and the journal of intents and outcomes.
//!
//! - **One writer** (S-23). An OS lock on the state directory keeps a second process out, and an epoch in the file
//!   fences whoever got past the lock (a copied directory, a lock that a network file system lost): every write says
//!   which epoch it belongs to and is refused when another has begun.
//! - **Written means synced.** The journal is the only proof of what was deleted and how to undo it, so the writer
//!   runs with `synchronous=FULL` in WAL mode. A commit costs some milliseconds; two of them stand around a deletion.
//! - **Amnesia is safe** (S-29). A store that is lost, or older than the process that wrote it last, has no marks.
//!   A corrupt file is set aside and said so; nothing is recreated silently.
//! - **What is known is not written again.** A steady pass adds one row. An image's last sight is its repository's.
//! - **`LIMIT 0 + ?`** and not `LIMIT ?` in what each pass asks: `SQLite` looks at a bare bound limit while it plans, and so
//!   prepares the statement anew each time.
//! - Whatever cannot be decoded is an error, never skipped: a row that is left out would read as "not there" (S-2).
//!
//! It deliberately decides nothing: it does not know what a grace is, when a mark is due or what a limit means. It
//! asks no clock (callers say what time it is) and logs nothing: every failure is a typed error.
//!
//! Times are kept to the millisecond, except those the registry gave, which are kept exactly.

mod admin;
mod backup;
mod belief;
mod brakes;
mod column;
mod connect;
mod deployments;
mod downsample;
mod error;
mod findings;
mod fold;
mod glance;
mod history;
mod holds;
mod inspect;
mod journal;
mod known;
mod lock;
mod marks;
mod open;
mod open_error;
mod past;
mod plans;
mod proofs;
mod pulls;
mod record;
mod remember;
mod samples;
mod seen;
mod store;
mod undo;
mod verdicts;

pub use admin::{Command, CommandId, CommandResultKind, Operator, RecordedCommand};
pub use backup::StoreCopy;
pub use belief::ClockDoubt;
pub use brakes::{BatchEnd, Brakes, OpenBatch, Ramp, Stop};
pub use deployments::{Frozen, Run, RunKey, Speaker, SpeakerKey, UseHistory};
pub use downsample::Downsampled;
pub use error::StoreError;
pub use findings::Vanished;
pub use fold::Step;
pub use glance::Glance;
pub use history::{PassSummary, UsagePoint};
pub use journal::{Deleted, IntentId, OpenIntent, SettledIntent};
pub use known::{Known, KnownImage, Rest};
pub use lock::is_held;
pub use open_error::OpenError;
pub use past::{
    DeletionsQuery, Event, EventCursor, EventKind, EventsQuery, FreedOnDay, ImageCursor, ImagesQuery, Page,
    Past, PastDeletion, PastFinding, PastImage, StoredVerdict, TagStretch, Totals, UsageOf, UsageStep,
    VerdictChange,
};
pub use plans::{Approval, PlanId, PlannedFamily, RefusedPlan};
pub use proofs::{Made, Proof, ProofId};
pub use pulls::{Pulls, Rise};
pub use record::{PassId, PassRecord, Recording};
pub use remember::Fresh;
pub use samples::{AccountSample, UsageSample};
pub use store::Store;
pub use undo::{Deletion, OpenRestore, RestoreId};

/// Every schema from the first, compiled in. Forward only; later ones only add (S-30).
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");
