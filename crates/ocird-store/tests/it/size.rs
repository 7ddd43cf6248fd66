//! The budget: 100 MB for ten years of four repositories, so 10 MB a year.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Bytes, ImageDetails, Intent, Inventory, KeepReason, Layer, OutcomeKind, Plan, Repository,
    RepositoryState, Verdict,
};
use ocird_store::{AccountSample, UsageSample};

use crate::world::{World, days, details, digest, intent, inventory, name, pass, plan, read, repository};

const REPOSITORIES: [u64; 4] = [1, 2, 3, 4];

const N_IMAGES: u64 = 20;

/// Passes in a day at one every 15 minutes.
const PASSES_A_DAY: i64 = 96;

/// Days until bytes are let go as fast as they come; some passes a day make them.
const WARM_UP: i64 = 9;

/// Days that are measured: one page of the file more or less is then 70 kB a year.
const MEASURED: i64 = 21;

/// Every push is followed by the deletion of the oldest image, and every pass is on record.
#[tokio::test]
async fn a_year_of_four_repositories_with_two_pushes_a_day_each_stays_below_ten_megabytes() {
    let world = World::new().await;
    let mut fleet = Fleet::new(&world).await;
    for day in 0..WARM_UP {
        fleet.live(&world, day, 8).await;
    }
    let before = used_in_the_end(&world, WARM_UP).await;
    for day in WARM_UP..WARM_UP + MEASURED {
        fleet.live(&world, day, PASSES_A_DAY).await;
    }
    let a_year: i64 = (used_in_the_end(&world, WARM_UP + MEASURED).await - before) * 365 / MEASURED;
    assert!(a_year > 1_000_000, "{a_year} bytes a year: nothing was measured");
    assert!(a_year < 10_000_000, "{a_year} bytes a year");
}

/// The images of each repository, the oldest first.
struct Fleet(BTreeMap<u64, Vec<ImageDetails>>);

impl Fleet {
    async fn new(world: &World) -> Self {
        let mut fleet = BTreeMap::new();
        for r in REPOSITORIES {
            let images: Vec<ImageDetails> = (0..N_IMAGES).map(|n| pushed(r, n)).collect();
            world.store.remember(&repository(r), &name(r), &read(&images), days(0)).await.unwrap();
            fleet.insert(r, images);
        }
        Self(fleet)
    }

    /// One day with a push every half day.
    async fn live(&mut self, world: &World, day: i64, n_passes: i64) {
        for i in 0..n_passes {
            let now = days(day) + TimeDelta::minutes(24 * 60 * i / n_passes);
            if i % (n_passes / 2) == 0 {
                self.push(world, u64::try_from(day * 2 + i / (n_passes / 2)).unwrap(), now).await;
            }
            self.observe(world, now).await;
        }
    }

    /// A new image in each repository; the oldest is deleted.
    async fn push(&mut self, world: &World, n: u64, now: DateTime<Utc>) {
        for (r, images) in &mut self.0 {
            let oldest = images.remove(0);
            images.push(pushed(*r, N_IMAGES + n));
            world
                .store
                .remember(&repository(*r), &name(*r), &read(&images[images.len() - 1..]), now)
                .await
                .unwrap();
            let deletion = Intent {
                image: oldest.id,
                digest: oldest.digest,
                head: oldest.digest,
                repository: repository(*r),
                repository_name: name(*r),
                tags: oldest.tags,
                manifest: vec![b' '; 3000].into(),
                ..intent(0, &[])
            };
            world.settle(&deletion, OutcomeKind::Deleted, now).await;
        }
    }

    /// A pass that keeps everything.
    async fn observe(&self, world: &World, now: DateTime<Utc>) {
        let mut seen = Inventory { taken_at: now, repositories: BTreeMap::new(), n_unlisted: 0 };
        let mut kept = Plan { at: now, repositories: BTreeMap::new(), usage: ocird_model::Usage::NotAsked };
        for (r, images) in &self.0 {
            let RepositoryState::Complete(whole) =
                inventory(images, now).repositories.remove(&name(1)).unwrap()
            else {
                panic!("an inventory of details is complete");
            };
            let whole = Repository { id: repository(*r), name: name(*r), ..whole };
            kept.repositories.insert(name(*r), keep_all(*r, &whole, now));
            seen.repositories.insert(name(*r), RepositoryState::Complete(whole));
        }
        let mut record = pass(Some(&seen), now);
        record.plan = Some(&kept);
        record.usage = REPOSITORIES.map(sample).to_vec();
        record.account = Some(EVERYTHING);
        world.store.record(&record).await.unwrap();
        world.store.downsample(now).await.unwrap();
    }
}

fn keep_all(r: u64, repository: &Repository, now: DateTime<Utc>) -> ocird_model::RepositoryPlan {
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes[..8].try_into().unwrap());
    let rule: ocird_model::RuleName = "ten newest".parse().unwrap();
    let verdicts: Vec<(u64, Verdict)> = repository
        .images
        .iter()
        .map(|image| {
            (number(image.digest.as_bytes()), Verdict::Keep(KeepReason::Rule { rule: rule.clone() }))
        })
        .collect();
    let mut decided = plan(&verdicts, now).repositories.remove(&name(1)).unwrap();
    if let ocird_model::RepositoryPlan::Decided { id, decisions: _ } = &mut decided {
        *id = crate::world::repository(r);
    }
    decided
}

fn sample(r: u64) -> UsageSample {
    UsageSample {
        repository: repository(r),
        size: Some(Bytes(340_000_000)),
        reported_size: Some(Bytes(345_000_000)),
        n_images: N_IMAGES,
        n_tags: N_IMAGES,
    }
}

/// An image as CI pushes them: two tags, fifteen layers.
fn pushed(r: u64, n: u64) -> ImageDetails {
    let n = r * 1_000_000 + n;
    let (commit, build) = (format!("{n:040x}"), format!("build-{n}"));
    let layers = (0..15).map(|i| Layer { digest: digest(n * 100 + i), size: Bytes(5_000_000) });
    ImageDetails { repository: repository(r), layers: layers.collect(), ..details(n, &[&commit, &build]) }
}

const EVERYTHING: AccountSample = AccountSample {
    size: Some(Bytes(1_360_000_000)),
    reported_size: Some(Bytes(1_380_000_000)),
    n_images: 4 * N_IMAGES,
    n_tags: 4 * N_IMAGES,
};

/// Bytes of pages that hold something, once the samples and hours until this day are as old as they get.
async fn used_in_the_end(world: &World, day: i64) -> i64 {
    world.store.downsample(days(day + 1)).await.unwrap();
    world.store.downsample(days(day + 1000)).await.unwrap();
    let sql = "SELECT (page_count - freelist_count) * page_size \
         FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()";
    world.number(sql).await
}
