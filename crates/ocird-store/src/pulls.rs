//! How often an image had been pulled when it was last read, and when that was seen to rise. A plan knows when a pull was,
//! where the registry says; a pull without a time shows in the number only (S-17).

use chrono::{DateTime, Utc};
use ocird_model::ImageId;

use crate::column::{optional_time, uncount};
use crate::{Store, StoreError};

/// The pulls of an image as they were read last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulls {
    /// Their number.
    pub n: u64,
    /// The latest rise of that number that was seen; `None` when it has not risen since the image was first read.
    pub rose: Option<Rise>,
}

/// The latest pull was in this span, unless it has a time of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rise {
    /// The last read that showed fewer.
    pub after: DateTime<Utc>,
    /// The first that showed more.
    pub seen_at: DateTime<Utc>,
}

impl Store {
    /// The pulls at the last read of an image; `None` when nothing is known of it.
    pub async fn pulls(&self, image: &ImageId) -> Result<Option<Pulls>, StoreError> {
        let select = "SELECT json_extract(details, '$.n_pulls'), fewer_pulls_at, pulls_rose_at FROM images \
             WHERE ocid = ? AND gone_at IS NULL";
        let row: Option<(i64, Option<i64>, Option<i64>)> = sqlx::query_as(select)
            .bind(image.as_str())
            .fetch_optional(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading how often an image was pulled"))?;
        row.map(|(n, after, seen_at)| {
            let after = optional_time("images.fewer_pulls_at", after)?;
            let seen_at = optional_time("images.pulls_rose_at", seen_at)?;
            let rose = after.zip(seen_at).map(|(after, seen_at)| Rise { after, seen_at });
            Ok(Pulls { n: uncount("images.details", n)?, rose })
        })
        .transpose()
    }
}
