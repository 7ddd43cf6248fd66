//! Lists and their pages: what a row is, in which order rows come, and opaque tokens.
//!
//! A page is a slice of the list as it is when the page is asked for. As in the cloud there is no snapshot: rows
//! shift between pages while somebody pushes.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use ocird_model::{CompartmentId, Tag};

use crate::digest::sha256;
use crate::error::ApiError;
use crate::image::{Image, Life};
use crate::repository::Repository;
use crate::settings::{ListingShape, Settings};
use crate::state::State;
use crate::view::{Cursor, Depth, ImageQuery, ImageRowView, Order, Page, RepositoryQuery, RepositoryView};

/// A row before it is written out: an image, and the tag of the row.
type Row<'a> = (&'a Image, Option<&'a Tag>);

impl State {
    /// The page of images that was asked for.
    pub(crate) fn image_page(
        &self,
        query: &ImageQuery,
        now: DateTime<Utc>,
    ) -> Result<Page<ImageRowView>, ApiError> {
        self.check_compartment(&query.compartment, query.depth)?;
        let slot = Slot::read(&query.cursor, &question_about_images(query), &self.settings)?;
        let listed: Vec<&Repository> =
            self.repositories.values().filter(|repository| repository_fits(repository, query)).collect();
        let n_images: usize = listed.iter().map(|repository| repository.order.len()).sum();
        // One repository in its own order is what the daemon asks for; it must not cost a sort per page.
        let rows = if let ([repository], Order::NewestFirst) = (listed.as_slice(), query.order) {
            self.write_out(self.rows_of(repository, query, now), &slot)
        } else {
            let mut rows: Vec<Row<'_>> =
                listed.iter().flat_map(|repository| self.rows_of(repository, query, now)).collect();
            self.sort(&mut rows, query.order);
            self.write_out(rows.into_iter(), &slot)
        };
        Ok(slot.page(rows, n_images))
    }

    /// The rows of one repository that the query asks for, newest image first.
    fn rows_of<'a>(
        &'a self,
        repository: &'a Repository,
        query: &'a ImageQuery,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = Row<'a>> {
        repository
            .order
            .iter()
            .map(|(_, id)| &self.images[id])
            .filter(move |image| self.is_listed(image, now) && image_fits(image, query))
            .flat_map(|image| self.rows_of_image(image))
            .filter(move |row| row_fits(row, repository, query))
    }

    fn rows_of_image<'a>(&self, image: &'a Image) -> Vec<Row<'a>> {
        let mut tags: Vec<Row<'a>> =
            image.tags_by_time().into_iter().map(|(tag, _)| (image, Some(tag))).collect();
        if tags.is_empty() {
            tags.push((image, None));
        }
        if self.settings.shape == ListingShape::PerImage {
            tags.truncate(1);
        }
        tags
    }

    /// Whether the list knows of the image: not yet of the freshest or the just restored, still for a while of the deleted.
    fn is_listed(&self, image: &Image, now: DateTime<Utc>) -> bool {
        match image.life {
            Life::Available => image.appeared_at + self.settings.listing_lag <= now,
            Life::Deleting { since } | Life::Deleted { since } => now < since + self.settings.listing_linger,
        }
    }

    fn sort(&self, rows: &mut [Row<'_>], order: Order) {
        let name = |row: &Row<'_>| display_name(&self.repositories[&row.0.repository], row.0, row.1);
        match order {
            Order::NewestFirst => {
                rows.sort_by_key(|(image, _)| (Reverse(image.created_at), image.id.clone()));
            }
            Order::OldestFirst => rows.sort_by_key(|(image, _)| (image.created_at, image.id.clone())),
            Order::NameAscending => rows.sort_by_cached_key(name),
            Order::NameDescending => rows.sort_by_cached_key(|row| Reverse(name(row))),
        }
    }

    fn write_out<'a>(&self, rows: impl Iterator<Item = Row<'a>>, slot: &Slot) -> Vec<ImageRowView> {
        slot.cut(rows).map(|row| self.row_view(&row)).collect()
    }

    fn row_view(&self, (image, tag): &Row<'_>) -> ImageRowView {
        let repository = &self.repositories[&image.repository];
        ImageRowView {
            id: image.id.clone(),
            digest: image.manifest.digest,
            display_name: display_name(repository, image, *tag),
            tag: tag.cloned(),
            repository: repository.id.clone(),
            repository_name: repository.name.clone(),
            compartment: repository.compartment.clone(),
            created_at: image.created_at,
            lifecycle: image.lifecycle(),
        }
    }

    /// The page of repositories that was asked for.
    pub(crate) fn repository_page(&self, query: &RepositoryQuery) -> Result<Page<RepositoryView>, ApiError> {
        self.check_compartment(&query.compartment, query.depth)?;
        let question = format!("repositories {} {:?}", query.compartment, query.order);
        let slot = Slot::read(&query.cursor, &question, &self.settings)?;
        let mut rows: Vec<RepositoryView> = self
            .repositories
            .values()
            .filter(|repository| within(&repository.compartment, &query.compartment, query.depth))
            .filter(|repository| query.repository.as_ref().is_none_or(|id| *id == repository.id))
            .filter(|repository| query.name.as_ref().is_none_or(|name| name == repository.name.as_str()))
            .map(|repository| self.repository_view(repository))
            .filter(|view| query.lifecycle.is_none_or(|state| state == view.lifecycle))
            .collect();
        match query.order {
            Order::NewestFirst => rows.sort_by_key(|view| Reverse(view.created_at)),
            Order::OldestFirst => rows.sort_by_key(|view| view.created_at),
            Order::NameAscending => rows.sort_by(|a, b| a.name.cmp(&b.name)),
            Order::NameDescending => rows.sort_by(|a, b| b.name.cmp(&a.name)),
        }
        let n_rows = rows.len();
        let rows = slot.cut(rows.into_iter()).collect();
        Ok(slot.page(rows, n_rows))
    }

    /// A compartment that does not exist and one that is forbidden look the same; a subtree is for the root only.
    pub(crate) fn check_compartment(
        &self,
        compartment: &CompartmentId,
        depth: Depth,
    ) -> Result<(), ApiError> {
        if !self.knows(compartment) {
            return Err(ApiError::NotAuthorizedOrNotFound);
        }
        if depth == Depth::Subtree && compartment.as_str() != self.settings.tenancy.as_str() {
            return Err(ApiError::InvalidParameter {
                what: "compartmentIdInSubtree is allowed for the root compartment only".to_owned(),
            });
        }
        Ok(())
    }
}

