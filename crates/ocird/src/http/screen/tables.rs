//! The screen's tables: repositories, what is pending, what was deleted, and the sources of what is in use. Each is
//! cut to what fits on a screen and says how much more there is.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, RepositoryName, Standing, UseKind};

use super::text::{Column, Page, WIDTH, ago, within};
use crate::status::{RepositoryStatus, Status, UseStatus};

/// The most repositories shown: the largest.
const MAX_REPOSITORIES: usize = 20;

/// The most rows of the other tables.
const MAX_ROWS: usize = 10;

const REPOSITORIES: [Column; 6] = [
    Column::text("REPOSITORY", 32),
    Column::number("IMAGES", 7),
    Column::number("TAGS", 7),
    Column::number("SIZE", 10),
    Column::number("FREEABLE", 10),
    Column::number("READ", 9),
];

const PENDING: [Column; 5] = [
    Column::text("EARLIEST", 10),
    Column::text("REPOSITORY", 20),
    Column::text("DIGEST", 12),
    Column::text("TAGS", 12),
    Column::text("RULE", 22),
];

const RECENT: [Column; 5] = [
    Column::text("SETTLED", 10),
    Column::text("REPOSITORY", 22),
    Column::text("DIGEST", 12),
    Column::text("OUTCOME", 12),
    Column::text("TAGS", 20),
];

const IN_USE: [Column; 4] = [
    Column::text("IN USE, AS SAID BY", 36),
    Column::text("HOST", 20),
    Column::number("WRITTEN", 11),
    Column::number("REFERENCES", 10),
];

const USES: [Column; 4] = [
    Column::text("IMAGE OF", 20),
    Column::text("TAG OR DIGEST", 13),
    Column::text("USED BY", 33),
    Column::number("SINCE", 10),
];

const FINDINGS: [Column; 3] =
    [Column::text("SEVERITY", 8), Column::text("FINDING", 61), Column::number("SINCE", 9)];

pub(super) fn repositories(page: &mut Page, status: &Status, now: DateTime<Utc>) {
    if status.repositories.is_empty() {
        return;
    }
    let mut largest: Vec<_> = status.repositories.iter().collect();
    largest.sort_by_key(|(_, repository)| Reverse(repository.size.unwrap_or(repository.reported_size)));
    page.table(&REPOSITORIES);
    for (name, repository) in largest.iter().take(MAX_REPOSITORIES) {
        page.row(&REPOSITORIES, &repository_row(name, repository, now));
    }
    more(page, largest.len(), MAX_REPOSITORIES, "GET /api/v1/status");
    if largest.len() > 1 {
        page.row(&REPOSITORIES, &total_row(status));
    }
}

fn repository_row(name: &RepositoryName, repository: &RepositoryStatus, now: DateTime<Utc>) -> [String; 6] {
    let read = match repository.complete_at {
        _ if repository.unreadable.is_some() => "FAILED".to_owned(),
        Some(at) => ago(at, now),
        None => "never".to_owned(),
    };
    [
        name.to_string(),
        repository.n_images.to_string(),
        repository.n_tags.to_string(),
        known(repository.size),
        known(repository.freeable),
        read,
    ]
}

fn total_row(status: &Status) -> [String; 6] {
    let repositories = || status.repositories.values();
    let n_images: u64 = repositories().map(|repository| repository.n_images).sum();
    let n_tags: u64 = repositories().map(|repository| repository.n_tags).sum();
    [
        "total".to_owned(),
        n_images.to_string(),
        n_tags.to_string(),
        known(repositories().map(|repository| repository.size).sum()),
        known(repositories().map(|repository| repository.freeable).sum()),
        String::new(),
    ]
}

pub(super) fn pending(page: &mut Page, status: &Status, now: DateTime<Utc>) {
    if status.pending.is_empty() {
        return;
    }
    page.table(&PENDING);
    for family in status.pending.iter().take(MAX_ROWS) {
        let due = if family.due_at <= now { "due".to_owned() } else { within(family.due_at, now) };
        let row = [
            due,
            family.repository.to_string(),
            family.digest.clone(),
            tags(&family.tags),
            family.rule.clone(),
        ];
        page.row(&PENDING, &row);
    }
    more(page, status.pending.len(), MAX_ROWS, "GET /api/v1/status");
}

