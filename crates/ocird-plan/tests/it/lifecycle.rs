//! A lifecycle document as the policy of a repository: what it takes under ocird's guardrails, uses, keep rules and
//! families. What the document alone would expire is in `ecr`.

use chrono::TimeDelta;
use ocird_model::{
    DeleteReason, EcrLifecycle, EcrSelection, EcrTags, Hold, HoldOn, KeepRule, RepositoryPlan, Verdict,
};
use ocird_plan::{check, fingerprint};
use proptest::prelude::*;

use crate::ecr::{beyond, document, in_days, prefixes, some_document};
use crate::fleet::{Fleet, days, digest, name, now, patterns};
use crate::world::world;

fn governed_by(lifecycle: EcrLifecycle) -> Fleet {
    let mut fleet = Fleet::new();
    fleet.policies.policies[0].delete = EcrSelection::rules(lifecycle);
    fleet
}

#[test]
fn a_document_takes_what_its_rules_expire_and_is_named_in_the_reason() {
    let fleet =
        governed_by(document(vec![(1, EcrTags::Untagged, in_days(14)), (3, EcrTags::Any, beyond(2))]))
            .image("new", days(2), &["v3"])
            .image("mid", days(3), &["v2"])
            .image("old", days(4), &["v1", "stable"])
            .image("bare", days(20), &[]);
    assert_eq!(
        fleet.show(),
        "bare: delete: rule \"lifecycle rule 1\"\n\
         mid: keep: no delete rule selects it\n\
         new: keep: among the newest that always stay\n\
         old: delete: rule \"lifecycle rule 3\""
    );
}

#[test]
fn guardrails_uses_and_keep_rules_hold_against_a_document() {
    let one_stays = || {
        governed_by(document(vec![(1, EcrTags::Any, beyond(1))])).image("new", days(2), &["v2"]).image(
            "old",
            days(9),
            &["v1"],
        )
    };
    assert!(one_stays().goes("old"));
    assert!(!one_stays().used_by_tag("v1").goes("old"));
    let kept = KeepRule { tags: Some(patterns(&["v*"])), ..KeepRule::named("all versions".parse().unwrap()) };
    assert!(!one_stays().keep_rule(kept).goes("old"));
    let fresh =
        one_stays().image("fresh", TimeDelta::hours(1), &["v3"]).image("young", TimeDelta::hours(2), &["v4"]);
    assert!(!fresh.goes("young"), "younger than the guardrail's age");
    let mut floor = one_stays();
    floor.policies.guardrails.min_newest = 2.try_into().unwrap();
    assert!(!floor.goes("old"));
}

/// Thirty images of last year that were restored today, and ten good ones, under a document that keeps ten.
fn restored(until: TimeDelta, restored: TimeDelta) -> Fleet {
    let tags = |number: i64| format!("v{number}");
    let mut fleet = governed_by(document(vec![(1, EcrTags::Any, beyond(10))]));
    for number in 0..30 {
        let name = format!("b{number:02}");
        fleet = fleet.image(&name, restored, &[&tags(number)]).hold(Hold {
            on: HoldOn::Digest(digest(&name)),
            by: "a restore".into(),
            why: "".into(),
            since: now() - restored,
            until: Some(now() + until),
        });
    }
    (30..40).fold(fleet, |fleet, number| fleet.image(&format!("g{number}"), days(number), &[&tags(number)]))
}

#[test]
fn what_was_restored_pushes_no_image_out_of_a_document_while_it_is_held_or_after() {
    let gone = |fleet: &Fleet| fleet.decisions().iter().filter(|d| d.verdict.is_delete()).count();
    assert_eq!(gone(&restored(days(30), days(2))), 0, "held");
    assert_eq!(gone(&restored(days(0), days(30))), 0, "as new as what stays");
    let pushed = (0..10).fold(restored(days(0), days(30)), |fleet, number| {
        fleet.image(&format!("n{number}"), days(5 + number), &[&format!("n{number}")])
    });
    assert_eq!(gone(&pushed), 40, "old images like any others, when ten newer ones have been pushed");
    assert_eq!(
        gone(&restored(days(30), days(30)).image("g0", days(99), &["v99"])),
        1,
        "the eleventh good one"
    );
}

#[test]
fn a_child_is_never_expired_before_its_index_and_goes_with_it() {
    let family =
        governed_by(document(vec![(1, EcrTags::Untagged, in_days(1)), (2, prefixes(&["v"]), beyond(1))]))
            .image("new", days(2), &["v2"])
            .index("idx", days(9), &["v1"], &["amd", "arm"])
            .image("amd", days(9), &[])
            .image("arm", days(9), &[]);
    assert_eq!(
        family.show(),
        "amd: delete: with its head, by rule \"lifecycle rule 2\"\n\
         arm: delete: with its head, by rule \"lifecycle rule 2\"\n\
         idx: delete: rule \"lifecycle rule 2\"\n\
         new: keep: among the newest that always stay"
    );
    let held = family.used_by_digest("arm");
    assert!(!held.goes("idx") && !held.goes("amd") && !held.goes("arm"));
}

#[test]
fn children_and_signatures_are_not_counted() {
    let fleet = governed_by(document(vec![(1, EcrTags::Any, beyond(2))]))
        .index("idx", days(2), &["v2"], &["amd", "arm"])
        .image("amd", days(2), &[])
        .image("arm", days(2), &[])
        .signature("sig", days(2), "idx")
        .image("old", days(9), &["v1"]);
    assert!(!fleet.goes("old"), "the index is one image, and the old one the second");
}

