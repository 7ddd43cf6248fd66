//! The tenancy's clock: it stands still until a driver advances it, and wakes in order whoever sleeps on it.
//!
//! A driver runs a world like this: wait until the daemon sleeps, advance to the next event or the next deadline,
//! whichever is earlier, and again. No real time passes anywhere. A [`ClockView`] shows the same clock with a wall
//! time that is off, for the daemon only; the tenancy keeps true time.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::Clock;
use tokio::sync::Notify;

/// A clock that a driver advances. Clones share the time.
#[derive(Debug, Clone)]
pub struct SimClock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dial: Mutex<Dial>,
    /// Told whenever a task lies down to sleep.
    asleep: Notify,
}

#[derive(Debug)]
struct Dial {
    /// Where the monotonic clock counts from.
    start: DateTime<Utc>,
    now: DateTime<Utc>,
    /// Tells sleepers with the same deadline apart, and puts them in the order in which they came.
    next_sleeper: u64,
    sleepers: BTreeMap<SleeperKey, Waker>,
}

/// The deadline in true time, then the order of arrival.
type SleeperKey = (DateTime<Utc>, u64);

impl SimClock {
    /// A clock that stands at `start`.
    pub fn new(start: DateTime<Utc>) -> Self {
        let dial = Dial { start, now: start, next_sleeper: 0, sleepers: BTreeMap::new() };
        Self { shared: Arc::new(Shared { dial: Mutex::new(dial), asleep: Notify::new() }) }
    }

    /// The same clock with its wall time ahead by `skew` (behind when negative), as the daemon's host has it.
    pub fn view(&self, skew: TimeDelta) -> ClockView {
        ClockView { clock: self.clone(), skew: Arc::new(Mutex::new(skew)) }
    }

    /// Moves the time to `at` and wakes, earliest deadline first, everybody whose deadline has come. All of them
    /// find the clock at `at`: a driver that wants each to see its own deadline stops at [`SimClock::next_deadline`].
    /// Time never goes back: an earlier instant changes nothing.
    pub fn advance_to(&self, at: DateTime<Utc>) {
        let mut due = Vec::new();
        {
            let mut dial = self.dial();
            dial.now = dial.now.max(at);
            while let Some(entry) = dial.sleepers.first_entry() {
                if entry.key().0 > at {
                    break;
                }
                due.push(entry.remove());
            }
        }
        due.into_iter().for_each(Waker::wake);
    }

    /// Moves the time by `duration`, as [`SimClock::advance_to`].
    pub fn advance(&self, duration: TimeDelta) {
        let at = self.dial().now + duration;
        self.advance_to(at);
    }

    /// The earliest deadline that anybody sleeps for, in true time.
    pub fn next_deadline(&self) -> Option<DateTime<Utc>> {
        self.dial().sleepers.keys().next().map(|(deadline, _)| *deadline)
    }

    /// Number of tasks that sleep on the clock now.
    pub fn n_sleepers(&self) -> usize {
        self.dial().sleepers.len()
    }

    /// Returns when at least one task sleeps on the clock. Whoever was woken no longer counts as asleep, even before
    /// it has run.
    pub async fn wait_until_sleeping(&self) {
        self.wait_until_asleep(1).await;
    }

    /// Returns when at least `n_tasks` tasks sleep on the clock: for a daemon that sleeps in several tasks.
    pub async fn wait_until_asleep(&self, n_tasks: usize) {
        loop {
            // Made before the look, so that a sleeper who comes in between is not missed.
            let lain_down = self.shared.asleep.notified();
            if self.n_sleepers() >= n_tasks {
                return;
            }
            lain_down.await;
        }
    }

    fn dial(&self) -> MutexGuard<'_, Dial> {
        self.shared.dial.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes everybody without moving the time, so that they look at their deadlines again.
    fn rouse(&self) {
        let wakers: Vec<Waker> = self.dial().sleepers.values().cloned().collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    fn sleep_for(&self, deadline: Deadline) -> Sleep {
        Sleep { clock: self.clone(), deadline, key: None }
    }
}

impl Clock for SimClock {
    fn now(&self) -> DateTime<Utc> {
        self.dial().now
    }

    fn monotonic(&self) -> Duration {
        let dial = self.dial();
        (dial.now - dial.start).to_std().expect("the clock never goes behind its start")
    }

