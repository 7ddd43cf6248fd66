//! `ocird pause` and `ocird resume`: the kill switch. By the daemon where one answers, so that it is on record who did it;
//! without one by the file alone, because nothing may keep anybody from stopping deletion.

use std::io;
use std::process::ExitCode;

use ocird_model::Clock as _;

use crate::admin::wire::{Answer, ControlAnswer, InTheWay, PauseQuestion};
use crate::admin::{self, AskError};
use crate::cli::operate::{daemon, print_control, print_json, unanswered};
use crate::cli::{Exit, Failure, print, say};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::pass::gate::PAUSE_FILE;
use crate::pause;

/// Why, and how it is shown.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PauseArgs {
    /// Why, for whoever finds it paused.
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// One JSON document.
    #[arg(long)]
    json: bool,
}

/// How it is shown.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ResumeArgs {
    /// One JSON document.
    #[arg(long)]
    json: bool,
}

/// Stops deletion.
pub(crate) async fn pause(config: &Config, args: PauseArgs) -> Result<ExitCode, Failure> {
    let PauseArgs { why, json } = args;
    let now = SystemClock::new().now();
    match daemon(config).post("/v1/pause", &PauseQuestion { why: why.clone() }).await {
        Ok(answer) => print_control(&answer, now, json),
        Err(error) => alone(config, error, json, || {
            let by = admin::own_operator().to_string();
            let pausing = pause::pause(&config.state_dir, &by, why.as_deref(), now)?;
            Ok(admin::paused_in_words(&pausing))
        }),
    }
}

/// Lifts a pause, and nothing else.
pub(crate) async fn resume(config: &Config, args: ResumeArgs) -> Result<ExitCode, Failure> {
    match daemon(config).post("/v1/resume", &()).await {
        Ok(answer) => print_control(&answer, SystemClock::new().now(), args.json),
        Err(error) => alone(config, error, args.json, || {
            let lifted = pause::resume(&config.state_dir)?;
            Ok((lifted.is_some(), admin::lifted_in_words(lifted.as_deref())))
        }),
    }
}

/// Does it by the file, when no daemon answers, or one that hangs or is of another version does not.
fn alone(
    config: &Config,
    error: AskError,
    json: bool,
    work: impl FnOnce() -> io::Result<(bool, String)>,
) -> Result<ExitCode, Failure> {
    let why = match error {
        AskError::NoDaemon { socket: _, why: _ } | AskError::Foreign { source: _ } => error.to_string(),
        AskError::Denied { detail: _ } | AskError::Problem { detail: _ } => {
            return Err(unanswered(config, error));
        }
    };
    let (changed, done) = work().map_err(|source| {
        let path = config.state_dir.join(PAUSE_FILE);
        anyhow::Error::new(source).context(format!("{why}; and {} cannot be changed", path.display()))
    })?;
    if !json {
        say(&format!("{why}\nThis was done by the file alone, and is not on record."), Exit::Ok);
        return Ok(print(&format!("{done}\n")));
    }
    let answer = ControlAnswer { changed, done: vec![done], in_the_way: InTheWay::default() };
    print_json(&Answer { not_on_record: Some(why), ..Answer::new(answer) })
}
