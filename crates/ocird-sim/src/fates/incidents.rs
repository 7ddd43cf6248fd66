//! Deletions that really happened elsewhere, each as a scenario that ocird must get through: it goes wrong with the rule
//! that answers it out of force, and well with it in force.
//!
//! A scenario tells what went wrong in it. Every one that deletes also has something that is to go, and says so when that
//! stays: a daemon that does nothing gets through nothing here.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use ocird_model::{Digest, Rule};
use serde_json::json;

use super::replay::Replay;
use crate::face::{Bystander, Call, Turn};
use crate::fault::{Fault, Operation, When};
use crate::manifest::{Child, Flavour, Manifest, Platform};
use crate::push::Build;
use crate::settings::parsed;
use crate::tenancy::Tenancy;

/// What went wrong in a scenario; nothing in a good one.
pub(super) type Wrongs = anyhow::Result<Vec<String>>;

/// A scenario, as it is played.
type Play = fn() -> Pin<Box<dyn Future<Output = Wrongs>>>;

/// An incident.
pub(super) struct Incident {
    /// What it is called here.
    pub(super) name: &'static str,
    /// Where it is told.
    pub(super) source: &'static str,
    /// The rules that answer it. Of several each does alone: it happens again only without all of them.
    pub(super) rules: &'static [Rule],
    play: Play,
}

impl fmt::Debug for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<String> = self.rules.iter().map(ToString::to_string).collect();
        write!(f, "{} ({})", self.name, rules.join(", "))
    }
}

impl Incident {
    /// Plays it, on a runtime of one thread.
    pub(super) fn play(&self) -> Wrongs {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        runtime.block_on((self.play)())
    }
}

macro_rules! incidents {
    ($($name:ident, $($rule:ident)+, $source:literal;)+) => {
        /// Every incident that ocird can meet.
        pub(super) const INCIDENTS: &[Incident] = &[
            $(Incident { name: stringify!($name), source: $source, rules: &[$(Rule::$rule),+], play: || Box::pin($name()) },)+
        ];

        mod survived {
            $(
                #[test]
                fn $name() {
                    super::survive(stringify!($name));
                }
            )+
        }
    };
}

incidents! {
    children_of_a_kept_index_counted_as_untagged, S6, "https://github.com/distribution/distribution/issues/3178";
    nested_indexes_counted_as_untagged, S6, "https://github.com/Azure/acr-cli/issues/131";
    a_signature_outlived_by_nothing_but_its_subject, S6, "https://github.com/sigstore/cosign/issues/507";
    a_referrer_of_a_kept_platform, S6, "https://github.com/dataaxiom/ghcr-cleanup-action/issues/104";
    a_manifest_of_no_known_kind, S7, "https://github.com/Azure/acr-cli/issues/342";
    one_of_several_tags_was_to_go, S18, "https://github.com/goharbor/harbor/issues/8717";
    a_kept_tag_was_deleted_all_the_same, S5, "https://github.com/andrey-pohilko/registry-cli/issues/92";
    the_newest_were_not_kept, S13, "https://github.com/SUSE/Portus/issues/2241";
    an_old_build_tagged_anew_counted_as_old, S8, "https://github.com/werf/werf/issues/669";
    what_runs_was_not_asked, S4 S17, "https://github.com/aws/containers-roadmap/issues/1078";
    an_errored_source_was_an_empty_one, S4, "https://github.com/argoproj/argo-cd/issues/18480";
    a_push_between_mark_and_sweep, S17, "https://github.com/distribution/distribution/issues/3045";
    a_flapping_selection_went_at_once, S16, "https://medium.com/netflix-techblog/janitor-monkey-keeping-the-cloud-tidy-and-clean-d517ad74d648";
    a_purge_of_everything_was_carried_out, S19, "https://cloudcustodian.io/docs/";
    removal_without_a_first_small_batch, S20, "https://www.atlassian.com/blog/atlassian-engineering/post-incident-review-april-2022-outage";
    a_lost_answer_was_taken_for_a_deletion_not_done, S22, "https://sre.google/sre-book/automation-at-google/";
    a_forgotten_store_deleted_at_once, S15 S16 S17, "https://github.com/kubernetes/kubernetes/issues/88097";
}

/// Everything untagged goes after a day.
const UNTAGGED: &str = "[[delete]]\nname = \"untagged\"\ntagged = false\nolder_than = \"24h\"\n";

