//! What people and machines do in one fate: push, build upon what is there, move tags, deploy, restart, roll back, delete
//! and restore by hand. Any of it may come between any two calls of the daemon.
//!
//! Deliberately absent: what no daemon could notice. Between its last look at an image and the deletion lie a few
//! milliseconds in which nothing can be seen but by `if-match`; what happens there and leaves the etag alone is nobody's
//! fault, and [`Window`] says where that begins.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Digest, ImageId, RepositoryId, RepositoryName, Tag};

use super::kinds::Misfortune;
use super::scene::{ANCHOR, LITTER, Scene};
use crate::image::{Image, Life};
use crate::manifest::{Child, Flavour, Manifest, Platform};
use crate::push::{Attestations, Build};
use crate::registry::Reference;
use crate::settings::{EtagChanges, ListingShape, PullAccounting, parsed};
use crate::state::{Hand, State};

/// Things that happen within one pass at most.
const EVENTS_IN_A_PASS: u32 = 4;

/// The daemon's second listing of a repository serves it for so long.
const LOOK_SERVES: TimeDelta = TimeDelta::seconds(30);

/// What the daemon has looked at in the pass that runs.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// How often each repository was listed from its first page on.
    pub(super) n_listings: BTreeMap<RepositoryId, u32>,
    /// When a page of it was asked for last.
    pub(super) listed_at: BTreeMap<RepositoryId, DateTime<Utc>>,
    /// How often each image was read.
    pub(super) n_reads: BTreeMap<ImageId, u32>,
    /// A deletion is on its way.
    pub(super) is_deleting: bool,
    /// Number of things that have happened in it.
    n_events: u32,
}

/// A top-level image that is there.
#[derive(Debug, Clone)]
struct Present {
    id: ImageId,
    digest: Digest,
    tags: Vec<Tag>,
}

impl Scene {
    /// Something happens. Between two calls the fault table counts it.
    pub(super) fn event(&mut self) {
        let Some(repository) = self.dice.pick(&self.repositories).cloned() else { return };
        if let Some(window) = &mut self.window {
            window.n_events += 1;
            if window.n_events > EVENTS_IN_A_PASS {
                return;
            }
        }
        let (kind, text) = match self.dice.between(0, 99) {
            0..=29 => (Misfortune::PushBetween, self.push(&repository)),
            30..=45 => (Misfortune::BuiltUponBetween, self.build_upon(&repository)),
            46..=57 => (Misfortune::RetagBetween, self.retag(&repository)),
            58..=77 => (Misfortune::DeployBetween, self.deploy(&repository)),
            78..=87 => (Misfortune::DeployBetween, self.move_workload()),
            _ => (Misfortune::HandBetween, self.by_hand(&repository)),
        };
        if let Some(text) = text {
            if self.window.is_some() {
                self.table.count(kind);
            }
            let at = self.tenancy.now();
            self.log.note(at, format_args!("{repository}: {text}"));
        }
    }

    fn push(&mut self, repository: &RepositoryName) -> Option<String> {
        if self.all_present(repository).len() > self.enough {
            return None;
        }
        self.n_builds += 1;
        let revision = format!("{repository} {}", self.n_builds);
        let mut build = Build::small(&revision);
        match self.dice.between(0, 5) {
            0 | 1 => build = build.single(),
            2 => build = build.attested(Attestations::Children),
            3 => build = build.attested(Attestations::Subjects),
            4 => build = build.docker(),
            _ => {}
        }
        let mut tags = self.fresh_tags();
        tags.retain(|tag| self.is_loss_seen(repository, tag));
        let pushed = self.tenancy.push(repository, &build, &tags, "ci").ok()?;
        self.builds.push((repository.clone(), build));
        if !self.tenancy.settings().listing_lag.is_zero() {
            self.table.count(Misfortune::ListLag);
        }
        Some(format!("pushed {} as {tags:?}", pushed.digest.short()))
    }

