//! Marks and what is due (S-14, S-16), and the fingerprint they hang on.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use ocird_model::{
    Bytes, EffectivePolicy, Inventory, Mark, MarkKey, RepositoryId, RepositoryState, ResourceTagPatterns,
    Selects, Unreadable,
};
use ocird_plan::{Due, DueKind, MIN_PASSES, advance, check, due, fingerprint, plan};

use crate::fleet::{Fleet, days, digest, name, now, repository_id};

type Marks = BTreeMap<MarkKey, Mark>;

fn fleet() -> Fleet {
    Fleet::new()
        .image("new", days(2), &["v9"])
        .index("app", days(90), &["v1"], &["arm"])
        .image("arm", days(91), &[])
        .image("old", days(95), &["v0"])
        .delete_old()
}

fn key(head: &str) -> MarkKey {
    MarkKey { repository: repository_id(), head: digest(head) }
}

/// The marks after a pass over this fleet, so many hours after the first.
fn pass(marks: &Marks, fleet: &Fleet, hours: i64) -> Marks {
    advance(marks, &fleet.checked(), &fleet.policies, now() + TimeDelta::hours(hours))
}

/// The marks of passes at these hours.
fn passes(fleet: &Fleet, hours: &[i64]) -> Marks {
    hours.iter().fold(Marks::new(), |marks, hours| pass(&marks, fleet, *hours))
}

fn due_after(fleet: &Fleet, marks: &Marks, hours: i64) -> Vec<Due> {
    let at = now() + TimeDelta::hours(hours);
    due(&fleet.checked(), &fleet.inventory(), marks, &fleet.policies, at, &BTreeSet::new())
}

#[test]
fn without_deletions_there_are_no_marks_and_nothing_is_due() {
    let fleet = Fleet::new().image("new", days(2), &["v9"]);
    assert_eq!(passes(&fleet, &[0, 24, 48]), Marks::new());
    assert_eq!(due_after(&fleet, &Marks::new(), 48), Vec::new());
}

#[test]
fn heads_are_marked_and_members_are_not() {
    let marks = passes(&fleet(), &[0, 1]);
    assert_eq!(marks.keys().cloned().collect::<Vec<_>>(), [key("app"), key("old")]);
    assert_eq!((marks[&key("app")].since, marks[&key("app")].n_passes), (now(), 2));
}

#[test]
fn a_head_is_due_after_enough_passes_and_the_whole_grace() {
    let marks = passes(&fleet(), &[0, 12, 24]);
    assert_eq!(marks[&key("app")].n_passes, MIN_PASSES);
    assert_eq!(due_after(&fleet(), &marks, 24).len(), 2);
    assert_eq!(due_after(&fleet(), &marks, 23), Vec::new());
    assert_eq!(due_after(&fleet(), &passes(&fleet(), &[0, 24]), 24), Vec::new());
}

#[test]
fn the_oldest_is_due_first_and_brings_its_members() {
    let marks = passes(&fleet(), &[0, 12, 24]);
    let due = due_after(&fleet(), &marks, 24);
    let heads: Vec<_> = due.iter().map(|due| due.image().digest).collect();
    assert_eq!(heads, [digest("old"), digest("app")]);
    assert_eq!(due[1].members(), [digest("arm")]);
    assert_eq!((due[1].kind(), due[1].n_passes(), due[1].since()), (DueKind::Head, 3, Some(now())));
    assert_eq!((due[1].rule(), *due[1].head()), ("rule \"old\"".to_owned(), digest("app")));
    assert_eq!((due[1].repository_id(), due[1].repository_name()), (&repository_id(), &name()));
}

#[test]
fn one_contrary_pass_clears_a_mark() {
    let marks = passes(&fleet(), &[0, 12]);
    let marks = pass(&marks, &fleet().used_by_tag("v1"), 18);
    assert!(!marks.contains_key(&key("app")));
    let marks = pass(&marks, &fleet(), 24);
    assert_eq!((marks[&key("app")].n_passes, marks[&key("old")].n_passes), (1, 4));
}

