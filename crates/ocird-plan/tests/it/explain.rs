//! What the planner says about one image agrees with what it decided: the reason of each verdict is found among what the
//! rules, guardrails, uses and references are said to have said.

use ocird_model::{
    Bytes, DeleteReason, DeleteRule, Digest, EcrCount, EcrLifecycle, EcrRule, EcrSelection, EcrTags, Image,
    KeepReason, KeepRule, Selects, Verdict,
};
use ocird_plan::{
    Answer, Asks, Condition, Doubt, Explanation, Family, Governing, Guardrail, Place, Pulled, Testimony,
    Turn, explain, tally,
};
use proptest::prelude::*;

use crate::estate::Estate;
use crate::fleet::{Fleet, days, decisions, digest, name, now};
use crate::line_laws::related;
use crate::world::world;

fn explained(fleet: &Fleet, digest: &Digest) -> Explanation {
    explain(&fleet.inventory(), &fleet.policies, &fleet.in_use, now(), &name(), digest).unwrap()
}

fn answers(conditions: &[Condition]) -> Vec<Answer> {
    conditions.iter().map(|condition| condition.answer).collect()
}

/// Panics unless the reason of the verdict is among what was said.
fn assert_agrees(explanation: &Explanation) {
    let image = &explanation.image;
    let found = match &image.verdict {
        Verdict::Delete(DeleteReason::Rule { rule }) => {
            image.delete.iter().any(|says| says.rule == *rule && says.selects) && is_free(image)
        }
        Verdict::Delete(DeleteReason::WithHead { rule }) => explanation
            .head
            .as_ref()
            .is_some_and(|head| head.verdict == Verdict::Delete(DeleteReason::Rule { rule: rule.clone() })),
        Verdict::Delete(DeleteReason::Rest) => is_free(image) && explanation.holders.is_empty(),
        Verdict::Keep(reason) => agrees_to_keep(explanation, reason),
    };
    assert!(found, "the verdict has no reason among what was said: {explanation:#?}");
    for testimony in explanation.head.iter().chain([image]) {
        assert_conditions_agree(testimony);
    }
}

fn is_free(image: &Testimony) -> bool {
    image.uses.is_empty()
        && !image.keep.iter().any(|says| says.holds)
        && !image.guardrails.iter().any(|says| says.holds)
}

fn agrees_to_keep(explanation: &Explanation, reason: &KeepReason) -> bool {
    let image = &explanation.image;
    let guardrail = |wanted: fn(&Guardrail) -> bool| {
        image.guardrails.iter().any(|says| says.holds && wanted(&says.guardrail))
    };
    let held_by = |digest, names| {
        explanation.holders.iter().any(|holder| holder.digest == digest && holder.names == names)
    };
    match reason {
        KeepReason::Opaque { why: _ } => explanation.opaque.contains(&image.digest),
        KeepReason::InUse { by } | KeepReason::RollbackRoom { by } => {
            image.uses.iter().any(|using| using.by == *by)
        }
        KeepReason::Held { by } => image.holds.iter().any(|held| held.by == *by),
        KeepReason::InUseUnknown => explanation.doubt.is_some(),
        KeepReason::NoPolicy => explanation.policy == Governing::None,
        KeepReason::Contested => matches!(explanation.policy, Governing::Contested { projects: _ }),
        KeepReason::Public => explanation.is_public,
        KeepReason::Rule { rule } => image.keep.iter().any(|says| says.rule == *rule && says.holds),
        KeepReason::TimeImplausible => guardrail(|which| *which == Guardrail::PlausibleTimes),
        KeepReason::Floor => guardrail(|which| matches!(which, Guardrail::MinNewest { .. })),
        KeepReason::TooYoung => guardrail(|which| matches!(which, Guardrail::MinAge { .. })),
        KeepReason::ChildOf { parent } => held_by(*parent, true),
        KeepReason::ReferrerOf { subject } => {
            held_by(*subject, false) || guardrail(|which| matches!(which, Guardrail::SubjectElsewhere { .. }))
        }
        KeepReason::ReferencesUnknown => {
            let is_unread =
                |which: &Guardrail| matches!(which, Guardrail::SubjectElsewhere { is_there: None, .. });
            !explanation.opaque.is_empty() || is_on_a_circle(explanation) || guardrail(is_unread)
        }
        KeepReason::Spared { rule } => {
            image.turn == Some(Turn::Spared) && image.delete.iter().any(|s| s.rule == *rule && s.selects)
        }
        // What is left of a family is no matter of rules: it stays for what somebody tagged below it.
        KeepReason::NotSelected => image.is_rest || !image.delete.iter().any(|says| says.selects),
    }
}

/// A circle shows as an image that belongs to no family, or as a head that something on one hangs below.
fn is_on_a_circle(explanation: &Explanation) -> bool {
    explanation.family == Family::Shared || !explanation.carries.is_empty()
}

