//! The server itself: HTTP/1.1 on one listener, with a bound on everything a stranger can hold open. `axum::serve`
//! installs no timer, so that a client which never ends its request would keep its connection for ever
//! (<https://github.com/tokio-rs/axum/issues/2741>); this loop does, and gives each connection one request. It runs on a
//! thread of its own, so that whoever scrapes too much takes from that thread and never from a pass.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::guard::LocalAddress;
use super::{App, router};
use ocird_model::ErrorChain;

/// The longest request head (request line and headers), in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// The most headers a request may have.
const MAX_HEADERS: usize = 64;

/// The most that one connection may have read or written and not yet passed on, in bytes; an answer is counted apart.
const MAX_BUFFER: usize = 2 * MAX_HEAD;

/// The pause after the system has refused a connection for want of something (descriptors, memory).
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Refusals in a row after which the listener counts as broken: a minute of them.
const MAX_ACCEPT_FAILURES: u32 = 60;

/// What a client may take of the server.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at the same time; one more waits at the door, the others in the listener's queue.
    pub seats: usize,
    /// How long a client may take to send its request's head.
    pub head: Duration,
    /// How long a page may take to be made.
    pub making: Duration,
    /// How long the whole answer may take, with a client that reads slowly.
    pub answer: Duration,
    /// How long a client may stay silent when another wants its seat and there is none. The longest silent then loses
    /// it, so that slow clients cannot keep Prometheus out.
    pub patience: Duration,
    /// How much longer a client that has asked may keep its seat from another.
    pub reading: Duration,
}

impl Default for Limits {
    /// 256 seats hold 200 slow clients and a scrape storm; with 32 KiB of buffers and the 0.2 MiB of the largest
    /// `/metrics` each, at most 60 MiB. An honest client sends its head at once and has its answer within milliseconds;
    /// all times are generous to it.
    fn default() -> Self {
        Self {
            seats: 256,
            head: Duration::from_secs(5),
            making: Duration::from_secs(5),
            answer: Duration::from_secs(10),
            patience: Duration::from_millis(100),
            reading: Duration::from_secs(1),
        }
    }
}

/// Serves `app` until `shutdown`, then lets the requests under way end. Fails only when the listener is broken or there
/// is no thread to be had. Dropped before its end, it is a shutdown.
pub async fn serve(listener: TcpListener, app: App, shutdown: CancellationToken) -> io::Result<()> {
    let shutdown = shutdown.child_token();
    let _unless_dropped = shutdown.clone().drop_guard();
    let listener = listener.into_std()?;
    let (tell, told) = oneshot::channel();
    let pages = move || {
        let served = serve_on_this_thread(listener, app, shutdown);
        // Nobody waits any more when the future was dropped.
        drop(tell.send(served));
    };
    thread::Builder::new().name("pages".to_owned()).spawn(pages)?;
    told.await.unwrap_or_else(|_| Err(io::Error::other("the thread of the pages has panicked")))
}

fn serve_on_this_thread(
    listener: std::net::TcpListener,
    app: App,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        serve_within(Limits::default(), listener, app, shutdown).await
    })
}

/// [`serve`] on the thread of the caller and with other limits than the usual.
pub async fn serve_within(
    limits: Limits,
    listener: TcpListener,
    app: App,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let router = router(app, &limits);
    serve_router(limits, listener, router, shutdown).await
}

/// Serves any pages behind the same limits.
pub(super) async fn serve_router(
    limits: Limits,
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let mut house = House::new(limits, router, shutdown.clone());
    let served = house.receive(listener, &shutdown).await;
    house.close().await;
    served
}

/// The connections that are open.
struct House {
    limits: Limits,
    router: Router,
    shutdown: CancellationToken,
    guests: JoinSet<()>,
    /// In the order of their arrival.
    seats: Vec<Seat>,
}

struct Seat {
    since: Instant,
    /// The whole head of the request has arrived.
    heard: Arc<AtomicBool>,
    guest: AbortHandle,
}

impl House {
    fn new(limits: Limits, router: Router, shutdown: CancellationToken) -> Self {
        Self { limits, router, shutdown, guests: JoinSet::new(), seats: Vec::new() }
    }

