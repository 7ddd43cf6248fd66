//! The real server on a real socket: who is answered, with what, and what a slow or hostile client gets.

mod api;
mod hostile;
mod limits;
mod page;
mod probes;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use chrono::TimeDelta;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::guard::Door;
use super::server::serve_router;
use super::*;
use crate::http::worlds::{armed_with_failures, fresh_start, hostile, now, report_mode};
use crate::pass::SharedStore;
use crate::status::{Check, Status};

/// Long enough never to end within a test.
const EVER: Duration = Duration::from_hours(1);

/// So short that the server ends it at once; nobody waits for it but by its effect.
const BRIEF: Duration = Duration::from_millis(20);

fn app(status: Status) -> App {
    let board = Board::new(status);
    App {
        metrics: Metrics::new(&board),
        board,
        past: SharedStore::new(Err("the store is not open yet".to_owned())).past(),
        price: None,
        clock: Arc::new(now),
        heartbeat: Heartbeat::new(Duration::from_mins(1)),
        stopping: CancellationToken::new(),
        hosts: AllowedHosts::default(),
    }
}

/// Limits that no honest client meets, however busy the machine is.
fn patient() -> Limits {
    Limits { seats: 64, head: EVER, making: EVER, answer: EVER, patience: EVER, reading: EVER }
}

struct Server {
    address: SocketAddr,
    app: App,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start(status: Status) -> Self {
        Self::start_within(patient(), status).await
    }

    async fn start_within(limits: Limits, status: Status) -> Self {
        let app = app(status);
        let router = router(app.clone(), &limits);
        Self::start_router(limits, app, router).await
    }

    /// Other pages behind the same guard.
    async fn start_pages(limits: Limits, pages: Router) -> Self {
        let app = app(fresh_start());
        let router = guarded(pages, Door::new(app.clone(), &limits));
        Self::start_router(limits, app, router).await
    }

