//! What a person has who does not work on the instance: an API key, or a session after a login by browser; and the
//! profile in which the official clients look for either.
//! <https://docs.oracle.com/en-us/iaas/Content/API/Concepts/sdkconfig.htm>
//!
//! These secrets open a simulated tenancy and nothing else. They are kept out of `Debug` all the same.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use md5::{Digest as _, Md5};

use super::der;
use super::rsa::{PrivateKey, Verifier};
use super::server::Server;
use super::token::Principal;

/// How long a login by browser lasts. <https://docs.oracle.com/en-us/iaas/Content/API/SDKDocs/clitoken.htm>
const SESSION_LIFETIME: TimeDelta = TimeDelta::minutes(60);

/// The profile of the API key, and the defaults of all others.
const API_KEY_PROFILE: &str = "DEFAULT";
/// The profile of the session.
const SESSION_PROFILE: &str = "SESSION";

/// A public key that cannot be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a public RSA key in PEM")]
pub struct NotAPublicKey;

/// An API key of a user, both halves.
#[derive(Clone)]
pub struct ApiKey {
    /// `tenancy/user/fingerprint`, as requests are signed with it.
    pub key_id: String,
    /// The MD5 of the public key: lower-case hex with colons.
    pub fingerprint: String,
    /// The private key, PEM.
    pub private_pem: String,
}

/// What a login by browser leaves with a person.
#[derive(Clone)]
pub struct UserSession {
    /// The token; requests are signed as `ST$<token>`.
    pub token: String,
    /// The session's private key, PEM.
    pub private_pem: String,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for UserSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserSession").finish_non_exhaustive()
    }
}

impl Server {
    /// Registers the public half of an API key of a user, PEM. Returns the key id to sign with.
    pub fn add_api_key(&self, user: &str, public_pem: &str) -> Result<String, NotAPublicKey> {
        let der = der::unpem(public_pem).ok_or(NotAPublicKey)?;
        let key = Verifier::from_der(&der).ok_or(NotAPublicKey)?;
        Ok(self.register(user, &fingerprint(&der), key))
    }

    /// Makes an API key for a user and registers it.
    pub fn new_api_key(&self, user: &str) -> ApiKey {
        let key = PrivateKey::generate();
        let fingerprint = fingerprint(&key.public_der());
        let key_id = self.register(user, &fingerprint, key.verifier());
        ApiKey { key_id, fingerprint, private_pem: key.private_pem() }
    }

    /// Logs a user in, for an hour by the tenancy's clock.
    pub fn new_session(&self, user: &str) -> UserSession {
        let key = PrivateKey::generate();
        let user = Principal::User { user, tenancy: &self.cloud.subject().tenancy };
        let now = self.cloud.now();
        let token = self.cloud.issuer().session(&user, &key.verifier(), now, SESSION_LIFETIME);
        UserSession { token, private_pem: key.private_pem() }
    }

    fn register(&self, user: &str, fingerprint: &str, key: Verifier) -> String {
        let key_id = format!("{}/{user}/{fingerprint}", self.cloud.subject().tenancy);
        self.cloud.add_api_key(key_id.clone(), key);
        key_id
    }

    /// Writes what `oci setup config` and `oci session authenticate` would leave in `~/.oci` for this user: the profile
    /// `DEFAULT` with a new API key, and `SESSION` with a new session. Returns the configuration file.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write_profiles(&self, user: &str, directory: &Path) -> io::Result<PathBuf> {
        let key = self.new_api_key(user);
        let session = self.new_session(user);
        let file = |name: &str, text: &str| write_privately(&directory.join(name), text);
        let key_file = file("api_key.pem", &key.private_pem)?;
        let session_key_file = file("session_key.pem", &session.private_pem)?;
        let token_file = file("token", &session.token)?;
        let settings = self.cloud.tenancy().settings();
        file(
            "config",
            &format!(
                "[{API_KEY_PROFILE}]\nuser={user}\nfingerprint={fingerprint}\ntenancy={tenancy}\nregion={region}\n\
                 key_file={key_file}\n\n\
                 [{SESSION_PROFILE}]\ntenancy={tenancy}\nregion={region}\nkey_file={session_key_file}\n\
                 security_token_file={token_file}\n",
                fingerprint = key.fingerprint,
                tenancy = settings.tenancy,
                region = settings.region,
                key_file = key_file.display(),
                session_key_file = session_key_file.display(),
                token_file = token_file.display(),
            ),
        )
    }
}

/// Writes a file that nobody but its owner can read: the clients complain of any other.
fn write_privately(path: &Path, text: &str) -> io::Result<PathBuf> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    path.canonicalize()
}

/// The MD5 of a public key's DER: lower-case hex with colons, as the Console shows it. A name, and no protection.
/// <https://docs.oracle.com/en-us/iaas/Content/API/Concepts/apisigningkey.htm>
fn fingerprint(public_der: &[u8]) -> String {
    let pairs: Vec<String> = Md5::digest(public_der).iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The public half of the sample key in Oracle's documentation of request signatures.
    const SAMPLE_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
        MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDCFENGw33yGihy92pDjZQhl0C3\n\
        6rPJj+CvfSC8+q28hxA161QFNUd13wuCTUcq0Qd2qsBe/2hFyc2DCJJg0h1L78+6\n\
        Z4UMR7EOcpfdUE9Hf3m/hs+FUR45uBJeDK1HSFHD8bHKD6kv8FPGfJTotc+2xjJw\n\
        oYi+1hqp1fIekaxsyQIDAQAB\n-----END PUBLIC KEY-----\n";

    #[test]
    fn the_sample_key_has_its_published_fingerprint() {
        let der = der::unpem(SAMPLE_KEY).unwrap();
        assert_eq!(fingerprint(&der), "73:61:a2:21:67:e0:df:be:7e:4b:93:1e:15:98:a5:b7");
    }

    #[test]
    fn no_private_half_and_no_token_shows_in_debug_output() {
        let secret = "secret".to_owned();
        let key =
            ApiKey { key_id: "t/u/f".to_owned(), fingerprint: "f".to_owned(), private_pem: secret.clone() };
        let session = UserSession { token: secret.clone(), private_pem: secret };
        assert!(!format!("{key:?} {session:?}").contains("secret"));
    }
}
