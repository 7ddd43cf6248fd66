//! The real server on a real Unix socket, with a real store: what each command does, what is on record after it, and who is
//! let in.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use ocird_model::{Bytes, Digest, RepositoryId};
use ocird_store::{CommandResultKind, Glance, PlannedFamily, RecordedCommand, Store};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client::{AdminClient, AskError};
use super::desk::Desk;
use super::peer::Porter;
use super::serve::{Peer, Server};
use super::socket::Bound;
use super::wire::{
    ApproveQuestion, ControlAnswer, HoldAnswer, HoldQuestion, HoldsAnswer, PauseQuestion, PendingAnswer,
    ReleaseQuestion, ReleasedAnswer, RestorableAnswer, RestoreAnswer, RestoreQuestion, RestoreWhat,
};
use super::{own_uid, routes};
use crate::http::worlds::armed_with_failures;
use crate::pass::{SharedStore, gate};
use crate::status::{Board, RefusalCode};
use crate::undo::{RestoreOrder, Restored, What};

/// A daemon without passes: the socket, the store and the board.
struct World {
    directory: TempDir,
    store: Option<Arc<Store>>,
    desk: Desk,
    restores: Arc<Mutex<Vec<RestoreOrder>>>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn now() -> DateTime<Utc> {
    crate::http::worlds::now()
}

impl World {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(directory.path(), now()).await.unwrap());
        Self::start(directory, Some(store))
    }

    /// One whose disk is full, say.
    fn without_store() -> Self {
        Self::start(tempfile::tempdir().unwrap(), None)
    }

    fn start(directory: TempDir, store: Option<Arc<Store>>) -> Self {
        let (wake, restores) = (Arc::new(Notify::new()), Arc::<Mutex<Vec<RestoreOrder>>>::default());
        let shared = match &store {
            Some(store) => SharedStore::new(Ok(Arc::clone(store))),
            None => SharedStore::new(Err("the disk is full".to_owned())),
        };
        let ordered = Arc::clone(&restores);
        let desk = Desk {
            state_dir: directory.path().to_owned(),
            store: shared,
            restore: Arc::new(move |_store, order| {
                ordered.lock().unwrap().push(order);
                async { Ok(Restored::default()) }.boxed()
            }),
            board: Board::new(armed_with_failures()),
            wake,
            clock: Arc::new(now),
            under_way: TaskTracker::new(),
        };
        let bound = Bound::at(&directory.path().join("admin.sock"), None).unwrap();
        let server = Server::new(Porter::new(own_uid(), None), routes::router(desk.clone()));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move { server.serve(bound, &stopped).await });
        Self { directory, store, desk, restores, stop, task }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("admin.sock")
    }

    fn client(&self) -> AdminClient {
        AdminClient::new(&self.socket())
    }

    fn store(&self) -> &Store {
        self.store.as_deref().unwrap()
    }

    async fn command(&self, path: &str) -> ControlAnswer {
        self.client().post::<ControlAnswer>(path, &()).await.unwrap().body
    }

    async fn pause(&self, why: &str) -> ControlAnswer {
        let question = PauseQuestion { why: Some(why.to_owned()) };
        self.client().post::<ControlAnswer>("/v1/pause", &question).await.unwrap().body
    }

    async fn pending(&self) -> PendingAnswer {
        self.client().get::<PendingAnswer>("/v1/pending").await.unwrap().body
    }

    /// The latest command on record.
    async fn recorded(&self) -> Option<RecordedCommand> {
        let glance = Glance::open(self.directory.path()).await.unwrap().unwrap();
        glance.recent_commands(1).await.unwrap().pop()
    }

    /// Whether the daemon was woken since it was last asked.
    fn was_woken(&self) -> bool {
        self.desk.wake.notified().now_or_never().is_some()
    }

    /// Refuses a plan of so many families.
    async fn refuse(&self, n: u8) -> ocird_store::PlanId {
        let repository: RepositoryId = "ocid1.containerrepo.oc1.x".parse().unwrap();
        let name: ocird_model::RepositoryName = "mgh-docs".parse().unwrap();
        self.store().remember(&repository, &name, &ocird_store::Fresh::default(), now()).await.unwrap();
        let families: Vec<PlannedFamily> = (0..n)
            .map(|n| PlannedFamily {
                repository: repository.clone(),
                repository_name: name.clone(),
                head: Digest::from_bytes([n; 32]),
                image: format!("ocid1.containerimage.oc1.x.{n}").parse().unwrap(),
                tags: [format!("v{n}").parse().unwrap()].into(),
                rule: "old".to_owned(),
                size: Some(Bytes(1000)),
            })
            .collect();
        self.store().refuse_plan("more than 200", &families, now()).await.unwrap()
    }
}

