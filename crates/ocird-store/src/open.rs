//! Opens the store, or says why not and what to do. What is wrong with a file is found here, before anybody relies on
//! it: another's file, a newer schema, a corrupt page.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};

use crate::backup::{back_up, set_aside};
use crate::column;
use crate::error::sqlite_kind;
use crate::lock::{LastOpened, StateLock};
use crate::store::inode;

/// The name of the database in the state directory.
pub(crate) const NAME: &str = "ocird.db";

/// "ocir" in ASCII: the `application_id` that the first migration gives the file.
const APPLICATION_ID: i64 = 0x6f63_6972;

/// The first `SQLite` without the race that could corrupt a database in WAL mode. <https://sqlite.org/wal.html#walresetbug>
const MIN_SQLITE: [u32; 3] = [3, 51, 3];

/// How long a statement waits for another process, such as a person with the `sqlite3` shell.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a checkpoint leaves of the write-ahead log: 4 MiB, the thousand pages of 4 KiB after which `SQLite` checkpoints.
const MAX_IDLE_LOG: &str = "4194304";

/// Connections that only read: one for a pass and one for whoever asks meanwhile.
const N_READERS: u32 = 2;

/// Why the store cannot be opened. Deletion is off until it can; trying again is always safe.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the state directory.
    #[error("another ocird holds {}; stop it, or give this one a state directory of its own", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The state directory or a file in it may not be written.
    #[error("{} cannot be written; make the state directory writable for ocird's user", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// There is no room.
    #[error("there is no room on the disk for {}; make some", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A file of the state directory cannot be opened, read or moved; the directory may be missing.
    #[error("{} cannot be used; see that the state directory exists on a sound local disk", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The store was corrupt and has been moved away. Opening again makes a new one, which remembers nothing.
    #[error("the store was corrupt and is set aside as {}; a new one begins empty and unmarks everything", moved_to.display())]
    Corrupt {
        /// Where it is now.
        moved_to: PathBuf,
    },
    /// A later ocird wrote the store (S-30).
    #[error(
        "the store has schema {found}, this ocird knows {known}; install the later ocird again, or restore the backup it made"
    )]
    TooNew {
        /// The schema of the file.
        found: i64,
        /// The latest schema this program knows.
        known: i64,
    },
    /// The file belongs to another program.
    #[error("{} is not a store of ocird (application id {application_id:#x}); move it away", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The id that its program gave it; zero for none.
        application_id: i64,
    },
    /// The `SQLite` that this program was built with has a bug that corrupts databases.
    #[error("SQLite {found} can corrupt a database in WAL mode; build ocird with 3.51.3 or later")]
    SqliteTooOld {
        /// Its version.
        found: String,
    },
    /// The copy made before a change of schema is not a copy.
    #[error("the backup {} is not sound, so that the schema was left as it is", path.display())]
    Backup {
        /// The copy.
        path: PathBuf,
    },
    /// The schema could not be brought up to date; the file is as it was.
    #[error("the schema of {} could not be brought up to date", path.display())]
    Migrate {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: MigrateError,
    },
    /// `SQLite` refused.
    #[error("{doing} failed")]
    Sqlite {
        /// What was being done.
        doing: &'static str,
        /// What `SQLite` says.
        source: sqlx::Error,
    },
}

impl OpenError {
    /// A failure of the file system.
    pub(crate) fn of_file(path: &Path, source: io::Error) -> Self {
        let kind = source.kind();
        let (path, source) = (path.to_owned(), source.into());
        match kind {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::ReadOnly { path, source }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path, source },
            _ => Self::Io { path, source },
        }
    }

    /// A failure of `SQLite`, by its result code.
    pub(crate) fn of_sqlite(doing: &'static str, path: &Path, source: sqlx::Error) -> Self {
        let path = path.to_owned();
        match sqlite_kind(&source) {
            "read_only" => Self::ReadOnly {
                path,
                source: source.into(),
            },
            "full" => Self::DiskFull {
                path,
                source: source.into(),
            },
            "io" | "cannot_open" => Self::Io {
                path,
                source: source.into(),
            },
            _ => Self::Sqlite { doing, source },
        }
    }

    /// The kind of failure as a metric label and a log field.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Locked { path: _ } => "locked",
            Self::ReadOnly { path: _, source: _ } => "read_only",
            Self::DiskFull { path: _, source: _ } => "full",
            Self::Io { path: _, source: _ } => "io",
            Self::Corrupt { moved_to: _ } => "corrupt",
            Self::TooNew { found: _, known: _ } => "too_new",
            Self::Foreign {
                path: _,
                application_id: _,
            } => "foreign",
            Self::SqliteTooOld { found: _ } => "sqlite_too_old",
            Self::Backup { path: _ } => "backup",
            Self::Migrate { path: _, source: _ } => "migrate",
            Self::Sqlite { doing: _, source: _ } => "sqlite",
        }
    }
}

