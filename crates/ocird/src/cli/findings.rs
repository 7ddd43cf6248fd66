//! `ocird findings`: what is odd, whole, with what to do; by the running daemon, or by the store while there is none. Looks at
//! nothing itself.

use std::process::ExitCode;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use ocird_model::{Finding, Severity, Standing};
use ocird_store::Glance;
use serde::{Deserialize, Serialize};

use crate::cli::sheet::Sheet;
use crate::cli::status::{fetch, reachable};
use crate::cli::{Exit, Failure, print, say};
use crate::config::{self, Config};
use crate::json;
use crate::paint::{Ink, Paint};

/// The shape of the JSON document; grows when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

/// Of the daemon's status, what this command shows.
#[derive(Debug, Deserialize)]
struct Answer {
    findings: Vec<Standing>,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: u32,
    findings: &'a [Standing],
}

/// Prints what the daemon says, or what the store remembers.
pub(crate) async fn findings(config: &Config, json: bool) -> Result<ExitCode, Failure> {
    let url = format!("http://{}/api/v1/status", reachable(config.http.listen));
    let findings = match fetch(&url).await {
        Ok(page) => {
            let answer: Answer =
                serde_json::from_str(&page).context("the daemon's answer is not one of this version's")?;
            answer.findings
        }
        Err(_) => remembered(config).await?,
    };
    if json {
        return Ok(print(&json::document(&Document { schema: SCHEMA, findings: &findings })?));
    }
    Ok(print(&sheet(&findings, config::paint())))
}

/// What the last pass on record found.
async fn remembered(config: &Config) -> Result<Vec<Standing>, Failure> {
    let glance = Glance::open(&config.state_dir).await.map_err(Failure::unavailable)?;
    let glance = glance.ok_or_else(|| {
        Failure::unavailable(anyhow::anyhow!(
            "no daemon answers, and there is no store yet that remembers anything"
        ))
    })?;
    let mut findings = glance.findings().await.map_err(Failure::unavailable)?;
    findings.sort_by_key(|standing| std::cmp::Reverse(standing.finding.severity));
    say("no daemon answers; this is what its last pass on record found", Exit::Ok);
    Ok(findings)
}

fn sheet(findings: &[Standing], paint: Paint) -> String {
    if findings.is_empty() {
        return "nothing is odd\n".to_owned();
    }
    let mut sheet = Sheet::new(paint);
    for Standing { finding: Finding { kind, subject, severity, what, remedy }, since } in findings {
        sheet.heading(&format!("{subject}: {}", kind.as_str()));
        let ink = match severity {
            Severity::Problem => Ink::Red,
            Severity::Warning => Ink::Yellow,
            Severity::Info => Ink::Dim,
        };
        sheet.inked(ink, severity.as_str(), what);
        sheet.entry("to do", remedy);
        sheet.entry("since", &day_and_time(*since));
    }
    sheet.finish()
}

fn day_and_time(at: DateTime<Utc>) -> String {
    at.format("%F %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use ocird_model::{FindingKind, Subject};

    use super::*;

    #[test]
    fn a_finding_is_told_whole_and_what_it_quotes_cannot_move_a_cursor() {
        let finding = Finding {
            kind: FindingKind::TokenOverdue,
            subject: Subject::User { name: "ci".to_owned() },
            severity: Severity::Warning,
            what: format!(
                "Of the auth tokens of ci, these are old: \"a\u{1b}[2J\nb\"{}.",
                " word".repeat(20)
            ),
            remedy: "Make a second token.".to_owned(),
        };
        let standing = Standing { finding, since: DateTime::UNIX_EPOCH };
        let text = sheet(&[standing], Paint::Plain);
        assert!(text.starts_with("user ci: token_overdue\nwarning    Of the auth"), "{text}");
        assert!(
            text.contains("\nto do      Make a second token.\nsince      1970-01-01 00:00 UTC\n"),
            "{text}"
        );
        assert!(text.lines().all(|line| line.len() <= 80) && !text.contains('\u{1b}'), "{text}");
        assert_eq!(sheet(&[], Paint::Plain), "nothing is odd\n");
    }
}
