//! Hears what sources report: folds it to our repositories, holds what it names, and doubts what cannot be believed (S-4).
//! What is in doubt as a whole still holds what it names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Digest, InUse, Pattern, Patterns, Reference, RepositoryName, RepositoryState, Target, Use, UseKind,
};
use ocird_store::{Speaker, SpeakerKey, UseHistory};

use crate::config::Scope;
use crate::in_use::reference::{Folded, UnclearReference};
use crate::in_use::rollback::Answers;
use crate::in_use::source::{Answer, Mention, Report, Roster, Source};
use crate::in_use::{Gathered, Inquiry, memory};
use crate::plain::plain;
use crate::status::SourceStatus;

/// How far ahead of us a writer's clock may be before its time is not believed.
pub(crate) const TOLERATED_AHEAD: TimeDelta = TimeDelta::minutes(5);
/// The longest name of what uses an image, in characters: a source may say anything (S-34).
const MAX_BY: usize = 160;

/// What people know the user of ocird's own image by.
const OCIRD_ITSELF: &str = "ocird itself";

/// What has been heard so far.
pub(super) struct Hearing<'a> {
    inquiry: &'a Inquiry<'a>,
    in_use: InUse,
    sources: Vec<SourceStatus>,
    speakers: BTreeMap<SpeakerKey, Speaker>,
    /// Every digest that anything runs from, under a name that is not ours or as an id, and who runs it.
    digests: BTreeMap<Digest, BTreeSet<Arc<str>>>,
    /// What is held already.
    held: BTreeSet<(RepositoryName, Target, Arc<str>)>,
}

/// What was heard of one source.
#[derive(Default)]
struct Heard {
    hosts: BTreeSet<String>,
    images: BTreeSet<Reference>,
    earliest: Option<DateTime<Utc>>,
    shows_sentinel: bool,
    /// Something of it cannot be believed, for another reason than that it names little.
    is_doubted: bool,
    /// One of its hosts suddenly names little, so that the source as a whole does too.
    is_short: bool,
}

/// What one answer names.
#[derive(Default)]
struct Named {
    images: BTreeSet<Reference>,
    unclear: Option<UnclearReference>,
}

impl<'a> Hearing<'a> {
    pub(super) fn new(inquiry: &'a Inquiry<'a>) -> Self {
        Self {
            inquiry,
            in_use: InUse::nothing(),
            sources: Vec::new(),
            speakers: BTreeMap::new(),
            digests: BTreeMap::new(),
            held: BTreeSet::new(),
        }
    }

    /// Takes over what one source reports.
    pub(super) fn hear(&mut self, source: &dyn Source, reports: Vec<Report>) {
        let scope = source.scope();
        let mut heard = Heard::default();
        for report in reports {
            self.report(source, report, &mut heard);
        }
        self.call_the_roll(source, &heard);
        if let Some(sentinel) = scope.sentinel.as_deref().filter(|_| !heard.shows_sentinel) {
            self.doubt(source, &format!("the sentinel {sentinel} is not among what runs"));
        }
        self.remember_whole(source, &heard);
    }

    /// Holds the image that ocird itself runs from, whatever the sources say. A reference into this registry that nobody can
    /// understand may be any image of it, and puts them all in doubt.
    pub(super) fn hold_own_image(&mut self) {
        let Some(image) = self.inquiry.config.own_image.clone() else { return };
        let mention = Mention { image, digest: None, by: OCIRD_ITSELF.to_owned(), kind: UseKind::Running };
        let Some(unclear) = self.take(&[mention], None).unclear else { return };
        let why = unclear.to_string();
        self.in_use.doubt(Patterns::all(), format!("own_image: {why}"));
        let (name, doubt) = ("own_image".to_owned(), Some(why));
        self.sources.push(SourceStatus { name, host: None, written_at: None, n_references: 0, doubt });
    }

    /// Whether every source answered so that it is believed.
    pub(super) fn answers(&self) -> Answers {
        let is_doubted = self.sources.iter().any(|status| status.doubt.is_some());
        if is_doubted { Answers::Doubted } else { Answers::Believed }
    }

