//! What the pages ask the store: as much as they show and no more, however long the past is. Where there is no store, or it
//! cannot be read, the present is shown without the past, and why.

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Bytes, ErrorChain, RepositoryName};
use ocird_store::{
    DeletionsQuery, ImageCursor, ImagesQuery, IntentId, Page, Past, PastDeletion, PastImage, Step,
    StoreError, Totals, UsageOf, UsageStep,
};

use super::super::App;
use super::curve::Point;
use super::range::Range;
use crate::forecast::{Basis, Day, Forecast, Savings, WINDOW, forecast};
use crate::outlook::{day, saved};
use crate::status::Status;

/// Of every repository the curve of so many days is drawn.
pub(super) const SMALL_CURVE: TimeDelta = TimeDelta::days(30);

/// Deletions that are read for a page that is about more than them: enough for some families with their rests.
const N_LATEST: u32 = 40;

/// Deletions on their own page.
const N_DELETIONS: u32 = 50;

/// Images on one page.
const N_IMAGES: u32 = 50;

/// The most points of a curve: some more than it has pixels would not be seen.
const N_POINTS: usize = 480;

/// Why the past cannot be shown, in words for people.
#[derive(Debug)]
pub(super) struct NoPast(pub(super) String);

impl From<StoreError> for NoPast {
    fn from(error: StoreError) -> Self {
        tracing::warn!(error = %ErrorChain(&error), "a page could not read the past");
        Self("the store cannot be read; the log says more".to_owned())
    }
}

/// Usage over time, and what is to be expected of it.
#[derive(Debug)]
pub(super) struct History {
    /// The curve.
    pub(super) points: Vec<Point>,
    /// Between two points that are further apart nothing is known.
    pub(super) gap: TimeDelta,
    /// Rates, and when each line is reached.
    pub(super) forecast: Forecast,
}

/// What deletions came to.
#[derive(Debug)]
pub(super) struct Gone {
    /// Everything so far.
    pub(super) totals: Totals,
    /// What that has saved; `None` without a price.
    pub(super) savings: Option<Savings>,
    /// The latest.
    pub(super) latest: Vec<PastDeletion>,
}

/// Asks the store, at one instant.
#[derive(Debug)]
pub(super) struct Recall<'a> {
    app: &'a App,
    past: Past,
    now: DateTime<Utc>,
}

impl<'a> Recall<'a> {
    pub(super) fn new(app: &'a App, now: DateTime<Utc>) -> Result<Self, NoPast> {
        Ok(Self { app, past: app.past.get().map_err(NoPast)?, now })
    }

    /// Usage of everything or of one repository. The lines are those of everything; one repository does not reach them by
    /// itself.
    pub(super) async fn history(
        &self,
        of: &UsageOf,
        range: Range,
        status: &Status,
    ) -> Result<History, NoPast> {
        let since = match range.length() {
            Some(length) => self.now - length,
            None => self.past.begins_at().await?,
        };
        let step = step_for(self.now - since.max(self.past.begins_at().await?));
        let steps = self.past.usage(of, step, since..self.now).await?;
        let window = self.past.usage(of, Step::Day, self.now - WINDOW..self.now).await?;
        let days: Vec<Day> = window.iter().map(day).collect();
        let lines: Vec<Bytes> = match of {
            UsageOf::Everything => {
                [status.bounds.warn_at, status.bounds.budget].into_iter().flatten().collect()
            }
            UsageOf::Repository(_) => Vec::new(),
        };
        let (usage, plan_frees) = present(status, of);
        let usage = usage.or_else(|| window.last().and_then(|day| day.size));
        let basis = Basis { days: &days, now: self.now, usage, plan_frees };
        let mut points: Vec<Point> =
            steps.iter().map(|point| (ends(point, step, self.now), point.size)).collect();
        // What is known now ends the curve, whatever was on record last.
        if usage.is_some() && points.last().is_some_and(|(at, _)| *at < self.now) {
            points.push((self.now, usage));
        }
        Ok(History { points: thinned(&points), gap: gap(step), forecast: forecast(&basis, &lines) })
    }

    /// The sizes of one repository in the last month.
    pub(super) async fn small_curve(&self, name: &RepositoryName) -> Result<Vec<Option<Bytes>>, NoPast> {
        let of = UsageOf::Repository(name.clone());
        let days = self.past.usage(&of, Step::Day, self.now - SMALL_CURVE..self.now).await?;
        Ok(days.into_iter().map(|day| day.size).collect())
    }

