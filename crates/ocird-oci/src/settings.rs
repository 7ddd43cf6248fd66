//! What the caller may choose about the cloud client, with defaults that fit the real cloud.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::Endpoint;

/// What the caller may choose. `Settings::default()` signs in as the instance it runs on and asks it for everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The region to work in, by identifier or three-letter key; the instance's own unless set.
    pub region: Option<String>,
    /// The metadata service, including `/opc/v2`; see [`Endpoint::metadata`]. Its two link-local addresses unless set.
    pub metadata_base: Option<Endpoint>,
    /// The federation service; `/v1/x509` is appended. By region unless set.
    pub auth_endpoint: Option<Endpoint>,
    /// The Artifacts API; `/20160918/...` is appended. By region unless set.
    pub artifacts_endpoint: Option<Endpoint>,
    /// The registry; `/v2/...` and `/20180419/docker/token` are appended. By region unless set.
    pub registry_endpoint: Option<Endpoint>,
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
    /// the cloud is down, and going on would only add to its load.
    pub retries_per_pass: u32,
}

impl Settings {
    /// True when every service is set to be this very host: then nothing else is ever spoken to.
    pub(crate) fn is_all_near(&self) -> bool {
        [&self.auth_endpoint, &self.artifacts_endpoint, &self.registry_endpoint]
            .into_iter()
            .all(|endpoint| endpoint.as_ref().is_some_and(Endpoint::is_near))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            region: None,
            metadata_base: None,
            auth_endpoint: None,
            artifacts_endpoint: None,
            registry_endpoint: None,
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
