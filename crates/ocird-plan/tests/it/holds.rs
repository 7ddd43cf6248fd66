//! Holds: keep rules made by hand (S-27).

use std::collections::BTreeSet;

use chrono::TimeDelta;
use ocird_model::{Bytes, Decision, Digest, Hold, HoldOn, KeepReason, KeepRule, Verdict};
use ocird_plan::{check, fingerprint};
use proptest::prelude::*;

use crate::fleet::{Fleet, days, decisions, digest, now};
use crate::world::world;

fn on_digest(name: &str) -> Hold {
    hold(HoldOn::Digest(digest(name)))
}

fn on_tag(tag: &str) -> Hold {
    hold(HoldOn::Tag(tag.parse().unwrap()))
}

fn hold(on: HoldOn) -> Hold {
    Hold {
        on,
        by: "ada".into(),
        why: "the audit".into(),
        since: now() - days(1),
        until: Some(now() + days(1)),
    }
}

/// What the floor keeps in any case.
fn newest() -> Fleet {
    let fleet = Fleet::new().image("n1", days(2), &["n1"]).image("n2", days(2), &["n2"]);
    fleet.image("n3", days(2), &["n3"])
}

fn fleet() -> Fleet {
    newest().image("app", days(90), &["v1"]).image("lib", days(90), &["v2"]).delete_old()
}

#[test]
fn without_a_hold_both_go() {
    assert!(fleet().goes("app") && fleet().goes("lib"));
}

#[test]
fn what_is_held_stays_and_says_who_until_when_and_why() {
    for held in [on_digest("app"), on_tag("v1")] {
        let fleet = fleet().hold(held);
        let by = "held by ada until 2026-06-02 00:00 UTC: the audit";
        assert_eq!(fleet.verdict("app"), Verdict::Keep(KeepReason::Held { by: by.into() }));
        assert!(fleet.goes("lib"), "nothing else is held");
    }
}

#[test]
fn a_hold_that_has_ended_holds_nothing() {
    let ended = Hold { until: Some(now()), ..on_digest("app") };
    assert!(fleet().hold(ended).goes("app"));
    let lasting = Hold { until: Some(now() + TimeDelta::milliseconds(1)), ..on_digest("app") };
    assert!(!fleet().hold(lasting).goes("app"));
    assert!(!fleet().hold(Hold { until: None, ..on_digest("app") }).goes("app"));
}

#[test]
fn a_hold_on_a_head_that_is_gone_holds_what_is_left_of_its_family() {
    let fleet = || newest().image("arm", days(90), &[]).image("amd", days(90), &[]).delete_old();
    let fleet = || fleet().rest("arm", "gone").rest("amd", "elsewhere");
    assert!(fleet().goes("arm") && fleet().goes("amd"));
    let held = fleet().hold(on_digest("gone"));
    assert!(!held.goes("arm"), "its head is wanted back");
    assert!(held.goes("amd"), "another head's is not held");
    let unheld = fleet().plan();
    let refused = check(unheld, &held.inventory(), &held.policies, &held.in_use, now()).unwrap_err();
    assert!(refused.to_string().contains("S-27"), "{refused}");
}

#[test]
fn a_hold_on_a_member_holds_its_whole_family() {
    let family = || {
        newest().index("app", days(90), &["v1"], &["arm", "amd"]).image("arm", days(90), &[]).image(
            "amd",
            days(90),
            &[],
        )
    };
    let family = || family().referrer("sig", days(90), "arm").delete_old();
    assert!(["app", "arm", "amd", "sig"].into_iter().all(|name| family().goes(name)));
    for held in ["app", "arm", "sig"] {
        let fleet = family().hold(on_digest(held));
        assert!(
            !["app", "arm", "amd", "sig"].into_iter().any(|name| fleet.goes(name)),
            "{held}:\n{}",
            fleet.show()
        );
    }
}

