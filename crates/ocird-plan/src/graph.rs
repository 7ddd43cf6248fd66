//! What holds what inside one repository: indexes their children, subjects their referrers. Only shape; no verdicts, no
//! times, no policy.

use std::ops::Range;

use ocird_model::{Digest, Image, KeepReason, Repository};

use crate::tag::subject_named_by;

/// The references between the images of one repository, by their places in its list.
#[derive(Debug)]
pub(crate) struct Graph {
    /// Sorted by holder.
    down: Vec<Edge>,
    /// The range of `down` that belongs to each holder starts here; one more than there are images.
    down_from: Vec<usize>,
    /// Sorted by carried, then by kind, so that a naming index comes before a subject.
    up: Vec<Edge>,
    /// As `down_from`, for each carried image.
    up_from: Vec<usize>,
    /// Every image that reaches no circle, each after everything it reaches.
    order: Vec<usize>,
    belongs: Vec<Belongs>,
}

/// One reference between two present images. One that names itself is one too: such an image is nobody's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) holder: usize,
    pub(crate) carried: usize,
    kind: EdgeKind,
}

/// How the holder holds. The order is that of the keep reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum EdgeKind {
    /// The holder is an index that names the other.
    Names,
    /// The holder is the subject of the other.
    IsSubject,
}

/// The family an image belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Belongs {
    /// It is the head of one.
    Head,
    /// It is in the family of the head at this place, and in no other.
    To(usize),
    /// Two heads or more reach it, or something that no head reaches holds it.
    ToNone,
}

impl Edge {
    /// True when the holder is an index that names the other; otherwise it is the subject of the other.
    pub(crate) fn names(self) -> bool {
        self.kind == EdgeKind::Names
    }

    /// Why this edge keeps what it carries.
    pub(crate) fn reason(self, repository: &Repository) -> KeepReason {
        let holder = repository.images[self.holder].digest;
        match self.kind {
            EdgeKind::Names => KeepReason::ChildOf { parent: holder },
            EdgeKind::IsSubject => KeepReason::ReferrerOf { subject: holder },
        }
    }
}

impl Graph {
    pub(crate) fn of(repository: &Repository) -> Self {
        let n_images = repository.images.len();
        let mut down = edges(repository);
        down.sort_unstable();
        down.dedup();
        let mut up = down.clone();
        up.sort_unstable_by_key(|edge| (edge.carried, edge.kind, edge.holder));
        let mut graph = Self {
            down_from: starts(n_images, down.iter().map(|edge| edge.holder)),
            up_from: starts(n_images, up.iter().map(|edge| edge.carried)),
            down,
            up,
            order: Vec::new(),
            belongs: Vec::new(),
        };
        graph.order = graph.bottom_up();
        graph.belongs = graph.families();
        graph
    }

    /// The edges from this image to what it holds.
    pub(crate) fn carried_by(&self, image: usize) -> &[Edge] {
        &self.down[range(&self.down_from, image)]
    }

    /// The edges to this image from what holds it, naming indexes first.
    pub(crate) fn holders_of(&self, image: usize) -> &[Edge] {
        &self.up[range(&self.up_from, image)]
    }

    /// True when nothing present holds it.
    pub(crate) fn is_head(&self, image: usize) -> bool {
        self.belongs[image] == Belongs::Head
    }

    /// The family it belongs to.
    pub(crate) fn belongs(&self, image: usize) -> Belongs {
        self.belongs[image]
    }

    /// Every image that reaches no circle, each after everything it reaches.
    pub(crate) fn order(&self) -> &[usize] {
        &self.order
    }

    /// Hands what is known of each image up to all that reach it: `join` is called for every edge with the values of the
    /// holder and of what it carries, the latter complete. What reaches a circle gets what it can.
    pub(crate) fn hand_up<T: Copy>(&self, values: &mut [T], join: impl Fn(T, T) -> T) {
        if self.down.is_empty() {
            return;
        }
        for &image in &self.order {
            for edge in self.carried_by(image) {
                values[image] = join(values[image], values[edge.carried]);
            }
        }
    }

