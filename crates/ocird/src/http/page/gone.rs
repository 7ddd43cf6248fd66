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
                        (deletions(&gone.latest, Of::Several, N_LATEST, now))
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
                (deletions(latest, Of::One, N_LATEST, now))
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
            @if page.rows.is_empty() { p.empty { "Nothing went." } } @else { (deletions(&page.rows, if of.is_some() { Of::One } else { Of::Several }, usize::MAX, now)) }
            nav.pages aria-label="Parts of the list" { ul {
                @if !is_first { li { a href=(first) { "Newest" } } }
                @if let Some(next) = &page.next { li { a rel="next" href={ "/deletions?" (query) "before=" (next) } { "Older" } } }
            } }
        }
    }
}

/// Parts of families on a page that is about more than them.
const N_LATEST: usize = 8;

/// Deletions, the latest first. What went of one family after its head stands in one row.
fn deletions(rows: &[PastDeletion], of: Of, limit: usize, now: DateTime<Utc>) -> Markup {
    let columns = [
        Column::text("Image"),
        Column::text("When"),
        Column::number("Freed"),
        Column::text("Why"),
        Column::text("Proof"),
    ];
    let row = |part: &[PastDeletion]| {
        let (deletion, n) = (&part[0], part.len());
        let tags: Vec<&str> = deletion.tags.iter().map(ocird_model::Tag::as_str).collect();
        let freed = part.iter().map(|deletion| deletion.frees).sum();
        [
            html! {
                (of.image(&deletion.repository, &tags, &deletion.digest.short()))
                @if n > 1 { " " span.dim { "and " (n - 1) " more of its family" } }
            },
            moment(deletion.outcome.as_ref().map_or(deletion.intended_at, |outcome| outcome.at), now),
            html! { @if is_deleted(deletion) { (size(freed)) } @else { (super::words::nothing()) } },
            html! { (name(&deletion.rule)) },
            fate(deletion, now),
        ]
    };
    table("Deletions, the latest first", &columns, rows.chunk_by(are_one_part).take(limit).map(row))
}

/// Whether two deletions are of what was left of the same family, and came to the same.
fn are_one_part(one: &PastDeletion, other: &PastDeletion) -> bool {
    let is_rest = |deletion: &PastDeletion| deletion.digest != deletion.head && deletion.tags.is_empty();
    let fate = |deletion: &PastDeletion| {
        (deletion.outcome.as_ref().map(|outcome| outcome.kind), deletion.restored_at)
    };
    is_rest(one)
        && is_rest(other)
        && (&one.repository, one.head, &one.rule) == (&other.repository, other.head, &other.rule)
        && one.proofs == other.proofs
        && fate(one) == fate(other)
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

#[cfg(test)]
mod tests {
    use ocird_model::{Bytes, Digest, Outcome};

    use super::*;
    use crate::http::worlds::now;

    fn deletion(digest: u8, head: u8) -> PastDeletion {
        PastDeletion {
            id: serde_json::from_str("1").unwrap(),
            intended_at: now(),
            repository: "mgh-docs".parse().unwrap(),
            image: format!("ocid1.containerimage.oc1..{digest}").parse().unwrap(),
            digest: Digest::from_bytes([digest; 32]),
            head: Digest::from_bytes([head; 32]),
            tags: Vec::new(),
            rule: "rest of a family whose head is gone".to_owned(),
            evidence: String::new(),
            frees: Some(Bytes(1_000_000)),
            outcome: Some(Outcome { kind: OutcomeKind::Deleted, at: now(), detail: String::new() }),
            restored_at: None,
            proofs: Vec::new(),
        }
    }

    fn shown(rows: &[PastDeletion]) -> String {
        deletions(rows, Of::One, usize::MAX, now()).into_string()
    }

    #[test]
    fn what_was_left_of_a_family_is_one_row_with_what_it_freed_together() {
        let rows = [deletion(2, 1), deletion(3, 1), deletion(1, 1), deletion(5, 4)];
        let shown = shown(&rows);
        assert_eq!(shown.matches("role=\"rowheader\"").count(), 3, "{shown}");
        assert!(shown.contains("and 1 more of its family") && shown.contains("2.0 MB"), "{shown}");
    }

    #[test]
    fn parts_of_which_one_came_back_or_stayed_are_told_apart() {
        let back = PastDeletion { restored_at: Some(now()), ..deletion(3, 1) };
        let mut drifted = deletion(4, 1);
        drifted.outcome.as_mut().unwrap().kind = OutcomeKind::Drifted;
        let shown = shown(&[deletion(2, 1), back, drifted]);
        assert_eq!(shown.matches("role=\"rowheader\"").count(), 3, "{shown}");
        assert!(shown.contains("brought back") && shown.contains("it had changed, and stayed"), "{shown}");
    }

    #[test]
    fn one_unknown_size_leaves_the_sum_unknown() {
        let unknown = PastDeletion { frees: None, ..deletion(3, 1) };
        assert!(shown(&[deletion(2, 1), unknown]).contains("unknown"));
    }
}
