//! What is remembered is known, exactly, until a complete listing says that it is gone.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use ocird_model::{
    Bytes, Content, Digest, Etag, FetchedManifest, ImageDetails, Inventory, Layer, Lifecycle, OpaqueReason,
    RepositoryState, ResourceTags, Tag, Unreadable,
};
use ocird_store::{Fresh, Known, Store};
use proptest::prelude::*;

use crate::world::{
    World, at, days, details, digest, image, inventory, manifest, name, pass, read, repository, tags,
};

#[tokio::test]
async fn a_repository_that_was_never_seen_is_unknown() {
    let world = World::new().await;
    world.see(&[details(1, &[])], at(1)).await;
    assert_eq!(world.store.known(&repository(2)).await.unwrap(), Known::default());
    assert_eq!(world.store.manifest(&repository(2), &digest(1)).await.unwrap(), None);
}

#[tokio::test]
async fn what_was_read_outlives_a_pass_that_was_never_recorded() {
    let world = World::new().await;
    let image_1 = details(1, &["v1"]);
    let (digest_2, manifest_2, content_2) = manifest(2);
    let mut fresh = read(std::slice::from_ref(&image_1));
    fresh.details[0].1 = tags(&["v1", "row-only"]);
    fresh.manifests.push((digest_2, manifest_2.clone(), content_2.clone()));
    world.store.remember(&repository(1), &name(1), &fresh, at(3)).await.unwrap();
    let world = world.reopened().await;
    let known = world.store.known(&repository(1)).await.unwrap();
    assert_eq!(known.first_seen_at, Some(at(3)));
    assert_eq!(known.last_complete_at, None);
    let remembered = &known.images[&image(1)];
    assert_eq!(remembered.details, image_1);
    assert_eq!(remembered.row_tags, tags(&["v1", "row-only"]));
    assert_eq!((remembered.read_at, remembered.first_seen_at), (at(3), at(3)));
    assert_eq!(known.contents[&digest_2], content_2);
    assert_eq!(world.store.manifest(&repository(1), &digest_2).await.unwrap(), Some(manifest_2));
}

#[tokio::test]
async fn a_later_read_replaces_the_earlier_and_keeps_the_first_sight() {
    let world = World::new().await;
    world.see(&[details(1, &["v1"])], at(1)).await;
    let again = ImageDetails { n_pulls: 8, etag: None, ..details(1, &["v1", "prod"]) };
    let fresh = Fresh { details: vec![(again.clone(), tags(&["prod"]))], manifests: Vec::new() };
    world.store.remember(&repository(1), &name(1), &fresh, at(20)).await.unwrap();
    let known = world.store.known(&repository(1)).await.unwrap();
    let remembered = &known.images[&image(1)];
    assert_eq!(remembered.details, again);
    assert_eq!((remembered.read_at, remembered.first_seen_at), (at(20), at(1)));
    assert_eq!(known.last_complete_at, Some(at(1)));
}

#[tokio::test]
async fn as_many_images_as_are_read_at_once_are_remembered_with_their_first_sight() {
    let world = World::new().await;
    let first: Vec<ImageDetails> = (1..=150).map(|n| details(n, &["v1"])).collect();
    world.store.remember(&repository(1), &name(1), &read(&first), at(1)).await.unwrap();
    let all: Vec<ImageDetails> = (1..=301).map(|n| details(n, &["v2"])).collect();
    world.store.remember(&repository(1), &name(1), &read(&all), at(2)).await.unwrap();
    let known = world.store.known(&repository(1)).await.unwrap();
    assert_eq!(known.images.len(), 301);
    for (n, details) in (1..).zip(&all) {
        let remembered = &known.images[&image(n)];
        let first_seen_at = if n <= 150 { at(1) } else { at(2) };
        assert_eq!((&remembered.details, remembered.first_seen_at), (details, first_seen_at));
    }
}

#[tokio::test]
async fn only_a_complete_listing_makes_an_image_unknown() {
    let world = World::new().await;
    let both = [details(1, &["v1"]), details(2, &[])];
    world.see(&both, at(1)).await;
    let unreadable = RepositoryState::Unreadable { id: repository(1), why: Unreadable::UnknownState };
    let repositories = BTreeMap::from([(name(1), unreadable)]);
    let blind = Inventory { taken_at: at(2), repositories, n_unlisted: 0 };
    world.store.record(&pass(Some(&blind), at(2))).await.unwrap();
    world.store.record(&pass(None, at(3))).await.unwrap();
    let known = world.store.known(&repository(1)).await.unwrap();
    assert_eq!(known.images.len(), 2);
    assert_eq!(known.last_complete_at, Some(at(1)));
    world.store.record(&pass(Some(&inventory(&both[..1], at(4))), at(4))).await.unwrap();
    let known = world.store.known(&repository(1)).await.unwrap();
    assert_eq!(known.images.into_keys().collect::<Vec<_>>(), [image(1)]);
    let last_seen = "SELECT (gone_at - last_seen_at) / 60000 FROM images WHERE gone_at IS NOT NULL";
    assert_eq!(world.number(last_seen).await, 3);
}

