//! Against a faithful fake: the shapes are those of the published API (v1, apps/v1, batch/v1), the answers are ours.

use std::collections::VecDeque;
use std::sync::Mutex;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use chrono::TimeDelta;
use ocird_model::Patterns;
use serde_json::{Value, json};

use super::*;

/// What the API holds, by path, page by page; and what it was asked.
#[derive(Default)]
struct Api {
    pages: Mutex<BTreeMap<&'static str, VecDeque<(StatusCode, Value)>>>,
    asked: Mutex<Vec<String>>,
}

type Asked = BTreeMap<String, String>;

async fn answer(
    State(api): State<std::sync::Arc<Api>>,
    uri: Uri,
    Query(query): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    if headers.get("authorization").is_none_or(|value| value != "Bearer secret") {
        return (StatusCode::UNAUTHORIZED, "who are you?").into_response();
    }
    api.asked.lock().unwrap().push(format!(
        "{} {}",
        uri.path(),
        query.get("continue").cloned().unwrap_or_default()
    ));
    let mut pages = api.pages.lock().unwrap();
    let page = pages.get_mut(uri.path().trim_start_matches('/')).and_then(VecDeque::pop_front);
    // An empty list is a list; Go writes it as null.
    let (status, body) = page.unwrap_or((StatusCode::OK, json!({"metadata": {}, "items": null})));
    (status, axum::Json(body)).into_response()
}

struct World {
    api: std::sync::Arc<Api>,
    directory: tempfile::TempDir,
    server: String,
}

