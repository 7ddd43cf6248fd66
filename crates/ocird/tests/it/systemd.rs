//! What systemd hears on its socket.

use std::time::Duration;

use tokio::net::UnixDatagram;
use tokio::process::Command;

use crate::process::{Daemon, until};
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
