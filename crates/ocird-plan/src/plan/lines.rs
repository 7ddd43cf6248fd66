//! The lines that rules draw in the account. This is the one place where repositories bear on each other.
//!
//! # One number for each family
//! A delete rule with a line takes while the account is above it; a keep rule with a line holds until the account is above it. So
//! for each family that nothing else holds there is one number above which it may go: the lowest line of the delete rules
//! that select it (none at all for a rule without), or the highest of the keep rules that hold it, whichever is more.
//!
//! # Who goes
//! First what may go at any account, and it is taken out of the account. Then all other families in order of age, the oldest
//! first, whatever their repository and rule: each goes if the account as it is by then is above its number. So whatever lines
//! the policies draw, the outcome does not depend on the order of files, rules or images; every family that goes was needed to
//! bring the account to a line; and to delete some of them, from the oldest on, and plan again selects exactly the others.
//! A family takes with it what it shares with families that have gone before: with the last of its heads an image has gone.
//!
//! # What is closed
//! Where nothing may go, for a doubt or a manifest that cannot be judged, families come in the same order and are taken out of the
//! account as if they went, while they stay: each that could go at some account, as what the account is says nothing while it
//! holds them. So no other repository gives more for it than it would if nothing were closed, now or in a later pass: doubt about
//! one must not cost another an image. What is said of the account afterwards is what it will really be.
//!
//! # What a keep rule costs
//! A keep rule without a line never adds the deletion of a family that it holds, nor does one with a line that holds a single
//! family; where no policy has a line it adds none at all. With lines, what it holds stays in the account, or waits for its turn
//! there instead of going at any account; so families whose fate is a matter of usage, and that nothing holds by then, may
//! change places, two that the same rule holds up to its line among them. The oldest that goes for it goes because one that the
//! rule holds, and that went before, does not go any more or goes later; and each has the account above its number at its turn. A
//! rule without a line costs a family only in place of one that it keeps. One with a line may cost one although everything that
//! it holds goes as well, only later.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, Digest, RepositoryName};

use super::ledger::Ledger;
use super::opinion::{Bench, Wish};

/// What the account says of one head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It goes as far as the account is concerned.
    Goes,
    /// It could go, but older ones are enough.
    Spared,
    /// The account is at or under its number, or is not known.
    Stays,
}

/// The accounts of all repositories, and what they come to.
pub(super) struct Accounts {
    /// One for each bench.
    ledgers: Vec<Ledger>,
    total: Bytes,
}

/// A family whose going is a matter of usage.
struct Candidate {
    time: Option<DateTime<Utc>>,
    bench: usize,
    place: usize,
    above: Bytes,
}

/// The lines of every policy that governs something.
pub(super) fn lines(benches: &[Bench<'_>]) -> BTreeSet<Bytes> {
    benches.iter().flat_map(Bench::lines).collect()
}

impl Accounts {
    /// The accounts, or the repository for whose sake nobody knows them.
    pub(super) fn of(benches: &[Bench<'_>]) -> Result<Self, RepositoryName> {
        let mut accounts = Self { ledgers: Vec::with_capacity(benches.len()), total: Bytes::ZERO };
        for bench in benches {
            let unknown = || bench.repository().name.clone();
            let ledger = Ledger::of(bench.repository(), bench.graph()).ok_or_else(unknown)?;
            accounts.total += ledger.size();
            // A sum that is no longer exact is a registry's lie, and nothing goes by a lie.
            if accounts.total == Bytes(u64::MAX) {
                return Err(unknown());
            }
            accounts.ledgers.push(ledger);
        }
        Ok(accounts)
    }

    /// What everything takes that has not been taken out.
    pub(super) const fn total(&self) -> Bytes {
        self.total
    }

    /// True when the image counts, and has not been taken out.
    pub(super) fn counts(&self, bench: usize, place: usize) -> bool {
        self.ledgers[bench].counts(place)
    }

    /// The size at which a layer of a repository counts.
    pub(super) fn layer(&self, bench: usize, layer: &Digest) -> Bytes {
        self.ledgers[bench].layer(layer)
    }

    fn take_out(&mut self, bench: usize, from: &Bench<'_>, head: usize) {
        let freed = self.ledgers[bench].take_out(from.repository(), from.graph(), head);
        self.total = self.total.saturating_sub(freed);
    }

    /// Enters again whatever was taken out of one repository.
    fn put_back(&mut self, number: usize, bench: &Bench<'_>) {
        let whole = Ledger::of(bench.repository(), bench.graph());
        let whole = whole.expect("it was known before, and has not changed");
        self.total = self.total.saturating_sub(self.ledgers[number].size()) + whole.size();
        self.ledgers[number] = whole;
    }
}

/// Lets every family that waits for the account to be known stay.
pub(super) fn stay(benches: &mut [Bench<'_>]) {
    for bench in benches {
        let waits: Vec<usize> =
            bench.wishes().filter(|(_, wish)| *wish != Wish::Goes).map(|(head, _)| head).collect();
        for head in waits {
            bench.stand(head, Standing::Stays);
        }
    }
}

/// What everything took before anything was settled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled {
    /// Everything.
    pub(super) now: Bytes,
    /// Everything but what goes at any account, or would if its repository were not closed.
    pub(super) at_first: Bytes,
}

/// Says of every family whether the account lets it go, and takes out of the accounts what does. What stays because its
/// repository is closed is out of them only while the others are asked.
pub(super) fn settle(benches: &mut [Bench<'_>], accounts: &mut Accounts) -> Settled {
    let now = accounts.total();
    let mut candidates = Vec::new();
    for (number, bench) in benches.iter().enumerate() {
        for (place, wish) in bench.wishes() {
            match wish {
                Wish::Goes => accounts.take_out(number, bench, place),
                Wish::GoesAbove(above) => {
                    candidates.push(Candidate { time: bench.time(place), bench: number, place, above });
                }
            }
        }
    }
    candidates.sort_unstable_by_key(|candidate| (candidate.time, candidate.bench, candidate.place));
    let at_first = accounts.total();
    for Candidate { time: _, bench, place, above } in candidates {
        let (is_open, goes) = (benches[bench].is_open(), accounts.total() > above);
        if goes || !is_open {
            accounts.take_out(bench, &benches[bench], place);
        }
        let standing = if goes {
            Standing::Goes
        } else if at_first <= above {
            Standing::Stays
        } else if is_open {
            Standing::Spared
        } else {
            // It could go, and what closes the repository is the reason why it does not.
            Standing::Goes
        };
        benches[bench].stand(place, standing);
    }
    for (number, bench) in benches.iter().enumerate().filter(|(_, bench)| !bench.is_open()) {
        accounts.put_back(number, bench);
    }
    Settled { now, at_first }
}
