//! How the simulated services refuse: the statuses and codes of the real ones, without their bodies.
//! <https://docs.oracle.com/en-us/iaas/Content/API/References/apierrors.htm>

/// A refusal of the Artifacts API or of the registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// Not there, or not permitted: the cloud says the same for both.
    #[error("authorization failed or requested resource not found")]
    NotAuthorizedOrNotFound,
    /// The resource is no longer as it was read.
    #[error("the etag does not match that of the existing resource")]
    NoEtagMatch,
    /// The resource is in a state that does not allow it now.
    #[error("the resource is in a state that does not allow this: {state}")]
    IncorrectState {
        /// The state it is in.
        state: &'static str,
    },
    /// It contradicts what is there.
    #[error("conflict: {what}")]
    Conflict {
        /// What contradicts.
        what: String,
    },
    /// A parameter that makes no sense, made-up page tokens among them.
    #[error("invalid parameter: {what}")]
    InvalidParameter {
        /// Which, and why.
        what: String,
    },
    /// A parameter that is wanted and absent.
    #[error("missing parameter: {what}")]
    MissingParameter {
        /// Which.
        what: &'static str,
    },
    /// The registry has no such manifest. An index with a missing child says so to whoever pulls it.
    #[error("manifest unknown: {reference}")]
    ManifestUnknown {
        /// The tag or digest that was asked for.
        reference: String,
    },
    /// A pushed index names a manifest that the repository does not have.
    #[error("manifest references a manifest unknown to the repository: {digest}")]
    ManifestBlobUnknown {
        /// The digest that is missing.
        digest: String,
    },
    /// The registry has no such blob, or the simulator never made up its bytes.
    #[error("blob unknown: {digest}")]
    BlobUnknown {
        /// The digest that was asked for.
        digest: String,
    },
}

impl ApiError {
    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::NotAuthorizedOrNotFound | Self::ManifestUnknown { .. } | Self::BlobUnknown { .. } => 404,
            Self::NoEtagMatch => 412,
            Self::IncorrectState { .. } | Self::Conflict { .. } => 409,
            Self::InvalidParameter { .. }
            | Self::MissingParameter { .. }
            | Self::ManifestBlobUnknown { .. } => 400,
        }
    }

    /// The code in the error body: Oracle's for the Artifacts API, the distribution specification's for the registry.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAuthorizedOrNotFound => "NotAuthorizedOrNotFound",
            Self::NoEtagMatch => "NoEtagMatch",
            Self::IncorrectState { .. } => "IncorrectState",
            Self::Conflict { .. } => "Conflict",
            Self::InvalidParameter { .. } => "InvalidParameter",
            Self::MissingParameter { .. } => "MissingParameter",
            Self::ManifestUnknown { .. } => "MANIFEST_UNKNOWN",
            Self::ManifestBlobUnknown { .. } => "MANIFEST_BLOB_UNKNOWN",
            Self::BlobUnknown { .. } => "BLOB_UNKNOWN",
        }
    }
}
