//! Somebody wants what is gone after all: a host starts it from its own cache, and then names it among what it runs. The
//! daemon must bring it back (S-26): in the first pass of which nothing disturbs it, while the cloud still has it.
//!
//! Nothing that the daemon has deleted was needed when it went; that is what the other judges see to. Without this nobody
//! would ever see a proof fail.

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Digest, ImageId, RepositoryName, Rule};

use super::hosts::{HOSTS, Writing};
use super::judge::SLACK;
use super::laws::{Broken, Seen, Written};
use super::scene::Scene;
use crate::iam::Iam;
use crate::image::Life;
use crate::state::Deletion;

/// The workload that is started so.
const WORKLOAD: &str = "from-cache";

/// The host that has a cache: the one that keeps what it has.
const HOST: &str = HOSTS[1].name;

/// How long after a deletion somebody may still want what is gone: the pass that is to bring it back comes within a day,
/// and the cloud has it for two.
const LATELY: TimeDelta = TimeDelta::hours(40);

/// What is wanted.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    repository: RepositoryName,
    digest: Digest,
    /// Until when the cloud can bring it back.
    until: DateTime<Utc>,
}

impl Scene {
    /// Somebody starts from a cache what the daemon deleted lately. False when there is nothing of the kind, or one is
    /// wanted already.
    pub(super) fn want_what_is_gone(&mut self) -> bool {
        if self.ledger.wanted.is_some() {
            return false;
        }
        let now = self.tenancy.now();
        let lately: Vec<Deletion> = self.ledger.remembered_since(now - LATELY).cloned().collect();
        let lately: Vec<Deletion> =
            lately.into_iter().filter(|deletion| self.is_gone(&deletion.image)).collect();
        let Some(deletion) = self.dice.pick(&lately).cloned() else { return false };
        let Deletion { at, image, digest, repository, .. } = deletion;
        if !self.tenancy.start_from_cache(HOST, WORKLOAD, &image) {
            return false;
        }
        self.log.note(now, format_args!("{WORKLOAD} runs {} of {repository}", digest.short()));
        let until = at + self.tenancy.settings().restore_window - SLACK;
        self.ledger.wanted = Some(Wanted { repository, digest, until });
        true
    }

    /// Whether the image has left for good: nothing of it is under way, and nobody has pushed it again.
    fn is_gone(&self, id: &ImageId) -> bool {
        let (state, _) = self.tenancy.lock();
        let Some(image) = state.images.get(id) else { return false };
        let home = &state.repositories[&image.repository];
        matches!(image.life, Life::Deleted { .. }) && state.available(home, &image.manifest.digest).is_none()
    }

    /// Whether it is there, with everything that it names; what other hands took of that, no daemon brings back.
    fn is_back(&self, wanted: &Wanted) -> bool {
        let (state, _) = self.tenancy.lock();
        let Ok(home) = state.repository(&wanted.repository) else { return false };
        let is_there = |digest: &Digest| {
            state.available(home, digest).is_some() || !state.was_taken_by_daemon(home, digest)
        };
        state
            .available(home, &wanted.digest)
            .is_some_and(|image| image.facts.children.iter().all(|(child, _)| is_there(child)))
    }

    /// What came of it in a pass that nothing disturbed.
    pub(super) fn judge_wanted(&mut self, seen: &Seen, is_undisturbed: bool) {
        let Some(wanted) = self.ledger.wanted.clone() else { return };
        let now = self.tenancy.now();
        if self.is_back(&wanted) {
            if !std::mem::replace(&mut self.ledger.is_wanted_back, true) {
                self.n_restored += 1;
                self.log.note(now, format_args!("{} is back", wanted.digest.short()));
            }
            return;
        }
        let has_looked = seen.complete.as_ref().is_some_and(|all| {
            seen.written == Written::Everything && all.contains(&wanted.repository.to_string())
        });
        if is_undisturbed && has_looked && now < wanted.until && self.may_come_back() {
            let text = format!(
                "{} of {} runs from a cache and was not brought back",
                wanted.digest.short(),
                wanted.repository
            );
            self.ledger.broken.push(Broken::new(Rule::S26, text));
        }
    }

    /// Whether nothing that lasts keeps the daemon from knowing of it, or from bringing it back.
    fn may_come_back(&self) -> bool {
        self.tenancy.workload(HOST, WORKLOAD).is_ok()
            && self.writing.iter().all(|writing| *writing == Writing::Well)
            && self.tenancy.iam() == Iam::everything()
            && self.clock.skew().is_zero()
    }

    /// People take it away again: some time after it is back, and when nobody can bring it back any more.
    pub(super) fn want_no_more(&mut self, certainly: bool) {
        let Some(wanted) = &self.ledger.wanted else { return };
        let is_over = self.tenancy.now() >= wanted.until;
        let is_back = self.is_back(wanted);
        if certainly || (is_back && self.dice.chance(2_000)) || (!is_back && is_over) {
            // Somebody may have done so before.
            drop(self.tenancy.undeploy(HOST, WORKLOAD));
            if !is_back && let Some(id) = self.tenancy.find(&wanted.repository, &wanted.digest) {
                // An index of which only a part could be brought back is of no use to anybody.
                self.tenancy.vanish(&id).expect("it has just been found");
            }
            self.ledger.wanted = None;
            self.ledger.is_wanted_back = false;
        }
    }
}