    /// Leaves first: an image is ready when everything it carries has come. What is on a circle or reaches one never is.
    fn bottom_up(&self) -> Vec<usize> {
        let n_images = self.down_from.len() - 1;
        let mut n_open: Vec<usize> = (0..n_images).map(|image| self.carried_by(image).len()).collect();
        let mut order: Vec<usize> = (0..n_images).filter(|&image| n_open[image] == 0).collect();
        let mut next = 0;
        while let Some(&image) = order.get(next) {
            next += 1;
            for edge in self.holders_of(image) {
                n_open[edge.holder] -= 1;
                if n_open[edge.holder] == 0 {
                    order.push(edge.holder);
                }
            }
        }
        order
    }

    /// Floods down from every head, and then from what no head reaches. An image changes hands twice at most: from nobody
    /// to one head, and from one head to none.
    fn families(&self) -> Vec<Belongs> {
        let n_images = self.down_from.len() - 1;
        let mut owner = vec![None; n_images];
        let heads = (0..n_images).filter(|&image| self.holders_of(image).is_empty());
        for head in heads {
            owner[head] = Some(Belongs::Head);
            self.flood(head, Belongs::To(head), &mut owner);
        }
        for image in 0..n_images {
            if owner[image].is_none() {
                owner[image] = Some(Belongs::ToNone);
                self.flood(image, Belongs::ToNone, &mut owner);
            }
        }
        owner.into_iter().map(|owner| owner.unwrap_or(Belongs::ToNone)).collect()
    }

    fn flood(&self, from: usize, mine: Belongs, owner: &mut [Option<Belongs>]) {
        let mut open = vec![(from, mine)];
        while let Some((image, mine)) = open.pop() {
            for edge in self.carried_by(image) {
                let next = match owner[edge.carried] {
                    None => mine,
                    Some(known) if known == mine || known == Belongs::ToNone => continue,
                    Some(_) => Belongs::ToNone,
                };
                owner[edge.carried] = Some(next);
                open.push((edge.carried, next));
            }
        }
    }
}

fn range(starts: &[usize], image: usize) -> Range<usize> {
    starts[image]..starts[image + 1]
}

/// For each image the place of its first edge in a list sorted by `keys`, and the length of the list at the end.
fn starts(n_images: usize, keys: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut starts = vec![0; n_images + 1];
    keys.for_each(|key| starts[key + 1] += 1);
    for image in 0..n_images {
        starts[image + 1] += starts[image];
    }
    starts
}

fn edges(repository: &Repository) -> Vec<Edge> {
    let places = Places::of(repository);
    let mut edges = Vec::new();
    for (place, image) in repository.images.iter().enumerate() {
        let children = image.content.children().iter().filter_map(|child| places.find(child));
        edges.extend(children.map(|carried| Edge { holder: place, carried, kind: EdgeKind::Names }));
        let by_tag = image.tags.keys().filter_map(subject_named_by);
        let subjects = image.content.subject().into_iter().chain(by_tag);
        let subjects = subjects.filter_map(|subject| places.find(&subject));
        edges.extend(subjects.map(|holder| Edge { holder, carried: place, kind: EdgeKind::IsSubject }));
    }
    edges
}

/// Where each digest is in a repository. The first bytes of all digests lie side by side, so that a search reads a few
/// lines of memory instead of an image at every step.
struct Places<'a> {
    images: &'a [Image],
    firsts: Vec<u64>,
}

impl<'a> Places<'a> {
    fn of(repository: &'a Repository) -> Self {
        let firsts = repository.images.iter().map(|image| first_bytes(&image.digest)).collect();
        Self { images: &repository.images, firsts }
    }

    fn find(&self, digest: &Digest) -> Option<usize> {
        let first = first_bytes(digest);
        let from = self.firsts.partition_point(|known| *known < first);
        let n_alike = self.firsts[from..].iter().take_while(|known| **known == first).count();
        let alike = &self.images[from..from + n_alike];
        alike.binary_search_by_key(digest, |image| image.digest).ok().map(|at| from + at)
    }
}

/// The first eight bytes as a number that sorts as they do.
fn first_bytes(digest: &Digest) -> u64 {
    digest.as_bytes().first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}
