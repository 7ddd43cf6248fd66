//! Tests of the real binary: started, signalled, killed and read from the outside, against the simulated tenancy over
//! HTTP. What the engine decides is not tested here; that the process does what the engine promises is.
//!
//! The binary lives by the system's clock, so the tenancy lives in the present; see [`world`].

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod admin;
mod attack;
mod cave;
mod checks;
mod cluster;
mod commands;
mod corrupt;
mod credential;
mod disk;
mod doctor;
mod explains;
mod findings;
mod kills;
mod logs;
mod pages;
mod power;
mod process;
mod pull_secret;
mod second;
mod secrets;
mod shim;
mod signals;
mod systemd;
mod tap;
mod world;
