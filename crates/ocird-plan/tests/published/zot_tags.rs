//! zot's retention of tags: the first entry whose pattern matches claims a tag and keeps it by any of its rules; what no
//! entry claims goes. <https://zotregistry.dev/latest/articles/retention/>
//!
//! Each image has the one tag that is its name. An entry is one keep rule for each of its rules, and what remains is said to
//! a delete rule. Our patterns are globs and match whole tags; these mean the same in both dialects, or are written anew.

use ocird_model::{KeepRule, Policy};

use crate::notation::Published::Stays;
use crate::notation::{
    AT_ANY_AGE, Case, Row, delete, image, keep_newer_than, keep_newest, keep_pulled_within, keep_tags,
    policy, tags, without_times,
};
use crate::suite::Suite;

const ALL: &str = "0.0.1 0.0.2 0.0.3 0.0.4 0.0.5 0.0.6 0.0.7 0.0.8";

const NO_COUNT_BY_PULLS: &str =
    "Nothing is counted by pulls, as each pull would cost another image its place: a span is said instead.";

const NEWEST_STAYS: &str = "0.0.4 is the newest, and the newest of a repository always stays.";

pub(crate) fn suite() -> Suite {
    let ids = &[
        "empty-entry",
        "absent",
        "pattern-only",
        "within-7d",
        "pushed-3",
        "pulled-3",
        "pulled3-or-pushed4",
        "first-match",
        "one-pattern",
        "two-entries",
        "missing-stats",
    ];
    let cases = [everything(), counts(), patterns()].into_iter().flatten().collect();
    Suite { name: "zot, tags", ids, cases, elsewhere: Vec::new() }
}

fn images() -> Vec<Row> {
    vec![
        image("0.0.1", "0.0.1", "10d").pulled("10d"),
        image("0.0.2", "0.0.2", "11d").pulled("11d"),
        image("0.0.3", "0.0.3", "12d").pulled("12d"),
        image("0.0.4", "0.0.4", "1d").pulled("1d"),
        image("0.0.5", "0.0.5", "2d").pulled("2d"),
        image("0.0.6", "0.0.6", "3d").pulled("2d"),
        image("0.0.7", "0.0.7", "13d").pulled("13d").children(""),
        image("0.0.8", "0.0.8", "4d").pulled("4d").children(""),
    ]
}

/// Everything goes but what is kept.
fn keeping(keep: Vec<KeepRule>) -> Policy {
    policy(keep, vec![delete("the others", tags("*"), AT_ANY_AGE)])
}

fn everything() -> Vec<Case> {
    vec![
        Case::new("empty-entry", keeping(vec![keep_tags("all", "*")]), images(), Stays(ALL))
            .in_other_words("A rule without a condition is refused; a star says all.")
            .reasons(&[("0.0.7", "keep_rule")]),
        Case::new("absent", policy(Vec::new(), Vec::new()), images(), Stays(ALL))
            .reasons(&[("0.0.7", "not_selected")]),
        Case::new("pattern-only", keeping(vec![keep_tags("k", "0.0.*")]), images(), Stays(ALL))
            .reasons(&[("0.0.7", "keep_rule")]),
    ]
}

fn counts() -> Vec<Case> {
    let week = vec![keep_pulled_within("pulled", "168h"), keep_newer_than("pushed", "168h")];
    let both = vec![keep_pulled_within("pulled", "60h"), keep_newest("pushed", 4)];
    let three = "0.0.4 0.0.5 0.0.6";
    let four = "0.0.4 0.0.5 0.0.6 0.0.8";
    vec![
        Case::new("within-7d", keeping(week), images(), Stays(four)),
        Case::new("pushed-3", keeping(vec![keep_newest("pushed", 3)]), images(), Stays(three)),
        Case::new("pulled-3", keeping(vec![keep_pulled_within("pulled", "60h")]), images(), Stays(three))
            .in_other_words(NO_COUNT_BY_PULLS),
        Case::new("pulled3-or-pushed4", keeping(both), images(), Stays(four))
            .in_other_words(NO_COUNT_BY_PULLS),
    ]
}

fn patterns() -> Vec<Case> {
    let one = || keeping(vec![keep_tags("1", "0.0.1")]);
    let two = || keeping(vec![keep_tags("1", "0.0.1"), keep_tags("2", "0.0.2")]);
    let claims = vec![keep_tags("1", "0.0.1"), keep_tags("2", "0.0.2"), keep_pulled_within("others", "36h")];
    let mut and_one_without_times = images();
    and_one_without_times.push(without_times("0.0.9", "0.0.9"));
    vec![
        Case::new("first-match", keeping(claims), images(), Stays("0.0.1 0.0.2 0.0.4")),
        Case::new("one-pattern", one(), images(), Stays("0.0.1"))
            .but_here("0.0.2 0.0.3 0.0.5 0.0.6 0.0.7 0.0.8", NEWEST_STAYS)
            .reasons(&[("0.0.4", "floor")]),
        Case::new("one-pattern", one(), images(), Stays("0.0.1 newer")).beyond_the_floor(),
        Case::new("two-entries", two(), images(), Stays("0.0.1 0.0.2"))
            .but_here("0.0.3 0.0.5 0.0.6 0.0.7 0.0.8", NEWEST_STAYS)
            .reasons(&[("0.0.4", "floor")]),
        Case::new("two-entries", two(), images(), Stays("0.0.1 0.0.2 newer")).beyond_the_floor(),
        Case::new(
            "missing-stats",
            keeping(vec![keep_tags("k", "0.0.[1-5] 0.0.7")]),
            and_one_without_times,
            Stays("0.0.1 0.0.2 0.0.3 0.0.4 0.0.5 0.0.7 0.0.9"),
        )
        .reasons(&[("0.0.9", "time_implausible")]),
    ]
}

#[test]
fn the_cases_of_zot_about_tags_end_as_the_table_says() {
    println!("{}", suite().verify());
}
