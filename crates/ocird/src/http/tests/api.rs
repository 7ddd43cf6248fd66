//! The API: every operation as its document says it, strict questions, parts of lists, what is not sent again, and what there
//! is while the store is away. What the store has to tell is looked at where a whole daemon runs.

use std::collections::BTreeSet;

use ocird_sim::contract::Contract;
use ocird_store::Store;
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::http::api::OPERATIONS;

/// What asks only the board.
const OF_THE_BOARD: [&str; 6] = [
    "/api/v1/repositories",
    "/api/v1/repositories/mgh-docs",
    "/api/v1/plan",
    "/api/v1/pending",
    "/api/v1/findings",
    "/api/v1/in-use",
];

/// What asks the store.
const OF_THE_STORE: [&str; 5] = [
    "/api/v1/repositories/mgh-docs/images",
    "/api/v1/deletions",
    "/api/v1/usage",
    "/api/v1/forecast",
    "/api/v1/findings?state=all",
];

fn template(path: &str) -> String {
    path.split('?').next().unwrap().replace("mgh-docs", "{name}")
}

impl Server {
    /// A server with an empty store.
    async fn start_with_store(directory: &TempDir) -> Self {
        let store = Arc::new(Store::open(directory.path(), now()).await.unwrap());
        let app = App { past: SharedStore::new(Ok(store)).past(), ..app(report_mode()) };
        let router = router(app.clone(), &patient());
        Self::start_router(patient(), app, router).await
    }

    async fn contract(&self) -> Contract {
        Contract::new(self.get("/api/v1/openapi.json").await.json())
    }

    async fn get_with(&self, path: &str, header: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n")).await
    }

    /// The problem of a question, with the parameter that it names.
    async fn refused(&self, path: &str) -> (u16, String) {
        let answer = self.get(path).await;
        assert_eq!(answer.problem(), "invalid_parameter", "{path}");
        (answer.status, answer.json()["parameter"].as_str().unwrap().to_owned())
    }
}

#[tokio::test]
async fn the_document_and_the_router_know_the_same_operations_and_parameters() {
    let server = Server::start(report_mode()).await;
    let contract = server.contract().await;
    let paths: BTreeSet<&str> = OPERATIONS.iter().map(|operation| operation.path).collect();
    assert_eq!(contract.paths(), paths);
    for operation in &OPERATIONS {
        let path = operation.path;
        let known: BTreeSet<&str> = operation.parameters.iter().copied().collect();
        assert_eq!(contract.parameters(path, "query"), known, "{path}");
        let named = if path.contains("{name}") { BTreeSet::from(["name"]) } else { BTreeSet::new() };
        assert_eq!(contract.parameters(path, "path"), named, "{path}");
        // The router answers, whatever it says; only what it does not know has no label of its own.
        server.get(&path.replace("{name}", "mgh-docs")).await;
        let metrics = server.get("/metrics").await.body;
        let of_path = |line: &&str| line.contains(&format!("path=\"{path}\"")) && !line.ends_with(" 0");
        assert_eq!(metrics.lines().filter(of_path).count(), 1, "{path}");
    }
}

