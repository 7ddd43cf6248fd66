//! The resident loop: schedules and triggers wake the engine, the board is served over HTTP, systemd is kept informed.
//!
//! Triggers tell a pass nothing and collapse: two that arrive during one pass cause one more pass.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Clock, ReadRegistry, WriteRegistry};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::config::{self, Config, Mode};
use crate::http::{self, AllowedHosts, App, Heartbeat};
use crate::metrics::Metrics;
use crate::notify;
use crate::pass::{Engine, Purpose, SharedPast};
use crate::status::{Board, Check};

/// How often the loop shows that it turns, while it waits and while a pass runs.
const BEAT: Duration = Duration::from_secs(15);

/// A pass that takes longer than this has hung: the heart stops beating and systemd starts the daemon anew. The
/// longest honest pass, a first look at 500 repositories of a throttling service, takes minutes.
const LONGEST_PASS: Duration = Duration::from_hours(3);

/// What wakes, reloads and stops the daemon. Clones share the same wires.
#[derive(Debug, Clone, Default)]
pub struct Wires {
    /// Makes a pass now.
    pub wake: Arc<Notify>,
    /// Reads the policies again.
    pub reload: Arc<Notify>,
    /// Ends the daemon between two actions.
    pub stop: CancellationToken,
}

/// The parts of a daemon that are shared between its loop and its pages.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The picture everybody is shown.
    pub board: Board,
    /// What happened before, as the store keeps it.
    pub past: SharedPast,
    /// The numbers of `/metrics`.
    pub metrics: Metrics,
    /// The pulse of the loop.
    pub heartbeat: Heartbeat,
    /// Cancelled when the loop has ended. The pages close then and not at the stop, so that `/readyz` can say that it
    /// is stopping while the last action is finished.
    pub ended: CancellationToken,
}

impl Shown {
    /// What people see of a daemon that has not begun.
    pub fn new(board: Board, past: SharedPast) -> Self {
        let metrics = Metrics::new(&board);
        let heartbeat = Heartbeat::new(Heartbeat::PATIENCE);
        Self { board, past, metrics, heartbeat, ended: CancellationToken::new() }
    }
}

/// Binds the address of `[http] listen`, so that a taken port is an error at the start and not later.
pub async fn bind(config: &Config) -> io::Result<TcpListener> {
    let address: SocketAddr = config.http.listen;
    TcpListener::bind(address).await
}

/// Serves the pages until the loop has ended, and answers when the last request has. From `stop` on they say that it
/// is stopping.
pub async fn serve<C: Clock + Clone>(
    listener: TcpListener,
    config: &Config,
    shown: Shown,
    clock: C,
    stop: CancellationToken,
) -> io::Result<()> {
    let Shown { board, past, metrics, heartbeat, ended } = shown;
    let app = App {
        board,
        past,
        price: config.price.clone(),
        metrics,
        clock: Arc::new(move || clock.now()),
        heartbeat,
        stopping: stop,
        hosts: AllowedHosts::new(config.http.names.iter().cloned()),
    };
    http::serve(listener, app, ended).await
}

/// The loop of the daemon.
#[derive(Debug)]
pub struct Daemon<R, W, C> {
    engine: Engine<R, W, C>,
    config: Config,
    clock: C,
    shown: Shown,
    wires: Wires,
    /// Enforcing passes are due at the times of the schedule after this instant.
    enforced_until: DateTime<Utc>,
}

impl<R: ReadRegistry, W: WriteRegistry, C: Clock + Clone> Daemon<R, W, C> {
    /// A daemon that has not begun.
    pub fn new(engine: Engine<R, W, C>, config: Config, clock: C, shown: Shown, wires: Wires) -> Self {
        let enforced_until = clock.now();
        Self { engine, config, clock, shown, wires, enforced_until }
    }

    /// Passes at the start, then by schedule and trigger, until the stop. `after_pass` is called after each pass: it
    /// takes the client's own counts to the metrics.
    pub fn run(self, after_pass: fn(&R, &Metrics)) -> impl Future<Output = ()> + Send {
        self.passes(after_pass)
    }

    async fn passes(mut self, after_pass: fn(&R, &Metrics)) {
        // However it ends: pages that outlived a loop that panicked would show its last picture for ever.
        let _ended = self.shown.ended.clone().drop_guard();
        let mut purpose = Purpose::Observe;
        loop {
            self.pass(purpose).await;
            after_pass(self.engine.reader(), &self.shown.metrics);
            if self.wires.stop.is_cancelled() {
                break;
            }
            match self.wait().await {
                Some(next) => purpose = next,
                None => break,
            }
        }
        notify::stopping();
        self.engine.close().await;
    }

