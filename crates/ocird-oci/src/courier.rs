//! One attempt at a call, with what every attempt owes: a count, and a look at the server's clock. And the pause
//! between two attempts.
//!
//! It knows neither keys nor services; whoever holds a courier decides what to send and whether to send it again.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ocird_model::{Clock, ErrorKind};

use crate::clock_ahead::ClockAhead;
use crate::counts::{Counters, Operation};
use crate::retry::{self, Repeat, RetryBudget, Step, Tries};
use crate::transport::{Answer, Outgoing, Transport};
use crate::{BuildError, OciError, Settings};

/// What all calls share.
pub(crate) struct Courier<C> {
    pub(crate) clock: Arc<C>,
    pub(crate) counters: Counters,
    pub(crate) clock_ahead: ClockAhead,
    pub(crate) budget: RetryBudget,
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
            transport: Transport::new(settings)?,
            max_tries: settings.max_tries,
        })
    }

    /// The present by the injected clock.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Sends `outgoing` once; an answer with a status other than 2xx is an error.
    pub(crate) async fn attempt(&self, operation: Operation, outgoing: Outgoing) -> Result<Answer, OciError> {
        let began = self.clock.monotonic();
        let result = self.transport.send(outgoing).await;
        // The metadata service answers from the host itself, whose clock nobody signs by.
        if let Ok(answer) = &result
            && operation != Operation::GetMetadata
            && let Some(date) = answer.date()
        {
            let received = self.clock.now();
            let took = self.clock.monotonic().saturating_sub(began);
            self.clock_ahead.note(date, received - took, received);
        }
        let result = result.and_then(Answer::success);
        let failure = result.as_ref().err().map(OciError::kind);
        tracing::debug!(operation = operation.as_str(), outcome = failure.map_or("ok", ErrorKind::as_str));
        self.counters.answered(operation, failure);
        result
    }

    /// The tries of one call.
    pub(crate) fn tries(&self, repeat: Repeat) -> Tries<'_> {
        Tries::new(repeat, self.max_tries.get(), &self.budget)
    }

    /// Waits as `tries` says after `error`; gives the error back when the call has come to its end. A rejected token
    /// is the caller's own business and an end here.
    pub(crate) async fn before_retry(&self, tries: &mut Tries<'_>, error: OciError) -> Result<(), OciError> {
        match tries.after(&error, retry::fraction()) {
            Step::Pause(duration) => {
                self.pause(duration).await;
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
