//! Signs requests: draft-cavage-http-signatures-08 as Oracle uses it, RSA PKCS#1 v1.5 with SHA-256.
//! <https://docs.oracle.com/en-us/iaas/Content/API/Concepts/signingrequests.htm>
//!
//! It signs what it is given, byte for byte, and has no clock; building the target and sending it unchanged is the caller's part.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, DATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use secrecy::{ExposeSecret as _, SecretString};

use crate::KeyError;
use crate::key;

/// The header that carries the SHA-256 of the body.
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-content-sha256");

/// The only content type that is ever sent.
const JSON: &str = "application/json";

/// A private key with the name under which the cloud knows its public half.
pub struct Signer {
    /// `<tenancy>/<user>/<fingerprint>`, `ST$<token>` or `<tenancy>/fed-x509-sha256/<fingerprint>`. A token in it is as
    /// good as the key.
    key_id: SecretString,
    key: RsaKeyPair,
}

/// A request as far as its signature goes.
#[derive(Debug, Clone, Copy)]
pub struct Unsigned<'a> {
    /// The method; it decides whether the body is signed.
    pub method: &'a Method,
    /// Path and query, exactly as in the request line.
    pub target: &'a str,
    /// The host, with its port if that is sent; `None` leaves it out, as the federation service wants it.
    pub host: Option<&'a str>,
    /// The date as sent; see [`http_date`].
    pub date: &'a str,
    /// The body; empty for methods without one.
    pub body: &'a [u8],
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl Unsigned<'_> {
    /// Whether the body is part of the signature, be it empty.
    fn signs_body(&self) -> bool {
        matches!(*self.method, Method::POST | Method::PUT | Method::PATCH)
    }

    /// The signed headers with their values, in the order in which they are signed.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let method = self.method.as_str().to_ascii_lowercase();
        let mut lines =
            vec![("date", self.date.to_owned()), ("(request-target)", format!("{method} {}", self.target))];
        lines.extend(self.host.map(|host| ("host", host.to_owned())));
        if self.signs_body() {
            lines.push(("content-length", self.body.len().to_string()));
            lines.push(("content-type", JSON.to_owned()));
            lines.push(("x-content-sha256", sha256_base64(self.body)));
        }
        lines
    }

    /// The text that is signed: one `name: value` per line, without a line end after the last.
    fn signing_string(&self) -> String {
        let lines: Vec<String> =
            self.lines().into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
        lines.join("\n")
    }

    /// The names of the signed headers, in order.
    fn signed_names(&self) -> String {
        let names: Vec<&str> = self.lines().into_iter().map(|(name, _)| name).collect();
        names.join(" ")
    }
}

impl Signer {
    /// A signer of the RSA key in this PEM, in clear, under this name, which must be printable ASCII without
    /// blanks and quotes: it goes into a quoted part of a header.
    pub fn from_pem(key_id: &str, pem: &[u8]) -> Result<Self, KeyError> {
        let is_sound = key_id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
        if !is_sound {
            return Err(KeyError::KeyId);
        }
        Ok(Self::new(key_id.to_owned().into(), key::read(pem, None)?))
    }

    /// A signer of this key under this name, whose characters have been checked.
    pub(crate) const fn new(key_id: SecretString, key: RsaKeyPair) -> Self {
        Self { key_id, key }
    }

    /// The headers to send: `date`, `authorization` and, for methods with a body, the three that describe it.
    pub fn sign(&self, request: &Unsigned<'_>) -> HeaderMap {
        let signature = self.signature(&request.signing_string());
        let mut authorization = header(&format!(
            r#"Signature version="1",headers="{}",keyId="{}",algorithm="rsa-sha256",signature="{signature}""#,
            request.signed_names(),
            self.key_id.expose_secret(),
        ));
        authorization.set_sensitive(true);
        let mut headers =
            HeaderMap::from_iter([(DATE, header(request.date)), (AUTHORIZATION, authorization)]);
        if request.signs_body() {
            headers.insert(CONTENT_LENGTH, request.body.len().into());
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
            headers.insert(CONTENT_SHA256, header(&sha256_base64(request.body)));
        }
        headers
    }

    /// The base64 of the signature over `text`.
    fn signature(&self, text: &str) -> String {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .expect("a key that was loaded signs, and the buffer is as long as its modulus");
        STANDARD.encode(signature)
    }
}