    /// One pass, with the heart beating while it runs, unless it hangs.
    async fn pass(&mut self, purpose: Purpose) {
        let pass = self.engine.pass(purpose, &self.wires.stop);
        tokio::pin!(pass);
        let mut beat = tokio::time::interval(BEAT);
        let began = tokio::time::Instant::now();
        loop {
            tokio::select! {
                // What came of it stands on the board and in the log.
                _ = &mut pass => break,
                _ = beat.tick(), if began.elapsed() < LONGEST_PASS => self.shown.heartbeat.beat(),
            }
        }
    }

    /// Waits for the next pass; `None` when there is to be none.
    async fn wait(&mut self) -> Option<Purpose> {
        let (at, purpose) = self.next();
        notify::status(&self.summary(at));
        let mut beat = tokio::time::interval(BEAT);
        loop {
            tokio::select! {
                biased;
                () = self.wires.stop.cancelled() => return None,
                () = self.wires.reload.notified() => {
                    if self.reload() {
                        return Some(Purpose::Observe);
                    }
                }
                () = self.wires.wake.notified() => return Some(Purpose::Observe),
                () = self.clock.sleep_until(at) => {
                    if purpose == Purpose::Enforce {
                        self.enforced_until = self.clock.now();
                    }
                    return Some(purpose);
                }
                _ = beat.tick() => self.shown.heartbeat.beat(),
            }
        }
    }

    /// When the next pass is due, and what for. An enforcing pass whose time went by during another pass is due at
    /// once: a schedule that always collides with a long pass must not starve it.
    fn next(&mut self) -> (DateTime<Utc>, Purpose) {
        let now = self.clock.now();
        let observe = self.config.schedule.observe.next_after(now);
        let enforce = match self.config.mode {
            Mode::Report => None,
            Mode::Enforce => self.next_enforcing(),
        };
        self.shown.board.update(|status| {
            status.next_observe_at = observe;
            status.next_enforce_at = enforce;
        });
        match (observe, enforce) {
            (Some(observe), Some(enforce)) if enforce <= observe => (enforce, Purpose::Enforce),
            (None, Some(enforce)) => (enforce, Purpose::Enforce),
            (Some(observe), _) => (observe, Purpose::Observe),
            // A schedule that never fires does not pass the configuration's check; a day later it is asked again.
            (None, None) => (now + TimeDelta::days(1), Purpose::Observe),
        }
    }

    /// The next time of the enforcing schedule that lies in the window: one that went by while the window was open and
    /// still is, or one to come.
    fn next_enforcing(&self) -> Option<DateTime<Utc>> {
        let schedule = &self.config.schedule;
        let now = self.clock.now();
        // A clock that was ahead once must not keep the next pass away until its time comes again.
        let mut at = schedule.enforce.next_after(self.enforced_until.min(now))?;
        if at <= now && schedule.window.is_some_and(|window| !window.contains(now)) {
            at = schedule.enforce.next_after(now)?;
        }
        // A year of hourly times: whatever has not met the window by then never will.
        for _ in 0..366 * 24 {
            if schedule.window.is_none_or(|window| window.contains(at)) {
                return Some(at);
            }
            at = schedule.enforce.next_after(at)?;
        }
        None
    }

    /// Reads the policies again, and answers whether they are in force: a pass then shows what they mean. Bad ones are
    /// refused, and the old ones stay.
    fn reload(&mut self) -> bool {
        notify::reloading();
        let now = self.clock.now();
        let loaded = config::load_policies(&self.config);
        let in_force = loaded.is_ok();
        match loaded {
            Ok(policies) => {
                tracing::info!(
                    n_policies = policies.policies.len(),
                    "the policies are read again and in force"
                );
                self.engine.set_policies(policies);
                self.shown.board.update(|status| {
                    status.checks.policies = Check::Ok;
                    status.counts.policies_loaded_at = Some(now);
                    *status.counts.n_reloads.entry("ok").or_default() += 1;
                });
            }
            Err(problems) => {
                tracing::error!(error = %problems, "the new policies are refused, the old ones stay in force");
                self.shown.board.update(|status| {
                    let text =
                        format!("the new policies are refused, the old ones stay in force: {problems}");
                    status.checks.policies = Check::Failed { text };
                    *status.counts.n_reloads.entry("refused").or_default() += 1;
                });
            }
        }
        notify::ready(if in_force { "the policies are read again" } else { "the new policies are refused" });
        in_force
    }

    /// One line for `systemctl status`.
    fn summary(&self, next: DateTime<Utc>) -> String {
        let status = self.shown.board.read();
        let next = next.format("%H:%M UTC");
        match &status.refusals[..] {
            [] => format!(
                "{} repositories, {} pending; next pass {next}",
                status.repositories.len(),
                status.pending.len()
            ),
            [first, ..] => {
                format!("{} repositories; {}; next pass {next}", status.repositories.len(), first.text)
            }
        }
    }
}
