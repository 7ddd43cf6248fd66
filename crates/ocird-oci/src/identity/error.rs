//! Why signing in failed. No variant holds a key, a token or the body of an answer that had one.

use chrono::{DateTime, Utc};
use ocird_model::TenancyId;

use crate::OciError;

/// Why there is no token to sign with.
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
    /// The certificate is of another tenancy than the first one was.
    #[error("the instance's certificate is of tenancy {is}, but was of {was} before")]
    TenancyChanged {
        /// The first certificate's tenancy.
        was: TenancyId,
        /// The present certificate's tenancy.
        is: TenancyId,
    },
    /// The region is neither in the table nor the instance's own.
    #[error("region {name:?} is unknown")]
    UnknownRegion {
        /// The region as it was set or reported.
        name: String,
    },
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
