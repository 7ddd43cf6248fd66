//! The judge of deletions: what the owners' own words promise an image, worked out from the tenancy's books and from the
//! policies as they were drawn. It shares no code with the planner and reads nothing that the daemon wrote.
//!
//! It only says what is certain. Where the words leave room (an account that moves while it is asked, the order of what is
//! equally old, what counts as an image of its own), it reads them as the daemon may.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Digest, ImageId, RepositoryName, Tag};

use super::policies::{Delete, Drawn, Expire, Keep, Takes, matches};
use crate::image::{Image, Life};
use crate::repository::Repository;
use crate::state::{Hand, State};

/// What the daemon's clock may be off, without anybody's fault, while it is believed: 60 s at each end, and what a pass
/// takes.
pub(super) const SLACK: TimeDelta = TimeDelta::minutes(5);

/// So long the daemon may not know what came of a deletion that it asked for: some passes may find no answer.
const UNSETTLED: TimeDelta = TimeDelta::days(4);

/// The floor under every policy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Floor {
    pub(super) min_newest: usize,
    pub(super) min_age: TimeDelta,
}

/// One case before the judge: an image of one repository, at one moment.
pub(super) struct Case<'a> {
    state: &'a State,
    repository: &'a Repository,
    image: &'a Image,
    now: DateTime<Utc>,
    /// The most and the least that was stored while the daemon decided.
    usage: (u64, u64),
}

impl<'a> Case<'a> {
    /// The case of an image that is there.
    pub(super) fn of(state: &'a State, id: &ImageId, now: DateTime<Utc>, usage_before: u64) -> Option<Self> {
        let image = state.images.get(id).filter(|image| image.life == Life::Available)?;
        let repository = &state.repositories[&image.repository];
        let present = usage(state);
        Some(Self {
            state,
            repository,
            image,
            now,
            usage: (present.max(usage_before), present.min(usage_before)),
        })
    }

    /// The repository's name.
    pub(super) const fn repository(&self) -> &RepositoryName {
        &self.repository.name
    }

    /// True when the daemon deleted an index or subject of it, or of what is left over from such a one and names it, while it was
    /// of that family and no image of its own: it follows its head, whatever rules say of it alone, and whoever took what stood
    /// between the two. A list of attachments that lost its tag to another does so too, when that was after the deletion or so
    /// short before that it may not have been read yet. One that the daemon had `asked` to go counts as its own, whoever was faster.
    pub(super) fn follows_a_head(&self, unread: TimeDelta, asked: &BTreeMap<ImageId, DateTime<Utc>>) -> bool {
        let mut known = BTreeSet::new();
        let mut open =
            vec![(self.image.manifest.digest, self.own_since(self.image), DateTime::<Utc>::MAX_UTC)];
        while let Some((digest, since, until)) = open.pop() {
            for (holder, lost_at) in self.holders(&digest) {
                let until = lost_at.map_or(until, |lost_at| until.min(lost_at + unread));
                if !known.insert((holder, since, until)) {
                    continue;
                }
                let is_gone = self.state.available(self.repository, &holder).is_none();
                if is_gone && self.is_deleted_within(&holder, since, until, asked) {
                    return true;
                }
                let own_since = self.latest(&holder).map_or(since, |image| since.max(self.own_since(image)));
                open.push((holder, own_since, until));
            }
        }
        false
    }

    /// Whether an image of this digest went here then, by the daemon's deletion or after it had asked for it.
    fn is_deleted_within(
        &self,
        digest: &Digest,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
        asked: &BTreeMap<ImageId, DateTime<Utc>>,
    ) -> bool {
        self.state.deletions.iter().any(|gone| {
            (gone.hand == Hand::Daemon || asked.get(&gone.image).is_some_and(|at| gone.at - at < UNSETTLED))
                && gone.repository == self.repository.name
                && gone.digest == *digest
                && (since..=until).contains(&gone.at)
        })
    }

    /// Since when an image stands as it does: made, and with every name of its own.
    fn own_since(&self, image: &Image) -> DateTime<Utc> {
        let own =
            image.tags.iter().filter(|(tag, _)| !is_attached(self.state, self.repository, tag.as_str()));
        own.map(|(_, stamp)| stamp.at).fold(image.created_at, DateTime::max)
    }

