//! Profiles of `~/.oci/config`, as Oracle's SDKs and its command line read them: who signs in, with which key.
//! <https://docs.oracle.com/en-us/iaas/Content/API/Concepts/sdkconfig.htm>
//!
//! A [`Profile`] remembers where it was read and what is public in it. Key, pass phrase and token are read when they are
//! needed and are kept nowhere but in the session that signs with them; so a key that was rotated or a token that was
//! prolonged is found by reading again.
//!
//! It never writes a file, and reads no environment: the home directory is given by the caller.

mod error;
mod file;
mod section;

use std::path::{Path, PathBuf};

use ocird_model::{TenancyId, UserId};

pub use self::error::{ProfileError, ProfileProblem};
pub(crate) use self::file::{Credential, Loaded, Stamp};

/// A profile of `~/.oci/config` that was read once and found sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    place: Place,
    kind: ProfileKind,
    tenancy: TenancyId,
    region: Option<String>,
}

/// How a profile signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileKind {
    /// By a key that the user has uploaded; good until it is removed.
    ApiKey {
        /// The user.
        user: UserId,
    },
    /// By a token of an hour or so that `oci session authenticate` fetched; whoever has the profile has to prolong it.
    SessionToken,
}

/// Where a profile is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: PathBuf,
    pub(crate) name: String,
    /// What `~` stands for.
    pub(crate) home: Option<PathBuf>,
}

impl Profile {
    /// Reads the profile `name` of `file`, with its key and, where it has one, its token, and checks that they fit
    /// together. `home` is what a leading `~` in the file stands for. A key that others may read is warned of.
    ///
    /// A profile with a `security_token_file` is a session token, any other an API key; one that inherits its token from
    /// `[DEFAULT]` and names a user of its own is an API key.
    pub fn read(file: &Path, name: &str, home: Option<&Path>) -> Result<Self, ProfileError> {
        let place = Place { file: file.to_owned(), name: name.to_owned(), home: home.map(Path::to_owned) };
        let loaded = place.load()?;
        if loaded.is_exposed {
            let (key_file, profile) = (loaded.key_file.display(), name);
            tracing::warn!(%key_file, profile, "others than its owner may read the private key; chmod 600");
        }
        let kind = match loaded.credential {
            Credential::ApiKey { user, fingerprint: _ } => ProfileKind::ApiKey { user },
            Credential::SessionToken { token: _, stamp: _ } => ProfileKind::SessionToken,
        };
        Ok(Self { place, kind, tenancy: loaded.tenancy, region: loaded.region })
    }

    /// The file it was read from.
    pub fn file(&self) -> &Path {
        &self.place.file
    }

    /// Its name, such as `DEFAULT`.
    pub fn name(&self) -> &str {
        &self.place.name
    }

    /// How it signs in.
    pub const fn kind(&self) -> &ProfileKind {
        &self.kind
    }

    /// The tenancy it belongs to.
    pub const fn tenancy(&self) -> &TenancyId {
        &self.tenancy
    }

    /// The region it names, if it names one: an identifier or a key, as it is written.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Reads it again, with key and token.
    pub(crate) fn load(&self) -> Result<Loaded, ProfileError> {
        self.place.load()
    }

    /// An error of this profile.
    pub(crate) fn error(&self, problem: ProfileProblem) -> ProfileError {
        self.place.error(problem)
    }
}

impl Place {
    pub(crate) fn error(&self, problem: ProfileProblem) -> ProfileError {
        ProfileError { file: self.file.clone(), profile: crate::error::clean(&self.name), problem }
    }
}
