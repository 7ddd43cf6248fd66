//! Pull secrets as a process makes them: what is printed pulls, what is applied is in the cluster, and the token is nowhere
//! else.

use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ocird_sim::fault::{Fault, Operation, When};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::logs::secrets;
use crate::process::{Daemon, Ended, until};
use crate::world::{Setting, World};

/// What the secret is called throughout.
const NAME: &str = "ocir";

/// A host with a cluster of three namespaces.
struct Host {
    world: World,
    cluster: Cluster,
}

impl Host {
    async fn new() -> Self {
        let host = Self {
            world: World::new(Setting::default()).await,
            cluster: Cluster::new(&["dev", "staging", "prod"]).await,
        };
        host.cluster.write_kubeconfig(&host.world.path("kubeconfig"));
        host
    }

    async fn print(&self, more: &[&str]) -> Ended {
        let arguments = ["credential", "pull-secret", "--namespaces", "dev,prod", "--name", NAME];
        self.world.ocird(&[&arguments[..], more].concat()).await
    }

    async fn apply(&self, namespaces: &str, more: &[&str]) -> Ended {
        let kubeconfig = self.world.path("kubeconfig");
        let arguments = [
            "credential",
            "pull-secret",
            "--namespaces",
            namespaces,
            "--name",
            NAME,
            "--apply",
            "--kubeconfig",
        ];
        self.world.ocird(&[&arguments[..], &[kubeconfig.to_str().unwrap()], more].concat()).await
    }

    /// The registry as images name it.
    fn registry(&self) -> String {
        self.world.tap.base_url().trim_start_matches("http://").to_owned()
    }

    /// Nothing that went over the wire as a secret stands in a text.
    fn check_no_secret(&self, written: &str) {
        for secret in secrets(&self.world.tap.heard()) {
            assert!(!written.contains(&secret), "{secret} is written");
            assert!(!written.contains(&STANDARD.encode(&secret)), "{secret} is written in base64");
        }
    }
}

/// What a kubelet reads out of a secret.
fn auths(secret: &Value) -> Value {
    assert_eq!(secret["type"], "kubernetes.io/dockerconfigjson");
    let data = STANDARD.decode(secret["data"][".dockerconfigjson"].as_str().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&data).unwrap()["auths"].clone()
}

