//! What holds an image for its own sake: use, holds made by hand, keep rules, and the guardrails of time and number. What holds it for the
//! sake of another is not here, and neither is whether a line of a rule is exceeded.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, EffectivePolicy, HoldOn, KeepReason, KeepRule, Rule, Tag, Use};

use super::Law;
use super::details::{self, Pulls};
use super::elsewhere::Elsewhere;
use super::newest::{Among, Newest};
use super::scene::Scene;
use crate::graph::Abroad;

/// What holds an image. The order is that of the keep reasons, and of uses and rules as they are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hold {
    /// The use at this place.
    InUse(usize),
    /// The hold at this place, made by hand.
    Held(usize),
    /// The keep rule at this place.
    Rule(usize),
    TimeImplausible,
    Floor,
    TooYoung,
    /// It speaks about an image that another repository has: what the graph calls abroad, at this place.
    SpeaksAbroad(usize),
    /// It speaks about an image that is not in its repository, and another could not be read.
    MaySpeakAbroad,
    /// It is on a circle of references or reaches one, so that nobody can say what it carries.
    Circle,
}

impl Hold {
    /// The stronger of two.
    pub(super) fn stronger(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        one.into_iter().chain(other).min()
    }

    /// The reason as a verdict gives it.
    pub(super) fn reason(
        self,
        uses: &[Use],
        by_hand: &[ocird_model::Hold],
        rules: &[KeepRule],
        abroad: &[Abroad],
    ) -> KeepReason {
        match self {
            Self::InUse(place) => uses[place].reason(),
            Self::Held(place) => KeepReason::Held { by: by_hand[place].to_string().into() },
            Self::Rule(place) => KeepReason::Rule { rule: rules[place].name.clone() },
            Self::TimeImplausible => KeepReason::TimeImplausible,
            Self::Floor => KeepReason::Floor,
            Self::TooYoung => KeepReason::TooYoung,
            Self::SpeaksAbroad(place) => KeepReason::ReferrerOf { subject: abroad[place].subject },
            Self::MaySpeakAbroad | Self::Circle => KeepReason::ReferencesUnknown,
        }
    }
}

/// The keep rules that govern, in the order of the file. One of them is reason enough, on any tag and by any reference (S-5).
pub(super) fn rules<'a>(law: &Law<'a>) -> &'a [KeepRule] {
    match law.governing {
        EffectivePolicy::One(policy) if Rule::S5.in_force() => &policy.keep,
        EffectivePolicy::One(_) | EffectivePolicy::None | EffectivePolicy::Contested(_, _) => &[],
    }
}

/// A hold that ends when the account is above a line. The highest line counts, and of several the first rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Loan {
    pub(super) line: Bytes,
    /// The keep rule at this place.
    pub(super) rule: Reverse<usize>,
}

/// What holds each image for its own sake.
pub(super) struct Holds {
    /// The strongest hold whatever the account.
    pub(super) firm: Vec<Option<Hold>>,
    /// The hold that lasts longest of those with a line; empty where no rule has one.
    pub(super) lent: Vec<Option<Loan>>,
}

/// What holds each image for its own sake.
pub(super) fn holds(scene: &Scene<'_>, law: &Law<'_>, elsewhere: &Elsewhere) -> Holds {
    let mut holds = Holds { firm: vec![None; scene.facts.len()], lent: Vec::new() };
    for &place in scene.graph.circular() {
        holds.strengthen(place, Hold::Circle);
    }
    hold_by_guardrails(scene, law, &mut |place, hold| holds.strengthen(place, hold));
    for (number, speaker) in scene.graph.abroad().iter().enumerate() {
        match elsewhere.has(&speaker.subject) {
            Some(true) => holds.strengthen(speaker.place, Hold::SpeaksAbroad(number)),
            Some(false) => {}
            None => holds.strengthen(speaker.place, Hold::MaySpeakAbroad),
        }
    }
    for (number, rule) in rules(law).iter().enumerate() {
        match rule.unless_usage_above {
            None => hold_by_rule(scene, law, rule, |place| holds.strengthen(place, Hold::Rule(number))),
            Some(line) => {
                holds.lent.resize(scene.facts.len(), None);
                let loan = Loan { line, rule: Reverse(number) };
                hold_by_rule(scene, law, rule, |place| holds.lend(scene, place, loan));
            }
        }
    }
    hold_by_hand(scene, law.now, |place, number| holds.strengthen(place, Hold::Held(number)));
    let uses = law.in_use.uses(&scene.repository.name);
    hold_by_use(scene, uses, |place, number| holds.strengthen(place, Hold::InUse(number)));
    holds
}

