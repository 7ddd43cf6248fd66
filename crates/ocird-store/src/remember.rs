//! Keeps what was read, before anything else is done with it: a pass that fails later has not read in vain, and a
//! manifest is fetched once in its digest's life (S-17).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use ocird_model::{Content, Digest, FetchedManifest, ImageDetails, RepositoryId, RepositoryName, Tag};
use sqlx::{QueryBuilder, Sqlite};

use crate::column::{digest, in_batches, join_layers, millis, to_json};
use crate::known::StoredDetails;
use crate::store::Write;
use crate::{Store, StoreError};

/// What a look at a repository has read anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fresh {
    /// The details of images, each with the tags that the rows of the list showed.
    pub details: Vec<(ImageDetails, BTreeSet<Tag>)>,
    /// Manifests by their digest, with what they refer to.
    pub manifests: Vec<(Digest, FetchedManifest, Content)>,
}

impl Store {
    /// Remembers what was read of a repository at `now`: all of it or, when this fails, none.
    pub async fn remember(
        &self,
        repository: &RepositoryId,
        name: &RepositoryName,
        fresh: &Fresh,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let Fresh { details, manifests } = fresh;
        let mut write = self.begin(now).await?;
        let id = write.see_repository(repository, name, now).await?;
        for (digest, manifest, content) in manifests {
            write.manifest(id, digest, manifest, content).await?;
        }
        for images in in_batches(details) {
            write.images(id, images, now).await?;
        }
        for digest in write.new_images(id, now).await? {
            write.appeared(id, &digest).await?;
        }
        write.commit().await
    }

    /// Forgets that an image was left over from a family: the world moved since. It goes by the rules from here on, like
    /// any other. One that is no rest is no error.
    pub async fn drop_rest(&self, repository: &RepositoryId, member: &Digest) -> Result<(), StoreError> {
        let mut write = self.begin_at(None).await?;
        write.drop_rest(repository, member).await?;
        write.commit().await
    }
}

impl Write<'_> {
    /// The row of a repository that was seen at `now`.
    pub(crate) async fn see_repository(
        &mut self,
        repository: &RepositoryId,
        name: &RepositoryName,
        now: DateTime<Utc>,
    ) -> Result<i64, StoreError> {
        let upsert = "INSERT INTO repositories (ocid, name, first_seen_at, last_seen_at) VALUES (?1, ?2, ?3, ?3) \
             ON CONFLICT (ocid) DO UPDATE SET name = excluded.name, last_seen_at = excluded.last_seen_at RETURNING id";
        sqlx::query_scalar(upsert)
            .bind(repository.as_str())
            .bind(name.as_str())
            .bind(millis(now))
            .fetch_one(self.connection())
            .await
            .map_err(StoreError::sqlite("remembering a repository"))
    }

    /// Remembers images in one statement.
    async fn images(
        &mut self,
        repository: i64,
        images: &[(ImageDetails, BTreeSet<Tag>)],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut upsert: QueryBuilder<Sqlite> = QueryBuilder::new(
            "INSERT INTO images (repository, ocid, digest, first_seen_at, read_at, row_tags, details, layers) ",
        );
        upsert.push_values(images, |mut row, (image, row_tags)| {
            row.push_bind(repository)
                .push_bind(image.id.as_str())
                .push_bind(image.digest.as_bytes().as_slice())
                .push_bind(millis(now))
                .push_bind(millis(now))
                .push_bind(to_json(row_tags))
                .push_bind(StoredDetails::json(image))
                .push_bind(join_layers(&image.layers));
        });
        upsert.push(
            " ON CONFLICT (ocid) DO UPDATE SET repository = excluded.repository, digest = excluded.digest, \
             read_at = excluded.read_at, row_tags = excluded.row_tags, details = excluded.details, \
             layers = excluded.layers, last_seen_at = NULL, gone_at = NULL, \
             first_seen_at = iif(gone_at IS NULL, first_seen_at, excluded.first_seen_at), \
             (pulls_rose_at, fewer_pulls_at) = (SELECT iif(rose, excluded.read_at, pulls_rose_at), \
             iif(rose, read_at, fewer_pulls_at) FROM (SELECT \
             json_extract(excluded.details, '$.n_pulls') > json_extract(details, '$.n_pulls') AS rose))",
        );
        let upsert = upsert.build();
        upsert.execute(self.connection()).await.map_err(StoreError::sqlite("remembering images"))?;
        Ok(())
    }

    /// The digests of the images of a repository that are on record since `now`.
    async fn new_images(&mut self, repository: i64, now: DateTime<Utc>) -> Result<Vec<Digest>, StoreError> {
        let select =
            "SELECT digest FROM images WHERE repository = ? AND first_seen_at = ? AND gone_at IS NULL";
        let rows: Vec<Vec<u8>> = sqlx::query_scalar(select)
            .bind(repository)
            .bind(millis(now))
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::sqlite("reading which images are new"))?;
        rows.iter().map(|bytes| digest("images.digest", bytes)).collect()
    }

    /// The member of a former family is an image like any other from here on.
    pub(crate) async fn drop_rest(
        &mut self,
        repository: &RepositoryId,
        member: &Digest,
    ) -> Result<(), StoreError> {
        let delete = "DELETE FROM rests WHERE member = ? AND repository = (SELECT id FROM repositories WHERE ocid = ?)";
        sqlx::query(delete)
            .bind(member.as_bytes().as_slice())
            .bind(repository.as_str())
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite("dropping a rest"))?;
        Ok(())
    }

    /// A digest that is new or came back: its manifest stays, and nothing of its former family is a rest any more.
    /// Whoever pushed it again, or restored it, wants it.
    async fn appeared(&mut self, repository: i64, digest: &Digest) -> Result<(), StoreError> {
        sqlx::query("UPDATE manifests SET expires_at = NULL WHERE repository = ? AND digest = ?")
            .bind(repository)
            .bind(digest.as_bytes().as_slice())
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite("keeping the manifest of an image"))?;
        sqlx::query("DELETE FROM rests WHERE repository = ?1 AND (member = ?2 OR head = ?2)")
            .bind(repository)
            .bind(digest.as_bytes().as_slice())
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite("dropping the rests of a family that came back"))?;
        Ok(())
    }

    async fn manifest(
        &mut self,
        repository: i64,
        digest: &Digest,
        manifest: &FetchedManifest,
        content: &Content,
    ) -> Result<(), StoreError> {
        let FetchedManifest { media_type, bytes, too_large } = manifest;
        let upsert = "INSERT INTO manifests (repository, digest, media_type, too_large, content, is_held) \
             VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT (repository, digest) DO UPDATE SET \
             media_type = excluded.media_type, too_large = excluded.too_large, content = excluded.content, \
             is_held = 1, expires_at = NULL RETURNING id";
        let id: i64 = sqlx::query_scalar(upsert)
            .bind(repository)
            .bind(digest.as_bytes().as_slice())
            .bind(media_type.as_str())
            .bind(*too_large)
            .bind(to_json(content))
            .fetch_one(self.connection())
            .await
            .map_err(StoreError::sqlite("remembering a manifest"))?;
        sqlx::query("INSERT OR REPLACE INTO manifest_bytes (manifest, bytes) VALUES (?, ?)")
            .bind(id)
            .bind(bytes.to_vec())
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite("remembering the bytes of a manifest"))?;
        Ok(())
    }
}
