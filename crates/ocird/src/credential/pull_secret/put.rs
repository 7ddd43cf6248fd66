//! Brings a pull secret into a namespace: one server-side apply, by which the fields that stand in it become ours and no
//! other field is touched. It takes the right to `patch` that secret, and to `create` it where it is not there yet; the
//! server asks for both by the secret's name, so that a role may be narrowed to it.
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/>
//!
//! A field that somebody else owns is not taken, unless that is asked for: the secret may be another's. Nothing is read or
//! deleted.

use std::time::Duration;

use ocird_model::Clock;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use serde::Deserialize;

use super::secret::MANAGER;
use super::{NamespaceName, PullSecret};
use crate::client::{self, Answered, AskError};
use crate::cluster::{self, AccessError, Cluster};
use crate::config::KubernetesAccess;
use crate::plain::plain;

/// What the body of an apply is; JSON is YAML.
const APPLY: &str = "application/apply-patch+yaml";
/// How often one apply is sent at most: again only where a later one may be answered otherwise.
const TRIES: u32 = 4;
/// The first wait before another; each later one is twice as long, so that four take seven seconds.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait that a server is granted; whoever keeps secrets fresh comes again anyway.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// So much of what a server says is shown, in characters.
const MAX_SAID: usize = 300;

/// What an apply did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// There was no such secret.
    Created,
    /// It was there, and is new.
    Renewed,
}

/// Why a namespace does not have the secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PutError {
    /// The cluster cannot be reached.
    #[error("cannot reach the cluster")]
    Access(#[from] AccessError),
    /// There was no answer.
    #[error("the cluster does not answer")]
    Ask(#[source] AskError),
    /// The answer is a refusal.
    #[error("{}: {said}{}", status.as_u16(), advice(*status, *is_owned))]
    Refused {
        /// The status.
        status: StatusCode,
        /// What the server said.
        said: String,
        /// Others own fields of the secret.
        is_owned: bool,
        /// How long the server wants to be left alone.
        wait: Option<Duration>,
    },
}

/// Where secrets are put.
#[derive(Debug)]
pub(crate) struct Shelf<C> {
    /// How the cluster is reached.
    pub(crate) access: KubernetesAccess,
    /// Whether fields that others own are taken over.
    pub(crate) takes_over: bool,
    /// For the waits between tries.
    pub(crate) clock: C,
}

/// What the API says instead of an object.
/// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/>
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    message: String,
    details: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Details {
    causes: Option<Vec<Cause>>,
    retry_after_seconds: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cause {
    reason: String,
}

impl PutError {
    /// Whether the same request may be answered otherwise in a moment.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Access(_) => false,
            Self::Ask(error) => matches!(error, AskError::Send(_) | AskError::Read(_)),
            Self::Refused { status, said: _, is_owned, wait: _ } => match *status {
                // Two writers at once, or another owner: the one passes, the other does not.
                StatusCode::CONFLICT => !is_owned,
                StatusCode::TOO_MANY_REQUESTS => true,
                status => status.is_server_error(),
            },
        }
    }

    const fn asked_wait(&self) -> Option<Duration> {
        match self {
            Self::Refused { wait, .. } => *wait,
            Self::Access(_) | Self::Ask(_) => None,
        }
    }
}

impl<C: Clock> Shelf<C> {
    /// Brings the secret into a namespace. Where that may help, it is tried again for some seconds.
    pub(crate) async fn put(&self, namespace: &NamespaceName, secret: &PullSecret) -> Result<Done, PutError> {
        let mut wait = FIRST_WAIT;
        for _ in 1..TRIES {
            match self.put_once(namespace, secret).await {
                Err(error) if error.is_transient() => {
                    self.clock.sleep(error.asked_wait().unwrap_or(wait).min(LONGEST_WAIT)).await;
                    wait *= 2;
                }
                ended => return ended,
            }
        }
        self.put_once(namespace, secret).await
    }

    async fn put_once(&self, namespace: &NamespaceName, secret: &PullSecret) -> Result<Done, PutError> {
        let Cluster { client, server } = cluster::reach(&self.access).await?;
        let name = secret.name();
        let mut request = client
            .patch(format!("{server}/api/v1/namespaces/{namespace}/secrets/{name}"))
            .query(&[("fieldManager", MANAGER)])
            .header(CONTENT_TYPE, APPLY)
            .body(secret.body(namespace));
        if self.takes_over {
            request = request.query(&[("force", "true")]);
        }
        let Answered { status, headers, body } = client::send(request).await.map_err(PutError::Ask)?;
        match status {
            StatusCode::CREATED => Ok(Done::Created),
            StatusCode::OK => Ok(Done::Renewed),
            status => Err(refused(status, &headers, &body, secret)),
        }
    }
}

/// What a refusal says. Whoever answers may quote the request, and nothing of a token is ever shown.
fn refused(status: StatusCode, headers: &HeaderMap, body: &[u8], secret: &PullSecret) -> PutError {
    let Status { message, details } = serde_json::from_slice(body)
        .unwrap_or_else(|_| Status { message: String::from_utf8_lossy(body).into_owned(), details: None });
    let Details { causes, retry_after_seconds } = details.unwrap_or_default();
    let is_owned = causes.iter().flatten().any(|cause| cause.reason == "FieldManagerConflict");
    let said = plain(&message, MAX_SAID);
    let said = if secret.is_repeated_in(&said) {
        "what the server said repeats the token and is not shown".to_owned()
    } else if said.is_empty() {
        status.canonical_reason().unwrap_or("no reason given").to_owned()
    } else {
        said
    };
    let in_header = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let wait =
        in_header.or(Some(retry_after_seconds).filter(|seconds| *seconds > 0)).map(Duration::from_secs);
    PutError::Refused { status, said, is_owned, wait }
}

/// What to do about a refusal, as the end of a sentence.
fn advice(status: StatusCode, is_owned: bool) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => {
            "; the token or certificate by which ocird asks is not, or no longer, good"
        }
        StatusCode::FORBIDDEN => {
            "; deploy/kubernetes/pull-secret-writer.yaml gives the right that is missing"
        }
        StatusCode::NOT_FOUND => "; ocird makes no namespaces",
        StatusCode::CONFLICT if is_owned => {
            "; somebody else keeps this secret: choose another name, or take it over with --force-conflicts"
        }
        StatusCode::UNPROCESSABLE_ENTITY => {
            "; a secret never changes its type: if one of another type has this name, delete it or choose another name"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests;
