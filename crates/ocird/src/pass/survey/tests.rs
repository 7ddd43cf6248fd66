//! Surveys of registries that do not tell the same at both looks.

use ocird_model::{Bytes, DeleteRule, Guardrails, KeepRule, Patterns, Policy, ResourceTagPatterns, Selects};

use super::*;

fn compartment(text: &str) -> CompartmentId {
    format!("ocid1.compartment.oc1..{text}").parse().unwrap()
}

fn row(name: &str, id: &str, lies_in: &str) -> RepositoryRow {
    RepositoryRow {
        id: format!("ocid1.containerrepo.oc1.x.{id}").parse().unwrap(),
        name: name.parse().unwrap(),
        compartment: compartment(lies_in),
        namespace: "ns".parse().unwrap(),
        n_images: 0,
        layers_size: Bytes::ZERO,
        is_public: false,
        lifecycle: Lifecycle::Available,
    }
}

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
        };
        let policies = Policies { guardrails: Guardrails::default(), policies: vec![policy] };
        assert_eq!(reread_after(&policies, &"mgh-docs".parse().unwrap()), expected);
        assert_eq!(reread_after(&policies, &"todo-web".parse().unwrap()), REREAD_AFTER);
    }
}

#[test]
fn a_row_of_another_compartment_is_of_no_known_kind() {
    let state = |lies_in| inside(row("a", "1", lies_in), &compartment("ours"), "eu-milan-1").lifecycle;
    assert_eq!((state("ours"), state("theirs")), (Lifecycle::Available, Lifecycle::Unknown));
}

#[test]
fn a_row_of_another_region_is_of_no_known_kind() {
    let state = |region: &str| {
        let id = format!("ocid1.containerrepo.oc1.{region}.0.ns.a").parse().unwrap();
        let row = RepositoryRow { id, ..row("a", "1", "ours") };
        inside(row, &compartment("ours"), "eu-milan-1").lifecycle
    };
    for (region, expected) in [
        ("eu-milan-1", Lifecycle::Available),
        ("lin", Lifecycle::Available),
        ("eu-nowhere-1", Lifecycle::Available),
        ("eu-frankfurt-1", Lifecycle::Unknown),
        ("fra", Lifecycle::Unknown),
    ] {
        assert_eq!(state(region), expected, "{region}");
    }
}

#[test]
fn of_two_repositories_of_one_name_neither_is_read() {
    let rows = one_of_each_name(vec![row("a", "1", "x"), row("b", "2", "x"), row("a", "3", "y")]);
    let states: Vec<Lifecycle> = rows.iter().map(|row| row.lifecycle).collect();
    assert_eq!(states, [Lifecycle::Unknown, Lifecycle::Available, Lifecycle::Unknown]);
}

#[test]
fn a_gap_makes_marks_younger_and_a_repository_never_read_whole_has_none() {
    let marked = |id: &str| {
        let key = MarkKey {
            repository: format!("ocid1.containerrepo.oc1.x.{id}").parse().unwrap(),
            head: Digest::from_bytes([1; 32]),
        };
        let rule = "old".parse().unwrap();
        (key, Mark { rule, policy: 1, since: DateTime::UNIX_EPOCH, n_passes: 2 })
    };
    let gaps = BTreeMap::from([
        (marked("gap").0.repository, Gap::Since(TimeDelta::hours(10))),
        (marked("new").0.repository, Gap::Always),
    ]);
    let marks = without_gaps(["gap", "new", "steady"].map(marked).into(), &gaps);
    let since = |id: &str| marks.get(&marked(id).0).map(|mark| mark.since - DateTime::UNIX_EPOCH);
    assert_eq!(since("gap"), Some(TimeDelta::hours(10)));
    assert_eq!((since("new"), since("steady")), (None, Some(TimeDelta::zero())));
}
