//! The half of the cloud that undoes: it brings images back and puts tags on them, and cannot delete. The proofs after an act
//! and the operator's restore are handed one.

use std::fmt;
use std::sync::Arc;

use ocird_model::{Clock, FetchedManifest, ImageId, RegistryError, RestoreRegistry, Tag, TagPath};

use crate::client::Client;
use crate::counts::Operation;

/// Restores images and pushes manifests of images that are there. Made by [`crate::Oci::restorer`].
pub struct OciRestorer<C> {
    client: Arc<Client<C>>,
}

impl<C: Clock> OciRestorer<C> {
    pub(crate) const fn new(client: Arc<Client<C>>) -> Self {
        Self { client }
    }
}

impl<C: Clock> RestoreRegistry for OciRestorer<C> {
    async fn restore(&self, image: &ImageId, tag: Option<&Tag>) -> Result<(), RegistryError> {
        let result = self.client.restore_image(image, tag).await;
        result.map_err(|error| error.during(Operation::RestoreContainerImage))
    }

    async fn put_tag(&self, at: &TagPath, manifest: &FetchedManifest) -> Result<(), RegistryError> {
        let result = self.client.put_manifest(at, manifest).await;
        result.map_err(|error| error.during(Operation::PutManifest))
    }
}

impl<C> Clone for OciRestorer<C> {
    fn clone(&self) -> Self {
        Self { client: Arc::clone(&self.client) }
    }
}

impl<C> fmt::Debug for OciRestorer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OciRestorer").finish_non_exhaustive()
    }
}
