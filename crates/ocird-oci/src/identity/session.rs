//! A token with the key it is bound to, and when to replace both.

use aws_lc_rs::signature::RsaKeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{CompartmentId, TenancyId};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::SignInError;
use crate::sign::Signer;

/// How long before its end a token is replaced, unless half its life is shorter. Five minutes are ten tries of half a
/// minute.
const MARGIN: TimeDelta = TimeDelta::minutes(5);

/// The longest token that makes sense; the known ones have under two thousand characters.
const MAX_TOKEN: usize = 32 * 1024;

/// What requests are signed with for the next minutes.
pub(crate) struct Session {
    signer: Signer,
    tenancy: TenancyId,
    compartment: Option<CompartmentId>,
    expires_at: DateTime<Utc>,
    refresh_at: DateTime<Utc>,
}

/// The part of the token's claims that concerns us. The rest, and its signature, concern the services.
#[derive(Deserialize)]
struct Claims {
    /// Seconds since 1970.
    exp: i64,
}

impl Session {
    /// A session of `token` and the `key` it is bound to, received at `now`.
    pub(crate) fn new(
        token: &SecretString,
        key: RsaKeyPair,
        tenancy: TenancyId,
        compartment: Option<CompartmentId>,
        now: DateTime<Utc>,
    ) -> Result<Self, SignInError> {
        let expires_at = expiry(token)?;
        if expires_at <= now {
            return Err(SignInError::ExpiredOnArrival { expired_at: expires_at, now });
        }
        let key_id = SecretString::from(format!("ST${}", token.expose_secret()));
        Ok(Self {
            signer: Signer::new(key_id, key),
            tenancy,
            compartment,
            expires_at,
            refresh_at: refresh_at(now, expires_at),
        })
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

    /// When the services stop to accept it.
    pub(crate) const fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    /// True until it should be replaced.
    pub(crate) fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        now < self.refresh_at
    }
}

/// Five minutes before the end or at half the life, whichever is later: a short token is not replaced at every call.
fn refresh_at(received_at: DateTime<Utc>, expires_at: DateTime<Utc>) -> DateTime<Utc> {
    let half_life = (expires_at - received_at) / 2;
    expires_at - MARGIN.min(half_life)
}

/// When a token of three base64 parts ends. Its characters are checked as well: it goes into a header.
fn expiry(token: &SecretString) -> Result<DateTime<Utc>, SignInError> {
    let unusable = |detail| SignInError::Token { detail };
    let token = token.expose_secret();
    let is_sound = token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'='));
    if !is_sound || token.len() > MAX_TOKEN {
        return Err(unusable("not three parts of base64url"));
    }
    let claims = token.split('.').nth(1).ok_or(unusable("not three parts of base64url"))?;
    let claims = URL_SAFE_NO_PAD
        .decode(claims.trim_end_matches('='))
        .map_err(|_| unusable("its claims are not base64url"))?;
    let claims: Claims =
        serde_json::from_slice(&claims).map_err(|_| unusable("its claims have no sound `exp`"))?;
    DateTime::from_timestamp(claims.exp, 0).ok_or(unusable("its claims have no sound `exp`"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + minutes * 60, 0).unwrap()
    }

    fn token(claims: &str) -> SecretString {
        format!("canary.{}.x", URL_SAFE_NO_PAD.encode(claims)).into()
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

    #[test]
    fn the_end_is_read_from_the_claims() {
        assert_eq!(expiry(&token(r#"{"exp":1700000000,"sub":"x"}"#)).unwrap(), at(0));
    }

    #[test]
    fn an_unusable_token_is_refused_without_being_shown() {
        for bad in [
            token("{}"),
            token(r#"{"exp":"canary"}"#),
            token(r#"{"exp":9223372036854775807}"#),
            "canary".to_owned().into(),
            "canary.%.x".to_owned().into(),
            "canary.a\r\nb.x".to_owned().into(),
            "c".repeat(MAX_TOKEN + 1).into(),
        ] {
            let error = expiry(&bad).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn text_that_is_no_token_is_refused_without_a_panic(text in "\\PC{0,60}") {
            prop_assert!(expiry(&text.into()).is_err());
        }
    }
}
