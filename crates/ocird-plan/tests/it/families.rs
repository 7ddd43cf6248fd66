//! Indexes, children, referrers: what goes together, what holds what, and what belongs to nobody.

use chrono::TimeDelta;
use insta::assert_snapshot;
use ocird_model::{Content, KeepReason, Selects, Verdict};

use crate::fleet::{Fleet, days, digest, now, patterns, tie};

/// A new image for the floor, and an old multi-platform image with a signature on one platform.
fn family() -> Fleet {
    Fleet::new()
        .image("new", days(2), &["v9"])
        .index("app", days(90), &["v1"], &["amd", "arm"])
        .image("amd", days(91), &[])
        .image("arm", days(91), &[])
        .signature("sig", days(80), "arm")
        .delete_old()
}

#[test]
fn a_family_goes_together_by_the_rule_of_its_head() {
    let fleet = family();
    assert!(fleet.decisions().iter().filter(|d| d.verdict.is_delete()).all(|d| d.head == digest("app")));
    assert_snapshot!(fleet.show(), @r#"
    amd: delete: with its head, by rule "old"
    app: delete: rule "old"
    arm: delete: with its head, by rule "old"
    new: keep: among the newest that always stay
    sig: delete: with its head, by rule "old"
    "#);
}

#[test]
fn a_kept_index_keeps_its_old_untagged_children_and_their_referrers() {
    let fleet = family().keep("v1", Some(&["v1"]), None);
    assert!(!fleet.goes("amd") && !fleet.goes("sig"));
    assert_snapshot!(fleet.show(), @r#"
    amd: keep: named by index app
    app: keep: rule "v1"
    arm: keep: named by index app
    new: keep: among the newest that always stay
    sig: keep: speaks about arm
    "#);
}

#[test]
fn digests_that_begin_alike_are_not_taken_for_each_other() {
    let fleet = Fleet::new()
        .index("app", days(2), &["v9"], &["platform-of-app-2", "platform-of-app-4"])
        .image("platform-of-app-2", days(91), &[])
        .image("platform-of-app-4", days(91), &[])
        .image("platform-of-app-1", days(91), &[])
        .image("platform-of-app-3", days(91), &[])
        .delete("untagged", Selects::Untagged, Some(days(30)));
    assert_eq!(fleet.show().lines().filter(|line| line.contains("named by index app")).count(), 2);
    assert!(!fleet.goes("platform-of-app-2") && !fleet.goes("platform-of-app-4"));
    assert!(fleet.goes("platform-of-app-1") && fleet.goes("platform-of-app-3"));
}

#[test]
fn use_of_a_child_keeps_its_parent_and_so_its_siblings() {
    let fleet = family().used_by_digest("amd");
    assert!(!fleet.goes("app") && !fleet.goes("arm"));
    assert_snapshot!(fleet.show(), @r#"
    amd: keep: in use by web on milan-1
    app: keep: in use by web on milan-1
    arm: keep: named by index app
    new: keep: among the newest that always stay
    sig: keep: speaks about arm
    "#);
}

#[test]
fn a_kept_tag_on_a_child_or_on_a_referrer_keeps_the_family() {
    let child = family().with("amd", |image| {
        image.tags.insert("prod".parse().unwrap(), image.created_at);
    });
    assert!(child.goes("app"));
    assert!(!child.keep("channels", Some(&["prod"]), None).goes("app"));
    assert!(!family().keep("signed", Some(&["*.sig"]), None).goes("app"));
}

#[test]
fn a_fresh_push_of_anything_in_it_makes_a_family_young() {
    let fleet = family().signature("sig2", TimeDelta::hours(1), "amd");
    assert_eq!(fleet.verdict("app"), Verdict::Keep(KeepReason::TooYoung));
    let weeks = family().signature("sig2", days(20), "amd");
    assert_eq!(weeks.verdict("app"), Verdict::Keep(KeepReason::NotSelected));
}

#[test]
fn an_implausible_time_of_a_member_keeps_its_family() {
    let fleet = family().with("sig", |image| image.created_at = None);
    assert_eq!(fleet.verdict("app"), Verdict::Keep(KeepReason::TimeImplausible));
    assert!(!fleet.goes("amd"));
}

#[test]
fn every_member_tag_must_be_one_the_rule_may_take() {
    let tagged = |tag: &str| {
        let fleet = Fleet::new()
            .image("new", days(2), &["v9"])
            .index("app", days(90), &["pr-1"], &["amd"])
            .image("amd", days(90), &[tag])
            .signature("sig", days(90), "app");
        fleet.delete("branches", Selects::Tags(patterns(&["pr-*"])), None)
    };
    assert!(tagged("pr-1-amd64").goes("app"));
    assert!(!tagged("v1-amd64").goes("app"));
}

#[test]
fn an_untagged_index_over_a_tagged_child_is_no_untagged_family() {
    let fleet = Fleet::new().image("new", days(2), &["v9"]).index("app", days(90), &[], &["amd"]).image(
        "amd",
        days(90),
        &["sha-1"],
    );
    assert!(!fleet.clone().delete("bare", Selects::Untagged, None).goes("app"));
    assert!(fleet.delete("old", Selects::Tagged, None).goes("app"));
}

#[test]
fn a_child_tagged_among_the_newest_holds_the_index_that_somebody_put_above_it() {
    let fleet = Fleet::new()
        .image("a", days(50), &["v1"])
        .image("b", days(40), &["v2"])
        .index("trap", days(39), &[], &["b"])
        .keep("newest", None, Some(2))
        .delete("all", Selects::Tagged, None);
    assert!(!fleet.goes("b") && !fleet.goes("trap") && !fleet.goes("a"));
}

#[test]
fn children_and_referrers_take_no_place_among_the_newest() {
    let fleet = family().keep("two", None, Some(2)).image("mid", days(85), &["v5"]);
    assert!(fleet.goes("app"));
    assert_eq!(fleet.verdict("mid"), Verdict::Keep(KeepReason::Rule { rule: "two".parse().unwrap() }));
}

#[test]
fn a_shared_child_goes_with_the_last_of_its_heads_and_is_held_by_either() {
    let fleet = family().index("twin", days(89), &["v2"], &["arm"]);
    let heads: Vec<_> = fleet.decisions().iter().map(|decision| decision.head).collect();
    assert_eq!(heads, ["app", "app", "twin", "new", "twin", "twin"].map(digest));
    assert_snapshot!(fleet.show(), @r#"
    amd: delete: with its head, by rule "old"
    app: delete: rule "old"
    arm: delete: with its head, by rule "old"
    new: keep: among the newest that always stay
    sig: delete: with its head, by rule "old"
    twin: delete: rule "old"
    "#);
    let kept = fleet.keep("v2", Some(&["v2"]), None);
    assert!(kept.goes("app") && kept.show().contains("arm: keep: named by index twin"), "{}", kept.show());
}

#[test]
fn a_shared_child_in_use_keeps_both_heads() {
    let fleet = family().index("twin", days(90), &["v2"], &["arm"]).used_by_digest("arm");
    assert!(!fleet.goes("app") && !fleet.goes("twin"));
}

#[test]
fn sharing_a_young_child_makes_no_head_older() {
    let fleet = family().with("arm", |image| image.created_at = Some(now() - TimeDelta::hours(2)));
    assert_eq!(fleet.verdict("app"), Verdict::Keep(KeepReason::TooYoung));
    let shared = fleet.index("twin", days(2), &[], &["arm"]);
    assert_eq!(shared.verdict("app"), Verdict::Keep(KeepReason::TooYoung));
}

#[test]
fn a_child_that_a_rest_shares_waits_for_the_rest() {
    let fleet = family().index("left", days(90), &[], &["arm"]).rest("left", "gone");
    assert!(fleet.goes("app") && fleet.goes("left") && !fleet.goes("arm"));
    let circle = family().index("x", days(90), &[&tie(digest("x"), "")], &["arm"]);
    assert!(circle.goes("app") && !circle.goes("arm"), "nothing on a circle goes");
}

#[test]
fn nested_indexes_are_one_family() {
    let fleet = family().index("all", days(70), &["v2"], &["app"]);
    assert!(fleet.goes("sig"));
    assert_snapshot!(fleet.show(), @r#"
    all: delete: rule "old"
    amd: delete: with its head, by rule "old"
    app: delete: with its head, by rule "old"
    arm: delete: with its head, by rule "old"
    new: keep: among the newest that always stay
    sig: delete: with its head, by rule "old"
    "#);
}

#[test]
fn an_index_of_referrers_goes_and_stays_with_its_subject() {
    let tag = tie(digest("app"), "");
    let fleet = family().referrer("att", days(90), "app").index("fall", days(90), &[&tag], &["att"]);
    assert!(fleet.goes("fall") && fleet.goes("att"));
    let kept = fleet.used_by_tag("v1");
    assert_eq!(kept.verdict("fall"), Verdict::Keep(KeepReason::ReferrerOf { subject: digest("app") }));
    assert_eq!(kept.verdict("att"), Verdict::Keep(KeepReason::ChildOf { parent: digest("fall") }));
}

#[test]
fn a_referrer_of_an_absent_subject_is_an_image_like_any_other() {
    let fleet = family().referrer("lost", days(90), "nowhere");
    assert!(fleet.show().contains("lost: delete: rule \"old untagged\""), "{}", fleet.show());
}

#[test]
fn references_in_a_circle_end_and_keep() {
    let circle = family()
        .image("x", days(90), &[&tie(digest("y"), ".sig")])
        .image("y", days(90), &[&tie(digest("x"), ".sig")])
        .image("z", days(90), &[&tie(digest("z"), "")])
        .index("top", days(90), &["v3"], &["x"]);
    for name in ["x", "y", "z", "top"] {
        assert!(!circle.goes(name), "{name}");
    }
    assert!(circle.goes("app"));
}

#[test]
fn what_a_circle_names_belongs_to_no_head() {
    let fleet = family().index("x", days(90), &[&tie(digest("x"), "")], &["amd"]);
    assert!(fleet.goes("app") && !fleet.goes("amd"));
}

#[test]
fn a_chain_a_hundred_thousand_deep_is_decided_without_recursion() {
    let mut fleet = Fleet::new().image("seed", days(90), &[]).delete_old();
    let seed = fleet.repository.images.remove(0);
    let depth: u32 = 100_000;
    let link = |place: u32| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&place.to_be_bytes());
        ocird_model::Digest::from_bytes(bytes)
    };
    fleet.repository.images = (0..depth)
        .map(|place| {
            let mut image = seed.clone();
            image.id = format!("ocid1.containerimage.oc1..{place}").parse().unwrap();
            image.digest = link(place);
            image.content = Content::Index { children: vec![link(place + 1)], subject: None };
            image
        })
        .collect();
    let decisions = fleet.decisions();
    assert!(decisions.iter().all(|decision| decision.verdict.is_delete() && decision.head == link(0)));
}
