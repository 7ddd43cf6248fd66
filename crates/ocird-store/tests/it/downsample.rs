//! Usage over time: folded step by step, so that years stay small and nothing is lost or counted twice.

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::Bytes;
use ocird_store::{AccountSample, Downsampled, Step, UsageOf, UsageSample, UsageStep};

use crate::world::{World, at, days, details, name, pass, repository};

/// A sample of the first repository, and the same of everything.
async fn sample(world: &World, size: Option<u64>, now: DateTime<Utc>) {
    let mut record = pass(None, now);
    let size = size.map(Bytes);
    record.usage =
        vec![UsageSample { repository: repository(1), size, reported_size: None, n_images: 3, n_tags: 2 }];
    record.account = Some(AccountSample { size, reported_size: None, n_images: 3, n_tags: 2 });
    world.store.record(&record).await.unwrap();
}

/// A repository with one size more every six hours and one deletion every three days, sampled for so many days.
async fn sampled_for(n_days: i64) -> World {
    let world = World::new().await;
    world.see(&[details(1, &["v1"])], days(0)).await;
    let mut size = 1_000_u64;
    for quarter in 0..n_days * 4 {
        size += 10;
        if quarter % 12 == 11 {
            size -= 100;
        }
        sample(&world, Some(size), days(0) + TimeDelta::hours(6 * quarter)).await;
    }
    world
}

async fn all(world: &World, of: &UsageOf, step: Step) -> Vec<UsageStep> {
    world.store.past().usage(of, step, DateTime::UNIX_EPOCH..days(100_000)).await.unwrap()
}

fn of_repository() -> UsageOf {
    UsageOf::Repository(name(1))
}

#[tokio::test]
async fn what_is_asked_for_is_the_same_before_and_after_it_is_folded() {
    let world = sampled_for(20).await;
    for of in [of_repository(), UsageOf::Everything] {
        let before = (all(&world, &of, Step::Hour).await, all(&world, &of, Step::Day).await);
        assert!(before.0.len() == 80 && before.1.len() > 20, "{} days", before.1.len());
        world.store.downsample(days(10)).await.unwrap();
        assert_eq!((all(&world, &of, Step::Hour).await, all(&world, &of, Step::Day).await), before);
        world.store.downsample(days(25)).await.unwrap();
        assert_eq!((all(&world, &of, Step::Hour).await, all(&world, &of, Step::Day).await), before);
    }
}

#[tokio::test]
async fn folding_again_does_nothing_and_does_not_write() {
    let world = sampled_for(3).await;
    let done = world.store.downsample(days(4)).await.unwrap();
    assert_eq!(done.n_written, 2 * (12 + 4), "two scopes, twelve hours and four days of UTC");
    assert_eq!(done.n_deleted, 0);
    let newest = world.store.newest_time().await.unwrap();
    assert_eq!(world.store.downsample(days(4)).await.unwrap(), Downsampled::default());
    assert_eq!(world.store.newest_time().await.unwrap(), newest);
}

#[tokio::test]
async fn an_hour_that_is_not_over_is_left_for_later() {
    let world = World::new().await;
    world.see(&[details(1, &["v1"])], at(0)).await;
    let hour = at(0) - TimeDelta::milliseconds(at(0).timestamp_millis().rem_euclid(3_600_000));
    sample(&world, Some(10), hour + TimeDelta::minutes(10)).await;
    assert_eq!(world.store.downsample(hour + TimeDelta::minutes(59)).await.unwrap().n_written, 0);
    sample(&world, Some(30), hour + TimeDelta::minutes(59)).await;
    assert_eq!(world.store.downsample(hour + TimeDelta::minutes(60)).await.unwrap().n_written, 2);
    let steps = all(&world, &of_repository(), Step::Hour).await;
    assert_eq!(
        (steps.len(), steps[0].at, steps[0].size, steps[0].grown),
        (1, hour, Some(Bytes(30)), Bytes(20))
    );
}

#[tokio::test]
async fn samples_go_after_thirty_days_and_hours_after_a_year_and_days_stay() {
    let world = sampled_for(40).await;
    let days_before = all(&world, &of_repository(), Step::Day).await;
    let hours_before = all(&world, &of_repository(), Step::Hour).await;
    world.store.downsample(days(40)).await.unwrap();
    let n_samples = "SELECT count(*) FROM usage_samples";
    assert_eq!(world.number(n_samples).await, 120, "thirty days of four");
    assert_eq!(all(&world, &of_repository(), Step::Hour).await, hours_before);
    world.store.downsample(days(390)).await.unwrap();
    assert_eq!(world.number(n_samples).await, 1, "the next sample is compared with the last");
    let n_hours = "SELECT count(*) FROM usage_steps WHERE step = 1 AND scope > 0";
    let n_left = world.number(n_hours).await;
    assert!((60..=66).contains(&n_left), "{n_left} hours of the last year");
    world.store.downsample(days(2_000)).await.unwrap();
    assert_eq!(world.number(n_hours).await, 1, "it says up to where samples are folded");
    assert_eq!(all(&world, &of_repository(), Step::Day).await, days_before);
    assert_eq!(all(&world, &UsageOf::Everything, Step::Day).await, days_before);
    assert_eq!(world.store.downsample(days(2_000)).await.unwrap(), Downsampled::default());
}

