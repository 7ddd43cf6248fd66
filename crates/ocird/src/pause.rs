//! The kill switch as a file (S-24): made with who and why, read for people, and taken away. While something of that name is
//! in the state directory, whatever it holds, nothing is deleted; the pass looks for it itself.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use chrono::{DateTime, Utc};

use crate::pass::gate::PAUSE_FILE;
use crate::plain::plain;

/// Everybody who can see into the state directory may read why, as far as the umask lets them.
const MODE: u32 = 0o644;

/// The most of the file that is read, in bytes.
const MAX_BYTES: u64 = 1024;

/// The most of it that is shown, in characters.
const MAX_SHOWN: usize = 300;

/// What came of asking for a pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pausing {
    /// From now on.
    Paused,
    /// It was paused already, as the file says.
    AlreadyPaused(String),
}

/// Makes the file and syncs it. Who and why are said inside; a disk too full for that is paused all the same.
///
/// An existing one is left as it is, so that the first reason stays and no link is followed to somewhere else.
pub(crate) fn pause(
    state_dir: &Path,
    by: &str,
    why: Option<&str>,
    now: DateTime<Utc>,
) -> io::Result<Pausing> {
    let path = state_dir.join(PAUSE_FILE);
    let made = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&path);
    let mut file = match made {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Ok(Pausing::AlreadyPaused(said(state_dir).unwrap_or_default()));
        }
        Err(error) => return Err(error),
    };
    let why = why.map(|why| format!(": {}", plain(why, MAX_SHOWN))).unwrap_or_default();
    let text = format!("paused by {by} at {}{why}\n", now.format("%F %H:%M UTC"));
    if let Err(error) = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()) {
        tracing::warn!(path = %path.display(), %error, "paused, but who and why could not be written");
    }
    sync_directory(state_dir)?;
    Ok(Pausing::Paused)
}

/// Takes the file away. Answers what it said; `None` when there was none.
pub(crate) fn resume(state_dir: &Path) -> io::Result<Option<String>> {
    let said = said(state_dir).unwrap_or_default();
    match fs::remove_file(state_dir.join(PAUSE_FILE)) {
        Ok(()) => {
            sync_directory(state_dir)?;
            Ok(Some(said))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the file says, as one line; blank for one that says nothing, `None` without a file that can be read. A link is not
/// followed, nor a pipe waited for.
pub(crate) fn said(state_dir: &Path) -> Option<String> {
    let path = state_dir.join(PAUSE_FILE);
    if !fs::symlink_metadata(&path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(&path).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    Some(plain(&String::from_utf8_lossy(&bytes), MAX_SHOWN))
}

/// So that a loss of power neither forgets a pause nor brings one back.
fn sync_directory(state_dir: &Path) -> io::Result<()> {
    File::open(state_dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pass::gate;

    fn at() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_pause_says_who_and_why_and_stops_deletion_until_it_is_lifted() {
        let directory = tempfile::tempdir().unwrap();
        let state_dir = directory.path();
        assert_eq!(resume(state_dir).unwrap(), None);
        let paused = pause(state_dir, "alice (uid 1000)", Some("we\u{1b}[2J deploy\nnow"), at()).unwrap();
        assert_eq!(paused, Pausing::Paused);
        assert!(gate::paused(state_dir).is_some());
        let text = "paused by alice (uid 1000) at 2026-11-21 12:00 UTC: we deploy now".to_owned();
        let again = pause(state_dir, "bob (uid 1001)", None, at()).unwrap();
        assert_eq!(again, Pausing::AlreadyPaused(text.clone()));
        assert_eq!(resume(state_dir).unwrap(), Some(text));
        assert_eq!(gate::paused(state_dir), None);
    }

    #[test]
    fn a_file_that_was_touched_is_a_pause_like_any_other() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(PAUSE_FILE), "").unwrap();
        let again = pause(directory.path(), "root (uid 0)", None, at()).unwrap();
        assert_eq!(again, Pausing::AlreadyPaused(String::new()));
        assert_eq!(resume(directory.path()).unwrap(), Some(String::new()));
    }

    #[test]
    fn a_link_is_neither_followed_nor_read() {
        let directory = tempfile::tempdir().unwrap();
        let (state_dir, target) = (directory.path(), directory.path().join("target"));
        std::os::unix::fs::symlink(&target, state_dir.join(PAUSE_FILE)).unwrap();
        let paused = pause(state_dir, "root (uid 0)", Some("no"), at()).unwrap();
        assert_eq!(paused, Pausing::AlreadyPaused(String::new()));
        assert!(!target.exists());
        fs::write(&target, "secret").unwrap();
        assert_eq!(resume(state_dir).unwrap(), Some(String::new()));
        assert!(target.exists());
    }

    #[test]
    fn a_state_directory_that_is_not_there_is_an_error() {
        let nowhere = Path::new("/nonexistent/ocird");
        assert!(pause(nowhere, "root (uid 0)", None, at()).is_err());
    }
}
