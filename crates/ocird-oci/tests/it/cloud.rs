//! A local cloud that answers by script: metadata, federation, Artifacts API and registry on one port.
//!
//! It signs instances in and verifies every signature by itself; what else it says is what the test has scripted. It
//! keeps no images. The tenancy with a memory is another crate.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use ocird_model::{Clock as _, CompartmentId, Digest, ImageId, Namespace, RepositoryId, RepositoryName};
use ocird_oci::{Endpoint, Oci, Settings};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, PublicKeyData as _, RsaKeySize};
use serde_json::{Value, json};

use crate::clock::TestClock;
use crate::signature::{is_signed, parameter};

/// The instance's key, made once.
pub(crate) static INSTANCE_KEY: LazyLock<KeyPair> = LazyLock::new(new_key);

/// A key that is not the instance's.
pub(crate) static OTHER_KEY: LazyLock<KeyPair> = LazyLock::new(new_key);

fn new_key() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()
}

pub(crate) const TENANCY: &str = "ocid1.tenancy.oc1..home";
pub(crate) const CERT: &str = "GET /opc/v2/identity/cert.pem";
pub(crate) const KEY: &str = "GET /opc/v2/identity/key.pem";
pub(crate) const INTERMEDIATE: &str = "GET /opc/v2/identity/intermediate.pem";
pub(crate) const REGION_INFO: &str = "GET /opc/v2/instance/regionInfo";
pub(crate) const REGION: &str = "GET /opc/v2/instance/region";
pub(crate) const FEDERATION: &str = "POST /v1/x509";
pub(crate) const REPOSITORIES: &str = "GET /20160918/container/repositories";
pub(crate) const IMAGES: &str = "GET /20160918/container/images";
pub(crate) const TOKEN: &str = "GET /20180419/docker/token";

/// One scripted answer.
pub(crate) enum Reply {
    /// Status, headers, body.
    Say(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Nothing, ever.
    Silence,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::Say(status, Vec::new(), body.to_string().into_bytes())
    }

    pub(crate) fn error(status: u16, code: &str) -> Self {
        Self::json(status, &json!({"code": code, "message": "as scripted"}))
    }

    pub(crate) fn text(body: impl Into<String>) -> Self {
        Self::Say(200, Vec::new(), body.into().into_bytes())
    }

    pub(crate) fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        match self {
            Self::Say(status, mut headers, body) => {
                headers.push((name, value.into()));
                Self::Say(status, headers, body)
            }
            Self::Silence => Self::Silence,
        }
    }
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Method and path, without the query.
    pub(crate) route: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// When it arrived, by the monotonic clock.
    pub(crate) at: Duration,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// The scripted cloud.
pub(crate) struct Cloud {
    pub(crate) clock: Arc<TestClock>,
    base: String,
    state: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    replies: HashMap<String, VecDeque<Reply>>,
    seen: Vec<Seen>,
    /// Token to public key, in the order of issue.
    issued: Vec<(String, Vec<u8>)>,
    revoked: HashSet<String>,
    /// Key id to public key, of what was not issued here.
    admitted: HashMap<String, Vec<u8>>,
    server_ahead: TimeDelta,
    n_registry_tokens: usize,
    /// What is refused for now, of all that is not asked of the metadata service; and how much that was so far.
    refuses: Option<fn(usize) -> bool>,
    n_refusable: usize,
}

type Shared = (Arc<TestClock>, Arc<Mutex<Script>>);

impl Cloud {
    pub(crate) async fn start() -> Self {
        let clock = Arc::new(TestClock::new());
        let state = Arc::new(Mutex::new(Script::default()));
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state((Arc::clone(&clock), Arc::clone(&state)));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { clock, base, state }
    }

    pub(crate) fn settings(&self) -> Settings {
        let endpoint: Endpoint = self.base.parse().unwrap();
        Settings {
            metadata_base: Some(Endpoint::metadata(&format!("{}/opc/v2", self.base)).unwrap()),
            auth_endpoint: Some(endpoint.clone()),
            artifacts_endpoint: Some(endpoint.clone()),
            registry_endpoint: Some(endpoint.clone()),
            identity_endpoint: Some(endpoint),
            ..Settings::default()
        }
    }

    pub(crate) fn oci(&self) -> Oci<TestClock> {
        self.oci_with(self.settings())
    }

