//! Where things are: the region worked in, and the base address of each service there.

use std::sync::Arc;

use ocird_model::Clock;
use tokio::sync::OnceCell;

use crate::identity::{Metadata, SignInError};
use crate::{Endpoint, Region, Settings};

/// A service of the cloud that requests are signed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Federation: certificate in, token out.
    Auth,
    /// The Artifacts API.
    Artifacts,
    /// The registry.
    Registry,
}

/// Knows the region, once it has been found, and the endpoints in it.
pub(crate) struct Places<C> {
    metadata: Arc<Metadata<C>>,
    wanted_region: Option<String>,
    auth: Option<Endpoint>,
    artifacts: Option<Endpoint>,
    registry: Option<Endpoint>,
    region: OnceCell<Region>,
}

impl<C: Clock> Places<C> {
    /// The places by these settings; what they leave open is asked of the metadata service when first needed.
    pub(crate) fn new(settings: &Settings, metadata: Arc<Metadata<C>>) -> Self {
        Self {
            metadata,
            wanted_region: settings.region.clone(),
            auth: settings.auth_endpoint.clone(),
            artifacts: settings.artifacts_endpoint.clone(),
            registry: settings.registry_endpoint.clone(),
            region: OnceCell::new(),
        }
    }

    /// The region worked in. It is found once; a failure is forgotten and the next caller asks again.
    pub(crate) async fn region(&self) -> Result<&Region, SignInError> {
        self.region.get_or_try_init(|| self.find_region()).await
    }

    /// The base address of `service`.
    pub(crate) async fn endpoint(&self, service: Service) -> Result<Endpoint, SignInError> {
        let set = match service {
            Service::Auth => &self.auth,
            Service::Artifacts => &self.artifacts,
            Service::Registry => &self.registry,
        };
        if let Some(endpoint) = set {
            return Ok(endpoint.clone());
        }
        let region = self.region().await?;
        let url = match service {
            Service::Auth => region.auth_url(),
            Service::Artifacts => region.artifacts_url(),
            Service::Registry => region.registry_url(),
        };
        Ok(url.parse().expect("https with a host of checked parts is an endpoint"))
    }

    /// Every host name under which the registry answers: the region's spellings, and the one that was set.
    pub(crate) async fn registry_hosts(&self) -> Result<Vec<String>, SignInError> {
        let mut hosts = crate::registry_hosts(self.region().await?);
        hosts.extend(self.registry.as_ref().and_then(|endpoint| endpoint.authority()).map(str::to_owned));
        Ok(hosts)
    }

    /// The region that was set, from the table or, when it is too new for that, from the metadata service; else the
    /// instance's own.
    async fn find_region(&self) -> Result<Region, SignInError> {
        let Some(wanted) = &self.wanted_region else {
            return self.metadata.region().await;
        };
        if let Some(region) = Region::find(wanted) {
            return Ok(region.clone());
        }
        let own = self.metadata.region().await?;
        if own.identifier().eq_ignore_ascii_case(wanted.trim()) {
            Ok(own)
        } else {
            Err(SignInError::UnknownRegion { name: crate::error::clean(wanted) })
        }
    }
}
