//! The page for a browser: what is in use, of what budget and since when, what goes next and why, or why nothing does, what
//! went and what proved it right, what is odd, and whether ocird is well. Rendered here, whole, from the board and from what
//! the store keeps of the past; without a script, without anything from elsewhere, and without a way to change anything (S-32).
//!
//! | path | page |
//! |---|---|
//! | `/` | the overview, for whoever asks for HTML; a list of the paths as text for everybody else |
//! | `/repositories` | all repositories |
//! | `/repositories/NAME` | one repository with its images; names may hold slashes |
//! | `/pending` | all that rules have selected |
//! | `/deletions` | the journal |
//!
//! A page is bounded whatever the registry holds: it shows the first rows of each list and links to the others. Parameters are
//! links of ours; one that cannot be read means what its absence means, so that a link which somebody cut still shows a page.

mod curve;
mod findings;
mod frame;
mod gone;
mod health;
mod next;
mod range;
mod recall;
mod repositories;
mod repository;
mod spark;
mod table;
mod usage;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use ocird_model::RepositoryName;
use ocird_store::{IntentId, UsageOf};
use serde::Deserialize;

use self::frame::{Frame, Place};
use self::range::Range;
use self::recall::{NoPast, Recall};
use self::repositories::{N_LARGEST, N_LISTED, SmallCurves};
use self::repository::{Shown, Which};
use super::App;
use crate::status::Status;

/// Every path of the pages beside `/`, as a template, with what people find there.
pub(super) const PATHS: [(&str, &str); 4] = [
    ("/repositories", "all repositories, for a browser"),
    ("/repositories/{*name}", "one repository with its images, for a browser"),
    ("/pending", "all that rules have selected, for a browser"),
    ("/deletions", "all that went, for a browser"),
];

/// The pages beside `/`.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/repositories", get(all_repositories))
        .route("/repositories/{*name}", get(one_repository))
        .route("/pending", get(pending))
        .route("/deletions", get(deletions))
}

/// Whether a client names HTML among what it takes, as every browser does.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_html = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("text/html"));
        is_html && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

/// What links of ours may say.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    range: Option<String>,
    from: Option<String>,
    state: Option<String>,
    after: Option<String>,
    before: Option<String>,
    repository: Option<String>,
}

impl Asked {
    /// The row from which a list of the board goes on.
    fn from(&self) -> usize {
        self.from.as_deref().and_then(|from| from.parse().ok()).unwrap_or(0)
    }
}

/// The parameters, or none where they cannot be read.
pub(super) type Parameters = Result<Query<Asked>, axum::extract::rejection::QueryRejection>;

fn asked(parameters: Parameters) -> Asked {
    parameters.map(|Query(asked)| asked).unwrap_or_default()
}

/// What every page begins with: one picture, one instant.
struct Look {
    app: App,
    status: Arc<Status>,
    now: DateTime<Utc>,
}

impl Look {
    fn new(app: App) -> Self {
        let (status, now) = (app.board.read(), (app.clock)());
        Self { app, status, now }
    }

    fn answer(&self, title: &str, place: Place, main: &Markup) -> Response {
        Frame { title, place, status: &self.status, now: self.now }.answer(StatusCode::OK, main)
    }

    fn no_such_repository(&self, name: &str) -> Response {
        let main = html! {
            h1 { "No such repository" }
            p.empty { "None is or was called " code { (words::name(name)) } ". " a href="/repositories" { "All repositories" } }
        };
        let frame = Frame {
            title: "No such repository",
            place: Place::Repositories,
            status: &self.status,
            now: self.now,
        };
        frame.answer(StatusCode::NOT_FOUND, &main)
    }

    fn recall(&self) -> Result<Recall<'_>, NoPast> {
        Recall::new(&self.app, self.now)
    }

    /// The small curves of these repositories; none where there is no past.
    async fn small_curves(&self, names: &[&RepositoryName]) -> SmallCurves {
        let mut curves = SmallCurves::new();
        let Ok(recall) = self.recall() else { return curves };
        for name in names {
            let Ok(sizes) = recall.small_curve(name).await else { return curves };
            curves.insert((*name).clone(), sizes);
        }
        curves
    }
}

