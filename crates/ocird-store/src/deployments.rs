//! What was in use: how much each source named, and which images ran where, since when and until when. It is written as a
//! whole and only where it changed. When a source is to be doubted and how much room a rollback needs is not the store's
//! to say.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ocird_model::{Digest, RepositoryName};
use sqlx::{FromRow, SqliteConnection, SqlitePool};

use crate::column::{count, digest, millis, optional_time, parse, time, uncount};
use crate::store::Write;
use crate::{Glance, Store, StoreError};

/// What is remembered of what was in use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UseHistory {
    /// Whoever said what runs.
    pub speakers: BTreeMap<SpeakerKey, Speaker>,
    /// What ran and what runs.
    pub runs: BTreeMap<RunKey, Run>,
}

/// A source, or one host that speaks through it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpeakerKey {
    /// The source, as the configuration names it.
    pub source: String,
    /// The host; blank for the source as a whole.
    pub host: String,
}

/// How much a speaker named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speaker {
    /// How many different images of this registry its newest answer named.
    pub n_images: u64,
    /// The time that the newest answer bears, to the millisecond.
    pub looked_at: DateTime<Utc>,
    /// It named too few to be believed.
    pub frozen: Option<Frozen>,
}

/// Since when, and against what, a speaker names too few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frozen {
    /// The time of the answer that named too few.
    pub at: DateTime<Utc>,
    /// How many it had named before.
    pub n_before: u64,
    /// How many later answers have agreed.
    pub n_agreeing: u64,
}

/// One stretch of time in which one thing ran from one image without a break. Of stretches that ended, the start keeps
/// them apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunKey {
    /// The image's repository.
    pub repository: RepositoryName,
    /// What ran and where.
    pub by: Arc<str>,
    /// The image.
    pub digest: Digest,
    /// When it was first said to run, to the millisecond.
    pub began_at: DateTime<Utc>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// When it was first said to run no more; `None` while it runs.
    pub ended_at: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct SpeakerRow {
    source: String,
    host: String,
    n_images: i64,
    looked_at: i64,
    frozen_at: Option<i64>,
    n_before: Option<i64>,
    n_agreeing: Option<i64>,
}

#[derive(FromRow)]
struct RunRow {
    repository: String,
    digest: Vec<u8>,
    used_by: String,
    began_at: i64,
    ended_at: Option<i64>,
}

impl Glance {
    /// Everything that is remembered of what was in use.
    pub async fn use_history(&self) -> Result<UseHistory, StoreError> {
        read_history(&self.reader).await
    }
}

impl Store {
    /// Everything that is remembered of what was in use.
    pub async fn use_history(&self) -> Result<UseHistory, StoreError> {
        read_history(&self.reader).await
    }

    /// Makes `after` what is remembered of what was in use, in one transaction that writes what differs from `before`,
    /// which the caller has read from this store: it has one writer, so nobody has changed it since. Where nothing
    /// differs, nothing is written.
    pub async fn change_use_history(
        &self,
        before: &UseHistory,
        after: &UseHistory,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if before == after {
            return Ok(());
        }
        let mut write = self.begin(now).await?;
        replace_speakers(&mut write, before, after).await?;
        replace_runs(&mut write, before, after).await?;
        write.commit().await
    }
}

async fn replace_speakers(
    write: &mut Write<'_>,
    before: &UseHistory,
    after: &UseHistory,
) -> Result<(), StoreError> {
    for key in before.speakers.keys().filter(|key| !after.speakers.contains_key(key)) {
        sqlx::query("DELETE FROM in_use_speakers WHERE source = ? AND host = ?")
            .bind(&key.source)
            .bind(&key.host)
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("forgetting a source of what is in use"))?;
    }
    for (key, speaker) in &after.speakers {
        if before.speakers.get(key) != Some(speaker) {
            put_speaker(write.connection(), key, speaker).await?;
        }
    }
    Ok(())
}

