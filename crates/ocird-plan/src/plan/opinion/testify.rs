//! The planner says what it made of one image and of what: the same facts, rules and holds that the verdict came from, one
//! by one instead of the strongest only. Nothing is decided here.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use ocird_model::{
    Bytes, Content, DeleteRule, Digest, EffectivePolicy, KeepReason, KeepRule, Selects, Tag, Use,
};

use super::{Bench, Standing, keep, select};
use crate::explain::{
    AccountSays, Answer, Asks, Condition, DeleteRuleSays, Doubt, Explanation, Family, Governing, Guardrail,
    GuardrailSays, KeepRuleSays, LineSays, Pulled, Reference, Testimony, Turn, UsedBy, Using,
};
use crate::graph::Belongs;
use crate::plan::details;
use crate::plan::keep::KeepAsks;
use crate::plan::newest::{Among, Newest};
use crate::plan::select::DeleteAsks;

/// Everything about the image at one place.
impl Bench<'_> {
    /// What is said of the image, and of the head of its family.
    pub(in crate::plan) fn explain(&self, place: usize, account: AccountSays) -> Explanation {
        let repository = self.scene.repository;
        let is_opaque = |content: &Content| matches!(content, Content::Opaque { reason: _ });
        let head = Some(self.head_of(place)).filter(|head| *head != place);
        let head = head.map(|head| self.testify(head, &account));
        Explanation {
            repository: repository.name.clone(),
            policy: governing(self.law.governing),
            is_public: self.law.blanket == Some(KeepReason::Public),
            doubt: self.doubt(),
            opaque: repository.images.iter().filter(|i| is_opaque(&i.content)).map(|i| i.digest).collect(),
            image: self.testify(place, &account),
            account,
            head,
            family: self.family(place),
            holders: self.holders(place),
            carries: self.carries(place),
        }
    }

    fn doubt(&self) -> Option<Doubt> {
        let source = self.law.in_use.doubt_about(&self.scene.repository.name);
        let stale = || self.law.is_doubtful.then_some(Doubt::Stale);
        source.map(|why| Doubt::Source { why: why.to_owned() }).or_else(stale)
    }

    fn family(&self, place: usize) -> Family {
        let graph = &self.scene.graph;
        match graph.belongs(place) {
            Belongs::Head => {
                let is_member = |other: &usize| *other != place && self.head_of(*other) == place;
                let members = (0..self.scene.facts.len()).filter(is_member);
                Family::Head { members: members.map(|member| self.digest(member)).collect() }
            }
            Belongs::To(head) => Family::Member { head: self.digest(head) },
            Belongs::ToNone => Family::Shared,
        }
    }

    fn holders(&self, place: usize) -> Vec<Reference> {
        let holders = self.scene.graph.holders_of(place).iter();
        holders.map(|edge| self.reference(edge.holder, edge.names())).collect()
    }

    fn reference(&self, place: usize, names: bool) -> Reference {
        Reference { digest: self.digest(place), names, goes: Some(self.verdict(place).is_delete()) }
    }

    /// What is named and absent comes last: a child that was never pushed, or that is gone.
    fn carries(&self, place: usize) -> Vec<Reference> {
        let repository = self.scene.repository;
        let present = self.scene.graph.carried_by(place).iter();
        let present = present.map(|edge| self.reference(edge.carried, edge.names()));
        let children = repository.images[place].content.children().iter();
        let absent = children.filter(|child| repository.position(child).is_none());
        let absent = absent.map(|child| Reference { digest: *child, names: true, goes: None });
        present.chain(absent).collect()
    }

    fn digest(&self, place: usize) -> Digest {
        self.scene.repository.images[place].digest
    }
}

