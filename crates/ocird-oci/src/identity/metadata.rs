//! The metadata service of the instance (version 2): its certificate, its key and its region.
//! <https://docs.oracle.com/en-us/iaas/Content/Compute/Tasks/gettingmetadata.htm>
//!
//! Never through a proxy, never redirected, and one request at a time: the service throttles concurrent callers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};
use ocird_model::{Clock, ErrorKind};
use tokio::sync::Mutex;

use super::SignInError;
use super::certificate::{CERTIFICATE, INTERMEDIATE, InstanceCertificate, KEY};
use crate::counts::Operation;
use crate::courier::Courier;
use crate::endpoint::METADATA_V4;
use crate::error::clean;
use crate::retry::{Repeat, Tries};
use crate::target::Target;
use crate::transport::{Address, Outgoing};
use crate::{Endpoint, OciError, Region, RegionError, Settings};

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
    set: Option<Endpoint>,
    /// Where it may be, the address that is set or the service's own; found when first needed.
    candidates: OnceLock<Vec<Endpoint>>,
    /// The one request at a time; which of the candidates answered last.
    gate: Mutex<usize>,
}

impl<C: Clock> Metadata<C> {
    /// The metadata service at the address that is set, else at its own.
    pub(crate) fn new(settings: &Settings, courier: Arc<Courier<C>>) -> Self {
        let set = settings.metadata_base.clone();
        Self { courier, set, candidates: OnceLock::new(), gate: Mutex::new(0) }
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

    /// One document from the first candidate that can be connected to, beginning with the one that could last time.
    async fn ask_candidates(&self, path: &str, answered_last: &mut usize) -> Result<Vec<u8>, OciError> {
        let candidates = self.candidates.get_or_init(|| match &self.set {
            Some(base) => vec![base.clone()],
            None => Endpoint::metadata_defaults(has_route(IpAddr::V4(METADATA_V4))),
        });
        let mut n_asked = 1;
        loop {
            match self.ask(&candidates[*answered_last], path).await {
                Err(error) if n_asked < candidates.len() && error.is_connect() => {
                    n_asked += 1;
                    *answered_last = (*answered_last + 1) % candidates.len();
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

/// True when the system knows a way to `address`. Connecting a datagram socket sends nothing and waits for nothing: it
/// only looks for the way.
fn has_route(address: IpAddr) -> bool {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    UdpSocket::bind(any).and_then(|socket| socket.connect((address, 80))).is_ok()
}

/// The region that a `regionInfo` document describes.
fn described(bytes: &[u8]) -> Result<Region, SignInError> {
    let text = String::from_utf8_lossy(bytes);
    Region::from_metadata(&text).map_err(|error| SignInError::Document {
        path: REGION_INFO,
        detail: match error {
            RegionError::Json => "a field is missing or no text",
            RegionError::HostPart => "a field could not stand in a host name",
        },
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use axum::Router;
    use chrono::{DateTime, Utc};

    use super::*;

    /// A clock for tests in which nobody waits.
    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> DateTime<Utc> {
            DateTime::UNIX_EPOCH
        }

        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }

        async fn sleep_until(&self, _: DateTime<Utc>) {}

        async fn sleep(&self, _: Duration) {}
    }

    /// The metadata service at these ports of this host, one after the other.
    fn metadata(ports: [u16; 2]) -> Metadata<Stopped> {
        let settings = Settings { call_timeout: Duration::from_millis(200), ..Settings::default() };
        let courier = Arc::new(Courier::new(&settings, Arc::new(Stopped)).unwrap());
        let metadata = Metadata::new(&settings, courier);
        let bases = ports.map(|port| Endpoint::metadata(&format!("http://127.0.0.1:{port}/opc/v2")).unwrap());
        metadata.candidates.set(bases.into()).unwrap();
        metadata
    }

    /// A port where somebody answers with the same text to everything.
    async fn answering(text: &'static str) -> u16 {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new().fallback(move || async move { text });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        port
    }

    fn closed() -> u16 {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
    }

    async fn read(metadata: &Metadata<Stopped>) -> Result<Vec<u8>, SignInError> {
        metadata.document(REGION, Repeat::Freely).await
    }

    #[tokio::test]
    async fn an_address_that_nobody_listens_at_gives_way_to_the_next_and_stays_behind() {
        let metadata = metadata([closed(), answering("lin").await]);
        assert_eq!(read(&metadata).await.unwrap(), b"lin");
        assert_eq!(*metadata.gate.lock().await, 1);
        assert_eq!(read(&metadata).await.unwrap(), b"lin");
        let counts = metadata.courier.counts();
        let n_requests = |outcome| counts.requests.get(&("GetMetadata", outcome)).copied();
        assert_eq!((n_requests("unreachable"), n_requests("ok")), (Some(1), Some(2)));
    }

    #[tokio::test]
    async fn an_address_that_takes_connections_and_is_silent_is_not_left_for_the_next() {
        // The system accepts for it, and nobody ever reads.
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let metadata = metadata([silent.local_addr().unwrap().port(), answering("lin").await]);
        let error = read(&metadata).await.unwrap_err();
        let SignInError::Metadata { path: REGION, source } = error else { panic!("{error:?}") };
        assert_eq!(source.kind(), ErrorKind::Timeout);
        assert_eq!(*metadata.gate.lock().await, 0);
    }

    #[tokio::test]
    async fn where_nobody_listens_at_all_the_tries_come_to_an_end() {
        let metadata = metadata([closed(), closed()]);
        assert!(matches!(read(&metadata).await, Err(SignInError::Metadata { .. })));
        let counts = metadata.courier.counts();
        assert_eq!(counts.requests[&("GetMetadata", "unreachable")], 2 * u64::from(MAX_TRIES));
    }

    #[test]
    fn there_is_always_a_way_to_this_very_host() {
        assert!(has_route(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
}