pub(super) fn recent(page: &mut Page, status: &Status, now: DateTime<Utc>) {
    if status.recent.is_empty() {
        return;
    }
    page.table(&RECENT);
    for settled in status.recent.iter().take(MAX_ROWS) {
        let row = [
            ago(settled.at, now),
            settled.repository.to_string(),
            settled.digest.clone(),
            settled.outcome.to_owned(),
            tags(&settled.tags),
        ];
        page.row(&RECENT, &row);
    }
    more(page, status.recent.len(), MAX_ROWS, "GET /api/v1/status");
}

pub(super) fn in_use(page: &mut Page, status: &Status, now: DateTime<Utc>) {
    if status.in_use.is_empty() {
        return;
    }
    page.table(&IN_USE);
    for source in status.in_use.iter().take(MAX_ROWS) {
        let row = [
            source.name.clone(),
            source.host.clone().unwrap_or_else(|| "-".to_owned()),
            source.written_at.map_or_else(|| "-".to_owned(), |at| ago(at, now)),
            source.n_references.to_string(),
        ];
        page.row(&IN_USE, &row);
        if let Some(doubt) = &source.doubt {
            page.item(&format!("not believed: {doubt}"));
        }
    }
    more(page, status.in_use.len(), MAX_ROWS, "GET /api/v1/status");
}

/// What runs from which image, where and since when. What the registry has lost comes first.
pub(super) fn uses(page: &mut Page, status: &Status, now: DateTime<Utc>) {
    if status.uses.is_empty() {
        return;
    }
    page.table(&USES);
    let mut uses: Vec<&UseStatus> = status.uses.iter().collect();
    uses.sort_by_key(|used| used.is_missing != Some(true));
    for used in uses.into_iter().take(MAX_ROWS) {
        let digest =
            || used.digest.as_deref().map(|digest| digest.trim_start_matches("sha256:").chars().take(12));
        let image = used.tag.clone().or_else(|| digest().map(Iterator::collect)).unwrap_or_default();
        let way = match (used.is_missing, used.kind) {
            (Some(true), _) => "NOT IN THE REGISTRY: ",
            (_, UseKind::Previous) => "for a rollback: ",
            (_, UseKind::Running) => "",
        };
        let row = [
            used.repository.to_string(),
            image,
            format!("{way}{}", used.by),
            used.since.map_or_else(|| "-".to_owned(), |since| ago(since, now)),
        ];
        page.row(&USES, &row);
    }
    let n_uses = usize::try_from(status.n_uses).unwrap_or(usize::MAX);
    more(page, n_uses, MAX_ROWS, "GET /api/v1/status");
}

/// The beginning of each; the command tells them whole, with what to do.
pub(super) fn findings(page: &mut Page, status: &Status, now: DateTime<Utc>) {
    if status.findings.is_empty() {
        return;
    }
    page.table(&FINDINGS);
    for Standing { finding, since } in status.findings.iter().take(MAX_ROWS) {
        let row = [finding.severity.as_str().to_owned(), finding.what.clone(), ago(*since, now)];
        page.row(&FINDINGS, &row);
    }
    more(page, status.findings.len(), MAX_ROWS, "GET /api/v1/status");
    page.line("`ocird findings` tells each whole, and what to do");
}

/// Says how many rows were left out and where they are.
fn more(page: &mut Page, n: usize, n_shown: usize, place: &str) {
    if n > n_shown {
        let line = format!("and {} more: {place}", n - n_shown);
        debug_assert!(line.len() <= WIDTH, "the counts of a registry have at most 10 digits");
        page.line(&line);
    }
}

fn tags(tags: &[String]) -> String {
    if tags.is_empty() {
        return "(untagged)".to_owned();
    }
    tags.join(", ")
}

fn known(bytes: Option<Bytes>) -> String {
    bytes.map_or_else(|| "?".to_owned(), |bytes| bytes.to_string())
}
