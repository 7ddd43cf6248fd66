//! The daemon of one fate: the real engine on the in-process face, and everything that befalls it and its store between two
//! passes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use ocird::config;
use ocird::pass::{Engine, Purpose, SharedStore, Survey, first_status};
use ocird::status::Board;
use ocird_model::{Clock as _, RepositoryState};
use ocird_store::Store;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use tokio_util::sync::CancellationToken;

use super::laws::{Seen, Written};
use crate::clock::{ClockView, SimClock};
use crate::face::{Bystander, Face, FaceWriter};
use crate::tenancy::Tenancy;

/// Where a daemon runs.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) tenancy: Tenancy,
    pub(super) clock: ClockView,
    pub(super) directory: PathBuf,
    /// Who stands between it and the tenancy.
    pub(super) bystander: Option<Arc<dyn Bystander>>,
}

/// A daemon with its state directory.
#[derive(Debug)]
pub(super) struct Daemon {
    engine: Engine<Face, FaceWriter, ClockView>,
    pub(super) board: Board,
    pub(super) state_dir: PathBuf,
    clock: ClockView,
    config_file: &'static str,
}

impl Daemon {
    /// Starts a daemon by the configuration of this name.
    pub(super) fn start(place: &Place, config_file: &'static str) -> anyhow::Result<Self> {
        let config = config::load(&place.directory.join(config_file))?;
        let clock = place.clock.clone();
        let face = Face::new(place.tenancy.clone(), clock.clone());
        let face = match &place.bystander {
            Some(bystander) => face.beside(Arc::clone(bystander)),
            None => face,
        };
        let (writer, restorer) = (face.writer(), Arc::new(face.restorer()));
        let board = Board::new(first_status("of fate".to_owned(), clock.now()));
        let state_dir = config.state_dir.clone();
        let engine = Engine::new(Survey::new(config, face), writer, clock.clone(), board.clone());
        let engine = engine.with_restorer(restorer);
        Ok(Self { engine, board, state_dir, clock, config_file })
    }

    /// Stops it in order.
    pub(super) async fn stop(self) {
        self.engine.close().await;
    }

    /// Reads the policies again.
    pub(super) fn reload(&mut self, directory: &Path) -> anyhow::Result<()> {
        self.engine.set_policies(config::load(&directory.join(self.config_file))?.policies);
        Ok(())
    }

    /// One pass, to its end or to the daemon's, which `died` tells.
    pub(super) async fn pass(
        &mut self,
        sim: &SimClock,
        purpose: Purpose,
        died: impl Future<Output = ()>,
    ) -> anyhow::Result<Seen> {
        let stop = CancellationToken::new();
        let began = self.clock.now();
        let only_observed = purpose == Purpose::Observe;
        let mut store = Rest { shared: self.engine.store(), store: None };
        let pass = self.engine.pass(purpose, &stop);
        tokio::pin!(pass, died);
        let decided = loop {
            let stands_still = async {
                let died = tokio::select! {
                    biased;
                    () = &mut died => true,
                    () = sim.wait_until_sleeping() => false,
                };
                store.rest().await;
                died
            };
            tokio::select! {
                biased;
                decided = &mut pass => break decided,
                died = stands_still => {
                    if died {
                        return Ok(Seen { only_observed, died, ..Seen::default() });
                    }
                    sim.advance_to(sim.next_deadline().unwrap_or_else(|| sim.now()));
                }
            }
        };
        let complete = decided.ok().map(|decided| {
            let whole = |(name, state): (_, &RepositoryState)| state.complete().map(|_| format!("{name}"));
            decided.inventory.repositories.iter().filter_map(|(name, state)| whole((name, state))).collect()
        });
        let written = if !self.board.read().checks.store.is_failed() {
            Written::Everything
        } else if has_recorded(&self.state_dir, began).await? {
            Written::Decided
        } else {
            Written::Nothing
        };
        Ok(Seen { complete, written, only_observed, died: false })
    }
}

