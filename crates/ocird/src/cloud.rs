//! Joins the configuration to the cloud's client: its settings, and its counts for the metrics.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use ocird_model::{Clock, ReadRegistry};
use ocird_oci::{
    Auth, BuildError, CallCounts, Endpoint, Oci, ParseEndpointError, Profile, ProfileError, ProfileKind,
    Settings,
};

use crate::config::{self, AuthConfig, OciConfig, ProfileConfig};
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
    /// The profile is of no use.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The profile signs in another way than `[oci] auth` says.
    #[error("auth = {auth:?} does not fit: profile {profile:?} of {} has {has}", file.display())]
    OtherKind {
        /// The value of `[oci] auth`.
        auth: &'static str,
        /// The profile.
        profile: String,
        /// The file it stands in.
        file: PathBuf,
        /// What it has instead.
        has: &'static str,
    },
    /// The client could not be built.
    #[error("the client of the cloud cannot be built")]
    Build(#[from] BuildError),
}

/// The client for this configuration. It asks nobody for anything yet: a cloud that is away must not keep the daemon
/// from starting and saying so.
pub fn client<C: Clock>(config: &OciConfig, clock: C) -> Result<Oci<C>, ConnectError> {
    let OciConfig { auth, compartments: _, region, region_metadata, ca_file, endpoints, page_size } = config;
    let defaults = Settings::default();
    let settings = Settings {
        auth: signer(auth)?,
        region: region.clone(),
        region_metadata: region_metadata.iter().cloned().collect(),
        metadata_base: parse("metadata", endpoints.metadata.as_deref(), Endpoint::metadata)?,
        auth_endpoint: parse("auth", endpoints.auth.as_deref(), str::parse)?,
        artifacts_endpoint: parse("artifacts", endpoints.artifacts.as_deref(), str::parse)?,
        registry_endpoint: parse("registry", endpoints.registry.as_deref(), str::parse)?,
        identity_endpoint: parse("identity", endpoints.identity.as_deref(), str::parse)?,
        ca_file: ca_file.clone(),
        page_size: NonZeroU32::new(*page_size).unwrap_or(defaults.page_size),
        ..defaults
    };
    Ok(Oci::new(settings, Arc::new(clock))?)
}

/// Reads the profile, if one signs. One that signs in another way than `[oci] auth` says is somebody else.
fn signer(auth: &AuthConfig) -> Result<Auth, ConnectError> {
    let AuthConfig::Profile(ProfileConfig { kind, name, file, home }) = auth else {
        return Ok(Auth::InstancePrincipal);
    };
    let profile = Profile::read(file, name, home.as_deref())?;
    let has = match (kind, profile.kind()) {
        (config::ProfileKind::ApiKey, ProfileKind::SessionToken) => {
            "a security_token_file; say auth = \"security_token\""
        }
        (config::ProfileKind::SecurityToken, ProfileKind::ApiKey { user: _ }) => {
            "no security_token_file; say auth = \"api_key\""
        }
        (config::ProfileKind::ApiKey, ProfileKind::ApiKey { user: _ })
        | (config::ProfileKind::SecurityToken, ProfileKind::SessionToken) => {
            return Ok(Auth::Profile(profile));
        }
    };
    Err(ConnectError::OtherKind { auth: auth.as_str(), profile: name.clone(), file: file.clone(), has })
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
    metrics.cloud(CloudCounts {
        token_expires_at: oci.token_expires_at(),
        clock_ahead: oci.server_clock_ahead(),
        ..counted(oci.counts())
    });
}

/// The client counts tokens that it received; the metrics count what was asked for, so that failures are a share of it.
/// <https://prometheus.io/docs/practices/instrumentation/#failures>
fn counted(counts: CallCounts) -> CloudCounts {
    let CallCounts { requests, n_retries, n_throttled, limit, n_token_refreshes, n_token_refresh_failures } =
        counts;
    CloudCounts {
        requests,
        retries: n_retries,
        throttled: n_throttled,
        limit: Some(limit),
        token_refreshes: n_token_refreshes + n_token_refresh_failures,
        token_refresh_failures: n_token_refresh_failures,
        token_expires_at: None,
        clock_ahead: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_was_not_given_has_been_asked_for_all_the_same() {
        let counts =
            CallCounts { n_token_refreshes: 5, n_token_refresh_failures: 2, ..CallCounts::default() };
        let counted = counted(counts);
        assert_eq!((counted.token_refreshes, counted.token_refresh_failures), (7, 2));
    }
}