#[test]
fn the_rest_of_a_family_stays_while_it_is_held() {
    let rest = || newest().image("arm", days(90), &[]).rest("arm", "app").delete_old();
    assert!(rest().goes("arm"));
    assert!(!rest().hold(on_digest("arm")).goes("arm"));
}

#[test]
fn use_comes_before_a_hold_and_a_hold_before_a_rule() {
    let held = || fleet().hold(on_digest("app"));
    let reason = |fleet: Fleet| fleet.verdict("app").as_str();
    assert_eq!(reason(held().used_by_tag("v1")), "in_use");
    assert_eq!(reason(held().keep("all", Some(&["*"]), None)), "held");
}

#[test]
fn what_is_held_takes_no_place_among_the_newest() {
    let fleet = || {
        let fleet = Fleet::new().image("old", days(60), &["v1"]).image("back", days(40), &["v0"]);
        fleet.keep("one", None, Some(1)).delete_old()
    };
    assert!(fleet().goes("old"), "a newer one takes the place");
    assert!(!fleet().hold(on_digest("back")).goes("old"), "and gives it back while it is held");
    let lent = || {
        let rule = KeepRule {
            newest: Some(1.try_into().unwrap()),
            unless_usage_above: Some(Bytes(1)),
            ..KeepRule::named("one".parse().unwrap())
        };
        fleet().keep_rule(rule).hold(on_tag("v0"))
    };
    lent().checked();
}

#[test]
fn what_was_restored_pushes_out_nothing_newer_when_its_hold_has_ended_either() {
    let lapsed = |name| Hold { until: Some(now() - days(1)), ..on_digest(name) };
    let fleet = || {
        // An image of last year that was restored 31 days ago bears tags of then, and the good ones are older than that.
        let fleet = Fleet::new().image("good", days(60), &["v2"]).image("back", days(31), &["v0"]);
        fleet.image("old", days(70), &["v1"]).delete_old()
    };
    assert!(fleet().goes("good"), "the floor of one is the newer one's");
    let ended = fleet().hold(lapsed("back"));
    assert!(!ended.goes("good") && ended.goes("old"), "the floor holds the really newest");
    assert!(!ended.goes("back"), "and what is as new as the last place");
    assert!(ended.image("newer", days(20), &["v3"]).goes("back"), "which is no protection for ever");
}

#[test]
fn a_hold_changes_no_fingerprint() {
    let print = |fleet: &Fleet| fingerprint(fleet.governing(), &fleet.policies.guardrails);
    assert_eq!(print(&fleet()), print(&fleet().hold(on_digest("app"))));
}

#[test]
fn a_deletion_of_what_is_held_is_refused_by_the_check() {
    let plan = fleet().plan();
    for held in [on_digest("app"), on_tag("v1")] {
        let fleet = fleet().hold(held);
        let refused = check(plan.clone(), &fleet.inventory(), &fleet.policies, &fleet.in_use, now());
        assert!(refused.unwrap_err().to_string().contains("S-27"));
    }
}

fn deleted(decisions: &[Decision]) -> BTreeSet<Digest> {
    decisions.iter().filter(|decision| decision.verdict.is_delete()).map(|decision| decision.digest).collect()
}

proptest! {
    #[test]
    fn a_hold_adds_no_deletion_and_saves_what_it_is_on(world in world(), number in 0..64_usize, by_tag: bool) {
        let fleet = world.build();
        let before = deleted(decisions(&fleet.plan()));
        let image = &fleet.repository.images[number % fleet.repository.images.len()];
        let on = match image.tags.keys().next().filter(|_| by_tag) {
            Some(tag) => HoldOn::Tag(tag.clone()),
            None => HoldOn::Digest(image.digest),
        };
        let digest = image.digest;
        let held = fleet.hold(hold(on));
        let after = deleted(decisions(held.checked().plan()));
        prop_assert!(after.is_subset(&before));
        prop_assert!(!after.contains(&digest));
    }
}
