//! The lock on the state directory (S-23), and the line inside it by which an older copy of the store is recognised
//! (S-29): which store was written last, in which epoch, and with which generation of its marks.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use ocird_model::Rule;

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

/// The store that was opened last under this lock, as it was when its marks changed last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LastOpened {
    /// Its identity.
    pub(crate) identity: String,
    /// Its epoch.
    pub(crate) epoch: i64,
    /// The generation of its marks. A file that is behind it is a copy from before.
    pub(crate) generation: i64,
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
            Err(TryLockError::WouldBlock) if !Rule::S23.in_force() => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Locked { path }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut line = String::new();
        // A line that is not text is no line of ours: then nothing is known of the last store, which is safe.
        let read = (&file).take(MAX_LINE).read_to_string(&mut line);
        // A line that was written in another file came here with a copy of the whole directory, as did the store.
        let own = file.metadata().map_err(failed)?.ino();
        let last = read.ok().and_then(|_| LastOpened::parse(&line, own));
        Ok(Self { file, last })
    }

    /// Gives the lock back before its end, for whoever opens the store next.
    pub(crate) fn release(&self) {
        // A lock that cannot be given back here goes with its file.
        drop(self.file.unlock());
    }

    /// The store that was opened last, where that is known.
    pub(crate) const fn last(&self) -> Option<&LastOpened> {
        self.last.as_ref()
    }

    /// Writes down which store is open now, and with which generation of its marks. In place and of one length, so that it
    /// needs no room on a full disk and is never half written.
    pub(crate) fn remember(&self, opened: &LastOpened) -> io::Result<()> {
        let line = opened.line(self.file.metadata()?.ino());
        self.file.write_all_at(line.as_bytes(), 0)?;
        self.file.set_len(line.len() as u64)?;
        self.file.sync_data()
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
    fn line(&self, inode: u64) -> String {
        let Self { identity, epoch, generation } = self;
        format!("{identity} {epoch:020} {generation:020} {inode:020}\n")
    }

    /// Reads a line of the lock file that has this inode.
    fn parse(line: &str, own: u64) -> Option<Self> {
        let mut words = line.trim_end().split(' ');
        let identity = words.next()?.to_owned();
        let (epoch, generation) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let inode: u64 = words.next()?.parse().ok()?;
        (inode == own && words.next().is_none()).then_some(Self { identity, epoch, generation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_back_from_its_own_file_and_from_no_copy_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let opened = LastOpened { identity: "a1".to_owned(), epoch: 7, generation: 12 };
        StateLock::take(directory.path()).unwrap().remember(&opened).unwrap();
        assert_eq!(StateLock::take(directory.path()).unwrap().last(), Some(&opened));
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::copy(directory.path().join(NAME), elsewhere.path().join(NAME)).unwrap();
        assert_eq!(StateLock::take(elsewhere.path()).unwrap().last(), None);
    }

    #[test]
    fn a_line_of_another_version_says_nothing() {
        for line in ["", "a1 7", "a1 7 12", "a1 7 12 x", "a1 7 12 5 6"] {
            assert_eq!(LastOpened::parse(line, 5), None, "{line}");
        }
        assert!(LastOpened::parse("a1 7 12 5", 5).is_some());
    }

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
