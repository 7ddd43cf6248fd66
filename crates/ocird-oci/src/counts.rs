//! Counters of what was asked of the cloud and what came back, for metrics. Labels are words of ours: no digest, tag
//! or OCID can get in.

use std::collections::BTreeMap;
use std::sync::Mutex;

use ocird_model::ErrorKind;

/// What has been asked of the cloud since the start, and what came back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// Requests sent, every try counted, by operation (`ListContainerImages`) and outcome: `ok`, or the word of an
    /// [`ErrorKind`].
    pub requests: BTreeMap<(&'static str, &'static str), u64>,
    /// Tries after the first one.
    pub n_retries: u64,
    /// Answers with status 429.
    pub n_throttled: u64,
    /// Calls that may be under way at once at present: 32, and less after an answer with status 429. Those to the
    /// metadata service are not among them.
    pub limit: usize,
    /// Tokens received by signing in.
    pub n_token_refreshes: u64,
    /// Attempts to sign in that failed.
    pub n_token_refresh_failures: u64,
}

/// What the cloud is asked for, by its own names where it has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    GetMetadata,
    Federate,
    ReadProfile,
    GetContainerConfiguration,
    ListContainerRepositories,
    GetContainerRepository,
    ListContainerImages,
    GetContainerImage,
    LookupContainerImageByUri,
    ListContainerImageSignatures,
    DeleteContainerImage,
    RemoveContainerVersion,
    RestoreContainerImage,
    GetAccessToken,
    GetManifest,
    PutManifest,
    ListAuthTokens,
}

impl Operation {
    /// The operation as an error, a metric label and a log field name it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::GetMetadata => "GetMetadata",
            Self::Federate => "Federate",
            Self::ReadProfile => "ReadProfile",
            Self::GetContainerConfiguration => "GetContainerConfiguration",
            Self::ListContainerRepositories => "ListContainerRepositories",
            Self::GetContainerRepository => "GetContainerRepository",
            Self::ListContainerImages => "ListContainerImages",
            Self::GetContainerImage => "GetContainerImage",
            Self::LookupContainerImageByUri => "LookupContainerImageByUri",
            Self::ListContainerImageSignatures => "ListContainerImageSignatures",
            Self::DeleteContainerImage => "DeleteContainerImage",
            Self::RemoveContainerVersion => "RemoveContainerVersion",
            Self::RestoreContainerImage => "RestoreContainerImage",
            Self::GetAccessToken => "GetAccessToken",
            Self::GetManifest => "GetManifest",
            Self::PutManifest => "PutManifest",
            Self::ListAuthTokens => "ListAuthTokens",
        }
    }
}

/// The live counters behind [`CallCounts`].
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<CallCounts>);

impl Counters {
    /// The counters as they stand, beside the present limit on calls at once.
    pub(crate) fn snapshot(&self, limit: usize) -> CallCounts {
        CallCounts { limit, ..self.change(|counts| counts.clone()) }
    }

    /// One try of `operation` ended: well, or with a failure of this kind.
    pub(crate) fn answered(&self, operation: Operation, failure: Option<ErrorKind>) {
        let outcome = failure.map_or("ok", ErrorKind::as_str);
        self.change(|counts| {
            *counts.requests.entry((operation.as_str(), outcome)).or_default() += 1;
            counts.n_throttled += u64::from(failure == Some(ErrorKind::Throttled));
        });
    }

    /// A call is tried once more.
    pub(crate) fn retried(&self) {
        self.change(|counts| counts.n_retries += 1);
    }

    /// Signing in gave a token, or failed.
    pub(crate) fn signed_in(&self, succeeded: bool) {
        self.change(|counts| {
            counts.n_token_refreshes += u64::from(succeeded);
            counts.n_token_refresh_failures += u64::from(!succeeded);
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut CallCounts) -> T) -> T {
        change(&mut self.0.lock().expect("nothing panics while it holds this lock"))
    }
}
