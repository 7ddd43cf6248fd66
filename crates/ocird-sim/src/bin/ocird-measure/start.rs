//! How long the daemon takes to start on the store of a long life: both teams of the design under the delivered policies,
//! armed, in virtual time. What opening a store costs goes by its size, which is told beside.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use ocird_sim::http::{Options, Server};
use ocird_sim::stage::{Medium, Play, Stage};
use ocird_sim::{Settings, Tenancy};

use crate::daemon::{Daemon, Files, Said};
use crate::world::{PAGE_SIZE, RealTime, real_time};
use crate::{Measured, listed, mib, ms};

#[derive(Debug, clap::Args)]
pub(crate) struct Start {
    #[command(flatten)]
    measured: Measured,
    /// Days of life before.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Hours between two looks of the life before, each followed by a pass that acts. The fewer, the larger the store, and the
    /// longer the life takes.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u8).range(1..=12))]
    every: u8,
    /// How long every answer takes, in milliseconds.
    #[arg(long, default_value_t = 50, value_name = "MS")]
    answer: u64,
    /// Starts, of which the median is told.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    starts: u32,
}

impl Start {
    pub(crate) async fn run(&self) -> anyhow::Result<String> {
        let Self { measured, days, every, answer, starts } = self;
        let binary = measured.binary()?;
        let stage = lived(*days, *every).await?;
        let n_deleted = stage.tenancy.deletions().len();
        let store = std::fs::metadata(stage.state_dir().join("ocird.db"))?.len();
        let clock = RealTime::keep(&stage.tenancy);
        let options = Options { answer_delay: Duration::from_millis(*answer), ..Options::default() };
        let server = Server::start(stage.tenancy.clone(), options)?;
        let tables = tables(&stage.tenancy, *every);
        // A start only looks. The policies lie there from the life before.
        let report = Said { top: "mode = \"report\"", tables: &tables, policies: &[] };
        let files = Files::write(stage.directory(), &stage.tenancy, &server, report)?;
        let (mut serving, mut looked) = (Vec::new(), Vec::new());
        for _ in 0..*starts {
            let daemon = Daemon::start(binary, &files)?;
            serving.push(daemon.until("/livez").await?);
            looked.push(daemon.until("/readyz").await?);
            daemon.stop().await?;
        }
        drop(clock);
        server.stop().await;
        Ok(listed(&[
            ("life before", format!("{days} days, a look every {every} h, {n_deleted} deletions")),
            ("an answer", ms(Duration::from_millis(*answer).as_secs_f64())),
            ("its store", mib(store as f64)),
            (&format!("start to serving, median of {starts}"), median(&mut serving)),
            ("start to the end of its first pass, sign-in included", median(&mut looked)),
        ]))
    }
}

/// The schedule, and what runs by the files of every host.
fn tables(tenancy: &Tenancy, every: u8) -> String {
    let hosts: BTreeSet<String> = tenancy.workloads().into_iter().map(|workload| workload.host).collect();
    let hosts = Vec::from_iter(hosts);
    format!(
        "[schedule]\nobserve = \"0 */{every} * * *\"\n[in_use]\nown_image = \"localhost/ocird\"\n\
         [[in_use.files]]\npath = \"in-use/*.json\"\nrepositories = [\"*\"]\nexpect = {hosts:?}"
    )
}

/// A life that ends about now, and its daemon with it.
async fn lived(days: u32, every: u8) -> anyhow::Result<Stage> {
    let end = real_time();
    let start = end - TimeDelta::days(i64::from(days));
    let settings = Settings { start, page_size: PAGE_SIZE, ..Settings::default() };
    let mut stage = Stage::open(Play {
        settings,
        medium: Medium::Disk,
        observe: format!("0 */{every} * * *"),
        enforce: format!("30 */{every} * * *"),
        ..Play::default()
    })?;
    let running = stage.start_in_process()?;
    stage.live_until(end, |_| {}).await?;
    running.stop().await?;
    stage.tenancy.clock().advance_to(real_time());
    stage.collect()?;
    Ok(stage)
}

fn median(times: &mut [Duration]) -> String {
    times.sort_unstable();
    ms(times[times.len() / 2].as_secs_f64())
}
