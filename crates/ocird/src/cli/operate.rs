//! What the commands share that go to the daemon over its admin socket: how they ask, what an answer looks like, and with
//! which code they end when there is none.

use std::process::ExitCode;

use anyhow::anyhow;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::admin::wire::{Answer, ControlAnswer, InTheWay, Obstacle};
use crate::admin::{self, AdminClient, AskError};
use crate::cli::sheet::Sheet;
use crate::cli::{Exit, Failure, print, say};
use crate::config::{self, Config};
use crate::json;
use crate::paint::Ink;

/// The most obstacles that are listed: a registry may have one for each repository.
const MAX_OBSTACLES: usize = 12;

/// The daemon of this configuration.
pub(super) fn daemon(config: &Config) -> AdminClient {
    AdminClient::new(&config.admin.socket)
}

/// The failure of a command that was not answered, with what to do.
pub(super) fn unanswered(config: &Config, error: AskError) -> Failure {
    match error {
        AskError::NoDaemon { socket: _, why: _ } => {
            let state = if admin::daemon_runs(&config.state_dir) {
                "Some process has the state directory, though; see its log"
            } else {
                "See whether it runs: systemctl status ocird"
            };
            Failure::unavailable(anyhow!("{error}\n{state}"))
        }
        AskError::Denied { detail } => Failure { exit: Exit::Denied, error: anyhow!(detail) },
        AskError::Problem { detail } => anyhow!(detail).into(),
        error @ AskError::Foreign { source: _ } => error.into(),
    }
}

/// Prints an answer as JSON.
pub(super) fn print_json<T: Serialize>(answer: &Answer<T>) -> Result<ExitCode, Failure> {
    Ok(print(&json::document(answer)?))
}

/// Prints what a command came to.
pub(super) fn print_control(
    answer: &Answer<ControlAnswer>,
    now: DateTime<Utc>,
    json: bool,
) -> Result<ExitCode, Failure> {
    if json {
        return print_json(answer);
    }
    let mut sheet = Sheet::new(config::paint());
    control(&mut sheet, &answer.body, now);
    warn_off_record(answer);
    Ok(print(&sheet.finish()))
}

/// Says so when a command is not on record.
pub(super) fn warn_off_record<T>(answer: &Answer<T>) {
    if let Some(why) = &answer.not_on_record {
        say(&format!("this is not on record: {why}"), Exit::Ok);
    }
}

fn control(sheet: &mut Sheet, answer: &ControlAnswer, now: DateTime<Utc>) {
    for sentence in &answer.done {
        sheet.paragraph(sentence);
    }
    in_the_way(sheet, &answer.in_the_way, now);
}

/// What stands in the way of deletions.
pub(super) fn in_the_way(sheet: &mut Sheet, standing: &InTheWay, now: DateTime<Utc>) {
    let InTheWay { as_of, obstacles } = standing;
    let as_of = as_of.map(|at| format!("the last pass, {}", ago(at, now)));
    match (obstacles.is_empty(), as_of) {
        (true, Some(as_of)) => sheet.paragraph(&format!("Nothing stands in the way, by {as_of}.")),
        (true, None) => sheet.paragraph("What stands in the way is not known before a pass has ended."),
        (false, as_of) => {
            let as_of = as_of.map(|as_of| format!(" (by {as_of})")).unwrap_or_default();
            sheet.heading(&format!("In the way{as_of}"));
            for obstacle in obstacles.iter().take(MAX_OBSTACLES) {
                self::obstacle(sheet, obstacle);
            }
            if let Some(n_more @ 1..) = obstacles.len().checked_sub(MAX_OBSTACLES) {
                sheet.paragraph(&format!("and {n_more} more: `ocird status` lists them"));
            }
        }
    }
}

fn obstacle(sheet: &mut Sheet, obstacle: &Obstacle) {
    let Obstacle { code, text, clears, stops_everything } = obstacle;
    let (ink, extent) = if *stops_everything { (Ink::Red, "stops all") } else { (Ink::Yellow, "some wait") };
    sheet.inked(ink, extent, &format!("{code}: {text}"));
    sheet.entry("", &format!("cleared by {clears}"));
}

/// A stretch of time in its largest unit, at least a minute: `3 d`, `36 h`, `5 min`.
pub(super) fn span(span: TimeDelta) -> String {
    crate::plan_table::age(span.max(TimeDelta::minutes(1)))
}

/// A moment ahead, as it is told in a table: `now`, `in 5 h`.
pub(super) fn until(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if at <= now { "now".to_owned() } else { format!("in {}", span(at - now)) }
}

/// A moment that has passed: `just now`, `5 min ago`.
fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if now - at < TimeDelta::minutes(1) { "just now".to_owned() } else { format!("{} ago", span(now - at)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paint::Paint;

    fn now() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn shown(standing: &InTheWay) -> String {
        let mut sheet = Sheet::new(Paint::Plain);
        in_the_way(&mut sheet, standing, now());
        sheet.finish()
    }

    fn obstacles(n: usize) -> InTheWay {
        let obstacle = |n| Obstacle {
            code: "unreadable".to_owned(),
            text: format!("repository {n}: its list failed\u{1b}[2J"),
            clears: "the next pass that can".to_owned(),
            stops_everything: n == 0,
        };
        InTheWay { as_of: Some(now() - TimeDelta::minutes(5)), obstacles: (0..n).map(obstacle).collect() }
    }

    #[test]
    fn each_cause_says_how_far_it_reaches_and_what_clears_it() {
        assert_eq!(
            shown(&obstacles(2)),
            "In the way (by the last pass, 5 min ago)\n\
             stops all  unreadable: repository 0: its list failed\n           cleared by the next pass that can\n\
             some wait  unreadable: repository 1: its list failed\n           cleared by the next pass that can\n"
        );
        assert!(shown(&obstacles(MAX_OBSTACLES + 3)).ends_with("and 3 more: `ocird status` lists them\n"));
    }

    #[test]
    fn that_nothing_stands_in_the_way_is_said_only_when_a_pass_has_looked() {
        assert_eq!(shown(&obstacles(0)), "Nothing stands in the way, by the last pass, 5 min ago.\n");
        assert!(shown(&InTheWay::default()).contains("not known before a pass has ended"));
    }
}
