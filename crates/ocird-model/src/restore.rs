//! What is written before and after every step that undoes a deletion (S-27), and the words of the proofs after the act
//! (S-26).

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{ErrorKind, Tag};

/// The time within which a deleted image can be restored.
/// <https://docs.oracle.com/en-us/iaas/Content/Registry/Tasks/undelete-image.htm>
pub const RESTORE_WINDOW: TimeDelta = TimeDelta::hours(48);

/// One call that undoes a deletion or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RestoreStep {
    /// The image itself, with one tag along with it or with none.
    Image {
        /// The tag.
        tag: Option<Tag>,
    },
    /// One more tag, on an image that is back.
    Tag {
        /// The tag.
        tag: Tag,
    },
}

/// How such a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreOutcome {
    /// What came of it.
    pub kind: RestoreOutcomeKind,
    /// When that was known.
    pub at: DateTime<Utc>,
    /// More, for people.
    pub detail: String,
}

/// What came of a call that undoes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreOutcomeKind {
    /// The registry accepted it, or a later read showed that it had.
    Done,
    /// The registry refused; nothing was changed.
    Failed(ErrorKind),
    /// A later read showed that it was never done.
    NotDone,
}

impl RestoreOutcomeKind {
    /// The kind as a metric label, a log field and a column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed(_) => "failed",
            Self::NotDone => "not_done",
        }
    }
}

/// When a proof is made after a batch of deletions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofKind {
    /// In the same pass.
    AtOnce,
    /// An hour later.
    AfterAnHour,
    /// A day later.
    AfterADay,
    /// By any pass that happens to look; on record only when it misses something.
    InPassing,
}

impl ProofKind {
    /// Every kind, the soonest first.
    pub const ALL: [Self; 4] = [Self::AtOnce, Self::AfterAnHour, Self::AfterADay, Self::InPassing];

    /// The kinds that every batch is due.
    pub const SCHEDULED: [Self; 3] = [Self::AtOnce, Self::AfterAnHour, Self::AfterADay];

    /// How long after the last deletion of its batch it is due.
    pub const fn after(self) -> TimeDelta {
        match self {
            Self::AtOnce | Self::InPassing => TimeDelta::zero(),
            Self::AfterAnHour => TimeDelta::hours(1),
            Self::AfterADay => TimeDelta::hours(24),
        }
    }

    /// The kind as a metric label, a log field and a column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtOnce => "at_once",
            Self::AfterAnHour => "after_an_hour",
            Self::AfterADay => "after_a_day",
            Self::InPassing => "in_passing",
        }
    }

    /// The kind of this word; `None` for a word of another version.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What a proof found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofResult {
    /// Everything that is needed is there.
    Clean,
    /// Something that is needed is not.
    Missing,
    /// Nobody could tell until the restore window had closed.
    Unknown,
}

impl ProofResult {
    /// Every result.
    pub const ALL: [Self; 3] = [Self::Clean, Self::Missing, Self::Unknown];

    /// The result as a metric label, a log field and a column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }

    /// The result of this word; `None` for a word of another version.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_proof_names_its_kind_or_result() {
        assert!(ProofKind::ALL.into_iter().all(|kind| ProofKind::named(kind.as_str()) == Some(kind)));
        assert!(
            ProofResult::ALL.into_iter().all(|result| ProofResult::named(result.as_str()) == Some(result))
        );
        assert_eq!(ProofKind::named("of_another_version"), None);
    }

    #[test]
    fn every_proof_falls_into_the_time_in_which_a_deletion_can_be_undone() {
        assert!(ProofKind::ALL.into_iter().all(|kind| kind.after() * 2 <= RESTORE_WINDOW));
    }
}
