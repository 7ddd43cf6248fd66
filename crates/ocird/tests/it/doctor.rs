//! The examination as a process: what it says of a host where all is well, of one where something is not, and that it
//! asks nobody to change anything.

use std::os::unix::fs::symlink;

use ocird_sim::fault::{Fault, Operation, When};
use serde_json::Value;

use crate::process::{Ended, run};
use crate::world::{Setting, World};

/// The examination with the helper on the PATH.
async fn doctor(world: &World, arguments: &[&str]) -> Ended {
    let bin = world.path("bin");
    if !bin.exists() {
        std::fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_ocird"), bin.join("docker-credential-ocir")).unwrap();
    }
    let mut command = world.command(&[&["doctor"], arguments].concat());
    command.env("PATH", bin);
    run(command).await
}

/// Name and state of each step.
fn states(json: &Ended) -> Vec<(String, String)> {
    let document: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["schema"], 1);
    assert_eq!(document["ok"], json.code == Some(0));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let steps = document["steps"].as_array().unwrap();
    steps.iter().map(|step| (text(&step["name"]), text(&step["state"]))).collect()
}

fn in_state(states: &[(String, String)], state: &str) -> Vec<String> {
    states.iter().filter(|(_, found)| found == state).map(|(name, _)| name.clone()).collect()
}