/// An instant as the `date` header wants it, to the second.
pub fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn sha256_base64(bytes: &[u8]) -> String {
    STANDARD.encode(digest(&SHA256, bytes))
}

fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text)
        .expect("targets, hosts, dates, base64 and checked key ids are printable ASCII")
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        KeyPair as _, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
        UnparsedPublicKey,
    };
    use proptest::prelude::*;
    use rustls_pki_types::SubjectPublicKeyInfoDer;
    use rustls_pki_types::pem::PemObject as _;

    use super::*;

    /// Oracle's published sample key, whose private half is as public: 1024 bits, of no other use.
    const SAMPLE_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDCFENGw33yGihy92pDjZQhl0C3
6rPJj+CvfSC8+q28hxA161QFNUd13wuCTUcq0Qd2qsBe/2hFyc2DCJJg0h1L78+6
Z4UMR7EOcpfdUE9Hf3m/hs+FUR45uBJeDK1HSFHD8bHKD6kv8FPGfJTotc+2xjJw
oYi+1hqp1fIekaxsyQIDAQAB
-----END PUBLIC KEY-----
";
    const HOST: &str = "iaas.us-phoenix-1.oraclecloud.com";
    /// The sample's weekday is wrong, and is signed as it stands.
    const DATE: &str = "Thu, 05 Jan 2014 21:31:40 GMT";
    const GET_TARGET: &str = "/20160918/instances?availabilityDomain=Pjwf%3A%20PHX-AD-1\
        &compartmentId=ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa\
        &displayName=TeamXInstances\
        &volumeId=ocid1.volume.oc1.phx.abyhqljrgvttnlx73nmrwfaux7kcvzfs3s66izvxf2h4lgvyndsdsnoiwr5q";
    const POST_BODY: &str = r#"{
    "compartmentId": "ocid1.compartment.oc1..aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa",
    "instanceId": "ocid1.instance.oc1.phx.abuw4ljrlsfiqw6vzzxb43vyypt4pkodawglp3wqxjqofakrwvou52gb6s5a",
    "volumeId": "ocid1.volume.oc1.phx.abyhqljrgvttnlx73nmrwfaux7kcvzfs3s66izvxf2h4lgvyndsdsnoiwr5q"
}"#;

    static KEY: LazyLock<Signer> = LazyLock::new(|| {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        Signer::new("ST$canary-token".to_owned().into(), key)
    });

    fn get(date: &str) -> Unsigned<'_> {
        Unsigned { method: &Method::GET, target: GET_TARGET, host: Some(HOST), date, body: b"" }
    }

    fn post() -> Unsigned<'static> {
        Unsigned {
            method: &Method::POST,
            target: "/20160918/volumeAttachments",
            host: Some(HOST),
            date: DATE,
            body: POST_BODY.as_bytes(),
        }
    }

    fn verifies_with_sample_key(request: &Unsigned<'_>, signature: &str) -> bool {
        let spki = SubjectPublicKeyInfoDer::from_pem_slice(SAMPLE_KEY.as_bytes()).unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, &spki)
            .verify(request.signing_string().as_bytes(), &STANDARD.decode(signature).unwrap())
            .is_ok()
    }

    #[test]
    fn the_published_get_is_signed_over_these_bytes() {
        assert_eq!(
            get(DATE).signing_string(),
            format!("date: {DATE}\n(request-target): get {GET_TARGET}\nhost: {HOST}")
        );
    }

    #[test]
    fn the_published_signatures_of_the_get_fit_our_signing_string() {
        let published = "GBas7grhyrhSKHP6AVIj/h5/Vp8bd/peM79H9Wv8kjoaCivujVXlpbKLjMPeDUhxkFIWtTtLBj3sUzaFj34XE6YZAHc9r2DmE4pMwOAy/kiITcZxa1oHPOeRheC0jP2dqbTll8fmTZVwKZOKHYPtrLJIJQHJjNvxFWeHQjMaR7M=";
        let right_weekday = "JDFdcwTJ0TbiDFvAv5Q2irKMwrvEQoVzw9qYvcVianMskb8XrLLFlvs3Yr9uz/d9y74rMqxRlWS0KATOlhD1ao2+/FnyOj2yjdWCSjDnKR56uV8IsWCum0g7eY5jXnfOSACBj01gwbM28JYrJ//DLmyUzF4QPScgFYXrAmrwQO0=";
        assert!(verifies_with_sample_key(&get(DATE), published));
        assert!(verifies_with_sample_key(&get("Sun, 05 Jan 2014 21:31:40 GMT"), right_weekday));
        assert!(!verifies_with_sample_key(&get("Sun, 05 Jan 2014 21:31:40 GMT"), published));
    }

    #[test]
    fn the_published_post_is_signed_over_these_bytes() {
        assert_eq!(
            post().signing_string(),
            format!(
                "date: {DATE}\n(request-target): post /20160918/volumeAttachments\nhost: {HOST}\n\
                 content-length: 316\ncontent-type: application/json\n\
                 x-content-sha256: V9Z20UJTvkvpJ50flBzKE32+6m2zJjweHpDMX/U4Uy0="
            )
        );
    }

    #[test]
    fn the_published_signature_of_the_post_fits_our_signing_string() {
        let published = "Mje8vIDPlwIHmD/cTDwRxE7HaAvBg16JnVcsuqaNRim23fFPgQfLoOOxae6WqKb1uPjYEl0qIdazWaBy/Ml8DRhqlocMwoSXv0fbukP8J5N80LCmzT/FFBvIvTB91XuXI3hYfP9Zt1l7S6ieVadHUfqBedWH0itrtPJBgKmrWso=";
        assert!(verifies_with_sample_key(&post(), published));
    }

    #[test]
    fn an_empty_body_is_signed_all_the_same() {
        let empty = Unsigned { body: b"", ..post() };
        let headers = KEY.sign(&empty);
        assert_eq!(headers["content-length"], "0");
        assert_eq!(headers["x-content-sha256"], "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn the_federation_request_is_signed_without_its_host() {
        let request = Unsigned { host: None, ..post() };
        assert_eq!(
            request.signed_names(),
            "date (request-target) content-length content-type x-content-sha256"
        );
    }

    #[test]
    fn a_delete_is_signed_like_a_get() {
        let request = Unsigned { method: &Method::DELETE, ..get(DATE) };
        assert_eq!(request.signed_names(), "date (request-target) host");
        assert_eq!(KEY.sign(&request).len(), 2);
    }

    #[test]
    fn the_headers_do_not_show_the_key_id_in_debug() {
        let headers = KEY.sign(&get(DATE));
        assert!(headers["authorization"].to_str().unwrap().contains("canary-token"));
        assert!(!format!("{headers:?}").contains("canary-token"));
    }

    #[test]
    fn a_signer_is_made_of_a_pem_and_a_name_that_can_stand_in_a_header() {
        let pem =
            rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        let pem = pem.serialize_pem();
        let signer = Signer::from_pem("ocid1.tenancy.oc1..t/u/12:34", pem.as_bytes()).unwrap();
        let headers = signer.sign(&get(DATE));
        let authorization = headers["authorization"].to_str().unwrap();
        assert!(authorization.contains(r#"keyId="ocid1.tenancy.oc1..t/u/12:34""#), "{authorization}");
        assert_eq!(format!("{signer:?}"), "Signer { .. }");
        for (key_id, why) in
            [("a\r\nb", KeyError::KeyId), ("\u{e9}", KeyError::KeyId), (r#"a"b"#, KeyError::KeyId)]
        {
            assert_eq!(Signer::from_pem(key_id, pem.as_bytes()).unwrap_err(), why);
        }
        assert_eq!(Signer::from_pem("a", b"").unwrap_err(), KeyError::NotPem);
    }

    #[test]
    fn dates_are_written_as_http_wants_them() {
        let at = DateTime::parse_from_rfc3339("2014-01-05T23:31:40.9+02:00").unwrap();
        assert_eq!(http_date(at.into()), "Sun, 05 Jan 2014 21:31:40 GMT");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_signed_verifies(target in "/[a-z%?&=]{0,40}", body: Vec<u8>, with_body: bool) {
            let method = if with_body { Method::POST } else { Method::GET };
            let request = Unsigned { method: &method, target: &target, host: None, date: DATE, body: &body };
            let headers = KEY.sign(&request);
            let authorization = headers["authorization"].to_str().unwrap();
            let signature = authorization.split("signature=\"").nth(1).unwrap().trim_end_matches('"');
            let public = KEY.key.public_key().as_der().unwrap();
            let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.as_ref());
            let text = request.signing_string();
            let signature = STANDARD.decode(signature).unwrap();
            prop_assert!(key.verify(text.as_bytes(), &signature).is_ok());
            let altered = text.clone() + " ";
            prop_assert!(key.verify(altered.as_bytes(), &signature).is_err());
        }
    }
}
