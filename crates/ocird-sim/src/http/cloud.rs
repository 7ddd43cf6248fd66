//! What every request of the simulated cloud shares: the tenancy, the certificates, the token issuer, the known keys.
//!
//! No request is answered here.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::Clock as _;
use tokio::sync::mpsc::UnboundedSender;

use super::certificate::{Authority, Subject};
use super::record::Recorded;
use super::requests::Requests;
use super::rsa::Verifier;
use super::token::Issuer;
use crate::Tenancy;

/// How the server behaves, beyond what the tenancy itself decides.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long every answer takes, in real time: for benchmarks that want a registry as slow as a real one.
    pub answer_delay: Duration,
    /// The life of a session token by the tenancy's clock. The real one's is 20 minutes.
    pub token_lifetime: TimeDelta,
    /// The life of a registry token by the tenancy's clock. The real one's is about an hour.
    pub registry_token_lifetime: TimeDelta,
    /// The most rows that a page of any list holds, whatever the caller asks for; `None` leaves it to the tenancy.
    pub max_page_size: Option<usize>,
    /// Where every request goes as it came over the wire, once it is answered.
    pub record: Option<UnboundedSender<Recorded>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            answer_delay: Duration::ZERO,
            token_lifetime: TimeDelta::minutes(20),
            registry_token_lifetime: TimeDelta::hours(1),
            max_page_size: None,
            record: None,
        }
    }
}

/// The shared state.
#[derive(Debug)]
pub(super) struct Cloud {
    tenancy: Tenancy,
    options: Options,
    subject: Subject,
    authority: RwLock<Authority>,
    issuer: Issuer,
    /// Public keys of API keys by key id: `tenancy/user/fingerprint`.
    api_keys: RwLock<BTreeMap<String, Verifier>>,
    requests: Requests,
    /// `127.0.0.1:port`, for the registry's challenge.
    address: String,
}

impl Cloud {
    /// The state of a server at this address, with certificates made now.
    pub(super) fn new(tenancy: Tenancy, options: Options, address: String) -> Self {
        let settings = tenancy.settings();
        let compartment =
            settings.compartments.first().map_or(settings.tenancy.as_str(), |first| first.as_str());
        let subject = Subject {
            instance: settings.instance.clone(),
            compartment: compartment.to_owned(),
            tenancy: settings.tenancy.to_string(),
        };
        let authority = Authority::new(subject.clone(), tenancy.clock().now());
        Self {
            tenancy,
            options,
            subject,
            authority: RwLock::new(authority),
            issuer: Issuer::new(),
            api_keys: RwLock::default(),
            requests: Requests::default(),
            address,
        }
    }

    pub(super) const fn tenancy(&self) -> &Tenancy {
        &self.tenancy
    }

    pub(super) const fn options(&self) -> &Options {
        &self.options
    }

    pub(super) const fn subject(&self) -> &Subject {
        &self.subject
    }

    pub(super) const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    pub(super) const fn requests(&self) -> &Requests {
        &self.requests
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// True time, which the daemon's own clock may be off from.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.tenancy.clock().now()
    }

    /// The certificates. A reader never leaves them half changed, so that a poisoned lock is as good as any.
    pub(super) fn authority(&self) -> RwLockReadGuard<'_, Authority> {
        self.authority.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn rotate_certificate(&self) {
        let now = self.now();
        self.authority.write().unwrap_or_else(PoisonError::into_inner).rotate(now);
    }

    pub(super) fn expire_certificate(&self) {
        let now = self.now();
        self.authority.write().unwrap_or_else(PoisonError::into_inner).expire(now);
    }

    pub(super) fn add_api_key(&self, key_id: String, key: Verifier) {
        self.api_keys.write().unwrap_or_else(PoisonError::into_inner).insert(key_id, key);
    }

    pub(super) fn api_key(&self, key_id: &str) -> Option<Verifier> {
        self.api_keys.read().unwrap_or_else(PoisonError::into_inner).get(key_id).cloned()
    }
}
