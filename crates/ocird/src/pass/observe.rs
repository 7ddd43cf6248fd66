//! Looks at one repository: list it to the end, read what is new, and say what it holds, or why nobody can say.
//!
//! What is known is not read again: details when the rows of the image changed, when it is about to go or when a day
//! has passed, a manifest once in its digest's life, because a read may count as a pull (S-17). What was read is handed back even when the
//! repository as a whole could not be, so that the next pass starts from there.

mod rows;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::{self, FuturesUnordered, StreamExt};
use ocird_model::{
    Bytes, Content, Digest, FetchedManifest, Image, ImageDetails, ImageId, Lifecycle, OpaqueReason,
    ReadRegistry, RegistryError, Repository, RepositoryRow, RepositoryState, Rule, Tag, Unreadable,
};
use ocird_store::{Fresh, Known};

use crate::pass::clock_watch::MAX_SKEW;

pub(crate) use self::rows::listed_digests;
use self::rows::{Listed, agrees, group};
use ocird_model::ErrorChain;

/// Details are read again after this long even if the list shows no change: a list of one row per image shows only
/// the newest tag, so a tag that moved away shows here at the latest. Before anything is deleted it is read anyway.
pub(crate) const REREAD_AFTER: TimeDelta = TimeDelta::hours(24);

/// The time of a pull that was counted without one. It is no time that a rule believes, so that such a pull may have been
/// just now (S-8).
pub(crate) const NOBODY_KNOWS_WHEN: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// The most tags of one image. Who has every build tag the same image comes to hundreds; one with more is an attack on
/// whoever walks over its tags, and is kept like whatever cannot be judged (S-34).
const MAX_TAGS: usize = 10_000;

/// Reads of one repository that are under way at once. A first look at 80 images with 50 ms an answer then takes
/// 160 × 50 ms / 8 = 1 s, and a service that throttles is met by the client's own back-off.
const READS_AT_ONCE: usize = 8;

/// The size of manifests, give or take one, that one look reads before they are remembered: a thousand usual ones. Whoever
/// pushes can fill a repository with manifests of 4 MiB, and a first look at a large one is hundreds of megabytes in any case
/// (S-34).
const MAX_FRESH: Bytes = Bytes(2 * 1024 * 1024);

/// Which images are read again although they are known.
#[derive(Debug)]
pub(crate) struct Rereads {
    /// These, because they are about to go.
    pub(crate) about_to_go: BTreeSet<Digest>,
    /// Those whose details are at least this old; no longer than the grace, so that no mark grows ripe on stale tags, and
    /// no longer than rules believe them, where a rule asks for what no list shows.
    pub(crate) after: TimeDelta,
}

/// What a look at one repository gave.
#[derive(Debug)]
pub(crate) struct Sight {
    /// The repository, whole or not at all.
    pub(crate) state: RepositoryState,
    /// What was read, to be remembered.
    pub(crate) fresh: Fresh,
    /// Number of images of before that the listing no longer shows, without those that ocird took itself (S-3). Means
    /// nothing where the repository was not read whole.
    pub(crate) n_missing: u64,
}

impl Sight {
    /// Whether a look that knows what this one has read would see more.
    pub(crate) const fn is_unfinished(&self) -> bool {
        matches!(self.state, RepositoryState::Unreadable { id: _, why: Unreadable::Unfinished })
    }
}

/// One image as it was read, now or before.
#[derive(Debug)]
struct Read {
    details: ImageDetails,
    at: DateTime<Utc>,
}

/// Looks at one repository.
pub(crate) async fn repository<R: ReadRegistry>(
    reader: &R,
    row: &RepositoryRow,
    mut known: Known,
    rereads: &Rereads,
    now: DateTime<Utc>,
) -> Sight {
    let mut fresh = Fresh::default();
    let look = Look { reader, row, rereads, now };
    match look.whole(&mut known, &mut fresh).await {
        Ok(repository) => {
            let n_missing = n_missing(&known, &repository);
            Sight { state: RepositoryState::Complete(repository), fresh, n_missing }
        }
        Err(why) => {
            Sight { state: RepositoryState::Unreadable { id: row.id.clone(), why }, fresh, n_missing: 0 }
        }
    }
}