    /// Everything that was heard. Whatever runs under a foreign name is held by its digest, and a repository that no
    /// source covers is in doubt.
    pub(super) fn end(mut self) -> Gathered {
        self.hold_digests();
        self.doubt_uncovered();
        let history = UseHistory { speakers: self.speakers, ..UseHistory::default() };
        Gathered { in_use: self.in_use, sources: self.sources, history }
    }

    fn report(&mut self, source: &dyn Source, report: Report, heard: &mut Heard) {
        let scope = source.scope();
        let Report { name, host, answer } = report;
        let mut status =
            SourceStatus { name, host: host.clone(), written_at: None, n_references: 0, doubt: None };
        match answer {
            Err(why) => {
                heard.is_doubted = true;
                status.doubt = Some(why);
            }
            Ok(answer) => {
                let named = self.take(&answer.mentions, host.as_deref());
                status.written_at = Some(answer.looked_at);
                status.n_references = named.images.len() as u64;
                status.doubt = self.judge(source, host.as_deref(), &answer, &named);
                heard.is_doubted |= status.doubt.is_some();
                if status.doubt.is_none()
                    && let Some(host) = &host
                {
                    status.doubt = self.remember_host(source, host, &answer, &named);
                    heard.is_short |= status.doubt.is_some();
                }
                // How much a host names could not be compared with what it named before.
                if let Some(host) = host.as_ref().filter(|host| heard.hosts.contains(*host)) {
                    heard.is_doubted = true;
                    status.doubt =
                        Some(format!("another one speaks for host {host} too; each needs a name of its own"));
                }
                heard.shows_sentinel |= shows(&answer.mentions, scope.sentinel.as_deref());
                heard.hosts.extend(host);
                heard.images.extend(named.images);
                let looked_at = answer.looked_at;
                heard.earliest = Some(heard.earliest.map_or(looked_at, |known| known.min(looked_at)));
                self.in_use.answered(scope.repositories.clone(), looked_at);
                if status.doubt.is_none() {
                    self.in_use.expires(looked_at + scope.max_age);
                }
            }
        }
        if let Some(why) = &status.doubt {
            self.in_use.doubt(scope.repositories.clone(), format!("{}: {why}", status.name));
        }
        self.sources.push(status);
    }

    /// Holds what an answer names, and says what of it is in this registry.
    fn take(&mut self, mentions: &[Mention], host: Option<&str>) -> Named {
        let mut named = Named::default();
        for mention in mentions {
            let by: Arc<str> = match host {
                Some(host) => plain(&format!("{} on {host}", mention.by), MAX_BY).into(),
                None => plain(&mention.by, MAX_BY).into(),
            };
            let pinned = mention.image.split_once('@').and_then(|(_, digest)| digest.parse().ok());
            let known = mention.digest.as_deref().and_then(|digest| digest.parse().ok());
            let digests = [pinned, known, id(&mention.image)].into_iter().flatten();
            let used = |target| Use { kind: mention.kind, ..Use::running(target, Arc::clone(&by)) };
            match self.inquiry.folder.fold(&mention.image, mention.digest.as_deref()) {
                Ok(Folded::Elsewhere) => {
                    digests.for_each(|digest| self.note(digest, &by));
                    for Reference { repository, target } in self.cached(mention) {
                        self.hold(&mut named, repository, used(target));
                    }
                }
                Ok(Folded::Ours(Reference { repository, target })) => {
                    // What is pinned and what runs may differ; both are held.
                    for digest in digests {
                        if !self.has(&repository, &digest) {
                            self.note(digest, &by);
                        }
                        if Some(digest) != target.digest {
                            let target = Target { tag: None, digest: Some(digest) };
                            self.hold(&mut named, repository.clone(), used(target));
                        }
                    }
                    self.hold(&mut named, repository, used(target));
                }
                Err(error) => named.unclear = named.unclear.or(Some(error)),
            }
        }
        named
    }

    /// The images of this registry that a reference means whose host may be a cache of it: those of repositories that there are.
    fn cached(&self, mention: &Mention) -> Vec<Reference> {
        let Inquiry { folder, inventory, .. } = self.inquiry;
        let mut images = folder.cached(&mention.image, mention.digest.as_deref());
        images.retain(|image| inventory.repositories.contains_key(&image.repository));
        images
    }

