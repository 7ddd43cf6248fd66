//! What went, by which rule, what that freed, and what proved afterwards that nothing is missing.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use ocird_model::{OutcomeKind, ProofKind, ProofResult, RepositoryName};
use ocird_store::{IntentId, Made, Page, PastDeletion, Proof, Totals};

use super::recall::{Gone, NoPast};
use super::table::{Column, table};
use super::words::{Of, counted, day, distance, moment, name, outside, size};

/// The latest, and how much it came to.
pub(super) fn section(gone: Result<&Gone, &NoPast>, now: DateTime<Utc>) -> Markup {
    html! {
        section #gone aria-labelledby="gone-heading" {
            h2 #gone-heading { "What went" }
            @match gone {
                Err(NoPast(why)) => p.empty { "There is no past to show: " (outside(why)) "." },
                Ok(gone) => {
                    (in_all(&gone.totals))
                    @if !gone.latest.is_empty() {
                        (deletions(&gone.latest, Of::Several, now))
                        p { a href="/deletions" { "Everything that went" } }
                    }
                }
            }
        }
    }
}

fn in_all(totals: &Totals) -> Markup {
    let Totals { n_deleted, n_restored, freed, n_unknown, first_at, last_at: _ } = totals;
    html! {
        @match first_at {
            None => p.empty { "ocird has deleted nothing so far." },
            Some(first) => p.lead {
                (counted(*n_deleted, "image", "images")) " since " (day(*first)) ", " (freed) " freed."
                @if *n_restored > 0 { " " (n_restored) " of them were brought back." }
                @if *n_unknown > 0 { " Of " (n_unknown) " it is not known how much they freed." }
            },
        }
    }
}

/// The latest of one repository.
pub(super) fn of_repository(name: &RepositoryName, latest: &[PastDeletion], now: DateTime<Utc>) -> Markup {
    html! {
        section #gone aria-labelledby="gone-heading" {
            h2 #gone-heading { "What went" }
            @if latest.is_empty() {
                p.empty { "ocird has deleted nothing of it so far." }
            } @else {
                (deletions(latest, Of::One, now))
                p { a href={ "/deletions?repository=" (name) } { "Everything that went of it" } }
            }
        }
    }
}

/// A page of the journal.
pub(super) fn all(
    page: &Page<PastDeletion, IntentId>,
    of: Option<&RepositoryName>,
    is_first: bool,
    now: DateTime<Utc>,
) -> Markup {
    let query = of.map_or_else(String::new, |name| format!("repository={name}&"));
    let first = of.map_or_else(|| "/deletions".to_owned(), |name| format!("/deletions?repository={name}"));
    html! {
        h1 { "What went" @if let Some(name) = of { " of " (name) } }
        @if let Some(name) = of {
            p { a href=(super::words::repository_path(name)) { "The repository" } " \u{b7} " a href="/deletions" { "Of all repositories" } }
        }
        section aria-label="Deletions" {
            @if page.rows.is_empty() { p.empty { "Nothing went." } } @else { (deletions(&page.rows, if of.is_some() { Of::One } else { Of::Several }, now)) }
            nav.pages aria-label="Parts of the list" { ul {
                @if !is_first { li { a href=(first) { "Newest" } } }
                @if let Some(next) = &page.next { li { a rel="next" href={ "/deletions?" (query) "before=" (next) } { "Older" } } }
            } }
        }
    }
}

/// With the name of its repository where they are of several.
fn deletions(rows: &[PastDeletion], of: Of, now: DateTime<Utc>) -> Markup {
    let columns = [
        Column::text("Image"),
        Column::text("When"),
        Column::number("Freed"),
        Column::text("Why"),
        Column::text("Proof"),
    ];
    let row = |deletion: &PastDeletion| {
        [
            of.image(&deletion.repository, &tags(deletion), &deletion.digest.short()),
            moment(deletion.outcome.as_ref().map_or(deletion.intended_at, |outcome| outcome.at), now),
            html! { @if is_deleted(deletion) { (size(deletion.frees)) } @else { (super::words::nothing()) } },
            html! { (name(&deletion.rule)) },
            fate(deletion, now),
        ]
    };
    table("Deletions, the latest first", &columns, rows.iter().map(row))
}

fn tags(deletion: &PastDeletion) -> Vec<&str> {
    deletion.tags.iter().map(ocird_model::Tag::as_str).collect()
}

fn is_deleted(deletion: &PastDeletion) -> bool {
    deletion.outcome.as_ref().is_some_and(|outcome| outcome.kind == OutcomeKind::Deleted)
}

/// What came of it, and what proved that it was right.
fn fate(deletion: &PastDeletion, now: DateTime<Utc>) -> Markup {
    let Some(outcome) = &deletion.outcome else {
        return html! { span.badge.warn { "not settled yet" } };
    };
    let not_deleted = match outcome.kind {
        OutcomeKind::Deleted => None,
        OutcomeKind::Drifted => Some("it had changed, and stayed"),
        OutcomeKind::AlreadyGone => Some("it was gone already"),
        OutcomeKind::Failed(_) => Some("the registry refused"),
        OutcomeKind::NotDone => Some("it did not happen"),
    };
    html! {
        @match not_deleted {
            Some(words) => { (words) @if !outcome.detail.is_empty() { span.dim { ": " (outside(&outcome.detail)) } } }
            None => (proofs(&deletion.proofs, now)),
        }
        @if let Some(at) = deletion.restored_at { " " span.badge.warn { "brought back" } " " (distance(at, now)) }
    }
}

fn proofs(proofs: &[Proof], now: DateTime<Utc>) -> Markup {
    if proofs.is_empty() {
        return html! { span.dim { "none on record" } };
    }
    html! { ul.proofs { @for proof in proofs { li { (one(proof, now)) } } } }
}

fn one(proof: &Proof, now: DateTime<Utc>) -> Markup {
    let when = match proof.kind {
        ProofKind::AtOnce => "at once",
        ProofKind::AfterAnHour => "1 h",
        ProofKind::AfterADay => "24 h",
        ProofKind::InPassing => "in passing",
    };
    html! {
        @match &proof.made {
            None => span.dim { (when) " due " (distance(proof.due_at, now)) },
            Some(Made { at: _, result: ProofResult::Clean, detail: _ }) => {
                span.ok aria-hidden="true" { "\u{2713}" } " " (when) span.sr { ": clean" }
            }
            Some(Made { at: _, result, detail }) => {
                span.badge.bad { (result.as_str()) } " " (when) ": " (outside(detail))
            }
        }
    }
}
