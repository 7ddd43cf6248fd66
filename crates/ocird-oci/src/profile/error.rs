//! What can be wrong with a profile, said so that whoever owns it knows what to do. No variant holds a key, a pass
//! phrase or a token.

use std::io;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use ocird_model::{ParseOcidError, TenancyId};

use crate::KeyError;

/// Why nobody can sign in by a profile.
#[derive(Debug, thiserror::Error)]
#[error("profile {profile:?} of {} is of no use", file.display())]
pub struct ProfileError {
    /// The file it is in, or should be.
    pub file: PathBuf,
    /// Its name.
    pub profile: String,
    /// What is wrong.
    #[source]
    pub problem: ProfileProblem,
}

/// What is wrong with a profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileProblem {
    /// The file itself cannot be read.
    #[error("the file cannot be read; `oci setup config` makes one")]
    File(#[source] io::Error),
    /// The file has no such profile.
    #[error("there is no such profile; the file has {}", Names(known))]
    NoProfile {
        /// The profiles it has.
        known: Vec<String>,
    },
    /// A line is neither a comment, a `[profile]` nor `key=value`.
    #[error("line {line} is neither a comment nor `key=value`")]
    Syntax {
        /// The line, from 1.
        line: usize,
    },
    /// A key is there twice.
    #[error("line {line} sets a key for the second time; which of the two is meant?")]
    Duplicate {
        /// The line, from 1.
        line: usize,
    },
    /// A key is missing or empty.
    #[error("`{key}` is missing; {wanted}")]
    Missing {
        /// The key.
        key: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// A value is no OCID of the right kind.
    #[error("`{key}` is wrong")]
    Ocid {
        /// The key.
        key: &'static str,
        /// Why.
        #[source]
        source: ParseOcidError,
    },
    /// A path starts with `~`, and nobody knows what that stands for.
    #[error("`{key}` starts with ~, but no home directory is known; write the whole path")]
    NoHome {
        /// The key.
        key: &'static str,
    },
    /// A file that the profile names cannot be read.
    #[error("`{key}` names {}, which cannot be read", path.display())]
    NamedFile {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The private key is not one to sign with.
    #[error(
        "`key_file` names {}, which is of no use{}",
        path.display(),
        if *source == KeyError::NoPassphrase {
            "; set `pass_phrase`, or make a copy in clear that only its owner may read: \
             `(umask 077; openssl rsa -in KEY -out NEW)`"
        } else {
            ""
        }
    )]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// The private key is another than the one that the profile names.
    #[error(
        "`fingerprint` is {given}, but the key of `key_file` has {actual}; one of the two is of another key"
    )]
    Fingerprint {
        /// What the profile says.
        given: String,
        /// What the key has.
        actual: String,
    },
    /// The token is none.
    #[error("`security_token_file` names {}, which holds no token: {detail}; {RENEW}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: &'static str,
    },
    /// The token is bound to another key.
    #[error("the session token belongs to another key than that of `key_file`; {RENEW}")]
    TokenKey,
    /// The token is of another tenancy.
    #[error("`tenancy` is {given}, but the session token is of {actual}")]
    TokenTenancy {
        /// What the profile says.
        given: TenancyId,
        /// What the token says.
        actual: String,
    },
    /// The token has expired.
    #[error("the session token expired at {expired_at}; {RENEW}")]
    TokenExpired {
        /// When.
        expired_at: DateTime<Utc>,
    },
}

/// How to come by a token.
const RENEW: &str = "`oci session authenticate` fetches a new one, and `oci session refresh` prolongs one while it is \
                     still good";

/// Prints names as `"a", "b"`, or that there are none.
struct Names<'a>(&'a [String]);

impl std::fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            [] => f.write_str("none"),
            names => {
                let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
                f.write_str(&quoted.join(", "))
            }
        }
    }
}
