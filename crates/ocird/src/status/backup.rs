//! What came of the copies of the store, as people and programs are shown it.

use chrono::{DateTime, Utc};
use ocird_model::Bytes;
use serde::Serialize;

use super::Check;

/// The copies of the store.
#[derive(Debug, Clone, Serialize)]
pub struct BackupStatus {
    /// When the newest copy was made; `None` when there is none.
    pub last_at: Option<DateTime<Utc>>,
    /// How large it is.
    pub size: Option<Bytes>,
    /// How many there are.
    pub n_copies: u64,
    /// What came of the last attempt since the start.
    pub check: Check,
}

impl Default for BackupStatus {
    fn default() -> Self {
        Self { last_at: None, size: None, n_copies: 0, check: Check::Pending }
    }
}
