//! The admin socket (S-32): the one way to change anything about a running daemon. HTTP over a Unix socket, on this machine
//! only; the kernel says who asks, and everything that is done is on record with who asked for it.
//!
//! | path | does |
//! |---|---|
//! | `GET /v1/pending` | what is selected, when it may go, what waits for an approval, what stands in the way |
//! | `POST /v1/approve` | approves one refused plan, by its number |
//! | `POST /v1/pause` | makes the kill switch's file |
//! | `POST /v1/resume` | takes it away, and nothing else |
//! | `POST /v1/reset` | clears breaker and freeze |
//! | `GET /v1/holds`, `POST /v1/hold`, `POST /v1/release` | holds by hand |
//! | `GET /v1/restorable`, `POST /v1/restore` | brings back what ocird deleted |
//!
//! A command works while a pass runs: it shares the store with the pass, and what it changes is looked at before every
//! deletion. What lets something go then wakes the daemon, and tells the pass nothing.
//!
//! Deliberately absent: any way to delete, to change a policy or to arm. Those are files, for people who may write them.

mod accounts;
mod client;
mod control;
mod desk;
mod peer;
mod pending;
mod problem;
mod routes;
mod serve;
mod socket;
mod undoing;
pub(crate) mod wire;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use ocird_model::ErrorChain;
use ocird_store::Operator;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::accounts::Accounts;
use self::peer::Porter;
use self::serve::{LAST_ANSWERS, Server};
use self::socket::{BindError, Bound};
use crate::config::AdminConfig;

pub(crate) use self::client::{AdminClient, AskError};
pub(crate) use self::control::{in_words as paused_in_words, lifted_in_words};
pub(crate) use self::desk::Desk;
pub(crate) use self::undoing::Restore;

/// How long to wait before the socket is tried again: another daemon may have it, or the disk may be full.
const BIND_PAUSE: Duration = Duration::from_secs(15);

/// Serves the admin socket until `shutdown`. A daemon that cannot have it goes on without, says so once, and tries again:
/// a janitor must not stop for want of a socket.
pub(crate) async fn serve(config: &AdminConfig, desk: Desk, shutdown: CancellationToken) {
    let porter = Porter::new(own_uid(), config.group.clone());
    let under_way = desk.under_way.clone();
    let server = Server::new(porter, routes::router(desk));
    let mut said = None;
    while !shutdown.is_cancelled() {
        match bind(config, &server.porter) {
            Ok(bound) => {
                tracing::info!(path = %config.socket.display(), "commands are taken over the admin socket");
                server.serve(bound, &shutdown).await;
            }
            Err(error) => {
                let text = ErrorChain(&error).to_string();
                if said.as_ref() != Some(&text) {
                    tracing::warn!(error = %text, "there is no admin socket; it is tried again");
                    said = Some(text);
                }
                tokio::select! {
                    () = sleep(BIND_PAUSE) => {}
                    () = shutdown.cancelled() => {}
                }
            }
        }
    }
    under_way.close();
    if timeout(LAST_ANSWERS, under_way.wait()).await.is_err() {
        tracing::warn!("a command over the admin socket is cut off by the end of the daemon");
    }
}

fn bind(config: &AdminConfig, porter: &Porter) -> Result<Bound, BindError> {
    let gid = porter.group_id();
    if gid.is_none()
        && let Some(group) = &config.group
    {
        tracing::warn!(error = %format!("no group {group:?} on this machine"), "the group of [admin] lets nobody in");
    }
    Bound::at(&config.socket, gid)
}

/// Who runs this program, for what is done without a daemon.
pub(crate) fn own_operator() -> Operator {
    let uid = own_uid();
    Operator { uid, name: Accounts::default().user_name(uid) }
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether a daemon has the state directory, whatever its socket does. Not knowing is no.
pub(crate) fn daemon_runs(state_dir: &Path) -> bool {
    ocird_store::is_held(state_dir).unwrap_or(false)
}
