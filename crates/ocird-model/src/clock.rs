//! The time, asked for through a trait so that months of simulated life run in minutes on the same code.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Tells the time and waits for it. Implemented by the system's clock in the daemon and by the simulated tenancy's.
pub trait Clock: Send + Sync + 'static {
    /// The present instant by the wall clock, which people and NTP may move.
    fn now(&self) -> DateTime<Utc>;

    /// The time since some fixed point, by a clock that nobody can move. The difference of two answers is honest.
    fn monotonic(&self) -> Duration;

    /// Returns when the wall clock has reached `at`; at once when it already has.
    fn sleep_until(&self, at: DateTime<Utc>) -> impl Future<Output = ()> + Send;

    /// Returns when the monotonic clock has advanced by `duration`. For waits that are about politeness, not about
    /// dates: the pause before a retry.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}
