//! What all pages have in common: the head with its policy and style sheet, the links between the pages, and the foot.
//!
//! The style sheet stands in the page, and the policy admits exactly it by its hash: one answer is the whole page, nothing is
//! asked for besides, and there is nothing to go stale. There is no script, and the policy would let none run.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::words::name;
use crate::status::{Arming, Status};

/// Everything that is not words and curves.
const STYLE: &str = include_str!("style.css");

/// A square, half of it full. It stands in the page, or every browser would ask for a file of that name.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' \
     height='16' rx='3' fill='%230f6b66'/%3E%3Cpath d='M3 12V9h2v3zM7 12V6h2v6zM11 12V4h2v8z' fill='white'/%3E%3C/svg%3E";

/// What a page may load: its own style sheet and icon. It may not be framed, and sends nothing anywhere.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("a hash in base64 is ASCII")
});

/// The pages that the links lead to.
const PLACES: [(Place, &str, &str); 4] = [
    (Place::Overview, "/", "Overview"),
    (Place::Repositories, "/repositories", "Repositories"),
    (Place::Pending, "/pending", "Next"),
    (Place::Deletions, "/deletions", "Gone"),
];

/// Which page it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The overview.
    Overview,
    /// All repositories, or one.
    Repositories,
    /// What goes next.
    Pending,
    /// What went.
    Deletions,
}

/// What a page is framed in.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    /// The title, in the words of a list of windows.
    pub(super) title: &'a str,
    /// Which page it is.
    pub(super) place: Place,
    /// The picture that it shows.
    pub(super) status: &'a Status,
    /// When it is shown.
    pub(super) now: DateTime<Utc>,
}

impl Frame<'_> {
    /// The page with this in its middle.
    pub(super) fn answer(&self, code: StatusCode, main: &Markup) -> Response {
        let page = self.page(main).into_string() + "\n";
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
        ];
        (code, headers, page).into_response()
    }

    fn page(&self, main: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " \u{b7} ocird" }
                    link rel="icon" href=(ICON);
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    a.skip href="#main" { "Skip to the content" }
                    (self.banner())
                    main #main tabindex="-1" { (main) }
                    (self.foot())
                }
            }
        }
    }

    fn banner(&self) -> Markup {
        let (class, mode) = match self.status.arming {
            Arming::Report => ("", "report mode"),
            Arming::Armed => ("calm", "armed"),
            Arming::Disarmed => ("warn", "disarmed"),
        };
        html! {
            header.banner {
                div.wrap {
                    p.brand {
                        a href="/" { "ocird" } " "
                        @if let Some(place) = &self.status.place { span.region { (name(&place.region)) } " " }
                        span.badge.(class) { (mode) }
                    }
                    nav aria-label="Pages" { ul {
                        @for (place, path, words) in PLACES {
                            li { @if place == self.place {
                                a href=(path) aria-current="page" { (words) }
                            } @else {
                                a href=(path) { (words) }
                            } }
                        }
                    } }
                }
            }
        }
    }

    fn foot(&self) -> Markup {
        html! {
            footer.foot { div.wrap {
                p {
                    "ocird " (name(&self.status.version)) ". This page is a picture of "
                    time datetime=(self.now.to_rfc3339()) { (self.now.format("%F %H:%M:%S")) }
                    "; all times are UTC. It can show, and change nothing."
                }
                p {
                    "The same for programs: " a href="/status" { "/status" } ", " a href="/metrics" { "/metrics" } ", "
                    a href="/healthz?verbose" { "/healthz" } ", " a href="/api/v1/status" { "/api/v1/status" } "."
                }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_sheet_loads_nothing_and_cannot_end_its_element() {
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains('<'));
        assert!(!STYLE.contains('\r'), "a parser would turn it into a line feed, and the hash would differ");
    }

    #[test]
    fn the_policy_admits_one_sheet_by_its_hash_and_no_script() {
        let policy = POLICY.to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(
            !policy.contains("script") && !policy.contains("unsafe") && !policy.contains('*'),
            "{policy}"
        );
    }
}
