//! The client against a scripted local cloud: what it sends, what it believes, what it repeats.

#![expect(clippy::unwrap_used, reason = "clippy knows `#[test]` functions only, not what they share")]

mod clock;
mod cloud;
mod deleting;
mod errors;
mod listing;
mod manifests;
mod reading;
mod sign_in;
mod signature;
