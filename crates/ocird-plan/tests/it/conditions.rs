//! Conditions on what an image is, what it bears and who pulled it: each test moves one thing.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{DeleteRule, Image, KeepRule, ResourceTagPatterns, ResourceTags, Selects};
use ocird_plan::DETAILS_SERVE;

use crate::fleet::{Fleet, days, digest, now, patterns};

/// An image that stays by the floor, and one beyond it that goes.
fn two() -> Fleet {
    Fleet::new().image("new", days(1), &["v2"]).image("old", days(90), &["v1"]).delete_old()
}

fn rule() -> KeepRule {
    KeepRule::named("rule".parse().unwrap())
}

fn ago(age: TimeDelta) -> DateTime<Utc> {
    now() - age
}

#[test]
fn a_digest_is_held_and_no_other() {
    let held = |name: &str| two().keep_rule(KeepRule { digests: Some([digest(name)].into()), ..rule() });
    assert!(!held("old").goes("old"));
    assert!(held("new").goes("old") && held("elsewhere").goes("old"));
}

#[test]
fn a_pull_within_the_time_holds_and_is_exact_to_the_second() {
    let pulled = |at| {
        let rule = KeepRule { pulled_within: Some(days(30)), ..rule() };
        two().keep_rule(rule).with("old", |image| image.last_pulled_at = at)
    };
    assert!(pulled(None).goes("old"), "what was never pulled is not held by a rule about pulls");
    assert!(pulled(Some(ago(days(30)))).goes("old"));
    assert!(!pulled(Some(ago(days(30) - TimeDelta::seconds(1)))).goes("old"));
}

#[test]
fn a_pull_holds_the_index_above_and_every_condition_must_hold_somewhere_there() {
    let family = |tags: &[&str]| {
        let rule = KeepRule { tags: Some(patterns(tags)), pulled_within: Some(days(30)), ..rule() };
        Fleet::new()
            .image("new", days(1), &["v2"])
            .index("app", days(90), &["v1"], &["arm"])
            .image("arm", days(90), &[])
            .with("arm", |image| image.last_pulled_at = Some(ago(days(3))))
            .delete_old()
            .keep_rule(rule)
    };
    assert!(!family(&["v1"]).goes("app") && !family(&["v1"]).goes("arm"));
    assert!(family(&["v3"]).goes("app"));
}

/// Changes of an image after which nobody knows when it was pulled.
fn unknown_pulls() -> [fn(&mut Image); 4] {
    [
        |image| image.read_at = None,
        |image| image.read_at = Some(ago(DETAILS_SERVE)),
        |image| image.read_at = Some(ago(-TimeDelta::seconds(1))),
        |image| image.last_pulled_at = Some(DateTime::UNIX_EPOCH),
    ]
}

#[test]
fn a_pull_that_nobody_can_exclude_holds_like_one() {
    let keep = two().keep_rule(KeepRule { pulled_within: Some(days(30)), ..rule() });
    let known =
        keep.clone().with("old", |image| image.read_at = Some(ago(DETAILS_SERVE - TimeDelta::seconds(1))));
    assert!(known.goes("old"));
    for unknown in unknown_pulls() {
        assert!(!keep.clone().with("old", unknown).goes("old"));
        assert!(two().with("old", unknown).goes("old"), "without a rule about pulls nobody asks");
    }
}

fn forgotten() -> Fleet {
    Fleet::new().image("new", days(1), &["v2"]).image("old", days(90), &["v1"]).delete_rule(DeleteRule {
        older_than: Some(days(7)),
        not_pulled_for: Some(days(60)),
        ..DeleteRule::about("forgotten".parse().unwrap(), Selects::Tagged)
    })
}

#[test]
fn what_nobody_pulled_for_the_time_goes_and_counts_from_its_push_if_nobody_ever_did() {
    let pulled = |at| forgotten().with("old", |image| image.last_pulled_at = at);
    assert!(pulled(None).goes("old") && pulled(Some(ago(days(60)))).goes("old"));
    assert!(!pulled(Some(ago(days(60) - TimeDelta::seconds(1)))).goes("old"));
    let pushed = |age| {
        forgotten().with("old", |image| {
            image.created_at = Some(ago(age));
            image.tags.values_mut().for_each(|time| *time = Some(ago(age)));
        })
    };
    assert!(pushed(days(60)).goes("old"));
    assert!(!pushed(days(60) - TimeDelta::seconds(1)).goes("old"));
}

