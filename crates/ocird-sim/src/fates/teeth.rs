//! The table of rules, places and tests in the README is whole and true: every rule has a row, every test in it exists, and
//! every place still asks whether its rule is in force. That each test fails without its rule, `.ci/teeth` sees.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ocird_model::Rule;

const README: &str = include_str!("../../README.md");

/// One row.
struct Row {
    places: String,
    test: String,
}

fn table() -> BTreeMap<String, Row> {
    let rows = README.lines().filter(|line| line.starts_with("| S-"));
    let cells = rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>());
    cells
        .map(|cells| {
            let [rule, places, test] = cells.as_slice() else { panic!("a row has three cells: {cells:?}") };
            let row = Row { places: (*places).to_owned(), test: test.trim_matches('`').to_owned() };
            ((*rule).to_owned(), row)
        })
        .collect()
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
    for (rule, Row { places: _, test }) in table() {
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
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_place_of_the_table_asks_for_its_rule_and_a_rule_without_a_switch_has_a_reason() {
    for (rule, Row { places, test: _ }) in table() {
        if let Some(reason) = places.strip_prefix("no switch: ") {
            assert!(reason.len() > 20, "{rule}: {reason}");
            continue;
        }
        let number = rule.trim_start_matches("S-");
        for place in places.split(", ").map(|place| place.trim_matches('`')) {
            let (package, file) = place.split_once('/').unwrap();
            let text = std::fs::read_to_string(crates().join(package).join("src").join(file)).unwrap();
            let asks = text.contains(&format!("Rule::S{number}.in_force()"));
            assert!(asks, "{rule}: {place} does not ask for it any more");
        }
    }
}