#[tokio::test]
async fn rises_and_falls_are_told_over_folded_and_unfolded_steps_alike() {
    let world = sampled_for(30).await;
    world.store.downsample(days(15)).await.unwrap();
    let steps = all(&world, &UsageOf::Everything, Step::Day).await;
    let sum = |of: fn(&UsageStep) -> Bytes| steps.iter().map(of).sum::<Bytes>();
    assert_eq!(sum(|step| step.grown), Bytes(10 * (120 - 1 - 10)), "the first is no rise");
    assert_eq!(sum(|step| step.freed), Bytes(90 * 10));
    assert_eq!(steps.last().unwrap().size, Some(Bytes(1_000 + 1_200 - 1_000)));
}

#[tokio::test]
async fn a_range_is_answered_from_the_step_that_its_start_lies_in_to_its_end() {
    let world = sampled_for(20).await;
    world.store.downsample(days(10)).await.unwrap();
    let range = days(3) + TimeDelta::hours(1)..days(12);
    let steps = world.store.past().usage(&of_repository(), Step::Day, range.clone()).await.unwrap();
    let whole = all(&world, &of_repository(), Step::Day).await;
    let expected: Vec<UsageStep> = whole
        .into_iter()
        .filter(|step| step.at + TimeDelta::days(1) > range.start && step.at < range.end)
        .collect();
    assert_eq!(steps, expected);
    let samples = world.store.past().usage(&of_repository(), Step::Sample, days(3)..days(4)).await.unwrap();
    let rises: Vec<u64> = samples.iter().map(|sample| sample.grown.0).collect();
    assert_eq!(rises, [10, 10, 10, 10], "each is compared with the one before, that of the first included");
}

#[tokio::test]
async fn an_unknown_size_is_told_as_unknown_and_is_no_fall() {
    let world = World::new().await;
    world.see(&[details(1, &["v1"])], at(0)).await;
    for (hour, size) in [(0, Some(50)), (2, None), (4, Some(70))] {
        sample(&world, size, at(hour * 60)).await;
    }
    let hours = all(&world, &of_repository(), Step::Hour).await;
    let told: Vec<_> =
        hours.iter().map(|hour| (hour.size.map(|size| size.0), hour.grown.0, hour.freed.0)).collect();
    assert_eq!(told, [(Some(50), 0, 0), (None, 0, 0), (Some(70), 20, 0)]);
    assert_eq!(hours[0].n_images, 3);
}

#[tokio::test]
async fn a_backlog_is_folded_in_bounded_parts_and_comes_out_the_same() {
    let world = World::new().await;
    world.see(&[details(1, &["v1"])], at(0)).await;
    let insert = "WITH RECURSIVE minute(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM minute WHERE n < 24999) \
         INSERT INTO usage_samples SELECT 1, n * 60000, 1000 + n % 7, NULL, 1, 1 FROM minute";
    sqlx::query(insert).execute(&mut world.raw().await).await.unwrap();
    let before = all(&world, &of_repository(), Step::Hour).await;
    assert_eq!(before.len(), 417);
    let now = DateTime::UNIX_EPOCH + TimeDelta::days(20);
    let first = world.store.downsample(now).await.unwrap().n_written;
    assert!((166..=174).contains(&first), "{first} steps of ten thousand samples");
    while world.store.downsample(now).await.unwrap() != Downsampled::default() {}
    assert_eq!(all(&world, &of_repository(), Step::Hour).await, before);
}

#[tokio::test]
async fn small_curves_hold_the_days_that_are_folded_of_every_repository() {
    let world = sampled_for(5).await;
    world.store.downsample(days(6)).await.unwrap();
    let curves = world.store.past().daily_sizes(days(2)).await.unwrap();
    assert_eq!(curves.len(), 1);
    let whole = all(&world, &of_repository(), Step::Day).await;
    let expected: Vec<_> = whole.iter().map(|day| (day.at, day.size)).skip(2).collect();
    assert_eq!(curves[&name(1)], expected);
}

#[tokio::test]
async fn a_repository_that_was_never_seen_has_no_usage() {
    let world = World::new().await;
    assert_eq!(all(&world, &of_repository(), Step::Day).await, []);
    assert_eq!(all(&world, &UsageOf::Everything, Step::Day).await, []);
}

#[tokio::test]
async fn old_passes_in_which_nothing_happened_go_and_all_others_stay() {
    let world = World::new().await;
    let images = [details(1, &["v1"])];
    world.see(&images, days(0)).await;
    let keep = ocird_model::Verdict::Keep(ocird_model::KeepReason::NotSelected);
    let (inventory, plan) =
        (crate::world::inventory(&images, days(1)), crate::world::plan(&[(1, keep)], days(1)));
    let mut deciding = pass(Some(&inventory), days(1));
    deciding.plan = Some(&plan);
    world.store.record(&deciding).await.unwrap();
    let mut failed = pass(None, days(2));
    failed.result = "sign_in";
    world.store.record(&failed).await.unwrap();
    for day in 3..100 {
        world.store.record(&pass(None, days(day))).await.unwrap();
    }
    world.store.downsample(days(99)).await.unwrap();
    let n_old = "SELECT count(*) FROM passes WHERE finished_at < 1790000000000 + 9 * 86400000";
    assert_eq!(world.number(n_old).await, 2, "what changed a verdict, and what failed");
    assert_eq!(world.number("SELECT count(*) FROM passes").await, 2 + 91);
    world.store.downsample(days(200)).await.unwrap();
    assert_eq!(world.store.last_pass().await.unwrap().unwrap().finished_at, days(99));
}
