//! An Amazon ECR lifecycle policy document, as far as a registry without storage classes can carry it out: the rules that
//! expire images by count or by age since the push.
//!
//! What a rule means is decided by `ocird-plan`; how a document is written and what is refused of it, by the
//! configuration. <https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html>

use std::num::NonZeroU32;

use serde::Serialize;

use crate::RuleName;

/// The rules of a document, best priority first. At least one; no two of one priority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EcrLifecycle(Vec<EcrRule>);

/// One rule of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EcrRule {
    /// Its place in the order of application; 1 is applied first.
    pub priority: NonZeroU32,
    /// What verdicts call it.
    pub name: RuleName,
    /// Which images it is about.
    pub tags: EcrTags,
    /// Which of those it expires.
    pub expires: EcrCount,
}

/// The tag requirement of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EcrTags {
    /// Images without any tag.
    Untagged,
    /// Every image.
    Any,
    /// Images for which each of these is the beginning of some tag.
    Prefixes(Vec<String>),
    /// Images for which each of these matches some tag.
    Patterns(Vec<EcrPattern>),
}

/// A pattern of ECR's own dialect: `*` stands for any run, everything else for itself, and the whole tag must match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct EcrPattern(String);

/// Which of the images that meet its tag requirement a rule expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EcrCount {
    /// All but so many of the newest.
    BeyondNewest(NonZeroU32),
    /// Those pushed more than so many days ago.
    DaysSincePush(NonZeroU32),
}

impl EcrLifecycle {
    /// Puts rules into the order of their priorities. `None` when there are none, or two of one priority.
    pub fn new(mut rules: Vec<EcrRule>) -> Option<Self> {
        rules.sort_by_key(|rule| rule.priority);
        let is_ordered = rules.windows(2).all(|pair| pair[0].priority < pair[1].priority);
        (is_ordered && !rules.is_empty()).then_some(Self(rules))
    }

    /// The rules, best priority first.
    pub fn rules(&self) -> &[EcrRule] {
        &self.0
    }
}

impl EcrTags {
    /// True when an image with these tags meets the requirement. The entries of a list are joined by "and": for each
    /// there must be a tag, and one tag may serve several.
    pub fn are_met_by(&self, tags: &[&str]) -> bool {
        match self {
            Self::Untagged => tags.is_empty(),
            Self::Any => true,
            Self::Prefixes(prefixes) => {
                prefixes.iter().all(|prefix| tags.iter().any(|tag| tag.starts_with(prefix)))
            }
            Self::Patterns(patterns) => {
                patterns.iter().all(|pattern| tags.iter().any(|tag| pattern.matches(tag)))
            }
        }
    }
}

impl EcrPattern {
    /// The most stars that Amazon accepts in one pattern.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html>
    pub const MAX_STARS: usize = 4;

    /// The pattern; `None` for an empty text or too many stars.
    pub fn new(text: &str) -> Option<Self> {
        let n_stars = text.bytes().filter(|&byte| byte == b'*').count();
        (!text.is_empty() && n_stars <= Self::MAX_STARS).then(|| Self(text.to_owned()))
    }

    /// True when the whole of `tag` matches. Taking each middle piece at its first place is enough, as a later place
    /// never leaves more room for the pieces that follow.
    pub fn matches(&self, tag: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else {
            return tag == self.0;
        };
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        let inner = tag.strip_prefix(first).and_then(|tag| tag.strip_suffix(last));
        inner.is_some_and(|inner| {
            middle
                .split('*')
                .try_fold(inner, |left, piece| left.find(piece).map(|at| &left[at + piece.len()..]))
                .is_some()
        })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_and_everything_else_for_itself() {
        for (pattern, tag, expected) in [
            ("prod*", "prod", true),
            ("prod*", "prod-1", true),
            ("prod*", "aprod", false),
            ("*", "anything", true),
            ("*prod*", "my-prod-1", true),
            ("*a*b*c*", "xaxbxcx", true),
            ("*a*b*c*", "cba", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("v[0-9]", "v1", false),
            ("v?", "v1", false),
            ("v1", "v1", true),
            ("v1", "v10", false),
            ("*test*1*2*3", "test123", true),
            ("*test*1*2*3", "test1234", false),
        ] {
            assert_eq!(EcrPattern::new(pattern).unwrap().matches(tag), expected, "{pattern} {tag}");
        }
    }

    #[test]
    fn a_pattern_has_four_stars_at_most_and_is_not_empty() {
        assert!(EcrPattern::new("*a*b*c*").is_some());
        assert!(EcrPattern::new("*a*b*c*d*").is_none());
        assert!(EcrPattern::new("").is_none());
    }

    #[test]
    fn every_entry_of_a_list_needs_a_tag() {
        let both = EcrTags::Prefixes(vec!["alpha".into(), "beta".into()]);
        assert!(both.are_met_by(&["alpha-1", "beta-1"]));
        assert!(!both.are_met_by(&["alpha-1", "alpha-2"]));
        let one_serves_both = EcrTags::Patterns(["a*", "*z"].map(|p| EcrPattern::new(p).unwrap()).into());
        assert!(one_serves_both.are_met_by(&["abcz"]));
    }

    #[test]
    fn rules_are_ordered_by_priority_and_no_two_share_one() {
        let rule = |priority: u32| EcrRule {
            priority: NonZeroU32::new(priority).unwrap(),
            name: format!("lifecycle rule {priority}").parse().unwrap(),
            tags: EcrTags::Any,
            expires: EcrCount::BeyondNewest(NonZeroU32::MIN),
        };
        let lifecycle = EcrLifecycle::new(vec![rule(7), rule(2)]).unwrap();
        assert_eq!(lifecycle.rules().iter().map(|rule| rule.priority.get()).collect::<Vec<_>>(), [2, 7]);
        assert_eq!(EcrLifecycle::new(vec![rule(2), rule(2)]), None);
        assert_eq!(EcrLifecycle::new(Vec::new()), None);
    }
}
