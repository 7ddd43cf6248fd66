//! A repository that was read whole, compared with what is on record: images that went, tags that came and went. Only
//! differences are written. An unreadable repository never comes here, so that nothing "goes" by an error (S-2).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Digest, Image, ImageId, Repository, Tag};

use crate::StoreError;
use crate::column::{digest, millis, optional_time, parse};
use crate::store::Write;
use crate::verdicts::StoredVerdict;

/// How long the bytes of a manifest outlive the last image with its digest: the 48 hours within which the cloud can
/// restore it, and days for people to notice.
pub(crate) const KEEP_MANIFEST: TimeDelta = TimeDelta::days(7);

/// An image on record as present in a repository.
#[derive(Debug)]
pub(crate) struct Present {
    pub(crate) row: i64,
    /// What was decided about it last.
    pub(crate) verdict: Option<StoredVerdict>,
    digest: Digest,
    tags: BTreeMap<Tag, Option<DateTime<Utc>>>,
}

impl Write<'_> {
    /// Records a repository (its row is `id`) that was read whole at `at`, and with certainty at `certain_at`. Answers what was
    /// on record of the images that are there.
    pub(crate) async fn see_complete(
        &mut self,
        id: i64,
        repository: &Repository,
        at: DateTime<Utc>,
        certain_at: Option<DateTime<Utc>>,
    ) -> Result<BTreeMap<ImageId, Present>, StoreError> {
        let mut before = self.present(id).await?;
        let mut present = BTreeMap::new();
        for image in &repository.images {
            let known = before.remove(&image.id);
            let known = known.ok_or_else(|| StoreError::UnknownImage { image: image.id.clone() })?;
            self.see_tags(&known, image, at).await?;
            present.insert(image.id.clone(), known);
        }
        for gone in before.values() {
            self.see_gone(id, gone, repository, at).await?;
        }
        let update = "UPDATE repositories SET compartment = ?, is_public = ?, last_complete_at = ?, \
             last_certain_at = coalesce(?, last_certain_at) WHERE id = ?";
        sqlx::query(update)
            .bind(repository.compartment.as_str())
            .bind(repository.is_public)
            .bind(millis(at))
            .bind(certain_at.map(millis))
            .bind(id)
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite("recording that a repository was read whole"))?;
        Ok(present)
    }

    async fn present(&mut self, id: i64) -> Result<BTreeMap<ImageId, Present>, StoreError> {
        type Row = (i64, String, Vec<u8>, Option<String>, Option<String>, Option<String>);
        let doing = "reading which images were there";
        let select = "SELECT id, ocid, digest, decision, reason, detail FROM images \
             WHERE repository = ? AND gone_at IS NULL";
        let rows: Vec<Row> = sqlx::query_as(select)
            .bind(id)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::sqlite(doing))?;
        let select = "SELECT tags.image, tags.tag, tags.attached_at FROM images JOIN tags ON tags.image = images.id \
             WHERE images.repository = ? AND images.gone_at IS NULL AND tags.gone_at IS NULL";
        let tag_rows: Vec<(i64, String, Option<i64>)> = sqlx::query_as(select)
            .bind(id)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::sqlite(doing))?;
        let mut tags: BTreeMap<i64, BTreeMap<_, _>> = BTreeMap::new();
        for (image, tag, attached_at) in tag_rows {
            let attached_at = optional_time("tags.attached_at", attached_at)?;
            tags.entry(image).or_default().insert(parse("tags.tag", &tag)?, attached_at);
        }
        let mut present = BTreeMap::new();
        for (row, ocid, bytes, decision, reason, detail) in rows {
            let image = Present {
                row,
                verdict: decision.zip(reason).map(|(decision, reason)| StoredVerdict {
                    decision,
                    reason,
                    detail,
                }),
                digest: digest("images.digest", &bytes)?,
                tags: tags.remove(&row).unwrap_or_default(),
            };
            present.insert(parse("images.ocid", &ocid)?, image);
        }
        Ok(present)
    }

    /// Writes which tags went and which came. A tag that was attached anew meanwhile did both.
    async fn see_tags(
        &mut self,
        known: &Present,
        image: &Image,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let stretches = |tags: &BTreeMap<Tag, Option<DateTime<Utc>>>| -> BTreeSet<(Tag, Option<i64>)> {
            tags.iter().map(|(tag, attached_at)| (tag.clone(), attached_at.map(millis))).collect()
        };
        let (before, after) = (stretches(&known.tags), stretches(&image.tags));
        for (tag, _) in before.difference(&after) {
            sqlx::query("UPDATE tags SET gone_at = ? WHERE image = ? AND tag = ? AND gone_at IS NULL")
                .bind(millis(at))
                .bind(known.row)
                .bind(tag.as_str())
                .execute(self.connection())
                .await
                .map_err(StoreError::sqlite("recording that a tag went"))?;
        }
        for (tag, attached_at) in after.difference(&before) {
            // The key can only be there already when the clock stands still or went back: the later word holds.
            let insert = "INSERT INTO tags (image, tag, first_seen_at, attached_at) VALUES (?, ?, ?, ?) \
                 ON CONFLICT DO UPDATE SET attached_at = excluded.attached_at, gone_at = NULL";
            sqlx::query(insert)
                .bind(known.row)
                .bind(tag.as_str())
                .bind(millis(at))
                .bind(*attached_at)
                .execute(self.connection())
                .await
                .map_err(StoreError::sqlite("recording that a tag came"))?;
        }
        Ok(())
    }

    /// Writes that a complete listing no longer shows an image: it was last seen in the complete listing before.
    async fn see_gone(
        &mut self,
        id: i64,
        gone: &Present,
        repository: &Repository,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let doing = "recording that an image is gone";
        let update = "UPDATE images SET gone_at = ?1, last_seen_at = max(read_at, coalesce((SELECT last_complete_at \
             FROM repositories WHERE repositories.id = images.repository), read_at)) WHERE id = ?2";
        for statement in [update, "UPDATE tags SET gone_at = ?1 WHERE image = ?2 AND gone_at IS NULL"] {
            sqlx::query(statement)
                .bind(millis(at))
                .bind(gone.row)
                .execute(self.connection())
                .await
                .map_err(StoreError::sqlite(doing))?;
        }
        if repository.image(&gone.digest).is_some() {
            // The same manifest is there again under another OCID.
            return Ok(());
        }
        sqlx::query("UPDATE manifests SET expires_at = ? WHERE repository = ? AND digest = ?")
            .bind(millis(at + KEEP_MANIFEST))
            .bind(id)
            .bind(gone.digest.as_bytes().as_slice())
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite(doing))?;
        sqlx::query("DELETE FROM rests WHERE repository = ? AND member = ?")
            .bind(id)
            .bind(gone.digest.as_bytes().as_slice())
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite(doing))?;
        Ok(())
    }
}
