//! A client that signs by the written rules and can be made to break each of them.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// A private key of the client's.
pub(super) struct Key(KeyPair);

impl Key {
    pub(super) fn generate() -> Self {
        Self(KeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    pub(super) fn from_pem(pem: &str) -> Self {
        Self(KeyPair::from_pkcs8(&STANDARD.decode(stripped(pem)).unwrap()).unwrap())
    }

    /// The public key as the sign-in wants it: base64 of the DER, without the lines around it.
    pub(super) fn public(&self) -> String {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().unwrap();
        STANDARD.encode(der.as_ref())
    }

    fn sign(&self, message: &str) -> String {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        STANDARD.encode(signature)
    }
}

/// PEM without its first and last line and its line breaks.
pub(super) fn stripped(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

/// The base64 SHA-256 of a body.
pub(super) fn content_sha256(body: &str) -> String {
    STANDARD.encode(digest(&SHA256, body.as_bytes()))
}

/// A text as the value of a parameter: all but letters and digits percent-encoded.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(encode).collect()
}

/// A request that can still be tampered with after it was signed.
#[derive(Clone)]
pub(super) struct Letter {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Letter {
    pub(super) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// Sets a header, in place of the one that is there.
    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a JSON body with the headers that belong to it.
    pub(super) fn json(mut self, body: &str) -> Self {
        self = self
            .header("content-type", "application/json")
            .header("content-length", &body.len().to_string())
            .header("x-content-sha256", &content_sha256(body));
        body.clone_into(&mut self.body);
        self
    }

    /// Signs what the rules want signed.
    pub(super) fn sign(self, key_id: &str, key: &Key) -> Self {
        let headers = if self.body.is_empty() {
            "date (request-target) host"
        } else {
            "date (request-target) host content-length content-type x-content-sha256"
        };
        self.sign_headers(headers, key_id, key)
    }

    /// Signs these headers.
    pub(super) fn sign_headers(self, headers: &str, key_id: &str, key: &Key) -> Self {
        let lines: Vec<String> =
            headers.split(' ').map(|name| format!("{name}: {}", self.value(name))).collect();
        let signature = key.sign(&lines.join("\n"));
        let authorization = format!(
            "Signature version=\"1\",headers=\"{headers}\",keyId=\"{key_id}\",algorithm=\"rsa-sha256\",\
             signature=\"{signature}\""
        );
        self.header("authorization", &authorization)
    }

    pub(super) fn value(&self, name: &str) -> String {
        if name == "(request-target)" {
            return format!("{} {}", self.method.to_lowercase(), self.target);
        }
        let known = self.headers.iter().find(|(known, _)| known == name);
        known.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    pub(super) async fn send(self, base: &str) -> Answer {
        self.try_send(base).await.unwrap()
    }

    pub(super) async fn try_send(self, base: &str) -> reqwest::Result<Answer> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let method = self.method.parse().unwrap();
        let mut request = http.request(method, format!("{base}{}", self.target));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = request.body(self.body).send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { status, headers, text, body })
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    /// The body as JSON; null when it is none.
    pub(super) body: Value,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The parameter that asks for the next page; empty after the last.
    pub(super) fn next_page(&self) -> String {
        match self.header("opc-next-page") {
            "" => String::new(),
            token => format!("&page={}", encoded(token)),
        }
    }

    /// Status and code of a refusal.
    pub(super) fn refusal(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    /// One field of every row of a list.
    pub(super) fn column(&self, field: &str) -> Vec<&str> {
        let rows = self.body["items"].as_array().unwrap();
        rows.iter().map(|row| row[field].as_str().unwrap_or_default()).collect()
    }
}
