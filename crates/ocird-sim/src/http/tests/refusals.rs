//! Every way in which a signed request can be wrong, one at a time. The first test is the request that is right.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::client::{Key, Letter};
use super::*;

async fn refused(world: &World, letter: Letter) {
    let answer = world.send(letter).await;
    assert_eq!(answer.refusal(), (401, "NotAuthenticated"), "{}", answer.text);
}

#[tokio::test]
async fn a_good_signature_is_accepted_in_any_order_of_headers() {
    let world = World::new();
    let session = world.sign_in().await;
    assert_eq!(world.ask(&session, "GET", &world.list("&limit=3")).await.status, 200);
    let letter = world.letter("GET", &world.list(""));
    let reordered = letter.sign_headers("host (request-target) date", &session.key_id(), &session.key);
    assert_eq!(world.send(reordered).await.status, 200);
}

#[tokio::test]
async fn an_api_key_signs_for_its_user() {
    let world = World::new();
    let key = Key::generate();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", key.public());
    let key_id = world.server.add_api_key("ocid1.user.oc1..u", &pem).unwrap();
    let prefix = format!("{}/ocid1.user.oc1..u/", world.tenancy.settings().tenancy);
    assert_eq!(key_id.strip_prefix(&prefix).unwrap().split(':').count(), 16, "{key_id}");
    let letter = world.letter("GET", &world.list(""));
    assert_eq!(world.send(letter.clone().sign(&key_id, &key)).await.status, 200);
    refused(&world, letter.sign(&key_id, &Key::generate())).await;
    assert!(world.server.add_api_key("ocid1.user.oc1..u", "no key").is_err());
}

#[tokio::test]
async fn no_authorization_is_refused() {
    let world = World::new();
    refused(&world, world.letter("GET", &world.list(""))).await;
}

#[tokio::test]
async fn a_flipped_signature_is_refused() {
    let world = World::new();
    let session = world.sign_in().await;
    let letter = session.sign(world.letter("GET", &world.list("")));
    let authorization = letter.value("authorization");
    let (start, signature) = authorization.split_once("signature=\"").unwrap();
    let mut bytes = STANDARD.decode(signature.trim_end_matches('"')).unwrap();
    bytes[100] ^= 1;
    let flipped = format!("{start}signature=\"{}\"", STANDARD.encode(bytes));
    refused(&world, letter.header("authorization", &flipped)).await;
}

#[tokio::test]
async fn a_query_that_changes_after_signing_is_refused() {
    let world = World::new();
    let session = world.sign_in().await;
    let mut letter = session.sign(world.letter("GET", &world.list("")));
    letter.target.push_str("&limit=1000");
    refused(&world, letter).await;
    // The same characters written another way are not the same target.
    let mut letter = session.sign(world.letter("GET", &world.list("&displayName=a%2fb")));
    letter.target = letter.target.replace("%2f", "%2F");
    refused(&world, letter).await;
}

#[tokio::test]
async fn a_date_five_minutes_off_is_refused_on_either_side() {
    let world = World::new();
    let session = world.sign_in().await;
    for (seconds, status) in [(-301, 401), (-300, 200), (300, 200), (301, 401)] {
        let date = world.date_in(TimeDelta::seconds(seconds));
        let letter = world.letter("GET", &world.list("")).header("date", &date);
        assert_eq!(world.send(session.sign(letter)).await.status, status, "{seconds}");
    }
}

#[tokio::test]
async fn the_servers_date_is_the_tenancys_even_on_a_refusal() {
    let world = World::new();
    let letter = world.letter("GET", &world.list("")).header("opc-request-id", "MINE");
    let answer = world.send(letter).await;
    assert_eq!((answer.status, answer.header("date")), (401, world.date().as_str()));
    assert!(answer.header("opc-request-id").starts_with("MINE/"));
    world.tenancy.clock().advance(TimeDelta::days(40));
    let nowhere = world.send(world.letter("GET", "/nowhere")).await;
    assert_eq!((nowhere.status, nowhere.header("date")), (404, world.date().as_str()));
    assert_eq!(nowhere.headers.get_all("date").iter().count(), 1);
}

#[tokio::test]
async fn a_token_that_was_altered_is_refused() {
    let world = World::new();
    let mut session = world.sign_in().await;
    let parts: Vec<&str> = session.token.split('.').collect();
    let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    let altered = URL_SAFE_NO_PAD.encode(claims.replace("\"ptype\":\"instance\"", "\"ptype\":\"operator\""));
    assert_ne!(altered, parts[1]);
    session.token = format!("{}.{altered}.{}", parts[0], parts[2]);
    refused(&world, session.sign(world.letter("GET", &world.list("")))).await;
}

#[tokio::test]
async fn a_token_used_with_another_key_is_refused() {
    let world = World::new();
    let mut session = world.sign_in().await;
    session.key = Key::generate();
    refused(&world, session.sign(world.letter("GET", &world.list("")))).await;
}

#[tokio::test]
async fn a_token_of_another_tenancy_is_refused() {
    let world = World::new();
    let session = World::new().sign_in().await;
    refused(&world, session.sign(world.letter("GET", &world.list("")))).await;
}

#[tokio::test]
async fn an_expired_token_is_refused_and_a_new_sign_in_helps() {
    let world = World::new();
    let session = world.sign_in().await;
    world.tenancy.clock().advance(TimeDelta::minutes(20) - TimeDelta::seconds(1));
    assert_eq!(world.ask(&session, "GET", &world.list("")).await.status, 200);
    world.tenancy.clock().advance(TimeDelta::seconds(1));
    refused(&world, session.sign(world.letter("GET", &world.list("")))).await;
    let session = world.sign_in().await;
    assert_eq!(world.ask(&session, "GET", &world.list("")).await.status, 200);
}

#[tokio::test]
async fn a_header_that_must_be_signed_and_is_not_is_refused() {
    let world = World::new();
    let session = world.sign_in().await;
    for headers in ["date (request-target)", "date host", "(request-target) host"] {
        let letter = world.letter("GET", &world.list(""));
        refused(&world, letter.sign_headers(headers, &session.key_id(), &session.key)).await;
    }
    let body = world.letter("POST", "/20160918/container/images/actions/lookupImageByUri").json("{}");
    let lacking = "date (request-target) host content-length content-type";
    refused(&world, body.sign_headers(lacking, &session.key_id(), &session.key)).await;
}

#[tokio::test]
async fn a_body_that_changes_after_signing_is_refused() {
    let world = World::new();
    let session = world.sign_in().await;
    let target = "/20160918/container/images/actions/lookupImageByUri";
    let mut letter = session.sign(world.letter("POST", target).json(r#"{"imageUri":"axsimulated/a:1"}"#));
    letter.body = letter.body.replace("a:1", "a:2");
    refused(&world, letter).await;
}
