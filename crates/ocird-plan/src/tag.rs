//! Tags by their form, and all tags of a repository side by side. Which tags matter to whom is not here.

use chrono::{DateTime, Utc};
use ocird_model::{Digest, Repository};

/// The subject that a tag names by its form: `sha256-<64 hex digits>`, alone or with a suffix of any kind such as `.sig`,
/// `.att` or `.sbom`. Upper-case digits are no digest, and make it a plain tag.
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema>
pub(crate) fn subject_named_by(tag: &str) -> Option<Digest> {
    const SHORTEST: usize = "sha256-".len() + 64;
    // Most tags are too short, and of those not even the first byte need be read.
    if tag.len() < SHORTEST {
        return None;
    }
    let hex = tag.strip_prefix("sha256-")?.get(..64)?;
    let suffix = &tag[SHORTEST..];
    if !(suffix.is_empty() || suffix.starts_with('.')) {
        return None;
    }
    format!("sha256:{hex}").parse().ok()
}

/// The tags of all images of a repository, side by side: every rule asks them, and a walk through the map of each image would
/// cost more than the question.
pub(crate) struct Tags<'a> {
    all: Vec<Borne<'a>>,
    /// Where the tags of each image begin; one more than there are images.
    from: Vec<usize>,
    /// The places of images with the subjects that their tags name, in order of place.
    ties: Vec<(usize, Digest)>,
}

/// A tag on an image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Borne<'a> {
    /// The tag.
    pub(crate) tag: &'a str,
    /// When it was attached.
    pub(crate) at: Option<DateTime<Utc>>,
    /// It names a subject by its form, and is no name that somebody gave.
    pub(crate) is_tie: bool,
}

impl<'a> Tags<'a> {
    pub(crate) fn of_all(repository: &'a Repository) -> Self {
        let mut tags = Self {
            all: Vec::with_capacity(repository.images.len()),
            from: Vec::with_capacity(repository.images.len() + 1),
            ties: Vec::new(),
        };
        tags.from.push(0);
        for (place, image) in repository.images.iter().enumerate() {
            for (tag, at) in &image.tags {
                let subject = subject_named_by(tag.as_str());
                tags.all.push(Borne { tag: tag.as_str(), at: *at, is_tie: subject.is_some() });
                tags.ties.extend(subject.map(|subject| (place, subject)));
            }
            tags.from.push(tags.all.len());
        }
        tags
    }

    /// The images whose tags name a subject, with that, in order of place.
    pub(crate) fn ties(&self) -> &[(usize, Digest)] {
        &self.ties
    }

    /// The tags of the image at this place, in order.
    pub(crate) fn of(&self, place: usize) -> &[Borne<'a>] {
        &self.all[self.from[place]..self.from[place + 1]]
    }
}
