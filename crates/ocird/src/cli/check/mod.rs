//! `ocird check`: configuration and policies, offline unless `--registry` or `--diff` asks for a look. Problems were listed
//! by the load; what is left to say is what was understood, and what is allowed but probably not meant.

mod diff;
mod document;
mod registry;
mod summary;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::look::Look;
use crate::cli::{Exit, Failure, print, say};
use crate::config::{self, Config, Problems};
use crate::terminal::one_line;

use self::document::Document;
use self::registry::Review;

/// What is checked, and how it is told.
#[derive(Debug, Clone, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct CheckArgs {
    /// Look at the registry too: what each rule matches now, and what is odd about that.
    #[arg(long, conflicts_with = "diff")]
    registry: bool,
    /// A warning is an error: exit code 1.
    #[arg(long)]
    strict: bool,
    /// Show which images another configuration file or directory of policies decides otherwise.
    #[arg(long, value_name = "OTHER")]
    diff: Option<PathBuf>,
    /// With --diff: exit code 1 when any image does.
    #[arg(long, requires = "diff")]
    exit_code: bool,
    /// One JSON document.
    #[arg(long)]
    json: bool,
}

/// Checks what was loaded, or says what is wrong with it.
pub(crate) async fn check(config: Result<Config, Problems>, args: CheckArgs) -> Result<ExitCode, Failure> {
    let config = match config {
        Ok(config) => config,
        Err(problems) => return refused(&problems, args.json),
    };
    if let Some(other) = &args.diff {
        return diff::diff(config, other, &args).await;
    }
    let review = if args.registry {
        let look = Look::at_everything(config.clone(), None).await?;
        Some(Review::of(&look)?)
    } else {
        None
    };
    if args.json {
        let document = Document::of(&config, review.as_ref());
        print(&document.to_json()?);
    } else {
        for warning in &config.warnings {
            say(&format!("warning: {warning}\n"), Exit::Ok);
        }
        for warning in review.iter().flat_map(|review| &review.warnings) {
            say(&format!("warning: {}\n", one_line(warning)), Exit::Ok);
        }
        let matches = review.as_ref().map(|review| summary::matches(review, config::paint()));
        print(&format!("{}{}", summary::summary(&config), matches.unwrap_or_default()));
    }
    let n_warnings = config.warnings.len() + review.map_or(0, |review| review.warnings.len());
    let is_bad = args.strict && n_warnings > 0;
    Ok(if is_bad { Exit::Failed } else { Exit::Ok }.into())
}

/// Says what is wrong, where it belongs.
fn refused(problems: &Problems, json: bool) -> Result<ExitCode, Failure> {
    if json {
        print(&Document::refused(problems).to_json()?);
        return Ok(Exit::Config.into());
    }
    Ok(say(&problems.to_string(), Exit::Config))
}
