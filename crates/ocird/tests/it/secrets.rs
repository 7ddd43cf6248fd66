//! What must not be left behind: a secret in anything that the commands write, and a core dump of a process that holds
//! keys. That the daemon's own log, pages and files hold none, `logs` looks at.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use ocird_sim::fault::{Fault, Operation, When};

use crate::logs::secrets;
use crate::process::run;
use crate::world::{Setting, World};

/// The inside of an encrypted API key that no user has uploaded.
const KEY: &str = include_str!("../../../ocird-oci/src/key/samples/pbkdf2_sha256_aes256.txt");

/// What opens it.
const PASSPHRASE: &str = "canary-phrase";

/// What it is known by.
const FINGERPRINT: &str = "5d:f1:58:8a:c9:6f:b2:3e:93:bc:5f:f9:56:25:d8:ae";

/// Everything that can be asked for.
const COMMANDS: [&[&str]; 7] = [
    &["check"],
    &["plan", "--images"],
    &["plan", "--json"],
    &["doctor"],
    &["doctor", "--json"],
    &["run", "--once"],
    &["credential", "list"],
];

/// What commands write, in this state of the cloud.
async fn written(world: &World, commands: &[&[&str]]) -> String {
    let mut written = String::new();
    for arguments in commands {
        let mut command = world.command(arguments);
        command.env("OCIRD_CACHE_DIR", world.path("cache"));
        let ended = run(command).await;
        written.extend([ended.stdout, ended.stderr]);
    }
    // One line for each step, so that what is looked for is not broken by the end of one.
    written.replace(&format!("\n{:25}", ""), " ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_writes_a_secret_whatever_the_cloud_answers() {
    let log = "format = \"text\"\nfilter = \"trace\"\n";
    let world = World::new(Setting { log, ..Setting::default() }).await;
    let mut all = written(&world, &COMMANDS).await;
    let elsewhere = ["credential", "login", "docker.io"];
    for (operation, fault) in [
        (Operation::Federation, Fault::Garbled),
        (Operation::DockerToken, Fault::Garbled),
        (Operation::GetManifest, Fault::status(401, "NotAuthenticated")),
        (Operation::ListContainerRepositories, Fault::status(404, "NotAuthorizedOrNotFound")),
    ] {
        world.tenancy.inject(operation, When::Always, fault);
        all += &written(&world, &[&["doctor"], &["run", "--once"], &elsewhere]).await;
        world.tenancy.clear_faults();
    }
    assert!(all.contains("signed in") && all.contains("failed"), "there is nothing to look through: {all}");
    for secret in secrets(&world.tap.heard()) {
        assert!(!all.contains(&secret), "{secret} is written");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_writes_a_key_or_pass_phrase_of_a_profile() {
    let log = "format = \"text\"\nfilter = \"trace\"\n";
    let world = World::new(Setting { log, ..Setting::default() }).await;
    let key = world.path("key.pem");
    let label = "ENCRYPTED PRIVATE KEY-----";
    std::fs::write(&key, format!("-----BEGIN {label}\n{KEY}-----END {label}\n")).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = std::fs::read_to_string(world.config_file()).unwrap();
    let signing = "[oci]\nauth = \"api_key\"\nconfig_file = \"oci-config\"\n";
    std::fs::write(world.config_file(), config.replacen("[oci]\n", signing, 1)).unwrap();
    for (passphrase, fingerprint, said) in [
        (PASSPHRASE, FINGERPRINT, "401 NotAuthenticated"),
        (PASSPHRASE, "5d:f1", "fingerprint"),
        ("canary-of-another-phrase", FINGERPRINT, "the pass phrase does not open it"),
    ] {
        let (tenancy, key) = (world.tenancy.settings().tenancy, key.display());
        let profile = format!(
            "[DEFAULT]\nuser=ocid1.user.oc1..u\ntenancy={tenancy}\nregion=eu-milan-1\n\
             fingerprint={fingerprint}\nkey_file={key}\npass_phrase={passphrase}\n"
        );
        std::fs::write(world.path("oci-config"), profile).unwrap();
        let all = written(&world, &COMMANDS).await;
        assert!(all.contains(said), "{said} is missing: {all}");
        for line in KEY.lines().chain(["canary"]) {
            assert!(!all.contains(line), "{line} is written");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_leaves_no_core() {
    let world = World::new(Setting::default()).await;
    let mut shell = tokio::process::Command::new("/bin/sh");
    // As on a host where cores are allowed, where that can be asked for at all.
    shell
        .arg("-c")
        .arg("ulimit -c unlimited 2>/dev/null; exec \"$0\" \"$@\"")
        .arg(env!("CARGO_BIN_EXE_ocird"));
    shell.args(["run", "--config"]).arg(world.config_file()).kill_on_drop(true);
    shell.env_clear().current_dir(world.state_dir());
    let mut daemon = world.start_as(shell);
    daemon.ready().await;
    assert_eq!(limits(daemon.id())["Max core file size"], ["0", "0", "bytes"]);
    daemon.signal("ABRT").await;
    let ended = daemon.ended().await;
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(6), false));
    let left: Vec<_> = crate::world::files(&world.state_dir()).into_keys().collect();
    assert!(left.iter().all(|path| !is_core(path)), "{left:?}");
}

#[test]
fn the_unit_allows_no_core_either() {
    let unit = include_str!("../../../../deploy/ocird.service");
    assert!(unit.lines().any(|line| line == "LimitCORE=0"));
}

fn is_core(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("core"))
}

/// The limits of a process, by name: soft, hard and unit.
fn limits(id: u32) -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
    let rows = text.lines().skip(1).map(|line| {
        let (name, values) = line.split_at(26);
        (name.trim().to_owned(), values.split_whitespace().map(str::to_owned).collect())
    });
    rows.collect()
}
