//! What was decided: one verdict and one reason for every image that was seen.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{Digest, ImageId, OpaqueReason, RepositoryId, RepositoryName, RuleName, Unreadable, Usage};

/// The decisions of one pass. Made by `ocird_plan::plan`; nothing acts on it before `ocird_plan::check` has agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The instant the plan was made for.
    pub at: DateTime<Utc>,
    /// Every repository of the inventory.
    pub repositories: BTreeMap<RepositoryName, RepositoryPlan>,
    /// The account against the lines of the rules. For people: nothing acts on it.
    pub usage: Usage,
}

impl Plan {
    /// The decisions about a repository; none when nothing was decided about it.
    pub fn decisions(&self, repository: &RepositoryName) -> &[Decision] {
        match self.repositories.get(repository) {
            Some(RepositoryPlan::Decided { id: _, decisions }) => decisions,
            Some(RepositoryPlan::Undecided { id: _, why: _ }) | None => &[],
        }
    }
}

/// The decisions about one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RepositoryPlan {
    /// One decision for every image, in the order of the inventory (by digest).
    Decided {
        /// The repository.
        id: RepositoryId,
        /// The decisions.
        decisions: Vec<Decision>,
    },
    /// Nothing was decided, because the repository was not read whole.
    Undecided {
        /// The repository.
        id: RepositoryId,
        /// What could not be read.
        why: Unreadable,
    },
}

/// The verdict on one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The image.
    pub image: ImageId,
    /// Its digest.
    pub digest: Digest,
    /// The head of its family; its own digest when it is a head itself, and for what belongs to no single family.
    pub head: Digest,
    /// What was decided, and why.
    pub verdict: Verdict,
}

/// Keep or delete, with the reason. Keeping is a decision too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It stays.
    Keep(KeepReason),
    /// It may go.
    Delete(DeleteReason),
}

/// Why an image stays. The order of the variants is the order in which a reason is chosen when several hold: what a
/// person most needs to hear first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum KeepReason {
    /// Its own manifest cannot be judged (S-7).
    Opaque {
        /// Why.
        why: OpaqueReason,
    },
    /// Something runs from it, or from a member of its family (S-4).
    InUse {
        /// Who.
        by: Arc<str>,
    },
    /// It ran in one of the last deployments, so that a rollback would pull it again.
    RollbackRoom {
        /// Where.
        by: Arc<str>,
    },
    /// It is not known what runs from this repository (S-4).
    InUseUnknown,
    /// No policy governs its repository.
    NoPolicy,
    /// More than one policy claims its repository.
    Contested,
    /// Its repository is public, and the policy does not say `public = "enforce"` (S-35).
    Public,
    /// A person holds it, or ocird after a restore (S-27).
    Held {
        /// Who, until when and why, in one line.
        by: Arc<str>,
    },
    /// A keep rule holds it.
    Rule {
        /// Which.
        rule: RuleName,
    },
    /// A time is absent, before 2013 or in the future (S-8).
    TimeImplausible,
    /// It is among the newest that always stay (S-13).
    Floor,
    /// It is younger than the guardrail's age (S-13).
    TooYoung,
    /// An index that stays names it (S-6).
    ChildOf {
        /// The index.
        parent: Digest,
    },
    /// The image it speaks about stays (S-6).
    ReferrerOf {
        /// The subject.
        subject: Digest,
    },
    /// It has no tag, and something in its repository that cannot be judged may refer to it (S-7).
    ReferencesUnknown,
    /// A delete rule could take it as long as the account is above a line, but older ones are enough to bring it there. It is
    /// marked like what goes (S-16).
    Spared {
        /// Which.
        rule: RuleName,
    },
    /// No delete rule selects it.
    NotSelected,
}

/// Why an image may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum DeleteReason {
    /// A delete rule selects it and nothing holds it.
    Rule {
        /// Which: of several one without a line, else the one with the lowest; of those the first in the file.
        rule: RuleName,
    },
    /// It belongs to a family whose head goes by this rule; it follows after the head.
    WithHead {
        /// Which.
        rule: RuleName,
    },
    /// ocird deleted the head of its family before, and nothing else names it (S-6).
    Rest,
}

