//! Copies of the store: one before its schema changes (S-30), one a day while it is in use, each proved before it bears a
//! name; and the place for a store that is corrupt (S-29).
//!
//! A copy in the state directory is for mistakes and broken files, not for a lost disk: who wants that copies it elsewhere.
//! Put back, it is older than what stands beside it says, and has no marks (S-29).

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::num::NonZeroU32;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use ocird_model::Bytes;
use sqlx::{Connection, SqliteConnection};

use crate::connect::options;
use crate::inspect::{is_intact, schema};
use crate::{OpenError, Store};

/// What `SQLite` keeps beside a database: nothing, the write-ahead log, and the log's index.
const PARTS: [&str; 3] = ["", "-wal", "-shm"];

/// The folder of daily copies in the state directory.
const FOLDER: &str = "backups";

/// How the time of a daily copy stands in its name: in UTC, without characters that shells or other systems mind.
const NAMED: &str = "ocird-%Y%m%dT%H%M%SZ.db";

/// A copy of the store that was proved when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreCopy {
    /// The file.
    pub path: PathBuf,
    /// When it was made, to the second.
    pub at: DateTime<Utc>,
    /// How large it is.
    pub size: Bytes,
}

impl Store {
    /// The daily copies that are there, the newest first. What does not bear the name of one is no copy.
    pub fn copies(&self) -> Result<Vec<StoreCopy>, OpenError> {
        let folder = self.folder();
        let failed = |source| OpenError::of_file(&folder, source);
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut copies = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let Some(at) = entry.file_name().to_str().and_then(time_in) else { continue };
            let metadata = entry.metadata().map_err(failed)?;
            if !metadata.is_file() {
                continue;
            }
            let size = Bytes(metadata.len());
            copies.push(StoreCopy { path: entry.path(), at, size });
        }
        copies.sort_by_key(|copy| Reverse(copy.at));
        Ok(copies)
    }

    /// How large the store is, and about how large a copy becomes: the database and what its log holds.
    pub fn size(&self) -> Result<Bytes, OpenError> {
        let mut size = Bytes::ZERO;
        for part in PARTS {
            let path = beside(self.path(), part);
            match std::fs::metadata(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(OpenError::of_file(&path, source));
                }
                metadata => size += Bytes(metadata.map_or(0, |metadata| metadata.len())),
            }
        }
        Ok(size)
    }

    /// Copies the store while it is in use, proves the copy, and lets go of all but the newest `keep` copies. Holds up no
    /// writer: it reads the store as it is at one instant, over a connection of its own.
    pub async fn back_up(&self, keep: NonZeroU32, now: DateTime<Utc>) -> Result<StoreCopy, OpenError> {
        let folder = self.folder();
        make_folder(&folder).map_err(|source| OpenError::of_file(&folder, source))?;
        let path = folder.join(now.format(NAMED).to_string());
        let original = self.path();
        let doing = "opening the store to copy it";
        // It may write as far as SQLite is concerned: a connection that may not could not make the file of the copy either.
        let connected = SqliteConnection::connect_with(&options(original).create_if_missing(false)).await;
        let mut connection = connected.map_err(|source| OpenError::of_sqlite(doing, original, source))?;
        let copied = copy(&mut connection, original, &path, "copying the store").await;
        // Nothing was written to the store over it: whether it closes well says nothing about the copy.
        drop(connection.close().await);
        copied?;
        // One from the future was made while the clock was ahead, and tells nothing about its age.
        let (future, others): (Vec<_>, Vec<_>) = self.copies()?.into_iter().partition(|copy| copy.at > now);
        for old in others.iter().chain(&future).skip(keep.get() as usize) {
            std::fs::remove_file(&old.path).map_err(|source| OpenError::of_file(&old.path, source))?;
        }
        let size = std::fs::metadata(&path).map_err(|source| OpenError::of_file(&path, source))?.len();
        Ok(StoreCopy { path, at: now.trunc_subsecs(0), size: Bytes(size) })
    }

    fn folder(&self) -> PathBuf {
        self.path().with_file_name(FOLDER)
    }
}

