//! Reads everything that a profile names, and checks that it fits together.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::SystemTime;

use aws_lc_rs::signature::RsaKeyPair;
use ocird_model::{ParseOcidError, TenancyId, UserId};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::section::Section;
use super::{Place, ProfileError, ProfileProblem};
use crate::error::clean;
use crate::identity::Token;
use crate::key;

/// The most bytes of any file here; keys and tokens have a few thousand.
const MAX_FILE: u64 = 1024 * 1024;

/// The permissions of everybody but the owner.
const OTHERS: u32 = 0o077;

const KEY_FILE: &str = "key_file";
const TOKEN_FILE: &str = "security_token_file";

/// A profile with its secrets.
pub(crate) struct Loaded {
    pub(crate) tenancy: TenancyId,
    pub(crate) region: Option<String>,
    pub(crate) key: RsaKeyPair,
    pub(crate) key_file: PathBuf,
    /// Others than its owner may read the key.
    pub(crate) is_exposed: bool,
    pub(crate) credential: Credential,
}

/// What goes with the key.
pub(crate) enum Credential {
    ApiKey { user: UserId, fingerprint: String },
    SessionToken { token: Token, stamp: Stamp },
}

/// A file as it was when it was read, so that a change is seen without reading it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    path: PathBuf,
    seen: Option<(SystemTime, u64)>,
}

impl Stamp {
    fn of(path: PathBuf) -> Self {
        let seen = fs::metadata(&path).and_then(|about| Ok((about.modified()?, about.len()))).ok();
        Self { path, seen }
    }

    /// True when the file is there and is no longer what it was. One that is gone is no news: nothing could be read.
    pub(crate) fn has_changed(&self) -> bool {
        let present = Self::of(self.path.clone());
        present.seen.is_some() && present != *self
    }
}

impl Place {
    /// Reads the profile with all that it names.
    pub(super) fn load(&self) -> Result<Loaded, ProfileError> {
        self.load_parts().map_err(|problem| self.error(problem))
    }

    fn load_parts(&self) -> Result<Loaded, ProfileProblem> {
        let bytes = read(&self.file).map_err(ProfileProblem::File)?;
        let text = str::from_utf8(&bytes).map_err(|_| {
            ProfileProblem::File(io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
        })?;
        let section = Section::find(text, &self.name)?;
        let tenancy = ocid(&section, "tenancy", "the OCID of the tenancy, ocid1.tenancy...")?;
        let key_file = self.path(&section, KEY_FILE, "the path of the private key in PEM")?;
        let key = read_key(&key_file, section.get("pass_phrase"))?;
        let credential = match self.token_file(&section)? {
            Some(path) => session_token(&section, &path, &key, &tenancy)?,
            None => api_key(&section, &key)?,
        };
        let is_exposed = fs::metadata(&key_file).is_ok_and(|about| about.permissions().mode() & OTHERS != 0);
        let region = section.get("region").map(clean);
        Ok(Loaded { tenancy, region, key, key_file, is_exposed, credential })
    }

    /// The file of the session token, if the profile is one of those. A token inherited from `[DEFAULT]` does not make a
    /// session of a profile that names a user of its own.
    fn token_file(&self, section: &Section<'_>) -> Result<Option<PathBuf>, ProfileProblem> {
        let is_session = section.own(TOKEN_FILE).is_some()
            || (section.own("user").is_none() && section.get(TOKEN_FILE).is_some());
        is_session.then(|| self.path(section, TOKEN_FILE, "the path of the session token")).transpose()
    }

    /// The path that `key` gives; a leading `~` is the home directory.
    fn path(
        &self,
        section: &Section<'_>,
        key: &'static str,
        wanted: &'static str,
    ) -> Result<PathBuf, ProfileProblem> {
        let text = section.required(key, wanted)?;
        match text.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                let home = self.home.as_deref().ok_or(ProfileProblem::NoHome { key })?;
                Ok(home.join(rest.trim_start_matches('/')))
            }
            _ => Ok(PathBuf::from(text)),
        }
    }
}

fn api_key(section: &Section<'_>, key: &RsaKeyPair) -> Result<Credential, ProfileProblem> {
    let user = ocid(section, "user", "the OCID of the user, ocid1.user...")?;
    let given = section.required("fingerprint", "the Console shows it beside the key, as 12:34:...")?;
    let fingerprint = checked_fingerprint(given, key)?;
    Ok(Credential::ApiKey { user, fingerprint })
}

/// A token that is bound to this key and of this tenancy, as far as it says. A fingerprint is not needed; one that stands
/// in the profile itself has to be right all the same.
fn session_token(
    section: &Section<'_>,
    path: &Path,
    key: &RsaKeyPair,
    tenancy: &TenancyId,
) -> Result<Credential, ProfileProblem> {
    if let Some(given) = section.own("fingerprint") {
        checked_fingerprint(given, key)?;
    }
    // Looked at before it is read: a change in between is then seen as one.
    let stamp = Stamp::of(path.to_owned());
    let bytes = read(path).map_err(|source| unreadable(TOKEN_FILE, path, source))?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    let token = Token::read(SecretString::from(text))
        .map_err(|detail| ProfileProblem::Token { path: path.to_owned(), detail })?;
    if !token.may_belong_to(key) {
        return Err(ProfileProblem::TokenKey);
    }
    if let Some(actual) = token.other_tenancy(tenancy) {
        return Err(ProfileProblem::TokenTenancy { given: tenancy.clone(), actual: clean(actual) });
    }
    Ok(Credential::SessionToken { token, stamp })
}

fn checked_fingerprint(given: &str, key: &RsaKeyPair) -> Result<String, ProfileProblem> {
    let actual = key::fingerprint(key);
    if given.eq_ignore_ascii_case(&actual) {
        Ok(actual)
    } else {
        Err(ProfileProblem::Fingerprint { given: clean(given), actual })
    }
}

fn read_key(path: &Path, passphrase: Option<&str>) -> Result<RsaKeyPair, ProfileProblem> {
    let pem = read(path).map_err(|source| unreadable(KEY_FILE, path, source))?;
    let passphrase = passphrase.map(|text| SecretString::from(text.to_owned()));
    key::read(&pem, passphrase.as_ref())
        .map_err(|source| ProfileProblem::Key { path: path.to_owned(), source })
}

fn ocid<T: FromStr<Err = ParseOcidError>>(
    section: &Section<'_>,
    key: &'static str,
    wanted: &'static str,
) -> Result<T, ProfileProblem> {
    section.required(key, wanted)?.parse().map_err(|source| ProfileProblem::Ocid { key, source })
}

fn unreadable(key: &'static str, path: &Path, source: io::Error) -> ProfileProblem {
    ProfileProblem::NamedFile { key, path: path.to_owned(), source }
}

/// A whole file, wiped from memory after use; an error if it is larger than anything that makes sense.
fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than a mebibyte"));
    }
    Ok(bytes)
}
