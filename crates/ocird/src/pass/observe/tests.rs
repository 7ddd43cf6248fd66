//! What one repository is made of, row by row.

use ocird_model::{ImageRow, RepositoryId};

use super::*;

fn row(image: &str, digit: char, tag: Option<&str>, lifecycle: Lifecycle) -> ImageRow {
    ImageRow {
        id: format!("ocid1.containerimage.oc1.x.{image}").parse().unwrap(),
        digest: format!("sha256:{}", digit.to_string().repeat(64)).parse().unwrap(),
        tag: tag.map(|tag| tag.parse().unwrap()),
        repository: repository_id(),
        created_at: None,
        lifecycle,
    }
}

fn repository_id() -> RepositoryId {
    "ocid1.containerrepo.oc1.x".parse().unwrap()
}

fn grouped(rows: Vec<ImageRow>) -> Result<Vec<(char, usize)>, Unreadable> {
    let images = group(&repository_id(), rows)?;
    Ok(images.values().map(|image| (image.digest.hex().chars().next().unwrap(), image.tags.len())).collect())
}

#[test]
fn rows_of_one_image_become_one_image_with_all_its_tags() {
    use Lifecycle::Available;
    let rows = vec![
        row("a", '1', Some("v1"), Available),
        row("b", '2', None, Available),
        row("a", '1', Some("prod"), Available),
    ];
    assert_eq!(grouped(rows), Ok(vec![('1', 2), ('2', 0)]));
}

fn details(n_pulls: u64, last_pulled_at: Option<DateTime<Utc>>) -> ImageDetails {
    let row = row("a", '1', None, Lifecycle::Available);
    ImageDetails {
        id: row.id,
        digest: row.digest,
        repository: row.repository,
        tags: BTreeMap::new(),
        layers: std::sync::Arc::from([]),
        manifest_size: Bytes::ZERO,
        n_pulls,
        last_pulled_at,
        created_at: None,
        created_by: None,
        resource_tags: None,
        lifecycle: Lifecycle::Available,
        etag: None,
    }
}

#[test]
fn a_pull_that_was_counted_without_a_time_is_no_absence_of_pulls() {
    let pulled = |n_pulls, at| last_pulled_at(&details(n_pulls, at));
    let at = DateTime::from_timestamp(1_700_000_000, 0);
    assert_eq!((pulled(0, None), pulled(3, at)), (None, at));
    assert_eq!(pulled(3, None), Some(NOBODY_KNOWS_WHEN), "which no rule believes");
}

#[test]
fn an_image_of_ten_thousand_tags_is_judged_and_one_of_more_is_not() {
    let content = |n_tags: usize| {
        let details = details(0, None);
        let contents = BTreeMap::from([(details.digest, Content::Manifest { subject: None, config: None })]);
        let row_tags = (0..n_tags).map(|n| format!("v{n}").parse().unwrap()).collect();
        let read = Read { details, at: NOBODY_KNOWS_WHEN };
        assemble_image(read, &row_tags, &contents, NOBODY_KNOWS_WHEN).content
    };
    assert_eq!(content(10_000), Content::Manifest { subject: None, config: None });
    assert_eq!(content(10_001), Content::Opaque { reason: OpaqueReason::TooManyTags });
}

#[test]
fn rows_on_their_way_out_are_skipped_and_unknown_states_freeze() {
    let going = vec![row("a", '1', None, Lifecycle::Deleting), row("b", '2', None, Lifecycle::Deleted)];
    assert_eq!(grouped(going), Ok(Vec::new()));
    assert_eq!(grouped(vec![row("a", '1', None, Lifecycle::Unknown)]), Err(Unreadable::UnknownState));
}

#[test]
fn contradicting_rows_make_the_listing_worthless() {
    use Lifecycle::Available;
    let two_digests = vec![row("a", '1', None, Available), row("a", '2', None, Available)];
    assert!(matches!(grouped(two_digests), Err(Unreadable::Contradiction { .. })));
    let two_ids = vec![row("a", '1', None, Available), row("b", '1', None, Available)];
    assert!(matches!(grouped(two_ids), Err(Unreadable::Contradiction { .. })));
    let mut foreign = row("a", '1', None, Available);
    foreign.repository = "ocid1.containerrepo.oc1.y".parse().unwrap();
    assert!(matches!(grouped(vec![foreign]), Err(Unreadable::Contradiction { .. })));
}