/// Everything tagged goes, but the newest.
const BUT_THE_NEWEST: &str =
    "[[keep]]\nname = \"newest\"\nnewest = 1\n[[delete]]\nname = \"tagged\"\ntagged = true\n";

/// Plays the incident of this name, and asserts that nothing went wrong.
fn survive(name: &str) {
    let incident = INCIDENTS.iter().find(|incident| incident.name == name).expect("it is in the list");
    let wrongs = incident.play().expect("it can be played");
    assert!(wrongs.is_empty(), "{incident:?}, {}: {wrongs:#?}", incident.source);
}

/// What is wrong, and that something which was to go is there.
fn wrongs(replay: &Replay, to_go: &[Digest]) -> Vec<String> {
    let mut wrongs = replay.wrongs();
    for digest in to_go.iter().filter(|digest| replay.has(digest)) {
        wrongs.push(format!("{} was to go", digest.short()));
    }
    wrongs
}

/// The same, and that these are gone.
fn wrongs_and_lost(replay: &Replay, to_go: &[Digest], to_stay: &[Digest]) -> Vec<String> {
    let mut wrongs = wrongs(replay, to_go);
    let gone = replay.deleted();
    let lost = to_stay.iter().filter(|digest| gone.contains(digest));
    wrongs.extend(lost.map(|digest| format!("{} was to stay", digest.short())));
    wrongs
}

async fn children_of_a_kept_index_counted_as_untagged() -> Wrongs {
    let mut replay = Replay::new(UNTAGGED)?;
    replay.push(&Build::small("kept"), &["prod"])?;
    let untagged = replay.push(&Build::small("litter").single(), &[])?;
    replay.run("prod")?;
    replay.passes(16).await?;
    Ok(wrongs(&replay, &[untagged.digest]))
}

async fn nested_indexes_counted_as_untagged() -> Wrongs {
    let mut replay = Replay::new(UNTAGGED)?;
    let inner = replay.push(&Build::small("inner"), &[])?;
    let untagged = replay.push(&Build::small("litter").single(), &[])?;
    let manifest = {
        let (state, _) = replay.tenancy.lock();
        state.images[&inner.image].manifest.clone()
    };
    let child = Child { manifest, platform: Platform::Arm64, attests: None };
    let outer = Manifest::index(Flavour::Oci, &[child]);
    replay.tenancy.put_manifest(&replay.web, &outer, Some(&parsed("release")), "ci")?;
    replay.passes(16).await?;
    Ok(wrongs(&replay, &[untagged.digest]))
}

async fn a_signature_outlived_by_nothing_but_its_subject() -> Wrongs {
    let mut replay = Replay::new(UNTAGGED)?;
    let kept = replay.push(&Build::small("kept").single(), &["prod"])?;
    let signature = replay.tenancy.cosign(&replay.web, &kept.digest, "ci")?;
    let untagged = replay.push(&Build::small("litter").single(), &[])?;
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[untagged.digest], &[signature.digest]))
}

async fn a_referrer_of_a_kept_platform() -> Wrongs {
    let mut replay = Replay::new(UNTAGGED)?;
    let kept = replay.push(&Build::small("kept"), &["prod"])?;
    let materials = replay.tenancy.attach(&replay.web, &kept.children[0], "materials", "ci")?;
    let untagged = replay.push(&Build::small("litter").single(), &[])?;
    replay.run("prod")?;
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[untagged.digest], &[materials.digest]))
}

/// Whoever cannot read a manifest cannot know what it names.
async fn a_manifest_of_no_known_kind() -> Wrongs {
    let mut replay = Replay::new(UNTAGGED)?;
    let named = replay.push(&Build::small("named").single(), &[])?;
    let strange = json!({"schemaVersion": 3, "carries": [named.digest.to_string()]}).to_string();
    let strange = Manifest::raw("application/vnd.tomorrow.bundle+json", strange.into_bytes());
    replay.tenancy.put_manifest(&replay.web, &strange, Some(&parsed("prod")), "ci")?;
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[], &[named.digest]))
}

async fn one_of_several_tags_was_to_go() -> Wrongs {
    let rules = "[[delete]]\nname = \"builds\"\ntags = [\"c*\"]\nolder_than = \"24h\"\n";
    let mut replay = Replay::new(rules)?;
    let both = replay.push(&Build::small("both").single(), &["c1", "release"])?;
    let litter = replay.push_singles(&["c2", "c3"])?;
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[litter[0].digest], &[both.digest]))
}

