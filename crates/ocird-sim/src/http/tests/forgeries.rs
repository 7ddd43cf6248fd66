//! A table of forgeries: requests with one thing wrong each, by name, and the status and code that the cloud answers
//! with. An honest request of each kind goes first, so that no forgery is refused for another reason.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use super::sign_in::SignIn;
use super::*;
use crate::http::certificate::{Authority, Subject, sha1_fingerprint};

const NOT_AUTHENTICATED: (u16, &str) = (401, "NotAuthenticated");
const NOT_FOUND: (u16, &str) = (404, "NotAuthorizedOrNotFound");
const INVALID: (u16, &str) = (400, "InvalidParameter");
const LOOKUP: &str = "/20160918/container/images/actions/lookupImageByUri";
const LOOKUP_BODY: &str = r#"{"imageUri":"axsimulated/team/mgh-website:v1"}"#;
const USER: &str = "ocid1.user.oc1..u";

/// What is wrong with a request, the request, and how it must be refused.
type Forgery = (&'static str, Letter, (u16, &'static str));

fn forged(name: &'static str, letter: Letter) -> Forgery {
    (name, letter, NOT_AUTHENTICATED)
}

/// Sends every forgery; all that are not refused as they should be are told at once.
async fn assert_refused(world: &World, n_expected: usize, forgeries: Vec<Forgery>) {
    assert_eq!(forgeries.len(), n_expected);
    let mut wrong = Vec::new();
    for (name, letter, refusal) in forgeries {
        let answer = world.send(letter).await;
        if answer.refusal() != refusal {
            wrong.push(format!("{name}: {} {}, not {refusal:?}", answer.status, answer.text));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

async fn assert_accepted(world: &World, letters: &[&Letter]) {
    for letter in letters {
        let answer = world.send(Letter::clone(letter)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

/// A read and a body as an honest client sends them, not signed yet.
fn honest(world: &World) -> (Letter, Letter) {
    (world.letter("GET", &world.list("")), world.letter("POST", LOOKUP).json(LOOKUP_BODY))
}

fn without(mut letter: Letter, name: &str) -> Letter {
    letter.headers.retain(|(known, _)| known != name);
    letter
}

/// The same letter with another text in its authorization.
fn rewritten(letter: &Letter, from: &str, to: &str) -> Letter {
    let authorization = letter.value("authorization");
    assert!(authorization.contains(from), "{authorization}");
    letter.clone().header("authorization", &authorization.replacen(from, to, 1))
}

/// The same letter with one bit of its signature flipped.
fn flipped(letter: &Letter) -> Letter {
    let authorization = letter.value("authorization");
    let (_, signature) = authorization.split_once("signature=\"").unwrap();
    let signature = signature.trim_end_matches('"');
    let mut bytes = STANDARD.decode(signature).unwrap();
    bytes[7] ^= 0x40;
    rewritten(letter, signature, &STANDARD.encode(bytes))
}

/// The same letter for another target.
fn redirected(letter: &Letter, target: &str) -> Letter {
    assert_ne!(letter.target, target);
    Letter { target: target.to_owned(), ..letter.clone() }
}

/// A token that says that it lives longer, under the mark of the one it was made from.
fn prolonged(token: &str) -> String {
    let [head, claims, mark] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let later = claims.replacen("\"exp\":1", "\"exp\":9", 1);
    assert_ne!(later, claims);
    format!("{head}.{}.{mark}", URL_SAFE_NO_PAD.encode(later))
}

#[tokio::test]
async fn a_signature_that_is_not_this_requests_is_refused() {
    let world = World::new();
    let session = world.sign_in().await;
    let (read, _) = honest(&world);
    let signed = session.sign(read.clone());
    let spelt = session.sign(world.letter("GET", &world.list("&version=a%2fb")));
    assert_accepted(&world, &[&signed, &spelt]).await;
    let delete =
        Letter { method: "DELETE".to_owned(), ..redirected(&signed, "/20160918/container/images/x") };
    let by = |headers: &str| read.clone().sign_headers(headers, &session.key_id(), &session.key);
    let bearer = format!("Bearer {}", session.token);
    let forgeries = vec![
        forged("no authorization", read.clone()),
        forged("another scheme", read.clone().header("authorization", &bearer)),
        forged("wrong signature", flipped(&signed)),
        forged("signature that is not base64", rewritten(&signed, "signature=\"", "signature=\"*")),
        forged("another algorithm", rewritten(&signed, "rsa-sha256", "hmac-sha256")),
        forged("no key id", rewritten(&signed, "keyId=", "kid=")),
        forged("signature of another path", redirected(&signed, "/20160918/container/repositories")),
        forged("query added after signing", redirected(&signed, &world.list("&limit=1"))),
        forged("query written otherwise after signing", redirected(&spelt, &world.list("&version=a%2Fb"))),
        forged("a read's signature on a delete", delete),
        forged("target that was not signed", by("date host")),
        forged("host that was not signed", by("date (request-target)")),
        forged("header that was signed and not sent", by("date (request-target) host x-absent")),
    ];
    assert_refused(&world, 13, forgeries).await;
}

#[tokio::test]
async fn a_body_that_is_not_the_signed_one_is_refused() {
    let world = World::new();
    world.push("r1", &["v1"]);
    let session = world.sign_in().await;
    let (_, body) = honest(&world);
    let signed = session.sign(body.clone());
    assert_accepted(&world, &[&signed]).await;
    let tampered = Letter { body: LOOKUP_BODY.replace(":v1", ":v2"), ..signed.clone() };
    let fitting = content_sha256(&tampered.body);
    let by = |headers: &str| body.clone().sign_headers(headers, &session.key_id(), &session.key);
    let forgeries = vec![
        forged("tampered body", tampered.clone()),
        forged("tampered body with a digest that fits", tampered.header("x-content-sha256", &fitting)),
        forged("digest of another body", signed.clone().header("x-content-sha256", &content_sha256("{}"))),
        forged("digest that was not sent", without(signed, "x-content-sha256")),
        forged("digest that was not signed", by("date (request-target) host content-length content-type")),
        forged("body of which nothing was signed", by("date (request-target) host")),
    ];
    assert_refused(&world, 6, forgeries).await;
}

#[tokio::test]
async fn a_request_without_the_present_date_is_refused() {
    let world = World::new();
    let session = world.sign_in().await;
    let (read, _) = honest(&world);
    let dated = |seconds| {
        let date = world.date_in(TimeDelta::seconds(seconds));
        session.sign(read.clone().header("date", &date))
    };
    assert_accepted(&world, &[&dated(-300), &dated(0), &dated(300)]).await;
    let without_date =
        |letter: Letter| letter.sign_headers("(request-target) host", &session.key_id(), &session.key);
    let forgeries = vec![
        forged("date older than five minutes", dated(-301)),
        forged("date in the future", dated(301)),
        forged("date of last year", dated(-365 * 86_400)),
        forged("date that was taken away", without(dated(0), "date")),
        forged("date that was never there", without_date(without(read.clone(), "date"))),
        forged("date that was not signed", without_date(read.clone())),
        forged("date that is none", session.sign(read.clone().header("date", "yesterday"))),
        forged("date changed after signing", dated(0).header("date", &world.date_in(TimeDelta::seconds(1)))),
    ];
    assert_refused(&world, 8, forgeries).await;
}

#[tokio::test]
async fn a_token_that_is_not_the_callers_is_refused() {
    let world = World::new();
    let session = world.sign_in().await;
    let person = world.server.new_session(USER);
    let person = Session { token: person.token, key: Key::from_pem(&person.private_pem) };
    let elsewhere = World::new().sign_in().await;
    let (read, _) = honest(&world);
    assert_accepted(&world, &[&session.sign(read.clone()), &person.sign(read.clone())]).await;
    let registry = world.ask(&session, "GET", "/20180419/docker/token").await;
    let registry = registry.body["token"].as_str().unwrap();
    let by = |token: &str, key: &Key| read.clone().sign(&format!("ST${token}"), key);
    let (unmarked, _) = session.token.rsplit_once('.').unwrap();
    let forgeries = vec![
        forged("altered token", by(&prolonged(&session.token), &session.key)),
        forged("altered token of a person", by(&prolonged(&person.token), &person.key)),
        forged("token without its mark", by(unmarked, &session.key)),
        forged("no token at all", by("", &session.key)),
        forged("token used with another key", by(&session.token, &Key::generate())),
        forged("token of the instance with the key of a person", by(&session.token, &person.key)),
        forged("token of a person with the key of the instance", by(&person.token, &session.key)),
        forged("token of another tenancy", by(&elsewhere.token, &elsewhere.key)),
        forged("registry token in place of a session's", by(registry, &session.key)),
    ];
    assert_refused(&world, 9, forgeries).await;
    let late = session.sign(read);
    world.tenancy.clock().advance(TimeDelta::minutes(60));
    let (read, _) = honest(&world);
    let expired = vec![
        forged("expired token", session.sign(read.clone())),
        forged("expired token of a person", person.sign(read)),
        forged("expired token with a date of its life", late),
    ];
    assert_refused(&world, 3, expired).await;
}

#[tokio::test]
async fn an_api_key_that_is_not_known_is_refused() {
    let world = World::new();
    world.push("r1", &["v1"]);
    let made = world.server.new_api_key(USER);
    let key = Key::from_pem(&made.private_pem);
    let (read, body) = honest(&world);
    assert_accepted(&world, &[&read.clone().sign(&made.key_id, &key), &body.sign(&made.key_id, &key)]).await;
    let by = |key_id: &str| read.clone().sign(key_id, &key);
    let (tenancy, fingerprint) = (world.tenancy.settings().tenancy, made.fingerprint.as_str());
    let wrong = fingerprint.chars().rev().collect::<String>();
    let forgeries = vec![
        forged("unknown API key", by(&format!("{tenancy}/ocid1.user.oc1..nobody/{fingerprint}"))),
        forged("wrong fingerprint", by(&format!("{tenancy}/{USER}/{wrong}"))),
        forged("key id of another tenancy", by(&format!("ocid1.tenancy.oc1..other/{USER}/{fingerprint}"))),
        forged("key id without its user", by(&format!("{tenancy}/{fingerprint}"))),
        forged("empty key id", by("")),
        forged("key that is not the registered one", read.clone().sign(&made.key_id, &Key::generate())),
    ];
    assert_refused(&world, 6, forgeries).await;
}

#[tokio::test]
async fn an_honest_caller_is_told_what_is_not_there_and_what_cannot_be() {
    let world = World::new();
    let image = world.push("r1", &["v1"]);
    let session = world.sign_in().await;
    let images = "/20160918/container/images";
    let get = |target: &str| session.sign(world.letter("GET", target));
    let look_up = |body: &str| session.sign(world.letter("POST", LOOKUP).json(body));
    let stale = world.letter("DELETE", &format!("{images}/{image}")).header("if-match", "stale");
    let foreign = format!("{images}?compartmentId=ocid1.compartment.oc1..foreign");
    let of_another = world.list("&version=v1&page=64%2F0%20%2A%3A000000000000%2B%3D%3D");
    let no_repository = "/20160918/container/repositories/ocid1.containerrepo.oc1..none";
    let no_user = "/20160918/users/ocid1.user.oc1..nobody/authTokens";
    let forgeries = vec![
        ("foreign compartment", get(&foreign), NOT_FOUND),
        ("no compartment", get(images), (400, "MissingParameter")),
        ("made-up page token", get(&world.list("&page=made-up")), INVALID),
        ("page token of another list", get(&of_another), INVALID),
        ("unknown image", get(&format!("{images}/ocid1.containerimage.oc1..none")), NOT_FOUND),
        ("image that is no OCID", get(&format!("{images}/v1")), NOT_FOUND),
        ("unknown repository", get(no_repository), NOT_FOUND),
        ("unknown user", get(no_user), NOT_FOUND),
        ("stale etag", session.sign(stale), (412, "NoEtagMatch")),
        ("body that is no JSON", look_up("{"), (400, "CannotParseRequest")),
        ("another namespace", look_up(r#"{"imageUri":"other/team/mgh-website:v1"}"#), NOT_FOUND),
    ];
    assert_refused(&world, 11, forgeries).await;
    assert!(world.tenancy.deletions().is_empty());
}

/// An authority with the same names as this world's, and other keys.
fn impostor(world: &World) -> Authority {
    let settings = world.tenancy.settings();
    let subject = Subject {
        instance: settings.instance,
        compartment: world.tenancy.compartment().to_string(),
        tenancy: settings.tenancy.to_string(),
    };
    Authority::new(subject, world.tenancy.now())
}

#[tokio::test]
async fn a_sign_in_by_somebody_elses_certificate_is_refused() {
    let world = World::new();
    let ours = SignIn::of(&world).await;
    assert_accepted(&world, &[&ours.letter(&world)]).await;
    let theirs = impostor(&world);
    let their_leaf = STANDARD.encode(&theirs.leaf().der);
    let their_key = || Key::from_pem(&theirs.leaf().key.private_pem());
    let with = |certificate: &str, intermediate: &str, key: Key| {
        let (certificate, intermediate) = (certificate.to_owned(), intermediate.to_owned());
        let (tenancy, session_key) = (ours.tenancy.clone(), Key::generate());
        SignIn { tenancy, certificate, intermediate, key, session_key }.letter(&world)
    };
    let by = |key_id: &str| ours.letter_by(&world, &ours.body(), key_id);
    let their_fingerprint = sha1_fingerprint(&theirs.leaf().der);
    let their_chain = STANDARD.encode(theirs.intermediate_der());
    let forgeries = vec![
        forged("leaf not signed by the intermediate", with(&their_leaf, &ours.intermediate, their_key())),
        forged("chain of another authority", with(&their_leaf, &their_chain, their_key())),
        forged(
            "leaf in place of the intermediate",
            with(&ours.certificate, &ours.certificate, Key::generate()),
        ),
        forged("key that is not the leaf's", with(&ours.certificate, &ours.intermediate, Key::generate())),
        forged(
            "fingerprint of another certificate",
            by(&format!("{}/fed-x509/{their_fingerprint}", ours.tenancy)),
        ),
        forged(
            "another tenancy in the key id",
            by(&ours.key_id().replacen("tenancy.oc1..", "tenancy.oc1..x", 1)),
        ),
        forged(
            "SHA-256 key id without its word",
            by(&ours.key_id().replacen("fed-x509", "fed-x509-sha256", 1)),
        ),
        forged("session's key id at the sign-in", by("ST$a.b.c")),
        forged("wrong signature", flipped(&ours.letter(&world))),
        forged("date in the future", ours.letter_at(&world, TimeDelta::seconds(301))),
        forged("date older than five minutes", ours.letter_at(&world, TimeDelta::seconds(-301))),
    ];
    assert_refused(&world, 11, forgeries).await;
}

#[tokio::test]
async fn an_expired_certificate_signs_nobody_in_until_it_is_rotated() {
    let world = World::new();
    world.server.expire_certificate();
    let expired = SignIn::of(&world).await.letter(&world);
    assert_refused(&world, 1, vec![forged("expired certificate", expired)]).await;
    world.server.rotate_certificate();
    assert_accepted(&world, &[&SignIn::of(&world).await.letter(&world)]).await;
}

#[tokio::test]
async fn a_sign_in_that_lacks_something_is_refused_by_its_name() {
    let world = World::new();
    let sign_in = SignIn::of(&world).await;
    let with = |field: &str, value| {
        let mut body = sign_in.body();
        body[field] = value;
        sign_in.letter_by(&world, &body, &sign_in.key_id())
    };
    let forgeries = vec![
        ("no intermediate", with("intermediateCertificates", json!([])), INVALID),
        ("certificate that is no base64", with("certificate", json!("***")), INVALID),
        ("session key that is none", with("publicKey", json!("QUFBQQ==")), INVALID),
        ("no certificate", with("certificate", json!(null)), (400, "CannotParseRequest")),
        forged("certificate that is none", with("certificate", json!("QUFBQQ=="))),
    ];
    assert_refused(&world, 5, forgeries).await;
}
