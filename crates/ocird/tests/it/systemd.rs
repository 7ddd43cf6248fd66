//! What systemd hears on its socket, and whether the unit says of the program what is so.

use std::time::Duration;

use tokio::net::UnixDatagram;
use tokio::process::Command;

use crate::process::{Daemon, ocird, until};
use crate::world::{Setting, World};

/// The service manager's end.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn new(world: &World) -> Self {
        Self { socket: UnixDatagram::bind(world.path("notify")).unwrap() }
    }

    fn command(world: &World) -> Command {
        let mut command = world.command(&["run"]);
        command.env("NOTIFY_SOCKET", world.path("notify"));
        command
    }

    /// The next message in which a line begins like this.
    async fn hears(&self, beginning: &str) -> String {
        let heard = async {
            loop {
                let mut buffer = [0; 4096];
                let n = self.socket.recv(&mut buffer).await.unwrap();
                let message = std::str::from_utf8(&buffer[..n]).unwrap();
                if message.lines().any(|line| line.starts_with(beginning)) {
                    return message.to_owned();
                }
            }
        };
        let message = tokio::time::timeout(Duration::from_mins(1), heard)
            .await
            .unwrap_or_else(|_| panic!("{beginning} was not heard"));
        assert!(message.lines().all(|line| line.contains('=')), "{message:?}");
        message
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn systemd_hears_of_the_whole_life() {
    let world = World::new(Setting::default()).await;
    let manager = Manager::new(&world);
    let mut command = Manager::command(&world);
    command.env("WATCHDOG_USEC", "200000");
    let mut daemon = world.start_as(command);
    manager.hears("READY=1").await;
    manager.hears("WATCHDOG=1").await;
    let waiting = manager.hears("STATUS=2 repositories").await;
    assert!(waiting.contains("next pass"), "{waiting}");
    manager.hears("WATCHDOG=1").await;

    daemon.signal("HUP").await;
    let reloading = manager.hears("RELOADING=1").await;
    let (_, at) = reloading.trim_end().split_once("\nMONOTONIC_USEC=").unwrap();
    assert!(at.parse::<u64>().unwrap() > 0, "{reloading}");
    manager.hears("READY=1").await;
    daemon.signal("TERM").await;
    manager.hears("STOPPING=1").await;
    assert_eq!(daemon.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_ready_for_systemd_although_the_cloud_cannot_be_reached() {
    let world = World::new(Setting { unreachable: true, ..Setting::default() }).await;
    let manager = Manager::new(&world);
    let mut daemon = world.start_as(Manager::command(&world));
    manager.hears("READY=1").await;
    assert_eq!(live(&daemon).await, 200);
    daemon.signal("TERM").await;
    manager.hears("STOPPING=1").await;
    assert_eq!(daemon.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cloud_that_cannot_be_reached_is_said_on_every_page() {
    let world = World::new(Setting { unreachable: true, armed: true, ..Setting::default() }).await;
    let daemon = world.start();
    daemon.ready().await;
    let health = daemon.json("/healthz").await.unwrap();
    assert_eq!(
        (&health["status"], &health["checks"]["sign_in"]["state"]),
        (&"warn".into(), &"failed".into())
    );
    let status = daemon.page("/status").await.unwrap().text().await.unwrap();
    assert!(status.contains("cannot_observe: cannot sign in"), "{status}");
}

async fn live(daemon: &Daemon) -> u16 {
    until("livez", async || daemon.code("/livez").await).await
}

/// The unit as it is installed.
const UNIT: &str = include_str!("../../../../deploy/ocird.service");

/// What the unit sets, by its key.
fn unit(key: &str) -> &'static str {
    let setting = UNIT.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    setting.unwrap_or_else(|| panic!("the unit does not set {key}"))
}

#[tokio::test]
async fn a_wrong_configuration_ends_with_the_code_for_which_the_unit_does_not_start_it_again() {
    assert_eq!(unit("ExecStart"), "/usr/local/bin/ocird run --config /etc/ocird/ocird.toml");
    let directory = tempfile::tempdir().unwrap();
    let wrong = directory.path().join("ocird.toml");
    std::fs::write(&wrong, "mode = 1\n").unwrap();
    let ended = ocird(&wrong).arg("run").output().await.unwrap();
    assert_eq!(ended.status.code().unwrap().to_string(), unit("RestartPreventExitStatus"), "{ended:?}");
}

#[test]
fn the_unit_waits_longer_than_what_it_waits_for() {
    let seconds = |key| unit(key).parse::<u64>().unwrap();
    // The longest call to the registry is asked to end after 30 s; the heart beats every 15 s and is given a minute.
    assert!(seconds("TimeoutStopSec") > 30);
    assert!(seconds("WatchdogSec") >= 2 * 60);
    // All the starts that are allowed take less than the time in which they are counted: a unit that only fails is given up.
    assert!(seconds("StartLimitBurst") * seconds("RestartSec") < seconds("StartLimitIntervalSec"));
}
