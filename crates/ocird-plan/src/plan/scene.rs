//! One repository laid out for judging: its graph and the plain facts about each image, before any rule is asked.

use chrono::{DateTime, Utc};
use ocird_model::{Image, Repository, Tag};

use super::Law;
use crate::account::has_lost_its_head;
use crate::graph::Graph;
use crate::tag::subject_named_by;

/// A repository with what is known of each of its images, by place.
pub(super) struct Scene<'a> {
    pub(super) repository: &'a Repository,
    pub(super) graph: Graph,
    pub(super) facts: Vec<Facts>,
}

/// What is known of one image, and of everything it reaches.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    /// The tags it bears itself.
    pub(super) tagging: Tagging,
    /// The strongest tagging of everything it reaches, itself included, mere rests left out.
    pub(super) tagging_below: Tagging,
    /// The head of its family went before, and neither a plain tag nor a holder outside that family speaks for it.
    pub(super) is_mere_rest: bool,
    /// Every time of its own is one that an image can have.
    pub(super) is_plausible: bool,
    /// Its own newest time.
    pub(super) time: Option<DateTime<Utc>>,
    /// The newest time of everything it reaches, itself included, mere rests left out.
    pub(super) newest_below: Option<DateTime<Utc>>,
}

/// How far an image is tagged of its own account. The strongest of its tags counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Tagging {
    /// It bears no tag.
    #[default]
    None,
    /// Its tags only tie it to subjects that are present.
    Tied,
    /// A tag of it names a subject that is not here, and may be elsewhere.
    Orphaned,
    /// Somebody gave it a name.
    Plain,
}

impl Tagging {
    /// True when it bears a tag that must be asked for before it goes (S-18).
    pub(super) const fn is_free(self) -> bool {
        match self {
            Self::None | Self::Tied => false,
            Self::Orphaned | Self::Plain => true,
        }
    }
}

impl<'a> Scene<'a> {
    pub(super) fn of(repository: &'a Repository, law: &Law<'_>) -> Self {
        let mut scene = Self {
            repository,
            graph: Graph::of(repository),
            facts: Vec::with_capacity(repository.images.len()),
        };
        for image in &repository.images {
            let facts = scene.own_facts(image, law);
            scene.facts.push(facts);
        }
        scene.find_mere_rests();
        for facts in &mut scene.facts {
            if !facts.is_mere_rest {
                facts.newest_below = facts.time;
                facts.tagging_below = facts.tagging;
            }
        }
        scene.graph.hand_up(&mut scene.facts, |holder, carried| Facts {
            newest_below: holder.newest_below.max(carried.newest_below),
            tagging_below: holder.tagging_below.max(carried.tagging_below),
            ..holder
        });
        scene
    }

    fn own_facts(&self, image: &Image, law: &Law<'_>) -> Facts {
        let tagging = image.tags.keys().map(|tag| self.tagging(tag)).max();
        Facts {
            tagging: tagging.unwrap_or_default(),
            is_plausible: image.times().all(|time| law.is_plausible(time)),
            time: image.newest_time(),
            ..Facts::default()
        }
    }

    fn tagging(&self, tag: &Tag) -> Tagging {
        match subject_named_by(tag) {
            None => Tagging::Plain,
            Some(subject) if self.repository.position(&subject).is_none() => Tagging::Orphaned,
            Some(_) => Tagging::Tied,
        }
    }

    /// True when the tag is more than the tie to a present subject.
    pub(super) fn is_free(&self, tag: &Tag) -> bool {
        self.tagging(tag).is_free()
    }

    /// True when ocird deleted its head and the listing no longer shows that head.
    pub(super) fn has_lost_its_head(&self, place: usize) -> bool {
        has_lost_its_head(self.repository, &self.repository.images[place])
    }

    /// What has lost its head and bears no plain tag is a mere rest, unless something that is none reaches it. A circle of
    /// references is no reason to count as an image again: whoever pushes could make one.
    fn find_mere_rests(&mut self) {
        if self.repository.rests.is_empty() {
            return;
        }
        let mut open = Vec::new();
        for place in 0..self.facts.len() {
            let may_be = self.facts[place].tagging != Tagging::Plain && self.has_lost_its_head(place);
            self.facts[place].is_mere_rest = may_be;
            if !may_be {
                open.push(place);
            }
        }
        while let Some(place) = open.pop() {
            for edge in self.graph.carried_by(place) {
                if std::mem::take(&mut self.facts[edge.carried].is_mere_rest) {
                    open.push(edge.carried);
                }
            }
        }
    }
}
