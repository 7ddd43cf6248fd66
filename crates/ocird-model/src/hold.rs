//! A hold: a keep rule made by hand, for one image or one tag of a repository, with an end (S-27). It is part of what a pass
//! sees and not of any policy, so that placing one restarts no mark's grace.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Digest, Image, Tag};

/// One hold. While it is in force, whatever it is on stays, and with it the family.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hold {
    /// What it is on.
    pub on: HoldOn,
    /// Who placed it, for people.
    pub by: Arc<str>,
    /// Why, for people; blank when nobody said.
    pub why: Arc<str>,
    /// When it was placed.
    pub since: DateTime<Utc>,
    /// When it ends; `None` when only a release ends it.
    pub until: Option<DateTime<Utc>>,
}

/// What a hold is on, within its repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldOn {
    /// This very image, whatever tags it has.
    Digest(Digest),
    /// Whichever image has this tag.
    Tag(Tag),
}

impl Hold {
    /// True until its end. A clock that is behind its beginning does not put it out of force: in doubt it holds.
    pub fn is_in_force(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// Whether it is on this image, in force or not.
    pub fn is_on(&self, image: &Image) -> bool {
        self.on.is(&image.digest, image.tags.keys())
    }
}

impl HoldOn {
    /// Whether this is the image of this digest with these tags.
    pub fn is<'t>(&self, digest: &Digest, tags: impl IntoIterator<Item = &'t Tag>) -> bool {
        match self {
            Self::Digest(held) => held == digest,
            Self::Tag(held) => tags.into_iter().any(|tag| tag == held),
        }
    }
}

impl fmt::Display for HoldOn {
    /// As people write it after the repository's name: `:v1` or `@sha256:…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => write!(f, "@{digest}"),
            Self::Tag(tag) => write!(f, ":{tag}"),
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "held by {}", self.by)?;
        if let Some(until) = self.until {
            write!(f, " until {}", until.format("%F %H:%M UTC"))?;
        }
        if self.why.is_empty() { Ok(()) } else { write!(f, ": {}", self.why) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> Tag {
        text.parse().unwrap()
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn hold(until: Option<DateTime<Utc>>) -> Hold {
        let on = HoldOn::Tag(tag("v1"));
        Hold { on, by: "ada".into(), why: "".into(), since: at(100), until }
    }

    #[test]
    fn a_hold_is_in_force_until_its_very_end_and_before_its_beginning() {
        assert!(hold(Some(at(200))).is_in_force(at(199)));
        assert!(!hold(Some(at(200))).is_in_force(at(200)));
        assert!(hold(Some(at(200))).is_in_force(at(0)));
        assert!(hold(None).is_in_force(DateTime::<Utc>::MAX_UTC));
    }

    #[test]
    fn a_hold_on_a_tag_is_on_whoever_has_it_and_one_on_a_digest_on_nobody_else() {
        let (one, other) = (Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]));
        let tags = [tag("v1")];
        assert!(HoldOn::Tag(tag("v1")).is(&one, &tags));
        assert!(!HoldOn::Tag(tag("v2")).is(&one, &tags));
        assert!(HoldOn::Digest(one).is(&one, []));
        assert!(!HoldOn::Digest(one).is(&other, &tags));
    }

    #[test]
    fn a_hold_says_who_until_when_and_why() {
        assert_eq!(hold(None).to_string(), "held by ada");
        let told = Hold { why: "the audit".into(), ..hold(Some(at(0))) };
        assert_eq!(told.to_string(), "held by ada until 1970-01-01 00:00 UTC: the audit");
    }
}