    fn sleep_until(&self, at: DateTime<Utc>) -> impl Future<Output = ()> + Send {
        self.sleep_for(Deadline::True(at))
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        self.sleep_for(Deadline::True(later(self.now(), duration)))
    }
}

/// The tenancy's clock as a host with a wrong wall clock sees it.
#[derive(Debug, Clone)]
pub struct ClockView {
    clock: SimClock,
    skew: Arc<Mutex<TimeDelta>>,
}

impl ClockView {
    /// How far this view's wall clock is ahead of true time.
    pub fn skew(&self) -> TimeDelta {
        *self.skew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the wall clock of this view and of its clones: NTP or a person has moved it. The monotonic clock does not
    /// notice.
    pub fn set_skew(&self, skew: TimeDelta) {
        *self.skew.lock().unwrap_or_else(PoisonError::into_inner) = skew;
        self.clock.rouse();
    }
}

impl Clock for ClockView {
    fn now(&self) -> DateTime<Utc> {
        self.clock.now() + self.skew()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn sleep_until(&self, at: DateTime<Utc>) -> impl Future<Output = ()> + Send {
        self.clock.sleep_for(Deadline::Wall { at, view: self.clone() })
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        self.clock.sleep(duration)
    }
}

/// What a sleeper waits for.
#[derive(Debug)]
enum Deadline {
    /// An instant of true time.
    True(DateTime<Utc>),
    /// An instant by the wall clock of a view, whose skew may change meanwhile.
    Wall { at: DateTime<Utc>, view: ClockView },
}

impl Deadline {
    /// The deadline in true time, as things stand.
    fn in_true_time(&self) -> DateTime<Utc> {
        match self {
            Self::True(at) => *at,
            Self::Wall { at, view } => at.checked_sub_signed(view.skew()).unwrap_or(DateTime::<Utc>::MAX_UTC),
        }
    }
}

/// A task asleep on the clock. Dropping it takes it off the clock.
#[derive(Debug)]
struct Sleep {
    clock: SimClock,
    deadline: Deadline,
    /// Under what it is registered, once it has been polled.
    key: Option<SleeperKey>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline.in_true_time();
        let clock = self.clock.clone();
        let mut dial = clock.dial();
        if let Some(key) = self.key.take() {
            dial.sleepers.remove(&key);
        }
        if dial.now >= deadline {
            return Poll::Ready(());
        }
        let key = (deadline, dial.next_sleeper);
        dial.next_sleeper += 1;
        dial.sleepers.insert(key, context.waker().clone());
        self.key = Some(key);
        drop(dial);
        clock.shared.asleep.notify_waiters();
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.clock.dial().sleepers.remove(&key);
        }
    }
}

/// `duration` after `now`; the end of time when there is no such instant.
fn later(now: DateTime<Utc>, duration: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(duration)
        .ok()
        .and_then(|delta| now.checked_add_signed(delta))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600, 0).unwrap()
    }

    /// Lets every task that can run do so.
    async fn let_others_run() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn sleepers_wake_in_the_order_of_their_deadlines() {
        let clock = SimClock::new(start());
        let woken = Arc::new(Mutex::new(Vec::new()));
        for minutes in [30, 10, 20] {
            let (clock, woken) = (clock.clone(), Arc::clone(&woken));
            tokio::spawn(async move {
                clock.sleep_until(start() + TimeDelta::minutes(minutes)).await;
                woken.lock().unwrap().push(minutes);
            });
        }
        clock.wait_until_asleep(3).await;
        assert_eq!(clock.next_deadline(), Some(start() + TimeDelta::minutes(10)));
        clock.advance(TimeDelta::minutes(20));
        let_others_run().await;
        assert_eq!(*woken.lock().unwrap(), [10, 20]);
        clock.advance(TimeDelta::minutes(10));
        let_others_run().await;
        assert_eq!(*woken.lock().unwrap(), [10, 20, 30]);
    }

    #[tokio::test]
    async fn whoever_was_woken_no_longer_counts_as_asleep() {
        let clock = SimClock::new(start());
        let sleeper = clock.clone();
        tokio::spawn(async move {
            sleeper.sleep(Duration::from_mins(1)).await;
            sleeper.sleep(Duration::from_hours(1)).await;
        });
        clock.wait_until_sleeping().await;
        clock.advance(TimeDelta::minutes(1));
        assert_eq!(clock.n_sleepers(), 0, "woken, though it has not run yet");
        clock.wait_until_sleeping().await;
        assert_eq!(clock.next_deadline(), Some(start() + TimeDelta::minutes(61)));
    }

    #[tokio::test]
    async fn what_is_past_does_not_sleep_and_what_is_dropped_leaves_no_deadline() {
        let clock = SimClock::new(start());
        clock.sleep_until(start()).await;
        tokio::select! {
            biased;
            () = clock.sleep(Duration::from_hours(1)) => unreachable!("nobody advances the clock"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(clock.next_deadline(), None);
    }

    #[tokio::test]
    async fn a_wall_clock_that_is_moved_moves_its_deadlines_and_not_the_monotonic_ones() {
        let clock = SimClock::new(start());
        let view = clock.view(TimeDelta::minutes(-5));
        assert_eq!(view.now(), start() - TimeDelta::minutes(5));
        let by_wall = view.clone();
        let sleeper = tokio::spawn(async move { by_wall.sleep_until(start() + TimeDelta::hours(1)).await });
        clock.wait_until_sleeping().await;
        assert_eq!(clock.next_deadline(), Some(start() + TimeDelta::minutes(65)));
        let before = view.monotonic();
        view.set_skew(TimeDelta::hours(2));
        sleeper.await.unwrap();
        assert_eq!(view.monotonic(), before);
        assert_eq!(clock.now(), start(), "true time stands still");
    }

    #[test]
    fn time_never_goes_back() {
        let clock = SimClock::new(start());
        clock.advance(TimeDelta::hours(1));
        clock.advance_to(start());
        assert_eq!(clock.monotonic(), Duration::from_hours(1));
    }
}
