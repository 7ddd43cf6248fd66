//! Rows, pages and tokens.

use chrono::TimeDelta;
use ocird_model::{Lifecycle, RepositoryName};
use proptest::prelude::*;

use super::{World, tag};
use crate::settings::{ListingShape, Settings, parsed};
use crate::view::{Cursor, Depth, ImageQuery, Order, RepositoryQuery};
use crate::{ApiError, NewRepository};

#[test]
fn a_row_is_a_tag_or_an_image_as_the_shape_says() {
    for (shape, wanted) in
        [(ListingShape::PerTag, vec!["web:latest", "web:v1"]), (ListingShape::PerImage, vec!["web:latest"])]
    {
        let world = World::with(Settings { shape, ..Settings::default() });
        let pushed = world.push("a", &["v1"]);
        world.pass(TimeDelta::minutes(1));
        world.tenancy.retag(&world.web, &pushed.digest, &tag("latest"), "ci").unwrap();
        let rows = world.rows(world.query());
        let (tagged, untagged): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.tag.is_some());
        let names: Vec<&str> = tagged.iter().map(|row| row.display_name.as_str()).collect();
        assert_eq!(names, wanted, "{shape:?}");
        assert_eq!(untagged.len(), 2, "{shape:?}: the children");
        assert!(tagged.iter().all(|row| row.id == pushed.image), "{shape:?}");
    }
}

#[test]
fn a_token_that_was_never_given_out_is_an_invalid_parameter() {
    let world = World::new();
    world.push("a", &["v1"]);
    let mut query = world.query();
    for token in ["", "1", "2-000000000000", "zz-?"] {
        query.cursor.page = Some(token.to_owned());
        let page = world.tenancy.list_images(&query);
        assert!(matches!(page, Err(ApiError::InvalidParameter { .. })), "{token:?}: {page:?}");
    }
}

#[test]
fn a_token_of_one_listing_serves_no_other() {
    let world = World::new();
    world.push("a", &["v1"]);
    let mut query = world.query();
    query.cursor.limit = Some(1);
    query.cursor.page = world.tenancy.list_images(&query).unwrap().next;
    assert!(world.tenancy.list_images(&query).is_ok());
    query.is_versioned = Some(false);
    assert!(matches!(world.tenancy.list_images(&query), Err(ApiError::InvalidParameter { .. })));
}

#[test]
fn a_deleted_image_lingers_in_the_list_unless_the_state_is_asked_for() {
    let world = World::new();
    let pushed = world.push("a", &["v1"]);
    let query = world.query();
    world.delete(&pushed.digest);
    let lists = |query: &ImageQuery| world.rows(query.clone()).iter().any(|row| row.id == pushed.image);
    let available = ImageQuery { lifecycle: Some(Lifecycle::Available), ..query.clone() };
    assert!(lists(&query));
    assert!(!lists(&available));
    world.pass(TimeDelta::minutes(10));
    assert!(!lists(&query));
}

#[test]
fn the_freshest_image_may_be_missing_while_it_can_be_pulled() {
    let world = World::new();
    world.push("a", &["v1"]);
    let query = world.query();
    world.tenancy.configure(|settings| settings.listing_lag = TimeDelta::minutes(5));
    let fresh = world.push("b", &["v2"]);
    let lists = || world.rows(query.clone()).iter().any(|row| row.id == fresh.image);
    assert!(world.is_there(&fresh.digest) && !lists());
    world.pass(TimeDelta::minutes(5));
    assert!(lists());
}

#[test]
fn a_list_of_the_former_compartment_shows_nothing_of_a_moved_repository() {
    let world = World::new();
    world.push("a", &["v1"]);
    let query = world.query();
    let root = parsed(world.tenancy.settings().tenancy.as_str());
    world.tenancy.move_repository(&world.web, root).unwrap();
    assert_eq!(world.rows(query), []);
    let repositories = RepositoryQuery::in_compartment(world.tenancy.compartment());
    assert_eq!(world.tenancy.list_repositories(&repositories).unwrap().items, []);
}

#[test]
fn a_subtree_is_for_the_root_and_a_foreign_compartment_is_not_found() {
    let world = World::new();
    world.push("a", &["v1"]);
    let mut query = world.query();
    query.depth = Depth::Subtree;
    assert!(matches!(world.tenancy.list_images(&query), Err(ApiError::InvalidParameter { .. })));
    query.compartment = parsed(world.tenancy.settings().tenancy.as_str());
    assert_eq!(world.rows(query.clone()).len(), 3);
    query.compartment = parsed("ocid1.compartment.oc1..foreign");
    assert_eq!(world.tenancy.list_images(&query).err(), Some(ApiError::NotAuthorizedOrNotFound));
}

#[test]
fn the_filters_do_what_the_api_says() {
    let world = World::new();
    let pushed = world.push("a", &["v1", "v2", "latest"]);
    let base = world.query();
    let count = |change: fn(&mut ImageQuery)| {
        let mut query = base.clone();
        change(&mut query);
        world.rows(query).len()
    };
    assert_eq!(count(|query| query.tag = Some("v*".to_owned())), 2);
    assert_eq!(count(|query| query.tag = Some("v1".to_owned())), 1);
    assert_eq!(count(|query| query.is_versioned = Some(false)), 2);
    assert_eq!(count(|query| query.display_name = Some("web:latest".to_owned())), 1);
    assert_eq!(count(|query| query.repository_name = Some("w*".to_owned())), 5);
    assert_eq!(count(|query| query.repository_name = Some("w".to_owned())), 0);
    let by_digest = ImageQuery { digest: Some(pushed.digest), ..base.clone() };
    assert_eq!(world.rows(by_digest).len(), 3);
}

#[test]
fn orders_are_those_of_the_api() {
    let world = World::new();
    world.push("a", &["v1"]);
    world.push("b", &["v2"]);
    let names = |order| {
        let query = ImageQuery { order, is_versioned: Some(true), ..world.query() };
        world.rows(query).into_iter().map(|row| row.display_name).collect::<Vec<_>>()
    };
    assert_eq!(names(Order::NewestFirst), ["web:v2", "web:v1"]);
    assert_eq!(names(Order::OldestFirst), ["web:v1", "web:v2"]);
    assert_eq!(names(Order::NameAscending), ["web:v1", "web:v2"]);
    assert_eq!(names(Order::NameDescending), ["web:v2", "web:v1"]);
}

#[test]
fn a_repository_name_is_unique() {
    let world = World::new();
    let name: RepositoryName = parsed("web");
    let again = world.tenancy.create_repository(NewRepository::private(name, world.tenancy.compartment()));
    assert!(matches!(again, Err(ApiError::Conflict { .. })), "{again:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_pages_of_any_size_are_the_whole_list(n_images in 0_usize..12, limit in 1_usize..10, per_image: bool) {
        let shape = if per_image { ListingShape::PerImage } else { ListingShape::PerTag };
        let world = World::with(Settings { shape, ..Settings::default() });
        for image in 0..n_images {
            world.push(&format!("{image}"), &[&format!("v{image}"), "latest"]);
        }
        let query = world.query();
        let whole = world.rows(query.clone());
        let paged = world.rows(ImageQuery { cursor: Cursor { limit: Some(limit), page: None }, ..query });
        prop_assert_eq!(&paged, &whole);
        let n_tag_rows = match (n_images, per_image) { (0, _) => 0, (n, true) => n, (n, false) => n + 1 };
        prop_assert_eq!(whole.len(), n_tag_rows + 2 * n_images);
    }
}
