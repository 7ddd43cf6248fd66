//! The journal of undoing: what can be brought back, each call that does so before it is made, and what came of it (S-27).
//! Rows are only ever added; triggers in the file refuse anything else. What to bring back is not decided here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};
use ocird_model::{
    CompartmentId, Content, Digest, ErrorKind, FetchedManifest, ImageId, RepositoryId, RepositoryName,
    RestoreOutcome, RestoreOutcomeKind, RestoreStep, Tag,
};
use sqlx::FromRow;

use crate::column::{count, digest, from_json, millis, parse, time};
use crate::store::Write;
use crate::{IntentId, Store, StoreError};

/// One deletion by ocird, with what is needed to undo it but for the bytes of its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// The intent that it came from.
    pub intent: IntentId,
    /// The OCID by which it can be restored.
    pub image: ImageId,
    /// Its repository.
    pub repository: RepositoryId,
    /// The repository's name at that time.
    pub repository_name: RepositoryName,
    /// Where the repository lives, when it has been read whole once.
    pub compartment: Option<CompartmentId>,
    /// Its digest.
    pub digest: Digest,
    /// The head of its family; its own digest when it was the head.
    pub head: Digest,
    /// Every tag that it had, with its time.
    pub tags: BTreeMap<Tag, Option<DateTime<Utc>>>,
    /// What its manifest refers to; `None` when that was never remembered.
    pub content: Option<Content>,
    /// The rule or reason.
    pub rule: String,
    /// When it was meant.
    pub intended_at: DateTime<Utc>,
    /// When it was known to be deleted.
    pub deleted_at: DateTime<Utc>,
}

/// The number of a restoring call in this store; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RestoreId(i64);

impl fmt::Display for RestoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A restoring call without an outcome: it may have been made, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRestore {
    /// Its number.
    pub id: RestoreId,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// What was to be done.
    pub step: RestoreStep,
    /// The image that was to come back.
    pub image: ImageId,
    /// The repository's name.
    pub repository_name: RepositoryName,
}

#[derive(FromRow)]
struct DeletionRow {
    id: i64,
    intended_at: i64,
    ocid: String,
    name: String,
    compartment: Option<String>,
    image: String,
    digest: Vec<u8>,
    head: Vec<u8>,
    tags: String,
    content: Option<String>,
    rule: String,
    deleted_at: i64,
}

#[derive(FromRow)]
struct OpenRow {
    id: i64,
    at: i64,
    step: String,
    tag: Option<String>,
    image: String,
    name: String,
}

impl Store {
    /// Every deletion that was known at `since` or later, oldest first.
    pub async fn deletions_since(&self, since: DateTime<Utc>) -> Result<Vec<Deletion>, StoreError> {
        let select = "SELECT intents.id, intents.at AS intended_at, repositories.ocid, intents.name, \
             repositories.compartment, intents.image, intents.digest, intents.head, intents.tags, manifests.content, \
             intents.rule, outcomes.at AS deleted_at FROM outcomes \
             JOIN intents ON intents.id = outcomes.intent JOIN repositories ON repositories.id = intents.repository \
             LEFT JOIN manifests ON manifests.repository = intents.repository AND manifests.digest = intents.digest \
             WHERE outcomes.kind = 'deleted' AND outcomes.at >= ? ORDER BY outcomes.at, intents.id";
        let rows: Vec<DeletionRow> = sqlx::query_as(select)
            .bind(millis(since))
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading what can be restored"))?;
        rows.into_iter().map(DeletionRow::decode).collect()
    }

