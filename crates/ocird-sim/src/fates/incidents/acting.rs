//! The act: too early, too much, unasked, unwritten, or over what moved meanwhile.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;

use super::{BUT_THE_NEWEST, Wrongs, build_on, wrongs, wrongs_and_lost};
use crate::face::{Bystander, Call, Turn};
use crate::fates::replay::Replay;
use crate::fault::{Fault, Operation, When};
use crate::push::Build;
use crate::settings::parsed;

/// Does something once, before the n-th call of an operation on which it waits.
struct Before {
    operation: Operation,
    act: Mutex<(u32, Option<Act>)>,
}

type Act = Box<dyn FnOnce() + Send>;

impl fmt::Debug for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Before").field("operation", &self.operation).finish_non_exhaustive()
    }
}

impl Before {
    fn call(operation: Operation, number: u32, act: impl FnOnce() + Send + 'static) -> Arc<Self> {
        Arc::new(Self { operation, act: Mutex::new((number, Some(Box::new(act)))) })
    }
}

impl Bystander for Before {
    fn before(&self, call: Call<'_>) -> Turn {
        let mut waiting = self.act.lock().unwrap_or_else(PoisonError::into_inner);
        if call.operation == self.operation {
            waiting.0 = waiting.0.saturating_sub(1);
            if waiting.0 == 0
                && let Some(act) = waiting.1.take()
            {
                act();
            }
        }
        Turn::Goes
    }

    fn after(&self, _: Call<'_>) -> Turn {
        Turn::Goes
    }
}

/// A pusher finds an untagged manifest present and builds on it, after the daemon has decided and before it deletes.
pub(super) async fn a_push_between_mark_and_sweep() -> Wrongs {
    let mut replay = Replay::new("[[delete]]\nname = \"untagged\"\ntagged = false\nolder_than = \"1h\"\n")?;
    let other = replay.push(&Build::small("other").single(), &[])?;
    let found = replay.push(&Build::small("found").single(), &[])?;
    // Four passes mark both; the fifth takes the older one, and the sixth the other. It lists two repositories, and the
    // third list is the second look.
    replay.passes(5).await?;
    let (tenancy, web) = (replay.tenancy.clone(), replay.web.clone());
    let build_on = move || build_on(&tenancy, &web, &found.digest);
    replay.beside(Before::call(Operation::ListContainerImages, 3, build_on)).await;
    replay.passes(1).await?;
    Ok(wrongs_and_lost(&replay, &[other.digest], &[found.digest]))
}

/// What a rule selects for the first time goes only after people have had a day to see it.
pub(super) async fn a_flapping_selection_went_at_once() -> Wrongs {
    let rules = "[[keep]]\nname = \"channels\"\ntags = [\"prod\"]\n[[delete]]\nname = \"old\"\ntagged = true\nolder_than = \"24h\"\n";
    let mut replay = Replay::new(rules)?;
    let kept = replay.push(&Build::small("kept").single(), &["c1", "prod"])?;
    let others = replay.push_singles(&["c2", "c3"])?;
    // Known and watched for longer than a grace, and kept.
    replay.passes(16).await?;
    replay.tenancy.retag(&replay.web, &others[1].digest, &parsed("prod"), "ci")?;
    replay.passes(2).await?;
    Ok(wrongs_and_lost(&replay, &[others[0].digest], &[kept.digest]))
}