    /// The latest image of a digest, there or not; `None` for one of which the service knows nothing any more.
    fn latest(&self, digest: &Digest) -> Option<&'a Image> {
        self.repository.digests.get(digest).and_then(|id| self.state.images.get(id))
    }

    /// What names a digest or is its subject, there or not, and when it ceased to be so by a tag that was taken away. Of one that
    /// the service has forgotten it is known what named it and what it spoke about, and no tags.
    fn holders(&self, digest: &Digest) -> Vec<(Digest, Option<DateTime<Utc>>)> {
        let parents = self.repository.parents.get(digest).into_iter().flatten();
        let spoke_about =
            self.repository.referrers.iter().filter(|(_, referrers)| referrers.contains(digest));
        let by_manifest =
            parents.chain(spoke_about.map(|(subject, _)| subject)).map(|holder| (*holder, None));
        let by_tag = self.latest(digest).into_iter().flat_map(|image| {
            let tags = image.tags.keys().map(|tag| (tag, None));
            let last_tag = image.last_tag.iter().filter(|_| image.tags.is_empty());
            let by_tag = tags.chain(last_tag.map(|tag| (tag, image.untagged_at)));
            by_tag.filter_map(|(tag, lost_at)| Some((subject_of(tag.as_str())?, lost_at)))
        });
        by_manifest.chain(by_tag).collect()
    }

    /// Why the image may not go now by the words of its policy and of the floor; `None` when it may.
    pub(super) fn promise(&self, policies: &[Drawn], floor: Floor) -> Option<String> {
        if newest_time(self.image) > self.now - floor.min_age + SLACK {
            return Some("it is younger than min_age".to_owned());
        }
        if self.is_among(floor.min_newest, &[], false) {
            return Some("it is among the newest that always stay".to_owned());
        }
        let mut governing = policies.iter().filter(|policy| self.is_governed_by(policy));
        let (policy, None) = (governing.next(), governing.next()) else {
            return Some("two policies claim its repository".to_owned());
        };
        let Some(policy) = policy else { return Some("no policy governs it".to_owned()) };
        if let Some(place) = policy.keep.iter().position(|rule| self.keeps(rule)) {
            return Some(format!("keep rule {place} holds it: {:?}", policy.keep[place]));
        }
        let taken = policy.delete.iter().any(|rule| self.takes(rule))
            || policy.lifecycle.iter().any(|rule| self.expires(*rule));
        (!taken).then(|| format!("no delete rule takes it: {:?} {:?}", policy.delete, policy.lifecycle))
    }

    /// The image, for people: what rules ask of it.
    pub(super) fn describe(&self) -> String {
        let Image { manifest, tags, created_at, last_pulled_at, .. } = self.image;
        let tags: Vec<&str> = tags.keys().map(Tag::as_str).collect();
        let pulled = last_pulled_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
        let (most, least) = self.usage;
        format!(
            "{}@{} {tags:?} of {created_at}, newest {}, pulled {pulled}, usage {least} to {most}",
            self.repository.name,
            manifest.digest.short(),
            newest_time(self.image)
        )
    }

    fn is_governed_by(&self, policy: &Drawn) -> bool {
        policy.repositories.iter().any(|name| name == self.repository.name.as_str())
    }

    fn is_tagged(&self) -> bool {
        !self.tags_of(self.image).is_empty()
    }

    /// The tags of an image and of everything that it names: a family goes together, and each of its tags counts.
    fn tags_of(&self, image: &'a Image) -> BTreeSet<&'a str> {
        let tags = self.family(image).into_iter().flat_map(|member| member.tags.keys());
        tags.map(Tag::as_str).filter(|tag| !is_attached(self.state, self.repository, tag)).collect()
    }

    /// An image with everything that it names and that is there.
    fn family(&self, image: &'a Image) -> Vec<&'a Image> {
        let mut members = vec![image];
        let mut next = 0;
        while let Some(image) = members.get(next).copied() {
            next += 1;
            let children = image.facts.children.iter();
            let children = children.filter_map(|(child, _)| self.state.available(self.repository, child));
            for child in children {
                if members.iter().all(|known| known.id != child.id) {
                    members.push(child);
                }
            }
        }
        members
    }

    /// Number of tagged images of other families that may be newer than this and count before it; with `tags` those that
    /// match one, and with `letters` those that share such a beginning.
    fn n_newer(&self, than: DateTime<Utc>, tags: &[&str], letters: Option<&str>) -> usize {
        let own = self.family(self.image);
        // What others carry may make them newer.
        let is_newer = |image: &'a Image| self.family(image).iter().any(|member| newest_time(member) > than);
        let counts = |image: &'a Image| {
            own.iter().all(|member| member.id != image.id)
                && is_newer(image)
                && self.tags_of(image).iter().any(|tag| {
                    (tags.is_empty() || tags.iter().any(|pattern| matches(pattern, tag)))
                        && letters.is_none_or(|letters| start(tag) == Some(letters))
                })
        };
        self.others().filter(|image| counts(image)).count()
    }

    fn others(&self) -> impl Iterator<Item = &'a Image> {
        let state = self.state;
        let ids = self.repository.digests.values();
        ids.map(move |id| &state.images[id]).filter(|image| image.life == Life::Available)
    }

    /// Whether a keep rule certainly holds it.
    fn keeps(&self, rule: &Keep) -> bool {
        let Keep { tags, newest, by_letters, newer_than_h, pulled_within_h, digests, unless_usage_above } =
            rule;
        let own: Vec<&str> = self.tags_of(self.image).into_iter().collect();
        let matching: Vec<&str> =
            own.iter().filter(|tag| tags.iter().any(|pattern| matches(pattern, tag))).copied().collect();
        let (most, _) = self.usage;
        // What holds while the account is under a line may have ceased to hold in between.
        (tags.is_empty() || !matching.is_empty())
            && newest.is_none_or(|n| self.is_among(n as usize, tags, *by_letters))
            && newer_than_h.is_none_or(|hours| newest_time(self.image) > self.ago(hours) + SLACK)
            && pulled_within_h.is_none_or(|hours| self.was_pulled_since(self.ago(hours) + SLACK))
            && (digests.is_empty() || digests.contains(&self.image.manifest.digest))
            && unless_usage_above.is_none_or(|line| most <= line)
    }

    /// Whether it, or what it carries, is certainly among the newest `n` by a tag of its own: a tag counts from when its own
    /// image had it, and not from when an index named that one.
    fn is_among(&self, n: usize, tags: &[&str], by_letters: bool) -> bool {
        self.family(self.image).into_iter().any(|member| {
            let time = newest_time(member);
            let own = member.tags.keys().map(Tag::as_str);
            let own = own.filter(|tag| !is_attached(self.state, self.repository, tag));
            let mut counted =
                own.filter(|tag| tags.is_empty() || tags.iter().any(|pattern| matches(pattern, tag)));
            if by_letters {
                counted.filter_map(start).any(|letters| self.n_newer(time, tags, Some(letters)) < n)
            } else {
                counted.next().is_some() && self.n_newer(time, tags, None) < n
            }
        })
    }

    /// Whether a delete rule may take it.
    fn takes(&self, rule: &Delete) -> bool {
        let tags = self.tags_of(self.image);
        let is_meant = match &rule.takes {
            Takes::Untagged => tags.is_empty(),
            Takes::Tagged => !tags.is_empty(),
            Takes::Tags(patterns) => {
                let may_go = |tag: &&str| patterns.iter().any(|pattern| matches(pattern, tag));
                !tags.is_empty() && tags.iter().all(may_go)
            }
        };
        let (most, _) = self.usage;
        is_meant
            && rule.older_than_h.is_none_or(|hours| newest_time(self.image) <= self.ago(hours) + SLACK)
            && rule
                .not_pulled_for_h
                .is_none_or(|hours| !self.was_itself_pulled_since(self.ago(hours) + SLACK))
            && rule.while_usage_above.is_none_or(|line| most > line)
    }

    /// Whether a rule of a lifecycle document may expire it.
    fn expires(&self, rule: Expire) -> bool {
        let is_old = |days: i64| self.image.created_at <= self.ago(24 * days) + SLACK;
        match rule {
            Expire::Untagged { days } => !self.is_tagged() && is_old(days),
            Expire::Any { days } => is_old(days),
            Expire::Beyond { prefix, n } => {
                let has = |image: &'a Image| self.tags_of(image).iter().any(|tag| tag.starts_with(prefix));
                let others = self.others().filter(|image| image.id != self.image.id && has(image)).count();
                has(self.image) && others >= n as usize
            }
        }
    }

    fn ago(&self, hours: i64) -> DateTime<Utc> {
        self.now - TimeDelta::hours(hours)
    }

    /// Whether it, or a child of it, was pulled after this.
    fn was_pulled_since(&self, time: DateTime<Utc>) -> bool {
        self.family(self.image).iter().any(|image| image.last_pulled_at.is_some_and(|at| at > time))
    }

    fn was_itself_pulled_since(&self, time: DateTime<Utc>) -> bool {
        self.image.last_pulled_at.is_some_and(|at| at > time)
    }
}

