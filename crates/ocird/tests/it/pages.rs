//! The pages of the real binary, and a reader of the Prometheus text format that was written from its specification,
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::collections::{BTreeMap, BTreeSet};

use crate::world::{Setting, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_family_of_metrics_has_its_help_and_its_type() {
    let world = World::new(Setting::default()).await;
    let daemon = world.start();
    daemon.ready().await;
    let page = daemon.page("/metrics").await.unwrap();
    let content_type = page.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(content_type.starts_with("text/plain; version=0.0.4"), "{content_type}");
    let families = families(&page.text().await.unwrap());
    assert!(families.len() > 20, "{:?}", families.keys());
    for (name, family) in &families {
        assert!(name.starts_with("ocird_") || name.starts_with("process_"), "{name}");
        assert!(!family.help.is_empty(), "{name} has no HELP");
        assert!(["counter", "gauge", "histogram"].contains(&family.kind.as_str()), "{name}: {}", family.kind);
        assert_eq!(family.kind == "counter", name.ends_with("_total"), "{name} is a {}", family.kind);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_of_the_list_answers() {
    let world = World::new(Setting::default()).await;
    let daemon = world.start();
    daemon.ready().await;
    let list = daemon.page("/").await.unwrap().text().await.unwrap();
    let paths: Vec<&str> = list.lines().filter_map(|line| line.trim().split(' ').next()).collect();
    let paths: Vec<&str> = paths.into_iter().filter(|path| path.starts_with('/')).collect();
    assert!(paths.len() >= 8, "{list}");
    for path in paths {
        assert_eq!(daemon.code(path).await, Some(200), "{path}");
    }
    assert_eq!(daemon.code("/nothing").await, Some(404));
}

/// One family.
#[derive(Debug, Default)]
struct Family {
    help: String,
    kind: String,
    samples: BTreeSet<String>,
}

/// Takes a page apart, and refuses what the format does not allow: a sample before its TYPE, a family in two places,
/// the same sample twice, a value that is no number.
fn families(page: &str) -> BTreeMap<String, Family> {
    assert!(page.ends_with('\n'), "the last line has no end");
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut present = String::new();
    for line in page.lines().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            let known =
                families.insert(name.to_owned(), Family { help: help.to_owned(), ..Family::default() });
            assert!(known.is_none(), "{name} is in two places");
            name.clone_into(&mut present);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, present, "TYPE of {name} without its HELP");
            kind.clone_into(&mut families.get_mut(name).unwrap().kind);
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok() || ["+Inf", "-Inf", "NaN"].contains(&value), "{line}");
            let name = sample.split('{').next().unwrap();
            let family = families.get_mut(&present).unwrap_or_else(|| panic!("{line} before its family"));
            assert!(is_of(name, &present, &family.kind), "{name} stands under {present}");
            assert!(family.samples.insert(sample.to_owned()), "{sample} is there twice");
        }
    }
    families
}

/// Whether a sample of this name belongs to a family: a histogram's have three endings.
fn is_of(name: &str, family: &str, kind: &str) -> bool {
    let rest = name.strip_prefix(family);
    match kind {
        "histogram" => rest.is_some_and(|rest| ["_bucket", "_sum", "_count"].contains(&rest)),
        _ => rest == Some(""),
    }
}
