//! Plans that were too large to act on without being asked, and what somebody agreed to (S-19): the families of the latest
//! refused plan, and those of the approval that stands. What is too large, and how long an approval serves, is not the
//! store's to say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, Digest, ImageId, RepositoryId, RepositoryName, Tag};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, SqliteConnection};

use crate::column::{count, digest, from_json, millis, optional_time, parse, time, to_json, uncount};
use crate::store::Write;
use crate::{Store, StoreError};

/// The number of a refused plan in this store; never used twice, so that a number means one list for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanId(i64);

/// A plan that was refused because too much would go at once. It waits for [`Store::approve`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedPlan {
    /// Its number.
    pub id: PlanId,
    /// When a pass first refused it.
    pub at: DateTime<Utc>,
    /// What was too much, for people.
    pub why: String,
    /// Every family that was due, in order of repository and head.
    pub families: Vec<PlannedFamily>,
}

/// A plan that somebody approved, as it was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The plan with the list that was approved.
    pub plan: RefusedPlan,
    /// When.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: String,
}

/// One family of a plan, as it was when the plan was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFamily {
    /// Its repository.
    pub repository: RepositoryId,
    /// The repository's name at that time.
    pub repository_name: RepositoryName,
    /// The digest of its head.
    pub head: Digest,
    /// The OCID of its head.
    pub image: ImageId,
    /// The tags of its head.
    pub tags: BTreeSet<Tag>,
    /// The rule that selects it, in the words of the verdict.
    pub rule: String,
    /// What it holds, layers that others share included; `None` while a layer is not known.
    pub size: Option<Bytes>,
}

#[derive(FromRow)]
struct PlanRow {
    id: i64,
    refused_at: i64,
    why: String,
    approved_at: Option<i64>,
    approved_by: Option<String>,
}

#[derive(FromRow)]
struct FamilyRow {
    ocid: String,
    head: Vec<u8>,
    name: String,
    image: String,
    tags: String,
    rule: String,
    size: Option<i64>,
}

impl Store {
    /// Stores the plan that a pass refused, in place of the one that waits. The same list, whatever its order, keeps its
    /// number. Each repository has been seen before.
    pub async fn refuse_plan(
        &self,
        why: &str,
        families: &[PlannedFamily],
        now: DateTime<Utc>,
    ) -> Result<PlanId, StoreError> {
        let mut write = self.begin(now).await?;
        let (waiting, _) = read_plans(write.connection()).await?;
        if let Some(waiting) = waiting
            && is_same_list(&waiting.families, families)
        {
            return Ok(waiting.id);
        }
        write.drop_refused_plan().await?;
        let inserted = sqlx::query("INSERT INTO plans (refused_at, why) VALUES (?, ?)")
            .bind(millis(now))
            .bind(why)
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("storing a refused plan"))?;
        let id = PlanId(inserted.last_insert_rowid());
        let mut rows = BTreeMap::new();
        for family in families {
            let row = match rows.get(&family.repository) {
                Some(row) => *row,
                None => write.repository_row(&family.repository).await?,
            };
            rows.insert(&family.repository, row);
            write.family_of_plan(id, row, family).await?;
        }
        write.commit().await?;
        Ok(id)
    }

    /// Forgets the plan that waits for an approval: what is due is no longer too much. Writes nothing when there is none.
    pub async fn withdraw_refused_plan(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut write = self.begin(now).await?;
        write.drop_refused_plan().await?;
        write.commit().await
    }

    /// Approves the plan of this number, by the word of `by`. An approval that stands ends.
    ///
    /// # Errors
    /// [`StoreError::NotWaiting`] when another plan or none waits: nobody approves a list that they have not seen.
    pub async fn approve(&self, plan: PlanId, by: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut write = self.begin(now).await?;
        write.end_approval("another plan was approved", now).await?;
        let approve =
            "UPDATE plans SET approved_at = ?, approved_by = ? WHERE id = ? AND approved_at IS NULL";
        let approved = sqlx::query(approve)
            .bind(millis(now))
            .bind(by)
            .bind(plan.0)
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("approving a plan"))?;
        if approved.rows_affected() == 0 {
            return Err(StoreError::NotWaiting { plan });
        }
        write.commit().await
    }

    /// Ends the approval that stands, and says why.
    pub async fn end_approval(&self, why: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut write = self.begin(now).await?;
        write.end_approval(why, now).await?;
        write.commit().await
    }
}