#[test]
fn an_unreadable_pass_speaks_neither_for_nor_against() {
    let fleet = fleet();
    let marks = passes(&fleet, &[0, 12]);
    let state = RepositoryState::Unreadable { id: repository_id(), why: Unreadable::UnknownState };
    for repositories in [BTreeMap::from([(name(), state)]), BTreeMap::new()] {
        let inventory = Inventory { taken_at: now(), repositories, n_unlisted: 0 };
        let proposed = plan(&inventory, &fleet.policies, &fleet.in_use, now());
        let checked = check(proposed, &inventory, &fleet.policies, &fleet.in_use, now()).unwrap();
        assert_eq!(advance(&marks, &checked, &fleet.policies, now() + days(1)), marks);
    }
}

#[test]
fn a_pass_that_does_not_know_what_runs_speaks_neither_for_nor_against() {
    let marks = passes(&fleet(), &[0, 12]);
    let mut doubtful = fleet();
    doubtful.in_use.doubt(crate::fleet::patterns(&["*"]), "nobody answered");
    assert_eq!(pass(&marks, &doubtful, 18), marks, "no older, no riper, and not gone");
    assert_eq!(due_after(&doubtful, &passes(&fleet(), &[0, 12, 24]), 24), Vec::new());
    let marks = pass(&marks, &doubtful.used_by_tag("v1"), 18);
    assert!(!marks.contains_key(&key("app")), "what is known to run contradicts, doubt or not");
    assert!(marks.contains_key(&key("old")));
}

#[test]
fn a_changed_policy_or_guardrail_starts_the_grace_anew() {
    let marks = passes(&fleet(), &[0, 12, 24]);
    let mut guarded = fleet();
    guarded.policies.guardrails.min_age += TimeDelta::hours(1);
    for changed in [fleet().keep("channels", Some(&["prod"]), None), guarded] {
        assert_eq!(due_after(&changed, &marks, 25), Vec::new());
        let marks = pass(&marks, &changed, 25);
        assert_eq!(
            (marks[&key("app")].n_passes, marks[&key("app")].since),
            (1, now() + TimeDelta::hours(25))
        );
    }
}

#[test]
fn a_mark_earned_under_one_rule_ripens_no_deletion_by_another() {
    let fleet = fleet();
    let mut marks = passes(&fleet, &[0, 12, 24]);
    assert_eq!(due_after(&fleet, &marks, 24).len(), 2);
    // The policy is the same: only the rule that takes the image is another by now.
    marks.get_mut(&key("old")).unwrap().rule = "beyond".parse().unwrap();
    let heads = |marks| due_after(&fleet, marks, 25).iter().map(|due| *due.head()).collect::<Vec<_>>();
    assert_eq!(heads(&marks), [digest("app")], "a plan made again before acting may name another rule");
    let marks = pass(&marks, &fleet, 25);
    assert_eq!(heads(&marks), [digest("app")]);
    let mark = &marks[&key("old")];
    assert_eq!((mark.n_passes, mark.since), (1, now() + TimeDelta::hours(25)));
    assert_eq!(mark.rule, "old".parse().unwrap());
}

#[test]
fn a_mark_from_the_future_is_never_ripe() {
    let marks = passes(&fleet(), &[48, 49, 50]);
    assert_eq!(due_after(&fleet(), &marks, 0), Vec::new());
    assert_eq!(pass(&marks, &fleet(), 0)[&key("app")].n_passes, 1);
}

#[test]
fn a_rest_is_due_at_once_and_needs_no_mark() {
    let fleet = fleet().without("app").rest("arm", "app");
    assert_eq!(passes(&fleet, &[0]).len(), 1);
    let due = due_after(&fleet, &Marks::new(), 0);
    assert_eq!(due.len(), 1);
    assert_eq!(
        (due[0].kind(), *due[0].head(), due[0].image().digest),
        (DueKind::Rest, digest("app"), digest("arm"))
    );
    assert_eq!((due[0].since(), due[0].n_passes(), due[0].members()), (None, 0, &[][..]));
}

#[test]
fn nothing_is_due_where_only_observation_is_allowed() {
    let fleet = fleet().rest("arm", "app");
    let marks = passes(&fleet, &[0, 12, 24]);
    let observe_only = BTreeSet::from([repository_id()]);
    let at = now() + TimeDelta::hours(24);
    assert!(!due_after(&fleet, &marks, 24).is_empty());
    let due = due(&fleet.checked(), &fleet.inventory(), &marks, &fleet.policies, at, &observe_only);
    assert_eq!(due, Vec::new());
}