    pub(crate) fn oci_with(&self, settings: Settings) -> Oci<TestClock> {
        Oci::new(settings, Arc::clone(&self.clock)).unwrap()
    }

    /// The next requests to `route` (method and path) get these answers, in order; then the usual one.
    pub(crate) fn script(&self, route: &str, replies: impl IntoIterator<Item = Reply>) {
        let mut script = self.state.lock().unwrap();
        script.replies.entry(route.to_owned()).or_default().extend(replies);
    }

    /// Every request so far.
    pub(crate) fn seen(&self, route: &str) -> Vec<Seen> {
        let script = self.state.lock().unwrap();
        script.seen.iter().filter(|seen| seen.route == route).cloned().collect()
    }

    pub(crate) fn n_seen(&self, route: &str) -> usize {
        self.seen(route).len()
    }

    /// From now on this key is known by this id: an API key, or a session token with `ST$` before it.
    pub(crate) fn admit(&self, key_id: &str, key: &KeyPair) {
        let mut script = self.state.lock().unwrap();
        script.admitted.insert(key_id.to_owned(), key.subject_public_key_info());
    }

    /// No key of this id is accepted any more.
    pub(crate) fn dismiss(&self, key_id: &str) {
        self.state.lock().unwrap().admitted.remove(key_id);
    }

    /// No token issued so far is accepted any more.
    pub(crate) fn revoke_tokens(&self) {
        let mut script = self.state.lock().unwrap();
        let revoked: Vec<String> = script.issued.iter().map(|(token, _)| token.clone()).collect();
        script.revoked.extend(revoked);
    }

    /// From now on the requests with these numbers, counted from 1, are answered with 429; those to the metadata service
    /// are not counted.
    pub(crate) fn refuse(&self, refuses: fn(usize) -> bool) {
        let mut script = self.state.lock().unwrap();
        script.refuses = Some(refuses);
        script.n_refusable = 0;
    }

    /// The server's clock goes ahead of the client's.
    pub(crate) fn set_ahead(&self, ahead: TimeDelta) {
        self.state.lock().unwrap().server_ahead = ahead;
    }
}

async fn answer(
    State((clock, state)): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = uri.path_and_query().unwrap().to_string();
    let route = format!("{method} {}", uri.path());
    let seen = Seen { route, target, headers, body: body.to_vec(), at: clock.monotonic() };
    let (reply, date) = {
        let mut script = state.lock().unwrap();
        script.seen.push(seen.clone());
        let date = clock.now() + script.server_ahead;
        (script.reply(&clock, &method, &seen), date)
    };
    let Reply::Say(status, headers, body) = reply else {
        return std::future::pending().await;
    };
    let mut response = Response::builder()
        .status(status)
        .header("opc-request-id", "request/of/test")
        .header("date", date.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Body::from(body)).unwrap()
}

impl Script {
    fn reply(&mut self, clock: &TestClock, method: &Method, seen: &Seen) -> Reply {
        if !self.may_answer(method, seen) {
            return Reply::error(401, "NotAuthenticated");
        }
        if self.is_refused(seen) {
            return Reply::error(429, "TooManyRequests");
        }
        let scripted = self.replies.get_mut(&seen.route).and_then(VecDeque::pop_front);
        scripted.unwrap_or_else(|| self.usual(clock, seen))
    }

    fn is_refused(&mut self, seen: &Seen) -> bool {
        if seen.target.starts_with("/opc/v2/") {
            return false;
        }
        self.n_refusable += 1;
        self.refuses.is_some_and(|refuses| refuses(self.n_refusable))
    }

    /// Who asks proves what the service wants: the metadata header, a signature, or a bearer token.
    fn may_answer(&self, method: &Method, seen: &Seen) -> bool {
        let Some(authorization) = seen.headers.get("authorization") else {
            return false;
        };
        let authorization = authorization.to_str().unwrap();
        if seen.target.starts_with("/opc/v2/") {
            return authorization == "Bearer Oracle";
        }
        if seen.target.starts_with("/v2/") {
            return authorization == format!("Bearer registry-{}", self.n_registry_tokens);
        }
        let key_id = parameter(authorization, "keyId");
        if seen.route == FEDERATION {
            return key_id.starts_with(&format!("{TENANCY}/fed-x509-sha256/"))
                && is_signed(method, seen, authorization, &INSTANCE_KEY.subject_public_key_info());
        }
        if let Some(key) = self.admitted.get(key_id) {
            return is_signed(method, seen, authorization, key);
        }
        let token = key_id.strip_prefix("ST$").unwrap_or_default();
        let issued = self.issued.iter().find(|(issued, _)| issued == token);
        issued.is_some_and(|(token, key)| {
            !self.revoked.contains(token) && is_signed(method, seen, authorization, key)
        })
    }

