//! What holds what inside one repository: indexes their children, subjects their referrers. Only shape; no verdicts, no
//! times, no policy.

use std::ops::Range;

use ocird_model::{Digest, Image, KeepReason, Repository, Rule};

use crate::tag::Tags;

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
    /// Every image with a reference that reaches no circle, each after everything it reaches.
    order: Vec<usize>,
    /// What is on a circle or reaches one.
    circular: Vec<usize>,
    belongs: Vec<Belongs>,
    /// What speaks about something that is not here.
    abroad: Vec<Abroad>,
}

/// An image whose subject is not in its repository. It may be in another, where a signer was told to put signatures apart from
/// images. <https://docs.sigstore.dev/cosign/signing/signing_with_containers/>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Abroad {
    pub(crate) place: usize,
    pub(crate) subject: Digest,
    /// A tag names the subject, and not the manifest alone.
    pub(crate) by_tag: bool,
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
    /// Two heads or more reach it, or something that no head reaches holds it. It goes with the last of its heads, if all go.
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
    pub(crate) fn of(repository: &Repository, tags: &Tags<'_>) -> Self {
        let n_images = repository.images.len();
        let References { edges: mut down, abroad } = References::of(repository, tags);
        // Without the closure of references every image would stand for itself (S-6).
        if !Rule::S6.in_force() {
            down.clear();
        }
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
            circular: Vec::new(),
            belongs: vec![Belongs::Head; n_images],
            abroad,
        };
        if !graph.down.is_empty() {
            graph.put_in_order();
            graph.find_families();
        }
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

    /// Every image with a reference that reaches no circle, each after everything it reaches.
    pub(crate) fn order(&self) -> &[usize] {
        &self.order
    }

    /// What is on a circle or reaches one.
    pub(crate) fn circular(&self) -> &[usize] {
        &self.circular
    }

    /// What speaks about something that is not in the repository.
    pub(crate) fn abroad(&self) -> &[Abroad] {
        &self.abroad
    }

    /// Hands what is known of each image up to all that reach it: `join` is called for every edge with the values of the
    /// holder and of what it carries, the latter complete. What reaches a circle gets what it can.
    pub(crate) fn hand_up<T: Copy>(&self, values: &mut [T], join: impl Fn(T, T) -> T) {
        for &image in &self.order {
            for edge in self.carried_by(image) {
                values[image] = join(values[image], values[edge.carried]);
            }
        }
    }

    /// Leaves first: an image is ready when everything it carries has come. What is on a circle or reaches one never is.
    fn put_in_order(&mut self) {
        let n_images = self.belongs.len();
        let mut n_open: Vec<usize> = (0..n_images).map(|image| self.carried_by(image).len()).collect();
        let is_leaf = |image: &usize| n_open[*image] == 0 && !self.holders_of(*image).is_empty();
        let mut order: Vec<usize> = (0..n_images).filter(is_leaf).collect();
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
        self.circular = (0..n_images).filter(|&image| n_open[image] > 0).collect();
        self.order = order;
    }

    /// Floods down from every head, and then from what no head reaches. An image changes hands twice at most: from nobody
    /// to one head, and from one head to none.
    fn find_families(&mut self) {
        let n_images = self.belongs.len();
        let is_head = |image: usize| self.holders_of(image).is_empty();
        let mut owner: Vec<Option<Belongs>> =
            (0..n_images).map(|image| is_head(image).then_some(Belongs::Head)).collect();
        let mut open = Vec::new();
        for head in (0..n_images).filter(|&image| is_head(image) && !self.carried_by(image).is_empty()) {
            open.push((head, Belongs::To(head)));
            self.flood(&mut open, &mut owner);
        }
        for image in 0..n_images {
            if owner[image].is_none() {
                owner[image] = Some(Belongs::ToNone);
                open.push((image, Belongs::ToNone));
                self.flood(&mut open, &mut owner);
            }
        }
        self.belongs = owner.into_iter().map(|owner| owner.unwrap_or(Belongs::ToNone)).collect();
    }

    fn flood(&self, open: &mut Vec<(usize, Belongs)>, owner: &mut [Option<Belongs>]) {
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

/// What the manifests and tags of a repository refer to.
struct References {
    edges: Vec<Edge>,
    abroad: Vec<Abroad>,
}

impl References {
    fn of(repository: &Repository, tags: &Tags<'_>) -> Self {
        let places = Places::of(repository);
        let mut references = Self { edges: Vec::new(), abroad: Vec::new() };
        for (place, image) in repository.images.iter().enumerate() {
            let children = image.content.children().iter().filter_map(|child| places.find(child));
            let names = |carried| Edge { holder: place, carried, kind: EdgeKind::Names };
            references.edges.extend(children.map(names));
            if let Some(subject) = image.content.subject() {
                references.speak(Abroad { place, subject, by_tag: false }, &places);
            }
        }
        for &(place, subject) in tags.ties() {
            references.speak(Abroad { place, subject, by_tag: true }, &places);
        }
        references
    }

    fn speak(&mut self, speaker: Abroad, places: &Places<'_>) {
        match places.find(&speaker.subject) {
            Some(holder) => {
                self.edges.push(Edge { holder, carried: speaker.place, kind: EdgeKind::IsSubject });
            }
            None => self.abroad.push(speaker),
        }
    }
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
