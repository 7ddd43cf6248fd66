//! The store against a real `SQLite` file, through its public face; another connection looks at the rows and stands for
//! whoever else may have the file in hand.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod admin;
mod backup;
mod belief;
mod brakes;
mod deployments;
mod downsample;
mod findings;
mod holds;
mod journal;
mod known;
mod open;
mod past;
mod proofs;
mod record;
mod size;
mod undo;
mod world;