impl World {
    async fn new() -> Self {
        let api = std::sync::Arc::new(Api::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(std::sync::Arc::clone(&api));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { api, directory: tempfile::tempdir().unwrap(), server }
    }

    fn holds(&self, path: &'static str, items: &Value) {
        self.page(path, StatusCode::OK, json!({"metadata": {"resourceVersion": "7"}, "items": items}));
    }

    fn page(&self, path: &'static str, status: StatusCode, body: Value) {
        self.api.pages.lock().unwrap().entry(path).or_default().push_back((status, body));
    }

    fn asked(&self, path: &str) -> Vec<String> {
        let asked = self.api.asked.lock().unwrap();
        asked.iter().filter_map(|asked| asked.strip_prefix(&format!("/{path} "))).map(str::to_owned).collect()
    }

    async fn mentions(&self) -> Result<Vec<String>, String> {
        self.mentions_of(None).await
    }

    async fn mentions_of(&self, context: Option<&str>) -> Result<Vec<String>, String> {
        let path = self.directory.path().join("config");
        let server = &self.server;
        let config = format!(
            "current-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n\
             clusters: [{{name: k, cluster: {{server: \"{server}\"}}}}]\nusers: [{{name: u, user: {{token: secret}}}}]\n"
        );
        std::fs::write(&path, config).unwrap();
        let source = Kubernetes::new(KubernetesSource {
            access: KubernetesAccess::Kubeconfig { path, context: context.map(str::to_owned) },
            revisions: 2,
            scope: Scope { repositories: Patterns::all(), max_age: TimeDelta::minutes(15), sentinel: None },
        });
        let report = source.ask(DateTime::UNIX_EPOCH).await.pop().unwrap();
        let shown = |Mention { image, digest, by, kind }: Mention| {
            let digest = digest.map_or_else(String::new, |digest| format!(" {digest}"));
            let kind = if kind == UseKind::Previous { " (previous)" } else { "" };
            format!("{by}: {image}{digest}{kind}")
        };
        report.answer.map(|answer| answer.mentions.into_iter().map(shown).collect())
    }
}

fn owned(name: &str, uid: &str, owner: (&str, &str, &str)) -> Value {
    let (kind, owner, owner_uid) = owner;
    json!({"name": name, "namespace": "prod", "uid": uid,
        "ownerReferences": [{"kind": kind, "name": owner, "uid": owner_uid, "controller": true}]})
}

fn template(image: &str) -> Value {
    json!({"spec": {"containers": [{"name": "c", "image": image}]}})
}

fn pod(metadata: &Value, image: &str, digest: &str) -> Value {
    json!({"metadata": metadata, "spec": {"containers": [{"name": "c", "image": image}]},
        "status": {"phase": "Running", "containerStatuses": [{"name": "c", "image": image,
            "imageID": format!("lin.ocir.io/ns/app@sha256:{digest}")}]}})
}

#[tokio::test]
async fn a_pod_names_every_container_and_what_really_runs_under_the_name_of_its_workload() {
    let world = World::new().await;
    let replica_set = owned("web-7d9f", "rs1", ("Deployment", "web", "d1"));
    world.holds("apis/apps/v1/replicasets", &json!([{"metadata": replica_set, "spec": {"template": {}}}]));
    let pod = json!({
        "metadata": owned("web-7d9f-x2x", "p1", ("ReplicaSet", "web-7d9f", "rs1")),
        "spec": {
            "containers": [{"image": "r/web:1"}], "initContainers": [{"image": "r/init:1"}],
            "ephemeralContainers": [{"image": "r/debug:1"}], "volumes": [{"image": {"reference": "r/data:1"}}, {"emptyDir": {}}]
        },
        "status": {
            "containerStatuses": [{"image": "r/web:1", "imageID": "docker-pullable://r/web@sha256:aa"}],
            "initContainerStatuses": [{"image": "sha256:cc", "imageID": "r/init@sha256:bb"}],
            "ephemeralContainerStatuses": [{"image": "r/debug:1", "imageID": ""}]
        }
    });
    world.holds("api/v1/pods", &json!([pod]));
    let by = "deployment prod/web: ";
    let expected = [
        "r/data:1",
        "r/debug:1",
        "r/init:1",
        "r/init@sha256:bb sha256:bb",
        "r/web:1",
        "r/web:1 sha256:aa",
        "r/web@sha256:aa sha256:aa",
        "sha256:cc sha256:bb",
    ];
    assert_eq!(world.mentions().await.unwrap(), expected.map(|text| format!("{by}{text}")));
}

#[tokio::test]
async fn a_context_that_is_named_says_in_which_cluster_something_runs() {
    let world = World::new().await;
    let deployment = json!({"metadata": {"name": "web", "namespace": "prod", "uid": "d1"}, "spec": {"template": template("r/web:3")}});
    world.holds("apis/apps/v1/deployments", &json!([deployment]));
    assert_eq!(world.mentions_of(Some("c")).await.unwrap(), ["deployment prod/web in c: r/web:3"]);
}

#[tokio::test]
async fn the_last_revisions_of_workloads_are_what_a_rollback_would_pull() {
    let world = World::new().await;
    let deployment = json!({"metadata": {"name": "web", "namespace": "prod", "uid": "d1"}, "spec": {"replicas": 0, "template": template("r/web:3")}});
    world.holds("apis/apps/v1/deployments", &json!([deployment]));
    let replica_set = |n: u32| {
        let mut metadata = owned(&format!("web-{n}"), &format!("rs{n}"), ("Deployment", "web", "d1"));
        metadata["annotations"] = json!({REVISION: n.to_string()});
        json!({"metadata": metadata, "spec": {"template": template(&format!("r/web:{n}"))}})
    };
    // As text, 10 would come before 9.
    world.holds("apis/apps/v1/replicasets", &json!([replica_set(9), replica_set(10), replica_set(8)]));
    let revision = |n: u32| {
        json!({"metadata": owned(&format!("db-{n}"), &format!("cr{n}"), ("StatefulSet", "db", "s1")), "revision": n,
            "data": {"spec": {"template": {"$patch": "replace", "spec": {"containers": [{"image": format!("r/db:{n}")}]}}}}})
    };
    world.holds("apis/apps/v1/controllerrevisions", &json!([revision(1), revision(3), revision(2)]));
    let cron = json!({"metadata": {"name": "nightly", "namespace": "prod", "uid": "c1"},
        "spec": {"jobTemplate": {"spec": {"template": template("r/job:1")}}}});
    world.holds("apis/batch/v1/cronjobs", &json!([cron]));
    let job = |number: u32| {
        json!({"metadata": owned(&format!("nightly-{number}"), &format!("j{number}"), ("CronJob", "nightly", "c1")),
            "spec": {"template": template("r/job:0")}})
    };
    world.holds("apis/batch/v1/jobs", &json!([job(1), job(2)]));
    let mut mentions = world.mentions().await.unwrap();
    mentions.sort();
    assert_eq!(
        mentions,
        [
            "cronjob prod/nightly: r/job:0",
            "cronjob prod/nightly: r/job:1",
            "deployment prod/web, revision 10: r/web:10 (previous)",
            "deployment prod/web, revision 9: r/web:9 (previous)",
            "deployment prod/web: r/web:3",
            "statefulset prod/db, revision 2: r/db:2 (previous)",
            "statefulset prod/db, revision 3: r/db:3 (previous)",
        ]
    );
}

#[tokio::test]
async fn a_replication_controller_without_a_pod_holds_its_image() {
    let world = World::new().await;
    let alone = json!({"metadata": {"name": "old", "namespace": "prod", "uid": "rc1"},
        "spec": {"replicas": 0, "template": template("r/old:1")}});
    let made = owned("web-3", "rc2", ("DeploymentConfig", "web", "dc1"));
    let made = json!({"metadata": made, "spec": {"template": template("r/web:3")}});
    world.holds("api/v1/replicationcontrollers", &json!([alone, made]));
    let pod = owned("web-3-x2x", "p1", ("ReplicationController", "web-3", "rc2"));
    let pod = json!({"metadata": pod, "spec": {"containers": [{"image": "r/web:3"}]}});
    world.holds("api/v1/pods", &json!([pod]));
    assert_eq!(
        world.mentions().await.unwrap(),
        [
            "replicationcontroller prod/old: r/old:1",
            "deploymentconfig prod/web: r/web:3",
            "deploymentconfig prod/web: r/web:3 (previous)",
        ]
    );
}

#[tokio::test]
async fn pages_are_followed_to_the_end_and_begun_anew_when_the_server_forgot() {
    let world = World::new().await;
    let bare = |name: &str| pod(&json!({"name": name, "namespace": "prod", "uid": name}), "r/app:1", "aa");
    let page = |name: &str, next: &str| json!({"metadata": {"continue": next}, "items": [bare(name)]});
    world.page("api/v1/pods", StatusCode::OK, page("a", "t1"));
    world.page("api/v1/pods", StatusCode::GONE, json!({"kind": "Status", "reason": "Expired", "code": 410}));
    world.page("api/v1/pods", StatusCode::OK, page("a", "t2"));
    world.page("api/v1/pods", StatusCode::OK, page("b", ""));
    let mentions = world.mentions().await.unwrap();
    assert!(mentions.iter().any(|mention| mention.starts_with("pod prod/b: ")), "{mentions:?}");
    assert_eq!(world.asked("api/v1/pods"), ["", "t1", "", "t2"]);
}

#[tokio::test]
async fn one_list_that_cannot_be_read_whole_is_no_answer_at_all() {
    let forbidden = (StatusCode::FORBIDDEN, json!({"kind": "Status", "reason": "Forbidden"}));
    let endless = (StatusCode::OK, json!({"metadata": {"continue": "t"}, "items": []}));
    let odd = (StatusCode::OK, json!({"metadata": {}, "items": [{"spec": {}}]}));
    let no_list = (StatusCode::OK, json!({"kind": "JobList", "metadata": {}}));
    for (status, body) in [forbidden, endless, odd, no_list] {
        let world = World::new().await;
        for _ in 0..2 {
            world.page("apis/batch/v1/jobs", status, body.clone());
        }
        let error = world.mentions().await.unwrap_err();
        assert!(error.contains("apis/batch/v1/jobs"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_always_forgets_is_given_up() {
    let world = World::new().await;
    for _ in 0..5 {
        world.page("api/v1/pods", StatusCode::GONE, json!({"reason": "Expired"}));
    }
    assert!(world.mentions().await.unwrap_err().contains("410"));
    assert_eq!(world.asked("api/v1/pods").len(), 3);
}
