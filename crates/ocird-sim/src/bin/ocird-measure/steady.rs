//! One size of tenancy: what first sync, restart, steady passes and scrapes take, in one table.

use std::time::Duration;

use crate::daemon::Files;
use crate::scrapes::{METRICS, Scrapes, SlowClients};
use crate::sight::Sight;
use crate::world::Size;
use crate::{Measured, listed, mib, ms};

#[derive(Debug, clap::Args)]
pub(crate) struct Steady {
    #[command(flatten)]
    measured: Measured,
    #[command(flatten)]
    size: Size,
    /// How long every answer takes, in milliseconds.
    #[arg(long, default_value_t = 50, value_name = "MS")]
    answer: u64,
    /// Steady passes to average over.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    passes: u32,
    /// Scrapes of `/metrics`, alone and again beside slow clients; and requests for each of the pages and of the API.
    #[arg(long, default_value_t = 1000)]
    scrapes: usize,
    /// How many slow clients.
    #[arg(long, default_value_t = 200)]
    slow_clients: usize,
}

/// What is asked for beside `/metrics`, each as often as there are scrapes: the page, the whole board, the longest lists, and
/// what reads most of the store.
const PAGES: [&str; 6] = [
    "/",
    "/api/v1/status",
    "/api/v1/repositories?limit=1000",
    "/api/v1/repositories/mgh-0/images?limit=1000",
    "/api/v1/usage?step=sample&limit=1000",
    "/api/v1/forecast",
];

/// A figure after what it is of.
type Row = (String, String);

impl Steady {
    pub(crate) async fn run(&self) -> anyhow::Result<String> {
        let Self { measured, size, answer, passes, scrapes, slow_clients } = self;
        let binary = measured.binary()?;
        let answer = Duration::from_millis(*answer);
        let mut scraped = Vec::new();
        let sight = Sight::of(binary, *size, answer, *passes, async |files, daemon| {
            scraped = scraped_beside(files, *scrapes, *slow_clients).await?;
            let peak = mib(daemon.peak_memory()?);
            scraped.push(("peak resident memory, slow clients included".to_owned(), peak));
            Ok(())
        })
        .await?;
        let Size { repositories, images } = size;
        let world = format!("{repositories} x {images} images, {} ms an answer", answer.as_millis());
        let binary = mib(std::fs::metadata(binary)?.len() as f64);
        let first = [("world".to_owned(), world), ("binary".to_owned(), binary)];
        Ok(listed(&[&first, &*first_life(&sight), &*second_life(&sight, answer), &*scraped].concat()))
    }
}

fn first_life(sight: &Sight) -> Vec<Row> {
    let Sight { first, .. } = sight;
    rows([
        ("first start to serving", ms(first.serving.as_secs_f64())),
        ("first start to the end of the first sync", ms(first.synced.as_secs_f64())),
        ("  CPU", ms(first.cpu_s)),
        (
            "  calls, and the bound without the sign-in",
            format!("{}, {}", first.n_calls(), sight.first_bound()),
        ),
        ("  peak resident memory", mib(first.peak_bytes)),
    ])
}

fn second_life(sight: &Sight, answer: Duration) -> Vec<Row> {
    let Sight { size, second, .. } = sight;
    let longest_chain = size.longest_chain() as f64 * answer.as_secs_f64();
    let calls = format!("{:.2}, {}", second.calls_of_a_pass(), size.n_pages());
    rows([
        ("second start to serving", ms(second.serving.as_secs_f64())),
        ("second start to the end of its first pass", ms(second.looked.as_secs_f64())),
        (&format!("steady pass, wall, median of {}", second.n_passes()), ms(second.median_s())),
        ("  slowest", ms(second.slowest_s())),
        ("  the longest chain of pages at that answer time", ms(longest_chain)),
        ("  CPU, mean", ms(second.cpu_s)),
        ("  calls, mean, and the bound: the pages to list", calls),
        ("  calls by operation, all passes", format!("{:?}", second.calls)),
        ("resident memory at the end", mib(second.resident_bytes)),
        ("peak resident memory", mib(second.peak_bytes)),
    ])
}

fn rows<const N: usize>(rows: [(&str, String); N]) -> Vec<Row> {
    rows.map(|(what, figure)| (what.to_owned(), figure)).into()
}

/// What scrapes take, alone and beside slow clients, and what a browser and a program wait for.
async fn scraped_beside(files: &Files, n: usize, slow_clients: usize) -> anyhow::Result<Vec<Row>> {
    let pages = files.listen.parse()?;
    let alone = Scrapes::of(pages, METRICS, n).await?;
    let attached = SlowClients::attach(pages, slow_clients).await;
    let besieged = Scrapes::of(pages, METRICS, n).await?;
    drop(attached);
    let (n_bytes, n_samples) = alone.body;
    let mut all = rows([
        (&format!("/metrics, {n} scrapes: median, p99, slowest"), alone.in_words()),
        (&format!("  beside {slow_clients} slow clients"), besieged.in_words()),
        ("  its size and samples", format!("{n_bytes} bytes, {n_samples}")),
    ]);
    for path in PAGES {
        let accept = if path == "/" { "text/html" } else { "application/json" };
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n");
        let asked = Scrapes::of(pages, request.as_bytes(), n).await?;
        all.push((path.to_owned(), format!("{}; {} bytes", asked.in_words(), asked.body.0)));
    }
    Ok(all)
}
