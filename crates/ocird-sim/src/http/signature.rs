//! Request signatures, checked for real: draft-cavage-http-signatures-08 in the `Authorization` header.
//! <https://docs.oracle.com/en-us/iaas/Content/API/Concepts/signingrequests.htm>
//!
//! Knows nothing of keys: it takes a request apart, says what was signed and by which key id, and checks all that can
//! be checked without the key. Shares no code with the client under test.

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::rsa::Verifier;

/// How far a client's clock may be off.
/// <https://docs.oracle.com/en-us/iaas/Content/API/References/apierrors.htm>
pub(super) const MAX_SKEW: TimeDelta = TimeDelta::minutes(5);
/// The format of `date` and `x-date`, and of the answers' `Date`.
pub(super) const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";
/// The header with the body's digest.
const CONTENT_SHA256: &str = "x-content-sha256";

/// Which headers a signature must cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Covers {
    /// What the method asks for: date, request target and host; with a body, length, type and digest too.
    Method,
    /// What the sign-in asks for: as for a body, but without the host.
    SignIn,
}

/// A signature taken apart, not yet checked against a key.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    /// Who says to have signed.
    pub(super) key_id: String,
    signing_string: String,
    signature: Vec<u8>,
}

/// Why a signature is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SignatureError {
    /// There is none.
    #[error("no authorization header")]
    Absent,
    /// It does not have the form of one.
    #[error("the authorization header is not a signature: {0}")]
    Malformed(&'static str),
    /// A header that must be signed is not.
    #[error("{0} is not signed")]
    NotCovered(&'static str),
    /// A header that is signed was not sent.
    #[error("{0} is signed and absent")]
    NotSent(String),
    /// No date, or none that reads as one.
    #[error("the date cannot be read")]
    Date,
    /// The client's clock is off.
    #[error("the date is more than five minutes off")]
    Skew,
    /// The body is not the one that was signed.
    #[error("the body does not fit {0}")]
    Body(&'static str),
    /// The key says no.
    #[error("the signature is not one of this key over this request")]
    Signature,
}

impl Signed {
    /// Takes the signature of a request apart and checks it as far as that goes without a key: form, headers that
    /// must be covered, date, digest of the body.
    pub(super) fn read(
        parts: &Parts,
        body: &[u8],
        covers: Covers,
        now: DateTime<Utc>,
    ) -> Result<Self, SignatureError> {
        let authorization =
            single(&parts.headers, header::AUTHORIZATION.as_str()).ok_or(SignatureError::Absent)?;
        let fields = Fields::parse(authorization)?;
        let names: Vec<String> = fields.headers.split(' ').map(str::to_ascii_lowercase).collect();
        check_covered(&names, &parts.method, covers)?;
        check_date(&parts.headers, now)?;
        if has_body(&parts.method) {
            check_body(&parts.headers, body)?;
        }
        Ok(Self {
            key_id: fields.key_id.to_owned(),
            signing_string: signing_string(parts, &names)?,
            signature: STANDARD
                .decode(fields.signature)
                .map_err(|_| SignatureError::Malformed("the signature is not base64"))?,
        })
    }

    /// Checks the signature itself.
    pub(super) fn verify(&self, key: &Verifier) -> Result<(), SignatureError> {
        if key.verifies(self.signing_string.as_bytes(), &self.signature) {
            Ok(())
        } else {
            Err(SignatureError::Signature)
        }
    }
}

/// The parameters of the header. Their order is free, and `version` may be left out.
struct Fields<'a> {
    key_id: &'a str,
    headers: &'a str,
    signature: &'a str,
}

impl<'a> Fields<'a> {
    fn parse(authorization: &'a str) -> Result<Self, SignatureError> {
        let parameters =
            authorization.strip_prefix("Signature ").ok_or(SignatureError::Malformed("another scheme"))?;
        let field = |wanted: &str, missing| {
            parameters
                .split(',')
                .filter_map(|parameter| parameter.trim().split_once('='))
                .find(|(name, _)| *name == wanted)
                .and_then(|(_, quoted)| quoted.strip_prefix('"')?.strip_suffix('"'))
                .ok_or(SignatureError::Malformed(missing))
        };
        if field("algorithm", "no algorithm")? != "rsa-sha256" {
            return Err(SignatureError::Malformed("another algorithm than rsa-sha256"));
        }
        if field("version", "").is_ok_and(|version| version != "1") {
            return Err(SignatureError::Malformed("another version than 1"));
        }
        Ok(Self {
            key_id: field("keyId", "no keyId")?,
            headers: field("headers", "no headers")?,
            signature: field("signature", "no signature")?,
        })
    }
}

const fn has_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

fn check_covered(names: &[String], method: &Method, covers: Covers) -> Result<(), SignatureError> {
    let covered = |wanted: &str| names.iter().any(|name| name == wanted);
    if !covered("date") && !covered("x-date") {
        return Err(SignatureError::NotCovered("date"));
    }
    let host: &[&'static str] = if covers == Covers::Method { &["host"] } else { &[] };
    let body: &[&'static str] =
        if has_body(method) { &["content-length", "content-type", CONTENT_SHA256] } else { &[] };
    let missing = ["(request-target)"].iter().chain(host).chain(body).find(|wanted| !covered(wanted));
    missing.map_or(Ok(()), |name| Err(SignatureError::NotCovered(name)))
}

/// `x-date` wins where both are sent, as in the cloud.
fn check_date(headers: &HeaderMap, now: DateTime<Utc>) -> Result<(), SignatureError> {
    let text = single(headers, "x-date").or_else(|| single(headers, "date")).ok_or(SignatureError::Date)?;
    let date = NaiveDateTime::parse_from_str(text, HTTP_DATE).map_err(|_| SignatureError::Date)?;
    if (now - date.and_utc()).abs() > MAX_SKEW {
        return Err(SignatureError::Skew);
    }
    Ok(())
}

/// Compares with the body that came, so that a proxy or a fault that changed it is found out.
fn check_body(headers: &HeaderMap, body: &[u8]) -> Result<(), SignatureError> {
    if single(headers, header::CONTENT_LENGTH.as_str()) != Some(body.len().to_string().as_str()) {
        return Err(SignatureError::Body("content-length"));
    }
    if single(headers, CONTENT_SHA256) != Some(STANDARD.encode(digest(&SHA256, body)).as_str()) {
        return Err(SignatureError::Body(CONTENT_SHA256));
    }
    Ok(())
}

/// One line for each header in the order in which they were signed; the request target exactly as it came over the
/// wire, percent-encoding and order of parameters included.
fn signing_string(parts: &Parts, names: &[String]) -> Result<String, SignatureError> {
    let lines: Result<Vec<String>, SignatureError> = names
        .iter()
        .map(|name| {
            if name == "(request-target)" {
                let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
                let method = parts.method.as_str().to_ascii_lowercase();
                return Ok(format!("(request-target): {method} {target}"));
            }
            let value = single(&parts.headers, name).ok_or_else(|| SignatureError::NotSent(name.clone()))?;
            Ok(format!("{name}: {value}"))
        })
        .collect();
    Ok(lines?.join("\n"))
}

/// The value of a header that was sent exactly once.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    /// The date of the examples in Oracle's documentation, with the weekday mended.
    const DATE: &str = "Sun, 05 Jan 2014 21:31:40 GMT";

    fn now() -> DateTime<Utc> {
        "2014-01-05T21:33:00Z".parse().unwrap()
    }

    fn parts(authorization: &str) -> Parts {
        let request = Request::get("http://ignored/20160918/instances?displayName=Team%20X&a=b%2Fc")
            .header("date", DATE)
            .header("host", "localhost:7000")
            .header("authorization", authorization);
        request.body(()).unwrap().into_parts().0
    }

    fn read(authorization: &str) -> Result<Signed, SignatureError> {
        Signed::read(&parts(authorization), b"", Covers::Method, now())
    }

    #[test]
    fn the_signing_string_follows_the_order_of_the_headers_and_the_bytes_of_the_request() {
        let signed = read(
            "Signature signature=\"QQ==\",keyId=\"t/u/f\",algorithm=\"rsa-sha256\",headers=\"date (request-target) host\"",
        );
        assert_eq!(
            signed.unwrap().signing_string,
            "date: Sun, 05 Jan 2014 21:31:40 GMT\n\
             (request-target): get /20160918/instances?displayName=Team%20X&a=b%2Fc\n\
             host: localhost:7000"
        );
    }

    #[test]
    fn a_header_that_must_be_signed_and_is_not_is_named() {
        let refused = read(
            "Signature version=\"1\",keyId=\"k\",algorithm=\"rsa-sha256\",headers=\"date host\",signature=\"QQ==\"",
        );
        assert_eq!(refused.unwrap_err(), SignatureError::NotCovered("(request-target)"));
    }

    #[test]
    fn an_x_date_wins_over_the_date() {
        let authorization = "Signature keyId=\"k\",algorithm=\"rsa-sha256\",headers=\"x-date (request-target) host\",signature=\"QQ==\"";
        let mut parts = parts(authorization);
        parts.headers.insert("x-date", "Sun, 05 Jan 2014 21:20:00 GMT".parse().unwrap());
        let refused = Signed::read(&parts, b"", Covers::Method, now());
        assert_eq!(refused.unwrap_err(), SignatureError::Skew);
    }

    #[test]
    fn no_header_and_other_schemes_are_told_apart() {
        let mut without = parts("x");
        without.headers.remove("authorization");
        let refused = Signed::read(&without, b"", Covers::Method, now());
        assert_eq!(refused.unwrap_err(), SignatureError::Absent);
        assert_eq!(read("Bearer abc").unwrap_err(), SignatureError::Malformed("another scheme"));
    }
}
