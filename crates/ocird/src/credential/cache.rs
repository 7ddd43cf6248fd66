//! What the helper remembers between two runs: registry tokens, and nothing that could get new ones. No key and no
//! session token is ever written.
//!
//! A directory that only its owner can change, a file for each identity and host that only its owner can read, and a
//! lock beside each, so that many pulls at once make one sign-in. What is not as it should be is refused, never mended:
//! the helper then works without a memory.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, TimeDelta, Utc};
use rustix::fs::OFlags;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

/// How long before its end a token is no longer handed out as fresh: a pull must be able to begin with it.
const MARGIN: TimeDelta = TimeDelta::seconds(60);

/// The most bytes of a file that are read; a token has about two thousand.
const MAX_FILE: u64 = 64 * 1024;

/// The ending of the files with tokens; a lock has another, and so has what is half written.
const ENDING: &str = "json";

/// The directory.
#[derive(Debug)]
pub(crate) struct Cache {
    directory: PathBuf,
}

/// The place of one identity's token for one host.
#[derive(Debug)]
pub(crate) struct Slot {
    path: PathBuf,
    identity: String,
    host: String,
}

/// A token that was got earlier.
#[derive(Debug, Clone)]
pub(crate) struct Remembered {
    /// The password of the registry.
    pub(crate) password: SecretString,
    /// When it was asked for.
    pub(crate) requested_at: DateTime<Utc>,
    /// When it ends.
    pub(crate) expires_at: DateTime<Utc>,
}

/// The right to sign in for a slot. It ends with this value, or with the process.
#[derive(Debug)]
pub(crate) struct SignInRight {
    _file: File,
}

/// Why nothing is remembered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    /// The directory cannot be made or looked at.
    #[error("the cache directory {} cannot be used", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is there, and is not ours alone.
    #[error("the cache directory {} is not used: {why}", path.display())]
    Unsafe {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file of it cannot be used.
    #[error("the cache file {} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Somebody else has been signing in for too long.
    #[error("another {} has been signing in for {} s", super::protocol::PROGRAM, waited.as_secs())]
    Busy {
        /// How long was waited.
        waited: Duration,
    },
}

/// A file of the cache, as it is read.
#[derive(Deserialize)]
struct Read {
    identity: String,
    host: String,
    requested_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    token: SecretString,
}

/// The same as it is written.
#[derive(Serialize)]
struct Written<'a> {
    identity: &'a str,
    host: &'a str,
    requested_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    token: &'a str,
}

impl Remembered {
    /// True until half of its life is over: from then on a new one is asked for, while this one can still stand in.
    pub(crate) fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        let life = self.expires_at - self.requested_at;
        // A clock that stepped back makes the age of everything unknown.
        self.requested_at <= now && now < self.requested_at + life / 2 && now < self.expires_at - MARGIN
    }

    /// True while the registry still takes it.
    pub(crate) fn is_valid(&self, now: DateTime<Utc>) -> bool {
        self.requested_at <= now && now < self.expires_at
    }
}

impl Cache {
    /// The cache in this directory, which is made if it is not there.
    pub(crate) fn open(directory: &Path) -> Result<Self, CacheError> {
        let failed = |source| CacheError::Directory { path: directory.to_owned(), source };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(failed)?;
        // Of the link itself: where it leads may be changed by whoever made it.
        let metadata = fs::symlink_metadata(directory).map_err(failed)?;
        if !metadata.is_dir() {
            let why = "it is not a directory";
            return Err(CacheError::Unsafe { path: directory.to_owned(), why });
        }
        match not_ours_alone(&metadata, 0o022) {
            Some(why) => Err(CacheError::Unsafe { path: directory.to_owned(), why }),
            None => Ok(Self { directory: directory.to_owned() }),
        }
    }

    /// The place of this identity's token for this host.
    pub(crate) fn slot(&self, identity: &str, host: &str) -> Slot {
        let mut name = String::new();
        for byte in &digest(&SHA256, format!("{identity}\n{host}").as_bytes()).as_ref()[..16] {
            write!(name, "{byte:02x}").expect("a string takes everything");
        }
        let path = self.directory.join(name).with_extension(ENDING);
        Slot { path, identity: identity.to_owned(), host: host.to_owned() }
    }

