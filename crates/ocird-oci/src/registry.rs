//! The registry itself, as far as ocird speaks to it: a bearer token for a signature, manifests by digest, and the push of a
//! manifest that is there under one more tag.
//! <https://docs.oracle.com/en-us/iaas/api/#/en/container-registry/20180419/AccessToken/GetAccessToken>
//!
//! It moves manifests only, never layers, and follows no URL that a manifest or an answer names (S-34).

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, TimeDelta, Utc};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use ocird_model::{Clock, Digest, ErrorKind, FetchedManifest, Namespace, RepositoryName, TagPath};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::client::{Call, Client};
use crate::counts::Operation;
use crate::error::clean;
use crate::manifest::{INDEX_TYPES, MANIFEST_TYPES, SIGNED_TYPES};
use crate::places::Service;
use crate::retry::Repeat;
use crate::target::Target;
use crate::transport::{Address, Answer, Body, Outgoing};
use crate::{Endpoint, OciError};

/// The most bytes of a manifest that are read; the specification asks registries to take four million.
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests>
const MAX_MANIFEST: usize = 4 * 1024 * 1024;

/// The most bytes of the answer with a token.
const MAX_TOKEN_ANSWER: usize = 64 * 1024;

/// How long before its end a registry token is replaced.
const MARGIN: Duration = Duration::from_mins(1);

/// The longest life of a registry token that is believed; the known one is an hour.
const MAX_LIFE: Duration = Duration::from_hours(24);

/// The registry token in use, if any. Who needs one while it is fetched waits for it.
#[derive(Default)]
pub(crate) struct CachedToken(Mutex<Option<Arc<RegistryToken>>>);

/// A bearer token of the registry.
struct RegistryToken {
    secret: SecretString,
    /// When it is replaced, by the monotonic clock: its life is told as a duration.
    until: Duration,
}

/// What a container engine logs in to a registry with. It is good for that registry until it expires, and for nothing
/// else. <https://docs.oracle.com/en-us/iaas/api/#/en/container-registry/20180419/AccessToken/GetAccessToken>
#[derive(Debug, Clone)]
pub struct RegistryLogin {
    /// The password. The user's name is [`RegistryLogin::USER`].
    pub password: SecretString,
    /// When it ends, counted from before it was asked for.
    pub expires_at: DateTime<Utc>,
}

impl RegistryLogin {
    /// The user's name by which the registry knows that the password is a token.
    pub const USER: &str = "BEARER_TOKEN";
}

/// The answer of the token endpoint; in snake case, unlike all other services.
#[derive(Deserialize)]
struct TokenAnswer {
    token: SecretString,
    /// Seconds.
    expires_in: u64,
}

impl CachedToken {
    /// Forgets `token` if it is still the one in use. One that was issued before a policy allowed what was asked stays
    /// without that right for the hour it lives, so who is forbidden something gets a new one the next time.
    async fn forget(&self, token: &Arc<RegistryToken>) {
        let mut cached = self.0.lock().await;
        if cached.as_ref().is_some_and(|cached| Arc::ptr_eq(cached, token)) {
            *cached = None;
        }
    }
}

