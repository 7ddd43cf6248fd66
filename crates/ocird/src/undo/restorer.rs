//! What brings back, behind boxed futures, so that one engine serves with a restorer and without.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use ocird_model::{FetchedManifest, ImageId, RegistryError, RestoreRegistry, Tag, TagPath};

/// [`RestoreRegistry`] as an object.
pub trait Restorer: Send + Sync {
    /// Brings back an image, with this tag or with none.
    fn restore<'a>(
        &'a self,
        image: &'a ImageId,
        tag: Option<&'a Tag>,
    ) -> BoxFuture<'a, Result<(), RegistryError>>;

    /// Attaches a tag to an image that is there, by pushing its manifest under the tag.
    fn put_tag<'a>(
        &'a self,
        at: &'a TagPath,
        manifest: &'a FetchedManifest,
    ) -> BoxFuture<'a, Result<(), RegistryError>>;
}

impl<T: RestoreRegistry> Restorer for T {
    fn restore<'a>(
        &'a self,
        image: &'a ImageId,
        tag: Option<&'a Tag>,
    ) -> BoxFuture<'a, Result<(), RegistryError>> {
        RestoreRegistry::restore(self, image, tag).boxed()
    }

    fn put_tag<'a>(
        &'a self,
        at: &'a TagPath,
        manifest: &'a FetchedManifest,
    ) -> BoxFuture<'a, Result<(), RegistryError>> {
        RestoreRegistry::put_tag(self, at, manifest).boxed()
    }
}
