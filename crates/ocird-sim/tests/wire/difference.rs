//! In what two requests for the same operation differ, part by part.

use std::collections::{BTreeMap, BTreeSet};

use ocird_sim::http::{Authorization, Comparable};
use serde_json::Value;

/// One part in which two requests differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// The operation.
    pub(crate) operation: String,
    /// The part.
    pub(crate) part: String,
    /// What the SDK sends; empty where it sends nothing.
    pub(crate) theirs: String,
    /// What ocird sends; empty where it sends nothing.
    pub(crate) ours: String,
}

impl Difference {
    /// The difference between these two, if there is one.
    pub(crate) fn of(operation: &str, part: &str, theirs: String, ours: String) -> Option<Self> {
        let differ = theirs != ours;
        differ.then(|| Self { operation: operation.to_owned(), part: part.to_owned(), theirs, ours })
    }
}

/// Every part in which the two differ.
pub(crate) fn differences(theirs: &Comparable, ours: &Comparable) -> Vec<Difference> {
    let Comparable { operation, method, path, query, authorization, headers, body } = theirs;
    let plain = [
        ("method".to_owned(), method.clone(), ours.method.clone()),
        ("path".to_owned(), path.clone(), ours.path.clone()),
    ];
    let parts = plain
        .into_iter()
        .chain(of_maps("query", &decoded(query), &decoded(&ours.query)))
        .chain(of_maps("encoding of", &spellings(query), &spellings(&ours.query)))
        .chain(of_authorizations(authorization, &ours.authorization))
        .chain(of_maps("header", headers, &ours.headers))
        .chain(of_maps("body", &fields(body), &fields(&ours.body)));
    parts.filter_map(|(part, theirs, ours)| Difference::of(operation, &part, theirs, ours)).collect()
}

/// A part by name, as the SDK and as ocird sends it.
type Part = (String, String, String);

fn of_maps(kind: &str, theirs: &BTreeMap<String, String>, ours: &BTreeMap<String, String>) -> Vec<Part> {
    let names: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    let value = |of: &BTreeMap<String, String>, name: &String| of.get(name).cloned().unwrap_or_default();
    names.into_iter().map(|name| (format!("{kind} {name}"), value(theirs, name), value(ours, name))).collect()
}

/// The bytes of a query's value, each with how it is written.
fn bytes(value: &str) -> Vec<(u8, &str)> {
    let mut bytes = Vec::new();
    let mut rest = value;
    while let Some(&first) = rest.as_bytes().first() {
        let (byte, length) = match first {
            b'%' => (u8::from_str_radix(&rest[1..3], 16).expect("two digits follow a percent sign"), 3),
            b'+' => (b' ', 1),
            other => (other, 1),
        };
        bytes.push((byte, &rest[..length]));
        rest = &rest[length..];
    }
    bytes
}

/// Every parameter with the text that its value means.
fn decoded(query: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let text = |value: &str| bytes(value).into_iter().map(|(byte, _)| char::from(byte)).collect();
    query.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// How each byte that is in any value is written there.
fn spellings(query: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let all = query.values().flat_map(|value| bytes(value));
    all.map(|(byte, written)| (format!("{:?}", char::from(byte)), written.to_owned())).collect()
}

fn of_authorizations(theirs: &Authorization, ours: &Authorization) -> Vec<Part> {
    let signature = |authorization: &Authorization| match authorization {
        Authorization::Signature { version, algorithm, headers, key_id } => {
            Some([format!("{version:?} {algorithm}"), headers.join(" "), key_id.clone()])
        }
        Authorization::None | Authorization::Other(_) => None,
    };
    match (signature(theirs), signature(ours)) {
        (Some(theirs), Some(ours)) => ["version and algorithm", "signed headers", "key id"]
            .into_iter()
            .zip(theirs.into_iter().zip(ours))
            .map(|(part, (theirs, ours))| (part.to_owned(), theirs, ours))
            .collect(),
        _ => vec![("authorization".to_owned(), format!("{theirs:?}"), format!("{ours:?}"))],
    }
}

/// The fields of a body; a body that is no object is one field without a name.
fn fields(body: &Value) -> BTreeMap<String, String> {
    match body {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), value.to_string())).collect()
        }
        Value::Null => BTreeMap::new(),
        other => BTreeMap::from([(String::new(), other.to_string())]),
    }
}
