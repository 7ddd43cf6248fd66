//! How many calls are under way at once, and when the next may go: fewer after the cloud has asked to slow down, and
//! none before the instant up to which it is left alone.
//!
//! The limit moves as in TCP. A 429 halves it, once for all calls that were under way together; every
//! [`RAISE_AFTER`] answers let it grow by one again. Waiting is accounted in time and not in tries: a cloud that lets
//! half of all calls through is asked to the end, one that lets nothing through is given up after two minutes. Both
//! sums are of pauses that all calls share, so they bound the wait of the whole pass and not of each call.
//!
//! It knows no other failure than the 429; what may be tried again after those is said by [`crate::retry`]. The
//! metadata service has a queue of its own and is never asked through here.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use ocird_model::Clock;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::counts::Operation;
use crate::transport::Answer;
use crate::{OciError, Refusal, retry};

/// The most calls under way at once, and the limit before the cloud has ever asked to slow down: a pass looks at four
/// repositories with eight reads each, 4 × 8 = 32.
const MOST: usize = 32;

/// Answers that let the limit grow by one. From one call at a time it takes 31 × 10 = 310 answers to be back at
/// [`MOST`], which is a quick recovery for a first look and none at all within a steady pass.
const RAISE_AFTER: u32 = 10;

/// The longest wait while nothing is let through. By the longest throws of the dice that are seven pauses
/// (1 + 2 + 4 + 8 + 16 + 30 + 30 = 91 s); the eighth would go beyond it.
const PATIENCE: Duration = Duration::from_mins(2);

/// The longest wait of one pass in all: the interval of the default schedule, after which the next pass is due.
const PATIENCE_OF_PASS: Duration = Duration::from_mins(15);

/// The longest that a delete waits before it is sent, by whatever it is held up, and however often. It rests on a read made
/// just before (S-17), and whoever pauses ocird does not expect a deletion a minute later (S-24).
pub(crate) const PATIENCE_OF_DELETE: Duration = Duration::from_secs(10);

/// The shortest pause after a 429, so that no throw of the dice makes it nothing.
const MIN_PAUSE: Duration = Duration::from_millis(100);

/// The longest wish to be left alone that is believed. It is longer than [`PATIENCE`] on purpose: such a wish ends the
/// waiting at once, and until it has passed later calls fail without being sent.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(15);

/// The gate that every call but those to the metadata service passes.
#[derive(Debug)]
pub(crate) struct Throttle {
    /// As many permits as the limit allows, less what is under way.
    slots: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: usize,
    /// Permits that are to be withdrawn as they come back: the limit fell while they were out.
    n_surplus: usize,
    /// Number of times the limit was halved. Calls that were sent in the same round were under way together.
    round: u64,
    /// Calls let through since the limit last moved.
    n_let_through: u32,
    /// The wait of this pass so far.
    waited: Duration,
    /// `None` while the cloud lets calls through.
    pressure: Option<Pressure>,
}

/// What the cloud wants since the first 429 after which nothing was let through.
#[derive(Debug)]
struct Pressure {
    /// Nobody sends before this instant of the monotonic clock.
    not_before: Duration,
    /// Rounds that ended in a 429.
    n_rounds: u32,
    /// The wait since then, of this pass.
    waited: Duration,
    has_given_up: bool,
    /// The latest 429, for whoever is told that waiting is given up.
    latest: Refusal,
}

/// The right to send one call now. It is over when the permit is settled or dropped.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    throttle: &'a Throttle,
    operation: Operation,
    slot: Option<SemaphorePermit<'a>>,
    round: u64,
}

impl Throttle {
    /// A throttle that has never been asked to slow down.
    pub(crate) const fn new() -> Self {
        let state = State {
            limit: MOST,
            n_surplus: 0,
            round: 0,
            n_let_through: 0,
            waited: Duration::ZERO,
            pressure: None,
        };
        Self { slots: Semaphore::const_new(MOST), state: Mutex::new(state) }
    }

    /// Calls that may be under way at once at present.
    pub(crate) fn limit(&self) -> usize {
        self.state().limit
    }

    /// A pass begins at this instant of the monotonic clock: it has its own patience. What the cloud asked for before
    /// still holds.
    pub(crate) fn begin_pass(&self, now: Duration) {
        let mut state = self.state();
        state.waited = Duration::ZERO;
        if let Some(pressure) = &mut state.pressure {
            let left = pressure.not_before.saturating_sub(now);
            pressure.has_given_up = left > PATIENCE;
            pressure.waited = if pressure.has_given_up { Duration::ZERO } else { left };
            state.waited = pressure.waited;
        }
    }

