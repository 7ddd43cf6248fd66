//! `ocird-sim fates`: lives through fates and prints their figures. What a fate is, is in [`ocird_sim::fates`].

use std::any::Any;
use std::io::{self, Write as _};
use std::ops::RangeInclusive;

use anyhow::{bail, ensure};
use ocird::metrics::Build;
use ocird_model::Rule;
use ocird_sim::fates::{Allowed, Fate, Misfortune, Seeds, Terms, live, live_all};

#[derive(Debug, clap::Args)]
pub(super) struct Fates {
    /// The seeds, first and last: `1..100` are a hundred.
    #[arg(long, value_parser = seeds, value_name = "A..B", conflicts_with_all = ["years", "seed"])]
    seeds: Option<RangeInclusive<u64>>,
    /// As many seeds, from 1 on, as make this many simulated years.
    #[arg(long, value_name = "N", conflicts_with = "seed")]
    years: Option<u64>,
    /// One seed, whose broken laws are all printed.
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// Print everything that happens in it.
    #[arg(long, requires = "seed")]
    log: bool,
    /// Only misfortunes of these kinds, and not all of them.
    #[arg(long, value_delimiter = ',', value_name = "KIND,...")]
    faults: Vec<Misfortune>,
    /// Days of life before the calm.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=3650))]
    days: Option<i64>,
    /// Fates that are lived at once.
    #[arg(long, default_value_t = 2, value_name = "N")]
    threads: usize,
    /// Put this rule of safety out of force, such as S-16. Needs a build with `.ci/switches`.
    #[arg(long, value_parser = rule, value_name = "S-N")]
    without: Option<Rule>,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let say = || "seeds are given as A..B, such as 1..100".to_owned();
    let (first, last) = text.split_once("..").ok_or_else(say)?;
    let number = |text: &str| text.trim_start_matches('=').parse().map_err(|_| say());
    Ok(number(first)?..=number(last)?)
}

fn rule(text: &str) -> Result<Rule, String> {
    let known = Rule::ALL.into_iter().find(|rule| rule.to_string() == text);
    known.ok_or_else(|| "the rules are S-1 to S-35".to_owned())
}

impl Fates {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        ensure!(self.without.is_none() || cfg!(ocird_switches), "--without needs a build with .ci/switches");
        let allowed = match self.faults.as_slice() {
            [] => Allowed::default(),
            kinds => Allowed::only(kinds.iter().copied()),
        };
        let terms = Terms { allowed, keep_log: self.log, days: self.days };
        match self.seed {
            // On a thread of its own: a fate makes its own runtime, and this one has one already.
            Some(seed) => std::thread::scope(|scope| {
                let lived = scope.spawn(|| self.one(seed, &terms)).join();
                lived.unwrap_or_else(|_| bail!("the fate ended in a panic"))
            }),
            None => self.many(&terms),
        }
    }

    fn one(&self, seed: u64, terms: &Terms) -> anyhow::Result<()> {
        let _suspended = suspended(self.without);
        let fate = live(seed, terms)?;
        let mut out = io::stdout().lock();
        for line in &fate.log {
            writeln!(out, "{line}")?;
        }
        for broken in &fate.broken {
            writeln!(out, "BROKEN {}: {}", broken.name(), broken.text)?;
        }
        let Fate { seed, lasted, n_passes, n_deleted, n_restored, faults, broken, digest, log: _ } = fate;
        writeln!(
            out,
            "seed {seed}: {} days, {n_passes} passes, {n_deleted} deletions, {n_restored} brought back, {} faults, log {digest}",
            lasted.num_days(),
            faults.total()
        )?;
        if broken.is_empty() { Ok(()) } else { bail!("a law was broken") }
    }

    fn many(&self, terms: &Terms) -> anyhow::Result<()> {
        let seeds = match (&self.seeds, self.years) {
            (Some(seeds), _) => Seeds::These(seeds.clone()),
            (None, Some(years)) => Seeds::Years { from: 1, years },
            (None, None) => Seeds::These(1..=100),
        };
        let without = self.without;
        let tell = |fate: &Fate| {
            if let Some(broken) = fate.broken.first() {
                // A closed standard error leaves nobody to tell.
                drop(writeln!(io::stderr(), "seed {}: {}: {}", fate.seed, broken.name(), broken.text));
            }
        };
        let mut figures = live_all(&seeds, terms, self.threads, || suspended(without), tell)?;
        Build::THIS.revision.clone_into(&mut figures.commit);
        let mut out = io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut out, &figures)?;
            writeln!(out)?;
        } else {
            write!(out, "{figures}")?;
            for (seed, text) in &figures.failures {
                writeln!(
                    out,
                    "seed {seed}: {text}\n  replay: ocird-sim fates --seed {seed} --log{}",
                    self.same()
                )?;
            }
        }
        let n = figures.failures.len();
        if n == 0 { Ok(()) } else { bail!("{n} fates broke a law") }
    }

    /// The options under which a seed replays.
    fn same(&self) -> String {
        let kinds: Vec<&str> = self.faults.iter().map(|kind| kind.as_str()).collect();
        let faults = if kinds.is_empty() { String::new() } else { format!(" --faults {}", kinds.join(",")) };
        let without = self.without.map_or_else(String::new, |rule| format!(" --without {rule}"));
        let days = self.days.map_or_else(String::new, |days| format!(" --days {days}"));
        faults + &without + &days
    }
}

/// Puts a rule out of force on this thread for as long as the answer lives.
#[cfg(ocird_switches)]
fn suspended(rule: Option<Rule>) -> Box<dyn Any> {
    Box::new(rule.map(Rule::suspend))
}

/// Every rule is in force in this build.
#[cfg(not(ocird_switches))]
fn suspended(_rule: Option<Rule>) -> Box<dyn Any> {
    Box::new(())
}
