//! A recorded request without whatever differs from one run to the next: identifiers, digests, dates, signatures. What
//! is left can be compared between two clients, and be kept as a file.
//!
//! It judges nothing but what only the whole request can tell: that length and digest are those of the body.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::Recorded;

/// Shortest run of hexadecimal digits that is taken for an identifier.
const MIN_HEX: usize = 12;
/// Length from which a text of a body is taken for a certificate or a key.
const MIN_KEY: usize = 200;

/// A request as it can be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparable {
    /// The operation, by the cloud's own name where it is one of its API.
    pub operation: String,
    /// The method.
    pub method: String,
    /// The path, encoded as on the wire.
    pub path: String,
    /// The parameters, each value encoded as on the wire. Their order is free, and so left out.
    pub query: BTreeMap<String, String>,
    /// What `Authorization` says.
    pub authorization: Authorization,
    /// All other headers.
    pub headers: BTreeMap<String, String>,
    /// The body: JSON, or null when there is none.
    pub body: Value,
}

/// What `Authorization` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authorization {
    /// There is none.
    None,
    /// A request signature. The order of its parameters is free, and so left out.
    Signature {
        /// `version`, if it is there.
        version: Option<String>,
        /// `algorithm`.
        algorithm: String,
        /// `headers`, in the order in which they were signed.
        headers: Vec<String>,
        /// The form of `keyId`.
        key_id: String,
    },
    /// Another scheme, with its word if that is no secret.
    Other(String),
}

impl From<&Recorded> for Comparable {
    fn from(recorded: &Recorded) -> Self {
        let (path, query) = recorded.target.split_once('?').unwrap_or((&recorded.target, ""));
        let path = anonymous(path);
        let query = query.split('&').filter_map(|parameter| parameter.split_once('='));
        let others = recorded.headers.iter().filter(|(name, _)| name != "authorization");
        Self {
            operation: operation(&recorded.method, &path),
            method: recorded.method.clone(),
            path,
            query: query.map(|(name, value)| (name.to_owned(), anonymous(value))).collect(),
            authorization: Authorization::read(recorded.header("authorization")),
            headers: others.map(|(name, value)| (name.clone(), header(name, value, recorded))).collect(),
            body: serde_json::from_str(&recorded.body).map_or(Value::Null, without_secrets),
        }
    }
}

impl Authorization {
    fn read(value: Option<&str>) -> Self {
        let Some(value) = value else {
            return Self::None;
        };
        let Some(parameters) = value.strip_prefix("Signature ") else {
            let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
            // The metadata service's word is the same for everybody.
            let rest = if rest == "Oracle" { rest } else { "<secret>" };
            return Self::Other(format!("{scheme} {rest}"));
        };
        let parameter = |wanted: &str| {
            parameters.split(',').find_map(|parameter| {
                let (name, value) = parameter.trim().split_once('=')?;
                (name == wanted).then(|| value.trim_matches('"').to_owned())
            })
        };
        Self::Signature {
            version: parameter("version"),
            algorithm: parameter("algorithm").unwrap_or_default(),
            headers: parameter("headers").unwrap_or_default().split(' ').map(str::to_owned).collect(),
            key_id: key_id_form(&parameter("keyId").unwrap_or_default()),
        }
    }
}

/// Which of the forms a key id has: with a token, an API key's, or a certificate's.
fn key_id_form(key_id: &str) -> String {
    if key_id.starts_with("ST$") {
        return "ST$<token>".to_owned();
    }
    let parts: Vec<String> = key_id
        .split('/')
        .map(|part| if part.contains(':') { fingerprint_form(part) } else { anonymous(part) })
        .collect();
    parts.join("/")
}

/// How long a fingerprint is, and in which case; the cloud takes either.
fn fingerprint_form(fingerprint: &str) -> String {
    let case = if fingerprint.bytes().any(|byte| byte.is_ascii_uppercase()) { "upper" } else { "lower" };
    format!("<{} bytes in {case} case>", fingerprint.split(':').count())
}

/// The operation that a method and an anonymous path stand for.
fn operation(method: &str, path: &str) -> String {
    let known = match (method, path) {
        ("POST", "/v1/x509") => "Federate",
        ("GET", "/20160918/container/repositories") => "ListContainerRepositories",
        ("GET", "/20160918/container/repositories/<containerrepo>") => "GetContainerRepository",
        ("GET", "/20160918/container/images") => "ListContainerImages",
        ("GET", "/20160918/container/images/<containerimage>") => "GetContainerImage",
        ("DELETE", "/20160918/container/images/<containerimage>") => "DeleteContainerImage",
        ("POST", "/20160918/container/images/actions/lookupImageByUri") => "LookupContainerImageByUri",
        ("POST", "/20160918/container/images/<containerimage>/actions/removeVersion") => {
            "RemoveContainerVersion"
        }
        ("POST", "/20160918/container/images/<containerimage>/actions/restore") => "RestoreContainerImage",
        ("GET", "/20160918/container/configuration") => "GetContainerConfiguration",
        ("GET", "/20160918/container/imageSignatures") => "ListContainerImageSignatures",
        ("GET", "/20160918/users/<user>/authTokens") => "ListAuthTokens",
        ("GET", "/20180419/docker/token") => "GetAccessToken",
        ("GET", path) if path.starts_with("/opc/v2/") => "GetMetadata",
        _ => return format!("{method} {path}"),
    };
    known.to_owned()
}

