//! The credential helper as a process: what container engines see of it, what it leaves on the disk, and how often it
//! signs in.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Stdio;

use futures_util::future::join_all;
use ocird_sim::fault::{Fault, Operation, When};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::logs::secrets;
use crate::process::Ended;
use crate::world::{Setting, World, files};

/// A host where somebody pulls images.
struct Host {
    world: World,
}

impl Host {
    async fn new() -> Self {
        Self::of(Setting::default()).await
    }

    async fn of(setting: Setting) -> Self {
        let world = World::new(setting).await;
        symlink(env!("CARGO_BIN_EXE_ocird"), world.path("docker-credential-ocir")).unwrap();
        Self { world }
    }

    /// The registry as images name it.
    fn registry(&self) -> String {
        self.world.tap.base_url().trim_start_matches("http://").to_owned()
    }

    fn cache(&self) -> PathBuf {
        self.world.path("cache")
    }

    /// The one file with a token.
    fn token_file(&self) -> PathBuf {
        let mut tokens = files(&self.cache()).into_keys().filter(|path| path.extension().unwrap() == "json");
        let token = tokens.next().expect("there is a token");
        assert_eq!(tokens.next(), None);
        token
    }

    /// The helper as a container engine calls it.
    fn helper(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.world.path("docker-credential-ocir"));
        command.env_clear().args(arguments).kill_on_drop(true);
        command.env("OCIRD_CONFIG", self.world.config_file()).env("OCIRD_CACHE_DIR", self.cache());
        command
    }

    async fn ask(&self, verb: &str, input: &str) -> Ended {
        said(self.helper(&[verb]), input).await
    }

    async fn get(&self) -> Ended {
        self.ask("get", &self.registry()).await
    }

    fn n_sign_ins(&self) -> u64 {
        self.world.server.requests().of(Operation::Federation)
    }

    /// Lets the remembered token look as if it had been got that long ago.
    fn age(&self, minutes: i64) {
        let file = self.token_file();
        let mut token: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        for key in ["requested_at", "expires_at"] {
            let time: chrono::DateTime<chrono::Utc> = token[key].as_str().unwrap().parse().unwrap();
            token[key] = (time - chrono::TimeDelta::minutes(minutes)).to_rfc3339().into();
        }
        std::fs::write(file, token.to_string()).unwrap();
    }
}

