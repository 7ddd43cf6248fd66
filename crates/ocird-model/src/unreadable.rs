//! Why a repository could not be read to the end. There is no default and no partial answer (S-1, S-2).

use serde::{Deserialize, Serialize};

use crate::{Digest, ErrorKind, ImageId};

/// Why nothing may be decided about a repository in this pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Unreadable {
    /// The list of images did not come to its end.
    #[error("listing its images failed ({kind})")]
    Listing {
        /// What kind of failure.
        kind: ErrorKind,
    },
    /// One OCID came with two digests, or one digest with two OCIDs.
    #[error("image {image} is listed with contradicting digests or OCIDs")]
    Contradiction {
        /// The image in question.
        image: ImageId,
    },
    /// The repositories of its compartment could not be listed, so that nobody knows whether it is there (S-2).
    #[error("listing the repositories of its compartment failed ({kind})")]
    Compartment {
        /// What kind of failure.
        kind: ErrorKind,
    },
    /// A row or the repository itself is in a lifecycle state ocird does not know, or the repository is of a kind it does
    /// not know (S-7).
    #[error("it is of an unknown kind, or it or one of its images is in an unknown lifecycle state")]
    UnknownState,
    /// The details of an image could not be read.
    #[error("reading the details of image {image} failed ({kind})")]
    Details {
        /// The image in question.
        image: ImageId,
        /// What kind of failure.
        kind: ErrorKind,
    },
    /// The details of an image contradict its row.
    #[error("the details of image {image} do not agree with its row")]
    Disagreement {
        /// The image in question.
        image: ImageId,
    },
    /// A manifest could not be read, so that nobody knows what it refers to (S-6).
    #[error("reading manifest {digest} failed ({kind})")]
    Manifest {
        /// The manifest in question.
        digest: Digest,
        /// What kind of failure.
        kind: ErrorKind,
    },
    /// More of it is new than is kept in memory at once (S-34): what was read is remembered, and the next look goes on there.
    #[error("more of it is new than is read in one go; the next look goes on")]
    Unfinished,
}

impl Unreadable {
    /// The reason as a metric label and a log field.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Listing { kind: _ } => "listing",
            Self::Contradiction { image: _ } => "contradiction",
            Self::Compartment { kind: _ } => "compartment",
            Self::UnknownState => "unknown_state",
            Self::Details { image: _, kind: _ } => "details",
            Self::Disagreement { image: _ } => "disagreement",
            Self::Manifest { digest: _, kind: _ } => "manifest",
            Self::Unfinished => "unfinished",
        }
    }

    /// Every word that [`Unreadable::as_str`] can answer, so that gauges exist before the first failure.
    pub const ALL: [&'static str; 8] = [
        "compartment",
        "listing",
        "contradiction",
        "unknown_state",
        "details",
        "disagreement",
        "manifest",
        "unfinished",
    ];
}