#[test]
fn a_plan_of_another_repository_of_the_same_name_makes_nothing_due() {
    let fleet = fleet();
    let checked = fleet.checked();
    let mut anew = fleet.inventory();
    let id: RepositoryId = "ocid1.containerrepo.oc1..anew".parse().unwrap();
    for state in anew.repositories.values_mut() {
        let RepositoryState::Complete(repository) = state else { panic!("{state:?}") };
        repository.id = id.clone();
    }
    let marks = passes(&fleet, &[0, 12, 24]).into_iter();
    let marks = marks.map(|(key, mark)| (MarkKey { repository: id.clone(), head: key.head }, mark)).collect();
    let at = now() + TimeDelta::hours(24);
    assert_eq!(due(&checked, &anew, &marks, &fleet.policies, at, &BTreeSet::new()), Vec::new());
}

#[test]
fn the_fingerprint_is_the_same_for_ever() {
    let fleet = fleet().keep("channels", Some(&["prod", "v*"]), Some(3));
    // Computed apart from this code, by the definition of FNV-1a over the same fields.
    assert_eq!(fingerprint(fleet.governing(), &fleet.policies.guardrails), 13_048_167_317_875_619_157);
}

#[test]
fn every_part_of_policy_and_guardrails_moves_the_fingerprint() {
    let base = || fleet().keep("channels", Some(&["prod"]), Some(3));
    let change = |change: &dyn Fn(&mut Fleet)| {
        let mut fleet = base();
        change(&mut fleet);
        fingerprint(fleet.governing(), &fleet.policies.guardrails)
    };
    let moved: BTreeSet<u64> = [
        change(&|_| {}),
        change(&|fleet| fleet.policies.guardrails.min_newest = 2.try_into().unwrap()),
        change(&|fleet| fleet.policies.guardrails.min_age = days(2)),
        change(&|fleet| fleet.policies.guardrails.grace = days(2)),
        change(&|fleet| fleet.policies.policies[0].project = "other".to_owned()),
        change(&|fleet| fleet.policies.policies[0].repositories = crate::fleet::patterns(&["ap?"])),
        change(&|fleet| fleet.policies.policies[0].enforce_public = true),
        change(&|fleet| fleet.policies.policies[0].enforce_signed = true),
        change(&|fleet| fleet.policies.policies[0].keep[0].name = "other".parse().unwrap()),
        change(&|fleet| fleet.policies.policies[0].keep[0].tags = None),
        change(&|fleet| fleet.policies.policies[0].keep[0].newest = None),
        change(&|fleet| fleet.policies.policies[0].keep[0].newer_than = Some(days(3))),
        change(&|fleet| fleet.policies.policies[0].keep[0].group_by = Some("^(v)".parse().unwrap())),
        change(&|fleet| fleet.policies.policies[0].keep[0].pulled_within = Some(days(3))),
        change(&|fleet| fleet.policies.policies[0].keep[0].digests = Some([digest("app")].into())),
        change(&|fleet| fleet.policies.policies[0].keep[0].digests = Some([digest("old")].into())),
        change(&|fleet| fleet.policies.policies[0].keep[0].resource_tags = bears("keep", "yes")),
        change(&|fleet| fleet.policies.policies[0].keep[0].resource_tags = bears("keep", "no")),
        change(&|fleet| fleet.policies.policies[0].keep[0].unless_usage_above = Some(Bytes(3))),
        change(&|fleet| fleet.policies.policies[0].delete[0].not_pulled_for = Some(days(3))),
        change(&|fleet| fleet.policies.policies[0].delete[0].while_usage_above = Some(Bytes(3))),
        change(&|fleet| fleet.policies.policies[0].delete[0].selects = Selects::Untagged),
        change(&|fleet| fleet.policies.policies[0].delete[0].older_than = None),
        change(&|fleet| fleet.policies.policies[0].delete.truncate(1)),
        change(&|fleet| fleet.policies.policies[0].keep.clear()),
        change(&|fleet| fleet.policies.policies.clear()),
        change(&|fleet| fleet.policies.policies.push(fleet.policies.policies[0].clone())),
        fingerprint(EffectivePolicy::None, &days_of_grace()),
    ]
    .into();
    assert_eq!(moved.len(), 28);
}

fn bears(name: &str, value: &str) -> Option<ResourceTagPatterns> {
    ResourceTagPatterns::new(BTreeMap::from([(name.to_owned(), value.parse().unwrap())]))
}

fn days_of_grace() -> ocird_model::Guardrails {
    ocird_model::Guardrails { grace: days(7), ..ocird_model::Guardrails::default() }
}
