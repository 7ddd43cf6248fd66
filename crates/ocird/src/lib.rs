//! The daemon: configuration, the pass (observe, plan, check, record, act), schedules, and what people see.
//!
//! One sentence that every part obeys: it looks at everything, decides once in plain code, lets an independent check
//! refuse, does exactly what was decided, and writes down why.

pub mod clock;
pub mod config;
pub mod http;
pub mod in_use;
pub mod metrics;
pub mod pass;
pub mod schedule;
pub mod status;
