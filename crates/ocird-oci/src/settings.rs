//! What the caller may choose about the cloud client, with defaults that fit the real cloud.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Endpoint, Profile, Region};

/// As whom to sign in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Auth {
    /// As the instance that this runs on. Nothing is stored.
    /// <https://docs.oracle.com/en-us/iaas/Content/Identity/Tasks/callingservicesfrominstances.htm>
    #[default]
    InstancePrincipal,
    /// As the user of a profile of `~/.oci/config`, by API key or session token.
    Profile(Profile),
}

/// What the caller may choose. `Settings::default()` signs in as the instance it runs on and asks it for everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// As whom to sign in.
    pub auth: Auth,
    /// The region to work in, by identifier or three-letter key; the profile's or the instance's own unless set.
    pub region: Option<String>,
    /// Regions that are newer than the table; see [`Region::from_metadata`].
    pub region_metadata: Vec<Region>,
    /// The metadata service, including `/opc/v2`; see [`Endpoint::metadata`]. Its two link-local addresses unless set.
    pub metadata_base: Option<Endpoint>,
    /// The federation service; `/v1/x509` is appended. By region unless set.
    pub auth_endpoint: Option<Endpoint>,
    /// The Artifacts API; `/20160918/...` is appended. By region unless set.
    pub artifacts_endpoint: Option<Endpoint>,
    /// The registry; `/v2/...` and `/20180419/docker/token` are appended. By region unless set.
    pub registry_endpoint: Option<Endpoint>,
    /// The identity service, asked for auth tokens alone; `/20160918/...` is appended. By region unless set.
    pub identity_endpoint: Option<Endpoint>,
    /// A PEM file of the only certificate authorities to trust; the system's unless set. An https endpoint on this very
    /// host needs it.
    pub ca_file: Option<PathBuf>,
    /// Rows asked for per page of a listing.
    pub page_size: NonZeroU32,
    /// The most pages of one listing. At the limit of 100,000 images per repository and the default page size 100
    /// pages are due; the rest is room for smaller and for empty pages.
    pub max_pages: u32,
    /// How long establishing a connection may take.
    pub connect_timeout: Duration,
    /// How long one try of a call may take, answer included.
    pub call_timeout: Duration,
    /// The most tries of one call, the first included.
    pub max_tries: NonZeroU32,
    /// The most retries of all calls of one pass together. A hundred retries are 25 calls failing to the end: by then
    /// the cloud is down, and going on would only add to its load. A 429 that is waited out takes none of them.
    pub retries_per_pass: u32,
}

impl Settings {
    /// True when every service that is needed is set, so that nobody has to know what domain the region is in.
    pub(crate) fn has_all_endpoints(&self) -> bool {
        self.needed_endpoints().all(|endpoint| endpoint.is_some())
    }

    /// True when every service is set to be this very host: then nothing else is ever spoken to.
    pub(crate) fn is_all_near(&self) -> bool {
        self.needed_endpoints().all(|endpoint| endpoint.is_some_and(Endpoint::is_near))
            && self.identity_endpoint.as_ref().is_none_or(Endpoint::is_near)
    }

    /// The endpoints without which there is no work to do. A profile needs no federation.
    fn needed_endpoints(&self) -> impl Iterator<Item = Option<&Endpoint>> {
        let federation = match self.auth {
            Auth::InstancePrincipal => Some(&self.auth_endpoint),
            Auth::Profile(_) => None,
        };
        federation.into_iter().chain([&self.artifacts_endpoint, &self.registry_endpoint]).map(Option::as_ref)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            auth: Auth::InstancePrincipal,
            region: None,
            region_metadata: Vec::new(),
            metadata_base: None,
            auth_endpoint: None,
            artifacts_endpoint: None,
            registry_endpoint: None,
            identity_endpoint: None,
            ca_file: None,
            page_size: NonZeroU32::new(1000).expect("1000 is not zero"),
            max_pages: 10_000,
            connect_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(30),
            max_tries: NonZeroU32::new(5).expect("5 is not zero"),
            retries_per_pass: 100,
        }
    }
}

/// Why no client could be made of the settings.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The file of certificate authorities could not be read.
    #[error("the CA file {} could not be read", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The file holds no certificate, or something that is none.
    #[error("the CA file {} holds no usable PEM certificate", path.display())]
    CaFileContent {
        /// The file.
        path: PathBuf,
    },
    /// The TLS client refused to be built. On Linux nearly always because the host has no CA certificates.
    #[error(
        "the TLS client could not be built; does this host have CA certificates (package ca-certificates)? \
         If it trusts a CA of its own, name the file in `[oci] ca_file`"
    )]
    Tls {
        /// The client's reason.
        #[source]
        source: reqwest::Error,
    },
}
