//! The account against the lines that rules draw: what is taken, what the plan leaves, and what holds the rest when that is
//! more than a line allows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::{Bytes, KeepReason, RepositoryName};

/// The account over everything that is watched, as far as a rule asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "account", rename_all = "snake_case")]
pub enum Usage {
    /// No rule has a line, so nobody counted.
    NotAsked,
    /// Something of it is not known, so no rule deletes by a line, and every keep rule with one holds.
    Unknown {
        /// A repository that was not read whole, or of which the layers of some image are not known. What is left of a
        /// family whose head is gone does not count, and need not be known.
        because: RepositoryName,
    },
    /// It is known.
    Known {
        /// What everything takes. Families whose head ocird has deleted no longer count.
        now: Bytes,
        /// What is left of it when everything in the plan is gone.
        after: Bytes,
        /// What holds the account above a line; `None` when it comes to lie under each of them.
        shortfall: Option<Shortfall>,
    },
}

/// The plan cannot bring the account to a line, because too much must stay. A finding for people; never a reason to delete
/// more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shortfall {
    /// The lines that the account stays above.
    pub lines: BTreeSet<Bytes>,
    /// What holds how much. A layer that several hold counts for the first of them in the order of the variants, so that the
    /// sum is what is left.
    pub held: BTreeMap<HeldBy, Bytes>,
}

/// Why bytes stay, in the classes that people can do something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    /// Something runs from it.
    InUse,
    /// A person holds it.
    Hand,
    /// A keep rule holds it.
    KeepRules,
    /// The newest that always stay, and what is too young or of an implausible time.
    Guardrails,
    /// No policy governs it, or two do, or its repository is public.
    NotGoverned,
    /// It cannot be judged, or what runs or refers to it is not known.
    Doubt,
    /// No delete rule selects it.
    NotSelected,
    /// Several families share it.
    Shared,
}

impl HeldBy {
    /// The class of a reason.
    pub const fn class_of(reason: &KeepReason) -> Self {
        match reason {
            KeepReason::InUse { by: _ } | KeepReason::RollbackRoom { by: _ } => Self::InUse,
            KeepReason::Held { by: _ } => Self::Hand,
            KeepReason::Rule { rule: _ } => Self::KeepRules,
            KeepReason::TimeImplausible | KeepReason::Floor | KeepReason::TooYoung => Self::Guardrails,
            KeepReason::NoPolicy | KeepReason::Contested | KeepReason::Public => Self::NotGoverned,
            KeepReason::Opaque { why: _ } | KeepReason::InUseUnknown | KeepReason::ReferencesUnknown => {
                Self::Doubt
            }
            KeepReason::NotSelected | KeepReason::Spared { rule: _ } => Self::NotSelected,
            KeepReason::ChildOf { parent: _ } | KeepReason::ReferrerOf { subject: _ } => Self::Shared,
        }
    }

    const fn in_words(self) -> &'static str {
        match self {
            Self::InUse => "in use",
            Self::Hand => "held by hand",
            Self::KeepRules => "held by keep rules",
            Self::Guardrails => "held by guardrails",
            Self::NotGoverned => "under no policy in force",
            Self::Doubt => "in doubt",
            Self::NotSelected => "selected by no delete rule",
            Self::Shared => "shared by families",
        }
    }
}

impl fmt::Display for Shortfall {
    /// `240.0 MB in use, 300.0 MB held by keep rules, line 500.0 MB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lines, held } = self;
        for (class, size) in held {
            write!(f, "{size} {}, ", class.in_words())?;
        }
        f.write_str(if lines.len() == 1 { "line" } else { "lines" })?;
        for (i, line) in lines.iter().enumerate() {
            let separator = if i == 0 { "" } else { "," };
            write!(f, "{separator} {line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortfall_says_who_holds_what_and_which_lines_stay_exceeded() {
        let megabytes = |n: u64| Bytes(n * 1_000_000);
        let held = BTreeMap::from([(HeldBy::KeepRules, megabytes(240)), (HeldBy::InUse, megabytes(300))]);
        let one = Shortfall { lines: BTreeSet::from([megabytes(500)]), held: held.clone() };
        assert_eq!(one.to_string(), "300.0 MB in use, 240.0 MB held by keep rules, line 500.0 MB");
        let two = Shortfall { lines: BTreeSet::from([megabytes(500), megabytes(350)]), held };
        assert!(two.to_string().ends_with("lines 350.0 MB, 500.0 MB"), "{two}");
    }
}
