//! CI life: two teams that build, push, tag, release, deploy, roll back and restart, day after day, from one seed.
//!
//! The generator decides what happens and when; [`Tenancy`] does it. It knows nothing of policies and of what the
//! daemon does: when something it needs is gone, the tenancy notes a violation and life goes on.

mod project;

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::error::ApiError;
use crate::tenancy::Tenancy;
use project::Project;

/// How much life there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knobs {
    /// The seed of everything that is left to chance.
    pub seed: u64,
    /// Who works.
    pub teams: Vec<Team>,
    /// Pushes per repository and day.
    pub pushes_per_day: u32,
}

impl Default for Knobs {
    /// Both teams, two pushes per repository and day.
    fn default() -> Self {
        Self { seed: 1, teams: vec![Team::Mgh, Team::Todo], pushes_per_day: 2 }
    }
}

/// The teams of the design.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Team {
    /// Four repositories `mgh-*`, tags by commit, `latest`, releases and environments; production on one A1 server
    /// that pulls at every restart, and one repository whose production stays on its first release.
    Mgh,
    /// Three repositories `todo-*`, tags by commit, version, environment and date; nodes that keep what they pulled
    /// and are replaced every week, signatures and attached bills of materials.
    Todo,
}

/// Something that happened, for people to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: DateTime<Utc>,
    /// Of which sort.
    pub kind: EventKind,
    /// In words.
    pub text: String,
}

/// The sorts of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// A new image was pushed.
    Push,
    /// The last build was pushed again, byte for byte.
    Rebuild,
    /// A build was tagged as a release and, as a rule, went to production.
    Release,
    /// A workload was deployed.
    Deploy,
    /// Production went back to what it ran before.
    Rollback,
    /// A workload was restarted.
    Restart,
    /// A machine was replaced by a new one.
    Replacement,
    /// A host could not get an image.
    Failure,
}

/// Makes life happen in one tenancy.
#[derive(Debug)]
pub struct Generator {
    random: ChaCha8Rng,
    projects: Vec<Project>,
    teams: Vec<Team>,
    push_interval: TimeDelta,
    /// What happens next; the number keeps simultaneous actions in order.
    agenda: BTreeMap<(DateTime<Utc>, u64), Action>,
    n_planned: u64,
}

/// Something on the agenda, by the place of its project or team.
#[derive(Debug, Clone, Copy)]
enum Action {
    /// The slot begins: a push comes at a random instant of its first half.
    Slot {
        project: usize,
    },
    Push {
        project: usize,
    },
    Rebuild {
        project: usize,
    },
    Release {
        project: usize,
    },
    Night {
        team: usize,
    },
    Weekend {
        team: usize,
    },
}

