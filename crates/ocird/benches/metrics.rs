//! What one scrape of `/metrics` costs without the network: the families made anew from the board and written as text, from
//! a daemon that has looked at nothing to a tenancy at the limit of repositories. Beyond 200 repositories none gets samples
//! of its own, so that the last two sizes should cost the same but for the sums.

use std::hint::black_box;

use chrono::{DateTime, TimeDelta, Utc};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ocird::metrics::Metrics;
use ocird::pass::first_status;
use ocird::status::{Board, RepositoryStatus};
use ocird_model::{Bytes, RepositoryName};

/// Repositories on the board.
const SIZES: [u32; 5] = [0, 4, 50, 200, 500];

fn metrics(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("/metrics by repositories");
    for n_repositories in SIZES {
        let metrics = Metrics::new(&board(n_repositories));
        let page = metrics.render().expect("every family can be written");
        group.throughput(Throughput::Bytes(page.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(n_repositories), |bench| {
            bench.iter(|| black_box(&metrics).render());
        });
    }
    group.finish();
}

/// What is shown after a pass over so many repositories of twenty images each.
fn board(n_repositories: u32) -> Board {
    let now: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().expect("it is an instant");
    let board = Board::new(first_status("bench".to_owned(), now));
    let name = |number| -> RepositoryName {
        format!("mgh-{number}").parse().expect("a word and a number are a name")
    };
    board.update(|status| {
        status.repositories = (0..n_repositories).map(|number| (name(number), repository(now))).collect();
    });
    board
}

fn repository(now: DateTime<Utc>) -> RepositoryStatus {
    RepositoryStatus {
        project: Some("mgh".to_owned()),
        complete_at: Some(now),
        unreadable: None,
        n_images: 20,
        n_tags: 24,
        verdicts: [("floor", 3), ("keep_rule", 10), ("delete_rule", 7)].into(),
        size: Some(Bytes(85_000_000)),
        freeable: Some(Bytes(16_000_000)),
        reported_size: Bytes(86_000_000),
        newest_push_at: Some(now - TimeDelta::hours(9)),
    }
}

criterion_group!(benches, metrics);
criterion_main!(benches);