/// Panics when a rule is said to hold while a condition of it fails, or the other way round.
fn assert_conditions_agree(image: &Testimony) {
    for says in &image.keep {
        let answers = answers(&says.conditions);
        let all = !answers.contains(&Answer::Fails) && answers.contains(&Answer::Holds);
        assert_eq!(says.itself, all, "{says:?}");
    }
    for says in image.delete.iter().filter(|says| says.line.is_none()) {
        let all = answers(&says.conditions).iter().all(|answer| *answer == Answer::Holds);
        assert_eq!(says.selects, all, "{says:?}");
    }
}

/// Explains every image of an estate against its plan.
fn assert_estate_agrees(estate: &Estate) {
    let plan = estate.plan();
    let (inventory, policies, in_use) = (estate.inventory(), estate.policies(), estate.in_use());
    for repository in inventory.complete() {
        for decision in plan.decisions(&repository.name) {
            let explanation =
                explain(&inventory, &policies, &in_use, now(), &repository.name, &decision.digest).unwrap();
            assert_eq!(explanation.image.verdict, decision.verdict);
            assert_agrees(&explanation);
        }
    }
}

proptest! {
    #[test]
    fn the_explanation_of_every_image_agrees_with_the_plan(world in world()) {
        let fleet = world.build();
        let plan = fleet.plan();
        for decision in decisions(&plan) {
            let explanation = explained(&fleet, &decision.digest);
            prop_assert_eq!(&explanation.image.verdict, &decision.verdict);
            assert_agrees(&explanation);
        }
    }

    #[test]
    fn the_explanation_agrees_with_the_plan_where_lines_are_drawn(lined in related()) {
        assert_estate_agrees(&lined.build());
    }

    #[test]
    fn a_rule_takes_what_it_is_counted_to_take(world in world()) {
        let fleet = world.build();
        let tally = &tally(&fleet.inventory(), &fleet.policies, &fleet.in_use, now())[&name()];
        let heads = (0..world.images.len()).filter(|place| world.is_head(*place));
        let heads: Vec<_> = heads.map(|place| explained(&fleet, &world.digest(place)).image).collect();
        prop_assert_eq!(tally.n_families, heads.len());
        for (number, keep) in tally.keep.iter().enumerate() {
            prop_assert_eq!(keep.n_families, heads.iter().filter(|head| head.keep[number].holds).count());
        }
        for (number, delete) in tally.delete.iter().enumerate() {
            let taken = || heads.iter().filter(|head| head.delete[number].selects);
            prop_assert_eq!(delete.n_families, taken().count());
            prop_assert!(delete.n_free <= delete.n_families && delete.n_tagged <= delete.n_families);
        }
    }
}

#[test]
fn an_image_that_is_not_there_has_no_explanation() {
    let fleet = Fleet::new().image("a", days(40), &["v1"]);
    let ask = |repository: &str, image: &str| {
        let repository = repository.parse().unwrap();
        explain(&fleet.inventory(), &fleet.policies, &fleet.in_use, now(), &repository, &digest(image))
    };
    assert!(ask("api", "a").is_some());
    assert!(ask("api", "b").is_none());
    assert!(ask("web", "a").is_none());
}

#[test]
fn each_rule_says_what_it_found() {
    let fleet = Fleet::new()
        .image("a", days(40), &["v1"])
        .image("b", days(30), &["v2"])
        .image("c", days(20), &["v3"])
        .keep("newest", None, Some(2))
        .keep("prod", Some(&["prod", "v9"]), None)
        .keep_rule(KeepRule { newer_than: Some(days(14)), ..KeepRule::named("new".parse().unwrap()) })
        .delete("old", Selects::Tagged, Some(days(31)));
    let explanation = explained(&fleet, &digest("a"));
    let Explanation { policy, image, family, .. } = &explanation;
    assert_eq!(*policy, Governing::One { project: "mgh".to_owned() });
    assert_eq!(*family, Family::Head { members: Vec::new() });
    assert!(image.verdict.is_delete());
    let place = Place { group: String::new(), rank: 3, of: 3 };
    let newest = Asks::Newest { n: 2, group_by: None, places: vec![place] };
    assert_eq!(image.keep[0].conditions, [Condition { asks: newest, answer: Answer::Fails }]);
    assert!(
        matches!(&image.keep[1].conditions[0].asks, Asks::AnyTag { matching, .. } if matching.is_empty())
    );
    let since = Some(now() - days(40));
    let new = Asks::NewerThan { seconds: days(14).num_seconds(), since };
    assert_eq!(image.keep[2].conditions, [Condition { asks: new, answer: Answer::Fails }]);
    assert_eq!(answers(&image.delete[0].conditions), [Answer::Holds, Answer::Holds]);
    let young = explained(&fleet, &digest("b")).image;
    assert_eq!(answers(&young.delete[0].conditions), [Answer::Holds, Answer::Fails]);
    assert!(young.keep[0].holds && young.keep[0].itself && young.keep[0].through.is_empty());
}

