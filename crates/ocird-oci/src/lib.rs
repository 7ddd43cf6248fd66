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
//! The layers, from the wire upwards: [`transport`] sends bytes, [`courier`] counts and times each attempt, [`retry`]
//! says what may be tried again, [`identity`] gives the key to sign with, [`client`] joins them into one signed call,
//! [`artifacts`] and [`registry`] are the operations, and [`Oci`] is what the daemon holds.
//!
//! Another way to sign in (an API key, a session token) is another source of [`sign::Signer`]s beside
//! [`identity::InstancePrincipal`]; nothing above [`client`] would notice.

mod artifacts;
mod certificates;
mod client;
mod clock_ahead;
mod counts;
mod courier;
mod endpoint;
mod error;
mod identity;
mod manifest;
mod oci;
mod page;
mod places;
mod region;
mod registry;
mod retry;
mod settings;
mod sign;
mod target;
mod transport;
mod wire;
mod writer;

pub use artifacts::{Configuration, RepositoryDetails};
pub use counts::CallCounts;
pub use endpoint::{Endpoint, ParseEndpointError};
pub use error::{EndlessReason, OciError, Refusal};
pub use identity::SignInError;
pub use manifest::{declared_layers, interpret};
pub use oci::Oci;
pub use region::{Region, registry_hosts};
pub use settings::{BuildError, Settings};
pub use writer::OciWriter;