impl<C: Clock> Client<C> {
    /// The manifest with this digest: its bytes are proved to be of it, unless it is larger than the bound.
    pub(crate) async fn manifest(
        &self,
        namespace: &Namespace,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<FetchedManifest, OciError> {
        let endpoint = self.places.endpoint(Service::Registry).await?;
        let target = Target::new(format!("/v2/{namespace}/{repository}/manifests/{digest}"));
        let address = Address::new(&endpoint, &target)?;
        let token = self.registry_token(None).await?;
        let result = self.fetch_manifest(&address, &token).await;
        match result.as_ref().map_err(OciError::kind) {
            Err(ErrorKind::Unauthenticated) => {
                let token = self.registry_token(Some(&token)).await?;
                checked(self.fetch_manifest(&address, &token).await?, digest)
            }
            Err(ErrorKind::Forbidden) => {
                self.registry_token.forget(&token).await;
                checked(result?, digest)
            }
            Ok(_) | Err(_) => checked(result?, digest),
        }
    }

    /// One manifest by one token, tried again as any read.
    async fn fetch_manifest(&self, address: &Address, token: &RegistryToken) -> Result<Answer, OciError> {
        let mut tries = self.courier.tries(Repeat::Freely);
        loop {
            let outgoing = Outgoing {
                method: Method::GET,
                address: address.clone(),
                headers: manifest_headers(token)?,
                body: Vec::new(),
                max_body: MAX_MANIFEST,
            };
            match self.courier.attempt(Operation::GetManifest, outgoing).await {
                Ok(answer) => return Ok(answer),
                Err(error) => self.courier.before_retry(&mut tries, error).await?,
            }
        }
    }

    /// Pushes a manifest under a tag. Sent once, but for a token that was rejected and answers given before any work was done.
    pub(crate) async fn put_manifest(
        &self,
        at: &TagPath,
        manifest: &FetchedManifest,
    ) -> Result<(), OciError> {
        let TagPath { namespace, repository, tag } = at;
        let endpoint = self.places.endpoint(Service::Registry).await?;
        let target = Target::new(format!("/v2/{namespace}/{repository}/manifests/{tag}"));
        let address = Address::new(&endpoint, &target)?;
        let token = self.registry_token(None).await?;
        let result = self.push_manifest(&address, &token, manifest).await;
        match result.as_ref().map_err(OciError::kind) {
            Err(ErrorKind::Unauthenticated) => {
                let token = self.registry_token(Some(&token)).await?;
                self.push_manifest(&address, &token, manifest).await
            }
            Err(ErrorKind::Forbidden) => {
                self.registry_token.forget(&token).await;
                result
            }
            Ok(()) | Err(_) => result,
        }
    }

    /// One push by one token.
    async fn push_manifest(
        &self,
        address: &Address,
        token: &RegistryToken,
        manifest: &FetchedManifest,
    ) -> Result<(), OciError> {
        let mut tries = self.courier.tries(Repeat::Carefully);
        loop {
            let media_type = HeaderValue::from_str(&manifest.media_type)
                .map_err(|error| OciError::malformed("the media type of a manifest", error))?;
            let outgoing = Outgoing {
                method: Method::PUT,
                address: address.clone(),
                headers: HeaderMap::from_iter([(AUTHORIZATION, bearer(token)?), (CONTENT_TYPE, media_type)]),
                body: manifest.bytes.to_vec(),
                max_body: MAX_TOKEN_ANSWER,
            };
            match self.courier.attempt(Operation::PutManifest, outgoing).await {
                Ok(answer) => return arrived_whole(&answer, &manifest.bytes),
                Err(error) => self.courier.before_retry(&mut tries, error).await?,
            }
        }
    }

    /// The registry token in use, or a new one when there is none, it ends soon, or it is the `rejected` one.
    async fn registry_token(
        &self,
        rejected: Option<&Arc<RegistryToken>>,
    ) -> Result<Arc<RegistryToken>, OciError> {
        let mut cached = self.registry_token.0.lock().await;
        if let Some(token) = cached.as_ref()
            && self.courier.clock.monotonic() < token.until
            && rejected.is_none_or(|rejected| !Arc::ptr_eq(rejected, token))
        {
            return Ok(Arc::clone(token));
        }
        let endpoint = self.places.endpoint(Service::Registry).await?;
        let answer = self.access_token(&endpoint).await?;
        let life = answer.life();
        let token = Arc::new(RegistryToken {
            secret: answer.token,
            until: self.courier.clock.monotonic() + life.saturating_sub(MARGIN),
        });
        *cached = Some(Arc::clone(&token));
        Ok(token)
    }

    /// A login for the registry at this endpoint, signed for its host and no other.
    pub(crate) async fn registry_login(&self, registry: &Endpoint) -> Result<RegistryLogin, OciError> {
        let asked_at = self.courier.now();
        let answer = self.access_token(registry).await?;
        let life = TimeDelta::from_std(answer.life()).expect("a day is in range");
        Ok(RegistryLogin { password: answer.token, expires_at: asked_at + life })
    }

    async fn access_token(&self, registry: &Endpoint) -> Result<TokenAnswer, OciError> {
        let call = Call {
            service: Service::Registry,
            ..Call::get(Operation::GetAccessToken, Target::new("/20180419/docker/token"), MAX_TOKEN_ANSWER)
        };
        self.signed_at(registry, call).await?.secret_json("the registry token")
    }
}

impl TokenAnswer {
    /// How long the token is believed to live.
    fn life(&self) -> Duration {
        Duration::from_secs(self.expires_in).min(MAX_LIFE)
    }
}

/// All four kinds of manifest are asked for: a registry may deny what is not accepted.
fn manifest_headers(token: &RegistryToken) -> Result<HeaderMap, OciError> {
    let mut headers = HeaderMap::from_iter([(AUTHORIZATION, bearer(token)?)]);
    for media_type in INDEX_TYPES.into_iter().chain(MANIFEST_TYPES) {
        headers.append(ACCEPT, HeaderValue::from_static(media_type));
    }
    Ok(headers)
}

fn bearer(token: &RegistryToken) -> Result<HeaderValue, OciError> {
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.secret.expose_secret()))
        .map_err(|_| OciError::malformed("the registry token", "not printable"))?;
    bearer.set_sensitive(true);
    Ok(bearer)
}

