//! The planner against a second one, written from the text of the rules by somebody who had not seen the first. Where the two
//! differed, the text decided which of them to mend; where the text was silent, the safer of the two.
//!
//! Not here: marks, what is due, and anything else that happens after a plan.
//!
//! Each world has a number and is the same for ever. `OCIRD_WORLDS=1000000 cargo test -p ocird-plan --test reference` is the
//! long form.

#![expect(clippy::unwrap_used, reason = "builders of test worlds unwrap what the tests themselves wrote")]

mod compare;
mod dice;
mod graph;
mod images;
mod ledger;
mod planner;
mod rules;
mod show;
mod simpler;
mod world;
mod worlds;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use compare::{compare, flip, simplest};
use dice::Dice;
use planner::{Fate, Fates, decide};
use simpler::{Step, steps};
use world::World;

/// Number of worlds, unless the environment asks for another.
const SHORT_FORM: u64 = 20_000;

/// In one of so many worlds a keep is turned into a deletion.
const FLIPPED: u64 = 3;

/// The conditions that a rule can have.
const CONDITIONS: [&str; 17] = [
    "keep tags",
    "keep newest",
    "keep group_by",
    "keep newer_than",
    "keep pulled_within",
    "keep digests",
    "keep resource_tags",
    "keep unless_usage_above",
    "a keep rule of several conditions",
    "a delete rule about what is untagged",
    "a delete rule about what is tagged",
    "a delete rule about tags",
    "a rule of a lifecycle document",
    "delete tags",
    "delete older_than",
    "delete not_pulled_for",
    "delete while_usage_above",
];

/// The facts that can decide about an image.
const FACTS: [&str; 22] = [
    "a repository",
    "an unreadable repository",
    "a public repository",
    "a policy",
    "a use by tag",
    "a use by digest",
    "a use by tag and digest",
    "a doubt",
    "a term of uses",
    "an image",
    "a manifest that cannot be judged",
    "children",
    "a subject",
    "a tag that ties",
    "a plain tag",
    "a time that is not believable",
    "a pull",
    "an old read",
    "resource tags",
    "layers",
    "unknown layers",
    "a rest",
];

/// Everything that can become of an image.
const FATES: [&str; 19] = [
    "no policy governs it",
    "two policies claim it",
    "its repository is public",
    "it is not known what runs",
    "something of its repository cannot be judged",
    "something listed carries it, or it is above a circle",
    "something runs from it",
    "a time of it is not believable",
    "it is too young",
    "another repository has what it speaks about",
    "what it speaks about may be where nobody could read",
    "a keep rule means it",
    "a keep rule holds it",
    "it is among the newest",
    "nobody wants it gone",
    "older ones are enough",
    "goes by a rule",
    "goes with its head",
    "goes as a rest",
];

/// In so many worlds each condition must have decided something once, and each fate been met.
const ENOUGH_FOR_RULES: u64 = 2_000;

/// In so many worlds each fact must have decided something once: most worlds have facts that no rule asks for.
const ENOUGH_FOR_FACTS: u64 = 10_000;

/// Number of troublesome worlds that are shown.
const SHOWN: usize = 3;

/// What was seen over many worlds.
#[derive(Debug, Default)]
struct Tally {
    n_worlds: u64,
    n_images: u64,
    n_flips: u64,
    /// How often each fate was met.
    fates: BTreeMap<&'static str, u64>,
    /// How often the world without one thing of this kind ended otherwise.
    decided: BTreeMap<&'static str, u64>,
    /// The worlds in which something is wrong, with what.
    trouble: Vec<(u64, String)>,
}

impl Tally {
    /// Looks at the worlds whose number leaves this remainder.
    fn of(n_worlds: u64, remainder: u64, n_shares: u64) -> Self {
        let mut tally = Self::default();
        for number in (0..n_worlds).filter(|number| number % n_shares == remainder) {
            tally.look_at(number);
        }
        tally
    }

