//! Keeps pull secrets fresh: a new token into every namespace, again and again before the present one ends. It ends when its
//! future is dropped: an apply that is cut off has happened or has not, and the next start does it again.
//!
//! What fails is tried again, sooner than the next renewal. How loudly that is said goes by how long pulls can still do with
//! what is there. Deliberately without the network and the system's clock: both are handed in.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Clock, ErrorChain};

use super::{Done, IssueError, NamespaceName, PullSecret, PutError, SecretName};
use crate::notify;

/// The first wait after a failure; each later one is twice as long.
const FIRST_WAIT: TimeDelta = TimeDelta::seconds(10);
/// The longest wait after a failure: in the half hour that a token has left, there are then some fifteen tries.
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(2);
/// From here on a token that could not be renewed is an error: the time in which a person might still do something.
const NEAR_END: TimeDelta = TimeDelta::minutes(15);

/// What is kept.
#[derive(Debug)]
pub(crate) struct Keeping {
    /// The name of the secret in each namespace.
    pub(crate) name: SecretName,
    /// Where it is.
    pub(crate) namespaces: BTreeSet<NamespaceName>,
    /// How often it is renewed, at most: at half of a token's life it is renewed in any case.
    pub(crate) every: TimeDelta,
}

/// What is where, as far as this process has brought it there.
#[derive(Debug, Default)]
struct Shelves {
    /// The newest token.
    present: Option<PullSecret>,
    /// When the token in each namespace ends.
    ends: BTreeMap<NamespaceName, DateTime<Utc>>,
}

/// How much pulls suffer from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Urgency {
    /// What is there is good for a while.
    Good,
    /// It ends soon.
    NearEnd,
    /// There is none, or it has ended.
    Nothing,
}

/// Keeps the secrets fresh by these two: `issue` gets a new token, `put` brings it into a namespace.
pub(crate) async fn keep<C: Clock>(
    keeping: &Keeping,
    issue: impl AsyncFn() -> Result<PullSecret, IssueError>,
    put: impl AsyncFn(&NamespaceName, &PullSecret) -> Result<Done, PutError>,
    clock: &C,
) -> std::convert::Infallible {
    let mut shelves = Shelves::default();
    let mut wait = FIRST_WAIT;
    loop {
        if shelves.is_due(keeping.every, clock.now()) {
            match issue().await {
                Ok(secret) => shelves.present = Some(secret),
                Err(error) => shelves.tell_no_token(keeping, &error, clock.now()),
            }
        }
        shelves.fill(keeping, &put, clock).await;
        let now = clock.now();
        let is_done = shelves.are_full(keeping) && !shelves.is_due(keeping.every, now);
        let next = if is_done { shelves.due_at(keeping.every) } else { now + wait };
        wait = if is_done { FIRST_WAIT } else { (wait * 2).min(LONGEST_WAIT) };
        shelves.tell_systemd(keeping, next);
        clock.sleep_until(next).await;
    }
}

impl Shelves {
    /// When the next token is wanted; at once while there is none.
    fn due_at(&self, every: TimeDelta) -> DateTime<Utc> {
        let due_at = |secret: &PullSecret| secret.made_at() + every.min(secret.life() / 2);
        self.present.as_ref().map_or(DateTime::<Utc>::MIN_UTC, due_at)
    }

    fn is_due(&self, every: TimeDelta, now: DateTime<Utc>) -> bool {
        // A clock that stepped back makes the age of a token unknown.
        let is_older = self.present.as_ref().is_some_and(|secret| now < secret.made_at());
        is_older || now >= self.due_at(every)
    }

    fn are_full(&self, keeping: &Keeping) -> bool {
        keeping.namespaces.iter().all(|namespace| !self.lacks(namespace))
    }

    /// Whether a namespace does not have the newest token.
    fn lacks(&self, namespace: &NamespaceName) -> bool {
        let present = self.present.as_ref().map(PullSecret::expires_at);
        present.is_none() || self.ends.get(namespace).copied() != present
    }

    /// Brings the newest token to where it is not. One namespace that refuses it keeps it from no other.
    async fn fill<C: Clock>(
        &mut self,
        keeping: &Keeping,
        put: &impl AsyncFn(&NamespaceName, &PullSecret) -> Result<Done, PutError>,
        clock: &C,
    ) {
        let Some(present) = self.present.as_ref().filter(|secret| clock.now() < secret.expires_at()) else {
            return;
        };
        let lacking: Vec<_> = keeping.namespaces.iter().filter(|namespace| self.lacks(namespace)).collect();
        for namespace in lacking {
            let secret = format!("{namespace}/{}", keeping.name);
            match put(namespace, present).await {
                Ok(done) => {
                    let what = if done == Done::Created { "is made" } else { "is renewed" };
                    tracing::info!(secret, expires_at = %shown(present.expires_at()), "the pull secret {what}");
                    self.ends.insert(namespace.clone(), present.expires_at());
                }
                Err(error) => {
                    let end = self.ends.get(namespace).copied();
                    tell(Urgency::of(end, clock.now()), &secret, end, &ErrorChain(&error).to_string());
                }
            }
        }
    }

    /// Says that there is no new token, with the end of what ends first.
    fn tell_no_token(&self, keeping: &Keeping, error: &IssueError, now: DateTime<Utc>) {
        let ends = keeping.namespaces.iter().map(|namespace| self.ends.get(namespace).copied());
        let first = ends.min().flatten();
        tell(Urgency::of(first, now), keeping.name.as_str(), first, &ErrorChain(error).to_string());
    }

    fn tell_systemd(&self, keeping: &Keeping, next: DateTime<Utc>) {
        let n_lacking = keeping.namespaces.iter().filter(|namespace| self.lacks(namespace)).count();
        let (n, next) = (keeping.namespaces.len(), next.format("%H:%M UTC"));
        if n_lacking == 0 {
            notify::ready(&format!("{n} pull secrets are fresh; next at {next}"));
        } else {
            notify::status(&format!("{n_lacking} of {n} pull secrets are not fresh; next try at {next}"));
        }
    }
}

impl Urgency {
    /// When what is there ends at `end`; `None` if nothing is known to be there.
    fn of(end: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        match end {
            Some(end) if end - now > NEAR_END => Self::Good,
            Some(end) if end > now => Self::NearEnd,
            Some(_) | None => Self::Nothing,
        }
    }
}

/// Says once that something failed, as loudly as it matters.
fn tell(urgency: Urgency, secret: &str, end: Option<DateTime<Utc>>, error: &str) {
    let expires_at = end.map_or_else(|| "unknown".to_owned(), shown);
    match urgency {
        Urgency::Good => {
            tracing::warn!(
                secret,
                expires_at,
                error,
                "the pull secret is not renewed yet; the one before is still good"
            );
        }
        Urgency::NearEnd => {
            tracing::error!(secret, expires_at, error, "the pull secret ends soon and cannot be renewed");
        }
        Urgency::Nothing => {
            tracing::error!(
                secret,
                expires_at,
                error,
                "there is no pull secret that is good, so that pods may fail to pull"
            );
        }
    }
}

fn shown(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests;
