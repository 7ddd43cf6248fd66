//! Signing in as the instance itself: certificate from the metadata service, token from the federation service, no
//! stored credential. <https://docs.oracle.com/en-us/iaas/Content/Identity/Tasks/callingservicesfrominstances.htm>
//!
//! Key and token are made anew at every refresh and replace the old pair together, and only when all went well; until
//! then, and as long as it has not expired, the old pair stays in use. However many callers want a token, one of them
//! fetches it and the others get what it got.

mod certificate;
mod error;
mod federation;
mod metadata;
mod session;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::RsaKeyPair;
use chrono::{DateTime, Utc};
use ocird_model::{Clock, ErrorChain, ErrorKind, TenancyId};
use tokio::sync::Mutex;

pub use self::error::SignInError;
pub(crate) use self::metadata::Metadata;
pub(crate) use self::session::Session;
use crate::courier::Courier;
use crate::places::{Places, Service};

/// How long a failed refresh is not repeated while the old token is still good.
const RETRY_REFRESH_AFTER: Duration = Duration::from_secs(30);

/// The instance's own identity.
pub(crate) struct InstancePrincipal<C> {
    courier: Arc<Courier<C>>,
    metadata: Arc<Metadata<C>>,
    places: Arc<Places<C>>,
    /// What requests are signed with at present.
    current: RwLock<Option<Arc<Session>>>,
    /// Held by the one caller that signs in; the latest failure, if nothing has succeeded since.
    signing_in: Mutex<Option<Failed>>,
    /// Attempts to sign in that came to an end, so that who waited for one knows that it was one.
    n_ended: AtomicU64,
    /// The tenancy of the first certificate; it never changes.
    tenancy: OnceLock<TenancyId>,
}

/// A failed attempt to sign in.
struct Failed {
    why: Arc<SignInError>,
    /// By the monotonic clock.
    at: Duration,
}

impl<C: Clock> InstancePrincipal<C> {
    /// An identity that has not signed in yet.
    pub(crate) fn new(courier: Arc<Courier<C>>, metadata: Arc<Metadata<C>>, places: Arc<Places<C>>) -> Self {
        Self {
            courier,
            metadata,
            places,
            current: RwLock::default(),
            signing_in: Mutex::default(),
            n_ended: AtomicU64::new(0),
            tenancy: OnceLock::new(),
        }
    }

    /// When the present token expires; `None` before the first.
    pub(crate) fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.current().map(|session| session.expires_at())
    }

    /// What to sign with: the present session, or a new one when it is about to expire.
    pub(crate) async fn session(&self) -> Result<Arc<Session>, Arc<SignInError>> {
        let now = self.courier.now();
        if let Some(session) = self.current()
            && session.is_fresh(now)
        {
            return Ok(session);
        }
        match self.renewed(|session| session.is_fresh(now)).await {
            Ok(session) => Ok(session),
            Err(error) => self.still_valid().ok_or(error),
        }
    }

    /// What to sign with instead of `rejected`, which a service answered with 401: a new session, unless somebody has
    /// replaced it already. When signing in fails the rejected one stays, as it may be good elsewhere.
    pub(crate) async fn replacement(
        &self,
        rejected: &Arc<Session>,
    ) -> Result<Arc<Session>, Arc<SignInError>> {
        self.renewed(|session| !Arc::ptr_eq(session, rejected)).await
    }

    /// The present session if it `is_wanted`, else a new one. Callers queue; who waited while another signed in takes
    /// what that one got, be it a failure.
    async fn renewed(
        &self,
        is_wanted: impl Fn(&Arc<Session>) -> bool + Send,
    ) -> Result<Arc<Session>, Arc<SignInError>> {
        let n_ended = self.n_ended.load(Ordering::SeqCst);
        let mut failed = self.signing_in.lock().await;
        if let Some(session) = self.current()
            && is_wanted(&session)
        {
            return Ok(session);
        }
        if let Some(failed) = failed.as_ref()
            && (self.n_ended.load(Ordering::SeqCst) != n_ended || self.may_wait(failed))
        {
            return Err(Arc::clone(&failed.why));
        }
        let result = self.sign_in().await.map(Arc::new).map_err(Arc::new);
        self.n_ended.fetch_add(1, Ordering::SeqCst);
        self.courier.counters.signed_in(result.is_ok());
        match &result {
            Ok(session) => {
                *failed = None;
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(session));
            }
            Err(why) => *failed = Some(self.failed(why)),
        }
        result
    }

    /// Takes note of a failed attempt; a warning when the old token carries on, for then nobody else will tell.
    fn failed(&self, why: &Arc<SignInError>) -> Failed {
        if let Some(session) = self.still_valid() {
            let (error, expires_at) = (ErrorChain(&**why), session.expires_at());
            tracing::warn!(%error, %expires_at, "signing in failed; the old token stays in use");
        }
        Failed { why: Arc::clone(why), at: self.courier.clock.monotonic() }
    }

    /// True while the old token is good and the last attempt to replace it failed a moment ago.
    fn may_wait(&self, failed: &Failed) -> bool {
        let age = self.courier.clock.monotonic().saturating_sub(failed.at);
        age < RETRY_REFRESH_AFTER && self.still_valid().is_some()
    }

    /// The present session if it has not expired.
    fn still_valid(&self) -> Option<Arc<Session>> {
        let now = self.courier.now();
        self.current().filter(|session| now < session.expires_at())
    }

    fn current(&self) -> Option<Arc<Session>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A new key and token. A 401 from the federation service may mean that the certificate was rotated between
    /// reading and sending it, so it is read and sent once more.
    async fn sign_in(&self) -> Result<Session, SignInError> {
        match self.sign_in_once().await {
            Err(SignInError::Federation { source }) if source.kind() == ErrorKind::Unauthenticated => {
                self.sign_in_once().await
            }
            result => result,
        }
    }

    async fn sign_in_once(&self) -> Result<Session, SignInError> {
        let key = new_session_key().await?;
        let certificate = self.metadata.certificate().await?;
        self.check_tenancy(certificate.tenancy())?;
        let endpoint = self.places.endpoint(Service::Auth).await?;
        let tenancy = certificate.tenancy().clone();
        let compartment = certificate.compartment().cloned();
        let token = federation::exchange(&self.courier, &endpoint, certificate, &key).await?;
        Session::new(&token, key, tenancy, compartment, self.courier.now())
    }

    /// An instance does not move to another tenancy; one that seems to have must not go on deleting there.
    fn check_tenancy(&self, tenancy: &TenancyId) -> Result<(), SignInError> {
        let first = self.tenancy.get_or_init(|| tenancy.clone());
        if first == tenancy {
            Ok(())
        } else {
            Err(SignInError::TenancyChanged { was: first.clone(), is: tenancy.clone() })
        }
    }
}

/// A new RSA key of 2048 bits. That takes a tenth of a second or more, so it is done aside.
async fn new_session_key() -> Result<RsaKeyPair, SignInError> {
    tokio::task::spawn_blocking(|| RsaKeyPair::generate(KeySize::Rsa2048))
        .await
        .ok()
        .and_then(Result::ok)
        .ok_or(SignInError::KeyGeneration)
}