/// Everything a store is made of.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) writer: SqlitePool,
    pub(crate) reader: SqlitePool,
    pub(crate) path: PathBuf,
    pub(crate) file: (u64, u64),
    pub(crate) identity: String,
    pub(crate) epoch: u64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) is_new: bool,
    pub(crate) lock: StateLock,
}

/// The one row of `store`, after this opening was counted.
struct Birth {
    identity: String,
    created_at: DateTime<Utc>,
    epoch: i64,
    is_new: bool,
}

/// Opens the store with the schemas of a migrator.
pub(crate) async fn open(
    state_dir: &Path,
    now: DateTime<Utc>,
    migrator: &Migrator,
) -> Result<Opened, OpenError> {
    let mut lock = StateLock::take(state_dir)?;
    let path = state_dir.join(NAME);
    let writer = sound_pool(&path, now).await?;
    let born = async {
        let mut connection = writer
            .acquire()
            .await
            .map_err(|source| failed("opening the store", &path, source))?;
        bring_up_to_date(&mut connection, &path, now, migrator).await?;
        begin_epoch(&mut connection, &path, now, lock.last()).await
    };
    let born = match born.await {
        Ok(born) => born,
        Err(error) => {
            writer.close().await;
            return Err(error);
        }
    };
    let Birth {
        identity,
        created_at,
        epoch,
        is_new,
    } = born;
    let opened = LastOpened {
        identity: identity.clone(),
        epoch,
    };
    lock.remember(opened)
        .map_err(|source| OpenError::of_file(&path, source))?;
    let file = inode(&path).map_err(|source| OpenError::of_file(&path, source))?;
    let reader = pool(N_READERS, options(&path).read_only(true).create_if_missing(false));
    Ok(Opened {
        writer,
        reader,
        path,
        file,
        identity,
        epoch: epoch.unsigned_abs(),
        created_at,
        is_new,
        lock,
    })
}

/// The writer's pool over a file that is ours and sound; a corrupt one is set aside.
async fn sound_pool(path: &Path, now: DateTime<Utc>) -> Result<SqlitePool, OpenError> {
    let pool = pool(1, writing(path));
    let sound = async {
        let acquired = pool.acquire().await;
        let mut connection = acquired.map_err(|source| failed("opening the store", path, source))?;
        check_version(&mut connection, path).await?;
        check_owner(&mut connection, path).await?;
        is_sound(&mut connection, path).await
    };
    let error = match sound.await {
        Ok(true) => return Ok(pool),
        Ok(false) => None,
        Err(error) => Some(error),
    };
    pool.close().await;
    match error {
        Some(error) if !is_corrupt(&error) => Err(error),
        _ => {
            let moved_to = set_aside(path, now).map_err(|source| OpenError::of_file(path, source))?;
            Err(OpenError::Corrupt { moved_to })
        }
    }
}

