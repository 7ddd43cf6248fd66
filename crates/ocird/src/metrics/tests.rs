//! The rules that every exported family keeps, without a tool: names, units, HELP, labels, zeros from the start.
//! <https://prometheus.io/docs/practices/naming/>

mod deploy;
mod promql;

use std::collections::{BTreeMap, BTreeSet};

use super::board::MAX_REPOSITORIES;
use super::catalogue::{ALL, Kind};
use super::*;
use crate::http::worlds::{armed_with_failures, fresh_start, hostile, now, report_mode, repository};
use crate::status::Status;

/// Everything that can be known, known.
fn scrape(status: Status) -> String {
    let metrics = Metrics::new(&Board::new(status));
    metrics.cloud(CloudCounts {
        requests: [(("ListContainerImages", "throttled"), 3)].into(),
        retries: 2,
        throttled: 3,
        limit: Some(16),
        token_refreshes: 1,
        token_refresh_failures: 0,
        token_expires_at: Some(now()),
        clock_ahead: Some(TimeDelta::milliseconds(-1500)),
    });
    metrics.render().unwrap()
}

/// The samples without their comments: name and labels, value.
fn samples(text: &str) -> Vec<(&str, f64)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(sample, value)| (sample, value.parse().unwrap()))
        .collect()
}

fn value(text: &str, sample: &str) -> Option<f64> {
    samples(text).into_iter().find(|(name, _)| *name == sample).map(|(_, value)| value)
}

