//! Too much at once: counted in families that are due, over everything and over each repository.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use ocird_model::{Inventory, RepositoryState, Selects};
use ocird_plan::{Due, MIN_PASSES, TooMuch, advance, due, too_much};

use crate::fleet::{Fleet, days, name, now, repository_id, tie};

/// `n_old` tagged families that are to go, `n_new` that stay, and a rule for untagged ones beside it.
fn fleet(n_old: usize, n_new: usize) -> Fleet {
    let fleet = Fleet::new().delete_old();
    let fleet =
        (0..n_old).fold(fleet, |fleet, n| fleet.image(&format!("old-{n:03}"), days(90), &[&format!("o{n}")]));
    (0..n_new).fold(fleet, |fleet, n| fleet.image(&format!("new-{n:03}"), days(2), &[&format!("n{n}")]))
}

/// What is due after enough passes of a whole grace.
fn all_due(fleet: &Fleet) -> (Vec<Due>, Inventory) {
    let (checked, inventory) = (fleet.checked(), fleet.inventory());
    let mut marks = BTreeMap::new();
    for n in (0..MIN_PASSES).rev() {
        let at = now() - fleet.policies.guardrails.grace * i32::try_from(n).unwrap();
        marks = advance(&marks, &checked, &fleet.policies, at);
    }
    let due = due(&checked, &inventory, &marks, &fleet.policies, now(), &BTreeSet::new());
    (due, inventory)
}

fn reasons(fleet: &Fleet, max_plan: u32) -> Vec<TooMuch> {
    let (due, inventory) = all_due(fleet);
    too_much(&due, &inventory, max_plan)
}

#[test]
fn as_many_as_a_plan_may_take_are_not_too_much_and_one_more_is() {
    let fleet = fleet(20, 40);
    assert_eq!(reasons(&fleet, 20), []);
    assert_eq!(reasons(&fleet, 19), [TooMuch::Families { n_due: 20, max: 19 }]);
}

#[test]
fn half_of_the_tagged_families_of_a_repository_are_not_too_much_and_one_more_is() {
    assert_eq!(reasons(&fleet(11, 11), 200), []);
    let reason = TooMuch::Repository { name: name(), n_due: 11, n_tagged: 21 };
    assert_eq!(reasons(&fleet(11, 10), 200), [reason]);
}

#[test]
fn ten_families_may_go_of_however_few() {
    assert_eq!(reasons(&fleet(10, 1), 200), []);
    assert_eq!(reasons(&fleet(11, 1), 200).len(), 1);
}

#[test]
fn untagged_families_do_not_count_towards_half_of_the_tagged_ones() {
    let untagged = (0..30).fold(fleet(10, 1), |fleet, n| fleet.image(&format!("bare-{n}"), days(90), &[]));
    assert_eq!(reasons(&untagged, 200), []);
    assert_eq!(reasons(&untagged, 39), [TooMuch::Families { n_due: 40, max: 39 }]);
}

#[test]
fn an_index_with_all_that_it_carries_counts_once() {
    let fleet = (0..6).fold(fleet(0, 1), |fleet, n| {
        let [a, b, index] = ["a", "b", "index"].map(|what| format!("{what}-{n}"));
        let fleet = fleet.image(&a, days(90), &[]).image(&b, days(90), &[]);
        fleet.index(&index, days(90), &[&format!("v{n}")], &[&a, &b])
    });
    assert_eq!(all_due(&fleet).0.len(), 6);
    assert_eq!(reasons(&fleet, 6), []);
    assert_eq!(reasons(&fleet, 5).len(), 1);
}

#[test]
fn a_signature_is_no_tagged_family_and_a_tag_below_makes_one() {
    // Eleven of twenty-two are due; signatures of what stays would hide that.
    let signed = (0..10).fold(fleet(11, 10), |fleet, n| {
        let subject = crate::fleet::digest(&format!("new-{n:03}"));
        fleet.image(&format!("sig-{n}"), days(2), &[&tie(subject, ".sig")])
    });
    assert_eq!(reasons(&signed, 200), [TooMuch::Repository { name: name(), n_due: 11, n_tagged: 21 }]);
    let below = fleet(11, 10).image("child", days(2), &["arm"]).index("index", days(2), &[], &["child"]);
    assert_eq!(reasons(&below, 200), [], "11 of 22");
}

#[test]
fn the_rests_of_families_were_counted_before() {
    let rests = (0..30).fold(fleet(1, 3), |fleet, n| {
        fleet.image(&format!("rest-{n}"), days(90), &[]).rest(&format!("rest-{n}"), "gone")
    });
    assert_eq!(all_due(&rests).0.len(), 31);
    assert_eq!(reasons(&rests, 1), []);
}

#[test]
fn every_reason_is_named_and_says_its_numbers() {
    let texts: Vec<String> = reasons(&fleet(12, 1), 5).iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 2);
    assert!(texts[0].contains("12 families are due") && texts[0].contains('5'), "{texts:?}");
    assert!(texts[1].contains("12 of the 13 tagged families of api"), "{texts:?}");
}

#[test]
fn what_is_due_in_a_repository_that_was_not_read_is_counted_all_the_same() {
    let (due, mut inventory) = all_due(&fleet(12, 1));
    let id = repository_id();
    let why = ocird_model::Unreadable::UnknownState;
    inventory.repositories.insert(name(), RepositoryState::Unreadable { id, why });
    assert_eq!(too_much(&due, &inventory, 11), [TooMuch::Families { n_due: 12, max: 11 }]);
}

#[test]
fn a_rule_over_untagged_images_alone_never_takes_too_much_of_the_tagged_ones() {
    let fleet = Fleet::new().delete("bare", Selects::Untagged, Some(TimeDelta::days(30)));
    let fleet = (0..40).fold(fleet, |fleet, n| fleet.image(&format!("bare-{n}"), days(90), &[]));
    assert_eq!(reasons(&fleet, 200), []);
}
