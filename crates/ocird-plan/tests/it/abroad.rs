//! Signatures and attestations that lie in another repository than what they speak about.

use ocird_model::{DeleteReason, DeleteRule, EcrTags, KeepReason, Plan, RepositoryPlan, Selects, Verdict};

use crate::ecr::{beyond, document, in_days};
use crate::estate::Estate;
use crate::fleet::{Fleet, days, digest, patterns, tie};

/// An image in one repository, and in another its signature by tag, its attestation by subject, and an orphan.
fn estate() -> Estate {
    let api = Fleet::new().image("app", days(90), &["v1"]);
    let signatures = Fleet::new()
        .signature("sig", days(90), "app")
        .referrer("att", days(90), "app")
        .signature("lost", days(90), "nowhere")
        .image("new", days(2), &["v9"])
        .delete_old();
    Estate::of(&[("api", api), ("signatures", signatures)])
}

fn by_name(estate: &mut Estate) {
    let ties = Selects::Tags(patterns(&["sha256-*"]));
    let fleet = estate.fleet("signatures");
    *fleet = fleet.clone().delete("ties", ties, None);
}

fn without_the_image(mut estate: Estate) -> Estate {
    estate.fleet("api").repository.images.clear();
    estate
}

#[test]
fn what_speaks_about_an_image_of_another_repository_stays_with_it() {
    let mut estate = estate();
    by_name(&mut estate);
    assert_eq!(
        estate.verdict("signatures", "sig"),
        Verdict::Keep(KeepReason::ReferrerOf { subject: digest("app") })
    );
    assert_eq!(
        estate.verdict("signatures", "att"),
        Verdict::Keep(KeepReason::ReferrerOf { subject: digest("app") })
    );
    assert!(estate.goes("signatures", "lost"));
    let after = without_the_image(estate);
    assert!(after.goes("signatures", "sig") && after.goes("signatures", "att"));
}

#[test]
fn only_a_rule_that_spells_the_tags_out_takes_a_signature_of_nothing() {
    let mut orphans = without_the_image(estate());
    assert_eq!(orphans.verdict("signatures", "sig"), Verdict::Keep(KeepReason::NotSelected));
    assert!(orphans.goes("signatures", "att"), "what bears no tag is an untagged image like any other");
    let fleet = orphans.fleet("signatures");
    *fleet = fleet.clone().with("att", |image| {
        image.tags.insert("sbom-1".parse().unwrap(), image.created_at);
    });
    assert!(!orphans.goes("signatures", "att"), "it has a name, but speaks about something else");
    by_name(&mut orphans);
    assert!(orphans.goes("signatures", "sig") && !orphans.goes("signatures", "att"));
}

#[test]
fn a_repository_that_cannot_be_read_may_have_what_they_speak_about() {
    let mut unread = estate().unreadable("api");
    by_name(&mut unread);
    for name in ["sig", "att", "lost"] {
        assert_eq!(
            unread.verdict("signatures", name),
            Verdict::Keep(KeepReason::ReferencesUnknown),
            "{name}"
        );
    }
}

#[test]
fn a_compartment_that_cannot_be_listed_may_have_what_they_speak_about() {
    let mut unlisted = estate().unlisted("api");
    by_name(&mut unlisted);
    for name in ["sig", "att", "lost"] {
        assert_eq!(
            unlisted.verdict("signatures", name),
            Verdict::Keep(KeepReason::ReferencesUnknown),
            "{name}"
        );
        let words = refused(&unlisted, name, "ties");
        let wanted = format!("S-7 signatures@{}", &digest(name).hex()[..12]);
        assert!(words.contains(&wanted), "{words}");
    }
}

#[test]
fn a_lifecycle_rule_about_any_image_neither_takes_nor_counts_them() {
    let lifecycle = |rules| {
        let mut estate = without_the_image(estate());
        let fleet = estate.fleet("signatures");
        *fleet = fleet.clone().image("old", days(95), &["v1"]).image("older", days(99), &["v0"]);
        fleet.policies.policies[0].delete = ocird_model::EcrSelection::rules(document(rules));
        estate
    };
    let any = lifecycle(vec![(1, EcrTags::Any, beyond(2))]);
    assert!(any.goes("signatures", "older"));
    assert!(["sig", "att", "lost", "old", "new"].iter().all(|name| !any.goes("signatures", name)));
    let pattern = EcrTags::Patterns(vec![ocird_model::EcrPattern::new("*.sig").unwrap()]);
    let by_name = lifecycle(vec![(1, pattern, in_days(30)), (2, EcrTags::Any, beyond(9))]);
    assert!(by_name.goes("signatures", "sig") && !by_name.goes("signatures", "old"));
}