async fn a_kept_tag_was_deleted_all_the_same() -> Wrongs {
    let rules = "[[keep]]\nname = \"channels\"\ntags = [\"prod\"]\n[[delete]]\nname = \"old\"\ntagged = true\nolder_than = \"24h\"\n";
    let mut replay = Replay::new(rules)?;
    let kept = replay.push(&Build::small("kept").single(), &["c1", "prod"])?;
    let litter = replay.push_singles(&["c2", "c3"])?;
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[litter[0].digest], &[kept.digest]))
}

async fn the_newest_were_not_kept() -> Wrongs {
    let rules = "[[delete]]\nname = \"old\"\ntagged = true\nolder_than = \"24h\"\n";
    let mut replay = Replay::new(rules)?;
    let pushed = replay.push_singles(&["c1", "c2", "c3"])?;
    replay.passes(20).await?;
    Ok(wrongs_and_lost(&replay, &[pushed[0].digest], &[pushed[2].digest]))
}

async fn an_old_build_tagged_anew_counted_as_old() -> Wrongs {
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

/// The registry does not know who uses an image, and a host that keeps what it has pulls nothing.
async fn what_runs_was_not_asked() -> Wrongs {
    let mut replay = Replay::new(BUT_THE_NEWEST)?;
    let pushed = replay.push_singles(&["c1", "c2", "c3"])?;
    replay.run("c1")?;
    // The host wrote once more after that, without it, and never again: what it says is too old when anything is due.
    replay.tenancy.clock().advance(TimeDelta::hours(1));
    replay.falsify(|text| text["references"] = others())?;
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[], &[pushed[0].digest]))
}

async fn an_errored_source_was_an_empty_one() -> Wrongs {
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

/// What runs on a host beside what matters here.
fn others() -> serde_json::Value {
    json!([{"image": "docker.io/library/nginx:1", "by": "container x"}])
}

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
async fn a_push_between_mark_and_sweep() -> Wrongs {
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

fn build_on(tenancy: &Tenancy, web: &ocird_model::RepositoryName, found: &Digest) {
    let id = tenancy.find(web, found).expect("it is there yet");
    let manifest = tenancy.lock().0.images[&id].manifest.clone();
    let child = Child { manifest, platform: Platform::Arm64, attests: None };
    let index = Manifest::index(Flavour::Oci, &[child]);
    tenancy.put_manifest(web, &index, Some(&parsed("prod")), "ci").expect("its child is there");
}

/// What a rule selects for the first time goes only after people have had a day to see it.
async fn a_flapping_selection_went_at_once() -> Wrongs {
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
async fn a_purge_of_everything_was_carried_out() -> Wrongs {
    let mut replay = Replay::new(BUT_THE_NEWEST)?;
    let tags: Vec<String> = (1..=14).map(|number| format!("c{number}")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let pushed = replay.push_singles(&tags)?;
    replay.passes(12).await?;
    Ok(wrongs_and_lost(&replay, &[], &[pushed[0].digest]))
}

/// The first batch of a store is one family.
async fn removal_without_a_first_small_batch() -> Wrongs {
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
async fn a_lost_answer_was_taken_for_a_deletion_not_done() -> Wrongs {
    let mut replay = Replay::new(BUT_THE_NEWEST)?;
    let first = replay.push(&Build::small("c1"), &["c1"])?;
    replay.push_singles(&["c2"])?;
    replay.tenancy.inject(Operation::DeleteContainerImage, When::Next(1), Fault::AnswerLost);
    replay.passes(16).await?;
    // Its children follow their head, which is known to be gone.
    Ok(wrongs(&replay, &first.children))
}

/// Whoever remembers nothing has seen nothing: what is new to a store is watched for a whole grace.
async fn a_forgotten_store_deleted_at_once() -> Wrongs {
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

#[cfg(ocird_switches)]
mod without {
    use super::*;

    #[test]
    fn every_incident_happens_again_without_its_rule() {
        let mut survived = Vec::new();
        for incident in INCIDENTS {
            let suspended: Vec<_> = incident.rules.iter().map(|rule| rule.suspend()).collect();
            if incident.play().unwrap().is_empty() {
                survived.push(format!("{incident:?}"));
            }
            drop(suspended);
        }
        assert!(survived.is_empty(), "nothing went wrong without the rule: {survived:#?}");
    }
}
