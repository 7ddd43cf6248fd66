//! Holds, releases and restores, as they go over the socket.

use std::fmt;

use chrono::{DateTime, Utc};
use ocird_model::{Digest, HoldOn, RepositoryName, Tag};
use ocird_store::PassId;
use serde::{Deserialize, Serialize};

use crate::undo::{Fate, LostTag, Restored, RestoredImage};

/// `POST /v1/hold`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HoldQuestion {
    /// `REPOSITORY:TAG` or `REPOSITORY@sha256:DIGEST`.
    pub(crate) image: String,
    /// For how long, in seconds; until it is released if it is left out.
    pub(crate) hold_for_seconds: Option<i64>,
    pub(crate) why: Option<String>,
}

/// One hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HoldAnswer {
    /// As it is released.
    pub(crate) image: String,
    pub(crate) repository: RepositoryName,
    pub(crate) on: HoldOn,
    pub(crate) by: String,
    /// Blank when nobody said.
    pub(crate) why: String,
    pub(crate) since: DateTime<Utc>,
    /// Null when only a release ends it.
    pub(crate) until: Option<DateTime<Utc>>,
    /// Whether it holds at this moment.
    pub(crate) in_force: bool,
    /// Whether a listed image has the tag or digest; only said when it is placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) is_on_something: Option<bool>,
}

/// `GET /v1/holds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HoldsAnswer {
    /// The daemon's time.
    pub(crate) at: DateTime<Utc>,
    /// Every hold that nobody has released.
    pub(crate) holds: Vec<HoldAnswer>,
}

/// `POST /v1/release`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReleaseQuestion {
    /// As the hold was placed.
    pub(crate) image: String,
}

/// What came of `release`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReleasedAnswer {
    pub(crate) released: Vec<HoldAnswer>,
}

/// `POST /v1/restore`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestoreQuestion {
    pub(crate) what: RestoreWhat,
    pub(crate) why: Option<String>,
    /// For how long what came back is held, in seconds; 30 days if it is left out.
    pub(crate) hold_for_seconds: Option<i64>,
}

/// What is to be brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub(crate) enum RestoreWhat {
    /// The family of one image.
    Image {
        /// `REPOSITORY:TAG` or `REPOSITORY@sha256:DIGEST`.
        image: String,
    },
    /// All that the last pass deleted which deleted something.
    LastRun,
    /// All that one pass deleted.
    Run {
        /// Its number.
        pass: PassId,
    },
    /// All that was deleted within so many seconds.
    Since {
        /// The stretch of time.
        seconds: i64,
    },
}

/// What came of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RestoreAnswer {
    /// True when every image is there with every tag, and nothing that they name is absent.
    pub(crate) is_whole: bool,
    pub(crate) images: Vec<RestoredImageAnswer>,
    /// What an image that is back names and that could not be brought back.
    pub(crate) absent: Vec<AbsentAnswer>,
    /// Holds that were placed on what came back.
    pub(crate) n_holds: usize,
}

/// What came of one image of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RestoredImageAnswer {
    pub(crate) repository: RepositoryName,
    pub(crate) digest: Digest,
    /// `back`, `there` (it was there already), `not_back` or `unknown`.
    pub(crate) fate: String,
    /// Why it is not back, or why nobody can tell yet.
    pub(crate) why: Option<String>,
    /// The tags that it had and has now.
    pub(crate) tags: Vec<Tag>,
    /// Those that could not be put back.
    pub(crate) lost: Vec<LostTagAnswer>,
}

/// A tag that could not be put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LostTagAnswer {
    pub(crate) tag: Tag,
    /// Why, and what to do.
    pub(crate) why: String,
}

/// A child that is not there, with the index that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AbsentAnswer {
    pub(crate) index: Digest,
    pub(crate) child: Digest,
}

/// `GET /v1/restorable`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RestorableAnswer {
    /// The daemon's time.
    pub(crate) at: DateTime<Utc>,
    /// What ocird deleted within the 48 hours in which it can be brought back, the latest first.
    pub(crate) images: Vec<RestorableImage>,
}

/// One deletion that can be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RestorableImage {
    /// The pass that deleted it.
    pub(crate) pass: Option<PassId>,
    pub(crate) repository: RepositoryName,
    pub(crate) digest: Digest,
    /// Whether it is the head of its family; the rest follows it.
    pub(crate) is_head: bool,
    pub(crate) tags: Vec<Tag>,
    pub(crate) rule: String,
    pub(crate) deleted_at: DateTime<Utc>,
    /// Until when it can be brought back.
    pub(crate) until: DateTime<Utc>,
    /// Whether ocird has brought it back since.
    pub(crate) is_back: bool,
}

impl fmt::Display for RestoreWhat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image { image } => f.write_str(image),
            Self::LastRun => f.write_str("the last run"),
            Self::Run { pass } => write!(f, "pass {pass}"),
            Self::Since { seconds } => write!(f, "the last {seconds} s"),
        }
    }
}

impl RestoreAnswer {
    /// What came of it, as the other side reads it.
    pub(in crate::admin) fn of(restored: &Restored) -> Self {
        let Restored { images, n_holds, absent } = restored;
        Self {
            is_whole: restored.is_whole(),
            images: images.iter().map(RestoredImageAnswer::of).collect(),
            absent: absent
                .iter()
                .map(|(index, child)| AbsentAnswer { index: *index, child: *child })
                .collect(),
            n_holds: *n_holds,
        }
    }
}

impl RestoredImageAnswer {
    fn of(image: &RestoredImage) -> Self {
        let RestoredImage { repository, digest, image: _, fate, tags, lost } = image;
        let (fate, why) = match fate {
            Fate::Back => ("back", None),
            Fate::There => ("there", None),
            Fate::NotBack { why } => ("not_back", Some(why.clone())),
            Fate::Unknown { why } => ("unknown", Some(why.clone())),
        };
        let lost =
            lost.iter().map(|LostTag { tag, why }| LostTagAnswer { tag: tag.clone(), why: why.clone() });
        Self {
            repository: repository.clone(),
            digest: *digest,
            fate: fate.to_owned(),
            why,
            tags: tags.clone(),
            lost: lost.collect(),
        }
    }
}
