//! What holds for every registry and every setting.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::standing::changes;
use super::*;

/// A world in which much may be odd: which, is drawn.
fn odd(switches: [bool; 8]) -> World {
    let mut world = World::new();
    let [public, unowned, unreadable, doubt, clock, refused, naming, gone] = switches;
    world.row("mgh-docs").is_public = public;
    if unowned {
        world.add("base", 2);
    }
    if unreadable {
        world.make_unreadable("todo-api");
    }
    if doubt {
        world.in_use.doubt(Patterns::all(), "\u{1b}[2J\nno file".repeat(100));
    }
    world.clock_doubt = clock.then(|| "it stepped back".to_owned());
    world.refused_policies = refused.then(|| "\u{9b}31m".repeat(1000));
    if naming {
        world.config.naming = vec!["{project}/*".parse().unwrap()];
        world.config.expected = ["mgh-website".parse().unwrap()].into();
    }
    world.vanished = if gone { None } else { Some(Vec::new()) };
    world
}

proptest! {
    #[test]
    fn there_is_one_finding_of_each_kind_about_each_subject_in_order_and_fit_for_a_terminal(
        switches in any::<[bool; 8]>(),
    ) {
        let found = odd(switches).found();
        let keys: Vec<FindingKey> = found.iter().map(Finding::key).collect();
        prop_assert!(keys.is_sorted());
        prop_assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
        for text in found.iter().flat_map(|finding| [&finding.what, &finding.remedy]) {
            prop_assert!(!text.is_empty() && text.len() <= MAX_TEXT);
            prop_assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b)), "{}", text);
        }
    }

    #[test]
    fn the_order_in_which_repositories_and_policies_are_named_is_irrelevant(switches in any::<[bool; 8]>()) {
        let mut world = odd(switches);
        let found = world.found();
        world.rows.reverse();
        world.policies.policies.reverse();
        prop_assert_eq!(world.found(), found);
    }

    /// That a plan has no place for a finding, its signature says; that finding leaves no trace in what a plan is made
    /// from, this does.
    #[test]
    fn findings_never_change_what_is_deleted(before in any::<[bool; 8]>(), switches in any::<[bool; 8]>()) {
        let mut earlier = odd(before);
        earlier.live(30);
        let mut world = odd(switches);
        let plan = world.plan();
        world.standing = earlier.standing;
        world.found();
        prop_assert_eq!(world.plan(), plan);
    }

    #[test]
    fn what_stands_is_what_appeared_and_has_not_cleared(
        before in any::<[bool; 8]>(),
        switches in any::<[bool; 8]>(),
    ) {
        let mut earlier = odd(before);
        earlier.live(1);
        let world = World { standing: earlier.standing, at: earlier.at, ..odd(switches) };
        let now = stand(world.found(), &world.standing, world.at);
        let (appeared, cleared) = changes(&world.standing, &now);
        prop_assert_eq!(world.standing.len() + appeared.len(), now.len() + cleared.len());
        for standing in &now {
            let is_new = appeared.contains(&&standing.finding);
            prop_assert_eq!(standing.since == world.at, is_new, "{:?}", standing);
        }
    }
}
