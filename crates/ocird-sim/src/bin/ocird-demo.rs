//! The demo: a simulated tenancy and the real daemon against it, over HTTP, on a clock that runs fast.
//!
//! `cargo demo` lets months pass in minutes and prints what happens; `cargo demo --once` makes one pass on the present
//! world, prints plan and usage, and ends. Nothing outside this machine is spoken to.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use ocird::cli::Assembled;
use ocird::pass::Purpose;
use ocird::plan_table::PlanTable;
use ocird::status::{PassResult, Status};
use ocird_model::Bytes;
use ocird_sim::ci::{Event, EventKind, Knobs, Team};
use ocird_sim::stage::{Play, Running, Stage};
use ocird_sim::{ListingShape, Settings};
use tokio_util::sync::CancellationToken;

/// A simulated tenancy and the real daemon against it, over HTTP, on a clock that runs fast.
#[derive(Debug, Parser)]
#[command(name = "ocird-demo", max_term_width = 100)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
struct Args {
    /// Make one pass on the present world, print plan and usage, and end. Deletes nothing.
    #[arg(long)]
    once: bool,
    /// Simulated days to let pass.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Seed of the life in the tenancy; the same seed tells the same story.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the pages and metrics can be watched meanwhile.
    #[arg(long, default_value = "127.0.0.1:6247")]
    listen: String,
    /// Only this team: `mgh` or `todo`. May be repeated; both if it is left out.
    #[arg(long = "team", value_name = "mgh|todo", value_parser = team)]
    teams: Vec<Team>,
    /// Let the daemon call the tenancy directly instead of over HTTP with signatures: many times as fast.
    #[arg(long)]
    direct: bool,
    /// Pause after each simulated hour, in milliseconds, to watch more slowly.
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pause: u64,
    /// List one row for each image instead of one for each tag: nobody knows which the cloud does.
    #[arg(long)]
    row_per_image: bool,
    /// Keep serving the pages after the last day, until interrupted.
    #[arg(long)]
    stay: bool,
}

/// The lines of the first team's budget, and Oracle's price, so that the page has something to draw.
const BUDGET: &str =
    "[findings]\nwarn_at = \"350MB\"\nbudget = \"500MB\"\n[price]\nper_gb_month = \"0.026 USD\"\n";

/// Days of life before `--once` looks.
const PRESENT_DAYS: u32 = 45;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let played = if args.once { once(&args).await } else { play(&args).await };
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed standard error leaves nobody to tell.
            drop(writeln!(io::stderr(), "ocird-demo: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn the_play(args: &Args) -> Play {
    let shape = if args.row_per_image { ListingShape::PerImage } else { ListingShape::PerTag };
    let knobs = the_knobs(args);
    let mut policies = Play::default().policies;
    policies.retain(|(file, _)| knobs.teams.iter().any(|team| policy_of(*team) == file));
    Play {
        settings: Settings { shape, ..Settings::default() },
        knobs,
        policies,
        listen: args.listen.clone(),
        tables: BUDGET.to_owned(),
        ..Play::default()
    }
}

fn the_knobs(args: &Args) -> Knobs {
    let everybody = Knobs { seed: args.seed, ..Knobs::default() };
    if args.teams.is_empty() { everybody } else { Knobs { teams: args.teams.clone(), ..everybody } }
}

/// The file of a team's policy.
const fn policy_of(team: Team) -> &'static str {
    match team {
        Team::Mgh => "mgh.toml",
        Team::Todo => "todo.toml",
    }
}

fn team(name: &str) -> Result<Team, String> {
    match name {
        "mgh" => Ok(Team::Mgh),
        "todo" => Ok(Team::Todo),
        other => Err(format!("there are two teams, mgh and todo, and no {other:?}")),
    }
}

async fn once(args: &Args) -> anyhow::Result<()> {
    let play = Play { backlog_days: PRESENT_DAYS, armed: false, ..the_play(args) };
    let stage = Stage::open(play)?;
    let Assembled { mut engine, shown } = stage.assemble()?;
    let decided = engine.pass(Purpose::Observe, &CancellationToken::new()).await?;
    engine.close().await;
    let table = PlanTable::new(decided.checked.plan(), &decided.inventory, 100);
    let status = shown.board.read();
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "The plan for a world of {PRESENT_DAYS} days, made over HTTP with real signatures:\n\n{table}"
    )?;
    writeln!(out, "{}", ocird::http::screen(&status, stage.tenancy.now()))?;
    let result = status.last_pass.as_ref().map(|pass| &pass.result);
    ensure!(result == Some(&PassResult::Complete), "the pass did not see everything: {result:?}");
    Ok(())
}