/// Number of images of before that are gone without ocird's doing. One that came back under another OCID is not gone.
fn n_missing(known: &Known, repository: &Repository) -> u64 {
    let before = known.images.iter().filter(|(id, _)| !known.taken.contains(*id));
    before.filter(|(_, image)| repository.image(&image.details.digest).is_none()).count() as u64
}

/// These heads and all rests of families, with everything that belongs to them by what is known.
pub(crate) fn families(known: &Known, heads: Option<&BTreeSet<Digest>>) -> BTreeSet<Digest> {
    let mut family: BTreeSet<Digest> =
        heads.into_iter().flatten().chain(known.rests.keys()).copied().collect();
    if !family.is_empty() {
        let referrers = referrers(known);
        let mut unvisited: Vec<Digest> = family.iter().copied().collect();
        while let Some(digest) = unvisited.pop() {
            let children = known.contents.get(&digest).map_or(&[][..], Content::children);
            let referrers = referrers.get(&digest).map_or(&[][..], Vec::as_slice);
            unvisited.extend(children.iter().chain(referrers).filter(|member| family.insert(**member)));
        }
    }
    family
}

/// What speaks about each digest: by its manifest's subject, or by a tag `sha256-<hex>` with or without a suffix.
fn referrers(known: &Known) -> BTreeMap<Digest, Vec<Digest>> {
    let by_subject =
        known.contents.iter().filter_map(|(digest, content)| Some((content.subject()?, *digest)));
    let by_tag = known.images.values().flat_map(|image| {
        let subjects = image.details.tags.keys().filter_map(subject_by_tag);
        subjects.map(|subject| (subject, image.details.digest))
    });
    let mut referrers: BTreeMap<Digest, Vec<Digest>> = BTreeMap::new();
    for (subject, referrer) in by_subject.chain(by_tag) {
        referrers.entry(subject).or_default().push(referrer);
    }
    referrers
}

/// The digest that a tag of the form `sha256-<hex>` speaks about, with or without a suffix.
pub(crate) fn subject_by_tag(tag: &Tag) -> Option<Digest> {
    let hex = tag.as_str().strip_prefix("sha256-")?.get(..64)?;
    format!("sha256:{hex}").parse().ok()
}

/// One look at one repository.
struct Look<'a, R> {
    reader: &'a R,
    row: &'a RepositoryRow,
    rereads: &'a Rereads,
    now: DateTime<Utc>,
}

