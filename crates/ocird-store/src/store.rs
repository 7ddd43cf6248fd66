//! The open store: two pools, the lock, and the one way to write. Opening it is `open`; what is written is elsewhere.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use ocird_model::Rule;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

use crate::column::{millis, uncount};
use crate::lock::{LastOpened, StateLock};
use crate::open::Opened;
use crate::{MIGRATOR, OpenError, StoreError};

/// What ocird remembers; see the crate. The one writer of its state directory for as long as it lives.
pub struct Store {
    /// The one connection that writes. A pool only because it opens the connection anew should its thread die.
    pub(crate) writer: SqlitePool,
    /// Connections that cannot write.
    pub(crate) reader: SqlitePool,
    /// Others that cannot write, for whoever asks about the past: no number of questions keeps a pass waiting.
    pub(crate) askers: SqlitePool,
    pub(crate) path: PathBuf,
    /// Device and inode of the file that was opened.
    file: (u64, u64),
    identity: String,
    epoch: u64,
    created_at: DateTime<Utc>,
    is_new: bool,
    is_put_back: bool,
    /// A commit failed in a way that leaves unknown what the disk holds.
    broken: AtomicBool,
    /// Held until the store is closed or dropped. Last, so that the connections go first.
    lock: StateLock,
}

/// A transaction that writes, already known to belong to the present epoch. Dropped without a commit, it never was.
pub(crate) struct Write<'a> {
    store: &'a Store,
    transaction: Transaction<'static, Sqlite>,
    /// The generation that the marks have from this write on, if it changes them.
    generation: Option<i64>,
}

impl Store {
    /// Opens the store in a state directory that exists, or makes a new one there: takes the lock, checks the file
    /// from end to end, brings its schema up to date after a verified backup, and begins a new epoch.
    pub async fn open(state_dir: &Path, now: DateTime<Utc>) -> Result<Self, OpenError> {
        Ok(Self::from(crate::open::open(state_dir, now, &MIGRATOR).await?))
    }

    /// The store's random identity: another one means another store, that remembers other things. 32 hex digits.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The path of the database.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How often the store has been opened. Every write carries it, and is refused once there is a later one.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// True when this opening made the store. It knows nothing yet: observe for a whole grace first (S-15).
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// True when the store is older than the one opened here last, or comes from elsewhere: its marks are gone (S-29), and so is
    /// whatever people have said since it was copied.
    pub const fn is_put_back(&self) -> bool {
        self.is_put_back
    }

    /// When the store was made.
    pub const fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// True while no statement is under way and no transaction is open: whoever lets virtual time pass waits for that, because
    /// the thread of `SQLite` takes real time.
    pub fn is_at_rest(&self) -> bool {
        let pools = [&self.writer, &self.reader, &self.askers];
        pools.iter().all(|pool| u32::try_from(pool.num_idle()) == Ok(pool.size()))
    }

    /// Commits and syncs a real write that says nothing. Nothing may be deleted unless this succeeds (S-28).
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        let mut write = self.begin_untimed().await?;
        sqlx::query("UPDATE store SET n_checks = n_checks + 1")
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("writing to the store as a check"))?;
        write.commit().await
    }

    /// Closes the connections, so that the write-ahead log is folded into the file, and then gives the lock back. Whoever
    /// shares the store and is in the middle of a write ends it first; whoever comes later is told that it is closed.
    pub async fn close(&self) {
        self.askers.close().await;
        self.reader.close().await;
        self.writer.close().await;
        self.lock.release();
    }

    /// Begins to write at `now`.
    pub(crate) async fn begin(&self, now: DateTime<Utc>) -> Result<Write<'_>, StoreError> {
        self.begin_at(Some(millis(now))).await
    }

    /// Begins to write what has no time of its own.
    pub(crate) async fn begin_untimed(&self) -> Result<Write<'_>, StoreError> {
        self.begin_at(None).await
    }

    pub(crate) async fn begin_at(&self, now: Option<i64>) -> Result<Write<'_>, StoreError> {
        if self.broken.load(Ordering::Acquire) {
            return Err(StoreError::Broken);
        }
        if !self.is_in_place() {
            return Err(StoreError::Replaced { path: self.path.clone() });
        }
        // IMMEDIATE: a transaction that begins by reading can be refused its write at once, whatever the timeout.
        let transaction = self.writer.begin_with("BEGIN IMMEDIATE").await;
        let transaction = transaction.map_err(StoreError::sqlite("beginning to write to the store"));
        let mut transaction = transaction.inspect_err(|error| self.note(error))?;
        let epoch = "UPDATE store SET newest_at = max(coalesce(newest_at, ?1), coalesce(?1, newest_at)) RETURNING epoch";
        let found: i64 = sqlx::query_scalar(epoch)
            .bind(now)
            .fetch_one(&mut *transaction)
            .await
            .map_err(StoreError::sqlite("looking at the store's epoch"))?;
        let found = uncount("store.epoch", found)?;
        if found != self.epoch && Rule::S23.in_force() {
            return Err(StoreError::Fenced { ours: self.epoch, found });
        }
        Ok(Write { store: self, transaction, generation: None })
    }

    /// Writes beside the store which generation its marks have: a copy from before is told by that (S-29).
    fn remember_generation(&self, generation: i64) -> Result<(), StoreError> {
        let opened =
            LastOpened { identity: self.identity.clone(), epoch: self.epoch.cast_signed(), generation };
        let doing = "writing beside the store how old it is";
        let remembered = self.lock.remember(&opened);
        remembered.map_err(|source| StoreError::sqlite(doing)(sqlx::Error::Io(source)))
    }

    /// Takes note of a failed write after which nobody knows what the disk holds.
    fn note(&self, error: &StoreError) {
        if matches!(error.kind(), "io" | "corrupt") {
            self.broken.store(true, Ordering::Release);
        }
    }

    /// Whether the path still leads to the open file. `SQLite` would go on writing into one that was moved away.
    fn is_in_place(&self) -> bool {
        inode(&self.path).is_ok_and(|file| file == self.file)
    }
}

