//! Exchanges the instance's certificate for a token that is bound to a session key.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use http::header::{ACCEPT, HOST, HeaderValue};
use ocird_model::Clock;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::SignInError;
use super::certificate::InstanceCertificate;
use crate::counts::Operation;
use crate::courier::Courier;
use crate::retry::Repeat;
use crate::sign::{Signer, Unsigned, http_date};
use crate::target::Target;
use crate::transport::{Address, Outgoing};
use crate::{Endpoint, OciError};

/// The most bytes of an answer; a token has one or two thousand.
const MAX_ANSWER: usize = 64 * 1024;

/// What is asked for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a> {
    certificate: String,
    public_key: String,
    intermediate_certificates: &'a [String],
    /// Belongs with the `fed-x509-sha256` form of the key id.
    fingerprint_algorithm: &'static str,
    purpose: &'static str,
}

#[derive(Deserialize)]
struct Answer {
    token: SecretString,
}

/// Asks the federation service at `endpoint` for a token for `session_key`, as the instance of `certificate`.
pub(crate) async fn exchange<C: Clock>(
    courier: &Courier<C>,
    endpoint: &Endpoint,
    certificate: InstanceCertificate,
    session_key: &RsaKeyPair,
) -> Result<SecretString, SignInError> {
    let body = question(&certificate, session_key)?;
    let signer = Signer::new(certificate.key_id().into(), certificate.into_key());
    let failed = |source| SignInError::Federation { source };
    let address = Address::new(endpoint, &Target::new("/v1/x509")).map_err(failed)?;
    let mut tries = courier.tries(Repeat::Freely);
    loop {
        let outgoing = signed(courier, &signer, &address, &body);
        match courier.attempt(Operation::Federate, outgoing).await {
            Ok(answer) => {
                let answer: Answer = answer.secret_json("the token").map_err(failed)?;
                return Ok(answer.token);
            }
            Err(error) => courier.before_retry(&mut tries, error).await.map_err(failed)?,
        }
    }
}

/// The request, signed at this moment, and without its host as this one service wants it.
fn signed<C: Clock>(courier: &Courier<C>, signer: &Signer, address: &Address, body: &[u8]) -> Outgoing {
    let mut headers = signer.sign(&Unsigned {
        method: &Method::POST,
        target: address.target(),
        host: None,
        date: &http_date(courier.now()),
        body,
    });
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(HOST, address.host_header());
    Outgoing {
        method: Method::POST,
        address: address.clone(),
        headers,
        body: body.to_vec(),
        max_body: MAX_ANSWER,
    }
}

fn question(certificate: &InstanceCertificate, session_key: &RsaKeyPair) -> Result<Vec<u8>, SignInError> {
    let public_key: PublicKeyX509Der<'_> =
        session_key.public_key().as_der().map_err(|_| SignInError::KeyGeneration)?;
    let question = Question {
        certificate: certificate.stripped(),
        public_key: STANDARD.encode(public_key.as_ref()),
        intermediate_certificates: certificate.intermediates(),
        fingerprint_algorithm: "SHA256",
        purpose: "DEFAULT",
    };
    serde_json::to_vec(&question)
        .map_err(|error| SignInError::Federation { source: OciError::malformed("the question", error) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;
    use serde_json::Value;

    use super::*;
    use crate::fuzz::{self, Reading};

    #[test]
    fn any_answer_is_read_with_its_own_token_or_refused() {
        fuzz::any_input("answer of the federation", "federation", |bytes| {
            let Ok(answer) = serde_json::from_slice::<Answer>(bytes) else { return Ok(Reading::Refused) };
            if let Ok(own) = serde_json::from_slice::<Value>(bytes) {
                prop_assert_eq!(Some(answer.token.expose_secret()), own["token"].as_str());
            }
            Ok(Reading::Read)
        });
    }
}
