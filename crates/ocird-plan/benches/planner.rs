//! How long planning, checking and accounting take, from 100 to a million images and from one repository to 500. The
//! figure to look at is images per second: where it falls by more than the logarithm of the size, growth is too fast.
//!
//! Time is that of the processor, of one core as nothing here has a second thread: what else the machine does disturbs it
//! little.

mod cpu;
mod world;

use std::cell::LazyCell;
use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ocird_model::Bytes;
use ocird_plan::{account, check, plan};

use self::cpu::CpuTime;
use self::world::{World, now, world};

/// Repositories, and images in each. The last four grow from one time to eight.
const SIZES: [(usize, usize); 10] = [
    (1, 100),
    (4, 20),
    (1, 10_000),
    (500, 200),
    (50, 2_000),
    (10, 100_000),
    (1, 100_000),
    (1, 25_000),
    (1, 50_000),
    (1, 200_000),
];

fn planner(criterion: &mut Criterion<CpuTime>) {
    for (n_repositories, n_images) in SIZES {
        let mut group = criterion.benchmark_group(format!("{n_repositories} x {n_images}"));
        group.throughput(Throughput::Elements((n_repositories * n_images) as u64));
        group.sample_size(10);
        // Built when a bench that is asked for needs it.
        let plain = LazyCell::new(|| world(n_repositories, n_images, None));
        group.bench_function("plan", |bench| bench.iter(|| plan_of(black_box(&plain))));
        group.bench_function("check", |bench| {
            let World { inventory, policies, in_use } = &*plain;
            let checked = |plan| check(plan, inventory, policies, in_use, now()).expect("the plan is right");
            bench.iter_batched(|| plan_of(&plain), checked, BatchSize::LargeInput);
        });
        group.bench_function("account", |bench| {
            bench.iter(|| black_box(&plain).inventory.complete().map(account).count());
        });
        // Half of it must go: everything is asked, and the ledger kept for each.
        let line = Bytes(2_000_000 * (n_repositories * n_images) as u64);
        let lined = LazyCell::new(|| world(n_repositories, n_images, Some(line)));
        group.bench_function("plan by a usage line", |bench| bench.iter(|| plan_of(black_box(&lined))));
        group.finish();
    }
}

fn plan_of(world: &World) -> ocird_model::Plan {
    plan(&world.inventory, &world.policies, &world.in_use, now())
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime(WallTime));
    targets = planner
}
criterion_main!(benches);
