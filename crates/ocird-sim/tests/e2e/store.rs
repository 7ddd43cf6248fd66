//! No writable store, no deletion (S-28).
//!
//! What makes writing fail here: the state directory is moved away and a plain file stands in its place. Modes would not
//! do, as the tests may run as root, and a file system mounted read-only needs rights that CI does not give.

use ocird::status::RefusalCode;

use crate::world::ripe_shop;

#[tokio::test]
async fn a_state_directory_that_cannot_be_written_stops_deletion_until_it_can() {
    let mut world = ripe_shop().await;
    let (state, aside) = (world.stage.state_dir(), world.stage.directory().join("state.aside"));
    std::fs::rename(&state, &aside).unwrap();
    std::fs::write(&state, "no directory").unwrap();
    world.act().await;
    assert_eq!(world.n_deleted(), 0);
    world.assert_unwell(RefusalCode::NoStore, "store", "").await;
    assert_eq!(world.status().repositories.len(), 2, "it still looks");
    assert!(world.sample("ocird_store_up").await == 0);
    std::fs::remove_file(&state).unwrap();
    std::fs::rename(&aside, &state).unwrap();
    world.act().await;
    world.assert_shop_is_tidy();
    assert_eq!(world.health("store").await.0, "ok");
}

#[tokio::test]
async fn a_store_that_is_lost_unmarks_everything_and_only_observes_for_a_grace() {
    let mut world = ripe_shop().await;
    world.stop().await;
    std::fs::remove_dir_all(world.stage.state_dir()).unwrap();
    std::fs::create_dir(world.stage.state_dir()).unwrap();
    world.start();
    world.live(chrono::TimeDelta::hours(23)).await;
    assert_eq!(world.n_deleted(), 0);
    world.assert_refuses(RefusalCode::Observing).await;
    // One family and then the others: the store has to earn its trust anew, too.
    world.live(chrono::TimeDelta::hours(3)).await;
    world.assert_shop_is_tidy();
}
