//! The time that the processor spent on this process, as the kernel counts it, in place of the time that went by: neighbours on
//! the machine do not count. The kernel brings its figure up to date a few hundred times a second, which is fine enough for
//! samples of many milliseconds.

use std::fs;
use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};

/// Processor time; time that went by where the kernel does not tell (no Linux).
pub(crate) struct CpuTime(pub(crate) WallTime);

/// What the processor has spent so far.
fn spent() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/schedstat").ok()?;
    stat.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

impl Measurement for CpuTime {
    type Intermediate = (Option<Duration>, <WallTime as Measurement>::Intermediate);
    type Value = Duration;

    fn start(&self) -> Self::Intermediate {
        (spent(), self.0.start())
    }

    fn end(&self, (before, began): Self::Intermediate) -> Duration {
        let went_by = self.0.end(began);
        // A short time may lie between two updates; criterion cannot do with none at all.
        let used = spent().zip(before).map(|(after, before)| after.saturating_sub(before));
        used.map_or(went_by, |used| used.max(Duration::from_nanos(1)))
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        self.0.add(one, other)
    }

    fn zero(&self) -> Duration {
        self.0.zero()
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        self.0.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self.0.formatter()
    }
}