    fn fresh_tags(&mut self) -> Vec<Tag> {
        let n = self.n_builds;
        let mut tags = BTreeSet::new();
        if self.dice.chance(6_000) {
            tags.insert(format!("c{n}"));
        }
        for (tag, of_ten_thousand) in [("latest", 2_500), ("prod", 1_000), ("staging", 1_000)] {
            if self.dice.chance(of_ten_thousand) {
                tags.insert(tag.to_owned());
            }
        }
        if self.dice.chance(1_500) {
            tags.insert(format!("v{n}"));
        }
        if self.dice.chance(2_000) {
            tags.insert(format!("pr-{}", self.dice.between(1, 6)));
        }
        tags.iter().map(|tag| parsed(tag)).collect()
    }

    /// A new index over what is there, a signature of it, something attached to it, or the same build once more.
    fn build_upon(&mut self, repository: &RepositoryName) -> Option<String> {
        if !self.may_build_upon(repository) || self.n_available(repository) > 5 * self.enough {
            return None;
        }
        let target = self.present(repository)?;
        match self.dice.between(0, 3) {
            0 => {
                let made = self.tenancy.cosign(repository, &target.digest, "ci").ok()?;
                Some(format!("{} was signed by {}", target.digest.short(), made.digest.short()))
            }
            1 => {
                let holds = format!("materials {}", self.n_builds);
                let made = self.tenancy.attach(repository, &target.digest, &holds, "ci").ok()?;
                Some(format!("{} was attached to {}", made.digest.short(), target.digest.short()))
            }
            2 => self.nest(repository, &target),
            _ => {
                let own: Vec<Build> = self
                    .builds
                    .iter()
                    .filter(|(of, _)| of == repository)
                    .map(|(_, build)| build.clone())
                    .collect();
                let build = self.dice.pick(&own)?.clone();
                self.n_builds += 1;
                let mut tags = self.fresh_tags();
                tags.retain(|tag| self.is_loss_seen(repository, tag));
                let pushed = self.tenancy.push(repository, &build, &tags, "ci").ok()?;
                Some(format!("pushed {} again as {tags:?}", pushed.digest.short()))
            }
        }
    }

    fn nest(&mut self, repository: &RepositoryName, first: &Present) -> Option<String> {
        let second = self.any_present(repository)?;
        let child = |platform: Platform, state: &State, id: &ImageId| Child {
            manifest: state.images[id].manifest.clone(),
            platform,
            attests: None,
        };
        let children = {
            let (state, _) = self.tenancy.lock();
            [child(Platform::Arm64, &state, &first.id), child(Platform::Amd64, &state, &second.id)]
        };
        self.n_builds += 1;
        let tag: Option<Tag> = self.dice.chance(7_000).then(|| parsed(&format!("c{}", self.n_builds)));
        let index = Manifest::index(Flavour::Oci, &children);
        self.tenancy.put_manifest(repository, &index, tag.as_ref(), "ci").ok()?;
        Some(format!("{} names {} and {}", index.digest.short(), first.digest.short(), second.digest.short()))
    }

    fn retag(&mut self, repository: &RepositoryName) -> Option<String> {
        let target = self.present(repository)?;
        if !self.is_seen_when_tagged(&target.id) {
            return None;
        }
        let tag: Tag = match self.dice.between(0, 4) {
            0 => parsed("latest"),
            1 => parsed("prod"),
            2 => parsed("staging"),
            3 => parsed(&format!("v{}", self.n_builds)),
            _ => parsed(&format!("pr-{}", self.dice.between(1, 6))),
        };
        // Whoever loses the tag may have been counted among the newest; between two calls that only shows in its own read.
        if self.window.is_some() && self.is_taken(repository, &tag) {
            return None;
        }
        self.tenancy.retag(repository, &target.digest, &tag, "ci").ok()?;
        Some(format!("{tag} is {} now", target.digest.short()))
    }

    fn deploy(&mut self, repository: &RepositoryName) -> Option<String> {
        let target = self.present(repository)?;
        let host = self.dice.one_of(super::hosts::HOSTS);
        if !self.is_seen_when_pulled(repository, &target, host.platform) {
            return None;
        }
        let reference = match self.dice.pick(&target.tags) {
            Some(tag) if self.dice.chance(6_000) => Reference::Tag(tag.clone()),
            _ => Reference::Digest(target.digest),
        };
        let workload = format!("w{}", self.dice.between(1, 4));
        if self.has_cached_beyond_rollback(host.name, &workload, &target.digest, &reference) {
            return None;
        }
        let done = self.tenancy.deploy(host.name, &workload, repository, reference.clone());
        Some(format!("{workload} on {} was deployed from {reference}: {}", host.name, done.is_ok()))
    }

