//! What systemd is told (`Type=notify`): ready, reloading, stopping, one line of state, and that the scheduler still
//! turns. Without `NOTIFY_SOCKET` every call does nothing, so that the daemon runs the same in a terminal.
//! <https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html>

use std::io;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::http::Heartbeat;
use crate::plain::plain;
use ocird_model::ErrorChain;

/// The longest line of state, in characters: what `systemctl status` shows on one screen line.
const MAX_STATUS: usize = 200;

/// Says that the configuration is read, the store migrated and the listener bound. The cloud may be away: waiting
/// for it here would make its outage a restart loop.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&plain(status, MAX_STATUS))]);
}

/// Says that a reload has begun; [`ready`] ends it. The time is part of the protocol: without it `systemctl reload`
/// waits for ever.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => untold(&error),
    }
}

/// Says what it is doing, in one line. A line break would begin another message to systemd, so none gets through.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(&plain(status, MAX_STATUS))]);
}

/// Says that the stop has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// How long systemd waits for a sign of life before it restarts the service; `None` when it does not watch.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// Tells systemd of each beat that it may believe in, until `shutdown`; returns at once when nobody watches.
pub async fn watchdog(heartbeat: Heartbeat, shutdown: CancellationToken) {
    if let Some(watched) = watchdog_interval() {
        watch(watched, &heartbeat, &shutdown, || tell(&[NotifyState::Watchdog])).await;
    }
}

/// Pings twice in each watched interval, as the protocol advises, but only while the heart beats: a bare timer would
/// vouch for a scheduler that hangs.
async fn watch(
    watched: Duration,
    heartbeat: &Heartbeat,
    shutdown: &CancellationToken,
    mut ping: impl FnMut(),
) {
    let mut ticks = interval((watched / 2).max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_alive = true;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _at = ticks.tick() => {}
        }
        let is_alive = heartbeat.is_alive();
        if is_alive {
            ping();
        } else if was_alive {
            tracing::error!("the scheduler gives no sign of life; systemd will restart the service");
        }
        was_alive = is_alive;
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        untold(&error);
    }
}

fn untold(error: &io::Error) {
    tracing::warn!(error = %ErrorChain(error), "systemd could not be told");
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::process::{Command, Stdio};

    use super::*;

    /// What the parent test runs in a process of its own, since the environment of this one must not change.
    #[test]
    fn child_process_tells_its_story() {
        ready("observing;\nMAINPID=1");
        reloading();
        status("\u{1b}[31mpass 7");
        stopping();
    }

    #[test]
    fn systemd_hears_each_state_and_no_forged_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "notify::tests::child_process_tells_its_story"])
            .env("NOTIFY_SOCKET", &path)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        socket.set_nonblocking(true).unwrap();
        let mut heard = Vec::new();
        let mut buffer = [0; 512];
        while let Ok(n) = socket.recv(&mut buffer) {
            heard.push(String::from_utf8(buffer[..n].to_vec()).unwrap());
        }
        assert_eq!(heard[0], "READY=1\nSTATUS=observing; MAINPID=1\n");
        let time = heard[1].strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(time.trim_end().parse::<u64>().unwrap() > 0);
        assert_eq!(heard[2], "STATUS=pass 7\n");
        assert_eq!(heard[3], "STOPPING=1\nSTATUS=stopping\n");
        assert_eq!(heard.len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_pinged_only_while_the_scheduler_beats() {
        let heartbeat = Heartbeat::new(Duration::from_mins(1));
        let shutdown = CancellationToken::new();
        let mut n_pings = 0;
        let watched = Duration::from_mins(1);
        let stop_after = tokio::time::timeout(
            Duration::from_secs(301),
            watch(watched, &heartbeat, &shutdown, || n_pings += 1),
        );
        assert!(stop_after.await.is_err());
        assert_eq!(n_pings, 3, "at 0, 30 and 60 s; silent from then on");
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_ends_with_the_daemon() {
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        watch(Duration::from_mins(1), &Heartbeat::new(Duration::from_mins(1)), &shutdown, || {}).await;
    }
}