impl Write<'_> {
    async fn family_of_plan(
        &mut self,
        plan: PlanId,
        repository: i64,
        family: &PlannedFamily,
    ) -> Result<(), StoreError> {
        let PlannedFamily { repository: _, repository_name, head, image, tags, rule, size } = family;
        let insert = "INSERT INTO plan_families (plan, repository, head, name, image, tags, rule, size) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        sqlx::query(insert)
            .bind(plan.0)
            .bind(repository)
            .bind(head.as_bytes().as_slice())
            .bind(repository_name.as_str())
            .bind(image.as_str())
            .bind(to_json(tags))
            .bind(rule.as_str())
            .bind(size.map(|size| count(size.0)))
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite("storing a family of a refused plan"))?;
        Ok(())
    }

    /// Forgets the plan that waits.
    pub(crate) async fn drop_refused_plan(&mut self) -> Result<(), StoreError> {
        for statement in [
            "DELETE FROM plan_families WHERE plan IN (SELECT id FROM plans WHERE approved_at IS NULL)",
            "DELETE FROM plans WHERE approved_at IS NULL",
        ] {
            sqlx::query(statement)
                .execute(self.connection())
                .await
                .map_err(StoreError::sqlite("forgetting a refused plan"))?;
        }
        Ok(())
    }
}

/// The plan that waits, and the approval that stands.
pub(crate) async fn read_plans(
    connection: &mut SqliteConnection,
) -> Result<(Option<RefusedPlan>, Option<Approval>), StoreError> {
    let select =
        "SELECT id, refused_at, why, approved_at, approved_by FROM plans WHERE ended_at IS NULL ORDER BY id";
    let rows: Vec<PlanRow> = sqlx::query_as(select)
        .fetch_all(&mut *connection)
        .await
        .map_err(StoreError::sqlite("reading refused plans"))?;
    let (mut refused, mut approval) = (None, None);
    for PlanRow { id, refused_at, why, approved_at, approved_by } in rows {
        let at = time("plans.refused_at", refused_at)?;
        let plan = RefusedPlan { id: PlanId(id), at, why, families: read_families(connection, id).await? };
        match optional_time("plans.approved_at", approved_at)?.zip(approved_by) {
            Some((at, by)) => approval = Some(Approval { plan, at, by }),
            None => refused = Some(plan),
        }
    }
    Ok((refused, approval))
}

async fn read_families(
    connection: &mut SqliteConnection,
    plan: i64,
) -> Result<Vec<PlannedFamily>, StoreError> {
    let select = "SELECT repositories.ocid, head, plan_families.name, image, tags, rule, size FROM plan_families \
         JOIN repositories ON repositories.id = plan_families.repository WHERE plan = ? \
         ORDER BY plan_families.name, head";
    let rows: Vec<FamilyRow> = sqlx::query_as(select)
        .bind(plan)
        .fetch_all(connection)
        .await
        .map_err(StoreError::sqlite("reading the families of a refused plan"))?;
    rows.into_iter().map(FamilyRow::decode).collect()
}

impl FamilyRow {
    fn decode(self) -> Result<PlannedFamily, StoreError> {
        let Self { ocid, head, name, image, tags, rule, size } = self;
        let size = size.map(|size| uncount("plan_families.size", size)).transpose()?;
        Ok(PlannedFamily {
            repository: parse("repositories.ocid", &ocid)?,
            repository_name: parse("plan_families.name", &name)?,
            head: digest("plan_families.head", &head)?,
            image: parse("plan_families.image", &image)?,
            tags: from_json("plan_families.tags", &tags)?,
            rule,
            size: size.map(Bytes),
        })
    }
}

/// Whether both lists name the same images under the same tags. Rules and sizes are there for people.
fn is_same_list(a: &[PlannedFamily], b: &[PlannedFamily]) -> bool {
    fn keys(families: &[PlannedFamily]) -> BTreeSet<(&RepositoryId, &Digest, &ImageId, &BTreeSet<Tag>)> {
        families
            .iter()
            .map(|family| (&family.repository, &family.head, &family.image, &family.tags))
            .collect()
    }
    keys(a) == keys(b)
}

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PlanId {
    type Err = std::num::ParseIntError;

    /// Reads what a person types after having read it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}
