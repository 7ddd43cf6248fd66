//! One test for each kind: it appears, and it clears.

use ocird_model::{
    EcrCount, EcrLifecycle, EcrRule, EcrSelection, EcrTags, OpaqueReason, RepositoryName, Target, Use,
    UseKind,
};
use ocird_oci::AuthToken;
use ocird_store::{RefusedPlan, Stop};

use super::*;
use crate::config::{Home, Recommended, WatchedUser};
use crate::status::RefusalCode;

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

#[test]
fn a_registry_in_order_has_no_findings() {
    World::new().assert_nothing_is_odd();
}

#[test]
fn a_repository_without_a_policy_is_told_until_one_claims_it() {
    let mut world = World::new();
    world.add("base", 4);
    let found = world.only(FindingKind::NoPolicy, "base");
    assert_eq!(found.what, "base has no policy, so nothing of it ever goes.");
    world.policies.policies.push(policy("base", "base"));
    world.assert_nothing_is_odd();
}

#[test]
fn a_repository_that_two_policies_claim_is_a_problem_until_they_agree() {
    let mut world = World::new();
    world.policies.policies.push(policy("docs", "*-docs"));
    let found = world.only(FindingKind::Contested, "mgh-docs");
    assert_eq!(found.severity, Severity::Problem);
    assert!(found.what.contains("mgh and docs"), "{found:?}");
    world.policies.policies.pop();
    world.assert_nothing_is_odd();
}

#[test]
fn refused_policies_are_told_until_a_reload_succeeds() {
    let mut world = World::new();
    world.refused_policies = Some("mgh.toml:2:1: todo-* is not within mgh-*".to_owned());
    let found = world.only(FindingKind::PoliciesRefused, "");
    assert!(found.what.contains("todo-* is not within mgh-*"), "{found:?}");
    world.refused_policies = None;
    world.assert_nothing_is_odd();
}

#[test]
fn a_policy_without_an_early_rule_for_untagged_images_is_loose() {
    let mut world = World::new();
    world.config.recommended.untagged_older_than = Some(TimeDelta::days(14));
    world.assert_nothing_is_odd();
    world.policy("mgh").delete[0].older_than = Some(TimeDelta::days(15));
    let found = world.only(FindingKind::LoosePolicy, "mgh");
    assert!(found.what.contains("untagged images at 14 d"), "{found:?}");
    world.policy("mgh").delete[0].older_than = Some(TimeDelta::days(3));
    world.assert_nothing_is_odd();
    world.policy("mgh").delete[0].not_pulled_for = Some(TimeDelta::days(3));
    world.only(FindingKind::LoosePolicy, "mgh");
}

#[test]
fn a_policy_that_takes_tagged_images_and_keeps_too_few_is_loose() {
    let mut world = World::new();
    world.config.recommended.keep_newest = 5.try_into().ok();
    world.assert_nothing_is_odd();
    let tagged = DeleteRule {
        older_than: Some(TimeDelta::days(90)),
        ..DeleteRule::about("old".parse().unwrap(), Selects::Tagged)
    };
    world.policy("mgh").delete.push(tagged);
    world.only(FindingKind::LoosePolicy, "mgh");
    world.policy("mgh").keep[0].newest = 5.try_into().ok();
    world.assert_nothing_is_odd();
    world.policy("mgh").keep[0].unless_usage_above = Some(Bytes(1_000_000_000));
    assert!(world.found().iter().any(|finding| finding.kind == FindingKind::LoosePolicy));
    world.policies.guardrails.min_newest = 5.try_into().unwrap();
    world.assert_nothing_is_odd();
}

