//! The sign that the scheduler's loop still turns. `/livez` and the watchdog look at it; nobody else needs to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// A handle on the scheduler's pulse: the loop beats it, others ask whether it lives. Clones share one pulse.
#[derive(Debug, Clone)]
pub struct Heartbeat(Arc<Pulse>);

#[derive(Debug)]
struct Pulse {
    /// The instant that beats are counted from.
    origin: Instant,
    /// The last beat, in milliseconds after `origin`.
    last_beat_ms: AtomicU64,
    /// How long a silence may last.
    patience: Duration,
}

impl Heartbeat {
    /// Four missed beats of a loop that wakes every 15 s: 4 × 15 s, and no longer than the unit's `WatchdogSec=60`.
    pub const PATIENCE: Duration = Duration::from_mins(1);

    /// A pulse that has just beaten, and that counts as stopped after a silence longer than `patience`.
    pub fn new(patience: Duration) -> Self {
        Self(Arc::new(Pulse { origin: Instant::now(), last_beat_ms: AtomicU64::new(0), patience }))
    }

    /// Says that the loop turns. Called by the loop itself, never by a bare timer beside it.
    pub fn beat(&self) {
        self.0.last_beat_ms.fetch_max(self.elapsed_ms(), Ordering::Relaxed);
    }

    /// How long the silence has lasted, by the monotonic clock.
    pub fn silence(&self) -> Duration {
        let last_beat_ms = self.0.last_beat_ms.load(Ordering::Relaxed);
        Duration::from_millis(self.elapsed_ms().saturating_sub(last_beat_ms))
    }

    /// True while the silence is no longer than the patience.
    pub fn is_alive(&self) -> bool {
        self.silence() <= self.0.patience
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.0.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pulse_stops_after_its_patience_and_comes_back_with_a_beat() {
        let heartbeat = Heartbeat::new(Duration::from_mins(1));
        tokio::time::advance(Duration::from_mins(1)).await;
        assert!(heartbeat.is_alive());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!heartbeat.is_alive());
        heartbeat.clone().beat();
        assert!(heartbeat.is_alive());
        assert_eq!(heartbeat.silence(), Duration::ZERO);
    }
}
