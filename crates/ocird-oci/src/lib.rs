//! The cloud: signing in as the instance itself, signing requests, the Artifacts API and the registry's manifests.
//!
//! What it promises, and what everything above it builds on:
//! - A listing is complete or an error (S-1); an error is never an absence (S-2).
//! - A delete is sent once. Only an answer that proves that nothing was done leads to a second try.
//! - A manifest's bytes are those of the digest that was asked for.
//! - Secrets (keys, tokens) appear in no error, no log line and no `Debug`.
//!
//! What it deliberately does not do: judge images, remember anything over a restart, or read the environment.
//!
//! The layers, from the wire upwards: [`transport`] sends bytes, [`throttle`] says how many at once and when,
//! [`courier`] counts and times each attempt, [`retry`] says what may be tried again, [`identity`] gives the key to
//! sign with, [`client`] joins them into one signed call, [`artifacts`] and [`registry`] are the operations, and [`Oci`]
//! is what the daemon holds.
//!
//! Who signs in is the instance itself or the user of a [`Profile`]; nothing above [`client`] notices which. An
//! encrypted key of a profile is opened here, by aws-lc-rs.

mod artifacts;
mod auth_tokens;
mod certificates;
mod client;
mod clock_ahead;
mod counts;
mod courier;
mod endpoint;
mod error;
#[cfg(test)]
mod fuzz;
mod identity;
mod key;
mod manifest;
mod oci;
mod page;
mod places;
mod principal;
mod profile;
mod region;
mod registry;
mod restorer;
mod retry;
mod settings;
mod sign;
mod signatures;
mod target;
mod throttle;
mod transport;
mod wire;
mod writer;

pub use artifacts::{Configuration, RepositoryDetails, TagOrDigest};
pub use auth_tokens::AuthToken;
pub use counts::CallCounts;
pub use endpoint::{Endpoint, ParseEndpointError};
pub use error::{EndlessReason, OciError, Refusal};
pub use identity::SignInError;
pub use key::KeyError;
pub use manifest::{declared_layers, interpret};
pub use oci::Oci;
pub use principal::Principal;
pub use profile::{Profile, ProfileError, ProfileKind, ProfileProblem};
pub use region::{Region, RegionError, registry_hosts};
pub use registry::RegistryLogin;
pub use restorer::OciRestorer;
pub use settings::{Auth, BuildError, Settings};
pub use sign::{Signer, Unsigned, http_date};
pub use signatures::ImageSignature;
pub use writer::OciWriter;
