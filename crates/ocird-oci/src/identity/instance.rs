//! Signing in as the instance itself: certificate from the metadata service, token from the federation service, no
//! stored credential. <https://docs.oracle.com/en-us/iaas/Content/Identity/Tasks/callingservicesfrominstances.htm>

use std::sync::{Arc, OnceLock};

use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::RsaKeyPair;
use ocird_model::{Clock, ErrorKind, TenancyId};

use super::certificate::InstanceCertificate;
use super::{Metadata, Session, SignInError, Token, federation};
use crate::courier::Courier;
use crate::places::{Places, Service};

/// The instance's own identity.
pub(crate) struct InstancePrincipal<C> {
    courier: Arc<Courier<C>>,
    metadata: Arc<Metadata<C>>,
    places: Arc<Places<C>>,
    /// The tenancy of the first certificate; it never changes.
    tenancy: OnceLock<TenancyId>,
}

impl<C: Clock> InstancePrincipal<C> {
    /// The identity of the instance that this metadata service describes.
    pub(crate) const fn new(
        courier: Arc<Courier<C>>,
        metadata: Arc<Metadata<C>>,
        places: Arc<Places<C>>,
    ) -> Self {
        Self { courier, metadata, places, tenancy: OnceLock::new() }
    }

    /// A new key and token. A 401 from the federation service may mean that the certificate was rotated between
    /// reading and sending it, so it is read and sent once more.
    pub(crate) async fn sign_in(&self) -> Result<Session, SignInError> {
        match self.sign_in_once().await {
            Err(SignInError::Federation { source }) if source.kind() == ErrorKind::Unauthenticated => {
                self.sign_in_once().await
            }
            result => result,
        }
    }

    /// The certificate as it is now.
    pub(crate) async fn certificate(&self) -> Result<InstanceCertificate, SignInError> {
        self.metadata.certificate().await
    }

    async fn sign_in_once(&self) -> Result<Session, SignInError> {
        let key = new_session_key().await?;
        let certificate = self.metadata.certificate().await?;
        self.check_tenancy(certificate.tenancy())?;
        let endpoint = self.places.endpoint(Service::Auth).await?;
        let tenancy = certificate.tenancy().clone();
        let compartment = certificate.compartment().cloned();
        let token = federation::exchange(&self.courier, &endpoint, certificate, &key).await?;
        let token = Token::read(token).map_err(|detail| SignInError::Token { detail })?;
        if !token.may_belong_to(&key) {
            return Err(SignInError::Token { detail: "it is bound to another key than was sent" });
        }
        let (now, expired_at) = (self.courier.now(), token.expires_at());
        if expired_at <= now {
            return Err(SignInError::ExpiredOnArrival { expired_at, now });
        }
        Ok(Session::of_token(&token, key, tenancy, now).in_compartment(compartment))
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
