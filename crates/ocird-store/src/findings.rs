//! Findings on record: what is odd, since when, until when. Written in the transaction of the pass that found them, and only
//! where they changed. What counts as odd is not the store's to say.
//!
//! A kind or subject that this version does not know is passed over, and cleared by the next pass: a word of another
//! version says nothing about the registry, and no finding may keep a pass from being recorded.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ocird_model::{Digest, Finding, FindingKey, FindingKind, RepositoryName, Severity, Standing, Subject};
use sqlx::{FromRow, SqliteExecutor};

use crate::column::{digest, millis, parse, time, uncount};
use crate::record::Recording;
use crate::{Glance, StoreError};

/// Images of one repository that one complete listing was the first not to show, although ocird had not deleted them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vanished {
    /// The repository's name.
    pub repository: RepositoryName,
    /// When they were missed.
    pub at: DateTime<Utc>,
    /// How many.
    pub n_images: u64,
    /// The first of them in order of digest, at most [`Vanished::MAX_DIGESTS`].
    pub digests: Vec<Digest>,
}

impl Vanished {
    /// The most digests that are told: enough to look one up, whatever went.
    pub const MAX_DIGESTS: u32 = 3;
}

#[derive(FromRow)]
struct FindingRow {
    id: i64,
    kind: String,
    subject: String,
    name: String,
    severity: String,
    what: String,
    remedy: String,
    first_seen_at: i64,
}

impl Glance {
    /// Every finding that stands.
    pub async fn findings(&self) -> Result<Vec<Standing>, StoreError> {
        let rows = read_standing(&self.reader).await?;
        Ok(known(rows)?.into_values().map(|(_, standing)| standing).collect())
    }
}

