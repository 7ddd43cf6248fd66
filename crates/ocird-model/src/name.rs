//! Names that people and pushers give: tags, repositories, namespaces, rules. A pusher is an adversary (S-34), so
//! a name is checked once, here, and is plain printable ASCII ever after.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not a name of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {what} ({rule}): {text:?}")]
pub struct ParseNameError {
    /// The kind of name that was wanted.
    pub what: &'static str,
    /// What such a name must look like.
    pub rule: &'static str,
    /// The text, cut to 80 characters.
    pub text: String,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $rule:literal, $accepts:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = ParseNameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let accepts: fn(&str) -> bool = $accepts;
                if accepts(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(ParseNameError { what: $what, rule: $rule, text: text.chars().take(80).collect() })
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    };
}

name!(
    /// A tag of an image; the Artifacts API calls it a version. Grammar of the OCI distribution specification.
    Tag,
    "tag",
    "1 to 128 of A-Z a-z 0-9 _ . -, not starting with . or -",
    |text| {
        text.len() <= 128
            && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
    }
);

name!(
    /// The name of a repository without the tenancy's namespace, such as `mgh-website` or `team/app`. A `/` means
    /// nothing.
    RepositoryName,
    "repository name",
    "1 to 255 of A-Z a-z 0-9 _ . - /, starting with a letter or digit",
    |text| {
        text.len() <= 255
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'/'))
    }
);

name!(
    /// The tenancy's Object Storage namespace: the first part of every image path.
    Namespace,
    "namespace",
    "1 to 255 of A-Z a-z 0-9 _ -",
    |text| {
        !text.is_empty()
            && text.len() <= 255
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    }
);

name!(
    /// The name an owner gave a keep or delete rule; it appears in every verdict the rule causes.
    RuleName,
    "rule name",
    "1 to 80 printable ASCII characters without quotes or backslash",
    |text| {
        !text.trim().is_empty()
            && text.len() <= 80
            && text.bytes().all(|b| (b' '..=b'~').contains(&b) && !matches!(b, b'"' | b'\\'))
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_follow_the_distribution_grammar() {
        for good in ["latest", "v1.2.3", "_x", "sha256-ab.sig", &"a".repeat(128)] {
            assert!(good.parse::<Tag>().is_ok(), "{good}");
        }
        for bad in ["", ".x", "-x", "a b", "a/b", "a\u{1b}[31m", "é", &"a".repeat(129)] {
            assert!(bad.parse::<Tag>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_refused_name_says_what_was_wanted_without_repeating_it_at_length() {
        let error = "x y".repeat(100).parse::<RepositoryName>().unwrap_err();
        assert_eq!(error.text.len(), 80);
        assert!(error.to_string().starts_with("not a repository name (1 to 255"), "{error}");
    }
}