impl Verdict {
    /// True when the image may go.
    pub const fn is_delete(&self) -> bool {
        match self {
            Self::Delete(_) => true,
            Self::Keep(_) => false,
        }
    }

    /// The reason as a metric label, a log field and a column: a word of a fixed list.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Keep(reason) => reason.as_str(),
            Self::Delete(reason) => reason.as_str(),
        }
    }
}

impl KeepReason {
    /// The reason as a metric label, a log field and a column.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Opaque { why: _ } => "opaque",
            Self::InUse { by: _ } => "in_use",
            Self::RollbackRoom { by: _ } => "rollback_room",
            Self::InUseUnknown => "in_use_unknown",
            Self::NoPolicy => "no_policy",
            Self::Contested => "contested",
            Self::Public => "public",
            Self::Held { by: _ } => "held",
            Self::Rule { rule: _ } => "keep_rule",
            Self::TimeImplausible => "time_implausible",
            Self::Floor => "floor",
            Self::TooYoung => "too_young",
            Self::ChildOf { parent: _ } => "child_of_kept",
            Self::ReferrerOf { subject: _ } => "referrer_of_kept",
            Self::ReferencesUnknown => "references_unknown",
            Self::Spared { rule: _ } => "spared",
            Self::NotSelected => "not_selected",
        }
    }

    /// Every word that [`KeepReason::as_str`] can answer, so that gauges exist before the first image.
    pub const ALL: [&'static str; 17] = [
        "opaque",
        "in_use",
        "rollback_room",
        "in_use_unknown",
        "no_policy",
        "contested",
        "public",
        "held",
        "keep_rule",
        "time_implausible",
        "floor",
        "too_young",
        "child_of_kept",
        "referrer_of_kept",
        "references_unknown",
        "spared",
        "not_selected",
    ];
}

impl DeleteReason {
    /// The reason as a metric label, a log field and a column.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Rule { rule: _ } => "delete_rule",
            Self::WithHead { rule: _ } => "with_head",
            Self::Rest => "rest_of_family",
        }
    }

    /// Every word that [`DeleteReason::as_str`] can answer.
    pub const ALL: [&'static str; 3] = ["delete_rule", "with_head", "rest_of_family"];
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep(reason) => write!(f, "keep: {reason}"),
            Self::Delete(reason) => write!(f, "delete: {reason}"),
        }
    }
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opaque { why } => write!(f, "its manifest cannot be judged ({})", why.as_str()),
            Self::InUse { by } => write!(f, "in use by {by}"),
            Self::RollbackRoom { by } => write!(f, "a rollback would pull it: {by}"),
            Self::InUseUnknown => f.write_str("what runs from this repository is not known"),
            Self::NoPolicy => f.write_str("no policy governs the repository"),
            Self::Contested => f.write_str("two policies claim the repository"),
            Self::Public => f.write_str("the repository is public"),
            Self::Held { by } => f.write_str(by),
            Self::Rule { rule } => write!(f, "rule \"{rule}\""),
            Self::TimeImplausible => f.write_str("a time of it is absent or implausible"),
            Self::Floor => f.write_str("among the newest that always stay"),
            Self::TooYoung => f.write_str("younger than the guardrail's age"),
            Self::ChildOf { parent } => write!(f, "named by index {}", parent.short()),
            Self::ReferrerOf { subject } => write!(f, "speaks about {}", subject.short()),
            Self::ReferencesUnknown => f.write_str("something that cannot be judged may refer to it"),
            Self::Spared { rule } => write!(f, "rule \"{rule}\" could take it, but older ones are enough"),
            Self::NotSelected => f.write_str("no delete rule selects it"),
        }
    }
}

impl fmt::Display for DeleteReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule { rule } => write!(f, "rule \"{rule}\""),
            Self::WithHead { rule } => write!(f, "with its head, by rule \"{rule}\""),
            Self::Rest => f.write_str("rest of a family whose head is gone"),
        }
    }
}
