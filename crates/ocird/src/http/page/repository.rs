//! One repository: its figures and curve, what goes next, its images with what was decided about each, and what went.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use ocird_model::{RepositoryName, Tag};
use ocird_store::{ImageCursor, Page, PastDeletion, PastImage};

use super::range::Range;
use super::recall::{History, NoPast};
use super::table::{Column, table};
use super::usage::{curve, figure, rates, sized};
use super::words::{counted, decision, distance, image, moment, name, nothing, outside, repository_path};
use super::{findings, gone, next};
use crate::status::{RepositoryStatus, Status};

/// So many users of one image are named.
const N_USERS: usize = 6;

/// What its page shows.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    /// Its name.
    pub(super) name: &'a RepositoryName,
    /// Usage over time.
    pub(super) history: Result<History, NoPast>,
    /// Its images, or those that are gone.
    pub(super) images: Result<Page<PastImage, ImageCursor>, NoPast>,
    /// What ocird deleted of it last.
    pub(super) gone: Result<Vec<PastDeletion>, NoPast>,
    /// Which images are shown.
    pub(super) which: Which,
    /// Over which past the curve goes.
    pub(super) range: Range,
}

/// Which images of a repository are shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Which {
    /// Those that are gone.
    pub(super) are_gone: bool,
    /// Those after this one.
    pub(super) after: Option<ImageCursor>,
}

impl Which {
    /// What a link says. A cursor that nobody can read is the beginning: a link that somebody cut should still show a page.
    pub(super) fn parse(state: Option<&str>, after: Option<&str>) -> Self {
        let after = after.and_then(|text| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok());
        Self { are_gone: state == Some("gone"), after }
    }

    /// The link to the images after these.
    fn then(&self, path: &str, next: &ImageCursor) -> String {
        let cursor = serde_json::to_vec(next).expect("a cursor is a text and a number");
        let state = if self.are_gone { "state=gone&" } else { "" };
        format!("{path}?{state}after={}#images", URL_SAFE_NO_PAD.encode(cursor))
    }
}

impl Shown<'_> {
    pub(super) fn page(&self, status: &Status, now: DateTime<Utc>) -> Markup {
        let path = repository_path(self.name);
        html! {
            nav.crumbs aria-label="Where this is" { a href="/repositories" { "Repositories" } }
            h1 { (self.name) }
            @match status.repositories.get(self.name) {
                Some(present) => (figures(present, now)),
                None => p.empty { "The last pass did not see it. What is below is from the past." },
            }
            (findings::of_repository(status, self.name, now))
            (self.growth(&path, now))
            (next::of_repository(status, self.name, now))
            (self.images(&path, now))
            @match &self.gone {
                Ok(latest) => (gone::of_repository(self.name, latest, now)),
                Err(NoPast(_)) => {},
            }
        }
    }

    fn growth(&self, path: &str, now: DateTime<Utc>) -> Markup {
        html! {
            section #curve aria-labelledby="growth" {
                div.head { h2 #growth { "Usage over time" } (self.range.links(path)) }
                @match &self.history {
                    Err(NoPast(why)) => p.empty { "There is no past to show: " (outside(why)) "." },
                    Ok(history) => {
                        (curve(history, &[], &format!("Usage of {}", self.name), now))
                        dl.figures { (rates(&history.forecast)) }
                    }
                }
            }
        }
    }

    fn images(&self, path: &str, now: DateTime<Utc>) -> Markup {
        let current = |are_gone| (self.which.are_gone == are_gone).then_some("true");
        html! {
            section #images aria-labelledby="images-heading" {
                div.head {
                    h2 #images-heading { "Images" }
                    nav.ranges aria-label="Which images" { ul {
                        li { a href={ (path) "#images" } aria-current=[current(false)] { "present" } }
                        li { a href={ (path) "?state=gone#images" } aria-current=[current(true)] { "gone" } }
                    } }
                }
                @match &self.images {
                    Err(NoPast(why)) => p.empty { "They cannot be shown: " (outside(why)) "." },
                    Ok(page) if page.rows.is_empty() => p.empty { "There are none." },
                    Ok(page) => { (rows(&page.rows, now)) (self.pages(path, page)) }
                }
            }
        }
    }

    fn pages(&self, path: &str, page: &Page<PastImage, ImageCursor>) -> Markup {
        let first = if self.which.are_gone { "?state=gone#images" } else { "#images" };
        html! {
            @if self.which.after.is_some() || page.next.is_some() {
                nav.pages aria-label="Parts of the list" { ul {
                    @if self.which.after.is_some() { li { a href={ (path) (first) } { "Newest" } } }
                    @if let Some(next) = &page.next { li { a rel="next" href=(self.which.then(path, next)) { "Older" } } }
                } }
            }
        }
    }
}

