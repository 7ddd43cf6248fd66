//! What is odd about the registry or about what is said of it: for people and as numbers. A finding decides nothing: the planner
//! and the acting step are never handed one.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::RepositoryName;

/// One thing that is odd, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// What it is about.
    pub subject: Subject,
    /// How much it matters.
    pub severity: Severity,
    /// One sentence that says what is so.
    pub what: String,
    /// One sentence that says what to do.
    pub remedy: String,
}

/// What makes two findings the same one: there is at most one of each kind about each subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FindingKey {
    /// What kind of thing.
    pub kind: FindingKind,
    /// What it is about.
    pub subject: Subject,
}

/// A finding, and since when it holds without a break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The finding as it is now.
    #[serde(flatten)]
    pub finding: Finding,
    /// When it was first found.
    pub since: DateTime<Utc>,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Subject {
    /// Everything that is watched.
    Tenancy,
    /// One repository, which may be absent.
    Repository {
        /// Its name.
        name: RepositoryName,
    },
    /// One policy.
    Policy {
        /// Its project.
        project: String,
    },
    /// One user, whose tokens are watched.
    User {
        /// The name by which the configuration calls the user.
        name: String,
    },
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look at it.
    Warning,
    /// Something does not work, or soon will not.
    Problem,
}

macro_rules! kinds {
    ($($(#[$doc:meta])+ $variant:ident $word:literal)+) => {
        /// Every kind of finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FindingKind {
            $($(#[$doc])+ $variant,)+
        }

        impl FindingKind {
            /// Every kind, so that gauges exist before the first finding.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The kind as a metric label, a log field and a column.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

kinds! {
    /// No policy governs a repository.
    NoPolicy "no_policy"
    /// Two policies claim a repository.
    Contested "contested"
    /// New policies were refused, such as a claim beyond what the centre gave, and the old ones stay in force.
    PoliciesRefused "policies_refused"
    /// A policy keeps less, or leaves more lying about, than the centre recommends.
    LoosePolicy "loose_policy"
    /// Anybody may pull from a repository.
    Public "public"
    /// A repository lies in another compartment than its project's.
    Misplaced "misplaced"
    /// The name of a repository fits no naming rule.
    Misnamed "misnamed"
    /// An expected repository is not there.
    Missing "missing"
    /// The tags of a repository can be moved, and should not be.
    Mutable "mutable"
    /// A policy governs no repository.
    IdlePolicy "idle_policy"
    /// A keep rule holds nothing.
    IdleKeepRule "idle_keep_rule"
    /// A delete rule takes more than half of a repository's tagged families.
    WideDeleteRule "wide_delete_rule"
    /// Usage comes near the budget, or is past it.
    NearBudget "near_budget"
    /// The number of repositories comes near the service's limit.
    NearRepositoryLimit "near_repository_limit"
    /// The number of images in a repository comes near the service's limit.
    NearImageLimit "near_image_limit"
    /// An auth token is older than its rotation.
    TokenOverdue "token_overdue"
    /// The auth tokens of a user cannot be read.
    TokenUnreadable "token_unreadable"
    /// Images have gone by another hand than ocird's.
    Vanished "vanished"
    /// More must stay than a usage line allows.
    Shortfall "shortfall"
    /// A repository cannot be read whole, so nothing of it goes.
    Unreadable "unreadable"
    /// Images or repositories are gone that ocird did not take, and so many that nothing goes there until later passes agree.
    Shrunk "shrunk"
    /// A manifest cannot be judged, so nothing of its repository goes.
    OpaqueManifest "opaque_manifest"
    /// Something runs that the registry does not have, or has no longer.
    InUseMissing "in_use_missing"
    /// It is not known what runs, so nothing goes of what that covers.
    InUseUnknown "in_use_unknown"
    /// The clock is in doubt, so nothing goes at all.
    ClockDoubt "clock_doubt"
    /// More is due than may go at once, so nothing goes before somebody approves it.
    TooMuch "too_much"
    /// The circuit breaker has tripped, so nothing goes before somebody resets it.
    Breaker "breaker"
    /// Something that was deleted was needed, so nothing goes before somebody has looked.
    Frozen "frozen"
    /// The last copy of the store could not be made.
    BackupFailed "backup_failed"
}

impl Finding {
    /// What makes it this finding and no other.
    pub fn key(&self) -> FindingKey {
        FindingKey { kind: self.kind, subject: self.subject.clone() }
    }
}

impl FindingKind {
    /// The kind of this word; `None` for a word of another version.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == word)
    }
}

impl Subject {
    /// The kind of subject, as a column.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Tenancy => "tenancy",
            Self::Repository { name: _ } => "repository",
            Self::Policy { project: _ } => "policy",
            Self::User { name: _ } => "user",
        }
    }

    /// The name of the subject; blank for everything that is watched.
    pub fn name(&self) -> &str {
        match self {
            Self::Tenancy => "",
            Self::Repository { name } => name.as_str(),
            Self::Policy { project: name } | Self::User { name } => name,
        }
    }

    /// The subject of this kind and name; `None` for one of another version.
    pub fn named(kind: &str, name: &str) -> Option<Self> {
        match kind {
            "tenancy" => Some(Self::Tenancy),
            "repository" => Some(Self::Repository { name: name.parse().ok()? }),
            "policy" => Some(Self::Policy { project: name.to_owned() }),
            "user" => Some(Self::User { name: name.to_owned() }),
            _ => None,
        }
    }
}

impl Severity {
    /// Every severity, the least first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Problem];

    /// The severity as a metric label, a log field and a column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }

    /// The severity of this word; `None` for a word of another version.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == word)
    }
}

impl fmt::Display for Subject {
    /// `repository mgh-docs`, or `tenancy`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            "" => f.pad(self.as_str()),
            name => write!(f, "{} {name}", self.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_names_its_kind_in_columns_and_in_json() {
        for kind in FindingKind::ALL {
            assert_eq!(FindingKind::named(kind.as_str()), Some(*kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for severity in Severity::ALL {
            assert_eq!(Severity::named(severity.as_str()), Some(severity));
            assert_eq!(serde_json::to_value(severity).unwrap(), severity.as_str());
        }
        assert_eq!(FindingKind::named("of_another_version"), None);
    }

    #[test]
    fn a_subject_reads_back_from_its_columns() {
        let name = "mgh-docs".parse().unwrap();
        let subjects = [
            Subject::Tenancy,
            Subject::Repository { name },
            Subject::Policy { project: "mgh".to_owned() },
            Subject::User { name: "ci".to_owned() },
        ];
        for subject in subjects {
            assert_eq!(Subject::named(subject.as_str(), subject.name()), Some(subject));
        }
        assert_eq!(Subject::named("repository", "Not A Name"), None);
        assert_eq!(Subject::named("planet", "mars"), None);
    }
}
