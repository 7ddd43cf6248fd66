//! One condition of a rule, with the value it was held against and what came of that.

use chrono::{DateTime, Utc};
use ocird_model::{Digest, EcrRule, GroupBy, Patterns, ResourceTagPatterns, Tag};
use serde::Serialize;

/// A condition of a rule, and what it said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// What the rule asks, and what was found.
    #[serde(flatten)]
    pub asks: Asks,
    /// What that comes to.
    pub answer: Answer,
}

/// The answer to a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// It is not asked of a rest, whose family has been judged.
    NotAsked,
}

impl Answer {
    /// Holds or fails.
    pub(crate) const fn of(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Fails }
    }
}

/// What a condition asks, and what was found. Spans are in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "asks", rename_all = "snake_case")]
pub enum Asks {
    /// Keep: any tag matches.
    AnyTag {
        /// The patterns.
        patterns: Patterns,
        /// The tags that match.
        matching: Vec<Tag>,
    },
    /// Keep: it is among the newest.
    Newest {
        /// Number of places.
        n: u32,
        /// How tags fall into groups, each with its own places.
        group_by: Option<GroupBy>,
        /// Its place in each of its groups; none for what takes no place.
        places: Vec<Place>,
    },
    /// Keep: it is younger than this.
    NewerThan {
        /// The age.
        seconds: i64,
        /// From when its age counts.
        since: Option<DateTime<Utc>>,
    },
    /// Keep: it, or something it carries, was pulled within this time, or may have been.
    PulledWithin {
        /// The time.
        seconds: i64,
        /// Its last pull.
        pulled: Pulled,
    },
    /// Keep: it is one of these.
    Digests {
        /// How many are listed.
        n: usize,
    },
    /// Keep: its resource tags match, or are not known.
    ResourceTags {
        /// The patterns.
        patterns: ResourceTagPatterns,
        /// True when its resource tags are not known well enough.
        is_unknown: bool,
    },
    /// Delete: it and what it carries bear no tag.
    Untagged {
        /// The tags that are borne, with their images.
        tags: Vec<(Digest, Tag)>,
    },
    /// Delete: it bears a tag, or something it carries does.
    Tagged {
        /// The tags that are borne, with their images.
        tags: Vec<(Digest, Tag)>,
    },
    /// Delete: it bears a tag, and every tag of it and of what it carries matches.
    EveryTag {
        /// The patterns.
        patterns: Patterns,
        /// The tags that do not match, with their images.
        others: Vec<(Digest, Tag)>,
    },
    /// Delete: a rule of a lifecycle document expires it, and no rule of a better priority is about it.
    Lifecycle {
        /// The rule.
        rule: EcrRule,
        /// The tags that are borne, with their images.
        tags: Vec<(Digest, Tag)>,
        /// From when its age counts.
        since: Option<DateTime<Utc>>,
    },
    /// Delete: it is at least this old, with everything it carries.
    OlderThan {
        /// The age.
        seconds: i64,
        /// From when its age counts.
        since: Option<DateTime<Utc>>,
    },
    /// Delete: it was certainly neither pulled nor pushed nor tagged for this long, nor was anything it carries.
    NotPulledFor {
        /// The time.
        seconds: i64,
        /// From when its age counts.
        since: Option<DateTime<Utc>>,
        /// Its last pull.
        pulled: Pulled,
    },
}

/// The last pull of an image or anything it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "pulled", rename_all = "snake_case")]
pub enum Pulled {
    /// It was never pulled.
    Never,
    /// It was pulled last at this instant.
    At {
        /// The instant.
        at: DateTime<Utc>,
    },
    /// Nobody knows well enough, so it may have been pulled just now.
    Unknown,
}

/// A place among the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The group; empty where the rule makes none.
    pub group: String,
    /// The place, from 1; what is equally new has the same.
    pub rank: usize,
    /// Number of images that take a place.
    pub of: usize,
}
