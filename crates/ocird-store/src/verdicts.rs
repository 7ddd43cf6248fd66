//! Verdicts over time, as changes: an image that is kept for the same reason in ten thousand passes has one row.

use std::collections::BTreeMap;

use ocird_model::{Decision, DeleteReason, Digest, ImageId, KeepReason, Verdict};
use sqlx::{QueryBuilder, Sqlite};

use crate::StoreError;
use crate::column::in_batches;
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
        let mut news = Vec::new();
        for Decision { image, digest: _, head: _, verdict } in decisions {
            let known = present.get(image);
            let known = known.ok_or_else(|| StoreError::UnknownImage { image: image.clone() })?;
            let now = StoredVerdict::from(verdict);
            if known.verdict.as_ref().is_none_or(|before| before.is_changed_by(&now)) {
                news.push((known.row, now));
            }
        }
        for news in in_batches(&news) {
            self.change_verdicts(pass, news).await?;
        }
        Ok(())
    }

    /// Puts verdicts on record, each with the row of its image.
    async fn change_verdicts(
        &mut self,
        pass: PassId,
        news: &[(i64, StoredVerdict)],
    ) -> Result<(), StoreError> {
        let doing = "recording verdicts";
        let mut insert: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT INTO verdicts (image, pass, decision, reason, detail) ");
        insert.push_values(news, |mut row, (image, StoredVerdict { decision, reason, detail })| {
            row.push_bind(*image)
                .push_bind(pass.0)
                .push_bind(decision.as_str())
                .push_bind(reason.as_str())
                .push_bind(detail.as_deref());
        });
        let insert = insert.build();
        insert.execute(self.connection()).await.map_err(StoreError::sqlite(doing))?;
        let mut update: QueryBuilder<Sqlite> =
            QueryBuilder::new("WITH news (image, decision, reason, detail) AS (");
        update.push_values(news, |mut row, (image, StoredVerdict { decision, reason, detail })| {
            row.push_bind(*image)
                .push_bind(decision.as_str())
                .push_bind(reason.as_str())
                .push_bind(detail.as_deref());
        });
        update.push(
            ") UPDATE images SET decision = news.decision, reason = news.reason, detail = news.detail \
             FROM news WHERE images.id = news.image",
        );
        let update = update.build();
        update.execute(self.connection()).await.map_err(StoreError::sqlite(doing))?;
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
