//! zot's garbage collection around tags: what is untagged, what indexes and referrers hold, and what surrounds it.
//! <https://github.com/project-zot/zot/blob/main/pkg/storage/gc/gc_test.go>,
//! <https://github.com/project-zot/zot/blob/main/pkg/retention/candidate_test.go>
//!
//! The source describes its worlds in words; the ages are ours.

use ocird_model::Selects::{Tagged, Untagged};

use crate::notation::Published::Goes;
use crate::notation::{
    AT_ANY_AGE, Case, Row, delete, delete_any, image, keep_pulled_within, keep_tags, over, policy,
    without_times,
};
use crate::suite::{Elsewhere, Suite};

const NOTHING_IS_BROUGHT: &str =
    "ocird brings no image from elsewhere, so it has no rules for that which its others could undo.";

const TAGS_BELOW_HOLD: &str = "An index and what it names go together: a tag anywhere below holds the head, so that \
     nothing is ever left of it in parts.";

pub(crate) fn suite() -> Suite {
    let ids = &[
        "no-repo-match",
        "nothing-matches",
        "dry-run",
        "delay",
        "cancelled",
        "nested-index",
        "keep-untagged",
        "stats",
        "sync-overlap-none",
        "sync-overlap-tags",
        "sync-overlap-dest",
    ];
    let cases = [whole_repository(), nested_index(), untagged(), statistics()];
    let cases = cases.into_iter().flatten().collect();
    Suite { name: "zot, structure", ids, cases, elsewhere: elsewhere() }
}

/// Two tagged images, an untagged one, referrers, and a referrer of a referrer.
fn images() -> Vec<Row> {
    vec![
        image("T1", "one", "10d"),
        image("T2", "two", "9d"),
        image("U", "", "10d"),
        image("R1", "", "10d").subject("T1"),
        image("RR1", "", "10d").subject("R1"),
        image("R2", "", "9d").subject("T2"),
    ]
}

fn whole_repository() -> Vec<Case> {
    let other = over("other", Vec::new(), delete_any(AT_ANY_AGE));
    let nothing_matches = |age| policy(vec![keep_tags("k", "v1")], delete_any(age));
    vec![
        Case::new("no-repo-match", other, images(), Goes("U"))
            .but_here("", "A repository that no policy governs is left alone, whatever is in it.")
            .reasons(&[("T1", "no_policy"), ("U", "no_policy"), ("R1", "no_policy")]),
        Case::new("nothing-matches", nothing_matches(AT_ANY_AGE), images(), Goes("T1 T2 U R1 RR1 R2"))
            .but_here(
                "T1 U R1 RR1",
                "The newest tagged image stays with what speaks about it, and a repository is never removed.",
            )
            .reasons(&[("T2", "floor"), ("R2", "referrer_of_kept")]),
        Case::new("nothing-matches", nothing_matches(AT_ANY_AGE), images(), Goes("T1 T2 U R1 RR1 R2"))
            .beyond_the_floor(),
        Case::new("delay", nothing_matches("30d"), images(), Goes("")).reasons(&[("U", "not_selected")]),
    ]
}

/// Two indexes below a third: one without a tag, of which one child has its own, and one with a tag.
fn indexes(top: &'static str) -> Vec<Row> {
    vec![
        image("M1", "", "10d"),
        image("M2", "manifest2", "10d"),
        image("M3", "", "10d"),
        image("BI1", "", "10d").children("M1 M2"),
        image("BI2", "bottomindex2", "10d").children("M3"),
        image("TI", top, "10d").children("BI1 BI2"),
    ]
}

fn nested_index() -> Vec<Case> {
    let untagged = || policy(Vec::new(), vec![delete("untagged", Untagged, AT_ANY_AGE)]);
    let nothing = policy(Vec::new(), Vec::new());
    let manifest2 = policy(vec![keep_tags("k", "manifest2")], delete_any(AT_ANY_AGE));
    vec![
        Case::new("nested-index", untagged(), indexes("topindex"), Goes(""))
            .part("collect what is untagged")
            .reasons(&[("M1", "child_of_kept"), ("BI1", "child_of_kept"), ("M3", "child_of_kept")]),
        Case::new("nested-index", untagged(), indexes(""), Goes("M1 BI1 TI"))
            .part("the tag of the topmost is gone")
            .but_here("", TAGS_BELOW_HOLD)
            .reasons(&[("TI", "floor")]),
        Case::new("nested-index", untagged(), indexes(""), Goes("M1 BI1 TI"))
            .but_here("", TAGS_BELOW_HOLD)
            .beyond_the_floor()
            .reasons(&[("TI", "not_selected")]),
        Case::new("nested-index", nothing, indexes(""), Goes("")).part("what is untagged is not collected"),
        Case::new("nested-index", manifest2, indexes("topindex"), Goes("M1 M3 BI1 BI2 TI"))
            .part("only one child is kept")
            .but_here(
                "",
                "A child that is kept for its own sake keeps what names it, and that its other children.",
            )
            .reasons(&[("TI", "keep_rule"), ("M2", "keep_rule"), ("M3", "child_of_kept")]),
    ]
}

fn untagged() -> Vec<Case> {
    let keeping =
        policy(vec![keep_pulled_within("k", "24h")], vec![delete("untagged", Untagged, AT_ANY_AGE)]);
    let images = vec![
        image("recent", "", "1h").pulled("1h"),
        image("old", "", "48h").pulled("36h"),
        without_times("nostats", ""),
    ];
    vec![
        Case::new("keep-untagged", keeping, images, Goes("old"))
            .in_other_words(
                "`newest` counts tagged images only; the span alone keeps what was pulled lately.",
            )
            .reasons(&[("recent", "keep_rule"), ("nostats", "keep_rule")]),
    ]
}

/// A candidate there is what goes here, where a newer image has the place on the floor.
fn statistics() -> Vec<Case> {
    let tagged = || policy(Vec::new(), vec![delete("tagged", Tagged, AT_ANY_AGE)]);
    let case = |part, mut images: Vec<Row>, goes| {
        images.push(image("newer", "newer", "0m"));
        Case::new("stats", tagged(), images, Goes(goes)).part(part)
    };
    let known = |name| image(name, name, "10d");
    let unknown = |name| without_times(name, name);
    vec![
        case("two tags, both known", vec![known("a"), known("b")], "a b"),
        case("two tags, one known", vec![known("a"), unknown("b")], "a"),
        case("one tag, not known", vec![unknown("a")], ""),
        Case::new("stats", tagged(), vec![unknown("a"), unknown("b")], Goes("")).part("nothing is known"),
    ]
}

fn elsewhere() -> Vec<Elsewhere> {
    let none = |id| Elsewhere { id, tested_by: None, because: NOTHING_IS_BROUGHT };
    vec![
        Elsewhere {
            id: "dry-run",
            tested_by: Some((
                "ocird-sim/tests/e2e/switches.rs",
                "report_mode_shows_what_would_go_and_never_asks_for_a_change",
            )),
            because: "The plan of a dry run is that of any other pass; the whole daemon is asked whether it acts.",
        },
        Elsewhere {
            id: "cancelled",
            tested_by: Some((
                "ocird/tests/it/signals.rs",
                "sigterm_ends_it_after_the_action_under_way_with_the_store_closed",
            )),
            because: "A plan cannot be cancelled; the pass is asked between two deletions whether to end.",
        },
        none("sync-overlap-none"),
        none("sync-overlap-tags"),
        none("sync-overlap-dest"),
    ]
}

#[test]
fn the_cases_of_zot_about_structure_end_as_the_table_says() {
    println!("{}", suite().verify());
}