#[test]
fn a_lifecycle_document_is_held_to_the_same_recommendations() {
    let rules = |tags: EcrTags, expires: EcrCount| {
        let (priority, name) = (1.try_into().unwrap(), "document".parse().unwrap());
        EcrSelection::rules(EcrLifecycle::new(vec![EcrRule { priority, name, tags, expires }]).unwrap())
    };
    let days = |n: u32| EcrCount::DaysSincePush(n.try_into().unwrap());
    let prefixes = EcrTags::Prefixes(vec!["v".to_owned()]);
    let newest = EcrCount::BeyondNewest(9.try_into().unwrap());
    for (tags, expires, clears_untagged, takes_tagged) in [
        (EcrTags::Untagged, days(14), true, false),
        (EcrTags::Untagged, days(15), false, false),
        (EcrTags::Untagged, newest, false, false),
        (EcrTags::Any, days(14), true, true),
        (prefixes, days(14), false, true),
    ] {
        let mut world = World::new();
        world.policy("mgh").delete = rules(tags.clone(), expires);
        world.config.recommended.untagged_older_than = Some(TimeDelta::days(14));
        assert_eq!(world.found().is_empty(), clears_untagged, "{tags:?} {expires:?}");
        world.config.recommended = Recommended { keep_newest: 5.try_into().ok(), ..Recommended::default() };
        assert_eq!(!world.found().is_empty(), takes_tagged, "{tags:?} {expires:?}");
    }
}

#[test]
fn a_public_repository_is_warned_of_and_only_mentioned_where_it_is_meant() {
    let mut world = World::new();
    world.row("mgh-docs").is_public = true;
    assert_eq!(world.only(FindingKind::Public, "mgh-docs").severity, Severity::Warning);
    world.policy("mgh").enforce_public = true;
    assert_eq!(world.only(FindingKind::Public, "mgh-docs").severity, Severity::Info);
    world.row("mgh-docs").is_public = false;
    world.assert_nothing_is_odd();
}

#[test]
fn a_repository_outside_the_compartments_of_its_project_is_misplaced() {
    let mut world = World::new();
    let elsewhere = "ocid1.compartment.oc1..elsewhere";
    world.config.homes = vec![Home {
        project: "mgh".to_owned(),
        repositories: patterns("mgh-*"),
        compartments: [elsewhere.parse().unwrap()].into(),
    }];
    let found = world.only(FindingKind::Misplaced, "mgh-docs");
    assert!(found.what.contains("ocid1.compartment.oc1..ours"), "{found:?}");
    world.row("mgh-docs").compartment = elsewhere.parse().unwrap();
    world.assert_nothing_is_odd();
}

#[test]
fn a_name_that_fits_no_rule_and_no_project_is_misnamed() {
    let mut world = World::new();
    world.config.naming = vec!["{project}-d*".parse().unwrap()];
    world.only(FindingKind::Misnamed, "todo-api");
    world.projects = Some(BTreeMap::from([("todo".to_owned(), patterns("todo-a*"))]));
    world.assert_nothing_is_odd();
    world.projects = None;
    world.config.naming.push("todo-???".parse().unwrap());
    world.assert_nothing_is_odd();
}

#[test]
fn an_expected_repository_is_missed_until_it_is_there() {
    let mut world = World::new();
    world.config.expected = [name("mgh-website"), name("mgh-docs")].into();
    assert_eq!(world.only(FindingKind::Missing, "mgh-website").severity, Severity::Problem);
    world.add("mgh-website", 3);
    world.assert_nothing_is_odd();
}

#[test]
fn a_mutable_repository_is_told_where_it_should_not_be_and_stands_while_nobody_answers() {
    let mut world = World::new();
    world.config.immutable = Some(patterns("*-docs"));
    world.assert_nothing_is_odd();
    let id = world.row("mgh-docs").id.clone();
    world.answers.is_immutable.insert(id.clone(), false);
    world.only(FindingKind::Mutable, "mgh-docs");
    world.live(24);
    world.answers.is_immutable.clear();
    world.only(FindingKind::Mutable, "mgh-docs");
    world.answers.is_immutable.insert(id, true);
    world.assert_nothing_is_odd();
}

