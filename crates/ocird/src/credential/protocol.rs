//! What is said between a container engine's command line and its credential helper: the verbs, the texts that clients
//! know by heart, and the JSON. Pure: nothing here reads, writes, asks or decides who gets a credential.
//! <https://github.com/docker/docker-credential-helpers#development>

use std::collections::BTreeMap;
use std::fmt;

use ocird_oci::RegistryLogin;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

/// How the program is called as a helper: the part after `docker-credential-` is what stands in `credHelpers`.
pub(crate) const PROGRAM: &str = "docker-credential-ocir";

/// What a client may ask for, one per run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// The credential of the server on standard input.
    Get,
    /// Keep the credential on standard input.
    Store,
    /// Forget that of the server on standard input.
    Erase,
    /// Which servers there are credentials of.
    List,
    /// What this program is.
    Version,
}

/// Why a client gets nothing: its first line is for the client, which tells the cases apart by their very text, and the
/// rest for the person in front of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// For the client, on standard output.
    pub(crate) reason: Reason,
    /// For the person, on standard error; none when the reason says it all.
    pub(crate) explanation: Option<String>,
}

/// The first line of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// There is no such credential. The client goes on without one, so this is never said of a host of ours.
    NotFound,
    /// No server was named.
    NoServer,
    /// No user was named.
    NoUser,
    /// Anything else.
    Failed(String),
}

/// The three parts of a credential as clients send and expect them.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Credential<'a> {
    #[serde(rename = "ServerURL")]
    server_url: &'a str,
    username: &'a str,
    secret: &'a str,
}

/// The same as a client sends it with `store`. The secret is not even read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stored {
    #[serde(rename = "ServerURL", default)]
    server_url: String,
    #[serde(default)]
    username: String,
}

impl Verb {
    /// The verb of this name, by any of the spellings that clients use.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "get" => Self::Get,
            "store" => Self::Store,
            "erase" => Self::Erase,
            "list" => Self::List,
            "version" | "--version" | "-v" => Self::Version,
            _ => return None,
        })
    }
}

impl Refusal {
    /// The server is none of ours.
    pub(crate) fn not_found(explanation: impl Into<String>) -> Self {
        Self { reason: Reason::NotFound, explanation: Some(explanation.into()) }
    }

    /// What was asked for cannot be done.
    pub(crate) fn failed(reason: impl Into<String>, explanation: impl Into<String>) -> Self {
        Self { reason: Reason::Failed(reason.into()), explanation: Some(explanation.into()) }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, explanation: None }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "credentials not found in native keychain",
            Self::NoServer => "no credentials server URL",
            Self::NoUser => "no credentials username",
            Self::Failed(why) => why,
        })
    }
}

/// The server that a client names: one line, with or without an end, of whatever kind.
pub(crate) fn server(input: &[u8]) -> Result<&str, Refusal> {
    let text = std::str::from_utf8(input).map_err(|_| Refusal::not_found("the server's name is not text"))?;
    let server = text.trim();
    if server.is_empty() { Err(Reason::NoServer.into()) } else { Ok(server) }
}

/// Looks at what a client wants to have stored, far enough to tell a slip from a wish.
pub(crate) fn check_stored(input: &[u8]) -> Result<(), Refusal> {
    let stored: Stored = serde_json::from_slice(input).map_err(|error| {
        // The place only: the text around it may be the secret.
        let place = format!("line {}, column {}", error.line(), error.column());
        Refusal::failed("what is to be stored is not a credential in JSON", format!("it is wrong at {place}"))
    })?;
    if stored.server_url.trim().is_empty() {
        Err(Reason::NoServer.into())
    } else if stored.username.trim().is_empty() {
        Err(Reason::NoUser.into())
    } else {
        Ok(())
    }
}

/// The answer to `get`. The one place where a token becomes visible, since that is what was asked for.
pub(crate) fn credential(server: &str, password: &SecretString) -> String {
    let credential =
        Credential { server_url: server, username: RegistryLogin::USER, secret: password.expose_secret() };
    line(&credential)
}

