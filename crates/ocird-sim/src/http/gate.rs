//! What every request passes on its way in and out: the operation's count, its fault, the delay, the caller's proof;
//! and on every answer a request id and the tenancy's own time.
//!
//! A gate knows the operation, never what it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
use ocird_model::Clock as _;

use super::caller::{Caller, is_basic};
use super::cloud::Cloud;
use super::refusal::Refusal;
use super::requests::Answer;
use super::signature::HTTP_DATE;
use crate::fault::{Fault, Operation, RetryAfter};

/// The most bytes a request may bring; far above what any operation here needs.
pub(super) const MAX_BODY: usize = 1 << 20;
/// The header that follows a request through the cloud's services.
const REQUEST_ID: &str = "opc-request-id";
/// What stands in place of an answer that a fault garbles: not JSON, and no manifest of any digest.
const GARBLED: &str = "{\"garbled\":";

/// How the caller of an operation proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// Not here: the operation itself looks.
    Own,
    /// By a request signature.
    Signature,
    /// By a request signature, or by basic credentials with a registry token.
    SignatureOrBasic,
    /// By a registry token.
    Bearer,
}

/// Put on a response in place of which the connection is to be closed.
#[derive(Debug, Clone, Copy)]
pub(super) struct CloseInstead;

#[derive(Debug, Clone)]
struct Gate {
    cloud: Arc<Cloud>,
    operation: Operation,
    proof: Proof,
}

/// A route behind the gate of its operation.
pub(super) fn gated(
    cloud: &Arc<Cloud>,
    operation: Operation,
    proof: Proof,
    route: MethodRouter<Arc<Cloud>>,
) -> MethodRouter<Arc<Cloud>> {
    let gate = Gate { cloud: Arc::clone(cloud), operation, proof };
    route.layer(from_fn_with_state(gate, pass))
}

async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    pass_as(&gate.cloud, gate.operation, gate.proof, request, next).await
}

/// The gate itself, for routes whose operation only the path's end tells.
pub(super) async fn pass_as(
    cloud: &Arc<Cloud>,
    operation: Operation,
    proof: Proof,
    request: Request,
    next: Next,
) -> Response {
    let gate = Gate { cloud: Arc::clone(cloud), operation, proof };
    let delay = gate.cloud.options().answer_delay;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let response = answer(&gate, request, next).await;
    let answer = if response.extensions().get::<CloseInstead>().is_some() {
        Answer::Dropped
    } else {
        Answer::Status(response.status().as_u16())
    };
    gate.cloud.requests().record(gate.operation, answer);
    response
}

/// The answer as the operation's fault, if any, lets it be seen. Faults of pages travel on with the request: the list
/// itself bends its page.
async fn answer(gate: &Gate, mut request: Request, next: Next) -> Response {
    let fault = gate.cloud.tenancy().fault_for(gate.operation);
    match fault {
        Some(Fault::Status { status, code }) => refused_by_fault(status, code),
        Some(Fault::Throttled { retry_after }) => throttled(&gate.cloud, retry_after),
        Some(Fault::Instead(body)) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Some(Fault::Rotation) => {
            gate.cloud.rotate_certificate();
            proved(gate, request, next).await
        }
        Some(Fault::Dropped) => closed(),
        Some(Fault::AnswerLost) => {
            proved(gate, request, next).await;
            closed()
        }
        Some(Fault::Slow(duration)) => {
            gate.cloud.tenancy().clock().sleep(duration).await;
            proved(gate, request, next).await
        }
        Some(Fault::Garbled) => {
            let (mut parts, _) = proved(gate, request, next).await.into_parts();
            parts.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(parts, Body::from(GARBLED))
        }
        Some(
            page @ (Fault::EmptyPage
            | Fault::RepeatedCursor
            | Fault::DroppedRow(_)
            | Fault::RepeatedRow(_)
            | Fault::Reversed
            | Fault::Cut),
        ) => {
            request.extensions_mut().insert(page);
            proved(gate, request, next).await
        }
        None => proved(gate, request, next).await,
    }
}

fn refused_by_fault(status: u16, code: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Refusal::new(status, code, "A fault that was asked for.").into_response()
}

fn throttled(cloud: &Cloud, retry_after: Option<RetryAfter>) -> Response {
    let mut response = refused_by_fault(429, "TooManyRequests");
    if let Some(retry_after) = retry_after {
        let value = match retry_after {
            RetryAfter::Seconds(seconds) => seconds.to_string(),
            RetryAfter::Date(ahead) => (cloud.now() + ahead).format(HTTP_DATE).to_string(),
        };
        let value = HeaderValue::try_from(value).expect("a number and a date are header values");
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

fn closed() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(CloseInstead);
    response
}

/// 413: more than [`MAX_BODY`], or a body that broke off.
pub(super) fn body_too_large() -> Refusal {
    let message = "The request's body is too large or did not arrive.";
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", message)
}

async fn proved(gate: &Gate, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return body_too_large().into_response();
    };
    match caller(gate, &parts, &body) {
        Ok(caller) => {
            if let Some(caller) = caller {
                parts.extensions.insert(caller);
            }
            next.run(Request::from_parts(parts, Body::from(body))).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

fn caller(gate: &Gate, parts: &Parts, body: &Bytes) -> Result<Option<Caller>, Refusal> {
    match gate.proof {
        Proof::Own => Ok(None),
        Proof::SignatureOrBasic if is_basic(&parts.headers) => {
            Caller::by_basic(&gate.cloud, &parts.headers).map(Some)
        }
        Proof::Signature | Proof::SignatureOrBasic => {
            Caller::by_signature(&gate.cloud, parts, body).map(Some)
        }
        Proof::Bearer => Caller::by_bearer(&gate.cloud, &parts.headers).map(Some),
    }
}

/// Puts on every answer, refusals of unknown paths included, the request id and the date by the tenancy's clock: the
/// clients tell from it how far their own clock is off. Hyper leaves a date that is there alone.
pub(super) async fn envelope(State(cloud): State<Arc<Cloud>>, request: Request, next: Next) -> Response {
    static N_REQUESTS: AtomicU64 = AtomicU64::new(0);
    let number = N_REQUESTS.fetch_add(1, Ordering::Relaxed);
    let ours = format!("SIM{number:029X}");
    let sent = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let id = sent.map_or_else(|| ours.clone(), |sent| format!("{sent}/{ours}"));
    let mut response = next.run(request).await;
    let date = cloud.now().format(HTTP_DATE).to_string();
    for (name, value) in [(header::DATE.as_str(), date), (REQUEST_ID, id)] {
        let value = HeaderValue::try_from(value).expect("a date and an echoed header are header values");
        response.headers_mut().insert(header::HeaderName::from_static(name), value);
    }
    response
}
