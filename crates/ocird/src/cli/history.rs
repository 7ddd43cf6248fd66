//! `ocird history`: what happened, newest first, out of the store: passes that were not as usual, pushes, verdicts that turned,
//! deletions, proofs that were not clean, restores, people's commands, findings, stops.

use std::process::ExitCode;

use ocird_model::{Clock, Digest, RepositoryName};
use ocird_store::{Event, EventKind, EventsQuery, Page, Past};
use serde::Serialize;

use crate::cli::grid::Grid;
use crate::cli::remembered::{Form, Since, known, minute, past};
use crate::cli::{Failure, print};
use crate::clock::SystemClock;
use crate::config::{self, Config};
use crate::csv::{self, Cell};
use crate::json;
use crate::paint::Paint;

/// The shape of the JSON document; grows when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

/// What of the past is shown, and how.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct HistoryArgs {
    /// From then on, such as 30d or 2026-11-01.
    #[arg(long, value_name = "TIME", default_value = "30d")]
    since: Since,
    /// Only what is about this repository.
    #[arg(long, value_name = "NAME")]
    repository: Option<RepositoryName>,
    /// Only this kind; may be given several times.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Vec<EventKind>,
    /// At most so many rows; 0 shows all.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: u32,
    is_cut: bool,
    events: &'a [Event],
}

/// Reads and prints.
pub(crate) async fn history(config: &Config, args: HistoryArgs) -> Result<ExitCode, Failure> {
    let past = past(config).await?;
    if let Some(name) = &args.repository {
        known(&past, name).await?;
    }
    let (events, is_cut) = read(&past, &args).await?;
    if args.form.json {
        return Ok(print(&json::document(&Document { schema: SCHEMA, is_cut, events: &events })?));
    }
    if args.form.csv {
        return Ok(print(&table(&events)));
    }
    Ok(print(&page(&events, is_cut, config::paint())))
}

/// As many events as are asked for, and whether there are more.
async fn read(past: &Past, args: &HistoryArgs) -> Result<(Vec<Event>, bool), Failure> {
    let limit = if args.limit == 0 { usize::MAX } else { args.limit };
    let mut query = EventsQuery {
        kinds: args.kind.clone(),
        repository: args.repository.clone(),
        since: Some(args.since.instant(SystemClock::new().now())),
        before: None,
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
    };
    let mut events = Vec::new();
    loop {
        let Page { rows, next } = past.events(&query).await.map_err(Failure::unavailable)?;
        events.extend(rows);
        let is_full = events.len() >= limit;
        if is_full || next.is_none() {
            let is_cut = events.len() > limit || next.is_some();
            events.truncate(limit);
            return Ok((events, is_cut));
        }
        query.before = next;
    }
}

fn page(events: &[Event], is_cut: bool, paint: Paint) -> String {
    if events.is_empty() {
        return "nothing happened\n".to_owned();
    }
    let mut grid = Grid::new([16, 8, 20, 26], paint);
    grid.head(["WHEN (UTC)", "KIND", "ABOUT", "WHAT"]);
    for event in events {
        grid.row(&[minute(event.at), event.kind.as_str().to_owned(), about(event), what(event)]);
    }
    let mut text = grid.finish();
    if is_cut {
        text.push_str("  and more before that; --limit and --since show them\n");
    }
    text
}

/// The image, the repository, or whoever asked.
fn about(event: &Event) -> String {
    match (&event.repository, &event.digest) {
        (Some(repository), Some(digest)) => format!("{repository} {}", digest.short()),
        (Some(repository), None) => repository.to_string(),
        (None, _) => event.by.as_ref().map(|by| format!("by {by}")).unwrap_or_default(),
    }
}

fn what(event: &Event) -> String {
    let word = event.what.replace('_', " ");
    if event.detail.is_empty() { word } else { format!("{word}: {}", event.detail) }
}

fn table(events: &[Event]) -> String {
    let row = |event: &Event| {
        let Event { at, kind, repository, digest, what, detail, by, cursor: _ } = event;
        [
            Cell::text(at.to_rfc3339()),
            Cell::text(kind.as_str()),
            Cell::optional(repository.as_ref().map(RepositoryName::to_string)),
            Cell::optional(digest.as_ref().map(Digest::to_string)),
            Cell::text(what),
            Cell::text(detail),
            Cell::optional(by.clone()),
        ]
    };
    csv::table(["at", "kind", "repository", "digest", "what", "detail", "by"], events.iter().map(row))
}

fn kind(word: &str) -> Result<EventKind, String> {
    EventKind::named(word).ok_or_else(|| {
        let words: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("there are {}", words.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use ocird_store::EventCursor;

    use super::*;

    fn event(kind: EventKind, what: &str, detail: &str) -> Event {
        let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let is_about = matches!(kind, EventKind::Deletion | EventKind::Push);
        Event {
            at,
            kind,
            repository: is_about.then(|| "mgh-admin-frontend".parse().unwrap()),
            digest: is_about.then(|| Digest::from_bytes([7; 32])),
            what: what.to_owned(),
            detail: detail.to_owned(),
            by: (!is_about).then(|| "alice".to_owned()),
            cursor: EventCursor::until(at),
        }
    }

    fn events() -> Vec<Event> {
        vec![
            event(EventKind::Command, "pause", "why: a deploy; done"),
            event(EventKind::Deletion, "already_gone", "rule \"beyond the newest, while past 350 MB\""),
            event(EventKind::Push, "pushed", "=cmd, \u{1b}[2Jevil\n, v1"),
        ]
    }

    #[test]
    fn what_happened_reads_within_eighty_columns_and_nothing_pushed_moves_a_cursor() {
        let text = page(&events(), true, Paint::Plain);
        assert!(text.lines().all(|line| line.chars().count() <= 80) && !text.contains('\u{1b}'), "{text}");
        insta::assert_snapshot!(text, @r#"
        WHEN (UTC)        KIND      ABOUT                 WHAT
        2026-09-21 14:13  command   by alice              pause: why: a deploy; done
        2026-09-21 14:13  deletion  mgh-admin-frontend    already gone: rule "beyond
                                    070707070707          the newest, while past 350
                                                          MB"
        2026-09-21 14:13  push      mgh-admin-frontend    pushed: =cmd, evil , v1
                                    070707070707
        and more before that; --limit and --since show them
        "#);
        assert_eq!(page(&[], false, Paint::Plain), "nothing happened\n");
    }

    #[test]
    fn a_tag_is_no_formula_in_a_spreadsheet() {
        let csv = table(&events());
        assert!(csv.contains(",pushed,\"'=cmd,  [2Jevil , v1\",\n"), "{csv}");
        assert_eq!(csv.lines().count(), 4);
    }

    #[test]
    fn an_unknown_kind_is_answered_with_those_there_are() {
        assert_eq!(kind("deletion"), Ok(EventKind::Deletion));
        assert!(kind("x").unwrap_err().contains("deletion"));
    }
}