#[test]
fn a_policy_that_matches_no_repository_is_idle() {
    let mut world = World::new();
    world.policies.policies.push(policy("typo", "mhg-*"));
    world.only(FindingKind::IdlePolicy, "typo");
    world.policy("typo").repositories = patterns("none-*");
    world.add("none-yet", 3);
    world.assert_nothing_is_odd();
}

#[test]
fn a_keep_rule_that_holds_nothing_is_idle_unless_a_repository_could_not_be_read() {
    let mut world = World::new();
    let idle = KeepRule { tags: Some(patterns("prod")), ..KeepRule::named("prod".parse().unwrap()) };
    world.policy("mgh").keep.push(idle);
    let found = world.only(FindingKind::IdleKeepRule, "mgh");
    assert!(found.what.ends_with("hold nothing: \"prod\"."), "{found:?}");
    let mut unreadable = World { policies: world.policies.clone(), ..World::new() };
    unreadable.make_unreadable("mgh-docs");
    unreadable.only(FindingKind::Unreadable, "mgh-docs");
    world.policy("mgh").keep[1].tags = Some(patterns("v1"));
    world.assert_nothing_is_odd();
}

#[test]
fn a_delete_rule_that_takes_more_than_half_of_what_is_tagged_is_wide() {
    let mut world = World::new();
    world.policies.guardrails.min_newest = 1.try_into().unwrap();
    let tagged = DeleteRule {
        older_than: Some(TimeDelta::days(12)),
        ..DeleteRule::about("old".parse().unwrap(), Selects::Tagged)
    };
    world.policy("mgh").delete.push(tagged);
    world.assert_nothing_is_odd();
    world.policy("mgh").keep[0].newest = 1.try_into().ok();
    world.assert_nothing_is_odd();
    world.policy("mgh").delete[1].older_than = Some(TimeDelta::days(11));
    let found = world.only(FindingKind::WideDeleteRule, "mgh-docs");
    assert!(
        found.what.contains("Of the 4 tagged families of mgh-docs, delete rule \"old\" takes 3"),
        "{found:?}"
    );
    world.live(1);
    world.make_unreadable("mgh-docs");
    assert!(world.found().contains(&found), "what could not be seen is not cleared");
}

#[test]
fn usage_is_warned_of_and_a_problem_from_the_budget_on() {
    let mut world = World::new();
    (world.config.warn_at, world.config.budget) = (Some(Bytes(8_009_000)), Some(Bytes(10_000_000)));
    world.assert_nothing_is_odd();
    world.config.warn_at = Some(Bytes(8_008_000));
    assert_eq!(world.only(FindingKind::NearBudget, "").severity, Severity::Warning);
    world.config.budget = Some(Bytes(8_008_000));
    let found = world.only(FindingKind::NearBudget, "");
    assert_eq!(
        (found.severity, &*found.what),
        (Severity::Problem, "Usage is 8.0 MB, and the budget is 8.0 MB.")
    );
    world.live(1);
    world.repository("mgh-docs").images[0].layers = None;
    assert_eq!(world.found(), [found], "usage is not known now");
}

#[test]
fn the_limit_on_repositories_is_told_before_it_is_reached() {
    let mut world = World::new();
    for n in 3..400 {
        world.add(&format!("mgh-{n}"), 1);
    }
    world.assert_nothing_is_odd();
    world.add("mgh-400", 1);
    let found = world.only(FindingKind::NearRepositoryLimit, "");
    assert!(found.what.contains("400 repositories") && found.what.contains("at most 500"), "{found:?}");
}

#[test]
fn the_limit_on_images_is_told_before_it_is_reached_even_of_what_cannot_be_read() {
    let mut world = World::new();
    world.make_unreadable("mgh-docs");
    world.row("mgh-docs").n_images = 79_999;
    world.only(FindingKind::Unreadable, "mgh-docs");
    world.row("mgh-docs").n_images = 80_000;
    let near = world.found().into_iter().find(|finding| finding.kind == FindingKind::NearImageLimit);
    assert_eq!(near.unwrap().severity, Severity::Warning);
}