/// The text without what differs from run to run: each step on one line, for where a line ends depends on it.
fn told(world: &World, text: &str) -> String {
    let text = text
        .replace(&format!("\n{:25}", ""), " ")
        .replace(world.directory.path().to_str().unwrap(), "/world");
    let lines = text.lines().map(|line| match line.split_at_checked(25) {
        Some((start, _)) if start.contains("clock") || start.contains("disk") => start.trim_end().to_owned(),
        _ => line.split(' ').map(same_in_every_run).collect::<Vec<_>>().join(" "),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn same_in_every_run(word: &str) -> &str {
    // The version of the schema, which grows with every migration.
    if word.strip_suffix(',').is_some_and(|number| number.parse::<u32>().is_ok()) {
        return "N,";
    }
    let has = |mark: char| word.contains(mark) && word.starts_with(|c: char| c.is_ascii_digit());
    if word.starts_with("http://127.0.0.1:") {
        "http://registry"
    } else if word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        "(digest)"
    } else if has('-') {
        "(date)"
    } else if has(':') {
        "(time)"
    } else {
        word
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_where_all_is_well_is_shown_step_by_step() {
    let world = World::new(Setting::default()).await;
    world.expect_the_host();
    world.ocird(&["run", "--once"]).await;
    let all = doctor(&world, &[]).await;
    insta::assert_snapshot!(told(&world, &all.stdout), @r#"
    ok        configuration  /world/ocird.toml: mode report, auth instance_principal, 1 compartment, 1 policy
    ok        metadata       answers; this instance is in eu-milan-1
    ok        identity       instance ocid1.instance.oc1.eu-milan-1.anwgsimulatedinstance, compartment ocid1.compartment.oc1..aaaaaaaasimulatedcompartment, tenancy ocid1.tenancy.oc1..aaaaaaaasimulatedtenancy, certificate until (date) (time) UTC
    ok        sign-in        signed in; token until (date) (time) UTC
    ok        clock
    ok        region         eu-milan-1 (oc1): artifacts http://registry registry http://registry
    ok        arming         mode = "report": nothing is deleted
    ok        repositories   2 repositories in 1 compartment
    ok        image          web-docs (digest) with 1 tag
    ok        manifest       application/vnd.oci.image.index.v1+json, 491 bytes
    not shown deletion       only a deletion would show whether it is allowed, and the journal has none that does → A policy that allows it:
        Allow dynamic-group <group> to manage repos in compartment id ocid1.compartment.oc1..aaaaaaaasimulatedcompartment where all {target.repo.name = /<names>*/, request.permission = 'REPOSITORY_UPDATE', request.operation = 'DeleteContainerImage'} → The group is one with this matching rule:
        instance.id = 'ocid1.instance.oc1.eu-milan-1.anwgsimulatedinstance'
    ok        in use         2 in use of this registry's images, by 1 source
    ok        store          schema N, epoch N, since (date) no ocird holds it
    ok        disk
    ok        helper         /world/bin/docker-credential-ocir is this ocird

    All is well.
    "#);
    assert_eq!((all.code, all.stderr.as_str()), (Some(0), ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_asked_to_change_anything() {
    let world = World::with_due_images(Setting { armed: true, ..Setting::default() }).await;
    let before = world.tap.heard().len();
    doctor(&world, &[]).await;
    let heard = world.tap.heard();
    assert!(heard.len() > before, "nothing was asked: this test cannot see");
    for method in ["DELETE /", "PUT /", "PATCH /"] {
        assert!(!heard.contains(method), "{method}");
    }
    let posted: Vec<&str> = heard.split("POST ").skip(1).filter_map(|rest| rest.split(' ').next()).collect();
    assert!(posted.iter().all(|path| *path == "/v1/x509"), "{posted:?}");
    assert_eq!(world.tap.asked(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_is_missing_is_named_with_the_statement_that_gives_it() {
    let world = World::new(Setting::default()).await;
    let compartment = world.tenancy.compartment();
    for (operation, step, verb) in [
        (Operation::ListContainerRepositories, "repositories", "inspect"),
        (Operation::GetContainerImage, "image", "read"),
        (Operation::GetManifest, "manifest", "read"),
    ] {
        world.tenancy.inject(operation, When::Always, Fault::status(404, "NotAuthorizedOrNotFound"));
        let text = doctor(&world, &[]).await.stdout;
        let statement =
            format!("\n    Allow dynamic-group <group> to {verb} repos in compartment id {compartment}\n");
        assert!(text.contains(&statement), "{text}");
        assert!(text.contains("\n    instance.id = 'ocid1.instance."), "{text}");
        let json = doctor(&world, &["--json"]).await;
        assert_eq!((json.code, in_state(&states(&json), "failed")), (Some(1), vec![step.to_owned()]));
        world.tenancy.clear_faults();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_fails_stops_only_those_that_need_it() {
    let world = World::new(Setting { unreachable: true, ..Setting::default() }).await;
    let json = doctor(&world, &["--json"]).await;
    let states = states(&json);
    assert_eq!(in_state(&states, "failed"), ["metadata", "identity", "region"]);
    let not_tried = ["sign-in", "clock", "arming", "repositories", "image", "manifest", "in use"];
    assert_eq!(in_state(&states, "not_tried"), not_tried);
    assert_eq!(in_state(&states, "not_shown"), ["deletion"]);
    assert_eq!(in_state(&states, "ok")[..], ["store", "disk", "helper"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_wrong_configuration_what_can_be_tried_is_tried() {
    let world = World::new(Setting::default()).await;
    let config = std::fs::read_to_string(world.config_file()).unwrap();
    std::fs::write(world.config_file(), config.replace("[http]", "[htpp]")).unwrap();
    let states = states(&doctor(&world, &["--json"]).await);
    assert_eq!(in_state(&states, "failed"), ["configuration"]);
    assert_eq!(in_state(&states, "ok"), ["metadata", "identity", "sign-in", "clock", "region", "helper"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_in_the_journal_shows_that_deletions_are_allowed() {
    let world = World::with_due_images(Setting { armed: true, ..Setting::default() }).await;
    let before = doctor(&world, &[]).await.stdout;
    assert!(before.contains("not shown deletion"), "{before}");
    assert!(before.contains("request.operation = 'DeleteContainerImage'}\n"), "{before}");
    world.ocird(&["run", "--once"]).await;
    assert_ne!(world.tap.asked(), []);
    let after = doctor(&world, &[]).await.stdout;
    assert!(after.contains("ok        deletion       allowed: the latest one went through, of"), "{after}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_deletion_in_the_journal_is_said() {
    let world = World::with_due_images(Setting { armed: true, ..Setting::default() }).await;
    let refusal = Fault::status(403, "NotAuthorized");
    world.tenancy.inject(Operation::DeleteContainerImage, When::Always, refusal);
    world.ocird(&["run", "--once"]).await;
    let after = doctor(&world, &[]).await.stdout;
    assert!(after.contains("failed    deletion       the latest one was refused (forbidden), of"), "{after}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_daemon_is_seen_and_not_disturbed() {
    let world = World::new(Setting::default()).await;
    let daemon = world.start();
    daemon.ready().await;
    let text = doctor(&world, &[]).await.stdout;
    let text = told(&world, &text);
    assert!(text.contains("a running ocird holds it"), "{text}");
    assert_eq!(daemon.code("/readyz").await, Some(200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_directory_that_is_not_there_or_holds_another_file_is_said() {
    let world = World::new(Setting::default()).await;
    std::fs::write(world.state_dir().join("ocird.db"), "not a database, and long enough to be looked at")
        .unwrap();
    let json = doctor(&world, &["--json"]).await;
    assert_eq!(in_state(&states(&json), "failed"), ["store"]);
    std::fs::remove_dir_all(world.state_dir()).unwrap();
    let json = doctor(&world, &["--json"]).await;
    assert_eq!(in_state(&states(&json), "failed"), ["store", "disk"]);
    assert!(!world.state_dir().exists(), "it made something");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_in_doubt_and_credentials_of_another_place_are_failures() {
    let world = World::new(Setting { armed: true, ..Setting::default() }).await;
    world.expect_the_host();
    let config = std::fs::read_to_string(world.config_file()).unwrap();
    let tenancy = world.tenancy.settings().tenancy;
    std::fs::write(world.config_file(), config.replacen(tenancy.as_str(), "ocid1.tenancy.oc1..other", 1))
        .unwrap();
    std::fs::remove_file(world.path("in-use/milan-1.json")).unwrap();
    let json = doctor(&world, &["--json"]).await;
    assert_eq!(in_state(&states(&json), "failed"), ["arming", "in use"]);
    assert!(json.stdout.contains("[armed_for] says ocid1.tenancy.oc1..other"), "{}", json.stdout);
}
