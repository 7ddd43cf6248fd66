//! `ocird usage`: what is in use, how that grew, when the lines of `[findings]` are reached, and what deletions have freed and
//! saved; out of the store. What the present plan would free the daemon says, while it runs.

mod document;
mod page;

use std::process::ExitCode;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Bytes, Clock, RepositoryName};
use ocird_store::{Past, Step, UsageOf, UsageStep};
use serde::Deserialize;

use self::document::{Document, RepositoryUsage};
use crate::cli::remembered::{Form, Since, known, past, repositories};
use crate::cli::status::{fetch, reachable};
use crate::cli::{Failure, print};
use crate::clock::SystemClock;
use crate::config::{self, Config};
use crate::csv::{self, Cell};
use crate::json;
use crate::outlook::{Aim, Outlook, outlook};

/// Of every repository the curve of so many days is drawn.
const SMALL_CURVE: TimeDelta = TimeDelta::days(30);

/// What of usage is shown, and how.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct UsageArgs {
    /// Of this repository; of everything that is watched if it is left out.
    repository: Option<RepositoryName>,
    /// From then on, such as 30d or 2026-11-01.
    #[arg(long, value_name = "TIME", default_value = "60d")]
    since: Since,
    /// One point for each day, or each hour of the last year, or each sample of the last 30 days.
    #[arg(long, value_enum, default_value_t = Every::Day)]
    every: Every,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Every {
    Sample,
    Hour,
    Day,
}

/// Of the daemon's status, what a plan would free.
#[derive(Debug, Deserialize)]
struct Answer {
    repositories: std::collections::BTreeMap<RepositoryName, Repository>,
}

#[derive(Debug, Deserialize)]
struct Repository {
    freeable: Option<Bytes>,
}

/// Reads and prints.
pub(crate) async fn usage(config: &Config, args: UsageArgs) -> Result<ExitCode, Failure> {
    let now = SystemClock::new().now();
    let past = past(config).await?;
    let of = match args.repository {
        Some(name) => {
            known(&past, &name).await?;
            UsageOf::Repository(name)
        }
        None => UsageOf::Everything,
    };
    let step = args.every.step();
    let since = args.since.instant(now);
    let points = past.usage(&of, step, since..now).await.map_err(Failure::unavailable)?;
    if args.form.csv {
        return Ok(print(&table(&points)));
    }
    let document = document(config, &past, &of, points, now).await?;
    if args.form.json {
        return Ok(print(&json::document(&document)?));
    }
    Ok(print(&page::page(&document, config::paint())))
}

async fn document(
    config: &Config,
    past: &Past,
    of: &UsageOf,
    points: Vec<UsageStep>,
    now: DateTime<Utc>,
) -> Result<Document, Failure> {
    let of_repository = match of {
        UsageOf::Everything => None,
        UsageOf::Repository(name) => Some(name),
    };
    let aim = Aim {
        repository: of_repository.cloned(),
        lines: [config.findings.warn_at, config.findings.budget].into_iter().flatten().collect(),
        plan_frees: plan_frees(config, of_repository).await,
        price: config.price.as_ref(),
        now,
    };
    let outlook = outlook(past, aim).await.map_err(Failure::unavailable)?;
    let repositories = match of_repository {
        None => by_repository(past, now).await?,
        Some(_) => Vec::new(),
    };
    let Outlook { at, repository, latest, forecast, deleted, savings } = outlook;
    let latest = latest.or(points.last().copied());
    Ok(Document {
        schema: document::SCHEMA,
        at,
        repository,
        latest,
        forecast,
        deleted,
        savings,
        repositories,
        points,
    })
}

async fn by_repository(past: &Past, now: DateTime<Utc>) -> Result<Vec<RepositoryUsage>, Failure> {
    let mut all = Vec::new();
    for name in repositories(past).await? {
        let of = UsageOf::Repository(name.clone());
        let days = past.usage(&of, Step::Day, now - SMALL_CURVE..now).await.map_err(Failure::unavailable)?;
        let latest = days.last();
        all.push(RepositoryUsage {
            size: latest.and_then(|latest| latest.size),
            n_images: latest.map_or(0, |latest| latest.n_images),
            n_tags: latest.map_or(0, |latest| latest.n_tags),
            days: days.iter().map(|day| day.size).collect(),
            name,
        });
    }
    all.sort_by(|a, b| (b.size, &a.name).cmp(&(a.size, &b.name)));
    Ok(all)
}

/// What the present plan would free, by the running daemon; `None` where there is none, or where it does not know.
async fn plan_frees(config: &Config, of: Option<&RepositoryName>) -> Option<Bytes> {
    let url = format!("http://{}/api/v1/status", reachable(config.http.listen));
    let answer: Answer = serde_json::from_str(&fetch(&url).await.ok()?).ok()?;
    let wanted = answer.repositories.iter().filter(|(name, _)| of.is_none_or(|of| of == *name));
    wanted.map(|(_, repository)| repository.freeable).sum()
}

fn table(points: &[UsageStep]) -> String {
    let row = |step: &UsageStep| {
        let UsageStep { at, size, peak, grown, freed, reported_size, n_images, n_tags } = step;
        let bytes = |size: &Option<Bytes>| Cell::optional(size.map(|Bytes(n)| n));
        [
            Cell::text(at.to_rfc3339()),
            bytes(size),
            bytes(peak),
            Cell::Number(grown.0),
            Cell::Number(freed.0),
            bytes(reported_size),
            Cell::Number(*n_images),
            Cell::Number(*n_tags),
        ]
    };
    let names = ["at", "size", "peak", "grown", "freed", "reported_size", "n_images", "n_tags"];
    csv::table(names, points.iter().map(row))
}

impl Every {
    const fn step(self) -> Step {
        match self {
            Self::Sample => Step::Sample,
            Self::Hour => Step::Hour,
            Self::Day => Step::Day,
        }
    }
}