/// The time in the name of a daily copy.
fn time_in(name: &str) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(name, NAMED).ok().map(|time| time.and_utc())
}

/// Makes the folder for ocird's own user alone: a copy tells what the store tells.
fn make_folder(folder: &Path) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Copies the store to `<path>.before-<to>-<unix seconds>`.
pub(crate) async fn back_up(
    connection: &mut SqliteConnection,
    path: &Path,
    to: i64,
    now: DateTime<Utc>,
) -> Result<PathBuf, OpenError> {
    let to = beside(path, &format!(".before-{to}-{}", now.timestamp()));
    copy(connection, path, &to, "copying the store before its schema changes").await?;
    Ok(to)
}

/// Copies the store and proves that the copy can be opened, is sound to its last page and has the schema of the original.
/// Only then has it its name.
async fn copy(
    connection: &mut SqliteConnection,
    path: &Path,
    to: &Path,
    doing: &'static str,
) -> Result<(), OpenError> {
    let partial = beside(to, PARTIAL);
    remove_partials(to).map_err(|source| OpenError::of_file(&partial, source))?;
    let name = partial
        .to_str()
        .ok_or_else(|| OpenError::of_file(&partial, io::ErrorKind::InvalidFilename.into()))?;
    let copied = sqlx::query("VACUUM INTO ?").bind(name).execute(&mut *connection).await;
    copied.map_err(|source| OpenError::of_sqlite(doing, path, source))?;
    let original = schema(connection, path).await?;
    if verify(&partial).await? != original {
        return Err(OpenError::Backup { path: partial });
    }
    settle(&partial, to).map_err(|source| OpenError::of_file(to, source))
}

/// What a copy is called until it is proved.
const PARTIAL: &str = ".partial";

/// Removes what an earlier attempt has left: in the folder of the copy, whatever is only part of one.
fn remove_partials(copy: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(copy.parent().unwrap_or(Path::new(".")))? {
        let path = entry?.path();
        let is_ours = path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("ocird"));
        if is_ours && path.extension().is_some_and(|extension| extension == &PARTIAL[1..]) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// The schema of a sound copy.
async fn verify(copy: &Path) -> Result<Option<i64>, OpenError> {
    let doing = "opening the copy of the store";
    let read_only = options(copy).read_only(true).create_if_missing(false);
    let connected = SqliteConnection::connect_with(&read_only).await;
    let mut connection = connected.map_err(|source| OpenError::of_sqlite(doing, copy, source))?;
    if !is_intact(&mut connection, copy).await? {
        return Err(OpenError::Backup { path: copy.to_owned() });
    }
    let schema = schema(&mut connection, copy).await?;
    let closed = connection.close().await;
    closed.map_err(|source| OpenError::of_sqlite(doing, copy, source))?;
    Ok(schema)
}

/// Gives the synced copy its name, and syncs the name. Blocking, once per change of schema.
fn settle(partial: &Path, copy: &Path) -> io::Result<()> {
    File::open(partial)?.sync_all()?;
    std::fs::rename(partial, copy)?;
    match copy.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

/// Moves a corrupt store, its log included, to `<path>.corrupt-<unix seconds>`, where nothing is overwritten.
pub(crate) fn set_aside(path: &Path, now: DateTime<Utc>) -> io::Result<PathBuf> {
    let wanted = beside(path, &format!(".corrupt-{}", now.timestamp()));
    let mut moved_to = wanted.clone();
    let mut n = 1;
    while PARTS.iter().any(|part| beside(&moved_to, part).exists()) {
        n += 1;
        moved_to = beside(&wanted, &format!("-{n}"));
    }
    // The database last: as long as it is in place, the next opening finds it corrupt again and finishes the move.
    for part in PARTS.iter().rev() {
        match std::fs::rename(beside(path, part), beside(&moved_to, part)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(source),
            _ => {}
        }
    }
    Ok(moved_to)
}

/// The path with something after it.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
