//! The command line. Data goes to standard output, everything else to standard error.

mod approve;
mod at;
mod check;
mod collect;
mod completions;
mod doctor;
mod explain;
mod findings;
mod grid;
mod history;
mod hold;
mod images;
mod look;
mod man;
mod operate;
mod pause;
mod pending;
mod plan;
mod plot;
mod pull_secret;
mod remembered;
mod reset;
mod restore;
mod run;
mod sheet;
mod status;
mod usage;
mod version;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::credential::{self, Verb};
use crate::terminal::harmless;
use crate::{config, core_dump};
use ocird_model::ErrorChain;

pub use run::{Assembled, assemble};

/// Where the configuration is looked for when neither the command line nor `OCIRD_CONFIG` says.
pub(crate) const DEFAULT_CONFIG: &str = "/etc/ocird/ocird.toml";

/// The exit codes, documented in `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything went well.
    Ok = 0,
    /// Something failed; the message says what.
    Failed = 1,
    /// The command line asks for something that makes no sense.
    Usage = 2,
    /// The daemon or the cloud cannot be reached.
    Unavailable = 69,
    /// Whoever asks may not.
    Denied = 77,
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
  77  the daemon does not take commands from this user
  78  the configuration or a policy is wrong

Examples:
  ocird check                    list every problem of the configuration
  ocird doctor                   try step by step what works, and say what to do
  ocird plan                     show what would go, and why
  ocird explain app:v1           show every rule and what it said of one image
  ocird check --diff NEW.d       show what other policies would decide otherwise
  ocird run --once               one pass, then the status
  ocird usage                    what is in use, and when the budget is reached
  ocird history --since 7d       what happened in a week
  ocird pending                  what goes when, and what waits for approval
  ocird pause --why 'a deploy'   delete nothing until `ocird resume`
  curl -s localhost:6247/status  what the daemon does now";

const CONFIG_HELP: &str = "The configuration file [default: $OCIRD_CONFIG, /etc/ocird/ocird.toml]";