fn token(description: &str, age: TimeDelta, at: DateTime<Utc>) -> AuthToken {
    AuthToken {
        id: "ocid1.credential.oc1..x".to_owned(),
        description: description.to_owned(),
        created_at: Some(at - age),
        expires_at: None,
        state: "ACTIVE".to_owned(),
    }
}

/// A world that watches one user, who has these tokens.
fn with_tokens(tokens: impl IntoIterator<Item = (&'static str, i64)>) -> World {
    let mut world = World::new();
    let user: ocird_model::UserId = "ocid1.user.oc1..ci".parse().unwrap();
    let tokens =
        tokens.into_iter().map(|(name, days)| token(name, TimeDelta::days(days), world.at)).collect();
    world.answers.tokens.insert(user.clone(), Tokens::Listed(tokens));
    world.config.auth_tokens =
        vec![WatchedUser { user, name: "ci".to_owned(), rotate_after: TimeDelta::days(90) }];
    world
}

#[test]
fn a_token_older_than_its_rotation_is_told_and_how_to_make_room_for_another() {
    with_tokens([("laptop", 90)]).assert_nothing_is_odd();
    let one = with_tokens([("laptop", 91)]).only(FindingKind::TokenOverdue, "ci");
    assert!(one.what.contains("\"laptop\", 91 d old") && one.remedy.starts_with("Make a second"), "{one:?}");
    let two = with_tokens([("laptop", 3), ("server", 120)]).only(FindingKind::TokenOverdue, "ci");
    assert!(!two.what.contains("laptop") && two.remedy.contains("both are there"), "{two:?}");
}

#[test]
fn a_token_with_which_nobody_can_log_in_may_be_of_any_age() {
    let mut world = with_tokens([("off", 200), ("ended", 200)]);
    let at = world.at;
    for tokens in world.answers.tokens.values_mut() {
        let Tokens::Listed(tokens) = tokens else { panic!("{tokens:?}") };
        tokens[0].state = "INACTIVE".to_owned();
        tokens[1].expires_at = Some(at);
    }
    world.assert_nothing_is_odd();
}

#[test]
fn tokens_that_cannot_be_read_are_a_finding_with_the_statement_that_is_missing() {
    let mut world = with_tokens([("laptop", 91)]);
    world.live(24);
    let unreadable = Tokens::Unreadable { why: "ListAuthTokens failed (not_found)".to_owned() };
    world.answers.tokens.values_mut().for_each(|tokens| *tokens = unreadable.clone());
    let found = world.found();
    let kinds: Vec<FindingKind> = found.iter().map(|finding| finding.kind).collect();
    assert_eq!(
        kinds,
        [FindingKind::TokenOverdue, FindingKind::TokenUnreadable],
        "what is old does not grow younger"
    );
    assert!(found[1].remedy.contains("to read users in tenancy"), "{:?}", found[1]);
    world.live(1);
    world.answers.tokens.clear();
    assert_eq!(world.found(), found, "nobody has asked again yet");
}

#[test]
fn a_token_without_a_date_is_not_taken_for_a_young_one() {
    let mut world = with_tokens([("laptop", 3)]);
    for tokens in world.answers.tokens.values_mut() {
        let Tokens::Listed(tokens) = tokens else { panic!("{tokens:?}") };
        tokens[0].created_at = None;
    }
    world.only(FindingKind::TokenUnreadable, "ci");
}

fn gone(at: DateTime<Utc>, n_images: u64) -> Vanished {
    let digests = (1..=n_images.min(3)).map(|n| Digest::from_bytes([u8::try_from(n).unwrap(); 32])).collect();
    Vanished { repository: name("mgh-docs"), at, n_images, digests }
}

#[test]
fn one_image_that_went_by_another_hand_is_asked_about_and_a_habit_is_a_problem() {
    let mut world = World::new();
    let once = gone(world.at, 1);
    for (events, severity) in [
        (vec![once.clone()], Severity::Warning),
        (vec![gone(world.at, 2)], Severity::Warning),
        (vec![gone(world.at, 3)], Severity::Problem),
        (vec![once.clone(), gone(world.at - TimeDelta::hours(1), 1)], Severity::Problem),
    ] {
        world.vanished = Some(events);
        assert_eq!(world.only(FindingKind::Vanished, "mgh-docs").severity, severity, "{:?}", world.vanished);
    }
    world.live(1);
    world.vanished = None;
    world.only(FindingKind::Vanished, "mgh-docs");
    world.vanished = Some(Vec::new());
    world.assert_nothing_is_odd();
}

#[test]
fn a_line_that_cannot_be_reached_is_told_in_the_words_of_the_plan() {
    let mut world = World::new();
    let rule = DeleteRule {
        while_usage_above: Some(Bytes(1_000_000)),
        ..DeleteRule::about("short".parse().unwrap(), Selects::Tagged)
    };
    world.policy("mgh").delete.push(rule);
    let found = world.only(FindingKind::Shortfall, "");
    assert!(found.what.contains("held by keep rules") && found.what.ends_with("line 1.0 MB."), "{found:?}");
    world.policy("mgh").delete[1].while_usage_above = Some(Bytes(100_000_000));
    world.assert_nothing_is_odd();
}

#[test]
fn a_doubt_is_good_to_know_at_once_and_a_problem_after_a_day() {
    let mut world = World::new();
    world.make_unreadable("mgh-docs");
    world.in_use.doubt(Patterns::all(), "no file is there yet");
    world.clock_doubt = Some("it stepped back by 70 s".to_owned());
    let kinds = [FindingKind::Unreadable, FindingKind::InUseUnknown, FindingKind::ClockDoubt];
    let told = |world: &World| -> Vec<(FindingKind, Severity)> {
        world.found().iter().map(|finding| (finding.kind, finding.severity)).collect()
    };
    assert_eq!(told(&world), kinds.map(|kind| (kind, Severity::Info)));
    world.live(23);
    assert_eq!(told(&world), kinds.map(|kind| (kind, Severity::Info)));
    world.live(1);
    assert_eq!(told(&world), kinds.map(|kind| (kind, Severity::Problem)));
    World { standing: world.standing, ..World::new() }.assert_nothing_is_odd();
}

#[test]
fn what_only_a_person_lets_go_on_is_told_with_the_command_that_does() {
    let mut world = World::new();
    let stop = |why: &str| Some(Stop { at: world.at, why: why.to_owned() });
    world.brakes.breaker = stop("three answers were refused");
    world.brakes.freeze = stop("mgh-docs:v1 is needed");
    let why = "201 families are due, and max_plan is 200".to_owned();
    world.brakes.refused =
        Some(RefusedPlan { id: "7".parse().unwrap(), at: world.at, why, families: Vec::new() });
    let told: Vec<(FindingKind, String, String)> =
        world.found().into_iter().map(|finding| (finding.kind, finding.what, finding.remedy)).collect();
    let wanted = [
        (FindingKind::TooMuch, "201 families are due", "`ocird approve 7`"),
        (FindingKind::Breaker, "three answers", "`ocird reset`"),
        (FindingKind::Frozen, "mgh-docs:v1", "`ocird reset`"),
    ];
    assert_eq!(told.len(), wanted.len(), "{told:?}");
    for ((kind, what, remedy), (wanted, words, command)) in told.iter().zip(wanted) {
        assert_eq!(*kind, wanted);
        assert!(what.contains(words) && remedy.contains(command), "{what} {remedy}");
    }
    world.brakes = Brakes::default();
    world.assert_nothing_is_odd();
}

#[test]
fn a_repository_that_shrank_by_another_hand_is_told_and_one_that_is_only_new_is_not() {
    let mut world = World::new();
    let id = world.row("mgh-docs").id.clone();
    let because = |code, text: &str| Refusal { code, text: text.to_owned() };
    world.observe_only.insert(id.clone(), because(RefusalCode::Observing, "it is new"));
    world.assert_nothing_is_odd();
    world.observe_only.insert(id, because(RefusalCode::Shrunk, "the number of its images fell from 14 to 4"));
    let found = world.only(FindingKind::Shrunk, "mgh-docs");
    assert_eq!(found.severity, Severity::Info);
    assert!(found.what.contains("fell from 14 to 4") && found.remedy.contains("48 h"), "{found:?}");
    world.live(24);
    assert_eq!(world.only(FindingKind::Shrunk, "mgh-docs").severity, Severity::Problem);
}

#[test]
fn a_manifest_that_cannot_be_judged_is_named() {
    let mut world = World::new();
    world.repository("mgh-docs").images[1].content = Content::Opaque { reason: OpaqueReason::MediaType };
    let found = world.only(FindingKind::OpaqueManifest, "mgh-docs");
    assert!(
        found.what.contains("020202020202 (media_type)") && found.remedy.contains("schema 1"),
        "{found:?}"
    );
    world.live(1);
    world.make_unreadable("mgh-docs");
    assert!(world.found().contains(&found), "what could not be seen is not cleared");
}

#[test]
fn something_that_runs_and_is_not_in_the_registry_is_a_problem_until_it_is_back() {
    let mut world = World::new();
    let target = |tag: Option<&str>, digest| Target { tag: tag.map(|tag| tag.parse().unwrap()), digest };
    let lost = Digest::from_bytes([0xee; 32]);
    let present = world.repository("mgh-docs").images[0].clone();
    let tag = present.tags.keys().next().unwrap().to_string();
    let uses = [target(Some(&tag), Some(present.digest)), target(None, Some(present.digest))];
    for target in uses {
        world.in_use.add(name("mgh-docs"), Use::running(target, "container docs on milan-1"));
    }
    let previous = Use { kind: UseKind::Previous, ..Use::running(target(None, Some(lost)), "older") };
    world.in_use.add(name("mgh-docs"), previous);
    world.assert_nothing_is_odd();
    let in_order = world.in_use.clone();
    world
        .in_use
        .add(name("mgh-docs"), Use::running(target(Some(&tag), Some(lost)), "container docs on milan-2"));
    let found = world.only(FindingKind::InUseMissing, "mgh-docs");
    assert_eq!(found.severity, Severity::Warning, "its tag still leads somewhere: {found:?}");
    world.in_use.add(name("mgh-docs"), Use::running(target(None, Some(lost)), "container docs on milan-3"));
    let found = world.only(FindingKind::InUseMissing, "mgh-docs");
    assert_eq!(found.severity, Severity::Problem);
    assert!(found.what.contains("container docs on milan-3"), "{found:?}");
    world.in_use = in_order;
    world.assert_nothing_is_odd();
}

#[test]
fn something_that_runs_from_a_repository_that_is_gone_is_told() {
    let mut world = World::new();
    let target = Target { tag: Some("v1".parse().unwrap()), digest: None };
    world.in_use.add(name("mgh-gone"), Use::running(target, "container gone on milan-1"));
    world.only(FindingKind::InUseMissing, "mgh-gone");
}

#[test]
fn a_store_that_cannot_be_copied_is_told_until_it_can() {
    let mut world = World::new();
    world.backup = Check::Failed { text: "no room".to_owned() };
    let found = world.only(FindingKind::BackupFailed, "");
    assert_eq!(found.severity, Severity::Warning);
    assert!(found.what.contains("no room"), "{found:?}");
    world.live(1);
    world.backup = Check::Pending;
    world.only(FindingKind::BackupFailed, "");
    world.backup = Check::Ok;
    assert_eq!(world.found(), []);
}