/// The label pairs of every sample.
fn labels(text: &str) -> BTreeSet<(String, String)> {
    let inside = samples(text).into_iter().filter_map(|(sample, _)| {
        sample.split_once('{').map(|(_, rest)| rest.trim_end_matches('}').to_owned())
    });
    inside
        .flat_map(|pairs| {
            pairs
                .split("\",")
                .map(|pair| pair.split_once("=\"").unwrap())
                .map(|(name, value)| (name.to_owned(), value.trim_end_matches('"').to_owned()))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn names_follow_the_rules_and_every_family_has_a_sentence_of_help() {
    for family in ALL {
        let name = family.name;
        assert!(name.starts_with("ocird_") || name.starts_with("process_"), "{name}");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
        for unit in ["_ms", "milli", "_mb", "_kb", "minutes", "hours", "percent", "_count", "reconcile"] {
            assert!(!name.contains(unit), "{name} contains {unit}");
        }
        assert!(family.help.ends_with('.') && family.help.len() > 10, "{name}: {:?}", family.help);
    }
}

#[test]
fn every_family_is_exported_once_and_nothing_else_is() {
    let text = scrape(report_mode());
    let described: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# HELP ")).collect();
    let exported: Vec<&str> = described.iter().map(|line| line.split(' ').next().unwrap()).collect();
    let mut known: Vec<&str> = ALL.iter().map(|family| family.name).collect();
    known.sort_unstable();
    assert_eq!(exported, known);
}

#[test]
fn names_and_help_are_part_of_the_interface() {
    let mut families: Vec<String> =
        ALL.iter().map(|family| format!("{} {:?}: {}", family.name, family.kind, family.help)).collect();
    families.sort_unstable();
    assert_eq!(families.len(), ALL.len());
    insta::assert_snapshot!(families.join("\n"));
}

#[test]
fn labels_are_of_a_short_list_and_never_a_digest_a_tag_or_an_ocid() {
    let text = scrape(armed_with_failures());
    let names: BTreeSet<String> = labels(&text).into_iter().map(|(name, _)| name).collect();
    let known = [
        "architecture",
        "check",
        "code",
        "kind",
        "mode",
        "operation",
        "outcome",
        "path",
        "reason",
        "region_name",
        "repository",
        "result",
        "revision",
        "severity",
        "source",
        "stage",
        "verdict",
        "version",
    ];
    assert_eq!(names, known.map(str::to_owned).into());
    for (name, value) in labels(&text) {
        assert!(!value.contains("ocid1.") && !value.contains("sha256"), "{name}={value}");
        assert!(!value.contains("9f3a51c0") && !value.contains("v1."), "{name}={value}");
    }
}

#[test]
fn known_label_values_stand_at_zero_from_the_start() {
    let metrics = Metrics::new(&Board::new(fresh_start()));
    let text = metrics.render().unwrap();
    for sample in [
        "ocird_passes_total",
        "ocird_pass_failures_total{stage=\"sign_in\"}",
        "ocird_outcomes_total{outcome=\"deleted\"}",
        "ocird_refusals_total{code=\"breaker\"}",
        "ocird_refusing{code=\"breaker\"}",
        "ocird_images{verdict=\"keep\",reason=\"floor\"}",
        "ocird_unreadable_repositories{reason=\"manifest\"}",
        "ocird_oci_requests_total{operation=\"ListContainerImages\",code=\"throttled\"}",
        "ocird_http_requests_total{code=\"503\",path=\"/readyz\"}",
        "ocird_last_complete_pass_timestamp_seconds",
        "ocird_pending_families",
        "ocird_armed",
    ] {
        assert_eq!(value(&text, sample), Some(0.0), "{sample}\n{text}");
    }
    assert_eq!(value(&text, "ocird_refusing{code=\"report_mode\"}"), Some(1.0));
    assert_eq!(value(&text, "ocird_oci_token_expiry_timestamp_seconds"), None);
}

#[test]
fn the_board_and_the_clouds_counts_are_what_is_exported() {
    let text = scrape(armed_with_failures());
    for (sample, wanted) in [
        ("ocird_armed", 1.0),
        ("ocird_mode{mode=\"armed\"}", 1.0),
        ("ocird_refusing{code=\"paused\"}", 1.0),
        ("ocird_check_failed{check=\"registry\"}", 1.0),
        ("ocird_repositories", 4.0),
        ("ocird_unreadable_repositories{reason=\"listing\"}", 1.0),
        ("ocird_repository_unreadable{repository=\"mgh-docs\"}", 1.0),
        ("ocird_repository_size_bytes{repository=\"mgh-website\"}", 142_900_000.0),
        ("ocird_images{verdict=\"keep\",reason=\"floor\"}", 12.0),
        ("ocird_images{verdict=\"delete\",reason=\"delete_rule\"}", 4.0),
        ("ocird_pending_families", 12.0),
        ("ocird_outcomes_total{outcome=\"deleted\"}", 2.0),
        ("ocird_pass_failures_total{stage=\"sign_in\"}", 1.0),
        ("ocird_last_pass_duration_seconds", 61.2),
        ("ocird_in_use_doubtful{source=\"/var/lib/ocird/in-use/milan-1.json\"}", 1.0),
        ("ocird_oci_requests_total{operation=\"ListContainerImages\",code=\"throttled\"}", 3.0),
        ("ocird_oci_requests_total{operation=\"ListContainerImages\",code=\"ok\"}", 0.0),
        ("ocird_oci_concurrency_limit", 16.0),
        ("ocird_clock_skew_seconds", -1.5),
        ("ocird_oci_token_expiry_timestamp_seconds", 1_772_366_400.0),
        ("ocird_instance_info{region_name=\"eu-milan-1\"}", 1.0),
        ("ocird_budget_bytes", 500_000_000.0),
        ("ocird_budget_warning_bytes", 350_000_000.0),
        ("ocird_complete_pass_due_timestamp_seconds", 1_772_368_860.0),
        ("ocird_disk_floor_bytes", 256_000_000.0),
        ("ocird_disk_free_bytes", 31_400_000_000.0),
    ] {
        assert_eq!(value(&text, sample), Some(wanted), "{sample}\n{text}");
    }
}

#[test]
fn what_is_not_known_is_absent_and_never_zero() {
    let text = scrape(armed_with_failures());
    assert_eq!(value(&text, "ocird_repository_size_bytes{repository=\"mgh-docs\"}"), None);
    assert_eq!(value(&text, "ocird_size_bytes"), None, "a sum with an unknown part is unknown");
    assert_eq!(value(&scrape(report_mode()), "ocird_size_bytes"), Some(361_400_000.0));
    for sample in ["ocird_budget_bytes", "ocird_budget_warning_bytes", "ocird_disk_free_bytes"] {
        assert_eq!(value(&scrape(fresh_start()), sample), None, "{sample}");
    }
}

#[test]
fn a_repository_that_is_gone_is_gone_from_the_next_scrape() {
    let board = Board::new(report_mode());
    let metrics = Metrics::new(&board);
    let sample = "ocird_repository_images{repository=\"mgh-docs\"}";
    assert_eq!(value(&metrics.render().unwrap(), sample), Some(4.0));
    board.update(|status| status.repositories.retain(|name, _| name.as_str() != "mgh-docs"));
    assert_eq!(value(&metrics.render().unwrap(), sample), None);
}

#[test]
fn repositories_beyond_the_cap_are_counted_but_have_no_series() {
    let mut status = report_mode();
    let names = (0..MAX_REPOSITORIES + 2).map(|n| format!("r-{n:03}").parse().unwrap());
    status.repositories = names.map(|name| (name, repository(5, 5, 10, 0))).collect();
    let text = scrape(status);
    let n_series =
        samples(&text).iter().filter(|(name, _)| name.starts_with("ocird_repository_images{")).count();
    assert_eq!(n_series, MAX_REPOSITORIES);
    assert_eq!(value(&text, "ocird_metrics_dropped_series"), Some(16.0));
    assert_eq!(value(&text, "ocird_repositories"), Some(202.0));
    assert_eq!(value(&text, "ocird_size_bytes"), Some(2020.0));
}

#[test]
fn hostile_text_stays_inside_its_label() {
    let text = scrape(hostile());
    let names: BTreeMap<&str, Kind> = ALL.iter().map(|family| (family.name, family.kind)).collect();
    for (sample, _) in samples(&text) {
        let name = sample.split('{').next().unwrap();
        assert!(names.contains_key(name), "a sample was forged: {sample}");
    }
    assert!(text.bytes().all(|b| b == b'\n' || (b' '..=b'~').contains(&b)));
}

#[test]
fn the_process_describes_itself() {
    let text = scrape(fresh_start());
    assert_eq!(value(&text, "process_start_time_seconds"), Some(1_772_366_360.0));
    for sample in ["process_resident_memory_bytes", "process_open_fds", "process_threads", "process_max_fds"]
    {
        assert!(value(&text, sample).unwrap() >= 1.0, "{sample}");
    }
    assert!(value(&text, "process_cpu_seconds_total").unwrap() >= 0.0);
}
