//! What findings ask of the cloud beside the registry's lists. A reader of its own, which no pass needs for its decisions:
//! where there is none, those kinds of finding are not looked for.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use ocird_model::{Clock, RegistryError, RepositoryId, UserId};
use ocird_oci::{AuthToken, Oci};

/// Reads what no list shows. Boxed futures, so that one engine serves with and without.
pub trait Audit: Send + Sync {
    /// The auth tokens of a user, without the tokens themselves.
    fn auth_tokens<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Result<Vec<AuthToken>, RegistryError>>;

    /// Whether the tags of a repository cannot be moved.
    fn is_immutable<'a>(&'a self, repository: &'a RepositoryId)
    -> BoxFuture<'a, Result<bool, RegistryError>>;
}

impl<C: Clock> Audit for Oci<C> {
    fn auth_tokens<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Result<Vec<AuthToken>, RegistryError>> {
        Self::auth_tokens(self, user).boxed()
    }

    fn is_immutable<'a>(
        &'a self,
        repository: &'a RepositoryId,
    ) -> BoxFuture<'a, Result<bool, RegistryError>> {
        async move { Ok(self.repository(repository).await?.is_immutable) }.boxed()
    }
}
