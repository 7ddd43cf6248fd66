//! The laws of `safety.md`, section E, over random worlds. Every plan here also passes the check, as [`World::deletions`]
//! insists on it.

use std::collections::BTreeSet;

use ocird_model::{DeleteReason, Digest, Verdict};
use ocird_plan::{check, plan};
use proptest::prelude::*;

use crate::fleet::{decisions, now};
use crate::world::{Spec, Time, World, keep_rule, world};

/// More than the usual number, unless the environment asks for still more.
fn cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.max(512), ..usual }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn every_image_has_one_verdict_in_its_place(world in world()) {
        let fleet = world.build();
        let decisions = fleet.decisions();
        let decided: Vec<_> = decisions.iter().map(|d| (&d.image, d.digest)).collect();
        let seen: Vec<_> = fleet.repository.images.iter().map(|image| (&image.id, image.digest)).collect();
        prop_assert_eq!(decided, seen);
    }

    #[test]
    fn the_order_of_digests_decides_nothing(world in world(), order in Just((0..16_u8).collect::<Vec<_>>()).prop_shuffle()) {
        let reordered = World { order, ..world.clone() };
        prop_assert_eq!(world.deletions(), reordered.deletions());
    }

    #[test]
    fn the_order_of_rules_decides_nothing_but_the_reason(world in world()) {
        let mut reversed = world.clone();
        reversed.keep.reverse();
        reversed.delete.reverse();
        prop_assert_eq!(world.deletions(), reversed.deletions());
    }

    #[test]
    fn a_use_adds_no_deletion_and_saves_all_that_reaches_it(world in world(), used in 0..9_usize) {
        let used = used % world.images.len();
        let mut more = world.clone();
        more.used.insert(used);
        let deletions = more.deletions();
        prop_assert!(deletions.is_subset(&world.deletions()));
        let is_saved = |place: &usize| !more.reached_from(*place).contains(&used);
        prop_assert!(deletions.iter().all(is_saved), "{:?}", deletions);
    }

    #[test]
    fn a_keep_rule_adds_no_deletion(world in world(), rule in keep_rule()) {
        let mut more = world.clone();
        more.keep.push(rule);
        prop_assert!(more.deletions().is_subset(&world.deletions()));
    }

    #[test]
    fn a_tag_that_is_kept_saves_its_family_and_costs_no_other(world in world(), place in 0..9_usize) {
        let place = place % world.images.len();
        let mut more = world.clone();
        more.keep.push(ocird_model::KeepRule {
            tags: Some(crate::fleet::patterns(&["held"])),
            ..ocird_model::KeepRule::named("hold".parse().unwrap())
        });
        more.tags.insert("held", (place, world.images[place].time));
        let deletions = more.deletions();
        prop_assert!(deletions.iter().all(|gone| !more.reached_from(*gone).contains(&place)));
        // A first plain tag may take a place among the newest; a further one of the same age takes nobody's.
        let had_a_tag = world.tags.values().any(|(on, _)| *on == place);
        if had_a_tag || !world.is_head(place) {
            prop_assert!(deletions.is_subset(&world.deletions()));
        }
    }

    #[test]
    fn a_fresh_untagged_index_adds_no_deletion_whatever_it_names(
        world in world(),
        children in proptest::collection::btree_set(0..9_usize, 1..4),
    ) {
        let world = world.unforeseeing();
        let more = world.push(Spec { time: Time::HalfDaysAgo(0), children, ..Spec::default() });
        prop_assert!(more.deletions().is_subset(&world.deletions()));
    }

    #[test]
    fn an_old_untagged_index_costs_no_tagged_head(
        world in world(),
        children in proptest::collection::btree_set(0..9_usize, 1..4),
        half_days in 0..60_i64,
    ) {
        let world = world.unforeseeing();
        let more = world.push(Spec { time: Time::HalfDaysAgo(half_days), children, ..Spec::default() });
        let before = world.deletions();
        for place in more.deletions().difference(&before).filter(|place| **place < world.images.len()) {
            let is_tagged = world.tags.values().any(|(on, _)| on == place);
            prop_assert!(!(is_tagged && world.is_head(*place)), "{} goes", place);
        }
    }

    #[test]
    fn a_fresh_referrer_adds_no_deletion_and_saves_its_subject(world in world(), subject in 0..9_usize) {
        let subject = subject % world.images.len();
        let world = world.unforeseeing();
        let more = world.push(Spec {
            time: Time::HalfDaysAgo(0),
            ties: BTreeSet::from([subject]),
            ..Spec::default()
        });
        let deletions = more.deletions();
        prop_assert!(deletions.is_subset(&world.deletions()));
        prop_assert!(deletions.iter().all(|gone| !more.reached_from(*gone).contains(&subject)));
    }

    #[test]
    fn losing_a_source_leaves_no_deletion(world in world()) {
        let doubtful = World { is_doubtful: true, ..world };
        prop_assert_eq!(doubtful.deletions(), BTreeSet::new());
    }

    #[test]
    fn a_piece_of_knowledge_lost_adds_no_deletion(world in world(), place in 0..9_usize, piece in 0..3_u8) {
        let mut less = world.clone();
        let image = place % world.images.len();
        let image = &mut less.images[image];
        match piece {
            0 => image.is_read = false,
            1 => image.bears = None,
            _ => image.layers = None,
        }
        prop_assert!(less.deletions().is_subset(&world.deletions()));
    }

    #[test]
    fn a_pull_adds_no_deletion(world in world(), place in 0..9_usize, half_days in 0..60_i64) {
        let mut more = world.clone();
        let image = place % world.images.len();
        let pulled = &mut more.images[image].pulled;
        // A registry only ever gives the newest.
        *pulled = match *pulled {
            Some(Time::HalfDaysAgo(before)) => Some(Time::HalfDaysAgo(before.min(half_days))),
            None => Some(Time::HalfDaysAgo(half_days)),
            other => other,
        };
        prop_assert!(more.deletions().is_subset(&world.deletions()));
    }

    #[test]
    fn what_stays_loses_nothing_that_it_reaches(world in world()) {
        let deletions = world.deletions();
        for kept in (0..world.images.len()).filter(|place| !deletions.contains(place)) {
            let lost: Vec<_> = world.reached_from(kept).intersection(&deletions).copied().collect();
            prop_assert!(lost.is_empty(), "{} stays and loses {:?}", kept, lost);
        }
    }

    #[test]
    fn planning_again_after_acting_adds_no_family(mut world in world()) {
        // A tagged member is no rest afterwards, but an image of its own, with a mark and a grace to come.
        let heads: BTreeSet<usize> = (0..world.images.len()).filter(|place| world.is_head(*place)).collect();
        world.tags.retain(|_, (place, _)| heads.contains(place));
        let fleet = world.build();
        let first = fleet.decisions();
        let went = |verdict: &Verdict| match verdict {
            Verdict::Delete(DeleteReason::Rule { rule: _ } | DeleteReason::Rest) => true,
            Verdict::Delete(DeleteReason::WithHead { rule: _ }) | Verdict::Keep(_) => false,
        };
        let mut after = fleet.clone();
        for decision in &first {
            if went(&decision.verdict) {
                after.repository.images.retain(|image| image.digest != decision.digest);
            } else if decision.verdict.is_delete() {
                after.repository.rests.insert(decision.digest, decision.head);
            }
        }
        let belonged = |digest: &Digest| world.rests.is_empty() || world.is_head(World::place(digest))
            || first.iter().any(|d| d.digest == *digest && d.verdict.is_delete());
        for decision in after.decisions() {
            // Only what a rest carried besides may now be a family of its own.
            if matches!(decision.verdict, Verdict::Delete(DeleteReason::Rule { rule: _ })) {
                prop_assert!(!belonged(&decision.digest), "{:?} is new", decision);
            }
        }
    }

    #[test]
    fn every_keep_turned_into_a_deletion_is_refused(world in world(), number in 0..3_usize) {
        let fleet = world.build();
        let plan = fleet.plan();
        let rule = world.delete[number % world.delete.len()].name.clone();
        for (place, decision) in decisions(&plan).iter().enumerate() {
            if decision.verdict.is_delete() {
                continue;
            }
            let head = decision.head;
            for (head, reason) in [
                (decision.digest, DeleteReason::Rule { rule: rule.clone() }),
                (head, DeleteReason::WithHead { rule: rule.clone() }),
                (decision.digest, DeleteReason::Rest),
            ] {
                let mut wrong = plan.clone();
                let all = match wrong.repositories.values_mut().next().unwrap() {
                    ocird_model::RepositoryPlan::Decided { id: _, decisions } => decisions,
                    ocird_model::RepositoryPlan::Undecided { id: _, why } => panic!("{why}"),
                };
                all[place].head = head;
                all[place].verdict = Verdict::Delete(reason);
                let refused = check(wrong, &fleet.inventory(), &fleet.policies, &fleet.in_use, now());
                prop_assert!(refused.is_err(), "flipping {:?} was not noticed", decision);
            }
        }
    }

    #[test]
    fn the_same_input_gives_the_same_plan(world in world()) {
        let fleet = world.build();
        let again = plan(&fleet.inventory(), &fleet.policies, &fleet.in_use, now());
        prop_assert_eq!(fleet.plan(), again);
    }
}

#[test]
fn the_worlds_hold_enough_of_everything_to_test_the_laws() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reasons = std::collections::BTreeMap::<&str, u32>::new();
    for _ in 0..1000 {
        let world = world().new_tree(&mut runner).unwrap().current();
        for decision in world.build().decisions() {
            *reasons.entry(decision.verdict.as_str()).or_default() += 1;
        }
    }
    for reason in [
        "delete_rule",
        "with_head",
        "rest_of_family",
        "opaque",
        "in_use",
        "in_use_unknown",
        "keep_rule",
        "time_implausible",
        "floor",
        "too_young",
        "child_of_kept",
        "referrer_of_kept",
        "references_unknown",
        "not_selected",
    ] {
        assert!(reasons.get(reason).is_some_and(|n_times| *n_times >= 20), "{reason} of {reasons:?}");
    }
}
