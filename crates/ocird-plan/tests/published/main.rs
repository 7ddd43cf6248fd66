//! The planner on what other systems have published of their policies: their images, their rules in our language, and
//! their outcomes. Where ours is another, the table says which and why. No text or code of theirs is here, only facts.
//!
//! Amazon's lifecycle documents are read by a language of their own and have their cases in `it/ecr.rs`. What other grammars
//! refuse is set beside ours in the configuration's tests.

#![expect(clippy::unwrap_used, reason = "builders of test worlds unwrap what the tests themselves wrote")]

mod gar;
mod keppel;
mod notation;
mod ocir;
mod suite;
mod world;
mod zot_structure;
mod zot_tags;
mod zot_window;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use suite::Suite;

fn suites() -> [Suite; 6] {
    [
        gar::suite(),
        ocir::suite(),
        keppel::suite(),
        zot_tags::suite(),
        zot_structure::suite(),
        zot_window::suite(),
    ]
}

#[test]
fn no_published_case_is_dropped() {
    for suite in suites() {
        assert!(suite.astray().is_empty(), "{}: {:?}", suite.name, suite.astray());
    }
    assert_eq!(suites().map(|suite| suite.ids.len()), [8, 6, 10, 11, 11, 5]);
}

#[test]
fn every_rule_of_the_tables_could_stand_in_a_file() {
    let unsayable: Vec<String> = suites().iter().flat_map(Suite::unsayable).collect();
    assert_eq!(unsayable, [""; 0]);
}

#[test]
fn every_reason_is_a_sentence() {
    for (case, because) in suites().iter().flat_map(Suite::reasons) {
        assert!(
            because.len() > 20 && because.ends_with('.') && !because.contains("  "),
            "{case}: {because:?}"
        );
    }
}

/// Wherever else ours is another outcome, it is because more stays.
#[test]
fn nothing_but_untagged_images_goes_here_and_stays_elsewhere() {
    let suites = suites();
    let mut taken = BTreeMap::<&str, Vec<&str>>::new();
    for case in suites.iter().flat_map(|suite| &suite.cases) {
        for row in case.taken_besides() {
            assert_eq!(row.tags, "", "{case}: {}", row.name);
            taken.entry(case.id).or_default().push(row.name);
        }
    }
    let expected = [("keep-most-recent", vec!["B", "C"]), ("keep-per-package", vec!["B", "C"])];
    assert_eq!(taken, BTreeMap::from(expected));
}

#[test]
fn what_is_tested_elsewhere_is_there() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let suites = suites();
    for case in suites.iter().flat_map(|suite| &suite.elsewhere) {
        if let Some((file, test)) = case.tested_by {
            let text =
                fs::read_to_string(crates.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            assert!(text.contains(&format!("fn {test}(")), "{}: {file} has no test {test}", case.id);
        }
    }
}
