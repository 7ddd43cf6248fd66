//! Against a scripted API: the statuses and shapes are those of the published one, in the order that a test asks for.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use ocird_model::ErrorChain;
use serde_json::{Value, json};

use super::super::secret::tests::{TOKEN, made};
use super::*;
use crate::clock::SystemClock;

/// Answers that are given one after the other, and what was asked for.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<(StatusCode, Option<&'static str>, Value)>>,
    asked: Mutex<Vec<(String, Vec<u8>)>>,
}

/// A clock that waits no time, and remembers for how long it should have.
#[derive(Clone, Default)]
struct Waits(Arc<Mutex<Vec<u64>>>);

impl Clock for Waits {
    fn now(&self) -> DateTime<Utc> {
        SystemClock::new().now()
    }

    fn monotonic(&self) -> Duration {
        SystemClock::new().monotonic()
    }

    async fn sleep_until(&self, _at: DateTime<Utc>) {}

    async fn sleep(&self, duration: Duration) {
        self.0.lock().unwrap().push(duration.as_secs());
    }
}

async fn answer(
    State(script): State<Arc<Script>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let asked = format!("{method} {uri} {} {}", header("content-type"), header("authorization"));
    script.asked.lock().unwrap().push((asked, body.to_vec()));
    let (status, retry_after, body) =
        script.answers.lock().unwrap().pop_front().expect("it was asked too often");
    let mut answer = (status, axum::Json(body)).into_response();
    answer.headers_mut().extend(retry_after.map(|seconds| (RETRY_AFTER, HeaderValue::from_static(seconds))));
    answer
}

/// What `kubectl` would have to be told by a server that refuses.
fn status(message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message})
}

struct World {
    script: Arc<Script>,
    waits: Waits,
    shelf: Shelf<Waits>,
    directory: tempfile::TempDir,
}

