//! What the figures are measured against, as people and programs are shown it: the lines that the configuration draws, the
//! instant by which a pass should have been complete, and the room that is left on the disk. Judges nothing.

use std::num::NonZeroUsize;

use chrono::{DateTime, Utc};
use ocird_model::Bytes;
use serde::Serialize;

use crate::config::Config;
use crate::pass::room_left;

/// So many passes in a row may fail to be complete before it is worth telling: one is an accident, and the next may still mend
/// it.
const PATIENCE: NonZeroUsize = NonZeroUsize::new(3).expect("three is not zero");

/// The lines as they are drawn, and the room on the disk as it was last looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Bounds {
    /// Usage that is a problem, in bytes; `None` when nobody set one.
    pub budget: Option<Bytes>,
    /// Usage that is warned of, in bytes; `None` when nobody set one.
    pub warn_at: Option<Bytes>,
    /// When the third scheduled pass after the last complete one is due, or after the start before there was any.
    pub complete_by: Option<DateTime<Utc>>,
    /// The room on the disk of the state directory under which nothing is deleted, in bytes (S-28).
    pub disk_floor: Option<Bytes>,
    /// The room that was left there at the start or after the last pass, in bytes; `None` when nobody can tell.
    pub disk_free: Option<Bytes>,
}

impl Bounds {
    /// The bounds when the last complete pass ended at `complete_at`, or the process started then. Asks the disk, and nobody
    /// else.
    pub(crate) fn of(config: &Config, complete_at: DateTime<Utc>) -> Self {
        Self {
            budget: config.findings.budget,
            warn_at: config.findings.warn_at,
            complete_by: config.schedule.observe.nth_after(complete_at, PATIENCE),
            disk_floor: Some(config.min_free),
            disk_free: room_left(&config.state_dir).ok(),
        }
    }
}
