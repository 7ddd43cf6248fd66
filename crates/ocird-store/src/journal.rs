//! The journal: what ocird means to delete, committed and synced before it asks for it, and what came of it (S-21,
//! S-22). Rows are only ever added; triggers in the file refuse anything else. Undoing has a journal of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};
use ocird_model::{
    Bytes, Digest, ErrorKind, Etag, ImageId, Intent, Outcome, OutcomeKind, RepositoryId, RepositoryName,
    Rule, Tag,
};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, SqlitePool};

use crate::column::{
    count, digest, from_json, join_digests, millis, parse, split_digests, time, to_json, uncount,
};
use crate::store::Write;
use crate::{Store, StoreError};

/// The number of an intent in this store; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IntentId(pub(crate) i64);

impl From<i64> for IntentId {
    /// The number as a client carries it from page to page. There need not be such an intent.
    fn from(number: i64) -> Self {
        Self(number)
    }
}

impl From<IntentId> for i64 {
    fn from(IntentId(number): IntentId) -> Self {
        number
    }
}

impl fmt::Display for IntentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An intent without an outcome: the deletion may have been asked for, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenIntent {
    /// Its number.
    pub id: IntentId,
    /// When it was written.
    pub intended_at: DateTime<Utc>,
    /// What was meant.
    pub intent: Intent,
}

/// One image that ocird deleted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deleted {
    /// Its repository.
    pub repository: RepositoryId,
    /// Its digest.
    pub digest: Digest,
    /// The tags it had.
    pub tags: BTreeSet<Tag>,
    /// When that was known.
    pub at: DateTime<Utc>,
}

/// An intent with its outcome, as people want to see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledIntent {
    /// Its number.
    pub id: IntentId,
    /// When it was meant.
    pub intended_at: DateTime<Utc>,
    /// The repository's name at that time.
    pub repository_name: RepositoryName,
    /// The image.
    pub image: ImageId,
    /// Its digest.
    pub digest: Digest,
    /// The head of its family; its own digest when it is the head.
    pub head: Digest,
    /// The tags it had.
    pub tags: BTreeSet<Tag>,
    /// The rule or reason.
    pub rule: String,
    /// What the decision rested on.
    pub evidence: String,
    /// How it ended.
    pub outcome: Outcome,
}

#[derive(FromRow)]
struct IntentRow {
    id: i64,
    intended_at: i64,
    ocid: String,
    name: String,
    image: String,
    digest: Vec<u8>,
    tags: String,
    media_type: String,
    etag: String,
    head: Vec<u8>,
    members: Vec<u8>,
    rule: String,
    evidence: String,
    frees: Option<i64>,
    manifest: Vec<u8>,
}

#[derive(FromRow)]
struct SettledRow {
    id: i64,
    intended_at: i64,
    name: String,
    image: String,
    digest: Vec<u8>,
    head: Vec<u8>,
    tags: String,
    rule: String,
    evidence: String,
    kind: String,
    error: Option<String>,
    at: i64,
    detail: String,
}

/// Of an intent that is about to end: whose deletion it is, and who follows.
struct Family {
    /// The row of the repository.
    repository: i64,
    digest: Digest,
    head: Digest,
    members: Vec<Digest>,
    is_settled: bool,
}

