//! The images of one repository, present or gone, newest first, in pages; and which tag was on which image when.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, Digest, ImageId, RepositoryName, Tag};
use serde::Serialize;
use sqlx::{FromRow, QueryBuilder, Sqlite, SqliteConnection};

use super::{Page, Past, limited, row_of};
use crate::StoreError;
use crate::column::{digest, from_json, optional_time, parse, split_layers, time};
use crate::known::StoredDetails;

/// Which images are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagesQuery {
    /// Of this repository; where one was deleted and made anew, the present one.
    pub repository: RepositoryName,
    /// Images that are gone instead of those that are there.
    pub are_gone: bool,
    /// Only those after this one: the cursor of the page before.
    pub after: Option<ImageCursor>,
    /// At most so many; between 1 and [`Past::MAX_ROWS`].
    pub limit: u32,
}

/// Where a page of images ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct ImageCursor {
    /// When the last image of the page was pushed, as the store writes it; blank where nobody knows.
    created_at: String,
    /// Its row.
    id: i64,
}

/// One image on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PastImage {
    /// Its OCID.
    pub id: ImageId,
    /// Its digest.
    pub digest: Digest,
    /// The tags that it has, or had when it went.
    pub tags: Vec<Tag>,
    /// When it was pushed, by the registry.
    pub created_at: Option<DateTime<Utc>>,
    /// Who pushed it, as far as the registry says: a user's OCID.
    pub created_by: Option<String>,
    /// When ocird saw it first.
    pub first_seen_at: DateTime<Utc>,
    /// When a complete list no longer showed it; `None` while it is there.
    pub gone_at: Option<DateTime<Utc>>,
    /// Its manifest and layers, those included that others share.
    pub size: Bytes,
    /// How often it had been pulled when it was last read.
    pub n_pulls: u64,
    /// When it was last pulled, where the registry says.
    pub last_pulled_at: Option<DateTime<Utc>>,
    /// The verdict that holds, or held last; `None` before the first.
    pub verdict: Option<StoredVerdict>,
    /// What runs from it now, by the sources of what is in use.
    pub used_by: Vec<String>,
}

/// A verdict as it is on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredVerdict {
    /// `keep` or `delete`.
    pub decision: String,
    /// The reason: a word of the fixed list of reasons.
    pub reason: String,
    /// The rule, the user, the parent: whatever the reason names.
    pub detail: Option<String>,
    /// Since when it is so.
    pub since: Option<DateTime<Utc>>,
}

/// A stretch of time in which a tag was on an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TagStretch {
    /// The tag.
    pub tag: Tag,
    /// The image.
    pub image: ImageId,
    /// Its digest.
    pub digest: Digest,
    /// When ocird saw it first.
    pub first_seen_at: DateTime<Utc>,
    /// When it was attached, by the registry.
    pub attached_at: Option<DateTime<Utc>>,
    /// When it was there no more; `None` while it is.
    pub gone_at: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct ImageRow {
    id: i64,
    ocid: String,
    digest: Vec<u8>,
    first_seen_at: i64,
    gone_at: Option<i64>,
    decision: Option<String>,
    reason: Option<String>,
    detail: Option<String>,
    since: Option<i64>,
    details: String,
    layers: Vec<u8>,
    created_at: String,
}

#[derive(FromRow)]
struct StretchRow {
    tag: String,
    ocid: String,
    digest: Vec<u8>,
    first_seen_at: i64,
    attached_at: Option<i64>,
    gone_at: Option<i64>,
}

impl Past {
    /// A page of images, the one that was pushed last coming first.
    pub async fn images(&self, query: &ImagesQuery) -> Result<Page<PastImage, ImageCursor>, StoreError> {
        let ImagesQuery { repository, are_gone, after, limit } = query;
        let limit = limited(*limit);
        let beginning = self.reader.begin().await;
        let mut transaction = beginning.map_err(StoreError::sqlite("beginning to read images"))?;
        let Some(row) = row_of(&mut transaction, repository).await? else {
            return Ok(Page { rows: Vec::new(), next: None });
        };
        let rows = image_rows(&mut transaction, row, *are_gone, after.as_ref(), limit).await?;
        let Page { rows, next } =
            Page::of(rows, limit, |row| ImageCursor { created_at: row.created_at.clone(), id: row.id });
        let mut tags = tags_of(&mut transaction, &rows).await?;
        let used_by = used_by(&mut transaction, repository).await?;
        let mut images = Vec::with_capacity(rows.len());
        for row in rows {
            let tags = tags.remove(&row.id).unwrap_or_default();
            images.push(row.decode(tags, &used_by)?);
        }
        Ok(Page { rows: images, next })
    }

