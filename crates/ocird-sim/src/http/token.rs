//! The tokens of the simulated tenancy: JSON web tokens signed by a key of its own.
//!
//! Two kinds: session tokens, bound to a session key, which the sign-in gives an instance and `oci session authenticate`
//! gives a person; and what the registry gives whoever signed in, which is a bearer token and bound to nothing.
//! <https://docs.oracle.com/en-us/iaas/Content/Identity/Tasks/callingservicesfrominstances.htm>

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::certificate::Subject;
use super::rsa::{PrivateKey, Verifier};

/// The kinds of token that sign requests: of an instance, and of a person who logged in.
const SESSION_KINDS: [&str; 2] = ["x509", "login"];
/// The kind of token that opens the registry.
const REGISTRY_KINDS: [&str; 1] = ["registry"];

/// Makes tokens and recognises its own.
#[derive(Debug)]
pub(super) struct Issuer {
    key: PrivateKey,
    verifier: Verifier,
    n_issued: AtomicU64,
}

/// Whom a session token is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Principal<'a> {
    /// An instance that has proved to hold its certificate's key.
    Instance {
        /// What the certificate says.
        subject: &'a Subject,
        /// The certificate's fingerprint.
        fingerprint: &'a str,
    },
    /// A person who has logged in by a browser.
    User {
        /// The OCID of the user.
        user: &'a str,
        /// The OCID of the tenancy.
        tenancy: &'a str,
    },
}

impl Principal<'_> {
    /// Who it is, by OCID.
    const fn id(&self) -> &str {
        match self {
            Self::Instance { subject, .. } => subject.instance.as_str(),
            Self::User { user, .. } => user,
        }
    }

    /// What the token says beyond its time and key.
    fn claims(&self) -> Value {
        match self {
            Self::Instance { subject: Subject { instance, compartment, tenancy }, fingerprint } => json!({
                "sub": instance, "tenant": tenancy, "ptype": "instance", "ttype": "x509", "fprint": fingerprint,
                "opc-tenant": tenancy, "opc-compartment": compartment, "opc-instance": instance,
                "opc-certtype": "instance", "opc-tag": "V3,simulated",
            }),
            Self::User { user, tenancy } => {
                json!({ "sub": user, "tenant": tenancy, "ptype": "user", "ttype": "login" })
            }
        }
    }
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
        let verifier = key.verifier();
        Self { key, verifier, n_issued: AtomicU64::new(0) }
    }

    /// A token that makes whoever signs with the session key the principal.
    pub(super) fn session(
        &self,
        principal: &Principal<'_>,
        session_key: &Verifier,
        now: DateTime<Utc>,
        lifetime: TimeDelta,
    ) -> String {
        let jwk = json!({
            "kid": principal.id(), "kty": "RSA", "alg": "RS256", "use": "sig",
            "n": URL_SAFE_NO_PAD.encode(&session_key.modulus),
            "e": URL_SAFE_NO_PAD.encode(&session_key.exponent),
        });
        let mut claims = principal.claims();
        claims["iss"] = "authService.oracle.com".into();
        claims["aud"] = "oci".into();
        claims["iat"] = now.timestamp().into();
        claims["exp"] = (now + lifetime).timestamp().into();
        // JSON inside JSON, as in the real token.
        claims["jwk"] = jwk.to_string().into();
        self.issue(claims)
    }

    /// A token for the registry.
    pub(super) fn registry(&self, holder: &str, now: DateTime<Utc>, lifetime: TimeDelta) -> String {
        self.issue(json!({
            "sub": holder, "iss": "ocir", "aud": "ocir", "ttype": "registry",
            "iat": now.timestamp(), "exp": (now + lifetime).timestamp(),
        }))
    }

    /// The session key that a token of [`Issuer::session`] is bound to, and whose it is.
    pub(super) fn session_key(
        &self,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<(Verifier, String), TokenError> {
        let claims = self.claims(token, &SESSION_KINDS, now)?;
        let jwk = claims["jwk"].as_str().ok_or(TokenError::Malformed)?;
        let jwk: Value = serde_json::from_str(jwk).map_err(|_| TokenError::Malformed)?;
        let key = Verifier { modulus: decode(&jwk["n"])?, exponent: decode(&jwk["e"])? };
        Ok((key, holder(&claims)?))
    }

    /// Who holds a token of [`Issuer::registry`].
    pub(super) fn registry_holder(&self, token: &str, now: DateTime<Utc>) -> Result<String, TokenError> {
        holder(&self.claims(token, &REGISTRY_KINDS, now)?)
    }

    fn issue(&self, mut claims: Value) -> String {
        claims["jti"] = format!("sim-{:08}", self.n_issued.fetch_add(1, Ordering::Relaxed)).into();
        let header = json!({ "kid": "simulated", "alg": "RS256" });
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn claims(&self, token: &str, kinds: &[&str], now: DateTime<Utc>) -> Result<Value, TokenError> {
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
        if kinds.iter().any(|kind| claims["ttype"] == *kind) { Ok(claims) } else { Err(TokenError::Kind) }
    }
}

fn holder(claims: &Value) -> Result<String, TokenError> {
    claims["sub"].as_str().map(str::to_owned).ok_or(TokenError::Malformed)
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
    fn a_persons_token_is_bound_to_a_key_and_says_whose_it_is() {
        let issuer = Issuer::new();
        let key = PrivateKey::generate().verifier();
        let user = Principal::User { user: "ocid1.user.oc1..u", tenancy: "ocid1.tenancy.oc1..t" };
        let token = issuer.session(&user, &key, now(), TimeDelta::minutes(60));
        assert_eq!(issuer.session_key(&token, now()), Ok((key, "ocid1.user.oc1..u".to_owned())));
        assert_eq!(issuer.registry_holder(&token, now()), Err(TokenError::Kind));
    }

    #[test]
    fn a_registry_token_signs_nobody_in() {
        let issuer = Issuer::new();
        let token = issuer.registry("somebody", now(), TimeDelta::seconds(60));
        assert!(matches!(issuer.session_key(&token, now()), Err(TokenError::Kind)));
    }
}
