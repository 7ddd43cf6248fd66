//! From facts, holds and rules to one verdict per image. This is where the order of reasons is kept.

use ocird_model::{Content, Decision, DeleteReason, KeepReason, Repository, Use, Verdict};

use super::Law;
use super::keep::{self, Hold};
use super::scene::Scene;
use super::select;
use crate::graph::Belongs;

/// The decisions about one repository, in the order of its images.
pub(super) fn decide(repository: &Repository, law: &Law<'_>) -> Vec<Decision> {
    let bench = Bench::of(repository, law);
    let images = repository.images.iter().enumerate();
    images
        .map(|(place, image)| {
            let (head, verdict) = match bench.scene.graph.belongs(place) {
                Belongs::Head => (place, bench.on_head(place)),
                Belongs::To(head) => (head, bench.on_member(place, head)),
                Belongs::ToNone => (place, bench.on_carried(place)),
            };
            Decision {
                image: image.id.clone(),
                digest: image.digest,
                head: repository.images[head].digest,
                verdict: bench.settle(verdict),
            }
        })
        .collect()
}

/// All that the verdicts on one repository are made from.
struct Bench<'a> {
    scene: Scene<'a>,
    law: &'a Law<'a>,
    uses: &'a [Use],
    /// The strongest hold on each image for its own sake.
    own_holds: Vec<Option<Hold>>,
    /// The strongest hold on each image or anything it reaches.
    holds: Vec<Option<Hold>>,
    /// The first delete rule that selects each image with everything it reaches.
    selected: Vec<Option<usize>>,
    /// The reason that takes the place of every deletion, where nothing may go.
    frozen: Option<KeepReason>,
}

impl<'a> Bench<'a> {
    fn of(repository: &'a Repository, law: &'a Law<'a>) -> Self {
        let scene = Scene::of(repository, law);
        let own_holds = keep::holds(&scene, law);
        let mut holds = own_holds.clone();
        scene.graph.hand_up(&mut holds, Hold::stronger);
        let is_opaque = |content: &Content| opaque(content).is_some();
        let frozen = if law.is_doubtful {
            Some(KeepReason::InUseUnknown)
        } else if repository.images.iter().any(|image| is_opaque(&image.content)) {
            Some(KeepReason::ReferencesUnknown)
        } else {
            None
        };
        Self {
            uses: law.in_use.uses(&repository.name),
            selected: select::selected(&scene, law),
            scene,
            law,
            own_holds,
            holds,
            frozen,
        }
    }

    /// A head speaks for its family, and everything it reaches speaks for it.
    fn on_head(&self, place: usize) -> Verdict {
        if let Some(reason) = opaque(&self.scene.repository.images[place].content) {
            return Verdict::Keep(reason);
        }
        if let Some(hold) = self.holds[place] {
            return Verdict::Keep(self.reason(hold));
        }
        let rule = self.selected[place].map(|number| select::rules(self.law)[number].name.clone());
        if self.scene.has_lost_its_head(place)
            && (rule.is_some() || !self.scene.facts[place].tagging_below.is_free())
        {
            return Verdict::Delete(DeleteReason::Rest);
        }
        match rule {
            Some(rule) => Verdict::Delete(DeleteReason::Rule { rule }),
            None => Verdict::Keep(KeepReason::NotSelected),
        }
    }

    /// A member goes with its head when a rule takes the head. With a rest it does not: it is a rest of its own next time.
    fn on_member(&self, place: usize, head: usize) -> Verdict {
        match self.on_head(head) {
            Verdict::Delete(DeleteReason::Rule { rule }) => Verdict::Delete(DeleteReason::WithHead { rule }),
            Verdict::Delete(DeleteReason::WithHead { rule: _ } | DeleteReason::Rest) | Verdict::Keep(_) => {
                self.on_carried(place)
            }
        }
    }

    /// What is carried stays: for its own sake, or else for that of a holder, if possible one that stays.
    fn on_carried(&self, place: usize) -> Verdict {
        let own = match self.own_holds[place] {
            Some(hold @ (Hold::InUse(_) | Hold::Rule(_))) => Some(self.reason(hold)),
            Some(Hold::TimeImplausible | Hold::Floor | Hold::TooYoung | Hold::Circle) | None => None,
        };
        let holders = self.scene.graph.holders_of(place);
        let staying = holders.iter().find(|edge| !self.goes(edge.holder));
        let held = || staying.or(holders.first()).map(|edge| edge.reason(self.scene.repository));
        let reason = opaque(&self.scene.repository.images[place].content).or(own).or_else(held);
        Verdict::Keep(reason.unwrap_or(KeepReason::ReferencesUnknown))
    }

    /// True when the image is to go for its own part, whatever freezes the repository.
    fn goes(&self, place: usize) -> bool {
        match self.scene.graph.belongs(place) {
            Belongs::Head => self.on_head(place).is_delete(),
            Belongs::To(head) => {
                matches!(self.on_head(head), Verdict::Delete(DeleteReason::Rule { rule: _ }))
            }
            Belongs::ToNone => false,
        }
    }

    fn reason(&self, hold: Hold) -> KeepReason {
        hold.reason(self.uses, keep::rules(self.law))
    }

    /// What holds for the whole repository comes before the lesser reasons and in place of every deletion.
    fn settle(&self, verdict: Verdict) -> Verdict {
        match (verdict, &self.law.blanket, &self.frozen) {
            (Verdict::Keep(reason), Some(blanket), _) if rank(blanket) < rank(&reason) => {
                Verdict::Keep(blanket.clone())
            }
            (Verdict::Delete(_), Some(reason), _) | (Verdict::Delete(_), None, Some(reason)) => {
                Verdict::Keep(reason.clone())
            }
            (verdict, _, _) => verdict,
        }
    }
}

fn opaque(content: &Content) -> Option<KeepReason> {
    match content {
        Content::Opaque { reason } => Some(KeepReason::Opaque { why: *reason }),
        Content::Manifest { subject: _ } | Content::Index { children: _, subject: _ } => None,
    }
}

/// The place of a reason in the order in which one is chosen: that of the variants.
const fn rank(reason: &KeepReason) -> u8 {
    match reason {
        KeepReason::Opaque { why: _ } => 0,
        KeepReason::InUse { by: _ } => 1,
        KeepReason::InUseUnknown => 2,
        KeepReason::NoPolicy => 3,
        KeepReason::Contested => 4,
        KeepReason::Public => 5,
        KeepReason::Rule { rule: _ } => 6,
        KeepReason::TimeImplausible => 7,
        KeepReason::Floor => 8,
        KeepReason::TooYoung => 9,
        KeepReason::ChildOf { parent: _ } => 10,
        KeepReason::ReferrerOf { subject: _ } => 11,
        KeepReason::ReferencesUnknown => 12,
        KeepReason::NotSelected => 13,
    }
}
