//! One signed call: built once, signed anew for every try, repeated as far as [`crate::retry`] allows.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, HOST, IF_MATCH};
use http::{HeaderMap, HeaderValue, Method};
use ocird_model::{Clock, Etag};

use crate::counts::Operation;
use crate::courier::Courier;
use crate::identity::{Identity, InstancePrincipal, Metadata, Session, Who};
use crate::places::{Places, Service};
use crate::registry::CachedToken;
use crate::retry::{self, Repeat, Step};
use crate::sign::{Unsigned, http_date};
use crate::target::Target;
use crate::throttle::PATIENCE_OF_DELETE;
use crate::transport::{Address, Answer, Outgoing};
use crate::{Auth, BuildError, Endpoint, OciError, Settings};

/// Everything that calls share; one of it per process.
pub(crate) struct Client<C> {
    pub(crate) courier: Arc<Courier<C>>,
    pub(crate) identity: Identity<C>,
    pub(crate) metadata: Arc<Metadata<C>>,
    pub(crate) places: Arc<Places<C>>,
    pub(crate) settings: Settings,
    pub(crate) registry_token: CachedToken,
}

/// A call to be signed.
pub(crate) struct Call<'a> {
    pub(crate) operation: Operation,
    pub(crate) service: Service,
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) headers: HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) repeat: Repeat,
    /// The most bytes of the answer.
    pub(crate) max_body: usize,
}

impl Call<'_> {
    /// A read of the Artifacts API.
    pub(crate) fn get(operation: Operation, target: Target, max_body: usize) -> Self {
        Self {
            operation,
            service: Service::Artifacts,
            method: Method::GET,
            target,
            headers: HeaderMap::new(),
            body: b"",
            repeat: Repeat::Freely,
            max_body,
        }
    }

    /// Whether it may still be sent when it has waited so long. A delete rests on what was read just before.
    fn may_be_sent_after(&self, waited: Duration) -> bool {
        self.repeat != Repeat::Carefully || waited <= PATIENCE_OF_DELETE
    }
}

impl<C: Clock> Client<C> {
    /// Sets everything up; nothing is asked of anybody yet.
    pub(crate) fn new(settings: Settings, clock: Arc<C>) -> Result<Self, BuildError> {
        let courier = Arc::new(Courier::new(&settings, clock)?);
        let metadata = Arc::new(Metadata::new(&settings, Arc::clone(&courier)));
        let places = Arc::new(Places::new(&settings, &metadata));
        let who = match &settings.auth {
            Auth::InstancePrincipal => {
                let (courier, places) = (Arc::clone(&courier), Arc::clone(&places));
                Who::Instance(InstancePrincipal::new(courier, Arc::clone(&metadata), places))
            }
            Auth::Profile(profile) => Who::User(profile.clone()),
        };
        let identity = Identity::new(Arc::clone(&courier), who);
        Ok(Self { courier, identity, metadata, places, settings, registry_token: CachedToken::default() })
    }

    /// Makes `call`, tried again as its [`Repeat`] allows; a 401 leads to one new token and one more try.
    pub(crate) async fn signed(&self, call: Call<'_>) -> Result<Answer, OciError> {
        let endpoint = self.places.endpoint(call.service).await?;
        self.signed_at(&endpoint, call).await
    }

    /// The same at an endpoint that the caller names, whatever the service's own is. A signature is worth a token to
    /// whoever receives it: the caller answers for the host.
    pub(crate) async fn signed_at(&self, endpoint: &Endpoint, call: Call<'_>) -> Result<Answer, OciError> {
        let address = Address::new(endpoint, &call.target)?;
        let mut tries = self.courier.tries(call.repeat);
        let began = self.courier.clock.monotonic();
        let waited = || self.courier.clock.monotonic().saturating_sub(began);
        loop {
            // Standing in line takes time, so the call is signed after it, by what is good then.
            let permit = self.courier.permit(call.operation, waited()).await?;
            let session = self.identity.session().await?;
            if !call.may_be_sent_after(waited()) {
                return Err(OciError::Late { waited: waited() });
            }
            let outgoing = self.sign(&call, &address, &session);
            let error = match self.courier.attempt_by(permit, outgoing).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match tries.after(&error, retry::fraction()) {
                Step::Pause(duration) if !call.may_be_sent_after(waited() + duration) => return Err(error),
                Step::Pause(duration) => self.courier.pause(duration).await,
                Step::StandInLine => self.courier.counters.retried(),
                Step::Refresh => drop(self.identity.replacement(&session).await?),
                Step::GiveUp => return Err(error),
            }
        }
    }

    /// The call as it is sent now. The target that is signed is the one in the address, byte for byte.
    fn sign(&self, call: &Call<'_>, address: &Address, session: &Session) -> Outgoing {
        let host = address.host();
        let mut headers = session.signer().sign(&Unsigned {
            method: &call.method,
            target: address.target(),
            host: Some(&host),
            date: &http_date(self.courier.now()),
            body: call.body,
        });
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(HOST, address.host_header());
        headers.extend(call.headers.clone());
        Outgoing {
            method: call.method.clone(),
            address: address.clone(),
            headers,
            body: call.body.to_vec(),
            max_body: call.max_body,
        }
    }
}

/// The header that makes a call depend on `etag`. An etag that cannot be sent back is refused: a call without the
/// condition would be another call.
pub(crate) fn if_match(etag: &Etag) -> Result<(http::HeaderName, HeaderValue), OciError> {
    match HeaderValue::from_str(&etag.0) {
        Ok(value) if !value.is_empty() => Ok((IF_MATCH, value)),
        _ => Err(OciError::malformed("an etag", format_args!("{:?}", etag.0))),
    }
}
