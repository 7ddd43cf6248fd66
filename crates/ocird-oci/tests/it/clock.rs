//! A clock that stands still unless moved. Sleeping moves it at once, and is remembered.

use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ocird_model::Clock;

/// Time as the test tells it.
pub(crate) struct TestClock(Mutex<Time>);

struct Time {
    start: DateTime<Utc>,
    passed: Duration,
    sleeps: Vec<Duration>,
}

impl TestClock {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Time {
            start: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
            passed: Duration::ZERO,
            sleeps: Vec::new(),
        }))
    }

    pub(crate) fn advance(&self, duration: Duration) {
        self.0.lock().unwrap().passed += duration;
    }

    /// Every pause so far.
    pub(crate) fn sleeps(&self) -> Vec<Duration> {
        self.0.lock().unwrap().sleeps.clone()
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        let time = self.0.lock().unwrap();
        time.start + time.passed
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().unwrap().passed
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        if let Ok(duration) = (at - self.now()).to_std() {
            self.sleep(duration).await;
        }
    }

    async fn sleep(&self, duration: Duration) {
        let mut time = self.0.lock().unwrap();
        time.passed += duration;
        time.sleeps.push(duration);
    }
}
