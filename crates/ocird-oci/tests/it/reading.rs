//! What the reads make of the service's answers.

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, Digest, ErrorKind, Etag, Lifecycle, ReadRegistry as _};
use ocird_oci::Oci;
use serde_json::{Value, json};

use crate::clock::TestClock;
use crate::cloud::{
    Cloud, IMAGES, REPOSITORIES, Reply, compartment, image, image_route, image_row, page, repository,
};

fn repository_row() -> Value {
    json!({
        "id": repository(), "displayName": "team/app", "compartmentId": compartment(), "namespace": "ns",
        "imageCount": 12, "layerCount": 30, "layersSizeInBytes": 350_000_000, "billableSizeInGBs": 1,
        "isPublic": true, "lifecycleState": "AVAILABLE", "timeCreated": "2026-01-01T00:00:00Z",
        "freeformTags": {}, "definedTags": {}, "systemTags": {},
    })
}

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().into()
}

#[tokio::test]
async fn a_repository_is_listed_with_what_a_pass_needs() {
    let cloud = Cloud::start().await;
    cloud.script(REPOSITORIES, [page(&[repository_row()], None)]);
    let rows = cloud.oci().repositories(&compartment()).await.unwrap();
    let row = &rows[0];
    assert_eq!((row.name.as_str(), row.namespace.as_str()), ("team/app", "ns"));
    assert_eq!((row.n_images, row.layers_size, row.is_public), (12, Bytes(350_000_000), true));
    assert_eq!(
        (&row.id, &row.compartment, row.lifecycle),
        (&repository(), &compartment(), Lifecycle::Available)
    );
}

#[tokio::test]
async fn a_repository_read_alone_tells_more() {
    let cloud = Cloud::start().await;
    let mut full = repository_row();
    full["isImmutable"] = json!(true);
    full["timeLastPushed"] = json!("2026-02-01T00:00:00.5Z");
    cloud.script(&format!("{REPOSITORIES}/{}", repository()), [Reply::json(200, &full)]);
    let details = cloud.oci().repository(&repository()).await.unwrap();
    assert_eq!((details.row.n_images, details.is_immutable), (12, true));
    assert_eq!(details.last_pushed_at, Some(at("2026-02-01T00:00:00.5Z")));
    assert_eq!(details.created_at, Some(at("2026-01-01T00:00:00Z")));
}

#[tokio::test]
async fn an_image_comes_with_the_etag_to_delete_it_by() {
    let cloud = Cloud::start().await;
    let body = json!({
        "id": image(), "digest": Digest::from_bytes([1; 32]), "repositoryId": repository(), "version": "v1",
        "versions": [{"version": "v1", "timeCreated": "2026-01-02T00:00:00Z", "createdBy": "u"}],
        "layers": [], "manifestSizeInBytes": 700, "pullCount": 4, "timeCreated": "2026-01-01T00:00:00Z",
        "createdBy": "ocid1.user.oc1..u", "lifecycleState": "AVAILABLE",
    });
    cloud.script(&image_route("GET", ""), [Reply::json(200, &body).with("etag", "e-1")]);
    let details = cloud.oci().image(&image()).await.unwrap();
    assert_eq!((details.etag, details.n_pulls), (Some(Etag("e-1".to_owned())), 4));
    assert_eq!(details.tags.into_values().collect::<Vec<_>>(), [Some(at("2026-01-02T00:00:00Z"))]);
    assert_eq!((details.id, details.manifest_size, details.last_pulled_at), (image(), Bytes(700), None));
}

#[tokio::test]
async fn the_configuration_tells_the_namespace() {
    let cloud = Cloud::start().await;
    let body = json!({"isRepositoryCreatedOnFirstPush": true, "namespace": "ns"});
    cloud.script("GET /20160918/container/configuration", [Reply::json(200, &body)]);
    let configuration = cloud.oci().configuration(&compartment()).await.unwrap();
    assert_eq!((configuration.namespace.as_str(), configuration.creates_on_first_push), ("ns", true));
}

/// What is read of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    RepositoryRow,
    ImageRow,
    Image,
}

