use super::*;
use crate::in_use::tests::world::{app, digest, doubted, hours, inventory_of, running};

/// The history after these answers, an hour apart.
fn after(hearings: &[InUse]) -> Runs {
    let mut runs = Runs::new();
    for (hour, in_use) in hearings.iter().enumerate() {
        let now = hours(i64::try_from(hour).unwrap());
        runs = advance(&runs, in_use, answers(in_use), &inventory_of(9), now);
    }
    runs
}

fn answers(in_use: &InUse) -> Answers {
    if in_use.doubts().next().is_some() { Answers::Doubted } else { Answers::Believed }
}

/// The images that stay for a rollback.
fn kept(runs: &Runs, n_kept: usize) -> Vec<u8> {
    let previous = previous(runs, &inventory_of(9), n_kept);
    let mut kept: Vec<u8> =
        previous.iter().map(|(_, used)| used.target.digest.unwrap().as_bytes()[0]).collect();
    kept.sort_unstable();
    kept
}

#[test]
fn nothing_that_ran_leaves_no_room() {
    assert!(kept(&after(&[]), 2).is_empty());
    assert!(kept(&after(&[running(&[("web", 1)])]), 2).is_empty());
}

#[test]
fn what_the_last_deployments_ran_stays() {
    let deployed: Vec<InUse> = (1..=5).map(|n| running(&[("web", n)])).collect();
    assert_eq!(kept(&after(&deployed), 2), [3, 4]);
    assert_eq!(kept(&after(&deployed), 1), [4]);
    let previous = previous(&after(&deployed), &inventory_of(9), 1);
    let (repository, used) = &previous[0];
    assert_eq!((repository, used.kind), (&app(), UseKind::Previous));
    assert_eq!(&*used.by, "web ran it until 2026-11-21 16:00 UTC");
    assert_eq!(used.since, Some(hours(3)));
}

#[test]
fn after_a_rollback_both_ways_lead_on() {
    let answers = [1, 2, 3, 2].map(|n| running(&[("web", n)]));
    assert_eq!(kept(&after(&answers), 2), [1, 3]);
}

#[test]
fn a_workload_that_was_rolled_back_keeps_the_way_further_back_whatever_others_deploy() {
    let mut answers = [1, 2, 3, 2].map(|n| running(&[("prod", n), ("dev", 4)])).to_vec();
    answers.extend((5..=8).map(|n| running(&[("prod", 2), ("dev", n)])));
    assert_eq!(kept(&after(&answers), 2), [1, 3, 6, 7]);
}

#[test]
fn a_workload_that_deploys_often_leaves_the_room_of_others() {
    let mut answers = vec![running(&[("prod", 1), ("dev", 1)]), running(&[("prod", 2), ("dev", 2)])];
    answers.extend((3..=8).map(|n| running(&[("prod", 2), ("dev", n)])));
    assert_eq!(kept(&after(&answers), 2), [1, 6, 7]);
}

#[test]
fn a_workload_that_is_gone_has_the_room_of_the_repository() {
    let answers =
        [running(&[("job-a", 1)]), running(&[("job-b", 2)]), running(&[("job-c", 3)]), running(&[])];
    assert_eq!(kept(&after(&answers), 2), [2, 3]);
}

#[test]
fn what_ended_together_stays_together() {
    let answers = [running(&[("a", 1), ("b", 2), ("c", 3)]), running(&[("a", 4), ("b", 4), ("c", 4)])];
    assert_eq!(kept(&after(&answers), 1), [1, 2, 3]);
}

#[test]
fn an_index_and_the_manifest_of_its_platform_are_one_deployment() {
    let answers = [1, 3, 5, 7].map(|n| running(&[("web", n), ("web", n + 1)]));
    assert_eq!(kept(&after(&answers), 2), [3, 4, 5, 6]);
}

#[test]
fn what_the_registry_lost_takes_no_room() {
    let runs = after(&[1, 9, 2].map(|n| running(&[("web", n)])));
    let previous = previous(&runs, &inventory_of(5), 1);
    assert_eq!(previous.iter().map(|(_, used)| used.target.digest).collect::<Vec<_>>(), [Some(digest(1))]);
}

#[test]
fn in_doubt_nothing_ends() {
    let silent = doubted(InUse::nothing());
    let runs = after(&[running(&[("web", 1)]), silent.clone(), silent]);
    assert!(runs.values().all(|run| run.ended_at.is_none()));
    let inventory = inventory_of(9);
    let back = advance(&runs, &running(&[("web", 1)]), Answers::Believed, &inventory, hours(9));
    assert_eq!(back, runs, "it ran all the time");
}

#[test]
fn what_ran_when_a_source_fell_silent_is_held_on() {
    let mut silent = doubted(running(&[("job", 2)]));
    let runs = after(&[running(&[("web", 1), ("job", 2)]), silent.clone()]);
    hold_unended(&mut silent, &runs, &inventory_of(9));
    let held: Vec<_> = silent.uses(&app()).iter().map(|used| (&*used.by, used.kind)).collect();
    assert_eq!(held, [("job", UseKind::Running), ("web", UseKind::Running)]);
}

#[test]
fn what_the_registry_lost_is_not_held() {
    let runs = after(&[running(&[("web", 1)]), running(&[("web", 2)])]);
    assert_eq!(previous(&runs, &inventory_of(9), 2).len(), 1);
    assert_eq!(previous(&runs, &inventory_of(0), 2).len(), 0);
}

#[test]
fn a_use_by_tag_is_of_the_image_that_bears_it() {
    let mut in_use = InUse::nothing();
    let tag = Target { tag: Some("v3".parse().unwrap()), digest: None };
    in_use.add(app(), Use::running(tag, "web"));
    let runs = after(&[in_use.clone(), in_use.clone()]);
    assert_eq!(runs.keys().map(|key| key.digest).collect::<Vec<_>>(), [digest(3)]);
    date(&mut in_use, &runs, &inventory_of(9), hours(1));
    assert_eq!(in_use.uses(&app())[0].since, Some(hours(0)));
}

#[test]
fn names_that_never_come_again_do_not_pile_up() {
    let mut runs = Runs::new();
    for hour in 0..24 * 60 {
        let pod = format!("pod-{hour}");
        let in_use = running(&[(&pod, 1 + u8::try_from(hour % 3).unwrap())]);
        runs = advance(&runs, &in_use, Answers::Believed, &inventory_of(9), hours(hour));
    }
    assert!(runs.len() <= 24 * 30 + 2, "{}", runs.len());
    assert_eq!(kept(&runs, 2), [1, 2]);
}