    /// The manifest that the journal keeps of a deletion; `None` once its time is over.
    pub async fn deleted_manifest(&self, intent: IntentId) -> Result<Option<FetchedManifest>, StoreError> {
        let select = "SELECT media_type, bytes FROM intent_manifests JOIN intents ON intents.id = intent WHERE intent = ?";
        let row: Option<(String, Vec<u8>)> = sqlx::query_as(select)
            .bind(intent.0)
            .fetch_optional(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading the manifest of a deletion"))?;
        Ok(row.map(|(media_type, bytes)| FetchedManifest {
            media_type,
            bytes: bytes.into(),
            too_large: false,
        }))
    }

    /// The name of every repository that was ever seen, in order.
    pub async fn repository_names(&self) -> Result<Vec<RepositoryName>, StoreError> {
        let names: Vec<String> = sqlx::query_scalar("SELECT DISTINCT name FROM repositories ORDER BY name")
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading the names of the repositories"))?;
        names.iter().map(|name| parse("repositories.name", name)).collect()
    }

    /// Every image of a repository that is listed or was ever deleted by ocird, with the tags that it has now.
    pub async fn images_named(
        &self,
        repository: &RepositoryName,
    ) -> Result<Vec<(Digest, BTreeSet<Tag>)>, StoreError> {
        let select = "SELECT images.digest, tags.tag FROM images JOIN repositories ON repositories.id = images.repository \
             LEFT JOIN tags ON tags.image = images.id AND tags.gone_at IS NULL \
             WHERE repositories.name = ?1 AND images.gone_at IS NULL \
             UNION SELECT intents.digest, NULL FROM intents WHERE intents.name = ?1";
        let rows: Vec<(Vec<u8>, Option<String>)> = sqlx::query_as(select)
            .bind(repository.as_str())
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading the images of a repository"))?;
        let mut images: BTreeMap<Digest, BTreeSet<Tag>> = BTreeMap::new();
        for (bytes, tag) in rows {
            let tag = tag.map(|tag| parse("tags.tag", &tag)).transpose()?;
            images.entry(digest("images.digest", &bytes)?).or_default().extend(tag);
        }
        Ok(images.into_iter().collect())
    }

    /// When the last pass began that deleted something at `since` or later.
    pub async fn last_run_since(&self, since: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
        let select = "SELECT max(passes.started_at) FROM passes WHERE passes.started_at <= (SELECT max(intents.at) \
             FROM outcomes JOIN intents ON intents.id = outcomes.intent WHERE outcomes.kind = 'deleted' AND outcomes.at >= ?)";
        let at: Option<i64> = sqlx::query_scalar(select)
            .bind(millis(since))
            .fetch_one(&self.reader)
            .await
            .map_err(StoreError::sqlite("looking for the last pass that deleted something"))?;
        at.map(|at| time("passes.started_at", at)).transpose()
    }

    /// Writes down that a deletion, or a part of it, is about to be undone. When this returns, it is on the disk.
    pub async fn intend_restore(
        &self,
        intent: IntentId,
        step: &RestoreStep,
        by: &str,
        why: &str,
        now: DateTime<Utc>,
    ) -> Result<RestoreId, StoreError> {
        let mut write = self.begin(now).await?;
        let (word, tag) = match step {
            RestoreStep::Image { tag } => ("image", tag.as_ref()),
            RestoreStep::Tag { tag } => ("tag", Some(tag)),
        };
        let insert =
            "INSERT INTO restores (at, epoch, intent, step, tag, asked_by, why) VALUES (?, ?, ?, ?, ?, ?, ?)";
        let inserted = sqlx::query(insert)
            .bind(millis(now))
            .bind(count(self.epoch()))
            .bind(intent.0)
            .bind(word)
            .bind(tag.map(Tag::as_str))
            .bind(by)
            .bind(why)
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("writing down a restore"))?;
        write.commit().await?;
        Ok(RestoreId(inserted.last_insert_rowid()))
    }