    /// Whether a host would start it from its own cache, which no registry sees, although no rollback may want it.
    fn has_cached_beyond_rollback(
        &self,
        host: &str,
        workload: &str,
        digest: &Digest,
        reference: &Reference,
    ) -> bool {
        self.tenancy.workload(host, workload).is_ok_and(|workload| {
            let mut forgotten = workload.earlier.iter().rev().skip(1);
            // What a tag was when it was pulled, a host starts again by that tag, whatever it is now.
            forgotten.any(|earlier| earlier.pulled.digest == *digest)
                || workload.earlier.iter().any(|earlier| earlier.reference == *reference)
        })
    }

    fn move_workload(&mut self) -> Option<String> {
        let workloads: Vec<_> =
            self.tenancy.workloads().into_iter().filter(|workload| workload.name != ANCHOR).collect();
        let workload = self.dice.pick(&workloads)?;
        let (host, name) = (workload.host.as_str(), workload.name.as_str());
        match self.dice.between(0, 5) {
            0 | 1 => {
                let done = self.tenancy.rollback(host, name).is_ok();
                Some(format!("{name} on {host} was rolled back: {done}"))
            }
            2 => {
                self.tenancy.stop(host, name).ok()?;
                Some(format!("{name} on {host} was stopped"))
            }
            3 => {
                self.tenancy.undeploy(host, name).ok()?;
                Some(format!("{name} on {host} was taken away"))
            }
            _ => {
                let done = self.tenancy.restart(host, name).is_ok();
                Some(format!("{name} on {host} was restarted: {done}"))
            }
        }
    }

    fn by_hand(&mut self, repository: &RepositoryName) -> Option<String> {
        match self.dice.between(0, 4) {
            0 | 1 => self.delete_by_hand(repository),
            2 => self.untag_by_hand(repository),
            3 => {
                let target = self.present(repository)?;
                self.tenancy.sign_image(&target.id, "security").ok()?;
                Some(format!("{} was signed in the vault", target.digest.short()))
            }
            _ => self.restore_by_hand(repository),
        }
    }

    /// Somebody deletes what nobody needs.
    fn delete_by_hand(&mut self, repository: &RepositoryName) -> Option<String> {
        let target = self.any_present(repository)?;
        let is_needed = self.tenancy.needed().contains_key(&(repository.clone(), target.digest));
        if is_needed || !self.may_build_upon(repository) {
            return None;
        }
        self.tenancy.vanish(&target.id).ok()?;
        Some(format!("{} was deleted by hand", target.digest.short()))
    }

    fn untag_by_hand(&mut self, repository: &RepositoryName) -> Option<String> {
        let target = self.any_present(repository)?;
        let tag = self.dice.pick(&target.tags).cloned()?;
        let is_named = |workload: &crate::workload::WorkloadView| {
            workload.current.repository == *repository
                && workload.current.reference == Reference::Tag(tag.clone())
        };
        // Between two calls nobody could notice that an image is counted among the newest no more.
        if self.window.is_some() || self.tenancy.workloads().iter().any(is_named) {
            return None;
        }
        let (mut state, now) = self.tenancy.lock();
        state.untag(&target.id, &tag, now);
        drop(state);
        Some(format!("{tag} was taken from {}", target.digest.short()))
    }

