//! The cache in directories of every kind of owner and mode.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_770_000_000 + seconds, 0).unwrap()
}

fn token(requested: i64, expires: i64) -> Remembered {
    Remembered {
        password: SecretString::from("token".to_owned()),
        requested_at: at(requested),
        expires_at: at(expires),
    }
}

fn remember(slot: &Slot, remembered: &Remembered) {
    slot.write(remembered, &slot.try_right().unwrap().unwrap()).unwrap();
}

fn cache() -> (tempfile::TempDir, Cache) {
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::open(&directory.path().join("a/b")).unwrap();
    (directory, cache)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn a_token_is_fresh_for_half_its_life_and_valid_to_its_end() {
    let hour = token(0, 3600);
    for (now, fresh, valid) in [
        (-1, false, false),
        (0, true, true),
        (1799, true, true),
        (1800, false, true),
        (3599, false, true),
        (3600, false, false),
    ] {
        assert_eq!((hour.is_fresh(at(now)), hour.is_valid(at(now))), (fresh, valid), "after {now} s");
    }
    let short = token(0, 100);
    assert!(short.is_fresh(at(39)) && !short.is_fresh(at(40)), "the margin counts for short lives");
}

#[test]
fn what_is_written_is_read_by_its_own_identity_and_host_only() {
    let (_directory, cache) = cache();
    let slot = cache.slot("instance_principal", "fra.ocir.io");
    assert!(slot.read().is_none());
    remember(&slot, &token(0, 3600));
    let read = slot.read().unwrap();
    assert_eq!((read.password.expose_secret(), read.expires_at), ("token", at(3600)));
    assert!(cache.slot("api_key", "fra.ocir.io").read().is_none());
    assert!(cache.slot("instance_principal", "lin.ocir.io").read().is_none());
    fs::copy(&slot.path, cache.slot("api_key", "fra.ocir.io").path).unwrap();
    assert!(cache.slot("api_key", "fra.ocir.io").read().is_none(), "a file under another's name");
}

#[test]
fn nobody_else_can_read_or_write() {
    let (_directory, cache) = cache();
    let slot = cache.slot("i", "h");
    remember(&slot, &token(0, 3600));
    assert_eq!((mode(&cache.directory), mode(&slot.path)), (0o700, 0o600));
    assert_eq!(mode(&slot.path.with_extension("lock")), 0o600);
    fs::set_permissions(&slot.path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(slot.read().is_none(), "a file that others may read is not believed");
    fs::set_permissions(&cache.directory, fs::Permissions::from_mode(0o770)).unwrap();
    let refused = Cache::open(&cache.directory).unwrap_err().to_string();
    assert!(refused.ends_with("is not used: others may write to it; chmod 700 it"), "{refused}");
}

#[test]
fn links_are_not_followed() {
    let (directory, cache) = cache();
    let slot = cache.slot("i", "h");
    remember(&slot, &token(0, 3600));
    let elsewhere = directory.path().join("elsewhere");
    fs::rename(&slot.path, &elsewhere).unwrap();
    symlink(&elsewhere, &slot.path).unwrap();
    assert!(slot.read().is_none());
    let link = directory.path().join("link");
    symlink(&cache.directory, &link).unwrap();
    assert!(matches!(Cache::open(&link), Err(CacheError::Unsafe { .. })));
    fs::remove_file(slot.path.with_extension("lock")).unwrap();
    symlink(&elsewhere, slot.path.with_extension("lock")).unwrap();
    assert!(matches!(slot.try_right(), Err(CacheError::File { .. })));
}

#[test]
fn a_damaged_file_is_as_good_as_none_and_is_replaced() {
    let (_directory, cache) = cache();
    let slot = cache.slot("i", "h");
    for damage in [&b""[..], b"{", b"null", &[0xff; 100], &vec![b' '; 100_000]] {
        private()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&slot.path)
            .unwrap()
            .write_all(damage)
            .unwrap();
        fs::write(slot.path.with_extension("new"), damage).unwrap();
        assert!(slot.read().is_none());
        assert_eq!(cache.hosts("i", at(0)).unwrap(), [""; 0]);
        remember(&slot, &token(0, 3600));
        assert!(slot.read().is_some());
    }
    assert_eq!(cache.hosts("i", at(0)).unwrap(), ["h"]);
    assert_eq!(cache.hosts("i", at(3600)).unwrap(), [""; 0]);
    slot.forget().unwrap();
    slot.forget().unwrap();
    assert!(slot.read().is_none());
}

#[test]
fn one_has_the_right_to_sign_in_and_the_next_waits_for_it() {
    let (_directory, cache) = cache();
    let slot = cache.slot("i", "h");
    let right = slot.try_right().unwrap().unwrap();
    assert!(slot.try_right().unwrap().is_none());
    let busy = slot.right_within(Duration::ZERO).unwrap_err().to_string();
    assert_eq!(busy, "another docker-credential-ocir has been signing in for 0 s");
    drop(right);
    slot.right_within(Duration::from_mins(1)).unwrap();
}

#[test]
fn a_password_is_in_no_debug_output() {
    assert!(!format!("{:?}", token(0, 1)).contains("token"));
}