/// What the rules say.
impl Bench<'_> {
    fn testify(&self, place: usize, account: &AccountSays) -> Testimony {
        let reached = self.reached(place);
        Testimony {
            digest: self.digest(place),
            verdict: self.verdict(place),
            is_rest: self.scene.facts[place].is_mere_rest,
            uses: self.using(&reached),
            holds: self.held(&reached),
            keep: keep::rules(&self.law)
                .iter()
                .map(|rule| self.keep_rule_says(rule, place, &reached, account))
                .collect(),
            guardrails: self.guardrails(place, &reached),
            delete: select::rules(&self.law)
                .iter()
                .map(|rule| self.delete_rule_says(rule, place, account))
                .collect(),
            turn: self.wish(place).and_then(|_| self.standings.get(place)).map(|standing| match standing {
                Standing::Goes => Turn::Goes,
                Standing::Spared => Turn::Spared,
                Standing::Stays => Turn::Stays,
            }),
        }
    }

    /// The image and everything that speaks for it. What is on a circle or above one is spoken for by itself only.
    fn reached(&self, place: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::from([place]);
        let mut open = if self.is_above_a_circle(place) { Vec::new() } else { vec![place] };
        while let Some(next) = open.pop() {
            let carried = self.scene.graph.carried_by(next).iter().map(|edge| edge.carried);
            open.extend(carried.filter(|&carried| reached.insert(carried)));
        }
        reached
    }

    fn is_above_a_circle(&self, place: usize) -> bool {
        self.scene.graph.circular().contains(&place)
    }

    fn using(&self, reached: &BTreeSet<usize>) -> Vec<UsedBy> {
        let mut found = BTreeSet::new();
        keep::hold_by_use(&self.scene, self.uses, |place, number| {
            if reached.contains(&place) {
                found.insert((place, number));
            }
        });
        let using = |(place, number): (usize, usize)| {
            let Use { target: _, by, kind, since } = &self.uses[number];
            UsedBy { image: self.digest(place), by: std::sync::Arc::clone(by), kind: *kind, since: *since }
        };
        found.into_iter().map(using).collect()
    }

    fn held(&self, reached: &BTreeSet<usize>) -> Vec<Using> {
        let mut found = BTreeSet::new();
        keep::hold_by_hand(&self.scene, self.law.now, |place, number| {
            if reached.contains(&place) {
                found.insert((place, number));
            }
        });
        let holds = &self.scene.repository.holds;
        let held = |(place, number): (usize, usize)| Using {
            image: self.digest(place),
            by: holds[number].to_string().into(),
        };
        found.into_iter().map(held).collect()
    }

    fn keep_rule_says(
        &self,
        rule: &KeepRule,
        place: usize,
        reached: &BTreeSet<usize>,
        account: &AccountSays,
    ) -> KeepRuleSays {
        let asks = KeepAsks::of(&self.scene, &self.law, rule);
        let held: Vec<usize> = reached.iter().copied().filter(|&place| asks.holds(place)).collect();
        let line = rule.unless_usage_above.map(|line| line_says(line, account));
        // The fate of what has no part in the account is no matter of usage, whatever it carries.
        let is_on_the_account = !self.scene.facts[place].is_mere_rest;
        let is_in_force = line.is_none_or(|line| line.is_exceeded != Some(true) && is_on_the_account);
        KeepRuleSays {
            rule: rule.name.clone(),
            holds: held.iter().any(|&place| is_in_force || self.scene.facts[place].is_mere_rest),
            itself: held.contains(&place),
            through: held.iter().filter(|&&held| held != place).map(|&held| self.digest(held)).collect(),
            conditions: self.keep_conditions(rule, &asks, place),
            line,
        }
    }

    fn keep_conditions(&self, rule: &KeepRule, asks: &KeepAsks<'_, '_>, place: usize) -> Vec<Condition> {
        let KeepRule {
            name: _,
            tags,
            newest,
            group_by,
            newer_than,
            pulled_within,
            digests,
            resource_tags,
            unless_usage_above: _,
        } = rule;
        let image = &self.scene.repository.images[place];
        let facts = &self.scene.facts[place];
        let timely = |holds: bool| if facts.is_mere_rest { Answer::NotAsked } else { Answer::of(holds) };
        let mut said = Vec::new();
        said.extend(tags.as_ref().map(|patterns| {
            let matching = image.tags.keys().filter(|tag| patterns.matches(tag.as_str())).cloned().collect();
            let asked = Asks::AnyTag { patterns: patterns.clone(), matching };
            Condition { asks: asked, answer: Answer::of(asks.is_tagged(place)) }
        }));
        said.extend(newest.map(|n| {
            let among = Among { tags: tags.as_ref(), group_by: group_by.as_ref() };
            let places = Newest::places(&self.scene, among, place);
            let asked = Asks::Newest { n: n.get(), group_by: group_by.clone(), places };
            Condition { asks: asked, answer: timely(asks.is_among_newest(place)) }
        }));
        said.extend(newer_than.map(|age| {
            let asked = Asks::NewerThan { seconds: age.num_seconds(), since: facts.newest_below };
            Condition { asks: asked, answer: timely(asks.is_younger(place)) }
        }));
        said.extend(pulled_within.map(|age| {
            let asked = Asks::PulledWithin { seconds: age.num_seconds(), pulled: self.pulled(place) };
            Condition { asks: asked, answer: Answer::of(asks.is_pulled(place)) }
        }));
        said.extend(digests.as_ref().map(|digests| {
            let asked = Asks::Digests { n: digests.len() };
            Condition { asks: asked, answer: Answer::of(asks.is_listed(place)) }
        }));
        said.extend(resource_tags.as_ref().map(|patterns| {
            let is_unknown = !details::knows_resource_tags(image, &self.law);
            let asked = Asks::ResourceTags { patterns: patterns.clone(), is_unknown };
            Condition { asks: asked, answer: Answer::of(asks.may_bear(place)) }
        }));
        said
    }

    fn pulled(&self, place: usize) -> Pulled {
        match details::last_pulls(&self.scene, &self.law)[place] {
            None => Pulled::Never,
            Some(at) if at == DateTime::<Utc>::MAX_UTC => Pulled::Unknown,
            Some(at) => Pulled::At { at },
        }
    }

    fn guardrails(&self, place: usize, reached: &BTreeSet<usize>) -> Vec<GuardrailSays> {
        let guardrails = &self.law.policies.guardrails;
        let facts = &self.scene.facts;
        let floor = Newest::of(&self.scene, guardrails.min_newest.get(), Among::default());
        let grown_up = self.law.ago(guardrails.min_age);
        let says = |guardrail, holds: &dyn Fn(usize) -> bool| {
            let held: Vec<usize> = reached.iter().copied().filter(|&place| holds(place)).collect();
            GuardrailSays {
                guardrail,
                holds: !held.is_empty(),
                itself: held.contains(&place),
                through: held.into_iter().filter(|held| *held != place).map(|i| self.digest(i)).collect(),
            }
        };
        let place_of = Newest::places(&self.scene, Among::default(), place).pop();
        let min_newest = Guardrail::MinNewest { n: guardrails.min_newest.get(), place: place_of };
        let min_age =
            Guardrail::MinAge { seconds: guardrails.min_age.num_seconds(), since: facts[place].time };
        let abroad = self.scene.graph.abroad().iter().zip(&self.abroad);
        let abroad =
            abroad.filter(|(speaker, _)| reached.contains(&speaker.place)).map(|(speaker, is_there)| {
                let guardrail = Guardrail::SubjectElsewhere { subject: speaker.subject, is_there: *is_there };
                says(guardrail, &|place| place == speaker.place && *is_there != Some(false))
            });
        let always = [
            says(min_newest, &|place| floor.holds(&self.scene, place)),
            says(min_age, &|place| facts[place].time.is_some_and(|time| time > grown_up)),
            says(Guardrail::PlausibleTimes, &|place| !facts[place].is_plausible),
        ];
        always.into_iter().chain(abroad).collect()
    }
}

