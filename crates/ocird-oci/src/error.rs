//! What can go wrong with a call, and the questions one may ask of it.
//!
//! Errors hold what an operator needs (host, status, code, request id, a bounded message) and nothing that must not
//! be seen: no header of ours, no body of an answer that carries a token.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ocird_model::{ErrorKind, RegistryError};

use crate::SignInError;
use crate::counts::Operation;

/// The most characters kept of a text that a server wrote.
const MAX_TEXT: usize = 300;

/// A failed call.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// No answer, or one that broke off: connection refused or reset, DNS, TLS.
    #[error("no answer from {host}")]
    Unreachable {
        /// Who was asked.
        host: String,
        /// The client's reason, without the URL.
        #[source]
        source: reqwest::Error,
    },
    /// No answer in time. The server may have done what was asked.
    #[error("no answer from {host} in time")]
    Timeout {
        /// Who was asked.
        host: String,
        /// The client's reason, without the URL.
        #[source]
        source: reqwest::Error,
    },
    /// An answer with a status other than 2xx.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// An answer, or a value that came with an earlier one, that makes no sense.
    #[error("{what} could not be understood: {detail}")]
    Malformed {
        /// What made no sense.
        what: &'static str,
        /// What was wrong with it; bounded and without control characters.
        detail: String,
    },
    /// An answer larger than anything that makes sense.
    #[error("the answer is larger than {bound} bytes")]
    TooLarge {
        /// The most bytes that would have been read.
        bound: usize,
    },
    /// A listing that does not come to a believable end (S-1).
    #[error("the listing comes to no end: {reason}")]
    Endless {
        /// Why its end is not believed in.
        reason: EndlessReason,
    },
    /// The service answers 429, and that is not waited out: it has let nothing through for two minutes, the pass has
    /// waited a quarter of an hour, it asks for more than either, or the call is a delete, which does not wait long.
    #[error("throttled, and not waited for any longer: {} s in this pass so far", waited.as_secs())]
    Throttled {
        /// How long the pass has waited in all.
        waited: Duration,
        /// The latest answer with status 429. When nothing was sent any more, it was another call's.
        #[source]
        refusal: Box<Refusal>,
    },
    /// A delete that could not be signed soon enough after what it rests on was read. It was not sent.
    #[error("not sent, as it could only be signed after {} s", waited.as_secs())]
    Late {
        /// How long it had waited by then.
        waited: Duration,
    },
    /// There is no token to sign with.
    #[error("signing in failed")]
    SignIn(#[source] Arc<SignInError>),
}

/// Why a listing is not believed to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndlessReason {
    /// The same cursor came twice.
    #[error("a cursor came twice")]
    CursorRepeated,
    /// More pages than the bound.
    #[error("more than {bound} pages")]
    TooManyPages {
        /// The most pages of one listing.
        bound: u32,
    },
}

/// An answer with a status other than 2xx.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {code}: {message}{}", RequestId(request_id.as_deref()))]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The service's word for it, such as `NotAuthorizedOrNotFound`; `Unexplained` when the body has none.
    pub code: String,
    /// The service's sentence; bounded and without control characters.
    pub message: String,
    /// The `opc-request-id`, which Oracle's support asks for.
    pub request_id: Option<String>,
    /// How long the service asked to be left alone.
    pub retry_after: Option<Duration>,
}

impl OciError {
    /// What kind of failure it is, as far as anybody acts differently on it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreachable { host: _, source: _ } => ErrorKind::Unreachable,
            Self::Timeout { host: _, source: _ } => ErrorKind::Timeout,
            Self::Refused(refusal) => refusal.kind(),
            Self::Malformed { what: _, detail: _ } | Self::TooLarge { bound: _ } => ErrorKind::Malformed,
            Self::Endless { reason: _ } => ErrorKind::Endless,
            Self::Throttled { waited: _, refusal: _ } => ErrorKind::Throttled,
            Self::Late { waited: _ } | Self::SignIn(_) => ErrorKind::SignIn,
        }
    }

    /// True when the same call may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        self.kind().is_transient()
    }

    /// True for an answer with this status.
    pub(crate) fn is_status(&self, status: u16) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == status)
    }

    /// True when not even a connection came about, so that nobody can have read what was to be sent.
    pub(crate) fn is_connect(&self) -> bool {
        match self {
            Self::Unreachable { host: _, source } | Self::Timeout { host: _, source } => source.is_connect(),
            _ => false,
        }
    }

    /// The error as the pass knows it: the failure of `operation`.
    pub(crate) fn during(self, operation: Operation) -> RegistryError {
        RegistryError::new(operation.as_str(), self.kind(), self)
    }

    /// An answer that was decoded in vain. `detail` is cleaned.
    pub(crate) fn malformed(what: &'static str, detail: impl fmt::Display) -> Self {
        Self::Malformed { what, detail: clean(&detail.to_string()) }
    }
}

