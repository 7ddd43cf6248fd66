//! One way to speak to a server that is not the cloud: an engine, a Prometheus server, a Kubernetes API. Bounded in size and
//! time, without redirects or proxies. Asked for something, another status than 200 is an error, never "nothing" (S-2).

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt as _;

/// How long one answer may take from the first byte asked to the last one answered.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer in bytes. A thousand containers or a page of 500 pods with long annotations take some MB.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// The largest file of a token or of certificates, in bytes.
const MAX_FILE: u64 = 1024 * 1024;
/// So much of an error's body is shown.
const MAX_ERROR: usize = 300;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// There was no way to ask.
    #[error("cannot ask")]
    Send(#[source] reqwest::Error),
    /// The answer broke off.
    #[error("the answer broke off")]
    Read(#[source] reqwest::Error),
    /// The answer is larger than the bound.
    #[error("the answer is larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// The answer is a refusal.
    #[error("{status}: {text}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// The beginning of what was said.
        text: String,
    },
    /// The answer is not of the known form.
    #[error("the answer to {path} is not of the known form")]
    Malformed {
        /// What was asked for.
        path: String,
        /// What the reader said.
        source: serde_json::Error,
    },
}

impl AskError {
    /// The status of a refusal.
    pub(crate) const fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, text: _ } => Some(*status),
            Self::Send(_) | Self::Read(_) | Self::TooLarge | Self::Malformed { path: _, source: _ } => None,
        }
    }
}

/// A client that keeps to the bounds above.
pub(crate) fn builder() -> ClientBuilder {
    Client::builder().no_proxy().redirect(Policy::none()).timeout(PATIENCE)
}

/// A client for a Unix socket.
pub(crate) fn on_socket(socket: &Path) -> Result<Client, reqwest::Error> {
    // Without certificates: nothing is encrypted on a socket, and a host without a bundle has engines too.
    builder().unix_socket(socket).tls_certs_only([]).build()
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// A file of it cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What a file or a key of a kubeconfig holds is not what it should be.
    #[error("{what} is not usable")]
    Unusable {
        /// What it should be.
        what: &'static str,
        /// Why, without what it holds: it may be a secret.
        source: BoxedError,
    },
    /// The HTTP client refuses the settings.
    #[error("the HTTP client refuses the settings")]
    Build(#[source] reqwest::Error),
}

/// A cause without its type.
pub(crate) type BoxedError = Box<dyn std::error::Error + Send + Sync>;

impl ClientError {
    /// Something that is not what it should be.
    pub(crate) fn unusable(what: &'static str) -> impl FnOnce(BoxedError) -> Self {
        move |source| Self::Unusable { what, source }
    }
}

/// A client for a server, with its own authorities instead of the system's where a file of them is given, and with the token of
/// a file. Files are read anew for every question: tokens and authorities are replaced while we run.
pub(crate) async fn to_server(
    url: &str,
    token_file: Option<&Path>,
    ca_file: Option<&Path>,
) -> Result<Client, ClientError> {
    let mut builder = builder();
    if let Some(path) = ca_file {
        builder = builder.tls_certs_only(authorities(&read(path).await?)?);
    } else if url.starts_with("http://") {
        // Nothing is encrypted, and a host without a bundle of authorities would be refused for nothing.
        builder = builder.tls_certs_only([]);
    }
    if let Some(path) = token_file {
        let token = read(path).await?;
        builder = builder.default_headers(bearer(&String::from_utf8_lossy(&token))?);
    }
    builder.build().map_err(ClientError::Build)
}

/// The header of a token.
pub(crate) fn bearer(token: &str) -> Result<HeaderMap, ClientError> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim()))
        .map_err(|error| ClientError::unusable("the token")(error.into()))?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

/// The authorities of a PEM bundle; at least one.
pub(crate) fn authorities(pem: &[u8]) -> Result<Vec<Certificate>, ClientError> {
    let what = "the bundle of certificate authorities";
    let all = Certificate::from_pem_bundle(pem).map_err(|error| ClientError::unusable(what)(error.into()))?;
    if all.is_empty() {
        return Err(ClientError::unusable(what)("it holds no certificate".into()));
    }
    Ok(all)
}

/// A small file.
pub(crate) async fn read(path: &Path) -> Result<Vec<u8>, ClientError> {
    let failed = |source| ClientError::File { path: path.to_owned(), source };
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut bytes).await.map_err(failed)?;
    Ok(bytes)
}

/// An answer, whatever its status.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Sends a request and reads its answer to the end.
pub(crate) async fn send(request: RequestBuilder) -> Result<Answered, AskError> {
    let request = request.header(ACCEPT, "application/json");
    let mut response = request.send().await.map_err(AskError::Send)?;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(AskError::Read)? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(AskError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answered { status, headers, body })
}

/// Sends a request and reads what was asked for out of its answer.
pub(crate) async fn ask<T: DeserializeOwned>(request: RequestBuilder, path: &str) -> Result<T, AskError> {
    let Answered { status, headers: _, body } = send(request).await?;
    if status != StatusCode::OK {
        let text = crate::plain::plain(&String::from_utf8_lossy(&body), MAX_ERROR);
        return Err(AskError::Refused { status, text });
    }
    serde_json::from_slice(&body).map_err(|source| AskError::Malformed { path: path.to_owned(), source })
}