impl Holds {
    fn strengthen(&mut self, place: usize, hold: Hold) {
        self.firm[place] = Hold::stronger(self.firm[place], Some(hold));
    }

    /// The fate of what has no part in the account is no matter of usage.
    fn lend(&mut self, scene: &Scene<'_>, place: usize, loan: Loan) {
        if scene.facts[place].is_mere_rest {
            self.strengthen(place, Hold::Rule(loan.rule.0));
        } else {
            self.lent[place] = self.lent[place].max(Some(loan));
        }
    }
}

/// Times that cannot be true (S-8), and the floor that no policy lowers (S-13).
fn hold_by_guardrails(scene: &Scene<'_>, law: &Law<'_>, hold: &mut impl FnMut(usize, Hold)) {
    let guardrails = &law.policies.guardrails;
    let floor = Newest::of(scene, guardrails.min_newest.get(), Among::default());
    let grown_up = law.ago(guardrails.min_age);
    for (place, facts) in scene.facts.iter().enumerate() {
        if !facts.is_plausible && Rule::S8.in_force() {
            hold(place, Hold::TimeImplausible);
        }
        if facts.time.is_some_and(|time| time > grown_up) && Rule::S13.in_force() {
            hold(place, Hold::TooYoung);
        }
        if Rule::S13.in_force() && floor.holds(scene, place) {
            hold(place, Hold::Floor);
        }
    }
}

fn hold_by_rule(scene: &Scene<'_>, law: &Law<'_>, rule: &KeepRule, mut hold: impl FnMut(usize)) {
    let asks = KeepAsks::of(scene, law, rule);
    for place in (0..scene.facts.len()).filter(|&place| asks.holds(place)) {
        hold(place);
    }
}

/// What one keep rule asks, laid out over one repository. A condition that the rule does not name holds for every image.
pub(super) struct KeepAsks<'s, 'a> {
    scene: &'s Scene<'a>,
    law: &'s Law<'a>,
    rule: &'s KeepRule,
    newest: Option<Newest<'a, 's>>,
    /// What is from after this is new.
    newer_than: Option<DateTime<Utc>>,
    pulls: Option<Pulls>,
}

impl<'s, 'a> KeepAsks<'s, 'a> {
    pub(super) fn of(scene: &'s Scene<'a>, law: &'s Law<'a>, rule: &'s KeepRule) -> Self {
        let among = Among { tags: rule.tags.as_ref(), group_by: rule.group_by.as_ref() };
        Self {
            scene,
            law,
            rule,
            newest: rule.newest.map(|newest| Newest::of(scene, newest.get(), among)),
            newer_than: rule.newer_than.map(|age| law.ago(age)),
            pulls: rule.pulled_within.map(|age| Pulls::of(scene, law, age)),
        }
    }

    /// Whether all conditions hold. A mere rest is held by what the rule asks of the image itself, as its age and order were
    /// its family's and have been judged.
    pub(super) fn holds(&self, place: usize) -> bool {
        let is_due = if self.scene.facts[place].is_mere_rest {
            self.rule.asks_the_image()
        } else {
            self.is_younger(place) && self.is_among_newest(place)
        };
        is_due
            && self.is_tagged(place)
            && self.is_listed(place)
            && self.may_bear(place)
            && self.is_pulled(place)
    }

    pub(super) fn is_tagged(&self, place: usize) -> bool {
        let tags = self.rule.tags.as_ref();
        tags.is_none_or(|tags| self.scene.tags.of(place).iter().any(|borne| tags.matches(borne.tag)))
    }

