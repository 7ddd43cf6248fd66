//! What goes over the admin socket: questions and answers as JSON, the same types on both sides. `--json` prints the answers
//! as they are, so they are a contract with programs, too.

mod plans;
mod undoing;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub(crate) use self::plans::{
    ApprovalAnswer, ApproveQuestion, PendingAnswer, PendingFamily, RefusedFamily, RefusedPlanAnswer,
};
pub(crate) use self::undoing::{
    HoldAnswer, HoldQuestion, HoldsAnswer, LostTagAnswer, ReleaseQuestion, ReleasedAnswer, RestorableAnswer,
    RestorableImage, RestoreAnswer, RestoreQuestion, RestoreWhat, RestoredImageAnswer,
};
use crate::status::{Refusal, RefusalCode, Status};

/// The version of every answer. It grows when a field changes its meaning or goes; new fields may come at any time.
pub(crate) const SCHEMA: u32 = 1;

/// An answer with what is said beside every answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer<T> {
    pub(crate) schema: u32,
    #[serde(flatten)]
    pub(crate) body: T,
    /// Why the command is not on record, when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) not_on_record: Option<String>,
}

impl<T> Answer<T> {
    /// An answer of this version, on record or in no need of it.
    pub(crate) const fn new(body: T) -> Self {
        Self { schema: SCHEMA, body, not_on_record: None }
    }
}

/// `POST /v1/pause`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PauseQuestion {
    pub(crate) why: Option<String>,
}

/// What came of `pause`, `resume`, `reset` and `approve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ControlAnswer {
    /// Whether anything is another than before.
    pub(crate) changed: bool,
    /// What was done, or found to be so already, in whole sentences.
    pub(crate) done: Vec<String>,
    /// What still stands in the way of deletions.
    pub(crate) in_the_way: InTheWay,
}

/// What stands in the way of deletions, by the last pass and by what is known since.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InTheWay {
    /// When the last pass ended; null before the first, when nobody knows.
    pub(crate) as_of: Option<DateTime<Utc>>,
    /// One for each cause.
    pub(crate) obstacles: Vec<Obstacle>,
}

/// One cause for which nothing goes, or less than the rules say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Obstacle {
    /// A refusal code.
    pub(crate) code: String,
    /// What it concerns.
    pub(crate) text: String,
    /// What clears it.
    pub(crate) clears: String,
    /// Whether nothing at all goes for it.
    pub(crate) stops_everything: bool,
}

impl InTheWay {
    /// What the board shows, without the causes that were cleared since.
    pub(crate) fn of(status: &Status, cleared: &[RefusalCode]) -> Self {
        let standing = status.refusals.iter().filter(|refusal| !cleared.contains(&refusal.code));
        Self {
            as_of: status.last_pass.as_ref().map(|pass| pass.finished_at),
            obstacles: standing.map(Obstacle::of).collect(),
        }
    }

    /// Adds a cause that stands whatever the last pass said, first, once.
    pub(crate) fn put_first(&mut self, code: RefusalCode, text: String) {
        self.obstacles.retain(|obstacle| obstacle.code != code.as_str());
        self.obstacles.insert(0, Obstacle::of(&Refusal { code, text }));
    }
}

impl Obstacle {
    fn of(refusal: &Refusal) -> Self {
        let Refusal { code, text } = refusal;
        Self {
            code: code.as_str().to_owned(),
            text: text.clone(),
            clears: code.clears().to_owned(),
            stops_everything: code.stops_everything(),
        }
    }
}
