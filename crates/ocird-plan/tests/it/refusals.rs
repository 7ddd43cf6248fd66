//! The check refuses plans that the planner would never make, and names each thing that is wrong.

use insta::assert_snapshot;
use ocird_model::{
    Decision, DeleteReason, KeepReason, Plan, Policies, RepositoryPlan, RepositoryState, Selects, Unreadable,
    Verdict,
};
use ocird_plan::{Violations, check, plan};

use crate::fleet::{Fleet, days, digest, name, now, repository_id};

fn fleet() -> Fleet {
    Fleet::new()
        .image("new", days(2), &["v9"])
        .index("app", days(90), &["v1"], &["arm"])
        .image("arm", days(91), &[])
        .image("web", days(90), &["prod"])
        .delete_old()
        .used_by_tag("prod")
}

fn decisions(plan: &mut Plan) -> &mut Vec<Decision> {
    match plan.repositories.get_mut(&name()).unwrap() {
        RepositoryPlan::Decided { id: _, decisions } => decisions,
        RepositoryPlan::Undecided { id: _, why } => panic!("undecided: {why}"),
    }
}

/// The check of the plan after one change to it.
fn changed(change: impl FnOnce(&mut Plan)) -> Result<(), Violations> {
    let fleet = fleet();
    let mut plan = fleet.plan();
    change(&mut plan);
    check(plan, &fleet.inventory(), &fleet.policies, &fleet.in_use, now()).map(drop)
}

fn refused(change: impl FnOnce(&mut Plan)) -> String {
    changed(change).unwrap_err().to_string()
}

fn set(plan: &mut Plan, image: &str, verdict: Verdict) {
    let decision = decisions(plan).iter_mut().find(|decision| decision.digest == digest(image));
    decision.unwrap().verdict = verdict;
}

fn by_rule(rule: &str) -> Verdict {
    Verdict::Delete(DeleteReason::Rule { rule: rule.parse().unwrap() })
}

#[test]
fn an_unchanged_plan_is_agreed_to() {
    assert_eq!(changed(|_| {}), Ok(()));
}

#[test]
fn more_keeping_is_always_agreed_to() {
    let keep = Verdict::Keep(KeepReason::NotSelected);
    assert_eq!(changed(|plan| set(plan, "arm", keep.clone())), Ok(()));
}

