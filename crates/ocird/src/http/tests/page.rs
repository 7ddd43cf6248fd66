//! The pages for a browser, of invented worlds: who is shown one, that it is whole and sane whatever it shows, and that nothing
//! from outside gets between its elements.

use axum::extract::Query;
use proptest::prelude::*;

use super::hostile::nasty as hostile_text;
use super::*;
use crate::http::page::{Asked, PATHS, overview};
use crate::http::worlds::{HOSTILE, hostile_in, repository};

/// What a browser sends.
const ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// Characters of ours beside printable ASCII.
const TYPOGRAPHY: &str = "\u{a0}\u{b7}\u{2013}\u{2019}\u{201c}\u{201d}\u{2212}\u{2713}";

impl Server {
    async fn browse(&self, path: &str) -> Answer {
        self.accept(path, ACCEPT).await
    }

    async fn accept(&self, path: &str, accept: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n")).await
    }
}

/// An element of a page: its name, with a slash where it ends, and its attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Element {
    fn get(&self, wanted: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }
}

/// The elements of a page, in the form that `maud` and `svg` write.
fn elements(page: &str) -> Vec<Element> {
    let (before, after) = page.split_once("<style>").unwrap();
    let page = before.to_owned() + after.split_once("</style>").unwrap().1;
    page.split('<')
        .skip(1)
        .map(|rest| element(rest.split_once('>').unwrap_or_else(|| panic!("{rest}")).0))
        .collect()
}

fn element(text: &str) -> Element {
    let (name, mut rest) = text.split_once([' ', '\n']).unwrap_or((text, ""));
    let mut attributes = Vec::new();
    while let Some((attribute, value)) = rest.split_once("=\"") {
        let (value, after) = value.split_once('"').unwrap_or_else(|| panic!("{text}"));
        attributes.push((attribute.trim().to_owned(), value.to_owned()));
        rest = after;
    }
    Element { name: name.trim_end_matches('/').to_owned(), attributes }
}

/// What is true of every page.
fn check(page: &str) {
    let elements = elements(page);
    let named = |name: &str| elements.iter().filter(|one| one.name == name).collect::<Vec<_>>();
    assert_eq!(named("h1").len(), 1, "{page}");
    assert_eq!((named("main").len(), named("header").len(), named("footer").len()), (1, 1, 1));
    for forbidden in ["script", "form", "iframe", "img", "object", "base"] {
        assert!(named(forbidden).is_empty(), "{forbidden}: {page}");
    }
    let mut ids: Vec<&str> = elements.iter().filter_map(|one| one.get("id")).collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
    for one in &elements {
        let labels = one.get("aria-labelledby").unwrap_or_default();
        assert!(labels.split_whitespace().all(|id| ids.contains(&id)), "{one:?}");
        assert!(one.attributes.iter().all(|(name, _)| name != "style" && !name.starts_with("on")), "{one:?}");
        let target = one.get("href").unwrap_or_default();
        assert!(
            ["/", "#", "data:image/svg+xml,"].iter().any(|own| target.starts_with(own)) || target.is_empty(),
            "{one:?}"
        );
        match one.name.as_str() {
            "section" | "nav" => {
                assert!(one.get("aria-label").or(one.get("aria-labelledby")).is_some(), "{one:?}");
            }
            "th" => assert!(one.get("scope").is_some(), "{one:?}"),
            "svg" => assert_eq!(one.get("role"), Some("img"), "{one:?}"),
            _ => {}
        }
    }
    assert_eq!(named("table").len(), named("caption").len());
    let levels: Vec<u8> =
        elements.iter().filter_map(|one| one.name.strip_prefix('h')?.parse().ok()).collect();
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
    let is_ours = |c: char| c == '\n' || (' '..='~').contains(&c) || TYPOGRAPHY.contains(c);
    assert!(page.chars().all(is_ours), "{page:?}");
}

