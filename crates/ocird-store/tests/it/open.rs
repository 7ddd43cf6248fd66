//! Opening: the lock, the epoch, and files that are not as they should be.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ocird_store::{OpenError, Store};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use crate::world::{World, at, details, intent, inventory, mark, pass};

#[tokio::test]
async fn a_store_is_new_once_and_keeps_its_identity() {
    let first = World::new().await;
    assert!(first.store.is_new());
    let (identity, epoch) = (first.store.identity().to_owned(), first.store.epoch());
    let second = first.reopened().await;
    assert!(!second.store.is_new());
    assert_eq!(second.store.identity(), identity);
    assert_eq!(second.store.created_at(), at(0));
    assert_eq!(second.store.epoch(), epoch + 1);
    assert_ne!(World::new().await.store.identity(), identity);
}

#[tokio::test]
async fn a_second_opening_of_the_same_directory_is_locked_until_the_first_is_closed() {
    let World { dir, store } = World::new().await;
    let second = Store::open(dir.path(), at(0)).await;
    assert!(matches!(second, Err(OpenError::Locked { .. })), "{second:?}");
    store.check_writable().await.unwrap();
    store.close().await;
    Store::open(dir.path(), at(0)).await.unwrap().check_writable().await.unwrap();
}

#[tokio::test]
async fn a_missing_directory_is_an_error_and_the_store_opens_once_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let state_dir = dir.path().join("state");
    let missing = Store::open(&state_dir, at(0)).await.unwrap_err();
    assert_eq!(missing.kind(), "io");
    assert!(missing.to_string().contains("see that the state directory exists"), "{missing}");
    fs::create_dir(&state_dir).unwrap();
    assert!(Store::open(&state_dir, at(0)).await.unwrap().is_new());
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_an_error() {
    // Nobody can make files there, root included.
    let error = Store::open(Path::new("/sys/kernel"), at(0)).await.unwrap_err();
    assert_eq!(error.kind(), "read_only");
}

#[tokio::test]
async fn a_file_with_broken_pages_is_set_aside_and_the_next_opening_begins_anew() {
    let World { dir, store } = World::new().await;
    let identity = store.identity().to_owned();
    store.close().await;
    let path = dir.path().join("ocird.db");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0xa5);
    fs::write(&path, &bytes).unwrap();
    let Err(OpenError::Corrupt { moved_to }) = Store::open(dir.path(), at(5)).await else {
        panic!("a broken file was opened");
    };
    assert_eq!(fs::read(moved_to).unwrap(), bytes);
    assert!(!path.exists());
    let fresh = Store::open(dir.path(), at(6)).await.unwrap();
    assert!(fresh.is_new());
    assert_ne!(fresh.identity(), identity);
}