/// Whether the registry took the manifest for what it is, where it says so.
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests>
fn arrived_whole(answer: &Answer, bytes: &[u8]) -> Result<(), OciError> {
    let Some(said) = answer.header("docker-content-digest") else { return Ok(()) };
    let sent: [u8; 32] = digest(&SHA256, bytes).as_ref().try_into().expect("a SHA-256 has 32 bytes");
    if said == Digest::from_bytes(sent).to_string() {
        Ok(())
    } else {
        Err(OciError::malformed("the answer to a push", "it names another digest"))
    }
}

/// The manifest of an answer, if its bytes are of the digest that was asked for. Of the one kind whose bytes never are,
/// only the kind is known.
fn checked(answer: Answer, wanted: &Digest) -> Result<FetchedManifest, OciError> {
    let media_type = answer.header("content-type").unwrap_or_default();
    let media_type = clean(media_type.split(';').next().unwrap_or_default());
    let bytes = match answer.into_body() {
        Body::Whole(bytes) => bytes,
        Body::TooLarge(_) => {
            return Ok(FetchedManifest { media_type, bytes: Arc::default(), too_large: true });
        }
    };
    if digest(&SHA256, &bytes).as_ref() != wanted.as_bytes() {
        if SIGNED_TYPES.contains(&media_type.as_str()) {
            // The bytes prove nothing, so nobody is handed them.
            return Ok(FetchedManifest { media_type, bytes: Arc::default(), too_large: false });
        }
        return Err(OciError::malformed(
            "the manifest",
            "its bytes are not of the digest that was asked for",
        ));
    }
    Ok(FetchedManifest { media_type, bytes: bytes.into(), too_large: false })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::fuzz::{self, Reading};

    #[test]
    fn any_answer_is_read_with_its_own_token_or_refused() {
        fuzz::any_input("answer with a registry token", "token", |bytes| {
            let Ok(answer) = serde_json::from_slice::<TokenAnswer>(bytes) else {
                return Ok(Reading::Refused);
            };
            if let Ok(own) = serde_json::from_slice::<Value>(bytes) {
                prop_assert_eq!(Some(answer.token.expose_secret()), own["token"].as_str());
                prop_assert_eq!(Some(answer.expires_in), own["expires_in"].as_u64());
            }
            Ok(Reading::Read)
        });
    }
}