impl World {
    async fn new(answers: &[(u16, Option<&'static str>, Value)]) -> Self {
        let of = |(code, retry_after, body): &(u16, Option<&'static str>, Value)| {
            (StatusCode::from_u16(*code).unwrap(), *retry_after, body.clone())
        };
        let answers = Mutex::new(answers.iter().map(of).collect());
        let script = Arc::new(Script { answers, asked: Mutex::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let directory = tempfile::tempdir().unwrap();
        let access = kubeconfig(directory.path(), &server);
        let waits = Waits::default();
        let shelf = Shelf { access, takes_over: false, clock: waits.clone() };
        Self { script, waits, shelf, directory }
    }

    /// What the apply came to, and how long it waited in between.
    async fn put(&self) -> (Result<Done, String>, Vec<u64>) {
        let done = self.shelf.put(&"prod".parse().unwrap(), &made(0)).await;
        let waits = std::mem::take(&mut *self.waits.0.lock().unwrap());
        (done.map_err(|error| ErrorChain(&error).to_string()), waits)
    }
}

fn kubeconfig(directory: &Path, server: &str) -> KubernetesAccess {
    let path = directory.join("config");
    let text = format!(
        "current-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n\
         clusters: [{{name: k, cluster: {{server: \"{server}\"}}}}]\nusers: [{{name: u, user: {{token: secret}}}}]\n"
    );
    std::fs::write(&path, text).unwrap();
    KubernetesAccess::Kubeconfig { path, context: None }
}

#[tokio::test]
async fn one_apply_makes_a_secret_and_renews_it() {
    let mut world =
        World::new(&[(201, None, json!({})), (200, None, json!({})), (200, None, json!({}))]).await;
    assert_eq!(world.put().await, (Ok(Done::Created), vec![]));
    assert_eq!(world.put().await, (Ok(Done::Renewed), vec![]));
    world.shelf.takes_over = true;
    world.put().await.0.unwrap();
    let asked = world.script.asked.lock().unwrap();
    let line = |more: &str| {
        format!(
            "PATCH /api/v1/namespaces/prod/secrets/ocir?fieldManager=ocird{more} application/apply-patch+yaml Bearer secret"
        )
    };
    let lines: Vec<&str> = asked.iter().map(|(line, _)| line.as_str()).collect();
    assert_eq!(lines, [line(""), line(""), line("&force=true")]);
    assert_eq!(asked[0].1, made(0).body(&"prod".parse().unwrap()));
}

#[tokio::test]
async fn a_refusal_says_what_the_server_says_and_what_to_do() {
    let conflict = json!({"message": "Apply failed with 1 conflict: conflict with \"kubectl\": .data", "details": {
        "causes": [{"reason": "FieldManagerConflict", "field": ".data"}]}});
    let cases = [
        (401, status("Unauthorized"), "401: Unauthorized; the token or certificate"),
        (
            403,
            status("secrets \"ocir\" is forbidden"),
            "403: secrets \"ocir\" is forbidden; deploy/kubernetes/",
        ),
        (
            404,
            status("namespaces \"prod\" not found"),
            "404: namespaces \"prod\" not found; ocird makes no namespaces",
        ),
        (409, conflict, "kubectl\": .data; somebody else keeps this secret"),
        (410, status("too old"), "410: too old"),
        (
            422,
            status("type: field is immutable"),
            "422: type: field is immutable; a secret never changes its type",
        ),
        (418, json!("\u{1b}[31m"), "418: "),
        (307, json!({}), "307: Temporary Redirect"),
    ];
    for (code, body, expected) in cases {
        let world = World::new(&[(code, None, body)]).await;
        let (refused, waits) = world.put().await;
        let refused = refused.unwrap_err();
        assert!(refused.contains(expected) && !refused.contains('\u{1b}'), "{refused}");
        assert_eq!(waits, [0; 0], "{code} is not asked twice");
    }
}

#[tokio::test]
async fn what_may_pass_is_asked_again_and_then_given_up() {
    for code in [409, 429, 500, 503, 504] {
        let failing = (code, None, status("not now"));
        let world = World::new(&[failing.clone(), failing.clone(), (200, None, json!({}))]).await;
        assert_eq!(world.put().await, (Ok(Done::Renewed), vec![1, 2]), "{code}");
        let world = World::new(&vec![failing; 4]).await;
        let (given_up, waits) = world.put().await;
        assert!(given_up.unwrap_err().starts_with(&format!("{code}: not now")), "{code}");
        assert_eq!(waits, [1, 2, 4], "{code}");
    }
}

#[tokio::test]
async fn a_server_is_left_alone_as_long_as_it_asks_within_reason() {
    let mut in_body = status("busy");
    in_body["details"] = json!({"retryAfterSeconds": 3});
    let done = (200, None, json!({}));
    let world = World::new(&[
        (429, Some("5"), status("busy")),
        (429, None, in_body),
        (503, Some("9999"), json!({})),
        done,
    ])
    .await;
    assert_eq!(world.put().await, (Ok(Done::Renewed), vec![5, 3, 10]));
}

#[tokio::test]
async fn a_server_that_quotes_the_token_is_not_quoted() {
    let body = String::from_utf8(made(0).body(&"prod".parse().unwrap())).unwrap();
    let (beginning, end) = (body[..400].to_owned(), body[body.len() - 300..].to_owned());
    for (message, is_hidden) in [(format!("Invalid value: {TOKEN}"), true), (end, true), (beginning, false)] {
        for answer in [status(&message), json!(message)] {
            let world = World::new(&[(422, None, answer)]).await;
            let refused = world.put().await.0.unwrap_err();
            assert_eq!(refused.contains("repeats the token and is not shown"), is_hidden, "{refused}");
            assert!(!made(0).is_repeated_in(&refused), "{refused}");
        }
    }
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_is_asked_again() {
    let mut world = World::new(&[]).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    world.shelf.access = kubeconfig(world.directory.path(), &nobody);
    let (refused, waits) = world.put().await;
    assert!(refused.unwrap_err().starts_with("the cluster does not answer: cannot ask"));
    assert_eq!(waits, [1, 2, 4]);
    world.shelf.access = KubernetesAccess::Kubeconfig { path: "/nowhere/config".into(), context: None };
    let (refused, waits) = world.put().await;
    assert!(refused.unwrap_err().starts_with("cannot reach the cluster: /nowhere/config"));
    assert_eq!(waits, [0; 0]);
}
