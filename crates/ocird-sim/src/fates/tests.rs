//! A short form of the long run, and the proof that a seed is a fate.

use super::{Allowed, Misfortune, Terms, live};

#[test]
fn the_same_seed_is_the_same_fate_whatever_runs_beside_it() {
    let terms = Terms::default();
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
    for seed in 1..=24 {
        let fate = live(seed, &Terms::default()).unwrap();
        assert_eq!(fate.broken, [], "replay it with: ocird-sim fates --seed {seed} --log");
        assert!(fate.n_passes > 100);
    }
}

#[test]
fn a_quiet_fate_meets_nothing() {
    let terms = Terms { allowed: Allowed::only([]), ..Terms::default() };
    let fate = live(1, &terms).unwrap();
    assert_eq!(fate.broken, []);
    assert_eq!(fate.faults.total(), 0);
    assert_eq!(fate.faults.of(Misfortune::Crash), 0);
}