fn full_image() -> Value {
    json!({
        "id": image(), "digest": Digest::from_bytes([1; 32]), "repositoryId": repository(), "version": "v1",
        "versions": [{"version": "v1", "timeCreated": "2026-01-02T00:00:00Z", "createdBy": "u"}],
        "layers": [{"digest": Digest::from_bytes([2; 32]), "sizeInBytes": 7}], "manifestSizeInBytes": 700,
        "pullCount": 4, "timeCreated": "2026-01-01T00:00:00Z", "timeLastPulled": "2026-01-03T00:00:00Z",
        "createdBy": "ocid1.user.oc1..u", "lifecycleState": "AVAILABLE",
    })
}

impl What {
    fn sound(self) -> Value {
        match self {
            Self::RepositoryRow => repository_row(),
            Self::ImageRow => image_row(1),
            Self::Image => full_image(),
        }
    }

    /// Reads `own` as this, a row between two sound ones. A page that is read has all three rows.
    async fn read(self, cloud: &Cloud, oci: &Oci<TestClock>, own: Value) -> Result<(), ErrorKind> {
        let rows = [self.sound(), own.clone(), self.sound()];
        let n_rows = match self {
            Self::RepositoryRow => {
                cloud.script(REPOSITORIES, [page(&rows, None)]);
                oci.repositories(&compartment()).await.map(|rows| rows.len())
            }
            Self::ImageRow => {
                cloud.script(IMAGES, [page(&rows, None)]);
                oci.images(&compartment(), &repository()).await.map(|rows| rows.len())
            }
            Self::Image => {
                cloud.script(&image_route("GET", ""), [Reply::json(200, &own)]);
                oci.image(&image()).await.map(|_| 3)
            }
        };
        n_rows.map(|n_rows| assert_eq!(n_rows, 3, "{own}")).map_err(|error| error.kind())
    }

    /// Reads it with this field changed, or without it, and compares what comes of it.
    async fn expect(self, field: &str, values: &[Option<Value>], expected: Result<(), ErrorKind>) {
        let cloud = Cloud::start().await;
        let oci = cloud.oci();
        for value in values {
            let mut own = self.sound();
            match value {
                Some(value) => own[field] = value.clone(),
                None => drop(own.as_object_mut().unwrap().remove(field)),
            }
            assert_eq!(self.read(&cloud, &oci, own).await, expected, "{self:?} {field}: {value:?}");
        }
    }
}

const MALFORMED: Result<(), ErrorKind> = Err(ErrorKind::Malformed);

#[tokio::test]
async fn an_identifier_that_is_missing_or_none_fails_the_whole_answer() {
    let odd =
        [None, Some(json!(null)), Some(json!(1)), Some(json!("")), Some(json!("x y")), Some(json!(["a"]))];
    for (what, fields) in [
        (What::RepositoryRow, &["id", "displayName", "compartmentId", "namespace"][..]),
        (What::ImageRow, &["id", "digest", "repositoryId"]),
        (What::Image, &["id", "digest", "repositoryId"]),
    ] {
        for field in fields {
            what.expect(field, &odd, MALFORMED).await;
        }
    }
}

#[tokio::test]
async fn a_number_is_a_whole_number_and_nothing_that_looks_like_one() {
    let odd = [
        None,
        Some(json!(null)),
        Some(json!("12")),
        Some(json!(-1)),
        Some(json!(1.5)),
        Some(json!(12.0)),
        Some(json!(1.8e19)),
        Some(json!(true)),
    ];
    for field in ["imageCount", "layersSizeInBytes"] {
        What::RepositoryRow.expect(field, &odd, MALFORMED).await;
        What::RepositoryRow.expect(field, &[Some(json!(0)), Some(json!(u64::MAX))], Ok(())).await;
    }
    for field in ["pullCount", "manifestSizeInBytes"] {
        What::Image.expect(field, &odd, MALFORMED).await;
        What::Image.expect(field, &[Some(json!(0)), Some(json!(u64::MAX))], Ok(())).await;
    }
}

#[tokio::test]
async fn public_is_said_in_so_many_words() {
    let odd = [None, Some(json!(null)), Some(json!("false")), Some(json!(0))];
    What::RepositoryRow.expect("isPublic", &odd, MALFORMED).await;
}