    /// The hosts for which this identity has a token that is still taken.
    pub(crate) fn hosts(&self, identity: &str, now: DateTime<Utc>) -> Result<Vec<String>, CacheError> {
        let failed = |source| CacheError::Directory { path: self.directory.clone(), source };
        let mut hosts = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|ending| ending == ENDING)
                && let Some(read) = read(&path)
                && read.identity == identity
                && read.expires_at > now
            {
                hosts.push(read.host);
            }
        }
        Ok(hosts)
    }
}

impl Slot {
    /// What is remembered; `None` also for a file that is damaged, another's or open to others: it is then replaced.
    pub(crate) fn read(&self) -> Option<Remembered> {
        let Read { identity, host, requested_at, expires_at, token } = read(&self.path)?;
        let is_meant = identity == self.identity && host == self.host;
        is_meant.then_some(Remembered { password: token, requested_at, expires_at })
    }

    /// Remembers a token. Whoever reads meanwhile sees the old one or the new one.
    pub(crate) fn write(&self, remembered: &Remembered, _right: &SignInRight) -> Result<(), CacheError> {
        let Remembered { password, requested_at, expires_at } = remembered;
        let written = Written {
            identity: &self.identity,
            host: &self.host,
            requested_at: *requested_at,
            expires_at: *expires_at,
            token: password.expose_secret(),
        };
        let text = serde_json::to_vec(&written).expect("a table of texts is JSON");
        self.replace(&text).map_err(|source| CacheError::File { path: self.path.clone(), source })
    }

    /// Forgets what is remembered.
    pub(crate) fn forget(&self) -> Result<(), CacheError> {
        match fs::remove_file(&self.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(CacheError::File { path: self.path.clone(), source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The right to sign in if nobody has it.
    pub(crate) fn try_right(&self) -> Result<Option<SignInRight>, CacheError> {
        let file = self.lock_file()?;
        match file.try_lock() {
            Ok(()) => Ok(Some(SignInRight { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(CacheError::File { path: self.path.clone(), source }),
        }
    }

    /// The right to sign in, when whoever has it gives it back within `patience`.
    pub(crate) fn right_within(&self, patience: Duration) -> Result<SignInRight, CacheError> {
        let file = self.lock_file()?;
        let (sender, receiver) = mpsc::channel();
        // The system's lock waits for ever, so it is waited for aside. A thread that is left behind ends with the process.
        thread::spawn(move || {
            let locked = file.lock().map(|()| SignInRight { _file: file });
            drop(sender.send(locked));
        });
        match receiver.recv_timeout(patience) {
            Ok(locked) => locked.map_err(|source| CacheError::File { path: self.path.clone(), source }),
            Err(_) => Err(CacheError::Busy { waited: patience }),
        }
    }

    /// The file that is locked. It is empty, and stays.
    fn lock_file(&self) -> Result<File, CacheError> {
        let path = self.path.with_extension("lock");
        let file = private().read(true).write(true).create(true).truncate(false).open(&path);
        file.map_err(|source| CacheError::File { path, source })
    }

    fn replace(&self, text: &[u8]) -> io::Result<()> {
        let unfinished = self.path.with_extension("new");
        // Left by a run that was killed: only the holder of the right writes here.
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        private().write(true).create_new(true).open(&unfinished)?.write_all(text)?;
        fs::rename(&unfinished, &self.path)
    }
}

/// Opens files of ours: through no link, and readable by nobody else when made.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).expect("the flags of open are a C int");
    options.mode(0o600).custom_flags(no_follow);
    options
}

/// A file of the cache, if it is sound and ours alone.
fn read(path: &Path) -> Option<Read> {
    let file = private().read(true).open(path).ok()?;
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || not_ours_alone(&metadata, 0o077).is_some() {
        return None;
    }
    let mut text = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// What is wrong with a file or directory that should be ours and give others none of these rights.
fn not_ours_alone(metadata: &Metadata, others: u32) -> Option<&'static str> {
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        Some("it belongs to another user")
    } else if metadata.mode() & others != 0 {
        Some("others may write to it; chmod 700 it")
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
