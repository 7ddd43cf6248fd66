//! Pull secrets for Kubernetes out of the same sign-in: what `docker login` would have written, made of a registry token
//! of an hour, so that no auth token is stored in a cluster.
//!
//! `name` is what Kubernetes takes for a name, [`issue`](Issuer) signs in, `secret` is what comes of it on paper, `put`
//! brings it into a namespace, and `keep` does so again before the token ends.
//!
//! Deliberately not here: the credential helper's cache. A secret should have a whole hour before it, and a token that is
//! remembered has lived for a part of it. Nothing here reads what else is in a cluster, or deletes anything there.

mod issue;
mod keep;
mod name;
mod put;
mod secret;

pub(crate) use self::issue::{IssueError, Issuer};
pub(crate) use self::keep::{Keeping, keep};
pub(crate) use self::name::{NamespaceName, SecretName};
pub(crate) use self::put::{Done, PutError, Shelf};
pub(crate) use self::secret::PullSecret;
