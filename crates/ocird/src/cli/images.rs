//! `ocird images`: the images of one repository or of all, out of the store: tags, age, size, last pull, what uses each, and
//! what was decided about it last.

use std::collections::BTreeMap;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use ocird_model::{Clock, RepositoryName, Tag};
use ocird_store::{ImagesQuery, Page, Past, PastImage, StoredVerdict};
use serde::Serialize;

use crate::cli::grid::Grid;
use crate::cli::remembered::{Form, ago, known, past, repositories};
use crate::cli::{Failure, print};
use crate::clock::SystemClock;
use crate::config::{self, Config};
use crate::csv::{self, Cell};
use crate::json;
use crate::paint::Paint;

/// The shape of the JSON document; grows when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

/// Which images are shown, and how.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ImagesArgs {
    /// The repository; every repository if it is left out.
    repository: Option<RepositoryName>,
    /// Show the images that are gone instead.
    #[arg(long)]
    gone: bool,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: u32,
    repositories: &'a BTreeMap<RepositoryName, Vec<PastImage>>,
}

/// Reads and prints.
pub(crate) async fn images(config: &Config, args: ImagesArgs) -> Result<ExitCode, Failure> {
    let past = past(config).await?;
    let names = match args.repository {
        Some(name) => {
            known(&past, &name).await?;
            vec![name]
        }
        None => repositories(&past).await?,
    };
    let mut all = BTreeMap::new();
    for name in names {
        let images = read(&past, &name, args.gone).await?;
        all.insert(name, images);
    }
    if args.form.json {
        return Ok(print(&json::document(&Document { schema: SCHEMA, repositories: &all })?));
    }
    if args.form.csv {
        return Ok(print(&table(&all)));
    }
    Ok(print(&page(&all, SystemClock::new().now(), config::paint())))
}

async fn read(past: &Past, name: &RepositoryName, are_gone: bool) -> Result<Vec<PastImage>, Failure> {
    let mut query = ImagesQuery { repository: name.clone(), are_gone, after: None, limit: Past::MAX_ROWS };
    let mut images = Vec::new();
    loop {
        let Page { rows, next } = past.images(&query).await.map_err(Failure::unavailable)?;
        images.extend(rows);
        if next.is_none() {
            return Ok(images);
        }
        query.after = next;
    }
}

fn page(all: &BTreeMap<RepositoryName, Vec<PastImage>>, now: DateTime<Utc>, paint: Paint) -> String {
    if all.values().all(Vec::is_empty) {
        return "there are none\n".to_owned();
    }
    let mut grid = Grid::new([12, 18, 6, 8, 6, 17], paint);
    grid.head(["DIGEST", "TAGS", "AGE", "SIZE", "PULLED", "VERDICT"]);
    for (name, images) in all {
        grid.heading(&format!("{name} ({})", in_words(images.len())));
        for image in images {
            grid.row(&[
                image.digest.short(),
                if image.tags.is_empty() { "(untagged)".to_owned() } else { tags(&image.tags) },
                ago(image.created_at.unwrap_or(image.first_seen_at), now),
                image.size.to_string(),
                image.last_pulled_at.map_or_else(|| pulls(image.n_pulls), |at| ago(at, now)),
                last_word(image, now),
            ]);
        }
    }
    grid.finish()
}

/// What was decided, unless it is gone; and what runs from it.
fn last_word(image: &PastImage, now: DateTime<Utc>) -> String {
    let word = match (image.gone_at, &image.verdict) {
        (Some(gone_at), _) => format!("gone for {}", ago(gone_at, now)),
        (None, Some(verdict)) => in_one_line(verdict),
        (None, None) => "not yet decided".to_owned(),
    };
    if image.used_by.is_empty() || word.contains(&image.used_by[0]) {
        return word;
    }
    format!("{word}; runs: {}", image.used_by.join(", "))
}

fn in_one_line(StoredVerdict { decision, reason, detail, since: _ }: &StoredVerdict) -> String {
    let words = reason.replace('_', " ");
    match (reason.as_str(), detail) {
        // Of a rule its name says it all.
        ("keep_rule" | "delete_rule", Some(rule)) => format!("{decision}: \"{rule}\""),
        (_, Some(detail)) => format!("{decision}: {words} ({detail})"),
        (_, None) => format!("{decision}: {words}"),
    }
}

