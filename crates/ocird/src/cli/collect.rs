//! `ocird collect`: what this host runs, written into one reference file. Everything or nothing: a part that cannot be asked is a
//! failure, and the file that is there stays and grows old (S-4).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use ocird_model::Clock as _;

use crate::cli::{Failure, print};
use crate::clock::SystemClock;
use crate::config::compose_variable;
use crate::in_use::file::{self, ReferenceFile, VERSION};
use crate::in_use::source::Mention;
use crate::in_use::{compose, engine};

/// Where a daemon on this host looks, if nothing else is said.
const DIRECTORY: &str = "/var/lib/ocird/in-use";

/// The sockets of Docker's engine and of Podman, as their packages place them.
const SOCKETS: [&str; 2] = ["/run/docker.sock", "/run/podman/podman.sock"];

/// What is asked, and where the answer goes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CollectArgs {
    /// The file to write [default: /var/lib/ocird/in-use/HOST.json].
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The name of this host inside the file [default: its host name].
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// The socket of a container engine; may be given several times [default: those of Docker and Podman that exist].
    #[arg(long = "engine", value_name = "SOCKET", conflicts_with = "no_engine")]
    engines: Vec<PathBuf>,
    /// Ask no container engine: nothing runs here but what compose files pin.
    #[arg(long, requires = "projects")]
    no_engine: bool,
    /// A compose file, or a directory with one; may be given several times.
    #[arg(long = "compose", value_name = "PATH")]
    projects: Vec<PathBuf>,
}

/// Asks everything and writes the file.
pub(crate) async fn collect(args: CollectArgs) -> Result<ExitCode, Failure> {
    let CollectArgs { output, host, engines, no_engine, projects } = args;
    // Before anything is asked: what starts meanwhile is then not thought to be known.
    let written_at = SystemClock::new().now();
    let host = host.map_or_else(host_name, named)?;
    let output = output.map_or_else(|| default_output(&host), Ok)?;
    let engines = if no_engine || !engines.is_empty() { engines } else { present_engines()? };
    let references = everything(&engines, &projects).await?;
    let n_references = references.len();
    let file = ReferenceFile { version: VERSION, host, written_at, complete: true, references };
    file::write(&output, &file)?;
    let warning = if n_references == 0 { "; a host that names nothing is not believed" } else { "" };
    Ok(print(&format!("{}: {n_references} references{warning}\n", output.display())))
}

async fn everything(engines: &[PathBuf], projects: &[PathBuf]) -> anyhow::Result<Vec<Mention>> {
    let mut all = BTreeSet::new();
    for socket in engines {
        let mentions = engine::mentions(socket).await;
        all.extend(mentions.with_context(|| format!("cannot ask the engine at {}", socket.display()))?);
    }
    for project in projects {
        let mentions = compose::mentions(project, &compose_variable);
        all.extend(mentions.context("cannot tell what a compose project pins")?);
    }
    Ok(all.into_iter().collect())
}

/// The engines that are installed here. None is no answer: nothing would then be known of what runs.
fn present_engines() -> anyhow::Result<Vec<PathBuf>> {
    let present: Vec<PathBuf> = SOCKETS.iter().map(PathBuf::from).filter(|path| path.exists()).collect();
    if present.is_empty() {
        anyhow::bail!("no container engine at {}; name its socket with --engine", SOCKETS.join(" or "));
    }
    Ok(present)
}

fn host_name() -> anyhow::Result<String> {
    let name = rustix::system::uname();
    let name = name.nodename().to_str().ok().filter(|name| !name.is_empty());
    name.map(str::to_owned).context("this host has no name that is text; give one with --host")
}

/// The name that somebody gave this host: a file of a blank one is refused by whoever reads it.
fn named(host: String) -> anyhow::Result<String> {
    if host.trim().is_empty() {
        anyhow::bail!("a host needs a name, and --host is blank");
    }
    Ok(host)
}

/// The name of a host becomes the name of a file, so it must be one.
fn default_output(host: &str) -> anyhow::Result<PathBuf> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if !host.chars().all(is_plain) || host.starts_with('.') {
        anyhow::bail!("{host:?} cannot be the name of a file; give one with --output");
    }
    Ok(Path::new(DIRECTORY).join(format!("{host}.json")))
}

#[cfg(test)]
mod tests {
    use ocird_model::UseKind;

    use super::*;

    fn args(projects: &[&Path], engines: &[&Path], output: &Path) -> CollectArgs {
        let owned = |paths: &[&Path]| paths.iter().map(|path| path.to_path_buf()).collect::<Vec<_>>();
        CollectArgs {
            output: Some(output.to_owned()),
            host: Some("milan-1".to_owned()),
            engines: owned(engines),
            no_engine: engines.is_empty(),
            projects: owned(projects),
        }
    }

    #[tokio::test]
    async fn what_compose_pins_is_written_with_time_and_host() {
        let directory = tempfile::tempdir().unwrap();
        let (compose, output) = (directory.path().join("compose.yaml"), directory.path().join("out.json"));
        std::fs::write(&compose, "name: mgh\nservices:\n  docs: {image: lin.ocir.io/ns/mgh-docs:v1}\n")
            .unwrap();
        let before = SystemClock::new().now();
        collect(args(&[&compose], &[], &output)).await.ok().unwrap();
        let written = file::read(&output).unwrap();
        assert!(written.complete && written.host == "milan-1" && written.written_at >= before);
        let by = "compose project mgh, service docs".to_owned();
        let image = "lin.ocir.io/ns/mgh-docs:v1".to_owned();
        assert_eq!(written.references, [Mention { image, digest: None, by, kind: UseKind::Running }]);
    }

    #[tokio::test]
    async fn a_part_that_cannot_be_asked_leaves_the_old_file() {
        let directory = tempfile::tempdir().unwrap();
        let (compose, output) = (directory.path().join("compose.yaml"), directory.path().join("out.json"));
        std::fs::write(&output, "the old file").unwrap();
        std::fs::write(&compose, "services:\n  docs: {image: \"docs:${TAG_THAT_NOBODY_SETS}\"}\n").unwrap();
        assert!(collect(args(&[&compose], &[], &output)).await.is_err());
        std::fs::write(&compose, "services: {}\n").unwrap();
        let nobody = directory.path().join("no.sock");
        assert!(collect(args(&[&compose], &[&nobody], &output)).await.is_err());
        assert_eq!(std::fs::read_to_string(&output).unwrap(), "the old file");
    }

    #[test]
    fn a_host_without_a_name_is_refused() {
        assert_eq!(named("milan-1".to_owned()).unwrap(), "milan-1");
        assert!(named(" ".to_owned()).is_err());
    }

    #[test]
    fn a_host_name_that_is_no_file_name_is_refused() {
        assert!(default_output("milan-1.example").is_ok());
        for name in ["../x", "a/b", ".hidden", "a b"] {
            assert!(default_output(name).is_err(), "{name}");
        }
    }
}
