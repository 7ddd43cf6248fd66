//! What a deletion does, and how it is undone.

use chrono::TimeDelta;
use ocird_model::Lifecycle;

use super::{World, tag};
use crate::manifest::Platform;
use crate::settings::{EtagChanges, Repush, Settings};
use crate::view::RepositoryQuery;
use crate::{ApiError, Build, Hand, Iam, Operation, Reference, Scope};

#[test]
fn an_image_goes_with_all_its_tags_and_its_children_stay() {
    let world = World::new();
    let pushed = world.push("a", &["v1", "latest"]);
    world.delete(&pushed.digest);
    for name in ["v1", "latest"] {
        let pulled = world.tenancy.pull(&world.web, &Reference::Tag(tag(name)), Platform::Arm64);
        assert!(matches!(pulled, Err(ApiError::ManifestUnknown { .. })), "{name}: {pulled:?}");
    }
    assert_eq!(pushed.children.len(), 2);
    assert!(pushed.children.iter().all(|child| world.is_there(child)));
    let deletion = &world.tenancy.deletions()[0];
    assert_eq!((deletion.hand, &deletion.tags), (Hand::Daemon, &vec![tag("latest"), tag("v1")]));
}

#[test]
fn a_deleted_image_is_deleting_then_deleted_then_purged() {
    let world = World::new();
    let image = world.push("a", &["v1"]).image;
    let state = || world.tenancy.get_image(&image).map(|view| (view.lifecycle, view.tags.len()));
    assert_eq!(state(), Ok((Lifecycle::Available, 1)));
    world.tenancy.delete_image(&image, None).unwrap();
    assert_eq!(state(), Ok((Lifecycle::Deleting, 0)));
    world.pass(TimeDelta::seconds(90));
    assert_eq!(state(), Ok((Lifecycle::Deleted, 0)));
    world.pass(TimeDelta::hours(48));
    assert_eq!(state(), Err(ApiError::NotAuthorizedOrNotFound));
}

#[test]
fn deleting_twice_is_refused_as_the_cloud_refuses_it() {
    let world = World::new();
    let image = world.push("a", &["v1"]).image;
    world.tenancy.delete_image(&image, None).unwrap();
    assert_eq!(world.tenancy.delete_image(&image, None), Err(ApiError::IncorrectState { state: "DELETING" }));
    world.pass(TimeDelta::minutes(5));
    assert_eq!(world.tenancy.delete_image(&image, None), Err(ApiError::NotAuthorizedOrNotFound));
    assert_eq!(world.tenancy.deletions().len(), 1);
}

#[test]
fn a_stale_etag_deletes_nothing() {
    let world = World::with(Settings { etag: EtagChanges::Tags, ..Settings::default() });
    let pushed = world.push("a", &["v1"]);
    let etag = world.tenancy.get_image(&pushed.image).unwrap().etag;
    world.tenancy.retag(&world.web, &pushed.digest, &tag("prod"), "ci").unwrap();
    let deleted = world.tenancy.delete_image(&pushed.image, Some(&etag));
    assert_eq!(deleted, Err(ApiError::NoEtagMatch));
    assert!(world.is_there(&pushed.digest));
}

#[test]
fn where_the_etag_shows_the_lifecycle_only_a_new_tag_goes_unnoticed() {
    let world = World::new();
    let pushed = world.push("a", &["v1"]);
    let etag = world.tenancy.get_image(&pushed.image).unwrap().etag;
    world.tenancy.retag(&world.web, &pushed.digest, &tag("prod"), "ci").unwrap();
    world.tenancy.delete_image(&pushed.image, Some(&etag)).unwrap();
    assert!(!world.is_there(&pushed.digest));
}

#[test]
fn a_restored_image_has_its_ocid_and_only_the_tag_that_was_named() {
    let world = World::new();
    let pushed = world.push("a", &["v1", "latest"]);
    world.delete(&pushed.digest);
    let restore = |version| world.tenancy.restore_image(&pushed.image, version, None).map(|view| view.tags);
    assert_eq!(restore(None), Err(ApiError::IncorrectState { state: "DELETING" }));
    world.pass(TimeDelta::hours(47));
    let tags = restore(Some(&tag("v1"))).unwrap();
    assert_eq!(tags.iter().map(|tag| tag.tag.as_str()).collect::<Vec<_>>(), ["v1"]);
    assert_eq!(world.id(&pushed.digest), pushed.image);
    world.pass(TimeDelta::hours(48));
    assert!(world.is_there(&pushed.digest), "the purge of its former life is void");
}

