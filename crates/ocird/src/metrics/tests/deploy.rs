//! The files for Prometheus and Grafana under `deploy/`, against what is really exported: an alert that asks for a metric, label
//! or label value that does not exist never fires, and nobody notices.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::promql::{Matcher, Selector, asked};
use super::*;
use crate::http::worlds::armed_with_failures;
use crate::yaml::Node;

/// Labels that Prometheus gives to every series of a target.
const OF_TARGETS: [&str; 2] = ["instance", "job"];

fn file(path: &str) -> String {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    std::fs::read_to_string(deploy.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Arc<Node> {
    Node::parse(&file(path)).unwrap_or_else(|(line, what)| panic!("{path}:{line}: {what}"))
}

fn text(node: &Arc<Node>, key: &str) -> String {
    let found = node.get(key).unwrap_or_else(|| panic!("line {} has no {key}", node.line));
    found.text().unwrap_or_default().trim().to_owned()
}

/// Every rule of a file.
fn rules(path: &str) -> Vec<Arc<Node>> {
    let groups = yaml(path).get("groups").unwrap().items();
    groups.iter().flat_map(|group| group.get("rules").unwrap().items()).collect()
}

fn alerts() -> Vec<Arc<Node>> {
    rules("prometheus/alerts.yml")
}

fn dashboard() -> Value {
    serde_json::from_str(&file("grafana/ocird.json")).unwrap()
}

/// Every value of this key, however deep.
fn all<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                match inner {
                    Value::String(text) if name == key => found.push(text),
                    _ => all(inner, key, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| all(item, key, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The panels, those inside of rows included.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let top = dashboard["panels"].as_array().unwrap().iter();
    top.flat_map(|panel| std::iter::once(panel).chain(panel["panels"].as_array().into_iter().flatten()))
        .collect()
}

/// Every label that a metric has in a scrape in which everything is known, with its values.
type Exported = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn exported() -> Exported {
    let mut exported: Exported = ALL.iter().map(|family| (family.name.to_owned(), BTreeMap::new())).collect();
    for world in [report_mode(), armed_with_failures()] {
        let text = scrape(world);
        for (sample, _) in samples(&text) {
            let Selector { metric, matchers } = asked(sample).selectors.remove(0);
            let labels = exported.entry(metric).or_default();
            for Matcher { label, operator: _, value } in matchers {
                labels.entry(label).or_default().insert(value);
            }
        }
    }
    exported
}

/// What of an expression asks for something that is never there.
fn unknown(expression: &str, exported: &Exported) -> Vec<String> {
    let asked = asked(expression);
    let mut unknown = Vec::new();
    let mut known: BTreeSet<&str> = OF_TARGETS.into();
    for Selector { metric, matchers } in &asked.selectors {
        let Some(labels) = exported.get(metric) else {
            unknown.push(metric.clone());
            continue;
        };
        known.extend(labels.keys().map(String::as_str));
        let outside = matchers.iter().filter(|matcher| !OF_TARGETS.contains(&matcher.label.as_str()));
        unknown.extend(outside.flat_map(|matcher| unmatched(metric, matcher, labels)));
    }
    unknown.extend(asked.labels.into_iter().filter(|label| !known.contains(label.as_str())));
    unknown
}

/// The values of a matcher that its label never has. A variable of the dashboard may be anything.
fn unmatched(
    metric: &str,
    Matcher { label, operator: _, value }: &Matcher,
    labels: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let Some(values) = labels.get(label) else { return vec![format!("{metric}{{{label}}}")] };
    let wanted = value.split('|').filter(|word| !word.starts_with('$') && !values.contains(*word));
    wanted.map(|word| format!("{metric}{{{label}={word}}}")).collect()
}

/// What Prometheus itself and the recording rules add to what ocird exports.
fn with_recorded(mut exported: Exported) -> Exported {
    let recorded = rules("prometheus/recording.yml").into_iter().map(|rule| text(&rule, "record"));
    for name in recorded.chain(["up".to_owned(), "scrape_duration_seconds".to_owned()]) {
        let level = name.split(':').next().unwrap_or_default();
        let labels = ["outcome", "region_name"].into_iter().filter(|label| level.contains(label));
        exported.insert(name.clone(), labels.map(|label| (label.to_owned(), BTreeSet::new())).collect());
    }
    exported
}

#[test]
fn the_check_finds_what_is_never_exported() {
    let exported = exported();
    for (expression, wanted) in [
        ("ocird_refusing{code=\"paused\"} == 1", ""),
        ("ocird_refusing{code=\"pausd\"} == 1", "ocird_refusing{code=pausd}"),
        ("ocird_findings{kind=~\"vanished|lost\"}", "ocird_findings{kind=lost}"),
        ("ocird_frozen{code=\"frozen\"}", "ocird_frozen{code}"),
        ("sum by (digest) (ocird_images)", "digest"),
        ("ocird_frosen == 1", "ocird_frosen"),
    ] {
        assert_eq!(unknown(expression, &exported).join(" "), wanted, "{expression}");
    }
}

#[test]
fn rules_ask_only_for_what_is_exported() {
    let mut exported = exported();
    exported.insert("up".to_owned(), BTreeMap::new());
    for rule in alerts().into_iter().chain(rules("prometheus/recording.yml")) {
        let expression = text(&rule, "expr");
        assert_eq!(unknown(&expression, &exported), Vec::<String>::new(), "line {}: {expression}", rule.line);
        assert!(!asked(&expression).selectors.is_empty(), "line {}: {expression}", rule.line);
    }
}

#[test]
fn the_dashboard_asks_only_for_what_is_exported_or_recorded() {
    let (dashboard, exported) = (dashboard(), with_recorded(exported()));
    let mut expressions = Vec::new();
    all(&dashboard["panels"], "expr", &mut expressions);
    all(&dashboard["annotations"], "expr", &mut expressions);
    assert!(expressions.len() > 30, "{}", expressions.len());
    for expression in expressions {
        assert_eq!(unknown(expression, &exported), Vec::<String>::new(), "{expression}");
        let is_of_instance = expression.matches("instance=~\"$instance\"").count();
        assert_eq!(is_of_instance, asked(expression).selectors.len(), "not only of $instance: {expression}");
    }
}

#[test]
fn every_alert_says_how_bad_it_is_what_is_so_and_what_to_do() {
    let severities = ["critical", "warning", "info"];
    for alert in alerts() {
        let name = text(&alert, "alert");
        assert!(name.starts_with("Ocird"), "{name}");
        let severity = text(&alert.get("labels").unwrap(), "severity");
        assert!(severities.contains(&severity.as_str()), "{name}: {severity}");
        let annotations = alert.get("annotations").unwrap();
        let (summary, description) = (text(&annotations, "summary"), text(&annotations, "description"));
        assert!(summary.ends_with('.') && !summary.contains("{{"), "{name}: {summary}");
        assert!(
            description.ends_with('.') && description.matches(['.', '?']).count() > 1,
            "{name}: {description}"
        );
        let runbook = format!("deploy/README.md#alert-{}", name.to_ascii_lowercase());
        assert_eq!(text(&annotations, "runbook_url"), runbook);
    }
}

#[test]
fn the_guide_has_a_heading_for_every_alert_in_their_order_and_for_nothing_else() {
    let guide = file("README.md");
    let headings: Vec<&str> = guide.lines().filter_map(|line| line.strip_prefix("### Alert: ")).collect();
    let names: Vec<String> = alerts().iter().map(|alert| text(alert, "alert")).collect();
    assert_eq!(headings, names);
}

#[test]
fn every_alert_and_recording_is_tried_and_every_alert_is_also_seen_quiet() {
    let names = ["alive", "belief", "days", "deletion", "upkeep", "usage"];
    let (mut fires, mut is_quiet) = (BTreeSet::new(), BTreeSet::new());
    for name in names {
        for test in yaml(&format!("prometheus/tests/{name}.yml")).get("tests").unwrap().items() {
            for case in test.get("alert_rule_test").unwrap().items() {
                let expected = case.get("exp_alerts").unwrap().items();
                let tried = if expected.is_empty() { &mut is_quiet } else { &mut fires };
                tried.insert(text(&case, "alertname"));
            }
        }
    }
    let all: BTreeSet<String> = alerts().iter().map(|alert| text(alert, "alert")).collect();
    assert_eq!(fires, all);
    assert_eq!(is_quiet, all);
    let tried = file("prometheus/tests/recording.yml");
    for rule in rules("prometheus/recording.yml") {
        let name = text(&rule, "record");
        assert!(tried.contains(&format!("expr: {name}")), "{name} is not tried");
    }
}

#[test]
fn the_list_of_metrics_has_each_with_its_kind_its_labels_and_what_it_means() {
    let exported = exported();
    let row = |family: &catalogue::Family| {
        let labels: Vec<String> = exported[family.name].keys().map(|label| format!("`{label}`")).collect();
        let kind = format!("{:?}", family.kind).to_ascii_lowercase();
        format!("| `{}` | {kind} | {} | {} |", family.name, labels.join(", "), family.help)
    };
    let rows: Vec<String> = ALL.iter().map(row).collect();
    let list = file("prometheus/metrics.md");
    let listed: Vec<&str> = list.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(listed, rows, "deploy/prometheus/metrics.md wants these rows:\n{}", rows.join("\n"));
}

#[test]
fn the_readme_lists_each_alert_with_its_severity_and_what_it_says() {
    let readme = include_str!("../../../../../README.md");
    let row = |alert: &Arc<Node>| {
        let severity = text(&alert.get("labels").unwrap(), "severity");
        let summary = text(&alert.get("annotations").unwrap(), "summary");
        format!("| `{}` | {severity} | {summary} |", text(alert, "alert"))
    };
    let rows: Vec<String> = alerts().iter().map(row).collect();
    let listed: Vec<&str> = readme.lines().filter(|line| line.starts_with("| `Ocird")).collect();
    assert_eq!(listed, rows, "the README wants these rows:\n{}", rows.join("\n"));
}

#[test]
fn every_panel_has_a_title_a_unit_and_the_chosen_source() {
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = variables.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["datasource", "instance", "repository"]);
    let mut ids = BTreeSet::new();
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().unwrap();
        assert!(!title.is_empty() && ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        if panel["type"] == "row" {
            continue;
        }
        assert!(panel["description"].as_str().unwrap().ends_with('.'), "{title}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has no unit");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
}

#[test]
fn no_two_panels_overlap_and_none_leaves_the_grid_of_24_columns() {
    let dashboard = dashboard();
    let mut taken = BTreeSet::new();
    for panel in panels(&dashboard) {
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + w <= 24, "{}", panel["title"]);
        for cell in (x..x + w).flat_map(|column| (y..y + h).map(move |line| (column, line))) {
            assert!(taken.insert(cell), "{} overlaps at {cell:?}", panel["title"]);
        }
    }
}
