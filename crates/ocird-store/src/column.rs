//! How values stand in columns: times, digests, layers, counts and JSON, each written and read back here. A value that
//! does not read back is an error with the name of its column.

use std::error::Error;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, Digest, Layer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::StoreError;

/// The bytes of one layer: its digest, then its size.
const LAYER: usize = 40;

/// The bytes of one digest.
const DIGEST: usize = 32;

/// The most rows that one statement writes: each way to the thread of `SQLite` and back costs more than a row, and ten places
/// each are far below the 32,766 that `SQLite` has.
const MOST_ROWS: usize = 64;

/// The rows in as few batches as there are with powers of two. Each number of rows is another statement, which must be parsed
/// once on each connection: of these there are seven.
pub(crate) fn in_batches<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let n_rows = 1 << rows.len().min(MOST_ROWS).checked_ilog2()?;
        let (batch, rest) = rows.split_at(n_rows);
        rows = rest;
        Some(batch)
    })
}

/// A time as a column.
pub(crate) const fn millis(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}

/// The time in a column.
pub(crate) fn time(what: &'static str, millis: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_millis(millis)
        .ok_or_else(|| StoreError::decode(what)(format!("{millis} ms is not a time")))
}

/// The time in a column that may be null.
pub(crate) fn optional_time(
    what: &'static str,
    millis: Option<i64>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    millis.map(|millis| time(what, millis)).transpose()
}

/// The digest in a column.
pub(crate) fn digest(what: &'static str, bytes: &[u8]) -> Result<Digest, StoreError> {
    let bytes = <[u8; DIGEST]>::try_from(bytes).map_err(StoreError::decode(what))?;
    Ok(Digest::from_bytes(bytes))
}

/// Digests as a column.
pub(crate) fn join_digests(digests: &[Digest]) -> Vec<u8> {
    digests.iter().flat_map(Digest::as_bytes).copied().collect()
}

/// The digests in a column.
pub(crate) fn split_digests(what: &'static str, bytes: &[u8]) -> Result<Vec<Digest>, StoreError> {
    bytes.chunks(DIGEST).map(|bytes| digest(what, bytes)).collect()
}

/// Layers as a column.
pub(crate) fn join_layers(layers: &[Layer]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(layers.len() * LAYER);
    for Layer { digest, size } in layers {
        bytes.extend_from_slice(digest.as_bytes());
        bytes.extend_from_slice(&size.0.to_be_bytes());
    }
    bytes
}

/// The layers in a column.
pub(crate) fn split_layers(what: &'static str, bytes: &[u8]) -> Result<Arc<[Layer]>, StoreError> {
    bytes.chunks(LAYER).map(|bytes| layer(what, bytes)).collect()
}

fn layer(what: &'static str, bytes: &[u8]) -> Result<Layer, StoreError> {
    let (head, size) =
        bytes.split_at_checked(DIGEST).ok_or_else(|| StoreError::decode(what)("a layer is cut off"))?;
    let size = size.try_into().map_err(StoreError::decode(what))?;
    Ok(Layer { digest: digest(what, head)?, size: Bytes(u64::from_be_bytes(size)) })
}

/// A count or a size as a column, which holds 63 bits. What is larger is a registry's lie, and very much stays very
/// much.
pub(crate) fn count(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// The count in a column.
pub(crate) fn uncount(what: &'static str, n: i64) -> Result<u64, StoreError> {
    u64::try_from(n).map_err(StoreError::decode(what))
}

/// A name or OCID in a column.
pub(crate) fn parse<T>(what: &'static str, text: &str) -> Result<T, StoreError>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    text.parse().map_err(StoreError::decode(what))
}

/// One of ocird's own values as JSON.
pub(crate) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("ocird's own values have text as keys and no failing serializer")
}

/// The JSON in a column.
pub(crate) fn from_json<T: DeserializeOwned>(what: &'static str, json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(StoreError::decode(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_batch_and_each_batch_has_a_common_length() {
        for (n_rows, expected) in
            [(0, vec![]), (1, vec![1]), (37, vec![32, 4, 1]), (64, vec![64]), (130, vec![64, 64, 2])]
        {
            let rows: Vec<usize> = (0..n_rows).collect();
            let batches: Vec<&[usize]> = in_batches(&rows).collect();
            assert_eq!(batches.iter().map(|batch| batch.len()).collect::<Vec<_>>(), expected);
            assert_eq!(batches.concat(), rows);
        }
    }

    #[test]
    fn a_column_of_another_length_is_an_error() {
        assert_eq!(digest("images.digest", &[0; 31]).unwrap_err().kind(), "decode");
        assert_eq!(split_digests("intents.members", &[0; 33]).unwrap_err().kind(), "decode");
        assert_eq!(split_layers("images.layers", &[0; 39]).unwrap_err().kind(), "decode");
        assert_eq!(split_layers("images.layers", &[0; 50]).unwrap_err().kind(), "decode");
        assert_eq!(uncount("usage_samples.n_tags", -1).unwrap_err().kind(), "decode");
        assert_eq!(time("passes.started_at", i64::MAX).unwrap_err().kind(), "decode");
    }

    #[test]
    fn layers_read_back_with_sizes_beyond_what_sqlite_counts() {
        let layers = [1, 2].map(|n| Layer { digest: Digest::from_bytes([n; 32]), size: Bytes(u64::MAX - 1) });
        assert_eq!(*split_layers("images.layers", &join_layers(&layers)).unwrap(), layers);
    }
}
