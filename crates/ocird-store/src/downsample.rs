//! Folds samples into hours and hours into days, and lets go of what is old: samples that are folded, passes in which nothing
//! happened, manifests of images that are long gone.
//!
//! One call is one transaction of bounded work, and what it does follows from the rows alone: a crash before the commit
//! loses nothing, one after it repeats nothing, and a store with years to catch up does so pass by pass. Only steps that
//! are over are folded. A sample that a clock which went back puts into an hour that is folded already is not counted.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{FromRow, QueryBuilder, Sqlite};

use crate::column::{in_batches, millis};
use crate::fold::{Folded, Sample, Step, fold, rises};
use crate::seen::KEEP_MANIFEST;
use crate::store::Write;
use crate::{Store, StoreError};

/// Samples are kept for this long.
const KEEP_SAMPLES: TimeDelta = TimeDelta::days(30);

/// Hours are kept for this long: a leap year, so that those of this day a year ago are there.
const KEEP_HOURS: TimeDelta = TimeDelta::days(366);

/// Passes that were complete and changed no verdict are kept for this long; all others for ever. What they say, that nothing
/// happened, the usage of that day says as well.
const KEEP_PASSES: TimeDelta = TimeDelta::days(90);

/// Passes are looked through as far back as this beyond their time. Those that a daemon which was off for longer has left stay.
const LOOK_BACK: TimeDelta = TimeDelta::days(30);

/// The most rows that one call reads from one table, and the most that it deletes: some 20 ms of work. Five hundred
/// repositories bring at most 500 rows a pass when nothing changes, so that it keeps up with room to spare.
const MAX_ROWS: i64 = 10_000;

/// The scope of everything that is watched, where the others are rows of repositories.
pub(crate) const ACCOUNT: i64 = 0;

/// What one call did, in rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Downsampled {
    /// Hours and days that were written.
    pub n_written: u64,
    /// Samples, hours, passes and manifests that were let go of.
    pub n_deleted: u64,
}

/// A part with the scope that it belongs to.
#[derive(FromRow)]
struct Of<T: for<'r> FromRow<'r, sqlx::sqlite::SqliteRow>> {
    scope: i64,
    #[sqlx(flatten)]
    part: T,
}

impl Store {
    /// Folds what is over at `now`, and lets go of what is old. Writes nothing where there is nothing to do.
    pub async fn downsample(&self, now: DateTime<Utc>) -> Result<Downsampled, StoreError> {
        let mut write = self.begin(now).await?;
        let n_written =
            write.fold_account(now).await? + write.fold_samples(now).await? + write.fold_hours(now).await?;
        let n_deleted = write.let_go_of_samples(now).await?
            + write.let_go_of_hours(now).await?
            + write.let_go_of_passes(now).await?
            + write.let_go_of_manifests(now).await?;
        let done = Downsampled { n_written, n_deleted };
        if done == Downsampled::default() {
            return Ok(done);
        }
        write.commit().await?;
        Ok(done)
    }
}