    /// What deletions came to, with the latest of everything.
    pub(super) async fn gone(&self) -> Result<Gone, NoPast> {
        let latest = self.deletions(None, None, N_LATEST).await?.rows;
        Ok(Gone { totals: self.past.totals().await?, savings: self.savings().await?, latest })
    }

    /// The latest deletions of one repository.
    pub(super) async fn gone_of(&self, name: &RepositoryName) -> Result<Vec<PastDeletion>, NoPast> {
        Ok(self.deletions(Some(name.clone()), None, N_LATEST).await?.rows)
    }

    /// A page of deletions.
    pub(super) async fn deletions_page(
        &self,
        repository: Option<RepositoryName>,
        before: Option<IntentId>,
    ) -> Result<Page<PastDeletion, IntentId>, NoPast> {
        self.deletions(repository, before, N_DELETIONS).await
    }

    /// A page of the images of a repository; `None` when no repository of this name was ever seen.
    pub(super) async fn images(
        &self,
        repository: &RepositoryName,
        are_gone: bool,
        after: Option<ImageCursor>,
    ) -> Result<Option<Page<PastImage, ImageCursor>>, NoPast> {
        let query = ImagesQuery { repository: repository.clone(), are_gone, after, limit: N_IMAGES };
        let page = self.past.images(&query).await?;
        let is_known = !page.rows.is_empty()
            || self.past.repositories().await?.iter().any(|(known, _)| known == repository);
        Ok(is_known.then_some(page))
    }

    async fn deletions(
        &self,
        repository: Option<RepositoryName>,
        before: Option<IntentId>,
        limit: u32,
    ) -> Result<Page<PastDeletion, IntentId>, NoPast> {
        Ok(self.past.deletions(&DeletionsQuery { repository, since: None, before, limit }).await?)
    }

    async fn savings(&self) -> Result<Option<Savings>, NoPast> {
        Ok(match &self.app.price {
            Some(price) => Some(saved(&self.past, price, self.now).await?),
            None => None,
        })
    }
}

/// What is in use now and what the plan would free, by the present picture.
fn present(status: &Status, of: &UsageOf) -> (Option<Bytes>, Option<Bytes>) {
    match of {
        UsageOf::Everything if status.repositories.is_empty() => (None, None),
        UsageOf::Everything => {
            let repositories = || status.repositories.values();
            (repositories().map(|one| one.size).sum(), repositories().map(|one| one.freeable).sum())
        }
        UsageOf::Repository(name) => {
            status.repositories.get(name).map_or((None, None), |one| (one.size, one.freeable))
        }
    }
}

/// A short past is drawn as it was sampled, a long one by days.
fn step_for(length: TimeDelta) -> Step {
    match length.num_days() {
        ..2 => Step::Sample,
        2..15 => Step::Hour,
        _ => Step::Day,
    }
}

/// Over a gap of some steps the curve goes on: a daemon that rests for an hour is no hole in the past.
fn gap(step: Step) -> TimeDelta {
    match step {
        Step::Sample | Step::Hour => TimeDelta::hours(6),
        Step::Day => TimeDelta::hours(60),
    }
}

/// When the size of a step was known: at its end, or now while it is under way.
fn ends(point: &UsageStep, step: Step, now: DateTime<Utc>) -> DateTime<Utc> {
    let length = match step {
        Step::Sample => TimeDelta::zero(),
        Step::Hour => TimeDelta::hours(1),
        Step::Day => TimeDelta::days(1),
    };
    (point.at + length).min(now)
}

/// So many points at most, the last of each few.
fn thinned(points: &[Point]) -> Vec<Point> {
    let each = points.len().div_ceil(N_POINTS).max(1);
    points.chunks(each).filter_map(|few| few.last().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_curve_is_thinned_and_ends_where_it_ended() {
        let at = |n: i64| DateTime::UNIX_EPOCH + TimeDelta::days(n);
        let points: Vec<Point> = (0..3650).map(|n| (at(n), Some(Bytes(1)))).collect();
        let thin = thinned(&points);
        assert!(thin.len() <= N_POINTS && thin.last() == points.last(), "{}", thin.len());
        assert_eq!(thinned(&points[..10]), points[..10]);
        assert_eq!(thinned(&[]), []);
    }

    #[test]
    fn the_present_of_an_empty_board_is_unknown_and_not_nothing() {
        let fresh = crate::http::worlds::fresh_start();
        assert_eq!(present(&fresh, &UsageOf::Everything), (None, None));
    }
}
