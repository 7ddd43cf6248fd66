//! Verdicts over time, of one image: what was decided about it, why, and when that changed.

use chrono::{DateTime, Utc};
use ocird_model::ImageId;
use serde::Serialize;

use super::Past;
use crate::column::time;
use crate::{PassId, StoreError};

/// One change of a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerdictChange {
    /// When the pass that changed it was written down.
    pub at: DateTime<Utc>,
    /// That pass.
    pub pass: PassId,
    /// `keep` or `delete`.
    pub decision: String,
    /// The reason: a word of the fixed list of reasons.
    pub reason: String,
    /// The rule, the user, the parent: whatever the reason names.
    pub detail: Option<String>,
}

impl Past {
    /// Every change of the verdict of an image, the oldest first.
    pub async fn verdict_changes(&self, image: &ImageId) -> Result<Vec<VerdictChange>, StoreError> {
        let select = "SELECT passes.finished_at, passes.id, verdicts.decision, verdicts.reason, verdicts.detail \
             FROM images JOIN verdicts ON verdicts.image = images.id JOIN passes ON passes.id = verdicts.pass \
             WHERE images.ocid = ? ORDER BY passes.id";
        let rows: Vec<(i64, i64, String, String, Option<String>)> = sqlx::query_as(select)
            .bind(image.as_str())
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading the verdicts of an image"))?;
        let changes = rows.into_iter().map(|(at, pass, decision, reason, detail)| {
            let at = time("passes.finished_at", at)?;
            Ok(VerdictChange { at, pass: PassId(pass), decision, reason, detail })
        });
        changes.collect()
    }
}