/// Pulls a manifest as container engines do: unknown first, then with a token from where the challenge says.
async fn pulled(host: &Host, auth: &str) -> u16 {
    let namespace = &host.world.tenancy.settings().namespace;
    let url = format!("{}/v2/{namespace}/web-shop/manifests/b0", host.world.tap.base_url());
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let unknown = client.get(&url).send().await.unwrap();
    assert_eq!(unknown.status(), 401);
    let challenge = unknown.headers()["www-authenticate"].to_str().unwrap().to_owned();
    let part = |name: &str| {
        challenge.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    let asked = client.get(part("realm")).query(&[("service", part("service"))]);
    let answer = asked.header("authorization", format!("Basic {auth}")).send().await.unwrap();
    if !answer.status().is_success() {
        return answer.status().as_u16();
    }
    let token: Value = answer.json().await.unwrap();
    let pull = client.get(&url).bearer_auth(token["token"].as_str().unwrap()).header("accept", "*/*");
    pull.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_printed_secret_pulls_by_every_name_of_the_registry() {
    let host = Host::new().await;
    let printed = host.print(&["--json"]).await;
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    let list: Value = serde_json::from_str(&printed.stdout).unwrap();
    let items = list["items"].as_array().unwrap();
    let namespaces: Vec<&str> =
        items.iter().map(|item| item["metadata"]["namespace"].as_str().unwrap()).collect();
    assert_eq!(namespaces, ["dev", "prod"]);
    let auths = auths(&items[0]);
    let names: BTreeSet<&str> = auths.as_object().unwrap().keys().map(String::as_str).collect();
    let registry = host.registry();
    let expected =
        [&registry, "eu-milan-1.ocir.io", "lin.ocir.io", "ocir.eu-milan-1.oci.oraclecloud.com"].into_iter();
    assert_eq!(names, expected.collect());
    for login in auths.as_object().unwrap().values() {
        assert_eq!(pulled(&host, login["auth"].as_str().unwrap()).await, 200);
    }
    assert_eq!(pulled(&host, &STANDARD.encode("BEARER_TOKEN:another")).await, 401);
    let yaml = host.print(&[]).await;
    assert!(
        yaml.stdout.starts_with("apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n"),
        "{}",
        yaml.stdout
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_applied_is_in_the_cluster_and_each_refusal_is_said() {
    let host = Host::new().await;
    host.cluster.forbid("staging");
    let applied = host.apply("dev,gone,prod,staging", &[]).await;
    assert_eq!(applied.code, Some(1));
    let lines: Vec<&str> = applied.stdout.lines().collect();
    assert!(
        lines[0].starts_with("dev/ocir: made, good until ") && lines[1].starts_with("prod/ocir: made"),
        "{lines:?}"
    );
    let [gone, staging] = applied.stderr.lines().collect::<Vec<_>>()[..] else {
        panic!("{}", applied.stderr)
    };
    assert_eq!(gone, "ocird: gone/ocir: 404: namespaces \"gone\" not found; ocird makes no namespaces");
    assert!(staging.starts_with("ocird: staging/ocir: 403: secrets \"ocir\" is forbidden"), "{staging}");
    let dev = host.cluster.secret("dev", NAME).unwrap();
    let auth = auths(&dev)[host.registry()]["auth"].as_str().unwrap().to_owned();
    assert_eq!(pulled(&host, &auth).await, 200);
    let again = host.apply("dev", &[]).await;
    assert!(again.code == Some(0) && again.stdout.starts_with("dev/ocir: renewed"), "{again:?}");
    assert_ne!(host.cluster.secret("dev", NAME).unwrap(), dev, "the token is a new one");
    host.check_no_secret(&format!("{applied:?}{again:?}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_made_is_taken_over_only_when_that_is_asked_for() {
    let host = Host::new().await;
    host.cluster.make_by_hand("dev", NAME, "kubernetes.io/dockerconfigjson");
    host.cluster.make_by_hand("prod", NAME, "Opaque");
    let refused = host.apply("dev,prod", &[]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
    assert!(refused.stderr.contains("dev/ocir: 409: Apply failed with 1 conflict"), "{}", refused.stderr);
    assert!(refused.stderr.contains("take it over with --force-conflicts"), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("prod/ocir: 422: ") && refused.stderr.contains("delete it"),
        "{}",
        refused.stderr
    );
    let forced = host.apply("dev", &["--force-conflicts"]).await;
    assert_eq!(forced.code, Some(0), "{}", forced.stderr);
    assert_eq!(host.apply("dev", &[]).await.code, Some(0), "it is ours now");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_kept_until_somebody_says_stop() {
    let host = Host::new().await;
    host.cluster.fail(1);
    let notified = UnixDatagram::bind(host.world.path("notify")).unwrap();
    notified.set_nonblocking(true).unwrap();
    let kubeconfig = host.world.path("kubeconfig");
    let mut command =
        host.world.command(&["credential", "pull-secret", "--namespaces", "dev,gone", "--name", NAME]);
    command.args(["--apply", "--every", "30m", "--kubeconfig"]).arg(kubeconfig);
    command.env("NOTIFY_SOCKET", host.world.path("notify"));
    let mut kept = Daemon::start(command, String::new(), host.world.path("log"));
    until("the secret", async || host.cluster.secret("dev", NAME)).await;
    until("the refusal", async || kept.log().contains("no pull secret that is good").then_some(())).await;
    host.cluster.rotate_token();
    until("the refused token", async || kept.log().contains("401: Unauthorized").then_some(())).await;
    kept.signal("TERM").await;
    assert_eq!(kept.ended().await.code(), Some(0));
    let log = kept.log();
    for line in [
        "INFO",
        "the pull secret is made secret=\"dev/ocir\"",
        "secret=\"gone/ocir\"",
        "404: namespaces",
        "stopped; what is in the cluster stays",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    host.check_no_secret(&log);
    let mut heard = String::new();
    let mut buffer = [0; 512];
    while let Ok(n) = notified.recv(&mut buffer) {
        heard.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
    }
    assert!(heard.contains("1 of 2 pull secrets are not fresh") && heard.contains("STOPPING=1"), "{heard}");
    assert!(!heard.contains("READY=1"), "one namespace never had it: {heard}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_is_said_before_anything_is_asked() {
    let host = Host::new().await;
    for (more, said) in [
        (&["--registry", "docker.io"][..], "docker.io is no host of Oracle's registry"),
        (&["--every", "30m"], "--apply"),
        (&["--kubeconfig", "x"], "--apply"),
        (&["--apply", "--json"], "--json"),
        (&["--apply", "--every", "2h"], "a token lives about an hour"),
        (&["--namespaces", "a/b"], "a namespace is at most 63"),
    ] {
        let refused = host.print(more).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{more:?}");
        assert!(refused.stderr.contains(said), "{more:?}: {}", refused.stderr);
    }
    assert_eq!(host.world.server.requests().total(), 0);
    let nowhere = host.print(&["--apply"]).await;
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.stderr.contains("this is no pod of a cluster"), "{}", nowhere.stderr);
    host.world.tenancy.inject(Operation::DockerToken, When::Always, Fault::status(403, "NotAuthorized"));
    let forbidden = host.print(&[]).await;
    assert_eq!((forbidden.code, forbidden.stdout.as_str()), (Some(69), ""));
    assert!(forbidden.stderr.contains("no token of 127.0.0.1"), "{}", forbidden.stderr);
}
