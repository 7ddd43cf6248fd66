//! How the file is connected to: what holds for every connection, and for the one that writes.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqlitePool};

/// The name of the database in the state directory.
pub(crate) const NAME: &str = "ocird.db";

/// How long a statement waits for another process, such as a person with the `sqlite3` shell.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a checkpoint leaves of the write-ahead log: 4 MiB, the thousand pages of 4 KiB after which `SQLite` checkpoints.
const MAX_IDLE_LOG: &str = "4194304";

/// Statements that a connection keeps prepared: all that there are, and some lengths of those that write many rows at once. With
/// the usual hundred, each pass of a small registry prepared some of them anew, a twentieth of its work.
const STATEMENTS: usize = 250;

/// Connections that are opened when they are asked for and kept until the store is closed.
///
/// After a full disk or an I/O error `SQLite` ends a transaction by itself, which sqlx does not learn: the connection
/// would count as inside that transaction for ever and refuse every further one. Such a connection is closed, and the
/// next use opens another. <https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction>
pub(crate) fn pool(max_connections: u32, options: SqliteConnectOptions) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(max_connections)
        .idle_timeout(None)
        .max_lifetime(None)
        // There is no server that could have gone away, and each way to the thread of SQLite and back costs as much as
        // a small statement.
        .test_before_acquire(false)
        .after_release(|connection, _| {
            Box::pin(async move {
                if connection.is_in_transaction() {
                    // Waits for the rollback of a dropped transaction, which is only under way.
                    connection.ping().await?;
                }
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
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging()
}

/// What the writer needs besides: the file may be made, and a commit is on the disk before it is answered.
pub(crate) fn writing(path: &Path) -> SqliteConnectOptions {
    options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", MAX_IDLE_LOG)
}
