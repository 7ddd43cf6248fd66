//! What came of a restore, for people and for whoever acts on it: image by image, tag by tag.

use ocird_model::{Digest, ImageId, RepositoryName, Tag};
use serde::Serialize;

/// Everything that came of one restore.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// Every image that was wanted, in the order in which they were brought back.
    pub images: Vec<RestoredImage>,
    /// Holds that were placed for it.
    pub n_holds: usize,
    /// What an image that is back names and nobody could bring back: each with the index that names it.
    pub absent: Vec<(Digest, Digest)>,
}

/// What came of one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoredImage {
    /// Its repository.
    pub repository: RepositoryName,
    /// Its digest.
    pub digest: Digest,
    /// The OCID under which it was deleted.
    pub image: ImageId,
    /// What came of it.
    pub fate: Fate,
    /// The tags of the journal that it has now.
    pub tags: Vec<Tag>,
    /// Those that it does not.
    pub lost: Vec<LostTag>,
}

/// What came of the image itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Fate {
    /// It was brought back.
    Back,
    /// It was there already.
    There,
    /// It could not be brought back.
    NotBack {
        /// Why, and what to do.
        why: String,
    },
    /// The answer was lost; a later read will tell.
    Unknown {
        /// What is known.
        why: String,
    },
}

/// A tag that could not be put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LostTag {
    /// The tag.
    pub tag: Tag,
    /// Why, and what to do.
    pub why: String,
}

impl Restored {
    /// Number of images that are there now.
    pub fn n_there(&self) -> usize {
        self.images.iter().filter(|image| image.is_there()).count()
    }

    /// Number of tags that are there now.
    pub fn n_tags(&self) -> usize {
        self.images.iter().map(|image| image.tags.len()).sum()
    }

    /// Number of tags that could not be put back.
    pub fn n_lost(&self) -> usize {
        self.images.iter().map(|image| image.lost.len()).sum()
    }

    /// True when every image is there with every tag, and nothing that they name is absent.
    pub fn is_whole(&self) -> bool {
        self.n_there() == self.images.len() && self.n_lost() == 0 && self.absent.is_empty()
    }

    /// All of it in plain lines: one for each image, one for each tag that could not be put back, and the sum.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for image in &self.images {
            lines.extend(image.lines());
        }
        for (index, child) in &self.absent {
            lines.push(format!(
                "  index {} names {}, which is not there and which ocird cannot bring back: pulls of it will fail",
                index.short(),
                child.short()
            ));
        }
        lines.push(format!(
            "{} of {} images are there, with {} of {} tags; {} holds placed",
            self.n_there(),
            self.images.len(),
            self.n_tags(),
            self.n_tags() + self.n_lost(),
            self.n_holds
        ));
        lines
    }
}

impl RestoredImage {
    /// True when it is there now.
    pub const fn is_there(&self) -> bool {
        match self.fate {
            Fate::Back | Fate::There => true,
            Fate::NotBack { why: _ } | Fate::Unknown { why: _ } => false,
        }
    }

    /// What came of it in plain lines: one for the image, one for each tag that is not back.
    pub fn lines(&self) -> Vec<String> {
        let lost = self.lost.iter().map(|LostTag { tag, why }| format!("  tag {tag} is not back: {why}"));
        [self.line()].into_iter().chain(lost).collect()
    }

    fn line(&self) -> String {
        let tags: Vec<&str> = self.tags.iter().map(Tag::as_str).collect();
        let tagged = if tags.is_empty() { String::new() } else { format!(" as {}", tags.join(", ")) };
        let fate = match &self.fate {
            Fate::Back => format!("is back{tagged}"),
            Fate::There => format!("was there already{tagged}"),
            Fate::NotBack { why } => format!("is not back: {why}"),
            Fate::Unknown { why } => format!("nobody can tell yet: {why}"),
        };
        format!("{}@{} {fate}", self.repository, self.digest.short())
    }
}