fn pulls(n: u64) -> String {
    if n == 0 { "never".to_owned() } else { "?".to_owned() }
}

fn tags(tags: &[Tag]) -> String {
    let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
    tags.join(", ")
}

fn in_words(n: usize) -> String {
    if n == 1 { "1 image".to_owned() } else { format!("{n} images") }
}

fn table(all: &BTreeMap<RepositoryName, Vec<PastImage>>) -> String {
    let time = |at: Option<DateTime<Utc>>| Cell::optional(at.map(|at| at.to_rfc3339()));
    let row = |name: &RepositoryName, image: &PastImage| {
        let verdict = image.verdict.as_ref();
        [
            Cell::text(name.as_str()),
            Cell::text(image.digest.to_string()),
            Cell::text(tags(&image.tags)),
            time(image.created_at),
            Cell::optional(image.created_by.clone()),
            time(Some(image.first_seen_at)),
            time(image.gone_at),
            Cell::Number(image.size.0),
            Cell::Number(image.n_pulls),
            time(image.last_pulled_at),
            Cell::text(image.used_by.join(", ")),
            Cell::optional(verdict.map(|verdict| verdict.decision.clone())),
            Cell::optional(verdict.map(|verdict| verdict.reason.clone())),
            Cell::optional(verdict.and_then(|verdict| verdict.detail.clone())),
        ]
    };
    let names = [
        "repository",
        "digest",
        "tags",
        "created_at",
        "created_by",
        "first_seen_at",
        "gone_at",
        "size",
        "n_pulls",
        "last_pulled_at",
        "used_by",
        "decision",
        "reason",
        "detail",
    ];
    let rows = all.iter().flat_map(|(name, images)| images.iter().map(move |image| row(name, image)));
    csv::table(names, rows)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use ocird_model::{Bytes, Digest};

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn image(n: u8, tags: &[&str], verdict: (&str, &str, Option<&str>)) -> PastImage {
        let (decision, reason, detail) = verdict;
        PastImage {
            id: format!("ocid1.containerimage.oc1..{n}").parse().unwrap(),
            digest: Digest::from_bytes([n; 32]),
            tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
            created_at: Some(now() - TimeDelta::days(i64::from(n))),
            created_by: Some("ocid1.user.oc1..ci".to_owned()),
            first_seen_at: now(),
            gone_at: None,
            size: Bytes(34_500_000),
            n_pulls: 0,
            last_pulled_at: None,
            verdict: Some(StoredVerdict {
                decision: decision.to_owned(),
                reason: reason.to_owned(),
                detail: detail.map(str::to_owned),
                since: None,
            }),
            used_by: Vec::new(),
        }
    }

    fn all() -> BTreeMap<RepositoryName, Vec<PastImage>> {
        let mut runs = image(3, &["prod", "v1.2.0"], ("keep", "keep_rule", Some("ten newest")));
        runs.used_by = vec!["container web".to_owned()];
        runs.last_pulled_at = Some(now() - TimeDelta::hours(5));
        let goes = image(40, &[], ("delete", "delete_rule", Some("untagged for 14 days")));
        BTreeMap::from([("mgh-docs".parse().unwrap(), vec![runs, goes])])
    }

    #[test]
    fn images_read_within_eighty_columns() {
        let text = page(&all(), now(), Paint::Plain);
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        insta::assert_snapshot!(text, @r#"
          DIGEST        TAGS                AGE     SIZE      PULLED  VERDICT
        mgh-docs (2 images)
          030303030303  prod, v1.2.0        3 d     34.5 MB   5 h     keep: "ten
                                                                      newest"; runs:
                                                                      container web
          282828282828  (untagged)          40 d    34.5 MB   never   delete: "untagged
                                                                      for 14 days"
        "#);
        assert_eq!(page(&BTreeMap::new(), now(), Paint::Plain), "there are none\n");
    }

    #[test]
    fn a_spreadsheet_has_a_row_for_each_image_with_whole_digests() {
        let csv = table(&all());
        assert_eq!(csv.lines().count(), 3);
        let digest = Digest::from_bytes([3; 32]).to_string();
        assert!(csv.contains(&format!("mgh-docs,{digest},\"prod, v1.2.0\",")), "{csv}");
    }
}
