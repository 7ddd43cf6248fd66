//! How tags fall into groups, each of which has its own newest: a regular expression with one capture group.

use std::fmt;
use std::str::FromStr;

use regex::bytes::{Regex, RegexBuilder};
use serde::{Serialize, Serializer};

/// A regular expression with exactly one capture group; what that captures of a tag is the tag's group. It is searched for
/// anywhere in the tag unless it begins with `^` and ends with `$`. Matching takes linear time, so that no tag of a pusher
/// can stall it (S-34). Syntax: <https://docs.rs/regex/latest/regex/#syntax>, in ASCII.
#[derive(Clone)]
pub struct GroupBy(Regex);

/// Why a text does not say how tags fall into groups.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ParseGroupByError {
    /// The expression is broken, too long or too large.
    #[error("{text:?} is not a regular expression")]
    Syntax {
        /// The text, cut to 80 characters.
        text: String,
        /// What is wrong with it.
        source: regex::Error,
    },
    /// There is no capture group, or more than one.
    #[error(
        "{text:?} needs exactly one group in parentheses, and has {n_groups}; write (?:...) for what only joins"
    )]
    Groups {
        /// The text, cut to 80 characters.
        text: String,
        /// Number of capture groups that it has.
        n_groups: usize,
    },
}

impl GroupBy {
    /// The largest compiled expression in bytes: any that a person would write fits many times over.
    const MAX_COMPILED: usize = 256 * 1024;

    /// The group of a tag; `None` for a tag that does not match, which is in no group. Tags are ASCII.
    pub fn group<'t>(&self, tag: &'t str) -> Option<&'t str> {
        let captured = self.0.captures(tag.as_bytes())?.get(1)?;
        tag.get(captured.range())
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for GroupBy {
    type Err = ParseGroupByError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown = || text.chars().take(80).collect();
        let regex = RegexBuilder::new(text)
            .unicode(false)
            .size_limit(Self::MAX_COMPILED)
            .build()
            .map_err(|source| ParseGroupByError::Syntax { text: shown(), source })?;
        // The whole match counts as a group too.
        match regex.captures_len() - 1 {
            1 => Ok(Self(regex)),
            n_groups => Err(ParseGroupByError::Groups { text: shown(), n_groups }),
        }
    }
}

impl fmt::Display for GroupBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for GroupBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq for GroupBy {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for GroupBy {}

impl Serialize for GroupBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_in_the_group_that_is_captured() {
        let minor: GroupBy = r"^v(\d+\.\d+)\.".parse().unwrap();
        let cases =
            [("v1.2.3", Some("1.2")), ("v10.0.1-rc", Some("10.0")), ("1.2.3", None), ("latest", None)];
        for (tag, group) in cases {
            assert_eq!(minor.group(tag), group, "{tag}");
        }
        let branch: GroupBy = "^(?:feature|fix)-([a-z]*)".parse().unwrap();
        assert_eq!(branch.group("fix-"), Some(""), "an empty capture is a group of its own");
        let either: GroupBy = "^a(b)?".parse().unwrap();
        assert_eq!(either.group("ac"), None, "a group that took no part is none");
    }

    #[test]
    fn exactly_one_capture_group_is_taken() {
        for (text, n) in [("", 0), ("^v1", 0), ("^(?:v)1", 0), ("^(v)(1)", 2), ("((v))", 2)] {
            let error = text.parse::<GroupBy>().unwrap_err();
            assert!(matches!(error, ParseGroupByError::Groups { n_groups, .. } if n_groups == n), "{text}");
        }
        for text in ["(", "(?=a)(b)", r"(a)\1", "(a{1000}{1000})"] {
            assert!(matches!(text.parse::<GroupBy>(), Err(ParseGroupByError::Syntax { .. })), "{text}");
        }
    }
}
