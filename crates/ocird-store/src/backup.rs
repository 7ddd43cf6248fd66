//! A copy of the store before its schema changes (S-30), and the place for one that is corrupt (S-29).

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sqlx::{Connection, SqliteConnection};

use crate::OpenError;
use crate::connect::options;
use crate::inspect::{is_sound, schema};

/// What `SQLite` keeps beside a database: nothing, the write-ahead log, and the log's index.
const PARTS: [&str; 3] = ["", "-wal", "-shm"];

/// Copies the store to `<path>.before-<to>-<unix seconds>` and proves that the copy can be opened, is sound and has
/// the schema of the original. Only then has it its name.
pub(crate) async fn back_up(
    connection: &mut SqliteConnection,
    path: &Path,
    to: i64,
    now: DateTime<Utc>,
) -> Result<PathBuf, OpenError> {
    let copy = beside(path, &format!(".before-{to}-{}", now.timestamp()));
    let partial = beside(&copy, ".partial");
    match std::fs::remove_file(&partial) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(OpenError::of_file(&partial, source));
        }
        _ => {}
    }
    let name = partial
        .to_str()
        .ok_or_else(|| OpenError::of_file(&partial, io::ErrorKind::InvalidFilename.into()))?;
    let doing = "copying the store before its schema changes";
    let copied = sqlx::query("VACUUM INTO ?").bind(name).execute(&mut *connection).await;
    copied.map_err(|source| OpenError::of_sqlite(doing, path, source))?;
    let original = schema(connection, path).await?;
    if verify(&partial).await? != original {
        return Err(OpenError::Backup { path: partial });
    }
    settle(&partial, &copy).map_err(|source| OpenError::of_file(&copy, source))?;
    Ok(copy)
}

/// The schema of a sound copy.
async fn verify(copy: &Path) -> Result<Option<i64>, OpenError> {
    let doing = "opening the copy of the store";
    let read_only = options(copy).read_only(true).create_if_missing(false);
    let connected = SqliteConnection::connect_with(&read_only).await;
    let mut connection = connected.map_err(|source| OpenError::of_sqlite(doing, copy, source))?;
    if !is_sound(&mut connection, copy).await? {
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