    /// Waits until a call of `operation` may be sent that has `waited` so long already. An error when that is given up:
    /// nothing was sent then.
    pub(crate) async fn permit<C: Clock>(
        &self,
        operation: Operation,
        waited: Duration,
        clock: &C,
    ) -> Result<Permit<'_>, OciError> {
        let is_delete = operation == Operation::DeleteContainerImage;
        let patience = if is_delete { PATIENCE_OF_DELETE.saturating_sub(waited) } else { PATIENCE };
        loop {
            self.wait(patience, clock).await?;
            // Signing in takes no slot: it happens once at a time, and for calls that may hold one.
            let slot = if operation == Operation::Federate {
                None
            } else {
                Some(self.slots.acquire().await.expect("the semaphore is never closed"))
            };
            let permit = Permit { throttle: self, operation, slot, round: self.state().round };
            // While it stood in line another call may have been answered with 429.
            let left = self.state().left(clock.monotonic(), patience);
            if left?.is_none() {
                return Ok(permit);
            }
        }
    }

    /// Waits until the cloud may be asked again.
    async fn wait<C: Clock>(&self, patience: Duration, clock: &C) -> Result<(), OciError> {
        loop {
            let left = self.state().left(clock.monotonic(), patience);
            match left? {
                Some(left) => clock.sleep(left).await,
                None => return Ok(()),
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }

    /// Withdraws so many permits: the free ones now, the others as they come back.
    fn withdraw(&self, n_permits: usize, state: &mut State) {
        state.n_surplus += n_permits - self.slots.forget_permits(n_permits);
    }

    /// Gives one permit more.
    fn add_one(&self, state: &mut State) {
        match state.n_surplus.checked_sub(1) {
            Some(n_surplus) => state.n_surplus = n_surplus,
            None => self.slots.add_permits(1),
        }
    }
}

impl Permit<'_> {
    /// What it is the right to.
    pub(crate) const fn operation(&self) -> Operation {
        self.operation
    }

    /// Takes note of how the call was answered at `now`, by the monotonic clock. A 429 that is not waited out becomes
    /// [`OciError::Throttled`]; one that remains what it is leads to another try. `fraction` is the throw of the dice
    /// for the pause, from 0 to 1.
    pub(crate) fn settle(
        self,
        result: Result<Answer, OciError>,
        now: Duration,
        fraction: f64,
    ) -> Result<Answer, OciError> {
        match &result {
            Ok(_) => self.let_through(),
            Err(OciError::Refused(refusal)) => match refusal.status {
                429 => self.throttled(refusal, now, fraction)?,
                // A server in trouble says nothing about its patience with us.
                500..=599 => {}
                _ => self.let_through(),
            },
            Err(_) => {}
        }
        result
    }

    /// The cloud let this call through. One that was sent before the limit fell says nothing about the present.
    fn let_through(&self) {
        let mut state = self.throttle.state();
        if state.round != self.round {
            return;
        }
        state.pressure = None;
        state.n_let_through += 1;
        if state.n_let_through >= RAISE_AFTER && state.limit < MOST {
            state.n_let_through = 0;
            state.limit += 1;
            self.throttle.add_one(&mut state);
        }
    }

    /// The cloud asked to slow down; an error when it has asked for more than anybody waits for.
    fn throttled(&self, refusal: &Refusal, now: Duration, fraction: f64) -> Result<(), OciError> {
        let mut state = self.throttle.state();
        let is_first_of_round = state.round == self.round;
        if is_first_of_round {
            state.round += 1;
            state.n_let_through = 0;
            let lower = (state.limit / 2).max(1);
            let n_withdrawn = std::mem::replace(&mut state.limit, lower) - lower;
            self.throttle.withdraw(n_withdrawn, &mut state);
        }
        let waited_in_pass = state.waited;
        let pressure = state.pressure.get_or_insert_with(|| Pressure::new(now, refusal));
        pressure.latest = refusal.clone();
        let further = pressure.lengthen(is_first_of_round, now, fraction);
        if pressure.waited + further > PATIENCE || waited_in_pass + further > PATIENCE_OF_PASS {
            pressure.has_given_up = true;
        }
        if pressure.has_given_up {
            return Err(pressure.given_up(waited_in_pass));
        }
        pressure.waited += further;
        state.waited += further;
        Ok(())
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let Some(slot) = self.slot.take() else { return };
        let mut state = self.throttle.state();
        if let Some(n_surplus) = state.n_surplus.checked_sub(1) {
            state.n_surplus = n_surplus;
            slot.forget();
        }
    }
}

impl State {
    /// How long is still to be waited; `None` when nobody has to wait. An error when that is too long.
    fn left(&self, now: Duration, patience: Duration) -> Result<Option<Duration>, OciError> {
        let Some(pressure) = &self.pressure else { return Ok(None) };
        let left = pressure.not_before.saturating_sub(now);
        if left.is_zero() {
            Ok(None)
        } else if pressure.has_given_up || left > patience {
            Err(pressure.given_up(self.waited))
        } else {
            Ok(Some(left))
        }
    }
}

impl Pressure {
    fn new(now: Duration, refusal: &Refusal) -> Self {
        Self {
            not_before: now,
            n_rounds: 0,
            waited: Duration::ZERO,
            has_given_up: false,
            latest: refusal.clone(),
        }
    }

    /// Puts off the instant before which nobody sends; answers by how much. The first 429 of a round brings a pause of
    /// our own, the others only what they ask for.
    fn lengthen(&mut self, is_first_of_round: bool, now: Duration, fraction: f64) -> Duration {
        let asked = self.latest.retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
        let mut pause = asked;
        if is_first_of_round {
            self.n_rounds += 1;
            pause = retry::pause(self.n_rounds, fraction, None).max(MIN_PAUSE).max(asked);
        }
        let before = self.not_before.max(now);
        self.not_before = before.max(now + pause);
        self.not_before.saturating_sub(before)
    }

    fn given_up(&self, waited: Duration) -> OciError {
        OciError::Throttled { waited, refusal: Box::new(self.latest.clone()) }
    }
}

#[cfg(test)]
mod tests;
