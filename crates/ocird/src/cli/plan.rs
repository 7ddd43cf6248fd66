//! `ocird plan`: one survey, shown. There is no writer anywhere near it.

use std::fmt::{self, Write as _};
use std::process::ExitCode;

use ocird_model::{Pattern, Plan, RepositoryName};

use crate::cli::at::At;
use crate::cli::look::Look;
use crate::cli::{Failure, print};
use crate::config::{self, Config};
use crate::in_use::shown;
use crate::json;
use crate::plan_table::PlanTable;
use crate::plan_table::document::ImageRow;
use crate::terminal::one_line;

/// The width of the table: what every terminal shows.
const WIDTH: u16 = 80;

/// What of the plan is shown, and how.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PlanArgs {
    /// One JSON document with every image.
    #[arg(long)]
    json: bool,
    /// List every image, not only sums.
    #[arg(long)]
    images: bool,
    /// Show only the repositories whose names match; usage is still that of all.
    #[arg(long, value_name = "GLOB")]
    repository: Option<Pattern>,
    /// Plan for a later moment, such as 2026-12-01 or +7d. What runs now is taken to run then.
    #[arg(long, value_name = "TIME")]
    at: Option<At>,
}

/// Looks, decides and prints.
pub(crate) async fn plan(config: Config, args: PlanArgs) -> Result<ExitCode, Failure> {
    let look = Look::at_everything(config, args.at).await?;
    if let Some(glob) = &args.repository
        && !look.inventory.repositories.keys().any(|name| glob.matches(name.as_str()))
    {
        let names: Vec<&str> = look.inventory.repositories.keys().map(RepositoryName::as_str).collect();
        return Err(anyhow::anyhow!("no repository matches {glob}; there are {}", names.join(", ")).into());
    }
    let plan = look.plan(&look.config.policies)?;
    let table = PlanTable::new(&plan, &look.inventory, WIDTH).only(args.repository.as_ref());
    if args.json {
        return Ok(print(&json::document(&table.document(&look.in_use))?));
    }
    let table = table.painted(config::paint());
    Ok(print(&pages(&look, &plan, &table, args.images)?))
}

fn pages(look: &Look, plan: &Plan, table: &PlanTable<'_>, images: bool) -> Result<String, fmt::Error> {
    let mut text = String::new();
    if let Some(assumption) = look.assumption() {
        writeln!(text, "{assumption}\n")?;
    }
    write!(text, "{table}")?;
    if images {
        writeln!(text)?;
        for row in table.images() {
            writeln!(text, "{}", line(&row))?;
        }
        writeln!(text)?;
        for (repository, uses) in look.in_use.all().filter(|(name, _)| table.shows(name.as_str())) {
            for used in uses {
                writeln!(text, "in use: {}", shown::line(repository, used))?;
            }
        }
    }
    for (repositories, why) in look.in_use.doubts() {
        writeln!(text, "what runs from {repositories} is not known: {}", one_line(why))?;
    }
    if plan.repositories.is_empty() {
        writeln!(text, "there is no repository in the compartments of [oci]")?;
    }
    Ok(text)
}

/// One image. Its digest is as short as people and tables write it; the JSON has all of it.
fn line(row: &ImageRow) -> String {
    let ImageRow { repository, digest, tags, verdict, reason, .. } = row;
    let digest: String = digest.trim_start_matches("sha256:").chars().take(12).collect();
    let tags = if tags.is_empty() { "untagged".to_owned() } else { tags.join(", ") };
    // A reason quotes what a host says of itself.
    one_line(&format!("{repository} {digest} ({tags}) {verdict}: {reason}"))
}