    /// What is answered to what was not scripted.
    fn usual(&mut self, clock: &TestClock, seen: &Seen) -> Reply {
        match seen.route.as_str() {
            CERT | INTERMEDIATE => Reply::text(certificate(TENANCY)),
            KEY => Reply::text(INSTANCE_KEY.serialize_pem()),
            REGION_INFO => Reply::json(
                200,
                &json!({
                    "realmKey": "oc1", "realmDomainComponent": "oraclecloud.com",
                    "regionKey": "LIN", "regionIdentifier": "eu-milan-1",
                }),
            ),
            FEDERATION => self.issue(clock.now().timestamp() + 1200, seen),
            TOKEN => {
                self.n_registry_tokens += 1;
                let token = format!("registry-{}", self.n_registry_tokens);
                Reply::json(
                    200,
                    &json!({"token": token, "access_token": token, "scope": "", "expires_in": 3600}),
                )
            }
            _ => Reply::error(418, "NotScripted"),
        }
    }

    /// A token for the key in the question, ending at `exp`.
    fn issue(&mut self, exp: i64, seen: &Seen) -> Reply {
        let key = STANDARD.decode(seen.json()["publicKey"].as_str().unwrap()).unwrap();
        let n_issued = self.issued.len();
        let claims = URL_SAFE_NO_PAD.encode(json!({"exp": exp, "jti": n_issued}).to_string());
        let token = format!("canary.{claims}.signature");
        self.issued.push((token.clone(), key));
        Reply::json(200, &json!({"token": token}))
    }
}

/// A certificate of the instance's key that speaks for `tenancy`.
pub(crate) fn certificate(tenancy: &str) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::OrganizationalUnitName, format!("opc-tenant:{tenancy}"));
    params.self_signed(&*INSTANCE_KEY).unwrap().pem()
}

pub(crate) fn compartment() -> CompartmentId {
    "ocid1.compartment.oc1..c".parse().unwrap()
}

pub(crate) fn repository() -> RepositoryId {
    "ocid1.containerrepo.oc1.eu-milan-1.0.ns.r".parse().unwrap()
}

pub(crate) fn image() -> ImageId {
    "ocid1.containerimage.oc1.eu-milan-1.0.ns.i".parse().unwrap()
}

pub(crate) fn namespace() -> Namespace {
    "ns".parse().unwrap()
}

pub(crate) fn name() -> RepositoryName {
    "team/app".parse().unwrap()
}

pub(crate) fn digest_of(bytes: &[u8]) -> Digest {
    Digest::from_bytes(digest(&SHA256, bytes).as_ref().try_into().unwrap())
}

/// The route of [`image`], by this method and with this suffix.
pub(crate) fn image_route(method: &str, suffix: &str) -> String {
    format!("{method} /20160918/container/images/{}{suffix}", image())
}

/// A row of the list of images; `n` makes it another one.
pub(crate) fn image_row(n: u8) -> Value {
    json!({
        "id": format!("{}{n}", image()), "digest": Digest::from_bytes([n; 32]), "version": null,
        "repositoryId": repository(), "repositoryName": "team/app", "displayName": "team/app:unknown",
        "compartmentId": compartment(), "timeCreated": "2026-01-01T00:00:00Z", "lifecycleState": "AVAILABLE",
        "freeformTags": {}, "definedTags": {}, "systemTags": {},
    })
}

/// A page of rows, with the cursor of the next one if there is one.
pub(crate) fn page(rows: &[Value], next: Option<&str>) -> Reply {
    let reply = Reply::json(200, &json!({"items": rows, "remainingItemsCount": 0}));
    match next {
        Some(cursor) => reply.with("opc-next-page", cursor),
        None => reply,
    }
}
