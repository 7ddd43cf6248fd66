//! The first team under its budget: 500 MB for four repositories, each of which is pushed to twice a day. What is stored is
//! read from the tenancy and summed by none of ocird's code.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use ocird::pass::{Decided, Purpose, Survey};
use ocird_model::{Digest, HeldBy, Lifecycle, RepositoryId, Usage};
use ocird_sim::Settings;
use ocird_sim::ci::{EventKind, Knobs, Team};
use ocird_sim::face::Face;
use ocird_sim::stage::{Play, Stage};
use ocird_sim::view::{Cursor, ImageQuery};

use crate::teams::{MGH_POLICY, live_well, under_delivered_policies};
use crate::world::World;

/// What the team pays nothing for, in bytes.
const BUDGET: u64 = 500_000_000;

/// The line of its policy above which the oldest beyond the newest go.
const LINE: u64 = 350_000_000;

/// The first team alone, under its policy as it is delivered or after some changes to it.
fn team(changes: &[(&str, &str)]) -> Play {
    let mut policy = MGH_POLICY.to_owned();
    for (from, to) in changes {
        assert!(policy.contains(from), "{policy}");
        policy = policy.replace(from, to);
    }
    Play {
        settings: Settings::default(),
        knobs: Knobs { teams: vec![Team::Mgh], ..Knobs::default() },
        policies: vec![("mgh.toml".to_owned(), policy)],
        ..under_delivered_policies()
    }
}

/// What is stored: every distinct layer once for each repository, and every manifest.
fn stored(stage: &Stage) -> u64 {
    let tenancy = &stage.tenancy;
    let mut layers = BTreeMap::<(RepositoryId, Digest), u64>::new();
    let mut manifests = BTreeMap::new();
    let mut cursor = Cursor::default();
    loop {
        let lifecycle = Some(Lifecycle::Available);
        let query = ImageQuery { cursor, lifecycle, ..ImageQuery::in_compartment(tenancy.compartment()) };
        let page = tenancy.list_images(&query).unwrap();
        for id in page.items.into_iter().map(|row| row.id).collect::<BTreeSet<_>>() {
            let image = tenancy.get_image(&id).unwrap();
            let of_repository = |digest| (image.repository.clone(), digest);
            layers.extend(image.layers.iter().map(|layer| (of_repository(layer.digest), layer.size)));
            manifests.insert(id, image.manifest_size);
        }
        match page.next {
            Some(next) => cursor = Cursor { page: Some(next), ..Cursor::default() },
            None => return layers.values().chain(manifests.values()).sum(),
        }
    }
}

/// What a survey of the stage decides at this moment.
async fn decide(stage: &Stage) -> Decided {
    let clock = stage.tenancy.clock().view(TimeDelta::zero());
    let face = Face::new(stage.tenancy.clone(), clock.clone());
    let mut survey = Survey::new(stage.config().unwrap(), face);
    survey.consult_store().await.unwrap();
    survey.decide(Purpose::Observe, stage.tenancy.now(), &clock).await.unwrap()
}

#[tokio::test]
async fn ninety_days_of_the_first_team_stay_under_its_budget_and_come_back_to_its_line() {
    let mut world = World::open(team(&[]));
    world.start_in_process();
    let mut most = 0;
    for day in 0..90 {
        let n_events = live_well(&mut world, 1).await;
        assert!(n_events.contains_key(&EventKind::Push), "day {day} has pushes");
        most = most.max(stored(&world.stage));
    }
    assert!(most > LINE, "the line is reached, and so proves something: {most}");
    assert!(most < BUDGET, "{most} bytes were stored");
    assert!(world.n_deleted() > 500, "{} images went", world.n_deleted());
    world.stop().await;
    let decided = decide(&world.stage).await;
    let Usage::Known { now: _, after, shortfall } = &decided.checked.plan().usage else {
        panic!("{:?}", decided.checked.plan().usage);
    };
    assert_eq!(*shortfall, None, "nothing keeps the account above the line");
    assert!(after.0 <= LINE, "{after}");
}

#[tokio::test]
async fn where_what_must_stay_is_more_than_the_line_a_finding_says_what_holds_it() {
    let mut world = World::open(team(&[("475MB", "60MB"), ("350MB", "40MB")]));
    world.start_in_process();
    live_well(&mut world, 20).await;
    assert!(world.n_deleted() > 0);
    world.stop().await;
    world.live(TimeDelta::hours(1)).await;
    let decided = decide(&world.stage).await;
    let Usage::Known { now: _, after, shortfall: Some(shortfall) } = &decided.checked.plan().usage else {
        panic!("{:?}", decided.checked.plan().usage);
    };
    let held: BTreeSet<HeldBy> = shortfall.held.keys().copied().collect();
    assert!(held.is_superset(&[HeldBy::InUse, HeldBy::KeepRules].into()), "{shortfall}");
    assert!(shortfall.lines.iter().all(|line| line < after));
    assert_eq!(shortfall.held.values().copied().sum::<ocird_model::Bytes>(), *after);
}
