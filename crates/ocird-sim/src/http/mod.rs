//! The HTTP face of the simulated tenancy: metadata service, sign-in, Artifacts API, identity and registry on one
//! loopback port, with signatures, certificates, tokens and dates checked as the cloud checks them.
//!
//! The official SDK and command line work against it by their own options ([`Server::environment`]). It decides
//! nothing about images: every operation asks the [`crate::Tenancy`], and its faults before that. It shares no code
//! with the client that it is there to test.
//!
//! ```text
//! request -> envelope (request id, Date) -> gate (count, delay, fault, proof) -> operation -> Tenancy
//! ```

mod artifacts;
mod caller;
mod certificate;
mod cloud;
mod comparable;
mod credentials;
mod der;
mod federation;
mod gate;
mod metadata;
mod record;
mod refusal;
mod registry;
mod requests;
mod rsa;
mod server;
mod signature;
#[cfg(test)]
mod tests;
mod token;

pub use cloud::Options;
pub use comparable::{Authorization, Comparable};
pub use credentials::{ApiKey, NotAPublicKey, UserSession};
pub use record::Recorded;
pub use requests::{Answer, Requests};
pub use server::Server;