impl Store {
    /// Writes down that an image is about to be deleted. When this returns, it is on the disk, and it counts towards
    /// the day (S-19). The deletion is asked for after that, or not at all.
    pub async fn intend(&self, intent: &Intent, now: DateTime<Utc>) -> Result<IntentId, StoreError> {
        let Intent {
            image,
            digest,
            repository,
            repository_name,
            tags,
            media_type,
            manifest,
            etag,
            head,
            members,
            rule,
            evidence,
            frees,
        } = intent;
        let mut write = self.begin(now).await?;
        let row = write.see_repository(repository, repository_name, now).await?;
        let insert = "INSERT INTO intents (at, epoch, repository, name, image, digest, tags, media_type, etag, head, \
             members, rule, evidence, frees) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let inserted = sqlx::query(insert)
            .bind(millis(now))
            .bind(count(self.epoch()))
            .bind(row)
            .bind(repository_name.as_str())
            .bind(image.as_str())
            .bind(digest.as_bytes().as_slice())
            .bind(to_json(tags))
            .bind(media_type.as_str())
            .bind(etag.0.as_str())
            .bind(head.as_bytes().as_slice())
            .bind(join_digests(members))
            .bind(rule.as_str())
            .bind(evidence.as_str())
            .bind(frees.map(|frees| count(frees.0)))
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("writing an intent"))?;
        let id = inserted.last_insert_rowid();
        sqlx::query("INSERT INTO intent_manifests (intent, bytes) VALUES (?, ?)")
            .bind(id)
            .bind(manifest.to_vec())
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("writing the manifest of an intent"))?;
        if Rule::S21.in_force() {
            write.commit().await?;
        }
        Ok(IntentId(id))
    }

    /// Writes down what came of an intent, of this epoch or an earlier one. Once: a second outcome is an error. After
    /// a deletion the other members of the family are rests.
    pub async fn conclude(&self, id: IntentId, outcome: &Outcome) -> Result<(), StoreError> {
        let Outcome { kind, at, detail } = outcome;
        let mut write = self.begin(*at).await?;
        let family = write.family(id).await?;
        if family.is_settled {
            return Err(StoreError::AlreadyConcluded { intent: id });
        }
        sqlx::query("INSERT INTO outcomes (intent, kind, error, at, detail) VALUES (?, ?, ?, ?, ?)")
            .bind(id.0)
            .bind(kind.as_str())
            .bind(failure(*kind).map(ErrorKind::as_str))
            .bind(millis(*at))
            .bind(detail.as_str())
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("writing an outcome"))?;
        match kind {
            OutcomeKind::Deleted => {
                write.leave_rests(id, &family).await?;
                write.drop_marks_of(&family).await?;
                write.schedule_proofs(*at).await?;
            }
            // By somebody's hand it may have gone and have come back, or come back before anybody looks again.
            OutcomeKind::NotDone | OutcomeKind::AlreadyGone => {
                write.drop_marks_of(&family).await?;
                write.drop_rest_of(&family).await?;
            }
            OutcomeKind::Drifted | OutcomeKind::Failed(_) => {}
        }
        write.commit().await
    }

    /// Every intent without an outcome, oldest first. Each is to be settled by reading, never by deleting again.
    pub async fn open_intents(&self) -> Result<Vec<OpenIntent>, StoreError> {
        // From the manifests, of which every open intent has one: they are few, and intents grow for ever.
        let select = "SELECT intents.id, intents.at AS intended_at, repositories.ocid, intents.name, image, digest, \
             tags, media_type, etag, head, members, rule, evidence, frees, bytes AS manifest FROM intent_manifests \
             CROSS JOIN intents ON intents.id = intent_manifests.intent \
             JOIN repositories ON repositories.id = intents.repository \
             WHERE NOT EXISTS (SELECT 1 FROM outcomes WHERE outcomes.intent = intents.id) ORDER BY intents.id";
        let rows: Vec<IntentRow> = sqlx::query_as(select)
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading the open intents"))?;
        rows.into_iter().map(IntentRow::decode).collect()
    }

    /// Every image that ocird deleted at `since` or later, oldest first: what explains that a repository shrank (S-3).
    pub async fn deleted_since(&self, since: DateTime<Utc>) -> Result<Vec<Deleted>, StoreError> {
        let select = "SELECT repositories.ocid, digest, tags, outcomes.at FROM outcomes \
             JOIN intents ON intents.id = outcomes.intent JOIN repositories ON repositories.id = intents.repository \
             WHERE outcomes.kind = 'deleted' AND outcomes.at >= ? ORDER BY outcomes.at, intents.id";
        let rows: Vec<(String, Vec<u8>, String, i64)> = sqlx::query_as(select)
            .bind(millis(since))
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading what was deleted"))?;
        let deleted = rows.iter().map(|(ocid, bytes, tags, at)| {
            Ok(Deleted {
                repository: parse("repositories.ocid", ocid)?,
                digest: digest("intents.digest", bytes)?,
                tags: tag_names(tags)?,
                at: time("outcomes.at", *at)?,
            })
        });
        deleted.collect()
    }

    /// The OCID under which ocird last deleted this digest; `None` when it never meant to.
    pub async fn deleted_as(
        &self,
        repository: &RepositoryId,
        digest: &Digest,
    ) -> Result<Option<ImageId>, StoreError> {
        let select = "SELECT image FROM intents WHERE digest = ? \
             AND repository = (SELECT id FROM repositories WHERE ocid = ?) ORDER BY id DESC LIMIT 1";
        let image: Option<String> = sqlx::query_scalar(select)
            .bind(digest.as_bytes().as_slice())
            .bind(repository.as_str())
            .fetch_optional(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading under which OCID an image was deleted"))?;
        image.map(|image| parse("intents.image", &image)).transpose()
    }

    /// The latest `limit` outcomes, newest first.
    pub async fn recent_outcomes(&self, limit: u32) -> Result<Vec<SettledIntent>, StoreError> {
        read_recent_outcomes(&self.reader, limit).await
    }

    /// Number of families whose head was meant to go at `since` or later, whatever came of it: what the limit of a day
    /// is held against (S-19). The rests of a family were counted with its head.
    pub async fn n_families_since(&self, since: DateTime<Utc>) -> Result<u64, StoreError> {
        let n: i64 = sqlx::query_scalar("SELECT count(*) FROM intents WHERE at >= ? AND head = digest")
            .bind(millis(since))
            .fetch_one(&self.reader)
            .await
            .map_err(StoreError::sqlite("counting intents"))?;
        uncount("intents", n)
    }
}

