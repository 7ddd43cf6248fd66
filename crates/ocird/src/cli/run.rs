//! `ocird run`: puts the parts together and lets them run.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use futures_util::FutureExt as _;
use ocird_model::Clock;
use ocird_oci::{Oci, OciWriter};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::admin::{self, Desk};
use crate::cli::{Exit, Failure, print};
use crate::clock::SystemClock;
use crate::cloud::{self, ConnectError};
use crate::config::{self, Config, LogConfig, LogFormat, Mode};
use crate::daemon::{self, Daemon, Shown, Wires};
use crate::pass::{Engine, Purpose, Survey, first_status};
use crate::status::{Board, PassResult};
use crate::undo::{self, Undo};
use crate::{log, notify};

/// The engine and the pages of one configuration.
#[derive(Debug)]
pub struct Assembled<C: Clock> {
    /// Runs passes.
    pub engine: Engine<Oci<C>, OciWriter<C>, C>,
    /// What people see.
    pub shown: Shown,
}

/// Builds the client, the engine and what people see. Nothing has been looked at yet.
///
/// # Errors
/// An endpoint is wrong, or there are no certificate authorities.
pub fn assemble<C: Clock + Clone>(config: &Config, clock: C) -> Result<Assembled<C>, ConnectError> {
    let oci = cloud::client(&config.oci, clock.clone())?;
    let board = Board::new(first_status(crate::cli::version::long(), clock.now()));
    let (writer, restorer, audit) = (oci.writer(), Arc::new(oci.restorer()), Arc::new(oci.clone()));
    let engine = Engine::new(Survey::new(config.clone(), oci), writer, clock, board.clone())
        .with_audit(audit)
        .with_restorer(restorer);
    let shown = Shown::new(board, engine.store().past());
    Ok(Assembled { engine, shown })
}

/// Runs the daemon, or one pass.
pub(crate) async fn run(config: Config, once: bool) -> Result<ExitCode, Failure> {
    init_log(&config.log)?;
    for warning in &config.warnings {
        tracing::warn!(error = %warning, "the configuration is allowed but probably not meant");
    }
    let wires = Wires::default();
    listen_to_signals(&wires)?;
    let clock = SystemClock::new();
    if once {
        return one_pass(&config, clock, &wires).await;
    }
    let listener =
        daemon::bind(&config).await.with_context(|| format!("cannot listen on {}", config.http.listen))?;
    let Assembled { engine, shown } = assemble(&config, clock)?;
    let pages = tokio::spawn({
        let (config, shown, stop) = (config.clone(), shown.clone(), wires.stop.clone());
        async move { daemon::serve(listener, &config, shown, clock, stop).await }
    });
    let commands = tokio::spawn({
        let (state_dir, socket, ended) =
            (config.state_dir.clone(), config.admin.clone(), shown.ended.clone());
        let desk = Desk {
            state_dir,
            store: engine.store(),
            restore: restore(engine.reader(), clock),
            board: shown.board.clone(),
            wake: Arc::clone(&wires.wake),
            clock: Arc::new(move || clock.now()),
            under_way: TaskTracker::new(),
        };
        async move { admin::serve(&socket, desk, ended).await }
    });
    tracing::info!(listen = %config.http.listen, "ocird has started");
    notify::ready("started; the first pass is under way");
    let watchdog = tokio::spawn(notify::watchdog(shown.heartbeat.clone(), wires.stop.clone()));
    let daemon = Daemon::new(engine, config, clock, shown, wires.clone());
    Box::pin(daemon.run(cloud::post_counts)).await;
    wires.stop.cancel();
    watchdog.await.context("the watchdog's task failed")?;
    commands.await.context("the task of the admin socket failed")?;
    pages.await.context("the pages' task failed")?.context("the pages failed")?;
    Ok(Exit::Ok.into())
}

/// What brings back for the admin socket: it reads with the client of the passes, and is the only one beside their proofs to
/// be handed the restorer.
fn restore<C: Clock + Clone>(oci: &Oci<C>, clock: C) -> admin::Restore {
    let (reader, restorer) = (oci.clone(), Arc::new(oci.restorer()));
    Arc::new(move |store, order| {
        let (reader, restorer, clock) = (reader.clone(), Arc::clone(&restorer), clock.clone());
        async move {
            let undo = Undo { reader: &reader, restorer: &*restorer, store: &store, clock: &clock };
            undo::restore(&undo, &order).await
        }
        .boxed()
    })
}

async fn one_pass(config: &Config, clock: SystemClock, wires: &Wires) -> Result<ExitCode, Failure> {
    let Assembled { mut engine, shown } = assemble(config, clock)?;
    let purpose = match config.mode {
        Mode::Report => Purpose::Observe,
        Mode::Enforce => Purpose::Enforce,
    };
    // What came of it stands on the board, which is printed below.
    drop(engine.pass(purpose, &wires.stop).await);
    engine.close().await;
    let status = shown.board.read();
    let code = print(&crate::http::screen(&status, clock.now()));
    Ok(match status.last_pass.as_ref().map(|pass| &pass.result) {
        Some(PassResult::Complete | PassResult::Partial { n_unreadable: _ }) => code,
        Some(PassResult::Failed { stage: _, error: _ }) | None => Exit::Unavailable.into(),
    })
}

fn init_log(config: &LogConfig) -> Result<(), log::InitError> {
    let format = match config.format {
        LogFormat::Text => log::Format::Text,
        LogFormat::Json => log::Format::Json,
    };
    log::init(format, config::log_destination(), &config.filter)
}

/// SIGTERM and SIGINT stop, SIGHUP reads the policies again, SIGUSR1 makes a pass.
fn listen_to_signals(wires: &Wires) -> anyhow::Result<()> {
    let wire = |kind, what: Wire| -> anyhow::Result<()> {
        let mut signals = signal(kind).context("cannot listen to signals")?;
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                what.pull();
            }
        });
        Ok(())
    };
    wire(SignalKind::terminate(), Wire::Stop(wires.clone()))?;
    wire(SignalKind::interrupt(), Wire::Stop(wires.clone()))?;
    wire(SignalKind::hangup(), Wire::Notify(Arc::clone(&wires.reload)))?;
    wire(SignalKind::user_defined1(), Wire::Notify(Arc::clone(&wires.wake)))
}

enum Wire {
    Stop(Wires),
    Notify(Arc<Notify>),
}

impl Wire {
    fn pull(&self) {
        match self {
            Self::Stop(wires) => wires.stop.cancel(),
            Self::Notify(notify) => notify.notify_one(),
        }
    }
}