fn figures(present: &RepositoryStatus, now: DateTime<Utc>) -> Markup {
    let RepositoryStatus {
        project,
        complete_at,
        unreadable,
        n_images,
        n_tags,
        verdicts: _,
        size,
        freeable,
        reported_size,
        newest_push_at,
    } = present;
    html! {
        @if unreadable.is_some() {
            div.notice.warn role="status" { p { strong { "It could not be read whole in the last pass" } ", so nothing of it goes." } }
        }
        dl.figures {
            (sized("Size", *size))
            (sized("The plan frees", *freeable))
            (sized("The service says", Some(*reported_size)))
            (figure("Images", &html! { (n_images) " with " (counted(*n_tags, "tag", "tags")) }))
            (figure("Project", &project.as_ref().map_or_else(nothing, |project| html! { (name(project)) })))
            (figure("Newest push", &newest_push_at.map_or_else(nothing, |at| distance(at, now))))
            (figure("Read whole", &complete_at.map_or_else(nothing, |at| distance(at, now))))
        }
    }
}

fn rows(images: &[PastImage], now: DateTime<Utc>) -> Markup {
    let columns = [
        Column::text("Image"),
        Column::text("Pushed"),
        Column::number("Size"),
        Column::text("Last pull"),
        Column::text("In use by"),
        Column::text("Verdict"),
    ];
    let row = |one: &PastImage| {
        let tags: Vec<&str> = one.tags.iter().map(Tag::as_str).collect();
        let pushed_at = one.created_at.unwrap_or(one.first_seen_at);
        [
            image(&tags, &one.digest.short()),
            distance(pushed_at, now),
            html! { (one.size) },
            last_pull(one, now),
            users(&one.used_by),
            verdict(one, now),
        ]
    };
    table("Images, the one that was pushed last first", &columns, images.iter().map(row))
}

fn last_pull(image: &PastImage, now: DateTime<Utc>) -> Markup {
    match (image.last_pulled_at, image.n_pulls) {
        (Some(at), _) => distance(at, now),
        (None, 0) => html! { span.dim { "never" } },
        (None, n) => html! { (counted(n, "pull", "pulls")) },
    }
}

fn users(used_by: &[String]) -> Markup {
    if used_by.is_empty() {
        return nothing();
    }
    html! {
        @for (i, user) in used_by.iter().take(N_USERS).enumerate() { @if i > 0 { ", " } (name(user)) }
        @if used_by.len() > N_USERS { span.dim { " and " (used_by.len() - N_USERS) " more" } }
    }
}

fn verdict(image: &PastImage, now: DateTime<Utc>) -> Markup {
    match (image.gone_at, &image.verdict) {
        (Some(at), _) => html! { "gone " (moment(at, now)) },
        (None, Some(verdict)) => html! {
            (decision(verdict)) @if let Some(since) = verdict.since { ", " span.dim { "since " (distance(since, now)) } }
        },
        (None, None) => html! { span.dim { "not decided yet" } },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_from_its_link_and_nonsense_is_the_beginning() {
        let cursor: ImageCursor =
            serde_json::from_str(r#"{"created_at":"2026-03-01T12:00:00Z","id":7}"#).unwrap();
        let link = Which { are_gone: true, after: None }.then("/repositories/a/b", &cursor);
        let after = link.split("after=").nth(1).unwrap().trim_end_matches("#images");
        assert_eq!(Which::parse(Some("gone"), Some(after)).after, Some(cursor));
        assert!(link.starts_with("/repositories/a/b?state=gone&after="), "{link}");
        for nonsense in ["", "e30", "<script>", "\u{0}"] {
            assert!(Which::parse(None, Some(nonsense)).after.is_none(), "{nonsense:?}");
        }
    }
}
