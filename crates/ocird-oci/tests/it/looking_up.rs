//! Reads that no pass makes: an image by what people call it, and who signed what.

use ocird_model::{Digest, ErrorKind, Etag, Lifecycle, ReadRegistry as _};
use ocird_oci::TagOrDigest;
use serde_json::{Value, json};

use crate::cloud::{Cloud, Reply, compartment, image, name, namespace, page, repository};
use crate::signature::parameter;

const LOOKUP: &str = "POST /20160918/container/images/actions/lookupImageByUri";
const SIGNATURES: &str = "GET /20160918/container/imageSignatures";

fn found() -> Reply {
    let body = json!({
        "id": image(), "digest": Digest::from_bytes([1; 32]), "repositoryId": repository(), "version": "v1",
        "versions": [], "layers": [], "manifestSizeInBytes": 700, "pullCount": 4, "lifecycleState": "AVAILABLE",
    });
    Reply::json(200, &body).with("etag", "e-1")
}

fn signature(id: &str, lifecycle: &str) -> Value {
    json!({
        "id": id, "imageId": image(), "compartmentId": compartment(), "displayName": "x::y::z::a",
        "kmsKeyId": "ocid1.key.oc1..k", "kmsKeyVersionId": "ocid1.keyversion.oc1..v", "message": "bQ==",
        "signature": "cw==", "signingAlgorithm": "SHA_224_RSA_PKCS_PSS", "timeCreated": "2026-01-01T00:00:00Z",
        "lifecycleState": lifecycle, "freeformTags": {}, "definedTags": {}, "systemTags": {},
    })
}

#[tokio::test]
async fn an_image_is_looked_up_by_tag_and_by_digest_without_the_host() {
    let cloud = Cloud::start().await;
    cloud.script(LOOKUP, [found(), found()]);
    let oci = cloud.oci();
    let digest = Digest::from_bytes([1; 32]);
    for version in [TagOrDigest::Tag("v1".parse().unwrap()), TagOrDigest::Digest(digest)] {
        let details = oci.image_by_uri(&namespace(), &name(), &version).await.unwrap();
        assert_eq!((details.id, details.etag), (image(), Some(Etag("e-1".to_owned()))));
    }
    let uris = cloud.seen(LOOKUP).iter().map(|seen| seen.json()["imageUri"].clone()).collect::<Vec<_>>();
    assert_eq!(uris, [json!("ns/team/app:v1"), json!(format!("ns/team/app@{digest}"))]);
}

#[tokio::test]
async fn a_lookup_is_signed_as_a_post_and_repeated_as_a_read() {
    let cloud = Cloud::start().await;
    cloud.script(LOOKUP, [Reply::error(503, "ServiceUnavailable"), found()]);
    let version = TagOrDigest::Tag("v1".parse().unwrap());
    let oci = cloud.oci();
    oci.image_by_uri(&namespace(), &name(), &version).await.unwrap();
    let seen = cloud.seen(LOOKUP);
    assert_eq!(
        parameter(seen[1].header("authorization"), "headers"),
        "date (request-target) host content-length content-type x-content-sha256"
    );
    assert!(seen.len() == 2 && seen[1].headers.get("opc-retry-token").is_none());
    cloud.script(LOOKUP, [Reply::error(404, "NotAuthorizedOrNotFound")]);
    let error = oci.image_by_uri(&namespace(), &name(), &version).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::NotFound, "LookupContainerImageByUri"));
}

#[tokio::test]
async fn signatures_are_listed_to_the_last_page() {
    let cloud = Cloud::start().await;
    let one = [signature("ocid1.containerimagesignature.oc1..1", "AVAILABLE")];
    let two = [signature("ocid1.containerimagesignature.oc1..2", "HIBERNATING")];
    cloud.script(SIGNATURES, [page(&one, Some("next")), page(&[], Some("more")), page(&two, None)]);
    let found = cloud.oci().image_signatures(&compartment(), &repository()).await.unwrap();
    let states: Vec<Lifecycle> = found.iter().map(|signature| signature.lifecycle).collect();
    assert_eq!(states, [Lifecycle::Available, Lifecycle::Unknown]);
    assert_eq!((&found[0].image, found[0].key.as_str()), (&image(), "ocid1.key.oc1..k"));
    let target = &cloud.seen(SIGNATURES)[0].target;
    assert!(target.contains(&format!("compartmentId={}", compartment())), "{target}");
    assert!(target.contains(&format!("repositoryId={}", repository())), "{target}");
}

#[tokio::test]
async fn an_image_is_signed_until_its_last_signature_is_known_to_go() {
    let states = ["AVAILABLE", "HIBERNATING", "DELETING", "DELETED"];
    for (state, is_signed) in states.into_iter().zip([true, true, false, false]) {
        let cloud = Cloud::start().await;
        let row = signature("ocid1.containerimagesignature.oc1..1", state);
        cloud.script(SIGNATURES, [page(&[], Some("next")), page(&[row], None)]);
        let signed = cloud.oci().signed_images(&compartment()).await.unwrap();
        assert_eq!(signed.contains(&image()), is_signed, "{state}");
        let target = &cloud.seen(SIGNATURES)[1].target;
        assert!(target.contains(&format!("compartmentId={}", compartment())), "{target}");
        assert!(!target.contains("repositoryId"), "one list serves a whole compartment: {target}");
    }
}

#[tokio::test]
async fn a_list_of_signatures_that_does_not_come_to_its_end_is_no_list() {
    let cloud = Cloud::start().await;
    let row = signature("ocid1.containerimagesignature.oc1..1", "AVAILABLE");
    cloud.script(SIGNATURES, [page(&[row], Some("next")), Reply::error(404, "NotAuthorizedOrNotFound")]);
    let error = cloud.oci().signed_images(&compartment()).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::NotFound, "ListContainerImageSignatures"));
}

#[tokio::test]
async fn a_signature_of_what_is_no_image_fails_the_whole_list() {
    let cloud = Cloud::start().await;
    let mut wrong = signature("ocid1.containerimagesignature.oc1..1", "AVAILABLE");
    wrong["imageId"] = json!("ocid1.instance.oc1..i");
    cloud.script(SIGNATURES, [page(&[wrong], None)]);
    let error = cloud.oci().image_signatures(&compartment(), &repository()).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Malformed, "ListContainerImageSignatures"));
}