/// Sends bytes as they are and reads to the end of the connection.
async fn raw(world: &World, request: &str) -> String {
    let mut stream = UnixStream::connect(world.socket()).await.unwrap();
    // A server that refuses early may close before everything is written.
    stream.write_all(request.as_bytes()).await.ok();
    let mut answer = Vec::new();
    // What it did not read makes the connection end in an error, after the answer.
    stream.read_to_end(&mut answer).await.ok();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_pause_stops_deletion_says_who_and_is_on_record() {
    let world = World::new().await;
    let answer = world.pause("we are deploying").await;
    assert!(answer.changed);
    assert_eq!(answer.in_the_way.obstacles[0].code, "paused");
    assert!(answer.in_the_way.obstacles[0].text.contains("we are deploying"), "{answer:?}");
    assert!(gate::paused(world.directory.path()).is_some());
    let recorded = world.recorded().await.unwrap();
    assert_eq!((recorded.command.by.uid, recorded.command.word.as_str()), (own_uid(), "pause"));
    assert_eq!(recorded.command.detail, "we are deploying");
    assert_eq!(recorded.ended, Some((now(), CommandResultKind::Done)));
    assert!(!world.was_woken(), "a pause lets nothing go");
}

#[tokio::test]
async fn a_resume_lifts_the_pause_and_nothing_else() {
    let world = World::new().await;
    world.store().trip("three odd answers", now()).await.unwrap();
    world.pause("a while").await;
    let answer = world.command("/v1/resume").await;
    assert!(answer.changed && answer.done[0].contains("a while"), "{answer:?}");
    assert_eq!(gate::paused(world.directory.path()), None);
    assert!(world.was_woken());
    let breaker = &answer.in_the_way.obstacles[0];
    assert_eq!((breaker.code.as_str(), breaker.stops_everything), ("breaker", true));
    assert!(world.store().brakes().await.unwrap().breaker.is_some());
    let again = world.command("/v1/resume").await;
    assert!(!again.changed && !world.was_woken(), "{again:?}");
}

#[tokio::test]
async fn a_reset_says_what_it_cleared_and_leaves_a_pause() {
    let world = World::new().await;
    world.store().trip("three odd answers", now()).await.unwrap();
    world.store().freeze("mgh-docs:v1 was needed", now()).await.unwrap();
    world.pause("a while").await;
    let answer = world.command("/v1/reset").await;
    assert!(answer.done[0].contains("three odd answers"), "{answer:?}");
    assert!(answer.done[1].contains("mgh-docs:v1 was needed"), "{answer:?}");
    let codes: Vec<&str> = answer.in_the_way.obstacles.iter().map(|one| one.code.as_str()).collect();
    assert_eq!(codes[0], "paused");
    assert!(!codes.contains(&"breaker") && !codes.contains(&"frozen"), "{codes:?}");
    assert!(world.was_woken());
    assert!(!world.command("/v1/reset").await.changed);
}

#[tokio::test]
async fn an_approval_is_for_the_plan_that_was_shown_and_for_no_other() {
    let world = World::new().await;
    let shown = world.refuse(3).await;
    let pending = world.pending().await;
    let refused = pending.refused.unwrap();
    assert_eq!((refused.plan, refused.families.len()), (shown, 3));
    assert_eq!(pending.in_the_way.obstacles[0].code, "too_much");
    // Another pass refuses another plan before the operator has said yes.
    let other = world.refuse(4).await;
    let question = ApproveQuestion { plan: shown };
    let refusal = world.client().post::<ControlAnswer>("/v1/approve", &question).await.unwrap_err();
    assert!(matches!(refusal, AskError::Problem { .. }), "{refusal:?}");
    assert_eq!(world.store().brakes().await.unwrap().approval, None);
    assert_eq!(world.recorded().await.unwrap().ended.unwrap().1, CommandResultKind::Refused);
    assert!(!world.was_woken());

    let question = ApproveQuestion { plan: other };
    world.client().post::<ControlAnswer>("/v1/approve", &question).await.unwrap();
    let pending = world.pending().await;
    assert_eq!(pending.approval.map(|approval| (approval.plan, approval.n_families)), Some((other, 4)));
    assert_eq!(pending.refused, None);
    assert!(world.was_woken());
}

#[tokio::test]
async fn without_a_store_deletion_can_be_stopped_and_nothing_else_is_done() {
    let world = World::without_store();
    let question = PauseQuestion::default();
    let paused = world.client().post::<ControlAnswer>("/v1/pause", &question).await.unwrap();
    assert!(paused.body.changed && paused.not_on_record.unwrap().contains("the disk is full"));
    assert!(gate::paused(world.directory.path()).is_some());
    for path in ["/v1/reset", "/v1/approve", "/v1/hold", "/v1/release", "/v1/restore"] {
        let question = match path {
            "/v1/approve" => r#"{"plan":1}"#,
            "/v1/hold" => r#"{"image":"app:v1","hold_for_seconds":null,"why":null}"#,
            "/v1/release" => r#"{"image":"app:v1"}"#,
            "/v1/restore" => r#"{"what":{"of":"last_run"},"why":null,"hold_for_seconds":null}"#,
            _ => "null",
        };
        let question: serde_json::Value = serde_json::from_str(question).unwrap();
        let refused = world.client().post::<serde_json::Value>(path, &question).await.unwrap_err();
        assert!(refused.to_string().contains("the disk is full"), "{path}: {refused}");
    }
    assert!(world.restores.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_hold_is_placed_listed_and_released() {
    let world = World::new().await;
    world.refuse(1).await;
    let question = HoldQuestion {
        image: "mgh-docs:v7".to_owned(),
        hold_for_seconds: Some(3600),
        why: Some("the audit".to_owned()),
    };
    let placed = world.client().post::<HoldAnswer>("/v1/hold", &question).await.unwrap().body;
    assert_eq!((placed.image.as_str(), placed.is_on_something), ("mgh-docs:v7", Some(false)));
    let listed = world.client().get::<HoldsAnswer>("/v1/holds").await.unwrap().body;
    assert_eq!(listed.holds, [HoldAnswer { is_on_something: None, ..placed }]);
    let question = ReleaseQuestion { image: "mgh-docs:v7".to_owned() };
    let released = world.client().post::<ReleasedAnswer>("/v1/release", &question).await.unwrap();
    assert_eq!(released.body.released.len(), 1);
    assert_eq!(world.client().get::<HoldsAnswer>("/v1/holds").await.unwrap().body.holds, []);
    let again = world.client().post::<ReleasedAnswer>("/v1/release", &question).await.unwrap_err();
    assert!(again.to_string().contains("nothing is held"), "{again}");
}

#[tokio::test]
async fn a_restore_is_handed_on_with_who_asks_and_what_is_meant() {
    let world = World::new().await;
    let what = RestoreWhat::Since { seconds: 3600 };
    let question = RestoreQuestion { what, why: None, hold_for_seconds: None };
    world.client().post::<RestoreAnswer>("/v1/restore", &question).await.unwrap();
    let order = world.restores.lock().unwrap().pop().unwrap();
    let from = now() - chrono::TimeDelta::hours(1);
    assert_eq!(order.what, What::Span { from, until: DateTime::<Utc>::MAX_UTC });
    assert_eq!(order.hold_for, Some(RestoreOrder::HOLD_FOR));
    assert!(order.by.contains(&format!("uid {}", own_uid())), "{order:?}");
    assert!(world.was_woken());

    let what = RestoreWhat::Run { pass: "7".parse().unwrap() };
    let question = RestoreQuestion { what, why: None, hold_for_seconds: None };
    let unknown = world.client().post::<RestoreAnswer>("/v1/restore", &question).await.unwrap_err();
    assert!(unknown.to_string().contains("no pass 7"), "{unknown}");
    assert!(world.restores.lock().unwrap().is_empty());
    let listed = world.client().get::<RestorableAnswer>("/v1/restorable").await.unwrap();
    assert_eq!(listed.body.images, []);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_not_on_record() {
    let world = World::new().await;
    for (path, question) in [
        ("/v1/hold", r#"{"image":"app","hold_for_seconds":null,"why":null}"#),
        ("/v1/hold", r#"{"image":"app:v1","hold_for_seconds":0,"why":null}"#),
        ("/v1/pause", r#"{"why":null,"also":1}"#),
        ("/v1/approve", "{}"),
    ] {
        let question: serde_json::Value = serde_json::from_str(question).unwrap();
        let refused = world.client().post::<serde_json::Value>(path, &question).await.unwrap_err();
        assert!(matches!(refused, AskError::Problem { .. }), "{path}: {refused:?}");
    }
    assert_eq!(world.recorded().await, None);
    assert_eq!(gate::paused(world.directory.path()), None);
}

#[tokio::test]
async fn whoever_is_not_let_in_is_told_so_on_every_path_and_changes_nothing() {
    let world = World::new().await;
    let stranger: Peer = Porter::new(990, None).admit_user(1000, 1000);
    assert!(stranger.is_err());
    for path in routes::PATHS {
        for method in [Method::GET, Method::POST] {
            let mut request = Request::builder().method(method).uri(path).body(Body::from("{}")).unwrap();
            request.extensions_mut().insert(stranger.clone());
            let answer =
                TowerToHyperService::new(routes::router(world.desk.clone())).call(request).await.unwrap();
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
            let body = axum::body::to_bytes(answer.into_body(), 4096).await.unwrap();
            let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert!(problem["detail"].as_str().unwrap().contains("may not command this daemon"), "{problem}");
        }
    }
    assert_eq!(world.recorded().await, None);
    assert_eq!(gate::paused(world.directory.path()), None);
}

#[tokio::test]
async fn a_request_of_which_nobody_knows_who_asks_is_refused() {
    let world = World::new().await;
    let request = Request::builder().uri("/v1/pending").body(Body::empty()).unwrap();
    let answer = TowerToHyperService::new(routes::router(world.desk.clone())).call(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn other_methods_paths_and_long_questions_are_refused_with_a_problem() {
    let world = World::new().await;
    let refused = raw(&world, "GET /v1/pause HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(
        refused.starts_with("HTTP/1.1 405 ") && refused.contains("application/problem+json"),
        "{refused}"
    );
    let refused = raw(&world, "POST /v1/delete HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 404 ") && refused.contains("\"not_found\""), "{refused}");
    let long = "x".repeat(20_000);
    let refused = raw(
        &world,
        &format!("POST /v1/pause HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{long}", long.len()),
    )
    .await;
    assert!(refused.starts_with("HTTP/1.1 400 ") && refused.contains("too long"), "{refused}");
    let head = format!("GET /v1/pending HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n");
    assert!(raw(&world, &head).await.starts_with("HTTP/1.1 431 "));
    assert_eq!(gate::paused(world.directory.path()), None);
}

#[tokio::test]
async fn the_socket_goes_with_the_daemon_after_the_answers_under_way() {
    let world = World::new().await;
    let socket = world.socket();
    world.pause("now").await;
    world.stop.cancel();
    world.task.await.unwrap();
    assert!(!socket.exists());
    let absent = AdminClient::new(&socket).get::<PendingAnswer>("/v1/pending").await.unwrap_err();
    assert!(matches!(absent, AskError::NoDaemon { .. }), "{absent:?}");
}

#[test]
fn a_cause_that_is_known_to_stand_comes_first_and_once() {
    let mut standing = super::wire::InTheWay::of(&armed_with_failures(), &[]);
    let n = standing.obstacles.len();
    standing.put_first(RefusalCode::Paused, "a".to_owned());
    standing.put_first(RefusalCode::Paused, "b".to_owned());
    assert_eq!(standing.obstacles[0].text, "b");
    assert_eq!(standing.obstacles.iter().filter(|one| one.code == "paused").count(), 1);
    assert!(standing.obstacles.len() >= n);
}