#[test]
fn a_new_tag_counts_like_a_pull() {
    let fleet = forgotten().with("old", |image| {
        image.last_pulled_at = Some(ago(days(80)));
        image.tags.insert("rollback".parse().unwrap(), Some(ago(days(20))));
    });
    assert!(!fleet.goes("old"));
}

#[test]
fn a_pull_that_nobody_can_exclude_is_no_forgetting() {
    for unknown in unknown_pulls() {
        assert!(!forgotten().with("old", unknown).goes("old"));
    }
}

#[test]
fn a_resource_tag_holds_and_unknown_ones_do_too() {
    let wanted = BTreeMap::from([("keep".to_owned(), "y*".parse().unwrap())]);
    let rule = KeepRule { resource_tags: ResourceTagPatterns::new(wanted), ..rule() };
    let bearing = |tags: &[(&str, &str)]| {
        let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let tags = ResourceTags::new(tags);
        two().keep_rule(rule.clone()).with("old", |image| image.resource_tags = Some(tags))
    };
    assert!(!bearing(&[("keep", "yes")]).goes("old"));
    assert!(bearing(&[("keep", "no")]).goes("old") && bearing(&[]).goes("old"));
    assert!(!bearing(&[]).with("old", |image| image.resource_tags = None).goes("old"));
    assert!(!bearing(&[]).with("old", |image| image.read_at = Some(ago(DETAILS_SERVE))).goes("old"));
}

/// Releases of two lines of versions, the older line's first.
fn releases() -> Fleet {
    Fleet::new()
        .image("a", days(90), &["v1.0.0"])
        .image("b", days(80), &["v1.0.1"])
        .image("c", days(70), &["v1.1.0"])
        .image("d", days(60), &["v1.1.1", "latest"])
        .image("e", days(50), &["nightly"])
        .image("f", days(40), &["nightly-2"])
        .delete_old()
}

fn per_minor(newest: u32) -> KeepRule {
    let group_by = Some(r"^v([0-9]+\.[0-9]+)\.".parse().unwrap());
    KeepRule { newest: Some(newest.try_into().unwrap()), group_by, ..rule() }
}

#[test]
fn the_newest_of_each_group_stay_and_what_is_in_none_is_not_held() {
    let fleet = releases().keep_rule(per_minor(1));
    let gone: Vec<&str> =
        ["a", "b", "c", "d", "e", "f"].into_iter().filter(|name| fleet.goes(name)).collect();
    assert_eq!(gone, ["a", "c", "e"], "f stays by the floor");
    let fleet = releases().keep_rule(per_minor(2));
    assert!(!fleet.goes("a") && !fleet.goes("c") && fleet.goes("e"));
}

#[test]
fn an_image_takes_one_place_in_each_of_its_groups() {
    let retagged = |tags: &[&str]| releases().image("x", days(55), tags).keep_rule(per_minor(1));
    assert!(!retagged(&["v1.2.0"]).goes("b") && !retagged(&["v1.2.0"]).goes("d"));
    let both = retagged(&["v1.0.9", "v1.1.9"]);
    assert!(both.goes("b") && both.goes("d") && !both.goes("x"));
    let twice = |newest| releases().image("x", days(55), &["v1.0.8", "v1.0.9"]).keep_rule(per_minor(newest));
    assert!(twice(1).goes("b") && !twice(2).goes("b"), "two tags in one group are one place");
}

#[test]
fn groups_are_counted_among_the_matching_tags_only() {
    let rule = KeepRule { tags: Some(patterns(&["v1.0.*"])), ..per_minor(1) };
    let fleet = releases().keep_rule(rule);
    assert!(!fleet.goes("b") && fleet.goes("a") && fleet.goes("d"));
}

#[test]
fn a_rest_is_held_by_what_is_asked_of_the_image_and_not_by_age_or_order() {
    let rest = |rule: KeepRule| {
        Fleet::new()
            .image("new", days(2), &["v9"])
            .image("arm", days(5), &[])
            .rest("arm", "gone")
            .keep_rule(rule)
    };
    assert!(rest(KeepRule { newer_than: Some(days(30)), ..rule() }).goes("arm"));
    assert!(!rest(KeepRule { digests: Some([digest("arm")].into()), ..rule() }).goes("arm"));
    let pulled = rest(KeepRule { pulled_within: Some(days(3)), newest: 1.try_into().ok(), ..rule() });
    assert!(pulled.goes("arm"));
    assert!(!pulled.with("arm", |image| image.last_pulled_at = Some(ago(days(1)))).goes("arm"));
}