#[test]
fn what_carries_somebody_elses_tag_stays() {
    let fleet = governed_by(document(vec![(1, EcrTags::Untagged, in_days(1))]))
        .image("new", days(2), &["v2"])
        .index("idx", days(9), &[], &["amd"])
        .image("amd", days(9), &["mine"]);
    assert!(!fleet.goes("idx") && !fleet.goes("amd"));
}

#[test]
fn a_referrer_follows_its_subject_whatever_its_own_age() {
    let fleet = governed_by(document(vec![(1, EcrTags::Any, beyond(1))]))
        .image("new", days(2), &["v2"])
        .image("old", days(9), &["v1"])
        .referrer("sbom", days(5), "old");
    assert!(fleet.goes("old") && fleet.goes("sbom"));
}

#[test]
fn every_part_of_a_document_is_in_the_fingerprint() {
    let base = || vec![(1, prefixes(&["v"]), beyond(3)), (2, EcrTags::Any, in_days(9))];
    let print = |rules| {
        let fleet = governed_by(document(rules));
        fingerprint(fleet.governing(), &fleet.policies.guardrails)
    };
    let mut others = vec![base()];
    for change in [
        |rules: &mut Vec<(u32, EcrTags, _)>| rules[0].0 = 3,
        |rules: &mut Vec<(u32, EcrTags, _)>| rules[0].1 = prefixes(&["w"]),
        |rules: &mut Vec<(u32, EcrTags, _)>| rules[0].1 = EcrTags::Untagged,
        |rules: &mut Vec<(u32, EcrTags, _)>| rules[0].2 = beyond(4),
        |rules: &mut Vec<(u32, EcrTags, _)>| rules[0].2 = in_days(3),
        |rules: &mut Vec<(u32, EcrTags, _)>| rules.truncate(1),
    ] {
        let mut rules = base();
        change(&mut rules);
        others.push(rules);
    }
    let prints: std::collections::BTreeSet<u64> = others.into_iter().map(print).collect();
    assert_eq!(prints.len(), 7);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1024), ..Default::default() })]

    /// The check, which shares no code with the planner, agrees to what it plans by any document over any world.
    #[test]
    fn the_check_agrees_to_every_plan_by_a_document(world in world(), lifecycle in some_document()) {
        let mut fleet = world.build();
        fleet.policies.policies[0].delete = EcrSelection::rules(lifecycle);
        fleet.checked();
    }

    /// And it refuses each deletion of what the planner keeps, by whatever rule of the document.
    #[test]
    fn the_check_refuses_whatever_a_document_does_not_take(
        world in world(), lifecycle in some_document(), flipped in 0..9_usize,
    ) {
        let mut fleet = world.build();
        fleet.policies.policies[0].delete = EcrSelection::rules(lifecycle);
        for rule in &fleet.policies.policies[0].delete {
            let mut plan = fleet.plan();
            let Some(RepositoryPlan::Decided { id: _, decisions }) = plan.repositories.get_mut(&name()) else {
                panic!("the repository was read whole");
            };
            let decision = &mut decisions[flipped % fleet.repository.images.len()];
            if decision.verdict.is_delete() {
                continue;
            }
            decision.verdict = Verdict::Delete(DeleteReason::Rule { rule: rule.name.clone() });
            let refused = check(plan, &fleet.inventory(), &fleet.policies, &fleet.in_use, now());
            prop_assert!(refused.is_err(), "{} by {}", flipped, rule.name);
        }
    }

    /// A hold costs no other image, in force or ended, and the check agrees to that too.
    #[test]
    fn a_hold_adds_no_deletion_to_a_document(
        world in world(), lifecycle in some_document(), held in 0..9_usize, hours in -1..2_i64,
    ) {
        let mut fleet = world.build();
        fleet.policies.policies[0].delete = EcrSelection::rules(lifecycle);
        let held = fleet.repository.images[held % fleet.repository.images.len()].digest;
        let goes = |fleet: &Fleet| -> Vec<bool> {
            fleet.decisions().iter().map(|decision| decision.verdict.is_delete()).collect()
        };
        let before = goes(&fleet);
        let until = Some(now() + TimeDelta::hours(hours));
        let since = now() - days(30);
        let hold = Hold { on: HoldOn::Digest(held), by: "ada".into(), why: "".into(), since, until };
        for (before, after) in before.into_iter().zip(goes(&fleet.hold(hold))) {
            prop_assert!(before || !after);
        }
    }

    #[test]
    fn a_use_adds_no_deletion_to_a_document(world in world(), lifecycle in some_document(), used in 0..9_usize) {
        let mut fleet = world.build();
        fleet.policies.policies[0].delete = EcrSelection::rules(lifecycle);
        let image = fleet.repository.images[used % fleet.repository.images.len()].clone();
        let goes = |fleet: &Fleet| -> Vec<bool> {
            fleet.decisions().iter().map(|decision| decision.verdict.is_delete()).collect()
        };
        let before = goes(&fleet);
        let target = ocird_model::Target { tag: None, digest: Some(image.digest) };
        for (before, after) in before.into_iter().zip(goes(&fleet.used(target))) {
            prop_assert!(before || !after);
        }
    }
}
