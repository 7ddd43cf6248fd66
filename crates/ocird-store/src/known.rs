//! What is known of a repository before a pass looks at it, so that nothing is read twice. It tells what was read, not
//! what is there: only a complete listing says that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ocird_model::{
    Bytes, Content, Digest, Etag, FetchedManifest, ImageDetails, ImageId, Lifecycle, RepositoryId,
    ResourceTags, Tag,
};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, SqliteConnection, SqlitePool};

use crate::column::{digest, from_json, optional_time, parse, split_layers, time, to_json};
use crate::{Store, StoreError};

/// What is known of one repository. Empty for one that was never seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// When it was seen first.
    pub first_seen_at: Option<DateTime<Utc>>,
    /// When it was last read whole.
    pub last_complete_at: Option<DateTime<Utc>>,
    /// When it was last read whole while it was also known what runs from it.
    pub last_certain_at: Option<DateTime<Utc>>,
    /// The images among those below that ocird itself deleted, or may have: where they are missing, that explains it (S-3).
    pub taken: BTreeSet<ImageId>,
    /// Every image that was read and that no complete listing has missed since.
    pub images: BTreeMap<ImageId, KnownImage>,
    /// What each manifest refers to, for exactly those that [`Store::manifest`] can answer.
    pub contents: BTreeMap<Digest, Content>,
    /// The members of families whose head ocird deleted; whoever asks leaves out what is no longer listed (S-6).
    pub rests: BTreeMap<Digest, Rest>,
}

/// What a member of a family is left over from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    /// The head that ocird deleted.
    pub head: Digest,
    /// When it was about to.
    pub since: DateTime<Utc>,
}

/// One image as it was read last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownImage {
    /// What the read showed.
    pub details: ImageDetails,
    /// When it was read.
    pub read_at: DateTime<Utc>,
    /// The tags that the rows of the list showed then.
    pub row_tags: BTreeSet<Tag>,
    /// When ocird saw it first, or first again after it had been gone.
    pub first_seen_at: DateTime<Utc>,
    /// The last read that showed more pulls than the one before it.
    pub pulls_rose_at: Option<DateTime<Utc>>,
}

/// The part of [`ImageDetails`] that has no column of its own.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredDetails {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<Tag, Option<DateTime<Utc>>>,
    pub(crate) manifest_size: Bytes,
    pub(crate) n_pulls: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_pulled_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resource_tags: Option<ResourceTags>,
    lifecycle: Lifecycle,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<Etag>,
}

#[derive(FromRow)]
struct ImageRow {
    ocid: String,
    digest: Vec<u8>,
    first_seen_at: i64,
    read_at: i64,
    row_tags: String,
    details: String,
    layers: Vec<u8>,
    pulls_rose_at: Option<i64>,
    is_taken: bool,
}

impl Store {
    /// What is known of a repository.
    pub async fn known(&self, repository: &RepositoryId) -> Result<Known, StoreError> {
        read_known(&self.reader, repository).await
    }

