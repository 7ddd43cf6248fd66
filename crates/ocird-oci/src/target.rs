//! The path and query of a request, percent-encoded once: the same bytes are signed and sent.

use std::fmt::Write as _;

/// A path with its query, as it stands in the request line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target(String);

impl Target {
    /// A target of this path, which must be in its encoded form already.
    pub(crate) fn new(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    /// The target with one more query parameter; the value is percent-encoded, the name is ours and needs it not.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        self.0.push_str(name);
        self.0.push('=');
        encode_into(&mut self.0, value);
        self
    }

    /// The target as it is signed and sent.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Appends `text`, with all but the unreserved characters of RFC 3986 percent-encoded. A blank becomes `%20` and
/// never `+`, which the service would sign differently.
fn encode_into(target: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            target.push(char::from(byte));
        } else {
            write!(target, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_and_joined_in_order() {
        let target = Target::new("/p").with("a", "x y+/=&?%é").with("b", "A-z._~9");
        assert_eq!(target.as_str(), "/p?a=x%20y%2B%2F%3D%26%3F%25%C3%A9&b=A-z._~9");
    }
}
