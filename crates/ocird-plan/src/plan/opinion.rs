//! From facts, holds and rules to one verdict per image. This is where the order of reasons is kept.

mod tally;
mod testify;

use chrono::{DateTime, Utc};
use ocird_model::{
    Bytes, Content, Decision, DeleteReason, EffectivePolicy, Image, KeepReason, Repository, Rule, RuleName,
    Use, Verdict,
};

use super::Law;
use super::elsewhere::Elsewhere;
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
    /// Whether some repository has what the graph calls abroad; `None` where that is not known.
    abroad: Vec<Option<bool>>,
    /// The delete rule that selects each image with everything it reaches.
    selected: Vec<Option<Selection>>,
    /// The reason that takes the place of every deletion, where nothing may go.
    frozen: Option<KeepReason>,
    /// What the account says of each head; empty where no rule has a line.
    standings: Vec<Standing>,
    /// For each image that goes by a rule, its own or that of its holders, the head it goes with.
    goes_with: Vec<Option<usize>>,
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
            && !self.scene.facts[place].has_lost_its_head;
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
    pub(super) fn of(scene: Scene<'a>, law: Law<'a>, elsewhere: &Elsewhere) -> Self {
        let mut holds = keep::holds(&scene, &law, elsewhere);
        let own_holds = holds.firm.clone();
        scene.graph.hand_up(&mut holds.firm, Hold::stronger);
        if !holds.lent.is_empty() {
            scene.graph.hand_up(&mut holds.lent, Ord::max);
        }
        let frozen = if law.is_doubtful {
            Some(KeepReason::InUseUnknown)
        } else if Rule::S7.in_force() && scene.facts.iter().any(|facts| facts.is_opaque) {
            Some(KeepReason::ReferencesUnknown)
        } else {
            None
        };
        Self {
            uses: law.in_use.uses(&scene.repository.name),
            abroad: scene.graph.abroad().iter().map(|speaker| elsewhere.has(&speaker.subject)).collect(),
            selected: select::selected(&scene, &law),
            scene,
            law,
            own_holds,
            holds,
            frozen,
            standings: Vec::new(),
            goes_with: Vec::new(),
        }
    }

    /// Settles what goes, once the account has been asked. What is carried goes with the last of the heads above it, when all
    /// that holds it goes by a rule: of several heads with the newest, as the oldest go first.
    pub(super) fn conclude(&mut self) {
        let n_images = self.scene.facts.len();
        self.goes_with = (0..n_images).map(|place| self.goes_by_a_rule(place).then_some(place)).collect();
        let age = |head: usize| (self.scene.facts[head].time, head);
        let newer = |one: usize, other: usize| if age(one) >= age(other) { one } else { other };
        for &place in self.scene.graph.order().iter().rev() {
            let heads = self.scene.graph.holders_of(place).iter().map(|edge| self.goes_with[edge.holder]);
            if let Some(head) = heads.reduce(|one, other| Some(newer(one?, other?))) {
                self.goes_with[place] = head;
            }
        }
    }

    /// True for a head that a rule takes and the account lets go, whatever freezes the repository.
    fn goes_by_a_rule(&self, place: usize) -> bool {
        let is_free = self.scene.graph.is_head(place)
            && self.selected[place].is_some()
            && self.holds.firm[place].is_none();
        let facts = &self.scene.facts[place];
        let is_another_matter = facts.has_lost_its_head || (facts.is_opaque && Rule::S7.in_force());
        is_free && !is_another_matter && self.standing(place) == Standing::Goes
    }

    fn standing(&self, place: usize) -> Standing {
        self.standings.get(place).copied().unwrap_or(Standing::Goes)
    }

    /// The decisions, in the order of the images.
    pub(super) fn decisions(&self) -> Vec<Decision> {
        let images = &self.scene.repository.images;
        let mut decisions = Vec::with_capacity(images.len());
        for (number, group) in images.chunks(FETCHED_AT_ONCE).enumerate() {
            fetch_identifiers(group);
            let places = number * FETCHED_AT_ONCE..;
            decisions.extend(group.iter().zip(places).map(|(image, place)| self.decision(image, place)));
        }
        decisions
    }

    fn decision(&self, image: &Image, place: usize) -> Decision {
        Decision {
            image: image.id.clone(),
            digest: image.digest,
            head: self.scene.repository.images[self.head_of(place)].digest,
            verdict: self.verdict(place),
        }
    }

    /// The head of the image's family, or the one it goes with; itself for what belongs to no single family and stays.
    fn head_of(&self, place: usize) -> usize {
        match self.scene.graph.belongs(place) {
            Belongs::To(head) => head,
            Belongs::Head => place,
            Belongs::ToNone => self.goes_with[place].filter(|_| self.is_open()).unwrap_or(place),
        }
    }

    fn verdict(&self, place: usize) -> Verdict {
        self.settle(match (self.scene.graph.belongs(place), self.goes_with[place]) {
            (Belongs::Head, _) => self.on_head(place),
            (Belongs::To(_) | Belongs::ToNone, Some(head)) => self.on_member(place, head),
            (Belongs::To(_) | Belongs::ToNone, None) => self.on_carried(place),
        })
    }

    /// A head speaks for its family, and everything it reaches speaks for it.
    fn on_head(&self, place: usize) -> Verdict {
        if let Some(reason) = self.opaque(place) {
            return Verdict::Keep(reason);
        }
        if let Some(hold) = self.holds.firm[place] {
            return Verdict::Keep(self.reason(hold));
        }
        if self.scene.facts[place].has_lost_its_head {
            return self.on_rest(place);
        }
        let Some(selection) = self.selected[place] else {
            return Verdict::Keep(KeepReason::NotSelected);
        };
        let rule = || self.delete_rule(selection);
        match self.standing(place) {
            Standing::Goes => Verdict::Delete(DeleteReason::Rule { rule: rule() }),
            Standing::Spared => Verdict::Keep(KeepReason::Spared { rule: rule() }),
            Standing::Stays => Verdict::Keep(self.on_standing(place, selection)),
        }
    }

    /// What is left of a family goes, unless something bears a tag that it carries and that is none of it (S-18).
    fn on_rest(&self, place: usize) -> Verdict {
        if self.scene.facts[place].tagging_below.is_free() && Rule::S18.in_force() {
            Verdict::Keep(KeepReason::NotSelected)
        } else {
            Verdict::Delete(DeleteReason::Rest)
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

    fn delete_rule(&self, selection: Selection) -> RuleName {
        select::rules(&self.law)[selection.rule].name.clone()
    }

    fn keep_rule(&self, number: usize) -> RuleName {
        keep::rules(&self.law)[number].name.clone()
    }

    /// A member goes with its head when a rule takes the head. With a rest it does not: it is a rest of its own next time.
    fn on_member(&self, place: usize, head: usize) -> Verdict {
        match self.selected[head] {
            Some(selection) => Verdict::Delete(DeleteReason::WithHead { rule: self.delete_rule(selection) }),
            None => self.on_carried(place),
        }
    }

    /// What is carried stays: for its own sake, or else for that of a holder, if possible one that stays.
    fn on_carried(&self, place: usize) -> Verdict {
        let own = match self.own_holds[place] {
            Some(hold @ (Hold::InUse(_) | Hold::Held(_) | Hold::Rule(_))) => Some(self.reason(hold)),
            Some(
                Hold::TimeImplausible
                | Hold::Floor
                | Hold::TooYoung
                | Hold::SpeaksAbroad(_)
                | Hold::MaySpeakAbroad
                | Hold::Circle,
            )
            | None => None,
        };
        let holders = self.scene.graph.holders_of(place);
        let staying = holders.iter().find(|edge| self.goes_with[edge.holder].is_none());
        let held = || staying.or(holders.first()).map(|edge| edge.reason(self.scene.repository));
        let reason = self.opaque(place).or(own).or_else(held);
        Verdict::Keep(reason.unwrap_or(KeepReason::ReferencesUnknown))
    }

    fn opaque(&self, place: usize) -> Option<KeepReason> {
        let is_opaque = self.scene.facts[place].is_opaque && Rule::S7.in_force();
        is_opaque.then(|| opaque(&self.scene.repository.images[place].content)).flatten()
    }

    fn reason(&self, hold: Hold) -> KeepReason {
        let Scene { repository, graph, .. } = &self.scene;
        hold.reason(self.uses, &repository.holds, keep::rules(&self.law), graph.abroad())
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

/// Number of images whose identifiers are fetched together: some more than a processor has requests to memory under way.
const FETCHED_AT_ONCE: usize = 32;

/// Reads the identifiers of some images. To share one, its count is raised, which waits for memory each time before anything else
/// goes on; reading waits for many at once, and makes a plan for 100,000 images a tenth faster.
fn fetch_identifiers(images: &[Image]) {
    for image in images {
        std::hint::black_box(image.id.as_str().as_bytes().first().copied());
    }
}

fn opaque(content: &Content) -> Option<KeepReason> {
    match content {
        Content::Opaque { reason } => Some(KeepReason::Opaque { why: *reason }),
        Content::Manifest { subject: _, config: _ } | Content::Index { children: _, subject: _ } => None,
    }
}

/// The place of a reason in the order in which one is chosen: that of the variants.
const fn rank(reason: &KeepReason) -> u8 {
    match reason {
        KeepReason::Opaque { why: _ } => 0,
        KeepReason::InUse { by: _ } | KeepReason::RollbackRoom { by: _ } => 1,
        KeepReason::InUseUnknown => 2,
        KeepReason::NoPolicy => 3,
        KeepReason::Contested => 4,
        KeepReason::Public => 5,
        KeepReason::Held { by: _ } => 6,
        KeepReason::Rule { rule: _ } => 7,
        KeepReason::TimeImplausible => 8,
        KeepReason::Floor => 9,
        KeepReason::TooYoung => 10,
        KeepReason::ChildOf { parent: _ } => 11,
        KeepReason::ReferrerOf { subject: _ } => 12,
        KeepReason::ReferencesUnknown => 13,
        KeepReason::Spared { rule: _ } => 14,
        KeepReason::NotSelected => 15,
    }
}
