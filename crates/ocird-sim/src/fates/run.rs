//! One fate from its beginning to its end: months of life under misfortune, and then a calm in which everything that is due
//! must go, or the daemon has frozen for good with nothing wrong.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use ocird::pass::Purpose;
use ocird::status::{ClearedBy, RefusalCode};
use ocird_model::{Clock as _, Digest, Rule, Tag};

use super::daemon::{Daemon, Served, TABLES, copy_store, fill_disk, look_after, lose_store};
use super::kinds::{Allowed, FaultTable, Misfortune};
use super::laws::{Broken, Seen, journaled};
use super::scene::{LITTER, Scene};
use super::weaver::Weaver;
use crate::iam::{Iam, Scope};
use crate::settings::parsed;
use crate::truth::Oracle;

/// How long a fate lasts before the calm.
const LIFE: TimeDelta = TimeDelta::days(76);

/// How long the calm lasts. What is certain to go is at most three days old then, waits for two days of grace, and is
/// behind whatever else is due.
const CALM: TimeDelta = TimeDelta::days(18);

/// Memory as a file system, where there is one.
const MEMORY: &str = "/dev/shm";

/// What may happen in a fate, and what is kept of it.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// The kinds of misfortune that it may meet.
    pub allowed: Allowed,
    /// Whether the log is kept line by line.
    pub keep_log: bool,
    /// How long it lasts before the calm; 76 days when nothing is said.
    pub days: Option<i64>,
}

/// How one fate went.
#[derive(Debug, Clone)]
pub struct Fate {
    /// Its seed.
    pub seed: u64,
    /// How much time passed in it.
    pub lasted: TimeDelta,
    /// Number of passes.
    pub n_passes: u64,
    /// Number of images that the daemon deleted.
    pub n_deleted: u64,
    /// Number of families that it brought back because somebody wanted them after all.
    pub n_restored: u64,
    /// What was dealt out.
    pub faults: FaultTable,
    /// Every law that was broken; none in a good fate.
    pub broken: Vec<Broken>,
    /// The digest of everything that happened.
    pub digest: Digest,
    /// Everything that happened, where it is kept.
    pub log: Vec<String>,
}

/// A fate on its way.
struct Course {
    weaver: Weaver,
    directory: PathBuf,
    daemon: Option<Daemon>,
    second: Option<Daemon>,
    /// How many passes of the first daemon the copy of its store remembers, where there is one.
    copy: Option<u64>,
    n_passes: u64,
    /// Passes of the first daemon.
    n_own_passes: u64,
    n_calls: u64,
}

/// Lives through the fate of a seed, on a runtime of one thread.
///
/// # Errors
/// The fate could not be lived for want of room, files or a runtime. Broken laws are no error: they are in the answer.
pub fn live(seed: u64, terms: &Terms) -> anyhow::Result<Fate> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(course(seed, terms))
}

async fn course(seed: u64, terms: &Terms) -> anyhow::Result<Fate> {
    let directory = scratch()?;
    let scene = Scene::new(seed, terms.allowed.clone(), terms.keep_log, directory.path())?;
    let began = scene.tenancy.now();
    let weaver = Weaver::new(scene);
    let daemon = Daemon::start(&weaver.place(), "ocird.toml")?;
    let mut course = Course {
        weaver,
        directory: directory.path().to_owned(),
        daemon: Some(daemon),
        second: None,
        copy: None,
        n_passes: 0,
        n_own_passes: 0,
        n_calls: 0,
    };
    course.weaver.scene().ledger.forget_store(began);
    let life = terms.days.map_or(LIFE, TimeDelta::days);
    course.live_on(began + life).await?;
    if !course.is_broken() {
        course.calm().await?;
    }
    if let Some(daemon) = course.daemon.take() {
        daemon.stop().await;
    }
    let mut scene = course.weaver.scene();
    Ok(Fate {
        seed,
        lasted: scene.tenancy.now() - began,
        n_passes: course.n_passes,
        n_deleted: scene.n_deleted() as u64,
        n_restored: scene.n_restored,
        faults: scene.table.clone(),
        broken: std::mem::take(&mut scene.ledger.broken),
        digest: scene.log.digest(),
        log: scene.log.take_lines(),
    })
}

