//! Chance, all of it: one generator for one fate, so that a seed replays exactly.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// The dice of one fate.
#[derive(Debug)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// The dice of a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// True in so many of ten thousand throws.
    pub(super) fn chance(&mut self, of_ten_thousand: u32) -> bool {
        self.0.random_range(0..10_000) < of_ten_thousand
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.random_range(low..=high)
    }

    /// The same, signed.
    pub(super) fn within(&mut self, low: i64, high: i64) -> i64 {
        self.0.random_range(low..=high)
    }

    /// A place in a list of so many; `None` in an empty one.
    pub(super) fn place(&mut self, n: usize) -> Option<usize> {
        (n > 0).then(|| self.0.random_range(0..n))
    }

    /// One of these; `None` of none.
    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        self.place(of.len()).map(|place| &of[place])
    }

    /// One of these, which are some.
    pub(super) fn one_of<T: Copy, const N: usize>(&mut self, of: [T; N]) -> T {
        of[self.0.random_range(0..N)]
    }
}
