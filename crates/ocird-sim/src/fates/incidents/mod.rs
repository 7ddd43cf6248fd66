//! Deletions that really happened elsewhere, each as a scenario that ocird must get through: it goes wrong with the rule
//! that answers it out of force, and well with it in force.
//!
//! A scenario tells what went wrong in it. Every one that deletes also has something that is to go, and says so when that
//! stays: a daemon that does nothing gets through nothing here.

mod acting;
mod families;
mod running;
mod words;

use std::fmt;
use std::pin::Pin;

use ocird_model::{Digest, RepositoryName, Rule};

use super::replay::Replay;
use crate::manifest::{Child, Flavour, Manifest, Platform};
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
    ($($module:ident { $($name:ident, $($rule:ident)+, $source:literal;)+ })+) => {
        /// Every incident that ocird can meet.
        pub(super) const INCIDENTS: &[Incident] = &[
            $($(Incident {
                name: stringify!($name),
                source: $source,
                rules: &[$(Rule::$rule),+],
                play: || Box::pin($module::$name()),
            },)+)+
        ];

        mod survived {
            $($(
                #[test]
                fn $name() {
                    super::survive(stringify!($name));
                }
            )+)+
        }
    };
}

incidents! {
    families {
        children_of_a_kept_index_counted_as_untagged, S6, "https://github.com/distribution/distribution/issues/3178";
        children_counted_as_releases, S6, "https://github.com/actions/delete-package-versions/issues/90";
        a_staging_tag_on_a_child_of_a_release, S6, "https://github.com/nfrastack/db-backup/pull/575";
        nested_indexes_counted_as_untagged, S6, "https://github.com/Azure/acr-cli/issues/131";
        a_signature_outlived_by_nothing_but_its_subject, S6, "https://github.com/sigstore/cosign/issues/507";
        a_referrer_of_a_kept_platform, S6, "https://github.com/dataaxiom/ghcr-cleanup-action/issues/104";
        a_manifest_of_no_known_kind, S7, "https://github.com/Azure/acr-cli/issues/342";
    }
    words {
        one_of_several_tags_was_to_go, S18, "https://github.com/goharbor/harbor/issues/8717";
        an_old_version_was_also_the_latest, S5 S18, "https://github.com/tnoff/oke-security-scanner";
        a_kept_tag_was_deleted_all_the_same, S5, "https://github.com/andrey-pohilko/registry-cli/issues/92";
        the_newest_were_not_kept, S13, "https://github.com/SUSE/Portus/issues/2241";
        an_old_build_tagged_anew_counted_as_old, S8, "https://github.com/werf/werf/issues/669";
        an_image_without_a_time_counted_as_ancient, S7 S8, "https://github.com/hiero-ledger/hiero-mirror-node/issues/5870";
    }
    running {
        an_untagged_image_that_a_host_had_pinned, S4, "https://learn.microsoft.com/en-ca/azure/container-registry/container-registry-retention-policy";
        what_runs_was_not_asked, S4 S17, "https://github.com/aws/containers-roadmap/issues/1078";
        an_errored_source_was_an_empty_one, S4, "https://github.com/argoproj/argo-cd/issues/18480";
        half_a_list_of_what_runs, S3 S16, "https://github.com/mlevit/aws-auto-cleanup/pull/65";
        a_source_that_named_nothing_for_once, S3 S16, "https://github.com/argoproj/argo-cd/issues/14318";
    }
    acting {
        a_push_between_mark_and_sweep, S17, "https://github.com/distribution/distribution/issues/3045";
        a_flapping_selection_went_at_once, S16, "https://medium.com/netflix-techblog/janitor-monkey-keeping-the-cloud-tidy-and-clean-d517ad74d648";
        a_purge_of_everything_was_carried_out, S19, "https://cloudcustodian.io/docs/";
        removal_without_a_first_small_batch, S20, "https://www.atlassian.com/blog/atlassian-engineering/post-incident-review-april-2022-outage";
        a_lost_answer_was_taken_for_a_deletion_not_done, S22, "https://sre.google/sre-book/automation-at-google/";
        a_forgotten_store_deleted_at_once, S15 S16 S17, "https://github.com/kubernetes/kubernetes/issues/88097";
        deleting_was_the_default, S15, "https://github.com/kubernetes-sigs/external-dns/issues/2101";
        it_was_run_against_another_account, S10 S15, "https://aws-nuke.ekristen.dev/warning";
        a_deletion_that_nobody_wrote_down, S21, "https://sre.google/sre-book/data-integrity/";
        caches_hid_what_was_gone, S26, "https://github.com/hivecommons/hive/pull/1970";
    }
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

/// Pushes an index over an image that is there.
fn build_on(tenancy: &Tenancy, web: &RepositoryName, found: &Digest) {
    let id = tenancy.find(web, found).expect("it is there yet");
    let manifest = tenancy.lock().0.images[&id].manifest.clone();
    let child = Child { manifest, platform: Platform::Arm64, attests: None };
    let index = Manifest::index(Flavour::Oci, &[child]);
    tenancy.put_manifest(web, &index, Some(&parsed("prod")), "ci").expect("its child is there");
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
