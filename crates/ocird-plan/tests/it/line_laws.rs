//! The laws of lines, over estates of two random worlds. Every plan here also passes the check.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, Digest, KeepRule, MarkKey, Usage};
use ocird_plan::{account, explain};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::estate::Estate;
use crate::fleet::{Fleet, now};
use crate::world::{Spec, World, keep_rule, world};

/// Two worlds, with a line for some of their rules. They have no digest in common unless they are [related].
#[derive(Debug, Clone)]
pub(crate) struct Lined {
    worlds: [World; 2],
}

impl Lined {
    /// True when it was a head before anything went.
    fn is_head(&self, before: &Estate, key: &MarkKey) -> bool {
        let is_api = before.fleets[&"api".parse().unwrap()].repository.id == key.repository;
        self.worlds[usize::from(!is_api)].is_head(World::place(&key.head))
    }

    /// The same, but nothing that speaks about an image speaks about another or is in an index besides: when only the first of
    /// them goes, it is an orphan, and the other head stays for its sake.
    fn of_one_subject_each(mut self) -> Self {
        for world in &mut self.worlds {
            let about_another = |image: &Spec| !image.ties.is_empty() || image.subject.is_some();
            let speaks = |place: &usize| world.images.get(*place).is_some_and(about_another);
            let speakers: BTreeSet<usize> = (0..world.images.len()).filter(speaks).collect();
            for image in &mut world.images {
                image.children.retain(|child| !speakers.contains(child));
            }
        }
        for image in self.worlds.iter_mut().flat_map(|world| &mut world.images) {
            let subjects = image.ties.iter().copied().chain(image.subject);
            let only: Option<usize> = subjects.min();
            image.subject = image.subject.filter(|subject| Some(*subject) == only);
            image.ties.retain(|subject| Some(*subject) == only);
        }
        self
    }

    /// The same, but nothing is closed: a rule that holds what is closed lets others pay for it, as what would go has gone for them.
    fn all_open(mut self) -> Self {
        for world in &mut self.worlds {
            world.is_doubtful = false;
            world.images.iter_mut().for_each(|image| image.is_opaque = false);
        }
        self
    }

    /// The same, but only heads bear plain tags: a tagged member does not go after its head as a rest, but is an image of its own
    /// then, in the account and in the order.
    fn with_heads_tagged_only(mut self) -> Self {
        for world in &mut self.worlds {
            let heads: BTreeSet<usize> =
                (0..world.images.len()).filter(|place| world.is_head(*place)).collect();
            world.tags.retain(|_, (place, _)| heads.contains(place));
        }
        self
    }

    pub(crate) fn build(&self) -> Estate {
        let [api, web] = &self.worlds;
        let mut fleets = [("api", api.build()), ("web", web.build())];
        // The guardrails are the centre's.
        fleets[1].1.policies.guardrails = fleets[0].1.policies.guardrails;
        Estate::of(&fleets)
    }
}

fn line() -> impl Strategy<Value = Option<Bytes>> {
    // The worlds hold up to 9,100 bytes each, most of them in manifests of 1,000.
    option::weighted(0.7, (0_u64..11_000).prop_map(Bytes))
}

fn lined_world() -> impl Strategy<Value = World> {
    (world(), vec(line(), 3), vec(line(), 3), any::<bool>()).prop_map(|(mut world, keep, delete, is_free)| {
        world.keep.iter_mut().zip(keep).for_each(|(rule, line)| rule.unless_usage_above = line);
        world.delete.iter_mut().zip(delete).for_each(|(rule, line)| rule.while_usage_above = line);
        // Worlds in which little is held, so that lines decide something.
        if is_free {
            world.keep.truncate(1);
            world.used.clear();
            world.used_tags.clear();
            world.floor = 1;
        }
        // A head that is back has no rests: the store forgets them when it sees it.
        let n_images = world.images.len();
        world.rests.retain(|_, head| *head >= n_images);
        world
    })
}

fn estate() -> impl Strategy<Value = Lined> {
    (lined_world(), lined_world()).prop_map(|(api, mut web)| {
        web.order.iter_mut().for_each(|first| *first += 100);
        Lined { worlds: [api, web] }
    })
}

/// Two worlds with the same digests, so that what one speaks about in vain the other may have.
pub(crate) fn related() -> impl Strategy<Value = Lined> {
    (lined_world(), lined_world()).prop_map(|(api, mut web)| {
        web.order.clone_from(&api.order);
        Lined { worlds: [api, web] }
    })
}

/// More than the usual number, unless the environment asks for still more.
fn cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.max(768), ..usual }
}

/// The heads of some deletions with their ages, oldest first, as they go.
fn in_order(estate: &Estate, heads: &BTreeSet<MarkKey>) -> Vec<MarkKey> {
    let time = |key: &MarkKey| -> Option<DateTime<Utc>> {
        let mut fleets = estate.fleets.values();
        let fleet = fleets.find(|fleet| fleet.repository.id == key.repository).unwrap();
        fleet.repository.image(&key.head).unwrap().newest_time()
    };
    let mut ordered: Vec<MarkKey> = heads.iter().cloned().collect();
    ordered.sort_by_key(|key| (time(key), key.clone()));
    ordered
}