/// Whether the pass that began then is on record.
async fn has_recorded(state_dir: &Path, began: DateTime<Utc>) -> anyhow::Result<bool> {
    let path = state_dir.join(STORE);
    if !path.exists() {
        return Ok(false);
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let select = "SELECT started_at FROM passes ORDER BY id DESC LIMIT 1";
    let latest: Option<i64> = sqlx::query_scalar(select).fetch_optional(&mut connection).await?;
    connection.close().await?;
    Ok(latest == Some(began.timestamp_millis()))
}

/// The store of a pass, which works on a thread of its own, in real time. Nothing may depend on how fast that is: time passes,
/// and a daemon dies, while it rests.
struct Rest {
    shared: SharedStore,
    /// The store as it was shared last: one that has failed is shared no more, and is still asked.
    store: Option<Arc<Store>>,
}

impl Rest {
    async fn rest(&mut self) {
        loop {
            self.store = self.shared.get().ok().or(self.store.take());
            if self.store.as_ref().is_none_or(|store| store.is_at_rest()) {
                return;
            }
            std::thread::yield_now();
            tokio::task::yield_now().await;
        }
    }
}

/// What people do who look after a daemon: they have read what it says, and lift what only people lift. The store is
/// closed meanwhile. Answers what they did.
pub(super) async fn look_after(state_dir: &Path, now: DateTime<Utc>) -> anyhow::Result<Vec<Served>> {
    // Whatever is wrong with it, the daemon says so itself.
    let Ok(store) = Store::open(state_dir, now).await else { return Ok(Vec::new()) };
    let mut served = Vec::new();
    let brakes = store.brakes().await?;
    if let Some(plan) = brakes.refused {
        store.approve(plan.id, "person", now).await?;
        served.push(Served::Approved);
    }
    let is_ahead = store.newest_time().await?.is_some_and(|newest| newest > now);
    if brakes.breaker.is_some() || brakes.freeze.is_some() || is_ahead {
        store.reset("person", now).await?;
        served.push(Served::Reset);
    }
    store.close().await;
    Ok(served)
}

/// Something that people did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Served {
    /// They approved a plan that was too large.
    Approved,
    /// They reset breaker, freeze and ramp.
    Reset,
}

/// The name of the store.
const STORE: &str = "ocird.db";

/// Copies a closed store in the place of another. A daemon that died may hold it open a moment longer, and then the latest lies
/// beside it in the log.
pub(super) fn copy_store(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    lose_store(to, false)?;
    std::fs::copy(from.join(STORE), to.join(STORE))?;
    let log = format!("{STORE}-wal");
    if from.join(&log).exists() {
        std::fs::copy(from.join(&log), to.join(&log))?;
    }
    Ok(())
}

/// Takes a closed store away, with its lock file where the whole directory is lost.
pub(super) fn lose_store(state_dir: &Path, with_lock: bool) -> io::Result<()> {
    for entry in std::fs::read_dir(state_dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_store = name.to_string_lossy().starts_with(STORE);
        if is_store || (with_lock && name == "ocird.lock") {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The tables whose writing may fail, each of which another step of a pass writes.
pub(super) const TABLES: [&str; 6] = ["store", "marks", "intents", "outcomes", "images", "passes"];

/// Lets every write to a table fail, as a full disk would, or lets them go right again.
pub(super) async fn fill_disk(state_dir: &Path, table: &str, full: bool) -> anyhow::Result<()> {
    let path = state_dir.join(STORE);
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(false);
    let mut connection = SqliteConnection::connect_with(&options).await.context("the store of a fate")?;
    for (event, name) in [("INSERT", "full_insert"), ("UPDATE", "full_update")] {
        let sql = if full {
            format!(
                "CREATE TRIGGER {name} BEFORE {event} ON {table} BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
            )
        } else {
            format!("DROP TRIGGER IF EXISTS {name}")
        };
        sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await?;
    }
    connection.close().await?;
    Ok(())
}
