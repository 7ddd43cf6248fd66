//! The sign-in behind a pull secret: which registry, under which names, and a token that has its whole life before it.
//! Deliberately without the helper's cache, and without any knowledge of clusters.

use std::collections::BTreeSet;
use std::time::Duration;

use ocird_model::{Clock, RegistryError};
use ocird_oci::{Oci, OciError};

use super::{PullSecret, SecretName};
use crate::cloud::{self, ConnectError};
use crate::config::OciConfig;
use crate::credential::host::RegistryHost;

/// How long a sign-in may take, with every retry of it.
const PATIENCE: Duration = Duration::from_secs(45);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssueError {
    /// There is no client.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The registry that was named is none.
    #[error("{0} is no host of Oracle's registry, nor the one of [oci.endpoints] registry")]
    NotOurs(String),
    /// Nobody says which registry is meant.
    #[error("the region is not known; name a registry, such as fra.ocir.io")]
    Region(#[source] OciError),
    /// The registry gives none.
    #[error("no token of {host}")]
    SignIn {
        /// The registry.
        host: String,
        /// What happened.
        source: RegistryError,
    },
    /// What the registry gives is of no use.
    #[error("{host} gives a token that has ended already")]
    Ended {
        /// The registry.
        host: String,
    },
    /// Nobody answered in time.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Late,
}

/// Gets tokens of one registry.
pub(crate) struct Issuer<C> {
    oci: Oci<C>,
    config: OciConfig,
    clock: C,
    /// The registry that was named; else it is the one of the configuration or the region.
    asked: Option<RegistryHost>,
}

impl<C: Clock + Clone> Issuer<C> {
    /// Asks nobody for anything yet.
    pub(crate) fn new(config: OciConfig, clock: C, asked: Option<&str>) -> Result<Self, IssueError> {
        let find = |asked| {
            let not_ours = || IssueError::NotOurs(crate::plain::plain(asked, 100));
            RegistryHost::find(asked, &config).ok_or_else(not_ours)
        };
        let asked = asked.map(find).transpose()?;
        let oci = cloud::client(&config, clock.clone())?;
        Ok(Self { oci, config, clock, asked })
    }

    /// A new token, as a pull secret of this name.
    pub(crate) async fn issue(&self, name: &SecretName) -> Result<PullSecret, IssueError> {
        // The budget of retries is counted from here on, as in each pass of the daemon.
        self.oci.begin_pass();
        let asked_at = self.clock.now();
        let (RegistryHost { name: host, endpoint }, names) = self.registry().await?;
        let login = in_time(self.oci.registry_login(&endpoint)).await?;
        let login = login.map_err(|source| IssueError::SignIn { host: host.clone(), source })?;
        if login.expires_at <= asked_at {
            return Err(IssueError::Ended { host });
        }
        Ok(PullSecret::new(name.clone(), &names, &login, asked_at))
    }

    /// The registry, and every name under which it is pulled from. One that the configuration names is pulled from by the
    /// spellings of the region's, too, as references of what runs are read.
    async fn registry(&self) -> Result<(RegistryHost, BTreeSet<String>), IssueError> {
        if let Some(asked) = &self.asked {
            return Ok((asked.clone(), asked.spellings(&self.config).into_iter().collect()));
        }
        let configured = RegistryHost::configured(&self.config);
        let region = in_time(self.oci.region()).await.and_then(|region| region.map_err(IssueError::Region));
        let of_region = region.map(|region| RegistryHost::of_region(&region));
        let hosts = configured.iter().chain(of_region.as_ref().ok());
        let names = hosts.flat_map(|host| host.spellings(&self.config)).collect();
        Ok((configured.map_or(of_region, Ok)?, names))
    }
}

async fn in_time<T>(answer: impl Future<Output = T>) -> Result<T, IssueError> {
    tokio::time::timeout(PATIENCE, answer).await.map_err(|_| IssueError::Late)
}