#[tokio::test]
async fn an_image_that_comes_back_is_seen_for_the_first_time_again() {
    let world = World::new().await;
    let image_1 = [details(1, &["v1"])];
    world.see(&image_1, at(1)).await;
    world.see(&[], at(2)).await;
    world.see(&image_1, at(60)).await;
    let known = world.store.known(&repository(1)).await.unwrap();
    assert_eq!(known.images[&image(1)].first_seen_at, at(60));
    assert_eq!(world.number("SELECT count(*) FROM tags WHERE tag = 'v1'").await, 2);
}

#[tokio::test]
async fn a_manifest_is_known_for_seven_days_after_its_image_and_its_content_exactly_as_long() {
    let world = World::new().await;
    world.see(&[details(1, &["v1"])], days(0)).await;
    world.see(&[], days(1)).await;
    world.store.downsample(days(8) - chrono::TimeDelta::seconds(1)).await.unwrap();
    assert_eq!(world.store.manifest(&repository(1), &digest(1)).await.unwrap(), Some(manifest(1).1));
    assert!(world.store.known(&repository(1)).await.unwrap().contents.contains_key(&digest(1)));
    world.store.downsample(days(8)).await.unwrap();
    assert_eq!(world.store.manifest(&repository(1), &digest(1)).await.unwrap(), None);
    assert!(world.store.known(&repository(1)).await.unwrap().contents.is_empty());
    assert_eq!(world.number("SELECT count(*) FROM manifests WHERE content <> ''").await, 1);
}

#[tokio::test]
async fn a_manifest_stays_while_any_image_has_its_digest() {
    let world = World::new().await;
    world.see(&[details(1, &["v1"])], days(0)).await;
    let pushed_again = ImageDetails { id: image(9), ..details(1, &["v1"]) };
    let fresh = Fresh { details: vec![(pushed_again.clone(), BTreeSet::new())], manifests: Vec::new() };
    world.store.remember(&repository(1), &name(1), &fresh, days(1)).await.unwrap();
    let there = [pushed_again];
    world.store.record(&pass(Some(&inventory(&there, days(1))), days(1))).await.unwrap();
    world.store.record(&pass(Some(&inventory(&there, days(30))), days(30))).await.unwrap();
    world.store.downsample(days(30)).await.unwrap();
    assert_eq!(world.store.manifest(&repository(1), &digest(1)).await.unwrap(), Some(manifest(1).1));
}

#[tokio::test]
async fn a_row_that_cannot_be_decoded_is_an_error_and_not_an_absence() {
    for broken in [
        "UPDATE images SET details = '{}'",
        "UPDATE images SET layers = zeroblob(80), row_tags = '[\"a b\"]'",
        "UPDATE images SET ocid = 'ocid1.instance.x'",
        "UPDATE manifests SET content = '{\"kind\":\"later\"}'",
        "UPDATE images SET read_at = 9223372036854775807",
    ] {
        let world = World::new().await;
        world.see(&[details(1, &["v1"])], at(1)).await;
        sqlx::query(broken).execute(&mut world.raw().await).await.unwrap();
        let error = world.store.known(&repository(1)).await.unwrap_err();
        assert_eq!(error.kind(), "decode", "{broken}: {error}");
    }
}

prop_compose! {
    fn any_digest()(bytes: [u8; 32]) -> Digest { Digest::from_bytes(bytes) }
}

prop_compose! {
    /// With nanoseconds: what the registry said must read back as it was said.
    fn any_time()(seconds in 0i64..4_000_000_000, nanos in 0u32..1_000_000_000) -> DateTime<chrono::Utc> {
        DateTime::from_timestamp(seconds, nanos).unwrap()
    }
}

fn any_tag() -> impl Strategy<Value = Tag> {
    "[A-Za-z0-9_][A-Za-z0-9_.-]{0,40}".prop_map(|text| text.parse().unwrap())
}

