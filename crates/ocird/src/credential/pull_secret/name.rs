//! Names as Kubernetes takes them. They go into the path of a request, so nothing else gets through.
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>

use std::fmt;
use std::str::FromStr;

/// The longest label of a name, in bytes.
const MAX_LABEL: usize = 63;
/// The longest name of an object, in bytes.
const MAX_NAME: usize = 253;

/// The name of a namespace: one label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NamespaceName(String);

/// The name of a secret: labels with dots between them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SecretName(String);

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameError {
    /// Of a namespace.
    #[error(
        "a namespace is at most 63 small letters, digits and dashes, and neither begins nor ends with a dash"
    )]
    Namespace,
    /// Of a secret.
    #[error(
        "a secret's name is at most 253 small letters, digits, dashes and dots, and each part begins and ends with a \
         letter or digit"
    )]
    Secret,
}

impl NamespaceName {
    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl SecretName {
    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NamespaceName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let is_name = text.len() <= MAX_LABEL && is_label(text);
        is_name.then(|| Self(text.to_owned())).ok_or(NameError::Namespace)
    }
}

impl FromStr for SecretName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let is_name = text.len() <= MAX_NAME && text.split('.').all(is_label);
        is_name.then(|| Self(text.to_owned())).ok_or(NameError::Secret)
    }
}

impl fmt::Display for NamespaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_label(text: &str) -> bool {
    let is_inside = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-';
    !text.is_empty() && text.bytes().all(is_inside) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_kubernetes_takes() {
        for name in ["a", "todo-prod", "0", "kube-system"] {
            assert_eq!(name.parse::<NamespaceName>().unwrap().as_str(), name);
            assert_eq!(name.parse::<SecretName>().unwrap().as_str(), name);
        }
        assert_eq!("ocir.pull".parse::<SecretName>().unwrap().as_str(), "ocir.pull");
        assert!("a".repeat(63).parse::<NamespaceName>().is_ok());
        assert!("a".repeat(253).parse::<SecretName>().is_ok());
    }

    #[test]
    fn nothing_gets_through_that_would_lead_a_request_elsewhere() {
        for name in
            ["", " ", "-a", "a-", "A", "a/b", "..", "a..b", "a_b", "a%2fb", "a?b", "a#b", "\u{430}", "a\n"]
        {
            assert!(name.parse::<NamespaceName>().is_err(), "{name:?}");
            assert!(name.parse::<SecretName>().is_err(), "{name:?}");
        }
        assert!("ocir.pull".parse::<NamespaceName>().is_err());
        assert!("a".repeat(64).parse::<NamespaceName>().is_err());
        assert!("a".repeat(254).parse::<SecretName>().is_err());
    }
}
