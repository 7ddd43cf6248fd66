//! Fates: deterministic simulation of the whole pass. The real engine, planner, check and store live through months of a
//! random tenancy under misfortune of every kind, in virtual time and on one thread, everything drawn from one seed.
//!
//! | what | where |
//! |---|---|
//! | tenancy, policies, hosts, life | `scene`, `policies`, `hosts`, `life` |
//! | what happens around each call | `weaver` |
//! | what befalls the daemon and its store | `daemon`, `run` |
//! | what is wanted after it has gone | `wanted` |
//! | what may not happen | `judge` (owners' words), `laws` (of acting), [`crate::truth`] (what is needed) |
//! | how often, in all | `kinds`, `figures` |
//!
//! A law that is broken ends the fate, and the seed replays it. Deliberately absent: bytes, signatures and the network
//! (for those there is [`crate::stage`]), and what no daemon could notice (see `life`).

mod daemon;
mod dice;
mod figures;
mod hosts;
#[cfg(test)]
mod incidents;
mod judge;
mod kinds;
mod laws;
mod life;
mod log;
mod policies;
#[cfg(test)]
mod replay;
mod run;
mod scene;
#[cfg(test)]
mod teeth;
mod wanted;
mod weaver;

#[cfg(test)]
mod tests;

pub use figures::{Figures, Seeds, live_all};
pub use kinds::{Allowed, FaultTable, Misfortune};
pub use laws::Broken;
pub use run::{Fate, Terms, live};