/// True when the last keep rule of the first repository holds something of this family.
fn is_held_by_the_last_rule(estate: &Estate, key: &MarkKey) -> bool {
    let fleet = &estate.fleets[&"api".parse().unwrap()];
    let explain = || {
        let (inventory, policies, in_use) = (estate.inventory(), estate.policies(), estate.in_use());
        explain(&inventory, &policies, &in_use, now(), &fleet.repository.name, &key.head).unwrap()
    };
    let is_there = fleet.repository.id == key.repository;
    is_there && explain().image.keep.last().is_some_and(|says| says.itself || !says.through.is_empty())
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_order_of_rules_decides_nothing_but_the_reason(lined in estate()) {
        let mut reversed = lined.clone();
        for world in &mut reversed.worlds {
            world.keep.reverse();
            world.delete.reverse();
        }
        prop_assert_eq!(lined.build().deletions(), reversed.build().deletions());
    }

    #[test]
    fn the_plan_says_what_the_account_will_be(lined in estate()) {
        let lined = lined.with_heads_tagged_only();
        let before = lined.build();
        let after = before.without(&before.heads());
        match before.plan().usage {
            Usage::NotAsked => prop_assert!(before.policies().policies.iter().all(|p| p.lines().next().is_none())),
            Usage::Unknown { because } => prop_assert!(false, "{} is known", because),
            Usage::Known { now, after: then, shortfall } => {
                prop_assert_eq!(Some(now), before.account());
                prop_assert_eq!(Some(then), after.account());
                if let Some(shortfall) = shortfall {
                    prop_assert!(shortfall.lines.iter().all(|line| *line < then));
                    prop_assert_eq!(shortfall.held.values().copied().sum::<Bytes>(), then);
                }
            }
        }
    }

    #[test]
    fn planning_again_after_acting_adds_no_family(lined in estate()) {
        let lined = lined.with_heads_tagged_only();
        let before = lined.build();
        let heads = before.heads();
        let went = before.deletions();
        let has_rests = lined.worlds.iter().any(|world| !world.rests.is_empty());
        for head in before.without(&heads).heads() {
            // Only what a rest carried besides may now be a family of its own.
            let is_known = lined.is_head(&before, &head) || went.contains(&head);
            prop_assert!(has_rests && !is_known, "{:?} is new", head);
        }
    }

    #[test]
    fn deleting_the_oldest_and_planning_again_takes_exactly_the_others(lined in estate(), n in 0..6_usize) {
        let lined = lined.of_one_subject_each().with_heads_tagged_only();
        let before = lined.build();
        let heads = before.heads();
        let order = in_order(&before, &heads);
        let first: BTreeSet<MarkKey> = order.iter().take(n).cloned().collect();
        let again = before.without(&first).heads();
        let others: BTreeSet<MarkKey> = heads.difference(&first).cloned().collect();
        // What a rest carried may be a family of its own by then, and may be enough.
        if lined.worlds.iter().any(|world| !world.rests.is_empty()) {
            let known: BTreeSet<MarkKey> = again.into_iter().filter(|key| lined.is_head(&before, key)).collect();
            prop_assert!(known.is_subset(&others), "{:?} and not {:?}", known, others);
        } else {
            prop_assert_eq!(again, others);
        }
    }

    #[test]
    fn no_family_goes_when_those_before_it_are_enough(lined in estate()) {
        let mut lined = lined;
        let mut lowest = Bytes(u64::MAX);
        for rule in lined.worlds.iter_mut().flat_map(|world| &mut world.delete) {
            lowest = lowest.min(*rule.while_usage_above.get_or_insert(Bytes(4_000)));
        }
        let before = lined.build();
        let order = in_order(&before, &before.heads());
        for n in 0..order.len() {
            let account = before.without(&order[..n].iter().cloned().collect()).account();
            prop_assert!(account > Some(lowest), "{:?} goes after {} others", order[n], n);
        }
    }

    #[test]
    fn an_account_that_is_lost_adds_no_deletion(lined in estate(), number in 0..2_usize, place in 0..9_usize) {
        let mut less = lined.clone();
        let world = &mut less.worlds[number];
        let place = place % world.images.len();
        world.images[place].layers = None;
        prop_assert!(less.build().deletions().is_subset(&lined.build().deletions()));
        let unreadable = lined.build().unreadable("web");
        let api: BTreeSet<MarkKey> = unreadable.deletions();
        prop_assert!(api.is_subset(&lined.build().deletions()));
    }

    #[test]
    fn closing_repositories_adds_no_deletion_anywhere(lined in estate(), closed in 1..4_u8, how in 0..3_u8) {
        let open = lined.build();
        let mut less = open.clone();
        for (number, fleet) in less.fleets.values_mut().enumerate().filter(|(number, _)| closed >> number & 1 == 1) {
            match how {
                0 => fleet.in_use.doubt(crate::fleet::patterns(&["*"]), "a source is silent"),
                1 => fleet.repository.is_public = true,
                // Somebody pushes what cannot be judged, and fresh, so that it is no candidate itself.
                _ => *fleet = fleet.clone().opaque(&format!("odd{number}"), chrono::TimeDelta::hours(1)),
            }
        }
        prop_assert!(less.deletions().is_subset(&open.deletions()));
    }

    #[test]
    fn a_keep_rule_costs_another_family_only_in_place_of_one_it_holds(lined in estate(), rule in keep_rule()) {
        let lined = lined.all_open();
        let before = lined.build().heads();
        let mut more = lined;
        more.worlds[0].keep.push(rule);
        let after = more.build().heads();
        let new: Vec<&MarkKey> = after.difference(&before).collect();
        prop_assert!(new.is_empty() || !before.is_subset(&after), "{:?} go for nobody", new);
    }

    #[test]
    fn what_a_keep_rule_costs_waits_behind_what_it_holds(
        lined in estate(), rule in keep_rule(), line in line(),
    ) {
        let lined = lined.all_open();
        let before = lined.build();
        let mut more = lined;
        more.worlds[0].keep.push(KeepRule { unless_usage_above: line, ..rule });
        let after = more.build();
        let (went, goes) = (before.heads(), after.heads());
        let order = in_order(&after, &went.union(&goes).cloned().collect());
        let turn = |key: &MarkKey| order.iter().position(|known| known == key);
        let new: Vec<&MarkKey> = goes.difference(&went).collect();
        let held: Vec<&MarkKey> =
            went.union(&goes).filter(|key| is_held_by_the_last_rule(&after, key)).collect();
        if line.is_none() || held.len() == 1 {
            prop_assert!(held.iter().all(|key| !new.contains(key)), "{:?}", held);
        }
        if let Some(oldest) = new.into_iter().min_by_key(|key| turn(key)) {
            let has_not_gone_by_then = |key: &&MarkKey| !goes.contains(key) || turn(key) > turn(oldest);
            let mut waited_for = went.iter().filter(has_not_gone_by_then);
            prop_assert!(waited_for.any(|key| is_held_by_the_last_rule(&after, key)), "{:?}", oldest);
        }
    }

    #[test]
    fn what_another_repository_speaks_about_holds_what_speaks(lined in related()) {
        let estate = lined.build();
        let deletions = estate.deletions();
        for fleet in estate.fleets.values() {
            for image in &fleet.repository.images {
                let is_abroad = |subject: &Digest| {
                    let has = |fleet: &Fleet| fleet.repository.image(subject).is_some();
                    !has(fleet) && estate.fleets.values().any(has)
                };
                let key = MarkKey { repository: fleet.repository.id.clone(), head: image.digest };
                let speaks = image.content.subject().iter().any(is_abroad);
                prop_assert!(!(speaks && deletions.contains(&key)), "{:?}", key);
            }
        }
    }

    #[test]
    fn without_lines_the_repositories_do_not_bear_on_each_other(lined in estate()) {
        let mut unlined = lined;
        for world in &mut unlined.worlds {
            world.keep.iter_mut().for_each(|rule| rule.unless_usage_above = None);
            world.delete.iter_mut().for_each(|rule| rule.while_usage_above = None);
        }
        let together = unlined.build();
        let alone: usize = together.fleets.values().map(|fleet| {
            Estate::of(&[(fleet.repository.name.as_str(), fleet.clone())]).deletions().len()
        }).sum();
        prop_assert_eq!(together.deletions().len(), alone);
        prop_assert_eq!(together.plan().usage, Usage::NotAsked);
    }
}

