//! keppel's garbage collection: protections first, then an ordered list of policies, of which the first that matches decides.
//! <https://github.com/sapcc/keppel/blob/master/docs/api-spec.md>,
//! <https://github.com/sapcc/keppel/blob/master/internal/tasks/image_gc_test.go>
//!
//! The ages in its cases are minutes. Our rules count from an hour, and pulls from a day, so every age here is sixty times
//! the published one. Its `protect` is our `[[keep]]`, in any order, and its ten minutes of protection for what was just
//! pushed are the guardrail's age.

use ocird_model::Selects::Untagged;
use ocird_model::{KeepRule, ResourceTagPatterns};

use crate::notation::Published::Goes;
use crate::notation::{
    AT_ANY_AGE, Case, Row, delete, delete_any, image, keep, keep_digests, keep_pulled_within, keep_tags,
    over, policy, tags,
};
use crate::suite::Suite;

pub(crate) fn suite() -> Suite {
    let ids = &[
        "untagged-1-recent",
        "untagged-2-repo-excepted",
        "untagged-3-child",
        "untagged-4-parent-gone",
        "match-on-tag",
        "oldest-newest-by-count",
        "oldest-newest-by-threshold",
        "protect-too-late",
        "subject-protects-referrer",
        "tag-policy-block-delete",
    ];
    let cases = [untagged(), by_tag(), by_pull(), order(), protections()].into_iter().flatten().collect();
    Suite { name: "keppel", ids, cases, elsewhere: Vec::new() }
}

fn untagged() -> Vec<Case> {
    let untagged = || policy(Vec::new(), vec![delete("untagged", Untagged, AT_ANY_AGE)]);
    let elsewhere = over("bar", Vec::new(), vec![delete("untagged", Untagged, AT_ANY_AGE)]);
    let two = |age| vec![image("I0", "first", age), image("I1", "", age)];
    let excepted = two("120h").into_iter().map(|row| row.of("foo")).collect();
    let mut listed = two("240h");
    listed.push(image("L", "list", "0m").children("I0 I1"));
    vec![
        Case::new("untagged-1-recent", untagged(), two("0m"), Goes(""))
            .reasons(&[("I0", "floor"), ("I1", "too_young")]),
        Case::new("untagged-2-repo-excepted", elsewhere, excepted, Goes(""))
            .in_other_words("A policy says which repositories it governs, and has no exceptions.")
            .reasons(&[("I0", "no_policy"), ("I1", "no_policy")]),
        Case::new("untagged-3-child", untagged(), listed, Goes("")).reasons(&[
            ("I0", "child_of_kept"),
            ("I1", "child_of_kept"),
            ("L", "floor"),
        ]),
        Case::new("untagged-4-parent-gone", untagged(), two("360h"), Goes("I1")),
    ]
}

fn by_tag() -> Vec<Case> {
    let images = || {
        vec![
            image("I0", "zerozero zeroone zerotwo zerothree", "60h"),
            image("I1", "onezero oneone onetwo onethree", "60h"),
            image("I2", "twozero twoone twotwo twothree", "60h"),
            image("I3", "threezero threeone threetwo threethree", "60h"),
        ]
    };
    let keeps = vec![keep_tags("1", "one*"), keep_tags("2", "*two"), keep_tags("3", "*")];
    let without_exceptions = policy(keeps, delete_any("30h"));
    let ours = policy(
        vec![keep_tags("1", "one*"), keep_tags("2", "tw*two")],
        vec![delete("known", tags("zero* one* two*"), "30h")],
    );
    vec![
        Case::new("match-on-tag", without_exceptions, images(), Goes("I0"))
            .but_here("", "A keep rule has no exceptions, and without theirs two of these three hold every image.")
            .reasons(&[("I0", "keep_rule")]),
        Case::new("match-on-tag", ours, images(), Goes("I0"))
            .in_other_words(
                "What would be excepted from being kept is left out of what is kept, or named by what is deleted.",
            )
            .beyond_the_floor()
            .reasons(&[("I1", "keep_rule"), ("I2", "keep_rule"), ("I3", "not_selected")]),
    ]
}

/// Six images of one age, pulled one after the other.
fn six() -> Vec<Row> {
    let mut six = vec![image("I0", "", "60h")];
    let pulls = [("I1", "50h"), ("I2", "40h"), ("I3", "30h"), ("I4", "20h"), ("I5", "10h")];
    six.extend(pulls.map(|(name, pulled)| image(name, "", "60h").pulled(pulled)));
    six
}

fn by_pull() -> Vec<Case> {
    let ours = || {
        let keeps = vec![keep_digests("oldest", "I0 I1 I2"), keep_pulled_within("newest", "25h")];
        policy(keeps, delete_any("30h"))
    };
    vec![
        Case::new("oldest-newest-by-count", ours(), six(), Goes("I3"))
            .in_other_words(
                "Nothing is counted by pulls, as each pull would cost another image its place: a span says what was \
                 pulled lately, and digests name old ones that must stay.",
            )
            .reasons(&[("I0", "keep_rule"), ("I2", "keep_rule"), ("I4", "keep_rule")]),
        Case::new("oldest-newest-by-threshold", ours(), six(), Goes("I3")).in_other_words(
            "Nothing is kept for having been pulled long ago, as a pull can only prolong life: digests name old ones \
             that must stay.",
        ),
    ]
}

fn order() -> Vec<Case> {
    let keeps = vec![keep_tags("1", "earliest"), keep_tags("3", "latest")];
    let images = vec![image("E", "earliest", "60h"), image("L", "latest", "60h")];
    vec![
        Case::new("protect-too-late", policy(keeps, delete_any("30h")), images, Goes("L"))
            .but_here("", "Keep wins, wherever in the file its rule stands.")
            .reasons(&[("E", "keep_rule"), ("L", "keep_rule")]),
    ]
}

fn protections() -> Vec<Case> {
    let spoken_of = vec![image("S", "latest", "60h"), image("R", "sha256-S", "60h").subject("S")];
    let marks = [("keep".to_owned(), "yes".parse().unwrap())];
    let locked = KeepRule { resource_tags: ResourceTagPatterns::new(marks.into()), ..keep("locked") };
    vec![
        Case::new("subject-protects-referrer", policy(Vec::new(), delete_any("120h")), spoken_of, Goes(""))
            .reasons(&[("R", "referrer_of_kept"), ("S", "floor")]),
        Case::new(
            "tag-policy-block-delete",
            policy(vec![locked], delete_any("30h")),
            vec![image("A", "test", "60h").marked()],
            Goes(""),
        )
        .in_other_words(
            "No image of this registry can be locked; a resource tag on it says the same to a keep rule.",
        )
        .reasons(&[("A", "keep_rule")]),
    ]
}

#[test]
fn the_cases_of_keppel_end_as_the_table_says() {
    println!("{}", suite().verify());
}
