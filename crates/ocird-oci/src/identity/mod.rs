//! Who signs requests, and with what at present.
//!
//! The identity is the instance's own ([`instance`]) or a user's ([`user`]); what either gives is a [`Session`]. A new
//! session replaces the old one whole, and only when all went well; until then, and as long as it has not expired, the
//! old one stays in use. However many callers want a new one, one of them signs in and the others get what it got.

mod certificate;
mod error;
mod federation;
mod instance;
mod metadata;
mod session;
mod token;
mod user;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use ocird_model::{Clock, ErrorChain};
use tokio::sync::Mutex;

pub use self::error::SignInError;
pub(crate) use self::instance::InstancePrincipal;
pub(crate) use self::metadata::Metadata;
pub(crate) use self::session::Session;
pub(crate) use self::token::Token;
use crate::Profile;
use crate::counts::Operation;
use crate::courier::Courier;

/// How long a failed refresh is not repeated while the old token is still good.
const RETRY_REFRESH_AFTER: Duration = Duration::from_secs(30);

/// Whoever requests are signed as.
pub(crate) struct Identity<C> {
    courier: Arc<Courier<C>>,
    who: Who<C>,
    /// What requests are signed with at present.
    current: RwLock<Option<Arc<Session>>>,
    /// Held by the one caller that signs in; the latest failure, if nothing has succeeded since.
    signing_in: Mutex<Option<Failed>>,
    /// Attempts to sign in that came to an end, so that who waited for one knows that it was one.
    n_ended: AtomicU64,
}

/// The ways to sign in.
pub(crate) enum Who<C> {
    Instance(InstancePrincipal<C>),
    User(Profile),
}

/// A failed attempt to sign in.
struct Failed {
    why: Arc<SignInError>,
    /// By the monotonic clock.
    at: Duration,
}

impl<C: Clock> Identity<C> {
    /// An identity that has not signed in yet.
    pub(crate) fn new(courier: Arc<Courier<C>>, who: Who<C>) -> Self {
        Self {
            courier,
            who,
            current: RwLock::default(),
            signing_in: Mutex::default(),
            n_ended: AtomicU64::new(0),
        }
    }

    /// When the present token expires; `None` before the first, and for a key that does not expire.
    pub(crate) fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.current()?.expires_at()
    }

    /// As whom requests are signed.
    pub(crate) const fn who(&self) -> &Who<C> {
        &self.who
    }

    /// What an error of signing in is the failure of.
    pub(crate) const fn operation(&self) -> Operation {
        match self.who {
            Who::Instance(_) => Operation::Federate,
            Who::User(_) => Operation::ReadProfile,
        }
    }

    /// What to sign with: the present session, or a new one when it is about to expire or a newer one was put in its
    /// place.
    pub(crate) async fn session(&self) -> Result<Arc<Session>, Arc<SignInError>> {
        let now = self.courier.now();
        let superseded = match self.current().filter(|session| session.is_fresh(now)) {
            Some(session) if !session.is_superseded() => return Ok(session),
            session => session,
        };
        let is_new =
            |session: &Arc<Session>| superseded.as_ref().is_none_or(|old| !Arc::ptr_eq(old, session));
        match self.renewed(|session| session.is_fresh(now) && is_new(session)).await {
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
            let (error, expires_at) = (ErrorChain(&**why), session.expires_at().map(tracing::field::display));
            tracing::warn!(%error, expires_at, "signing in failed; the old key or token stays in use");
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
        self.current().filter(|session| session.is_valid(now))
    }

    fn current(&self) -> Option<Arc<Session>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn sign_in(&self) -> Result<Session, SignInError> {
        match &self.who {
            Who::Instance(instance) => instance.sign_in().await,
            Who::User(profile) => user::sign_in(profile, self.courier.now()).await,
        }
    }
}
