//! The commands: what they print, where, and with which exit code.

use serde_json::Value;

use crate::process::{ocird, run};
use crate::world::{POLICY, Setting, World, files};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_says_what_it_understood() {
    let world = World::new(Setting { armed: true, ..Setting::default() }).await;
    let good = world.ocird(&["check"]).await;
    assert_eq!(good.code, Some(0));
    insta::assert_snapshot!(good.stdout.replace(world.directory.path().to_str().unwrap(), "/etc/ocird"), @"
    /etc/ocird/ocird.toml: good
      mode        enforce: deletes by policy, where armed_for fits the credentials
      observes    0 0 1 1 * UTC
      enforces    0 0 1 1 * UTC
      guardrails  the 3 newest and all under 24 h stay; a deletion waits 1 h
      web         web-*: 1 keep rule, 1 delete rule
    ");
    assert!(good.stderr.starts_with("warning: ") && good.stderr.contains("expect ="), "{}", good.stderr);
    assert_eq!(world.server.requests().total(), 0, "it asked the cloud");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_lists_every_problem_of_every_file_with_its_place() {
    let world = World::new(Setting { armed: true, ..Setting::default() }).await;
    let config = std::fs::read_to_string(world.config_file()).unwrap();
    let config = config.replace("grace = \"1h\"", "grace = \"0h\"\nmin_nevest = 3");
    std::fs::write(world.config_file(), config).unwrap();
    world.write_policy(&POLICY.replace("older_than = \"1d\"", "older_than = 1"));
    let bad = world.ocird(&["check"]).await;
    assert_eq!((bad.code, bad.stdout.as_str()), (Some(78), ""));
    for problem in [
        ":26:9: guardrails.grace must be at least 1h",
        ":27:1: unknown key `min_nevest`; did you mean `min_newest`?",
        "web.toml:11:14: ",
    ] {
        assert!(bad.stderr.contains(problem), "{problem} is missing:\n{}", bad.stderr);
    }
    assert_eq!(world.ocird(&["run"]).await.code, Some(78), "nor does the daemon start");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_shows_a_table_of_eighty_columns() {
    let world = World::new(Setting::default()).await;
    let plan = world.ocird(&["plan"]).await;
    assert_eq!(plan.code, Some(0));
    assert!(plan.stderr.contains("made without a store"), "{}", plan.stderr);
    insta::assert_snapshot!(plan.stdout, @r#"
    repository                                images age    size  freed
    web-docs                                      12     11.0 MB
      delete: rule "builds after a day"            6 3 d  8.5 MB 2.5 MB
      keep: among the newest that always stay      3 3 d  4.0 MB
      keep: in use                                 1 3 d  3.5 MB
      keep: named by an index that stays           2 3 d  7.0 MB
    web-shop                                      12     11.0 MB
      delete: rule "builds after a day"            6 3 d  8.5 MB 2.5 MB
      keep: among the newest that always stay      3 3 d  4.0 MB
      keep: in use                                 1 4 d  3.5 MB
      keep: named by an index that stays           2 3 d  7.0 MB
    12 of 24 images may go; 22.0 MB now, 17.0 MB without them (5.0 MB freed)
    "#);
    assert!(plan.stdout.lines().all(|line| line.len() <= 80));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_looks_beside_a_running_daemon_and_writes_nothing() {
    let world = World::with_due_images(Setting { armed: true, ..Setting::default() }).await;
    let daemon = world.start();
    daemon.ready().await;
    let before = remembered(&world);
    let plan = world.ocird(&["plan", "--json"]).await;
    assert_eq!((plan.code, plan.stderr.as_str()), (Some(0), ""));
    let document: Value = serde_json::from_str(&plan.stdout).unwrap();
    let images = document["images"].as_array().unwrap();
    assert_eq!((&document["schema"], images.len()), (&1.into(), 24));
    assert_eq!(images.iter().filter(|image| image["verdict"] == "delete").count(), 12);
    assert!(remembered(&world) == before, "the state directory changed");
    assert_eq!(world.tap.asked(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_pass_deletes_what_is_due_and_prints_the_status() {
    let world = World::with_due_images(Setting { armed: true, ..Setting::default() }).await;
    world.trust_the_store().await;
    let once = world.ocird(&["run", "--once"]).await;
    assert_eq!(once.code, Some(0));
    assert_eq!(world.tenancy.deletions().len(), 8);
    assert!(once.stdout.contains("8 deleted, complete"), "{}", once.stdout);
    assert!(once.stdout.contains("deletion   nothing is pending"), "{}", once.stdout);
    assert!(once.stdout.lines().all(|line| line.len() <= 80), "{}", once.stdout);
    world.check_deletions(&world.journal().await);
    let again = world.ocird(&["run", "--once"]).await;
    assert!(again.stdout.contains("4 deleted, complete"), "the rests of families: {}", again.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_pass_without_a_cloud_says_so_and_fails() {
    let world = World::new(Setting { unreachable: true, ..Setting::default() }).await;
    let once = world.ocird(&["run", "--once"]).await;
    assert_eq!(once.code, Some(69));
    assert!(once.stdout.contains("cannot_observe: cannot sign in"), "{}", once.stdout);
    let plan = world.ocird(&["plan"]).await;
    assert_eq!((plan.code, plan.stdout.as_str()), (Some(69), ""));
    assert!(plan.stderr.contains("ocird: cannot sign in: "), "{}", plan.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_is_the_page_of_the_daemon() {
    let world = World::new(Setting::default()).await;
    let absent = world.ocird(&["status"]).await;
    assert_eq!((absent.code, absent.stdout.as_str()), (Some(69), ""));
    assert!(absent.stderr.starts_with("ocird: no daemon answers at http://127.0.0.1:"), "{}", absent.stderr);
    assert!(absent.stderr.ends_with("\nSee whether it runs: systemctl status ocird\n"), "{}", absent.stderr);

    let daemon = world.start();
    daemon.ready().await;
    let page = world.ocird(&["status"]).await;
    assert_eq!(page.code, Some(0));
    assert!(page.stdout.contains("report_mode: mode = \"report\""), "{}", page.stdout);
    assert!(page.stdout.lines().all(|line| line.len() <= 80), "{}", page.stdout);
    let json: Value = serde_json::from_str(&world.ocird(&["status", "--json"]).await.stdout).unwrap();
    assert_eq!(json["last_pass"]["result"]["result"], "complete");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_address_is_said_at_the_start() {
    let world = World::new(Setting::default()).await;
    let daemon = world.start();
    daemon.ready().await;
    let second = world.ocird(&["run"]).await;
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("ocird: cannot listen on 127.0.0.1:"), "{}", second.stderr);
}

#[tokio::test]
async fn the_version_needs_no_configuration() {
    let nowhere = std::path::Path::new("/nowhere/ocird.toml");
    let mut command = ocird(nowhere);
    command.arg("version");
    let text = run(command).await;
    assert_eq!(text.code, Some(0));
    let expected = format!("ocird {} (", env!("CARGO_PKG_VERSION"));
    assert!(text.stdout.starts_with(&expected), "{}", text.stdout);
    let mut command = ocird(nowhere);
    command.args(["version", "--json"]);
    let json: Value = serde_json::from_str(&run(command).await.stdout).unwrap();
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert!(text.stdout.contains(json["revision"].as_str().unwrap()));
    let mut command = ocird(nowhere);
    command.arg("check");
    assert_eq!(run(command).await.code, Some(78), "a configuration that is not there is wrong");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environment_names_the_configuration_and_the_command_line_wins() {
    let world = World::new(Setting::default()).await;
    let mut named = tokio::process::Command::new(env!("CARGO_BIN_EXE_ocird"));
    named.env_clear().env("OCIRD_CONFIG", world.config_file()).arg("check");
    assert_eq!(run(named).await.code, Some(0));
    let mut other = ocird(std::path::Path::new("/nowhere/ocird.toml"));
    other.env("OCIRD_CONFIG", world.config_file()).arg("check");
    assert_eq!(run(other).await.code, Some(78));
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "the help is as long as it is")]
async fn help_lists_the_commands_and_the_exit_codes() {
    let mut command = ocird(std::path::Path::new("/nowhere/ocird.toml"));
    command.arg("--help");
    let help = run(command).await;
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(help.stdout, @"
    Keeps Oracle's container registry in order by written policy, and deletes
    nothing else

    Usage: ocird [OPTIONS] <COMMAND>

    Commands:
      run          Run the daemon: passes by schedule, pages over HTTP
      plan         Show what would go, and why. Writes and deletes nothing
      explain      Show what every rule said of one image, and when it would go
      check        List every problem of configuration and policies; without the
                   cloud, unless it is told to look
      status       Show what the running daemon does, did and will do
      usage        Show what is in use, how it grows, and when the budget is reached
      history      Show what happened, newest first
      images       Show the images of a repository, with what was decided about each
      findings     Show what is odd, since when, and what to do; from the store
                   while no daemon runs
      pending      Show what is selected, when it may go, and what waits for an
                   approval
      approve      Approve a plan that was refused as too much at once, after
                   showing it
      pause        Delete nothing until `resume`; works without a daemon, too
      resume       Lift a pause, and nothing else
      reset        Clear breaker and freeze, and say what was cleared
      hold         Keep an image by hand, whatever the rules say; --list shows every
                   hold
      release      Release what is held by hand
      restore      Bring back what was deleted within the last 48 hours; --list
                   shows what can be
      doctor       Try step by step what works, and say what to do. Changes nothing
      collect      Write down what this host runs, for the daemon here or elsewhere
      credential   Log in to the registry: Docker's credential helper
      completions  Print completions for a shell
      man          Print the manual page, in the format of man(7)
      version      Print version, revision and processor
      help         Print this message or the help of the given subcommand(s)

    Options:
      -c, --config <FILE>  The configuration file [default: $OCIRD_CONFIG,
                           /etc/ocird/ocird.toml]
      -h, --help           Print help
      -V, --version        Print version

    Exit codes:
       0  it went well
       1  it failed; the message says why
       2  wrong usage
      69  the daemon or the cloud cannot be reached
      77  the daemon does not take commands from this user
      78  the configuration or a policy is wrong

    Examples:
      ocird check                    list every problem of the configuration
      ocird doctor                   try step by step what works, and say what to do
      ocird plan                     show what would go, and why
      ocird explain app:v1           show every rule and what it said of one image
      ocird check --diff NEW.d       show what other policies would decide otherwise
      ocird run --once               one pass, then the status
      ocird usage                    what is in use, and when the budget is reached
      ocird history --since 7d       what happened in a week
      ocird pending                  what goes when, and what waits for approval
      ocird pause --why 'a deploy'   delete nothing until `ocird resume`
      curl -s localhost:6247/status  what the daemon does now
    ");
    assert!(help.stdout.lines().all(|line| line.len() <= 80));
}

/// The state directory without the index of the write-ahead log: in it readers, too, note where they read.
/// <https://sqlite.org/walformat.html#the_wal_index_file_format>
fn remembered(world: &World) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let files = files(&world.state_dir()).into_iter();
    files.filter(|(path, _)| !path.to_string_lossy().ends_with("-shm")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_of_which_nobody_named_the_image_is_not_armed() {
    let world = World::new(Setting { armed: true, ..Setting::default() }).await;
    let config = std::fs::read_to_string(world.config_file()).unwrap();
    let unsaid = config.replace(
        "own_image = \"localhost/ocird\"
",
        "",
    );
    assert_ne!(config.len(), unsaid.len());
    std::fs::write(world.config_file(), unsaid).unwrap();
    let once = async |image: Option<&str>| {
        let mut command = world.command(&["run", "--once"]);
        command.env("KUBERNETES_SERVICE_HOST", "10.0.0.1");
        if let Some(image) = image {
            command.env("OCIRD_IMAGE", image);
        }
        // What the screen breaks over lines is one line again.
        run(command).await.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let said = once(None).await;
    assert!(said.contains("this is a container (KUBERNETES_SERVICE_HOST)"), "{said}");
    let namespace = &world.tenancy.settings().namespace;
    let said = once(Some(&format!("lin.ocir.io/{namespace}/web-shop:b3"))).await;
    assert!(!said.contains("this is a container") && said.contains("ocird itself"), "{said}");
}
