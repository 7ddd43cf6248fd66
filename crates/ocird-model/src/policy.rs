//! What owners say may go and must stay, and the centre's guardrails beneath it.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::TimeDelta;
use serde::{Serialize, Serializer};

use crate::{
    Bytes, Digest, EcrLifecycle, EcrRule, GroupBy, Patterns, RepositoryName, ResourceTagPatterns, RuleName,
};

/// Every policy of the configuration with the guardrails that hold for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    /// The centre's floor.
    pub guardrails: Guardrails,
    /// One per file of `policies.d`.
    pub policies: Vec<Policy>,
}

/// The hard floor under every policy (S-13) and the grace every deletion waits (S-16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Guardrails {
    /// This many of the newest tagged families of each repository stay, whatever a policy says.
    pub min_newest: NonZeroU32,
    /// What is younger stays, whatever a policy says.
    #[serde(serialize_with = "seconds")]
    pub min_age: TimeDelta,
    /// How long rules must have selected a family, without a break, before it goes.
    #[serde(serialize_with = "seconds")]
    pub grace: TimeDelta,
}

impl Default for Guardrails {
    /// Three newest, one day of age, one day of grace: an image is at least a day old and its deletion has been
    /// announced for a day, so that a working day's rollback and a look at the pending list fit in between.
    fn default() -> Self {
        Self {
            min_newest: NonZeroU32::new(3).expect("3 is not zero"),
            min_age: TimeDelta::hours(24),
            grace: TimeDelta::hours(24),
        }
    }
}

/// What one project says about its repositories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// The project that owns the file.
    pub project: String,
    /// The repositories it governs.
    pub repositories: Patterns,
    /// What stays. Keep always wins.
    pub keep: Vec<KeepRule>,
    /// What may go.
    pub delete: Vec<DeleteRule>,
    /// Public repositories are only observed unless this is set (S-35).
    pub enforce_public: bool,
    /// An image with an OCI image signature stays unless this is set (S-35).
    pub enforce_signed: bool,
}

/// What must stay. Every condition that is given must hold; at least one is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeepRule {
    /// The owner's name for it.
    pub name: RuleName,
    /// Any tag of the image matches.
    pub tags: Option<Patterns>,
    /// It is among this many newest families; with `tags`, among those that have a matching tag. What ties with the
    /// last of them stays too.
    pub newest: Option<NonZeroU32>,
    /// The newest are counted for each group of tags. An image is in every group that one of its tags is in (with `tags`,
    /// one of its matching tags); one that is in none is not held. Means nothing without `newest`.
    pub group_by: Option<GroupBy>,
    /// It, or something it carries, is younger than this.
    #[serde(serialize_with = "optional_seconds")]
    pub newer_than: Option<TimeDelta>,
    /// It, or something it carries, was pulled within this time, or may have been.
    #[serde(serialize_with = "optional_seconds")]
    pub pulled_within: Option<TimeDelta>,
    /// It is one of these.
    pub digests: Option<BTreeSet<Digest>>,
    /// Its resource tags match, or are not known.
    pub resource_tags: Option<ResourceTagPatterns>,
    /// The rule holds only while the account is at or under this line, or not known. It holds again as soon as older
    /// families that go by a line have brought the account there.
    pub unless_usage_above: Option<Bytes>,
}

/// What may go. Every condition that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeleteRule {
    /// The owner's name for it.
    pub name: RuleName,
    /// Which images it is about at all.
    pub selects: Selects,
    /// It is at least this old.
    #[serde(serialize_with = "optional_seconds")]
    pub older_than: Option<TimeDelta>,
    /// It was certainly neither pulled nor pushed nor tagged for this long, nor was anything it carries.
    #[serde(serialize_with = "optional_seconds")]
    pub not_pulled_for: Option<TimeDelta>,
    /// The rule takes only while the account is above this line: the fewest families, oldest first, until it is there.
    pub while_usage_above: Option<Bytes>,
}

impl KeepRule {
    /// A rule without conditions, which holds everything.
    pub const fn named(name: RuleName) -> Self {
        Self {
            name,
            tags: None,
            newest: None,
            group_by: None,
            newer_than: None,
            pulled_within: None,
            digests: None,
            resource_tags: None,
            unless_usage_above: None,
        }
    }

    /// True when the rule asks for something of the image itself, whatever its age, its place in an order and the account.
    pub const fn asks_the_image(&self) -> bool {
        self.tags.is_some()
            || self.digests.is_some()
            || self.resource_tags.is_some()
            || self.pulled_within.is_some()
    }
}

