//! What goes next, when and why; or why nothing does (S-33).

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use ocird_model::RepositoryName;

use super::super::screen::next_deletion;
use super::table::{Column, table};
use super::words::{Of, counted, distance, moment, name, outside, repository, with_code};
use crate::status::{
    ApprovalStatus, Arming, BrakesStatus, ClearedBy, Pending, Refusal, RefusedPlanStatus, Status, StopStatus,
};

/// Families on a page that is about more than them.
pub(super) const N_NEXT: usize = 8;

/// Families on their own page.
pub(super) const N_PENDING: usize = 100;

/// Causes that are told one by one.
const N_REFUSALS: usize = 30;

/// The one sentence: whether anything goes, and when.
pub(super) fn sentence(status: &Status, now: DateTime<Utc>) -> Markup {
    let stop = status.refusals.iter().find(|refusal| refusal.code.stops_everything());
    let next = next_deletion(status, now);
    html! {
        @match (stop, next) {
            (Some(Refusal { code, text }), next) => div.notice.{ @if status.arming == Arming::Report { "calm" } @else { "warn" } } role="status" {
                p {
                    strong { "Nothing goes: " } (with_code(&outside(text))) ". It takes " (with_code(code.clears())) "."
                    @if let (ClearedBy::Itself, Some(at)) = (code.cleared_by(), next) {
                        " The next deletion may be " (moment(at, now)) "."
                    }
                }
            },
            (None, Some(at)) => div.notice role="status" {
                p { strong { "The next deletion may be " (distance(at, now)) "," } " at " (at.format("%F %H:%M")) " UTC: "
                    (counted(status.pending.len() as u64, "family", "families")) " selected." }
            },
            (None, None) => div.notice role="status" { p { strong { "Nothing goes: " } (none(status)) } },
        }
    }
}

/// The next to go, and what is in the way.
pub(super) fn section(status: &Status, now: DateTime<Utc>) -> Markup {
    let n = status.pending.len();
    html! {
        section #next aria-labelledby="next-heading" {
            h2 #next-heading { "What goes next" }
            (families(status, &part(status, 0, N_NEXT), Of::Several, now))
            @if n > N_NEXT { p { a href="/pending" { "All " (n) " that are selected" } } }
            (in_the_way(status, &html! { h3 { "In the way" } }, now))
        }
    }
}

/// What rules have selected in one repository.
pub(super) fn of_repository(status: &Status, name: &RepositoryName, now: DateTime<Utc>) -> Markup {
    let own: Vec<&Pending> = status.pending.iter().filter(|pending| pending.repository == *name).collect();
    html! {
        section #next aria-labelledby="next-heading" {
            h2 #next-heading { "What goes next" }
            (families(status, &own[..own.len().min(N_PENDING)], Of::One, now))
            @if own.len() > N_PENDING { p { "and " (own.len() - N_PENDING) " more." } }
        }
    }
}

/// A page of what is selected.
pub(super) fn all(status: &Status, from: usize, now: DateTime<Utc>) -> Markup {
    let n = status.pending.len();
    html! {
        h1 { "What goes next" }
        (sentence(status, now))
        section aria-label="Selected families" {
            p.lead { "A rule selects a family, in every pass and for the whole of its grace, before it goes; one pass that finds a "
                "reason to keep it lets it off. The next to go comes first." }
            (families(status, &part(status, from, N_PENDING), Of::Several, now))
            (pages(n, from))
        }
        section aria-label="In the way" { (in_the_way(status, &html! { h2 { "In the way" } }, now)) }
    }
}

fn part(status: &Status, from: usize, limit: usize) -> Vec<&Pending> {
    status.pending.iter().skip(from).take(limit).collect()
}

fn pages(n: usize, from: usize) -> Markup {
    html! {
        @if n > N_PENDING {
            nav.pages aria-label="Parts of the list" { ul {
                @if from > 0 { li { a rel="prev" href={ "/pending?from=" (from.saturating_sub(N_PENDING)) } { "Before" } } }
                li { (from + 1) " to " (n.min(from + N_PENDING)) " of " (n) }
                @if from + N_PENDING < n { li { a rel="next" href={ "/pending?from=" (from + N_PENDING) } { "After" } } }
            } }
        }
    }
}

/// What is said where nothing is selected. Before somebody has looked, that is not known.
const fn none(status: &Status) -> &'static str {
    if status.last_pass.is_some() { "No rule selects anything." } else { "No pass has looked yet." }
}

fn families(status: &Status, pending: &[&Pending], of: Of, now: DateTime<Utc>) -> Markup {
    if pending.is_empty() {
        return html! { p.empty { (none(status)) } };
    }
    let columns =
        [Column::text("Image"), Column::text("May go"), Column::text("Rule"), Column::text("Selected")];
    let row = |family: &&Pending| {
        let Pending { repository, digest, tags, rule, since, due_at } = family;
        [
            of.image(repository, tags, digest),
            if *due_at <= now {
                html! { "now" }
            } else {
                moment(*due_at, now)
            },
            html! { (name(rule)) },
            distance(*since, now),
        ]
    };
    table("Families that rules have selected", &columns, pending.iter().map(row))
}

/// Why nothing goes, or less than the rules say, and what clears each.
fn in_the_way(status: &Status, heading: &Markup, now: DateTime<Utc>) -> Markup {
    let BrakesStatus { breaker, freeze, n_unexpected: _, n_proved: _, next_batch, refused_plan, approval } =
        &status.brakes;
    html! {
        @if !status.refusals.is_empty() {
            (heading)
            ul.list { @for refusal in status.refusals.iter().take(N_REFUSALS) { (obstacle(refusal)) } }
            @if status.refusals.len() > N_REFUSALS { p.dim { "and " (status.refusals.len() - N_REFUSALS) " more." } }
        }
        @if let Some(plan) = refused_plan { (refused(plan, now)) }
        @if let Some(ApprovalStatus { plan, at, by, until, n_families }) = approval {
            p { "Plan " (name(plan)) " with " (counted(*n_families, "family", "families")) " was approved by " (name(by)) " "
                (distance(*at, now)) "; the approval ends " (distance(*until, now)) "." }
        }
        @for (what, stop) in [("The breaker tripped", breaker), ("Deletion is frozen", freeze)] {
            @if let Some(StopStatus { at, why }) = stop { p { strong { (what) } " " (moment(*at, now)) ": " (outside(why)) } }
        }
        @if let (Some(size), Arming::Armed) = (next_batch, status.arming) {
            p.dim { "The store is new to this: the next batch takes " (counted(u64::from(*size), "family", "families")) " at most." }
        }
    }
}

fn obstacle(Refusal { code, text }: &Refusal) -> Markup {
    html! {
        li {
            code { (code.as_str()) } " "
            @if code.stops_everything() { span.badge.warn { "stops all" } " " }
            (with_code(&outside(text))) " " span.dim { "Cleared by " (with_code(code.clears())) "." }
        }
    }
}

fn refused(plan: &RefusedPlanStatus, now: DateTime<Utc>) -> Markup {
    let RefusedPlanStatus { id, at, why, n_families, by_repository, size } = plan;
    html! {
        p {
            strong { "Plan " (name(id)) " waits for an approval" } ", since " (moment(*at, now)) ": " (outside(why)) ". It lists "
            (counted(*n_families, "family", "families")) @if let Some(size) = size { ", " (size) " at most" } ": "
            @for (i, (of, n)) in by_repository.iter().enumerate() { @if i > 0 { ", " } (n) " of " (repository(of)) }
            ". " code { "ocird approve " (name(id)) } " lets them go."
        }
    }
}
