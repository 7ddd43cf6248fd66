//! Opens the store, or says why not and what to do. What is wrong with a file is found here, before anybody relies on
//! it: another's file, a newer schema, a corrupt page.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use ocird_model::Rule;
use sqlx::migrate::Migrator;
use sqlx::{Connection, SqliteConnection, SqlitePool};

use crate::OpenError;
use crate::backup::{back_up, set_aside};
use crate::brakes::FORGET;
use crate::column;
use crate::connect::{NAME, options, pool, writing};
use crate::inspect::{check_owner, check_version, failed, is_sound, schema};
use crate::lock::{LastOpened, StateLock};
use crate::store::inode;

/// Connections that only read: one for a pass and one for whoever asks meanwhile.
const N_READERS: u32 = 2;

/// Connections for questions about the past. They are opened when somebody asks; each holds up to 2 MB of pages.
const N_ASKERS: u32 = 2;

/// Everything a store is made of.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) writer: SqlitePool,
    pub(crate) reader: SqlitePool,
    pub(crate) askers: SqlitePool,
    pub(crate) path: PathBuf,
    pub(crate) file: (u64, u64),
    pub(crate) identity: String,
    pub(crate) epoch: u64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) is_new: bool,
    pub(crate) is_put_back: bool,
    pub(crate) lock: StateLock,
}

/// The one row of `store`, after this opening was counted.
struct Birth {
    identity: String,
    created_at: DateTime<Utc>,
    epoch: i64,
    generation: i64,
    is_new: bool,
    is_put_back: bool,
}

