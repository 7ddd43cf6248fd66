//! The server of the admin socket: HTTP/1.1, one request for each connection, with a bound on everything that can be held
//! open. Who is at the other end is asked of the kernel once for each connection, before a byte is read.
//!
//! It is not the server of the pages: there anybody may ask and nothing changes; here few may, and a command that has begun
//! is carried out to its end, whoever hangs up.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use ocird_model::ErrorChain;
use ocird_store::Operator;
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::peer::{Denied, Porter};
use super::socket::Bound;

/// The longest request head in bytes. Ours have under 200.
const MAX_HEAD: usize = 8 * 1024;

/// The most headers a request may have.
const MAX_HEADERS: usize = 32;

/// How long a client may take to send its head.
const HEAD: Duration = Duration::from_secs(5);

/// How long a whole connection may last: a restore of a large run asks the registry some thousand times.
const CONNECTION: Duration = Duration::from_mins(15);

/// How long one may last that is only told that it may not ask.
const REFUSAL: Duration = Duration::from_secs(5);

/// Connections of those who may command, at once: a few people and their scripts.
const SEATS: usize = 16;

/// Connections of everybody else, at once; they never take a seat from the former.
const STRANGERS: usize = 4;

/// The pause after the system has refused a connection for want of something (descriptors, memory).
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How long the end of the daemon waits for answers under way, and then for commands whose client has gone; both within
/// the 45 s of its unit.
pub(super) const LAST_ANSWERS: Duration = Duration::from_secs(15);

/// Who is at the other end of a connection; attached to each of its requests.
pub(super) type Peer = Result<Operator, Denied>;

/// The socket with those who may use it.
pub(super) struct Server {
    pub(super) porter: Porter,
    pub(super) router: Router,
    seats: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
}

impl Server {
    pub(super) fn new(porter: Porter, router: Router) -> Self {
        Self {
            porter,
            router,
            seats: Arc::new(Semaphore::new(SEATS)),
            strangers: Arc::new(Semaphore::new(STRANGERS)),
        }
    }

    /// Serves until `shutdown`, then lets the answers under way end.
    pub(super) async fn serve(&self, bound: Bound, shutdown: &CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(_ended) = connections.join_next() => {}
                accepted = bound.listener.accept() => match accepted {
                    Ok((stream, _address)) => {
                        if let Some(connection) = self.admit(&stream) {
                            connections.spawn(connection.attend(stream));
                        }
                    }
                    Err(error) => bear(&error, shutdown).await,
                },
            }
        }
        // The file goes first: whoever comes now finds no daemon.
        drop(bound);
        let ended = timeout(LAST_ANSWERS, async { while connections.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!("a command over the admin socket was still under way at the end");
        }
    }

    /// A seat for whoever is at the other end, or none.
    fn admit(&self, stream: &UnixStream) -> Option<Connection> {
        // Without a word of the kernel nobody knows who it is.
        let peer = self.porter.admit(stream.peer_cred().ok()?);
        if let Err(denied) = &peer {
            tracing::warn!(error = %denied, "a command over the admin socket is refused");
        }
        let seats = if peer.is_ok() { &self.seats } else { &self.strangers };
        let seat = Arc::clone(seats).try_acquire_owned().ok()?;
        Some(Connection { peer, router: self.router.clone(), _seat: seat })
    }
}

/// Lacks of the system pass.
async fn bear(error: &io::Error, shutdown: &CancellationToken) {
    tracing::warn!(error = %ErrorChain(error), "the system refuses new connections");
    tokio::select! {
        () = sleep(ACCEPT_PAUSE) => {}
        () = shutdown.cancelled() => {}
    }
}

/// One connection: one request, one answer.
struct Connection {
    peer: Peer,
    router: Router,
    _seat: OwnedSemaphorePermit,
}

impl Connection {
    async fn attend(self, stream: UnixStream) {
        let Self { peer, router, _seat } = self;
        let longest = if peer.is_ok() { CONNECTION } else { REFUSAL };
        let router = TowerToHyperService::new(router);
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            router.call(request.map(Body::new))
        });
        let mut protocol = http1::Builder::new();
        protocol
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_header_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .keep_alive(false);
        let connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));
        match timeout(longest, connection).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(error = %ErrorChain(&error), "a connection failed"),
            Err(_elapsed) => tracing::debug!("a connection was closed for its slowness"),
        }
    }
}
