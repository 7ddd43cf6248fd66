//! `ocird status`: the page of the running daemon, on the terminal.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use crate::cli::{Failure, print};
use crate::config::Config;

/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the daemon by the address it listens on.
pub(crate) async fn status(config: &Config, json: bool) -> Result<ExitCode, Failure> {
    let path = if json { "/api/v1/status" } else { "/status" };
    let url = format!("http://{}{path}", reachable(config.http.listen));
    let page = fetch(&url)
        .await
        .with_context(|| format!("no daemon answers at {url}; is it running (systemctl status ocird)?"))
        .map_err(Failure::unavailable)?;
    Ok(print(&page))
}

async fn fetch(url: &str) -> anyhow::Result<String> {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).tls_certs_only([]).build()?;
    Ok(client.get(url).send().await?.error_for_status()?.text().await?)
}

/// The address to ask: a daemon that listens on every address is asked on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => SocketAddr::from(([127, 0, 0, 1], v4.port())),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], v6.port()))
        }
        SocketAddr::V4(_) | SocketAddr::V6(_) => listen,
    }
}
