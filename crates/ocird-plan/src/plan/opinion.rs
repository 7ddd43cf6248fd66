//! From facts, holds and rules to one verdict per image. This is where the order of reasons is kept.

mod tally;
mod testify;

use chrono::{DateTime, Utc};
use ocird_model::{
    Bytes, Content, Decision, DeleteReason, EffectivePolicy, KeepReason, Repository, RuleName, Use, Verdict,
};

use super::Law;
use super::keep::{self, Hold, Holds, Loan};
use super::lines::Standing;
use super::scene::Scene;
use super::select::{self, Selection};
use crate::graph::{Belongs, Graph};

/// All that the verdicts on one repository are made from.
pub(super) struct Bench<'a> {
    scene: Scene<'a>,
    law: Law<'a>,
    uses: &'a [Use],
    /// The strongest hold on each image for its own sake.
    own_holds: Vec<Option<Hold>>,
    /// The holds on each image or anything it reaches.
    holds: Holds,
    /// The delete rule that selects each image with everything it reaches.
    selected: Vec<Option<Selection>>,
    /// The reason that takes the place of every deletion, where nothing may go.
    frozen: Option<KeepReason>,
    /// What the account says of each head; empty where no rule has a line.
    standings: Vec<Standing>,
}

/// What the rules of its own repository want of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// It goes, whatever the account.
    Goes,
    /// It goes when the account is above this.
    GoesAbove(Bytes),
}

/// What the account is about.
impl<'a> Bench<'a> {
    pub(super) const fn repository(&self) -> &'a Repository {
        self.scene.repository
    }

    pub(super) const fn graph(&self) -> &Graph {
        &self.scene.graph
    }

    /// The lines of the policy that governs.
    pub(super) fn lines(&self) -> impl Iterator<Item = Bytes> {
        let governing = match self.law.governing {
            EffectivePolicy::One(policy) => Some(policy),
            EffectivePolicy::None | EffectivePolicy::Contested(_, _) => None,
        };
        governing.into_iter().flat_map(ocird_model::Policy::lines)
    }

    /// The age of a head, as it counts in every order.
    pub(super) fn time(&self, head: usize) -> Option<DateTime<Utc>> {
        self.scene.facts[head].time
    }

    /// True unless nothing at all goes from here.
    pub(super) const fn is_open(&self) -> bool {
        self.frozen.is_none() && self.law.blanket.is_none()
    }

    /// Each head that would go at some account, by a rule; none that is left of a family.
    pub(super) fn wishes(&self) -> impl Iterator<Item = (usize, Wish)> {
        (0..self.selected.len()).filter_map(|place| Some((place, self.wish(place)?)))
    }

    fn wish(&self, place: usize) -> Option<Wish> {
        let selection = self.selected[place]?;
        let is_free = self.scene.graph.is_head(place)
            && self.holds.firm[place].is_none()
            && !self.scene.has_lost_its_head(place);
        let above = selection.line.max(self.loan(place).map(|loan| loan.line));
        is_free.then(|| above.map_or(Wish::Goes, Wish::GoesAbove))
    }

    /// Takes down what the account says of a head.
    pub(super) fn stand(&mut self, head: usize, standing: Standing) {
        self.standings.resize(self.selected.len(), Standing::Goes);
        self.standings[head] = standing;
    }

    fn loan(&self, place: usize) -> Option<Loan> {
        self.holds.lent.get(place).copied().flatten()
    }
}

impl<'a> Bench<'a> {
    pub(super) fn of(repository: &'a Repository, law: Law<'a>) -> Self {
        let scene = Scene::of(repository, &law);
        let mut holds = keep::holds(&scene, &law);
        let own_holds = holds.firm.clone();
        scene.graph.hand_up(&mut holds.firm, Hold::stronger);
        if !holds.lent.is_empty() {
            scene.graph.hand_up(&mut holds.lent, Ord::max);
        }
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
            selected: select::selected(&scene, &law),
            scene,
            law,
            own_holds,
            holds,
            frozen,
            standings: Vec::new(),
        }
    }

    /// The decisions, in the order of the images.
    pub(super) fn decisions(&self) -> Vec<Decision> {
        let repository = self.scene.repository;
        let decision = |(place, image): (usize, &ocird_model::Image)| {
            let head = match self.scene.graph.belongs(place) {
                Belongs::To(head) => head,
                Belongs::Head | Belongs::ToNone => place,
            };
            Decision {
                image: image.id.clone(),
                digest: image.digest,
                head: repository.images[head].digest,
                verdict: self.verdict(place),
            }
        };
        repository.images.iter().enumerate().map(decision).collect()
    }

    fn verdict(&self, place: usize) -> Verdict {
        self.settle(match self.scene.graph.belongs(place) {
            Belongs::Head => self.on_head(place),
            Belongs::To(head) => self.on_member(place, head),
            Belongs::ToNone => self.on_carried(place),
        })
    }

    /// A head speaks for its family, and everything it reaches speaks for it.
    fn on_head(&self, place: usize) -> Verdict {
        if let Some(reason) = opaque(&self.scene.repository.images[place].content) {
            return Verdict::Keep(reason);
        }
        if let Some(hold) = self.holds.firm[place] {
            return Verdict::Keep(self.reason(hold));
        }
        if self.scene.has_lost_its_head(place) {
            return self.on_rest(place);
        }
        let Some(selection) = self.selected[place] else {
            return Verdict::Keep(KeepReason::NotSelected);
        };
        let rule = || select::rules(&self.law)[selection.rule].name.clone();
        match self.standings.get(place).unwrap_or(&Standing::Goes) {
            Standing::Goes => Verdict::Delete(DeleteReason::Rule { rule: rule() }),
            Standing::Spared => Verdict::Keep(KeepReason::Spared { rule: rule() }),
            Standing::Stays => Verdict::Keep(self.on_standing(place, selection)),
        }
    }

    /// What is left of a family goes, but if anything of it bears a tag, only when a rule takes it at any account.
    fn on_rest(&self, place: usize) -> Verdict {
        let is_taken = self.selected[place].is_some_and(|selection| selection.line.is_none());
        if is_taken || !self.scene.facts[place].tagging_below.is_free() {
            Verdict::Delete(DeleteReason::Rest)
        } else {
            Verdict::Keep(KeepReason::NotSelected)
        }
    }

    /// Why the account lets a head stay: the keep rule, when its line is the one that is not exceeded.
    fn on_standing(&self, place: usize, selection: Selection) -> KeepReason {
        match self.loan(place) {
            Some(loan) if Some(loan.line) >= selection.line => {
                KeepReason::Rule { rule: self.keep_rule(loan.rule.0) }
            }
            Some(_) | None => KeepReason::NotSelected,
        }
    }

    fn keep_rule(&self, number: usize) -> RuleName {
        keep::rules(&self.law)[number].name.clone()
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
        hold.reason(self.uses, keep::rules(&self.law))
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
        KeepReason::Spared { rule: _ } => 13,
        KeepReason::NotSelected => 14,
    }
}
