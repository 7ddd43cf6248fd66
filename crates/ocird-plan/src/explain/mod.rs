//! What the planner has to say about one image: the verdict, and what every rule, guardrail, use and reference said on the
//! way to it. Plain data; the planner itself fills it in (`plan/opinion/testify.rs`), so that it is no second opinion.
//!
//! Not here: words. How a condition reads on a terminal is the command line's affair.

mod condition;
mod tally;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, Digest, RepositoryName, RuleName, UseKind, Verdict};
use serde::Serialize;

pub use condition::{Answer, Asks, Condition, Place, Pulled};
pub use tally::{DeleteTally, KeepTally, Tally};

/// Everything that bears on one image, and what it said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Its repository.
    pub repository: RepositoryName,
    /// The policy that governs there.
    pub policy: Governing,
    /// True when anybody may pull from the repository and the policy does not say `public = "enforce"` (S-35).
    pub is_public: bool,
    /// Why it is not known what runs from there; `None` when it is known (S-4).
    pub doubt: Option<Doubt>,
    /// The images of the repository whose manifests cannot be judged: while there is one, nothing goes (S-7).
    pub opaque: Vec<Digest>,
    /// The account over everything that is watched.
    pub account: AccountSays,
    /// What was said of the image itself.
    pub image: Testimony,
    /// What was said of the head of its family, or of the last of several heads that it goes with, where that is another
    /// image: only the head's verdict counts.
    pub head: Option<Testimony>,
    /// The family it belongs to.
    pub family: Family,
    /// What holds it: the indexes that name it and the images that it speaks about.
    pub holders: Vec<Reference>,
    /// What it holds: the manifests that it names, present or not, and what speaks about it.
    pub carries: Vec<Reference>,
}

/// What governs the repository of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "governing", rename_all = "snake_case")]
pub enum Governing {
    /// One policy.
    One {
        /// Its project.
        project: String,
    },
    /// None, so everything stays.
    None,
    /// More than one, so everything stays.
    Contested {
        /// The projects that claim it; two of them, if there are more.
        projects: [String; 2],
    },
}

/// Why it is not known what runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "doubt", rename_all = "snake_case")]
pub enum Doubt {
    /// A source that covers the repository is in doubt.
    Source {
        /// Why.
        why: String,
    },
    /// An answer is older than it may be.
    Stale,
}

/// The family of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "family", rename_all = "snake_case")]
pub enum Family {
    /// It is the head; nothing present holds it.
    Head {
        /// The others, in order of digest.
        members: Vec<Digest>,
    },
    /// It belongs to one head and goes with it.
    Member {
        /// The head.
        head: Digest,
    },
    /// Several heads reach it, and it goes with the last of them; or it is on a circle or below one, and stays.
    Shared,
}

/// One reference between two images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reference {
    /// The other image.
    pub digest: Digest,
    /// True when an index names the carried image; false when the holder is its subject.
    pub names: bool,
    /// Whether the other may go by the same plan; `None` when it is not in the repository.
    pub goes: Option<bool>,
}

/// The account, as far as a rule asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "account", rename_all = "snake_case")]
pub enum AccountSays {
    /// No rule has a line.
    NotAsked,
    /// It is not known, so no rule deletes by a line, and every keep rule with one holds.
    Unknown {
        /// The repository for whose sake it is not.
        because: RepositoryName,
    },
    /// It is known.
    Known {
        /// What everything takes.
        now: Bytes,
        /// What it takes without what goes at any account, or would if nothing closed its repository. Rules with a line are
        /// asked from here on.
        at_first: Bytes,
        /// What it takes when everything in the plan is gone.
        after: Bytes,
    },
}

/// What was said of one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Testimony {
    /// The image.
    pub digest: Digest,
    /// What was decided about it, and why.
    pub verdict: Verdict,
    /// The head of its family was deleted by ocird and is gone, and nothing else speaks for it: age and order have been
    /// judged with its family and are not asked again.
    pub is_rest: bool,
    /// What runs from it, or from something that it carries.
    pub uses: Vec<UsedBy>,
    /// What a person holds of it, or of what it carries.
    pub holds: Vec<Using>,
    /// Every keep rule that governs, in the order of the file.
    pub keep: Vec<KeepRuleSays>,
    /// Every guardrail.
    pub guardrails: Vec<GuardrailSays>,
    /// Every delete rule that governs, in the order of the file. It is asked of the image with everything it carries.
    pub delete: Vec<DeleteRuleSays>,
    /// What the account said in its turn; `None` when only rules without a line are about it.
    pub turn: Option<Turn>,
}

/// What the account said of a family when its turn came, the oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// It goes, as far as the account is concerned.
    Goes,
    /// It could go, but older ones were enough.
    Spared,
    /// The account was at or under its line, or not known.
    Stays,
}

/// Something that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Using {
    /// From which image.
    pub image: Digest,
    /// What runs.
    pub by: Arc<str>,
}

/// A use of the image, or of something that it carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsedBy {
    /// Of which image.
    pub image: Digest,
    /// What uses it, and where.
    pub by: Arc<str>,
    /// In which way.
    pub kind: UseKind,
    /// Since when, by ocird's own history; `None` where no history tells.
    pub since: Option<DateTime<Utc>>,
}

/// What one keep rule said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeepRuleSays {
    /// The rule.
    pub rule: RuleName,
    /// It holds the image, or something that the image carries, and its line allows it.
    pub holds: bool,
    /// All its conditions hold for the image itself.
    pub itself: bool,
    /// What the image carries for which all of them hold.
    pub through: Vec<Digest>,
    /// Its conditions, as they are for the image itself.
    pub conditions: Vec<Condition>,
    /// Its line, if it has one: it holds until the account is above it.
    pub line: Option<LineSays>,
}

/// What one delete rule said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeleteRuleSays {
    /// The rule.
    pub rule: RuleName,
    /// All its conditions hold, and its line is exceeded if it has one. What it selects goes only if nothing holds it.
    pub selects: bool,
    /// Its conditions.
    pub conditions: Vec<Condition>,
    /// Its line, if it has one: it takes while the account is above it.
    pub line: Option<LineSays>,
}

/// What the account says of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LineSays {
    /// The line.
    pub line: Bytes,
    /// Whether the account is above it, when all has gone that goes at any account; `None` when it is not known.
    pub is_exceeded: Option<bool>,
}

/// What one guardrail said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GuardrailSays {
    /// The guardrail.
    pub guardrail: Guardrail,
    /// It holds the image, or something that the image carries.
    pub holds: bool,
    /// It holds the image itself.
    pub itself: bool,
    /// What the image carries that it holds.
    pub through: Vec<Digest>,
}

/// A guardrail, with what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "guardrail", rename_all = "snake_case")]
pub enum Guardrail {
    /// So many of the newest stay (S-13).
    MinNewest {
        /// Number of places.
        n: u32,
        /// The place of the image; `None` for what takes no place.
        place: Option<Place>,
    },
    /// What is younger stays (S-13).
    MinAge {
        /// The age in seconds.
        seconds: i64,
        /// From when the age of the image counts.
        since: Option<DateTime<Utc>>,
    },
    /// Every time of it is one that an image can have (S-8).
    PlausibleTimes,
    /// What speaks about an image that is not in its repository stays while another repository has that image, or may have
    /// it (S-6, S-7). Listed only where something does.
    SubjectElsewhere {
        /// What it speaks about.
        subject: Digest,
        /// Whether another repository has it; `None` when one that may have it could not be read.
        is_there: Option<bool>,
    },
}