impl Recording<'_> {
    /// Every finding that stood before this pass.
    pub async fn standing(&mut self) -> Result<BTreeMap<FindingKey, Standing>, StoreError> {
        let rows = read_standing(self.write.connection()).await?;
        Ok(known(rows)?.into_iter().map(|(key, (_, standing))| (key, standing)).collect())
    }

    /// The images that went by another hand since `since`, this pass included; the latest first.
    pub async fn vanished_since(&mut self, since: DateTime<Utc>) -> Result<Vec<Vanished>, StoreError> {
        // What ocird meant and nobody knows the end of may be its own doing, and counts as that.
        let select = "SELECT name, gone_at, n_images, digest FROM (SELECT repositories.name, images.gone_at, images.digest, \
             count(*) OVER (PARTITION BY repositories.name, images.gone_at) AS n_images, \
             row_number() OVER (PARTITION BY repositories.name, images.gone_at ORDER BY images.digest) AS place \
             FROM images JOIN repositories ON repositories.id = images.repository \
             WHERE images.gone_at IS NOT NULL AND images.gone_at >= ? AND NOT EXISTS (SELECT 1 FROM intents \
             LEFT JOIN outcomes ON outcomes.intent = intents.id WHERE intents.image = images.ocid \
             AND (outcomes.kind IS NULL OR outcomes.kind = 'deleted'))) \
             WHERE place <= ? ORDER BY gone_at DESC, name, digest";
        let rows: Vec<(String, i64, i64, Vec<u8>)> = sqlx::query_as(select)
            .bind(millis(since))
            .bind(Vanished::MAX_DIGESTS)
            .fetch_all(self.write.connection())
            .await
            .map_err(StoreError::sqlite("reading which images went by another hand"))?;
        let mut all: Vec<Vanished> = Vec::new();
        for (name, gone_at, n_images, bytes) in rows {
            let (repository, at) = (parse("repositories.name", &name)?, time("images.gone_at", gone_at)?);
            let first = digest("images.digest", &bytes)?;
            if let Some(last) = all.last_mut().filter(|last| last.repository == repository && last.at == at) {
                last.digests.push(first);
            } else {
                let n_images = uncount("images.n_images", n_images)?;
                all.push(Vanished { repository, at, n_images, digests: vec![first] });
            }
        }
        Ok(all)
    }

    /// Makes these all the findings that stand. What no longer does is kept with the time at which it was cleared.
    pub async fn replace_findings(&mut self, findings: &[Standing]) -> Result<(), StoreError> {
        let rows = read_standing(self.write.connection()).await?;
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        let mut before = known(rows)?;
        let mut kept = BTreeSet::new();
        for standing in findings {
            match before.remove(&standing.finding.key()) {
                Some((id, known)) => {
                    if known != *standing {
                        self.change_finding(id, standing).await?;
                    }
                    kept.insert(id);
                }
                None => self.add_finding(standing).await?,
            }
        }
        for id in ids.into_iter().filter(|id| !kept.contains(id)) {
            self.clear_finding(id).await?;
        }
        Ok(())
    }

    async fn add_finding(&mut self, standing: &Standing) -> Result<(), StoreError> {
        let Standing { finding: Finding { kind, subject, severity, what, remedy }, since } = standing;
        let insert = "INSERT INTO findings (kind, subject, name, severity, what, remedy, first_seen_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?)";
        sqlx::query(insert)
            .bind(kind.as_str())
            .bind(subject.as_str())
            .bind(subject.name())
            .bind(severity.as_str())
            .bind(what)
            .bind(remedy)
            .bind(millis(*since))
            .execute(self.write.connection())
            .await
            .map_err(StoreError::sqlite("recording a finding"))?;
        Ok(())
    }

    async fn change_finding(&mut self, id: i64, standing: &Standing) -> Result<(), StoreError> {
        let Standing { finding: Finding { kind: _, subject: _, severity, what, remedy }, since } = standing;
        let update = "UPDATE findings SET severity = ?, what = ?, remedy = ?, first_seen_at = ? WHERE id = ?";
        sqlx::query(update)
            .bind(severity.as_str())
            .bind(what)
            .bind(remedy)
            .bind(millis(*since))
            .bind(id)
            .execute(self.write.connection())
            .await
            .map_err(StoreError::sqlite("recording how a finding changed"))?;
        Ok(())
    }

    async fn clear_finding(&mut self, id: i64) -> Result<(), StoreError> {
        // It was last found in the pass before this one, which may have been the first to find it.
        let update = "UPDATE findings SET cleared_at = ?1, last_seen_at = max(first_seen_at, coalesce((SELECT max(finished_at) \
             FROM passes WHERE id < ?2 AND finished_at <= ?1), first_seen_at)) WHERE id = ?3";
        sqlx::query(update)
            .bind(millis(self.at))
            .bind(self.id.0)
            .bind(id)
            .execute(self.write.connection())
            .await
            .map_err(StoreError::sqlite("recording that a finding is cleared"))?;
        Ok(())
    }
}

async fn read_standing(executor: impl SqliteExecutor<'_>) -> Result<Vec<FindingRow>, StoreError> {
    let select = "SELECT id, kind, subject, name, severity, what, remedy, first_seen_at FROM findings \
         WHERE cleared_at IS NULL ORDER BY id";
    sqlx::query_as(select)
        .fetch_all(executor)
        .await
        .map_err(StoreError::sqlite("reading which findings stand"))
}

/// The rows of kinds and subjects that this version knows.
fn known(rows: Vec<FindingRow>) -> Result<BTreeMap<FindingKey, (i64, Standing)>, StoreError> {
    let mut known = BTreeMap::new();
    for FindingRow { id, kind, subject, name, severity, what, remedy, first_seen_at } in rows {
        if let Some(finding) = finding_of([&kind, &subject, &name, &severity], what, remedy) {
            let since = time("findings.first_seen_at", first_seen_at)?;
            known.insert(finding.key(), (id, Standing { finding, since }));
        }
    }
    Ok(known)
}

/// The finding of the words for its kind, subject, the subject's name and its severity; `None` where this version does not
/// know one of them.
pub(crate) fn finding_of(words: [&str; 4], what: String, remedy: String) -> Option<Finding> {
    let [kind, subject, name, severity] = words;
    Some(Finding {
        kind: FindingKind::named(kind)?,
        subject: Subject::named(subject, name)?,
        severity: Severity::named(severity)?,
        what,
        remedy,
    })
}
