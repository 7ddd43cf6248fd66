//! The differences between the SDK and ocird that are meant, with the reason for each.

use crate::difference::Difference;

/// A difference that is meant.
#[derive(Debug)]
pub(crate) struct Allowed {
    /// The operation; `None` for every one.
    operation: Option<&'static str>,
    part: &'static str,
    theirs: &'static str,
    ours: &'static str,
    /// Why it does not matter, or why it is better so.
    #[expect(dead_code, reason = "for readers, and for the message of a failed test")]
    reason: &'static str,
}

impl Allowed {
    pub(crate) fn covers(&self, found: &Difference) -> bool {
        self.operation.is_none_or(|operation| operation == found.operation)
            && (self.part, self.theirs, self.ours)
                == (found.part.as_str(), found.theirs.as_str(), found.ours.as_str())
    }
}

/// Of every operation.
const fn everywhere(
    part: &'static str,
    theirs: &'static str,
    ours: &'static str,
    reason: &'static str,
) -> Allowed {
    Allowed { operation: None, part, theirs, ours, reason }
}

/// Of one operation.
const fn only(
    operation: &'static str,
    part: &'static str,
    theirs: &'static str,
    ours: &'static str,
    reason: &'static str,
) -> Allowed {
    Allowed { operation: Some(operation), part, theirs, ours, reason }
}

/// Every one of them. None touches what is signed, beyond the two forms of the certificate's fingerprint.
pub(crate) const ALLOWED: &[Allowed] = &[
    everywhere("header connection", "keep-alive", "", "the default of HTTP/1.1"),
    everywhere("header accept-encoding", "gzip, deflate", "", "answers are bounded before they are unpacked"),
    everywhere("header opc-client-info", "<client>", "", "says who the client is, to nobody who minds"),
    everywhere("header opc-client-retries", "true", "", "says that the client retries, to nobody who minds"),
    everywhere("header opc-request-id", "<32 characters>", "", "optional; the service makes one of its own"),
    everywhere("header content-type", "application/json", "", "unsigned, on requests without a body"),
    everywhere("encoding of ' '", "+", "%20", "both mean a blank, and each client signs what it sends"),
    only(
        "Federate",
        "key id",
        "<tenancy>/fed-x509/<20 bytes in upper case>",
        "<tenancy>/fed-x509-sha256/<32 bytes in upper case>",
        "SHA-256 as the SDKs for Go and Java have it; the one for Python still uses SHA-1",
    ),
    only("Federate", "body fingerprintAlgorithm", "", "\"SHA256\"", "belongs to the key id"),
    only(
        "Federate",
        "body purpose",
        "",
        "\"DEFAULT\"",
        "as the SDK for Java; the one for Python leaves the default out",
    ),
    only("Federate", "header accept", "*/*", "application/json", "what is understood is asked for"),
    only(
        "GetMetadata",
        "path",
        "/opc/v2/instance/region",
        "/opc/v2/instance/regionInfo",
        "tells the realm as well, and so needs no table; where it is not there, `region` is asked for",
    ),
    only(
        "DeleteContainerImage",
        "header content-length",
        "<length of the body>",
        "",
        "there is no body; the SDK says that it has no bytes",
    ),
    only(
        "RestoreContainerImage",
        "header opc-retry-token",
        "<30 characters>",
        "<32 characters>",
        "as long as the SDK for Go makes it; to the service it is any text",
    ),
    only(
        "RemoveContainerVersion",
        "header opc-retry-token",
        "<30 characters>",
        "<32 characters>",
        "as long as the SDK for Go makes it; to the service it is any text",
    ),
];
