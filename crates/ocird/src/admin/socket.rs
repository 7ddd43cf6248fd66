//! The socket file: made with its rights already on it, never in the place of one that a living daemon has, and never in the
//! place of something that is no socket.
//!
//! A lock file beside it says who has it, because the file itself outlives a daemon that was killed. Under the lock the
//! socket is made by another name, given its rights, and moved to its place.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// For the daemon's own user; root needs no rights.
const OWN: u32 = 0o600;

/// For the members of a group, too.
const OWN_AND_GROUP: u32 = 0o660;

/// The socket, which is ours as long as this lives.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) listener: UnixListener,
    path: PathBuf,
    /// Device and inode, so that only our own file is taken away.
    file: (u64, u64),
    /// Held for as long as the socket is ours; a crash gives it back. After the listener, which must be gone first.
    _lock: File,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(super) enum BindError {
    /// Another daemon has it.
    #[error("another daemon has {}", path.display())]
    Taken {
        /// The path.
        path: PathBuf,
    },
    /// Something else is at its place.
    #[error("{} is there and is no socket of ours; it is left alone", path.display())]
    NotOurs {
        /// The path.
        path: PathBuf,
    },
    /// The file system or the system refuses.
    #[error("cannot make {}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
}

impl Bound {
    /// Makes the socket at `path`, for the daemon's own user and, where one is given, a group.
    pub(super) fn at(path: &Path, gid: Option<u32>) -> Result<Self, BindError> {
        let failed = |source| BindError::Io { path: path.to_owned(), source };
        let lock = take_lock(path)?;
        check_place(path)?;
        let temporary = beside(path, ".new");
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&temporary).map_err(failed)?;
        restrict(&temporary, gid).map_err(failed)?;
        let file = inode(&temporary).map_err(failed)?;
        fs::rename(&temporary, path).map_err(failed)?;
        Ok(Self { listener, path: path.to_owned(), file, _lock: lock })
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|file| file == self.file) {
            // One that stays behind is found to be nobody's by the next start.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// The lock of the socket at `path`.
fn take_lock(path: &Path) -> Result<File, BindError> {
    let lock = beside(path, ".lock");
    let failed = |source| BindError::Io { path: lock.clone(), source };
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(OWN).open(&lock);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BindError::Taken { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// What is at the place already must be a socket to which nobody listens any more: ours are told apart by the lock, those of
/// other programs by asking.
fn check_place(path: &Path) -> Result<(), BindError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(BindError::Io { path: path.to_owned(), source }),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(BindError::NotOurs { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Ok(_) | Err(_) => Err(BindError::Taken { path: path.to_owned() }),
    }
}

/// Gives the socket its rights. Where it cannot be given to the group it stays with its user, and root.
fn restrict(path: &Path, gid: Option<u32>) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(OWN))?;
    let Some(gid) = gid else { return Ok(()) };
    if fs::symlink_metadata(path)?.gid() != gid
        && let Err(error) = std::os::unix::fs::chown(path, None, Some(gid))
    {
        tracing::warn!(path = %path.display(), %error, "the admin socket cannot be given to the group of [admin]");
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(OWN_AND_GROUP))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn the_socket_is_for_its_user_only_and_goes_with_its_daemon() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        let bound = Bound::at(&path, None).unwrap();
        assert_eq!(mode(&path), 0o600);
        UnixStream::connect(&path).unwrap();
        drop(bound);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_group_may_come_in_where_the_socket_can_be_given_to_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        let own_gid = rustix::process::getegid().as_raw();
        let _bound = Bound::at(&path, Some(own_gid)).unwrap();
        assert_eq!(mode(&path), 0o660);
        assert_eq!(fs::metadata(&path).unwrap().gid(), own_gid);
    }

    #[tokio::test]
    async fn a_living_daemon_keeps_its_socket() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        let first = Bound::at(&path, None).unwrap();
        assert!(matches!(Bound::at(&path, None), Err(BindError::Taken { .. })));
        UnixStream::connect(&path).unwrap();
        drop(first);
        Bound::at(&path, None).unwrap();
    }

    #[tokio::test]
    async fn the_socket_of_a_killed_daemon_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        // Closed without being removed, as a kill leaves it.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        fs::write(beside(&path, ".new"), "left by a kill in the middle of a start").unwrap();
        let _bound = Bound::at(&path, None).unwrap();
        UnixStream::connect(&path).unwrap();
    }

    #[tokio::test]
    async fn what_is_no_socket_of_ours_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(Bound::at(&path, None), Err(BindError::NotOurs { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&path).unwrap();
        let theirs = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(matches!(Bound::at(&path, None), Err(BindError::Taken { .. })));
        drop(theirs);
    }
}
