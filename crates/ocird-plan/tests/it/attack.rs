//! Attempts to make a plan take what somebody needs: bursts of pushes against a line, edits in mid-grace, pins below a head
//! that a line asks for, references that go round in a circle.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use ocird_model::{Bytes, DeleteRule, EcrSelection, EcrTags, KeepRule, Mark, MarkKey, Selects, Target};
use ocird_plan::{advance, due};

use crate::ecr::{beyond as beyond_newest, document};
use crate::estate::Estate;
use crate::fleet::{Fleet, days, digest, now, tie};

type Marks = BTreeMap<MarkKey, Mark>;

fn beyond(line: u64) -> DeleteRule {
    DeleteRule {
        while_usage_above: Some(Bytes(line)),
        ..DeleteRule::about("beyond".parse().unwrap(), Selects::Tagged)
    }
}

/// An image of 101 bytes.
fn push(fleet: Fleet, name: &str, age: i64) -> Fleet {
    fleet.image(name, days(age), &[name]).layers(name, &[(name, 100)])
}

/// Two repositories of 606 bytes together; the floor holds the newest of each.
fn estate(line: u64) -> Estate {
    let of = |names: [(&str, i64); 3]| {
        names.iter().fold(Fleet::new(), |fleet, (name, age)| push(fleet, name, *age))
    };
    Estate::of(&[
        ("api", of([("a90", 90), ("a60", 60), ("a02", 2)]).delete_rule(beyond(line))),
        ("web", of([("w80", 80), ("w50", 50), ("w02", 2)]).delete_rule(beyond(line))),
    ])
}

/// The marks after a look at this hour.
fn look(estate: &Estate, marks: &Marks, hour: i64) -> Marks {
    advance(marks, &estate.checked(), &estate.policies(), now() + TimeDelta::hours(hour))
}

/// The marks after a look at each of these hours.
fn looks(estate: &Estate, hours: &[i64]) -> Marks {
    hours.iter().fold(Marks::new(), |marks, hour| look(estate, &marks, *hour))
}

/// What is due at this hour, by its tag.
fn due_at(estate: &Estate, marks: &Marks, hour: i64) -> Vec<String> {
    let (checked, inventory, policies) = (estate.checked(), estate.inventory(), estate.policies());
    let at = now() + TimeDelta::hours(hour);
    let due = due(&checked, &inventory, marks, &policies, at, &BTreeSet::new());
    due.iter().map(|due| due.image().tags.keys().next().unwrap().to_string()).collect()
}

fn burst(estate: &Estate) -> Estate {
    let mut after = estate.clone();
    let web = after.fleet("web");
    *web = ["x1", "x2", "x3"].iter().fold(web.clone(), |fleet, name| push(fleet, name, 0));
    after
}

#[test]
fn a_burst_of_pushes_above_a_line_costs_nothing_for_a_whole_grace() {
    let quiet = estate(606);
    let marks = looks(&quiet, &[0, 24, 48]);
    assert_eq!(marks, Marks::new(), "at the line nothing is marked, however long");
    let after = burst(&quiet);
    let marks = [49, 50, 72].iter().fold(marks, |marks, hour| look(&after, &marks, *hour));
    assert_eq!(due_at(&after, &marks, 72), [""; 0], "23 hours after the burst");
    let marks = look(&after, &marks, 73);
    assert_eq!(due_at(&after, &marks, 73), ["a90", "w80", "a60"]);
}

#[test]
fn a_burst_that_is_over_within_the_grace_costs_nothing() {
    let quiet = estate(606);
    let marks = looks(&burst(&quiet), &[0, 12, 23]);
    let marks = look(&quiet, &marks, 24);
    assert_eq!(marks, Marks::new());
    let again = [25, 26, 48].iter().fold(marks, |marks, hour| look(&burst(&quiet), &marks, *hour));
    assert_eq!(due_at(&burst(&quiet), &again, 48), [""; 0], "two bursts of a day are no day");
}

#[test]
fn a_line_that_is_lowered_in_mid_grace_begins_the_grace_anew_for_all_that_it_is_about() {
    let (before, mut after) = (estate(600), estate(600));
    let marks = looks(&before, &[0, 12]);
    after.fleet("api").policies.policies[0].delete[0] = beyond(300);
    let marks = [13, 24].iter().fold(marks, |marks, hour| look(&after, &marks, *hour));
    assert_eq!(due_at(&after, &marks, 24), [""; 0], "a60 and a90 have waited since the edit only");
    let marks = [30, 37].iter().fold(marks, |marks, hour| look(&after, &marks, *hour));
    assert_eq!(due_at(&after, &marks, 37), ["a90", "a60"]);
}

#[test]
fn a_keep_rule_that_is_dropped_in_mid_grace_takes_nothing_that_was_not_marked_before() {
    let held =
        KeepRule { digests: Some([digest("a90")].into()), ..KeepRule::named("pinned".parse().unwrap()) };
    let mut before = estate(500);
    let api = before.fleet("api");
    *api = api.clone().keep_rule(held);
    let marks = looks(&before, &[0, 12, 24]);
    assert_eq!(due_at(&before, &marks, 24), ["w80", "a60"]);
    let after = estate(500);
    let marks = look(&after, &marks, 25);
    assert_eq!(due_at(&after, &marks, 25), ["w80"], "a90 goes in place of a60, and waits for its own day");
}

#[test]
fn a_child_that_is_pinned_or_runs_holds_its_index_whatever_the_account() {
    let family = || {
        let fleet = Fleet::new().index("app", days(90), &["v1"], &["arm", "x86"]);
        let fleet = fleet.image("arm", days(90), &[]).layers("arm", &[("arm", 100)]);
        let fleet = fleet.image("x86", days(90), &[]).layers("x86", &[("x86", 100)]);
        push(fleet, "new", 2).delete_rule(beyond(0))
    };
    let n_gone = |fleet: Fleet| Estate::of(&[("api", fleet)]).deletions().len();
    assert_eq!(n_gone(family()), 3, "so that the others prove something");
    let pin = KeepRule { digests: Some([digest("x86")].into()), ..KeepRule::named("pin".parse().unwrap()) };
    assert_eq!(n_gone(family().keep_rule(pin)), 0);
    assert_eq!(n_gone(family().used(Target { tag: None, digest: Some(digest("arm")) })), 0);
}

#[test]
fn a_rest_whose_signature_signs_itself_takes_no_place_in_a_document() {
    let document = document(vec![(1, EcrTags::Untagged, beyond_newest(1))]);
    let mut fleet = Fleet::new()
        .image("old", days(25), &[])
        .image("rest", days(5), &[])
        .rest("rest", "gone")
        .image("sig", days(5), &[&tie(digest("rest"), ".sig"), &tie(digest("sig"), ".sig")]);
    fleet.policies.policies[0].delete = EcrSelection::rules(document);
    assert!(!fleet.goes("old"), "{}", fleet.show());
    assert!(fleet.image("new", days(4), &[]).goes("old"), "an image like any other does");
}
