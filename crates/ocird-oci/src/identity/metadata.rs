//! The metadata service of the instance (version 2): its certificate, its key and its region.
//! <https://docs.oracle.com/en-us/iaas/Content/Compute/Tasks/gettingmetadata.htm>
//!
//! Never through a proxy, never redirected, and one request at a time: the service throttles concurrent callers.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};
use ocird_model::{Clock, ErrorKind};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::SignInError;
use super::certificate::{CERTIFICATE, INTERMEDIATE, InstanceCertificate, KEY};
use crate::counts::Operation;
use crate::courier::Courier;
use crate::error::clean;
use crate::retry::{Repeat, Tries};
use crate::target::Target;
use crate::transport::{Address, Outgoing};
use crate::{Endpoint, OciError, Region, Settings};

/// The most bytes of a document; certificates have about two thousand.
const MAX_DOCUMENT: usize = 64 * 1024;

/// The most tries per document, as Oracle advises. Where nothing answers, this is no instance of the cloud.
const MAX_TRIES: u32 = 3;

/// How often certificate and key are read until they fit, when a rotation falls between the two.
const MAX_PAIRS: u32 = 3;

/// Where the metadata service has the region.
const REGION_INFO: &str = "instance/regionInfo";
const REGION: &str = "instance/region";

/// The metadata service.
pub(crate) struct Metadata<C> {
    courier: Arc<Courier<C>>,
    candidates: Vec<Endpoint>,
    /// The one request at a time; which of the candidates answered last.
    gate: Mutex<usize>,
}

/// The region as the service describes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RegionInfo {
    region_identifier: String,
    region_key: String,
    realm_key: String,
    realm_domain_component: String,
}

impl<C: Clock> Metadata<C> {
    /// The metadata service at the address that is set, else at its two link-local ones.
    pub(crate) fn new(settings: &Settings, courier: Arc<Courier<C>>) -> Self {
        let set = settings.metadata_base.clone().map(|base| vec![base]);
        Self { courier, candidates: set.unwrap_or_else(Endpoint::metadata_defaults), gate: Mutex::new(0) }
    }

    /// The region the instance is in.
    pub(crate) async fn region(&self) -> Result<Region, SignInError> {
        match self.document(REGION_INFO, Repeat::Freely).await {
            Ok(bytes) => described(&bytes),
            // Older services do not have it.
            Err(SignInError::Metadata { path: _, source }) if source.kind() == ErrorKind::NotFound => {
                self.region_by_name().await
            }
            Err(error) => Err(error),
        }
    }

    /// The instance's certificate, key and intermediates, read anew and fitting together.
    pub(crate) async fn certificate(&self) -> Result<InstanceCertificate, SignInError> {
        let mut n_pairs = 1;
        loop {
            let certificate = self.document(CERTIFICATE, Repeat::Metadata).await?;
            let key = self.document(KEY, Repeat::Metadata).await?;
            let intermediate = self.document(INTERMEDIATE, Repeat::Metadata).await?;
            match InstanceCertificate::read(&certificate, &key, &intermediate) {
                Err(SignInError::KeyMismatch) if n_pairs < MAX_PAIRS => n_pairs += 1,
                result => return result,
            }
        }
    }

    /// The region by its name alone, for which only the table knows the realm.
    async fn region_by_name(&self) -> Result<Region, SignInError> {
        let bytes = self.document(REGION, Repeat::Metadata).await?;
        let name = String::from_utf8_lossy(&bytes);
        Region::find(&name).cloned().ok_or_else(|| SignInError::UnknownRegion { name: clean(&name) })
    }

    /// One document, tried again as the service's manual says.
    async fn document(&self, path: &'static str, repeat: Repeat) -> Result<Vec<u8>, SignInError> {
        let mut answered_last = self.gate.lock().await;
        let mut tries = Tries::new(repeat, MAX_TRIES, &self.courier.budget);
        let failed = |source| SignInError::Metadata { path, source };
        loop {
            match self.ask_candidates(path, &mut answered_last).await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => self.courier.before_retry(&mut tries, error).await.map_err(failed)?,
            }
        }
    }

    /// One document from the first candidate that answers at all, beginning with the one that did last time.
    async fn ask_candidates(&self, path: &str, answered_last: &mut usize) -> Result<Vec<u8>, OciError> {
        let n_candidates = self.candidates.len();
        let mut n_asked = 1;
        loop {
            match self.ask(&self.candidates[*answered_last], path).await {
                Err(OciError::Unreachable { .. } | OciError::Timeout { .. }) if n_asked < n_candidates => {
                    n_asked += 1;
                    *answered_last = (*answered_last + 1) % n_candidates;
                }
                result => return result,
            }
        }
    }

    async fn ask(&self, base: &Endpoint, path: &str) -> Result<Vec<u8>, OciError> {
        let authorization = HeaderValue::from_static("Bearer Oracle");
        let outgoing = Outgoing {
            method: Method::GET,
            address: Address::new(base, &Target::new(format!("/{path}")))?,
            headers: HeaderMap::from_iter([(AUTHORIZATION, authorization)]),
            body: Vec::new(),
            max_body: MAX_DOCUMENT,
        };
        let answer = self.courier.attempt(Operation::GetMetadata, outgoing).await?;
        answer.bytes().map(<[u8]>::to_vec)
    }
}

/// The region that a `regionInfo` document describes.
fn described(bytes: &[u8]) -> Result<Region, SignInError> {
    let unusable = |detail| SignInError::Document { path: REGION_INFO, detail };
    let info: RegionInfo =
        serde_json::from_slice(bytes).map_err(|_| unusable("a field is missing or no text"))?;
    Region::described(
        &info.region_identifier,
        &info.region_key,
        &info.realm_key,
        &info.realm_domain_component,
    )
    .ok_or(unusable("a field could not stand in a host name"))
}
