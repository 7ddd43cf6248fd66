//! What `ocird-oci` sends, beside what Oracle's own Python SDK sends for the same operation: method, path, parameters
//! and their encoding, signed headers and their order, form of the key id, other headers, body.
//!
//! `sdk.json` is what the SDK sent to the same tenancy, without identifiers, dates and signatures; `.ci/clients` makes it
//! anew with the real SDK and holds it against the file. Every difference that is allowed is in [`allowed`], with its
//! reason; one that no longer occurs must leave the list.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod allowed;
mod calls;
mod difference;

use std::collections::{BTreeMap, BTreeSet};

use ocird_sim::http::Comparable;

use self::allowed::ALLOWED;
use self::difference::{Difference, differences};

/// What the SDK sent.
const SDK: &str = include_str!("sdk.json");

/// Requests by operation, in the order in which they were sent.
type ByOperation = BTreeMap<String, Vec<Comparable>>;

fn by_operation(requests: Vec<Comparable>) -> ByOperation {
    let mut operations = ByOperation::new();
    for request in requests {
        operations.entry(request.operation.clone()).or_default().push(request);
    }
    // How often who asks the metadata service is a matter of caches; what is asked for, and how, is not.
    if let Some(metadata) = operations.get_mut("GetMetadata") {
        let mut seen = BTreeSet::new();
        metadata.retain(|request| seen.insert(request.path.clone()));
        metadata.sort_by(|a, b| a.path.cmp(&b.path));
    }
    operations
}

/// Every way in which ours differ from theirs.
fn compared(ours: &ByOperation, theirs: &ByOperation) -> Vec<Difference> {
    let mut found = Vec::new();
    for (operation, ours) in ours {
        let theirs = &theirs[operation];
        let n_calls = |requests: &[Comparable]| requests.len().to_string();
        found.extend(Difference::of(operation, "calls", n_calls(theirs), n_calls(ours)));
        for (theirs, ours) in theirs.iter().zip(ours) {
            found.extend(differences(theirs, ours));
        }
    }
    found
}

#[tokio::test]
async fn ocird_sends_what_the_sdk_sends_but_for_what_is_allowed_by_name() {
    let theirs = by_operation(serde_json::from_str(SDK).unwrap());
    let ours = by_operation(calls::every_call().await);
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    let found = compared(&ours, &theirs);
    let refused: Vec<&Difference> =
        found.iter().filter(|found| !ALLOWED.iter().any(|allowed| allowed.covers(found))).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let obsolete: Vec<_> =
        ALLOWED.iter().filter(|allowed| !found.iter().any(|found| allowed.covers(found))).collect();
    assert!(obsolete.is_empty(), "these no longer differ: {obsolete:#?}");
}

#[test]
fn a_request_differs_from_itself_in_nothing_and_from_a_changed_one_in_what_was_changed() {
    let requests: Vec<Comparable> = serde_json::from_str(SDK).unwrap();
    let post = requests.iter().find(|request| request.operation == "LookupContainerImageByUri").unwrap();
    assert_eq!(differences(post, post), []);
    let mut other = post.clone();
    other.headers.remove("accept");
    other.query.insert("page".to_owned(), "b".to_owned());
    other.body["imageUri"] = "other".into();
    let parts: Vec<String> = differences(post, &other).into_iter().map(|found| found.part).collect();
    assert_eq!(parts, ["query page", "encoding of 'b'", "header accept", "body imageUri"]);
}

#[test]
fn the_order_of_signed_headers_and_the_form_of_the_key_id_are_compared() {
    let text = |from: &str, to: &str| SDK.replace(from, to);
    let parts = |changed: String| {
        let theirs = by_operation(serde_json::from_str(SDK).unwrap());
        let ours = by_operation(serde_json::from_str(&changed).unwrap());
        let parts: BTreeSet<String> = compared(&ours, &theirs).into_iter().map(|found| found.part).collect();
        parts.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(parts(text("\"host\"\n", "\"hosts\"\n")), ["signed headers"]);
    assert_eq!(parts(text("ST$<token>", "<tenancy>")), ["key id"]);
    assert_eq!(parts(text("%2B", "%2b")), ["encoding of '+'"]);
    assert_eq!(parts(text("%2B", "+")), ["encoding of '+'", "query page"]);
}