/// Opens the store with the schemas of a migrator.
pub(crate) async fn open(
    state_dir: &Path,
    now: DateTime<Utc>,
    migrator: &Migrator,
) -> Result<Opened, OpenError> {
    let lock = StateLock::take(state_dir)?;
    let path = state_dir.join(NAME);
    let writer = sound_pool(&path, now).await?;
    let born = async {
        let mut connection =
            writer.acquire().await.map_err(|source| failed("opening the store", &path, source))?;
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
    let Birth { identity, created_at, epoch, generation, is_new, is_put_back } = born;
    let opened = LastOpened { identity: identity.clone(), epoch, generation };
    lock.remember(&opened).map_err(|source| OpenError::of_file(&path, source))?;
    let file = inode(&path).map_err(|source| OpenError::of_file(&path, source))?;
    let reading = options(&path).read_only(true).create_if_missing(false);
    let (reader, askers) = (pool(N_READERS, reading.clone()), pool(N_ASKERS, reading));
    Ok(Opened {
        writer,
        reader,
        askers,
        path,
        file,
        identity,
        epoch: epoch.unsigned_abs(),
        created_at,
        is_new,
        is_put_back,
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
        Some(error) if !error.is_corrupt() => Err(error),
        _ => {
            let moved_to = set_aside(path, now).map_err(|source| OpenError::of_file(path, source))?;
            Err(OpenError::Corrupt { moved_to })
        }
    }
}

/// The `user_version` of a file whose schema is being brought up to date. A crash in the middle leaves it there, so that the
/// next opening knows.
const CHANGING: i64 = 1;

/// Applies what is missing of the schema, after a backup when there is anything to lose. Marks are dropped before and the
/// instant is written down after, so that the next pass of each repository only observes (S-30).
async fn bring_up_to_date(
    connection: &mut SqliteConnection,
    path: &Path,
    now: DateTime<Utc>,
    migrator: &Migrator,
) -> Result<(), OpenError> {
    let known = migrator.iter().map(|migration| migration.version).max().unwrap_or(0);
    let found = schema(connection, path).await?;
    let mut has_changed = is_changing(connection).await.map_err(|source| failed(CHANGE, path, source))?;
    match found {
        Some(found) if found > known && Rule::S30.in_force() => {
            return Err(OpenError::TooNew { found, known });
        }
        Some(found) if found < known => {
            back_up(connection, path, known, now).await?;
            begin_change(connection).await.map_err(|source| failed(CHANGE, path, source))?;
            has_changed = true;
        }
        Some(_) | None => {}
    }
    // Not `run`: its future is Send for no lifetime in general, so that no task could open a store.
    let migrated = migrator.run_direct(None, &mut *connection, false).await;
    migrated.map_err(|source| OpenError::Migrate { path: path.to_owned(), source })?;
    if has_changed {
        end_change(connection, now).await.map_err(|source| failed(CHANGE, path, source))?;
    }
    Ok(())
}

/// What is being done where a change of the schema is noted.
const CHANGE: &str = "noting that the schema changes";

async fn is_changing(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(connection).await?;
    Ok(version == CHANGING)
}

async fn begin_change(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("PRAGMA user_version = 1").execute(&mut *connection).await?;
    if Rule::S30.in_force() {
        sqlx::query("DELETE FROM marks").execute(connection).await?;
    }
    Ok(())
}

async fn end_change(connection: &mut SqliteConnection, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let changed = "UPDATE store SET migrated_at = ?";
    sqlx::query(changed).bind(column::millis(now)).execute(&mut *connection).await?;
    sqlx::query("PRAGMA user_version = 0").execute(connection).await?;
    Ok(())
}

/// Counts this opening. The next epoch is beyond what the file and the lock remember; a store that is older than the
/// one opened last, or that nobody remembers, loses its marks and rests, and its ramp begins anew (S-20, S-29).
async fn begin_epoch(
    connection: &mut SqliteConnection,
    path: &Path,
    now: DateTime<Utc>,
    last: Option<&LastOpened>,
) -> Result<Birth, OpenError> {
    let failed = |source| failed("beginning an epoch of the store", path, source);
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    let insert = "INSERT INTO store (only, identity, created_at, epoch) VALUES (1, randomblob(16), ?, 0) ON CONFLICT DO NOTHING";
    let inserted =
        sqlx::query(insert).bind(column::millis(now)).execute(&mut *transaction).await.map_err(failed)?;
    let select = "SELECT lower(hex(identity)), created_at, epoch, generation FROM store";
    let (identity, created_at, epoch, generation): (String, i64, i64, i64) =
        sqlx::query_as(select).fetch_one(&mut *transaction).await.map_err(failed)?;
    let is_new = inserted.rows_affected() == 1;
    let last = last.filter(|last| last.identity == identity);
    // A store that was copied while it was in use is of the same epoch, and behind by the changes of its marks since.
    let is_older = last.is_none_or(|last| last.epoch > epoch || last.generation > generation);
    let is_put_back = !is_new && is_older;
    if is_put_back && Rule::S29.in_force() {
        for forget in ["DELETE FROM marks", "DELETE FROM rests"].into_iter().chain(FORGET) {
            sqlx::query(forget).execute(&mut *transaction).await.map_err(failed)?;
        }
    }
    let epoch = last.map_or(epoch, |last| last.epoch.max(epoch)).saturating_add(1);
    let generation = last.map_or(generation, |last| last.generation.max(generation)).saturating_add(1);
    let update = "UPDATE store SET epoch = ?, generation = ?";
    sqlx::query(update).bind(epoch).bind(generation).execute(&mut *transaction).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    let created_at = column::time("store.created_at", created_at);
    let created_at = created_at.map_err(|error| failed(sqlx::Error::Decode(error.into())))?;
    Ok(Birth { identity, created_at, epoch, generation, is_new, is_put_back })
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
        migrations.push(Migration::new(version, "later".into(), simple, sql.into_sql_str(), false));
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
        sqlx::query_scalar("SELECT count(*) FROM marks").fetch_one(&mut connection).await.unwrap()
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> =
            names.filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm")).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_schema_changes_after_a_backup_and_unmarks() {
        let dir = marked().await;
        let opened = open(dir.path(), now(), &later("CREATE TABLE later (x)")).await.unwrap();
        sqlx::query("SELECT x FROM later").fetch_all(&opened.reader).await.unwrap();
        assert_eq!(n_marks(&opened.path).await, 0);
        let backup = "ocird.db.before-9999-1790000000";
        assert_eq!(names(dir.path()), ["ocird.db", backup, "ocird.lock"]);
        assert_eq!(n_marks(&dir.path().join(backup)).await, 1);
        let migrated_at: i64 =
            sqlx::query_scalar("SELECT migrated_at FROM store").fetch_one(&opened.reader).await.unwrap();
        assert_eq!(migrated_at, column::millis(now()));
    }

    #[tokio::test]
    async fn a_crash_in_the_middle_of_a_change_of_schema_is_noticed_at_the_next_opening() {
        let dir = marked().await;
        let mut connection = SqliteConnection::connect_with(&options(&dir.path().join(NAME))).await.unwrap();
        sqlx::query("PRAGMA user_version = 1").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        for _ in 0..2 {
            let store = Store::open(dir.path(), now()).await.unwrap();
            assert_eq!(store.migrated_at().await.unwrap(), Some(now()), "it is remembered, and noted once");
            store.close().await;
        }
    }

    #[tokio::test]
    async fn a_schema_that_fails_leaves_the_store_usable_by_the_program_before() {
        let dir = marked().await;
        let failed = open(dir.path(), now(), &later("CREATE TABLE later (x); CREATE TABLE later (x)")).await;
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
        let mmap_size: Option<i64> =
            sqlx::query_scalar("PRAGMA mmap_size").fetch_optional(&store.writer).await.unwrap();
        assert!(mmap_size.is_none_or(|bytes| bytes == 0), "{mmap_size:?}");
    }
}