async fn play(args: &Args) -> anyhow::Result<()> {
    let mut stage = Stage::open(the_play(args))?;
    let started = if args.direct { stage.start_in_process() } else { stage.start() };
    let running = started.with_context(|| "is another demo running? choose another --listen")?;
    let mut teller = Teller::new();
    teller.line(&format!(
        "{} simulated days; watch {url}/ in a browser, or {url}/status and {url}/metrics, meanwhile.\n",
        args.days,
        url = running.url
    ))?;
    let end = stage.tenancy.now() + TimeDelta::days(i64::from(args.days));
    while stage.tenancy.now() < end {
        let next = stage.tenancy.now() + TimeDelta::hours(1);
        stage.live_until(next.min(end), |event| teller.event(event)).await?;
        teller.daemon(stage.tenancy.now(), &running)?;
        if args.pause > 0 {
            tokio::time::sleep(Duration::from_millis(args.pause)).await;
        }
    }
    teller.summary(&stage, &running.shown.board.read())?;
    if args.stay {
        teller.line(&format!("\nThe clock stands; {}/status stays until you interrupt.", running.url))?;
        tokio::signal::ctrl_c().await?;
    }
    running.stop().await?;
    let violations = stage.tenancy.violations();
    ensure!(violations.is_empty(), "{} violations of the ground truth: {violations:?}", violations.len());
    Ok(())
}

/// Prints what happens as it happens.
struct Teller {
    colours: bool,
    n_events: BTreeMap<EventKind, u64>,
    n_deleted: u64,
    refusals: Vec<String>,
    broken: Option<io::Error>,
}

impl Teller {
    fn new() -> Self {
        Self {
            colours: io::stdout().is_terminal(),
            n_events: BTreeMap::new(),
            n_deleted: 0,
            refusals: Vec::new(),
            broken: None,
        }
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// One line of the world's life.
    fn event(&mut self, event: &Event) {
        *self.n_events.entry(event.kind).or_default() += 1;
        let line = format!("{}  {:<8} {}", event.at.format("%m-%d %H:%M"), word(event.kind), event.text);
        if let Err(error) = self.line(&line) {
            self.broken = Some(error);
        }
    }

    /// What the daemon has done and refused since it was last asked.
    fn daemon(&mut self, now: DateTime<Utc>, running: &Running) -> io::Result<()> {
        let status = running.shown.board.read();
        let n_deleted = status.counts.n_outcomes.get("deleted").copied().unwrap_or(0);
        let n_new = usize::try_from(n_deleted - self.n_deleted).unwrap_or(usize::MAX);
        self.n_deleted = n_deleted;
        for outcome in status.recent.iter().filter(|outcome| outcome.outcome == "deleted").take(n_new) {
            let tags = if outcome.tags.is_empty() { "untagged".to_owned() } else { outcome.tags.join(", ") };
            let text = format!("{} {} ({tags}), {}", outcome.repository, outcome.digest, outcome.rule);
            self.line(&self.paint("31", &format!("{}  deleted  {text}", outcome.at.format("%m-%d %H:%M"))))?;
        }
        let refusals: Vec<String> = status.refusals.iter().map(|refusal| refusal.text.clone()).collect();
        if refusals != self.refusals {
            let before = std::mem::take(&mut self.refusals);
            for text in refusals.iter().filter(|text| !before.contains(text)) {
                self.line(&self.paint("33", &format!("{}  keeps    {text}", now.format("%m-%d %H:%M"))))?;
            }
            self.refusals = refusals;
        }
        Ok(())
    }

    fn summary(&mut self, stage: &Stage, status: &Status) -> io::Result<()> {
        let size: Option<Bytes> = status.repositories.values().map(|repository| repository.size).sum();
        let size = size.map_or_else(|| "unknown".to_owned(), |size| size.to_string());
        let events: Vec<String> =
            self.n_events.iter().map(|(kind, n)| format!("{n} {}", plural(*kind))).collect();
        self.line(&format!("\nWhat happened: {}.", events.join(", ")))?;
        self.line(&format!(
            "What ocird did: {} passes, {} images deleted, {} used in {} repositories now.",
            status.counts.n_passes,
            self.n_deleted,
            size,
            status.repositories.len()
        ))?;
        let violations = stage.tenancy.violations();
        self.line(&format!("What the ground truth says: {} needed images deleted.", violations.len()))
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colours { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

const fn word(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Push => "push",
        EventKind::Rebuild => "rebuild",
        EventKind::Release => "release",
        EventKind::Deploy => "deploy",
        EventKind::Rollback => "rollback",
        EventKind::Restart => "restart",
        EventKind::Replacement => "replace",
        EventKind::Failure => "FAILURE",
    }
}

const fn plural(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Push => "pushes",
        EventKind::Rebuild => "rebuilds",
        EventKind::Release => "releases",
        EventKind::Deploy => "deployments",
        EventKind::Rollback => "rollbacks",
        EventKind::Restart => "restarts",
        EventKind::Replacement => "replaced machines",
        EventKind::Failure => "failures",
    }
}
