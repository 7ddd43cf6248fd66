//! The client against a scripted local cloud: what it sends, what it believes, what it repeats.

#![expect(clippy::unwrap_used, reason = "clippy knows `#[test]` functions only, not what they share")]

mod clock;
mod cloud;
mod corpus;
mod deleting;
mod errors;
mod listing;
mod looking_up;
mod manifests;
mod profile;
mod profile_errors;
mod reading;
mod restoring;
mod sign_in;
mod sign_in_failures;
mod sign_in_regions;
mod signature;
mod throttling;
