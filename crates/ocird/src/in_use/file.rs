//! The reference file: what a host, Ansible or a pipeline says is in use, written whole and renamed into place.
//!
//! ```json
//! {
//!   "version": 1,
//!   "host": "milan-1",
//!   "written_at": "2026-11-21T07:00:00Z",
//!   "complete": true,
//!   "references": [
//!     {"image": "lin.ocir.io/ns/mgh-docs:v1", "digest": "sha256:…", "by": "container docs"}
//!   ]
//! }
//! ```
//!
//! The age of a file is the time its writer put inside, never the file system's: a copy or a restore would make old
//! knowledge look new. `complete` is the writer's word that nothing is left out; a writer that could not ask for
//! everything says `false`, and the file is then held for what it names and doubted for what it may lack.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use ocird_model::Pattern;
use serde::{Deserialize, Serialize};

use crate::in_use::reference::is_image;
use crate::in_use::source::Mention;

/// The largest reference file in bytes. At 300 bytes a reference this is over 50,000 containers.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// So much of a text that is refused is shown, in characters.
const MAX_SHOWN: usize = 100;

/// The version of the format that is read and written.
pub const VERSION: u32 = 1;

/// What a host says is in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceFile {
    /// The version of the format.
    pub version: u32,
    /// The host that wrote it.
    pub host: String,
    /// When its writer had looked.
    pub written_at: DateTime<Utc>,
    /// The writer's word that nothing is left out.
    pub complete: bool,
    /// What is in use.
    pub references: Vec<Mention>,
}

/// Why a reference file cannot be believed.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is not there, or may not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is larger than the bound.
    #[error("{} is larger than {MAX_BYTES} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is not JSON of this form: half written, or not a reference file.
    #[error("{} is not a reference file", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: serde_json::Error,
    },
    /// Another version of the format.
    #[error("{} has version {found}, this ocird reads version {VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version inside.
        found: u32,
    },
    /// It does not say which host wrote it.
    #[error("{} names no host; write the name of the one that it speaks for", path.display())]
    Host {
        /// The file.
        path: PathBuf,
    },
    /// A reference is to nothing that is called an image.
    #[error("{} has {image:?} for an image; write its name or id, or leave it out", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// The beginning of what stands there.
        image: String,
    },
}

/// Reads one file.
pub fn read(path: &Path) -> Result<ReferenceFile, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(FileError::TooLarge { path: path.to_owned() });
    }
    let file: ReferenceFile = serde_json::from_slice(&bytes)
        .map_err(|source| FileError::Malformed { path: path.to_owned(), source })?;
    believable(path, &file)?;
    Ok(file)
}

/// Refuses what its writer cannot have meant: who speaks and what is in use must be said.
fn believable(path: &Path, file: &ReferenceFile) -> Result<(), FileError> {
    let path = || path.to_owned();
    if file.version != VERSION {
        return Err(FileError::Version { path: path(), found: file.version });
    }
    if file.host.trim().is_empty() {
        return Err(FileError::Host { path: path() });
    }
    let Some(odd) = file.references.iter().find(|mention| !is_image(&mention.image)) else { return Ok(()) };
    Err(FileError::Image { path: path(), image: odd.image.chars().take(MAX_SHOWN).collect() })
}

/// Writes a file whole: to a hidden name beside it, synced, and then moved into its place, so that nobody reads half of one
/// and a crash leaves the old one. Everybody may read it; its directory says who gets there.
///
/// # Panics
/// Never: text and times are JSON.
pub fn write(path: &Path, file: &ReferenceFile) -> Result<(), FileError> {
    let failed = |source| FileError::Write { path: path.to_owned(), source };
    let mut bytes = serde_json::to_vec_pretty(file).expect("text and times are JSON");
    bytes.push(b'\n');
    let directory = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| failed(io::Error::other("it names no file")))?;
    let beside = directory.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let written = write_beside(&beside, &bytes).and_then(|()| std::fs::rename(&beside, path));
    if let Err(error) = written {
        // What failed is told; a file that is left over is hidden and names its process.
        drop(std::fs::remove_file(&beside));
        return Err(failed(error));
    }
    std::fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
}

/// Never through a link that somebody else may have put there: the directory need not be the writer's own.
fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(bytes)?;
    // The mode above is what the process's mask leaves of it.
    file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    file.sync_all()
}

