//! What the figures are measured against, as people and programs are shown it: the lines that the configuration draws, and the
//! room that is left on the disk. Judges nothing.

use chrono::{DateTime, Utc};
use ocird_model::Bytes;
use serde::Serialize;

use crate::config::Config;
use crate::pass::room_left;

/// The lines as they are drawn, and the room on the disk as it was last looked at.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Bounds {
    /// Usage that is a problem, in bytes; `None` when nobody set one.
    pub budget: Option<Bytes>,
    /// Usage that is warned of, in bytes; `None` when nobody set one.
    pub warn_at: Option<Bytes>,
    /// The time between two observing passes, in seconds; `None` only in a picture without a daemon.
    pub observe_interval_seconds: Option<f64>,
    /// The room on the disk of the state directory under which nothing is deleted, in bytes (S-28).
    pub disk_floor: Option<Bytes>,
    /// The room that was left there at the last pass, in bytes; `None` when nobody can tell.
    pub disk_free: Option<Bytes>,
}

impl Bounds {
    /// The bounds at `now`. Asks the disk, and nobody else.
    pub(crate) fn of(config: &Config, now: DateTime<Utc>) -> Self {
        Self {
            budget: config.findings.budget,
            warn_at: config.findings.warn_at,
            observe_interval_seconds: Some(config.schedule.observe.interval(now).as_seconds_f64()),
            disk_floor: Some(config.min_free),
            disk_free: room_left(&config.state_dir).ok(),
        }
    }
}
