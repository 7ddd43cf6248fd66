//! A Kubernetes API that holds secrets, as far as a server-side apply goes: what it refuses, with which status and in which
//! shape, is that of the published API. It is a fake: it knows one kind of object, and one way to change it.
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/>

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

/// By namespace and name.
type Key = (String, String);

/// The API. Clones are handles on the same one.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    holds: Arc<Mutex<Holds>>,
    server: String,
}

#[derive(Debug, Default)]
struct Holds {
    namespaces: BTreeSet<String>,
    /// Each with who owns its fields.
    secrets: BTreeMap<Key, (String, Value)>,
    /// The namespaces in which nothing may be done.
    forbidden: BTreeSet<String>,
    /// The token that is taken.
    token: &'static str,
    /// So many more requests are answered with 503.
    n_failing: u32,
}

impl Cluster {
    /// An API with these namespaces and nothing in them, on a free port of loopback.
    pub(crate) async fn new(namespaces: &[&str]) -> Self {
        let namespaces = namespaces.iter().map(|&name| name.to_owned()).collect();
        let holds = Holds { namespaces, token: "first", ..Holds::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let cluster = Self { holds: Arc::new(Mutex::new(holds)), server };
        let router = Router::new().fallback(answer).with_state(cluster.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        cluster
    }

    /// Writes how it is reached, with the token that is taken now.
    pub(crate) fn write_kubeconfig(&self, path: &Path) {
        let (server, token) = (&self.server, self.holds().token);
        let text = format!(
            "current-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n\
             clusters: [{{name: k, cluster: {{server: \"{server}\"}}}}]\nusers: [{{name: u, user: {{token: {token}}}}}]\n"
        );
        std::fs::write(path, text).unwrap();
    }

    /// Takes another token from now on.
    pub(crate) fn rotate_token(&self) {
        self.holds().token = "second";
    }

    /// Forbids everything in a namespace.
    pub(crate) fn forbid(&self, namespace: &str) {
        self.holds().forbidden.insert(namespace.to_owned());
    }

    /// Answers the next requests with 503.
    pub(crate) fn fail(&self, n_requests: u32) {
        self.holds().n_failing = n_requests;
    }

    /// Somebody makes a secret by hand.
    pub(crate) fn make_by_hand(&self, namespace: &str, name: &str, kind: &str) {
        let secret = json!({"type": kind, "data": {}});
        let key = (namespace.to_owned(), name.to_owned());
        self.holds().secrets.insert(key, ("kubectl-create".to_owned(), secret));
    }

    /// A secret as it is.
    pub(crate) fn secret(&self, namespace: &str, name: &str) -> Option<Value> {
        let key = (namespace.to_owned(), name.to_owned());
        self.holds().secrets.get(&key).map(|(_, secret)| secret.clone())
    }

    fn holds(&self) -> MutexGuard<'_, Holds> {
        self.holds.lock().unwrap()
    }
}

async fn answer(
    State(cluster): State<Cluster>,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (status, body) = match cluster.holds().apply(&method, uri.path(), &query, &headers, &body) {
        Ok((status, secret)) => (status, secret),
        Err((status, reason, message, details)) => (
            status,
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
                "reason": reason, "details": details, "code": status.as_u16()}),
        ),
    };
    (status, axum::Json(body)).into_response()
}

/// Status, reason, message and details.
type Refusal = (StatusCode, &'static str, String, Value);

impl Holds {
    fn apply(
        &mut self,
        method: &Method,
        path: &str,
        query: &BTreeMap<String, String>,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(StatusCode, Value), Refusal> {
        let refuse = |status, reason, message: String| Err((status, reason, message, Value::Null));
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if header("authorization") != format!("Bearer {}", self.token) {
            return refuse(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized".to_owned());
        }
        if self.n_failing > 0 {
            self.n_failing -= 1;
            return refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                "etcd has no leader".to_owned(),
            );
        }
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let ["api", "v1", "namespaces", namespace, "secrets", name] = parts[..] else {
            return refuse(
                StatusCode::NOT_FOUND,
                "NotFound",
                "the server could not find the requested resource".to_owned(),
            );
        };
        if self.forbidden.contains(namespace) {
            let message = format!(
                "secrets \"{name}\" is forbidden: User \"u\" cannot patch resource \"secrets\" in the namespace \"{namespace}\""
            );
            return refuse(StatusCode::FORBIDDEN, "Forbidden", message);
        }
        if method != Method::PATCH || header("content-type") != "application/apply-patch+yaml" {
            return refuse(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UnsupportedMediaType",
                "not an apply".to_owned(),
            );
        }
        if !self.namespaces.contains(namespace) {
            return refuse(
                StatusCode::NOT_FOUND,
                "NotFound",
                format!("namespaces \"{namespace}\" not found"),
            );
        }
        let secret: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(
            (&secret["metadata"]["namespace"], &secret["metadata"]["name"]),
            (&json!(namespace), &json!(name))
        );
        self.replace((namespace.to_owned(), name.to_owned()), query, secret)
    }

    fn replace(
        &mut self,
        key: Key,
        query: &BTreeMap<String, String>,
        secret: Value,
    ) -> Result<(StatusCode, Value), Refusal> {
        let manager = query.get("fieldManager").expect("an apply without a manager is refused");
        let is_forced = query.get("force").is_some_and(|force| force == "true");
        let status = match self.secrets.get(&key) {
            None => StatusCode::CREATED,
            Some((_, known)) if known["type"] != secret["type"] => {
                let message =
                    format!("Secret \"{}\" is invalid: type: Invalid value: field is immutable", key.1);
                return Err((StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message, Value::Null));
            }
            Some((owner, _)) if owner != manager && !is_forced => {
                let message =
                    format!("Apply failed with 1 conflict: conflict with \"{owner}\" using v1: .data");
                let cause = json!({"reason": "FieldManagerConflict", "field": ".data"});
                return Err((StatusCode::CONFLICT, "Conflict", message, json!({"causes": [cause]})));
            }
            Some(_) => StatusCode::OK,
        };
        self.secrets.insert(key, (manager.clone(), secret.clone()));
        Ok((status, secret))
    }
}
