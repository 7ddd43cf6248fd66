//! Who is compared, and one performance of each: the process with its children, what the tenancy saw of it, and what the
//! ground truth says of its deletions.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ocird_sim::http::{Options, Server};
use ocird_sim::{Tenancy, Violation};
use serde::Deserialize;
use tempfile::TempDir;

use super::Line;
use super::scene::Scene;
use crate::daemon::{Files, Said};
use crate::world::RealTime;

/// Where programs are looked for after those of the virtual environment.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Who is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contestant {
    /// `nightly.sh`, over the official command line.
    Shell,
    /// `nightly.py`, over the official SDK.
    Python,
    /// ocird.
    Ocird,
}

/// What the contestants are made of, all paths absolute.
#[derive(Debug)]
pub(super) struct Tools {
    binary: PathBuf,
    venv: PathBuf,
    scripts: PathBuf,
}

/// What a process took with its children, as `measured.py` says it.
#[derive(Debug, Deserialize)]
pub(super) struct Taken {
    /// Seconds from start to end.
    pub(super) wall_s: f64,
    /// Processor time in seconds, user's and system's.
    pub(super) cpu_s: f64,
    /// The most memory of the largest process, in bytes.
    pub(super) peak_bytes: f64,
    /// How it ended; negative by a signal.
    code: i32,
}

impl Tools {
    pub(super) fn new(binary: &Path, venv: &Path, scripts: &Path) -> anyhow::Result<Self> {
        let found = |path: &Path| path.canonicalize().with_context(|| path.display().to_string());
        let venv = found(venv).context("crates/ocird-sim/compare/run installs it")?;
        Ok(Self { binary: found(binary)?, venv, scripts: found(scripts)? })
    }

    fn python(&self) -> PathBuf {
        self.venv.join("bin/python")
    }
}

impl Contestant {
    pub(super) const ALL: [Self; 3] = [Self::Shell, Self::Python, Self::Ocird];

    /// Lets it do its night's work on a tenancy of its own, to the end.
    ///
    /// # Errors
    /// It did not end well, or did not do the work.
    pub(super) async fn perform(
        self,
        scene: Scene,
        tools: &Tools,
        answer: Duration,
    ) -> anyhow::Result<Vec<Line>> {
        match self {
            Self::Shell => {
                let script = tools.scripts.join("nightly.sh");
                script_of("nightly.sh, over oci", &["bash".as_ref(), &script], scene, tools, answer).await
            }
            Self::Python => {
                let (python, script) = (tools.python(), tools.scripts.join("nightly.py"));
                script_of("nightly.py, over the SDK", &[&python, &script], scene, tools, answer).await
            }
            Self::Ocird => ocird(scene, tools, answer).await,
        }
    }
}

/// A tenancy that is served.
struct Night {
    tenancy: Tenancy,
    server: Server,
    clock: RealTime,
    home: TempDir,
    keep: u32,
}

async fn script_of(
    who: &'static str,
    words: &[&Path],
    mut scene: Scene,
    tools: &Tools,
    answer: Duration,
) -> anyhow::Result<Vec<Line>> {
    scene.unobserved()?;
    let n_due = scene.n_beyond();
    let night = Night::begin(&scene, answer)?;
    let line = night.line(who, words, tools).await?;
    night.end().await;
    ensure!(line.n_deleted == n_due, "{who} deleted {} of {n_due} images:\n{}", line.n_deleted, line.said);
    Ok(vec![line])
}

/// A pass that only looks, and one that deletes, of the real binary on a store that has looked for two days.
async fn ocird(mut scene: Scene, tools: &Tools, answer: Duration) -> anyhow::Result<Vec<Line>> {
    scene.observed().await?;
    let n_due = scene.n_that_may_go();
    let night = Night::begin(&scene, answer)?;
    let looks = scene.tables();
    let deletes = format!("{}{looks}", scene.armed_for());
    let report = Said { top: "mode = \"report\"", tables: &looks, policies: &[] };
    let armed = Said { top: "mode = \"enforce\"", tables: &deletes, policies: &[] };
    let files = Files::write(scene.stage.directory(), &night.tenancy, &night.server, report)?;
    let config = files.config();
    let words = [tools.binary.as_path(), "run".as_ref(), "--once".as_ref(), "--config".as_ref(), &config];
    let looking = night.line("ocird, a pass that looks", &words, tools).await?;
    files.configure(&night.tenancy, &night.server, armed)?;
    let deleting = night.line("ocird, the pass that deletes", &words, tools).await?;
    night.end().await;
    ensure!(looking.n_deleted == 0, "a pass in report mode deleted {} images", looking.n_deleted);
    ensure!(deleting.n_wrong == 0, "ocird deleted {} images that are needed", deleting.n_wrong);
    ensure!(
        deleting.n_deleted == n_due,
        "ocird deleted {} of {n_due} images:\n{}",
        deleting.n_deleted,
        deleting.said
    );
    Ok(vec![looking, deleting])
}

impl Night {
    fn begin(scene: &Scene, answer: Duration) -> anyhow::Result<Self> {
        let tenancy = scene.stage.tenancy.clone();
        let clock = RealTime::keep(&tenancy);
        let options = Options { answer_delay: answer, ..Options::default() };
        let server = Server::start(tenancy.clone(), options)?;
        Ok(Self { tenancy, server, clock, home: tempfile::tempdir()?, keep: scene.keep })
    }

    /// Runs a command to its end, and says what it took and did.
    async fn line(&self, who: &'static str, words: &[&Path], tools: &Tools) -> anyhow::Result<Line> {
        self.server.requests().clear();
        let before = (self.tenancy.deletions().len(), n_wrong(&self.tenancy));
        let (taken, said) = self.run(words, tools).await.context(who)?;
        Ok(Line {
            who,
            taken,
            said,
            n_requests: self.server.requests().total(),
            n_deleted: self.tenancy.deletions().len() - before.0,
            n_wrong: n_wrong(&self.tenancy) - before.1,
        })
    }

    /// In an environment of its own: nobody's profile, and no proxy before loopback.
    async fn run(&self, words: &[&Path], tools: &Tools) -> anyhow::Result<(Taken, String)> {
        let path = format!("{}:{PATH}", tools.venv.join("bin").display());
        let mut command = Command::new(tools.python());
        command
            .arg(tools.scripts.join("measured.py"))
            .args(words)
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.home.path())
            .env("LANG", "C.UTF-8")
            .env("COMPARTMENT", self.tenancy.compartment().as_str())
            .env("KEEP", self.keep.to_string())
            .env("OCI_METADATA_BASE_URL", self.server.metadata_base())
            .env("OCI_CLI_FEDERATION_ENDPOINT", self.server.federation_url())
            .env("OCI_CLI_ENDPOINT", self.server.artifacts_url())
            .stdin(Stdio::null());
        let answer = tokio::task::spawn_blocking(move || command.output()).await??;
        let said = String::from_utf8_lossy(&answer.stderr).into_owned();
        ensure!(answer.status.success(), "measured.py ended with {}: {said}", answer.status);
        let taken: Taken = serde_json::from_slice(&answer.stdout)?;
        ensure!(taken.code == 0, "it ended with {}: {said}", taken.code);
        Ok((taken, said))
    }

    async fn end(self) {
        drop(self.clock);
        self.server.stop().await;
    }
}

/// Deletions that took something needed, so far.
fn n_wrong(tenancy: &Tenancy) -> usize {
    let is_wrong = |violation: &Violation| matches!(violation, Violation::WrongDeletion { .. });
    tenancy.violations().iter().filter(|violation| is_wrong(violation)).count()
}
