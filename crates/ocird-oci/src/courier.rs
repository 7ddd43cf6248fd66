//! One attempt at a call, with what every attempt owes: its turn at the throttle, a count, and a look at the server's
//! clock. And the pause between two attempts.
//!
//! It knows neither keys nor services; whoever holds a courier decides what to send and whether to send it again.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ocird_model::{Clock, ErrorKind};

use crate::clock_ahead::ClockAhead;
use crate::counts::{CallCounts, Counters, Operation};
use crate::retry::{self, Repeat, RetryBudget, Step, Tries};
use crate::throttle::{Permit, Throttle};
use crate::transport::{Answer, Outgoing, Transport};
use crate::{BuildError, OciError, Settings};

/// What all calls share.
pub(crate) struct Courier<C> {
    pub(crate) clock: Arc<C>,
    pub(crate) counters: Counters,
    pub(crate) clock_ahead: ClockAhead,
    pub(crate) budget: RetryBudget,
    throttle: Throttle,
    transport: Transport,
    max_tries: NonZeroU32,
}

impl<C: Clock> Courier<C> {
    /// A courier by these settings.
    pub(crate) fn new(settings: &Settings, clock: Arc<C>) -> Result<Self, BuildError> {
        Ok(Self {
            clock,
            counters: Counters::default(),
            clock_ahead: ClockAhead::default(),
            budget: RetryBudget::new(settings.retries_per_pass),
            throttle: Throttle::new(),
            transport: Transport::new(settings)?,
            max_tries: settings.max_tries,
        })
    }

    /// The present by the injected clock.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// A pass begins: its calls have a full budget of retries, and their own patience with a cloud that throttles.
    pub(crate) fn begin_pass(&self) {
        self.budget.reset();
        self.clock_ahead.begin_pass();
        self.throttle.begin_pass(self.clock.monotonic());
    }

    /// What has been asked of the cloud since the start, and what came back.
    pub(crate) fn counts(&self) -> CallCounts {
        self.counters.snapshot(self.throttle.limit())
    }

    /// Waits for the turn of one call that has `waited` so long already. To be had before the call is signed: a signature
    /// holds for five minutes only.
    pub(crate) async fn permit(
        &self,
        operation: Operation,
        waited: Duration,
    ) -> Result<Permit<'_>, OciError> {
        self.throttle.permit(operation, waited, &*self.clock).await
    }

    /// Waits for its turn and sends `outgoing` once; an answer with a status other than 2xx is an error. For calls
    /// that do not grow stale in line: what bears a token, the sign-in, which takes no slot, and the metadata service,
    /// which has a queue of its own and is no matter of the throttle.
    pub(crate) async fn attempt(&self, operation: Operation, outgoing: Outgoing) -> Result<Answer, OciError> {
        if operation == Operation::GetMetadata {
            return self.send(operation, outgoing).await;
        }
        let permit = self.permit(operation, Duration::ZERO).await?;
        self.attempt_by(permit, outgoing).await
    }

    /// Sends `outgoing` once, as its `permit` allows.
    pub(crate) async fn attempt_by(
        &self,
        permit: Permit<'_>,
        outgoing: Outgoing,
    ) -> Result<Answer, OciError> {
        let result = self.send(permit.operation(), outgoing).await;
        permit.settle(result, self.clock.monotonic(), retry::fraction())
    }

    async fn send(&self, operation: Operation, outgoing: Outgoing) -> Result<Answer, OciError> {
        let began = self.clock.monotonic();
        let result = self.transport.send(outgoing).await;
        let took = self.clock.monotonic().saturating_sub(began);
        // The metadata service answers from the host itself, whose clock nobody signs by.
        if let Ok(answer) = &result
            && operation != Operation::GetMetadata
            && let Some(date) = answer.date()
        {
            let received = self.clock.now();
            self.clock_ahead.note(date, received - took, received);
        }
        let result = result.and_then(Answer::success);
        let failure = result.as_ref().err().map(OciError::kind);
        tracing::debug!(
            operation = operation.as_str(),
            outcome = failure.map_or("ok", ErrorKind::as_str),
            duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "a call was answered, or failed without an answer"
        );
        self.counters.answered(operation, failure);
        result
    }

    /// The tries of one call that passes the throttle.
    pub(crate) fn tries(&self, repeat: Repeat) -> Tries<'_> {
        Tries::new(repeat, self.max_tries.get(), &self.budget).throttled()
    }

    /// Waits as `tries` says after `error`; gives the error back when the call has come to its end. A rejected token
    /// is the caller's own business and an end here.
    pub(crate) async fn before_retry(&self, tries: &mut Tries<'_>, error: OciError) -> Result<(), OciError> {
        match tries.after(&error, retry::fraction()) {
            Step::Pause(duration) => {
                self.pause(duration).await;
                Ok(())
            }
            Step::StandInLine => {
                self.counters.retried();
                Ok(())
            }
            Step::Refresh | Step::GiveUp => Err(error),
        }
    }

    /// Waits before one more try.
    pub(crate) async fn pause(&self, duration: Duration) {
        self.counters.retried();
        self.clock.sleep(duration).await;
    }
}