    /// On which images of a repository a tag was, and when; the latest stretch first.
    pub async fn tag_stretches(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<Vec<TagStretch>, StoreError> {
        let select = "SELECT tags.tag, images.ocid, images.digest, tags.first_seen_at, tags.attached_at, tags.gone_at \
             FROM repositories JOIN images ON images.repository = repositories.id \
             JOIN tags ON tags.image = images.id AND tags.tag = ? WHERE repositories.name = ? \
             ORDER BY tags.first_seen_at DESC, images.id DESC";
        let rows: Vec<StretchRow> = sqlx::query_as(select)
            .bind(tag.as_str())
            .bind(repository.as_str())
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading where a tag was"))?;
        rows.into_iter().map(StretchRow::decode).collect()
    }

    /// Which tags an image had, and when; the latest stretch first.
    pub async fn tags_over_time(&self, image: &ImageId) -> Result<Vec<TagStretch>, StoreError> {
        let select = "SELECT tags.tag, images.ocid, images.digest, tags.first_seen_at, tags.attached_at, tags.gone_at \
             FROM images JOIN tags ON tags.image = images.id WHERE images.ocid = ? \
             ORDER BY tags.first_seen_at DESC, tags.tag";
        let rows: Vec<StretchRow> = sqlx::query_as(select)
            .bind(image.as_str())
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading the tags of an image"))?;
        rows.into_iter().map(StretchRow::decode).collect()
    }
}

/// One row more than the page takes; only these are read whole. The time of the push stands in the details, as text that sorts like the time.
async fn image_rows(
    connection: &mut SqliteConnection,
    repository: i64,
    are_gone: bool,
    after: Option<&ImageCursor>,
    limit: u32,
) -> Result<Vec<ImageRow>, StoreError> {
    let mut select: QueryBuilder<Sqlite> = QueryBuilder::new(
        "SELECT images.id, ocid, digest, first_seen_at, gone_at, decision, reason, detail, details, layers, page.created_at, \
         (SELECT passes.finished_at FROM verdicts JOIN passes ON passes.id = verdicts.pass \
         WHERE verdicts.image = images.id ORDER BY verdicts.pass DESC LIMIT 1) AS since \
         FROM (SELECT id, coalesce(json_extract(details, '$.created_at'), '') AS created_at FROM images WHERE repository = ",
    );
    select.push_bind(repository);
    select.push(if are_gone { " AND gone_at IS NOT NULL" } else { " AND gone_at IS NULL" });
    if let Some(ImageCursor { created_at, id }) = after {
        select.push(" AND (coalesce(json_extract(details, '$.created_at'), ''), id) < (");
        select.push_bind(created_at.clone()).push(", ").push_bind(*id).push(")");
    }
    select.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(limit + 1);
    select.push(") AS page JOIN images ON images.id = page.id ORDER BY page.created_at DESC, page.id DESC");
    let rows = select.build_query_as().fetch_all(connection).await;
    rows.map_err(StoreError::sqlite("reading images of the past"))
}

/// The tags of these images: those that are there, and of an image that is gone those that went with it.
async fn tags_of(
    connection: &mut SqliteConnection,
    images: &[ImageRow],
) -> Result<BTreeMap<i64, Vec<Tag>>, StoreError> {
    let mut tags: BTreeMap<i64, Vec<Tag>> = BTreeMap::new();
    for ImageRow { id, gone_at, .. } in images {
        let found: Vec<String> =
            sqlx::query_scalar("SELECT DISTINCT tag FROM tags WHERE image = ? AND gone_at IS ? ORDER BY tag")
                .bind(id)
                .bind(gone_at)
                .fetch_all(&mut *connection)
                .await
                .map_err(StoreError::sqlite("reading the tags of images"))?;
        let parsed: Result<Vec<Tag>, _> = found.iter().map(|tag| parse("tags.tag", tag)).collect();
        tags.insert(*id, parsed?);
    }
    Ok(tags)
}

/// What runs now from the images of a repository.
async fn used_by(
    connection: &mut SqliteConnection,
    repository: &RepositoryName,
) -> Result<BTreeMap<Digest, Vec<String>>, StoreError> {
    let rows: Vec<(Vec<u8>, String)> = sqlx::query_as(
        "SELECT digest, used_by FROM runs WHERE repository = ? AND ended_at IS NULL ORDER BY used_by",
    )
    .bind(repository.as_str())
    .fetch_all(connection)
    .await
    .map_err(StoreError::sqlite("reading what runs"))?;
    let mut all: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
    for (bytes, used_by) in rows {
        all.entry(digest("runs.digest", &bytes)?).or_default().push(used_by);
    }
    Ok(all)
}

impl ImageCursor {
    /// The place as bytes, for a client to carry from page to page.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { created_at, id } = self;
        [&id.to_be_bytes(), created_at.as_bytes()].concat()
    }

