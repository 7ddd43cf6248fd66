//! The registry: one token for many manifests, and bytes that are what was asked for.

use std::time::Duration;

use ocird_model::{
    Content, Digest, ErrorKind, FetchedManifest, OpaqueReason, ReadRegistry as _, RegistryError,
    RepositoryName,
};
use ocird_oci::{Oci, interpret};
use serde_json::json;

use crate::clock::TestClock;
use crate::cloud::{Cloud, Reply, TOKEN, digest_of, name, namespace};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCUMENT: &str = r#"{"schemaVersion":2,"manifests":[]}"#;

fn route() -> String {
    format!("GET /v2/ns/team/app/manifests/{}", digest_of(DOCUMENT.as_bytes()))
}

fn index() -> Reply {
    Reply::text(DOCUMENT).with("content-type", format!("{INDEX}; charset=utf-8"))
}

async fn fetch(oci: &Oci<TestClock>) -> Result<FetchedManifest, RegistryError> {
    oci.manifest(&namespace(), &name(), &digest_of(DOCUMENT.as_bytes())).await
}

#[tokio::test]
async fn a_manifest_is_asked_for_in_every_kind_and_proved_by_its_digest() {
    let cloud = Cloud::start().await;
    cloud.script(&route(), [index()]);
    let manifest = fetch(&cloud.oci()).await.unwrap();
    assert_eq!((manifest.media_type.as_str(), &*manifest.bytes), (INDEX, DOCUMENT.as_bytes()));
    assert_eq!(interpret(&manifest), Content::Index { children: vec![], subject: None });
    assert_eq!(cloud.seen(&route())[0].headers.get_all("accept").iter().count(), 4);
}

#[tokio::test]
async fn bytes_of_another_digest_are_malformed() {
    let cloud = Cloud::start().await;
    cloud.script(&route(), [Reply::text(DOCUMENT.to_owned() + " ").with("content-type", INDEX)]);
    assert_eq!(fetch(&cloud.oci()).await.unwrap_err().kind(), ErrorKind::Malformed);
}

#[tokio::test]
async fn a_kind_whose_bytes_never_are_of_its_digest_is_opaque_and_its_bytes_are_nobodys() {
    let signed = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let cloud = Cloud::start().await;
    cloud.script(&route(), [Reply::text(DOCUMENT.to_owned() + " ").with("content-type", signed)]);
    let manifest = fetch(&cloud.oci()).await.unwrap();
    assert_eq!((manifest.media_type.as_str(), &*manifest.bytes), (signed, &[][..]));
    assert_eq!(interpret(&manifest), Content::Opaque { reason: OpaqueReason::MediaType });
}

