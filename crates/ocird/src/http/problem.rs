//! Errors as RFC 9457 says them. Every answer that is not a success carries one, whoever refused.
//! <https://www.rfc-editor.org/rfc/rfc9457>

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::json::json_line;

/// Why a request was not answered as asked. It travels as an extension of the answer until the guard, who alone
/// knows the request's id, writes it out.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    kind: ProblemKind,
    detail: String,
    /// The parameter that is at fault, as far as one is.
    parameter: Option<String>,
}

/// Every kind of problem: one status and one word each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProblemKind {
    /// The request names no host, or more than one.
    MalformedHost,
    /// A parameter is unknown, given twice, or has a value that it cannot have.
    InvalidParameter,
    /// There is nothing at this path.
    NotFound,
    /// Only GET and HEAD: nothing can be changed over TCP (S-32).
    MethodNotAllowed,
    /// The request has a body, and nothing here reads one.
    BodyRefused,
    /// The request's target is too long.
    TargetTooLong,
    /// The request names a host that is not ours.
    HostNotAllowed,
    /// The server failed.
    Internal,
    /// The daemon is not in a state to answer well.
    Unavailable,
    /// The answer took too long to make.
    Overtime,
    /// Not HTTP/1.1.
    VersionNotSupported,
}

impl ProblemKind {
    /// Every status that a problem can have, so that the counters exist before the first one.
    pub(super) const STATUSES: [StatusCode; 9] = [
        StatusCode::BAD_REQUEST,
        StatusCode::NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED,
        StatusCode::PAYLOAD_TOO_LARGE,
        StatusCode::URI_TOO_LONG,
        StatusCode::MISDIRECTED_REQUEST,
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::HTTP_VERSION_NOT_SUPPORTED,
    ];

    /// The word by which programs know it; the `code` member of the body.
    const fn code(self) -> &'static str {
        match self {
            Self::MalformedHost => "malformed_host",
            Self::InvalidParameter => "invalid_parameter",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::BodyRefused => "body_refused",
            Self::TargetTooLong => "target_too_long",
            Self::HostNotAllowed => "host_not_allowed",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::Overtime => "overtime",
            Self::VersionNotSupported => "version_not_supported",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::MalformedHost | Self::InvalidParameter => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyRefused => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::HostNotAllowed => StatusCode::MISDIRECTED_REQUEST,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable | Self::Overtime => StatusCode::SERVICE_UNAVAILABLE,
            Self::VersionNotSupported => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        }
    }
}

/// The body. `type` stays `about:blank`, as the RFC wants where the status says it all; `code` tells apart what
/// shares a status.
#[derive(Debug, Serialize)]
struct ProblemBody<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
    instance: &'a str,
}

impl Problem {
    pub(super) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), parameter: None }
    }

    /// What is wrong with a parameter.
    pub(super) fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { parameter: Some(name.into()), ..Self::new(ProblemKind::InvalidParameter, detail) }
    }

    /// The answer, complete: `request_id` is the `instance` to look for in the log.
    pub(super) fn written(&self, request_id: &str) -> Response {
        let status = self.kind.status();
        let body = json_line(&ProblemBody {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code: self.kind.code(),
            detail: &self.detail,
            parameter: self.parameter.as_deref(),
            instance: request_id,
        });
        let mut answer = (status, body).into_response();
        answer
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.kind == ProblemKind::MethodNotAllowed {
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        answer
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = self.kind.status();
        answer.extensions_mut().insert(self);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_a_kind_has_a_counter() {
        let kinds = [
            ProblemKind::MalformedHost,
            ProblemKind::InvalidParameter,
            ProblemKind::NotFound,
            ProblemKind::MethodNotAllowed,
            ProblemKind::BodyRefused,
            ProblemKind::TargetTooLong,
            ProblemKind::HostNotAllowed,
            ProblemKind::Internal,
            ProblemKind::Unavailable,
            ProblemKind::Overtime,
            ProblemKind::VersionNotSupported,
        ];
        for kind in kinds {
            assert!(ProblemKind::STATUSES.contains(&kind.status()), "{kind:?}");
        }
    }
}
