//! The cloud's own tags on an image, which have nothing to do with image tags: free-form ones, and defined ones that live in
//! a namespace. <https://docs.oracle.com/en-us/iaas/Content/Tagging/Concepts/taggingoverview.htm>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Pattern;

/// The resource tags of one image by name: `keep` for a free-form tag, `Retention.keep` for a defined one. No free-form
/// name holds a dot, so the two never meet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceTags(BTreeMap<String, String>);

impl ResourceTags {
    /// The tags with these names and values.
    pub fn new(tags: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(tags.into_iter().collect())
    }

    fn has(&self, name: &str, value: &Pattern) -> bool {
        self.0.iter().any(|(known, text)| known.eq_ignore_ascii_case(name) && value.matches(text))
    }
}

/// Resource tags that a rule asks for: each name with a pattern for its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ResourceTagPatterns(BTreeMap<String, Pattern>);

impl ResourceTagPatterns {
    /// The patterns, or `None` when there are none: an empty table never means "all" (S-11).
    pub fn new(patterns: BTreeMap<String, Pattern>) -> Option<Self> {
        (!patterns.is_empty()).then_some(Self(patterns))
    }

    /// True when every name is there with a value that matches. Names are compared without regard to case, as the cloud
    /// compares those of defined tags.
    pub fn matches(&self, tags: &ResourceTags) -> bool {
        self.0.iter().all(|(name, value)| tags.has(name, value))
    }

    /// Each name with its pattern.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Pattern)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(asked: &[(&str, &str)]) -> ResourceTagPatterns {
        let patterns = asked.iter().map(|(name, value)| ((*name).to_owned(), value.parse().unwrap()));
        ResourceTagPatterns::new(patterns.collect()).unwrap()
    }

    #[test]
    fn every_name_must_be_there_with_a_value_that_matches() {
        let given = [("keep", "yes"), ("Retention.until", "2027-01")];
        let given = ResourceTags::new(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let cases = [
            (vec![("keep", "yes")], true),
            (vec![("Keep", "y*")], true),
            (vec![("keep", "no")], false),
            (vec![("retention.until", "2027-*")], true),
            (vec![("until", "2027-*")], false),
            (vec![("keep", "yes"), ("Retention.until", "*")], true),
            (vec![("keep", "yes"), ("owner", "*")], false),
        ];
        for (wanted, expected) in cases {
            assert_eq!(asked(&wanted).matches(&given), expected, "{wanted:?}");
        }
        assert!(ResourceTagPatterns::new(BTreeMap::new()).is_none());
    }
}