#[tokio::test]
async fn a_time_may_be_absent_and_never_be_something_else() {
    let sound = [
        None,
        Some(json!(null)),
        Some(json!("2026-01-02T03:04:05Z")),
        Some(json!("2026-01-02T03:04:05.6-07:00")),
    ];
    let odd = ["", "yesterday", "2026-01-02", "2026-01-02T03:04:05", "2026-02-30T00:00:00Z"]
        .map(|text| Some(json!(text)));
    for (what, field) in
        [(What::ImageRow, "timeCreated"), (What::Image, "timeCreated"), (What::Image, "timeLastPulled")]
    {
        what.expect(field, &sound, Ok(())).await;
        what.expect(field, &odd, MALFORMED).await;
        what.expect(field, &[Some(json!(1_767_225_600)), Some(json!({}))], MALFORMED).await;
    }
}

#[tokio::test]
async fn a_tag_may_be_absent_and_never_be_something_else() {
    let sound = [None, Some(json!(null)), Some(json!("v1"))];
    let odd = [
        Some(json!("")),
        Some(json!("a b")),
        Some(json!("a".repeat(129))),
        Some(json!(1)),
        Some(json!(["v1"])),
    ];
    for what in [What::ImageRow, What::Image] {
        what.expect("version", &sound, Ok(())).await;
        what.expect("version", &odd, MALFORMED).await;
    }
    let odd = [
        None,
        Some(json!(null)),
        Some(json!(["v1"])),
        Some(json!([{}])),
        Some(json!([{"version": null}])),
        Some(json!([{"version": ""}])),
        Some(json!([{"version": "v1", "timeCreated": "yesterday"}])),
    ];
    What::Image.expect("versions", &odd, MALFORMED).await;
    What::Image.expect("versions", &[Some(json!([])), Some(json!([{"version": "v1"}]))], Ok(())).await;
}

#[tokio::test]
async fn layers_are_all_there_or_the_image_is_an_error() {
    let odd = [
        None,
        Some(json!(null)),
        Some(json!([null])),
        Some(json!([{"digest": "sha256:0", "sizeInBytes": 1}])),
        Some(json!([{"digest": Digest::from_bytes([2; 32])}])),
        Some(json!([{"digest": Digest::from_bytes([2; 32]), "sizeInBytes": "1"}])),
    ];
    What::Image.expect("layers", &odd, MALFORMED).await;
}

#[tokio::test]
async fn a_state_that_nobody_knows_stays_in_the_listing_and_one_that_is_no_word_fails_it() {
    let unknown = ["ARCHIVED", "", "available", "AVAILABLE "].map(|word| Some(json!(word)));
    let odd = [None, Some(json!(null)), Some(json!(1)), Some(json!(["AVAILABLE"]))];
    for what in [What::RepositoryRow, What::ImageRow, What::Image] {
        what.expect("lifecycleState", &unknown, Ok(())).await;
        what.expect("lifecycleState", &odd, MALFORMED).await;
    }
}

#[tokio::test]
async fn fields_that_nobody_knows_change_nothing() {
    let new = [Some(json!(null)), Some(json!({"deep": [[1, "x"], {"id": 2}]})), Some(json!(1e300))];
    for what in [What::RepositoryRow, What::ImageRow, What::Image] {
        what.expect("aFieldOfTomorrow", &new, Ok(())).await;
    }
}

#[tokio::test]
async fn a_page_is_an_object_with_a_list_of_rows() {
    let cloud = Cloud::start().await;
    let oci = cloud.oci();
    for odd in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"items":null}"#,
        r#"{"items":{}}"#,
        r#"{"items":[null]}"#,
        r#"{"items":[[]]}"#,
    ] {
        cloud.script(IMAGES, [Reply::text(odd)]);
        let error = oci.images(&compartment(), &repository()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{odd}");
    }
    for twice in [r#"{"items":[],"items":[]}"#, r#"{"items":[]} {"items":[]}"#] {
        cloud.script(IMAGES, [Reply::text(twice)]);
        let error = oci.images(&compartment(), &repository()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{twice}");
    }
}
