//! Serves a simulated tenancy over HTTP until its standard input ends, for the official SDK and command line:
//! `cargo run -p ocird-sim --example serve`. Prints the variables that point them at it.
//!
//! The tenancy's clock follows the real one: official clients know no other. Nothing is pushed after the start.

use std::io::{self, Read as _, Write as _};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use ocird_sim::http::{Options, Server};
use ocird_sim::{Attestations, Build, Fault, NewRepository, Operation, Settings, Tenancy, When};
use tokio::time::MissedTickBehavior;

/// How often the tenancy's clock is set.
const TICK: Duration = Duration::from_millis(200);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let tenancy = Tenancy::new(Settings {
        start: real_time(),
        // A deleted image can be restored at once: nobody waits here.
        deletion_delay: TimeDelta::zero(),
        ..Settings::default()
    });
    furnish(&tenancy)?;
    // What every official client gets over by itself, with a retry and with a new sign-in.
    tenancy.inject(
        Operation::ListContainerRepositories,
        When::Call(1),
        Fault::status(429, "TooManyRequests"),
    );
    tenancy.inject(Operation::GetContainerRepository, When::Call(1), Fault::status(401, "NotAuthenticated"));
    let server = Server::start(tenancy.clone(), Options::default())?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{}export COMPARTMENT={}", server.environment(), tenancy.compartment())?;
    writeln!(stdout, "export TENANCY={}", tenancy.settings().tenancy)?;
    stdout.flush()?;
    let closed = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        closed = closed => {
            closed??;
        }
        () = keep_time(&tenancy) => {}
    }
    for ((operation, answer), count) in server.requests().counts() {
        writeln!(stdout, "{count:6} {} {answer:?}", operation.as_str())?;
    }
    server.stop().await;
    Ok(())
}

/// Two repositories: ten single images, and one for two platforms with attestations.
fn furnish(tenancy: &Tenancy) -> anyhow::Result<()> {
    let (web, app) = ("mgh-website".parse()?, "team/app".parse()?);
    for name in [&web, &app] {
        tenancy.create_repository(NewRepository::private(Clone::clone(name), tenancy.compartment()))?;
    }
    for number in 1..=10 {
        let build = Build::small(&format!("r{number}")).single();
        tenancy.push(&web, &build, &[format!("v{number}").parse()?], "ci")?;
    }
    let build = Build::small("r1").attested(Attestations::Children);
    tenancy.push(&app, &build, &["v1".parse()?, "latest".parse()?], "ci")?;
    Ok(())
}

async fn keep_time(tenancy: &Tenancy) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        tenancy.clock().advance_to(real_time());
    }
}

#[expect(clippy::disallowed_methods, reason = "the official clients sign with the real time")]
fn real_time() -> DateTime<Utc> {
    SystemTime::now().into()
}
