//! Whether the account asked for what goes by a line (S-13, S-16): a tally of its own, from which the families of the plan are
//! crossed out in their order, each looked at when everything before it has gone. Where nothing may go, what could is
//! crossed out all the same, so that no other repository pays for it (S-34).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ocird_model::{
    Bytes, Content, DeleteReason, Digest, EffectivePolicy, KeepReason, KeepRule, Policy, RepositoryName,
    Rule, RuleName, Verdict,
};

use super::needed::{kept_by, must_stay};
use super::rule::Reach;
use super::world::{Ties, World, above_circles, times};
use super::{Report, Violation, nothing_may_go};

/// What counts in one repository.
struct Tally {
    /// Each layer with its size and the images that hold it.
    layers: BTreeMap<Digest, (Bytes, BTreeSet<usize>)>,
    /// Each image that counts with the size of its manifest.
    manifests: BTreeMap<usize, Bytes>,
    is_crossed_out: Vec<bool>,
    /// For each image the number of its holders that are not crossed out.
    n_holding: Vec<usize>,
    /// For each image the number of its holders that count.
    n_counting: Vec<usize>,
    /// What counts only as long as something that counts carries it: what ocird deleted the head of.
    is_headless: Vec<bool>,
}

/// What the plan makes of a head that a rule could take.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Goes,
    /// It stays, as older ones are enough.
    Spared,
    /// It stays, as nothing may go from its repository.
    Closed,
}

/// A head that a rule could take.
struct Claim<'a> {
    time: Option<DateTime<Utc>>,
    name: &'a RepositoryName,
    digest: Digest,
    /// The place of its repository among the worlds.
    world: usize,
    /// Its place there.
    place: usize,
    /// It may go while the account is above this; `None` for at any account.
    above: Option<Bytes>,
    fate: Fate,
}