    /// Notes what somebody runs from, to be looked for in every repository.
    fn note(&mut self, digest: Digest, by: &Arc<str>) {
        self.digests.entry(digest).or_default().insert(Arc::clone(by));
    }

    /// Whether an image of the repository has this digest.
    fn has(&self, repository: &RepositoryName, digest: &Digest) -> bool {
        let state = self.inquiry.inventory.repositories.get(repository);
        state.and_then(RepositoryState::complete).is_some_and(|repository| repository.image(digest).is_some())
    }

    /// Holds one image for one user, once however often it is named.
    fn hold(&mut self, named: &mut Named, repository: RepositoryName, used: Use) {
        let target = used.target.clone();
        if self.held.insert((repository.clone(), target.clone(), Arc::clone(&used.by))) {
            self.in_use.add(repository.clone(), used);
        }
        named.images.insert(Reference { repository, target });
    }

    /// Why an answer cannot be believed as a whole. What is remembered of its host then stays as it was.
    fn judge(
        &mut self,
        source: &dyn Source,
        host: Option<&str>,
        answer: &Answer,
        named: &Named,
    ) -> Option<String> {
        let key = SpeakerKey { source: source.name(), host: host.unwrap_or_default().to_owned() };
        let known = self.inquiry.history.speakers.get(&key).copied();
        let doubt = doubt_of(answer, named, source.scope().max_age, self.inquiry.now).or_else(|| {
            let is_backdated = memory::is_backdated(known.as_ref(), answer.looked_at);
            is_backdated.then(|| "it is from before the last one: somebody put an old one back".to_owned())
        });
        if doubt.is_some() && host.is_some() {
            self.speakers.extend(known.map(|known| (key, known)));
        }
        doubt
    }

    /// Remembers how much a host named, and doubts it when that is suddenly little (S-3).
    fn remember_host(
        &mut self,
        source: &dyn Source,
        host: &str,
        answer: &Answer,
        named: &Named,
    ) -> Option<String> {
        let key = SpeakerKey { source: source.name(), host: host.to_owned() };
        let known = self.inquiry.history.speakers.get(&key);
        let speaker = memory::heard(known, named.images.len() as u64, answer.looked_at);
        self.speakers.insert(key, speaker);
        memory::doubt(&speaker)
    }

    /// Misses the hosts that are expected, and those that spoke before: a file that vanished says nothing (S-2). It is in
    /// doubt until the host speaks again, or an operator says that it is gone.
    fn call_the_roll(&mut self, source: &dyn Source, heard: &Heard) {
        let Roster { expect, forget } = source.roster();
        for host in expect.iter().filter(|host| !heard.hosts.contains(*host)) {
            self.doubt(source, &format!("no file of host {host}, which is expected"));
        }
        let name = source.name();
        let remembered: Vec<(SpeakerKey, Speaker)> = self
            .inquiry
            .history
            .speakers
            .iter()
            .filter(|(key, _)| key.source == name && !key.host.is_empty() && !heard.hosts.contains(&key.host))
            .filter(|(key, _)| !forget.contains(&key.host))
            .filter(|(key, _)| expect.is_empty() || expect.contains(&key.host))
            .map(|(key, speaker)| (key.clone(), *speaker))
            .collect();
        for (key, speaker) in remembered {
            if expect.is_empty() {
                let (host, at) = (&key.host, speaker.looked_at.format("%F %H:%M UTC"));
                let why = format!(
                    "host {host} wrote at {at} and its file is gone; bring it back, or say forget = [\"{host}\"]"
                );
                self.doubt(source, &why);
            }
            self.speakers.insert(key, speaker);
        }
    }