async fn put_speaker(
    connection: &mut SqliteConnection,
    SpeakerKey { source, host }: &SpeakerKey,
    Speaker { n_images, looked_at, frozen }: &Speaker,
) -> Result<(), StoreError> {
    let put = "INSERT OR REPLACE INTO in_use_speakers (source, host, n_images, looked_at, frozen_at, n_before, n_agreeing) \
         VALUES (?, ?, ?, ?, ?, ?, ?)";
    sqlx::query(put)
        .bind(source)
        .bind(host)
        .bind(count(*n_images))
        .bind(millis(*looked_at))
        .bind(frozen.map(|frozen| millis(frozen.at)))
        .bind(frozen.map(|frozen| count(frozen.n_before)))
        .bind(frozen.map(|frozen| count(frozen.n_agreeing)))
        .execute(connection)
        .await
        .map_err(StoreError::sqlite("recording what a source of what is in use said"))?;
    Ok(())
}

async fn replace_runs(
    write: &mut Write<'_>,
    before: &UseHistory,
    after: &UseHistory,
) -> Result<(), StoreError> {
    for key in before.runs.keys().filter(|key| !after.runs.contains_key(key)) {
        let delete = "DELETE FROM runs WHERE repository = ? AND used_by = ? AND digest = ? AND began_at = ?";
        bound(sqlx::query(delete), key)
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("forgetting what ran"))?;
    }
    for (key, Run { ended_at }) in &after.runs {
        let change = match before.runs.get(key) {
            Some(known) if known.ended_at == *ended_at => continue,
            Some(_) => {
                "UPDATE runs SET ended_at = ?5 WHERE repository = ?1 AND used_by = ?2 AND digest = ?3 \
                 AND began_at = ?4"
            }
            None => {
                "INSERT INTO runs (repository, used_by, digest, began_at, ended_at) VALUES (?1, ?2, ?3, ?4, ?5)"
            }
        };
        bound(sqlx::query(change), key)
            .bind(ended_at.map(millis))
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("recording what runs"))?;
    }
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// A query with the key of a run in its first four places.
fn bound<'q>(query: Query<'q>, RunKey { repository, by, digest, began_at }: &RunKey) -> Query<'q> {
    let digest = digest.as_bytes().to_vec();
    query.bind(repository.as_str().to_owned()).bind(by.to_string()).bind(digest).bind(millis(*began_at))
}

async fn read_history(pool: &SqlitePool) -> Result<UseHistory, StoreError> {
    let select =
        "SELECT source, host, n_images, looked_at, frozen_at, n_before, n_agreeing FROM in_use_speakers";
    let speakers: Vec<SpeakerRow> = sqlx::query_as(select)
        .fetch_all(pool)
        .await
        .map_err(StoreError::sqlite("reading what sources of what is in use said"))?;
    let runs: Vec<RunRow> =
        sqlx::query_as("SELECT repository, digest, used_by, began_at, ended_at FROM runs")
            .fetch_all(pool)
            .await
            .map_err(StoreError::sqlite("reading what ran"))?;
    Ok(UseHistory {
        speakers: speakers.into_iter().map(SpeakerRow::read).collect::<Result<_, _>>()?,
        runs: runs.into_iter().map(RunRow::read).collect::<Result<_, _>>()?,
    })
}

impl SpeakerRow {
    fn read(self) -> Result<(SpeakerKey, Speaker), StoreError> {
        let Self { source, host, n_images, looked_at, frozen_at, n_before, n_agreeing } = self;
        let frozen = match (frozen_at, n_before, n_agreeing) {
            (Some(at), Some(n_before), Some(n_agreeing)) => Some(Frozen {
                at: time("in_use_speakers.frozen_at", at)?,
                n_before: uncount("in_use_speakers.n_before", n_before)?,
                n_agreeing: uncount("in_use_speakers.n_agreeing", n_agreeing)?,
            }),
            // A CHECK of the table lets nothing stand in between.
            _ => None,
        };
        let speaker = Speaker {
            n_images: uncount("in_use_speakers.n_images", n_images)?,
            looked_at: time("in_use_speakers.looked_at", looked_at)?,
            frozen,
        };
        Ok((SpeakerKey { source, host }, speaker))
    }
}

impl RunRow {
    fn read(self) -> Result<(RunKey, Run), StoreError> {
        let Self { repository, digest: bytes, used_by, began_at, ended_at } = self;
        let key = RunKey {
            repository: parse("runs.repository", &repository)?,
            by: used_by.into(),
            digest: digest("runs.digest", &bytes)?,
            began_at: time("runs.began_at", began_at)?,
        };
        Ok((key, Run { ended_at: optional_time("runs.ended_at", ended_at)? }))
    }
}
