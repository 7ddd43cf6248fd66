//! The grammar of lifecycle documents: what Amazon's documentation accepts and refuses, and what this registry cannot do.
//! Rows marked moto are of that emulator's list, the others of Amazon's own page.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html>

use ocird_model::{EcrCount, EcrLifecycle, EcrTags};
use serde_json::{Value, json};

use super::super::ecr;
use super::super::source::{Check, Findings, Source};
use super::{Files, LEAST, POLICY};

fn read(text: &str) -> Result<EcrLifecycle, Vec<String>> {
    let source = Source { path: "lifecycle.json".into(), text: text.to_owned() };
    let mut findings = Findings::default();
    let lifecycle = ecr::read(&mut Check { source: &source, has_holes: false, findings: &mut findings });
    let problems = findings.problems.iter().map(ToString::to_string).collect();
    assert_eq!(lifecycle.is_none(), !findings.problems.is_empty(), "{problems:?}");
    lifecycle.ok_or(problems)
}

fn base() -> Value {
    json!({"rules": [{
        "rulePriority": 1,
        "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 30},
        "action": {"type": "expire"},
    }]})
}

/// The base document with one change.
fn with(change: impl FnOnce(&mut Value)) -> String {
    let mut document = base();
    change(&mut document);
    document.to_string()
}

/// The base document with another selection.
fn selecting(selection: Value) -> String {
    with(|document| document["rules"][0]["selection"] = selection)
}

fn tagged(more: Value) -> String {
    let mut selection = json!({
        "tagStatus": "tagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14,
    });
    let Value::Object(more) = more else { panic!("more keys are an object") };
    selection.as_object_mut().unwrap().extend(more);
    selecting(selection)
}

/// The base document with a second rule made of the first.
fn and(change: impl FnOnce(&mut Value)) -> String {
    with(|document| {
        let mut second = document["rules"][0].clone();
        second["rulePriority"] = json!(2);
        change(&mut second);
        document["rules"].as_array_mut().unwrap().push(second);
    })
}

#[test]
fn what_amazon_accepts_is_read() {
    let lifecycle = read(&with(|_| {})).unwrap();
    let rule = &lifecycle.rules()[0];
    assert_eq!(rule.name.as_str(), "lifecycle rule 1");
    assert!(matches!(rule.expires, EcrCount::BeyondNewest(n) if n.get() == 30));
    assert_eq!(rule.tags, EcrTags::Untagged);
    for (what, document) in [
        (
            "a gap in the priorities",
            and(|second| {
                second["rulePriority"] = json!(7);
                second["selection"]["tagStatus"] = json!("any");
            }),
        ),
        ("prefixes with an age", tagged(json!({"tagPrefixList": ["v"]}))),
        ("four stars", tagged(json!({"tagPatternList": ["*a*b*c*"]}))),
        ("a description", with(|document| document["rules"][0]["description"] = json!("why"))),
        ("the standard class", tagged(json!({"tagPrefixList": ["v"], "storageClass": "standard"}))),
        ("a prefix twice in one rule", tagged(json!({"tagPrefixList": ["v", "v"]}))),
    ] {
        read(&document).unwrap_or_else(|problems| panic!("{what}: {problems:?}"));
    }
}

