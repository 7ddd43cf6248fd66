//! What runs: hosts that were not asked, not heard, or taken at half a word.

use chrono::TimeDelta;
use ocird_model::Digest;
use serde_json::json;

use super::{BUT_THE_NEWEST, UNTAGGED, Wrongs, wrongs_and_lost};
use crate::fates::replay::Replay;
use crate::push::Build;

/// What a host runs by digest needs no tag.
pub(super) async fn an_untagged_image_that_a_host_had_pinned() -> Wrongs {
    let mut replay = Replay::new(UNTAGGED)?;
    let pinned = replay.push(&Build::small("pinned").single(), &[])?;
    let litter = replay.push(&Build::small("litter").single(), &[])?;
    replay.run(&pinned.digest.to_string())?;
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[litter.digest], &[pinned.digest]))
}

/// The registry does not know who uses an image, and a host that keeps what it has pulls nothing.
pub(super) async fn what_runs_was_not_asked() -> Wrongs {
    let mut replay = Replay::new(BUT_THE_NEWEST)?;
    let pushed = replay.push_singles(&["c1", "c2", "c3"])?;
    replay.run("c1")?;
    // The host wrote once more after that, without it, and never again: what it says is too old when anything is due.
    replay.tenancy.clock().advance(TimeDelta::hours(1));
    replay.falsify(|text| text["references"] = others())?;
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[], &[pushed[0].digest]))
}

pub(super) async fn an_errored_source_was_an_empty_one() -> Wrongs {
    let mut replay = Replay::new(BUT_THE_NEWEST)?;
    let pushed = replay.push_singles(&["c1", "c2", "c3"])?;
    replay.run("c1")?;
    replay.falsify(|text| {
        text["complete"] = json!(false);
        text["references"] = json!([]);
        text["written_at"] = json!("2026-12-31T00:00:00Z");
    })?;
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[], &[pushed[0].digest]))
}

/// A host that runs eight builds names fewer of them for once.
async fn names_fewer_for_once(named: fn(&[serde_json::Value]) -> Vec<serde_json::Value>) -> Wrongs {
    let mut replay = Replay::new(BUT_THE_NEWEST)?;
    let tags: Vec<String> = (1..=12).map(|number| format!("c{number}")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let pushed = replay.push_singles(&tags)?;
    let running = &pushed[..8];
    for (tag, _) in tags.iter().zip(running) {
        replay.run_as(tag, tag)?;
    }
    // Known and watched for longer than a grace.
    replay.passes(8).await?;
    replay.falsify(|text| {
        let all = text["references"].as_array().cloned().unwrap_or_default();
        text["references"] = named(&all).into();
    })?;
    replay.passes(1).await?;
    replay.tell_the_truth();
    replay.passes(8).await?;
    let running: Vec<Digest> = running.iter().map(|pushed| pushed.digest).collect();
    Ok(wrongs_and_lost(&replay, &[pushed[8].digest], &running))
}

pub(super) async fn half_a_list_of_what_runs() -> Wrongs {
    names_fewer_for_once(|all| all[..2].to_vec()).await
}

pub(super) async fn a_source_that_named_nothing_for_once() -> Wrongs {
    names_fewer_for_once(|_| Vec::new()).await
}

/// What runs on a host beside what matters here.
fn others() -> serde_json::Value {
    json!([{"image": "docker.io/library/nginx:1", "by": "container x"}])
}
