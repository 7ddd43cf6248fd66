//! The real daemon, from its configuration files to its pages, against the simulated tenancy: months of life, faults of
//! every sort, and the calls it makes. What is needed is decided by the tenancy's ground truth, never by ocird's code.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod api;
mod approval;
mod attack;
mod belief;
mod brakes;
mod budget;
mod calls;
mod clock;
mod deleting;
mod findings;
mod gaps;
mod holds;
mod in_use;
mod life;
mod limits;
mod listing;
mod pages;
mod policies;
mod proofs;
mod ramp;
mod rollback;
mod second_look;
mod store;
mod switches;
mod teams;
mod throttling;
mod undo;
mod world;
