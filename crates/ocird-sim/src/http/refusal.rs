//! How the simulated cloud says no: a status and `{"code", "message"}`.
//! <https://docs.oracle.com/en-us/iaas/Content/API/References/apierrors.htm>

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An answer that is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    code: String,
    message: String,
}

impl Refusal {
    /// Any status with any code.
    pub(super) fn new(status: StatusCode, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into() }
    }

    /// 401: the signature, the key, the token or the clock. The cloud does not say which; here the cause follows in
    /// brackets, for whoever debugs a client.
    pub(super) fn not_authenticated(cause: impl std::fmt::Display) -> Self {
        let message = format!(
            "The required information to complete authentication was not provided or was incorrect. ({cause})"
        );
        Self::new(StatusCode::UNAUTHORIZED, "NotAuthenticated", message)
    }

    /// 404: not there or not permitted. The cloud says the same for both, word for word.
    pub(super) fn not_authorized_or_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NotAuthorizedOrNotFound",
            "Authorization failed or requested resource not found.",
        )
    }

    /// 400: a required parameter is absent.
    pub(super) fn missing_parameter(name: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MissingParameter", format!("The {name} parameter is required."))
    }

    /// 400: a parameter has a value that cannot be.
    pub(super) fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidParameter", message)
    }

    /// 400: a body that cannot be read.
    pub(super) fn cannot_parse(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "CannotParseRequest", message)
    }
}

impl Refusal {
    /// The same refusal as the distribution specification words it.
    pub(super) fn as_registry_error(&self) -> Response {
        let code = match self.code.as_str() {
            "NotAuthenticated" => "UNAUTHORIZED",
            "NotAuthorizedOrNotFound" => "NAME_UNKNOWN",
            other => other,
        };
        let body = json!({ "errors": [{ "code": code, "message": self.message }] });
        (self.status, Json(body)).into_response()
    }
}

impl IntoResponse for Refusal {
    /// The refusal itself travels with the answer, for the registry, which words its refusals otherwise.
    fn into_response(self) -> Response {
        let body = json!({ "code": self.code, "message": self.message });
        let mut response = (self.status, Json(body)).into_response();
        response.extensions_mut().insert(self);
        response
    }
}
