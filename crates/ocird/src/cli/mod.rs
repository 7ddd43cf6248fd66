//! The command line. Data goes to standard output, everything else to standard error.

mod check;
mod plan;
mod run;
mod status;
mod version;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config;
use ocird_model::ErrorChain;

pub use run::{Assembled, assemble};

/// Where the configuration is looked for.
const DEFAULT_CONFIG: &str = "/etc/ocird/ocird.toml";

/// The exit codes, documented in `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything went well.
    Ok = 0,
    /// Something failed; the message says what.
    Failed = 1,
    /// The daemon or the cloud cannot be reached.
    Unavailable = 69,
    /// The configuration or a policy is wrong. systemd does not start the daemon again for it.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

const AFTER_HELP: &str = "\
Exit codes:
   0  it went well
   1  it failed; the message says why
   2  wrong usage
  69  the daemon or the cloud cannot be reached
  78  the configuration or a policy is wrong

Examples:
  ocird check                    list every problem of the configuration
  ocird plan                     show what would go, and why
  ocird run --once               one pass, then the status
  curl -s localhost:6247/status  what the daemon does now";

/// Keeps Oracle's container registry in order by written policy, and deletes nothing else.
#[derive(Debug, Parser)]
#[command(name = "ocird", version = version::LONG.as_str(), after_help = AFTER_HELP, max_term_width = 80)]
struct Args {
    /// The configuration file.
    #[arg(long, short, global = true, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon: passes by schedule, pages over HTTP.
    Run {
        /// Make one pass, print the status, and end. Deletes what is due if the configuration is armed.
        #[arg(long)]
        once: bool,
    },
    /// Show what would go, and why. Writes and deletes nothing.
    Plan {
        /// One JSON document with every image.
        #[arg(long)]
        json: bool,
        /// List every image, not only sums.
        #[arg(long)]
        images: bool,
    },
    /// List every problem of configuration and policies, without the cloud.
    Check,
    /// Show what the running daemon does, did and will do.
    Status {
        /// The whole status as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print version, revision and processor.
    Version {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the program.
pub fn main() -> ExitCode {
    let Args { config, command } = Args::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return say(&format!("the runtime cannot start: {error}"), Exit::Failed),
    };
    runtime.block_on(dispatch(config, command))
}

async fn dispatch(path: PathBuf, command: Command) -> ExitCode {
    if let Command::Version { json } = command {
        return print(&version::render(json));
    }
    let config = match config::load(&path) {
        Ok(config) => config,
        Err(problems) => return say(&problems.to_string(), Exit::Config),
    };
    let ended = match command {
        Command::Run { once } => run::run(config, once).await,
        Command::Plan { json, images } => plan::plan(config, json, images).await,
        Command::Check => Ok(check::check(&config)),
        Command::Status { json } => Ok(status::status(&config, json).await),
        Command::Version { json: _ } => unreachable!("answered above"),
    };
    match ended {
        Ok(code) => code,
        Err(Failure { exit, error }) => say(&format!("ocird: {}", ErrorChain(error.as_ref())), exit),
    }
}

/// A command that failed, with the code it ends with.
pub(crate) struct Failure {
    exit: Exit,
    error: anyhow::Error,
}

impl Failure {
    /// A failure to reach the daemon or the cloud.
    pub(crate) fn unavailable(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Unavailable, error: error.into() }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { exit: Exit::Failed, error: error.into() }
    }
}

/// Writes data to standard output. A reader that has gone away is no failure.
pub(crate) fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Exit::Failed.into(),
        Ok(()) | Err(_) => Exit::Ok.into(),
    }
}

/// Writes a message to standard error and answers with the code.
pub(crate) fn say(text: &str, exit: Exit) -> ExitCode {
    // A closed standard error leaves nobody to tell.
    drop(writeln!(io::stderr().lock(), "{}", text.trim_end()));
    exit.into()
}