impl Write<'_> {
    async fn fold_account(&mut self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let select = "SELECT 0 AS scope, at, size, reported_size, n_images, n_tags FROM account_samples \
             WHERE at >= coalesce((SELECT max(at) + 3600000 FROM usage_steps WHERE scope = 0 AND step = 1), 0) \
             AND at < ? ORDER BY at LIMIT 0 + ?";
        let samples = self.unfolded::<Sample>(select, Step::Hour, now).await?;
        self.fold_into_hours(samples).await
    }

    async fn fold_samples(&mut self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let select = "SELECT repositories.id AS scope, samples.at, samples.size, samples.reported_size, \
             samples.n_images, samples.n_tags FROM repositories \
             CROSS JOIN usage_samples AS samples ON samples.repository = repositories.id AND samples.at >= \
             coalesce((SELECT max(at) + 3600000 FROM usage_steps WHERE scope = repositories.id AND step = 1), 0) \
             AND samples.at < ? ORDER BY repositories.id, samples.at LIMIT 0 + ?";
        let samples = self.unfolded::<Sample>(select, Step::Hour, now).await?;
        self.fold_into_hours(samples).await
    }

    async fn fold_hours(&mut self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let select = "SELECT scopes.id AS scope, hours.at, size, peak, grown, freed, reported_size, n_images, n_tags \
             FROM (SELECT 0 AS id UNION ALL SELECT id FROM repositories) AS scopes \
             CROSS JOIN usage_steps AS hours ON hours.scope = scopes.id AND hours.step = 1 AND hours.at >= \
             coalesce((SELECT max(at) + 86400000 FROM usage_steps WHERE scope = scopes.id AND step = 24), 0) \
             AND hours.at < ? ORDER BY scopes.id, hours.at LIMIT 0 + ?";
        let hours = self.unfolded::<Folded>(select, Step::Day, now).await?;
        let days = hours.into_iter().flat_map(|(scope, hours)| of_scope(scope, fold(Step::Day, hours)));
        self.put(Step::Day, days.collect()).await
    }

    /// What is not folded into this step yet, of steps that are over: by scope, and only whole steps.
    async fn unfolded<T>(
        &mut self,
        select: &'static str,
        step: Step,
        now: DateTime<Utc>,
    ) -> Result<Vec<(i64, Vec<T>)>, StoreError>
    where
        T: Timed + Send + Unpin + for<'r> FromRow<'r, sqlx::sqlite::SqliteRow>,
    {
        let mut rows: Vec<Of<T>> = sqlx::query_as(select)
            .bind(step.start(millis(now)))
            .bind(MAX_ROWS)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::sqlite("reading usage that is to be folded"))?;
        if rows.len() as u64 == MAX_ROWS.unsigned_abs() {
            leave_the_last(step, &mut rows);
        }
        let mut scopes: Vec<(i64, Vec<T>)> = Vec::new();
        for Of { scope, part } in rows {
            match scopes.last_mut().filter(|(last, _)| *last == scope) {
                Some((_, parts)) => parts.push(part),
                None => scopes.push((scope, vec![part])),
            }
        }
        Ok(scopes)
    }

    async fn fold_into_hours(&mut self, samples: Vec<(i64, Vec<Sample>)>) -> Result<u64, StoreError> {
        let mut hours = Vec::new();
        for (scope, samples) in samples {
            let before = "SELECT size FROM usage_steps WHERE scope = ? AND step = 1 AND size IS NOT NULL \
                 ORDER BY at DESC LIMIT 1";
            let before: Option<i64> = sqlx::query_scalar(before)
                .bind(scope)
                .fetch_optional(self.connection())
                .await
                .map_err(StoreError::sqlite("reading the usage before"))?;
            hours.extend(of_scope(scope, fold(Step::Hour, rises(before, samples))));
        }
        self.put(Step::Hour, hours).await
    }

    async fn put(&mut self, step: Step, steps: Vec<Of<Folded>>) -> Result<u64, StoreError> {
        for steps in in_batches(&steps) {
            let mut insert: QueryBuilder<Sqlite> = QueryBuilder::new(
                "INSERT INTO usage_steps (scope, step, at, size, peak, grown, freed, reported_size, n_images, n_tags) ",
            );
            insert.push_values(steps, |mut row, Of { scope, part }| {
                let Folded { at, size, peak, grown, freed, reported_size, n_images, n_tags } = *part;
                row.push_bind(*scope)
                    .push_bind(step.hours())
                    .push_bind(at)
                    .push_bind(size)
                    .push_bind(peak)
                    .push_bind(grown)
                    .push_bind(freed)
                    .push_bind(reported_size)
                    .push_bind(n_images)
                    .push_bind(n_tags);
            });
            let insert = insert.build();
            insert.execute(self.connection()).await.map_err(StoreError::sqlite("folding usage"))?;
        }
        Ok(steps.len() as u64)
    }

    /// Old samples that are folded go; the latest of each scope stays, because the next one is compared with it.
    async fn let_go_of_samples(&mut self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let of_account = "DELETE FROM account_samples WHERE at IN (SELECT at FROM account_samples WHERE at < min(?1, \
             coalesce((SELECT max(at) + 3600000 FROM usage_steps WHERE scope = 0 AND step = 1), 0), \
             (SELECT max(at) FROM account_samples)) ORDER BY at LIMIT 0 + ?2)";
        let of_repositories = "DELETE FROM usage_samples WHERE (repository, at) IN (SELECT repositories.id, samples.at \
             FROM repositories CROSS JOIN usage_samples AS samples ON samples.repository = repositories.id \
             AND samples.at < min(?1, \
             coalesce((SELECT max(at) + 3600000 FROM usage_steps WHERE scope = repositories.id AND step = 1), 0), \
             (SELECT max(at) FROM usage_samples WHERE repository = repositories.id)) LIMIT 0 + ?2)";
        let until = now - KEEP_SAMPLES;
        Ok(self.let_go_of(of_account, until).await? + self.let_go_of(of_repositories, until).await?)
    }

    /// Old hours that are folded go; the latest of each scope stays, because it says up to where samples are folded.
    async fn let_go_of_hours(&mut self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let delete = "DELETE FROM usage_steps WHERE (scope, step, at) IN (SELECT scopes.id, 1, hours.at \
             FROM (SELECT 0 AS id UNION ALL SELECT id FROM repositories) AS scopes \
             CROSS JOIN usage_steps AS hours ON hours.scope = scopes.id AND hours.step = 1 AND hours.at < min(?1, \
             coalesce((SELECT max(at) + 86400000 FROM usage_steps WHERE scope = scopes.id AND step = 24), 0), \
             (SELECT max(at) FROM usage_steps WHERE scope = scopes.id AND step = 1)) LIMIT 0 + ?2)";
        self.let_go_of(delete, now - KEEP_HOURS).await
    }

    /// Old passes in which nothing happened go; the last one stays, whatever it is.
    async fn let_go_of_passes(&mut self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let delete = "DELETE FROM passes WHERE id IN (SELECT id FROM passes WHERE finished_at >= ?1 - ?3 \
             AND finished_at < ?1 AND result = 'complete' AND id < (SELECT max(id) FROM passes) \
             AND NOT EXISTS (SELECT 1 FROM verdicts WHERE verdicts.pass = passes.id) ORDER BY finished_at LIMIT 0 + ?2)";
        let deleted = sqlx::query(delete)
            .bind(millis(now - KEEP_PASSES))
            .bind(MAX_ROWS)
            .bind(LOOK_BACK.num_milliseconds())
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite("letting go of old passes"))?;
        Ok(deleted.rows_affected())
    }

    /// Bytes whose time is over: manifests of images that are gone, and the journal's copies for undoing.
    async fn let_go_of_manifests(&mut self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let bytes = "DELETE FROM manifest_bytes WHERE manifest IN \
             (SELECT id FROM manifests WHERE expires_at <= ?1 ORDER BY expires_at, id LIMIT 0 + ?2)";
        let manifests = "UPDATE manifests SET is_held = 0, expires_at = NULL WHERE id IN \
             (SELECT id FROM manifests WHERE expires_at <= ?1 ORDER BY expires_at, id LIMIT 0 + ?2)";
        let undoing = "DELETE FROM intent_manifests WHERE intent IN (SELECT intent FROM intent_manifests \
             JOIN outcomes USING (intent) WHERE at <= ?1 LIMIT 0 + ?2)";
        let n_gone = self.let_go_of(bytes, now).await? + self.let_go_of(manifests, now).await?;
        Ok(n_gone + self.let_go_of(undoing, now - KEEP_MANIFEST).await?)
    }

    async fn let_go_of(&mut self, delete: &'static str, until: DateTime<Utc>) -> Result<u64, StoreError> {
        let deleted = sqlx::query(delete)
            .bind(millis(until))
            .bind(MAX_ROWS)
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite("letting go of what is old"))?;
        Ok(deleted.rows_affected())
    }
}

/// Parts of one scope.
fn of_scope(scope: i64, parts: Vec<Folded>) -> impl Iterator<Item = Of<Folded>> {
    parts.into_iter().map(move |part| Of { scope, part })
}

/// Drops the last step of rows that were cut off: nobody knows whether it is whole.
fn leave_the_last<T>(step: Step, rows: &mut Vec<Of<T>>)
where
    T: Timed + for<'r> FromRow<'r, sqlx::sqlite::SqliteRow>,
{
    let key = |row: &Of<T>| (row.scope, step.start(row.part.at()));
    if let Some(last) = rows.last().map(key) {
        rows.retain(|row| key(row) != last);
    }
}

/// What has a time.
trait Timed {
    /// Milliseconds since 1970.
    fn at(&self) -> i64;
}

impl Timed for Sample {
    fn at(&self) -> i64 {
        self.at
    }
}

impl Timed for Folded {
    fn at(&self) -> i64 {
        self.at
    }
}
