//! Joins the configuration to the cloud's client: its settings, and its counts for the metrics.

use std::num::NonZeroU32;
use std::sync::Arc;

use ocird_model::{Clock, ReadRegistry};
use ocird_oci::{BuildError, Endpoint, Oci, ParseEndpointError, Settings};

use crate::config::OciConfig;
use crate::metrics::{CloudCounts, Metrics};

/// Why there is no client for a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// An endpoint is not one.
    #[error("the {what} endpoint of [oci.endpoints] is wrong")]
    Endpoint {
        /// Its key in the configuration.
        what: &'static str,
        /// What is wrong with it.
        source: ParseEndpointError,
    },
    /// The client could not be built.
    #[error("the client of the cloud cannot be built")]
    Build(#[from] BuildError),
}

/// The client for this configuration. It asks nobody for anything yet: a cloud that is away must not keep the daemon
/// from starting and saying so.
pub fn client<C: Clock>(config: &OciConfig, clock: C) -> Result<Oci<C>, ConnectError> {
    let OciConfig { compartments: _, region, ca_file, endpoints, page_size } = config;
    let defaults = Settings::default();
    let settings = Settings {
        region: region.clone(),
        metadata_base: parse("metadata", endpoints.metadata.as_deref(), Endpoint::metadata)?,
        auth_endpoint: parse("auth", endpoints.auth.as_deref(), str::parse)?,
        artifacts_endpoint: parse("artifacts", endpoints.artifacts.as_deref(), str::parse)?,
        registry_endpoint: parse("registry", endpoints.registry.as_deref(), str::parse)?,
        ca_file: ca_file.clone(),
        page_size: NonZeroU32::new(*page_size).unwrap_or(defaults.page_size),
        ..defaults
    };
    Ok(Oci::new(settings, Arc::new(clock))?)
}

fn parse(
    what: &'static str,
    url: Option<&str>,
    read: impl Fn(&str) -> Result<Endpoint, ParseEndpointError>,
) -> Result<Option<Endpoint>, ConnectError> {
    url.map(read).transpose().map_err(|source| ConnectError::Endpoint { what, source })
}

/// Takes the client's counts to the metrics.
pub fn post_counts<C: Clock>(oci: &Oci<C>, metrics: &Metrics) {
    let counts = oci.counts();
    metrics.cloud(CloudCounts {
        requests: counts.requests,
        retries: counts.n_retries,
        throttled: counts.n_throttled,
        token_refreshes: counts.n_token_refreshes,
        token_refresh_failures: counts.n_token_refresh_failures,
        token_expires_at: oci.token_expires_at(),
        clock_ahead: oci.server_clock_ahead(),
    });
}
