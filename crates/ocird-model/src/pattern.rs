//! The one pattern dialect (S-12): anchored globs, the same for repositories and tags.

use std::fmt;
use std::str::FromStr;

use globset::{Glob, GlobBuilder, GlobMatcher};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An anchored glob: `*` any run (also over `/`), `?` one character, `[a-z]` one of a set, `{a,b}` one of a list,
/// in which an item may be empty as in a shell's. Everything else stands for itself, and the whole name must match.
#[derive(Clone)]
pub struct Pattern {
    glob: Glob,
    matcher: Matcher,
}

/// How a pattern is matched. Most are a name or the beginning of one, and the planner asks them of every tag of every
/// image: comparing bytes is ten times as fast as the automaton of a glob.
#[derive(Clone)]
enum Matcher {
    /// The name itself.
    Name,
    /// Everything that begins with so many of the pattern's bytes.
    Prefix(usize),
    /// Whatever the glob says.
    Glob(GlobMatcher),
}

impl Matcher {
    fn of(glob: &Glob) -> Self {
        let text = glob.glob();
        let stem = text.strip_suffix('*');
        let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b));
        if !is_plain(stem.unwrap_or(text)) {
            return Self::Glob(glob.compile_matcher());
        }
        stem.map_or(Self::Name, |stem| Self::Prefix(stem.len()))
    }
}

/// Why a text is not a pattern.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ParsePatternError {
    /// Blank is never "all" (S-11).
    #[error("an empty pattern matches nothing; write \"*\" for everything")]
    Empty,
    /// A name is printable ASCII, so no other pattern could ever match.
    #[error("pattern {text:?} holds a character that no name can contain")]
    Character {
        /// The pattern.
        text: String,
    },
    /// Brackets or braces do not close, or nest too deep.
    #[error("pattern {text:?} is not a glob")]
    Glob {
        /// The pattern.
        text: String,
        /// What is wrong with it.
        source: globset::Error,
    },
}

impl Pattern {
    /// The longest pattern in bytes; a longer one is a mistake, and compiling is not free.
    const MAX_LENGTH: usize = 512;

    /// True when the whole of `name` matches.
    pub fn matches(&self, name: &str) -> bool {
        match &self.matcher {
            Matcher::Name => name == self.as_str(),
            Matcher::Prefix(length) => name.as_bytes().starts_with(&self.as_str().as_bytes()[..*length]),
            Matcher::Glob(glob) => glob.is_match(name),
        }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        self.glob.glob()
    }
}

impl FromStr for Pattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Err(ParsePatternError::Empty);
        }
        if text.len() > Self::MAX_LENGTH || !text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
            return Err(ParsePatternError::Character { text: text.chars().take(80).collect() });
        }
        let glob = GlobBuilder::new(text)
            .literal_separator(false)
            .backslash_escape(false)
            .empty_alternates(true)
            .build()
            .map_err(|source| ParsePatternError::Glob { text: text.to_owned(), source })?;
        Ok(Self { matcher: Matcher::of(&glob), glob })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// One or more patterns; a name matches when any of them does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Patterns(Vec<Pattern>);

impl Patterns {
    /// The patterns, or `None` when the list is empty: an empty list never means "all" (S-11).
    pub fn new(patterns: Vec<Pattern>) -> Option<Self> {
        (!patterns.is_empty()).then_some(Self(patterns))
    }

    /// The single pattern that matches every name.
    ///
    /// # Panics
    /// Never: a lone star is a glob.
    pub fn all() -> Self {
        Self(vec!["*".parse().expect("a lone star is a glob")])
    }

    /// True when any pattern matches the whole of `name`.
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(name))
    }

    /// The patterns in the order they were written.
    pub fn iter(&self) -> impl Iterator<Item = &Pattern> {
        self.0.iter()
    }
}

impl fmt::Display for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, pattern) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{pattern}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_short_ways_answer_as_the_glob_does(
            pattern in "[ab/.*-]{1,4}|[ab]{0,2}\\*", names in proptest::collection::vec("[ab/.-]{0,5}", 1..20),
        ) {
            let pattern: Pattern = pattern.parse().unwrap();
            let glob = pattern.glob.compile_matcher();
            for name in names {
                prop_assert_eq!(pattern.matches(&name), glob.is_match(&name), "{} on {:?}", pattern, name);
            }
        }
    }

    #[test]
    fn a_pattern_is_anchored_at_both_ends() {
        let cases = [
            ("prod", "prod", true),
            ("prod", "prod-1", false),
            ("prod", "my-prod", false),
            ("prod-*", "prod-", true),
            ("*", "team/app", true),
            ("mgh-*", "mgh-a/b", true),
            ("v?", "v1", true),
            ("v?", "v12", false),
            ("v[0-9]", "vx", false),
            ("{prod,staging}", "staging", true),
            ("{prod,staging}", "prod,staging", false),
            ("prod{,-eu}", "prod", true),
            ("prod{,-eu}", "prod-eu", true),
            ("prod{,-eu}", "prod-us", false),
            ("PROD", "prod", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(pattern.parse::<Pattern>().unwrap().matches(name), expected, "{pattern} on {name}");
        }
    }

    #[test]
    fn blank_is_never_all() {
        for text in ["", " ", "\t"] {
            assert!(matches!(text.parse::<Pattern>(), Err(ParsePatternError::Empty)), "{text:?}");
        }
        assert!(Patterns::new(Vec::new()).is_none());
    }

    #[test]
    fn broken_globs_and_impossible_characters_are_refused() {
        for text in ["[a", "{a,b", "a b", "a\\b", "é", &"x".repeat(600)] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }
}