impl DeleteRule {
    /// A rule without bounds, which takes everything it is about.
    pub const fn about(name: RuleName, selects: Selects) -> Self {
        Self { name, selects, older_than: None, not_pulled_for: None, while_usage_above: None }
    }
}

impl Policy {
    /// True when a rule asks what changes without a trace in the list of images: pulls or resource tags.
    pub fn asks_what_no_list_shows(&self) -> bool {
        let asks_to_keep = |rule: &KeepRule| rule.pulled_within.is_some() || rule.resource_tags.is_some();
        self.keep.iter().any(asks_to_keep) || self.delete.iter().any(|rule| rule.not_pulled_for.is_some())
    }

    /// The lines that its rules draw.
    pub fn lines(&self) -> impl Iterator<Item = Bytes> {
        let keep = self.keep.iter().filter_map(|rule| rule.unless_usage_above);
        keep.chain(self.delete.iter().filter_map(|rule| rule.while_usage_above))
    }
}

/// Which images a delete rule is about. There is no "all": it must be said (S-11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Selects {
    /// Images without any tag.
    Untagged,
    /// Images with at least one tag.
    Tagged,
    /// Images with at least one tag, and every one of their tags matches (S-18).
    Tags(Patterns),
    /// Images that an Amazon ECR lifecycle document expires by one of its rules. What else they are tagged with does not
    /// save them, as it does not there: the document is what says that these tags may go (S-18).
    Lifecycle(EcrSelection),
}

/// One rule of a lifecycle document, with the document, as the others say what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EcrSelection {
    lifecycle: Arc<EcrLifecycle>,
    rule: usize,
}

impl EcrSelection {
    /// The delete rules that say together what the document says, best priority first.
    pub fn rules(lifecycle: EcrLifecycle) -> Vec<DeleteRule> {
        let lifecycle = Arc::new(lifecycle);
        let select = |(rule, said): (usize, &EcrRule)| {
            let selects = Selects::Lifecycle(Self { lifecycle: Arc::clone(&lifecycle), rule });
            DeleteRule::about(said.name.clone(), selects)
        };
        lifecycle.rules().iter().enumerate().map(select).collect()
    }

    /// The whole document.
    pub fn lifecycle(&self) -> &EcrLifecycle {
        &self.lifecycle
    }

    /// The place of the rule in it.
    pub const fn rule(&self) -> usize {
        self.rule
    }
}

/// What governs one repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectivePolicy<'a> {
    /// Exactly one policy does.
    One(&'a Policy),
    /// None does: everything stays.
    None,
    /// More than one claims it: everything stays until the owners agree.
    Contested(&'a Policy, &'a Policy),
}

impl Policies {
    /// The policy that governs a repository.
    pub fn governing(&self, repository: &RepositoryName) -> EffectivePolicy<'_> {
        let mut claims =
            self.policies.iter().filter(|policy| policy.repositories.matches(repository.as_str()));
        match (claims.next(), claims.next()) {
            (None, _) => EffectivePolicy::None,
            (Some(policy), None) => EffectivePolicy::One(policy),
            (Some(first), Some(second)) => EffectivePolicy::Contested(first, second),
        }
    }
}

fn seconds<S: Serializer>(delta: &TimeDelta, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(delta.num_seconds())
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn optional_seconds<S: Serializer>(delta: &Option<TimeDelta>, serializer: S) -> Result<S::Ok, S::Error> {
    delta.map(|delta| delta.num_seconds()).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(project: &str, pattern: &str) -> Policy {
        Policy {
            project: project.to_owned(),
            repositories: Patterns::new(vec![pattern.parse().unwrap()]).unwrap(),
            keep: Vec::new(),
            delete: Vec::new(),
            enforce_public: false,
            enforce_signed: false,
        }
    }

    #[test]
    fn exactly_one_policy_governs_or_everything_stays() {
        let policies = Policies {
            guardrails: Guardrails::default(),
            policies: vec![policy("a", "mgh-*"), policy("b", "*-docs")],
        };
        let governing = |name: &str| policies.governing(&name.parse().unwrap());
        assert!(matches!(governing("mgh-website"), EffectivePolicy::One(p) if p.project == "a"));
        assert!(matches!(governing("other"), EffectivePolicy::None));
        assert!(matches!(governing("mgh-docs"), EffectivePolicy::Contested(_, _)));
    }
}
