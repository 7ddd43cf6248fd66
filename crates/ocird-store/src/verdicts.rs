//! Verdicts over time, as changes: an image that is kept for the same reason in ten thousand passes has one row.

use std::collections::BTreeMap;

use ocird_model::{Decision, DeleteReason, Digest, ImageId, KeepReason, Verdict};

use crate::StoreError;
use crate::column::parse;
use crate::record::PassId;
use crate::store::Write;

/// A verdict in columns.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stored {
    decision: String,
    reason: String,
    detail: Option<String>,
}

impl Write<'_> {
    /// Records the verdicts of one repository that differ from those on record.
    pub(crate) async fn decide(
        &mut self,
        pass: PassId,
        repository: i64,
        decisions: &[Decision],
    ) -> Result<(), StoreError> {
        let present = self.verdicts(repository).await?;
        for Decision { image, digest: _, head: _, verdict } in decisions {
            let known = present.get(image);
            let (row, before) = known.ok_or_else(|| StoreError::UnknownImage { image: image.clone() })?;
            let now = Stored::from(verdict);
            if before.as_ref().is_none_or(|before| before.is_changed_by(&now)) {
                self.change_verdict(pass, *row, &now).await?;
            }
        }
        Ok(())
    }

    async fn verdicts(
        &mut self,
        repository: i64,
    ) -> Result<BTreeMap<ImageId, (i64, Option<Stored>)>, StoreError> {
        type Row = (i64, String, Option<String>, Option<String>, Option<String>);
        let select =
            "SELECT id, ocid, decision, reason, detail FROM images WHERE repository = ? AND gone_at IS NULL";
        let rows: Vec<Row> = sqlx::query_as(select)
            .bind(repository)
            .fetch_all(self.connection())
            .await
            .map_err(StoreError::sqlite("reading the verdicts on record"))?;
        let verdicts = rows.into_iter().map(|(row, ocid, decision, reason, detail)| {
            let stored = decision.zip(reason).map(|(decision, reason)| Stored { decision, reason, detail });
            Ok((parse("images.ocid", &ocid)?, (row, stored)))
        });
        verdicts.collect()
    }

    async fn change_verdict(&mut self, pass: PassId, image: i64, verdict: &Stored) -> Result<(), StoreError> {
        let Stored { decision, reason, detail } = verdict;
        let doing = "recording a verdict";
        sqlx::query("INSERT INTO verdicts (image, pass, decision, reason, detail) VALUES (?, ?, ?, ?, ?)")
            .bind(image)
            .bind(pass.0)
            .bind(decision.as_str())
            .bind(reason.as_str())
            .bind(detail.as_deref())
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite(doing))?;
        sqlx::query("UPDATE images SET decision = ?, reason = ?, detail = ? WHERE id = ?")
            .bind(decision.as_str())
            .bind(reason.as_str())
            .bind(detail.as_deref())
            .bind(image)
            .execute(self.connection())
            .await
            .map_err(StoreError::sqlite(doing))?;
        Ok(())
    }
}

impl Stored {
    /// Whether another verdict is news. Who uses an image is kept from when it came into use: the names of pods and
    /// containers change with every restart, and would be a row each.
    fn is_changed_by(&self, now: &Self) -> bool {
        let same_word = self.decision == now.decision && self.reason == now.reason;
        !(same_word
            && (self.detail == now.detail || ["in_use", "rollback_room"].contains(&self.reason.as_str())))
    }
}

impl From<&Verdict> for Stored {
    fn from(verdict: &Verdict) -> Self {
        Self {
            decision: if verdict.is_delete() { "delete" } else { "keep" }.to_owned(),
            reason: verdict.as_str().to_owned(),
            detail: match verdict {
                Verdict::Keep(reason) => keep_detail(reason),
                Verdict::Delete(reason) => delete_detail(reason),
            },
        }
    }
}

/// What a reason to keep names besides itself.
fn keep_detail(reason: &KeepReason) -> Option<String> {
    match reason {
        KeepReason::Opaque { why } => Some(why.as_str().to_owned()),
        KeepReason::InUse { by } | KeepReason::RollbackRoom { by } | KeepReason::Held { by } => {
            Some(by.to_string())
        }
        KeepReason::Rule { rule } | KeepReason::Spared { rule } => Some(rule.to_string()),
        KeepReason::ChildOf { parent: digest } | KeepReason::ReferrerOf { subject: digest } => {
            Some(Digest::to_string(digest))
        }
        KeepReason::InUseUnknown
        | KeepReason::NoPolicy
        | KeepReason::Contested
        | KeepReason::Public
        | KeepReason::TimeImplausible
        | KeepReason::Floor
        | KeepReason::TooYoung
        | KeepReason::ReferencesUnknown
        | KeepReason::NotSelected => None,
    }
}

/// What a reason to delete names besides itself.
fn delete_detail(reason: &DeleteReason) -> Option<String> {
    match reason {
        DeleteReason::Rule { rule } | DeleteReason::WithHead { rule } => Some(rule.to_string()),
        DeleteReason::Rest => None,
    }
}