/// Keeps Oracle's container registry in order by written policy, and deletes nothing else.
#[derive(Debug, Parser)]
#[command(name = "ocird", version = version::LONG.as_str(), after_help = AFTER_HELP, max_term_width = 80)]
struct Args {
    #[arg(long, short, global = true, value_name = "FILE", help = CONFIG_HELP)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon: passes by schedule, pages over HTTP.
    Run {
        /// Make one pass, print the status, and end. Deletes what is due if the configuration is armed.
        ///
        /// The first pass after a gap of three intervals only observes, and the interval is that of `schedule.observe`: where
        /// a timer of your own makes the passes, let `schedule.observe` say its times. Under the default of every quarter of
        /// an hour a daily pass would only ever observe.
        #[arg(long)]
        once: bool,
    },
    /// Show what would go, and why. Writes and deletes nothing.
    Plan(plan::PlanArgs),
    /// Show what every rule said of one image, and when it would go.
    Explain(explain::ExplainArgs),
    /// List every problem of configuration and policies; without the cloud, unless it is told to look.
    Check(check::CheckArgs),
    /// Show what the running daemon does, did and will do.
    Status {
        /// The whole status as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what is in use, how it grows, and when the budget is reached.
    Usage(usage::UsageArgs),
    /// Show what happened, newest first.
    History(history::HistoryArgs),
    /// Show the images of a repository, with what was decided about each.
    Images(images::ImagesArgs),
    /// Show what is odd, since when, and what to do; from the store while no daemon runs.
    Findings {
        /// Every finding as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what is selected, when it may go, and what waits for an approval.
    Pending(pending::PendingArgs),
    /// Approve a plan that was refused as too much at once, after showing it.
    Approve(approve::ApproveArgs),
    /// Delete nothing until `resume`; works without a daemon, too.
    Pause(pause::PauseArgs),
    /// Lift a pause, and nothing else.
    Resume(pause::ResumeArgs),
    /// Clear breaker and freeze, and say what was cleared.
    Reset(reset::ResetArgs),
    /// Keep an image by hand, whatever the rules say; --list shows every hold.
    Hold(hold::HoldArgs),
    /// Release what is held by hand.
    Release(hold::ReleaseArgs),
    /// Bring back what was deleted within the last 48 hours; --list shows what can be.
    Restore(restore::RestoreArgs),
    /// Try step by step what works, and say what to do. Changes nothing.
    Doctor {
        /// One JSON document with every step.
        #[arg(long)]
        json: bool,
    },
    /// Write down what this host runs, for the daemon here or elsewhere.
    #[command(long_about = COLLECT_HELP)]
    Collect(collect::CollectArgs),
    /// Log in to the registry: Docker's credential helper.
    #[command(long_about = CREDENTIAL_HELP)]
    Credential {
        #[command(subcommand)]
        verb: CredentialVerb,
    },
    /// Print completions for a shell.
    Completions(completions::CompletionsArgs),
    /// Print the manual page, in the format of man(7).
    Man(man::ManArgs),
    /// Print version, revision and processor.
    Version {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

const COLLECT_HELP: &str = "\
Write down what this host runs, for a daemon here or elsewhere. For a timer of root's.

Asks the container engine (Docker's or Podman, over its Unix socket) for every \
container, running or not, and compose files for the images they pin, and writes \
one reference file with its time and host: whole, or not at all. What it could \
not ask it does not leave out: it fails, and the file that is there grows old.

It reads no configuration, signs in nowhere and speaks to no network. Variables \
of compose files come from its own environment and from the .env beside them.";

const CREDENTIAL_HELP: &str = "\
Log in to the registry: the credential helper of Docker, podman and skopeo.

As a helper it is called docker-credential-ocir, a link to ocird on the PATH, and \
chosen for each host in ~/.docker/config.json:

    {\"credHelpers\": {\"fra.ocir.io\": \"ocir\"}}

It answers for the registries of Oracle's regions and for [oci.endpoints] registry, \
for nobody else. Of the configuration it reads [oci] only: the file of --config or \
OCIRD_CONFIG, else /etc/ocird/ocird.toml if it may be read, else none.

It keeps registry tokens, and nothing else, in $OCIRD_CACHE_DIR, \
$XDG_CACHE_HOME/ocird or ~/.cache/ocird. OCIRD_IGNORE_CREDS_STORAGE=true lets \
`store` succeed; nothing is stored all the same.";

#[derive(Debug, Clone, Subcommand)]
enum CredentialVerb {
    /// Print the login of the registry on standard input, as JSON.
    Get,
    /// Refuse to store a login: none is needed.
    Store,
    /// Forget the token of the registry on standard input.
    Erase,
    /// List the registries of which a token is kept.
    List,
    /// Print what this is.
    Version,
    /// Print a password for `docker login -u BEARER_TOKEN --password-stdin HOST`.
    Login {
        /// The registry, such as fra.ocir.io; that of the region if it is left out.
        host: Option<String>,
    },
    /// Print pull secrets for Kubernetes, or keep them fresh in the cluster.
    #[command(long_about = PULL_SECRET_HELP)]
    PullSecret(pull_secret::PullSecretArgs),
}

const PULL_SECRET_HELP: &str = "\
Make a registry token into pull secrets for Kubernetes. No auth token is stored.

Printed, they are for `kubectl apply --server-side -f -` and end with the token, \
after about an hour. With --apply they go into the cluster, each by one \
server-side apply, and with --every ocird stays and renews them:

    ocird credential pull-secret --namespaces dev,prod --name ocir \\
        --apply --every 30m

It signs in as the rest of ocird does, and asks the cluster as the service \
account of its pod or by --kubeconfig. The rights it needs, and a Deployment, \
are in deploy/kubernetes. Each secret says by annotations who made it, when, and \
when it ends (ocird/expires-at). A namespace that refuses it is said and tried \
again; a token near its end that cannot be renewed is an error in the log.";

/// Runs the program, or the credential helper if it is called by that name.
pub fn main() -> ExitCode {
    core_dump::forbid();
    let mut arguments = std::env::args_os();
    let called = arguments.next().unwrap_or_default();
    if Path::new(&called).file_name().is_some_and(|name| name == credential::PROGRAM) {
        return helper(&arguments.collect::<Vec<_>>());
    }
    let Args { config, command } = Args::parse();
    match command {
        Command::Version { json } => print(&version::render(json)),
        Command::Credential { verb: CredentialVerb::PullSecret(args) } => {
            in_runtime(async { ended(pull_secret::pull_secret(args, config.as_deref()).await) })
        }
        Command::Completions(args) => completions::completions(&mut Args::command(), &args),
        Command::Man(args) => ended(man::man(Args::command(), &args)),
        Command::Credential { verb } => credential(verb, config.as_deref()),
        Command::Collect(args) => in_runtime(async { ended(collect::collect(args).await) }),
        command => in_runtime(dispatch(config_file(config), command)),
    }
}

/// One verb and nothing else, as the protocol has it.
fn helper(arguments: &[OsString]) -> ExitCode {
    let [verb] = arguments else {
        return refused(&credential::usage());
    };
    match verb.to_str().map(|verb| (verb, Verb::named(verb))) {
        Some((_, Some(verb))) => credential::answer(verb, None),
        Some(("--help" | "-h", None)) => print(&credential::usage()),
        _ => refused(&credential::usage()),
    }
}

fn credential(verb: CredentialVerb, config: Option<&Path>) -> ExitCode {
    let verb = match verb {
        CredentialVerb::Login { host } => return credential::login(host.as_deref(), config),
        CredentialVerb::Get => Verb::Get,
        CredentialVerb::Store => Verb::Store,
        CredentialVerb::Erase => Verb::Erase,
        CredentialVerb::List => Verb::List,
        CredentialVerb::Version => Verb::Version,
        CredentialVerb::PullSecret(_) => unreachable!("answered above"),
    };
    credential::answer(verb, config)
}

fn config_file(named: Option<PathBuf>) -> PathBuf {
    named.or_else(config::config_file).unwrap_or_else(|| DEFAULT_CONFIG.into())
}

fn in_runtime(command: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => say(&format!("the runtime cannot start: {error}"), Exit::Failed),
    }
}

async fn dispatch(path: PathBuf, command: Command) -> ExitCode {
    let config = config::load(&path);
    if let Command::Doctor { json } = command {
        return doctor::doctor(&path, config, json).await;
    }
    if let Command::Check(args) = command {
        return ended(Box::pin(check::check(config, args)).await);
    }
    let config = match config {
        Ok(config) => config,
        Err(problems) => return say(&problems.to_string(), Exit::Config),
    };
    ended(match command {
        // On the heap: it holds the whole daemon.
        Command::Run { once } => Box::pin(run::run(config, once)).await,
        Command::Plan(args) => plan::plan(config, args).await,
        Command::Explain(args) => explain::explain(config, args).await,
        Command::Status { json } => Ok(status::status(&config, json).await),
        Command::Usage(args) => usage::usage(&config, args).await,
        Command::History(args) => history::history(&config, args).await,
        Command::Images(args) => images::images(&config, args).await,
        Command::Findings { json } => findings::findings(&config, json).await,
        Command::Pending(args) => pending::pending(&config, args).await,
        Command::Approve(args) => approve::approve(&config, args).await,
        Command::Pause(args) => pause::pause(&config, args).await,
        Command::Resume(args) => pause::resume(&config, args).await,
        Command::Reset(args) => reset::reset(&config, args).await,
        Command::Hold(args) => hold::hold(&config, args).await,
        Command::Release(args) => hold::release(&config, args).await,
        Command::Restore(args) => restore::restore(&config, args).await,
        Command::Check(_)
        | Command::Collect(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::Doctor { json: _ }
        | Command::Credential { verb: _ }
        | Command::Version { json: _ } => {
            unreachable!("answered above")
        }
    })
}

fn ended(ended: Result<ExitCode, Failure>) -> ExitCode {
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

    /// A command line that makes no sense.
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Usage, error: error.into() }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { exit: Exit::Failed, error: error.into() }
    }
}

/// Writes data to standard output, made harmless for a terminal. A reader that has gone away is no failure.
pub(crate) fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(harmless(text).as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Exit::Failed.into(),
        Ok(()) | Err(_) => Exit::Ok.into(),
    }
}

/// Writes an answer that somebody waits for to standard output: that nobody is there any more is a failure.
pub(crate) fn deliver(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Exit::Ok.into(),
        Err(_) => Exit::Failed.into(),
    }
}

/// An answer that is a refusal.
fn refused(text: &str) -> ExitCode {
    deliver(text);
    Exit::Failed.into()
}

/// Writes a message to standard error, made harmless for a terminal, and answers with the code.
pub(crate) fn say(text: &str, exit: Exit) -> ExitCode {
    // A closed standard error leaves nobody to tell.
    drop(writeln!(io::stderr().lock(), "{}", harmless(text.trim_end())));
    exit.into()
}
