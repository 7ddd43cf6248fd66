//! The JSON document of `ocird usage`.

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, RepositoryName};
use ocird_store::{Totals, UsageStep};
use serde::Serialize;

use crate::forecast::{Forecast, Savings};

/// The shape of the document; grows when a field changes its meaning or goes.
pub(super) const SCHEMA: u32 = 1;

/// Usage, what is to be expected of it, and what deletions came to.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Document {
    pub(super) schema: u32,
    /// When it was made.
    pub(super) at: DateTime<Utc>,
    /// Whose usage; null for everything that is watched.
    pub(super) repository: Option<RepositoryName>,
    /// The last that is known.
    pub(super) latest: Option<UsageStep>,
    /// Rates, and when lines are reached.
    pub(super) forecast: Forecast,
    /// Everything that was deleted so far, of all repositories.
    pub(super) deleted: Totals,
    /// What that has saved; null without `[price]`.
    pub(super) savings: Option<Savings>,
    /// Every repository, the largest first; empty when one was asked for.
    pub(super) repositories: Vec<RepositoryUsage>,
    /// Usage over time, the oldest first.
    pub(super) points: Vec<UsageStep>,
}

/// Usage of one repository.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RepositoryUsage {
    pub(super) name: RepositoryName,
    /// Null where it is not known.
    pub(super) size: Option<Bytes>,
    pub(super) n_images: u64,
    pub(super) n_tags: u64,
    /// Its sizes at the end of the days of the last month on which there was a look.
    pub(super) days: Vec<Option<Bytes>>,
}
