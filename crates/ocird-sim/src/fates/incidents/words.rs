//! What owners say in their policies, and what an image's own tags and times say, which others read otherwise.

use std::cmp::Reverse;

use chrono::{DateTime, TimeDelta};
use ocird_model::ImageId;

use super::{Wrongs, wrongs_and_lost};
use crate::fates::replay::Replay;
use crate::push::Build;
use crate::settings::parsed;
use crate::state::State;
use crate::tenancy::Tenancy;

pub(super) async fn one_of_several_tags_was_to_go() -> Wrongs {
    let rules = "[[delete]]\nname = \"builds\"\ntags = [\"c*\"]\nolder_than = \"24h\"\n";
    let mut replay = Replay::new(rules)?;
    let both = replay.push(&Build::small("both").single(), &["c1", "release"])?;
    let litter = replay.push_singles(&["c2", "c3"])?;
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[litter[0].digest], &[both.digest]))
}

/// A version that is old enough shares its digest with what everybody pulls.
pub(super) async fn an_old_version_was_also_the_latest() -> Wrongs {
    let rules = "[[keep]]\nname = \"channels\"\ntags = [\"latest\"]\n[[delete]]\nname = \"versions\"\ntags = [\"v*\"]\nolder_than = \"24h\"\n";
    let mut replay = Replay::new(rules)?;
    let both = replay.push(&Build::small("both").single(), &["latest", "v1"])?;
    let litter = replay.push_singles(&["v2", "v3"])?;
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[litter[0].digest], &[both.digest]))
}

pub(super) async fn a_kept_tag_was_deleted_all_the_same() -> Wrongs {
    let rules = "[[keep]]\nname = \"channels\"\ntags = [\"prod\"]\n[[delete]]\nname = \"old\"\ntagged = true\nolder_than = \"24h\"\n";
    let mut replay = Replay::new(rules)?;
    let kept = replay.push(&Build::small("kept").single(), &["c1", "prod"])?;
    let litter = replay.push_singles(&["c2", "c3"])?;
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[litter[0].digest], &[kept.digest]))
}

pub(super) async fn the_newest_were_not_kept() -> Wrongs {
    let rules = "[[delete]]\nname = \"old\"\ntagged = true\nolder_than = \"24h\"\n";
    let mut replay = Replay::new(rules)?;
    let pushed = replay.push_singles(&["c1", "c2", "c3"])?;
    replay.passes(20).await?;
    Ok(wrongs_and_lost(&replay, &[pushed[0].digest], &[pushed[2].digest]))
}

pub(super) async fn an_old_build_tagged_anew_counted_as_old() -> Wrongs {
    let rules = "[[delete]]\nname = \"old\"\ntagged = true\nolder_than = \"240h\"\n";
    let mut replay = Replay::new(rules)?;
    let old = replay.push(&Build::small("old").single(), &["c1"])?;
    let litter = replay.push_singles(&["c2", "c3"])?;
    replay.tenancy.clock().advance(TimeDelta::hours(200));
    replay.tenancy.retag(&replay.web, &old.digest, &parsed("release-again"), "ci")?;
    replay.push_singles(&["c4"])?;
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[litter[0].digest], &[old.digest]))
}

/// A build that bears no time, or the first second of all, is new and not old.
pub(super) async fn an_image_without_a_time_counted_as_ancient() -> Wrongs {
    let rules = "[[delete]]\nname = \"old\"\ntagged = true\nolder_than = \"24h\"\n";
    let mut replay = Replay::new(rules)?;
    let pushed = replay.push_singles(&["c1", "c2", "c3"])?;
    antedate(&replay.tenancy, &pushed[1].image);
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[pushed[0].digest], &[pushed[1].digest]))
}

/// The registry says of an image that everything about it happened in the first second of all.
fn antedate(tenancy: &Tenancy, id: &ImageId) {
    let (mut state, _) = tenancy.lock();
    let State { images, repositories, .. } = &mut *state;
    let image = images.get_mut(id).expect("it has just been pushed");
    let home = repositories.get_mut(&image.repository).expect("an image lives in a repository");
    home.order.remove(&(Reverse(image.created_at), id.clone()));
    home.order.insert((Reverse(DateTime::UNIX_EPOCH), id.clone()));
    image.created_at = DateTime::UNIX_EPOCH;
    image.tags.values_mut().for_each(|stamp| stamp.at = DateTime::UNIX_EPOCH);
}
