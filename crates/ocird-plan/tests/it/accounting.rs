//! The account of storage, and what a set of deletions frees.

use std::collections::{BTreeMap, BTreeSet};

use ocird_model::{Bytes, Digest, Image, Repository};
use ocird_plan::{account, freed, frees};
use proptest::prelude::*;

use crate::fleet::{Fleet, days};
use crate::world::{World, world};

fn fleet() -> Fleet {
    Fleet::new()
        .image("new", days(2), &["v9"])
        .image("old", days(90), &["v1"])
        .layers("new", &[("base", 100), ("app9", 20)])
        .layers("old", &[("base", 100), ("app1", 30), ("app1", 30)])
        .delete_old()
}

#[test]
fn an_empty_repository_takes_nothing() {
    let account = account(&Fleet::new().repository);
    assert_eq!((account.size, account.n_images, account.n_layers), (Some(Bytes::ZERO), 0, 0));
}

#[test]
fn a_shared_layer_counts_once_and_every_manifest_counts() {
    let account = account(&fleet().repository);
    assert_eq!((account.size, account.n_images, account.n_layers), (Some(Bytes(152)), 2, 3));
}

#[test]
fn a_deletion_frees_what_no_survivor_shares() {
    let fleet = fleet();
    assert_eq!(freed(&fleet.repository, &fleet.decisions()), Some(Bytes(31)));
    assert_eq!(freed(&fleet.repository, &[]), Some(Bytes::ZERO));
}

#[test]
fn one_deletion_after_another_frees_what_is_then_alone() {
    let Fleet { repository, .. } = fleet();
    let digest_of = |tag: &str| {
        let tag = tag.parse().unwrap();
        repository.images.iter().find(|image| image.tags.contains_key(&tag)).unwrap().digest
    };
    let (new, old) = (digest_of("v9"), digest_of("v1"));
    assert_eq!(frees(&repository, &old, &BTreeSet::new()), Some(Bytes(31)));
    assert_eq!(frees(&repository, &new, &BTreeSet::from([old])), Some(Bytes(121)));
    let unlisted = Digest::from_bytes([0xee; 32]);
    assert_eq!(frees(&repository, &unlisted, &BTreeSet::new()), None);
    let unknown = fleet().with("new", |image| image.layers = None);
    assert_eq!(frees(&unknown.repository, &old, &BTreeSet::new()), None);
    assert_eq!(frees(&unknown.repository, &old, &BTreeSet::from([new])), Some(Bytes(131)));
}

#[test]
fn unknown_layers_make_the_account_unknown_but_an_index_has_none() {
    let unknown = fleet().with("old", |image| image.layers = None);
    assert_eq!(account(&unknown.repository).size, None);
    assert_eq!(freed(&unknown.repository, &unknown.decisions()), None);
    let index = fleet().index("all", days(3), &[], &["new"]).with("all", |image| image.layers = None);
    assert_eq!(account(&index.repository).size, Some(Bytes(153)));
}

#[test]
fn a_rest_no_longer_counts_unless_something_that_counts_reaches_it() {
    let tagged = fleet().rest("old", "gone");
    assert_eq!(
        (account(&tagged.repository).size, account(&tagged.repository).n_rests),
        (Some(Bytes(152)), 0)
    );
    let rest = tagged.with("old", |image| image.tags.clear());
    assert_eq!((account(&rest.repository).size, account(&rest.repository).n_rests), (Some(Bytes(121)), 1));
    let named = rest.index("all", days(3), &[], &["old"]);
    assert_eq!((account(&named.repository).size, account(&named.repository).n_rests), (Some(Bytes(153)), 0));
    let listed = fleet().rest("old", "new");
    assert_eq!(account(&listed.repository).size, Some(Bytes(152)));
}

#[test]
fn contradicting_sizes_count_at_the_smallest() {
    let larger = fleet().layers("old", &[("base", 900)]);
    assert_eq!(account(&larger.repository).size, Some(Bytes(122)));
    let smaller = fleet().layers("old", &[("base", 3), ("base", 7)]);
    assert_eq!(account(&smaller.repository).size, Some(Bytes(25)));
}

/// The sum over everything, counted by a map.
fn naive(repository: &Repository) -> Bytes {
    let mut layers = BTreeMap::<Digest, Bytes>::new();
    for layer in
        repository.images.iter().flat_map(|image| image.layers.iter().flat_map(|layers| layers.iter()))
    {
        layers.insert(layer.digest, layer.size);
    }
    let manifests: Bytes = repository.images.iter().map(|image: &Image| image.manifest_size).sum();
    layers.into_values().sum::<Bytes>() + manifests
}

proptest! {
    #[test]
    fn the_account_is_the_naive_sum_and_falls_by_what_is_freed(world in world()) {
        let world = World { rests: BTreeMap::new(), ..world };
        let fleet = world.build();
        let size = account(&fleet.repository).size.unwrap();
        prop_assert_eq!(size, naive(&fleet.repository));
        let decisions = fleet.decisions();
        let mut after = fleet.repository.clone();
        after.images.retain(|image| !decisions.iter().any(|d| d.digest == image.digest && d.verdict.is_delete()));
        let freed = freed(&fleet.repository, &decisions).unwrap();
        prop_assert_eq!(account(&after).size.unwrap() + freed, size);
        let (mut gone, mut one_by_one) = (BTreeSet::new(), Bytes::ZERO);
        for decision in decisions.iter().filter(|decision| decision.verdict.is_delete()) {
            one_by_one += frees(&fleet.repository, &decision.digest, &gone).unwrap();
            gone.insert(decision.digest);
        }
        prop_assert_eq!(one_by_one, freed, "in whatever order they go");
    }
}
