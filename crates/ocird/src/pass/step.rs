//! What comes of one due image, in words of the acting step; and how it is logged.

use ocird_model::{ErrorKind, MarkKey, OutcomeKind};
use ocird_plan::Due;

use crate::status::RefusalCode;

/// What came of one due image.
#[derive(Debug)]
pub(crate) enum Step {
    /// It was deleted, or refused, or found gone.
    Settled(OutcomeKind),
    /// The world moved since the plan: nothing was done, and its mark is dropped.
    Drifted(String),
    /// The same, but only the deletion itself showed it: the read a moment before did not.
    Changed(String),
    /// Its repository is not as the plan saw it, or it may run by now: it waits for the next pass.
    Held(String),
    /// The registry did not answer as it should; nothing was asked of it.
    Unexpected(ErrorKind),
    /// The registry did not answer, or asked to be left alone; nothing was asked of it.
    Unanswered(ErrorKind),
    /// The deletion was asked for and nobody knows what came of it: the intent stays open.
    Open(ErrorKind),
    /// Something said stop while it was looked at again: nothing was asked of the registry.
    Halted(RefusalCode, String),
    /// Something is not as it should be, of ocird's own or of the registry's: the breaker trips (S-25).
    Broken(String),
}

impl Step {
    /// The outcome that counts for it, if it has one of its own.
    pub(crate) const fn outcome(&self) -> Option<OutcomeKind> {
        match self {
            Self::Settled(kind) => Some(*kind),
            Self::Drifted(_) | Self::Changed(_) => Some(OutcomeKind::Drifted),
            Self::Held(_)
            | Self::Unexpected(_)
            | Self::Unanswered(_)
            | Self::Open(_)
            | Self::Halted(_, _)
            | Self::Broken(_) => None,
        }
    }

    /// The answer that counts towards the breaker, if it does. A deletion that nobody answered counts, and a precondition that
    /// failed a moment after its etag was read: once may be a push, three in a row are not.
    pub(crate) fn unexpected(&self) -> Option<String> {
        match self {
            Self::Unexpected(kind) | Self::Open(kind) | Self::Settled(OutcomeKind::Failed(kind)) => {
                Some(kind.to_string())
            }
            Self::Changed(_) => Some(ErrorKind::Changed.to_string()),
            Self::Settled(_)
            | Self::Drifted(_)
            | Self::Held(_)
            | Self::Unanswered(_)
            | Self::Halted(_, _)
            | Self::Broken(_) => None,
        }
    }
}

/// The mark by which it was due.
pub(crate) fn mark_key(due: &Due) -> MarkKey {
    MarkKey { repository: due.repository_id().clone(), head: due.image().digest }
}

/// An image for people: its repository and the beginning of its digest.
pub(crate) fn named(due: &Due) -> String {
    format!("{}@{}", due.repository_name(), due.image().digest.short())
}

/// Writes down what came of one due image.
pub(crate) fn note(due: &Due, step: &Step) {
    let (outcome, detail) = match step {
        Step::Settled(kind) => (kind.as_str(), ""),
        Step::Drifted(why) | Step::Changed(why) => ("drifted", why.as_str()),
        Step::Held(why) | Step::Halted(_, why) => ("held", why.as_str()),
        Step::Unexpected(kind) | Step::Unanswered(kind) | Step::Open(kind) => ("unknown", kind.as_str()),
        Step::Broken(why) => ("broken", why.as_str()),
    };
    let tags: Vec<&str> = due.image().tags.keys().map(ocird_model::Tag::as_str).collect();
    tracing::info!(
        repository = %due.repository_name(),
        digest = %due.image().digest,
        tags = tags.join(","),
        rule = %due.reason(),
        outcome,
        detail,
        "an image was due; the outcome says what came of it"
    );
}