    /// Somebody brings back what was deleted, with everything that it names.
    fn restore_by_hand(&mut self, repository: &RepositoryName) -> Option<String> {
        if !self.may_build_upon(repository) {
            return None;
        }
        let deleted: Vec<ImageId> = {
            let (state, _) = self.tenancy.lock();
            let mine =
                state.deletions.iter().rev().take(20).filter(|deletion| deletion.repository == *repository);
            mine.map(|deletion| deletion.image.clone()).collect()
        };
        let id = self.dice.pick(&deleted)?.clone();
        if self.n_reads(&id) > 0 {
            return None;
        }
        let (mut state, now) = self.tenancy.lock();
        let with = restorable(&state, &id)?;
        let tag: Option<Tag> = state
            .deletions
            .iter()
            .rev()
            .find(|deletion| deletion.image == id)
            .and_then(|deletion| deletion.tags.first().cloned())
            .filter(|tag| !state.repository(repository).is_ok_and(|home| home.tags.contains_key(tag)));
        for id in with.iter().rev() {
            state.revive(id, now);
        }
        if let Some(tag) = &tag {
            state.tag(&id, tag, "person", now);
        }
        let digest = state.images[&id].manifest.digest;
        Some(format!("{} was brought back by hand as {tag:?}, {} images", digest.short(), with.len()))
    }

    /// An image that is there, most often one that the daemon has just read: what it reads again may be about to go.
    fn present(&mut self, repository: &RepositoryName) -> Option<Present> {
        let all = self.all_present(repository);
        let read: Vec<&Present> = match &self.window {
            Some(window) => all.iter().filter(|present| window.n_reads.contains_key(&present.id)).collect(),
            None => Vec::new(),
        };
        if self.dice.chance(7_500)
            && let Some(present) = self.dice.pick(&read)
        {
            return Some((*present).clone());
        }
        self.dice.pick(&all).cloned()
    }

    fn n_available(&self, repository: &RepositoryName) -> usize {
        let (state, _) = self.tenancy.lock();
        let n = state.repository(repository).map_or(0, |home| home.n_available);
        usize::try_from(n).unwrap_or(usize::MAX)
    }

    fn any_present(&mut self, repository: &RepositoryName) -> Option<Present> {
        let all = self.all_present(repository);
        self.dice.pick(&all).cloned()
    }

    /// Every image that no index names and that speaks about no other, oldest last.
    fn all_present(&self, repository: &RepositoryName) -> Vec<Present> {
        let (state, _) = self.tenancy.lock();
        let Ok(home) = state.repository(repository) else { return Vec::new() };
        let images = home.order.iter().map(|(_, id)| &state.images[id]);
        let is_whole = |image: &Image| {
            let mut children = image.facts.children.iter();
            children.all(|(child, _)| state.available(home, child).is_some())
        };
        // An index of artifacts, whose tag has gone over to a newer one, names nothing that runs.
        let may_run = |image: &Image| {
            let mut platforms = image.facts.children.iter().map(|(_, platform)| *platform);
            image.facts.children.is_empty()
                || platforms.any(|platform| matches!(platform, Some(Platform::Arm64 | Platform::Amd64)))
        };
        images
            .filter(|image| image.life == Life::Available && image.facts.subject.is_none())
            // Nobody builds on an index of which half was brought back.
            .filter(|image| is_whole(image) && may_run(image))
            .filter(|image| {
                let parents = home.parents.get(&image.manifest.digest).into_iter().flatten();
                !parents.into_iter().any(|parent| state.available(home, parent).is_some())
                    && !image.tags.keys().any(|tag| tag.as_str().starts_with("sha256-"))
                    && !image.tags.keys().any(|tag| tag.as_str() == ANCHOR)
            })
            .map(|image| Present {
                id: image.id.clone(),
                digest: image.manifest.digest,
                tags: image.tags.keys().cloned().collect(),
            })
            .collect()
    }

    /// Whether the daemon would see in time what is built upon an image of the repository, or taken from it.
    fn may_build_upon(&self, repository: &RepositoryName) -> bool {
        let lag = self.tenancy.settings().listing_lag;
        let Some(window) = &self.window else {
            return lag.is_zero() || self.tenancy.now() + lag < self.next_pass_at;
        };
        let (state, now) = self.tenancy.lock();
        let Ok(home) = state.repository(repository) else { return false };
        let is_stale = window.listed_at.get(&home.id).is_none_or(|at| now - *at > LOOK_SERVES);
        let n_listings = window.n_listings.get(&home.id).copied().unwrap_or(0);
        lag.is_zero() && !window.is_deleting && (n_listings < 2 || is_stale)
    }