#[test]
fn what_is_no_document_is_refused() {
    for (what, document, why) in [
        ("plain text (moto)", "expire everything".to_owned(), "is not JSON"),
        ("nothing", String::new(), "is empty"),
        ("a comment", format!("// old\n{}", base()), "is not JSON"),
        ("a list (moto)", json!([base()["rules"][0]]).to_string(), "an object in braces"),
        ("no rules (moto)", "{}".to_owned(), "rules is missing"),
        ("an empty list", json!({"rules": []}).to_string(), "at least one rule"),
        ("rules as an object (moto)", json!({"rules": {}}).to_string(), "a list in brackets"),
        ("a rule that is a text (moto)", json!({"rules": ["x"]}).to_string(), "an object in braces"),
        (
            "51 rules",
            with(|document| {
                let rule = |n: u32| {
                    let mut rule = base()["rules"][0].clone();
                    rule["rulePriority"] = json!(n);
                    rule["selection"]["tagStatus"] = json!("tagged");
                    rule["selection"]["tagPrefixList"] = json!([format!("p{n}")]);
                    rule
                };
                document["rules"] = (1..=51).map(rule).collect();
            }),
            "50 rules at most",
        ),
        ("a key twice", r#"{"rules": [], "rules": []}"#.to_owned(), "said twice"),
    ] {
        refused(what, &document, why);
    }
}

#[test]
fn what_is_no_rule_is_refused() {
    let without =
        |key: &'static str| with(|document| drop(document["rules"][0].as_object_mut().unwrap().remove(key)));
    let action = |action: Value| with(|document| document["rules"][0]["action"] = action);
    for (what, document, why) in [
        ("no priority (moto)", without("rulePriority"), "rulePriority is missing"),
        ("priority 0", with(|document| document["rules"][0]["rulePriority"] = json!(0)), "from 1"),
        ("no selection (moto)", without("selection"), "selection is missing"),
        ("no action (moto)", without("action"), "action is missing"),
        ("an unknown key (moto)", with(|document| document["rules"][0]["rank"] = json!(1)), "unknown key"),
        ("an empty action (moto)", action(json!({})), "type is missing"),
        ("an unknown key of it (moto)", action(json!({"type": "expire", "when": 1})), "unknown key"),
        ("action keep (moto)", action(json!({"type": "keep"})), "unknown action"),
        (
            "a target for expire",
            action(json!({"type": "expire", "targetStorageClass": "archive"})),
            "transition",
        ),
        (
            "a transition",
            action(json!({"type": "transition", "targetStorageClass": "archive"})),
            "no archive",
        ),
        ("a transition to nowhere", action(json!({"type": "transition"})), "needs targetStorageClass"),
        ("one priority twice", and(|second| second["rulePriority"] = json!(1)), "have the priority 1"),
        (
            "any, and another after it",
            and(|second| {
                second["rulePriority"] = json!(3);
            })
            .replacen("\"untagged\"", "\"any\"", 1),
            "highest rulePriority",
        ),
        ("two any", and(|_| {}).replace("\"untagged\"", "\"any\""), "only one rule may be about \"any\""),
        ("two untagged", and(|_| {}), "only one rule may be about \"untagged\""),
        (
            "a prefix in two rules",
            with(|document| {
                let rule = |n: u32| {
                    let mut rule = base()["rules"][0].clone();
                    rule["rulePriority"] = json!(n);
                    rule["selection"]["tagStatus"] = json!("tagged");
                    rule["selection"]["tagPrefixList"] = json!(["prod"]);
                    rule
                };
                document["rules"] = json!([rule(1), rule(2)]);
            }),
            "about the prefix \"prod\" already",
        ),
    ] {
        refused(what, &document, why);
    }
}

#[test]
fn what_is_no_selection_is_refused() {
    let without = |key: &'static str| {
        with(|document| drop(document["rules"][0]["selection"].as_object_mut().unwrap().remove(key)))
    };
    let changed =
        |key: &'static str, value: Value| with(|document| document["rules"][0]["selection"][key] = value);
    let aged = |more: Value| tagged(more).replace("\"tagged\"", "\"any\"");
    for (what, document, why) in [
        ("no tagStatus (moto)", without("tagStatus"), "tagStatus is missing"),
        ("no countType (moto)", without("countType"), "countType is missing"),
        ("no countNumber (moto)", without("countNumber"), "countNumber is missing"),
        ("an unknown key (moto)", changed("color", json!("red")), "unknown key"),
        ("an unknown tagStatus (moto)", changed("tagStatus", json!("unknown")), "unknown tagStatus"),
        ("an unknown countType (moto)", changed("countType", json!("unknown")), "unknown countType"),
        ("an unknown countUnit (moto)", aged(json!({"countUnit": "weeks"})), "the only countUnit is"),
        ("a count of 0 (moto)", changed("countNumber", json!(0)), "from 1"),
        ("a negative count (moto)", changed("countNumber", json!(-1)), "from 1"),
        ("half an image", changed("countNumber", json!(1.5)), "from 1"),
        ("a count beyond all numbers", changed("countNumber", json!(1_u64 << 40)), "from 1"),
        ("tagged without a list", tagged(json!({})), "needs tagPatternList or tagPrefixList"),
        ("an empty list", tagged(json!({"tagPrefixList": []})), "an empty list"),
        ("an empty prefix", tagged(json!({"tagPrefixList": [""]})), "would mean every tag"),
        ("a number in a list", tagged(json!({"tagPatternList": [7]})), "a text in quotes"),
        ("untagged with a list", changed("tagPrefixList", json!(["v"])), "takes no list"),
        (
            "both lists",
            tagged(json!({"tagPrefixList": ["v"], "tagPatternList": ["v*"]})),
            "exclude each other",
        ),
        ("five stars", tagged(json!({"tagPatternList": ["*a*b*c*d*"]})), "4 stars at most"),
        ("a unit with a count", changed("countUnit", json!("days")), "belongs to ages"),
        (
            "an age without its unit",
            selecting(json!({"tagStatus": "any", "countType": "sinceImagePushed", "countNumber": 14})),
            "needs countUnit",
        ),
        ("expiry by pulls", aged(json!({"countType": "sinceImagePulled"})), "not_pulled_for"),
        ("transitioned images", aged(json!({"countType": "sinceImageTransitioned"})), "no archive"),
        ("the archive", changed("storageClass", json!("archive")), "no archive"),
    ] {
        refused(what, &document, why);
    }
}

