//! Google Artifact Registry's cleanup policies: an image goes when a policy deletes it and none keeps it.
//! <https://cloud.google.com/artifact-registry/docs/repositories/cleanup-policy-overview>
//!
//! `overview-example` is that page's own; the others are least instances of its sentences. A package there is a repository
//! here, and the version of an image is its digest.

use ocird_model::Selects::Untagged;

use crate::notation::Published::Goes;
use crate::notation::{
    AT_ANY_AGE, Case, delete, delete_any, image, keep_digests, keep_newer_than, keep_newest, keep_tags,
    policy, tags,
};
use crate::suite::Suite;

const UNTAGGED_HAVE_NO_ORDER: &str = "`newest` counts tagged images, as what nobody can name is no release to go back to; \
     who wants some untagged images kept says how long.";

pub(crate) fn suite() -> Suite {
    let ids = &[
        "overview-example",
        "keep-wins",
        "keep-only-deletes-nothing",
        "keep-most-recent",
        "keep-per-package",
        "untagged-old",
        "and-in-condition",
        "newer-than-keep",
    ];
    let cases = [worked_example(), keeps(), newest(), conditions()].into_iter().flatten().collect();
    Suite { name: "Google Artifact Registry", ids, cases, elsewhere: Vec::new() }
}

fn worked_example() -> Vec<Case> {
    let mut deletes = delete_any("100d");
    deletes.push(delete("by tag", tags("default*"), AT_ANY_AGE));
    let images =
        vec![image("A", "default", "120d"), image("B", "default", "150d"), image("C", "patch", "20d")];
    let policy = policy(vec![keep_digests("keep 2.0.6", "B")], deletes);
    vec![Case::new("overview-example", policy, images, Goes("A")).in_other_words(
        "A digest list names whole digests where a version prefix names the beginning of one, so that no other image \
         is ever meant.",
    )]
}

fn keeps() -> Vec<Case> {
    let release = policy(vec![keep_tags("k", "release*")], delete_any(AT_ANY_AGE));
    let released = vec![image("A", "release-1", "900d"), image("B", "", "1d")];
    let only_keep = policy(vec![keep_newest("k", 1)], Vec::new());
    let two = vec![image("A", "a", "9d"), image("B", "b", "8d")];
    vec![
        Case::new("keep-wins", release, released, Goes("B")),
        Case::new("keep-only-deletes-nothing", only_keep, two, Goes("")).reasons(&[("A", "not_selected")]),
    ]
}

fn newest() -> Vec<Case> {
    let keeping = |newest| policy(vec![keep_newest("k", newest)], delete_any("30d"));
    let three = |a, b, c| vec![image("A", a, "90d"), image("B", b, "80d"), image("C", c, "70d")];
    let packages = |a, b, c| {
        vec![image("A", a, "90d").of("x"), image("B", b, "80d").of("x"), image("C", c, "99d").of("y")]
    };
    vec![
        Case::new("keep-most-recent", keeping(2), three("", "", ""), Goes("A"))
            .but_here("A B C", UNTAGGED_HAVE_NO_ORDER),
        Case::new("keep-most-recent", keeping(2), three("a", "b", "c"), Goes("A"))
            .changed("the images are tagged")
            .reasons(&[("B", "keep_rule"), ("C", "keep_rule")]),
        Case::new("keep-per-package", keeping(1), packages("", "", ""), Goes("A"))
            .but_here("A B C", UNTAGGED_HAVE_NO_ORDER),
        Case::new("keep-per-package", keeping(1), packages("a", "b", "c"), Goes("A"))
            .changed("the images are tagged")
            .reasons(&[("B", "keep_rule"), ("C", "keep_rule")]),
    ]
}

fn conditions() -> Vec<Case> {
    let untagged = policy(Vec::new(), vec![delete("d", Untagged, "1d")]);
    let mixed = vec![image("A", "", "2d"), image("B", "t", "2d"), image("C", "", "1h")];
    let alpha = policy(Vec::new(), vec![delete("d", tags("alpha*"), "10d")]);
    let alphas = vec![image("A", "alpha-1", "11d"), image("B", "alpha-2", "9d"), image("C", "beta", "11d")];
    let newer = policy(vec![keep_newer_than("k", "7d")], delete_any(AT_ANY_AGE));
    let bare = vec![image("A", "", "8d"), image("B", "", "6d")];
    vec![
        Case::new("untagged-old", untagged, mixed, Goes("A")),
        Case::new("and-in-condition", alpha, alphas, Goes("A")),
        Case::new("newer-than-keep", newer, bare, Goes("A")).reasons(&[("B", "keep_rule")]),
    ]
}

#[test]
fn the_cases_of_google_artifact_registry_end_as_the_table_says() {
    println!("{}", suite().verify());
}
