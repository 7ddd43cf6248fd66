//! Why signing in failed. No variant holds a key, a token or the body of an answer that had one.

use chrono::{DateTime, Utc};
use ocird_model::TenancyId;

use crate::{OciError, ProfileError};

/// Why there is nothing to sign with.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The metadata service did not answer, or not as it should.
    #[error("reading {path} from the metadata service failed (does this run on an instance of the cloud?)")]
    Metadata {
        /// What was asked for.
        path: &'static str,
        /// The failure of the call.
        #[source]
        source: OciError,
    },
    /// Something the metadata service gave makes no sense.
    #[error("{path} of the metadata service is unusable: {detail}")]
    Document {
        /// What was asked for.
        path: &'static str,
        /// What is wrong with it.
        detail: &'static str,
    },
    /// The key is not the certificate's, several times in a row.
    #[error("the instance's key does not belong to its certificate")]
    KeyMismatch,
    /// The credentials are of another tenancy than the first ones were.
    #[error("the credentials are of tenancy {is}, but were of {was} before")]
    TenancyChanged {
        /// The tenancy of the first certificate or profile.
        was: TenancyId,
        /// The tenancy of the present one.
        is: TenancyId,
    },
    /// The profile cannot be used, or not any more.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// Neither the settings nor the profile name a region.
    #[error("no region is set, and the profile names none; set `region` in one of the two")]
    NoRegion,
    /// The region is neither in the table, nor described by the operator, nor the instance's own.
    #[error(
        "region {name:?} is unknown; describe it in OCI_REGION_METADATA, as `regionInfo` of the metadata service does, \
         or set every endpoint"
    )]
    UnknownRegion {
        /// The region as it was set or reported.
        name: String,
    },
    /// The process is about to end.
    #[error("signing in was interrupted")]
    Interrupted,
    /// No session key could be made.
    #[error("no session key could be generated")]
    KeyGeneration,
    /// The federation service gave no token.
    #[error("the federation service gave no token")]
    Federation {
        /// The failure of the call.
        #[source]
        source: OciError,
    },
    /// The token makes no sense.
    #[error("the token of the federation service is unusable: {detail}")]
    Token {
        /// What is wrong with it.
        detail: &'static str,
    },
    /// The token has expired on arrival: the clock is wrong.
    #[error(
        "the new token expired at {expired_at}, yet it is {now} by this host's clock; is the clock right?"
    )]
    ExpiredOnArrival {
        /// The token's end.
        expired_at: DateTime<Utc>,
        /// The present by our clock.
        now: DateTime<Utc>,
    },
}
