//! Files that lost a line or were damaged: they load no looser, or not at all.

use ocird_model::Guardrails;
use proptest::prelude::*;

use super::*;

/// How much a configuration lets go, by each of its settings: more is looser. A sentinel, an expected host and a window
/// are offers that a file may leave out, so they do not count.
fn looseness(config: &Config) -> [(&'static str, i64); 17] {
    let Guardrails { min_newest, min_age, grace } = config.policies.guardrails;
    let policies = &config.policies.policies;
    let n = |count: usize| i64::try_from(count).unwrap();
    let oldest = config.in_use.scopes().map(|scope| scope.max_age.num_seconds()).max();
    [
        ("armed", i64::from(config.mode == Mode::Enforce)),
        ("compartments", n(config.oci.compartments.len())),
        ("min_newest", -i64::from(min_newest.get())),
        ("min_age", -min_age.num_seconds()),
        ("grace", -grace.num_seconds()),
        ("max_per_pass", config.limits.max_per_pass.into()),
        ("max_per_day", config.limits.max_per_day.into()),
        ("max_plan", config.limits.max_plan.into()),
        ("accept_none", config.in_use.accept_none.into()),
        ("sources", -n(config.in_use.scopes().count())),
        ("keep_previous", -i64::from(config.in_use.keep_previous)),
        ("max_age", oldest.unwrap_or_default()),
        ("keep rules", -n(policies.iter().map(|policy| policy.keep.len()).sum())),
        ("delete rules", n(policies.iter().map(|policy| policy.delete.len()).sum())),
        ("signed", n(policies.iter().filter(|policy| policy.enforce_signed).count())),
        ("shared identity", i64::from(config.mode == Mode::Enforce && config.shared_identity().is_none())),
        ("public", n(policies.iter().filter(|policy| policy.enforce_public).count())),
    ]
}

/// The settings by which `after` lets more go than `before`.
fn looser(before: &Config, after: &Config) -> Vec<&'static str> {
    looseness(before)
        .into_iter()
        .zip(looseness(after))
        .filter(|((_, before), (_, after))| after > before)
        .map(|((setting, _), _)| setting)
        .collect()
}

fn without_line(text: &str, i: usize) -> String {
    let kept: Vec<&str> = text.lines().enumerate().filter(|(n, _)| *n != i).map(|(_, line)| line).collect();
    kept.join("\n")
}

#[test]
fn no_lost_line_makes_the_central_file_looser() {
    for text in [EXAMPLE.to_owned(), armed_example()] {
        let whole = example(&text).load().unwrap();
        let mut n_loaded = 0;
        for i in 0..text.lines().count() {
            if let Ok(config) = example(&without_line(&text, i)).load() {
                n_loaded += 1;
                assert_eq!(looser(&whole, &config), [""; 0], "without line {}", i + 1);
            }
        }
        assert!(n_loaded > 10, "lines with defaults may go: {n_loaded}");
    }
}

#[test]
fn no_lost_line_of_a_policy_drops_a_keep_rule_or_leaves_a_delete_rule_unbounded() {
    let whole = example(EXAMPLE).load().unwrap();
    for (name, text) in [("mgh.toml", MGH), ("todo.toml", TODO)] {
        for i in 0..text.lines().count() {
            let files = example(EXAMPLE);
            files.policy(name, &without_line(text, i));
            if let Ok(config) = files.load() {
                assert_eq!(looser(&whole, &config), [""; 0], "{name} without line {}", i + 1);
                assert_eq!(unbounded(&config), [""; 0], "{name} without line {}", i + 1);
            }
        }
    }
}

/// Delete rules without an age and without a `newest` rule over the very same tags, or all where they take all (S-11).
fn unbounded(config: &Config) -> Vec<&str> {
    let rules = config.policies.policies.iter().flat_map(|policy| {
        policy.delete.iter().filter(|rule| {
            let bounds = |tags: Option<&Patterns>| match (&rule.selects, tags) {
                (Selects::Tagged, None) | (Selects::Lifecycle(_), _) => true,
                (Selects::Tags(selected), Some(tags)) => tags == selected,
                (Selects::Untagged, _) | (Selects::Tagged, Some(_)) | (Selects::Tags(_), None) => false,
            };
            let has_newest =
                policy.keep.iter().any(|keep| keep.newest.is_some() && bounds(keep.tags.as_ref()));
            rule.older_than.is_none() && !has_newest
        })
    });
    rules.map(|rule| rule.name.as_str()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_text_is_loaded_or_refused_without_a_panic(central in "\\PC{0,200}", policy in "\\PC{0,200}") {
        let loaded = Files::new(&central, &[("a.toml", &policy)]).load();
        prop_assert!(loaded.is_err(), "no such text names a compartment");
    }

    #[test]
    fn a_damaged_example_is_loaded_or_refused_without_a_panic_and_never_armed(
        at in 0..EXAMPLE.len(), length in 0_usize..40, noise in "[\\[\\]{}=\"'#\n a-z0-9.\u{1b}é]{0,12}",
    ) {
        let start = EXAMPLE.floor_char_boundary(at);
        let end = EXAMPLE.floor_char_boundary((at + length).min(EXAMPLE.len()));
        let damaged = [&EXAMPLE[..start], &noise, &EXAMPLE[end..]].concat();
        match example(&damaged).load() {
            Ok(config) => prop_assert_eq!(config.mode, Mode::Report),
            Err(problems) => prop_assert_eq!(problems.find('\u{1b}'), None),
        }
    }
}