#[test]
fn every_violation_is_named_on_a_line_of_its_own() {
    let text = refused(|plan| {
        set(plan, "web", by_rule("old"));
        set(plan, "new", by_rule("old"));
        set(plan, "app", Verdict::Keep(KeepReason::NotSelected));
    });
    assert!(text.lines().count() >= 4);
    assert_snapshot!(text, @r#"
    S-6 api@61726d000000: 617070000000 holds it and does not go by a rule
    S-6 api@61726d000000: its head does not carry it
    S-13 api@6e6577000000: it or what it carries is among the newest that always stay
    S-8 api@6e6577000000: it is too young for rule "old"
    S-4 api@776562000000: something runs from it or from what it carries
    "#);
}

#[test]
fn a_rule_that_the_policy_does_not_have_is_refused() {
    let text = refused(|plan| set(plan, "app", by_rule("imagined")));
    assert!(text.contains("S-11 api@617070000000: there is no delete rule \"imagined\""), "{text}");
}

#[test]
fn a_rest_that_is_none_is_refused() {
    let text = refused(|plan| set(plan, "app", Verdict::Delete(DeleteReason::Rest)));
    assert!(text.contains("it is no rest of a family whose head is gone"), "{text}");
}

#[test]
fn a_member_that_goes_by_another_rule_than_its_head_is_refused() {
    let fleet = fleet().delete("bare", Selects::Untagged, Some(days(30)));
    let mut plan = fleet.plan();
    set(&mut plan, "arm", Verdict::Delete(DeleteReason::WithHead { rule: "bare".parse().unwrap() }));
    let checked = check(plan, &fleet.inventory(), &fleet.policies, &fleet.in_use, now());
    let text = checked.unwrap_err().to_string();
    assert!(text.contains("by another rule than its head"), "{text}");
}

#[test]
fn a_member_under_a_foreign_head_is_refused() {
    let text = refused(|plan| {
        decisions(plan).iter_mut().find(|d| d.digest == digest("arm")).unwrap().head = digest("new");
    });
    assert!(text.contains("S-6"), "{text}");
}

#[test]
fn a_missing_a_doubled_and_a_swapped_decision_are_refused() {
    assert!(refused(|plan| drop(decisions(plan).pop())).contains("not one decision for every image"));
    let doubled = refused(|plan| {
        let first = decisions(plan)[0].clone();
        decisions(plan).insert(0, first);
    });
    assert!(doubled.contains("S-5") && doubled.contains("S-10"), "{doubled}");
    assert!(refused(|plan| decisions(plan).swap(0, 1)).contains("about another image"));
}

#[test]
fn another_ocid_under_the_same_digest_is_refused() {
    let text = refused(|plan| {
        let other = decisions(plan)[1].image.clone();
        decisions(plan)[0].image = other;
    });
    assert!(text.contains("S-10"), "{text}");
}

#[test]
fn a_repository_left_out_or_invented_is_refused() {
    assert!(refused(|plan| plan.repositories.clear()).contains("the plan leaves it out"));
    let invented = refused(|plan| {
        let copy = plan.repositories[&name()].clone();
        plan.repositories.insert("phantom".parse().unwrap(), copy);
    });
    assert!(invented.contains("S-1 phantom: the plan decides about a repository that was not seen"));
}

#[test]
fn a_repository_of_another_ocid_is_refused() {
    let text = refused(|plan| {
        let decisions = decisions(plan).clone();
        let id = "ocid1.containerrepo.oc1..other".parse().unwrap();
        plan.repositories.insert(name(), RepositoryPlan::Decided { id, decisions });
    });
    assert!(text.contains("S-10 api: the plan names another repository"), "{text}");
}

#[test]
fn decisions_about_an_unreadable_repository_are_refused() {
    let fleet = fleet();
    let mut inventory = fleet.inventory();
    let state = RepositoryState::Unreadable { id: repository_id(), why: Unreadable::UnknownState };
    inventory.repositories.insert(name(), state);
    let refused = check(fleet.plan(), &inventory, &fleet.policies, &fleet.in_use, now()).unwrap_err();
    assert_eq!(refused.to_string(), "S-1 api: it was not read whole, and yet decided about");
}

#[test]
fn a_listing_out_of_order_is_refused_even_where_nothing_goes() {
    let mut fleet = fleet();
    let plan = |fleet: &Fleet| {
        plan(
            &fleet.inventory(),
            &Policies { policies: Vec::new(), ..fleet.policies.clone() },
            &fleet.in_use,
            now(),
        )
    };
    fleet.repository.images.swap(0, 1);
    let refused = check(plan(&fleet), &fleet.inventory(), &fleet.policies, &fleet.in_use, now()).unwrap_err();
    assert!(refused.to_string().contains("S-1 api@"), "{refused}");
    fleet.repository.images[0] = fleet.repository.images[1].clone();
    let refused = check(plan(&fleet), &fleet.inventory(), &fleet.policies, &fleet.in_use, now()).unwrap_err();
    assert!(refused.to_string().contains("names it twice"), "{refused}");
}

#[test]
fn the_youth_of_a_rest_that_a_new_index_names_is_not_overlooked() {
    let fleet = Fleet::new()
        .image("new", days(2), &["v9"])
        .index("app", days(90), &["v1"], &["arm"])
        .image("arm", days(3), &[])
        .rest("arm", "gone")
        .delete_old();
    let mut plan = fleet.plan();
    set(&mut plan, "app", by_rule("old"));
    let refused = check(plan, &fleet.inventory(), &fleet.policies, &fleet.in_use, now()).unwrap_err();
    assert_eq!(refused.to_string(), "S-8 api@617070000000: it is too young for rule \"old\"");
}

#[test]
fn a_plan_from_before_something_was_known_is_refused() {
    let old = fleet();
    let plan = old.plan();
    let mut public = old.clone();
    public.repository.is_public = true;
    let mut ungoverned = old.clone();
    ungoverned.policies.policies.clear();
    let mut stale = old.clone();
    stale.in_use.expires(now() - days(1));
    let worlds = [
        (old.clone().used_by_digest("arm"), "S-4"),
        (stale, "S-4"),
        (old.clone().keep("v1", Some(&["v1"]), None), "S-5"),
        (public, "S-35"),
        (ungoverned, "S-11"),
    ];
    for (world, rule) in worlds {
        let refused = check(plan.clone(), &world.inventory(), &world.policies, &world.in_use, now());
        assert!(refused.unwrap_err().iter().any(|violation| violation.rule == rule), "{rule}");
    }
}
