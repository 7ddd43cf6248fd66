//! How long a page takes, alone and beside clients that take their time. Each is a connection of its own, as the daemon has it,
//! from the call to the last byte.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A whole scrape.
pub(crate) const METRICS: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// How long a slow client waits between two bytes.
const DAWDLES: Duration = Duration::from_millis(100);

/// What scrapes took.
#[derive(Debug)]
pub(crate) struct Scrapes {
    /// Sorted, in milliseconds.
    took_ms: Vec<f64>,
    /// The size of the last body in bytes, and its number of samples.
    pub(crate) body: (usize, usize),
}

impl Scrapes {
    /// Scrapes so many times, one after the other.
    pub(crate) async fn of(address: SocketAddr, request: &[u8], n: usize) -> anyhow::Result<Self> {
        let mut took_ms = Vec::with_capacity(n);
        let mut body = (0, 0);
        for _ in 0..n {
            let begun = Instant::now();
            let answer = scrape(address, request).await?;
            took_ms.push(begun.elapsed().as_secs_f64() * 1e3);
            ensure!(answer.starts_with("HTTP/1.1 200 "), "a request was refused: {answer}");
            let page = answer.split_once("\r\n\r\n").map_or("", |(_, page)| page);
            body = (page.len(), page.lines().filter(|line| !line.starts_with('#')).count());
        }
        took_ms.sort_by(f64::total_cmp);
        Ok(Self { took_ms, body })
    }

    /// The median, the 99th percentile and the slowest.
    pub(crate) fn in_words(&self) -> String {
        let at = |percent: usize| self.took_ms[(self.took_ms.len() - 1) * percent / 100];
        format!("{:.2} ms, {:.2} ms, {:.2} ms", at(50), at(99), at(100))
    }
}

async fn scrape(address: SocketAddr, request: &[u8]) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Clients that take their time, until they are dropped. Cut off, they come again.
pub(crate) struct SlowClients(#[expect(dead_code, reason = "dropping it ends them")] JoinSet<()>);

impl SlowClients {
    /// Attaches so many, and answers when each has been connected once.
    pub(crate) async fn attach(address: SocketAddr, n: usize) -> Self {
        let n_connected = Arc::new(AtomicUsize::new(0));
        let mut clients = JoinSet::new();
        for number in 0..n {
            clients.spawn(dawdle(address, number, Arc::clone(&n_connected)));
        }
        while n_connected.load(Ordering::Relaxed) < n {
            tokio::time::sleep(DAWDLES).await;
        }
        Self(clients)
    }
}

/// By number one that never says anything, one that sends its request byte by byte, one that reads its answer so.
async fn dawdle(address: SocketAddr, number: usize, n_connected: Arc<AtomicUsize>) {
    let mut is_first = true;
    loop {
        if let Ok(mut stream) = TcpStream::connect(address).await {
            if std::mem::take(&mut is_first) {
                n_connected.fetch_add(1, Ordering::Relaxed);
            }
            // However it ends, it comes again.
            match number % 3 {
                0 => drop(stream.read_u8().await),
                1 => send_slowly(&mut stream).await,
                _ => read_slowly(&mut stream).await,
            }
        }
        tokio::time::sleep(DAWDLES).await;
    }
}

async fn send_slowly(stream: &mut TcpStream) {
    for byte in METRICS.iter().take(METRICS.len() - 1) {
        if stream.write_u8(*byte).await.is_err() {
            return;
        }
        tokio::time::sleep(DAWDLES).await;
    }
}

async fn read_slowly(stream: &mut TcpStream) {
    if stream.write_all(METRICS).await.is_err() {
        return;
    }
    while stream.read_u8().await.is_ok() {
        tokio::time::sleep(DAWDLES).await;
    }
}