    fn look_at(&mut self, number: u64) {
        let world = worlds::world(number);
        let mut dice = Dice::seeded(!number);
        let comparison = compare(&world);
        self.n_worlds += 1;
        for fate in comparison.fates.values() {
            self.n_images += 1;
            *self.fates.entry(fate.words()).or_default() += 1;
        }
        if let Some(trouble) = &comparison.trouble {
            self.trouble.push((number, trouble.clone()));
            return;
        }
        if number.is_multiple_of(FLIPPED) {
            match flip(&world, &comparison, &mut dice) {
                Some(Ok(())) => self.n_flips += 1,
                Some(Err(trouble)) => self.trouble.push((number, trouble)),
                None => {}
            }
        }
        let (conditions, facts) = steps(&world).into_iter().partition(|step| CONDITIONS.contains(&step.kind));
        self.take_one_out(&world, &comparison.fates, conditions, &mut dice);
        self.take_one_out(&world, &comparison.fates, facts, &mut dice);
    }

    /// Takes one of these things out of the world, each kind as often as any other, and looks whether that makes a
    /// difference.
    fn take_one_out(&mut self, world: &World, fates: &Fates, mut steps: Vec<Step>, dice: &mut Dice) {
        let kinds: BTreeSet<&'static str> = steps.iter().map(|step| step.kind).collect();
        if kinds.is_empty() {
            return;
        }
        let kind = *dice.one_of(&kinds.into_iter().collect::<Vec<_>>());
        steps.retain(|step| step.kind == kind);
        let without = decide(&dice.one_of(&steps).taken_from(world));
        let is_other =
            |(place, fate): (_, &Fate)| fates.get(place).is_some_and(|before| before.goes() != fate.goes());
        *self.decided.entry(kind).or_default() += u64::from(without.iter().any(is_other));
    }

    fn add(&mut self, other: Self) {
        let Self { n_worlds, n_images, n_flips, fates, decided, trouble } = other;
        self.n_worlds += n_worlds;
        self.n_images += n_images;
        self.n_flips += n_flips;
        for (kind, n_times) in fates {
            *self.fates.entry(kind).or_default() += n_times;
        }
        for (kind, n_times) in decided {
            *self.decided.entry(kind).or_default() += n_times;
        }
        self.trouble.extend(trouble);
    }
}

#[expect(clippy::disallowed_methods, reason = "the long form is asked for by name")]
fn n_worlds() -> u64 {
    std::env::var("OCIRD_WORLDS").map_or(SHORT_FORM, |worlds| worlds.parse().expect("a number of worlds"))
}

fn tally() -> Tally {
    let n_shares = thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let mut all = Tally::default();
    thread::scope(|scope| {
        let shares: Vec<_> =
            (0..n_shares).map(|share| scope.spawn(move || Tally::of(n_worlds(), share, n_shares))).collect();
        for share in shares {
            all.add(share.join().expect("no world brings a thread down"));
        }
    });
    all.trouble.sort();
    all
}

#[test]
fn both_planners_agree_on_every_world() {
    let tally = tally();
    println!("{} worlds, {} images, {} flips refused", tally.n_worlds, tally.n_images, tally.n_flips);
    println!("fates: {:#?}\ndecided: {:#?}", tally.fates, tally.decided);
    let shown: Vec<String> = tally.trouble.iter().take(SHOWN).map(in_words).collect();
    assert!(shown.is_empty(), "{} worlds, of which\n{}", tally.trouble.len(), shown.join("\n"));
    require(&tally, &tally.decided, &CONDITIONS, ENOUGH_FOR_RULES);
    require(&tally, &tally.decided, &FACTS, ENOUGH_FOR_FACTS);
    require(&tally, &tally.fates, &FATES, ENOUGH_FOR_RULES);
}

/// Fails where the worlds hold too little of something to prove anything about it.
fn require(tally: &Tally, seen: &BTreeMap<&'static str, u64>, kinds: &[&'static str], enough: u64) {
    for kind in kinds {
        let n_times = seen.get(kind).copied().unwrap_or_default();
        assert!(
            n_times >= tally.n_worlds / enough,
            "{kind}: {n_times} times only in {} worlds",
            tally.n_worlds
        );
    }
}

fn in_words((number, trouble): &(u64, String)) -> String {
    format!("world {number}: {trouble}; simpler:\n{}", simplest(worlds::world(*number)))
}
