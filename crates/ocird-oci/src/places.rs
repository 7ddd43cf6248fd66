//! Where things are: the region worked in, and the base address of each service there.

use std::sync::Arc;

use ocird_model::Clock;
use tokio::sync::OnceCell;

use crate::error::clean;
use crate::identity::{Metadata, SignInError};
use crate::region::{is_host_part, possible_registry_hosts};
use crate::settings::Auth;
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
    /// Users and their auth tokens.
    Identity,
}

/// Knows the region, once it has been found, and the endpoints in it.
pub(crate) struct Places<C> {
    /// Asked for the region, unless a user signs in, who may be anywhere.
    metadata: Option<Arc<Metadata<C>>>,
    /// The region that is set, else the profile's; the instance's own if there is neither.
    wanted_region: Option<String>,
    /// Regions that the operator has described.
    more_regions: Vec<Region>,
    /// No host name has to be made of the region.
    has_all_endpoints: bool,
    auth: Option<Endpoint>,
    artifacts: Option<Endpoint>,
    registry: Option<Endpoint>,
    identity: Option<Endpoint>,
    region: OnceCell<Region>,
}

impl<C: Clock> Places<C> {
    /// The places by these settings; what they leave open is asked of the metadata service when first needed.
    pub(crate) fn new(settings: &Settings, metadata: &Arc<Metadata<C>>) -> Self {
        let (metadata, own_region) = match &settings.auth {
            Auth::InstancePrincipal => (Some(Arc::clone(metadata)), None),
            Auth::Profile(profile) => (None, profile.region()),
        };
        Self {
            metadata,
            wanted_region: settings.region.as_deref().or(own_region).map(str::to_owned),
            more_regions: settings.region_metadata.clone(),
            has_all_endpoints: settings.has_all_endpoints(),
            auth: settings.auth_endpoint.clone(),
            artifacts: settings.artifacts_endpoint.clone(),
            registry: settings.registry_endpoint.clone(),
            identity: settings.identity_endpoint.clone(),
            region: OnceCell::new(),
        }
    }

    /// The region worked in. It is found once; a failure is forgotten and the next caller asks again.
    pub(crate) async fn region(&self) -> Result<&Region, SignInError> {
        self.region.get_or_try_init(|| self.find_region()).await
    }

    /// The identifier of the region worked in. One of which nothing else is known is taken at its word where every
    /// endpoint is set.
    pub(crate) async fn region_identifier(&self) -> Result<String, SignInError> {
        match self.region().await {
            Ok(region) => Ok(region.identifier().to_owned()),
            Err(error) => self.unknown_region(&error).ok_or(error),
        }
    }

    /// The base address of `service`.
    pub(crate) async fn endpoint(&self, service: Service) -> Result<Endpoint, SignInError> {
        let set = match service {
            Service::Auth => &self.auth,
            Service::Artifacts => &self.artifacts,
            Service::Registry => &self.registry,
            Service::Identity => &self.identity,
        };
        if let Some(endpoint) = set {
            return Ok(endpoint.clone());
        }
        let region = self.region().await?;
        let url = match service {
            Service::Auth => region.auth_url(),
            Service::Artifacts => region.artifacts_url(),
            Service::Registry => region.registry_url(),
            Service::Identity => region.identity_url(),
        };
        Ok(url.parse().expect("https with a host of checked parts is an endpoint"))
    }

    /// Every host name under which the registry answers: the region's spellings, and the one that was set. In a region
    /// of which only the name is known every spelling that it could have: what is missing here is not seen to be in use.
    pub(crate) async fn registry_hosts(&self) -> Result<Vec<String>, SignInError> {
        let mut hosts = match self.region().await {
            Ok(region) => crate::registry_hosts(region),
            Err(error) => possible_registry_hosts(&self.unknown_region(&error).ok_or(error)?),
        };
        hosts.extend(self.registry.as_ref().and_then(|endpoint| endpoint.authority()).map(str::to_owned));
        Ok(hosts)
    }

    /// The name of the wanted region, where it is unknown and need not be known.
    fn unknown_region(&self, error: &SignInError) -> Option<String> {
        let name = self.wanted_region.as_ref()?.trim().to_ascii_lowercase();
        let is_unknown = matches!(error, SignInError::UnknownRegion { name: _ });
        (is_unknown && self.has_all_endpoints && is_host_part(&name)).then_some(name)
    }

    /// The region that is wanted, from the table or the operator's description or, when it is too new for both, from
    /// the metadata service; else the instance's own.
    async fn find_region(&self) -> Result<Region, SignInError> {
        let Some(wanted) = &self.wanted_region else {
            return self.metadata.as_ref().ok_or(SignInError::NoRegion)?.region().await;
        };
        let described = || self.more_regions.iter().find(|region| region.is_called(wanted));
        if let Some(region) = Region::find(wanted).or_else(described) {
            return Ok(region.clone());
        }
        if let Some(metadata) = &self.metadata {
            let own = metadata.region().await?;
            if own.is_called(wanted) {
                return Ok(own);
            }
        }
        Err(SignInError::UnknownRegion { name: clean(wanted) })
    }
}
