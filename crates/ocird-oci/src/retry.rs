//! What may be tried again, when, and how often in all.
//!
//! The verdict on a failure is a table; the pause is arithmetic; neither does anything. The loops that obey them are
//! in [`crate::client`], [`crate::registry`] and [`crate::identity`]. The retry of a pass is the next pass.
//!
//! A 429 is not a failure of the call but a matter of all calls: how long and how often it is waited out is said by
//! [`crate::throttle`], in time and not in tries, and costs nothing of the budget here.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::OciError;

/// The longest first pause; it doubles with every further try.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause that we choose ourselves.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The longest pause that a server may ask for. Beyond it the next pass is soon enough.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(1);

/// How much a second try could harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Reads, and writes that carry a retry token: trying again is harmless.
    Freely,
    /// Deletes: only after an answer that was given before any work was done.
    Carefully,
    /// The metadata service, which says 404 while it is still waking up.
    /// <https://docs.oracle.com/en-us/iaas/Content/Compute/Tasks/gettingmetadata.htm>
    Metadata,
}

/// What to do after a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Try again after a pause.
    Retry,
    /// Sign in anew and try again at once.
    RefreshToken,
    /// Report the failure.
    GiveUp,
}

/// A failed try, as far as the verdict cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure<'a> {
    /// No answer, or none in time.
    Network,
    /// An answer with this status and code.
    Status(u16, &'a str),
    /// An answer that will not get better by asking again.
    Hopeless,
}

/// One row of the table: for these statuses and codes (none: any), the verdict by [`Repeat`].
struct Rule {
    statuses: RangeInclusive<u16>,
    codes: &'static [&'static str],
    freely: Verdict,
    carefully: Verdict,
    metadata: Verdict,
}

use Verdict::{GiveUp, RefreshToken, Retry};

/// The first row that fits decides; what no row names is given up.
/// <https://docs.oracle.com/en-us/iaas/Content/API/References/apierrors.htm>
///
/// Oracle's SDKs have the same table for everything, with these differences:
/// - Stricter: a delete is never sent again after a 5xx, a lost answer or a lock conflict, for it may have been done. The
///   SDKs send it again, and take the 404 of the second try for an answer. A call is tried five times and not eight.
/// - Wider, for reads and what carries a retry token: `ExternalServerIncorrectState` (the documents ask for it), a 429 of
///   any code (as Python's; Go's wants `TooManyRequests`), and all of 500 to 599 but 501 (as Python's; Go's ends at
///   504). A 408 or a 413 is given up as they do.
/// - Elsewhere: the SDKs do not read `Retry-After`; the pauses here are jittered in full and theirs by a second.
const RULES: [Rule; 7] = [
    row(401..=401, &[], RefreshToken, RefreshToken, GiveUp),
    row(404..=404, &[], GiveUp, GiveUp, Retry),
    row(409..=409, &["IncorrectState"], Retry, Retry, GiveUp),
    // The documents ask to retry these too, without saying that nothing was done.
    row(409..=409, &["LockConflict", "ExternalServerIncorrectState"], Retry, GiveUp, GiveUp),
    row(429..=429, &[], Retry, Retry, Retry),
    row(501..=501, &[], GiveUp, GiveUp, GiveUp),
    row(500..=599, &[], Retry, GiveUp, Retry),
];

const fn row(
    statuses: RangeInclusive<u16>,
    codes: &'static [&'static str],
    freely: Verdict,
    carefully: Verdict,
    metadata: Verdict,
) -> Rule {
    Rule { statuses, codes, freely, carefully, metadata }
}

/// What to do after this failure of a call that may be repeated so.
pub(crate) fn verdict(failure: Failure<'_>, repeat: Repeat) -> Verdict {
    match failure {
        Failure::Hopeless => GiveUp,
        // The server may have done what was asked: for a delete that is the end.
        Failure::Network if repeat == Repeat::Carefully => GiveUp,
        Failure::Network => Retry,
        Failure::Status(status, code) => RULES
            .iter()
            .find(|rule| {
                rule.statuses.contains(&status) && (rule.codes.is_empty() || rule.codes.contains(&code))
            })
            .map_or(GiveUp, |rule| match repeat {
                Repeat::Freely => rule.freely,
                Repeat::Carefully => rule.carefully,
                Repeat::Metadata => rule.metadata,
            }),
    }
}

