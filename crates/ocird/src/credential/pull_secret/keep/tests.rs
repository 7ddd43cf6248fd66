//! Hours of keeping in no time: the clock jumps to whatever is waited for.

use std::sync::Mutex;
use std::time::Duration;

use super::super::secret::tests::{made, namespaces};
use super::*;
use tokio_util::sync::CancellationToken;

fn noon() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// A clock that is where somebody waited for it to be, in time since noon.
#[derive(Default)]
struct Jumps(Mutex<TimeDelta>);

impl Clock for Jumps {
    fn now(&self) -> DateTime<Utc> {
        noon() + *self.0.lock().unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().unwrap().to_std().unwrap()
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        *self.0.lock().unwrap() = at - noon();
        tokio::task::yield_now().await;
    }

    async fn sleep(&self, duration: Duration) {
        self.sleep_until(self.now() + duration).await;
    }
}

/// What happened, in order, with the minute in front.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl Diary {
    fn write(&self, clock: &Jumps, what: &str) {
        let seconds = clock.0.lock().unwrap().num_seconds();
        self.0.lock().unwrap().push(format!("{}:{:02} {what}", seconds / 60, seconds % 60));
    }
}

/// Keeps the secret in `dev` and `prod` every so many minutes, until noon is so many minutes ago. `fails` says what does.
async fn kept(every: i64, until: i64, fails: impl Fn(&str, i64) -> bool) -> Vec<String> {
    let (clock, diary, stop) = (Jumps::default(), Diary::default(), CancellationToken::new());
    let keeping = Keeping {
        name: "ocir".parse().unwrap(),
        namespaces: namespaces(&["dev", "prod"]),
        every: TimeDelta::minutes(every),
    };
    let now = || clock.0.lock().unwrap().num_minutes();
    let is_over = || {
        if now() >= until {
            stop.cancel();
        }
        now() >= until
    };
    let issue = async || {
        if is_over() {
            return Err(IssueError::Late);
        }
        let what = if fails("token", now()) { "no token" } else { "token" };
        diary.write(&clock, what);
        if fails("token", now()) { Err(IssueError::Late) } else { Ok(made(now())) }
    };
    let put = async |namespace: &NamespaceName, secret: &PullSecret| {
        if is_over() || fails(namespace.as_str(), now()) {
            diary.write(&clock, &format!("{namespace} refuses"));
            let why = crate::client::AskError::TooLarge;
            return Err(PutError::Ask(why));
        }
        diary.write(&clock, &format!("{namespace} until {}", (secret.expires_at() - noon()).num_minutes()));
        Ok(Done::Renewed)
    };
    stop.run_until_cancelled(keep(&keeping, issue, put, &clock)).await;
    diary.0.into_inner().unwrap()
}

#[tokio::test]
async fn every_namespace_gets_a_new_token_long_before_the_old_one_ends() {
    let diary = kept(30, 90, |_, _| false).await;
    let round = |minute: i64| {
        let until = minute + 60;
        [
            format!("{minute}:00 token"),
            format!("{minute}:00 dev until {until}"),
            format!("{minute}:00 prod until {until}"),
        ]
    };
    assert_eq!(diary, [round(0), round(30), round(60)].concat());
}

#[tokio::test]
async fn at_half_of_its_life_a_token_is_renewed_whatever_was_said() {
    let diary = kept(60, 31, |_, _| false).await;
    assert_eq!(
        diary.iter().filter(|line| line.ends_with("token")).collect::<Vec<_>>(),
        ["0:00 token", "30:00 token"]
    );
}

#[tokio::test]
async fn one_namespace_that_refuses_keeps_the_token_from_no_other_and_costs_no_sign_in() {
    let diary = kept(30, 30, |what, minute| what == "dev" && minute < 1).await;
    let expected = [
        "0:00 token",
        "0:00 dev refuses",
        "0:00 prod until 60",
        "0:10 dev refuses",
        "0:30 dev refuses",
        "1:10 dev until 60",
    ];
    assert_eq!(diary, expected);
}

#[tokio::test]
async fn without_a_new_token_the_old_one_stays_and_the_next_try_comes_soon() {
    let diary = kept(30, 40, |what, minute| what == "token" && (30..35).contains(&minute)).await;
    let later: Vec<&str> = diary.iter().skip(3).map(String::as_str).collect();
    let expected = [
        "30:00 no token",
        "30:10 no token",
        "30:30 no token",
        "31:10 no token",
        "32:30 no token",
        "34:30 no token",
        "36:30 token",
        "36:30 dev until 96",
        "36:30 prod until 96",
    ];
    assert_eq!(later, expected);
}

#[tokio::test]
async fn a_token_that_has_ended_is_put_nowhere() {
    let diary =
        kept(30, 80, |what, minute| (what == "token" && minute > 0) || (what == "dev" && minute < 62)).await;
    assert!(diary.iter().any(|line| line.starts_with("58:") && line.ends_with("dev refuses")), "{diary:?}");
    assert!(diary.iter().all(|line| !line.contains("dev until")), "{diary:?}");
}

#[test]
fn the_nearer_the_end_the_louder_it_is_said() {
    let urgency = |minutes: i64| Urgency::of(Some(noon() + TimeDelta::minutes(minutes)), noon());
    assert_eq!(urgency(16), Urgency::Good);
    assert_eq!((urgency(15), urgency(1)), (Urgency::NearEnd, Urgency::NearEnd));
    assert_eq!((urgency(0), urgency(-1)), (Urgency::Nothing, Urgency::Nothing));
    assert_eq!(Urgency::of(None, noon()), Urgency::Nothing);
}

#[test]
fn a_clock_that_stepped_back_makes_a_new_token_due() {
    let shelves = Shelves { present: Some(made(0)), ends: BTreeMap::new() };
    let is_due = |minutes: i64| shelves.is_due(TimeDelta::minutes(30), noon() + TimeDelta::minutes(minutes));
    assert_eq!([-1, 0, 29, 30].map(is_due), [true, false, false, true]);
}
