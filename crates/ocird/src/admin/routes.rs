//! The paths of the admin socket, and what every request passes on its way in: whoever may not ask is told so before
//! anything else, and a question is short and comes at once.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use ocird_store::Operator;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::control;
use super::desk::Desk;
use super::pending;
use super::problem::{Problem, ProblemKind};
use super::serve::Peer;
use super::undoing;
use super::wire::{
    Answer, ApproveQuestion, ControlAnswer, HoldAnswer, HoldsAnswer, PauseQuestion, PendingAnswer,
    ReleasedAnswer, RestorableAnswer, RestoreAnswer,
};

/// The longest question in bytes: a reason and a name.
const MAX_BODY: usize = 16 * 1024;

/// How long a client may take to send it.
const BODY: Duration = Duration::from_secs(5);

/// What a handler answers.
type Answered<T> = Result<Json<Answer<T>>, Problem>;

/// Every path that answers; no other router of the daemon has one of them.
#[cfg(test)]
pub(super) const PATHS: [&str; 10] = [
    "/v1/pending",
    "/v1/approve",
    "/v1/pause",
    "/v1/resume",
    "/v1/reset",
    "/v1/holds",
    "/v1/hold",
    "/v1/release",
    "/v1/restorable",
    "/v1/restore",
];

/// The paths behind the guard.
pub(super) fn router(desk: Desk) -> Router {
    Router::new()
        .route("/v1/pending", get(show_pending))
        .route("/v1/approve", post(approve))
        .route("/v1/pause", post(pause))
        .route("/v1/resume", post(resume))
        .route("/v1/reset", post(reset))
        .route("/v1/holds", get(holds))
        .route("/v1/hold", post(hold))
        .route("/v1/release", post(release))
        .route("/v1/restorable", get(restorable))
        .route("/v1/restore", post(restore))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn(guard))
        .with_state(desk)
}

/// Lets pass who may ask, with a question that is read whole.
async fn guard(request: Request, next: Next) -> Response {
    match checked(request).await {
        Ok(request) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn checked(request: Request) -> Result<Request, Problem> {
    let (mut head, body) = request.into_parts();
    let operator = match head.extensions.remove::<Peer>() {
        Some(Ok(operator)) => operator,
        Some(Err(denied)) => return Err(Problem::new(ProblemKind::Denied, denied.to_string())),
        None => return Err(Problem::new(ProblemKind::Denied, "nobody knows who asks")),
    };
    let malformed = |detail: &str| Problem::new(ProblemKind::Malformed, detail);
    let body = timeout(BODY, axum::body::to_bytes(body, MAX_BODY)).await;
    let body = body.map_err(|_elapsed| malformed("the question took too long to come"))?;
    let body = body.map_err(|_error| malformed("the question is too long, or was cut off"))?;
    head.extensions.insert(operator);
    Ok(Request::from_parts(head, Body::from(body)))
}

/// A question as JSON.
fn question<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        Problem::new(ProblemKind::Malformed, format!("the question cannot be read: {error}"))
    })
}

async fn show_pending(State(desk): State<Desk>) -> Answered<PendingAnswer> {
    Ok(Json(Answer::new(pending::pending(&desk).await?)))
}

async fn approve(
    State(desk): State<Desk>,
    Extension(by): Extension<Operator>,
    body: Bytes,
) -> Answered<ControlAnswer> {
    let ApproveQuestion { plan } = question(&body)?;
    control::approve(desk, by, plan).await.map(Json)
}

async fn pause(
    State(desk): State<Desk>,
    Extension(by): Extension<Operator>,
    body: Bytes,
) -> Answered<ControlAnswer> {
    let PauseQuestion { why } = question(&body)?;
    control::pause(desk, by, why).await.map(Json)
}

async fn resume(State(desk): State<Desk>, Extension(by): Extension<Operator>) -> Answered<ControlAnswer> {
    control::resume(desk, by).await.map(Json)
}

async fn reset(State(desk): State<Desk>, Extension(by): Extension<Operator>) -> Answered<ControlAnswer> {
    control::reset(desk, by).await.map(Json)
}

async fn holds(State(desk): State<Desk>) -> Answered<HoldsAnswer> {
    Ok(Json(Answer::new(undoing::holds(&desk).await?)))
}

async fn hold(
    State(desk): State<Desk>,
    Extension(by): Extension<Operator>,
    body: Bytes,
) -> Answered<HoldAnswer> {
    undoing::hold(desk, by, question(&body)?).await.map(Json)
}

async fn release(
    State(desk): State<Desk>,
    Extension(by): Extension<Operator>,
    body: Bytes,
) -> Answered<ReleasedAnswer> {
    undoing::release(desk, by, question(&body)?).await.map(Json)
}

async fn restorable(State(desk): State<Desk>) -> Answered<RestorableAnswer> {
    Ok(Json(Answer::new(undoing::restorable(&desk).await?)))
}

async fn restore(
    State(desk): State<Desk>,
    Extension(by): Extension<Operator>,
    body: Bytes,
) -> Answered<RestoreAnswer> {
    undoing::restore(desk, by, question(&body)?).await.map(Json)
}

async fn not_found() -> Problem {
    Problem::new(ProblemKind::NotFound, "there is no such command; this daemon may be of another version")
}

async fn method_not_allowed() -> Problem {
    Problem::new(ProblemKind::MethodNotAllowed, "questions are asked by GET, commands are given by POST")
}
