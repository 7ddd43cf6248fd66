//! The other side of the admin socket: asks the daemon on this machine, and tells apart that there is none, that one may not
//! ask, and that the daemon would not or could not.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::{ProblemBody, ProblemKind};
use super::wire::Answer;

/// How long a daemon may take to answer what it knows.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks the daemon of one socket.
#[derive(Debug)]
pub(crate) struct AdminClient {
    socket: PathBuf,
    patience: Duration,
}

/// Why there is no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// Nobody answers.
    #[error("no daemon answers at {}: {why}", socket.display())]
    NoDaemon {
        /// The socket.
        socket: PathBuf,
        /// What happened, in the words of the system. Of the chain of causes the last says it.
        why: String,
    },
    /// The file system lets nobody of this user near the socket, or the daemon lets nobody of this user in.
    #[error("{detail}")]
    Denied {
        /// Who may.
        detail: String,
    },
    /// The daemon did not do it.
    #[error("{detail}")]
    Problem {
        /// Why not.
        detail: String,
    },
    /// The answer is not one of this version's.
    #[error("the daemon's answer is not one of this version's")]
    Foreign {
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl AdminClient {
    /// For the daemon of this socket.
    pub(crate) fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned(), patience: PATIENCE }
    }

    /// The same, for a command that may take long.
    pub(crate) fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Asks a question.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Answer<T>, AskError> {
        self.ask(Method::GET, path, &()).await
    }

    /// Gives a command.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        question: &impl Serialize,
    ) -> Result<Answer<T>, AskError> {
        self.ask(Method::POST, path, question).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        question: &impl Serialize,
    ) -> Result<Answer<T>, AskError> {
        let answered = self.exchange(method, path, question).await;
        let (is_success, body) = answered.map_err(|error| self.unanswered(&error))?;
        let foreign = |source: serde_json::Error| AskError::Foreign { source: source.into() };
        if is_success {
            return serde_json::from_slice(&body).map_err(foreign);
        }
        let ProblemBody { code, detail, .. } = serde_json::from_slice(&body).map_err(foreign)?;
        if code == ProblemKind::Denied.code() {
            return Err(AskError::Denied { detail });
        }
        Err(AskError::Problem { detail })
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        question: &impl Serialize,
    ) -> Result<(bool, Vec<u8>), reqwest::Error> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(self.patience)
            .tls_certs_only([])
            .unix_socket(self.socket.as_path())
            .build()?;
        // The host is never looked up: the connection is the socket.
        let request = client.request(method.clone(), format!("http://localhost{path}"));
        let request = if method == Method::POST { request.json(question) } else { request };
        let answer = request.send().await?;
        let is_success = answer.status().is_success();
        Ok((is_success, answer.bytes().await?.to_vec()))
    }

    fn unanswered(&self, error: &reqwest::Error) -> AskError {
        if io_kind(error) == Some(io::ErrorKind::PermissionDenied) {
            let socket = self.socket.display();
            return AskError::Denied {
                detail: format!(
                    "this user may not use {socket}: run it as root, as the daemon's user, or as a member of the group of \
                     [admin]"
                ),
            };
        }
        AskError::NoDaemon { socket: self.socket.clone(), why: last_cause(error).to_string() }
    }
}

/// What the system said, where it was the system.
fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    last_cause(error).downcast_ref::<io::Error>().map(io::Error::kind)
}

/// The end of the chain of causes.
fn last_cause(error: &reqwest::Error) -> &(dyn std::error::Error + 'static) {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause
}
