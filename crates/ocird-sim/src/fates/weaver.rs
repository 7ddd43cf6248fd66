//! Stands between the daemon and the tenancy: before each call time passes, the world may move, the kill switch may be
//! pulled and the clock be set; the call may go wrong, and the daemon may die before it or after its effect.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::Notify;

use super::daemon::Place;
use super::kinds::Misfortune;
use super::scene::Scene;
use crate::face::{About, Bystander, Call, Turn};
use crate::fault::{Fault, Operation};

/// The weaver of one fate. Clones share the scene.
#[derive(Debug, Clone)]
pub(super) struct Weaver {
    scene: Arc<Mutex<Scene>>,
    died: Arc<Notify>,
}

impl Weaver {
    pub(super) fn new(scene: Scene) -> Self {
        Self { scene: Arc::new(Mutex::new(scene)), died: Arc::new(Notify::new()) }
    }

    /// The scene. Never held while the daemon runs.
    pub(super) fn scene(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where its daemon runs.
    pub(super) fn place(&self) -> Place {
        let scene = self.scene();
        Place {
            tenancy: scene.tenancy.clone(),
            clock: scene.clock.clone(),
            directory: scene.directory.clone(),
            bystander: Some(Arc::new(self.clone())),
        }
    }

    /// Returns when the daemon has died at a call.
    pub(super) async fn died(&self) {
        self.died.notified().await;
    }

    fn dies(&self, scene: &mut Scene) -> Turn {
        scene.deal(Misfortune::Crash);
        scene.is_dead = true;
        self.died.notify_one();
        Turn::Dies
    }
}

impl Bystander for Weaver {
    fn before(&self, call: Call<'_>) -> Turn {
        let mut scene = self.scene();
        if scene.is_dead {
            return Turn::Dies;
        }
        scene.n_calls += 1;
        let now = scene.tenancy.now();
        scene.log.note(now, format_args!("{} {:?}", call.operation.as_str(), call.about));
        if let Some(window) = &mut scene.window {
            window.is_deleting = call.operation == Operation::DeleteContainerImage;
        }
        scene.pass_time();
        scene.move_world();
        if scene.dies_at == Some(2 * scene.n_calls) {
            return self.dies(&mut scene);
        }
        if call.operation == Operation::DeleteContainerImage
            && let About::Image(id) = call.about
        {
            scene.try_case(id);
        }
        scene.count(call);
        match scene.fault_of(call.operation) {
            Some(fault) => Turn::Fails(fault),
            None => Turn::Goes,
        }
    }

    fn after(&self, call: Call<'_>) -> Turn {
        let mut scene = self.scene();
        if call.operation == Operation::DeleteContainerImage {
            scene.judge_case();
        }
        if scene.is_dead {
            return Turn::Dies;
        }
        if scene.dies_at == Some(2 * scene.n_calls + 1) {
            return self.dies(&mut scene);
        }
        Turn::Goes
    }
}

impl Scene {
    /// A call takes a moment, and now and then minutes.
    fn pass_time(&mut self) {
        let milliseconds = self.dice.within(20, 200);
        let mut time = TimeDelta::milliseconds(milliseconds);
        if self.dice.chance(self.rates.calls / 5) && self.deal(Misfortune::Slow) {
            time = TimeDelta::seconds(self.dice.within(10, 900));
        }
        self.tenancy.clock().advance(time);
    }

    /// Anything may happen before a call.
    fn move_world(&mut self) {
        if self.dice.chance(self.rates.events) {
            let kinds = [
                Misfortune::PushBetween,
                Misfortune::BuiltUponBetween,
                Misfortune::RetagBetween,
                Misfortune::DeployBetween,
                Misfortune::HandBetween,
            ];
            if kinds.iter().all(|kind| self.allowed.has(*kind)) {
                self.event();
            }
        }
        if self.dice.chance(self.rates.daemon / 20) && self.deal(Misfortune::PausedBetween) {
            self.pause();
        }
        if self.dice.chance(self.rates.clock / 20) {
            self.set_clock();
        }
    }

    /// The kill switch is pulled.
    pub(super) fn pause(&mut self) {
        self.ledger.paused_since.get_or_insert(self.tenancy.now());
        for state_dir in ["state", "state-2"] {
            let folder = self.directory.join(state_dir);
            if folder.is_dir() {
                std::fs::write(folder.join(ocird::pass::gate::PAUSE_FILE), "")
                    .expect("the state directory is there");
            }
        }
    }

