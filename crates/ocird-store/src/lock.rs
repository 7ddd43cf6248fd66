//! The lock on the state directory (S-23), and the line inside it by which an older copy of the store is recognised
//! (S-29): which store was written last, and in which epoch.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use crate::OpenError;

/// The name of the lock file in the state directory.
const NAME: &str = "ocird.lock";

/// The longest line that is read back: far beyond what is ever written.
const MAX_LINE: u64 = 256;

/// The lock, held by the operating system for as long as this lives; a crash gives it back.
#[derive(Debug)]
pub(crate) struct StateLock {
    file: File,
    last: Option<LastOpened>,
}

/// The store that was opened last under this lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LastOpened {
    /// Its identity.
    pub(crate) identity: String,
    /// Its epoch.
    pub(crate) epoch: i64,
}

impl StateLock {
    /// Takes the lock, or says that another process has it.
    pub(crate) fn take(state_dir: &Path) -> Result<Self, OpenError> {
        let path = state_dir.join(NAME);
        let failed = |source| OpenError::of_file(&path, source);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Locked { path }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut line = String::new();
        // A line that is not text is no line of ours: then nothing is known of the last store, which is safe.
        let read = (&file).take(MAX_LINE).read_to_string(&mut line);
        let last = read.ok().and_then(|_| LastOpened::parse(&line));
        Ok(Self { file, last })
    }

    /// The store that was opened last, where that is known.
    pub(crate) const fn last(&self) -> Option<&LastOpened> {
        self.last.as_ref()
    }

    /// Writes down which store is open now.
    pub(crate) fn remember(&mut self, opened: LastOpened) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        writeln!(self.file, "{} {}", opened.identity, opened.epoch)?;
        self.file.sync_all()?;
        self.last = Some(opened);
        Ok(())
    }
}

/// Whether a process has the state directory at this moment. Nothing is made where nothing is.
///
/// The lock is tried shared and given back at once, so that two who look are not in each other's way; a daemon that starts
/// in that instant is told that the directory is held, and opens it with its next pass.
///
/// # Errors
/// The lock file is there and cannot be opened.
pub fn is_held(state_dir: &Path) -> io::Result<bool> {
    let file = match File::open(state_dir.join(NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

impl LastOpened {
    fn parse(line: &str) -> Option<Self> {
        let (identity, epoch) = line.trim_end().split_once(' ')?;
        Some(Self { identity: identity.to_owned(), epoch: epoch.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_the_lock_says_who_has_it_and_leaves_it_free() {
        let directory = tempfile::tempdir().unwrap();
        assert!(!is_held(directory.path()).unwrap());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "a look makes nothing");
        let lock = StateLock::take(directory.path()).unwrap();
        assert!(is_held(directory.path()).unwrap());
        drop(lock);
        assert!(!is_held(directory.path()).unwrap());
        StateLock::take(directory.path()).unwrap();
    }
}
