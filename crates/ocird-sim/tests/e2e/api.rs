//! The API of a daemon that has a past: every operation is as its document says, and tells what really happened.

use chrono::TimeDelta;
use ocird_sim::contract::Contract;
use serde_json::Value;

use crate::world::{N_DUE, World, ripe_shop};

/// Every operation, and the variants that answer otherwise; the repository's name stands for the template.
const QUESTIONS: [&str; 16] = [
    "/api/v1/status",
    "/api/v1/repositories",
    "/api/v1/repositories/shop-api",
    "/api/v1/repositories/shop-api/images",
    "/api/v1/repositories/shop-api/images?state=gone",
    "/api/v1/plan",
    "/api/v1/pending",
    "/api/v1/deletions",
    "/api/v1/usage",
    "/api/v1/usage?step=hour&repository=shop-api",
    "/api/v1/usage?step=sample",
    "/api/v1/forecast",
    "/api/v1/forecast?repository=shop-web",
    "/api/v1/findings",
    "/api/v1/findings?state=all",
    "/api/v1/in-use",
];

impl World {
    async fn json(&self, path: &str) -> Value {
        let page = self.page(path).await;
        serde_json::from_str(&page).unwrap_or_else(|error| panic!("{path}: {error}: {page}"))
    }

    /// Every row of a list, in parts of so many.
    async fn rows(&self, list: &str, limit: u32) -> Vec<Value> {
        let joint = if list.contains('?') { '&' } else { '?' };
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        loop {
            let part = self.json(&format!("{list}{joint}limit={limit}{cursor}")).await;
            rows.extend(part["items"].as_array().unwrap().iter().cloned());
            assert!(rows.len() < 1000, "{list} does not end");
            match part["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return rows,
            }
        }
    }
}

/// The shop after its daemon has acted and proved it.
async fn tidy_shop() -> World {
    let mut world = ripe_shop().await;
    world.act().await;
    world.live(TimeDelta::hours(3)).await;
    world.assert_shop_is_tidy();
    world
}

#[tokio::test]
async fn every_answer_of_a_daemon_with_a_past_is_as_described() {
    let world = tidy_shop().await;
    let contract = Contract::new(world.json("/api/v1/openapi.json").await);
    for question in QUESTIONS {
        let path = question.split('?').next().unwrap().replace("shop-api", "{name}");
        let faults = contract.faults(&path, 200, "application/json", &world.json(question).await);
        assert_eq!(faults, Vec::<String>::new(), "{question}");
    }
}

#[tokio::test]
async fn the_journal_tells_each_deletion_once_with_what_it_freed_and_what_proved_it() {
    let world = tidy_shop().await;
    let deletions = world.rows("/api/v1/deletions", 1000).await;
    assert_eq!(deletions.len(), N_DUE);
    for deletion in &deletions {
        assert_eq!(deletion["outcome"], "deleted");
        assert_eq!(deletion["rule"], "rule \"beyond the newest\"");
        assert!(deletion["frees"].as_u64().unwrap() > 0);
        assert_eq!(deletion["proofs"][0]["result"], "clean", "{deletion}");
    }
    assert_eq!(world.rows("/api/v1/deletions", 2).await, deletions);
    let of_web = world.rows("/api/v1/deletions?repository=shop-web", 2).await;
    assert_eq!(of_web.len(), 3);
    let future = world.rows("/api/v1/deletions?from=2999-01-01", 2).await;
    assert_eq!(future, Vec::<Value>::new());
    let totals = &world.json("/api/v1/forecast").await["deleted"];
    assert_eq!(totals["n_deleted"], N_DUE);
    let freed: u64 = deletions.iter().map(|deletion| deletion["frees"].as_u64().unwrap()).sum();
    assert_eq!(totals["freed"], freed);
}

#[tokio::test]
async fn images_come_in_parts_the_newest_first_with_verdicts_and_what_runs() {
    let world = tidy_shop().await;
    let list = "/api/v1/repositories/shop-web/images";
    let images = world.rows(list, 2).await;
    let tags: Vec<&str> = images.iter().map(|image| image["tags"][0].as_str().unwrap()).collect();
    assert_eq!(tags, ["v8", "v7", "v6", "v5", "v2"]);
    assert_eq!(world.rows(list, 1000).await, images);
    let in_use = images.last().unwrap();
    assert_eq!(
        (&in_use["verdict"]["decision"], &in_use["verdict"]["reason"]),
        (&"keep".into(), &"in_use".into())
    );
    assert_eq!(in_use["used_by"].as_array().unwrap().len(), 1, "{in_use}");
    let gone = world.rows(&format!("{list}?state=gone"), 1).await;
    assert_eq!(gone.len(), 3);
    assert!(gone.iter().all(|image| image["gone_at"].is_string() && image["tags"][0].is_string()));
    let uses = world.json("/api/v1/in-use?repository=shop-web").await;
    assert_eq!(uses["items"][0]["tag"], "v2");
}

#[tokio::test]
async fn usage_in_parts_is_the_whole_range_and_falls_when_something_goes() {
    let world = tidy_shop().await;
    for list in [
        "/api/v1/usage?step=sample",
        "/api/v1/usage?step=hour",
        "/api/v1/usage?repository=shop-api&step=hour",
    ] {
        let whole = world.rows(list, 1000).await;
        assert!(whole.len() > 3, "{list}: {whole:?}");
        assert_eq!(world.rows(list, 2).await, whole, "{list}");
        let freed: u64 = whole.iter().map(|step| step["freed"].as_u64().unwrap()).sum();
        assert!(freed > 0, "{list}");
    }
    let backwards = world.rows("/api/v1/usage?from=2030-01-02&to=2030-01-01", 2).await;
    assert_eq!(backwards, Vec::<Value>::new());
    let csv = world.page("/api/v1/usage?step=hour&format=csv").await;
    assert_eq!(csv.lines().next(), Some("at,size,peak,grown,freed,reported_size,n_images,n_tags"));
}