    /// Takes connections in until `shutdown`. Dropping the listener is what refuses the next.
    async fn receive(&mut self, listener: TcpListener, shutdown: &CancellationToken) -> io::Result<()> {
        let mut n_failures = 0;
        let mut at_the_door: Option<TcpStream> = None;
        loop {
            let dismissal = at_the_door.as_ref().and_then(|_| self.next_dismissal());
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                Some(left) = self.guests.join_next() => self.clear(left),
                () = until(dismissal) => self.dismiss_least_welcome().await,
                accepted = listener.accept(), if at_the_door.is_none() => match accepted {
                    Ok((stream, _peer)) => {
                        n_failures = 0;
                        at_the_door = Some(stream);
                    }
                    Err(error) if is_the_clients_affair(&error) => {}
                    Err(error) => {
                        n_failures += 1;
                        self.bear(error, n_failures).await?;
                    }
                },
            }
            if self.guests.len() < self.limits.seats
                && let Some(stream) = at_the_door.take()
            {
                self.seat(stream);
            }
        }
    }

    fn seat(&mut self, stream: TcpStream) {
        // A connection that has no local address is already gone.
        let Ok(local) = stream.local_addr() else { return };
        let heard = Arc::new(AtomicBool::new(false));
        let connection = Connection {
            local: LocalAddress(local.ip()),
            heard: Arc::clone(&heard),
            router: self.router.clone(),
            limits: self.limits.clone(),
        };
        let guest = self.guests.spawn(connection.attend(stream, self.shutdown.clone()));
        self.seats.push(Seat { since: Instant::now(), heard, guest });
    }

    /// After a connection has ended.
    fn clear(&mut self, left: Result<(), JoinError>) {
        if let Err(error) = left
            && error.is_panic()
        {
            tracing::error!(error = %ErrorChain(&error), "a connection panicked");
        }
        self.seats.retain(|seat| !seat.guest.is_finished());
    }

    /// The one who loses a seat first when somebody else wants it.
    fn least_welcome(&self) -> Option<&Seat> {
        self.seats.iter().min_by_key(|seat| self.welcome_until(seat))
    }

    fn next_dismissal(&self) -> Option<Instant> {
        self.least_welcome().map(|seat| self.welcome_until(seat))
    }

    fn welcome_until(&self, seat: &Seat) -> Instant {
        let Limits { patience, reading, .. } = &self.limits;
        seat.since + if seat.heard.load(Ordering::Relaxed) { *patience + *reading } else { *patience }
    }

    /// Frees a seat, unless the one whose patience ended has spoken in the meantime.
    async fn dismiss_least_welcome(&mut self) {
        let Some(seat) = self.least_welcome() else { return };
        if self.welcome_until(seat) > Instant::now() {
            return;
        }
        seat.guest.abort();
        if let Some(left) = self.guests.join_next().await {
            self.clear(left);
        }
    }

    /// Lacks of the system pass, or repeat themselves for a minute.
    async fn bear(&self, error: io::Error, n_failures: u32) -> io::Result<()> {
        if n_failures >= MAX_ACCEPT_FAILURES {
            return Err(error);
        }
        tracing::warn!(error = %ErrorChain(&error), "the system refuses new connections");
        tokio::select! {
            () = sleep(ACCEPT_PAUSE) => {}
            () = self.shutdown.cancelled() => {}
        }
        Ok(())
    }

    /// Waits for the requests under way; each ends by itself within its own limits. Who has asked nothing yet is not
    /// waited for.
    async fn close(&mut self) {
        for seat in &self.seats {
            if !seat.heard.load(Ordering::Relaxed) {
                seat.guest.abort();
            }
        }
        while let Some(left) = self.guests.join_next().await {
            self.clear(left);
        }
    }
}

/// True when a client gave up before its connection was accepted.
fn is_the_clients_affair(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

/// Returns at `at`, or never.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// One connection: one request, one answer.
struct Connection {
    local: LocalAddress,
    heard: Arc<AtomicBool>,
    router: Router,
    limits: Limits,
}

impl Connection {
    async fn attend(self, stream: TcpStream, shutdown: CancellationToken) {
        let longest = self.limits.head + self.limits.answer;
        let protocol = protocol(&self.limits);
        let pages = TowerToHyperService::new(self.router);
        let service = service_fn(move |mut request: Request<Incoming>| {
            self.heard.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(self.local);
            pages.call(request.map(Body::new))
        });
        let mut connection = pin!(protocol.serve_connection(TokioIo::new(stream), service));
        let served = async {
            tokio::select! {
                served = connection.as_mut() => served,
                () = shutdown.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        };
        match timeout(longest, served).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(error = %ErrorChain(&error), "a connection failed"),
            Err(_elapsed) => tracing::debug!("a connection was closed for its slowness"),
        }
    }
}

/// One request for each connection: it makes every bound above a bound on the connection, and a scrape every 15 s
/// gains nothing from keeping one open.
fn protocol(limits: &Limits) -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_BUFFER)
        .max_headers(MAX_HEADERS)
        .keep_alive(false);
    protocol
}