    /// The manifest of a digest, for as long as an image has it and 7 days longer.
    pub async fn manifest(
        &self,
        repository: &RepositoryId,
        digest: &Digest,
    ) -> Result<Option<FetchedManifest>, StoreError> {
        let select = "SELECT media_type, too_large, bytes FROM manifests \
             JOIN manifest_bytes ON manifest_bytes.manifest = manifests.id \
             WHERE repository = (SELECT id FROM repositories WHERE ocid = ?) AND digest = ?";
        let row: Option<(String, bool, Vec<u8>)> = sqlx::query_as(select)
            .bind(repository.as_str())
            .bind(digest.as_bytes().as_slice())
            .fetch_optional(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading a manifest from the store"))?;
        Ok(row.map(|(media_type, too_large, bytes)| FetchedManifest {
            media_type,
            bytes: bytes.into(),
            too_large,
        }))
    }
}

/// What is known of a repository, read in one transaction.
pub(crate) async fn read_known(reader: &SqlitePool, repository: &RepositoryId) -> Result<Known, StoreError> {
    let mut transaction = reader.begin().await.map_err(StoreError::sqlite("beginning to read the store"))?;
    let select =
        "SELECT id, first_seen_at, last_complete_at, last_certain_at FROM repositories WHERE ocid = ?";
    let seen: Option<(i64, i64, Option<i64>, Option<i64>)> = sqlx::query_as(select)
        .bind(repository.as_str())
        .fetch_optional(&mut *transaction)
        .await
        .map_err(StoreError::sqlite("reading what is known of a repository"))?;
    let Some((id, first_seen_at, last_complete_at, last_certain_at)) = seen else {
        return Ok(Known::default());
    };
    let (images, taken) = images(&mut transaction, id, repository).await?;
    let known = Known {
        first_seen_at: Some(time("repositories.first_seen_at", first_seen_at)?),
        last_complete_at: optional_time("repositories.last_complete_at", last_complete_at)?,
        last_certain_at: optional_time("repositories.last_certain_at", last_certain_at)?,
        taken,
        images,
        contents: contents(&mut transaction, id).await?,
        rests: rests(&mut transaction, id).await?,
    };
    transaction.commit().await.map_err(StoreError::sqlite("reading what is known of a repository"))?;
    Ok(known)
}

/// The images on record as present, and those among them that ocird meant to delete since it saw them first, unless it is known
/// that it did not.
async fn images(
    connection: &mut SqliteConnection,
    id: i64,
    repository: &RepositoryId,
) -> Result<(BTreeMap<ImageId, KnownImage>, BTreeSet<ImageId>), StoreError> {
    let select = "SELECT ocid, digest, first_seen_at, read_at, row_tags, details, layers, pulls_rose_at, \
         EXISTS (SELECT 1 FROM intents LEFT JOIN outcomes ON outcomes.intent = intents.id \
         WHERE intents.image = images.ocid AND intents.at >= images.first_seen_at \
         AND coalesce(outcomes.kind, 'deleted') IN ('deleted', 'already_gone')) AS is_taken \
         FROM images WHERE repository = ? AND gone_at IS NULL";
    let rows: Vec<ImageRow> = sqlx::query_as(select)
        .bind(id)
        .fetch_all(connection)
        .await
        .map_err(StoreError::sqlite("reading the known images of a repository"))?;
    let mut taken = BTreeSet::new();
    let mut images = BTreeMap::new();
    for row in rows {
        let is_taken = row.is_taken;
        let image = known_image(row, repository)?;
        if is_taken {
            taken.insert(image.details.id.clone());
        }
        images.insert(image.details.id.clone(), image);
    }
    Ok((images, taken))
}

fn known_image(row: ImageRow, repository: &RepositoryId) -> Result<KnownImage, StoreError> {
    let ImageRow {
        ocid,
        digest: bytes,
        first_seen_at,
        read_at,
        row_tags,
        details,
        layers,
        pulls_rose_at,
        is_taken: _,
    } = row;
    let stored: StoredDetails = from_json("images.details", &details)?;
    Ok(KnownImage {
        details: stored.complete(
            parse("images.ocid", &ocid)?,
            digest("images.digest", &bytes)?,
            repository.clone(),
            split_layers("images.layers", &layers)?,
        ),
        read_at: time("images.read_at", read_at)?,
        row_tags: from_json("images.row_tags", &row_tags)?,
        first_seen_at: time("images.first_seen_at", first_seen_at)?,
        pulls_rose_at: optional_time("images.pulls_rose_at", pulls_rose_at)?,
    })
}

async fn contents(
    connection: &mut SqliteConnection,
    id: i64,
) -> Result<BTreeMap<Digest, Content>, StoreError> {
    let select = "SELECT digest, content FROM manifests WHERE repository = ? AND is_held = 1";
    let rows: Vec<(Vec<u8>, String)> = sqlx::query_as(select)
        .bind(id)
        .fetch_all(connection)
        .await
        .map_err(StoreError::sqlite("reading the known manifests of a repository"))?;
    let contents = rows.iter().map(|(bytes, content)| {
        Ok((digest("manifests.digest", bytes)?, from_json("manifests.content", content)?))
    });
    contents.collect()
}

async fn rests(connection: &mut SqliteConnection, id: i64) -> Result<BTreeMap<Digest, Rest>, StoreError> {
    let select = "SELECT rests.member, rests.head, intents.at FROM rests JOIN intents ON intents.id = rests.intent \
         WHERE rests.repository = ?";
    let rows: Vec<(Vec<u8>, Vec<u8>, i64)> = sqlx::query_as(select)
        .bind(id)
        .fetch_all(connection)
        .await
        .map_err(StoreError::sqlite("reading the rests of a repository"))?;
    let rest = |(member, head, since): &(Vec<u8>, Vec<u8>, i64)| {
        let rest = Rest { head: digest("rests.head", head)?, since: time("intents.at", *since)? };
        Ok((digest("rests.member", member)?, rest))
    };
    rows.iter().map(rest).collect()
}

impl StoredDetails {
    /// The JSON of an image's details. Every field is named, so that a new one cannot be forgotten here.
    pub(crate) fn json(details: &ImageDetails) -> String {
        let ImageDetails {
            id: _,
            digest: _,
            repository: _,
            tags,
            layers: _,
            manifest_size,
            n_pulls,
            last_pulled_at,
            created_at,
            created_by,
            resource_tags,
            lifecycle,
            etag,
        } = details;
        to_json(&Self {
            tags: tags.clone(),
            manifest_size: *manifest_size,
            n_pulls: *n_pulls,
            last_pulled_at: *last_pulled_at,
            created_at: *created_at,
            created_by: created_by.clone(),
            resource_tags: resource_tags.clone(),
            lifecycle: *lifecycle,
            etag: etag.clone(),
        })
    }

    fn complete(
        self,
        id: ImageId,
        digest: Digest,
        repository: RepositoryId,
        layers: Arc<[ocird_model::Layer]>,
    ) -> ImageDetails {
        let Self {
            tags,
            manifest_size,
            n_pulls,
            last_pulled_at,
            created_at,
            created_by,
            resource_tags,
            lifecycle,
            etag,
        } = self;
        ImageDetails {
            id,
            digest,
            repository,
            tags,
            layers,
            manifest_size,
            n_pulls,
            last_pulled_at,
            created_at,
            created_by,
            resource_tags,
            lifecycle,
            etag,
        }
    }
}
