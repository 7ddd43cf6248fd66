//! What the daemon holds: the cloud as a reader, and from it, for the acting step alone, a writer.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Clock, CompartmentId, Digest, FetchedManifest, ImageDetails, ImageId, ImageRow, Namespace, ReadRegistry,
    RegistryError, RepositoryId, RepositoryName, RepositoryRow, TenancyId, UserId,
};

use crate::client::Client;
use crate::counts::Operation;
use crate::{
    AuthToken, BuildError, CallCounts, Configuration, Endpoint, ImageSignature, OciError, OciRestorer,
    OciWriter, Principal, Region, RegistryLogin, RepositoryDetails, Settings, SignInError, TagOrDigest,
};

/// Oracle's cloud, read as the instance this runs on or as a user. Cheap to clone; all clones share token, budget and counters.
pub struct Oci<C> {
    client: Arc<Client<C>>,
}

impl<C: Clock> Oci<C> {
    /// A client by these settings. Nobody is asked for anything yet; the first call signs in.
    pub fn new(settings: Settings, clock: Arc<C>) -> Result<Self, BuildError> {
        let client = Arc::new(Client::new(settings, clock)?);
        Ok(Self { client })
    }

    /// The writer. Whoever is handed it can delete.
    pub fn writer(&self) -> OciWriter<C> {
        OciWriter::new(Arc::clone(&self.client))
    }

    /// What undoes. Whoever is handed it can bring back and tag, and cannot delete.
    pub fn restorer(&self) -> OciRestorer<C> {
        OciRestorer::new(Arc::clone(&self.client))
    }

    /// A pass begins: its calls have a full budget of retries.
    pub fn begin_pass(&self) {
        self.client.courier.begin_pass();
    }

    /// When the present token expires; `None` before the first sign-in, and for an API key, which does not.
    pub fn token_expires_at(&self) -> Option<DateTime<Utc>> {
        self.client.identity.expires_at()
    }

    /// What has been asked of the cloud since the start, and what came back.
    pub fn counts(&self) -> CallCounts {
        self.client.courier.counts()
    }

    /// The region worked in: the one that is set, else the profile's or the instance's own.
    pub async fn region(&self) -> Result<Region, OciError> {
        Ok(self.client.places.region().await?.clone())
    }

    /// The compartment of the instance, as its certificate names it; `None` when it does not, and for a user.
    pub async fn instance_compartment(&self) -> Result<Option<CompartmentId>, OciError> {
        let session = self.client.identity.session().await?;
        Ok(session.compartment().cloned())
    }

    /// The registry's configuration, which also tells the namespace. `root` is the tenancy's root compartment.
    pub async fn configuration(&self, root: &CompartmentId) -> Result<Configuration, RegistryError> {
        let result = self.client.configuration(root).await;
        result.map_err(|error| error.during(Operation::GetContainerConfiguration))
    }

    /// One repository, with what the list does not show.
    pub async fn repository(&self, id: &RepositoryId) -> Result<RepositoryDetails, RegistryError> {
        let result = self.client.repository(id).await;
        result.map_err(|error| error.during(Operation::GetContainerRepository))
    }

    /// The image that a tag or digest of a repository leads to.
    pub async fn image_by_uri(
        &self,
        namespace: &Namespace,
        repository: &RepositoryName,
        at: &TagOrDigest,
    ) -> Result<ImageDetails, RegistryError> {
        let result = self.client.image_by_uri(namespace, repository, at).await;
        result.map_err(|error| error.during(Operation::LookupContainerImageByUri))
    }

    /// Every OCI image signature of one repository, to the last page.
    pub async fn image_signatures(
        &self,
        compartment: &CompartmentId,
        repository: &RepositoryId,
    ) -> Result<Vec<ImageSignature>, RegistryError> {
        let result = self.client.image_signatures(compartment, repository).await;
        result.map_err(|error| error.during(Operation::ListContainerImageSignatures))
    }

    /// The auth tokens of a user, without the tokens themselves. It takes the right to inspect users, which an instance
    /// does not have by itself.
    pub async fn auth_tokens(&self, user: &UserId) -> Result<Vec<AuthToken>, RegistryError> {
        let result = self.client.auth_tokens(user).await;
        result.map_err(|error| error.during(Operation::ListAuthTokens))
    }

    /// The region of the instance, asked of the metadata service now, whatever region is worked in.
    pub async fn metadata_region(&self) -> Result<Region, OciError> {
        Ok(self.client.metadata.region().await?)
    }

    /// Who the credentials are of. Nobody signs in for it.
    pub async fn principal(&self) -> Result<Principal, OciError> {
        self.client.principal().await
    }

    /// A login for a registry, for whoever pulls images with it. The request is signed for the host of `registry`, and a
    /// signature is worth a token to whoever receives it: the caller answers for the host being a registry's.
    pub async fn registry_login(&self, registry: &Endpoint) -> Result<RegistryLogin, RegistryError> {
        let result = self.client.registry_login(registry).await;
        result.map_err(|error| error.during(Operation::GetAccessToken))
    }

    async fn signed_in_as(&self) -> Result<(TenancyId, String), Arc<SignInError>> {
        let region = self.client.places.region_identifier().await.map_err(Arc::new)?;
        let session = self.client.identity.session().await?;
        Ok((session.tenancy().clone(), region))
    }
}

impl<C: Clock> ReadRegistry for Oci<C> {
    async fn registry_hosts(&self) -> Result<Vec<String>, RegistryError> {
        let hosts = self.client.places.registry_hosts().await;
        hosts.map_err(|error| OciError::from(error).during(Operation::GetMetadata))
    }

    fn begin_pass(&self) {
        Oci::begin_pass(self);
    }

    async fn identity(&self) -> Result<(TenancyId, String), RegistryError> {
        let result = self.signed_in_as().await.map_err(OciError::from);
        result.map_err(|error| error.during(self.client.identity.operation()))
    }

    async fn repositories(&self, compartment: &CompartmentId) -> Result<Vec<RepositoryRow>, RegistryError> {
        let result = self.client.repositories(compartment).await;
        result.map_err(|error| error.during(Operation::ListContainerRepositories))
    }

    async fn images(
        &self,
        compartment: &CompartmentId,
        repository: &RepositoryId,
    ) -> Result<Vec<ImageRow>, RegistryError> {
        let result = self.client.images(compartment, repository).await;
        result.map_err(|error| error.during(Operation::ListContainerImages))
    }

    async fn signed_images(&self, compartment: &CompartmentId) -> Result<BTreeSet<ImageId>, RegistryError> {
        let result = self.client.signed_images(compartment).await;
        result.map_err(|error| error.during(Operation::ListContainerImageSignatures))
    }

    async fn image(&self, image: &ImageId) -> Result<ImageDetails, RegistryError> {
        let result = self.client.image(image).await;
        result.map_err(|error| error.during(Operation::GetContainerImage))
    }

    async fn manifest(
        &self,
        namespace: &Namespace,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<FetchedManifest, RegistryError> {
        let result = self.client.manifest(namespace, repository, digest).await;
        result.map_err(|error| error.during(Operation::GetManifest))
    }

    fn server_clock_ahead(&self) -> Option<TimeDelta> {
        self.client.courier.clock_ahead.latest()
    }
}

impl<C> Clone for Oci<C> {
    fn clone(&self) -> Self {
        Self { client: Arc::clone(&self.client) }
    }
}

impl<C> fmt::Debug for Oci<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oci").finish_non_exhaustive()
    }
}
