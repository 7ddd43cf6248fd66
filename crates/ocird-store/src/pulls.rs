//! How often an image had been pulled when it was last read. A plan knows when a pull was, where the registry says; a pull
//! without a time shows in this number only (S-17).

use ocird_model::ImageId;

use crate::column::uncount;
use crate::{Store, StoreError};

impl Store {
    /// Number of pulls at the last read of an image; `None` when nothing is known of it.
    pub async fn n_pulls(&self, image: &ImageId) -> Result<Option<u64>, StoreError> {
        let select =
            "SELECT json_extract(details, '$.n_pulls') FROM images WHERE ocid = ? AND gone_at IS NULL";
        let n: Option<i64> = sqlx::query_scalar(select)
            .bind(image.as_str())
            .fetch_optional(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading how often an image was pulled"))?;
        n.map(|n| uncount("images.details", n)).transpose()
    }
}