#[test]
fn what_is_left_of_a_deleted_index_is_an_image_each_to_a_lifecycle_document() {
    let mut fleet = Fleet::new()
        .image("amd", days(5), &[])
        .image("arm", days(5), &[])
        .image("new", days(2), &["v3"])
        .image("old", days(9), &["v1"]);
    fleet.policies.policies[0].delete =
        ocird_model::EcrSelection::rules(document(vec![(1, EcrTags::Any, beyond(3))]));
    assert!(fleet.goes("old"), "the two that nothing names any more take a place each");
    let rests = fleet.rest("amd", "gone").rest("arm", "gone");
    assert!(!rests.goes("old"), "and what ocird left of a family takes none");
}

#[test]
fn a_rest_stays_while_another_repository_has_what_it_speaks_about() {
    let mut estate = estate();
    let fleet = estate.fleet("signatures");
    *fleet = fleet.clone().rest("sig", "app").rest("lost", "nowhere");
    assert!(!estate.goes("signatures", "sig") && estate.goes("signatures", "lost"));
    assert!(without_the_image(estate).goes("signatures", "sig"));
}

#[test]
fn a_head_over_a_signature_of_another_image_stays_with_that() {
    let mut estate = estate();
    let fleet = estate.fleet("signatures");
    *fleet = fleet.clone().index("bundle", days(90), &["v2"], &["sig"]);
    assert!(!estate.goes("signatures", "bundle"));
    let mut after = without_the_image(estate);
    assert!(!after.goes("signatures", "bundle"), "no rule spells out all its tags");
    by_name(&mut after);
    assert!(!after.goes("signatures", "bundle"));
    let fleet = after.fleet("signatures");
    *fleet = fleet.clone().delete("all", Selects::Tags(patterns(&["*"])), None);
    assert!(after.goes("signatures", "bundle") && after.goes("signatures", "sig"));
}

fn refused(estate: &Estate, image: &str, rule: &str) -> String {
    let mut plan: Plan = estate.plan();
    let Some(RepositoryPlan::Decided { id: _, decisions }) =
        plan.repositories.get_mut(&"signatures".parse().unwrap())
    else {
        panic!("it was read whole");
    };
    let decision = decisions.iter_mut().find(|decision| decision.digest == digest(image)).unwrap();
    decision.verdict = Verdict::Delete(DeleteReason::Rule { rule: rule.parse().unwrap() });
    estate.check(plan).map(drop).unwrap_err().to_string()
}

#[test]
fn the_check_refuses_each_deletion_of_what_speaks_abroad() {
    let mut watched = estate();
    by_name(&mut watched);
    assert!(
        refused(&watched, "sig", "ties").contains("S-6 signatures@736967000000: what it or what it carries")
    );
    assert!(refused(&watched, "att", "old untagged").contains("S-6"));
    let unread = watched.unreadable("api");
    assert!(
        refused(&unread, "lost", "ties").contains("S-7 signatures@6c6f73740000: what it or what it carries")
    );
    let orphans = without_the_image(estate());
    assert!(refused(&orphans, "sig", "old").contains("S-18"));
}

#[test]
fn a_tie_in_the_same_repository_is_no_matter_of_others() {
    let signed = Fleet::new()
        .image("app", days(90), &["v1"])
        .image("sig", days(90), &[&tie(digest("app"), ".sig")])
        .image("new", days(2), &["v9"])
        .delete_rule(DeleteRule::about("all".parse().unwrap(), Selects::Tagged));
    let copy = Fleet::new().image("app", days(90), &["v1"]);
    let estate = Estate::of(&[("api", signed), ("copy", copy)]);
    assert!(estate.goes("api", "app") && estate.goes("api", "sig"));
}
