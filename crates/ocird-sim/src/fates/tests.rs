//! A short form of the long run, and the proof that a seed is a fate.

use super::{Allowed, Misfortune, Seeds, Terms, live, live_all};

#[test]
fn the_same_seed_is_the_same_fate_whatever_runs_beside_it() {
    let terms = Terms { days: Some(12), ..Terms::default() };
    let alone = live(11, &terms).unwrap();
    let digests: Vec<_> = std::thread::scope(|scope| {
        let beside = scope.spawn(|| live(12, &terms).unwrap().digest);
        let again = scope.spawn(|| live(11, &terms).unwrap().digest);
        vec![again.join().unwrap(), beside.join().unwrap()]
    });
    assert_eq!(alone.digest, digests[0]);
    assert_ne!(alone.digest, digests[1], "another seed is another fate");
}

#[test]
fn some_dozens_of_fates_break_no_law() {
    let terms = Terms { days: Some(12), ..Terms::default() };
    let figures = live_all(&Seeds::These(1..=24), &terms, 2, || Box::new(()), |_| {}).unwrap();
    assert_eq!(figures.failures, [], "a seed replays with: ocird-sim fates --days 12 --seed SEED --log");
    assert!(figures.n_deleted > 100 && figures.faults.total() > 1000, "{figures}");
}

#[test]
fn a_quiet_fate_meets_nothing() {
    let terms = Terms { allowed: Allowed::only([]), ..Terms::default() };
    let fate = live(1, &terms).unwrap();
    assert_eq!(fate.broken, []);
    assert_eq!(fate.faults.total(), 0);
    assert_eq!(fate.faults.of(Misfortune::Crash), 0);
}