    /// Remembers how much the source named as a whole, and doubts it when that is suddenly little (S-3).
    fn remember_whole(&mut self, source: &dyn Source, heard: &Heard) {
        let key = SpeakerKey { source: source.name(), host: String::new() };
        let known = self.inquiry.history.speakers.get(&key).copied();
        match heard.earliest.filter(|_| !heard.is_doubted) {
            Some(looked_at) => {
                let speaker = memory::heard(known.as_ref(), heard.images.len() as u64, looked_at);
                if let Some(why) = memory::doubt(&speaker).filter(|_| !heard.is_short) {
                    self.doubt(source, &why);
                }
                self.speakers.insert(key, speaker);
            }
            None => self.speakers.extend(known.map(|known| (key, known))),
        }
    }

    /// Puts what a source covers in doubt, beside what its reports say.
    fn doubt(&mut self, source: &dyn Source, why: &str) {
        let Scope { repositories, max_age: _, sentinel: _ } = source.scope();
        let name = source.name();
        self.in_use.doubt(repositories.clone(), format!("{name}: {why}"));
        match self.sources.iter_mut().find(|status| status.name == name) {
            Some(status) => status.doubt = status.doubt.take().or_else(|| Some(why.to_owned())),
            None => self.sources.push(SourceStatus {
                name,
                host: None,
                written_at: None,
                n_references: 0,
                doubt: Some(why.to_owned()),
            }),
        }
    }

    /// Holds every image whose digest runs somewhere under a name that is not ours: after a retag on the host, from a mirror
    /// or by a bare image id, the name says nothing of the repository it came from. Engines that keep images in their own way
    /// call the digest of the configuration the id of the image, and after the next pull of a tag it may be all that they
    /// know of what they run.
    fn hold_digests(&mut self) {
        for repository in self.inquiry.inventory.complete() {
            for image in &repository.images {
                let names = [Some(image.digest), image.content.config()];
                let users = names.iter().flatten().filter_map(|name| self.digests.get(name)).flatten();
                for by in users {
                    let target = Target { tag: None, digest: Some(image.digest) };
                    if self.held.insert((repository.name.clone(), target.clone(), Arc::clone(by))) {
                        self.in_use.add(repository.name.clone(), Use::running(target, Arc::clone(by)));
                    }
                }
            }
        }
    }

    /// A repository that no source speaks for is in doubt, unless the operator has said the plain words (S-4).
    fn doubt_uncovered(&mut self) {
        let config = self.inquiry.config;
        if config.accept_none {
            return;
        }
        for name in self.inquiry.inventory.repositories.keys() {
            if !config.scopes().any(|scope| scope.repositories.matches(name.as_str())) {
                let only: Pattern =
                    name.as_str().parse().expect("a repository's name is a pattern of itself");
                let only = Patterns::new(vec![only]).expect("one pattern is not none");
                let why = "no source covers it; name one in [[in_use.files]], or say accept_none = true";
                self.in_use.doubt(only, why);
            }
        }
    }
}

/// The id of an image that an engine gives in place of a name; Podman leaves the algorithm out.
fn id(image: &str) -> Option<Digest> {
    image.parse().ok().or_else(|| format!("sha256:{image}").parse().ok())
}

/// True when an answer names the sentinel: an image that always runs, by its reference up to the tag or digest.
fn shows(mentions: &[Mention], sentinel: Option<&str>) -> bool {
    let is = |image: &str, sentinel: &str| {
        image.strip_prefix(sentinel).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '@']))
    };
    sentinel.is_some_and(|sentinel| mentions.iter().any(|mention| is(&mention.image, sentinel)))
}

/// Why an answer cannot be believed for its own sake. A host where nothing at all runs is not believed either: its engine may be
/// down, or the collector may have lost its rights.
fn doubt_of(answer: &Answer, named: &Named, max_age: TimeDelta, now: DateTime<Utc>) -> Option<String> {
    let age = now - answer.looked_at;
    if !answer.is_complete {
        Some("its writer says that it is not complete".to_owned())
    } else if age > max_age {
        Some(format!("it is {} h old, and {} h are allowed", age.num_hours(), max_age.num_hours()))
    } else if -age > TOLERATED_AHEAD {
        Some("its time is in the future".to_owned())
    } else if answer.mentions.is_empty() {
        Some("it names nothing at all".to_owned())
    } else {
        named.unclear.as_ref().map(ToString::to_string)
    }
}