impl From<Arc<SignInError>> for OciError {
    fn from(error: Arc<SignInError>) -> Self {
        Self::SignIn(error)
    }
}

impl From<SignInError> for OciError {
    fn from(error: SignInError) -> Self {
        Self::SignIn(Arc::new(error))
    }
}

impl Refusal {
    /// The kind of failure that the status means.
    pub const fn kind(&self) -> ErrorKind {
        match self.status {
            401 => ErrorKind::Unauthenticated,
            403 => ErrorKind::Forbidden,
            404 => ErrorKind::NotFound,
            409 => ErrorKind::Conflict,
            412 => ErrorKind::Changed,
            429 => ErrorKind::Throttled,
            500..=599 => ErrorKind::Server,
            _ => ErrorKind::Refused,
        }
    }
}

/// Prints ` (request id)` or nothing.
struct RequestId<'a>(Option<&'a str>);

impl fmt::Display for RequestId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(id) => write!(f, " (opc-request-id {id})"),
            None => Ok(()),
        }
    }
}

/// A server's text made fit for a log line and a terminal: control and direction characters become blanks, and what
/// is too long is cut (S-34).
pub(crate) fn clean(text: &str) -> String {
    let is_harmful =
        |c: char| c.is_control() || matches!(c, '\u{200e}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = text.chars().map(|c| if is_harmful(c) { ' ' } else { c });
    shown.take(MAX_TEXT).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16) -> Refusal {
        Refusal {
            status,
            code: "Code".to_owned(),
            message: "a sentence".to_owned(),
            request_id: Some("A/B/C".to_owned()),
            retry_after: None,
        }
    }

    #[test]
    fn every_status_has_its_kind_and_none_means_gone() {
        for (status, kind) in [
            (301, ErrorKind::Refused),
            (400, ErrorKind::Refused),
            (401, ErrorKind::Unauthenticated),
            (403, ErrorKind::Forbidden),
            (404, ErrorKind::NotFound),
            (409, ErrorKind::Conflict),
            (412, ErrorKind::Changed),
            (413, ErrorKind::Refused),
            (422, ErrorKind::Refused),
            (429, ErrorKind::Throttled),
            (431, ErrorKind::Refused),
            (500, ErrorKind::Server),
            (501, ErrorKind::Server),
            (503, ErrorKind::Server),
            (599, ErrorKind::Server),
        ] {
            assert_eq!(refusal(status).kind(), kind, "{status}");
        }
    }

    #[test]
    fn a_refusal_tells_what_support_asks_for() {
        assert_eq!(refusal(404).to_string(), "404 Code: a sentence (opc-request-id A/B/C)");
    }

    #[test]
    fn a_servers_text_cannot_reach_into_the_terminal_or_flood_the_log() {
        assert_eq!(clean("a\u{1b}[31m\r\nb\u{202e}c"), "a [31m  b c");
        assert_eq!(clean(&"x".repeat(5000)).len(), MAX_TEXT);
    }

    #[test]
    fn the_kind_and_operation_survive_the_way_to_the_pass() {
        let error = OciError::Refused(Box::new(refusal(412))).during(Operation::DeleteContainerImage);
        assert_eq!((error.operation(), error.kind()), ("DeleteContainerImage", ErrorKind::Changed));
        assert!(
            ocird_model::ErrorChain(&error)
                .to_string()
                .ends_with("412 Code: a sentence (opc-request-id A/B/C)")
        );
    }
}
