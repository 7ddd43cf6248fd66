//! What is written before and after every deletion (S-21, S-22).

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Bytes, Digest, ErrorKind, Etag, ImageId, RepositoryId, RepositoryName, Tag};

/// Everything needed to undo a deletion, committed and synced before it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The image.
    pub image: ImageId,
    /// Its digest.
    pub digest: Digest,
    /// The repository.
    pub repository: RepositoryId,
    /// The repository's name, for people.
    pub repository_name: RepositoryName,
    /// Every tag with its time.
    pub tags: BTreeMap<Tag, Option<DateTime<Utc>>>,
    /// The manifest's media type.
    pub media_type: String,
    /// The manifest's bytes; kept for 7 days.
    pub manifest: Arc<[u8]>,
    /// The etag the deletion was conditional on.
    pub etag: Etag,
    /// The head of its family; its own digest when it is the head.
    pub head: Digest,
    /// The other members of its family, who follow once the head is gone. Empty for a rest.
    pub members: Vec<Digest>,
    /// The rule or reason, in the words of the verdict.
    pub rule: String,
    /// What the decision rested on, for people: times, number of passes, the mark's age.
    pub evidence: String,
    /// What its deletion alone gives back: its manifest, and the layers that no other image of the repository has then.
    /// For people; `None` while a layer is not known.
    pub frees: Option<Bytes>,
}

/// How an intent ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// What came of it.
    pub kind: OutcomeKind,
    /// When that was known.
    pub at: DateTime<Utc>,
    /// More, for people.
    pub detail: String,
}

/// What came of an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// The registry accepted the deletion, or a later read showed that it had.
    Deleted,
    /// The image was no longer as it was decided about; nothing was deleted.
    Drifted,
    /// The read before the deletion showed that it was already going or gone by another hand.
    AlreadyGone,
    /// The registry refused; nothing was deleted.
    Failed(ErrorKind),
    /// A later read showed the image still there: the deletion was never asked for, or never arrived.
    NotDone,
}

impl OutcomeKind {
    /// The kind as a metric label, a log field and a column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Drifted => "drifted",
            Self::AlreadyGone => "already_gone",
            Self::Failed(_) => "failed",
            Self::NotDone => "not_done",
        }
    }

    /// Every word that [`OutcomeKind::as_str`] can answer.
    pub const ALL: [&'static str; 5] = ["deleted", "drifted", "already_gone", "failed", "not_done"];
}