/// The files that `path` names: itself, or, when its last part is a pattern, every file of the directory that
/// matches, in order. Hidden files are never meant: writers rename from them.
pub fn expand(path: &Path) -> Result<Vec<PathBuf>, FileError> {
    let Some(pattern) = path.file_name().and_then(|name| name.to_str()).filter(|name| is_pattern(name))
    else {
        return Ok(vec![path.to_owned()]);
    };
    let directory = path.parent().unwrap_or(Path::new("."));
    let failed = |source| FileError::Read { path: directory.to_owned(), source };
    let pattern: Pattern = pattern.parse().map_err(|error| failed(io::Error::other(error)))?;
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| !name.starts_with('.') && pattern.matches(name)) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '[', '{'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"version":1,"host":"a","written_at":"2026-11-21T07:00:00Z","complete":true,
        "references":[{"image":"lin.ocir.io/ns/app:v1","by":"container web"}],"later":"fields are tolerated"}"#;

    fn read_text(text: &str) -> Result<ReferenceFile, FileError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.json");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn a_whole_file_reads() {
        let file = read_text(GOOD).unwrap();
        assert_eq!(file.host, "a");
        assert_eq!(file.references.len(), 1);
    }

    #[test]
    fn every_cut_of_a_file_is_refused() {
        for length in 0..GOOD.len() {
            let error = read_text(&GOOD[..length]).unwrap_err();
            assert!(matches!(error, FileError::Malformed { .. }), "cut at {length}: {error}");
        }
    }

    #[test]
    fn another_version_or_a_missing_complete_is_refused() {
        let newer = read_text(&GOOD.replace("\"version\":1", "\"version\":2")).unwrap_err();
        assert!(matches!(newer, FileError::Version { found: 2, .. }), "{newer}");
        assert!(read_text(&GOOD.replace("\"complete\":true,", "")).is_err());
    }

    #[test]
    fn a_reference_to_nothing_is_refused() {
        let with = |image: &str| read_text(&GOOD.replace("lin.ocir.io/ns/app:v1", image));
        for image in ["", " ", "<none>", "<none>:<none>", "sha256:", "lin.ocir.io/ns/app:", "a b"] {
            let error = with(image).unwrap_err();
            assert!(matches!(error, FileError::Image { .. }), "{image}: {error}");
        }
        let id = "a".repeat(64);
        for image in [id.as_str(), &format!("sha256:{id}"), "app", "h:5000/app:v1"] {
            assert!(with(image).is_ok(), "{image}");
        }
    }

    #[test]
    fn a_file_of_no_host_is_refused() {
        for host in ["", "  "] {
            let host = format!("\"host\":\"{host}\"");
            let error = read_text(&GOOD.replace("\"host\":\"a\"", &host)).unwrap_err();
            assert!(matches!(error, FileError::Host { .. }), "{error}");
        }
    }

    #[test]
    fn what_is_written_reads_back_and_nothing_is_left_beside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.json");
        let file = read_text(GOOD).unwrap();
        std::fs::write(&path, "an older one").unwrap();
        write(&path, &file).unwrap();
        assert_eq!(read(&path).unwrap(), file);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_that_somebody_put_there_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (path, precious) = (directory.path().join("a.json"), directory.path().join("precious"));
        std::fs::write(&precious, "gold").unwrap();
        let beside = directory.path().join(format!(".a.json.{}", std::process::id()));
        std::os::unix::fs::symlink(&precious, &beside).unwrap();
        std::os::unix::fs::symlink(&precious, &path).unwrap();
        write(&path, &read_text(GOOD).unwrap()).unwrap();
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "gold");
        assert_eq!(read(&path).unwrap().host, "a");
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("is-a-directory");
        std::fs::create_dir(&path).unwrap();
        let error = write(&path, &read_text(GOOD).unwrap()).unwrap_err();
        assert!(matches!(error, FileError::Write { .. }), "{error}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_pattern_names_every_matching_file_but_no_hidden_one() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.json", "a.json", ".a.json.tmp", ".c.json", "notes.txt"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let found = expand(&directory.path().join("*.json")).unwrap();
        assert_eq!(found, [directory.path().join("a.json"), directory.path().join("b.json")]);
    }
}
