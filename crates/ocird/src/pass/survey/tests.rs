//! How old what is known may become.

use ocird_model::{DeleteRule, Guardrails, KeepRule, Patterns, Policy, ResourceTagPatterns, Selects};

use super::*;

#[test]
fn details_are_read_again_sooner_where_a_rule_asks_for_what_no_list_shows() {
    let span = Some(TimeDelta::days(9));
    let keep = || KeepRule::named("k".parse().unwrap());
    let delete = || DeleteRule::about("d".parse().unwrap(), Selects::Tagged);
    let bears = BTreeMap::from([("keep".to_owned(), "yes".parse().unwrap())]);
    let cases = [
        (KeepRule { newer_than: span, ..keep() }, delete(), REREAD_AFTER),
        (KeepRule { pulled_within: span, ..keep() }, delete(), DETAILS_SERVE),
        (KeepRule { resource_tags: ResourceTagPatterns::new(bears), ..keep() }, delete(), DETAILS_SERVE),
        (keep(), DeleteRule { not_pulled_for: span, ..delete() }, DETAILS_SERVE),
    ];
    for (keep, delete, expected) in cases {
        let policy = Policy {
            project: "mgh".to_owned(),
            repositories: Patterns::new(vec!["mgh-*".parse().unwrap()]).unwrap(),
            keep: vec![keep],
            delete: vec![delete],
            enforce_public: false,
            enforce_signed: false,
        };
        let policies = Policies { guardrails: Guardrails::default(), policies: vec![policy] };
        assert_eq!(reread_after(&policies, &"mgh-docs".parse().unwrap()), expected);
        assert_eq!(reread_after(&policies, &"todo-web".parse().unwrap()), REREAD_AFTER);
    }
}