/// The pause before try `n_tries + 1`: full jitter over a doubling span, and never less than the server asked for
/// (within reason). `fraction` is the throw of the dice, from 0 to 1.
pub(crate) fn pause(n_tries: u32, fraction: f64, retry_after: Option<Duration>) -> Duration {
    let doublings = n_tries.saturating_sub(1).min(16);
    let span = (FIRST_PAUSE * 2_u32.pow(doublings)).min(MAX_PAUSE);
    let asked = retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
    span.mul_f64(fraction.clamp(0.0, 1.0)).max(asked)
}

/// A throw of the dice, from 0 to 1. If the system has no randomness to give, the longest pause is the polite one.
pub(crate) fn fraction() -> f64 {
    let mut bytes = [0; 4];
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    }
}

/// The retries that all calls of a pass share. Without it a failing cloud would be asked five times for everything.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    size: u32,
    n_left: AtomicU32,
}

impl RetryBudget {
    /// A full budget.
    pub(crate) const fn new(size: u32) -> Self {
        Self { size, n_left: AtomicU32::new(size) }
    }

    /// Fills it up again: a new pass begins.
    pub(crate) fn reset(&self) {
        self.n_left.store(self.size, Ordering::Relaxed);
    }

    /// Takes one retry; false when none is left.
    pub(crate) fn take(&self) -> bool {
        self.n_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok()
    }
}

/// The tries of one call.
#[derive(Debug)]
pub(crate) struct Tries<'a> {
    repeat: Repeat,
    /// Tries that failed; the one that a refresh made up for does not count.
    n: u32,
    /// The most tries, the first included.
    max: u32,
    has_refreshed: bool,
    /// A 429 is waited out by the throttle. Otherwise, for who does not pass it, it is a failure like any.
    is_throttled: bool,
    budget: &'a RetryBudget,
}

/// How a call goes on after a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Wait so long, then try again.
    Pause(Duration),
    /// Try again at once: the throttle makes the call wait.
    StandInLine,
    /// Sign in anew, then try again.
    Refresh,
    /// Report the failure.
    GiveUp,
}

impl<'a> Tries<'a> {
    /// The tries of a call that may be repeated so, at most `max` of them.
    pub(crate) const fn new(repeat: Repeat, max: u32, budget: &'a RetryBudget) -> Self {
        Self { repeat, n: 0, max, has_refreshed: false, is_throttled: false, budget }
    }

    /// The same for a call that passes the throttle, which bounds in time how often a 429 is met with another try.
    pub(crate) const fn throttled(self) -> Self {
        Self { is_throttled: true, ..self }
    }