    /// Writes down what came of a restoring call. Once: a second outcome is an error. From an image that is back no mark and
    /// no rest of a family remains.
    pub async fn conclude_restore(&self, id: RestoreId, outcome: &RestoreOutcome) -> Result<(), StoreError> {
        let RestoreOutcome { kind, at, detail } = outcome;
        let mut write = self.begin(*at).await?;
        let error = match kind {
            RestoreOutcomeKind::Failed(error) => Some(*error),
            RestoreOutcomeKind::Done | RestoreOutcomeKind::NotDone => None,
        };
        sqlx::query("INSERT INTO restore_outcomes (restore, kind, error, at, detail) VALUES (?, ?, ?, ?, ?)")
            .bind(id.0)
            .bind(kind.as_str())
            .bind(error.map(ErrorKind::as_str))
            .bind(millis(*at))
            .bind(detail.as_str())
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("writing the outcome of a restore"))?;
        if *kind == RestoreOutcomeKind::Done {
            write.start_anew(id).await?;
        }
        write.commit().await
    }

    /// Every restoring call without an outcome, oldest first. Each is to be settled by reading.
    pub async fn open_restores(&self) -> Result<Vec<OpenRestore>, StoreError> {
        let select = "SELECT restores.id, restores.at, step, tag, intents.image, intents.name FROM restores \
             JOIN intents ON intents.id = restores.intent \
             WHERE NOT EXISTS (SELECT 1 FROM restore_outcomes WHERE restore = restores.id) ORDER BY restores.id";
        let rows: Vec<OpenRow> = sqlx::query_as(select)
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading the open restores"))?;
        rows.into_iter().map(OpenRow::decode).collect()
    }

    /// Every deletion that was undone at `since` or later, by its intent.
    pub async fn restored_since(&self, since: DateTime<Utc>) -> Result<Vec<IntentId>, StoreError> {
        let select = "SELECT DISTINCT restores.intent FROM restore_outcomes JOIN restores ON restores.id = restore \
             WHERE restore_outcomes.kind = 'done' AND step = 'image' AND restore_outcomes.at >= ? ORDER BY restores.intent";
        let rows: Vec<i64> = sqlx::query_scalar(select)
            .bind(millis(since))
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading what was restored"))?;
        Ok(rows.into_iter().map(IntentId).collect())
    }

    /// Why the registry refused the last restore of an image, when it refused it at `since` or later for lack of a right.
    pub async fn restore_refused_since(&self, since: DateTime<Utc>) -> Result<Option<ErrorKind>, StoreError> {
        let select = "SELECT error FROM restore_outcomes JOIN restores ON restores.id = restore \
             WHERE step = 'image' AND restore_outcomes.at >= ? ORDER BY restore DESC LIMIT 1";
        let last: Option<Option<String>> = sqlx::query_scalar(select)
            .bind(millis(since))
            .fetch_optional(&self.reader)
            .await
            .map_err(StoreError::sqlite("looking for a restore that was refused"))?;
        // The cloud says 404 to whoever may not.
        let rights = [ErrorKind::Forbidden, ErrorKind::NotFound, ErrorKind::Unauthenticated];
        let refused = last.flatten();
        Ok(rights.into_iter().find(|kind| refused.as_deref() == Some(kind.as_str())))
    }
}

impl Write<'_> {
    /// What came back is no rest and has no mark: rules must select it anew, over a whole grace.
    async fn start_anew(&mut self, id: RestoreId) -> Result<(), StoreError> {
        self.change_marks().await?;
        // SQLite compares row values: the repository and the digest of the deletion that this undoes.
        for statement in [
            "DELETE FROM rests WHERE (repository, member) = (SELECT repository, digest FROM intents \
             WHERE id = (SELECT intent FROM restores WHERE id = ?))",
            "DELETE FROM rests WHERE (repository, head) = (SELECT repository, digest FROM intents \
             WHERE id = (SELECT intent FROM restores WHERE id = ?))",
            "DELETE FROM marks WHERE (repository, head) = (SELECT repository, digest FROM intents \
             WHERE id = (SELECT intent FROM restores WHERE id = ?))",
        ] {
            sqlx::query(statement)
                .bind(id.0)
                .execute(self.connection())
                .await
                .map_err(StoreError::sqlite("forgetting the mark of what came back"))?;
        }
        Ok(())
    }
}

impl DeletionRow {
    fn decode(self) -> Result<Deletion, StoreError> {
        Ok(Deletion {
            intent: IntentId(self.id),
            image: parse("intents.image", &self.image)?,
            repository: parse("repositories.ocid", &self.ocid)?,
            repository_name: parse("intents.name", &self.name)?,
            compartment: self.compartment.map(|text| parse("repositories.compartment", &text)).transpose()?,
            digest: digest("intents.digest", &self.digest)?,
            head: digest("intents.head", &self.head)?,
            tags: from_json("intents.tags", &self.tags)?,
            content: self.content.map(|json| from_json("manifests.content", &json)).transpose()?,
            rule: self.rule,
            intended_at: time("intents.at", self.intended_at)?,
            deleted_at: time("outcomes.at", self.deleted_at)?,
        })
    }
}

impl OpenRow {
    fn decode(self) -> Result<OpenRestore, StoreError> {
        let tag = self.tag.map(|tag| parse("restores.tag", &tag)).transpose()?;
        let step = match (self.step.as_str(), tag) {
            ("image", tag) => RestoreStep::Image { tag },
            ("tag", Some(tag)) => RestoreStep::Tag { tag },
            (word, _) => return Err(StoreError::decode("restores.step")(format!("no step: {word}"))),
        };
        Ok(OpenRestore {
            id: RestoreId(self.id),
            at: time("restores.at", self.at)?,
            step,
            image: parse("intents.image", &self.image)?,
            repository_name: parse("intents.name", &self.name)?,
        })
    }
}
