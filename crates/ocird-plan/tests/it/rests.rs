//! What is left of a family whose head ocird deleted (S-6).

use chrono::TimeDelta;
use insta::assert_snapshot;
use ocird_model::{DeleteReason, KeepReason, Verdict};
use ocird_plan::check;

use crate::fleet::{Fleet, days, digest, now, tie};

/// The head `app` is gone; its child and its signature, too young for any rule, are still listed.
fn rests() -> Fleet {
    Fleet::new()
        .image("new", days(2), &["v9"])
        .image("arm", days(3), &[])
        .signature("sig", days(1), "app")
        .rest("arm", "app")
        .rest("sig", "app")
        .delete_old()
}

#[test]
fn rests_go_whatever_their_age() {
    assert!(rests().goes("arm"));
    assert_snapshot!(rests().show(), @r#"
    arm: delete: rest of a family whose head is gone
    new: keep: among the newest that always stay
    sig: delete: rest of a family whose head is gone
    "#);
}

#[test]
fn a_rest_younger_than_the_guardrail_was_pushed_anew_and_stays() {
    let fleet = rests().with("arm", |image| image.created_at = Some(now() - TimeDelta::hours(23)));
    assert_eq!(fleet.verdict("arm"), Verdict::Keep(KeepReason::TooYoung));
    assert!(fleet.goes("sig"));
}

#[test]
fn rests_stay_while_their_head_is_listed() {
    let fleet = rests().index("app", TimeDelta::hours(1), &[], &["arm"]);
    assert!(!fleet.goes("arm") && !fleet.goes("sig"));
}

#[test]
fn a_rest_in_use_or_named_by_anything_present_stays() {
    assert!(!rests().used_by_digest("arm").goes("arm"));
    let named = rests().index("fresh", TimeDelta::hours(1), &["v10"], &["arm"]);
    assert!(!named.goes("arm") && named.goes("sig"));
}

#[test]
fn a_rest_with_a_tag_of_a_keep_rule_stays_but_newest_does_not_matter() {
    assert!(!rests().keep("signed", Some(&["*.sig"]), None).goes("sig"));
    assert!(rests().keep("ten", None, Some(10)).goes("sig"));
}

#[test]
fn a_rest_that_somebody_tagged_since_is_an_image_like_any_other() {
    let tagged = |age| {
        rests().with("arm", |image| {
            image.created_at = Some(now() - days(90));
            image.tags.insert("v1-arm64".parse().unwrap(), Some(now() - age));
        })
    };
    assert_eq!(tagged(TimeDelta::hours(1)).verdict("arm"), Verdict::Keep(KeepReason::Floor));
    assert_eq!(tagged(days(20)).verdict("arm"), Verdict::Keep(KeepReason::NotSelected));
    let by_rule = Verdict::Delete(DeleteReason::Rule { rule: "old".parse().unwrap() });
    assert_eq!(tagged(days(90)).verdict("arm"), by_rule, "with a mark and a grace");
    let at_once =
        check(rests().plan(), &tagged(days(90)).inventory(), &rests().policies, &rests().in_use, now());
    assert!(at_once.unwrap_err().to_string().contains("it is no rest"));
}

#[test]
fn rests_of_rests_follow_one_pass_later() {
    let fleet = rests().index("mid", days(3), &[], &["leaf"]).image("leaf", days(3), &[]);
    let fleet = fleet.rest("mid", "app").rest("leaf", "app");
    assert!(fleet.goes("mid") && !fleet.goes("leaf"));
    assert!(fleet.without("mid").goes("leaf"));
}

#[test]
fn use_of_what_a_rest_carries_keeps_the_rest() {
    let fleet = rests().index("mid", days(3), &[], &["leaf"]).image("leaf", days(3), &[]);
    let fleet = fleet.rest("mid", "app").rest("leaf", "app");
    assert!(!fleet.used_by_digest("leaf").goes("mid"));
}

#[test]
fn a_rest_over_an_orphan_of_another_image_stays_as_no_rule_is_about_both() {
    let fleet = rests()
        .index("mid", days(90), &[&tie(digest("app"), "")], &["leaf"])
        .signature("leaf", days(90), "elsewhere")
        .rest("mid", "app");
    assert_eq!(fleet.verdict("mid"), Verdict::Keep(KeepReason::NotSelected));
    assert!(fleet.rest("leaf", "app").goes("mid"));
}

#[test]
fn a_fresh_signature_on_a_rest_keeps_it() {
    let fleet = rests().signature("sig2", TimeDelta::hours(1), "arm");
    assert_eq!(fleet.verdict("arm"), Verdict::Keep(KeepReason::TooYoung));
}

#[test]
fn doubt_and_unjudged_manifests_hold_rests_too() {
    let mut doubtful = rests();
    doubtful.in_use.doubt(crate::fleet::patterns(&["*"]), "no source");
    assert_eq!(doubtful.verdict("arm"), Verdict::Keep(KeepReason::InUseUnknown));
    let odd = rests().opaque("odd", days(9));
    assert_eq!(odd.verdict("sig"), Verdict::Keep(KeepReason::ReferencesUnknown));
}

#[test]
fn a_tagged_rest_takes_no_place_among_the_newest() {
    let fleet = Fleet::new().image("arm", days(35), &["v1"]).image("new", days(40), &["v2"]).delete_old();
    assert!(fleet.goes("new"), "the floor of one is the other's");
    let rest = fleet.rest("arm", "gone");
    assert!(!rest.goes("new") && !rest.goes("arm"));
}
