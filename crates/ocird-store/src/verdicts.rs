//! Verdicts over time, as changes: an image that is kept for the same reason in ten thousand passes has one row.

use std::collections::BTreeMap;

use ocird_model::{Decision, DeleteReason, Digest, ImageId, KeepReason, Verdict};

use crate::StoreError;
use crate::record::PassId;
use crate::seen::Present;
use crate::store::Write;

/// A verdict in columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredVerdict {
    pub(crate) decision: String,
    pub(crate) reason: String,
    pub(crate) detail: Option<String>,
}

impl Write<'_> {
    /// Records the verdicts about images of one repository that differ from those on record.
    pub(crate) async fn decide(
        &mut self,
        pass: PassId,
        present: &BTreeMap<ImageId, Present>,
        decisions: &[Decision],
    ) -> Result<(), StoreError> {
        for Decision { image, digest: _, head: _, verdict } in decisions {
            let known = present.get(image);
            let known = known.ok_or_else(|| StoreError::UnknownImage { image: image.clone() })?;
            let now = StoredVerdict::from(verdict);
            if known.verdict.as_ref().is_none_or(|before| before.is_changed_by(&now)) {
                self.change_verdict(pass, known.row, &now).await?;
            }
        }
        Ok(())
    }

    async fn change_verdict(
        &mut self,
        pass: PassId,
        image: i64,
        verdict: &StoredVerdict,
    ) -> Result<(), StoreError> {
        let StoredVerdict { decision, reason, detail } = verdict;
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

impl StoredVerdict {
    /// Whether another verdict is news. Who uses an image is kept from when it came into use: the names of pods and
    /// containers change with every restart, and would be a row each.
    fn is_changed_by(&self, now: &Self) -> bool {
        let same_word = self.decision == now.decision && self.reason == now.reason;
        !(same_word
            && (self.detail == now.detail || ["in_use", "rollback_room"].contains(&self.reason.as_str())))
    }
}

impl From<&Verdict> for StoredVerdict {
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
