//! `/api/v1`: what ocird knows, for programs. JSON, and comma-separated values for lists.
//!
//! - **Read-only** (S-32). What the board shows comes from the board and is told whatever the store's state; the past comes
//!   from the store, by connections that can only read, and is a problem 503 while the store is away.
//! - **Strict.** A parameter that an operation does not have, one given twice and a value that it cannot have are a problem
//!   400 that names the parameter: a mistyped filter must not answer more than was asked for.
//! - **Bounded** (S-34). Lists come in parts of at most a thousand rows, and the [`desk`] bounds how many answers are made
//!   and how much of them is under way.
//! - **Described.** `openapi.json` is the contract, written by hand and served as it is. The words are for people, and the
//!   types behind the answers lie partly in crates that must not know of a web, so that nothing here is derived; tests hold
//!   every operation, parameter and answer against it.
//!
//! Every answer bears an `ETag` and may be asked for with `If-None-Match`: nothing is sent again that the client has.
//!
//! Within v1 members are only ever added.

mod answer;
mod asked;
mod cursor;
mod deletions;
mod desk;
mod document;
mod findings;
mod forecast;
mod form;
mod images;
mod in_use;
mod instant;
mod pending;
mod picture;
mod plan;
mod repositories;
mod usage;

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, get};
use chrono::{DateTime, Utc};
use ocird_model::ErrorChain;
use ocird_store::{Past, StoreError};

use self::asked::{CURSOR, FORMAT, FROM, LIMIT, REPOSITORY, STATE, STEP, TO};
use self::desk::Desk;
use self::picture::Picture;
use super::App;
use super::problem::{Problem, ProblemKind};

/// One thing that can be asked.
#[derive(Debug)]
pub(super) struct Operation {
    /// The template of its path.
    pub(super) path: &'static str,
    /// What it answers, for the list of paths.
    pub(super) what: &'static str,
    /// Every parameter that its query may have.
    pub(super) parameters: &'static [&'static str],
    /// Who answers.
    route: fn() -> MethodRouter<Api>,
}

/// Everything that can be asked.
pub(super) const OPERATIONS: [Operation; 12] = [
    Operation {
        path: "/api/v1/openapi.json",
        what: "what the API answers, as OpenAPI 3.1",
        parameters: &[],
        route: || get(document::document),
    },
    Operation {
        path: "/api/v1/status",
        what: "everything /status knows, as JSON",
        parameters: &[],
        route: || get(picture::status),
    },
    Operation {
        path: "/api/v1/repositories",
        what: "each repository as the last pass saw it",
        parameters: &[LIMIT, CURSOR, FORMAT],
        route: || get(repositories::list),
    },
    Operation {
        path: "/api/v1/repositories/{name}",
        what: "one repository",
        parameters: &[],
        route: || get(repositories::one),
    },
    Operation {
        path: "/api/v1/repositories/{name}/images",
        what: "its images, with verdicts and what runs from them",
        parameters: &[STATE, LIMIT, CURSOR, FORMAT],
        route: || get(images::list),
    },
    Operation {
        path: "/api/v1/plan",
        what: "what was decided last, and what holds it back",
        parameters: &[REPOSITORY, LIMIT, CURSOR, FORMAT],
        route: || get(plan::list),
    },
    Operation {
        path: "/api/v1/pending",
        what: "what goes next, when and by which rule",
        parameters: &[REPOSITORY, LIMIT, CURSOR, FORMAT],
        route: || get(pending::list),
    },
    Operation {
        path: "/api/v1/deletions",
        what: "what went, what came of it, and its proofs",
        parameters: &[REPOSITORY, FROM, LIMIT, CURSOR, FORMAT],
        route: || get(deletions::list),
    },
    Operation {
        path: "/api/v1/usage",
        what: "usage over time",
        parameters: &[REPOSITORY, FROM, TO, STEP, LIMIT, CURSOR, FORMAT],
        route: || get(usage::list),
    },
    Operation {
        path: "/api/v1/forecast",
        what: "how usage grows, when lines are reached, what was saved",
        parameters: &[REPOSITORY],
        route: || get(forecast::forecast),
    },
    Operation {
        path: "/api/v1/findings",
        what: "what is odd, since when, and what to do",
        parameters: &[STATE, LIMIT, CURSOR, FORMAT],
        route: || get(findings::list),
    },
    Operation {
        path: "/api/v1/in-use",
        what: "what runs, and the sources that say so",
        parameters: &[REPOSITORY, LIMIT, CURSOR, FORMAT],
        route: || get(in_use::list),
    },
];

impl Operation {
    /// The parameter of this name, if it has one.
    fn parameter(&self, name: &str) -> Option<&'static str> {
        self.parameters.iter().find(|known| **known == name).copied()
    }
}

/// What the operations answer from. Cheap to clone.
#[derive(Debug, Clone)]
struct Api {
    app: App,
    desk: Arc<Desk>,
    picture: Arc<Picture>,
}

impl Api {
    /// The past, or the problem that there is none to be had.
    fn past(&self) -> Result<Past, Problem> {
        let away = |why| Problem::new(ProblemKind::Unavailable, format!("the store is away: {why}"));
        self.app.past.get().map_err(away)
    }

    /// The present minute: an answer that looks at the clock stays the same within it.
    fn this_minute(&self) -> DateTime<Utc> {
        let now = (self.app.clock)();
        let since = now.timestamp().rem_euclid(60);
        DateTime::from_timestamp(now.timestamp() - since, 0).unwrap_or(now)
    }
}

/// The problem of a store that could not be read.
fn unread(error: &StoreError) -> Problem {
    tracing::warn!(error = %ErrorChain(error), "the store could not be read for the API");
    Problem::new(ProblemKind::Unavailable, format!("the store could not be read ({})", error.kind()))
}

/// Every operation.
pub(super) fn routes(app: App) -> Router {
    let api = Api { app, desk: Arc::default(), picture: Arc::default() };
    let mut router = Router::new();
    for operation in &OPERATIONS {
        router = router.route(operation.path, (operation.route)());
    }
    router.with_state(api)
}