/// The newest of an image's times: when it was pushed, and when each of its tags was attached.
pub(super) fn newest_time(image: &Image) -> DateTime<Utc> {
    image.tags.values().map(|stamp| stamp.at).chain([image.created_at]).max().unwrap_or(image.created_at)
}

/// Bytes of everything available: each layer once per repository, and the manifests. Never less than what the daemon
/// counts, which leaves out what is about to follow a head.
pub(super) fn usage(state: &State) -> u64 {
    let mut layers = BTreeSet::new();
    let mut bytes = 0;
    for image in state.images.values().filter(|image| image.life == Life::Available) {
        bytes += image.manifest.bytes.len() as u64;
        for (digest, size) in &image.facts.blobs {
            if layers.insert((&image.repository, *digest)) {
                bytes += size;
            }
        }
    }
    bytes
}

/// True for a tag by which an image is attached to another that is there.
fn is_attached(state: &State, repository: &Repository, tag: &str) -> bool {
    subject_of(tag).is_some_and(|subject| state.available(repository, &subject).is_some())
}

/// The digest in a tag `sha256-<hex>`, with or without a suffix.
fn subject_of(tag: &str) -> Option<Digest> {
    let rest = tag.strip_prefix("sha256-")?;
    let hex = rest.split('.').next()?;
    format!("sha256:{hex}").parse().ok()
}

/// The letters that a tag begins with.
fn start(tag: &str) -> Option<&str> {
    let n = tag.bytes().take_while(u8::is_ascii_lowercase).count();
    (n > 0).then(|| &tag[..n])
}
