//! What holds an image for its own sake: use, keep rules, and the guardrails of time and number. What holds it for the
//! sake of another is not here.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ocird_model::{EffectivePolicy, Image, KeepReason, KeepRule, Tag, Use};

use super::Law;
use super::scene::{Scene, Tagging};

/// What holds an image. The order is that of the keep reasons, and of uses and rules as they are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hold {
    /// The use at this place.
    InUse(usize),
    /// The keep rule at this place.
    Rule(usize),
    TimeImplausible,
    Floor,
    TooYoung,
    /// It is on a circle of references or reaches one, so that nobody can say what it carries.
    Circle,
}

impl Hold {
    /// The stronger of two.
    pub(super) fn stronger(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        one.into_iter().chain(other).min()
    }

    /// The reason as a verdict gives it.
    pub(super) fn reason(self, uses: &[Use], rules: &[KeepRule]) -> KeepReason {
        match self {
            Self::InUse(place) => KeepReason::InUse { by: Arc::clone(&uses[place].by) },
            Self::Rule(place) => KeepReason::Rule { rule: rules[place].name.clone() },
            Self::TimeImplausible => KeepReason::TimeImplausible,
            Self::Floor => KeepReason::Floor,
            Self::TooYoung => KeepReason::TooYoung,
            Self::Circle => KeepReason::ReferencesUnknown,
        }
    }
}

/// The keep rules that govern, in the order of the file.
pub(super) fn rules<'a>(law: &Law<'a>) -> &'a [KeepRule] {
    match law.governing {
        EffectivePolicy::One(policy) => &policy.keep,
        EffectivePolicy::None | EffectivePolicy::Contested(_, _) => &[],
    }
}

/// The strongest hold on each image for its own sake.
pub(super) fn holds(scene: &Scene<'_>, law: &Law<'_>) -> Vec<Option<Hold>> {
    let mut holds = vec![Some(Hold::Circle); scene.facts.len()];
    for &place in scene.graph.order() {
        holds[place] = None;
    }
    let mut strengthen = |place: usize, hold| holds[place] = Hold::stronger(holds[place], Some(hold));
    hold_by_guardrails(scene, law, &mut strengthen);
    for (number, rule) in rules(law).iter().enumerate() {
        hold_by_rule(scene, law, rule, |place| strengthen(place, Hold::Rule(number)));
    }
    let uses = law.in_use.uses(&scene.repository.name);
    hold_by_use(scene, uses, |place, number| strengthen(place, Hold::InUse(number)));
    holds
}

fn hold_by_guardrails(scene: &Scene<'_>, law: &Law<'_>, hold: &mut impl FnMut(usize, Hold)) {
    let guardrails = &law.policies.guardrails;
    let floor = LastPlace::of(scene, guardrails.min_newest.get(), |_| true);
    let grown_up = law.ago(guardrails.min_age);
    for (place, facts) in scene.facts.iter().enumerate() {
        if !facts.is_plausible {
            hold(place, Hold::TimeImplausible);
        }
        if facts.time.is_some_and(|time| time > grown_up) {
            hold(place, Hold::TooYoung);
        }
        if floor.holds(scene, place) {
            hold(place, Hold::Floor);
        }
    }
}

/// A mere rest is held by its tags only, as its age and order were its family's and have been judged.
fn hold_by_rule(scene: &Scene<'_>, law: &Law<'_>, rule: &KeepRule, mut hold: impl FnMut(usize)) {
    let KeepRule { name: _, tags, newest, newer_than } = rule;
    let tags_match = |image: &Image| {
        tags.as_ref().is_none_or(|tags| image.tags.keys().any(|tag| tags.matches(tag.as_str())))
    };
    let limit = newer_than.map(|age| law.ago(age));
    let last_place = newest.map(|newest| LastPlace::of(scene, newest.get(), tags_match));
    for (place, (image, facts)) in scene.repository.images.iter().zip(&scene.facts).enumerate() {
        if facts.is_mere_rest {
            if tags.is_some() && tags_match(image) {
                hold(place);
            }
            continue;
        }
        let is_newer = |limit| facts.newest_below.is_none_or(|time| time > limit);
        if limit.is_none_or(is_newer)
            && last_place.as_ref().is_none_or(|last_place| last_place.holds(scene, place))
            && tags_match(image)
        {
            hold(place);
        }
    }
}

/// By digest and by tag (S-4). Of several uses of one tag the first is named.
fn hold_by_use(scene: &Scene<'_>, uses: &[Use], mut hold: impl FnMut(usize, usize)) {
    let mut by_tag = BTreeMap::<&Tag, usize>::new();
    for (number, used) in uses.iter().enumerate() {
        if let Some(place) = used.target.digest.and_then(|digest| scene.repository.position(&digest)) {
            hold(place, number);
        }
        if let Some(tag) = &used.target.tag {
            by_tag.entry(tag).or_insert(number);
        }
    }
    if by_tag.is_empty() {
        return;
    }
    for (place, image) in scene.repository.images.iter().enumerate() {
        for number in image.tags.keys().filter_map(|tag| by_tag.get(tag)) {
            hold(place, *number);
        }
    }
}

/// The last of the places among the newest.
enum LastPlace {
    /// Fewer take part than there are places: whatever bears a tag stays.
    Vacant,
    /// Taken by an image of this time. What ties with it stays.
    Taken(DateTime<Utc>),
}

impl LastPlace {
    /// Counts the heads that bear a plain tag, have believable times, and take part.
    fn of(scene: &Scene<'_>, n_places: u32, takes_part: impl Fn(&Image) -> bool) -> Self {
        let mut times: Vec<DateTime<Utc>> = scene
            .repository
            .images
            .iter()
            .enumerate()
            .filter(|&(place, image)| {
                scene.facts[place].tagging == Tagging::Plain
                    && scene.graph.is_head(place)
                    && scene.facts[place].is_plausible
                    && takes_part(image)
            })
            .filter_map(|(place, _)| scene.facts[place].time)
            .collect();
        let last = usize::try_from(n_places).unwrap_or(usize::MAX).saturating_sub(1);
        if last >= times.len() {
            return Self::Vacant;
        }
        let (_, time, _) = times.select_nth_unstable_by(last, |a, b| b.cmp(a));
        Self::Taken(*time)
    }

    /// True when the image bears a tag of its own account and is as new as the last place. Children and orphans do not
    /// count, but are held.
    fn holds(&self, scene: &Scene<'_>, place: usize) -> bool {
        let facts = &scene.facts[place];
        let is_new = match self {
            Self::Vacant => true,
            Self::Taken(last) => facts.time.is_none_or(|time| time >= *last),
        };
        facts.tagging.is_free() && !facts.is_mere_rest && is_new
    }
}
