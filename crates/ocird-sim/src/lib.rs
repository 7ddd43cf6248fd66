//! A whole simulated tenancy: one deterministic state machine with its own clock and its own ground truth, CI that
//! fills it, hosts that run from it, and two faces: in-process traits, and HTTP with real signatures.
//!
//! The world is driven by [`Tenancy`]; what is needed in it, and whether something needed was deleted, is decided in
//! [`truth`], which shares no code with the daemon. Nothing here is part of the released binary.
//!
//! ```
//! use ocird_sim::{Build, NewRepository, Settings, Tenancy};
//!
//! let tenancy = Tenancy::new(Settings::default());
//! let web = "mgh-website".parse().unwrap();
//! tenancy.create_repository(NewRepository::private("mgh-website".parse().unwrap(), tenancy.compartment())).unwrap();
//! let pushed = tenancy.push(&web, &Build::small("4f2a9c1"), &["latest".parse().unwrap()], "ci").unwrap();
//! tenancy.delete_image(&pushed.image, None).unwrap();
//! assert!(tenancy.violations().is_empty(), "nothing ran from it");
//! ```

pub mod artifacts;
pub mod ci;
pub mod clock;
pub mod contract;
pub mod digest;
pub mod error;
pub mod face;
pub mod fates;
pub mod fault;
pub mod http;
pub mod iam;
mod image;
pub mod in_use;
mod layer;
mod listing;
pub mod manifest;
pub mod push;
pub mod registry;
mod repository;
pub mod sample;
pub mod settings;
pub mod stage;
mod state;
pub mod tenancy;
#[cfg(test)]
mod tests;
pub mod truth;
pub mod view;
pub mod violation;
pub mod workload;

pub use clock::{ClockView, SimClock};
pub use error::ApiError;
pub use face::{About, Bystander, Call, CallCounts, Face, FaceRestorer, FaceWriter, Turn};
pub use fault::{Fault, Operation, RetryAfter, When};
pub use iam::{Iam, Scope};
pub use push::{Attestations, Build, Pushed};
pub use registry::Reference;
pub use settings::{EtagChanges, ListingShape, ManifestReads, PullAccounting, PullTimes, Repush, Settings};
pub use state::{Deletion, Hand};
pub use tenancy::{NewRepository, Tenancy};
pub use truth::Oracle;
pub use violation::{Attempt, Need, Violation};