    /// How to go on after one more try failed with `error`. Both another try and a refresh are taken from the budget,
    /// a refresh is not counted as a try and happens once. What the throttle waits out costs nothing, except that a
    /// delete has as many tries as ever: it rests on what was read just before.
    pub(crate) fn after(&mut self, error: &OciError, fraction: f64) -> Step {
        let is_waited_out = self.is_throttled && error.is_status(429);
        if is_waited_out && self.repeat != Repeat::Carefully {
            return Step::StandInLine;
        }
        self.n += 1;
        let (failure, retry_after) = match error {
            OciError::Unreachable { .. } | OciError::Timeout { .. } => (Failure::Network, None),
            OciError::Refused(refusal) => {
                (Failure::Status(refusal.status, &refusal.code), refusal.retry_after)
            }
            OciError::Malformed { .. }
            | OciError::TooLarge { .. }
            | OciError::Endless { .. }
            | OciError::Throttled { .. }
            | OciError::Late { .. }
            | OciError::SignIn(_) => (Failure::Hopeless, None),
        };
        match verdict(failure, self.repeat) {
            Retry if is_waited_out && self.n < self.max => Step::StandInLine,
            Retry if self.n < self.max && self.budget.take() => {
                Step::Pause(pause(self.n, fraction, retry_after))
            }
            RefreshToken if !self.has_refreshed && self.budget.take() => {
                self.has_refreshed = true;
                self.n -= 1;
                Step::Refresh
            }
            Retry | RefreshToken | GiveUp => Step::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Refusal;

    fn refused(status: u16, code: &str, retry_after: Option<u64>) -> OciError {
        OciError::Refused(Box::new(Refusal {
            status,
            code: code.to_owned(),
            message: String::new(),
            request_id: None,
            retry_after: retry_after.map(Duration::from_secs),
        }))
    }

    #[test]
    fn every_failure_has_its_verdict() {
        use Failure::{Hopeless, Network, Status};
        for (failure, freely, carefully, metadata) in [
            (Network, Retry, GiveUp, Retry),
            (Hopeless, GiveUp, GiveUp, GiveUp),
            (Status(301, ""), GiveUp, GiveUp, GiveUp),
            (Status(400, "CannotParseRequest"), GiveUp, GiveUp, GiveUp),
            (Status(400, "InvalidParameter"), GiveUp, GiveUp, GiveUp),
            (Status(400, "LimitExceeded"), GiveUp, GiveUp, GiveUp),
            (Status(400, "MissingParameter"), GiveUp, GiveUp, GiveUp),
            (Status(400, "QuotaExceeded"), GiveUp, GiveUp, GiveUp),
            (Status(400, "RelatedResourceNotAuthorizedOrNotFound"), GiveUp, GiveUp, GiveUp),
            (Status(401, "NotAuthenticated"), RefreshToken, RefreshToken, GiveUp),
            (Status(403, "NotAllowed"), GiveUp, GiveUp, GiveUp),
            (Status(403, "NotAuthorized"), GiveUp, GiveUp, GiveUp),
            (Status(403, "SignUpRequired"), GiveUp, GiveUp, GiveUp),
            (Status(404, "NotAuthorizedOrNotFound"), GiveUp, GiveUp, Retry),
            (Status(404, "NotFound"), GiveUp, GiveUp, Retry),
            (Status(404, "InvalidParameter"), GiveUp, GiveUp, Retry),
            (Status(404, "NamespaceNotFound"), GiveUp, GiveUp, Retry),
            (Status(405, "MethodNotAllowed"), GiveUp, GiveUp, GiveUp),
            (Status(408, "Unexplained"), GiveUp, GiveUp, GiveUp),
            (Status(409, "IncorrectState"), Retry, Retry, GiveUp),
            (Status(409, "LockConflict"), Retry, GiveUp, GiveUp),
            (Status(409, "ExternalServerIncorrectState"), Retry, GiveUp, GiveUp),
            (Status(409, "Conflict"), GiveUp, GiveUp, GiveUp),
            (Status(409, "InvalidatedRetryToken"), GiveUp, GiveUp, GiveUp),
            (Status(409, "ResourceLocked"), GiveUp, GiveUp, GiveUp),
            (Status(409, "NotAuthorizedOrResourceAlreadyExists"), GiveUp, GiveUp, GiveUp),
            (Status(409, "Unexplained"), GiveUp, GiveUp, GiveUp),
            (Status(412, "NoEtagMatch"), GiveUp, GiveUp, GiveUp),
            (Status(413, "PayloadTooLarge"), GiveUp, GiveUp, GiveUp),
            (Status(422, "UnprocessableEntity"), GiveUp, GiveUp, GiveUp),
            (Status(429, "TooManyRequests"), Retry, Retry, Retry),
            (Status(429, "Unexplained"), Retry, Retry, Retry),
            (Status(431, "RequestHeaderFieldsTooLarge"), GiveUp, GiveUp, GiveUp),
            (Status(499, "Unexplained"), GiveUp, GiveUp, GiveUp),
            (Status(500, "InternalServerError"), Retry, GiveUp, Retry),
            (Status(501, "MethodNotImplemented"), GiveUp, GiveUp, GiveUp),
            (Status(502, "Unexplained"), Retry, GiveUp, Retry),
            (Status(503, "ServiceUnavailable"), Retry, GiveUp, Retry),
            (Status(503, "ExternalServerUnreachable"), Retry, GiveUp, Retry),
            (Status(503, "ExternalServerTimeout"), Retry, GiveUp, Retry),
            (Status(503, "ExternalServerInvalidResponse"), Retry, GiveUp, Retry),
            (Status(504, "Unexplained"), Retry, GiveUp, Retry),
            (Status(600, "Unexplained"), GiveUp, GiveUp, GiveUp),
        ] {
            assert_eq!(verdict(failure, Repeat::Freely), freely, "{failure:?}");
            assert_eq!(verdict(failure, Repeat::Carefully), carefully, "{failure:?}");
            assert_eq!(verdict(failure, Repeat::Metadata), metadata, "{failure:?}");
        }
    }

    #[test]
    fn any_server_error_but_the_one_is_worth_another_read_and_none_another_delete() {
        for status in (500..=599).filter(|status| *status != 501) {
            assert_eq!(verdict(Failure::Status(status, "Any"), Repeat::Freely), Retry, "{status}");
            assert_eq!(verdict(Failure::Status(status, "Any"), Repeat::Carefully), GiveUp, "{status}");
        }
    }

    #[test]
    fn what_the_throttle_waits_out_costs_a_read_neither_tries_nor_budget() {
        let budget = RetryBudget::new(0);
        let mut tries = Tries::new(Repeat::Freely, 1, &budget).throttled();
        for _ in 0..1000 {
            assert_eq!(tries.after(&refused(429, "TooManyRequests", Some(1)), 1.0), Step::StandInLine);
        }
        assert_eq!(tries.after(&refused(503, "", None), 1.0), Step::GiveUp);
    }

    #[test]
    fn a_delete_stands_in_line_again_as_often_as_it_has_tries() {
        let budget = RetryBudget::new(0);
        let mut tries = Tries::new(Repeat::Carefully, 3, &budget).throttled();
        let steps = [(); 3].map(|()| tries.after(&refused(429, "", None), 1.0));
        assert_eq!(steps, [Step::StandInLine, Step::StandInLine, Step::GiveUp]);
    }

    #[test]
    fn who_does_not_pass_the_throttle_pauses_after_a_429_as_after_any_failure() {
        let budget = RetryBudget::new(100);
        let mut tries = Tries::new(Repeat::Metadata, 2, &budget);
        assert_eq!(tries.after(&refused(429, "", Some(5)), 0.0), Step::Pause(Duration::from_secs(5)));
        assert_eq!(tries.after(&refused(429, "", Some(5)), 0.0), Step::GiveUp);
    }

    #[test]
    fn pauses_double_up_to_the_cap() {
        let longest: Vec<u64> = (1..=8).map(|n| pause(n, 1.0, None).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(pause(4, 0.0, None), Duration::ZERO);
    }

    #[test]
    fn a_server_may_ask_for_a_longer_pause_within_reason() {
        assert_eq!(pause(1, 1.0, Some(Duration::from_secs(7))).as_secs(), 7);
        assert_eq!(pause(4, 1.0, Some(Duration::from_secs(7))).as_secs(), 8);
        assert_eq!(pause(1, 0.0, Some(Duration::from_hours(24))), MAX_RETRY_AFTER);
    }

    proptest! {
        #[test]
        fn no_pause_leaves_its_bounds(n: u32, fraction: f64, asked: Option<u32>) {
            let fraction = if fraction.is_nan() { 0.5 } else { fraction };
            let asked = asked.map(|s| Duration::from_secs(s.into()));
            prop_assert!(pause(n, fraction, asked) <= MAX_RETRY_AFTER);
            prop_assert!((0.0..=1.0).contains(&super::fraction()));
        }
    }

    #[test]
    fn a_call_is_tried_five_times_and_no_more() {
        let budget = RetryBudget::new(100);
        let mut tries = Tries::new(Repeat::Freely, 5, &budget);
        let steps: Vec<Step> = (0..5).map(|_| tries.after(&refused(503, "", None), 1.0)).collect();
        let pauses = [1, 2, 4, 8].map(|s| Step::Pause(Duration::from_secs(s)));
        assert_eq!(steps[..4], pauses);
        assert_eq!(steps[4], Step::GiveUp);
    }

    #[test]
    fn a_token_is_refreshed_once_and_a_second_rejection_is_the_answer() {
        let budget = RetryBudget::new(100);
        for repeat in [Repeat::Freely, Repeat::Carefully] {
            let mut tries = Tries::new(repeat, 5, &budget);
            assert_eq!(tries.after(&refused(401, "", None), 1.0), Step::Refresh);
            assert_eq!(tries.after(&refused(401, "", None), 1.0), Step::GiveUp);
        }
    }

    #[test]
    fn an_empty_budget_stops_all_retries_until_the_next_pass() {
        let budget = RetryBudget::new(1);
        let step = || Tries::new(Repeat::Freely, 5, &budget).after(&refused(503, "", Some(3)), 0.0);
        assert_eq!(step(), Step::Pause(Duration::from_secs(3)));
        assert_eq!(step(), Step::GiveUp);
        budget.reset();
        assert_eq!(step(), Step::Pause(Duration::from_secs(3)));
    }
}