impl<R: ReadRegistry> Look<'_, R> {
    async fn whole(&self, known: &mut Known, fresh: &mut Fresh) -> Result<Repository, Unreadable> {
        if self.row.lifecycle == Lifecycle::Unknown && Rule::S7.in_force() {
            return Err(Unreadable::UnknownState);
        }
        let rows = match self.reader.images(&self.row.compartment, &self.row.id).await {
            Ok(rows) => rows,
            Err(_) if !Rule::S2.in_force() => Vec::new(),
            Err(error) => return Err(Unreadable::Listing { kind: self.note(&error) }),
        };
        let listed = group(&self.row.id, rows)?;
        let details = self.details(&listed, known, fresh).await?;
        let contents = self.contents(&details, known, fresh).await?;
        Ok(self.assemble(&listed, details, &contents, known))
    }

    /// The details of every listed image: known ones where they still hold, the others read now. An image whose
    /// details show it on its way out is left out like a row that says so.
    async fn details(
        &self,
        listed: &BTreeMap<ImageId, Listed>,
        known: &mut Known,
        fresh: &mut Fresh,
    ) -> Result<BTreeMap<ImageId, Read>, Unreadable> {
        let mut details = BTreeMap::new();
        let mut to_read = Vec::new();
        for (id, row) in listed {
            match known.images.get(id) {
                Some(image)
                    if image.row_tags == row.tags
                        && image.details.digest == row.digest
                        // A list may lag behind a deletion of ours: only a read tells that it is gone.
                        && !known.taken.contains(id)
                        && (TimeDelta::zero()..self.rereads.after).contains(&(self.now - image.read_at))
                        && !self.rereads.about_to_go.contains(&row.digest) =>
                {
                    details.insert(id.clone(), Read { details: image.details.clone(), at: image.read_at });
                }
                _ => to_read.push(id),
            }
        }
        let reads: Vec<_> = to_read.into_iter().map(|id| self.image(id)).collect();
        let mut failure = None;
        for (id, answer) in at_once(READS_AT_ONCE, reads).await {
            match answer {
                Ok(image) if agrees(&image, id, &listed[id], &self.row.id) => {
                    fresh.details.push((image.clone(), listed[id].tags.clone()));
                    details.insert(id.clone(), Read { details: image, at: self.now });
                }
                Ok(_) => failure = failure.or(Some(Unreadable::Disagreement { image: id.clone() })),
                Err(_) if !Rule::S2.in_force() => {}
                Err(error) => {
                    let kind = self.note(&error);
                    failure = failure.or(Some(Unreadable::Details { image: id.clone(), kind }));
                }
            }
        }
        if let Some(why) = failure {
            return Err(why);
        }
        if details.values().any(|read| read.details.lifecycle == Lifecycle::Unknown) && Rule::S7.in_force() {
            return Err(Unreadable::UnknownState);
        }
        details.retain(|_, read| read.details.lifecycle == Lifecycle::Available);
        Ok(details)
    }

    /// What every manifest refers to: known for ever by digest, or read now.
    async fn contents(
        &self,
        details: &BTreeMap<ImageId, Read>,
        known: &mut Known,
        fresh: &mut Fresh,
    ) -> Result<BTreeMap<Digest, Content>, Unreadable> {
        let mut contents = std::mem::take(&mut known.contents);
        let to_read: Vec<(Digest, Bytes)> = details
            .values()
            .map(|read| (read.details.digest, read.details.manifest_size))
            .filter(|(digest, _)| !contents.contains_key(digest))
            .collect();
        let mut unread = to_read.into_iter();
        let mut reads = FuturesUnordered::new();
        let mut fresh_size = Bytes::ZERO;
        let mut failure = None;
        loop {
            while reads.len() < READS_AT_ONCE
                && fresh_size < MAX_FRESH
                && let Some((digest, size)) = unread.next()
            {
                fresh_size += size;
                reads.push(self.manifest(digest));
            }
            let Some((digest, answer)) = reads.next().await else { break };
            match answer {
                Ok(manifest) => {
                    let content = ocird_oci::interpret(&manifest);
                    contents.insert(digest, content.clone());
                    fresh.manifests.push((digest, manifest, content));
                }
                Err(_) if !Rule::S2.in_force() => {
                    contents.insert(digest, Content::Manifest { subject: None, config: None });
                }
                Err(error) => {
                    let kind = self.note(&error);
                    failure = failure.or(Some(Unreadable::Manifest { digest, kind }));
                }
            }
        }
        let failure = failure.or((unread.len() > 0).then_some(Unreadable::Unfinished));
        failure.map_or(Ok(contents), Err)
    }

    async fn image<'i>(&self, id: &'i ImageId) -> (&'i ImageId, Result<ImageDetails, RegistryError>) {
        (id, self.reader.image(id).await)
    }

    async fn manifest(&self, digest: Digest) -> (Digest, Result<FetchedManifest, RegistryError>) {
        (digest, self.reader.manifest(&self.row.namespace, &self.row.name, &digest).await)
    }

    fn assemble(
        &self,
        listed: &BTreeMap<ImageId, Listed>,
        details: BTreeMap<ImageId, Read>,
        contents: &BTreeMap<Digest, Content>,
        known: &Known,
    ) -> Repository {
        let mut images: Vec<Image> = details
            .into_values()
            .map(|read| {
                let id = &read.details.id;
                let first_seen_at = known.images.get(id).map_or(self.now, |image| image.first_seen_at);
                let row_tags = &listed[id].tags;
                assemble_image(read, row_tags, contents, first_seen_at)
            })
            .collect();
        images.sort_by_key(|image| image.digest);
        let listed = |member| images.binary_search_by_key(member, |image| image.digest).ok();
        let rests = known.rests.iter().filter_map(|(member, rest)| Some((&images[listed(member)?], rest)));
        let rose_at = |image: &Image| known.images.get(&image.id).and_then(|known| known.pulls_rose_at);
        let rests = rests.filter(|(image, rest)| !is_wanted_since(image, rose_at(image), rest.since));
        let rests = rests.map(|(image, rest)| (image.digest, rest.head)).collect();
        Repository {
            id: self.row.id.clone(),
            name: self.row.name.clone(),
            compartment: self.row.compartment.clone(),
            namespace: self.row.namespace.clone(),
            is_public: self.row.is_public,
            rests,
            holds: Vec::new(),
            images,
        }
    }

    /// Logs a failed read where it is handled, and says what kind it was.
    fn note(&self, error: &RegistryError) -> ocird_model::ErrorKind {
        tracing::warn!(
            repository = %self.row.name,
            operation = error.operation(),
            kind = error.kind().as_str(),
            error = %ErrorChain(error),
            "the repository {} cannot be read whole", self.row.name
        );
        error.kind()
    }
}