#[tokio::test]
async fn the_document_is_of_this_version_and_names_no_operation_twice() {
    let document = Server::start(report_mode()).await.get("/api/v1/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.1");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let operations = document["paths"].as_object().unwrap().values();
    let ids: BTreeSet<&str> = operations.map(|path| path["get"]["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), OPERATIONS.len());
}

#[tokio::test]
async fn every_answer_of_the_board_is_as_described_in_every_state_of_the_daemon() {
    for status in [fresh_start(), report_mode(), armed_with_failures(), hostile()] {
        let server = Server::start(status).await;
        let contract = server.contract().await;
        for path in OF_THE_BOARD.into_iter().chain(["/api/v1/status"]) {
            let answer = server.get(path).await;
            let media = answer.header("content-type").to_owned();
            let faults = contract.faults(&template(path), answer.status, &media, &answer.json());
            assert_eq!(faults, Vec::<String>::new(), "{path}");
        }
    }
}

#[tokio::test]
async fn the_board_is_told_while_the_store_is_away_and_the_past_is_a_problem_503() {
    let server = Server::start(report_mode()).await;
    let contract = server.contract().await;
    for path in OF_THE_BOARD {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    for path in OF_THE_STORE {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.problem().as_str()), (503, "unavailable"), "{path}");
        let media = "application/problem+json";
        assert_eq!(contract.faults(&template(path), 503, media, &answer.json()), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_store_without_a_past_answers_with_nothing() {
    let directory = TempDir::new().unwrap();
    let server = Server::start_with_store(&directory).await;
    let contract = server.contract().await;
    for path in OF_THE_STORE.into_iter().filter(|path| !path.contains("/images")) {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let faults = contract.faults(&template(path), 200, "application/json", &answer.json());
        assert_eq!(faults, Vec::<String>::new(), "{path}");
    }
    assert_eq!(server.get("/api/v1/forecast").await.json()["forecast"]["pushes"]["state"], "not_enough");
    let images = server.get("/api/v1/repositories/mgh-docs/images").await;
    assert_eq!((images.status, images.problem().as_str()), (404, "not_found"), "the store never saw it");
}

#[tokio::test]
async fn a_parameter_that_is_not_understood_is_named() {
    let server = Server::start(report_mode()).await;
    for (path, parameter) in [
        ("/api/v1/status?x=1", "x"),
        ("/api/v1/openapi.json?limit=1", "limit"),
        ("/api/v1/pending?Limit=1", "Limit"),
        ("/api/v1/pending?limit=0", "limit"),
        ("/api/v1/pending?limit=1001", "limit"),
        ("/api/v1/pending?limit=1&limit=1", "limit"),
        ("/api/v1/pending?cursor=x", "cursor"),
        ("/api/v1/pending?format=xml", "format"),
        ("/api/v1/pending?repository=", "repository"),
        ("/api/v1/pending?repository=%ff", "repository"),
        ("/api/v1/findings?state=gone", "state"),
        ("/api/v1/usage?step=week", "step"),
        ("/api/v1/usage?from=yesterday", "from"),
        ("/api/v1/usage?to=2026-11-01T12:00:00+02:00", "to"),
        ("/api/v1/deletions?from=30d", "from"),
        ("/api/v1/repositories/%2e%2e", "name"),
        ("/api/v1/repositories/%ff/images", "name"),
        ("/api/v1/repositories/mgh-docs/images?state=standing", "state"),
    ] {
        assert_eq!(server.refused(path).await, (400, parameter.to_owned()), "{path}");
    }
    let long = server.refused(&format!("/api/v1/plan?{}=1", "x".repeat(900))).await;
    assert_eq!(long.1.len(), 80, "what is repeated is cut");
}

/// All rows of a list, asked for in parts; each by the reference of the one before.
async fn rows_in_parts(server: &Server, list: &str, limit: u32) -> Vec<Value> {
    let (mut rows, mut path) = (Vec::new(), format!("{list}?limit={limit}"));
    loop {
        let answer = server.get(&path).await;
        let part = answer.json();
        let items = part["items"].as_array().unwrap();
        assert!(items.len() <= limit as usize && rows.len() < 1000, "{path}");
        rows.extend(items.iter().cloned());
        let link =
            answer.header("link").strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
        assert_eq!(link.is_none(), part["next"].is_null(), "{path}");
        let Some(link) = link else { return rows };
        assert!(link.contains(&format!("cursor={}", part["next"].as_str().unwrap())), "{link}");
        path = link.to_owned();
    }
}

#[tokio::test]
async fn parts_put_together_are_the_whole_list_in_its_order() {
    let server = Server::start(armed_with_failures()).await;
    for list in
        ["/api/v1/repositories", "/api/v1/plan", "/api/v1/pending", "/api/v1/findings", "/api/v1/in-use"]
    {
        let whole = rows_in_parts(&server, list, 1000).await;
        assert!(whole.len() > 1, "{list}");
        for limit in [1, 2, 5] {
            assert_eq!(rows_in_parts(&server, list, limit).await, whole, "{list} by {limit}");
        }
    }
    let board = server.get("/api/v1/status").await.json();
    assert_eq!(Value::from(rows_in_parts(&server, "/api/v1/pending", 1000).await), board["pending"]);
}

#[tokio::test]
async fn a_row_that_goes_between_two_parts_hides_no_other() {
    let server = Server::start(report_mode()).await;
    let first = server.get("/api/v1/pending?limit=3").await;
    let mut expected = first.json()["items"].as_array().unwrap().clone();
    expected.extend(report_mode().pending[3..].iter().map(|row| serde_json::to_value(row).unwrap()));
    server.app.board.update(|status| drop(status.pending.remove(0)));
    let next = first.json()["next"].as_str().unwrap().to_owned();
    let rest = server.get(&format!("/api/v1/pending?cursor={next}")).await.json();
    assert_eq!(rest["items"].as_array().unwrap()[..], expected[3..]);
}

#[tokio::test]
async fn any_cursor_leads_somewhere_and_never_to_more_than_there_is() {
    let directory = TempDir::new().unwrap();
    let server = Server::start_with_store(&directory).await;
    for cursor in ["00", "ff", "ffffffffffffffff", "7fffffffffffffffff", &"ab".repeat(512)] {
        for path in OF_THE_BOARD.into_iter().chain(OF_THE_STORE) {
            if path.ends_with("mgh-docs") || path.ends_with("/images") || path.ends_with("forecast") {
                continue;
            }
            let joint = if path.contains('?') { '&' } else { '?' };
            let answer = server.get(&format!("{path}{joint}cursor={cursor}")).await;
            assert_eq!(answer.status, 200, "{path} {cursor}");
            assert!(answer.json()["items"].as_array().unwrap().len() <= 12, "{path} {cursor}");
        }
    }
}

#[tokio::test]
async fn a_repository_filters_what_is_about_repositories() {
    let server = Server::start(report_mode()).await;
    let pending = server.get("/api/v1/pending?repository=mgh-website").await.json();
    let of_website =
        report_mode().pending.iter().filter(|row| row.repository.as_str() == "mgh-website").count();
    assert_eq!(pending["items"].as_array().unwrap().len(), of_website);
    let plan = server.get("/api/v1/plan?repository=mgh-docs").await.json();
    assert_eq!(plan["items"].as_array().unwrap().len(), 1);
    assert_eq!(plan["n_images"], 118, "the sums are of everything");
    let nobody = server.get("/api/v1/in-use?repository=nobody").await.json();
    assert_eq!(nobody["items"], serde_json::json!([]));
}

#[tokio::test]
async fn a_name_with_slashes_is_one_segment_of_a_path() {
    let mut status = report_mode();
    let docs = status.repositories[&"mgh-docs".parse().unwrap()].clone();
    status.repositories.insert("team/docs".parse().unwrap(), docs);
    let server = Server::start(status).await;
    assert_eq!(server.get("/api/v1/repositories/team%2Fdocs").await.json()["name"], "team/docs");
    assert_eq!(server.get("/api/v1/repositories/team/docs").await.status, 404);
    let absent = server.get("/api/v1/repositories/team%2Fnone").await;
    assert_eq!((absent.status, absent.problem().as_str()), (404, "not_found"));
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again_until_it_changes() {
    let server = Server::start(report_mode()).await;
    for path in OF_THE_BOARD.into_iter().chain(["/api/v1/status", "/api/v1/openapi.json"]) {
        let first = server.get(path).await;
        let tag = first.header("etag").to_owned();
        assert!(tag.len() > 30, "{path}: {tag}");
        assert_eq!(first.header("cache-control"), "private, no-cache", "{path}");
        for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let again = server.get_with(path, &format!("If-None-Match: {known}")).await;
            assert_eq!(
                (again.status, again.body.as_str(), again.header("etag")),
                (304, "", &tag[..]),
                "{path}"
            );
        }
        let other = server.get_with(path, "If-None-Match: \"x\"").await;
        assert_eq!((other.status, &other.body), (200, &first.body), "{path}");
    }
    let tag = server.get("/api/v1/pending").await.header("etag").to_owned();
    server.app.board.update(|status| drop(status.pending.pop()));
    let changed = server.get_with("/api/v1/pending", &format!("If-None-Match: {tag}")).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), tag);
}

#[tokio::test]
async fn head_says_of_every_operation_what_get_would() {
    let directory = TempDir::new().unwrap();
    let server = Server::start_with_store(&directory).await;
    for path in OF_THE_BOARD.into_iter().chain(OF_THE_STORE).chain(["/api/v1/openapi.json"]) {
        let (head, whole) = (server.ask("HEAD", path).await, server.get(path).await);
        assert_eq!((head.status, head.body.as_str()), (whole.status, ""), "{path}");
        for header in ["content-type", "content-length", "etag", "vary", "link"] {
            assert_eq!(head.header(header), whole.header(header), "{path} {header}");
        }
    }
}

#[tokio::test]
async fn lists_go_out_as_csv_where_no_text_is_a_formula() {
    let mut status = report_mode();
    status.pending[0].rule = "=cmd|' /C calc'!A0".to_owned();
    let server = Server::start(status).await;
    let by_format = server.get("/api/v1/pending?format=csv").await;
    let by_header = server.get_with("/api/v1/pending", "Accept: text/csv").await;
    assert_eq!(by_format.body, by_header.body);
    assert_eq!(by_format.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(by_format.header("vary"), "accept");
    assert_eq!(by_format.body.lines().count(), 13);
    assert!(by_format.body.contains(",\"'=cmd|' /C calc'!A0\","), "{}", by_format.body);
    let over = server.get_with("/api/v1/pending?format=json", "Accept: text/csv").await;
    assert_eq!(over.header("content-type"), "application/json", "what the query says goes before the header");
    let one = server.get_with("/api/v1/repositories/mgh-docs", "Accept: text/csv").await;
    assert_eq!(one.header("content-type"), "application/json", "what is no list is JSON");
}

#[tokio::test]
async fn hostile_text_reaches_no_answer_raw() {
    let server = Server::start(hostile()).await;
    for path in OF_THE_BOARD {
        for format in
            ["", "?format=csv"].into_iter().filter(|format| format.is_empty() || !path.contains("docs"))
        {
            let answer = server.get(&format!("{path}{format}")).await;
            assert_eq!(answer.status, 200, "{path}{format}");
            let is_plain = |c: char| c == '\n' || (' '..='~').contains(&c);
            assert!(answer.body.chars().all(is_plain), "{path}{format}: {:?}", answer.body);
            assert!(!answer.body.contains("\nfake"), "{path}{format}: a line was forged");
        }
    }
}