/// What the delete rules say.
impl Bench<'_> {
    fn delete_rule_says(&self, rule: &DeleteRule, place: usize, account: &AccountSays) -> DeleteRuleSays {
        let asks = DeleteAsks::of(&self.scene, &self.law, rule);
        let line = rule.while_usage_above.map(|line| line_says(line, account));
        // What is left of a family is no matter of usage.
        let is_in_force = line
            .is_none_or(|line| line.is_exceeded == Some(true) && !self.scene.facts[place].has_lost_its_head);
        DeleteRuleSays {
            rule: rule.name.clone(),
            selects: is_in_force && asks.takes(place),
            conditions: self.delete_conditions(rule, &asks, place),
            line,
        }
    }

    fn delete_conditions(
        &self,
        rule: &DeleteRule,
        asks: &DeleteAsks<'_, '_>,
        place: usize,
    ) -> Vec<Condition> {
        let DeleteRule { name: _, selects, older_than, not_pulled_for, while_usage_above: _ } = rule;
        let since = self.scene.facts[place].newest_below;
        let tags = self.tags_below(place);
        let about = match selects {
            Selects::Untagged => Asks::Untagged { tags },
            Selects::Tagged => Asks::Tagged { tags },
            Selects::Tags(patterns) => {
                let others = tags.into_iter().filter(|(_, tag)| !patterns.matches(tag.as_str())).collect();
                Asks::EveryTag { patterns: patterns.clone(), others }
            }
            Selects::Lifecycle(selection) => {
                let rule = selection.lifecycle().rules()[selection.rule()].clone();
                Asks::Lifecycle { rule, tags, since }
            }
        };
        let mut said = vec![Condition { asks: about, answer: Answer::of(asks.is_meant(place)) }];
        said.extend(older_than.map(|age| {
            let asked = Asks::OlderThan { seconds: age.num_seconds(), since };
            Condition { asks: asked, answer: Answer::of(asks.is_old_enough(place)) }
        }));
        said.extend(not_pulled_for.map(|age| {
            let pulled = self.pulled(place);
            let asked = Asks::NotPulledFor { seconds: age.num_seconds(), since, pulled };
            Condition { asks: asked, answer: Answer::of(asks.is_forgotten(place)) }
        }));
        said
    }

    /// Every tag of the image and of what it carries that is more than a tie to a present subject.
    fn tags_below(&self, place: usize) -> Vec<(Digest, Tag)> {
        let mut tags = Vec::new();
        for place in self.reached(place) {
            let image = &self.scene.repository.images[place];
            let free = image.tags.keys().filter(|tag| self.scene.is_free(tag.as_str()));
            tags.extend(free.map(|tag| (image.digest, tag.clone())));
        }
        tags
    }
}

fn governing(policy: EffectivePolicy<'_>) -> Governing {
    match policy {
        EffectivePolicy::One(policy) => Governing::One { project: policy.project.clone() },
        EffectivePolicy::None => Governing::None,
        EffectivePolicy::Contested(one, other) => {
            Governing::Contested { projects: [one.project.clone(), other.project.clone()] }
        }
    }
}

fn line_says(line: Bytes, account: &AccountSays) -> LineSays {
    let is_exceeded = match account {
        AccountSays::NotAsked | AccountSays::Unknown { because: _ } => None,
        AccountSays::Known { now: _, at_first, after: _ } => Some(*at_first > line),
    };
    LineSays { line, is_exceeded }
}
