//! Looks a file over before anybody relies on it: by which `SQLite`, whose it is, whether it is sound, which schema it
//! has. Changes nothing.

use std::path::Path;

use sqlx::SqliteConnection;

use crate::OpenError;

/// "ocir" in ASCII: the `application_id` that the first migration gives the file.
const APPLICATION_ID: i64 = 0x6f63_6972;

/// The first `SQLite` without the race that could corrupt a database in WAL mode. <https://sqlite.org/wal.html#walresetbug>
const MIN_SQLITE: [u32; 3] = [3, 51, 3];

/// Refuses a `SQLite` that can corrupt what it writes.
pub(crate) async fn check_version(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(connection)
        .await
        .map_err(|source| failed("asking SQLite for its version", path, source))?;
    if is_recent(&found) { Ok(()) } else { Err(OpenError::SqliteTooOld { found }) }
}

/// Whether a version is [`MIN_SQLITE`] or later.
fn is_recent(version: &str) -> bool {
    let parts: Result<Vec<u32>, _> = version.split('.').map(str::parse).collect();
    parts.is_ok_and(|parts| parts.as_slice() >= MIN_SQLITE.as_slice())
}

/// Refuses a database that another program made. One without any table is nobody's, and sqlx makes its own table
/// before the first migration gives the file its id.
pub(crate) async fn check_owner(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let doing = "asking whose database it is";
    let application_id: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut *connection)
        .await
        .map_err(|source| failed(doing, path, source))?;
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND tbl_name <> '_sqlx_migrations'";
    let n_tables: i64 = sqlx::query_scalar(tables)
        .fetch_one(connection)
        .await
        .map_err(|source| failed(doing, path, source))?;
    if application_id == APPLICATION_ID || (application_id == 0 && n_tables == 0) {
        Ok(())
    } else {
        Err(OpenError::Foreign { path: path.to_owned(), application_id })
    }
}

/// Reads every page. 1.5 s for a store of 700 MB, and milliseconds for one of the usual size.
pub(crate) async fn is_sound(connection: &mut SqliteConnection, path: &Path) -> Result<bool, OpenError> {
    let lines: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_all(connection)
        .await
        .map_err(|source| failed("checking the store", path, source))?;
    Ok(lines == ["ok"])
}

/// Reads every page, and holds every index against its table: what a copy must stand. 12 s for a store of 700 MB.
pub(crate) async fn is_intact(connection: &mut SqliteConnection, path: &Path) -> Result<bool, OpenError> {
    let lines: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_all(connection)
        .await
        .map_err(|source| failed("checking a copy of the store", path, source))?;
    Ok(lines == ["ok"])
}

/// The latest schema in the file; `None` when it has none yet.
pub(crate) async fn schema(connection: &mut SqliteConnection, path: &Path) -> Result<Option<i64>, OpenError> {
    let doing = "asking the store for its schema";
    let exists: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'")
            .fetch_one(&mut *connection)
            .await
            .map_err(|source| failed(doing, path, source))?;
    if exists == 0 {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
        .fetch_one(connection)
        .await
        .map_err(|source| failed(doing, path, source))
}

/// A failure of `SQLite` while a store is being opened.
pub(crate) fn failed(doing: &'static str, path: &Path, source: sqlx::Error) -> OpenError {
    OpenError::of_sqlite(doing, path, source)
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;

    use super::*;

    #[tokio::test]
    async fn sqlite_is_recent_enough_not_to_corrupt_itself() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        check_version(&mut connection, Path::new(":memory:")).await.unwrap();
        for (version, recent) in [
            ("3.51.2", false),
            ("3.40.1", false),
            ("3.51.3", true),
            ("3.100.0", true),
            ("4.0", true),
            ("", false),
        ] {
            assert_eq!(is_recent(version), recent, "{version}");
        }
    }
}