    async fn start_router(limits: Limits, app: App, router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(serve_router(limits, listener, router, shutdown.clone()));
        Self { address, app, shutdown, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A connection that has begun a request and says no more. The server may have closed it before the first word.
    async fn connect_slow(&self) -> TcpStream {
        let mut stream = self.connect().await;
        let half = b"GET /metrics HTTP/1.1\r\nHost: local";
        stream.write_all(half).await.ok();
        stream
    }

    async fn send(&self, request: &str) -> Answer {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        Answer::read(stream).await
    }

    async fn ask(&self, method: &str, path: &str) -> Answer {
        self.send(&format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path).await
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Answer {
    /// Reads to the end of the connection: each has one answer.
    async fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        Self {
            status,
            headers: headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(),
            body: body.to_owned(),
        }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The word of the problem, after looking at everything that all problems have in common.
    fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let body = self.json();
        assert_eq!(body["status"], self.status);
        assert_eq!(body["instance"], self.header("x-request-id"));
        assert_eq!(body["type"], "about:blank");
        assert!(!body["detail"].as_str().unwrap().is_empty());
        body["code"].as_str().unwrap().to_owned()
    }
}

/// What the server says until the connection ends. It may end in a reset: closing with something unread is one.
async fn last_words(mut stream: TcpStream) -> String {
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.ok();
    String::from_utf8(heard).unwrap()
}

#[tokio::test]
async fn every_path_of_the_list_answers_and_bears_the_headers() {
    let server = Server::start(report_mode()).await;
    for (path, _) in PATHS {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert!(answer.body.ends_with('\n'), "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
        assert!(!answer.header("x-request-id").is_empty(), "{path}");
        assert_eq!(answer.header("content-length"), answer.body.len().to_string(), "{path}");
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = Server::start(report_mode()).await;
    for (path, _) in PATHS {
        let (head, whole) = (server.ask("HEAD", path).await, server.get(path).await);
        assert_eq!(head.body, "", "{path}");
        assert_eq!(head.status, whole.status, "{path}");
        assert_eq!(head.header("content-type"), whole.header("content-type"), "{path}");
    }
    assert_eq!(server.ask("HEAD", "/nowhere").await.status, 404);
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_404() {
    let server = Server::start(report_mode()).await;
    for path in ["/nowhere", "/status/", "/api/v1", "//status", "/%2e%2e/status"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.problem().as_str()), (404, "not_found"), "{path}");
    }
}

#[tokio::test]
async fn nothing_but_get_and_head_is_taken_over_tcp() {
    let server = Server::start(report_mode()).await;
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"] {
        for (path, _) in PATHS.into_iter().chain([("/api/v1/approve", "")]) {
            let target = if method == "CONNECT" { "localhost:80" } else { path };
            let answer = server.ask(method, target).await;
            assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"), "{method} {path}");
            assert_eq!(answer.problem(), "method_not_allowed");
        }
    }
}

#[tokio::test]
async fn a_rebound_name_is_misdirected_and_no_name_is_malformed() {
    let server = Server::start(report_mode()).await;
    let rebound = server.send("GET /status HTTP/1.1\r\nHost: rebound.example\r\n\r\n").await;
    assert_eq!((rebound.status, rebound.problem().as_str()), (421, "host_not_allowed"));
    let nameless = server.send("GET /status HTTP/1.1\r\n\r\n").await;
    assert_eq!((nameless.status, nameless.problem().as_str()), (400, "malformed_host"));
    let own = server.send(&format!("GET /status HTTP/1.1\r\nHost: {}\r\n\r\n", server.address)).await;
    assert_eq!(own.status, 200);
}

#[tokio::test]
async fn bodies_long_targets_old_versions_and_huge_heads_are_refused() {
    let server = Server::start(report_mode()).await;
    let with_body = server.send("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi").await;
    assert_eq!((with_body.status, with_body.problem().as_str()), (413, "body_refused"));
    let long = server.get(&format!("/{}", "a".repeat(3000))).await;
    assert_eq!((long.status, long.problem().as_str()), (414, "target_too_long"));
    let old = server.send("GET / HTTP/1.0\r\nHost: localhost\r\n\r\n").await;
    assert_eq!((old.status, old.problem().as_str()), (505, "version_not_supported"));
    let huge = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "a".repeat(17_000));
    assert_eq!(server.send(&huge).await.status, 431);
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: a\r\n".repeat(70));
    assert_eq!(server.send(&many).await.status, 431);
}

#[tokio::test]
async fn a_body_that_never_ends_is_refused_before_it_is_read() {
    let server = Server::start(report_mode()).await;
    for framing in ["Content-Length: 1000000000000", "Transfer-Encoding: chunked"] {
        let mut stream = server.connect().await;
        let head =
            format!("POST /status HTTP/1.1\r\nHost: localhost\r\n{framing}\r\nExpect: 100-continue\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let said = last_words(stream).await;
        assert!(said.starts_with("HTTP/1.1 405 "), "{framing}: {said}");
    }
}

#[tokio::test]
async fn a_second_request_on_the_same_connection_is_not_answered() {
    let server = Server::start(report_mode()).await;
    let request = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n";
    let mut stream = server.connect().await;
    stream.write_all(request.repeat(3).as_bytes()).await.unwrap();
    assert_eq!(last_words(stream).await.matches("HTTP/1.1 ").count(), 1);
}

#[tokio::test]
async fn bytes_that_are_no_request_get_no_page_and_end() {
    let server = Server::start(report_mode()).await;
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice();
    let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice();
    let twice =
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".as_slice();
    for bytes in [tls, http2, twice, b"\0\0\0\0\r\n\r\n", b"GET /\r\n\r\n"] {
        let mut stream = server.connect().await;
        stream.write_all(bytes).await.unwrap();
        let said = last_words(stream).await;
        assert!(!said.starts_with("HTTP/1.1 200") && !said.contains("ocird_"), "{bytes:?}: {said}");
    }
    assert_eq!(server.get("/livez").await.status, 200);
}

#[tokio::test]
async fn a_harmless_request_id_comes_back_and_any_other_is_replaced() {
    let server = Server::start(report_mode()).await;
    let with = |id: &str| format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {id}\r\n\r\n");
    assert_eq!(server.send(&with("probe-7.a_B")).await.header("x-request-id"), "probe-7.a_B");
    let mut made = Vec::new();
    for id in ["", "a b", "a\"b", "<script>", &"a".repeat(65)] {
        let answer = server.send(&with(id)).await;
        assert_eq!(answer.status, 200);
        made.push(answer.header("x-request-id").to_owned());
    }
    assert!(made.iter().all(|id| id.starts_with("19ca")), "{made:?}");
    made.dedup();
    assert_eq!(made.len(), 5, "each is made once");
}

#[tokio::test]
async fn status_as_json_is_the_board() {
    let server = Server::start(report_mode()).await;
    let answer = server.get("/api/v1/status").await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json(), serde_json::to_value(report_mode()).unwrap());
}

#[tokio::test]
async fn metrics_have_the_content_type_that_prometheus_wants_and_count_requests() {
    let server = Server::start(report_mode()).await;
    server.get("/livez").await;
    server.get("/../etc/passwd").await;
    server.ask("POST", "/livez").await;
    let answer = server.get("/metrics").await;
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "ocird_http_requests_total{code=\"200\",path=\"/livez\"} 1\n",
        "ocird_http_requests_total{code=\"405\",path=\"/livez\"} 1\n",
        "ocird_http_requests_total{code=\"404\",path=\"other\"} 1\n",
        "ocird_http_requests_total{code=\"200\",path=\"/metrics\"} 0\n",
    ] {
        assert!(answer.body.contains(line), "{line}{}", answer.body);
    }
}

#[tokio::test]
async fn version_says_what_this_binary_is() {
    let answer = Server::start(report_mode()).await.get("/version").await;
    assert_eq!(answer.json()["version"], env!("CARGO_PKG_VERSION"));
    assert!(!answer.json()["architecture"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn an_ordinary_client_library_is_understood() {
    let server = Server::start(report_mode()).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for _ in 0..2 {
        let answer = client.get(format!("http://{}/metrics", server.address)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.text().await.unwrap().contains("ocird_passes_total"));
    }
}

#[tokio::test]
async fn hostile_text_reaches_no_page_raw() {
    let server = Server::start(hostile()).await;
    for path in PATHS.iter().map(|(path, _)| *path).chain(["/healthz?verbose"]) {
        let answer = server.get(path).await;
        let is_plain = |c: char| c == '\n' || (' '..='~').contains(&c);
        assert!(answer.body.chars().all(is_plain), "{path}: {:?}", answer.body);
        assert!(!answer.body.contains("\nfake"), "{path}: a line was forged");
    }
}