/// True when a thing of this compartment is within what was asked about.
pub(crate) fn within(compartment: &CompartmentId, asked: &CompartmentId, depth: Depth) -> bool {
    depth == Depth::Subtree || compartment == asked
}

/// `repo:tag`, `repo:last-tag@digest` or `repo:unknown@digest`.
pub(crate) fn display_name(repository: &Repository, image: &Image, tag: Option<&Tag>) -> String {
    let name = &repository.name;
    match (tag, &image.last_tag) {
        (Some(tag), _) => format!("{name}:{tag}"),
        (None, Some(last)) => format!("{name}:{last}@{}", image.manifest.digest),
        (None, None) => format!("{name}:unknown@{}", image.manifest.digest),
    }
}

fn repository_fits(repository: &Repository, query: &ImageQuery) -> bool {
    let name_fits = |wanted: &String| fits(wanted, repository.name.as_str());
    within(&repository.compartment, &query.compartment, query.depth)
        && query.repository.as_ref().is_none_or(|id| *id == repository.id)
        && query.repository_name.as_ref().is_none_or(name_fits)
}

fn image_fits(image: &Image, query: &ImageQuery) -> bool {
    query.image.as_ref().is_none_or(|id| *id == image.id)
        && query.digest.is_none_or(|digest| digest == image.manifest.digest)
        && query.lifecycle.is_none_or(|state| state == image.lifecycle())
        && query.is_versioned.is_none_or(|versioned| versioned != image.tags.is_empty())
}

fn row_fits((image, tag): &Row<'_>, repository: &Repository, query: &ImageQuery) -> bool {
    let tag_fits = |wanted: &String| tag.is_some_and(|tag| fits(wanted, tag.as_str()));
    let name_fits = |wanted: &String| *wanted == display_name(repository, image, *tag);
    query.tag.as_ref().is_none_or(tag_fits) && query.display_name.as_ref().is_none_or(name_fits)
}

/// The service's own pattern: exact, or a prefix and `*`.
fn fits(wanted: &str, text: &str) -> bool {
    wanted.strip_suffix('*').map_or(wanted == text, |prefix| text.starts_with(prefix))
}

/// A text that is the same for every page of one listing, so that a token of one serves no other.
fn question_about_images(query: &ImageQuery) -> String {
    let unpaged = ImageQuery { cursor: Cursor::default(), ..query.clone() };
    format!("{unpaged:?}")
}

/// Where in a list a page lies.
#[derive(Debug)]
pub(crate) struct Slot {
    offset: usize,
    /// How often the same rows were promised before without being shown; part of the token, so that no two are alike.
    turn: u64,
    limit: usize,
    /// What the tokens of this listing are sealed with.
    seal: String,
}

impl Slot {
    /// Reads the token of the page; one that this listing never gave out is an invalid parameter.
    pub(crate) fn read(cursor: &Cursor, question: &str, settings: &Settings) -> Result<Self, ApiError> {
        let seal = format!("{} {question}", settings.seed);
        let (offset, turn) = match &cursor.page {
            None => (0, 0),
            Some(token) => opened(token, &seal).ok_or_else(|| ApiError::InvalidParameter {
                what: "page is not a token of this listing".to_owned(),
            })?,
        };
        Ok(Self {
            offset,
            turn,
            limit: cursor.limit.unwrap_or(settings.page_size).min(settings.page_size).max(1),
            seal,
        })
    }

    /// The rows of this page and one more, which tells whether there is another page.
    pub(crate) fn cut<T>(&self, rows: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        rows.skip(self.offset).take(self.limit + 1)
    }

    /// The page of these rows, which came from [`Slot::cut`]; `n_listed` is about how long the whole list is.
    pub(crate) fn page<T>(&self, mut rows: Vec<T>, n_listed: usize) -> Page<T> {
        let next = self.offset + self.limit;
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        Page {
            items: rows,
            next: more.then(|| sealed((next, 0), &self.seal)),
            again: sealed((self.offset, self.turn), &self.seal),
            afresh: sealed((self.offset, self.turn + 1), &self.seal),
            n_remaining: n_listed.saturating_sub(next) as u64,
        }
    }
}

/// The token of a place in the list: its offset and its turn, and a mark that nobody else can make. It is full of what
/// a query must encode: a client that sends it back as it came asks for something else.
fn sealed((offset, turn): (usize, u64), seal: &str) -> String {
    let mark = sha256(format!("{seal} {offset} {turn}").as_bytes()).short();
    format!("{offset:x}/{turn:x} *:{mark}+==")
}

fn opened(token: &str, seal: &str) -> Option<(usize, u64)> {
    let (place, _) = token.split_once(' ')?;
    let (offset, turn) = place.split_once('/')?;
    let place = (usize::from_str_radix(offset, 16).ok()?, u64::from_str_radix(turn, 16).ok()?);
    (sealed(place, seal) == token).then_some(place)
}