impl Course {
    /// Pass after pass, until the time is over or a law is broken.
    async fn live_on(&mut self, end: DateTime<Utc>) -> anyhow::Result<()> {
        while self.weaver.scene().tenancy.now() < end && !self.is_broken() {
            self.weaver.scene().live_until_next_pass(true);
            self.befall().await?;
            self.weaver.scene().disturb_hosts()?;
            self.weaver.scene().collect()?;
            let full = self.fill().await?;
            self.one_pass().await?;
            if full && let Some(daemon) = &self.daemon {
                fill_disk(&daemon.state_dir, "store", false).await?;
            }
        }
        Ok(())
    }

    fn is_broken(&self) -> bool {
        !self.weaver.scene().ledger.broken.is_empty()
    }

    fn running(&mut self) -> anyhow::Result<&mut Daemon> {
        self.daemon.as_mut().context("a daemon runs between two misfortunes")
    }

    async fn one_pass(&mut self) -> anyhow::Result<()> {
        let weaver = self.weaver.clone();
        let is_second = self.second.is_some() && self.throw(5_000);
        let purpose = {
            let mut scene = weaver.scene();
            let rate = scene.rates.daemon;
            // A pass of a few dozen calls; the daemon dies before one of them or after its effect.
            let dies_at =
                scene.dice.chance(rate / 2).then(|| scene.dice.between(2, 2 * self.n_calls.max(20)));
            let dies_at = dies_at.filter(|_| scene.allowed.has(Misfortune::Crash));
            scene.begin_pass(usize::from(is_second), dies_at);
            if scene.dice.chance(2_500) { Purpose::Observe } else { Purpose::Enforce }
        };
        let chosen = if is_second { self.second.as_mut() } else { self.daemon.as_mut() };
        let daemon = chosen.context("a daemon runs between two misfortunes")?;
        let sim = weaver.scene().tenancy.clock().clone();
        let seen = daemon.pass(&sim, purpose, weaver.died()).await?;
        let board = daemon.board.clone();
        if seen.died {
            self.bury(is_second)?;
        }
        self.n_passes += 1;
        self.n_own_passes += u64::from(!is_second);
        // Who acted knows best what it did; of what came to light late the other one may.
        let mut state_dirs = [self.directory.join("state"), self.directory.join("state-2")];
        if is_second {
            state_dirs.reverse();
        }
        self.judge(&state_dirs, &seen).await?;
        let mut scene = weaver.scene();
        self.n_calls = scene.n_calls;
        let at = scene.tenancy.now();
        let status = board.read();
        let codes: Vec<&str> = status.refusals.iter().map(|refusal| refusal.code.as_str()).collect();
        scene.log.note(
            at,
            format_args!(
                "pass {} {purpose:?} second {is_second} died {} ramp {} refusals {codes:?}",
                self.n_passes, seen.died, status.brakes.n_proved
            ),
        );
        Ok(())
    }

    async fn judge(&self, state_dirs: &[PathBuf], seen: &Seen) -> anyhow::Result<()> {
        let deleted = self.weaver.scene().deleted_in_pass();
        let deleted = journaled(state_dirs, deleted).await?;
        self.weaver.scene().judge_pass(&deleted, seen);
        Ok(())
    }

    /// A daemon that died is dropped as it was, and another one started.
    fn bury(&mut self, is_second: bool) -> anyhow::Result<()> {
        if is_second {
            self.second = None;
        } else {
            self.daemon = None;
            self.daemon = Some(Daemon::start(&self.weaver.place(), "ocird.toml")?);
        }
        Ok(())
    }

    /// What happens to the daemon, its store, its rights and its switch between two passes.
    async fn befall(&mut self) -> anyhow::Result<()> {
        let (rate, is_paused) = {
            let mut scene = self.weaver.scene();
            let clock = scene.rates.clock;
            if scene.dice.chance(clock) {
                scene.set_clock();
            } else if scene.dice.chance(3_000) {
                scene.clock.set_skew(TimeDelta::zero());
            }
            (scene.rates.daemon, scene.ledger.paused_since.is_some())
        };
        if is_paused && self.throw(4_000) {
            self.weaver.scene().unpause()?;
        }
        if self.throw(3_000) {
            self.weaver.scene().tenancy.set_iam(Iam::everything());
        }
        self.weaver.scene().want_no_more(false);
        if !self.throw(rate) {
            return self.serve_people(2_500).await;
        }
        let kind = {
            let mut scene = self.weaver.scene();
            let kinds = [
                Misfortune::PolicyEdited,
                Misfortune::PolicyEdited,
                Misfortune::RightLost,
                Misfortune::Restart,
                Misfortune::StoreOld,
                Misfortune::StoreOld,
                Misfortune::StoreLost,
                Misfortune::Gap,
                Misfortune::SecondDaemon,
                Misfortune::WantedAfterAll,
                Misfortune::WantedAfterAll,
            ];
            let kind = scene.dice.one_of(kinds);
            // Nothing may have gone that anybody could want.
            let can_happen =
                kind != Misfortune::WantedAfterAll || (scene.allowed.has(kind) && scene.want_what_is_gone());
            if !(can_happen && scene.deal(kind)) {
                return Ok(());
            }
            kind
        };
        self.suffer(kind).await
    }

