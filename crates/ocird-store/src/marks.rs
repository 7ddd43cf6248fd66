//! Marks: which families rules select now, since when, and in how many passes in a row. When a mark is due is not the
//! store's to say.

use std::collections::BTreeMap;

use ocird_model::{Mark, MarkKey};
use sqlx::{FromRow, SqlitePool};

use crate::column::{digest, millis, parse, time};
use crate::store::Write;
use crate::{Glance, Store, StoreError};

#[derive(FromRow)]
struct MarkRow {
    ocid: String,
    head: Vec<u8>,
    rule: String,
    policy: i64,
    since: i64,
    n_passes: i64,
}

impl Glance {
    /// Every mark that holds.
    pub async fn marks(&self) -> Result<BTreeMap<MarkKey, Mark>, StoreError> {
        read_marks(&self.reader).await
    }
}

async fn read_marks(reader: &SqlitePool) -> Result<BTreeMap<MarkKey, Mark>, StoreError> {
    let select = "SELECT repositories.ocid, head, rule, policy, since, n_passes \
         FROM marks JOIN repositories ON repositories.id = marks.repository";
    let rows: Vec<MarkRow> =
        sqlx::query_as(select).fetch_all(reader).await.map_err(StoreError::sqlite("reading the marks"))?;
    rows.iter().map(MarkRow::decode).collect()
}

impl Store {
    /// Every mark that holds.
    pub async fn marks(&self) -> Result<BTreeMap<MarkKey, Mark>, StoreError> {
        read_marks(&self.reader).await
    }

    /// Drops one mark, if it is there: its family was not as it was decided about, and starts anew (S-17).
    pub async fn drop_mark(&self, key: &MarkKey) -> Result<(), StoreError> {
        let MarkKey { repository, head } = key;
        let mut write = self.begin_untimed().await?;
        write.change_marks().await?;
        let delete =
            "DELETE FROM marks WHERE repository = (SELECT id FROM repositories WHERE ocid = ?) AND head = ?";
        sqlx::query(delete)
            .bind(repository.as_str())
            .bind(head.as_bytes().as_slice())
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("dropping a mark"))?;
        write.commit().await
    }
}

impl Write<'_> {
    /// Makes these all the marks there are.
    pub(crate) async fn replace_marks(&mut self, marks: &BTreeMap<MarkKey, Mark>) -> Result<(), StoreError> {
        self.change_marks().await?;
        sqlx::query("DELETE FROM marks")
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite("replacing the marks"))?;
        for (MarkKey { repository, head }, Mark { rule, policy, since, n_passes }) in marks {
            let insert = "INSERT INTO marks (repository, head, rule, policy, since, n_passes) \
                 SELECT id, ?, ?, ?, ?, ? FROM repositories WHERE ocid = ?";
            let inserted = sqlx::query(insert)
                .bind(head.as_bytes().as_slice())
                .bind(rule.as_str())
                .bind(policy.cast_signed())
                .bind(millis(*since))
                .bind(i64::from(*n_passes))
                .bind(repository.as_str())
                .execute(self.connection())
                .await
                .map_err(StoreError::sqlite("replacing the marks"))?;
            if inserted.rows_affected() == 0 {
                return Err(StoreError::UnknownRepository { repository: repository.clone() });
            }
        }
        Ok(())
    }
}

impl MarkRow {
    fn decode(&self) -> Result<(MarkKey, Mark), StoreError> {
        let Self { ocid, head, rule, policy, since, n_passes } = self;
        let key =
            MarkKey { repository: parse("repositories.ocid", ocid)?, head: digest("marks.head", head)? };
        let mark = Mark {
            rule: parse("marks.rule", rule)?,
            policy: policy.cast_unsigned(),
            since: time("marks.since", *since)?,
            n_passes: u32::try_from(*n_passes).map_err(StoreError::decode("marks.n_passes"))?,
        };
        Ok((key, mark))
    }
}
