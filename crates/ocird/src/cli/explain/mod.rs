//! `ocird explain`: what the planner says about one image, and when it would go.

mod find;
mod sections;
mod words;

use std::collections::BTreeMap;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, Image, ImageId, Mark, MarkKey, Repository, Tag};
use ocird_plan::Explanation;
use serde::Serialize;

use crate::cli::at::At;
use crate::cli::look::Look;
use crate::cli::sheet::Sheet;
use crate::cli::{Failure, print};
use crate::config::{self, Config};
use crate::json;
use crate::plan_table::document::size;

/// The version of the JSON document. It grows when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

/// Which image, and how it is shown.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ExplainArgs {
    /// Such as app:v1, app@sha256:1234 (some digits are enough), a whole reference, or an OCID.
    image: String,
    /// Explain a later moment, such as 2026-12-01 or +7d. What runs now is taken to run then.
    #[arg(long, value_name = "TIME")]
    at: Option<At>,
    /// One JSON document.
    #[arg(long)]
    json: bool,
}

/// An image with everything that is said of it.
pub(super) struct Explained<'a> {
    look: &'a Look,
    repository: &'a Repository,
    image: &'a Image,
    explanation: Explanation,
}

/// Looks, explains and prints.
pub(crate) async fn explain(config: Config, args: ExplainArgs) -> Result<ExitCode, Failure> {
    let look = Look::at_everything(config, args.at).await?;
    // What breaks a rule is not explained away.
    look.plan(&look.config.policies)?;
    let (repository, image) = find::find(&args.image, &look.inventory, look.folder.as_ref())?;
    let policies = &look.config.policies;
    let explanation = ocird_plan::explain(
        &look.inventory,
        policies,
        &look.in_use,
        look.at,
        &repository.name,
        &image.digest,
    );
    let explanation = explanation.ok_or_else(|| anyhow::anyhow!("the image is no longer there"))?;
    let explained = Explained { look: &look, repository, image, explanation };
    if args.json {
        return Ok(print(&json::document(&Document::of(&explained))?));
    }
    let mut sheet = Sheet::new(config::paint());
    sections::write(&explained, &mut sheet);
    Ok(print(&sheet.finish()))
}

/// The explanation for programs.
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: u32,
    at: DateTime<Utc>,
    looked_at: DateTime<Utc>,
    id: &'a ImageId,
    tags: &'a BTreeMap<Tag, Option<DateTime<Utc>>>,
    created_at: Option<DateTime<Utc>>,
    first_seen_at: Option<DateTime<Utc>>,
    last_pulled_at: Option<DateTime<Utc>>,
    size: Bytes,
    /// The mark of its family; null without one, or without a store.
    mark: Option<&'a Mark>,
    explanation: &'a Explanation,
}

impl<'a> Document<'a> {
    fn of(explained: &'a Explained<'_>) -> Self {
        let Explained { look, repository, image, explanation } = explained;
        let head = explanation.head.as_ref().map_or(image.digest, |head| head.digest);
        let key = MarkKey { repository: repository.id.clone(), head };
        Self {
            schema: SCHEMA,
            at: look.at,
            looked_at: look.inventory.taken_at,
            id: &image.id,
            tags: &image.tags,
            created_at: image.created_at,
            first_seen_at: image.first_seen_at,
            last_pulled_at: image.last_pulled_at,
            size: size(image),
            mark: look.marks.as_ref().and_then(|marks| marks.get(&key)),
            explanation,
        }
    }
}