    fn throw(&self, of_ten_thousand: u32) -> bool {
        self.weaver.scene().dice.chance(of_ten_thousand)
    }

    async fn suffer(&mut self, kind: Misfortune) -> anyhow::Result<()> {
        match kind {
            Misfortune::PolicyEdited => {
                self.weaver.scene().edit_policy()?;
                let directory = self.directory.clone();
                self.running()?.reload(&directory)?;
                if let Some(second) = &mut self.second {
                    second.reload(&directory)?;
                }
            }
            Misfortune::RightLost => self.lose_right(),
            Misfortune::Restart => self.restart(|_| Ok(())).await?,
            Misfortune::StoreOld => self.put_back_store().await?,
            Misfortune::StoreLost => {
                let with_lock = self.throw(5_000);
                self.restart(|state_dir| lose_store(state_dir, with_lock)).await?;
                self.forget_store();
            }
            Misfortune::Gap => {
                let mut scene = self.weaver.scene();
                let days = scene.dice.within(1, 4);
                scene.next_pass_at += TimeDelta::days(days);
                scene.live_until_next_pass(true);
            }
            Misfortune::SecondDaemon => self.bring_second().await?,
            _ => {}
        }
        Ok(())
    }

    fn lose_right(&self) {
        let mut scene = self.weaver.scene();
        let names = scene.repositories.clone();
        let some = scene.dice.pick(&names).cloned();
        let everything = Iam::everything();
        let others = some.map_or_else(Vec::new, |name| vec![Scope::Exactly(name)]);
        let iam = match scene.dice.between(0, 3) {
            0 => Iam { inspect: false, ..everything },
            1 => Iam { read: others, ..everything },
            2 => Iam { update: others, ..everything },
            _ => Iam::nothing(),
        };
        scene.tenancy.set_iam(iam);
    }

    /// Stops the daemon, does something to its closed store, and starts it again.
    async fn restart(&mut self, change: impl FnOnce(&Path) -> std::io::Result<()>) -> anyhow::Result<()> {
        let daemon = self.daemon.take().context("a daemon runs between two misfortunes")?;
        let state_dir = daemon.state_dir.clone();
        daemon.stop().await;
        change(&state_dir)?;
        self.daemon = Some(Daemon::start(&self.weaver.place(), "ocird.toml")?);
        Ok(())
    }

    fn forget_store(&self) {
        let mut scene = self.weaver.scene();
        let now = scene.tenancy.now();
        scene.ledger.forget_store(now);
    }

    /// The first time a copy is made, afterwards it is put back.
    async fn put_back_store(&mut self) -> anyhow::Result<()> {
        let saved = self.directory.join("saved");
        let Some(n_remembered) = self.copy.take() else {
            self.restart(|state_dir| {
                if state_dir.join("ocird.db").exists() { copy_store(state_dir, &saved) } else { Ok(()) }
            })
            .await?;
            self.copy = saved.join("ocird.db").exists().then_some(self.n_own_passes);
            return Ok(());
        };
        self.restart(|state_dir| copy_store(&saved, state_dir)).await?;
        // One that remembers every pass is the same store.
        if n_remembered < self.n_own_passes {
            self.forget_store();
        }
        Ok(())
    }

    /// A second daemon on a copy of the store, or its end.
    async fn bring_second(&mut self) -> anyhow::Result<()> {
        if let Some(second) = self.second.take() {
            second.stop().await;
            return Ok(());
        }
        let copy = self.directory.join("state-2");
        self.restart(|state_dir| {
            if !state_dir.join("ocird.db").exists() {
                return Ok(());
            }
            std::fs::create_dir_all(&copy)?;
            lose_store(&copy, true)?;
            copy_store(state_dir, &copy)
        })
        .await?;
        {
            let mut scene = self.weaver.scene();
            std::fs::create_dir_all(&copy)?;
            scene.write_config("ocird-2.toml", "state-2")?;
            let now = scene.tenancy.now();
            scene.ledger.begin_second(now);
            if scene.ledger.paused_since.is_some() {
                scene.pause();
            }
        }
        self.second = Some(Daemon::start(&self.weaver.place(), "ocird-2.toml")?);
        Ok(())
    }