/// The latest `limit` outcomes, newest first, for whoever reads the file.
pub(crate) async fn read_recent_outcomes(
    reader: &SqlitePool,
    limit: u32,
) -> Result<Vec<SettledIntent>, StoreError> {
    let select = "SELECT intents.id, intents.at AS intended_at, name, image, digest, head, tags, rule, evidence, \
         kind, error, outcomes.at, detail FROM outcomes JOIN intents ON intents.id = outcomes.intent \
         ORDER BY outcomes.at DESC, intents.id DESC LIMIT 0 + ?";
    let rows: Vec<SettledRow> = sqlx::query_as(select)
        .bind(i64::from(limit))
        .fetch_all(reader)
        .await
        .map_err(StoreError::sqlite("reading the latest outcomes"))?;
    rows.into_iter().map(SettledRow::decode).collect()
}

impl Write<'_> {
    async fn family(&mut self, id: IntentId) -> Result<Family, StoreError> {
        type Row = (i64, Vec<u8>, Vec<u8>, Vec<u8>, bool);
        let select = "SELECT repository, digest, head, members, \
             EXISTS (SELECT 1 FROM outcomes WHERE intent = intents.id) FROM intents WHERE id = ?";
        let row: Option<Row> = sqlx::query_as(select)
            .bind(id.0)
            .fetch_optional(self.connection())
            .await
            .map_err(StoreError::sqlite("reading an intent"))?;
        let (repository, bytes, head, members, is_settled) =
            row.ok_or(StoreError::UnknownIntent { intent: id })?;
        Ok(Family {
            repository,
            digest: digest("intents.digest", &bytes)?,
            head: digest("intents.head", &head)?,
            members: split_digests("intents.members", &members)?,
            is_settled,
        })
    }

    /// What was deleted has no mark: brought back before the next pass, it would be due again at once.
    async fn drop_marks_of(&mut self, family: &Family) -> Result<(), StoreError> {
        self.change_marks().await?;
        sqlx::query("DELETE FROM marks WHERE repository = ? AND head = ?")
            .bind(family.repository)
            .bind(family.digest.as_bytes().as_slice())
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite("dropping the mark of a deleted image"))?;
        Ok(())
    }

    /// A deleted image is no rest any more; the others of its family are.
    async fn leave_rests(&mut self, id: IntentId, family: &Family) -> Result<(), StoreError> {
        self.drop_rest_of(family).await?;
        for member in family.members.iter().filter(|member| **member != family.digest) {
            let insert =
                "INSERT OR REPLACE INTO rests (repository, member, head, intent) VALUES (?, ?, ?, ?)";
            sqlx::query(insert)
                .bind(family.repository)
                .bind(member.as_bytes().as_slice())
                .bind(family.head.as_bytes().as_slice())
                .bind(id.0)
                .execute(self.connection())
                .await
                .map_err(StoreError::sqlite("recording the rests of a family"))?;
        }
        Ok(())
    }

    /// The image of an intent is no rest any more.
    async fn drop_rest_of(&mut self, family: &Family) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM rests WHERE repository = ? AND member = ?")
            .bind(family.repository)
            .bind(family.digest.as_bytes().as_slice())
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite("dropping the rest that an intent was about"))?;
        Ok(())
    }
}