/// Runs a command with something on its standard input.
async fn said(mut command: Command, input: &str) -> Ended {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // One that does not read to the end closes the pipe, as it may.
    drop(stdin.write_all(input.as_bytes()).await);
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn password(got: &Ended) -> String {
    assert_eq!((got.code, got.stderr.as_str()), (Some(0), ""), "{got:?}");
    let answer: Value = serde_json::from_str(&got.stdout).unwrap();
    answer["Secret"].as_str().unwrap().to_owned()
}

fn short(ended: &Ended) -> (Option<i32>, &str) {
    (ended.code, &ended.stdout)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_verb_answers_as_clients_know_it() {
    let host = Host::new().await;
    let registry = host.registry();
    let version = format!("docker-credential-ocir (ocird) {}\n", env!("CARGO_PKG_VERSION"));
    for name in ["version", "--version", "-v"] {
        assert_eq!(short(&host.ask(name, "").await), (Some(0), version.as_str()));
    }
    assert_eq!(short(&host.ask("list", "unused").await), (Some(0), "{}\n"));
    let got = host.ask("get", &format!("{registry}\r\n")).await;
    let golden = format!(
        "{{\"ServerURL\":\"{registry}\",\"Username\":\"BEARER_TOKEN\",\"Secret\":\"{}\"}}\n",
        password(&got)
    );
    assert_eq!(got.stdout, golden);
    let listed = format!("{{\"{registry}\":\"BEARER_TOKEN\"}}\n");
    assert_eq!(host.ask("list", "").await.stdout, listed);
    for server in [registry.clone(), format!("http://{registry}/v2/"), format!(" {registry}\n")] {
        assert_eq!(password(&host.ask("get", &server).await), password(&got), "{server}");
    }
    assert_eq!(short(&host.ask("erase", &registry).await), (Some(0), ""));
    assert_eq!(host.ask("list", "").await.stdout, "{}\n");
    assert_eq!(short(&host.ask("erase", &registry).await), (Some(0), ""), "twice is as good");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_stored_and_that_is_said_once() {
    let host = Host::new().await;
    let login = format!("{{\"ServerURL\":\"{}\",\"Username\":\"u\",\"Secret\":\"canary\"}}", host.registry());
    let refused = host.ask("store", &login).await;
    assert_eq!(short(&refused), (Some(1), "ocird stores no credentials\n"));
    assert!(refused.stderr.contains("OCIRD_IGNORE_CREDS_STORAGE=true"), "{}", refused.stderr);
    assert_eq!(refused.stderr.lines().count(), 1);
    let mut ignoring = host.helper(&["store"]);
    ignoring.env("OCIRD_IGNORE_CREDS_STORAGE", "true");
    let ignored = said(ignoring, &login).await;
    assert_eq!((ignored.code, ignored.stdout.as_str(), ignored.stderr.as_str()), (Some(0), "", ""));
    assert!(!host.cache().exists(), "it wrote something");
    for (input, reason) in [
        ("{}", "no credentials server URL\n"),
        ("{\"ServerURL\":\"x\"}", "no credentials username\n"),
        ("canary", "what is to be stored is not a credential in JSON\n"),
    ] {
        let refused = host.ask("store", input).await;
        assert_eq!(short(&refused), (Some(1), reason), "{input}");
        assert!(!refused.stderr.contains("canary"), "{}", refused.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_not_ours_is_not_found_and_nobody_is_asked() {
    let host = Host::new().await;
    let registry = host.registry();
    for server in [
        "docker.io",
        "https://index.docker.io/v1/",
        "fra.ocir.io@evil.example",
        "fra.ocir.io.evil.example",
        &format!("evil.example/{registry}"),
        &format!("{registry}0"),
        &format!("{registry}@evil.example"),
        &"x".repeat(10_000),
    ] {
        for verb in ["get", "erase"] {
            let refused = host.ask(verb, server).await;
            assert_eq!(short(&refused), (Some(1), "credentials not found in native keychain\n"), "{server}");
            assert!(refused.stderr.lines().count() == 1 && refused.stderr.len() < 400, "{}", refused.stderr);
        }
    }
    for verb in ["get", "erase"] {
        for input in ["", "\n", " \r\n"] {
            assert_eq!(short(&host.ask(verb, input).await), (Some(1), "no credentials server URL\n"));
        }
    }
    assert_eq!(host.world.server.requests().total(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anything_but_one_known_verb_gets_the_usage() {
    let host = Host::new().await;
    let usage = "Usage: docker-credential-ocir <get|store|erase|list|version>\n";
    for arguments in [&[][..], &["get", "get"], &["login"], &["GET"], &[""], &["--config", "x", "get"]] {
        assert_eq!(short(&said(host.helper(arguments), "").await), (Some(1), usage), "{arguments:?}");
    }
    assert_eq!(short(&said(host.helper(&["--help"]), "").await), (Some(0), usage));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_pulls_at_once_make_one_sign_in() {
    let host = Host::new().await;
    let all = join_all((0..20).map(|_| host.get())).await;
    let passwords: BTreeSet<String> = all.iter().map(password).collect();
    assert_eq!(passwords.len(), 1, "they got different tokens");
    assert_eq!(host.n_sign_ins(), 1);
    assert_eq!(host.world.server.requests().of(Operation::DockerToken), 1);
    host.world.server.requests().clear();
    password(&host.get().await);
    assert_eq!(host.world.server.requests().total(), 0, "a token that is fresh is not asked for");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_renewed_at_half_its_life_and_stands_in_until_its_end() {
    let host = Host::new().await;
    let first = password(&host.get().await);
    host.age(29);
    assert_eq!((password(&host.get().await), host.n_sign_ins()), (first.clone(), 1));
    host.age(2);
    host.world.tenancy.inject(Operation::DockerToken, When::Always, Fault::status(403, "NotAuthorized"));
    let old = host.get().await;
    assert_eq!(old.code, Some(0));
    assert!(old.stdout.contains(&first), "the old one stands in");
    assert!(old.stderr.contains("; the token got before is still good"), "{}", old.stderr);
    host.age(40);
    let refused = host.get().await;
    let reason = format!("ocird got no token of {}\n", host.registry());
    assert_eq!(short(&refused), (Some(1), reason.as_str()), "one that has ended does not");
    assert!(refused.stderr.contains("GetAccessToken failed (forbidden): 403"), "{}", refused.stderr);
    host.world.tenancy.clear_faults();
    assert_ne!(password(&host.get().await), first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_of_ours_is_never_called_unknown() {
    let host = Host::of(Setting { unreachable: true, ..Setting::default() }).await;
    let config = std::fs::read_to_string(host.world.config_file()).unwrap();
    let own = config.lines().find_map(|line| line.strip_prefix("registry = \"http://")).unwrap();
    for server in [own.trim_end_matches('"'), "fra.ocir.io"] {
        let refused = host.ask("get", server).await;
        assert_eq!(short(&refused), (Some(1), format!("ocird got no token of {server}\n").as_str()));
        assert!(
            refused.stderr.starts_with("docker-credential-ocir: GetAccessToken failed"),
            "{}",
            refused.stderr
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_that_is_there_must_be_right_as_far_as_it_is_read() {
    let host = Host::new().await;
    let config = std::fs::read_to_string(host.world.config_file()).unwrap();
    std::fs::write(host.world.config_file(), config.replace("[http]", "[http]\nlisten_on = 1\n[htpp]"))
        .unwrap();
    password(&host.get().await);
    std::fs::write(host.world.config_file(), format!("{config}\n[oci.endpoint]\n")).unwrap();
    let refused = host.get().await;
    assert_eq!(short(&refused), (Some(1), "the configuration of ocird is wrong\n"));
    assert!(refused.stderr.contains("ocird.toml:"), "{}", refused.stderr);
    let mut nowhere = host.helper(&["get"]);
    nowhere.env("OCIRD_CONFIG", host.world.path("nowhere.toml"));
    let refused = said(nowhere, &host.registry()).await;
    assert_eq!(
        short(&refused),
        (Some(1), "the configuration of ocird is wrong\n"),
        "one that was named is wanted"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_registry_token_is_written_and_only_where_nobody_else_reads() {
    let host = Host::new().await;
    let token = password(&host.get().await);
    let written = files(&host.cache());
    assert_eq!(written.len(), 2, "a token and a lock");
    let written: String = written.values().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
    assert!(written.contains(&token));
    let secrets = secrets(&host.world.tap.heard());
    assert!(secrets.contains(&token), "the token is not among the secrets: this test cannot see");
    for secret in secrets.iter().filter(|secret| **secret != token) {
        assert!(!written.contains(secret.as_str()), "{secret} is written");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_that_cannot_be_used_is_said_and_done_without() {
    let host = Host::new().await;
    std::fs::write(host.cache(), "a file").unwrap();
    for n in 1..=2 {
        let got = host.get().await;
        assert_eq!(got.code, Some(0));
        assert!(got.stdout.contains("BEARER_TOKEN"), "{}", got.stdout);
        assert!(got.stderr.contains("the cache directory"), "{}", got.stderr);
        assert_eq!(host.n_sign_ins(), n);
    }
    let mut nameless = host.helper(&["get"]);
    nameless.env_remove("OCIRD_CACHE_DIR");
    password(&said(nameless, &host.registry()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_replaced() {
    let host = Host::new().await;
    password(&host.get().await);
    std::fs::write(host.token_file(), "{\"identity\":").unwrap();
    let token = password(&host.get().await);
    assert_eq!(host.n_sign_ins(), 2);
    assert_eq!(password(&host.get().await), token);
    assert_eq!(host.n_sign_ins(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_is_gone_is_a_failure_and_no_panic() {
    let host = Host::new().await;
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut gone = host.helper(&["list"]);
    let gone = gone.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let gone = gone.wait_with_output().await.unwrap();
    assert_eq!((gone.status.code(), String::from_utf8_lossy(&gone.stderr).as_ref()), (Some(1), ""));
    // A descriptor that was never opened is opened by the runtime, so that nothing else is written to by mistake.
    let mut closed = Command::new("/bin/sh");
    closed.arg("-c").arg(format!("exec {} list >&-", host.world.path("docker-credential-ocir").display()));
    let closed = said(closed, "").await;
    assert_eq!((closed.code, closed.stderr.as_str()), (Some(0), ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn login_prints_a_password_for_docker_login_and_nothing_else() {
    let host = Host::new().await;
    let mut command = host.world.command(&["credential", "login"]);
    command.env("OCIRD_CACHE_DIR", host.cache());
    let login = said(command, "").await;
    assert_eq!(login.code, Some(0));
    assert_eq!(login.stdout, format!("{}\n", password(&host.get().await)));
    let hint = format!("For: docker login -u BEARER_TOKEN --password-stdin {}\n", host.registry());
    assert_eq!(login.stderr, hint);
    let elsewhere = host.world.ocird(&["credential", "login", "docker.io"]).await;
    assert_eq!(short(&elsewhere), (Some(1), ""), "standard output is a password or nothing");
    assert!(elsewhere.stderr.contains("docker.io is no host of Oracle's registry"), "{}", elsewhere.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_pulls() {
    let host = Host::new().await;
    let token = password(&host.get().await);
    let namespace = host.world.tenancy.settings().namespace.clone();
    let url = format!("{}/v2/{namespace}/web-shop/manifests/b0", host.world.tap.base_url());
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let pull = |token: String| client.get(&url).bearer_auth(token).header("accept", "*/*").send();
    assert_eq!(pull(token).await.unwrap().status(), 200);
    assert_eq!(pull("another".to_owned()).await.unwrap().status(), 401);
}
