//! Whether it works: each check, the passes, what is known of what runs, the copies of the store, proofs and holds.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::super::App;
use super::super::probes::{Health, HealthState};
use super::super::screen::{last_pass, next_pass};
use super::table::{Column, table};
use super::words::{counted, distance, moment, name, nothing, outside, repository, round, with_code};
use crate::status::{BackupStatus, Check, HoldStatus, SourceStatus, Status, UndoStatus, UseStatus};

/// Sources, missing images and holds that are told one by one.
const N_SHOWN: usize = 20;

/// How well it is, in a word.
pub(super) fn badge(app: &App, status: &Status, now: DateTime<Utc>) -> Markup {
    let (class, word) = match Health::of(app, status, now).state {
        HealthState::Pass => ("calm", "well"),
        HealthState::Warn => ("warn", "with warnings"),
        HealthState::Fail => ("bad", "failing"),
    };
    html! { span.badge.(class) { (word) } }
}

/// Checks, passes and copies.
pub(super) fn section(app: &App, status: &Status, now: DateTime<Utc>) -> Markup {
    let health = Health::of(app, status, now);
    html! {
        section #health aria-labelledby="health-heading" {
            h2 #health-heading { "Health " (badge(app, status, now)) }
            (checks(&health.checks))
            dl.facts {
                div { dt { "Last pass" } dd { (outside(&last_pass(status, now))) } }
                div { dt { "Next pass" } dd { (outside(&next_pass(status, now))) } }
                div { dt { "Copies of the store" } dd { (copies(&status.backup, now)) } }
                div { dt { "Room on the disk" } dd { (room(status)) } }
                (proofs(&status.undo, now))
            }
            (holds(&status.undo.holds, now))
        }
    }
}

fn checks(checks: &BTreeMap<&'static str, Check>) -> Markup {
    let (failed, others): (Vec<_>, Vec<_>) = checks.iter().partition(|(_, check)| check.is_failed());
    html! {
        ul.checks {
            @for (part, check) in failed.into_iter().chain(others) {
                li {
                    @match check {
                        Check::Ok => { span.ok aria-hidden="true" { "\u{2713}" } " " (part.replace('_', " ")) span.sr { ": works" } }
                        Check::Pending => { span.dim { "\u{b7} " (part.replace('_', " ")) ": not tried yet" } }
                        Check::Failed { text } => {
                            span.badge.warn { "fails" } " " strong { (part.replace('_', " ")) } ": " (with_code(&outside(text)))
                        }
                    }
                }
            }
        }
    }
}

fn copies(backup: &BackupStatus, now: DateTime<Utc>) -> Markup {
    let BackupStatus { last_at, size, n_copies, check } = backup;
    html! {
        @match last_at {
            Some(at) => {
                (n_copies) ", the newest " (distance(*at, now)) @if let Some(size) = size { ", " (size) }
            }
            None => "none yet",
        }
        @if let Check::Failed { text } = check { " " span.badge.warn { "the last failed" } " " (outside(text)) }
    }
}

fn room(status: &Status) -> Markup {
    let bounds = &status.bounds;
    html! {
        @match bounds.disk_free { Some(free) => (free), None => "unknown" }
        @if let Some(floor) = bounds.disk_floor { span.dim { "; under " (round(floor)) " nothing is deleted" } }
    }
}

fn proofs(undo: &UndoStatus, now: DateTime<Utc>) -> Markup {
    let UndoStatus { proofs, next_proof_at, n_open_proofs, holds: _ } = undo;
    html! {
        @if !proofs.is_empty() || next_proof_at.is_some() {
            div { dt { "Proofs" } dd {
                @if let Some(last) = proofs.first() { "the last was " (last.result.as_str()) ", " (distance(last.made_at, now)) }
                @if let Some(at) = next_proof_at {
                    @if !proofs.is_empty() { "; " }
                    (counted(*n_open_proofs, "is", "are")) " to be made, the next " (distance(*at, now))
                }
            } }
        }
    }
}

fn holds(holds: &[HoldStatus], now: DateTime<Utc>) -> Markup {
    html! {
        @if !holds.is_empty() {
            h3 { "Held by hand" }
            ul.list {
                @for HoldStatus { repository: of, on, by, why, since, until } in holds.iter().take(N_SHOWN) { li {
                    (repository(of)) code { (name(on)) } ", by " (name(by)) " " (distance(*since, now))
                    @if let Some(until) = until { ", until " (until.format("%F")) }
                    @if !why.is_empty() { ": " (outside(why)) }
                } }
            }
            @if holds.len() > N_SHOWN { p.dim { "and " (holds.len() - N_SHOWN) " more." } }
        }
    }
}

/// What is known of what runs.
pub(super) fn in_use(status: &Status, now: DateTime<Utc>) -> Markup {
    let missing: Vec<&UseStatus> = status.uses.iter().filter(|used| used.is_missing == Some(true)).collect();
    html! {
        section #in-use aria-labelledby="in-use-heading" {
            h2 #in-use-heading { "What runs" }
            @if status.in_use.is_empty() {
                p.empty { "No source has said anything yet." }
            } @else {
                p.lead { (counted(status.n_uses, "use", "uses")) " of images, what a rollback would pull included." }
                (sources(&status.in_use, now))
            }
            @if !missing.is_empty() {
                h3 { "In use, and not in the registry" }
                ul.list { @for used in missing.iter().take(N_SHOWN) { li {
                    (repository(&used.repository)) code { @match (&used.tag, &used.digest) {
                        (Some(tag), _) => { ":" (name(tag)) }
                        (None, Some(digest)) => { "@" (name(digest)) }
                        (None, None) => {}
                    } } ", by " (name(&used.by))
                } } }
                @if missing.len() > N_SHOWN { p.dim { "and " (missing.len() - N_SHOWN) " more." } }
            }
        }
    }
}

fn sources(sources: &[SourceStatus], now: DateTime<Utc>) -> Markup {
    let columns = [
        Column::text("Source"),
        Column::text("Host"),
        Column::text("Written"),
        Column::number("Images"),
        Column::text("Believed"),
    ];
    let row = |source: &SourceStatus| {
        let SourceStatus { name: of, host, written_at, n_references, doubt } = source;
        [
            html! { (name(of)) },
            host.as_ref().map_or_else(nothing, |host| html! { (name(host)) }),
            written_at.map_or_else(nothing, |at| moment(at, now)),
            html! { (n_references) },
            html! { @match doubt { None => "yes", Some(doubt) => { span.badge.warn { "no" } " " (outside(doubt)) } } },
        ]
    };
    html! {
        (table("Sources of what is in use", &columns, sources.iter().take(N_SHOWN).map(row)))
        @if sources.len() > N_SHOWN { p.dim { "and " (sources.len() - N_SHOWN) " more." } }
    }
}