    fn n_reads(&self, image: &ImageId) -> u32 {
        self.window.as_ref().and_then(|window| window.n_reads.get(image)).copied().unwrap_or(0)
    }

    fn is_taken(&self, repository: &RepositoryName, tag: &Tag) -> bool {
        let (state, _) = self.tenancy.lock();
        state.repository(repository).is_ok_and(|home| home.tags.contains_key(tag))
    }

    /// Whether an image's tags, were they to change now, still show in a read that the daemon has before it, or in the etag.
    fn is_seen_when_tagged(&self, image: &ImageId) -> bool {
        self.n_reads(image) <= 1 || self.tenancy.settings().etag != EtagChanges::LifecycleOnly
    }

    /// Whether it shows in time that whoever bears the tag loses it now: in a listing that the daemon has before it, and that
    /// has a row for each tag.
    fn is_loss_seen(&self, repository: &RepositoryName, tag: &Tag) -> bool {
        let is_shown =
            || self.tenancy.settings().shape == ListingShape::PerTag && self.may_build_upon(repository);
        self.window.is_none() || !self.is_taken(repository, tag) || is_shown()
    }

    /// Whether a pull now still shows in a read that the daemon has before it, or in the etag.
    fn is_seen_when_pulled(&self, repository: &RepositoryName, target: &Present, platform: Platform) -> bool {
        let settings = self.tenancy.settings();
        let child = {
            let (state, _) = self.tenancy.lock();
            state.resolve_for(repository, &Reference::Digest(target.digest), platform).map(|(_, child)| child)
        };
        let Ok(child) = child else { return false };
        let touches_top = settings.pull_accounting != PullAccounting::Child || child == target.id;
        let touches_child = settings.pull_accounting != PullAccounting::Index;
        let by_etag = touches_top && settings.etag == EtagChanges::TagsAndPulls;
        by_etag
            || (touches_top && self.n_reads(&target.id) <= 1)
            || (touches_child && self.n_reads(&child) <= 1)
    }

    /// Pushes what a rule is certain to take: eight old builds that nobody runs.
    pub(super) fn litter(&mut self) {
        for number in 1..=8 {
            let build = Build::small(&format!("litter {number} {}", self.n_builds)).single();
            let tag: Tag = parsed(&format!("litter-{number}"));
            let pushed = self.tenancy.push(&parsed(LITTER), &build, &[tag], "ci");
            pushed.expect("the repository is there");
            self.tenancy.clock().advance(TimeDelta::minutes(1));
        }
    }
}

impl Scene {
    /// A deletion was accepted: it takes its time, and the service's own counts lag behind it.
    pub(super) fn count_lags(&mut self) {
        let settings = self.tenancy.settings();
        for (kind, lag) in [
            (Misfortune::SlowDeletion, settings.deletion_delay),
            (Misfortune::CountsLag, settings.storage_lag),
        ] {
            if !lag.is_zero() {
                self.table.count(kind);
            }
        }
    }
}

/// An image and everything that it names, as far as it is to be brought back; `None` when something of it cannot be.
fn restorable(state: &State, id: &ImageId) -> Option<Vec<ImageId>> {
    let mut all = Vec::new();
    let mut open = vec![id.clone()];
    while let Some(id) = open.pop() {
        let image = state.images.get(&id)?;
        let home = &state.repositories[&image.repository];
        if state.available(home, &image.manifest.digest).is_some() {
            continue;
        }
        let Life::Deleted { since: _ } = image.life else { return None };
        let children: Option<Vec<ImageId>> =
            image.facts.children.iter().map(|(child, _)| home.digests.get(child).cloned()).collect();
        open.extend(children?);
        all.push(id);
    }
    (!all.is_empty()).then_some(all)
}

impl Scene {
    /// Number of images that the daemon has deleted so far.
    pub(super) fn n_deleted(&self) -> usize {
        let (state, _) = self.tenancy.lock();
        state.deletions.iter().filter(|deletion| deletion.hand == Hand::Daemon).count()
    }
}
