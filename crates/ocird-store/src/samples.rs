//! Samples of usage: one row where something changed, and one an hour in any case, of each repository and of everything
//! that is watched. What becomes of them with time is in `downsample`.

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Bytes, RepositoryId};

use crate::StoreError;
use crate::column::{count, millis};
use crate::fold::Sample;
use crate::store::Write;

/// A sample that says the same as the one before is still written after this long, so that a flat line and a gap
/// can be told apart: 9 thousand rows a year for a repository, not 35 thousand.
const AT_LEAST_EVERY: TimeDelta = TimeDelta::hours(1);

/// The usage of one repository at the time of a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageSample {
    /// The repository.
    pub repository: RepositoryId,
    /// ocird's own account; `None` while a layer is not known.
    pub size: Option<Bytes>,
    /// The service's own figure, which lags.
    pub reported_size: Option<Bytes>,
    /// Number of images.
    pub n_images: u64,
    /// Number of tags.
    pub n_tags: u64,
}

/// The usage of everything that is watched, at the time of a pass that read all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountSample {
    /// ocird's own account; `None` while a layer is not known.
    pub size: Option<Bytes>,
    /// The service's own figure, which lags.
    pub reported_size: Option<Bytes>,
    /// Number of images.
    pub n_images: u64,
    /// Number of tags.
    pub n_tags: u64,
}

impl Write<'_> {
    /// Writes the sample of a repository, if it is news.
    pub(crate) async fn usage(&mut self, sample: &UsageSample, at: DateTime<Utc>) -> Result<(), StoreError> {
        let UsageSample { repository, size, reported_size, n_images, n_tags } = sample;
        let select = "SELECT at, size, reported_size, n_images, n_tags FROM usage_samples \
             WHERE repository = (SELECT id FROM repositories WHERE ocid = ?) ORDER BY at DESC LIMIT 1";
        let latest: Option<Sample> = sqlx::query_as(select)
            .bind(repository.as_str())
            .fetch_optional(self.connection())
            .await
            .map_err(StoreError::sqlite("reading the latest usage"))?;
        let sample = columns(*size, *reported_size, *n_images, *n_tags, at);
        if !is_news(latest, sample) {
            return Ok(());
        }
        let insert = "INSERT OR REPLACE INTO usage_samples (repository, at, size, reported_size, n_images, n_tags) \
             SELECT id, ?, ?, ?, ?, ? FROM repositories WHERE ocid = ?";
        let inserted = sqlx::query(insert)
            .bind(sample.at)
            .bind(sample.size)
            .bind(sample.reported_size)
            .bind(sample.n_images)
            .bind(sample.n_tags)
            .bind(repository.as_str())
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite("recording usage"))?;
        match inserted.rows_affected() {
            0 => Err(StoreError::UnknownRepository { repository: repository.clone() }),
            _ => Ok(()),
        }
    }

    /// Writes the sample of everything that is watched, if it is news.
    pub(crate) async fn account(
        &mut self,
        sample: &AccountSample,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let AccountSample { size, reported_size, n_images, n_tags } = *sample;
        let select = "SELECT at, size, reported_size, n_images, n_tags FROM account_samples \
             ORDER BY at DESC LIMIT 1";
        let latest: Option<Sample> = sqlx::query_as(select)
            .fetch_optional(self.connection())
            .await
            .map_err(StoreError::sqlite("reading the latest usage of everything"))?;
        let sample = columns(size, reported_size, n_images, n_tags, at);
        if !is_news(latest, sample) {
            return Ok(());
        }
        let insert = "INSERT OR REPLACE INTO account_samples (at, size, reported_size, n_images, n_tags) \
             VALUES (?, ?, ?, ?, ?)";
        sqlx::query(insert)
            .bind(sample.at)
            .bind(sample.size)
            .bind(sample.reported_size)
            .bind(sample.n_images)
            .bind(sample.n_tags)
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite("recording the usage of everything"))?;
        Ok(())
    }
}

fn columns(
    size: Option<Bytes>,
    reported_size: Option<Bytes>,
    n_images: u64,
    n_tags: u64,
    at: DateTime<Utc>,
) -> Sample {
    let bytes = |size: Option<Bytes>| size.map(|Bytes(n)| count(n));
    Sample {
        at: millis(at),
        size: bytes(size),
        reported_size: bytes(reported_size),
        n_images: count(n_images),
        n_tags: count(n_tags),
    }
}

/// Whether a sample says something else than the latest, or long after it.
fn is_news(latest: Option<Sample>, sample: Sample) -> bool {
    latest.is_none_or(|latest| {
        Sample { at: sample.at, ..latest } != sample
            || sample.at - latest.at >= AT_LEAST_EVERY.num_milliseconds()
    })
}
