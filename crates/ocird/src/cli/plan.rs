//! `ocird plan`: one survey, shown. There is no writer anywhere near it.

use std::fmt::{self, Write as _};
use std::process::ExitCode;

use ocird_model::Clock;
use serde::Serialize;

use crate::cli::{Exit, Failure, print, say};
use crate::clock::SystemClock;
use crate::cloud;
use crate::config::Config;
use crate::pass::{Decided, Purpose, Survey};
use crate::plan_table::{PlanRow, PlanTable};
use ocird_model::ErrorChain;

/// The version of the JSON document. It grows when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

/// The width of the table: what every terminal shows.
const WIDTH: u16 = 80;

/// Looks, decides and prints.
pub(crate) async fn plan(config: Config, json: bool, images: bool) -> Result<ExitCode, Failure> {
    let clock = SystemClock::new();
    let oci = cloud::client(&config.oci, clock)?;
    let now = clock.now();
    let mut survey = Survey::new(config, oci);
    let store = match survey.consult_store().await {
        Ok(true) => None,
        Ok(false) => Some("made without a store: there is none yet, so everything was read anew".to_owned()),
        Err(error) => Some(format!("made without the store, which cannot be read: {}", ErrorChain(&error))),
    };
    if let Some(note) = store {
        say(&note, Exit::Ok);
    }
    let decided = survey.decide(Purpose::Observe, now, &clock).await.map_err(Failure::unavailable)?;
    Ok(print(&if json { document(&decided)? } else { pages(&decided, images)? }))
}

/// Every image and what was decided about it, for programs.
#[derive(Debug, Serialize)]
struct Document {
    schema: u32,
    at: chrono::DateTime<chrono::Utc>,
    images: Vec<PlanRow>,
    undecided: Vec<String>,
}

fn document(decided: &Decided) -> serde_json::Result<String> {
    let plan = decided.checked.plan();
    let table = PlanTable { plan, inventory: &decided.inventory, width: WIDTH };
    let undecided = decided.inventory.repositories.iter().filter(|(_, state)| state.complete().is_none());
    let undecided = undecided.map(|(name, _)| name.to_string()).collect();
    let document = Document { schema: SCHEMA, at: plan.at, images: table.rows(), undecided };
    Ok(format!("{}\n", serde_json::to_string_pretty(&document)?))
}

fn pages(decided: &Decided, images: bool) -> Result<String, fmt::Error> {
    let table = PlanTable { plan: decided.checked.plan(), inventory: &decided.inventory, width: WIDTH };
    let mut text: String = table.to_string().lines().flat_map(|line| [line.trim_end(), "\n"]).collect();
    if images {
        writeln!(text)?;
        for row in table.rows() {
            writeln!(text, "{}", line(&row))?;
        }
    }
    for (repositories, why) in decided.gathered.in_use.doubts() {
        writeln!(text, "what runs from {repositories} is not known: {why}")?;
    }
    Ok(text)
}

/// One image. Its digest is as short as people and tables write it; the JSON has all of it.
fn line(row: &PlanRow) -> String {
    let PlanRow { repository, digest, tags, verdict, code: _, reason, newest_time: _, size: _ } = row;
    let digest: String = digest.trim_start_matches("sha256:").chars().take(12).collect();
    let tags = if tags.is_empty() { "untagged".to_owned() } else { tags.join(", ") };
    format!("{repository} {digest} ({tags}) {verdict}: {reason}")
}
