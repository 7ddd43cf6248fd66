//! What runs. The registry does not know who uses it, so other sources say (S-4).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Digest, KeepReason, Patterns, RepositoryName, Rule, Tag};

/// What every configured source said about what runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InUse {
    uses: BTreeMap<RepositoryName, Vec<Use>>,
    doubts: Vec<Doubt>,
    answers: Vec<Answer>,
    fresh_until: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Doubt {
    repositories: Patterns,
    why: Arc<str>,
}

/// When a source that covers these repositories looked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    repositories: Patterns,
    looked_at: DateTime<Utc>,
}

/// One thing that uses an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// What it points at.
    pub target: Target,
    /// Who uses it, for people: `web on milan-1 (container)`. It is the same from answer to answer as long as the same
    /// workload uses it: the history of what ran is kept by it.
    pub by: Arc<str>,
    /// In which way.
    pub kind: UseKind,
    /// Since when, by ocird's own history; `None` where no history tells.
    pub since: Option<DateTime<Utc>>,
}

/// In which way something uses an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UseKind {
    /// It runs, is stopped, or is pinned to run next.
    #[default]
    Running,
    /// It ran in one of the last deployments, and a rollback would pull it again.
    Previous,
}

impl UseKind {
    /// True for what runs now or may be started as it is.
    pub fn is_running(&self) -> bool {
        *self == Self::Running
    }
}

impl Use {
    /// Something that runs, since nobody knows when.
    pub fn running(target: Target, by: impl Into<Arc<str>>) -> Self {
        Self { target, by: by.into(), kind: UseKind::Running, since: None }
    }

    /// Why an image that this use points at is kept.
    pub fn reason(&self) -> KeepReason {
        let by = Arc::clone(&self.by);
        match self.kind {
            UseKind::Running => KeepReason::InUse { by },
            UseKind::Previous => KeepReason::RollbackRoom { by },
        }
    }
}

/// What a reference points at inside a repository. At least one of the two is known; with both, both are held.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// The tag it was started by.
    pub tag: Option<Tag>,
    /// The digest that really runs.
    pub digest: Option<Digest>,
}

/// An image reference of this tenancy's registry, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The repository, without the namespace.
    pub repository: RepositoryName,
    /// What it points at there.
    pub target: Target,
}

impl InUse {
    /// Nothing is in use, and that is known.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Adds one use.
    pub fn add(&mut self, repository: RepositoryName, used: Use) {
        self.uses.entry(repository).or_default().push(used);
    }

    /// Says that what runs from these repositories is not known, and why.
    pub fn doubt(&mut self, repositories: Patterns, why: impl Into<Arc<str>>) {
        self.doubts.push(Doubt { repositories, why: why.into() });
    }

    /// Says when a source that covers these repositories looked.
    pub fn answered(&mut self, repositories: Patterns, looked_at: DateTime<Utc>) {
        self.answers.push(Answer { repositories, looked_at });
    }

    /// When the sources that cover a repository looked, the earliest of them: whoever pulled an image after that may run
    /// it, and nobody has said so yet. `None` when no source covers it.
    pub fn looked_at(&self, repository: &RepositoryName) -> Option<DateTime<Utc>> {
        let covering = self.answers.iter().filter(|answer| answer.repositories.matches(repository.as_str()));
        covering.map(|answer| answer.looked_at).min()
    }

    /// True when everything that this names as used was so before, and every doubt stood before, by whatever words: then a plan
    /// that was made by `before` holds all that this would hold. What runs no more, who runs it and in which order it is told
    /// add nothing: in a busy cluster these change from one second to the next.
    pub fn adds_nothing_to(&self, before: &Self) -> bool {
        let is_known = |(repository, uses): (&RepositoryName, &Vec<Use>)| {
            let known: BTreeSet<&Target> =
                before.uses.get(repository).into_iter().flatten().map(|used| &used.target).collect();
            uses.iter().all(|used| known.contains(&used.target))
        };
        let is_doubted = |doubted: &Patterns| before.doubted().any(|known| known == doubted);
        self.uses.iter().all(is_known) && self.doubted().all(is_doubted)
    }

