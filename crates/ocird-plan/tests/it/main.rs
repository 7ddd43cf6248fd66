//! Tests of the planner from outside: scenarios, one thing moved in each; laws over random worlds; and what surrounds a
//! plan: marks, what is due, the account, the proof.

#![expect(clippy::unwrap_used, reason = "builders of test worlds unwrap what the tests themselves wrote")]

mod abroad;
mod accounting;
mod attack;
mod conditions;
mod ecr;
mod estate;
mod explain;
mod families;
mod fleet;
mod holds;
mod laws;
mod lifecycle;
mod line_laws;
mod lines;
mod marks;
mod much;
mod proof;
mod refusals;
mod rests;
mod rules;
#[cfg(ocird_switches)]
mod switches;
mod world;