    pub(super) fn is_listed(&self, place: usize) -> bool {
        let digest = &self.scene.repository.images[place].digest;
        self.rule.digests.as_ref().is_none_or(|digests| digests.contains(digest))
    }

    pub(super) fn may_bear(&self, place: usize) -> bool {
        let image = &self.scene.repository.images[place];
        self.rule.resource_tags.as_ref().is_none_or(|tags| details::may_bear(image, tags, self.law))
    }

    pub(super) fn is_younger(&self, place: usize) -> bool {
        let time = self.scene.facts[place].newest_below;
        self.newer_than.is_none_or(|limit| time.is_none_or(|time| time > limit))
    }

    pub(super) fn is_among_newest(&self, place: usize) -> bool {
        self.newest.as_ref().is_none_or(|newest| newest.holds(self.scene, place))
    }

    pub(super) fn is_pulled(&self, place: usize) -> bool {
        self.pulls.as_ref().is_none_or(|pulls| pulls.is_later(place))
    }
}

/// What a person holds, by digest and by tag (S-27). Of several holds on one image any may be named.
pub(super) fn hold_by_hand(scene: &Scene<'_>, now: DateTime<Utc>, hold: impl FnMut(usize, usize)) {
    hold_by(scene, |held| held.is_in_force(now), hold);
}

/// What a person holds, or held until the hold ended.
pub(super) fn ever_held(scene: &Scene<'_>, mut hold: impl FnMut(usize)) {
    hold_by(scene, |_| true, |place, _| hold(place));
}

fn hold_by(
    scene: &Scene<'_>,
    is_meant: impl Fn(&ocird_model::Hold) -> bool,
    mut hold: impl FnMut(usize, usize),
) {
    if !Rule::S27.in_force() {
        return;
    }
    let mut by_tag = BTreeMap::<&Tag, usize>::new();
    let holds = scene.repository.holds.iter().enumerate();
    for (number, held) in holds.filter(|(_, held)| is_meant(held)) {
        match &held.on {
            HoldOn::Digest(digest) => {
                if let Some(place) = scene.repository.position(digest) {
                    hold(place, number);
                } else {
                    // The head is gone and somebody wants it: what is left of its family waits for it.
                    let rests = scene.repository.rests.iter().filter(|(_, head)| *head == digest);
                    for place in rests.filter_map(|(member, _)| scene.repository.position(member)) {
                        hold(place, number);
                    }
                }
            }
            HoldOn::Tag(tag) => {
                by_tag.entry(tag).or_insert(number);
            }
        }
    }
    hold_by_tag(scene, &by_tag, hold);
}

/// By digest and by tag (S-4). Of several uses of one tag the first is named.
pub(super) fn hold_by_use(scene: &Scene<'_>, uses: &[Use], mut hold: impl FnMut(usize, usize)) {
    let mut by_tag = BTreeMap::<&Tag, usize>::new();
    for (number, used) in uses.iter().enumerate() {
        if let Some(place) = used.target.digest.and_then(|digest| scene.repository.position(&digest)) {
            hold(place, number);
        }
        if let Some(tag) = &used.target.tag {
            by_tag.entry(tag).or_insert(number);
        }
    }
    hold_by_tag(scene, &by_tag, hold);
}

fn hold_by_tag(scene: &Scene<'_>, by_tag: &BTreeMap<&Tag, usize>, mut hold: impl FnMut(usize, usize)) {
    if by_tag.is_empty() {
        return;
    }
    // By length first: most tags differ in that already, and then nobody need read them.
    let by_tag: BTreeMap<(usize, &str), usize> =
        by_tag.iter().map(|(tag, number)| ((tag.as_str().len(), tag.as_str()), *number)).collect();
    for place in 0..scene.facts.len() {
        for borne in scene.tags.of(place) {
            if let Some(number) = by_tag.get(&(borne.tag.len(), borne.tag)) {
                hold(place, *number);
            }
        }
    }
}