impl Generator {
    /// Creates the repositories and hosts of the teams, and plans their first actions from the tenancy's present on.
    pub fn new(knobs: Knobs, tenancy: &Tenancy) -> Result<Self, ApiError> {
        let Knobs { seed, mut teams, pushes_per_day } = knobs;
        teams.sort_unstable();
        teams.dedup();
        let mut generator = Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            projects: teams.iter().flat_map(|team| Project::all_of(*team)).collect(),
            push_interval: TimeDelta::days(1) / i32::try_from(pushes_per_day.max(1)).unwrap_or(i32::MAX),
            teams,
            agenda: BTreeMap::new(),
            n_planned: 0,
        };
        for team in &generator.teams {
            team.set_up_hosts(tenancy);
        }
        for project in &generator.projects {
            project.create_repository(tenancy)?;
        }
        generator.plan_first(tenancy.now());
        Ok(generator)
    }

    /// When something happens next; `None` for a tenancy in which nobody works.
    pub fn next_event_at(&self) -> Option<DateTime<Utc>> {
        self.agenda.keys().next().map(|(at, _)| *at)
    }

    /// Does everything that is due by the tenancy's clock, in order, and tells what it did. What is late happens now:
    /// a driver that wants true times stops at [`Generator::next_event_at`].
    pub fn step(&mut self, tenancy: &Tenancy) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(entry) = self.agenda.first_entry() {
            let (at, _) = *entry.key();
            if at > tenancy.now() {
                break;
            }
            let action = entry.remove();
            events.extend(self.act(action, at, tenancy));
        }
        events
    }

    /// Lets this many days pass, with everything that happens in them. For a tenancy that starts in the past and whose
    /// daemon does not run yet: afterwards its present has that much history.
    pub fn seed_backlog(&mut self, tenancy: &Tenancy, days: u32) -> Vec<Event> {
        let end = tenancy.now() + TimeDelta::days(i64::from(days));
        let mut events = Vec::new();
        while let Some(at) = self.next_event_at().filter(|at| *at < end) {
            tenancy.clock().advance_to(at);
            events.extend(self.step(tenancy));
        }
        tenancy.clock().advance_to(end);
        events
    }

    fn plan_first(&mut self, now: DateTime<Utc>) {
        for project in 0..self.projects.len() {
            self.plan(now, Action::Slot { project });
            // A day and a half later, when there is something to release; the projects not all at once.
            let after = TimeDelta::hours(36) + TimeDelta::minutes(20 * i64::try_from(project).unwrap_or(0));
            self.plan(now + after, Action::Release { project });
        }
        for team in 0..self.teams.len() {
            self.plan(now + TimeDelta::hours(27), Action::Night { team });
            self.plan(now + TimeDelta::days(6), Action::Weekend { team });
        }
    }

    fn plan(&mut self, at: DateTime<Utc>, action: Action) {
        self.n_planned += 1;
        self.agenda.insert((at, self.n_planned), action);
    }

    fn act(&mut self, action: Action, at: DateTime<Utc>, tenancy: &Tenancy) -> Vec<Event> {
        match action {
            Action::Slot { project } => {
                self.plan_push(project, at);
                Vec::new()
            }
            Action::Push { project } => {
                if self.random.random_bool(0.1) {
                    self.plan(at + TimeDelta::minutes(40), Action::Rebuild { project });
                }
                self.projects[project].push(&mut self.random, tenancy)
            }
            Action::Rebuild { project } => self.projects[project].rebuild(tenancy),
            Action::Release { project } => {
                self.plan(at + TimeDelta::days(7), Action::Release { project });
                if self.random.random_bool(0.15) {
                    self.projects[project].doubt_next_release();
                }
                self.projects[project].release(tenancy)
            }
            Action::Night { team } => {
                self.plan(at + TimeDelta::days(1), action);
                self.night(self.teams[team], tenancy)
            }
            Action::Weekend { team } => {
                self.plan(at + TimeDelta::days(7), action);
                self.teams[team].replace_machines(tenancy)
            }
        }
    }

    /// A push somewhere in the first half of the slot, so that its rebuild still falls into the second.
    fn plan_push(&mut self, project: usize, start: DateTime<Utc>) {
        let half = (self.push_interval / 2).num_seconds().max(1);
        let into = TimeDelta::seconds(self.random.random_range(0..half));
        self.plan(start + into, Action::Push { project });
        self.plan(start + self.push_interval, Action::Slot { project });
    }

    /// At night one workload restarts, and releases that people have come to doubt are rolled back.
    fn night(&mut self, team: Team, tenancy: &Tenancy) -> Vec<Event> {
        let mut events = Vec::new();
        for project in &mut self.projects {
            if project.team() == team {
                events.extend(project.roll_back_if_doubted(tenancy));
            }
        }
        let workloads: Vec<_> =
            tenancy.workloads().into_iter().filter(|workload| team.owns_host(&workload.host)).collect();
        if !workloads.is_empty() {
            let workload = &workloads[self.random.random_range(0..workloads.len())];
            let done = tenancy.restart(&workload.host, &workload.name);
            let what = format!("{} on {} restarted", workload.name, workload.host);
            events.push(told(tenancy, EventKind::Restart, what, done.map(|_| ())));
        }
        events
    }
}

/// The event of something done, or of its failure.
fn told(tenancy: &Tenancy, kind: EventKind, text: String, done: Result<(), ApiError>) -> Event {
    let at = tenancy.now();
    match done {
        Ok(()) => Event { at, kind, text },
        Err(error) => Event { at, kind: EventKind::Failure, text: format!("FAILED: {text}: {error}") },
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at.format("%Y-%m-%d %H:%M"), self.text)
    }
}
