//! Many fates at once, and the figures of all of them.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Context as _;
use chrono::TimeDelta;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::Serialize;

use super::kinds::{FaultTable, Misfortune};
use super::run::{Fate, Terms, live};

/// Which fates are lived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seeds {
    /// These.
    These(RangeInclusive<u64>),
    /// From this one on, until so many years have passed.
    Years {
        /// The first.
        from: u64,
        /// How many simulated years.
        years: u64,
    },
}

/// The figures of many fates.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// The revision of the source, where it is known.
    pub commit: String,
    /// Number of fates.
    pub n_fates: u64,
    /// The first seed and the last.
    pub seeds: Option<(u64, u64)>,
    /// Simulated years.
    pub years: f64,
    /// Number of passes.
    pub n_passes: u64,
    /// Number of deletions.
    pub n_deleted: u64,
    /// Number of families that came back because somebody wanted them after all.
    pub n_restored: u64,
    /// Fates in which a law was broken, by seed, with what was broken first.
    pub failures: Vec<(u64, String)>,
    /// What was dealt out.
    pub faults: FaultTable,
}

/// Days of a year.
const DAYS: f64 = 365.25;

impl Figures {
    fn add(&mut self, fate: &Fate) {
        self.n_fates += 1;
        let (first, last) = self.seeds.unwrap_or((fate.seed, fate.seed));
        self.seeds = Some((first.min(fate.seed), last.max(fate.seed)));
        self.years += fate.lasted.num_seconds() as f64 / 86_400.0 / DAYS;
        self.n_passes += fate.n_passes;
        self.n_deleted += fate.n_deleted;
        self.n_restored += fate.n_restored;
        self.faults.add(&fate.faults);
        if let Some(broken) = fate.broken.first() {
            self.failures.push((fate.seed, format!("{}: {}", broken.name(), broken.text)));
        }
    }
}

/// Lives these fates on so many threads, and tells each as it ends.
///
/// # Errors
/// A fate could not be lived at all.
pub fn live_all(
    seeds: &Seeds,
    terms: &Terms,
    n_threads: usize,
    on_thread: impl Fn() -> Box<dyn std::any::Any> + Sync,
    tell: impl Fn(&Fate) + Sync,
) -> anyhow::Result<Figures> {
    let (first, last) = match seeds {
        Seeds::These(seeds) => (*seeds.start(), *seeds.end()),
        Seeds::Years { from, years: _ } => (*from, u64::MAX),
    };
    let next = AtomicU64::new(first);
    // The other threads need not go on for an hour before anybody hears why one could not.
    let has_failed = AtomicBool::new(false);
    let lasted = Mutex::new((Figures::default(), TimeDelta::zero()));
    let enough = |lived: TimeDelta| match seeds {
        Seeds::These(_) => false,
        Seeds::Years { from: _, years } => lived.num_days() as f64 >= *years as f64 * DAYS,
    };
    let work = |number| -> anyhow::Result<()> {
        stay_on_one_cpu(number);
        let _kept = on_thread();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > last || has_failed.load(Ordering::Relaxed) || enough(lock(&lasted).1) {
                return Ok(());
            }
            let fate = live(seed, terms)
                .with_context(|| format!("seed {seed}"))
                .inspect_err(|_| has_failed.store(true, Ordering::Relaxed))?;
            tell(&fate);
            let mut lasted = lock(&lasted);
            lasted.0.add(&fate);
            lasted.1 += fate.lasted;
        }
    };
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..n_threads.max(1)).map(|number| scope.spawn(move || work(number))).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(done) => done,
            Err(_) => Err(anyhow::anyhow!("a fate ended in a panic")),
        })
    })?;
    let mut figures = std::mem::take(&mut lock(&lasted).0);
    figures.failures.sort();
    Ok(figures)
}

/// Keeps this thread, and those that it starts, on one processor of those it may use. A fate and the threads of its store take
/// turns all the time, and nothing but turns: waking a neighbour on another processor costs more than what it then does.
fn stay_on_one_cpu(number: usize) {
    let Ok(may_use) = sched_getaffinity(None) else { return };
    let cpus: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| may_use.is_set(*cpu)).collect();
    let Some(cpu) = cpus.get(number % cpus.len().max(1)) else { return };
    let mut only = CpuSet::new();
    only.set(*cpu);
    if let Err(error) = sched_setaffinity(None, &only) {
        tracing::debug!(%error, "a thread of fates goes from processor to processor, which takes longer");
    }
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = self.seeds.unwrap_or_default();
        writeln!(f, "commit            {}", self.commit)?;
        writeln!(f, "seeds             {first}..{last} ({} fates)", self.n_fates)?;
        writeln!(f, "simulated years   {:.1}", self.years)?;
        writeln!(f, "passes            {}", self.n_passes)?;
        writeln!(f, "deletions         {}", self.n_deleted)?;
        writeln!(f, "brought back      {}", self.n_restored)?;
        writeln!(f, "broken fates      {}", self.failures.len())?;
        if self.failures.is_empty() && self.n_deleted > 0 {
            let bound = 3.0 / self.n_deleted as f64;
            writeln!(
                f,
                "wrong deletions   0; at 95 %, fewer than {bound:.1e} of all under this mix of faults"
            )?;
        }
        writeln!(f, "faults            {}", self.faults.total())?;
        for kind in Misfortune::ALL {
            writeln!(f, "  {:<20} {:>10}", kind.as_str(), self.faults.of(kind))?;
        }
        Ok(())
    }
}
