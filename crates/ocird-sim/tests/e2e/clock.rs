//! Doubt about the clock freezes deletion (S-9).

use chrono::TimeDelta;
use ocird::status::RefusalCode;

use crate::world::ripe_shop;

#[tokio::test]
async fn a_clock_ten_minutes_off_freezes_deletion_until_it_has_been_right_for_a_while() {
    for minutes in [10, -10] {
        let mut world = ripe_shop().await;
        world.stage.clock.set_skew(TimeDelta::minutes(minutes));
        world.live(TimeDelta::hours(3)).await;
        assert_eq!(world.n_deleted(), 0, "{minutes}");
        world.assert_unwell(RefusalCode::ClockDoubt, "clock", "clock").await;
        world.stage.clock.set_skew(TimeDelta::zero());
        world.live(TimeDelta::minutes(40)).await;
        assert_eq!(world.n_deleted(), 0, "one clean pass is not enough: {minutes}");
        world.live(TimeDelta::hours(4)).await;
        world.assert_shop_is_tidy();
        assert_eq!(world.health("clock").await.0, "ok");
    }
}
