//! A tap on the wire between the binary and the simulated cloud. It passes every byte on as it is, keeps a copy, notes
//! each DELETE with the system's time, and can hold deletions back or their answers up, so that a kill lands where it
//! is wanted. It never answers by itself.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use ocird::clock::SystemClock;
use ocird_model::{Clock as _, ImageId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// One DELETE as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AskedDeletion {
    /// The image that it names.
    pub(crate) image: ImageId,
    /// When its first byte was read, by the clock that the binary reads too.
    pub(crate) at: DateTime<Utc>,
}

/// What happens to deletions on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deletions {
    /// They are passed on, and their answers come after this time.
    AnswerAfter(Duration),
    /// They are never passed on.
    HeldBack,
}

/// The tap. Clones are handles on the same one; with the last of them it is closed, and what it heard is forgotten.
#[derive(Debug, Clone)]
pub(crate) struct Tap {
    address: SocketAddr,
    wire: Arc<Mutex<Wire>>,
    _open: Arc<DropGuard>,
}

#[derive(Debug)]
struct Wire {
    deletions: Deletions,
    asked: Vec<AskedDeletion>,
    requests: Vec<u8>,
    answers: Vec<u8>,
}

impl Tap {
    /// Listens on a free port of loopback and leads to `upstream`.
    pub(crate) async fn open(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let wire = Wire {
            deletions: Deletions::AnswerAfter(Duration::ZERO),
            asked: Vec::new(),
            requests: Vec::new(),
            answers: Vec::new(),
        };
        let (address, wire) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(wire)));
        let closed = CancellationToken::new();
        tokio::spawn(accept(listener, upstream, Arc::clone(&wire), closed.clone()));
        Self { address, wire, _open: Arc::new(closed.drop_guard()) }
    }

    /// `http://127.0.0.1:<port>`.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes what happens to deletions from now on.
    pub(crate) fn set_deletions(&self, deletions: Deletions) {
        self.wire().deletions = deletions;
    }

    /// Every DELETE so far, in the order of arrival.
    pub(crate) fn asked(&self) -> Vec<AskedDeletion> {
        self.wire().asked.clone()
    }

    /// Everything that went over the wire, requests first.
    pub(crate) fn heard(&self) -> String {
        let wire = self.wire();
        let bytes = [wire.requests.as_slice(), wire.answers.as_slice()].concat();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn wire(&self) -> MutexGuard<'_, Wire> {
        lock(&self.wire)
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wire {
    /// Notes what a client says. A request begins a read of its own: HTTP/1.1 clients wait for the answer before the
    /// next, and a head fits one read. Answers what is to happen when it is a deletion.
    fn note_request(&mut self, bytes: &[u8]) -> Option<Deletions> {
        self.requests.extend_from_slice(bytes);
        let path = std::str::from_utf8(bytes.strip_prefix(b"DELETE ")?).unwrap().split(' ').next()?;
        let image = path.rsplit('/').next()?.parse().expect("a deletion names an image");
        self.asked.push(AskedDeletion { image, at: SystemClock::new().now() });
        Some(self.deletions)
    }
}

async fn accept(
    listener: TcpListener,
    upstream: SocketAddr,
    wire: Arc<Mutex<Wire>>,
    closed: CancellationToken,
) {
    while let Some(Ok((client, _))) = closed.run_until_cancelled(listener.accept()).await {
        let wire = Arc::clone(&wire);
        // Both ends close when one does: what is left to say then, nobody hears.
        tokio::spawn(async move { connect(client, upstream, &wire).await });
    }
}

async fn connect(client: TcpStream, upstream: SocketAddr, wire: &Mutex<Wire>) -> io::Result<()> {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = TcpStream::connect(upstream).await?.into_split();
    let delay = Mutex::new(Duration::ZERO);
    tokio::select! {
        ended = carry_requests(from_client, to_server, wire, &delay) => ended,
        ended = carry_answers(from_server, to_client, wire, &delay) => ended,
    }
}

async fn carry_requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    wire: &Mutex<Wire>,
    delay: &Mutex<Duration>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let n = from.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        let deletion = lock(wire).note_request(&buffer[..n]);
        let answer_after = match deletion {
            Some(Deletions::HeldBack) => std::future::pending().await,
            Some(Deletions::AnswerAfter(delay)) => delay,
            None => Duration::ZERO,
        };
        *lock(delay) = answer_after;
        to.write_all(&buffer[..n]).await?;
    }
}

async fn carry_answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    wire: &Mutex<Wire>,
    delay: &Mutex<Duration>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let n = from.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        lock(wire).answers.extend_from_slice(&buffer[..n]);
        let answer_after = *lock(delay);
        tokio::time::sleep(answer_after).await;
        to.write_all(&buffer[..n]).await?;
    }
}
