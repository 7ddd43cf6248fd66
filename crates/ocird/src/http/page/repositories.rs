//! The repositories, the largest first: each with its small curve and its figures.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use ocird_model::{Bytes, RepositoryName};

use super::spark::spark;
use super::table::{Column, table};
use super::words::{distance, name, nothing, repository, size};
use crate::status::{RepositoryStatus, Status};

/// Repositories on a page that is about more than them.
pub(super) const N_LARGEST: usize = 12;

/// Repositories on their own page.
pub(super) const N_LISTED: usize = 50;

/// The sizes of some repositories in the last month, by name.
pub(super) type SmallCurves = BTreeMap<RepositoryName, Vec<Option<Bytes>>>;

/// All repositories, the largest first; those of unknown size before them, since something is wrong with them.
pub(super) fn by_size(status: &Status) -> Vec<(&RepositoryName, &RepositoryStatus)> {
    let mut all: Vec<_> = status.repositories.iter().collect();
    all.sort_by_key(|(_, one)| (one.size.is_some(), std::cmp::Reverse(one.size)));
    all
}

/// The largest.
pub(super) fn section(status: &Status, curves: &SmallCurves, now: DateTime<Utc>) -> Markup {
    let all = by_size(status);
    let n = all.len();
    html! {
        section #repositories aria-labelledby="repositories-heading" {
            h2 #repositories-heading { "Repositories" }
            @if all.is_empty() {
                p.empty { "No pass has seen a repository yet." }
            } @else {
                (rows(&all[..n.min(N_LARGEST)], curves, now))
                @if n > N_LARGEST { p { a href="/repositories" { "All " (n) " repositories" } } }
            }
        }
    }
}

/// A page of all.
pub(super) fn all(status: &Status, curves: &SmallCurves, from: usize, now: DateTime<Utc>) -> Markup {
    let all = by_size(status);
    let n = all.len();
    let shown = all.get(from..n.min(from.saturating_add(N_LISTED))).unwrap_or_default();
    html! {
        h1 { "Repositories" }
        section aria-label="Repositories by size" {
            @if shown.is_empty() { p.empty { "No pass has seen a repository yet." } } @else { (rows(shown, curves, now)) }
            @if n > N_LISTED {
                nav.pages aria-label="Parts of the list" { ul {
                    @if from > 0 { li { a rel="prev" href={ "/repositories?from=" (from.saturating_sub(N_LISTED)) } { "Larger" } } }
                    li { (from + 1) " to " (n.min(from + N_LISTED)) " of " (n) }
                    @if from + N_LISTED < n { li { a rel="next" href={ "/repositories?from=" (from + N_LISTED) } { "Smaller" } } }
                } }
            }
        }
    }
}

fn rows(shown: &[(&RepositoryName, &RepositoryStatus)], curves: &SmallCurves, now: DateTime<Utc>) -> Markup {
    let columns = [
        Column::text("Repository"),
        Column::text("Last 30 days"),
        Column::number("Size"),
        Column::number("The plan frees"),
        Column::number("Images"),
        Column::number("Tags"),
        Column::text("Newest push"),
    ];
    let row = |(of, one): &(&RepositoryName, &RepositoryStatus)| {
        let curve = curves.get(*of).and_then(|sizes| spark(sizes, "The last 30 days"));
        [
            html! {
                (repository(of))
                @if let Some(project) = &one.project { " " span.dim { (name(project)) } }
                @if one.unreadable.is_some() { " " span.badge.warn { "unreadable" } }
            },
            curve.map_or_else(nothing, |curve| html! { (curve) }),
            html! { (size(one.size)) },
            html! { (size(one.freeable)) },
            html! { (one.n_images) },
            html! { (one.n_tags) },
            one.newest_push_at.map_or_else(nothing, |at| distance(at, now)),
        ]
    };
    table("Repositories, the largest first", &columns, shown.iter().map(row))
}