/// Checks the plans of all repositories together. `is_whole` tells whether each of them was read whole.
pub(super) fn check(worlds: &[World<'_>], is_whole: bool, found: &mut Vec<Violation>) {
    let ties: Vec<Ties> = worlds.iter().map(World::ties).collect();
    let mut claims: Vec<Claim<'_>> = Vec::new();
    for (number, (world, ties)) in worlds.iter().zip(&ties).enumerate() {
        if let EffectivePolicy::One(policy) = world.policies.governing(&world.repository.name) {
            if nothing_may_go(world).is_empty() {
                claims.extend(claims_in(world, ties, policy, number));
            } else {
                claims.extend(claims_in_vain(world, ties, policy, number));
            }
        }
    }
    claims.sort_by_key(|claim| (claim.time, claim.name, claim.digest));
    let tallies: Option<Vec<Tally>> =
        worlds.iter().zip(&ties).map(|(world, ties)| Tally::of(world, ties)).collect();
    if let Some(tallies) = tallies.filter(|_| is_whole || !Rule::S7.in_force()) {
        cross_out(worlds, &ties, &claims, tallies, found);
    } else {
        let by_line = |claim: &&Claim<'_>| claim.above.is_some() && claim.fate != Fate::Closed;
        for claim in claims.iter().filter(by_line) {
            claim.refuse("S-7", "it is to go by a line, and the account is not known", found);
        }
    }
}

/// Goes through the claims in their order, those that go at any account first.
fn cross_out(
    worlds: &[World<'_>],
    ties: &[Ties],
    claims: &[Claim<'_>],
    mut tallies: Vec<Tally>,
    found: &mut Vec<Violation>,
) {
    for claim in claims.iter().filter(|claim| claim.above.is_none()) {
        if claim.fate == Fate::Spared {
            claim.refuse("S-16", "it is spared, and no line speaks of it", found);
        } else {
            tallies[claim.world].cross_out(&worlds[claim.world], &ties[claim.world], claim.place);
        }
    }
    let mut account: Bytes = tallies.iter().map(Tally::total).sum();
    let at_first = Some(account);
    let mut is_one_passed_over = false;
    for claim in claims.iter().filter(|claim| claim.above.is_some()) {
        let is_asked_for = Some(account) > claim.above;
        match claim.fate {
            Fate::Spared => {
                if at_first <= claim.above {
                    claim.refuse("S-16", "it is spared, and its line is not exceeded", found);
                }
                is_one_passed_over |= is_asked_for;
                continue;
            }
            Fate::Closed => {}
            Fate::Goes => {
                if !is_asked_for {
                    claim.refuse("S-16", "the account is at its line without it", found);
                }
                if is_one_passed_over {
                    claim.refuse("S-16", "an older one is spared in its place", found);
                }
            }
        }
        let freed = tallies[claim.world].cross_out(&worlds[claim.world], &ties[claim.world], claim.place);
        account = account.saturating_sub(freed);
    }
}

impl Claim<'_> {
    fn refuse(&self, rule: &'static str, text: &str, found: &mut Vec<Violation>) {
        Report { repository: self.name, found }.image(self.digest, rule, text);
    }
}

fn claims_in<'a>(world: &World<'a>, ties: &Ties, policy: &Policy, number: usize) -> Vec<Claim<'a>> {
    let reach: Vec<Reach> = policy.delete.iter().map(|rule| Reach::of(world, ties, rule)).collect();
    let lent = lent(world, ties, policy);
    let lowest_line = |rule: &RuleName, place: usize| {
        let takers = policy.delete.iter().zip(&reach);
        let takers = takers.filter(|(known, reach)| known.name == *rule && reach.takes(place));
        takers.map(|(known, _)| known.while_usage_above).min()
    };
    let claim = |(place, decision): (usize, &'a ocird_model::Decision)| {
        let (rule, fate) = match &decision.verdict {
            Verdict::Delete(DeleteReason::Rule { rule }) => (rule, Fate::Goes),
            Verdict::Keep(KeepReason::Spared { rule }) => (rule, Fate::Spared),
            Verdict::Delete(DeleteReason::WithHead { rule: _ } | DeleteReason::Rest) | Verdict::Keep(_) => {
                return None;
            }
        };
        Some(Claim {
            time: times(&world.repository.images[place]).flatten().max(),
            name: &world.repository.name,
            digest: decision.digest,
            world: number,
            place,
            // Where no rule takes it that is another violation, found elsewhere.
            above: lowest_line(rule, place)?.max(lent[place]),
            fate,
        })
    };
    world.decisions.iter().enumerate().filter_map(claim).collect()
}

/// The heads that could go if their repository were not closed.
fn claims_in_vain<'a>(world: &World<'a>, ties: &Ties, policy: &Policy, number: usize) -> Vec<Claim<'a>> {
    let reach: Vec<Reach> = policy.delete.iter().map(|rule| Reach::of(world, ties, rule)).collect();
    let lent = lent(world, ties, policy);
    let stays = must_stay(world, ties, policy);
    let (headless, circular) = (world.headless(), above_circles(ties));
    let claim = |(place, decision): (usize, &'a ocird_model::Decision)| {
        let is_fixed = !ties.holders[place].is_empty() || stays[place] || headless[place] || circular[place];
        let takers = policy.delete.iter().zip(&reach).filter(|(_, reach)| !is_fixed && reach.takes(place));
        Some(Claim {
            time: times(&world.repository.images[place]).flatten().max(),
            name: &world.repository.name,
            digest: decision.digest,
            world: number,
            place,
            above: takers.map(|(known, _)| known.while_usage_above).min()?.max(lent[place]),
            fate: Fate::Closed,
        })
    };
    world.decisions.iter().enumerate().filter_map(claim).collect()
}

