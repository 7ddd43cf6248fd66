//! What the registry's own image retention is documented to do, as least instances of its sentences. ocird takes its place,
//! and whoever comes from it should find that the same words mean the same.
//! <https://docs.oracle.com/en-us/iaas/Content/Registry/Tasks/registrymanagingimageretention.htm>

use ocird_model::DeleteRule;
use ocird_model::Selects::{Tagged, Untagged};

use crate::notation::Published::Goes;
use crate::notation::{AT_ANY_AGE, Case, Row, delete, image, keep_tags, over, policy, span};
use crate::suite::Suite;

const TIES_WITH_THE_NEWEST: &str =
    "It was pushed at the same instant as the newest of its repository, and what ties with the floor stays.";

pub(crate) fn suite() -> Suite {
    let ids = &[
        "not-pulled",
        "not-versioned",
        "exempt",
        "custom-overrides-global",
        "two-criteria-or",
        "never-pulled",
    ];
    let cases = [pulls(), exemptions(), policies(), both()].into_iter().flatten().collect();
    Suite { name: "OCIR's own retention", ids, cases, elsewhere: Vec::new() }
}

/// Not pulled for so long, tagged or not.
fn not_pulled_for(pulls: &str) -> Vec<DeleteRule> {
    let not_pulled_for = Some(span(pulls));
    vec![
        DeleteRule { not_pulled_for, ..delete("not pulled", Tagged, AT_ANY_AGE) },
        DeleteRule { not_pulled_for, ..delete("not pulled, untagged", Untagged, AT_ANY_AGE) },
    ]
}

fn pulls() -> Vec<Case> {
    let month = || policy(Vec::new(), not_pulled_for("30d"));
    let pulled = || vec![image("A", "v1", "90d").pulled("31d"), image("B", "v2", "90d").pulled("29d")];
    let never = vec![image("A", "a", "31d"), image("B", "b", "1d")];
    vec![
        Case::new("not-pulled", month(), pulled(), Goes("A")).but_here("", TIES_WITH_THE_NEWEST),
        Case::new("not-pulled", month(), pulled(), Goes("A")).beyond_the_floor(),
        Case::new("never-pulled", month(), never, Goes("A")).in_other_words(
            "Of A the source says nothing; here what was never pulled counts from its push, as whoever pushed it had it \
             then.",
        ),
    ]
}

fn exemptions() -> Vec<Case> {
    let exempt = || policy(vec![keep_tags("exempt", "latest prod-* *-tail *.100.*")], not_pulled_for("30d"));
    let images = || -> Vec<Row> {
        [("A", "latest"), ("B", "prod-7"), ("C", "x-tail"), ("D", "1.100.3"), ("E", "1.10.3")]
            .map(|(name, tag)| image(name, tag, "90d").pulled("80d"))
            .into()
    };
    vec![
        Case::new("exempt", exempt(), images(), Goes("E")).but_here("", TIES_WITH_THE_NEWEST),
        Case::new("exempt", exempt(), images(), Goes("E")).beyond_the_floor(),
    ]
}

fn policies() -> Vec<Case> {
    let global = || policy(Vec::new(), not_pulled_for("10d"));
    let custom = || over("api", Vec::new(), not_pulled_for("100d"));
    let images = || vec![image("A", "a", "90d").pulled("50d")];
    vec![
        Case::new("custom-overrides-global", global(), images(), Goes(""))
            .and(custom())
            .in_other_words(
                "No policy overrides another: two that claim one repository stop the start, and should they ever meet, \
                 everything stays.",
            )
            .reasons(&[("A", "contested")]),
        Case::new("custom-overrides-global", custom(), images(), Goes(""))
            .beyond_the_floor()
            .reasons(&[("A", "not_selected")]),
    ]
}

fn both() -> Vec<Case> {
    let both = || {
        let mut deletes = not_pulled_for("30d");
        deletes.push(delete("not versioned", Untagged, "7d"));
        policy(Vec::new(), deletes)
    };
    let images = || {
        vec![
            image("A", "", "8d").pulled("1d"),
            image("B", "t", "60d").pulled("31d"),
            image("C", "t2", "60d").pulled("1d"),
        ]
    };
    let untagged = policy(Vec::new(), vec![delete("not versioned", Untagged, "7d")]);
    let bare = vec![image("A", "", "8d"), image("B", "", "6d"), image("C", "v", "80d")];
    vec![
        Case::new("not-versioned", untagged, bare, Goes("A")),
        Case::new("two-criteria-or", both(), images(), Goes("A B")).but_here("A", TIES_WITH_THE_NEWEST),
        Case::new("two-criteria-or", both(), images(), Goes("A B")).beyond_the_floor(),
    ]
}

#[test]
fn the_cases_of_the_registrys_own_retention_end_as_the_table_says() {
    println!("{}", suite().verify());
}
