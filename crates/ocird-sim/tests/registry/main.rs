//! Manifests of every kind that is found in registries (S-6, S-7), pushed to the simulated registry and to a real one,
//! and read by the daemon's own client: what it makes of them must be the same from both.
//!
//! The real one is Debian's `docker-registry`. Without it only the simulated half runs; `.ci/registry` runs both.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod by_tag;
mod corpus;
mod docker_registry;
mod front;
mod kinds;
mod lies;
mod nesting;
mod schema_1;
mod specimen;
mod survey;
mod world;