/// More than half of a repository's tags at once is a mistake until somebody says that it is none.
pub(super) async fn a_purge_of_everything_was_carried_out() -> Wrongs {
    let mut replay = Replay::new(BUT_THE_NEWEST)?;
    let tags: Vec<String> = (1..=14).map(|number| format!("c{number}")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let pushed = replay.push_singles(&tags)?;
    replay.passes(12).await?;
    Ok(wrongs_and_lost(&replay, &[], &[pushed[0].digest]))
}

/// The first batch of a store is one family.
pub(super) async fn removal_without_a_first_small_batch() -> Wrongs {
    let mut replay = Replay::new(BUT_THE_NEWEST)?;
    replay.push_singles(&["c1", "c2", "c3", "c4", "c5", "c6"])?;
    let mut n_before = 0;
    for _ in 0..16 {
        replay.passes(1).await?;
        let n_now = replay.deleted().len();
        if n_before == 0 && n_now > 1 {
            return Ok(vec![format!("{n_now} families went in the first batch")]);
        }
        n_before = n_now;
    }
    if n_before == 5 { Ok(Vec::new()) } else { Ok(vec![format!("{n_before} of 5 went")]) }
}

/// A run that is repeated after a lost answer reads what came of the first; it neither asks again nor forgets.
pub(super) async fn a_lost_answer_was_taken_for_a_deletion_not_done() -> Wrongs {
    let mut replay = Replay::new(BUT_THE_NEWEST)?;
    let first = replay.push(&Build::small("c1"), &["c1"])?;
    replay.push_singles(&["c2"])?;
    replay.tenancy.inject(Operation::DeleteContainerImage, When::Next(1), Fault::AnswerLost);
    replay.passes(16).await?;
    // Its children follow their head, which is known to be gone.
    Ok(wrongs(&replay, &first.children))
}

/// Whoever remembers nothing has seen nothing: what is new to a store is watched for a whole grace.
pub(super) async fn a_forgotten_store_deleted_at_once() -> Wrongs {
    let rules = "[[delete]]\nname = \"old\"\ntagged = true\nolder_than = \"24h\"\n";
    let mut replay = Replay::new(rules)?;
    let pushed = replay.push_singles(&["c1", "c2", "c3"])?;
    replay.tenancy.clock().advance(TimeDelta::days(10));
    let began = replay.now();
    while replay.deleted().is_empty() && replay.now() - began < TimeDelta::days(6) {
        replay.passes(1).await?;
    }
    let mut wrongs = wrongs(&replay, &[pushed[0].digest]);
    let waited = replay.now() - began;
    // The first pass is six hours after the beginning.
    if waited < TimeDelta::hours(30) {
        wrongs.push(format!("it deleted after {} h", waited.num_hours()));
    }
    Ok(wrongs)
}

/// Whoever says nothing wants nothing deleted.
pub(super) async fn deleting_was_the_default() -> Wrongs {
    let mut replay = Replay::new(BUT_THE_NEWEST)?;
    replay.edit_config("mode = \"enforce\"\n", "")?;
    let pushed = replay.push_singles(&["c1", "c2", "c3"])?;
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[], &[pushed[0].digest]))
}

/// The configuration names one tenancy, and the credentials are of another.
pub(super) async fn it_was_run_against_another_account() -> Wrongs {
    let mut replay = Replay::new(BUT_THE_NEWEST)?;
    let tenancy = replay.tenancy.settings().tenancy.to_string();
    replay.edit_config(&format!("tenancy = \"{tenancy}\""), &format!("tenancy = \"{tenancy}x\""))?;
    let pushed = replay.push_singles(&["c1", "c2", "c3"])?;
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[], &[pushed[0].digest]))
}

/// Whoever is to bring something back must be able to tell what went.
pub(super) async fn a_deletion_that_nobody_wrote_down() -> Wrongs {
    let mut replay = Replay::new(BUT_THE_NEWEST)?;
    let pushed = replay.push_singles(&["c1", "c2", "c3"])?;
    replay.passes(16).await?;
    let mut wrongs = wrongs(&replay, &[pushed[0].digest]);
    wrongs.extend(replay.unjournaled().await?);
    Ok(wrongs)
}

/// What is gone goes on running where it is cached, and is missed when it cannot be brought back any more.
pub(super) async fn caches_hid_what_was_gone() -> Wrongs {
    let mut replay = Replay::new(BUT_THE_NEWEST)?;
    let pushed = replay.push_singles(&["c1", "c2", "c3"])?;
    let began = replay.now();
    while replay.has(&pushed[0].digest) && replay.now() - began < TimeDelta::days(6) {
        replay.passes(1).await?;
    }
    let mut wrongs = wrongs(&replay, &[pushed[0].digest]);
    let cached = replay.named("c1", &pushed[0].digest);
    replay.falsify(|text| text["references"].as_array_mut().expect("a list").push(cached))?;
    replay.passes(1).await?;
    if !replay.has(&pushed[0].digest) {
        wrongs.push("what runs from a cache is still gone".to_owned());
    }
    Ok(wrongs)
}
