//! What every request passes on its way in, and every answer on its way out: who may ask, what may be asked, how
//! long it may take, and the headers that all answers bear. The pages behind it only render.

use std::future::poll_fn;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::body::HttpBody as _;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::hosts::{AllowedHosts, HostCheck};
use super::problem::{Problem, ProblemKind};
use super::{App, Limits, OTHER_PATH, paths};
use crate::metrics::Metrics;

/// The longest request target, in bytes. The longest of ours is under 1,900: a name with every character encoded, and a cursor.
const MAX_TARGET: usize = 2048;

/// The longest request id that is echoed, in characters.
const MAX_REQUEST_ID: usize = 64;

/// The policy of a page that says none: nothing is loaded, and nobody frames it.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// The header that names a request in answers and logs.
const REQUEST_ID: &str = "x-request-id";

/// What the guard knows.
#[derive(Debug)]
pub(super) struct Door {
    hosts: AllowedHosts,
    metrics: Metrics,
    /// How long a page may take to be made.
    making: Duration,
    /// When the server started, in milliseconds since 1970: the first half of the ids it makes.
    since_ms: i64,
    /// The number of ids made: their second half.
    n_made: AtomicU64,
}

/// The address a connection came in on; the server attaches it to each request.
#[derive(Debug, Clone, Copy)]
pub(super) struct LocalAddress(pub(super) IpAddr);

impl Door {
    pub(super) fn new(app: App, limits: &Limits) -> Self {
        Self {
            since_ms: (app.clock)().timestamp_millis(),
            hosts: app.hosts,
            metrics: app.metrics,
            making: limits.making,
            n_made: AtomicU64::new(0),
        }
    }

    /// The client's id, if it is harmless, or one of our own.
    fn request_id(&self, headers: &HeaderMap) -> String {
        let theirs = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
        if let Some(theirs) = theirs.filter(|id| is_harmless(id)) {
            return theirs.to_owned();
        }
        let n = self.n_made.fetch_add(1, Ordering::Relaxed);
        format!("{:x}-{n:x}", self.since_ms)
    }

    /// Why this request is not passed on, if it is not.
    fn refusal(&self, request: &Request) -> Option<Problem> {
        let local = request.extensions().get::<LocalAddress>();
        let local = local.expect("the server attaches the address to each request");
        let (kind, detail) = if request.version() != Version::HTTP_11 {
            (ProblemKind::VersionNotSupported, "only HTTP/1.1 is spoken here")
        } else if target_length(request) > MAX_TARGET {
            (ProblemKind::TargetTooLong, "no path here is that long")
        } else {
            match self.hosts.check(request.uri(), request.headers(), local.0) {
                HostCheck::Malformed => (ProblemKind::MalformedHost, "exactly one valid Host is wanted"),
                HostCheck::Foreign => (
                    ProblemKind::HostNotAllowed,
                    "this host is not one of ours; the configuration can add it",
                ),
                HostCheck::Ours if !matches!(*request.method(), Method::GET | Method::HEAD) => {
                    (ProblemKind::MethodNotAllowed, "nothing can be changed over TCP: only GET and HEAD")
                }
                HostCheck::Ours if !request.body().is_end_stream() => {
                    (ProblemKind::BodyRefused, "nothing here reads a body")
                }
                HostCheck::Ours => return None,
            }
        };
        Some(Problem::new(kind, detail))
    }
}

/// The middleware before every page.
pub(super) async fn guard(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let request_id = door.request_id(request.headers());
    let path = known_path(&request);
    let answer = match door.refusal(&request) {
        Some(problem) => problem.into_response(),
        None => made(next.run(request), door.making, &request_id).await,
    };
    let mut answer = match answer.extensions().get::<Problem>() {
        Some(problem) => problem.written(&request_id),
        None => answer,
    };
    door.metrics.answered(path, answer.status());
    dress(answer.headers_mut(), &request_id);
    answer
}

/// The page, or the problem of a page that panics or dawdles.
async fn made(page: impl Future<Output = Response>, making: Duration, request_id: &str) -> Response {
    let mut page = pin!(page);
    // The page is dropped after a panic and never polled again, so nothing sees what it left half done.
    let caught = poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| page.as_mut().poll(context)))
            .map_or(Poll::Ready(None), |poll| poll.map(Some))
    });
    match tokio::time::timeout(making, caught).await {
        Ok(Some(answer)) => answer,
        Ok(None) => {
            tracing::error!(request_id, "a page panicked");
            Problem::new(ProblemKind::Internal, "the page failed; the log says more").into_response()
        }
        Err(_elapsed) => Problem::new(ProblemKind::Overtime, "the page took too long").into_response(),
    }
}

/// The headers that every answer bears. No page needs anything from elsewhere, and no other site may show or read one; a
/// page that needs more than nothing says its own policy.
fn dress(headers: &mut HeaderMap, request_id: &str) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(NOTHING));
    let request_id = HeaderValue::from_str(request_id).expect("an id is letters, digits and hyphens");
    headers.insert(REQUEST_ID, request_id);
}

/// The path as a label: the template of one of ours, or "other".
fn known_path(request: &Request) -> &'static str {
    let matched = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    paths().find(|known| *known == matched).unwrap_or(OTHER_PATH)
}

/// True for an id that can be repeated in a header and a log line.
fn is_harmless(id: &str) -> bool {
    (1..=MAX_REQUEST_ID).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn target_length(request: &Request) -> usize {
    request.uri().path_and_query().map_or(0, |target| target.as_str().len())
}