/// For each image the highest line of the keep rules that hold it or something it carries.
fn lent(world: &World<'_>, ties: &Ties, policy: &Policy) -> Vec<Option<Bytes>> {
    let mut lent = vec![None; world.decisions.len()];
    let has_line = |rule: &&KeepRule| rule.unless_usage_above.is_some() && Rule::S5.in_force();
    for rule in policy.keep.iter().filter(has_line) {
        let held = kept_by(world, ties, rule);
        for (lent, is_held) in lent.iter_mut().zip(ties.above(&held)) {
            *lent = (*lent).max(rule.unless_usage_above.filter(|_| is_held));
        }
    }
    lent
}

impl Tally {
    /// `None` when the layers of something that counts are not known. What ocird deleted the head of counts no more, unless
    /// something that counts carries it.
    fn of(world: &World<'_>, ties: &Ties) -> Option<Self> {
        let off_the_account = world.off_the_account(ties);
        let n_counting =
            |holders: &BTreeSet<usize>| holders.iter().filter(|holder| !off_the_account[**holder]).count();
        let mut tally = Self {
            layers: BTreeMap::new(),
            manifests: BTreeMap::new(),
            is_crossed_out: vec![false; off_the_account.len()],
            n_holding: ties.holders.iter().map(BTreeSet::len).collect(),
            n_counting: ties.holders.iter().map(n_counting).collect(),
            is_headless: world.headless(),
        };
        for (place, image) in world.images().filter(|(place, _)| !off_the_account[*place]) {
            let is_index = matches!(image.content, Content::Index { children: _, subject: _ });
            if image.layers.is_none() && !is_index && Rule::S7.in_force() {
                return None;
            }
            for layer in image.layers.iter().flat_map(|layers| layers.iter()) {
                // Of several sizes the smallest: to count less deletes less.
                let (size, holders) =
                    tally.layers.entry(layer.digest).or_insert((layer.size, BTreeSet::new()));
                *size = layer.size.min(*size);
                holders.insert(place);
            }
            tally.manifests.insert(place, image.manifest_size);
        }
        Some(tally)
    }

    fn total(&self) -> Bytes {
        let held = self.layers.values().filter(|(_, holders)| !holders.is_empty());
        let layers: Bytes = held.map(|(size, _)| *size).sum();
        layers + self.manifests.values().copied().sum()
    }

    /// Crosses out a head, and whatever has lost its last holder by that. Answers what that frees.
    fn cross_out(&mut self, world: &World<'_>, ties: &Ties, head: usize) -> Bytes {
        let mut freed = Bytes::ZERO;
        let mut going = vec![head];
        while let Some(place) = going.pop() {
            if std::mem::replace(&mut self.is_crossed_out[place], true) {
                continue;
            }
            freed += self.uncount(world, ties, place);
            for &carried in &ties.carried[place] {
                self.n_holding[carried] -= 1;
                if self.n_holding[carried] == 0 {
                    going.push(carried);
                }
            }
        }
        freed
    }

    /// Takes an image out of the count, and what counted for its sake alone. Answers what that frees.
    fn uncount(&mut self, world: &World<'_>, ties: &Ties, from: usize) -> Bytes {
        let mut freed = Bytes::ZERO;
        let mut open = vec![from];
        while let Some(place) = open.pop() {
            let Some(manifest) = self.manifests.remove(&place) else { continue };
            freed += manifest + self.release_layers(world, place);
            for &carried in &ties.carried[place] {
                self.n_counting[carried] -= 1;
                if self.n_counting[carried] == 0 && self.is_headless[carried] {
                    open.push(carried);
                }
            }
        }
        freed
    }

    /// The layers that nobody holds but this image.
    fn release_layers(&mut self, world: &World<'_>, place: usize) -> Bytes {
        let mut freed = Bytes::ZERO;
        for layer in world.repository.images[place].layers.iter().flat_map(|layers| layers.iter()) {
            if let Some((size, holders)) = self.layers.get_mut(&layer.digest)
                && holders.remove(&place)
                && holders.is_empty()
            {
                freed += *size;
            }
        }
        freed
    }
}