#[tokio::test]
async fn a_browser_is_shown_the_overview_and_everybody_else_the_list() {
    let server = Server::start(report_mode()).await;
    let shown = server.browse("/").await;
    assert_eq!(shown.header("content-type"), "text/html; charset=utf-8");
    assert!(shown.body.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{}", shown.body);
    for accept in ["*/*", "text/plain", "application/json, text/html;q=0", "text/htmlx"] {
        let listed = server.accept("/", accept).await;
        assert!(listed.body.contains("/metrics "), "{accept}: {}", listed.body);
        assert_eq!(listed.header("vary"), "accept");
    }
    assert_eq!((shown.header("vary"), server.get("/").await.status), ("accept", 200));
}

#[tokio::test]
async fn every_page_is_whole_and_sane_in_every_world() {
    for world in [fresh_start(), report_mode(), armed_with_failures(), hostile()] {
        let server = Server::start(world).await;
        let paths = ["/", "/?range=30d", "/repositories", "/repositories/mgh-docs", "/pending", "/deletions"];
        for path in paths.into_iter().chain(["/repositories/a/b", "/pending?from=999999999999999999999999"]) {
            check(&server.browse(path).await.body);
        }
    }
}

#[tokio::test]
async fn a_page_loads_nothing_but_its_own_sheet() {
    let answer = Server::start(report_mode()).await.browse("/").await;
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'none'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{policy}");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn the_overview_tells_usage_by_the_budget_what_goes_next_and_why_nothing_does() {
    let shown = Server::start(report_mode()).await.browse("/").await.body;
    for words in [
        "<strong>361.4 MB</strong>",
        "of 500 MB in use",
        "118 images in 4 repositories",
        "<a href=\"/repositories/mgh-website\">mgh-website</a>",
        "<strong>Nothing goes: </strong>set mode = &quot;enforce&quot; and armed_for to arm. It takes arming it.",
        "beyond the newest ten",
        "<a href=\"/pending\">All 12 that are selected</a>",
        "Nothing is odd.",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

#[tokio::test]
async fn an_armed_daemon_says_when_the_next_deletion_may_be() {
    let mut world = report_mode();
    (world.arming, world.refusals) = (crate::status::Arming::Armed, Vec::new());
    world.next_enforce_at = Some(now() + TimeDelta::minutes(41));
    let shown = Server::start(world).await.browse("/").await.body;
    assert!(
        shown.contains("The next deletion may be <time") && shown.contains("at 2026-03-01 16:00 UTC"),
        "{shown}"
    );
}

#[tokio::test]
async fn without_a_store_the_present_is_shown_and_why_there_is_no_past() {
    let server = Server::start(report_mode()).await;
    for path in ["/", "/deletions", "/repositories/mgh-docs"] {
        let shown = server.browse(path).await;
        assert!(
            shown.status == 200 && shown.body.contains("the store is not open yet"),
            "{path}: {}",
            shown.body
        );
    }
}

#[tokio::test]
async fn a_fresh_start_has_words_for_everything_that_is_not_there_yet() {
    let shown = Server::start(fresh_start()).await.browse("/").await.body;
    for words in [
        "Nothing has been seen yet",
        "No pass has seen a repository yet.",
        "No pass has looked yet.",
        "No source has said anything yet.",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

#[tokio::test]
async fn before_anybody_has_looked_nothing_is_said_of_what_rules_select() {
    let mut world = fresh_start();
    world.refusals.clear();
    let shown = Server::start(world).await.browse("/").await.body;
    assert!(shown.contains("<strong>Nothing goes: </strong>No pass has looked yet."), "{shown}");
    assert!(!shown.contains("No rule selects anything"), "{shown}");
}

#[tokio::test]
async fn a_repository_that_nobody_has_seen_is_not_there() {
    let server = Server::start(report_mode()).await;
    for path in
        ["/repositories/nowhere", "/repositories/UPPER", "/repositories/%3Cscript%3E", "/repositories/a//b"]
    {
        let answer = server.browse(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains("No such repository") && !answer.body.contains("<script"), "{path}");
    }
}

#[tokio::test]
async fn requests_for_pages_are_counted_by_template_and_never_by_name() {
    let server = Server::start(report_mode()).await;
    server.browse("/repositories/mgh-docs").await;
    let metrics = server.get("/metrics").await.body;
    let counted = "ocird_http_requests_total{code=\"200\",path=\"/repositories/{*name}\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");
    assert!(
        !metrics.lines().any(|line| line.starts_with("ocird_http_requests") && line.contains("mgh-docs"))
    );
    assert!(PATHS.iter().all(|(path, _)| metrics.contains(&format!("path=\"{path}\"}}"))));
}

#[tokio::test]
async fn a_page_is_bounded_whatever_the_registry_holds() {
    let mut world = report_mode();
    for n in 0..500_u64 {
        let name = format!("team/repository-{n:03}").parse().unwrap();
        world.repositories.insert(name, repository(25, 12, 1_000_000 * n, 30_000));
    }
    world.pending = world.pending.iter().cycle().take(2_100).cloned().collect();
    world.uses = world.uses.iter().cycle().take(1_000).cloned().collect();
    world.uses.iter_mut().for_each(|used| used.is_missing = Some(true));
    world.refusals = armed_with_failures().refusals.iter().cycle().take(600).cloned().collect();
    world.findings = armed_with_failures().findings.iter().cycle().take(1_000).cloned().collect();
    world.in_use = world.in_use.iter().cycle().take(300).cloned().collect();
    let server = Server::start(world).await;
    for path in ["/", "/repositories", "/pending", "/repositories?from=500", "/pending?from=2000"] {
        let shown = server.browse(path).await.body;
        check(&shown);
        assert!(shown.len() < 120_000, "{path}: {} bytes", shown.len());
    }
    let shown = server.browse("/").await.body;
    assert!(
        shown.contains("All 504 repositories") && shown.contains("All 2100 that are selected"),
        "{shown}"
    );
    assert!(server.browse("/pending?from=2000").await.body.contains("2001 to 2100 of 2100"));
}

/// The overview of a world, without a socket.
fn rendered(status: Status) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let answer = overview(app(status), Ok(Query(Asked::default()))).await;
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    })
}

/// Names of elements and attributes, in order. Words of ours between backticks are code, and so may words from outside be: it
/// changes their letters and nothing else.
fn skeleton(page: &str) -> Vec<(String, Vec<String>)> {
    let is_letters = |one: &Element| one.name.trim_start_matches('/') == "code" && one.attributes.is_empty();
    let shown = elements(page).into_iter().filter(|one| !is_letters(one));
    shown.map(|one| (one.name, one.attributes.into_iter().map(|(name, _)| name).collect())).collect()
}

#[test]
fn hostile_words_are_shown_as_words() {
    let page = rendered(hostile_in("<b onmouseover=alert(1)>\"'&amp;"));
    assert!(page.contains("&lt;b onmouseover=alert(1)&gt;&quot;") && !page.contains("<b "), "{page}");
    assert!(!rendered(hostile_in(HOSTILE)).contains('\u{202e}'));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_page_has_the_same_elements_whatever_stands_in_it(text in hostile_text()) {
        let page = rendered(hostile_in(&format!("x{text}")));
        check(&page);
        prop_assert_eq!(skeleton(&page), skeleton(&rendered(hostile_in("word"))));
    }
}

#[tokio::test]
async fn a_parameter_that_cannot_be_read_means_what_its_absence_means() {
    let server = Server::start(report_mode()).await;
    let plain = server.browse("/pending").await.body;
    for query in ["from=x", "from=-1", "from=%FF", "from=1&from=2", "range=%3Cscript%3E", "unknown=1", "&&=&"]
    {
        let shown = server.browse(&format!("/pending?{query}")).await;
        assert_eq!((shown.status, &shown.body), (200, &plain), "{query}");
    }
}
