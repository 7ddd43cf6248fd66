//! What owners say may go and must stay, and the centre's guardrails beneath it.

use std::num::NonZeroU32;

use chrono::TimeDelta;
use serde::{Serialize, Serializer};

use crate::{Patterns, RepositoryName, RuleName};

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
    /// It is younger than this.
    #[serde(serialize_with = "optional_seconds")]
    pub newer_than: Option<TimeDelta>,
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
