//! `ocird check` with a look at the registry, as JSON, strictly, and against another set of policies.

use serde_json::Value;

use crate::world::{POLICY, Setting, World};

/// Rules that are allowed and probably not meant: one keep rule holds whatever the delete rules take, and one nothing.
const ODD: &str = r#"project = "web"
repositories = ["web-*"]

[[keep]]
name = "channels"
tags = ["latest"]

[[keep]]
name = "builds"
tags = ["b*"]

[[delete]]
name = "old builds"
tags = ["b1*"]
older_than = "1d"

[[delete]]
name = "builds after a day"
tagged = true
older_than = "1d"
"#;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_a_keep_rule_always_beats_is_seen_without_the_registry() {
    let world = World::new(Setting::default()).await;
    world.write_policy(ODD);
    let checked = world.ocird(&["check"]).await;
    assert_eq!(checked.code, Some(0), "a warning is no problem");
    let wanted = "web.toml:12:1: this rule can never take anything: keep rule \"builds\" holds all of it";
    assert!(checked.stderr.contains(wanted), "{}", checked.stderr);
    assert_eq!(world.server.requests().total(), 0, "it asked the cloud");
    assert_eq!(world.ocird(&["check", "--strict"]).await.code, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_at_the_registry_shows_what_each_rule_matches_and_what_is_odd() {
    let world = World::new(Setting { armed: true, ..Setting::default() }).await;
    world.write_policy(ODD);
    let config = std::fs::read_to_string(world.config_file()).unwrap();
    let region = format!("region = \"{}\"", world.tenancy.settings().region);
    assert!(config.contains(&region));
    std::fs::write(world.config_file(), config.replace(&region, "region = \"eu-frankfurt-1\"")).unwrap();
    let checked = world.ocird(&["check", "--registry"]).await;
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let matches = &checked.stdout[checked.stdout.find("web: 2").unwrap()..];
    insta::assert_snapshot!(matches, @"
    web: 2 repositories, 16 families (16 tagged)
      keep     channels: holds 0 families
      keep     builds: holds 16 families
      delete   old builds: selects 2 families, of which nothing holds 0
      delete   builds after a day: selects 16 families, of which nothing holds 0
    ");
    for warning in [
        "warning: armed_for names ",
        "warning: web: keep rule \"channels\" holds nothing now",
        "warning: web: delete rule \"old builds\" can take nothing now: all 2 that it selects are held",
        "warning: web: delete rule \"builds after a day\" can take nothing now: all 16 that it selects are held",
        "warning: web-shop: delete rule \"builds after a day\" selects 8, 0 of them free, of 8 tagged families",
    ] {
        assert!(checked.stderr.contains(warning), "{warning} is missing:\n{}", checked.stderr);
    }
    assert!(checked.stdout.lines().all(|line| line.len() <= 80), "{}", checked.stdout);
    assert_eq!(world.tap.asked(), [], "it deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_without_policy_and_a_policy_without_repository_are_named() {
    let world = World::new(Setting::default()).await;
    world.write_policy(&POLICY.replace("web-*", "shop-*"));
    let checked = world.ocird(&["check", "--registry"]).await;
    for warning in ["web-shop: no policy governs it", "web: its policy governs no repository that there is"] {
        assert!(checked.stderr.contains(warning), "{warning} is missing:\n{}", checked.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_programs_it_is_one_document_good_or_bad() {
    let world = World::new(Setting::default()).await;
    let good = world.ocird(&["check", "--json", "--registry"]).await;
    let document = json(&good.stdout);
    assert_eq!((&document["schema"], &document["ok"]), (&1.into(), &true.into()));
    assert_eq!(document["policies"][0]["delete"][0]["n_families"], 16);
    assert_eq!(json(&world.ocird(&["check", "--json"]).await.stdout)["policies"], Value::Null);
    world.write_policy(&POLICY.replace("older_than = \"1d\"", "older_than = 1"));
    let bad = world.ocird(&["check", "--json"]).await;
    assert_eq!((bad.code, bad.stderr.as_str()), (Some(78), ""));
    let document = json(&bad.stdout);
    assert_eq!((&document["ok"], &document["problems"][0]["line"]), (&false.into(), &11.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sets_of_policies_are_compared_on_the_same_registry() {
    let world = World::new(Setting::default()).await;
    let other = world.path("other");
    std::fs::create_dir(&other).unwrap();
    let other = other.to_str().unwrap();
    let policy = |text: &str| std::fs::write(world.path("other/web.toml"), text).unwrap();
    policy(POLICY);
    let same = world.ocird(&["check", "--diff", other, "--exit-code"]).await;
    assert_eq!(same.code, Some(0));
    assert_eq!(same.stdout, "0 more would go by the other, 0 fewer; 0 differ in their reason only\n");

    policy(&POLICY.replace("\"latest\"", "\"latest\", \"b3\""));
    let kept = world.ocird(&["check", "--diff", other, "--exit-code"]).await;
    assert_eq!(kept.code, Some(1));
    assert_eq!(world.ocird(&["check", "--diff", other]).await.code, Some(0));
    assert!(kept.stdout.contains("  this     delete: rule \"builds after a day\"\n"), "{}", kept.stdout);
    assert!(kept.stdout.contains("  other    keep: rule \"channels\"\n"), "{}", kept.stdout);
    assert!(kept.stdout.contains("0 more would go by the other, 6 fewer"), "{}", kept.stdout);

    assert!(kept.stdout.contains("(b3), and 2 more of its family\n"), "{}", kept.stdout);
    assert!(!kept.stdout.contains("with its head"), "a family is told once: {}", kept.stdout);

    let document = json(&world.ocird(&["check", "--diff", other, "--json"]).await.stdout);
    assert_eq!((&document["fewer"], &document["more"]), (&6.into(), &0.into()));
    let changes = document["changes"].as_array().unwrap();
    let head = changes.iter().find(|change| change["digest"] == change["head"]).unwrap();
    assert_eq!((&head["this"]["code"], &head["other"]["code"]), (&"delete_rule".into(), &"keep_rule".into()));
    let config = std::fs::read_to_string(world.config_file()).unwrap();
    let floor = config.replace("[guardrails]", "[guardrails]\nmin_newest = 8");
    std::fs::write(world.path("floor.toml"), floor).unwrap();
    let floor = world.ocird(&["check", "--diff", world.path("floor.toml").to_str().unwrap()]).await;
    assert!(floor.stdout.contains("0 more would go by the other, 12 fewer"), "{}", floor.stdout);
    policy("project = 1");
    assert_eq!(world.ocird(&["check", "--diff", other]).await.code, Some(78));
}