    fn doubted(&self) -> impl Iterator<Item = &Patterns> {
        self.doubts.iter().map(|doubt| &doubt.repositories)
    }

    /// Changes every use, such as to say since when it is one.
    pub fn change_each(&mut self, mut change: impl FnMut(&RepositoryName, &mut Use)) {
        for (repository, uses) in &mut self.uses {
            for used in uses {
                change(repository, used);
            }
        }
    }

    /// Says until when one of the answers may be believed; the earliest counts.
    pub fn expires(&mut self, at: DateTime<Utc>) {
        self.fresh_until = Some(self.fresh_until.map_or(at, |known| known.min(at)));
    }

    /// The uses known for a repository; complete only when [`InUse::doubt_about`] is `None`.
    pub fn uses(&self, repository: &RepositoryName) -> &[Use] {
        if !Rule::S4.in_force() {
            return &[];
        }
        self.uses.get(repository).map_or(&[], Vec::as_slice)
    }

    /// Every repository with a use, with its uses.
    pub fn all(&self) -> impl Iterator<Item = (&RepositoryName, &[Use])> {
        self.uses.iter().map(|(name, uses)| (name, uses.as_slice()))
    }

    /// Why it is not known what runs from this repository; `None` when it is known. The planner and the check both ask here,
    /// and keep what is in doubt (S-4).
    pub fn doubt_about(&self, repository: &RepositoryName) -> Option<&str> {
        if !Rule::S4.in_force() {
            return None;
        }
        self.doubts
            .iter()
            .find(|doubt| doubt.repositories.matches(repository.as_str()))
            .map(|doubt| &*doubt.why)
    }

    /// Every doubt: the repositories it covers, and why.
    pub fn doubts(&self) -> impl Iterator<Item = (&Patterns, &str)> {
        self.doubts.iter().map(|doubt| (&doubt.repositories, &*doubt.why))
    }

    /// True while every answer may still be believed.
    pub fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        !Rule::S4.in_force() || self.fresh_until.is_none_or(|until| now <= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubt_in_other_words_adds_nothing_and_one_of_another_repository_does() {
        let doubting = |repositories: &str, why: &str| {
            let mut in_use = InUse::nothing();
            in_use.doubt(Patterns::new(vec![repositories.parse().unwrap()]).unwrap(), why);
            in_use
        };
        let before = doubting("api-*", "502, request 17");
        assert!(doubting("api-*", "502, request 18").adds_nothing_to(&before));
        assert!(!doubting("web-*", "502, request 17").adds_nothing_to(&before));
        assert!(InUse::nothing().adds_nothing_to(&before));
        assert!(!before.adds_nothing_to(&InUse::nothing()));
    }

    #[test]
    fn only_what_was_not_used_before_adds_something() {
        let using = |tags: &[(&str, &str)]| {
            let mut in_use = InUse::nothing();
            for (tag, by) in tags {
                let target = Target { tag: Some(tag.parse().unwrap()), digest: None };
                in_use.add("api".parse().unwrap(), Use::running(target, *by));
            }
            in_use
        };
        let before = using(&[("v1", "a"), ("v2", "b")]);
        for same in [using(&[("v2", "c"), ("v1", "a")]), using(&[("v2", "b"), ("v2", "d")]), InUse::nothing()]
        {
            assert!(same.adds_nothing_to(&before), "{same:?}");
        }
        assert!(!using(&[("v1", "a"), ("v3", "a")]).adds_nothing_to(&before));
        let mut elsewhere = InUse::nothing();
        let target = Target { tag: Some("v1".parse().unwrap()), digest: None };
        elsewhere.add("web".parse().unwrap(), Use::running(target, "a"));
        assert!(!elsewhere.adds_nothing_to(&before));
    }
}
