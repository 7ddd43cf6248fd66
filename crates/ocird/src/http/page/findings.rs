//! What is odd, and what to do about it.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use ocird_model::{RepositoryName, Severity, Standing, Subject};

use super::words::{distance, outside, severity, with_code};
use crate::status::Status;

/// So many are told on the page; the command tells all.
const N_SHOWN: usize = 40;

/// How many stand, by how much they matter.
pub(super) fn badge(status: &Status) -> Markup {
    let is_bad = status.findings.iter().any(|standing| standing.finding.severity == Severity::Problem);
    html! { span.badge.(if is_bad { "bad" } else { "warn" }) { (status.findings.len()) } }
}

/// All that stand, the worst first.
pub(super) fn section(status: &Status, now: DateTime<Utc>) -> Markup {
    let n = status.findings.len();
    html! {
        section #findings aria-labelledby="findings-heading" {
            h2 #findings-heading { "Findings" }
            @match (n, &status.last_pass) {
                (0, None) => p.empty { "No pass has looked yet." },
                (0, Some(_)) => p.empty { "Nothing is odd." },
                (_, _) => (list(status.findings.iter().take(N_SHOWN), now)),
            }
            @if n > N_SHOWN { p { "and " (n - N_SHOWN) " more: " code { "ocird findings" } } }
        }
    }
}

/// Those about one repository; nothing where there is none.
pub(super) fn of_repository(status: &Status, name: &RepositoryName, now: DateTime<Utc>) -> Markup {
    let is_about = |subject: &Subject| match subject {
        Subject::Repository { name: about } => about == name,
        Subject::Tenancy | Subject::Policy { .. } | Subject::User { .. } => false,
    };
    let own: Vec<&Standing> =
        status.findings.iter().filter(|standing| is_about(&standing.finding.subject)).take(N_SHOWN).collect();
    html! {
        @if !own.is_empty() {
            section #findings aria-labelledby="findings-heading" {
                h2 #findings-heading { "Findings" }
                (list(own.into_iter(), now))
            }
        }
    }
}

fn list<'a>(findings: impl Iterator<Item = &'a Standing>, now: DateTime<Utc>) -> Markup {
    html! {
        ul.list {
            @for Standing { finding, since } in findings { li {
                (severity(finding.severity)) " " (with_code(&outside(&finding.what))) " "
                span.dim { (with_code(&outside(&finding.remedy))) " Since " (distance(*since, now)) "." }
            } }
        }
    }
}
