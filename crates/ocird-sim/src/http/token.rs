//! The tokens of the simulated tenancy: JSON web tokens signed by a key of its own.
//!
//! Two kinds: what the sign-in gives an instance, bound to the instance's session key, and what the registry gives
//! whoever signed in, which is a bearer token and bound to nothing.
//! <https://docs.oracle.com/en-us/iaas/Content/Identity/Tasks/callingservicesfrominstances.htm>

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::certificate::Subject;
use super::rsa::{PrivateKey, Verifier};

/// Makes tokens and recognises its own.
#[derive(Debug)]
pub(super) struct Issuer {
    key: PrivateKey,
    verifier: Verifier,
    n_issued: AtomicU64,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    /// Not three parts of base64 around JSON.
    #[error("not a token")]
    Malformed,
    /// Changed, or somebody else's.
    #[error("the token is not one of ours")]
    Forged,
    /// Its time is over.
    #[error("the token expired at {0}")]
    Expired(DateTime<Utc>),
    /// A registry token where a session token is wanted, or the other way round.
    #[error("the token is of another kind")]
    Kind,
}

impl Issuer {
    /// An issuer with a new key.
    pub(super) fn new() -> Self {
        let key = PrivateKey::generate();
        let verifier = Verifier::from_der(&key.public_der()).expect("a generated key is an RSA key");
        Self { key, verifier, n_issued: AtomicU64::new(0) }
    }

    /// A token for an instance that has proved to hold its certificate's key, bound to its session key.
    pub(super) fn session(
        &self,
        subject: &Subject,
        fingerprint: &str,
        session_key: &Verifier,
        now: DateTime<Utc>,
        lifetime: TimeDelta,
    ) -> String {
        let Subject { instance, compartment, tenancy } = subject;
        let jwk = json!({
            "kid": instance, "kty": "RSA", "alg": "RS256", "use": "sig",
            "n": URL_SAFE_NO_PAD.encode(&session_key.modulus),
            "e": URL_SAFE_NO_PAD.encode(&session_key.exponent),
        });
        self.issue(json!({
            "sub": instance, "iss": "authService.oracle.com", "aud": "oci",
            "iat": now.timestamp(), "exp": (now + lifetime).timestamp(),
            "tenant": tenancy, "ptype": "instance", "ttype": "x509", "fprint": fingerprint,
            "opc-tenant": tenancy, "opc-compartment": compartment, "opc-instance": instance,
            "opc-certtype": "instance", "opc-tag": "V3,simulated",
            // JSON inside JSON, as in the real token.
            "jwk": jwk.to_string(),
        }))
    }

    /// A token for the registry.
    pub(super) fn registry(&self, holder: &str, now: DateTime<Utc>, lifetime: TimeDelta) -> String {
        self.issue(json!({
            "sub": holder, "iss": "ocir", "aud": "ocir", "ttype": "registry",
            "iat": now.timestamp(), "exp": (now + lifetime).timestamp(),
        }))
    }

    /// The session key that a token of [`Issuer::session`] is bound to.
    pub(super) fn session_key(&self, token: &str, now: DateTime<Utc>) -> Result<Verifier, TokenError> {
        let claims = self.claims(token, "x509", now)?;
        let jwk = claims["jwk"].as_str().ok_or(TokenError::Malformed)?;
        let jwk: Value = serde_json::from_str(jwk).map_err(|_| TokenError::Malformed)?;
        Ok(Verifier { modulus: decode(&jwk["n"])?, exponent: decode(&jwk["e"])? })
    }

    /// Who holds a token of [`Issuer::registry`].
    pub(super) fn registry_holder(&self, token: &str, now: DateTime<Utc>) -> Result<String, TokenError> {
        let claims = self.claims(token, "registry", now)?;
        claims["sub"].as_str().map(str::to_owned).ok_or(TokenError::Malformed)
    }

    fn issue(&self, mut claims: Value) -> String {
        claims["jti"] = format!("sim-{:08}", self.n_issued.fetch_add(1, Ordering::Relaxed)).into();
        let header = json!({ "kid": "simulated", "alg": "RS256" });
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn claims(&self, token: &str, kind: &str, now: DateTime<Utc>) -> Result<Value, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (_, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
        if !self.verifier.verifies(signed.as_bytes(), &signature) {
            return Err(TokenError::Forged);
        }
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| TokenError::Malformed)?;
        let claims: Value = serde_json::from_slice(&payload).map_err(|_| TokenError::Malformed)?;
        let expires = claims["exp"].as_i64().and_then(|exp| DateTime::from_timestamp(exp, 0));
        let expires = expires.ok_or(TokenError::Malformed)?;
        if now >= expires {
            return Err(TokenError::Expired(expires));
        }
        if claims["ttype"] == kind { Ok(claims) } else { Err(TokenError::Kind) }
    }
}

fn encode(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn decode(number: &Value) -> Result<Vec<u8>, TokenError> {
    let text = number.as_str().ok_or(TokenError::Malformed)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_token_lives_until_its_last_second_and_not_in_it() {
        let issuer = Issuer::new();
        let token = issuer.registry("somebody", now(), TimeDelta::seconds(60));
        let at = |seconds| issuer.registry_holder(&token, now() + TimeDelta::seconds(seconds));
        assert_eq!(at(59), Ok("somebody".to_owned()));
        assert_eq!(at(60), Err(TokenError::Expired(now() + TimeDelta::seconds(60))));
    }

    #[test]
    fn a_changed_token_and_one_of_another_issuer_are_forged() {
        let issuer = Issuer::new();
        let token = issuer.registry("somebody", now(), TimeDelta::seconds(60));
        let (header, rest) = token.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let longer = encode(&json!({ "sub": "root", "ttype": "registry", "exp": i64::MAX }));
        let altered = format!("{header}.{longer}.{signature}");
        assert_eq!(issuer.registry_holder(&altered, now()), Err(TokenError::Forged));
        assert_eq!(Issuer::new().registry_holder(&token, now()), Err(TokenError::Forged));
    }

    #[test]
    fn a_registry_token_signs_nobody_in() {
        let issuer = Issuer::new();
        let token = issuer.registry("somebody", now(), TimeDelta::seconds(60));
        assert!(matches!(issuer.session_key(&token, now()), Err(TokenError::Kind)));
    }
}
