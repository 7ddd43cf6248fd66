//! What pushes leave behind.

use chrono::TimeDelta;

use super::{World, tag};
use crate::manifest::{Child, Flavour, Manifest, Platform};
use crate::settings::{ManifestReads, PullAccounting, parsed};
use crate::view::{Mutability, Visibility};
use crate::{ApiError, Attestations, Build, NewRepository, Reference};

#[test]
fn an_identical_rebuild_is_no_new_image_and_its_tags_get_a_new_time() {
    let world = World::new();
    let first = world.push("a", &["v1"]);
    let before = world.tenancy.get_image(&first.image).unwrap();
    let second = world.push("a", &["v1"]);
    let after = world.tenancy.get_image(&first.image).unwrap();
    assert_eq!(second, first);
    assert_eq!(after.created_at, before.created_at);
    assert_eq!(after.tags[0].created_at - before.tags[0].created_at, TimeDelta::hours(1));
}

#[test]
fn a_tag_that_moves_leaves_its_image_without_it() {
    let world = World::new();
    let first = world.push("a", &["latest"]);
    let second = world.push("b", &["latest"]);
    assert_eq!(world.tenancy.get_image(&first.image).unwrap().tags, []);
    let tags = world.tenancy.get_image(&second.image).unwrap().tags;
    assert_eq!(tags[0].tag, tag("latest"));
    assert_eq!(world.tenancy.list_tags(&world.web).unwrap(), [tag("latest")]);
}

#[test]
fn one_platform_makes_a_manifest_and_attestations_make_an_index() {
    let world = World::new();
    assert!(world.push_build(&Build::small("a").single(), &["a"]).children.is_empty());
    let attested = Build::small("b").single().attested(Attestations::Children);
    assert_eq!(world.push_build(&attested, &["b"]).children.len(), 2);
    let both = Build::small("c").attested(Attestations::Subjects);
    assert_eq!(world.push_build(&both, &["c"]).children.len(), 4);
}

#[test]
fn an_index_whose_child_is_not_there_is_refused() {
    let world = World::new();
    let (manifest, _) = Manifest::image(Flavour::Oci, Platform::Arm64, "a", &[]);
    let child = Child { manifest: manifest.clone(), platform: Platform::Arm64, attests: None };
    let index = Manifest::index(Flavour::Oci, &[child]);
    let put = |manifest: &Manifest| world.tenancy.put_manifest(&world.web, manifest, Some(&tag("v1")), "ci");
    assert!(matches!(put(&index), Err(ApiError::ManifestBlobUnknown { .. })));
    put(&manifest).unwrap();
    assert!(put(&index).is_ok());
    world.delete(&manifest.digest);
    assert!(matches!(put(&index), Err(ApiError::ManifestBlobUnknown { .. })), "a deleted child is none");
}

#[test]
fn what_nobody_understands_can_be_pushed_and_read_back() {
    let world = World::new();
    let strange = Manifest::raw("application/vnd.tomorrow+json", b"\x00not json".to_vec());
    let image = world.tenancy.put_manifest(&world.web, &strange, Some(&tag("x")), "ci").unwrap();
    let read = world.tenancy.manifest(&world.web, &Reference::Digest(strange.digest)).unwrap();
    assert_eq!((&*read.media_type, &read.bytes), ("application/vnd.tomorrow+json", &strange.bytes));
    assert_eq!(world.tenancy.get_image(&image).unwrap().layers, []);
}

#[test]
fn an_immutable_repository_keeps_each_tag_where_it_is() {
    let world = World::new();
    let name = parsed("frozen");
    let new = NewRepository {
        mutability: Mutability::Immutable,
        ..NewRepository::private(parsed("frozen"), world.tenancy.compartment())
    };
    world.tenancy.create_repository(new).unwrap();
    let push = |revision: &str| world.tenancy.push(&name, &Build::small(revision), &[tag("v1")], "ci");
    push("a").unwrap();
    assert!(push("a").is_ok(), "the same again changes nothing");
    assert!(matches!(push("b"), Err(ApiError::Conflict { .. })));
}

#[test]
fn a_pull_through_an_index_touches_whom_the_settings_say() {
    for (accounting, wanted) in [
        (PullAccounting::Index, [1, 0, 0]),
        (PullAccounting::Child, [0, 0, 1]),
        (PullAccounting::Both, [1, 0, 1]),
    ] {
        let world = World::new();
        world.tenancy.configure(|settings| settings.pull_accounting = accounting);
        let pushed = world.push("a", &["v1"]);
        world.tenancy.pull(&world.web, &Reference::Tag(tag("v1")), Platform::Arm64).unwrap();
        let n_pulls = |digest| world.tenancy.get_image(&world.id(digest)).unwrap().n_pulls;
        assert_eq!(
            [n_pulls(&pushed.digest), n_pulls(&pushed.children[0]), n_pulls(&pushed.children[1])],
            wanted,
            "{accounting:?}"
        );
    }
}

#[test]
fn a_read_of_a_manifest_counts_as_a_pull_where_the_settings_say_so() {
    for (reads, wanted) in [(ManifestReads::CountAsPulls, 1), (ManifestReads::AreFree, 0)] {
        let world = World::new();
        world.tenancy.configure(|settings| settings.manifest_reads = reads);
        let pushed = world.push("a", &["v1"]);
        let reference = Reference::Digest(pushed.digest);
        world.tenancy.manifest_head(&world.web, &reference).unwrap();
        world.tenancy.manifest(&world.web, &reference).unwrap();
        let n_pulls = world.tenancy.get_image(&pushed.image).unwrap().n_pulls;
        assert_eq!(n_pulls, wanted, "{reads:?}");
    }
}

#[test]
fn an_image_is_found_by_its_path() {
    let world = World::new();
    let pushed = world.push("a", &["v1"]);
    let find = |path: &str| world.tenancy.lookup_image(path).map(|view| view.id);
    assert_eq!(find("axsimulated/web:v1"), Ok(pushed.image.clone()));
    assert_eq!(find(&format!("axsimulated/web@{}", pushed.digest)), Ok(pushed.image));
    assert_eq!(find("axsimulated/web:v2"), Err(ApiError::NotAuthorizedOrNotFound));
    assert_eq!(find("other/web:v1"), Err(ApiError::NotAuthorizedOrNotFound));
}

#[test]
fn configurations_have_bytes_and_layers_have_none() {
    let world = World::new();
    let pushed = world.push_build(&Build::small("a").single(), &["v1"]);
    let layers = world.tenancy.get_image(&pushed.image).unwrap().layers;
    let served: Vec<usize> = layers
        .iter()
        .filter_map(|layer| world.tenancy.blob(&world.web, &layer.digest).ok())
        .map(|bytes| bytes.len())
        .collect();
    assert_eq!((layers.len(), served.len()), (3, 1));
}

#[test]
fn a_repository_can_be_opened_to_anybody() {
    let world = World::new();
    world.push("a", &["v1"]);
    world.tenancy.set_visibility(&world.web, Visibility::Public).unwrap();
    let id = world.query().repository.unwrap();
    assert_eq!(world.tenancy.get_repository(&id).unwrap().visibility, Visibility::Public);
}
