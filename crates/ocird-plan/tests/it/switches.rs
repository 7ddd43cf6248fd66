//! Each rule of safety that planner and check enforce together, put out of force: the wrong deletion then comes through both.
//! Only built with `.ci/switches`; what happens with the rule in force is asserted beside it.

use chrono::TimeDelta;
use ocird_model::{DeleteRule, Rule, Selects};

use crate::estate::Estate;
use crate::fleet::{Fleet, days, now, patterns};

/// The image goes while the rule is out of force, and stays while it is.
fn stays_by(rule: Rule, fleet: &Fleet, image: &str) {
    assert!(!fleet.goes(image), "{image} stays by {rule}");
    let suspended = rule.suspend();
    assert!(fleet.goes(image), "{image} goes without {rule}");
    drop(suspended);
    assert!(!fleet.goes(image), "{image} stays again by {rule}");
}

fn two() -> Fleet {
    Fleet::new().image("new", days(2), &["v2"]).image("old", days(60), &["v1"]).delete_old()
}

#[test]
fn one_keep_rule_is_enough() {
    stays_by(Rule::S5, &two().keep("channels", Some(&["v1"]), None), "old");
}

#[test]
fn children_and_signatures_stay_with_what_stays() {
    let fleet = Fleet::new()
        .index("app", days(60), &["v1"], &["arm"])
        .image("arm", days(60), &[])
        .referrer("att", days(60), "app")
        .signature("sig", days(60), "app")
        .delete_old();
    for member in ["arm", "att", "sig"] {
        stays_by(Rule::S6, &fleet, member);
    }
}

#[test]
fn a_use_of_a_child_keeps_its_parent() {
    let fleet =
        two().index("app", days(60), &["v0"], &["arm"]).image("arm", days(60), &[]).used_by_digest("arm");
    stays_by(Rule::S6, &fleet, "app");
}

#[test]
fn what_cannot_be_judged_or_is_not_known_keeps() {
    stays_by(Rule::S7, &two().opaque("odd", days(60)), "old");
    let forgotten = two().with("old", |image| image.read_at = None);
    let mut quiet = forgotten.clone();
    quiet.policies.policies[0].delete = vec![DeleteRule {
        older_than: Some(days(30)),
        not_pulled_for: Some(days(30)),
        ..DeleteRule::about("quiet".parse().unwrap(), Selects::Tagged)
    }];
    stays_by(Rule::S7, &quiet, "old");
}

#[test]
fn a_subject_elsewhere_and_one_that_may_be_there_keep() {
    let api = Fleet::new().image("app", days(90), &["v1"]);
    let ties = Selects::Tags(patterns(&["sha256-*"]));
    let apart = Fleet::new()
        .signature("sig", days(90), "app")
        .image("new", days(2), &["v9"])
        .delete("ties", ties, None);
    let estate = Estate::of(&[("api", api), ("signatures", apart)]);
    for (rule, estate) in [(Rule::S6, estate.clone()), (Rule::S7, estate.unreadable("api"))] {
        assert!(!estate.goes("signatures", "sig"), "{rule}");
        let suspended = rule.suspend();
        assert!(estate.goes("signatures", "sig"), "{rule}");
        drop(suspended);
    }
}

#[test]
fn a_new_tag_makes_an_image_young_and_no_time_makes_it_nothing() {
    let retagged = two().with("old", |image| {
        image.tags.insert("v1".parse().unwrap(), Some(now() - TimeDelta::days(3)));
    });
    stays_by(Rule::S8, &retagged, "old");
    let epoch = two().with("old", |image| {
        image.created_at = Some(chrono::DateTime::UNIX_EPOCH);
    });
    stays_by(Rule::S8, &epoch, "old");
}

#[test]
fn the_newest_and_the_young_stay() {
    let mut fleet = two();
    fleet.policies.policies[0].delete = vec![DeleteRule::about("all".parse().unwrap(), Selects::Tagged)];
    stays_by(Rule::S13, &fleet, "new");
    let young = two().image("bare", TimeDelta::hours(1), &[]).delete("bare", Selects::Untagged, None);
    stays_by(Rule::S13, &young, "bare");
}

#[test]
fn each_tag_must_be_one_that_may_go() {
    let fleet = Fleet::new().image("new", days(2), &["v2"]).image("old", days(60), &["pr-1", "v1"]);
    let fleet = fleet.delete("branches", Selects::Tags(patterns(&["pr-*"])), None);
    stays_by(Rule::S18, &fleet, "old");
    let rest = two().image("arm", days(60), &["mine"]).rest("arm", "gone");
    let mut rest = rest;
    rest.policies.policies[0].delete.clear();
    stays_by(Rule::S18, &rest, "arm");
}
