//! The throttle under a clock that stands still but for those who sleep.

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::*;

/// Time that passes only while somebody sleeps.
#[derive(Default)]
struct StandingClock(Mutex<Duration>);

impl Clock for StandingClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap() + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        self.sleep((at - self.now()).to_std().unwrap_or_default()).await;
    }

    async fn sleep(&self, duration: Duration) {
        *self.0.lock().unwrap() += duration;
    }
}

const READ: Operation = Operation::GetContainerImage;

fn refused(status: u16, retry_after: Option<u64>) -> Result<Answer, OciError> {
    Err(OciError::Refused(Box::new(Refusal {
        status,
        code: "Code".to_owned(),
        message: String::new(),
        request_id: None,
        retry_after: retry_after.map(Duration::from_secs),
    })))
}

/// One call, answered so, with the longest throw of the dice.
async fn call(throttle: &Throttle, clock: &StandingClock, answer: Result<Answer, OciError>) -> OciError {
    let permit = throttle.permit(READ, Duration::ZERO, clock).await.unwrap();
    permit.settle(answer, clock.monotonic(), 1.0).unwrap_err()
}

/// One call that is let through: a 404 is an answer like any.
async fn let_one_through(throttle: &Throttle, clock: &StandingClock) {
    call(throttle, clock, refused(404, None)).await;
}

fn n_free(throttle: &Throttle) -> usize {
    throttle.slots.available_permits()
}

#[tokio::test]
async fn calls_that_were_under_way_together_halve_the_limit_once() {
    let (throttle, clock) = (Throttle::new(), StandingClock::default());
    let mut permits = Vec::new();
    for _ in 0..MOST {
        permits.push(throttle.permit(READ, Duration::ZERO, &clock).await.unwrap());
    }
    assert_eq!(n_free(&throttle), 0);
    for permit in permits {
        permit.settle(refused(429, None), clock.monotonic(), 1.0).unwrap_err();
    }
    assert_eq!((throttle.limit(), n_free(&throttle)), (16, 16));
}

#[tokio::test]
async fn the_limit_falls_to_one_call_and_no_further() {
    let (throttle, clock) = (Throttle::new(), StandingClock::default());
    let mut limits = Vec::new();
    for _ in 0..6 {
        call(&throttle, &clock, refused(429, Some(1))).await;
        limits.push(throttle.limit());
    }
    assert_eq!(limits, [16, 8, 4, 2, 1, 1]);
    assert_eq!(n_free(&throttle), 1);
}

#[tokio::test]
async fn ten_answers_raise_the_limit_by_one_and_never_beyond_where_it_began() {
    let (throttle, clock) = (Throttle::new(), StandingClock::default());
    call(&throttle, &clock, refused(429, None)).await;
    for (n_calls, limit) in [(9, 16), (1, 17), (10, 18), (140, 32), (100, 32)] {
        for _ in 0..n_calls {
            let_one_through(&throttle, &clock).await;
        }
        assert_eq!((throttle.limit(), n_free(&throttle)), (limit, limit));
    }
}

#[tokio::test]
async fn failures_of_other_kinds_move_nothing() {
    let (throttle, clock) = (Throttle::new(), StandingClock::default());
    call(&throttle, &clock, refused(503, Some(30))).await;
    assert_eq!((throttle.limit(), clock.monotonic()), (MOST, Duration::ZERO));
    call(&throttle, &clock, refused(429, Some(30))).await;
    for _ in 0..20 {
        call(&throttle, &clock, refused(500, None)).await;
    }
    assert_eq!(throttle.limit(), 16);
}

#[tokio::test]
async fn pauses_double_until_something_is_let_through() {
    let (throttle, clock) = (Throttle::new(), StandingClock::default());
    for secs in [0, 1, 3, 7, 15] {
        call(&throttle, &clock, refused(429, None)).await;
        assert_eq!(clock.monotonic().as_secs(), secs);
    }
    let_one_through(&throttle, &clock).await;
    assert_eq!(clock.monotonic().as_secs(), 31);
    call(&throttle, &clock, refused(429, None)).await;
    let_one_through(&throttle, &clock).await;
    assert_eq!(clock.monotonic().as_secs(), 32);
}

#[tokio::test]
async fn a_call_that_was_sent_earlier_can_put_off_the_next_one_but_not_bring_it_forward() {
    let (throttle, clock) = (Throttle::new(), StandingClock::default());
    let early = throttle.permit(READ, Duration::ZERO, &clock).await.unwrap();
    let other = throttle.permit(READ, Duration::ZERO, &clock).await.unwrap();
    call(&throttle, &clock, refused(429, Some(20))).await;
    early.settle(refused(404, None), Duration::ZERO, 1.0).unwrap_err();
    other.settle(refused(429, Some(25)), Duration::ZERO, 1.0).unwrap_err();
    let_one_through(&throttle, &clock).await;
    assert_eq!((clock.monotonic().as_secs(), throttle.limit()), (25, 16));
}

