//! Rules, guardrails and doubts on single images: each test moves one thing.

use std::num::NonZeroU32;

use chrono::TimeDelta;
use insta::assert_snapshot;
use ocird_model::{
    KeepReason, KeepRule, RepositoryPlan, RepositoryState, Selects, Target, Unreadable, Use, Verdict,
};
use ocird_plan::plan;

use crate::fleet::{Fleet, days, digest, name, now, patterns, repository_id, tie};

/// One image that stays by the floor, and one beyond it that goes.
fn two() -> Fleet {
    Fleet::new().image("new", days(1), &["v2"]).image("old", days(90), &["v1"]).delete_old()
}

#[test]
fn without_a_delete_rule_nothing_goes() {
    let fleet = Fleet::new().image("new", days(1), &["v2"]).image("old", days(90), &["v1"]);
    assert!(!fleet.goes("old"));
    assert_snapshot!(fleet.show(), @r#"
    new: keep: among the newest that always stay
    old: keep: no delete rule selects it
    "#);
}

#[test]
fn an_old_tagged_image_beyond_the_floor_goes() {
    assert!(two().goes("old"));
    assert_snapshot!(two().show(), @r#"
    new: keep: among the newest that always stay
    old: delete: rule "old"
    "#);
}

#[test]
fn age_limits_are_exact_to_the_second() {
    let aged = |age| Fleet::new().image("new", days(1), &["v2"]).image("old", age, &["v1"]).delete_old();
    assert!(aged(days(30)).goes("old"));
    assert!(!aged(days(30) - TimeDelta::seconds(1)).goes("old"));
    let fresh = |age| {
        let rule = KeepRule { newer_than: Some(days(60)), ..KeepRule::named("fresh".parse().unwrap()) };
        Fleet::new().image("new", days(1), &["v2"]).image("old", age, &["v1"]).delete_old().keep_rule(rule)
    };
    assert!(fresh(days(60)).goes("old"));
    assert!(!fresh(days(60) - TimeDelta::seconds(1)).goes("old"));
}

#[test]
fn the_guardrails_age_is_exact_and_holds_what_a_rule_without_age_selects() {
    let aged = |age| {
        Fleet::new().image("new", TimeDelta::zero(), &["v2"]).image("old", age, &["v1"]).delete(
            "all",
            Selects::Tagged,
            None,
        )
    };
    assert!(aged(days(1)).goes("old"));
    let young = aged(days(1) - TimeDelta::seconds(1));
    assert_eq!(young.verdict("old"), Verdict::Keep(KeepReason::TooYoung));
}

#[test]
fn what_ties_with_the_last_of_the_newest_stays() {
    let fleet = Fleet::new()
        .image("a", days(40), &["v1"])
        .image("b", days(40), &["v2"])
        .image("c", days(40) + TimeDelta::seconds(1), &["v3"])
        .delete_old();
    assert_eq!(fleet.show().matches("keep").count(), 2);
    assert_snapshot!(fleet.show(), @r#"
    a: keep: among the newest that always stay
    b: keep: among the newest that always stay
    c: delete: rule "old"
    "#);
}

#[test]
fn newest_among_tags_counts_only_those_that_match() {
    let fleet = Fleet::new()
        .image("a", days(31), &["rel-3"])
        .image("b", days(41), &["pr-1"])
        .image("c", days(51), &["rel-2"])
        .image("d", days(61), &["rel-1"])
        .keep("two releases", Some(&["rel-*"]), Some(2))
        .delete_old();
    assert!(!fleet.goes("c") && fleet.goes("d"));
    assert_snapshot!(fleet.show(), @r#"
    a: keep: rule "two releases"
    b: delete: rule "old"
    c: keep: rule "two releases"
    d: delete: rule "old"
    "#);
}

#[test]
fn every_condition_of_a_keep_rule_must_hold() {
    let rule = |newer_than| KeepRule {
        tags: Some(patterns(&["v1"])),
        newer_than: Some(newer_than),
        ..KeepRule::named("recent releases".parse().unwrap())
    };
    assert!(two().keep_rule(rule(days(60))).goes("old"));
    assert!(!two().keep_rule(rule(days(91))).goes("old"));
}

#[test]
fn one_kept_tag_keeps_an_image_with_all_its_tags() {
    let fleet = Fleet::new()
        .image("new", days(1), &["v2"])
        .image("old", days(90), &["v1", "prod"])
        .delete_old()
        .keep("channels", Some(&["prod"]), None);
    assert_eq!(fleet.verdict("old"), Verdict::Keep(KeepReason::Rule { rule: "channels".parse().unwrap() }));
}

#[test]
fn an_image_goes_only_if_each_of_its_tags_may_go() {
    let tagged = |tags: &[&str]| {
        Fleet::new().image("new", days(1), &["v2"]).image("old", days(90), tags).delete(
            "branches",
            Selects::Tags(patterns(&["pr-*"])),
            None,
        )
    };
    assert!(tagged(&["pr-1", "pr-2"]).goes("old"));
    assert!(!tagged(&["pr-1", "v1"]).goes("old"));
}

#[test]
fn an_untagged_rule_never_takes_a_tagged_image_nor_the_other_way_round() {
    let untagged =
        Fleet::new().image("a", days(90), &["v1"]).image("b", days(90), &[]).image("new", days(1), &["v2"]);
    let rule = |selects| untagged.clone().delete("rule", selects, None);
    assert!(!rule(Selects::Untagged).goes("a") && rule(Selects::Untagged).goes("b"));
    assert!(rule(Selects::Tagged).goes("a") && !rule(Selects::Tagged).goes("b"));
    assert!(!rule(Selects::Tags(patterns(&["*"]))).goes("b"));
}

#[test]
fn a_retag_makes_an_old_digest_young_again() {
    let retagged = two().with("old", |image| {
        image.tags.insert("latest".parse().unwrap(), Some(now() - days(2)));
    });
    assert!(two().goes("old") && !retagged.goes("old"));
}

#[test]
fn the_first_matching_delete_rule_is_the_reason() {
    let fleet = two().delete("later", Selects::Tagged, None);
    assert!(fleet.show().contains("old: delete: rule \"old\""), "{}", fleet.show());
}

#[test]
fn an_image_of_implausible_time_stays_and_takes_no_place() {
    for time in [None, Some("2012-12-31T23:59:59Z"), Some("2026-06-01T00:05:01Z")] {
        let fleet = two().with("new", |image| image.created_at = time.map(|time| time.parse().unwrap()));
        assert_eq!(fleet.verdict("new"), Verdict::Keep(KeepReason::TimeImplausible), "{time:?}");
        assert_eq!(fleet.verdict("old"), Verdict::Keep(KeepReason::Floor), "{time:?}");
    }
}

#[test]
fn times_at_the_very_edge_of_the_plausible_are_believed() {
    for time in ["2013-01-01T00:00:00Z", "2026-06-01T00:05:00Z"] {
        let fleet = two().with("new", |image| image.created_at = Some(time.parse().unwrap()));
        assert!(fleet.goes("old"), "{time}");
    }
}

#[test]
fn a_tag_without_a_time_makes_its_image_implausible() {
    let fleet = two().with("old", |image| {
        image.tags.insert("v0".parse().unwrap(), None);
    });
    assert_eq!(fleet.verdict("old"), Verdict::Keep(KeepReason::TimeImplausible));
}

#[test]
fn what_runs_stays_by_tag_and_by_digest() {
    assert!(!two().used_by_tag("v1").goes("old"));
    assert!(!two().used_by_digest("old").goes("old"));
    assert!(two().used_by_tag("v3").used_by_digest("new").goes("old"));
}

#[test]
fn a_use_by_tag_and_digest_holds_both_images() {
    let both = Target { tag: Some("v1".parse().unwrap()), digest: Some(digest("older")) };
    let fleet = two().image("older", days(91), &["v0"]);
    assert!(fleet.goes("old") && fleet.goes("older"));
    let fleet = fleet.used(both);
    assert!(!fleet.goes("old") && !fleet.goes("older"));
}

#[test]
fn of_several_uses_the_first_is_named() {
    let mut fleet = two();
    for by in ["first", "second"] {
        let target = Target { tag: Some("v1".parse().unwrap()), digest: None };
        fleet.in_use.add(name(), Use::running(target, by));
    }
    assert_eq!(fleet.verdict("old"), Verdict::Keep(KeepReason::InUse { by: "first".into() }));
}

#[test]
fn doubt_about_what_runs_keeps_all_that_would_go_and_nothing_else_changes() {
    let mut fleet = two().image("bare", days(90), &[]).image("web", days(90), &["prod"]).used_by_tag("prod");
    fleet.in_use.doubt(patterns(&["a*"]), "docker.json is two days old");
    assert!(!fleet.goes("bare") && !fleet.goes("old"));
    assert_snapshot!(fleet.show(), @r#"
    bare: keep: what runs from this repository is not known
    new: keep: among the newest that always stay
    old: keep: what runs from this repository is not known
    web: keep: in use by web on milan-1
    "#);
}

#[test]
fn doubt_about_another_repository_changes_nothing() {
    let mut fleet = two();
    fleet.in_use.doubt(patterns(&["web"]), "prometheus does not answer");
    assert!(fleet.goes("old"));
}

#[test]
fn answers_past_their_time_are_doubt() {
    let mut fleet = two();
    fleet.in_use.expires(now());
    assert!(fleet.goes("old"));
    fleet.in_use.expires(now() - TimeDelta::seconds(1));
    assert_eq!(fleet.verdict("old"), Verdict::Keep(KeepReason::InUseUnknown));
}

#[test]
fn a_public_repository_is_only_observed_unless_its_policy_says_otherwise() {
    let mut fleet = two();
    fleet.repository.is_public = true;
    assert_eq!(fleet.verdict("old"), Verdict::Keep(KeepReason::Public));
    fleet.policies.policies[0].enforce_public = true;
    assert!(fleet.goes("old"));
}

#[test]
fn without_a_policy_or_with_two_everything_stays() {
    let mut fleet = two().used_by_tag("v2");
    fleet.policies.policies.push(fleet.policies.policies[0].clone());
    assert_eq!(fleet.verdict("old"), Verdict::Keep(KeepReason::Contested));
    fleet.policies.policies.clear();
    assert_eq!(fleet.verdict("old"), Verdict::Keep(KeepReason::NoPolicy));
    assert_snapshot!(fleet.show(), @r#"
    new: keep: in use by web on milan-1
    old: keep: no policy governs the repository
    "#);
}

#[test]
fn one_manifest_that_cannot_be_judged_freezes_its_repository() {
    let fleet = two().image("bare", days(90), &[]).opaque("odd", days(90));
    assert!(!fleet.goes("bare") && !fleet.goes("old"));
    assert_snapshot!(fleet.show(), @r#"
    bare: keep: something that cannot be judged may refer to it
    new: keep: among the newest that always stay
    odd: keep: its manifest cannot be judged (media_type)
    old: keep: something that cannot be judged may refer to it
    "#);
}

#[test]
fn the_floor_counts_tagged_heads_only() {
    let mut fleet = two().image("bare", days(2), &[]).signature("sig", days(2), "gone");
    fleet.policies.guardrails.min_newest = NonZeroU32::new(2).unwrap();
    assert_eq!(fleet.verdict("old"), Verdict::Keep(KeepReason::Floor));
}

#[test]
fn an_orphaned_signature_takes_no_place_but_is_held_like_any_tagged_image() {
    let by_name = Selects::Tags(patterns(&["sha256-*"]));
    let fleet = Fleet::new()
        .image("a", days(40), &["v1"])
        .image("b", days(60), &["v0"])
        .signature("s", days(39), "elsewhere")
        .signature("t", days(41), "elsewhere")
        .delete_old()
        .delete("orphans", by_name, None);
    assert!(fleet.goes("b") && fleet.goes("t") && !fleet.goes("s") && !fleet.goes("a"));
}

#[test]
fn a_tag_that_only_looks_like_a_tie_is_a_plain_tag() {
    let almost = tie(digest("old"), "-sig");
    let fleet = two().image("x", days(50), &[&almost]).delete("none", Selects::Untagged, None);
    assert_eq!(fleet.show().lines().filter(|line| line.contains("delete")).count(), 2);
    assert!(fleet.show().contains("x: delete: rule \"old\""), "{}", fleet.show());
}

#[test]
fn an_unreadable_repository_is_left_undecided() {
    let fleet = two();
    let mut inventory = fleet.inventory();
    let state = RepositoryState::Unreadable { id: repository_id(), why: Unreadable::UnknownState };
    inventory.repositories.insert(name(), state);
    let plan = plan(&inventory, &fleet.policies, &fleet.in_use, now());
    let expected = RepositoryPlan::Undecided { id: repository_id(), why: Unreadable::UnknownState };
    assert_eq!(plan.repositories[&name()], expected);
}