#[test]
fn the_estates_hold_enough_of_everything_to_test_the_laws() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut n_by_line, mut n_spared, mut n_short, mut n_common) = (0, 0, 0, 0);
    for _ in 0..1000 {
        let lined = estate().new_tree(&mut runner).unwrap().current();
        let estate = lined.build();
        let plan = estate.plan();
        let text = estate.show();
        n_spared += text.matches("could take it").count();
        let has_line = |world: &World| world.delete.iter().any(|rule| rule.while_usage_above.is_some());
        n_by_line += usize::from(lined.worlds.iter().any(has_line) && text.contains("delete: rule"));
        if let Usage::Known { now: _, after: _, shortfall: Some(_) } = plan.usage {
            n_short += 1;
        }
        let n_layers: u64 = estate.fleets.values().map(|fleet| account(&fleet.repository).n_layers).sum();
        let n_named = estate.fleets.values().flat_map(|fleet| &fleet.repository.images);
        let n_named: usize = n_named.flat_map(|image| image.layers.iter()).map(|layers| layers.len()).sum();
        n_common += usize::from(n_named as u64 > n_layers);
    }
    assert!(
        n_by_line > 50 && n_spared > 40 && n_short > 50 && n_common > 50,
        "{n_by_line} {n_spared} {n_short} {n_common}"
    );
}