/// A header's value, in words where the value itself is of one run only.
fn header(name: &str, value: &str, recorded: &Recorded) -> String {
    let is_right = |right: bool, words: &str| if right { words.to_owned() } else { format!("not {words}") };
    match name {
        "host" => "<host>".to_owned(),
        "date" | "x-date" => "<date>".to_owned(),
        "if-match" => "<etag>".to_owned(),
        "opc-request-id" | "opc-retry-token" => format!("<{} characters>", value.len()),
        "user-agent" | "opc-client-info" => "<client>".to_owned(),
        "content-length" => is_right(value == recorded.body.len().to_string(), "<length of the body>"),
        "x-content-sha256" => is_right(value == recorded.body_sha256, "<digest of the body>"),
        _ => anonymous(value),
    }
}

/// A body whose identifiers, keys and certificates are in words.
fn without_secrets(json: Value) -> Value {
    match json {
        Value::String(text) if text.len() >= MIN_KEY => "<base64>".into(),
        Value::String(text) => anonymous(&text).into(),
        Value::Array(values) => values.into_iter().map(without_secrets).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, without_secrets(value))).collect()
        }
        other => other,
    }
}

/// A text with `<kind>` in place of every OCID and `<hex>` in place of every long run of hexadecimal digits.
fn anonymous(text: &str) -> String {
    let mut words = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_of_an_ocid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let ocid = rest.find(|c| !is_of_an_ocid(c)).map_or(rest, |end| &rest[..end]);
        let hex = rest.find(|c: char| !matches!(c, '0'..='9' | 'a'..='f')).map_or(rest, |end| &rest[..end]);
        let taken = match ocid.strip_prefix("ocid1.").and_then(|ocid| ocid.split_once('.')) {
            Some((kind, _)) => {
                words.extend(["<", kind, ">"]);
                ocid.len()
            }
            None if hex.len() >= MIN_HEX => {
                words.push_str("<hex>");
                hex.len()
            }
            None => {
                words.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn recorded(target: &str, authorization: &str, body: &str) -> Recorded {
        Recorded {
            method: "GET".to_owned(),
            target: target.to_owned(),
            headers: vec![
                ("authorization".to_owned(), authorization.to_owned()),
                ("content-length".to_owned(), "2".to_owned()),
                ("x-content-sha256".to_owned(), "right".to_owned()),
            ],
            body: body.to_owned(),
            body_sha256: "right".to_owned(),
            status: Some(200),
        }
    }

    #[test]
    fn identifiers_go_and_the_encoding_around_them_stays() {
        assert_eq!(
            anonymous("/images/ocid1.containerimage.oc1.eu-milan-1.0.ns.aaa/actions"),
            "/images/<containerimage>/actions"
        );
        assert_eq!(anonymous(&format!("sha256%3A{}", "ab".repeat(32))), "sha256%3A<hex>");
        assert_eq!(anonymous("mgh-*%20b\u{e9}"), "mgh-*%20b\u{e9}");
    }

    #[test]
    fn a_signature_shows_its_form_and_not_its_secrets() {
        let of = |key_id: &str| {
            let header = format!(
                "Signature algorithm=\"rsa-sha256\",headers=\"date (request-target) host\",keyId=\"{key_id}\",signature=\"c2VjcmV0\",version=\"1\""
            );
            format!("{:?}", Comparable::from(&recorded("/x", &header, "")).authorization)
        };
        assert!(of("ST$a.b.c").contains("\"ST$<token>\""));
        assert!(
            of("ocid1.tenancy.oc1..t/ocid1.user.oc1..u/aa:bb")
                .contains("\"<tenancy>/<user>/<2 bytes in lower case>\"")
        );
        assert!(
            of("ocid1.tenancy.oc1..t/fed-x509/AA:BB:CC")
                .contains("\"<tenancy>/fed-x509/<3 bytes in upper case>\"")
        );
        assert!(!of("ST$a.b.c").contains("c2VjcmV0"));
    }

    #[test]
    fn a_length_or_digest_that_is_not_the_bodys_shows() {
        let right = Comparable::from(&recorded("/x?a=%20", "Bearer Oracle", "{}"));
        assert_eq!(right.headers["content-length"], "<length of the body>");
        assert_eq!((right.query["a"].as_str(), right.body), ("%20", json!({})));
        assert_eq!(right.authorization, Authorization::Other("Bearer Oracle".to_owned()));
        let wrong = Comparable::from(&Recorded {
            body_sha256: "other".to_owned(),
            ..recorded("/x", "Bearer abc", "{} ")
        });
        assert_eq!(wrong.headers["content-length"], "not <length of the body>");
        assert_eq!(wrong.headers["x-content-sha256"], "not <digest of the body>");
        assert_eq!(wrong.authorization, Authorization::Other("Bearer <secret>".to_owned()));
    }
}
