//! What arms the daemon, and what it only observes (S-15).

use chrono::TimeDelta;
use ocird::status::{Arming, RefusalCode};
use ocird_model::CompartmentId;
use ocird_sim::stage::Play;
use ocird_sim::{NewRepository, Operation, Settings};

use crate::world::{N_DUE, SHOP_POLICY, World, name, play, shop_of};

fn n_delete_requests(world: &World) -> u64 {
    world.stage.server.requests().of(Operation::DeleteContainerImage)
}

#[tokio::test]
async fn report_mode_shows_what_would_go_and_never_asks_for_a_change() {
    let mut world = shop_of(Play { armed: false, ..play(SHOP_POLICY) });
    world.start();
    world.live(TimeDelta::days(3)).await;
    assert_eq!(n_delete_requests(&world), 0);
    let changing = [
        Operation::CreateContainerRepository,
        Operation::RemoveContainerVersion,
        Operation::RestoreContainerImage,
    ];
    assert!(changing.into_iter().all(|operation| world.stage.server.requests().of(operation) == 0));
    assert_eq!(world.status().pending.len(), N_DUE);
    assert_eq!(world.status().arming, Arming::Report);
    world.assert_refuses(RefusalCode::ReportMode).await;
}

#[tokio::test]
async fn armed_for_another_tenancy_or_region_is_not_armed() {
    let settings = Settings::default();
    for armed_for in [settings.tenancy.as_str(), &settings.region] {
        let mut world = shop_of(play(SHOP_POLICY));
        world.edit_config(&format!("\"{armed_for}\""), &format!("\"{armed_for}x\""));
        world.start();
        world.live(TimeDelta::days(2)).await;
        assert_eq!(n_delete_requests(&world), 0, "{armed_for}");
        assert_eq!(world.status().arming, Arming::Disarmed);
        world.assert_refuses(RefusalCode::Disarmed).await;
    }
}

#[tokio::test]
async fn a_repository_that_is_new_to_the_daemon_is_only_observed_for_a_whole_grace() {
    let settings = Settings::default();
    let elsewhere: CompartmentId = "ocid1.compartment.oc1..aaaaaaaaelsewhere".parse().unwrap();
    let compartments = [settings.compartments.clone(), vec![elsewhere.clone()]].concat();
    let mut world = shop_of(Play { settings: Settings { compartments, ..settings }, ..play(SHOP_POLICY) });
    let tenancy = world.stage.tenancy.clone();
    tenancy.create_repository(NewRepository::private(name("shop-old"), elsewhere)).unwrap();
    for number in 1..=8 {
        world.push("shop-old", &format!("v{number}"));
    }
    world.stage.collect().unwrap();
    world.start();
    world.live(TimeDelta::days(3)).await;
    assert_eq!(world.n_deleted(), N_DUE);
    tenancy.move_repository(&name("shop-old"), tenancy.compartment()).unwrap();
    world.live(TimeDelta::hours(23)).await;
    assert_eq!(world.n_deleted_from("shop-old"), 0);
    world.assert_refuses(RefusalCode::Observing).await;
    world.live(TimeDelta::hours(3)).await;
    assert_eq!(world.n_deleted_from("shop-old"), 4);
    world.assert_nobody_misses_anything();
}