    /// The wall clock of the daemon's host is set, or drifts.
    pub(super) fn set_clock(&mut self) {
        let hours = self.dice.one_of([1, 3, 30, 24 * 40, 24 * 400]);
        let (kind, by) = match self.dice.between(0, 3) {
            0 => (Misfortune::ClockAhead, TimeDelta::hours(hours)),
            1 => (Misfortune::ClockBack, -TimeDelta::hours(hours)),
            _ => (Misfortune::ClockDrift, TimeDelta::seconds(self.dice.within(-50, 50))),
        };
        if self.deal(kind) {
            self.ledger.lose_count();
            self.clock.set_skew(by);
        }
    }

    /// Takes note of what the daemon looks at.
    fn count(&mut self, call: Call<'_>) {
        let now = self.tenancy.now();
        let Some(window) = &mut self.window else { return };
        match call.about {
            About::Repository(repository) => {
                *window.n_listings.entry(repository.clone()).or_default() += 1;
                window.listed_at.insert(repository.clone(), now);
            }
            About::FurtherPage(repository) => {
                window.listed_at.insert(repository.clone(), now);
            }
            About::Image(image) if call.operation == Operation::GetContainerImage => {
                *window.n_reads.entry(image.clone()).or_default() += 1;
            }
            About::Image(_) | About::Manifest(_, _) | About::Place => {}
        }
    }

    /// What goes wrong with a call, if anything.
    fn fault_of(&mut self, operation: Operation) -> Option<Fault> {
        let rate = match operation {
            Operation::DeleteContainerImage | Operation::RestoreContainerImage => self.rates.calls * 8,
            _ => self.rates.calls,
        };
        if !self.dice.chance(rate) {
            return None;
        }
        let is_list =
            matches!(operation, Operation::ListContainerImages | Operation::ListContainerRepositories);
        // Lists of repositories have no rows to lose here: one that is missing is a repository that was moved.
        let (kind, fault) = if operation == Operation::ListContainerImages && self.dice.chance(5_000) {
            self.page_fault()
        } else {
            self.answer_fault()
        };
        // A page that leads to itself means nothing to what is no list.
        let fits = is_list || kind != Misfortune::PageRepeated;
        (fits && self.deal(kind)).then_some(fault)
    }

    fn page_fault(&mut self) -> (Misfortune, Fault) {
        let place = usize::try_from(self.dice.between(0, 12)).unwrap_or(0);
        match self.dice.between(0, 6) {
            0 => (Misfortune::RowLost, Fault::DroppedRow(place)),
            1 => (Misfortune::RowRepeated, Fault::RepeatedRow(place)),
            2 => (Misfortune::Reordered, Fault::Reversed),
            3 => (Misfortune::PageRepeated, Fault::RepeatedCursor),
            4 => (Misfortune::PageRepeated, Fault::EmptyPage),
            _ => (Misfortune::ListCut, Fault::Cut),
        }
    }

    fn answer_fault(&mut self) -> (Misfortune, Fault) {
        match self.dice.between(0, 10) {
            0 => (Misfortune::Unauthenticated, Fault::status(401, "NotAuthenticated")),
            1 => (Misfortune::Forbidden, Fault::status(403, "NotAllowed")),
            2 => (Misfortune::Masked, Fault::status(404, "NotAuthorizedOrNotFound")),
            3 => (Misfortune::Conflict, Fault::status(409, "IncorrectState")),
            4 => (Misfortune::Precondition, Fault::status(412, "NoEtagMatch")),
            5 => (Misfortune::Throttled, Fault::Throttled { retry_after: None }),
            6 => (Misfortune::ServerError, Fault::status(500, "InternalServerError")),
            7 => (Misfortune::Dropped, Fault::Dropped),
            8 => (Misfortune::AnswerLost, Fault::AnswerLost),
            9 => (Misfortune::Garbled, Fault::Garbled),
            _ => {
                let seconds = self.dice.between(5, 600);
                (Misfortune::Slow, Fault::Slow(Duration::from_secs(seconds)))
            }
        }
    }
}
