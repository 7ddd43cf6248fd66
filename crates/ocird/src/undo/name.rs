//! Which image somebody means who holds, releases or restores one: `app:v1`, `app@sha256:1234`, or a whole reference with
//! host and namespace. Unlike `explain`, this names what may no longer be there, so nothing is looked up in a listing.

use std::str::FromStr;

use ocird_model::{Digest, Hold, HoldOn, RepositoryName, Tag};

/// What the hex digits of a digest may be preceded by.
const ALGORITHM: &str = "sha256:";

/// The fewest digits of a digest that name an image.
const MIN_DIGITS: usize = 7;

/// An image as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    /// The path before the tag or digest, as it was written.
    path: String,
    /// Which image of the repository.
    which: Which,
}

/// Which image of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Whichever has this tag.
    Tag(Tag),
    /// The one whose digest begins with these hex digits.
    Digits(String),
}

/// Why a text names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseImageNameError {
    /// Neither tag nor digest.
    #[error("{text:?} names no image: write REPOSITORY:TAG or REPOSITORY@sha256:DIGEST")]
    NoImage {
        /// The text, cut to 80 characters.
        text: String,
    },
    /// What follows the colon is no tag.
    #[error(transparent)]
    Tag(#[from] ocird_model::ParseNameError),
    /// What follows the `@` is no digest, or too little of one.
    #[error("{digits:?} is not a digest of sha256, or fewer than {MIN_DIGITS} digits of one")]
    Digits {
        /// What was written, cut to 80 characters.
        digits: String,
    },
}

impl ImageName {
    /// Which image of its repository.
    pub const fn which(&self) -> &Which {
        &self.which
    }

    /// The repository that is meant, of those that are known. A reference that begins with a host has a namespace after it.
    pub(super) fn repository<'a>(
        &self,
        known: impl IntoIterator<Item = &'a RepositoryName>,
    ) -> Option<&'a RepositoryName> {
        let without_host = match self.path.split_once('/') {
            Some((host, rest)) if host.contains(['.', ':']) => rest.split_once('/').map(|(_, path)| path),
            Some(_) | None => None,
        };
        known.into_iter().find(|name| name.as_str() == self.path || Some(name.as_str()) == without_host)
    }
}

impl Which {
    /// Whether an image of this digest, which has or had these tags, is meant.
    pub(super) fn is<'a>(&self, digest: &Digest, tags: impl IntoIterator<Item = &'a Tag>) -> bool {
        match self {
            Self::Tag(tag) => tags.into_iter().any(|known| known == tag),
            Self::Digits(digits) => digest.hex().starts_with(digits.as_str()),
        }
    }

    /// Whether a hold is on what is meant.
    pub(super) fn is_held_by(&self, hold: &Hold) -> bool {
        match (self, &hold.on) {
            (Self::Tag(tag), HoldOn::Tag(on)) => tag == on,
            (Self::Digits(digits), HoldOn::Digest(digest)) => digest.hex().starts_with(digits.as_str()),
            (Self::Tag(_), HoldOn::Digest(_)) | (Self::Digits(_), HoldOn::Tag(_)) => false,
        }
    }
}

impl FromStr for ImageName {
    type Err = ParseImageNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let cut = |text: &str| text.chars().take(80).collect::<String>();
        let nothing = || ParseImageNameError::NoImage { text: cut(text) };
        if let Some((name, digest)) = text.split_once('@') {
            let digits = digest.strip_prefix(ALGORITHM).unwrap_or(digest).to_ascii_lowercase();
            let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !is_hex || !(MIN_DIGITS..=64).contains(&digits.len()) {
                return Err(ParseImageNameError::Digits { digits: cut(digest) });
            }
            // A tag beside a digest says nothing more.
            let path =
                name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name, |(path, _)| path);
            return if path.is_empty() {
                Err(nothing())
            } else {
                Ok(Self { path: path.to_owned(), which: Which::Digits(digits) })
            };
        }
        match text.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') && !path.is_empty() => {
                Ok(Self { path: path.to_owned(), which: Which::Tag(tag.parse()?) })
            }
            Some(_) | None => Err(nothing()),
        }
    }
}

impl std::fmt::Display for ImageName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.which {
            Which::Tag(tag) => write!(f, "{}:{tag}", self.path),
            Which::Digits(digits) => write!(f, "{}@{ALGORITHM}{digits}", self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<RepositoryName> {
        ["app", "team/app"].map(|name| name.parse().unwrap()).to_vec()
    }

    fn repository(text: &str) -> Option<String> {
        let name: ImageName = text.parse().unwrap();
        name.repository(&known()).map(ToString::to_string)
    }

    #[test]
    fn a_name_is_read_with_and_without_host_and_namespace() {
        assert_eq!(repository("app:v1").as_deref(), Some("app"));
        assert_eq!(repository("team/app:v1").as_deref(), Some("team/app"));
        assert_eq!(repository("lin.ocir.io/ns/team/app:v1").as_deref(), Some("team/app"));
        assert_eq!(repository("127.0.0.1:5000/ns/app@sha256:0123456").as_deref(), Some("app"));
        assert_eq!(repository("lin.ocir.io/app:v1"), None, "a host is followed by a namespace");
        assert_eq!(repository("ns/app:v1"), None, "nothing is cut off that is no host");
    }

    #[test]
    fn what_names_no_image_is_refused() {
        for text in ["app", "", ":v1", "@sha256:0123456", "host:5000/ns/app", "app:", "app:-v", "app@latest"]
        {
            assert!(text.parse::<ImageName>().is_err(), "{text}");
        }
        assert!("app@012345".parse::<ImageName>().is_err(), "six digits are too few");
        assert_eq!("app:v1@SHA256:0".parse::<ImageName>().ok(), None);
    }

    #[test]
    fn digits_name_every_image_that_begins_with_them() {
        let name: ImageName = "app:v2@sha256:ABCDEF0".parse().unwrap();
        assert_eq!(name.to_string(), "app@sha256:abcdef0");
        let digest: Digest = format!("sha256:abcdef0{}", "1".repeat(57)).parse().unwrap();
        assert!(name.which().is(&digest, []));
        assert!(!name.which().is(&Digest::from_bytes([0xab; 32]), []));
    }
}