/// Connections that are opened when they are asked for and kept until the store is closed.
///
/// After a full disk or an I/O error `SQLite` ends a transaction by itself, which sqlx does not learn: the connection
/// would count as inside that transaction for ever and refuse every further one. Such a connection is closed, and the
/// next use opens another. <https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction>
fn pool(max_connections: u32, options: SqliteConnectOptions) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(max_connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_release(|connection, _| {
            Box::pin(async move {
                // Waits for the rollback of a dropped transaction, which is only under way.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
        .connect_lazy_with(options)
}

/// What holds for every connection.
pub(crate) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        // Functions and tables that a schema names are not trusted: the file may have been in other hands.
        .pragma("trusted_schema", "OFF")
        // Memory-mapped pages have turned a small race into a broken file elsewhere.
        .pragma("mmap_size", "0")
        .disable_statement_logging()
}

fn writing(path: &Path) -> SqliteConnectOptions {
    options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", MAX_IDLE_LOG)
}

async fn check_version(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(connection)
        .await
        .map_err(|source| failed("asking SQLite for its version", path, source))?;
    if is_recent(&found) {
        Ok(())
    } else {
        Err(OpenError::SqliteTooOld { found })
    }
}

fn is_recent(version: &str) -> bool {
    let parts: Result<Vec<u32>, _> = version.split('.').map(str::parse).collect();
    parts.is_ok_and(|parts| parts.as_slice() >= MIN_SQLITE.as_slice())
}

/// Refuses a database that another program made. One without any table is nobody's, and sqlx makes its own table
/// before the first migration gives the file its id.
async fn check_owner(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
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
        Err(OpenError::Foreign {
            path: path.to_owned(),
            application_id,
        })
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

/// Applies what is missing of the schema, after a backup when there is anything to lose. Marks are dropped before, so
/// that nothing is due in the pass after a change of schema (S-30).
async fn bring_up_to_date(
    connection: &mut SqliteConnection,
    path: &Path,
    now: DateTime<Utc>,
    migrator: &Migrator,
) -> Result<(), OpenError> {
    let known = migrator
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0);
    let found = schema(connection, path).await?;
    match found {
        Some(found) if found > known => return Err(OpenError::TooNew { found, known }),
        Some(found) if found < known => {
            back_up(connection, path, known, now).await?;
            let unmarked = sqlx::query("DELETE FROM marks").execute(&mut *connection).await;
            unmarked
                .map_err(|source| failed("dropping the marks before the schema changes", path, source))?;
        }
        Some(_) | None => {}
    }
    // Not `run`: its future is Send for no lifetime in general, so that no task could open a store.
    let migrated = migrator.run_direct(None, connection, false).await;
    migrated.map_err(|source| OpenError::Migrate {
        path: path.to_owned(),
        source,
    })
}

/// Counts this opening. The next epoch is beyond what the file and the lock remember; a store that is older than the
/// one opened last, or that nobody remembers, loses its marks and rests (S-29).
async fn begin_epoch(
    connection: &mut SqliteConnection,
    path: &Path,
    now: DateTime<Utc>,
    last: Option<&LastOpened>,
) -> Result<Birth, OpenError> {
    let failed = |source| failed("beginning an epoch of the store", path, source);
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    let insert = "INSERT INTO store (only, identity, created_at, epoch) VALUES (1, randomblob(16), ?, 0) ON CONFLICT DO NOTHING";
    let inserted = sqlx::query(insert)
        .bind(column::millis(now))
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    let select = "SELECT lower(hex(identity)), created_at, epoch FROM store";
    let (identity, created_at, epoch): (String, i64, i64) = sqlx::query_as(select)
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed)?;
    let is_new = inserted.rows_affected() == 1;
    let last = last.filter(|last| last.identity == identity);
    if !is_new && last.is_none_or(|last| last.epoch > epoch) {
        for table in ["DELETE FROM marks", "DELETE FROM rests"] {
            sqlx::query(table)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
        }
    }
    let epoch = last.map_or(epoch, |last| last.epoch.max(epoch)).saturating_add(1);
    sqlx::query("UPDATE store SET epoch = ?")
        .bind(epoch)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    let created_at = column::time("store.created_at", created_at);
    let created_at = created_at.map_err(|error| failed(sqlx::Error::Decode(error.into())))?;
    Ok(Birth {
        identity,
        created_at,
        epoch,
        is_new,
    })
}

fn failed(doing: &'static str, path: &Path, source: sqlx::Error) -> OpenError {
    OpenError::of_sqlite(doing, path, source)
}

fn is_corrupt(error: &OpenError) -> bool {
    matches!(error, OpenError::Sqlite { doing: _, source } if sqlite_kind(source) == "corrupt")
}

#[cfg(test)]
mod tests {
    use sqlx::SqlSafeStr;
    use sqlx::migrate::{Migration, MigrationType};

    use super::*;
    use crate::{MIGRATOR, Store};

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap()
    }

    /// The schemas of today and one more.
    fn later(sql: &'static str) -> Migrator {
        let mut migrations = MIGRATOR.migrations.to_vec();
        let (version, simple) = (9999, MigrationType::Simple);
        migrations.push(Migration::new(
            version,
            "later".into(),
            simple,
            sql.into_sql_str(),
            false,
        ));
        Migrator::with_migrations(migrations)
    }

    /// A state directory whose store has a mark.
    async fn marked() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), now()).await.unwrap();
        let mark = "INSERT INTO repositories (ocid, name, first_seen_at, last_seen_at) VALUES ('r', 'r', 0, 0); \
             INSERT INTO marks VALUES (1, zeroblob(32), 'old', 1, 0, 3)";
        sqlx::raw_sql(mark).execute(&store.writer).await.unwrap();
        store.close().await;
        dir
    }

    async fn n_marks(path: &Path) -> i64 {
        let mut connection = SqliteConnection::connect_with(&options(path)).await.unwrap();
        sqlx::query_scalar("SELECT count(*) FROM marks")
            .fetch_one(&mut connection)
            .await
            .unwrap()
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names
            .filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm"))
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_schema_changes_after_a_backup_and_unmarks() {
        let dir = marked().await;
        let opened = open(dir.path(), now(), &later("CREATE TABLE later (x)"))
            .await
            .unwrap();
        sqlx::query("SELECT x FROM later")
            .fetch_all(&opened.reader)
            .await
            .unwrap();
        assert_eq!(n_marks(&opened.path).await, 0);
        let backup = "ocird.db.before-9999-1790000000";
        assert_eq!(names(dir.path()), ["ocird.db", backup, "ocird.lock"]);
        assert_eq!(n_marks(&dir.path().join(backup)).await, 1);
    }

    #[tokio::test]
    async fn a_schema_that_fails_leaves_the_store_usable_by_the_program_before() {
        let dir = marked().await;
        let failed = open(
            dir.path(),
            now(),
            &later("CREATE TABLE later (x); CREATE TABLE later (x)"),
        )
        .await;
        assert_eq!(failed.unwrap_err().kind(), "migrate");
        let store = Store::open(dir.path(), now()).await.unwrap();
        store.check_writable().await.unwrap();
    }

    #[tokio::test]
    async fn a_store_of_the_present_schema_is_not_copied() {
        let dir = marked().await;
        Store::open(dir.path(), now()).await.unwrap().close().await;
        assert_eq!(names(dir.path()), ["ocird.db", "ocird.lock"]);
        assert_eq!(n_marks(&dir.path().join(NAME)).await, 1);
    }

    #[tokio::test]
    async fn the_writer_syncs_every_commit_and_trusts_no_schema() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), now()).await.unwrap();
        let settings = "SELECT (SELECT journal_mode FROM pragma_journal_mode), (SELECT synchronous FROM pragma_synchronous), \
             (SELECT foreign_keys FROM pragma_foreign_keys), (SELECT trusted_schema FROM pragma_trusted_schema)";
        let settings: (String, i64, i64, i64) =
            sqlx::query_as(settings).fetch_one(&store.writer).await.unwrap();
        assert_eq!(settings, ("wal".to_owned(), 2, 1, 0));
        let mmap_size: Option<i64> = sqlx::query_scalar("PRAGMA mmap_size")
            .fetch_optional(&store.writer)
            .await
            .unwrap();
        assert!(mmap_size.is_none_or(|bytes| bytes == 0), "{mmap_size:?}");
    }

    #[tokio::test]
    async fn sqlite_is_recent_enough_not_to_corrupt_itself() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        check_version(&mut connection, Path::new(":memory:"))
            .await
            .unwrap();
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

    #[test]
    fn failures_of_the_file_system_say_what_to_do() {
        for (kind, word, advice) in [
            (
                io::ErrorKind::ReadOnlyFilesystem,
                "read_only",
                "make the state directory writable",
            ),
            (
                io::ErrorKind::PermissionDenied,
                "read_only",
                "make the state directory writable",
            ),
            (io::ErrorKind::StorageFull, "full", "make some"),
            (
                io::ErrorKind::NotFound,
                "io",
                "see that the state directory exists",
            ),
        ] {
            let error = OpenError::of_file(Path::new("/var/lib/ocird/ocird.lock"), kind.into());
            assert_eq!(error.kind(), word);
            assert!(error.to_string().contains(advice), "{error}");
        }
    }
}
