//! One repository laid out for judging: its graph and the plain facts about each image, before any rule is asked.

use chrono::{DateTime, Utc};
use ocird_model::{Content, Image, Repository, Rule};

use super::{Law, keep};
use crate::account;
use crate::graph::Graph;
use crate::tag::{Borne, Tags, subject_named_by};

/// A repository with what is known of each of its images, by place.
pub(super) struct Scene<'a> {
    pub(super) repository: &'a Repository,
    pub(super) tags: Tags<'a>,
    pub(super) graph: Graph,
    pub(super) facts: Vec<Facts>,
}

/// What is known of one image, and of everything it reaches.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact by itself, and none follows from another")]
pub(super) struct Facts {
    /// The tags it bears itself.
    pub(super) tagging: Tagging,
    /// The strongest tagging of everything it reaches, itself included, mere rests left out.
    pub(super) tagging_below: Tagging,
    /// ocird deleted its head, and the listing no longer shows that head; whatever tags it bears.
    pub(super) is_left_over: bool,
    /// It is so, and bears no plain tag.
    pub(super) has_lost_its_head: bool,
    /// It is so, and nothing that is not reaches it. It has no part in the account.
    pub(super) is_mere_rest: bool,
    /// It speaks about an image that is not in this repository, and is no mere rest.
    pub(super) is_abroad: bool,
    /// It does, or something it reaches.
    pub(super) is_abroad_below: bool,
    /// Its manifest cannot be judged.
    pub(super) is_opaque: bool,
    /// A person holds it, by its digest or a tag of its own.
    pub(super) is_held: bool,
    /// A person holds it so, or did until the hold ended.
    pub(super) was_held: bool,
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
        let tags = Tags::of_all(repository);
        let graph = Graph::of(repository, &tags);
        let images = repository.images.iter().enumerate();
        let facts = images.map(|(place, image)| own_facts(image, tags.of(place), law)).collect();
        let mut scene = Self { repository, tags, graph, facts };
        for speaker in scene.graph.abroad() {
            let facts = &mut scene.facts[speaker.place];
            facts.is_abroad = true;
            if speaker.by_tag {
                facts.tagging = facts.tagging.max(Tagging::Orphaned);
            }
        }
        let (mut held, mut ever_held) = (Vec::new(), Vec::new());
        keep::hold_by_hand(&scene, law.now, |place, _| held.push(place));
        keep::ever_held(&scene, |place| ever_held.push(place));
        for place in held {
            scene.facts[place].is_held = true;
        }
        for place in ever_held {
            scene.facts[place].was_held = true;
        }
        if !repository.rests.is_empty() {
            scene.find_rests();
        }
        scene.hand_facts_up();
        scene
    }

    fn find_rests(&mut self) {
        for (image, facts) in self.repository.images.iter().zip(&mut self.facts) {
            facts.is_left_over = account::is_left_over(self.repository, image);
            facts.has_lost_its_head = account::has_lost_its_head(self.repository, image);
        }
        self.find_mere_rests();
    }

    /// Mere rests have nothing to hand up: to whatever reaches them they have been judged.
    fn hand_facts_up(&mut self) {
        for facts in &mut self.facts {
            if facts.is_mere_rest {
                facts.is_abroad = false;
            } else {
                facts.is_abroad_below = facts.is_abroad;
                facts.newest_below = facts.time;
                facts.tagging_below = facts.tagging;
            }
        }
        self.graph.hand_up(&mut self.facts, |holder, carried| Facts {
            newest_below: holder.newest_below.max(carried.newest_below),
            tagging_below: holder.tagging_below.max(carried.tagging_below),
            is_abroad_below: holder.is_abroad_below || carried.is_abroad_below,
            ..holder
        });
    }

    /// True when the tag is more than the tie to a present subject.
    pub(super) fn is_free(&self, tag: &str) -> bool {
        subject_named_by(tag).is_none_or(|subject| self.repository.position(&subject).is_none())
    }

    /// What has lost its head is a mere rest, unless something that is none reaches it. A circle of references is no reason to
    /// count as an image again: whoever pushes could make one.
    fn find_mere_rests(&mut self) {
        let mut open = Vec::new();
        for place in 0..self.facts.len() {
            self.facts[place].is_mere_rest = self.facts[place].has_lost_its_head;
            if !self.facts[place].is_mere_rest {
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

/// What an image says of itself. Ties are taken as such to present subjects; of the others the graph knows.
fn own_facts(image: &Image, tags: &[Borne<'_>], law: &Law<'_>) -> Facts {
    let form = |borne: &Borne<'_>| if borne.is_tie { Tagging::Tied } else { Tagging::Plain };
    let times = || tags.iter().map(|borne| borne.at).chain([image.created_at]);
    Facts {
        tagging: tags.iter().map(form).max().unwrap_or_default(),
        is_opaque: matches!(image.content, Content::Opaque { reason: _ }),
        is_plausible: times().all(|time| law.is_plausible(time)),
        // The newest time of all: a new tag makes an old image young (S-8).
        time: if Rule::S8.in_force() { times().flatten().max() } else { image.created_at },
        ..Facts::default()
    }
}