#[tokio::test]
async fn what_is_no_database_is_set_aside_without_overwriting_what_was_set_aside_before() {
    let dir = tempfile::tempdir().unwrap();
    for text in ["not a database, first ".repeat(100), "not a database, second".repeat(100)] {
        fs::write(dir.path().join("ocird.db"), &text).unwrap();
        let Err(OpenError::Corrupt { moved_to }) = Store::open(dir.path(), at(0)).await else {
            panic!("text was opened");
        };
        assert_eq!(fs::read_to_string(moved_to).unwrap(), text);
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_the_file_left_as_it_is() {
    let World { dir, store } = World::new().await;
    store.close().await;
    let path = dir.path().join("ocird.db");
    let mut raw = connect(&path).await;
    let later = "INSERT INTO _sqlx_migrations SELECT 9999, 'later', installed_on, 1, checksum, 0 FROM _sqlx_migrations LIMIT 1";
    sqlx::query(later).execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
    let before = fs::read(&path).unwrap();
    let refused = Store::open(dir.path(), at(0)).await;
    let latest = ocird_store::MIGRATOR.iter().map(|migration| migration.version).max().unwrap();
    assert!(
        matches!(refused, Err(OpenError::TooNew { found: 9999, known }) if known == latest),
        "{refused:?}"
    );
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_database_of_another_program_is_refused() {
    for sql in ["CREATE TABLE somebody (x)", "PRAGMA application_id = 7"] {
        let dir = tempfile::tempdir().unwrap();
        let mut raw = connect(&dir.path().join("ocird.db")).await;
        sqlx::query(sql).execute(&mut raw).await.unwrap();
        raw.close().await.unwrap();
        let refused = Store::open(dir.path(), at(0)).await;
        assert!(matches!(refused, Err(OpenError::Foreign { .. })), "{sql}: {refused:?}");
    }
}

#[tokio::test]
async fn a_process_that_was_overtaken_cannot_write() {
    let world = World::new().await;
    let overtaken = "UPDATE store SET epoch = epoch + 1";
    sqlx::query(overtaken).execute(&mut world.raw().await).await.unwrap();
    let refused = world.store.intend(&intent(1, &[]), at(1)).await.unwrap_err();
    assert_eq!(refused.kind(), "fenced");
    assert_eq!(world.store.check_writable().await.unwrap_err().kind(), "fenced");
    assert_eq!(world.number("SELECT count(*) FROM intents").await, 0);
    assert_eq!(world.store.newest_time().await.unwrap(), None);
}

#[tokio::test]
async fn a_file_that_was_moved_away_is_not_written_to() {
    let world = World::new().await;
    world.store.check_writable().await.unwrap();
    let path = world.dir.path().join("ocird.db");
    fs::rename(&path, world.dir.path().join("elsewhere")).unwrap();
    assert_eq!(world.store.check_writable().await.unwrap_err().kind(), "replaced");
    fs::copy(world.dir.path().join("elsewhere"), &path).unwrap();
    let refused = world.store.intend(&intent(1, &[]), at(1)).await.unwrap_err();
    assert_eq!(refused.kind(), "replaced");
    assert!(refused.needs_reopening());
}

#[tokio::test]
async fn a_restart_keeps_marks_and_an_older_copy_of_the_store_has_none() {
    let world = marked().await.reopened().await;
    assert_eq!(world.store.marks().await.unwrap(), BTreeMap::from([mark(1, 3)]));
    assert!(!world.store.is_put_back());
    let World { dir, store } = world;
    store.close().await;
    let (path, copy) = (dir.path().join("ocird.db"), dir.path().join("copy.db"));
    fs::copy(&path, &copy).unwrap();
    let later = Store::open(dir.path(), at(9)).await.unwrap();
    let epoch = later.epoch();
    later.close().await;
    fs::copy(&copy, &path).unwrap();
    let restored = Store::open(dir.path(), at(9)).await.unwrap();
    assert_eq!(restored.marks().await.unwrap(), BTreeMap::new());
    assert!(restored.is_put_back());
    assert_eq!(restored.epoch(), epoch + 1);
}

#[tokio::test]
async fn a_copy_taken_while_the_store_was_in_use_and_put_back_has_no_marks() {
    let world = marked().await;
    let (path, copy) = (world.dir.path().join("ocird.db"), world.dir.path().join("copy.db"));
    sqlx::query("VACUUM INTO ?").bind(copy.to_str().unwrap()).execute(&mut world.raw().await).await.unwrap();
    let (inventory, marks) = (inventory(&[details(1, &["v1"])], at(3)), BTreeMap::from([mark(1, 4)]));
    let mut record = pass(Some(&inventory), at(3));
    record.marks = Some(&marks);
    world.store.record(&record).await.unwrap();
    let epoch = world.store.epoch();
    let World { dir, store } = world;
    store.close().await;
    for part in ["-wal", "-shm"] {
        drop(fs::remove_file(dir.path().join(format!("ocird.db{part}"))));
    }
    fs::copy(&copy, &path).unwrap();
    let restored = Store::open(dir.path(), at(9)).await.unwrap();
    assert_eq!(restored.epoch(), epoch + 1, "it is of the same epoch");
    assert_eq!(restored.marks().await.unwrap(), BTreeMap::new());
}

#[tokio::test]
async fn a_directory_that_was_copied_as_a_whole_has_no_marks() {
    let World { dir, store } = marked().await;
    store.close().await;
    let elsewhere = tempfile::tempdir().unwrap();
    for name in ["ocird.db", "ocird.lock"] {
        fs::copy(dir.path().join(name), elsewhere.path().join(name)).unwrap();
    }
    let copied = Store::open(elsewhere.path(), at(9)).await.unwrap();
    assert_eq!(copied.marks().await.unwrap(), BTreeMap::new());
}

#[tokio::test]
async fn a_crash_between_a_change_of_the_marks_and_the_line_beside_them_costs_no_mark() {
    let World { dir, store } = marked().await;
    store.close().await;
    let mut raw = connect(&dir.path().join("ocird.db")).await;
    sqlx::query("UPDATE store SET generation = generation + 1").execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
    let opened = Store::open(dir.path(), at(9)).await.unwrap();
    assert_eq!(opened.marks().await.unwrap(), BTreeMap::from([mark(1, 3)]));
}

#[tokio::test]
async fn a_store_from_another_directory_has_no_marks() {
    let World { dir, store } = marked().await;
    store.close().await;
    let elsewhere = tempfile::tempdir().unwrap();
    fs::copy(dir.path().join("ocird.db"), elsewhere.path().join("ocird.db")).unwrap();
    let copied = Store::open(elsewhere.path(), at(9)).await.unwrap();
    assert!(!copied.is_new());
    assert_eq!(copied.marks().await.unwrap(), BTreeMap::new());
}

async fn marked() -> World {
    let world = World::new().await;
    let images = [details(1, &["v1"])];
    world.see(&images, at(1)).await;
    let (inventory, marks) = (inventory(&images, at(2)), BTreeMap::from([mark(1, 3)]));
    let mut record = pass(Some(&inventory), at(2));
    record.marks = Some(&marks);
    world.store.record(&record).await.unwrap();
    world
}

async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    SqliteConnection::connect_with(&options).await.unwrap()
}
