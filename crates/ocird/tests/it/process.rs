//! The binary as a process: its command line, its signals, what it wrote. Knows nothing of the tenancy.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};

/// How long anything here may take to happen. An acting pass begins on the minute, and debug builds are slow.
const PATIENCE: Duration = Duration::from_secs(150);

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// Waits until `look` finds something, and answers it.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = async {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            looks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("it never came: {what}"))
}

/// The binary with this configuration file and an empty environment.
pub(crate) fn ocird(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ocird"));
    command.env_clear().arg("--config").arg(config).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Tells something to whoever runs the tests, whether they pass or not.
pub(crate) fn tell(line: &str) {
    let mut stderr = io::stderr().lock();
    writeln!(stderr, "{line}").unwrap();
}

/// What a command that ended has left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; `None` for a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command to its end.
pub(crate) async fn run(mut command: Command) -> Ended {
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A daemon that runs. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    url: String,
    log: PathBuf,
    client: reqwest::Client,
}

impl Daemon {
    /// Starts a command whose pages will be at `url`, with its log in a file.
    pub(crate) fn start(mut command: Command, url: String, log: PathBuf) -> Self {
        let file = File::create(&log).unwrap();
        let child = command.stdout(Stdio::null()).stderr(file).spawn().unwrap();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Self { child, url, log, client }
    }

    /// Everything it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The answer of a page; `None` while nobody answers.
    pub(crate) async fn page(&self, path: &str) -> Option<reqwest::Response> {
        self.client.get(format!("{}{path}", self.url)).send().await.ok()
    }

    /// The status of the answer to another method than GET; `None` while nobody answers.
    pub(crate) async fn asked(&self, method: &str, path: &str) -> Option<u16> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let answer = self.client.request(method, format!("{}{path}", self.url)).send().await.ok()?;
        Some(answer.status().as_u16())
    }

    /// The status of a page; `None` while nobody answers.
    pub(crate) async fn code(&self, path: &str) -> Option<u16> {
        Some(self.page(path).await?.status().as_u16())
    }

    /// A page of JSON; `None` while nobody answers.
    pub(crate) async fn json(&self, path: &str) -> Option<Value> {
        self.page(path).await?.json().await.ok()
    }

    /// Waits for the end of the first pass.
    pub(crate) async fn ready(&self) {
        until("ready", async || (self.code("/readyz").await == Some(200)).then_some(())).await;
    }

    /// Waits until the status as JSON is as wanted, and answers it.
    pub(crate) async fn status_where(&self, what: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        until(what, async || self.json("/api/v1/status").await.filter(&is_wanted)).await
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it still runs");
        let sent = Command::new("/bin/sh").arg("-c").arg(format!("kill -s {name} {id}")).status().await;
        assert!(sent.unwrap().success(), "the signal {name} was not sent");
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it still runs")
    }

    /// Ends it at once.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap()
    }
}
