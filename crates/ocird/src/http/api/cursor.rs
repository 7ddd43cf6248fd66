//! The place at which a part of a list ends, as a client carries it to the next: opaque to it. It holds the row's own key and
//! not a count, so that rows which come and go in between are neither told twice nor left out.
//!
//! Any bytes are a place. What a client makes up leads to a part that begins somewhere, never to an error and never to more
//! than the list holds.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Serialize, Serializer};

/// The longest cursor, in bytes; in digits twice that. The longest key of ours is a repository's name with a tag and a digest.
const MAX_BYTES: usize = 512;

/// So many bytes of a hash tell apart keys that are cut.
const N_HASH: usize = 16;

/// A place in a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cursor(Vec<u8>);

/// Why a text is not a cursor.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a cursor as the part before gave it in next")]
pub(super) struct ParseCursorError;

impl Cursor {
    /// The place of this key.
    pub(super) const fn new(key: Vec<u8>) -> Self {
        Self(key)
    }

    /// The key of a row that these parts tell apart, in their order. One that is too long is cut, and told apart by a hash.
    pub(super) fn key_of(parts: &[&[u8]]) -> Vec<u8> {
        let mut key = parts.join(&0);
        if key.len() > MAX_BYTES {
            let hash = digest(&SHA256, &key);
            key.truncate(MAX_BYTES - N_HASH);
            key.extend(&hash.as_ref()[..N_HASH]);
        }
        key
    }

    /// The place of this number.
    pub(super) fn of_number(number: i64) -> Self {
        Self(number.to_be_bytes().to_vec())
    }

    /// The key.
    pub(super) fn key(&self) -> &[u8] {
        &self.0
    }

    /// The number; what is missing of it is zero.
    pub(super) fn number(&self) -> i64 {
        let mut bytes = [0; size_of::<i64>()];
        let given = &self.0[..self.0.len().min(bytes.len())];
        bytes[..given.len()].copy_from_slice(given);
        i64::from_be_bytes(bytes)
    }
}

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.as_bytes();
        if digits.is_empty() || !digits.len().is_multiple_of(2) || digits.len() > 2 * MAX_BYTES {
            return Err(ParseCursorError);
        }
        let byte = |pair: &[u8]| Some(nibble(pair[0])? << 4 | nibble(pair[1])?);
        digits.chunks_exact(2).map(byte).collect::<Option<_>>().map(Self).ok_or(ParseCursorError)
    }
}

/// The value of a lower-case hex digit.
const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "a", "AB", "0g", " 00", "0x00", "\u{e9}", &"00".repeat(MAX_BYTES + 1)] {
            assert_eq!(text.parse::<Cursor>(), Err(ParseCursorError), "{text}");
        }
    }

    #[test]
    fn long_keys_are_cut_and_stay_apart() {
        let name = "n".repeat(MAX_BYTES);
        let [a, b] = [b"a", b"b"].map(|last| Cursor::key_of(&[name.as_bytes(), last]));
        assert_ne!(a, b);
        assert_eq!(Cursor::new(a.clone()).to_string().parse::<Cursor>().unwrap().key(), a);
        assert!(Cursor::key_of(&[b"a", b"z"]) < Cursor::key_of(&[b"aa", b"b"]), "in the order of the parts");
    }

    proptest! {
        #[test]
        fn a_cursor_survives_its_journey(key in prop::collection::vec(any::<u8>(), 1..MAX_BYTES), number in any::<i64>()) {
            let cursor = Cursor::new(key);
            prop_assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
            prop_assert_eq!(Cursor::of_number(number).to_string().parse::<Cursor>().unwrap().number(), number);
        }
    }
}