/// The answer to `list`.
pub(crate) fn servers<'a>(hosts: impl IntoIterator<Item = &'a str>) -> String {
    let servers: BTreeMap<&str, &str> = hosts.into_iter().map(|host| (host, RegistryLogin::USER)).collect();
    line(&servers)
}

/// The answer to `version`.
pub(crate) fn version() -> String {
    format!("{PROGRAM} (ocird) {}\n", env!("CARGO_PKG_VERSION"))
}

/// How it is called, for who calls it otherwise.
pub(crate) fn usage() -> String {
    format!("Usage: {PROGRAM} <get|store|erase|list|version>\n")
}

fn line(answer: &impl Serialize) -> String {
    let mut text = serde_json::to_string(answer).expect("a table of texts is JSON");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason<T: fmt::Debug>(result: Result<T, Refusal>) -> String {
        result.unwrap_err().reason.to_string()
    }

    #[test]
    fn the_texts_are_those_that_clients_know() {
        assert_eq!(Reason::NotFound.to_string(), "credentials not found in native keychain");
        assert_eq!(Reason::NoServer.to_string(), "no credentials server URL");
        assert_eq!(Reason::NoUser.to_string(), "no credentials username");
    }

    #[test]
    fn a_server_is_read_with_every_end_of_line_and_with_none() {
        for input in ["fra.ocir.io", "fra.ocir.io\n", "fra.ocir.io\r\n", "  fra.ocir.io\t\n\n"] {
            assert_eq!(server(input.as_bytes()), Ok("fra.ocir.io"), "{input:?}");
        }
        for input in ["", "\n", " \r\n\t"] {
            assert_eq!(reason(server(input.as_bytes())), "no credentials server URL", "{input:?}");
        }
        assert_eq!(server(&[0xff, 0xfe]).unwrap_err().reason, Reason::NotFound);
    }

    #[test]
    fn what_is_stored_must_name_server_and_user() {
        let with = |server: &str, user: &str| {
            format!("{{\"ServerURL\":\"{server}\",\"Username\":\"{user}\",\"Secret\":\"canary\"}}\n")
        };
        assert_eq!(check_stored(with("fra.ocir.io", "BEARER_TOKEN").as_bytes()), Ok(()));
        assert_eq!(reason(check_stored(with(" ", "u").as_bytes())), "no credentials server URL");
        assert_eq!(reason(check_stored(with("s", "").as_bytes())), "no credentials username");
        assert_eq!(reason(check_stored(b"{}")), "no credentials server URL");
    }

    #[test]
    fn a_secret_that_was_sent_is_not_repeated() {
        for input in ["{\"Secret\":\"canary\",}", "canary", "{\"ServerURL\":canary}"] {
            let refusal = check_stored(input.as_bytes()).unwrap_err();
            assert!(!format!("{refusal:?}").contains("canary"), "{refusal:?}");
        }
    }

    #[test]
    fn answers_are_one_line_of_json_each() {
        let password = SecretString::from("a\"b\nc".to_owned());
        let golden =
            "{\"ServerURL\":\"fra.ocir.io\",\"Username\":\"BEARER_TOKEN\",\"Secret\":\"a\\\"b\\nc\"}\n";
        assert_eq!(credential("fra.ocir.io", &password), golden);
        assert_eq!(servers([]), "{}\n");
        let golden = "{\"fra.ocir.io\":\"BEARER_TOKEN\",\"lin.ocir.io\":\"BEARER_TOKEN\"}\n";
        assert_eq!(servers(["lin.ocir.io", "fra.ocir.io"]), golden);
    }

    #[test]
    fn a_verb_has_one_name_and_the_version_several() {
        assert_eq!(Verb::named("get"), Some(Verb::Get));
        for name in ["version", "--version", "-v"] {
            assert_eq!(Verb::named(name), Some(Verb::Version));
        }
        for name in ["", "GET", "get ", "login", "--get"] {
            assert_eq!(Verb::named(name), None, "{name:?}");
        }
    }
}
