//! What requests are signed with for the time being, and when to replace it.

use aws_lc_rs::signature::RsaKeyPair;
use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{CompartmentId, TenancyId};

use super::Token;
use crate::profile::Stamp;
use crate::sign::Signer;

/// How long before its end a token is replaced, unless half its life is shorter. Five minutes are ten tries of half a
/// minute.
const MARGIN: TimeDelta = TimeDelta::minutes(5);

/// A key with the name under which the cloud knows it, and whose it is.
pub(crate) struct Session {
    signer: Signer,
    tenancy: TenancyId,
    compartment: Option<CompartmentId>,
    life: Option<Life>,
    stamp: Option<Stamp>,
}

/// The life of a token.
#[derive(Clone, Copy)]
struct Life {
    expires_at: DateTime<Utc>,
    refresh_at: DateTime<Utc>,
}

impl Session {
    /// A session of a key that is good until somebody removes it.
    pub(crate) const fn lasting(signer: Signer, tenancy: TenancyId) -> Self {
        Self { signer, tenancy, compartment: None, life: None, stamp: None }
    }

    /// A session of `token` and the `key` it is bound to, received at `now`, before the token's end.
    pub(crate) fn of_token(token: &Token, key: RsaKeyPair, tenancy: TenancyId, now: DateTime<Utc>) -> Self {
        let expires_at = token.expires_at();
        Self {
            signer: Signer::new(token.key_id(), key),
            tenancy,
            compartment: None,
            life: Some(Life { expires_at, refresh_at: refresh_at(now, expires_at) }),
            stamp: None,
        }
    }

    /// The session of an instance in this compartment.
    pub(crate) fn in_compartment(self, compartment: Option<CompartmentId>) -> Self {
        Self { compartment, ..self }
    }

    /// The session of a token that came from this file.
    pub(crate) fn with_stamp(self, stamp: Stamp) -> Self {
        Self { stamp: Some(stamp), ..self }
    }

    /// Signs requests.
    pub(crate) const fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The tenancy signed in to.
    pub(crate) const fn tenancy(&self) -> &TenancyId {
        &self.tenancy
    }

    /// The compartment of the instance, where its certificate names it.
    pub(crate) const fn compartment(&self) -> Option<&CompartmentId> {
        self.compartment.as_ref()
    }

    /// When the services stop to accept it; `None` when there is no such time.
    pub(crate) fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.life.map(|life| life.expires_at)
    }

    /// True until the services stop to accept it.
    pub(crate) fn is_valid(&self, now: DateTime<Utc>) -> bool {
        self.life.is_none_or(|life| now < life.expires_at)
    }

    /// True until it should be replaced.
    pub(crate) fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        self.life.is_none_or(|life| now < life.refresh_at)
    }

    /// True when the file it came from holds another token by now. Looks at the file, which is local and small, and
    /// reads nothing.
    pub(crate) fn is_superseded(&self) -> bool {
        self.stamp.as_ref().is_some_and(Stamp::has_changed)
    }
}

/// Five minutes before the end or at half the life, whichever is later: a short token is not replaced at every call.
fn refresh_at(received_at: DateTime<Utc>, expires_at: DateTime<Utc>) -> DateTime<Utc> {
    let half_life = (expires_at - received_at) / 2;
    expires_at - MARGIN.min(half_life)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + minutes * 60, 0).unwrap()
    }

    #[test]
    fn a_token_is_replaced_five_minutes_before_its_end() {
        assert_eq!(refresh_at(at(0), at(20)), at(15));
        assert_eq!(refresh_at(at(0), at(60)), at(55));
    }

    #[test]
    fn a_short_token_is_used_for_half_its_life() {
        assert_eq!(refresh_at(at(0), at(6)), at(3));
        assert_eq!(refresh_at(at(0), at(10)), at(5));
    }
}