/// The overview.
pub(super) async fn overview(app: App, parameters: Parameters) -> Response {
    let range = Range::named(asked(parameters).range.as_deref());
    let look = Look::new(app);
    let (status, now) = (&*look.status, look.now);
    let history = async { look.recall()?.history(&UsageOf::Everything, range, status).await }.await;
    let gone = async { look.recall()?.gone().await }.await;
    let largest: Vec<_> =
        repositories::by_size(status).into_iter().map(|(name, _)| name).take(N_LARGEST).collect();
    let curves = look.small_curves(&largest).await;
    let main = html! {
        (usage::now(status))
        (next::sentence(status, now))
        (contents(&look))
        (usage::growth(history.as_ref(), gone.as_ref(), status, range, now))
        (repositories::section(status, &curves, now))
        (next::section(status, now))
        (gone::section(gone.as_ref(), now))
        (findings::section(status, now))
        (health::in_use(status, now))
        (health::section(&look.app, status, now))
    };
    look.answer("Overview", Place::Overview, &main)
}

/// Where things are on the overview, and which of them need a look.
fn contents(look: &Look) -> Markup {
    let status = &look.status;
    let n_pending = status.pending.len();
    html! {
        nav.contents aria-label="On this page" { ul {
            li { a href="#curve" { "Over time" } }
            li { a href="#repositories" { "Repositories" } }
            li { a href="#next" { "What goes next" } @if n_pending > 0 { " " span.badge { (n_pending) } } }
            li { a href="#gone" { "What went" } }
            li { a href="#findings" { "Findings" } @if !status.findings.is_empty() { " " (findings::badge(status)) } }
            li { a href="#in-use" { "What runs" } }
            li { a href="#health" { "Health" } " " (health::badge(&look.app, status, look.now)) }
        } }
    }
}

async fn all_repositories(State(app): State<App>, parameters: Parameters) -> Response {
    let from = asked(parameters).from();
    let look = Look::new(app);
    let shown =
        repositories::by_size(&look.status).into_iter().map(|(name, _)| name).skip(from).take(N_LISTED);
    let curves = look.small_curves(&shown.collect::<Vec<_>>()).await;
    let main = repositories::all(&look.status, &curves, from, look.now);
    look.answer("Repositories", Place::Repositories, &main)
}

async fn one_repository(
    State(app): State<App>,
    Path(text): Path<String>,
    parameters: Parameters,
) -> Response {
    let asked = asked(parameters);
    let look = Look::new(app);
    let Ok(name) = text.parse::<RepositoryName>() else { return look.no_such_repository(&text) };
    let range = Range::named(asked.range.as_deref());
    let which = Which::parse(asked.state.as_deref(), asked.after.as_deref());
    let images = async { look.recall()?.images(&name, which.are_gone, which.after.clone()).await }.await;
    let images = match images {
        Ok(Some(page)) => Ok(page),
        // What is on the board exists, whatever is on record.
        Ok(None) if look.status.repositories.contains_key(&name) => {
            Err(NoPast("they are not on record yet".to_owned()))
        }
        Ok(None) => return look.no_such_repository(&text),
        Err(NoPast(_)) if !look.status.repositories.contains_key(&name) => {
            return look.no_such_repository(&text);
        }
        Err(why) => Err(why),
    };
    let of = UsageOf::Repository(name.clone());
    let history = async { look.recall()?.history(&of, range, &look.status).await }.await;
    let gone = async { look.recall()?.gone_of(&name).await }.await;
    let main = Shown { name: &name, history, images, gone, which, range }.page(&look.status, look.now);
    look.answer(name.as_str(), Place::Repositories, &main)
}

async fn pending(State(app): State<App>, parameters: Parameters) -> Response {
    let look = Look::new(app);
    let main = next::all(&look.status, asked(parameters).from(), look.now);
    look.answer("What goes next", Place::Pending, &main)
}

async fn deletions(State(app): State<App>, parameters: Parameters) -> Response {
    let asked = asked(parameters);
    let look = Look::new(app);
    let of: Option<RepositoryName> = asked.repository.and_then(|name| name.parse().ok());
    let before: Option<IntentId> = asked.before.and_then(|number| serde_json::from_str(&number).ok());
    let page = async { look.recall()?.deletions_page(of.clone(), before).await }.await;
    let main = match &page {
        Ok(page) => gone::all(page, of.as_ref(), before.is_none(), look.now),
        Err(NoPast(why)) => html! {
            h1 { "What went" }
            p.empty { "There is no past to show: " (words::outside(why)) "." }
        },
    };
    look.answer("What went", Place::Deletions, &main)
}
