//! `ocird status`: the page of the running daemon, on the terminal.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::{Exit, print, say};
use crate::config::Config;
use crate::plain::plain;

/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What shows an operator why there is no daemon.
const LOOK: &str = "systemctl status ocird";

/// The longest cause, in characters.
const MAX_CAUSE: usize = 200;

/// Asks the daemon by the address it listens on.
pub(crate) async fn status(config: &Config, json: bool) -> ExitCode {
    let path = if json { "/api/v1/status" } else { "/status" };
    let url = format!("http://{}{path}", reachable(config.http.listen));
    match fetch(&url).await {
        Ok(page) => print(&page),
        // Of the chain of causes the last says it; the others say again that there was a request, and where to.
        Err(error) => {
            let cause = plain(&error.root_cause().to_string(), MAX_CAUSE);
            let text = format!("ocird: no daemon answers at {url}: {cause}\nSee whether it runs: {LOOK}");
            say(&text, Exit::Unavailable)
        }
    }
}

/// The page at `url`, from a daemon on this machine.
pub(super) async fn fetch(url: &str) -> anyhow::Result<String> {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).tls_certs_only([]).build()?;
    Ok(client.get(url).send().await?.error_for_status()?.text().await?)
}

/// The address to ask: a daemon that listens on every address is asked on loopback.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => SocketAddr::from(([127, 0, 0, 1], v4.port())),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], v6.port()))
        }
        SocketAddr::V4(_) | SocketAddr::V6(_) => listen,
    }
}