#[test]
fn after_the_window_nothing_is_restored() {
    let world = World::new();
    let pushed = world.push("a", &["v1"]);
    world.delete(&pushed.digest);
    world.pass(TimeDelta::hours(48));
    let restored = world.tenancy.restore_image(&pushed.image, None, None);
    assert_eq!(restored, Err(ApiError::NotAuthorizedOrNotFound));
}

#[test]
fn a_digest_pushed_again_is_a_new_image_or_the_old_one_revived() {
    for (repush, is_same) in [(Repush::NewImage, false), (Repush::Revives, true)] {
        let world = World::with(Settings { repush, ..Settings::default() });
        let first = world.push("a", &["v1"]);
        world.delete(&first.digest);
        let second = world.push("a", &["v1"]);
        assert_eq!(first.image == second.image, is_same, "{repush:?}");
        world.pass(TimeDelta::hours(60));
        assert!(world.is_there(&first.digest), "{repush:?}: the earlier deletion does not reach it");
    }
}

#[test]
fn what_was_pushed_again_blocks_the_restoration_of_its_former_life() {
    let world = World::new();
    let first = world.push("a", &["v1"]);
    world.delete(&first.digest);
    world.push("a", &["v1"]);
    let restored = world.tenancy.restore_image(&first.image, None, None);
    assert!(matches!(restored, Err(ApiError::Conflict { .. })), "{restored:?}");
}

#[test]
fn storage_is_released_late_and_shared_layers_with_their_last_holder() {
    let world = World::new();
    let size = || {
        let query = RepositoryQuery::in_compartment(world.tenancy.compartment());
        world.tenancy.list_repositories(&query).unwrap().items[0].layers_size
    };
    let first = world.push_build(&Build::small("a").single(), &["a"]);
    let alone = size();
    let second = world.push_build(&Build::small("b").single(), &["b"]);
    let both = size();
    assert!(both - alone < 600_000, "the base of 3 MB is shared: {alone} {both}");
    world.delete(&first.digest);
    assert_eq!(size(), both, "the figure lags");
    world.pass(TimeDelta::hours(12));
    assert!(size() > 3_000_000 && size() < both, "the base stays");
    world.delete(&second.digest);
    world.pass(TimeDelta::hours(12));
    assert_eq!(size(), 0);
}

#[test]
fn removing_a_version_leaves_the_manifest() {
    let world = World::new();
    let pushed = world.push("a", &["v1"]);
    let view = world.tenancy.remove_version(&pushed.image, &tag("v1"), None).unwrap();
    assert!(view.tags.is_empty());
    assert_eq!(view.display_name, format!("web:v1@{}", pushed.digest));
    assert!(world.is_there(&pushed.digest));
}

#[test]
fn without_the_right_everything_looks_as_if_it_were_not_there() {
    let world = World::new();
    let image = world.push("a", &["v1"]).image;
    let query = world.query();
    world.tenancy.set_iam(Iam::nothing());
    assert_eq!(world.tenancy.get_image(&image).err(), Some(ApiError::NotAuthorizedOrNotFound));
    assert_eq!(world.tenancy.list_images(&query).err(), Some(ApiError::NotAuthorizedOrNotFound));
    assert_eq!(world.tenancy.delete_image(&image, None), Err(ApiError::NotAuthorizedOrNotFound));
}

#[test]
fn rights_reach_as_far_as_their_scope_and_their_operations() {
    let world = World::new();
    let image = world.push("a", &["v1"]).image;
    let iam = Iam {
        update: vec![Scope::Prefix("we".to_owned())],
        denied: [Operation::RestoreContainerImage].into(),
        ..Iam::everything()
    };
    world.tenancy.set_iam(iam);
    world.tenancy.delete_image(&image, None).unwrap();
    world.pass(TimeDelta::hours(1));
    let restored = world.tenancy.restore_image(&image, None, None);
    assert_eq!(restored, Err(ApiError::NotAuthorizedOrNotFound));
    world
        .tenancy
        .set_iam(Iam { update: vec![Scope::Exactly("other".parse().unwrap())], ..Iam::everything() });
    let other = world.push("b", &["v2"]).image;
    assert_eq!(world.tenancy.delete_image(&other, None), Err(ApiError::NotAuthorizedOrNotFound));
}