    /// Before a pass the disk may be full for one of the steps.
    async fn fill(&mut self) -> anyhow::Result<bool> {
        let table = {
            let mut scene = self.weaver.scene();
            let rate = scene.rates.daemon;
            if !(scene.dice.chance(rate / 3) && scene.allowed.has(Misfortune::StoreFull)) {
                return Ok(false);
            }
            scene.dice.one_of(TABLES)
        };
        let state_dir = self.running()?.state_dir.clone();
        if !state_dir.join("ocird.db").exists() {
            return Ok(false);
        }
        self.weaver.scene().deal(Misfortune::StoreFull);
        fill_disk(&state_dir, table, true).await?;
        Ok(true)
    }

    /// People who look after the daemon, so often in ten thousand passes: they lift what only people lift.
    async fn serve_people(&mut self, often: u32) -> anyhow::Result<()> {
        let daemon = self.running()?;
        let needs_people = {
            let status = daemon.board.read();
            status.refusals.iter().any(|refusal| match refusal.code {
                RefusalCode::Paused => false,
                // A far future in the store, which a wrong clock has left there.
                RefusalCode::ClockDoubt => true,
                code => code.cleared_by() == ClearedBy::Hand,
            })
        };
        let clock_is_right = self.weaver.scene().clock.skew().is_zero();
        if !needs_people || !clock_is_right || !self.throw(often) {
            return Ok(());
        }
        let daemon = self.daemon.take().context("a daemon runs between two misfortunes")?;
        let state_dir = daemon.state_dir.clone();
        daemon.stop().await;
        let now = self.weaver.scene().clock.now();
        let served = look_after(&state_dir, now).await?;
        self.daemon = Some(Daemon::start(&self.weaver.place(), "ocird.toml")?);
        let mut scene = self.weaver.scene();
        let at = scene.tenancy.now();
        scene.log.note(at, format_args!("people did {served:?}"));
        if served.contains(&Served::Reset) {
            scene.ledger.begin_ramp_anew();
        }
        Ok(())
    }

    /// Nothing goes wrong any more. What is certain to go must go.
    async fn calm(&mut self) -> anyhow::Result<()> {
        if let Some(second) = self.second.take() {
            second.stop().await;
        }
        let end = {
            let mut scene = self.weaver.scene();
            scene.calm_down()?;
            scene.litter();
            let now = scene.tenancy.now();
            scene.log.note(now, format_args!("the calm begins"));
            scene.next_pass_at = now;
            now + CALM
        };
        while self.weaver.scene().tenancy.now() < end && !self.is_broken() {
            self.weaver.scene().live_until_next_pass(false);
            self.weaver.scene().collect()?;
            self.serve_people(10_000).await?;
            self.one_pass().await?;
        }
        self.look_over();
        Ok(())
    }

    /// Everything needed is there, and the litter is not.
    fn look_over(&self) {
        let mut scene = self.weaver.scene();
        let gone = Oracle::check(&scene.tenancy);
        let gone = gone.into_iter().map(|violation| Broken { rule: None, text: violation.to_string() });
        scene.ledger.broken.extend(gone);
        let tags = scene.tenancy.list_tags(&parsed(LITTER)).expect("the repository is there");
        let left = tags.iter().filter(|tag: &&Tag| tag.as_str().starts_with("litter-")).count();
        // The anchor is older, so that the newest that always stay are litter.
        if left > scene.floor.min_newest && scene.ledger.broken.is_empty() {
            let codes: Vec<String> = self
                .daemon
                .iter()
                .flat_map(|daemon| {
                    let status = daemon.board.read();
                    status
                        .refusals
                        .iter()
                        .map(|refusal| format!("{}: {}", refusal.code.as_str(), refusal.text))
                        .collect::<Vec<_>>()
                })
                .collect();
            let text = format!(
                "{left} of 8 pieces of litter are still there after {} days of calm: {codes:?}",
                CALM.num_days()
            );
            scene.ledger.broken.push(Broken::new(Rule::S33, text));
        }
    }
}

/// A folder of its own that is gone when dropped.
pub(super) fn scratch() -> std::io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("ocird-fate-");
    if Path::new(MEMORY).is_dir() { builder.tempdir_in(MEMORY) } else { builder.tempdir() }
}
