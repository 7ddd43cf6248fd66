//! The registry: tokens, the challenge, manifests, blobs and tags.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ocird_model::Digest;
use serde_json::Value;

use super::*;
use crate::Iam;

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const TOKEN: &str = "/20180419/docker/token";

/// A registry token for whoever signed in.
async fn token(world: &World) -> String {
    let session = world.sign_in().await;
    let answer = world.ask(&session, "GET", TOKEN).await;
    answer.body["token"].as_str().unwrap().to_owned()
}

async fn get(world: &World, token: &str, path: &str, accept: &str) -> Answer {
    let letter = Letter::new("GET", &format!("/v2/axsimulated/team/mgh-website/{path}"));
    let letter = letter.header("authorization", &format!("Bearer {token}")).header("accept", accept);
    world.send(letter).await
}

fn error_code(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.body["errors"][0]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_signed_request_gets_a_token_and_the_token_gets_another() {
    let world = World::new();
    let session = world.sign_in().await;
    let answer = world.ask(&session, "GET", TOKEN).await;
    assert_eq!((answer.status, answer.body["expires_in"].as_u64()), (200, Some(3600)));
    assert_eq!(answer.body["access_token"], answer.body["token"]);
    let basic = STANDARD.encode(format!("BEARER_TOKEN:{}", answer.body["token"].as_str().unwrap()));
    let exchange = Letter::new("GET", &format!("{TOKEN}?service=x&scope=repository:a:pull"));
    let exchanged = world.send(exchange.header("authorization", &format!("Basic {basic}"))).await;
    assert_eq!(exchanged.status, 200, "{}", exchanged.text);
    let human =
        Letter::new("GET", TOKEN).header("authorization", &format!("Basic {}", STANDARD.encode("ns/me:pw")));
    assert_eq!(world.send(human).await.status, 401);
    assert_eq!(world.send(Letter::new("GET", TOKEN)).await.status, 401);
}

#[tokio::test]
async fn the_root_says_where_tokens_are() {
    let world = World::new();
    let answer = world.send(Letter::new("GET", "/v2/")).await;
    assert_eq!(error_code(&answer), (401, "UNAUTHORIZED"));
    let host = world.host();
    let challenge = format!(r#"Bearer realm="http://{host}{TOKEN}",service="{host}",scope="""#);
    assert_eq!(answer.header("www-authenticate"), challenge);
    let token = token(&world).await;
    let known = Letter::new("GET", "/v2/").header("authorization", &format!("Bearer {token}"));
    assert_eq!(world.send(known).await.status, 200);
}

#[tokio::test]
async fn a_manifest_comes_with_its_digest_and_its_bytes() {
    let world = World::new();
    let id = world.push("r1", &["v1"]);
    let digest = world.tenancy.get_image(&id).unwrap().digest.to_string();
    let token = token(&world).await;
    for reference in ["v1", digest.as_str()] {
        let answer = get(&world, &token, &format!("manifests/{reference}"), IMAGE).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, IMAGE));
        assert_eq!(answer.header("docker-content-digest"), digest);
        assert_eq!(crate::digest::sha256(answer.text.as_bytes()).to_string(), digest);
    }
}

#[tokio::test]
async fn a_head_has_the_headers_and_is_no_pull() {
    let world = World::new();
    let id = world.push("r1", &["v1"]);
    let token = token(&world).await;
    let target = "/v2/axsimulated/team/mgh-website/manifests/v1";
    let head = Letter::new("HEAD", target).header("authorization", &format!("Bearer {token}"));
    let answer = world.send(head.header("accept", IMAGE)).await;
    let view = world.tenancy.get_image(&id).unwrap();
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert_eq!(answer.header("docker-content-digest"), view.digest.to_string());
    assert_eq!(answer.header("content-length"), view.manifest_size.to_string());
    assert_eq!(view.n_pulls, 0);
    get(&world, &token, "manifests/v1", IMAGE).await;
    assert_eq!(world.tenancy.get_image(&id).unwrap().n_pulls, 1);
}

#[tokio::test]
async fn an_index_is_unknown_to_whoever_does_not_accept_one() {
    let world = World::new();
    world.tenancy.push(&world.repository, &Build::small("r1"), &["v1".parse().unwrap()], "ci").unwrap();
    let token = token(&world).await;
    let refused = get(&world, &token, "manifests/v1", IMAGE).await;
    assert_eq!(error_code(&refused), (404, "MANIFEST_UNKNOWN"));
    let both = get(&world, &token, "manifests/v1", &format!("{IMAGE}, {INDEX}")).await;
    assert_eq!((both.status, both.header("content-type")), (200, INDEX));
}

#[tokio::test]
async fn a_configuration_has_bytes_and_a_layer_has_none() {
    let world = World::new();
    world.push("r1", &["v1"]);
    let token = token(&world).await;
    let manifest: Value =
        serde_json::from_str(&get(&world, &token, "manifests/v1", IMAGE).await.text).unwrap();
    let config: Digest = manifest["config"]["digest"].as_str().unwrap().parse().unwrap();
    let answer = get(&world, &token, &format!("blobs/{config}"), "*/*").await;
    assert_eq!((answer.status, crate::digest::sha256(answer.text.as_bytes())), (200, config));
    let layer = manifest["layers"][0]["digest"].as_str().unwrap();
    let answer = get(&world, &token, &format!("blobs/{layer}"), "*/*").await;
    assert_eq!(error_code(&answer), (404, "BLOB_UNKNOWN"));
}

#[tokio::test]
async fn tags_are_listed() {
    let world = World::new();
    world.push("r1", &["v2", "v1"]);
    let answer = get(&world, &token(&world).await, "tags/list", "*/*").await;
    let expected = serde_json::json!({ "name": "axsimulated/team/mgh-website", "tags": ["v1", "v2"] });
    assert_eq!(answer.body, expected);
}

#[tokio::test]
async fn no_token_a_late_one_and_no_permission_are_three_refusals() {
    let world = World::new();
    world.push("r1", &["v1"]);
    let token = token(&world).await;
    assert_eq!(error_code(&get(&world, "x", "manifests/v1", IMAGE).await), (401, "UNAUTHORIZED"));
    assert_eq!(error_code(&get(&world, &token, "manifests/v9", IMAGE).await), (404, "MANIFEST_UNKNOWN"));
    world.tenancy.set_iam(Iam::nothing());
    assert_eq!(error_code(&get(&world, &token, "manifests/v1", IMAGE).await), (403, "DENIED"));
    world.tenancy.set_iam(Iam::everything());
    world.tenancy.clock().advance(TimeDelta::hours(1));
    assert_eq!(error_code(&get(&world, &token, "manifests/v1", IMAGE).await), (401, "UNAUTHORIZED"));
}

#[tokio::test]
async fn a_session_token_is_no_registry_token() {
    let world = World::new();
    world.push("r1", &["v1"]);
    let session = world.sign_in().await;
    let answer = get(&world, &session.token, "manifests/v1", IMAGE).await;
    assert_eq!(error_code(&answer), (401, "UNAUTHORIZED"));
}

#[tokio::test]
async fn another_namespace_is_another_world() {
    let world = World::new();
    world.push("r1", &["v1"]);
    let token = token(&world).await;
    let letter = Letter::new("GET", "/v2/other/team/mgh-website/manifests/v1");
    let letter = letter.header("authorization", &format!("Bearer {token}")).header("accept", IMAGE);
    assert_eq!(error_code(&world.send(letter).await), (404, "NAME_UNKNOWN"));
}