/// Runs these futures, at most `n` at once. They are a list and not an iterator on purpose: a closure that makes
/// borrowing futures, held over an await, would keep the daemon from being spawned.
pub(crate) async fn at_once<F: Future>(n: usize, futures: Vec<F>) -> Vec<F::Output> {
    stream::iter(futures).buffer_unordered(n).collect().await
}

/// When an image was last pulled, if ever; [`NOBODY_KNOWS_WHEN`] for pulls without a time.
pub(crate) fn last_pulled_at(details: &ImageDetails) -> Option<DateTime<Utc>> {
    details.last_pulled_at.or((details.n_pulls > 0).then_some(NOBODY_KNOWS_WHEN))
}

/// Whether somebody has pulled or named an image since, and so wants it for its own sake, whatever it is left over from. The cloud's
/// clock and ours may be apart by as much as is tolerated. A pull without a time shows when a later read finds more of them, by
/// our own clock.
fn is_wanted_since(image: &Image, pulls_rose_at: Option<DateTime<Utc>>, since: DateTime<Utc>) -> bool {
    let mut names = image.tags.iter().filter(|(tag, _)| subject_by_tag(tag).is_none());
    let is_since = |at: DateTime<Utc>| at > since - MAX_SKEW;
    image.last_pulled_at.is_some_and(is_since)
        || pulls_rose_at.is_some_and(|at| at > since)
        || names.any(|(_, attached_at)| attached_at.is_none_or(is_since))
}

/// One image from its details and rows. The tags are the union of both (S-5): a tag that only a row shows has no
/// time, which keeps the image until the next read of its details tells.
fn assemble_image(
    Read { details, at: read_at }: Read,
    row_tags: &BTreeSet<Tag>,
    contents: &BTreeMap<Digest, Content>,
    first_seen_at: DateTime<Utc>,
) -> Image {
    let last_pulled_at = last_pulled_at(&details);
    let mut tags = details.tags;
    for tag in row_tags {
        tags.entry(tag.clone()).or_insert(None);
    }
    let content = contents.get(&details.digest).expect("a manifest was read for every image").clone();
    Image {
        content: if tags.len() > MAX_TAGS && Rule::S34.in_force() {
            Content::Opaque { reason: OpaqueReason::TooManyTags }
        } else {
            content
        },
        id: details.id,
        digest: details.digest,
        tags,
        created_at: details.created_at,
        first_seen_at: Some(first_seen_at),
        last_pulled_at,
        resource_tags: details.resource_tags,
        read_at: Some(read_at),
        layers: Some(details.layers),
        manifest_size: details.manifest_size,
    }
}

#[cfg(test)]
mod tests;
