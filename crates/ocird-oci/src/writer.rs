//! The half of the cloud that takes things away. Only the acting step is ever handed one.

use std::fmt;
use std::sync::Arc;

use ocird_model::{Clock, DeleteTarget, Etag, ImageId, RegistryError, Tag, WriteRegistry};

use crate::client::Client;
use crate::counts::Operation;

/// Deletes and untags images. Made by [`crate::Oci::writer`].
pub struct OciWriter<C> {
    client: Arc<Client<C>>,
}

impl<C: Clock> OciWriter<C> {
    pub(crate) const fn new(client: Arc<Client<C>>) -> Self {
        Self { client }
    }

    /// Takes one tag off an image if it still has this etag; manifest and storage stay.
    pub async fn remove_version(
        &self,
        image: &ImageId,
        tag: &Tag,
        if_match: &Etag,
    ) -> Result<(), RegistryError> {
        let result = self.client.remove_version(image, tag, if_match).await;
        result.map_err(|error| error.during(Operation::RemoveContainerVersion))
    }
}

impl<C: Clock> WriteRegistry for OciWriter<C> {
    async fn delete(&self, target: &DeleteTarget, if_match: &Etag) -> Result<(), RegistryError> {
        let result = self.client.delete_image(&target.image, if_match).await;
        result.map_err(|error| error.during(Operation::DeleteContainerImage))
    }
}

impl<C> Clone for OciWriter<C> {
    fn clone(&self) -> Self {
        Self { client: Arc::clone(&self.client) }
    }
}

impl<C> fmt::Debug for OciWriter<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OciWriter").finish_non_exhaustive()
    }
}
