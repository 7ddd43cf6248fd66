//! The daemon: configuration, the pass (observe, plan, check, record, act), schedules, and what people see.
//!
//! One sentence that every part obeys: it looks at everything, decides once in plain code, lets an independent check
//! refuse, does exactly what was decided, and writes down why.

mod admin;
pub mod cli;
mod client;
pub mod clock;
pub mod cloud;
mod cluster;
pub mod config;
mod core_dump;
mod credential;
pub mod csv;
pub mod daemon;
mod doctor;
pub mod findings;
pub mod forecast;
pub mod http;
pub mod in_use;
mod json;
pub mod log;
pub mod metrics;
pub mod notify;
pub mod outlook;
pub mod paint;
pub mod pass;
mod pause;
pub mod plain;
pub mod plan_table;
pub mod schedule;
pub mod status;
mod terminal;
pub mod undo;
pub mod yaml;