#[test]
fn what_holds_a_family_through_a_member_names_the_member() {
    let fleet = Fleet::new()
        .index("a", days(40), &["v1"], &["child", "lost"])
        .image("child", days(40), &["prod"])
        .image("z", days(1), &["v9"])
        .keep("prod", Some(&["prod"]), None)
        .delete_old()
        .used_by_digest("child");
    let head = explained(&fleet, &digest("a"));
    assert_eq!(head.image.uses[0].image, digest("child"));
    assert!(head.image.keep[0].holds && !head.image.keep[0].itself);
    assert_eq!(head.image.keep[0].through, [digest("child")]);
    assert_eq!(head.family, Family::Head { members: vec![digest("child")] });
    let carried: Vec<_> = head.carries.iter().map(|carried| (carried.digest, carried.goes)).collect();
    assert_eq!(carried, [(digest("child"), Some(false)), (digest("lost"), None)]);
    let child = explained(&fleet, &digest("child"));
    assert_eq!(child.family, Family::Member { head: digest("a") });
    assert_eq!(child.head.unwrap().digest, digest("a"));
    assert!(child.holders[0].names);
}

#[test]
fn doubt_and_an_opaque_manifest_are_named() {
    let mut fleet = Fleet::new().image("a", days(40), &[]).opaque("x", days(40)).delete_old();
    assert_eq!(explained(&fleet, &digest("a")).opaque, [digest("x")]);
    fleet.in_use.expires(now() - days(1));
    assert_eq!(explained(&fleet, &digest("a")).doubt, Some(Doubt::Stale));
    fleet.in_use.doubt(crate::fleet::patterns(&["*"]), "silent");
    let silent = Doubt::Source { why: "silent".to_owned() };
    assert_eq!(explained(&fleet, &digest("a")).doubt, Some(silent));
}

#[test]
fn a_line_says_whether_it_is_exceeded_and_whose_turn_it_was() {
    let rule = DeleteRule {
        while_usage_above: Some(Bytes(250)),
        ..DeleteRule::about("line".parse().unwrap(), Selects::Tagged)
    };
    let fleet =
        ["a", "b", "c", "d"].into_iter().zip([40, 30, 20, 10]).fold(Fleet::new(), |fleet, (name, age)| {
            fleet.image(name, days(age), &[name]).layers(name, &[(name, 100)])
        });
    let fleet = fleet.delete_rule(rule);
    let turn = |name: &str| explained(&fleet, &digest(name)).image.turn;
    assert_eq!(turn("a"), Some(Turn::Goes));
    assert_eq!(turn("c"), Some(Turn::Spared));
    assert_eq!(turn("d"), None, "the floor holds it");
    let line = explained(&fleet, &digest("a")).image.delete[0].line.unwrap();
    assert_eq!((line.line, line.is_exceeded), (Bytes(250), Some(true)));
}

#[test]
fn a_rule_of_a_lifecycle_document_is_shown_as_the_document_has_it() {
    let rule = EcrRule {
        priority: 1.try_into().unwrap(),
        name: "lifecycle rule 1".parse().unwrap(),
        tags: EcrTags::Any,
        expires: EcrCount::BeyondNewest(1.try_into().unwrap()),
    };
    let document = EcrLifecycle::new(vec![rule.clone()]).unwrap();
    let mut fleet = Fleet::new().image("a", days(40), &["v1"]).image("b", days(30), &["v2"]);
    fleet.policies.policies[0].delete = EcrSelection::rules(document);
    let image = explained(&fleet, &digest("a")).image;
    assert!(
        matches!(&image.delete[0].conditions[0].asks, Asks::Lifecycle { rule: said, .. } if *said == rule)
    );
    assert!(image.delete[0].selects && image.verdict.is_delete());
    assert!(!explained(&fleet, &digest("b")).image.delete[0].selects);
}

#[test]
fn a_rule_about_pulls_tells_the_last_one_that_there_was_none_and_that_nobody_knows() {
    let told = |change: fn(&mut Image)| {
        let rule = KeepRule { pulled_within: Some(days(30)), ..KeepRule::named("pulled".parse().unwrap()) };
        let fleet = Fleet::new().image("old", days(90), &["v1"]).keep_rule(rule).with("old", change);
        let conditions = explained(&fleet, &digest("old")).image.keep[0].conditions.clone();
        match conditions.as_slice() {
            [Condition { asks: Asks::PulledWithin { seconds: _, pulled }, answer: _ }] => *pulled,
            others => panic!("{others:?}"),
        }
    };
    let at = now() - days(40);
    assert_eq!(told(|image| image.last_pulled_at = Some(now() - days(40))), Pulled::At { at });
    assert_eq!(told(|image| image.last_pulled_at = None), Pulled::Never);
    assert_eq!(told(|image| image.read_at = None), Pulled::Unknown);
}
