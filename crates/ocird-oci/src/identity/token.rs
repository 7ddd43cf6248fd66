//! A token of the federation service or of `oci session authenticate`: a JWT, of which we read when it ends, whose it is
//! and which key it is bound to.
//!
//! Its signature is not verified: that is the services' part, and nobody else gets to see it.

use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use ocird_model::TenancyId;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use x509_parser::asn1_rs::FromDer as _;
use x509_parser::public_key::RSAPublicKey;

/// The longest token that makes sense; the known ones have under two thousand characters.
const MAX_TOKEN: usize = 32 * 1024;

const NOT_JWT: &str = "not three parts of base64url";

/// A token with what it says of itself.
pub(crate) struct Token {
    secret: SecretString,
    expires_at: DateTime<Utc>,
    /// What it calls its tenancy, where it tells.
    tenancy: Option<String>,
    /// The modulus of the key it is bound to, big end first, where it tells.
    modulus: Option<Vec<u8>>,
}

/// The claims that concern us.
#[derive(Deserialize)]
struct Claims {
    /// Seconds since 1970.
    exp: i64,
    /// The tenancy. What is no text says nothing.
    tenant: Option<Value>,
    /// The key, as JSON inside a text; else it says nothing either.
    jwk: Option<Value>,
}

/// A public key as the claims describe it.
#[derive(Deserialize)]
struct Jwk {
    /// The modulus in base64url.
    n: String,
}

impl Token {
    /// Reads a token of three base64url parts. Its characters are checked as well: it goes into a header. An error says
    /// what is wrong and nothing of what is inside.
    pub(crate) fn read(secret: SecretString) -> Result<Self, &'static str> {
        let text = secret.expose_secret();
        let is_sound =
            text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'='));
        if !is_sound || text.len() > MAX_TOKEN {
            return Err(NOT_JWT);
        }
        let claims = text.split('.').nth(1).ok_or(NOT_JWT)?;
        let claims = URL_SAFE_NO_PAD
            .decode(claims.trim_end_matches('='))
            .map_err(|_| "its claims are not base64url")?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| "its claims have no sound `exp`")?;
        let expires_at = DateTime::from_timestamp(claims.exp, 0).ok_or("its claims have no sound `exp`")?;
        let tenancy = claims.tenant.as_ref().and_then(Value::as_str).map(str::to_owned);
        let modulus = claims.jwk.as_ref().and_then(modulus);
        Ok(Self { secret, expires_at, tenancy, modulus })
    }

    /// The name of the key it is bound to: `ST$<token>`.
    pub(crate) fn key_id(&self) -> SecretString {
        format!("ST${}", self.secret.expose_secret()).into()
    }

    /// When the services stop to accept it.
    pub(crate) const fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    /// False when it says that it is bound to another key than this one.
    pub(crate) fn may_belong_to(&self, key: &RsaKeyPair) -> bool {
        let Some(modulus) = &self.modulus else {
            return true;
        };
        let (_, public) = RSAPublicKey::from_der(key.public_key().as_ref())
            .expect("the public half of a loaded RSA key is one in DER");
        without_leading_zeros(public.modulus) == without_leading_zeros(modulus)
    }

    /// The tenancy it says it is of, if that is not this one.
    pub(crate) fn other_tenancy(&self, tenancy: &TenancyId) -> Option<&str> {
        self.tenancy.as_deref().filter(|told| *told != tenancy.as_str())
    }
}

/// The modulus of a `jwk` claim, if it is one that we understand.
fn modulus(claim: &Value) -> Option<Vec<u8>> {
    let jwk: Jwk = serde_json::from_str(claim.as_str()?).ok()?;
    URL_SAFE_NO_PAD.decode(jwk.n.trim_end_matches('=')).ok()
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|byte| **byte == 0).count()..]
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::KeySize;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::fuzz::{self, Reading};

    fn token(claims: &str) -> SecretString {
        format!("canary.{}.x", URL_SAFE_NO_PAD.encode(claims)).into()
    }

    fn read(claims: &Value) -> Token {
        Token::read(token(&claims.to_string())).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn the_end_is_read_from_the_claims() {
        let read = read(&json!({"exp": 1_700_000_000, "sub": "x"}));
        assert_eq!(read.expires_at().timestamp(), 1_700_000_000);
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
            let Err(error) = Token::read(bad) else { panic!("accepted") };
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_token_is_of_the_key_that_it_names_or_of_any() {
        let [key, other] = [(); 2].map(|()| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
        let (_, public) = RSAPublicKey::from_der(key.public_key().as_ref()).unwrap();
        let n = URL_SAFE_NO_PAD.encode(public.modulus);
        let jwk = json!({"kty": "RSA", "n": n, "e": "AQAB"}).to_string();
        let bound = read(&json!({"exp": 1, "jwk": jwk}));
        assert!(bound.may_belong_to(&key) && !bound.may_belong_to(&other));
        for silent in [json!({"exp": 1}), json!({"exp": 1, "jwk": 7}), json!({"exp": 1, "jwk": "{}"})] {
            assert!(read(&silent).may_belong_to(&other), "{silent}");
        }
    }

    #[test]
    fn a_token_is_of_the_tenancy_that_it_names_or_of_any() {
        let home: TenancyId = "ocid1.tenancy.oc1..home".parse().unwrap();
        for (claims, other) in [
            (json!({"exp": 1}), None),
            (json!({"exp": 1, "tenant": 7}), None),
            (json!({"exp": 1, "tenant": home}), None),
            (json!({"exp": 1, "tenant": "ocid1.tenancy.oc1..x"}), Some("ocid1.tenancy.oc1..x")),
        ] {
            assert_eq!(read(&claims).other_tenancy(&home), other, "{claims}");
        }
    }

    proptest! {
        #[test]
        fn text_that_is_no_token_is_refused_without_a_panic(text in "\\PC{0,60}") {
            prop_assert!(Token::read(text.into()).is_err());
        }
    }

    #[test]
    fn any_token_is_read_with_its_own_end_or_refused() {
        fuzz::any_input("token (JWT)", "jwt", |bytes| {
            let Ok(text) = std::str::from_utf8(bytes) else { return Ok(Reading::Refused) };
            let Ok(token) = Token::read(text.to_owned().into()) else { return Ok(Reading::Refused) };
            prop_assert!(
                text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"'),
                "it goes into a header"
            );
            let claims = text.split('.').nth(1).unwrap().trim_end_matches('=');
            // What is read of the claims is compared, and not what is passed over: that may be no sound JSON.
            if let Ok(own) = serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(claims).unwrap()) {
                prop_assert_eq!(Some(token.expires_at().timestamp()), own["exp"].as_i64());
            }
            Ok(Reading::Read)
        });
    }

    #[test]
    fn any_claims_are_read_with_their_own_end_or_refused() {
        fuzz::any_input("claims of a token", "claims", |bytes| {
            let text = format!("e30.{}.x", URL_SAFE_NO_PAD.encode(bytes));
            let Ok(token) = Token::read(text.into()) else { return Ok(Reading::Refused) };
            if let Ok(own) = serde_json::from_slice::<Value>(bytes) {
                prop_assert_eq!(Some(token.expires_at().timestamp()), own["exp"].as_i64());
                prop_assert_eq!(token.tenancy.as_deref(), own["tenant"].as_str());
            }
            Ok(Reading::Read)
        });
    }
}
