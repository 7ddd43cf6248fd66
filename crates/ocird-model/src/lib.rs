//! The nouns of ocird: what a registry holds, what a policy says, what a plan decides, and the traits through
//! which a pass reads and writes the registry and asks for the time.
//!
//! Nothing here decides, reads or writes anything. Planner, cloud client and store never name each other: whatever
//! they share is here.

#![deny(clippy::wildcard_enum_match_arm)]

mod bytes;
mod census;
mod clock;
mod digest;
mod ecr;
mod error_chain;
mod finding;
mod group_by;
mod hold;
mod image;
mod in_use;
mod inventory;
mod journal;
mod mark;
mod name;
mod ocid;
mod pattern;
mod plan;
mod policy;
mod registry;
mod resource_tags;
mod restore;
mod rule;
mod unreadable;
mod usage;

pub use bytes::{Bytes, ParseBytesError};
pub use census::{Census, Fall};
pub use clock::Clock;
pub use digest::{Digest, ParseDigestError};
pub use ecr::{EcrCount, EcrLifecycle, EcrPattern, EcrRule, EcrTags};
pub use error_chain::{ErrorChain, OneLine, is_inert};
pub use finding::{Finding, FindingKey, FindingKind, Severity, Standing, Subject};
pub use group_by::{GroupBy, ParseGroupByError};
pub use hold::{Hold, HoldOn};
pub use image::{Content, Image, Layer, OpaqueReason};
pub use in_use::{InUse, Reference, Target, Use, UseKind};
pub use inventory::{Inventory, Repository, RepositoryState};
pub use journal::{Intent, Outcome, OutcomeKind};
pub use mark::{Mark, MarkKey};
pub use name::{Namespace, ParseNameError, RepositoryName, RuleName, Tag};
pub use ocid::{CompartmentId, ImageId, ParseOcidError, RepositoryId, TenancyId, UserId};
pub use pattern::{ParsePatternError, Pattern, Patterns};
pub use plan::{Decision, DeleteReason, KeepReason, Plan, RepositoryPlan, Verdict};
pub use policy::{
    DeleteRule, EcrSelection, EffectivePolicy, Guardrails, KeepRule, Policies, Policy, Selects,
};
pub use registry::{
    DeleteTarget, ErrorKind, Etag, FetchedManifest, ImageDetails, ImageRow, Lifecycle, ReadRegistry,
    RegistryError, RepositoryRow, RestoreRegistry, TagPath, WriteRegistry,
};
pub use resource_tags::{ResourceTagPatterns, ResourceTags};
pub use restore::{ProofKind, ProofResult, RESTORE_WINDOW, RestoreOutcome, RestoreOutcomeKind, RestoreStep};
pub use rule::Rule;
#[cfg(ocird_switches)]
pub use rule::Suspended;
pub use unreadable::Unreadable;
pub use usage::{HeldBy, Shortfall, Usage};
