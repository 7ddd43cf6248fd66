//! What an answer of the registry means while acting: whether a deletion was carried out, and whether the answer is one that
//! ocird expects (S-25).

use ocird_model::{ErrorChain, ErrorKind, OutcomeKind, RegistryError};
use ocird_plan::Due;

/// What is to be thought of a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thought {
    /// It is no answer, or says "not now": acting ends for this pass, and nothing is held against anybody. A network that
    /// fails for an hour must not wait for a person.
    NoAnswer,
    /// 404: gone, or not permitted. Only a complete list tells (S-2).
    NotThere,
    /// An answer that should not be. Three of them in a row trip the breaker.
    Unexpected,
}

impl Thought {
    /// What is to be thought of a failure of this kind.
    pub(crate) const fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Unreachable | ErrorKind::Timeout | ErrorKind::SignIn | ErrorKind::Throttled => {
                Self::NoAnswer
            }
            ErrorKind::NotFound => Self::NotThere,
            ErrorKind::Unauthenticated
            | ErrorKind::Forbidden
            | ErrorKind::Conflict
            | ErrorKind::Changed
            | ErrorKind::Server
            | ErrorKind::Refused
            | ErrorKind::Malformed
            | ErrorKind::Endless => Self::Unexpected,
        }
    }
}

/// How a deletion ended by its answer; `None` when the answer says nothing: it may have been carried out.
pub(crate) const fn outcome(answer: &Result<(), RegistryError>) -> Option<OutcomeKind> {
    let error = match answer {
        Ok(()) => return Some(OutcomeKind::Deleted),
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::Changed => Some(OutcomeKind::Drifted),
        ErrorKind::Timeout
        | ErrorKind::Unreachable
        | ErrorKind::Server
        | ErrorKind::Malformed
        | ErrorKind::Conflict
        | ErrorKind::Refused => None,
        kind @ (ErrorKind::Unauthenticated
        | ErrorKind::SignIn
        | ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::Throttled
        | ErrorKind::Endless) => Some(OutcomeKind::Failed(kind)),
    }
}

/// Logs a call that failed while acting, where it is handled; answers what kind of failure it was.
pub(crate) fn noted(due: &Due, error: &RegistryError) -> ErrorKind {
    tracing::warn!(
        repository = %due.repository_name(),
        digest = %due.image().digest,
        operation = error.operation(),
        kind = error.kind().as_str(),
        error = %ErrorChain(error),
        "a call about an image that was due failed"
    );
    error.kind()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(kind: ErrorKind) -> Result<(), RegistryError> {
        Err(RegistryError::new("DeleteContainerImage", kind, "no"))
    }

    #[test]
    fn only_a_clear_answer_settles_a_deletion() {
        assert_eq!(outcome(&Ok(())), Some(OutcomeKind::Deleted));
        assert_eq!(outcome(&failed(ErrorKind::Changed)), Some(OutcomeKind::Drifted));
        assert_eq!(outcome(&failed(ErrorKind::Forbidden)), Some(OutcomeKind::Failed(ErrorKind::Forbidden)));
        for lost in [ErrorKind::Timeout, ErrorKind::Unreachable, ErrorKind::Server, ErrorKind::Malformed] {
            assert_eq!(outcome(&failed(lost)), None, "{lost}");
        }
        let deleted = ErrorKind::ALL.map(|kind| outcome(&failed(kind)) == Some(OutcomeKind::Deleted));
        assert!(!deleted.contains(&true), "no error is a deletion");
    }

    #[test]
    fn silence_is_no_answer_and_a_404_says_nothing_by_itself() {
        let of = |thought| ErrorKind::ALL.into_iter().filter(move |kind| Thought::of(*kind) == thought);
        assert_eq!(of(Thought::NotThere).collect::<Vec<_>>(), [ErrorKind::NotFound]);
        assert!(of(Thought::NoAnswer).all(ErrorKind::is_transient));
        assert_eq!(Thought::of(ErrorKind::Server), Thought::Unexpected);
    }
}
