//! Holds: keep rules made by hand, each on a digest or a tag of a repository, until it ends or is released (S-27). Whether a
//! hold is in force is not the store's to say: it hands out all that nobody has released, and to plans all there ever were.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ocird_model::{Hold, HoldOn, RepositoryName};
use sqlx::{FromRow, SqlitePool};

use crate::column::{digest, millis, optional_time, parse, time};
use crate::{Glance, Store, StoreError};

#[derive(FromRow)]
struct HoldRow {
    repository: String,
    digest: Option<Vec<u8>>,
    tag: Option<String>,
    placed_by: String,
    why: String,
    since: i64,
    until: Option<i64>,
}

impl Glance {
    /// Every hold there ever was. One that was released has ended at that moment: what was held once, as all that was ever
    /// restored, takes no place among the newest.
    pub async fn holds_ever(&self) -> Result<BTreeMap<RepositoryName, Vec<Hold>>, StoreError> {
        read_holds(&self.reader, EVER).await
    }
}

impl Store {
    /// As [`Glance::holds_ever`].
    pub async fn holds_ever(&self) -> Result<BTreeMap<RepositoryName, Vec<Hold>>, StoreError> {
        read_holds(&self.reader, EVER).await
    }

    /// Every hold that nobody has released, whether it has ended or not, in the order in which they were placed.
    pub async fn holds(&self) -> Result<BTreeMap<RepositoryName, Vec<Hold>>, StoreError> {
        read_holds(&self.reader, STANDING).await
    }

    /// The same of one repository, as they are on the disk at this moment.
    pub async fn holds_of(&self, repository: &RepositoryName) -> Result<Vec<Hold>, StoreError> {
        let select = "SELECT repository, digest, tag, placed_by, why, since, until FROM holds \
             WHERE released_at IS NULL AND repository = ? ORDER BY id";
        let rows: Vec<HoldRow> = sqlx::query_as(select)
            .bind(repository.as_str())
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading the holds of a repository"))?;
        rows.into_iter().map(|row| Ok(row.decode()?.1)).collect()
    }

    /// Places holds: all of them or, when this fails, none. Those that stand on the same images stand on, so that a new hold
    /// never ends an old one.
    pub async fn place_holds(
        &self,
        holds: &[(RepositoryName, Hold)],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut write = self.begin(now).await?;
        for (repository, Hold { on, by, why, since, until }) in holds {
            let (digest, tag) = columns(on);
            let insert = "INSERT INTO holds (repository, digest, tag, placed_by, why, since, until) VALUES (?, ?, ?, ?, ?, ?, ?)";
            sqlx::query(insert)
                .bind(repository.as_str())
                .bind(digest)
                .bind(tag)
                .bind(&**by)
                .bind(&**why)
                .bind(millis(*since))
                .bind(until.map(millis))
                .execute(write.connection())
                .await
                .map_err(StoreError::sqlite("placing a hold"))?;
        }
        write.commit().await
    }

    /// Releases every hold on this digest or tag, and answers how many of them there were.
    pub async fn release_holds(
        &self,
        repository: &RepositoryName,
        on: &HoldOn,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let mut write = self.begin(now).await?;
        let (digest, tag) = columns(on);
        let update = "UPDATE holds SET released_at = ?, released_by = ? \
             WHERE repository = ? AND digest IS ? AND tag IS ? AND released_at IS NULL";
        let released = sqlx::query(update)
            .bind(millis(now))
            .bind(by)
            .bind(repository.as_str())
            .bind(digest)
            .bind(tag)
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("releasing a hold"))?;
        write.commit().await?;
        Ok(released.rows_affected())
    }
}

const STANDING: &str = "SELECT repository, digest, tag, placed_by, why, since, until FROM holds \
     WHERE released_at IS NULL ORDER BY id";

const EVER: &str = "SELECT repository, digest, tag, placed_by, why, since, \
     CASE WHEN released_at IS NULL OR until < released_at THEN until ELSE released_at END AS until FROM holds ORDER BY id";

async fn read_holds(
    reader: &SqlitePool,
    select: &'static str,
) -> Result<BTreeMap<RepositoryName, Vec<Hold>>, StoreError> {
    let rows: Vec<HoldRow> =
        sqlx::query_as(select).fetch_all(reader).await.map_err(StoreError::sqlite("reading the holds"))?;
    let mut holds: BTreeMap<RepositoryName, Vec<Hold>> = BTreeMap::new();
    for row in rows {
        let (repository, hold) = row.decode()?;
        holds.entry(repository).or_default().push(hold);
    }
    Ok(holds)
}

/// The two columns of which one is null.
fn columns(on: &HoldOn) -> (Option<Vec<u8>>, Option<&str>) {
    match on {
        HoldOn::Digest(digest) => (Some(digest.as_bytes().to_vec()), None),
        HoldOn::Tag(tag) => (None, Some(tag.as_str())),
    }
}

impl HoldRow {
    fn decode(self) -> Result<(RepositoryName, Hold), StoreError> {
        let on = match (self.digest, self.tag) {
            (Some(bytes), _) => HoldOn::Digest(digest("holds.digest", &bytes)?),
            (None, Some(tag)) => HoldOn::Tag(parse("holds.tag", &tag)?),
            (None, None) => return Err(StoreError::decode("holds.digest")("a hold on nothing")),
        };
        let hold = Hold {
            on,
            by: self.placed_by.into(),
            why: self.why.into(),
            since: time("holds.since", self.since)?,
            until: optional_time("holds.until", self.until)?,
        };
        Ok((parse("holds.repository", &self.repository)?, hold))
    }
}