#[tokio::test]
async fn no_url_that_a_manifest_or_an_answer_names_is_ever_asked() {
    let cloud = Cloud::start().await;
    let trap = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let url = format!("http://{}/layer", trap.local_addr().unwrap());
    let blob = json!({"digest": digest_of(b"layer"), "size": 5, "urls": [url]});
    let document = json!({
        "schemaVersion": 2, "config": blob, "layers": [blob], "annotations": {"org.example.source": url},
        "subject": blob,
    });
    let (text, kind) = (document.to_string(), "application/vnd.oci.image.manifest.v1+json");
    let digest = digest_of(text.as_bytes());
    let route = format!("GET /v2/ns/team/app/manifests/{digest}");
    let challenge = format!("Bearer realm=\"{url}\",service=\"x\"");
    let moved = Reply::error(307, "Moved").with("location", url.clone());
    let denied = Reply::error(401, "UNAUTHORIZED").with("www-authenticate", challenge);
    let link = Reply::text(text).with("content-type", kind).with("link", format!("<{url}>; rel=\"next\""));
    cloud.script(&route, [moved, denied, link]);
    let oci = cloud.oci();
    oci.manifest(&namespace(), &name(), &digest).await.unwrap_err();
    let manifest = oci.manifest(&namespace(), &name(), &digest).await.unwrap();
    let layer = Some(digest_of(b"layer"));
    assert_eq!(interpret(&manifest), Content::Manifest { subject: layer, config: layer });
    assert_eq!(cloud.n_seen(&route), 3, "the answer that moved, the one that denied, and the manifest");
    assert_eq!(trap.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_manifest_over_the_bound_is_told_and_not_read() {
    let cloud = Cloud::start().await;
    cloud.script(&route(), [Reply::text("x".repeat(5 << 20)).with("content-type", INDEX)]);
    let manifest = fetch(&cloud.oci()).await.unwrap();
    assert!(manifest.too_large && manifest.bytes.is_empty());
}

#[tokio::test]
async fn one_token_serves_many_manifests_until_a_minute_before_its_end() {
    let cloud = Cloud::start().await;
    cloud.script(&route(), (0..4).map(|_| index()));
    let oci = cloud.oci();
    for (minutes, n_tokens) in [(0, 1), (58, 1), (2, 2), (1, 2)] {
        cloud.clock.advance(Duration::from_mins(minutes));
        fetch(&oci).await.unwrap();
        assert_eq!(cloud.n_seen(TOKEN), n_tokens);
    }
}

#[tokio::test]
async fn a_rejected_registry_token_is_replaced_once() {
    let cloud = Cloud::start().await;
    let rejected = || Reply::error(401, "UNAUTHORIZED");
    cloud.script(&route(), [rejected(), index(), rejected(), rejected()]);
    let oci = cloud.oci();
    fetch(&oci).await.unwrap();
    assert_eq!((cloud.n_seen(&route()), cloud.n_seen(TOKEN)), (2, 2));
    assert_eq!(fetch(&oci).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    assert_eq!((cloud.n_seen(&route()), cloud.n_seen(TOKEN)), (4, 3));
}

#[tokio::test]
async fn what_is_forbidden_is_asked_for_with_a_new_token_the_next_time() {
    let cloud = Cloud::start().await;
    cloud.script(&route(), [Reply::error(403, "DENIED"), index()]);
    let oci = cloud.oci();
    assert_eq!(fetch(&oci).await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert_eq!((cloud.n_seen(&route()), cloud.n_seen(TOKEN)), (1, 1));
    fetch(&oci).await.unwrap();
    assert_eq!((cloud.n_seen(&route()), cloud.n_seen(TOKEN)), (2, 2));
}

#[tokio::test]
async fn a_missing_manifest_is_an_error_and_not_an_absence() {
    let cloud = Cloud::start().await;
    cloud.script(&route(), [Reply::error(404, "MANIFEST_UNKNOWN")]);
    assert_eq!(fetch(&cloud.oci()).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_repository_name_cannot_lead_to_another_path() {
    let cloud = Cloud::start().await;
    let oci = cloud.oci();
    for bad in ["a/../b", "a/./b", "a/.."] {
        let name: RepositoryName = bad.parse().unwrap();
        let error = oci.manifest(&namespace(), &name, &Digest::from_bytes([1; 32])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{bad}");
    }
    assert_eq!(cloud.n_seen(TOKEN), 0);
}

#[tokio::test]
async fn a_registry_token_that_makes_no_sense_is_an_error_without_the_token_in_it() {
    for answer in [
        json!({"token": "canary"}),
        json!({"token": "canary", "expires_in": "canary"}),
        json!({"token": ["canary"], "expires_in": 1}),
        json!({"token": "canary\n", "expires_in": 3600}),
    ] {
        let cloud = Cloud::start().await;
        cloud.script(TOKEN, [Reply::json(200, &answer)]);
        let error = fetch(&cloud.oci()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        let cause = std::error::Error::source(&error).unwrap();
        assert!(!format!("{error:?} {cause} {cause:?}").contains("canary"), "{cause:?}");
    }
}