fn any_content() -> impl Strategy<Value = Content> {
    prop_oneof![
        proptest::option::of(any_digest()).prop_map(|subject| Content::Manifest { subject, config: None }),
        (proptest::collection::vec(any_digest(), 0..4), proptest::option::of(any_digest()))
            .prop_map(|(children, subject)| Content::Index { children, subject }),
        Just(Content::Opaque { reason: OpaqueReason::Malformed }),
    ]
}

prop_compose! {
    fn any_manifest()(media_type in "\\PC{0,40}", bytes: Vec<u8>, too_large: bool, content in any_content())
        -> (FetchedManifest, Content) {
        (FetchedManifest { media_type, bytes: bytes.into(), too_large }, content)
    }
}

prop_compose! {
    fn any_details()(
        digest in any_digest(),
        tags in proptest::collection::btree_map(any_tag(), proptest::option::of(any_time()), 0..4),
        layers in proptest::collection::vec((any_digest(), any::<u64>()), 0..4),
        manifest_size: u64,
        n_pulls: u64,
        last_pulled_at in proptest::option::of(any_time()),
        created_at in proptest::option::of(any_time()),
        created_by in proptest::option::of("\\PC{0,40}"),
        lifecycle in proptest::sample::select(vec![Lifecycle::Available, Lifecycle::Deleting, Lifecycle::Unknown]),
        etag in proptest::option::of("\\PC{0,20}"),
    ) -> ImageDetails {
        ImageDetails {
            id: image(0),
            digest,
            repository: repository(1),
            tags,
            layers: layers.into_iter().map(|(digest, size)| Layer { digest, size: Bytes(size) }).collect(),
            manifest_size: Bytes(manifest_size),
            n_pulls,
            last_pulled_at,
            created_at,
            created_by,
            resource_tags: (n_pulls % 3 > 0).then(ResourceTags::default),
            lifecycle,
            etag: etag.map(Etag),
        }
    }
}

prop_compose! {
    fn any_fresh()(
        details in proptest::collection::vec((any_details(), proptest::collection::btree_set(any_tag(), 0..3)), 0..5),
        manifests in proptest::collection::btree_map(any_digest(), any_manifest(), 0..5),
    ) -> Fresh {
        let numbered = (0..).zip(details).map(|(n, (details, rows))| (ImageDetails { id: image(n), ..details }, rows));
        Fresh {
            details: numbered.collect(),
            manifests: manifests.into_iter().map(|(digest, (fetched, content))| (digest, fetched, content)).collect(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn known_is_what_was_remembered(fresh in any_fresh()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (known, manifests) = runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(dir.path(), at(0)).await.unwrap();
            store.remember(&repository(1), &name(1), &fresh, at(1)).await.unwrap();
            let mut manifests = Vec::new();
            for (digest, _, _) in &fresh.manifests {
                manifests.push(store.manifest(&repository(1), digest).await.unwrap().unwrap());
            }
            (store.known(&repository(1)).await.unwrap(), manifests)
        });
        let images: Vec<_> = known.images.into_values().map(|image| (image.details, image.row_tags)).collect();
        prop_assert_eq!(images, fresh.details);
        let contents: Vec<_> = known.contents.into_iter().collect();
        let (remembered, expected): (Vec<_>, Vec<_>) = fresh
            .manifests
            .into_iter()
            .map(|(digest, fetched, content)| ((digest, content), fetched))
            .unzip();
        prop_assert_eq!(contents, remembered);
        prop_assert_eq!(manifests, expected);
    }
}

#[tokio::test]
async fn the_configuration_of_a_manifest_that_an_earlier_version_read_is_told_by_its_bytes() {
    let world = World::new().await;
    world.see(&[details(1, &[]), details(2, &[])], at(1)).await;
    let mut raw = world.raw().await;
    let config = digest(9);
    let bytes = format!(r#"{{"schemaVersion":2,"config":{{"digest":"{config}","size":2}}}}"#);
    let store = "UPDATE manifest_bytes SET bytes = CAST(? AS BLOB) WHERE manifest = 1";
    sqlx::query(store).bind(bytes).execute(&mut raw).await.unwrap();
    sqlx::query("UPDATE manifest_bytes SET bytes = x'ff' WHERE manifest = 2")
        .execute(&mut raw)
        .await
        .unwrap();
    let upgrade = include_str!("../../../../migrations/0010_config.sql");
    sqlx::raw_sql(upgrade).execute(&mut raw).await.unwrap();
    let contents = world.store.known(&repository(1)).await.unwrap().contents;
    let found: Vec<_> = contents.values().map(Content::config).collect();
    assert_eq!(found, [Some(config), None]);
}
