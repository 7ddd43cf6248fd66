//! The table of rules, places and tests in the README is whole and true: every rule has a row, every test in it exists, every
//! place in it asks whether the rule is in force, and no place that asks is missing. That each test fails without its rule,
//! `.ci/teeth` sees.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ocird_model::Rule;

use super::incidents::{INCIDENTS, Incident};

const README: &str = include_str!("../../README.md");

/// One row.
struct Row {
    /// Where the rule is enforced, as `crate/file`.
    places: BTreeSet<String>,
    /// What fails without it: package, target and test, with a blank between them.
    tests: Vec<String>,
}

fn table() -> BTreeMap<String, Row> {
    let rows = README.lines().filter(|line| line.starts_with("| S-"));
    let cells = rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>());
    cells
        .map(|cells| {
            let [rule, places, tests] = cells.as_slice() else { panic!("a row has three cells: {cells:?}") };
            ((*rule).to_owned(), Row { places: list(places).collect(), tests: list(tests).collect() })
        })
        .collect()
}

/// What stands between backquotes in a cell.
fn list(cell: &str) -> impl Iterator<Item = String> {
    cell.split(", ").map(|item| item.trim_matches('`').to_owned())
}

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Rust file below a folder.
fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn every_rule_has_a_row_and_no_other_row_is_there() {
    let rules: BTreeSet<String> = Rule::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(table().into_keys().collect::<BTreeSet<_>>(), rules);
}

#[test]
fn every_test_of_the_table_exists() {
    let mut missing = Vec::new();
    for (rule, Row { places: _, tests }) in table() {
        for test in tests {
            let words: Vec<&str> = test.split(' ').collect();
            let [package, _, path] = words.as_slice() else {
                panic!("{rule}: {test} is not package, target and test")
            };
            let name = format!("fn {}(", path.rsplit("::").next().unwrap());
            let mut files = Vec::new();
            sources(&crates().join(package), &mut files);
            // The tests of incidents are made of their list.
            let is_incident = path.starts_with("fates::incidents::survived::");
            let is_there = |file: &PathBuf| std::fs::read_to_string(file).unwrap().contains(&name);
            if !files.iter().any(is_there) && !is_incident {
                missing.push(format!("{rule}: {test}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn the_places_of_the_table_are_all_that_ask_whether_their_rule_is_in_force() {
    let mut asking: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in ["ocird-model", "ocird-oci", "ocird-plan", "ocird-store", "ocird"] {
        let folder = crates().join(package).join("src");
        let mut files = Vec::new();
        sources(&folder, &mut files);
        for file in &files {
            let text = std::fs::read_to_string(file).unwrap();
            let place = format!("{package}/{}", file.strip_prefix(&folder).unwrap().display());
            if place == "ocird-model/rule.rs" {
                continue;
            }
            for rule in Rule::ALL {
                if text.contains(&format!("Rule::S{}.in_force()", rule.number())) {
                    asking.entry(rule.to_string()).or_default().insert(place.clone());
                }
            }
        }
    }
    let told: BTreeMap<String, BTreeSet<String>> =
        table().into_iter().map(|(rule, row)| (rule, row.places)).collect();
    assert_eq!(told, asking);
}

#[test]
fn every_incident_is_told_with_its_source_and_its_rules() {
    let row = |incident: &&Incident| {
        let rules: Vec<String> = incident.rules.iter().map(ToString::to_string).collect();
        format!("]({}) | {} | `{}` |", incident.source, rules.join(", "), incident.name)
    };
    let missing: Vec<String> =
        INCIDENTS.iter().map(|incident| row(&incident)).filter(|row| !README.contains(row)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