impl From<Opened> for Store {
    fn from(opened: Opened) -> Self {
        let Opened {
            writer,
            reader,
            askers,
            path,
            file,
            identity,
            epoch,
            created_at,
            is_new,
            is_put_back,
            lock,
        } = opened;
        Self {
            writer,
            reader,
            askers,
            path,
            file,
            identity,
            epoch,
            created_at,
            is_new,
            is_put_back,
            broken: AtomicBool::new(false),
            lock,
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .field("identity", &self.identity)
            .field("epoch", &self.epoch)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

impl Write<'_> {
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    /// Takes note that this write changes the marks.
    pub(crate) async fn change_marks(&mut self) -> Result<(), StoreError> {
        let next = "UPDATE store SET generation = generation + 1 RETURNING generation";
        let generation = sqlx::query_scalar(next)
            .fetch_one(self.connection())
            .await
            .map_err(StoreError::sqlite("counting a change of the marks"))?;
        self.generation = Some(generation);
        Ok(())
    }

    /// Commits and syncs. After an I/O error or on a corrupt file the store takes no further write: `SQLite` may hold
    /// pages for clean that never reached the disk. <https://www.usenix.org/conference/atc20/presentation/rebello>
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        let Self { store, transaction, generation } = self;
        let committed = transaction.commit().await.map_err(StoreError::sqlite("committing to the store"));
        // After the commit: a store that is ahead of the line has crashed in between, one that is behind it is a copy.
        let remembered =
            committed.and_then(|()| generation.map_or(Ok(()), |number| store.remember_generation(number)));
        remembered.inspect_err(|error| store.note(error))
    }
}

/// Device and inode of the file at a path.
pub(crate) fn inode(path: &Path) -> std::io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), DateTime::UNIX_EPOCH).await.unwrap();
        (dir, store)
    }

    #[tokio::test]
    async fn after_a_commit_that_may_be_lost_nothing_is_written() {
        let (_dir, store) = store().await;
        store.check_writable().await.unwrap();
        let lost = sqlx::Error::Io(std::io::ErrorKind::Other.into());
        store.note(&StoreError::sqlite("committing to the store")(lost));
        let refused = store.check_writable().await.unwrap_err();
        assert_eq!(refused.kind(), "broken");
        assert!(refused.needs_reopening());
    }

    #[tokio::test]
    async fn a_full_disk_is_told_by_its_code_and_passes() {
        let (_dir, store) = store().await;
        // The present size is the least that SQLite accepts: one page more is one too many.
        sqlx::query("PRAGMA max_page_count = 1").execute(&store.writer).await.unwrap();
        let mut write = store.begin(DateTime::UNIX_EPOCH).await.unwrap();
        let big = "INSERT INTO repositories (ocid, name, first_seen_at, last_seen_at) \
             VALUES ('r', hex(zeroblob(1000000)), 0, 0)";
        let full = sqlx::query(big).execute(write.connection()).await;
        let full = full.map_err(StoreError::sqlite("filling the disk")).unwrap_err();
        drop(write);
        assert_eq!(full.kind(), "full");
        assert!(!full.needs_reopening());
        store.check_writable().await.unwrap();
    }

    #[tokio::test]
    async fn another_process_that_writes_makes_the_store_busy() {
        let (_dir, store) = store().await;
        sqlx::query("PRAGMA busy_timeout = 0").execute(&store.writer).await.unwrap();
        let other = SqlitePool::connect_with(crate::connect::options(&store.path)).await.unwrap();
        let held = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
        assert_eq!(store.check_writable().await.unwrap_err().kind(), "busy");
        held.rollback().await.unwrap();
        store.check_writable().await.unwrap();
    }

    #[tokio::test]
    async fn readers_cannot_write() {
        let (_dir, store) = store().await;
        let refused = sqlx::query("UPDATE store SET epoch = 9").execute(&store.reader).await;
        let refused = refused.map_err(StoreError::sqlite("writing as a reader")).unwrap_err();
        assert_eq!(refused.kind(), "read_only");
    }

    #[tokio::test]
    async fn a_closed_store_says_so() {
        let (_dir, store) = store().await;
        store.writer.close().await;
        assert_eq!(store.check_writable().await.unwrap_err().kind(), "closed");
    }
}
