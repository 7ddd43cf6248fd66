//! Why a command was not carried out, as RFC 9457 has it. <https://www.rfc-editor.org/rfc/rfc9457>

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

/// A command that was not carried out, or a question without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    kind: ProblemKind,
    detail: String,
}

/// Every kind of problem: one status and one word each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProblemKind {
    /// Whoever asks may not.
    Denied,
    /// There is nothing at this path.
    NotFound,
    /// The path takes another method.
    MethodNotAllowed,
    /// What was asked makes no sense.
    Malformed,
    /// The state is not what whoever asks believes; nothing was done.
    Refused,
    /// The daemon is not in a state to do it.
    Unavailable,
    /// It was tried and failed.
    Failed,
}

/// The body. `code` tells apart what shares a status.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ProblemBody {
    /// Always `about:blank`, as the RFC wants where the status says it all.
    r#type: String,
    title: String,
    status: u16,
    /// A word of the kinds.
    pub(super) code: String,
    /// What happened, and what to do, for people.
    pub(super) detail: String,
}

impl ProblemKind {
    /// The word by which programs know it.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Malformed => "malformed",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Failed => "failed",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Denied => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Refused => StatusCode::CONFLICT,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl Problem {
    pub(super) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// The state is not what whoever asks believes.
    pub(super) fn refused(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Refused, detail)
    }

    /// It was tried and failed.
    pub(super) fn failed(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Failed, detail)
    }

    pub(super) const fn kind(&self) -> ProblemKind {
        self.kind
    }

    pub(super) fn detail(&self) -> &str {
        &self.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { kind, detail } = self;
        let status = kind.status();
        let body = ProblemBody {
            r#type: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            code: kind.code().to_owned(),
            detail,
        };
        let mut answer = (status, Json(body)).into_response();
        let problem = HeaderValue::from_static("application/problem+json");
        answer.headers_mut().insert(header::CONTENT_TYPE, problem);
        answer
    }
}