/// Refused, with this among the reasons.
fn refused(what: &str, document: &str, why: &str) {
    let problems = read(document).expect_err(what);
    assert!(problems.iter().any(|problem| problem.contains(why)), "{what}: {problems:#?}");
}

#[test]
fn every_problem_is_named_at_its_place() {
    let document = r#"{"rules": [
  {"rulePriority": 0,
   "selection": {"tagStatus": "tagged", "countType": "sinceImagePulled", "countNumber": 9},
   "action": {"type": "expires"}}
]}"#;
    let problems = read(document).unwrap_err().join("\n");
    assert_eq!(
        problems,
        r#"lifecycle.json:2:20: rulePriority is a whole number from 1
  |
2 |   {"rulePriority": 0,
  |                    ^
lifecycle.json:4:23: unknown action "expires"; there is "expire"
  |
4 |    "action": {"type": "expires"}}
  |                       ^^^^^^^^^
lifecycle.json:3:31: tagStatus "tagged" needs tagPatternList or tagPrefixList
  |
3 |    "selection": {"tagStatus": "tagged", "countType": "sinceImagePulled", "countNumber": 9},
  |                               ^^^^^^^^
lifecycle.json:3:54: ECR only archives by the time of a pull, and this registry has no archive; for deletion by pulls write a policy in TOML with not_pulled_for
  |
3 |    "selection": {"tagStatus": "tagged", "countType": "sinceImagePulled", "countNumber": 9},
  |                                                      ^^^^^^^^^^^^^^^^^^"#
    );
}

#[test]
fn a_document_of_brackets_only_is_refused_and_harms_nobody() {
    assert!(read(&"[".repeat(100_000)).is_err());
    assert!(read(&"{\"rules\":".repeat(100_000)).is_err());
}

/// A policy that refers to a document beside it.
fn files(policy: &str, document: &str) -> Files {
    let files = Files::new(LEAST, &[("mgh.toml", &format!("{POLICY}{policy}"))]);
    files.policy("lifecycle.json", document);
    files
}

#[test]
fn a_policy_may_be_a_document() {
    let document = and(|second| {
        second["selection"] = json!({"tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 90});
    });
    let config = files("ecr_lifecycle = 'lifecycle.json'\n", &document).load().unwrap();
    let names: Vec<&str> = config.policies.policies[0].delete.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["lifecycle rule 1", "lifecycle rule 2"]);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn a_document_that_is_wrong_or_missing_stops_the_start() {
    let wrong = files("ecr_lifecycle = 'lifecycle.json'\n", "{}").load().unwrap_err();
    assert!(wrong.starts_with("policies.d/lifecycle.json:1:1: rules is missing"), "{wrong}");
    let missing = files("ecr_lifecycle = 'lifecycles.json'\n", "{}").load().unwrap_err();
    assert!(missing.contains("mgh.toml:3:17: policies.d/lifecycles.json cannot be read"), "{missing}");
    assert!(files("ecr_lifecycle = ''\n", "{}").load().is_err());
}

#[test]
fn a_document_excludes_delete_rules_and_goes_well_with_keep_rules() {
    let delete =
        "ecr_lifecycle = 'lifecycle.json'\n[[delete]]\nname = 'd'\ntagged = false\nolder_than = '9d'\n";
    let both = files(delete, &base().to_string()).load().unwrap_err();
    assert!(both.contains("not both"), "{both}");
    let keep = "ecr_lifecycle = 'lifecycle.json'\n[[keep]]\nname = 'k'\ntags = ['prod']\n";
    let config = files(keep, &base().to_string()).load().unwrap();
    assert_eq!((config.policies.policies[0].keep.len(), config.policies.policies[0].delete.len()), (1, 1));
}

#[test]
fn a_document_that_no_policy_names_is_warned_of() {
    let config = files("", &base().to_string()).load().unwrap();
    assert!(config.warnings.iter().any(|warning| warning.text.contains("no policy names it")));
}