#[tokio::test]
async fn a_cloud_that_lets_nothing_through_is_given_up_and_the_next_pass_asks_again() {
    let (throttle, clock) = (Throttle::new(), StandingClock::default());
    let mut n_calls = 1;
    while call(&throttle, &clock, refused(429, None)).await.is_status(429) {
        n_calls += 1;
    }
    assert_eq!((n_calls, clock.monotonic().as_secs()), (8, 91));
    let error = throttle.permit(READ, Duration::ZERO, &clock).await.unwrap_err();
    assert_eq!(error.to_string(), "throttled, and not waited for any longer: 91 s in this pass so far");
    assert_eq!(clock.monotonic().as_secs(), 91, "nobody waits after that");
    throttle.begin_pass(clock.monotonic());
    let_one_through(&throttle, &clock).await;
    assert_eq!(clock.monotonic().as_secs(), 121, "what was asked for still holds");
    assert!(call(&throttle, &clock, refused(429, None)).await.is_status(429), "patience is whole again");
}

#[tokio::test]
async fn one_pass_waits_a_quarter_of_an_hour_at_most_however_much_is_let_through() {
    let (throttle, clock) = (Throttle::new(), StandingClock::default());
    throttle.begin_pass(clock.monotonic());
    while call(&throttle, &clock, refused(429, Some(59))).await.is_status(429) {
        let_one_through(&throttle, &clock).await;
    }
    assert_eq!(clock.monotonic(), 15 * Duration::from_secs(59));
}

#[tokio::test]
async fn a_wish_longer_than_any_patience_is_obeyed_without_waiting() {
    let (throttle, clock) = (Throttle::new(), StandingClock::default());
    assert!(!call(&throttle, &clock, refused(429, Some(600))).await.is_status(429));
    for minutes in [0, 4, 4] {
        clock.sleep(Duration::from_mins(minutes)).await;
        throttle.begin_pass(clock.monotonic());
        let is_near = minutes == 4 && clock.monotonic() == Duration::from_mins(8);
        assert_eq!(throttle.permit(READ, Duration::ZERO, &clock).await.is_ok(), is_near, "{minutes}");
    }
    assert_eq!(clock.monotonic(), Duration::from_mins(10));
}

#[tokio::test]
async fn a_delete_waits_for_a_short_pause_only() {
    for (secs, waits) in [(10, true), (11, false)] {
        let (throttle, clock) = (Throttle::new(), StandingClock::default());
        call(&throttle, &clock, refused(429, Some(secs))).await;
        let permit = throttle.permit(Operation::DeleteContainerImage, Duration::ZERO, &clock).await;
        assert_eq!((permit.is_ok(), clock.monotonic().is_zero()), (waits, !waits));
    }
}

#[tokio::test]
async fn signing_in_needs_no_slot() {
    let (throttle, clock) = (Throttle::new(), StandingClock::default());
    let mut held = Vec::new();
    for _ in 0..MOST {
        held.push(throttle.permit(READ, Duration::ZERO, &clock).await.unwrap());
    }
    assert!(throttle.permit(Operation::Federate, Duration::ZERO, &clock).await.is_ok());
    assert_eq!((held.len(), n_free(&throttle)), (MOST, 0));
}

proptest! {
    /// 0 takes a permit, 1 drops one, the others settle one so; half the time the oldest, else the youngest.
    #[test]
    fn permits_are_neither_lost_nor_invented(steps in prop::collection::vec((0_u16..5, any::<bool>()), 0..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (throttle, clock) = (Throttle::new(), StandingClock::default());
        let mut held = Vec::new();
        for (step, oldest) in steps {
            if step == 0 && n_free(&throttle) > 0 {
                if let Ok(permit) = runtime.block_on(throttle.permit(READ, Duration::ZERO, &clock)) {
                    held.push(permit);
                }
            } else if !held.is_empty() {
                let permit = held.remove(if oldest { 0 } else { held.len() - 1 });
                let answer = [None, None, Some(404), Some(429), Some(503)][usize::from(step)];
                if let Some(status) = answer {
                    prop_assert!(permit.settle(refused(status, None), clock.monotonic(), 0.5).is_err());
                }
            }
            prop_assert!((1..=MOST).contains(&throttle.limit()));
        }
        drop(held);
        prop_assert_eq!(n_free(&throttle), throttle.limit());
    }
}
