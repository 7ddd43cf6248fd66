//! `ocird reset`: clears breaker and freeze, and says what it cleared. It does not lift a pause.

use std::process::ExitCode;

use ocird_model::Clock as _;

use crate::cli::Failure;
use crate::cli::operate::{daemon, print_control, unanswered};
use crate::clock::SystemClock;
use crate::config::Config;

/// How it is shown.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ResetArgs {
    /// One JSON document.
    #[arg(long)]
    json: bool,
}

/// Has the daemon clear what only a person may clear.
pub(crate) async fn reset(config: &Config, args: ResetArgs) -> Result<ExitCode, Failure> {
    let answered = daemon(config).post("/v1/reset", &()).await;
    let answer = answered.map_err(|error| unanswered(config, error))?;
    print_control(&answer, SystemClock::new().now(), args.json)
}