/// The kind of failure in an outcome.
const fn failure(kind: OutcomeKind) -> Option<ErrorKind> {
    match kind {
        OutcomeKind::Failed(error) => Some(error),
        OutcomeKind::Deleted | OutcomeKind::Drifted | OutcomeKind::AlreadyGone | OutcomeKind::NotDone => None,
    }
}

/// The outcome of two columns; `None` for words that are not ours.
fn outcome_kind(kind: &str, error: Option<&str>) -> Option<OutcomeKind> {
    let failed = error.and_then(|word| ErrorKind::ALL.into_iter().find(|error| error.as_str() == word));
    [OutcomeKind::Deleted, OutcomeKind::Drifted, OutcomeKind::AlreadyGone, OutcomeKind::NotDone]
        .into_iter()
        .chain(failed.map(OutcomeKind::Failed))
        .find(|outcome| outcome.as_str() == kind)
}

/// An outcome in columns.
pub(crate) fn outcome_of(
    kind: &str,
    error: Option<&str>,
    at: i64,
    detail: String,
) -> Result<Outcome, StoreError> {
    let found = outcome_kind(kind, error);
    let kind = found.ok_or_else(|| StoreError::decode("outcomes.kind")(format!("{kind} ({error:?})")))?;
    Ok(Outcome { kind, at: time("outcomes.at", at)?, detail })
}

/// The tags of an intent without their times.
pub(crate) fn tag_names(json: &str) -> Result<BTreeSet<Tag>, StoreError> {
    let tags: BTreeMap<Tag, Option<DateTime<Utc>>> = from_json("intents.tags", json)?;
    Ok(tags.into_keys().collect())
}

impl IntentRow {
    fn decode(self) -> Result<OpenIntent, StoreError> {
        let intent = Intent {
            image: parse("intents.image", &self.image)?,
            digest: digest("intents.digest", &self.digest)?,
            repository: parse("repositories.ocid", &self.ocid)?,
            repository_name: parse("intents.name", &self.name)?,
            tags: from_json("intents.tags", &self.tags)?,
            media_type: self.media_type,
            manifest: self.manifest.into(),
            etag: Etag(self.etag),
            head: digest("intents.head", &self.head)?,
            members: split_digests("intents.members", &self.members)?,
            rule: self.rule,
            evidence: self.evidence,
            frees: self.frees.map(|frees| uncount("intents.frees", frees).map(Bytes)).transpose()?,
        };
        Ok(OpenIntent { id: IntentId(self.id), intended_at: time("intents.at", self.intended_at)?, intent })
    }
}

impl SettledRow {
    fn decode(self) -> Result<SettledIntent, StoreError> {
        Ok(SettledIntent {
            id: IntentId(self.id),
            intended_at: time("intents.at", self.intended_at)?,
            repository_name: parse("intents.name", &self.name)?,
            image: parse("intents.image", &self.image)?,
            digest: digest("intents.digest", &self.digest)?,
            head: digest("intents.head", &self.head)?,
            tags: tag_names(&self.tags)?,
            rule: self.rule,
            evidence: self.evidence,
            outcome: outcome_of(&self.kind, self.error.as_deref(), self.at, self.detail)?,
        })
    }
}