    /// The place that these bytes mean. Every sequence of bytes is one, so that nothing a client makes up is an error: what is
    /// missing is zero.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let (number, created_at) = bytes.split_at(bytes.len().min(size_of::<i64>()));
        let mut id = [0; size_of::<i64>()];
        id[..number.len()].copy_from_slice(number);
        let created_at = String::from_utf8_lossy(created_at).into_owned();
        Self { created_at, id: i64::from_be_bytes(id) }
    }
}

impl ImageRow {
    fn decode(
        self,
        tags: Vec<Tag>,
        used_by: &BTreeMap<Digest, Vec<String>>,
    ) -> Result<PastImage, StoreError> {
        let details: StoredDetails = from_json("images.details", &self.details)?;
        let layers: BTreeMap<Digest, Bytes> = split_layers("images.layers", &self.layers)?
            .iter()
            .map(|layer| (layer.digest, layer.size))
            .collect();
        let digest = digest("images.digest", &self.digest)?;
        let since = optional_time("passes.finished_at", self.since)?;
        let verdict = self.decision.zip(self.reason).map(|(decision, reason)| StoredVerdict {
            decision,
            reason,
            detail: self.detail,
            since,
        });
        Ok(PastImage {
            id: parse("images.ocid", &self.ocid)?,
            digest,
            tags,
            created_at: details.created_at,
            created_by: details.created_by,
            first_seen_at: time("images.first_seen_at", self.first_seen_at)?,
            gone_at: optional_time("images.gone_at", self.gone_at)?,
            size: layers.into_values().sum::<Bytes>() + details.manifest_size,
            n_pulls: details.n_pulls,
            last_pulled_at: details.last_pulled_at,
            verdict,
            used_by: used_by.get(&digest).cloned().unwrap_or_default(),
        })
    }
}

impl StretchRow {
    fn decode(self) -> Result<TagStretch, StoreError> {
        Ok(TagStretch {
            tag: parse("tags.tag", &self.tag)?,
            image: parse("images.ocid", &self.ocid)?,
            digest: digest("images.digest", &self.digest)?,
            first_seen_at: time("tags.first_seen_at", self.first_seen_at)?,
            attached_at: optional_time("tags.attached_at", self.attached_at)?,
            gone_at: optional_time("tags.gone_at", self.gone_at)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_journey_and_any_bytes_are_one() {
        let cursor = ImageCursor { created_at: "2026-11-21T12:00:00Z".to_owned(), id: -7 };
        assert_eq!(ImageCursor::from_bytes(&cursor.to_bytes()), cursor);
        let blank = |id| ImageCursor { created_at: String::new(), id };
        assert_eq!(ImageCursor::from_bytes(&[]), blank(0));
        assert_eq!(ImageCursor::from_bytes(&[1]), blank(1 << 56));
        assert_eq!(ImageCursor::from_bytes(&[0, 0, 0, 0, 0, 0, 0, 1, 0xff]).created_at, "\u{fffd}");
    }
}
