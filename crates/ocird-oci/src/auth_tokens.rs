//! The auth tokens of a user, by which people and machines log in to the registry: when each was made, never what it is.
//! <https://docs.oracle.com/en-us/iaas/api/#/en/identity/20160918/AuthToken/ListAuthTokens>
//!
//! ocird tells when one is older than its rotation. It makes none and removes none.

use chrono::{DateTime, Utc};
use ocird_model::{Clock, UserId};
use serde::Deserialize;

use crate::OciError;
use crate::client::{Call, Client};
use crate::counts::Operation;
use crate::error::clean;
use crate::places::Service;
use crate::target::Target;
use crate::wire::time;

/// The most bytes of an answer; a user has two tokens at most, of under a thousand bytes each.
const MAX_ANSWER: usize = 1024 * 1024;

/// One auth token of a user, without the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthToken {
    /// Its OCID.
    pub id: String,
    /// What its owner wrote about it.
    pub description: String,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
    /// When it ends; most never do.
    pub expires_at: Option<DateTime<Utc>>,
    /// Its lifecycle state in the service's own word: `ACTIVE`, `INACTIVE`, ...
    pub state: String,
}

/// `AuthToken` of the Identity API. What it has beyond, the token itself above all, is not looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireToken {
    id: String,
    description: Option<String>,
    #[serde(default, deserialize_with = "time")]
    time_created: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "time")]
    time_expires: Option<DateTime<Utc>>,
    lifecycle_state: String,
}

impl<C: Clock> Client<C> {
    /// Every auth token of `user`. The answer is one page: there is no parameter by which to ask for another.
    pub(crate) async fn auth_tokens(&self, user: &UserId) -> Result<Vec<AuthToken>, OciError> {
        let target = Target::new(format!("/20160918/users/{user}/authTokens"));
        let call =
            Call { service: Service::Identity, ..Call::get(Operation::ListAuthTokens, target, MAX_ANSWER) };
        let tokens: Vec<WireToken> = self.signed(call).await?.secret_json("the list of auth tokens")?;
        Ok(tokens.into_iter().map(Into::into).collect())
    }
}

impl From<WireToken> for AuthToken {
    fn from(wire: WireToken) -> Self {
        Self {
            id: clean(&wire.id),
            description: clean(wire.description.as_deref().unwrap_or_default()),
            created_at: wire.time_created,
            expires_at: wire.time_expires,
            state: clean(&wire.lifecycle_state),
        }
    }
}
