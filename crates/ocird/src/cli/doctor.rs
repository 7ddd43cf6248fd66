//! `ocird doctor`: the examination, shown.

use std::path::Path;
use std::process::ExitCode;

use crate::cli::{Exit, print};
use crate::clock::SystemClock;
use crate::config::{Config, Problems};
use crate::doctor::examine;

/// Tries everything and prints what was found. It went well when all of it is well.
pub(crate) async fn doctor(path: &Path, config: Result<Config, Problems>, json: bool) -> ExitCode {
    let report = examine(path, config, SystemClock::new()).await;
    let printed = print(&if json { report.to_json() } else { report.to_string() });
    if report.is_ok() { printed } else { Exit::Failed.into() }
}
