//! Oracle's identifiers (OCIDs), one type for each kind of thing, so that an image's can never stand where a
//! repository's is wanted (S-10).
//! <https://docs.oracle.com/en-us/iaas/Content/General/Concepts/identifiers.htm>

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not an OCID of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the OCID of a {what} (wanted {wanted}): {text:?}")]
pub struct ParseOcidError {
    /// The kind of thing that was wanted.
    pub what: &'static str,
    /// How such an OCID starts.
    pub wanted: &'static str,
    /// The text, cut to 80 characters.
    pub text: String,
}

macro_rules! ocid {
    ($(#[$doc:meta])* $type:ident, $what:literal, $($prefix:literal)|+) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// The OCID as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = ParseOcidError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let fits = (false $(|| text.starts_with($prefix))+)
                    && text.len() <= 255
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
                if fits {
                    Ok(Self(text.into()))
                } else {
                    let wanted = concat!($($prefix, "… "),+).trim_end();
                    Err(ParseOcidError { what: $what, wanted, text: text.chars().take(80).collect() })
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

ocid!(
    /// One image: one manifest digest in one repository.
    ImageId,
    "container image",
    "ocid1.containerimage."
);
ocid!(
    /// One repository.
    RepositoryId,
    "container repository",
    "ocid1.containerrepo."
);
ocid!(
    /// A compartment; the tenancy's root compartment has the tenancy's OCID.
    CompartmentId,
    "compartment or tenancy",
    "ocid1.compartment." | "ocid1.tenancy."
);
ocid!(
    /// The tenancy.
    TenancyId,
    "tenancy",
    "ocid1.tenancy."
);
ocid!(
    /// A user, of whom somebody wants to know something or who signs in.
    UserId,
    "user",
    "ocid1.user."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_kind_never_stands_for_another() {
        let image = "ocid1.containerimage.oc1.eu-milan-1.0.ns.abc";
        assert!(image.parse::<ImageId>().is_ok());
        assert!(image.parse::<RepositoryId>().is_err());
        assert!("ocid1.tenancy.oc1..x".parse::<CompartmentId>().is_ok());
        assert!("ocid1.tenancy.oc1..x/../y".parse::<TenancyId>().is_err());
    }
}
