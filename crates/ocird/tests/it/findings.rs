//! `ocird findings`: by the daemon while one runs, by the store after it.

use serde_json::Value;

use crate::world::{Setting, World};

/// Adds a repository that is expected and does not exist.
fn expect_more(world: &World) {
    let config = std::fs::read_to_string(world.config_file()).unwrap();
    std::fs::write(world.config_file(), format!("{config}\n[findings]\nexpected = [\"web-lost\"]\n"))
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn findings_come_from_the_daemon_and_after_it_from_the_store() {
    let world = World::new(Setting::default()).await;
    expect_more(&world);
    let absent = world.ocird(&["findings"]).await;
    assert_eq!((absent.code, absent.stdout.as_str()), (Some(69), ""));
    assert!(absent.stderr.contains("no daemon answers, and there is no store yet"), "{}", absent.stderr);

    let daemon = world.start();
    daemon.ready().await;
    let told = world.ocird(&["findings"]).await;
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    let problem = "repository web-lost: missing\nproblem    web-lost is expected and not in the compartments";
    assert!(told.stdout.contains(problem), "{}", told.stdout);
    assert!(told.stdout.lines().all(|line| line.len() <= 80), "{}", told.stdout);
    daemon.kill().await;

    let remembered = world.ocird(&["findings"]).await;
    assert_eq!((remembered.code, &remembered.stdout), (Some(0), &told.stdout));
    assert!(remembered.stderr.contains("its last pass on record"), "{}", remembered.stderr);
    let json: Value = serde_json::from_str(&world.ocird(&["findings", "--json"]).await.stdout).unwrap();
    let missing = json["findings"].as_array().unwrap().iter().find(|one| one["kind"] == "missing").unwrap();
    assert_eq!((&json["schema"], &missing["subject"]["name"]), (&1.into(), &"web-lost".into()));
    assert_eq!(missing["severity"], "problem");
}
