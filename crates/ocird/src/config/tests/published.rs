//! What the policy grammars of other systems are published to refuse, beside what ours answers to the same mistake. What
//! they decide about images is set beside ours in the planner's tests.
//! <https://github.com/googleapis/googleapis/blob/master/google/devtools/artifactregistry/v1/repository.proto>,
//! <https://github.com/sapcc/keppel/blob/master/internal/api/keppel/accounts_test.go>

use super::*;

/// How ours answers.
enum Answer {
    /// With a problem at this place, with these words.
    Refused(&'static str, &'static str),
    /// It loads.
    Loads,
}

use Answer::{Loads, Refused};

/// A policy with these rules, of which the first begins at the third line.
fn rules(text: &str) -> String {
    format!("{POLICY}{text}\n")
}

fn delete(more: &str) -> String {
    rules(&format!("[[delete]]\nname = 'd'\nolder_than = '9d'\n{more}"))
}

fn keep(more: &str) -> String {
    rules(&format!("[[keep]]\nname = 'k'\n{more}"))
}

/// Eleven keep rules, one more than Google takes. A number of rules harms nobody here.
fn eleven_rules() -> String {
    let rule = |number| format!("[[keep]]\nname = '{number}'\nnewest = {number}\n");
    rules(&(10..21).map(rule).collect::<String>())
}

/// The ids of the sources, the least text with the same mistake, and the answer.
fn google() -> [(&'static str, String, Answer); 5] {
    [
        ("11 policies in one repository", eleven_rules(), Loads),
        (
            "mostRecentVersions with action DELETE",
            delete("tagged = true\nnewest = 5"),
            Refused("7:1", "unknown key `newest`"),
        ),
        // Two conditions of one rule must both hold, so that the newest are counted among those tags.
        ("condition and mostRecentVersions together", keep("newest = 5\ntags = ['v*']"), Loads),
        (
            "policy with neither condition nor mostRecentVersions",
            keep(""),
            Refused("3:", "needs a condition"),
        ),
        (
            "tagPrefixes with tagState UNTAGGED",
            delete("tagged = false\ntags = ['v*']"),
            Refused("6:10", "contradict"),
        ),
    ]
}

/// Its patterns are regular expressions: `*/library` is none, and a good glob. So ours are broken as globs are.
fn keppel() -> [(&'static str, String, Answer); 15] {
    let over = |repositories: &str| format!("project = 'mgh'\n{repositories}\n");
    [
        ("no match_repository", over(""), Refused("", "needs repositories")),
        ("match_repository '*/library'", over("repositories = ['[/library']"), Refused("2:17", "not a glob")),
        (
            "except_repository '*/library'",
            over("repositories = ['*']\nexcept_repositories = ['[/library']"),
            Refused("3:1", "unknown key `except_repositories`"),
        ),
        ("no action", rules("[[rule]]\nnewest = 5"), Refused("3:3", "unknown key `rule`")),
        ("action foo", rules("[[foo]]\nnewest = 5"), Refused("3:3", "unknown key `foo`")),
        ("match_tag '*-foo'", keep("tags = ['[-foo']"), Refused("5:9", "not a glob")),
        ("except_tag '*-bar'", keep("except_tags = ['[-bar']"), Refused("5:1", "unknown key `except_tags`")),
        (
            "only_untagged together with match_tag",
            delete("tags = ['x']\ntagged = false"),
            Refused("7:10", "contradict"),
        ),
        (
            "only_untagged together with except_tag",
            delete("tagged = false\nexcept_tags = ['x']"),
            Refused("7:1", "unknown key `except_tags`"),
        ),
        ("empty time_constraint", keep("newer_than = ''"), Refused("5:14", "not a duration")),
        (
            "time_constraint on frobnicated_at",
            delete("tagged = true\nnot_frobnicated_for = '9d'"),
            Refused("7:1", "unknown key `not_frobnicated_for`"),
        ),
        (
            "time_constraint with only \"on\"",
            rules("[[delete]]\nname = 'd'\ntagged = true"),
            Refused("3:", "needs a bound"),
        ),
        (
            "oldest 10 together with older_than 5h",
            keep("oldest = 10\nolder_than = '5h'"),
            Refused("5:1", "unknown key `oldest`"),
        ),
        (
            "action delete with oldest",
            delete("tagged = true\noldest = 10"),
            Refused("7:1", "unknown key `oldest`"),
        ),
        (
            "action delete with newest",
            delete("tags = ['x']\nnewest = 10"),
            Refused("7:1", "unknown key `newest`"),
        ),
    ]
}

#[test]
fn what_other_grammars_refuse_is_refused_or_harmless() {
    for (id, text, answer) in google().into_iter().chain(keppel()) {
        match answer {
            Refused(place, words) => {
                let problems = policy(&text).expect_err(id);
                let place = format!("policies.d/mgh.toml:{place}");
                let is_found = |problem: &str| problem.starts_with(&place) && problem.contains(words);
                assert!(
                    problems.split("\n\n").any(is_found),
                    "{id}: wanted {words:?} at {place}:\n{problems}"
                );
            }
            Loads => assert!(policy(&text).is_ok(), "{id}: {}", policy(&text).expect_err(id)),
        }
    }
}

#[test]
fn words_of_other_grammars_are_answered_with_those_of_ours() {
    let text = "repositories = ['[/library']
[[delete]]
name = 'd'
tagged = true
older_than = ''
newest = 10
[[keep]]
name = 'k'
tags = ['v*', '{a,b']
except_tags = ['v1']
";
    let problems = policy(&format!("project = 'mgh'\n{text}")).unwrap_err();
    for place in ["2:17", "6:14", "7:1", "10:15", "11:1"] {
        assert!(problems.contains(&format!("policies.d/mgh.toml:{place}: ")), "{place}: {problems}");
    }
    insta::assert_snapshot!(problems, @r#"
    policies.d/mgh.toml:2:17: pattern "[/library" is not a glob: error parsing glob '[/library': unclosed character class; missing ']'
      |
    2 | repositories = ['[/library']
      |                 ^^^^^^^^^^^

    policies.d/mgh.toml:6:14: older_than: "" is not a duration; write a number and its unit, such as "14d" or "36h"
      |
    6 | older_than = ''
      |              ^^

    policies.d/mgh.toml:7:1: unknown key `newest`; known here: name, tagged, tags, older_than, not_pulled_for, while_usage_above
      |
    7 | newest = 10
      | ^^^^^^

    policies.d/mgh.toml:10:15: pattern "{a,b" is not a glob: error parsing glob '{a,b': unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)
       |
    10 | tags = ['v*', '{a,b']
       |               ^^^^^^

    policies.d/mgh.toml:11:1: unknown key `except_tags`; known here: name, tags, newest, group_by, newer_than, pulled_within, digests, resource_tags, unless_usage_above
       |
    11 | except_tags = ['v1']
       | ^^^^^^^^^^^
    "#);
}
