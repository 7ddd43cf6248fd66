//! What people, programs and Prometheus see over TCP: the board and the past, rendered. Nothing here can change anything
//! (S-32), asks the cloud, or decides; whatever changes something goes through the local admin socket. Only the API and the
//! pages for a browser ask the store, by connections that can only read.
//!
//! | path | answer |
//! |---|---|
//! | `/` | the overview, for whoever asks for HTML; the paths as text for everybody else |
//! | `/repositories`, `/pending`, `/deletions` | for a browser: [`page`] |
//! | `/livez` | 200 while the scheduler's loop turns |
//! | `/readyz` | 200 from the end of the first pass, or once it is known why there is none, until the stop |
//! | `/healthz` | each check as JSON; `?verbose` as text; `?strict` makes a warning 503 |
//! | `/status` | one readable screen for curl |
//! | `/metrics` | the Prometheus text format |
//! | `/api/v1/...` | the same and the past for programs: [`api`] |
//! | `/version` | version and build as JSON |
//!
//! Errors are `application/problem+json`, save those that hyper answers before a request exists (a head over 16 KiB or
//! that is not HTTP), which have no body, and a repository that nobody has seen, for which a browser has a page.

mod api;
mod guard;
mod heartbeat;
mod hosts;
mod page;
mod probes;
mod problem;
mod screen;
mod server;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod worlds;

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use self::guard::Door;
use self::problem::{Problem, ProblemKind};
use crate::forecast::Price;
use crate::json::json_line;
use crate::metrics::{Build, Metrics};
use crate::pass::SharedPast;
use crate::status::Board;
use ocird_model::ErrorChain;

pub use self::heartbeat::Heartbeat;
pub use self::hosts::AllowedHosts;
pub use self::screen::screen;
pub use self::server::{Limits, serve, serve_within};

/// Every path that answers beside those of the API and of the pages, with what people find there.
const PATHS: [(&str, &str); 7] = [
    ("/", "this list; for a browser, the overview"),
    ("/livez", "ok while the scheduler runs"),
    ("/readyz", "ok once the first pass has ended"),
    ("/healthz", "each check; ?verbose as text, ?strict fails on warnings"),
    ("/status", "one screen: what it may do, did, and will do next"),
    ("/metrics", "for Prometheus"),
    ("/version", "version and build, as JSON"),
];

/// Every path that answers, as a template: the values of the `path` label.
pub(crate) fn paths() -> impl Iterator<Item = &'static str> {
    PATHS
        .into_iter()
        .chain(page::PATHS)
        .map(|(path, _)| path)
        .chain(api::OPERATIONS.iter().map(|operation| operation.path))
}

/// The `path` label of a request for anything else.
pub(crate) const OTHER_PATH: &str = "other";

/// The `code` labels that exist before the first request.
pub(crate) fn statuses() -> impl Iterator<Item = StatusCode> {
    [StatusCode::OK, StatusCode::NOT_MODIFIED].into_iter().chain(ProblemKind::STATUSES)
}

/// An answer in JSON.
struct Json<T>(T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], json_line(&self.0)).into_response()
    }
}

/// What the pages need. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The picture that every page renders.
    pub board: Board,
    /// What happened before, as the store keeps it; only to be read.
    pub past: SharedPast,
    /// What storage costs; `None` where nobody said.
    pub price: Option<Price>,
    /// The numbers of `/metrics`; the server counts its requests here.
    pub metrics: Metrics,
    /// The time, for ages and for what is overdue.
    pub clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// The scheduler's pulse, for `/livez`.
    pub heartbeat: Heartbeat,
    /// Cancelled as soon as a stop is asked for: `/readyz` says so while the last action is finished.
    pub stopping: CancellationToken,
    /// The names under which it answers, beside loopback and the address a connection came in on.
    pub hosts: AllowedHosts,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { board: _, past: _, price: _, metrics: _, clock: _, heartbeat, stopping, hosts } = self;
        f.debug_struct("App")
            .field("heartbeat", heartbeat)
            .field("stopping", &stopping.is_cancelled())
            .field("hosts", hosts)
            .finish_non_exhaustive()
    }
}

/// The pages behind the guard.
fn router(app: App, limits: &Limits) -> Router {
    let pages = Router::new()
        .route("/", get(landing))
        .route("/livez", get(probes::livez))
        .route("/readyz", get(probes::readyz))
        .route("/healthz", get(probes::healthz))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .route("/version", get(version))
        .merge(page::routes())
        .with_state(app.clone())
        .merge(api::routes(app.clone()));
    guarded(pages, Door::new(app, limits))
}

/// Puts the guard before `pages`.
fn guarded(pages: Router, door: Door) -> Router {
    pages.fallback(not_found).layer(axum::middleware::from_fn_with_state(Arc::new(door), guard::guard))
}

/// The overview for a browser, and a list of the paths for everybody else.
async fn landing(State(app): State<App>, headers: HeaderMap, parameters: page::Parameters) -> Response {
    let mut answer = if page::is_wanted(&headers) {
        page::overview(app, parameters).await
    } else {
        list().into_response()
    };
    answer.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    answer
}

fn list() -> String {
    let mut page =
        format!("ocird {}: keeps a container registry in order by written policy.\n\n", Build::THIS.version);
    // A path with a name in it is no link.
    let operations = api::OPERATIONS.iter().map(|operation| (operation.path, operation.what));
    let links =
        PATHS.into_iter().chain(page::PATHS).chain(operations).filter(|(path, _)| !path.contains('{'));
    for (path, what) in links {
        writeln!(page, "  {path:<20} {what}").expect("writing to a string never fails");
    }
    page
}

async fn status(State(app): State<App>) -> String {
    screen(&app.board.read(), (app.clock)())
}

async fn version() -> Response {
    Json(Build::THIS).into_response()
}

async fn metrics(State(app): State<App>) -> Response {
    match app.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, Metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(error = %ErrorChain(&error), "the metrics could not be rendered");
            Problem::new(ProblemKind::Internal, "the metrics could not be rendered").into_response()
        }
    }
}

async fn not_found() -> Problem {
    Problem::new(ProblemKind::NotFound, "nothing is at this path; / lists what there is")
}
